//! Accepting connections.

use headwater_core::Time;
use headwater_core::server;
use headwater_driver::{ACCEPT_LOG_INTERVAL, ACCEPT_PAUSE};
use mio::net::{TcpListener, TcpStream};
use std::io::ErrorKind;
use std::net::SocketAddr;
use tracing::warn;

/// A listening socket, with what is known of its readiness.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    kind: server::Listener,
    due: Time,
    logged: Option<Time>,
}

impl Listener {
    /// `socket` is registered with the worker's poll.
    pub(crate) fn new(socket: TcpListener, kind: server::Listener) -> Self {
        Listener {
            socket,
            kind,
            due: Time::NEVER,
            logged: None,
        }
    }

    pub(crate) fn kind(&self) -> server::Listener {
        self.kind
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

    /// The next connection, if one waits. No error ends a listener: most mean that one peer was too quick to leave, and
    /// a lack of file descriptors or memory passes.
    pub(crate) fn accept(&mut self, now: Time) -> Option<(TcpStream, SocketAddr)> {
        while self.due <= now {
            match self.socket.accept() {
                Ok(accepted) => return Some(accepted),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => self.due = Time::NEVER,
                    ErrorKind::ConnectionAborted | ErrorKind::Interrupted => {}
                    _ => {
                        if self.logged.is_none_or(|at| now.since(at) >= ACCEPT_LOG_INTERVAL) {
                            self.logged = Some(now);
                            warn!(%error, listener = ?self.kind, "cannot accept");
                        }
                        self.due = now + ACCEPT_PAUSE;
                    }
                },
            }
        }
        None
    }
}
