//! How a connection ends: its final reply leaves, then what the peer still sends is thrown away for a moment, then its socket goes.

use super::connection::Phase;
use super::metrics::Closing;
use super::session::Failure;
use super::{Action, ConnectionId, Event, Server};
use crate::{EndCause, Time};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

/// How long a connection that we have ended may go on sending before its socket is dropped.
const LINGER: Duration = Duration::from_secs(1);

impl Server {
    /// A connection broke down: what it did ends, its final reply leaves, nothing else changes.
    pub(super) fn fail(&mut self, now: Time, id: ConnectionId, failure: &Failure) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if mem::replace(&mut connection.has_failed, true) {
            return;
        }
        let peer = connection.peer(id);
        let event = Event::Failed {
            peer,
            reason: failure.to_string().into(),
        };
        connection.pending_input = Vec::new();
        self.keep_recording(id, failure);
        if let Some(connection) = self.connections.get_mut(id) {
            connection.protocol.close(now);
        }
        self.stats.failed += 1;
        self.tally.close(peer.protocol, failure.cause().as_str());
        self.report(now, event);
        self.end_roles(id, failure.cause());
    }

    /// The last step for a connection that may have changed: arms its deadline, and ends it if it is closing.
    pub(super) fn conclude(&mut self, now: Time, id: ConnectionId) {
        let Some(connection) = self.connections.arm(now, id) else {
            return;
        };
        if connection.phase == Phase::Open && connection.protocol.is_closing() && !connection.has_output() {
            self.linger(now, id);
        }
    }

    /// The final reply of a closing connection has left: shuts it down.
    fn linger(&mut self, now: Time, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let is_half_closed = connection.half_closed.is_some();
        let is_local = connection.protocol.is_local();
        connection.phase = Phase::Lingering { until: now + LINGER };
        connection.pending_input = Vec::new();
        self.end_roles(id, EndCause::Closed);
        if is_half_closed {
            self.drop_connection(id, Closing::ByPeer);
        } else if is_local {
            self.drop_connection(id, Closing::Closed);
        } else {
            self.actions.push_back(Action::Shutdown(id));
            self.connections.touch(id);
        }
    }

    /// Whatever it does is over.
    pub(super) fn end_roles(&mut self, id: ConnectionId, cause: EndCause) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.withdraw(|_| true);
        }
        while let Some(stream) = self
            .connections
            .get_mut(id)
            .and_then(|it| it.roles.first())
            .map(|role| role.stream)
        {
            self.end_role(id, stream, cause);
        }
    }

    /// Has the driver drop its socket.
    pub(super) fn drop_connection(&mut self, id: ConnectionId, reason: Closing) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.phase != Phase::Closed {
            connection.phase = Phase::Closed;
            if !connection.has_failed {
                self.tally.close(connection.protocol.kind(), reason.label());
            }
            let (peer, reason) = (connection.peer(id), reason.to_string().into());
            self.actions.push_back(Action::Close(id));
            self.report(self.now, Event::Disconnected { peer, reason });
        }
    }

    /// The driver has been told to drop the socket: the identifier is dead.
    pub(super) fn forget(&mut self, id: ConnectionId) {
        self.note_departure(id);
        self.take_verdicts(self.now);
        self.discount_connection(id);
        if let Some(connection) = self.connections.get_mut(id) {
            self.tally.settle(connection);
        }
        self.connections.remove(id);
    }
}
