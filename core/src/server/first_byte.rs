//! Connections that have not said yet what they speak: their first byte does.
//!
//! | first byte | |
//! |--|--|
//! | 0x03 | RTMP: its version is the first byte of the handshake (RTMP 1.0 §5.2.2) |
//! | CR, LF, 0x20 to 0x7E | HTTP: an empty line may stand before a request (RFC 9112 §2.2), and other text is refused as no method |
//! | any other | RTMP in a version that is refused by its number, RTMPE (6, 8 and 9) and TLS (22, RFC 8446 §5.1) among them |
//!
//! A session that begins then is as old as its connection: its deadlines are those that it would have on a listener for its
//! protocol alone.

use super::session::{Session, Shared};
use super::{ConnectionId, Protocol, Server};
use crate::{Output, Time};
use alloc::boxed::Box;

/// A connection whose first byte has not come. It sends nothing, and has as long as for a handshake.
#[derive(Debug)]
pub(super) struct Undecided {
    /// What an RTMP handshake is filled from.
    seed: u64,
    deadline: Time,
    is_closing: bool,
    /// Stays empty.
    output: Output,
}

impl Undecided {
    pub(super) fn new(shared: &Shared, now: Time, seed: u64) -> Box<Self> {
        Box::new(Undecided {
            seed,
            deadline: now + shared.session.limits.handshake_timeout,
            is_closing: false,
            output: Output::new(),
        })
    }

    /// When it has been silent for too long.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        (!self.is_closing).then_some(self.deadline)
    }

    pub(super) fn is_overdue(&self, now: Time) -> bool {
        self.poll_timeout().is_some_and(|deadline| deadline <= now)
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing
    }

    pub(super) fn close(&mut self) {
        self.is_closing = true;
    }

    pub(super) fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    pub(super) fn output_ref(&self) -> &Output {
        &self.output
    }
}

impl Server {
    /// Has a connection that begins with `input` go on in the protocol that its first byte says. Does nothing to others.
    pub(super) fn note_first_byte(&mut self, id: ConnectionId, input: &[u8]) {
        let (Some(connection), Some(&first)) = (self.connections.get_mut(id), input.first()) else {
            return;
        };
        let (seed, since) = match &*connection.protocol {
            Session::Undecided(undecided) if !undecided.is_closing => (undecided.seed, connection.since),
            _ => return,
        };
        let session = Session::new(spoken_from(first), &self.shared, since, seed);
        connection.protocol = self.shared.recorded(session, since, seed);
    }
}

/// What is spoken where `first` is the first byte.
const fn spoken_from(first: u8) -> Protocol {
    match first {
        b'\r' | b'\n' | b' '..=b'~' => Protocol::Http,
        _ => Protocol::Rtmp,
    }
}
