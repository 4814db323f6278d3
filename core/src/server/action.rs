//! What the server wants from its driver.

use super::question::{Question, Ticket};
use super::shard::{ShardId, ShardMessage};
use core::fmt;

/// Something that only the driver can do. Take them with [`Server::poll_action`](super::Server::poll_action).
///
/// A driver that leaves one out loses connections, so the list is exhaustive: a new one shows when the driver is compiled.
///
/// Connections that the program itself has opened ([`Server::publish`](super::Server::publish),
/// [`Server::play`](super::Server::play)) have no socket: for them `Wake` asks for
/// [`Server::poll_local`](super::Server::poll_local), and the others for nothing.
#[derive(Debug)]
pub enum Action {
    /// The connection has output, or may be read again: write [`Server::output`](super::Server::output) until it is
    /// empty or the socket is full, then read if [`Server::wants_input`](super::Server::wants_input).
    Wake(ConnectionId),
    /// Read the socket once, even if it has not said that it has something, and before other sockets are written to:
    /// somebody waits for what is there, or its time is over. What comes next is [urgent](super::Server::is_urgent) too. If
    /// the socket is full, try a write as well: the system may say late that there is room.
    Read(ConnectionId),
    /// Shut the writing side of the socket down and go on reading: what the peer still sends is thrown away here, so
    /// that the kernel does not answer it with a reset that would cost the peer our final reply.
    Shutdown(ConnectionId),
    /// Drop the socket. The identifier is dead from here on.
    Close(ConnectionId),
    /// The question `.1`: hand the answer in by [`Server::answer`](super::Server::answer), with this ticket. A server whose
    /// [`Config`](super::Config) asks for nothing has no question. One that is never answered has its default after a while.
    Ask(Ticket, Question),
    /// Look at the process, and say by [`Server::handle_process`](super::Server::handle_process) what the system says of it:
    /// an operator has asked. A driver that does not know answers with what is empty; one that never answers keeps the operator
    /// waiting for a second.
    Measure,
    /// Hand the message to the worker `.0`, in order with what was handed to it before.
    ToShard(ShardId, ShardMessage),
}

/// Names a connection of one [`Server`](super::Server), until its [`Action::Close`].
///
/// It is displayed as a number that no other connection has, on any worker, until 2^32 connections have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    index: u32,
    generation: u32,
}

impl ConnectionId {
    pub(super) const fn new(index: u32, generation: u32) -> Self {
        ConnectionId { index, generation }
    }

    /// A small number, unique among the living connections of the server: a place in a table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }

    pub(super) const fn generation(self) -> u32 {
        self.generation
    }

    pub(super) const fn to_token(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the two halves of what `to_token` packed"
    )]
    pub(super) const fn from_token(token: u64) -> Self {
        ConnectionId {
            index: token as u32,
            generation: (token >> 32) as u32,
        }
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.generation)
    }
}

/// Which protocol a listener takes connections of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub enum Protocol {
    /// RTMP.
    Rtmp,
    /// HTTP-FLV and WebSocket-FLV.
    Http,
    /// RTMP, HTTP-FLV and WebSocket-FLV: the first byte that a peer sends says which, so that one open port is enough. TLS is
    /// refused.
    Media,
    /// HTTP for operators: [the API](super::admin).
    Admin,
}

impl Protocol {
    /// Its URL scheme: `rtmp`, `http`, or `rtmp+http` for both. Operators speak HTTP, too.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        match self {
            Protocol::Rtmp => "rtmp",
            Protocol::Http | Protocol::Admin => "http",
            Protocol::Media => "rtmp+http",
        }
    }
}

/// Why a connection is not accepted. The driver drops the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The server is shutting down.
    #[error("shutting down")]
    ShuttingDown,
}
