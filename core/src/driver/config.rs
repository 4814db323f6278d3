//! What a driver needs to know before it starts, and what it knows once it listens.

use crate::server;
use core::fmt;
use core::net::{Ipv4Addr, SocketAddr};
use core::num::NonZeroU16;
use std::thread;

/// Where to listen, on how many threads, and how the servers behave.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where RTMP is spoken. All IPv4 addresses, port 1935; port 0 picks a free one.
    pub rtmp_address: SocketAddr,
    /// Where HTTP is spoken. All IPv4 addresses, port 8080; port 0 picks a free one.
    pub http_address: SocketAddr,
    /// Threads, each with its own server, listeners and sockets. One per core.
    pub workers: NonZeroU16,
    /// What each of the servers is told.
    pub server: server::Config,
}

impl Default for Config {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, |cores| u16::try_from(cores.get()).unwrap_or(u16::MAX));
        Config {
            rtmp_address: (Ipv4Addr::UNSPECIFIED, 1935).into(),
            http_address: (Ipv4Addr::UNSPECIFIED, 8080).into(),
            workers: NonZeroU16::new(cores).unwrap_or(NonZeroU16::MIN),
            server: server::Config::default(),
        }
    }
}

/// Where a server listens: the addresses of its [`Config`], with the ports that were picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Where RTMP is spoken.
    pub rtmp: SocketAddr,
    /// Where HTTP is spoken.
    pub http: SocketAddr,
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rtmp://{} and http://{}", self.rtmp, self.http)
    }
}
