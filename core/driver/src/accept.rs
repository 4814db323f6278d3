//! What a listener does with what it accepts, and when it cannot.

use crate::sockets;
use headwater_core::Time;
use headwater_core::server::Protocol;
use socket2::SockRef;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;
use tracing::{debug, warn};

/// Pause after an accept that failed for want of file descriptors or memory: only a connection that closes can help,
/// and the listener stays readable meanwhile. 50 ms: too short for a viewer to notice, long enough not to spin.
const PAUSE: Duration = Duration::from_millis(50);
/// Time between two log lines about failing accepts. 1 s: the first says it all.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Accepts the connections of one listener, as far as that is the same on every runtime.
#[derive(Debug)]
pub struct Acceptor {
    protocol: Protocol,
    logged: Option<Time>,
}

/// What became of an attempt to accept. None ends the listener: most failures mean that one peer was too quick to leave, and
/// a lack of file descriptors or memory passes.
#[derive(Debug, PartialEq, Eq)]
pub enum Accepted<T> {
    /// A connection, set up, and its peer.
    Connection(T, SocketAddr),
    /// Nothing: go on at once.
    Nothing,
    /// Nothing: go on after this time.
    Pause(Duration),
}

impl Acceptor {
    /// For a socket where `protocol` is spoken.
    #[must_use]
    pub fn new(protocol: Protocol) -> Self {
        Acceptor { protocol, logged: None }
    }

    /// What is spoken.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Sets up a connection that was `accepted`, or tells the log why there is none, once a second. That no connection waits
    /// is no failure, and nothing to ask here.
    pub fn check<T>(&mut self, now: Time, accepted: io::Result<(T, SocketAddr)>) -> Accepted<T>
    where
        for<'a> &'a T: Into<SockRef<'a>>,
    {
        let error = match accepted {
            Ok((stream, peer)) => match sockets::configure(&stream) {
                Ok(()) => return Accepted::Connection(stream, peer),
                Err(error) => {
                    // The peer has gone already.
                    debug!(%error, %peer, "cannot set up the connection");
                    return Accepted::Nothing;
                }
            },
            Err(error) => error,
        };
        if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) {
            return Accepted::Nothing;
        }
        if self.logged.is_none_or(|at| now.since(at) >= LOG_INTERVAL) {
            self.logged = Some(now);
            warn!(%error, protocol = self.protocol.scheme(), files = sockets::file_limit(), "cannot accept");
        }
        Accepted::Pause(PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn a_peer_that_has_left_costs_no_pause() {
        let mut acceptor = Acceptor::new(Protocol::Rtmp);
        let mut fail = |error| match acceptor.check::<TcpStream>(Time::ZERO, Err(error)) {
            Accepted::Pause(pause) => Some(pause),
            _ => None,
        };
        assert_eq!(fail(ErrorKind::ConnectionAborted.into()), None);
        assert_eq!(fail(io::Error::other("too many open files")), Some(PAUSE));
    }
}
