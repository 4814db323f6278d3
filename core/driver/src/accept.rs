//! What a listener does with what it accepts, and when it cannot.

use crate::sockets::{self, Shortage, shortage};
use headwater_core::Time;
use headwater_core::server::Protocol;
use socket2::{Domain, SockRef, Socket, Type};
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
///
/// It keeps a file descriptor for when there is no other: then it gives that one up, so that a connection that waits can be
/// accepted and refused. Without it, nobody would tell the peer.
#[derive(Debug)]
pub struct Acceptor {
    protocol: Protocol,
    logged: Option<Time>,
    spare: Option<Socket>,
}

/// What became of an attempt to accept. None ends the listener: most failures mean that one peer was too quick to leave, and
/// a lack of file descriptors or memory passes.
#[derive(Debug, PartialEq, Eq)]
pub enum Accepted<T> {
    /// A connection, set up, and its peer.
    Connection(T, SocketAddr),
    /// Nothing: go on, once others have had their turn. There may be any number of these.
    Nothing,
    /// Nothing: go on after this time.
    Pause(Duration),
}

impl Acceptor {
    /// For a socket where `protocol` is spoken.
    #[must_use]
    pub fn new(protocol: Protocol) -> Self {
        Acceptor {
            protocol,
            logged: None,
            spare: new_spare().ok(),
        }
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
            Ok((_, peer)) if !self.has_spare() => {
                // The last descriptor is kept for those that come later. This peer hears that it is not served.
                debug!(%peer, "refused: no file descriptor is left");
                self.spare = None;
                return Accepted::Nothing;
            }
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
        let is_out_of_files = shortage(&error) == Some(Shortage::Files);
        if is_out_of_files && self.spare.take().is_some() {
            return Accepted::Nothing;
        }
        Accepted::Pause(PAUSE)
    }

    /// Whether a connection that was accepted has left a descriptor for the next one that cannot be. If it is not known, it has.
    fn has_spare(&mut self) -> bool {
        if self.spare.is_some() {
            return true;
        }
        match new_spare() {
            Ok(spare) => self.spare = Some(spare),
            Err(error) if shortage(&error) == Some(Shortage::Files) => return false,
            Err(_) => {}
        }
        true
    }
}

/// A socket that is not used.
fn new_spare() -> io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::DGRAM, None)
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

    /// What becomes of accepts with these errors, one after the other.
    #[cfg(unix)]
    fn after(acceptor: &mut Acceptor, errors: &[i32]) -> Vec<Accepted<TcpStream>> {
        let errors = errors.iter().map(|error| io::Error::from_raw_os_error(*error));
        errors.map(|error| acceptor.check(Time::ZERO, Err(error))).collect()
    }

    #[test]
    #[cfg(unix)]
    fn a_lack_of_files_gives_up_the_spare_one_then_pauses() {
        const ENFILE: i32 = 23;
        const EMFILE: i32 = 24;
        for error in [ENFILE, EMFILE] {
            let mut acceptor = Acceptor::new(Protocol::Http);
            let accepted = after(&mut acceptor, &[error, error, error]);
            assert!(matches!(
                accepted[..],
                [Accepted::Nothing, Accepted::Pause(PAUSE), Accepted::Pause(PAUSE)]
            ));
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_connection_is_served_once_there_is_a_spare_file_again() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let _peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut acceptor = Acceptor::new(Protocol::Http);
        after(&mut acceptor, &[24]);
        assert!(acceptor.spare.is_none());
        let accepted = acceptor.check(Time::ZERO, listener.accept());
        assert!(matches!(accepted, Accepted::Connection(..)) && acceptor.spare.is_some());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_lack_of_memory_is_waited_out() {
        const ENOMEM: i32 = 12;
        const ENOBUFS: i32 = 105;
        let mut acceptor = Acceptor::new(Protocol::Rtmp);
        for accepted in after(&mut acceptor, &[ENOMEM, ENOBUFS, ENOMEM]) {
            assert!(matches!(accepted, Accepted::Pause(PAUSE)));
        }
        assert!(acceptor.spare.is_some(), "a descriptor would not help");
    }
}
