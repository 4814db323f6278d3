//! Accepting connections.

use headwater_core::Time;
use headwater_core::server;
use headwater_driver::{Accepted, Acceptor};
use mio::net::{TcpListener, TcpStream};
use std::io::ErrorKind;
use std::net::SocketAddr;

/// A listening socket, with what is known of its readiness.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    acceptor: Acceptor,
    due: Time,
}

impl Listener {
    /// `socket` is registered with the worker's poll.
    pub(crate) fn new(socket: TcpListener, protocol: server::Protocol) -> Self {
        Listener {
            socket,
            acceptor: Acceptor::new(protocol),
            due: Time::NEVER,
        }
    }

    pub(crate) fn protocol(&self) -> server::Protocol {
        self.acceptor.protocol()
    }

    /// When to [`accept`](Self::accept): in the past while connections may be waiting, never while there are none,
    /// later after a failure.
    pub(crate) fn due(&self) -> Time {
        self.due
    }

    /// The poll has reported connections.
    pub(crate) fn ready(&mut self) {
        if self.due == Time::NEVER {
            self.due = Time::ZERO;
        }
    }

    /// The next connection, if one waits.
    pub(crate) fn accept(&mut self, now: Time) -> Option<(TcpStream, SocketAddr)> {
        if self.due <= now {
            let accepted = self.socket.accept();
            if matches!(&accepted, Err(error) if error.kind() == ErrorKind::WouldBlock) {
                self.due = Time::NEVER;
                return None;
            }
            match self.acceptor.check(now, accepted) {
                Accepted::Connection(stream, peer) => return Some((stream, peer)),
                // Others have their turn before the next.
                Accepted::Nothing => {}
                Accepted::Pause(pause) => self.due = now + pause,
            }
        }
        None
    }
}
