//! What a driver needs to know before it starts, and what it knows once it listens.

use crate::{Authorizer, Observer, RecordTo};
use core::fmt;
use core::net::{Ipv4Addr, SocketAddr};
use core::num::NonZeroU16;
use headwater_core::server::{self, Protocol};

/// Where to listen, on how many threads, and how the servers behave.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where what is spoken. RTMP and HTTP on the ports 1935 and 8080 of all IPv4 addresses, either of them on both; operators are
    /// not listened for. What they may do on [`Listen::admin`] is up to [`server.admin`](server::Config::admin).
    pub listen: Vec<Listen>,
    /// Threads, each with its own server, listeners and sockets. `None`: one per core, or as many as there is memory for if these
    /// are fewer.
    pub workers: Option<NonZeroU16>,
    /// Bytes of memory that the whole process may use. Each worker is given its share as
    /// [`server.memory_budget`](server::Config::memory_budget), beside which the program itself and its allocator have room.
    /// If connections are [recorded](Self::record), recordings have up to a quarter of the share. A worker needs 7.4 MiB, the
    /// program 8 MiB: with less than that for all [`workers`](Self::workers) that are asked for a server does not start.
    ///
    /// `None`: three quarters of the machine's memory, or of what the control group of the process allows if that is less; where
    /// the system does not say, the budget is what [`server`](Self::server) says.
    pub max_memory: Option<usize>,
    /// What each of the servers is told.
    pub server: server::Config,
    /// Where connections that fail are recorded. `None`: nowhere. [`server.record`](server::Config::record) says how much of each, and
    /// less of all is kept if there is little memory.
    pub record: Option<RecordTo>,
    /// The function that says whether peers may publish and play. `None`: all may. If
    /// [`server.authorize`](server::Config::authorize) does not say about which of them, it is asked about all.
    pub authorize: Option<Authorizer>,
    /// The function that takes the events. `None`: they are only logged.
    pub observe: Option<Observer>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: vec![
                Listen::media((Ipv4Addr::UNSPECIFIED, 1935)),
                Listen::media((Ipv4Addr::UNSPECIFIED, 8080)),
            ],
            workers: None,
            max_memory: None,
            server: server::Config::default(),
            record: None,
            authorize: None,
            observe: None,
        }
    }
}

/// An address to listen on, and what is spoken there. Prints as a URL.
///
/// An IPv6 address is for IPv6 alone: to serve both, listen on `0.0.0.0` and on `[::]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listen {
    /// What is spoken.
    pub protocol: Protocol,
    /// Where. Port 0 picks a free one.
    pub address: SocketAddr,
}

impl Listen {
    /// RTMP, HTTP and WebSocket on `address`: each peer says by its first byte what it speaks.
    #[must_use]
    pub fn media(address: impl Into<SocketAddr>) -> Self {
        Listen {
            protocol: Protocol::Media,
            address: address.into(),
        }
    }

    /// RTMP alone on `address`.
    #[must_use]
    pub fn rtmp(address: impl Into<SocketAddr>) -> Self {
        Listen {
            protocol: Protocol::Rtmp,
            address: address.into(),
        }
    }

    /// HTTP for operators on `address`. Without a [token](server::AdminConfig::token) it has to be a loopback address.
    #[must_use]
    pub fn admin(address: impl Into<SocketAddr>) -> Self {
        Listen {
            protocol: Protocol::Admin,
            address: address.into(),
        }
    }

    /// HTTP and WebSocket alone on `address`.
    #[must_use]
    pub fn http(address: impl Into<SocketAddr>) -> Self {
        Listen {
            protocol: Protocol::Http,
            address: address.into(),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.protocol.scheme(), self.address)
    }
}

/// Where a server listens: the list of its [`Config`], with the ports that were picked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Addresses {
    /// In the order of the configuration.
    pub listen: Vec<Listen>,
    /// How many threads serve them.
    pub workers: u16,
}

impl Addresses {
    /// The first address where RTMP is spoken, alone or [among others](Protocol::Media).
    #[must_use]
    pub fn rtmp(&self) -> Option<SocketAddr> {
        self.first(&[Protocol::Rtmp, Protocol::Media])
    }

    /// The first address where HTTP is spoken, alone or [among others](Protocol::Media).
    #[must_use]
    pub fn http(&self) -> Option<SocketAddr> {
        self.first(&[Protocol::Http, Protocol::Media])
    }

    /// The first address for operators.
    #[must_use]
    pub fn admin(&self) -> Option<SocketAddr> {
        self.speaking(Protocol::Admin).next()
    }

    fn first(&self, protocols: &[Protocol]) -> Option<SocketAddr> {
        let those = self.listen.iter().find(|listen| protocols.contains(&listen.protocol));
        those.map(|listen| listen.address)
    }

    /// The addresses of the listeners for `protocol`.
    pub fn speaking(&self, protocol: Protocol) -> impl Iterator<Item = SocketAddr> {
        let those = self.listen.iter().filter(move |listen| listen.protocol == protocol);
        those.map(|listen| listen.address)
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, listen) in self.listen.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{listen}")?;
        }
        Ok(())
    }
}
