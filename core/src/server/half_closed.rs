//! Peers that have closed their sending side.
//!
//! An HTTP player may do that and listen on, as `nc -N` does. One that has left altogether looks the same until something is
//! sent to it, and a stream may have nothing to send for as long as its publisher likes. So the kernel has to take
//! bytes for such a connection now and then, whatever it is doing; else it ends.

use super::connection::{Activity, Connection, Phase, Role};
use super::refusal::Refusal;
use super::{ConnectionId, Server};
use crate::{EndCause, Time};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

/// How long a connection still has whose peer will send no more.
#[derive(Debug, Clone, Copy)]
pub(super) struct HalfClosed {
    /// Bytes that had left at the last progress.
    sent: u64,
    /// The end of its time, unless there is progress.
    pub(super) until: Time,
}

impl HalfClosed {
    pub(super) fn new(now: Time, sent: u64, timeout: Duration) -> Self {
        HalfClosed {
            sent,
            until: now + timeout,
        }
    }

    /// Has the time begin anew if bytes have left. `sent`: how many in all.
    pub(super) fn note_progress(&mut self, now: Time, sent: u64, timeout: Duration) {
        if sent != self.sent {
            *self = HalfClosed::new(now, sent, timeout);
        }
    }
}

impl Server {
    /// The peer of an open connection will send no more.
    pub(super) fn half_close(&mut self, now: Time, id: ConnectionId) {
        let timeout = self.config.limits.half_closed_timeout;
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let sent = connection.protocol.output().sent();
        connection.half_closed = Some(Box::new(HalfClosed::new(now, sent, timeout)));
        self.end_input(now, id);
        self.connections.touch(id);
    }

    /// Tells the protocol machine of a half-closed connection that nothing follows, unless something waits to be taken
    /// before. The machine may be told again.
    pub(super) fn end_input(&mut self, now: Time, id: ConnectionId) {
        if !self.connections.get_mut(id).is_some_and(|it| it.has_input_ended()) {
            return;
        }
        self.run(now, id, |protocol| protocol.handle_eof(now));
        if self.connections.get_mut(id).is_some_and(|it| it.protocol.is_closing()) {
            self.end_roles(id, EndCause::Eof);
        }
    }

    /// Ends a half-closed connection that has taken nothing for long enough: a request that waits is refused, a play ends,
    /// and what the peer has sent behind them is forgotten.
    pub(super) fn expire_half_closed(&mut self, now: Time, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Some(half_closed) = connection.half_closed.as_mut().filter(|it| it.until <= now) else {
            return;
        };
        // It is closed by then.
        half_closed.until = Time::NEVER;
        connection.pending_input = Vec::new();
        while let Some(stream) = self.connections.get_mut(id).and_then(|it| it.seeking()) {
            self.refuse_play(now, id, stream, Refusal::Absent);
        }
        if let Some(connection) = self.connections.get_mut(id) {
            connection.protocol.close(now);
        }
        self.end_roles(id, EndCause::Eof);
    }
}

impl Connection {
    /// Whether the peer has sent all that it will, and nothing of it waits.
    fn has_input_ended(&self) -> bool {
        self.phase == Phase::Open && self.half_closed.is_some() && self.pending_input.is_empty() && !self.is_claiming()
    }

    /// A stream that it wants to play and has no answer for.
    fn seeking(&self) -> Option<crate::rtmp::MessageStreamId> {
        let is_seeking = |role: &&Role| matches!(role.activity, Activity::Seeking { .. });
        self.roles.iter().find(is_seeking).map(|role| role.stream)
    }
}
