//! How many connections operators may have.
//!
//! They have places of their own: whoever reaches the operators' listener, with a token or without, takes none from publishers
//! and players, and an operator is let in when the server is full.

use crate::Time;
use crate::server::metrics::Closing;
use crate::server::refusal::Excess;
use crate::server::{ConnectionId, Server};
use alloc::collections::VecDeque;
use tracing::warn;

/// The connections of operators to one worker, the oldest first. At most
/// [`AdminConfig::max_connections`](super::AdminConfig::max_connections).
#[derive(Debug, Default)]
pub(in crate::server) struct Operators {
    open: VecDeque<ConnectionId>,
}

impl Operators {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}

impl Server {
    /// An operator has connected. If that is one too many, the oldest that has nothing under way ends, or else the oldest.
    /// O(connections of operators).
    pub(in crate::server) fn note_operator(&mut self, now: Time, id: ConnectionId) {
        let is_full = self.operators.open.len() >= self.config.admin.max_connections;
        self.operators.open.push_back(id);
        if !is_full {
            return;
        }
        let is_at_rest = |id: &ConnectionId| {
            let connection = self.connections.get(*id);
            connection.is_none_or(|it| !it.protocol.is_paused() && !it.has_output() && !it.protocol.is_responding())
        };
        // The newcomer is the last, and has had no time to ask.
        let others = self.operators.open.len().saturating_sub(1);
        let index = self.operators.open.iter().take(others).position(is_at_rest);
        let Some(ended) = self.operators.open.remove(index.unwrap_or(0)) else {
            return;
        };
        self.stats.refused += 1;
        self.tally.refuse("connection", Excess::Operators.label());
        if let Some(times) = self.journal.full.note(now)
            && let Some(peer) = self.connections.get(ended).map(|it| it.peer)
        {
            let reason = Excess::Operators.reason();
            warn!(%peer, reason, times, "connections refused");
        }
        self.drop_connection(ended, Closing::TooMany);
    }

    /// A connection of an operator is gone, and what it has asked interests nobody.
    pub(in crate::server) fn forget_operator(&mut self, id: ConnectionId) {
        self.operators.open.retain(|it| *it != id);
        self.gatherings.forget(id);
        self.feed.forget(id);
    }
}
