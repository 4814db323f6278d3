//! What a driver needs to know before it starts, and what it knows once it listens.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddr};
use core::num::NonZeroU16;
use headwater_core::server;

/// Where to listen, on how many threads, and how the servers behave.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where RTMP is spoken. All IPv4 addresses, port 1935; port 0 picks a free one.
    pub rtmp_address: SocketAddr,
    /// Where HTTP is spoken. All IPv4 addresses, port 8080; port 0 picks a free one.
    pub http_address: SocketAddr,
    /// Threads, each with its own server, listeners and sockets. `None`: one per core, which whoever listens finds out.
    pub workers: Option<NonZeroU16>,
    /// What each of the servers is told.
    pub server: server::Config,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            rtmp_address: (Ipv4Addr::UNSPECIFIED, 1935).into(),
            http_address: (Ipv4Addr::UNSPECIFIED, 8080).into(),
            workers: None,
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
    /// How many threads serve both.
    pub workers: u16,
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rtmp://{} and http://{}", self.rtmp, self.http)
    }
}
