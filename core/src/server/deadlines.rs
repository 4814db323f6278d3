//! When to look at which connection.

use super::ConnectionId;
use crate::Time;
use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

/// Deadlines of connections are rounded up to multiples of 50 ms, so that thousands of idle ones cause at most 20
/// wake-ups a second. None of them is about less than a second.
const GRAIN_MICROS: u64 = 50_000;

/// Entries that are not worth a search for old ones.
const FEW: usize = 64;

/// The deadlines of all connections of a shard.
///
/// Deadlines that move later, as those of a publisher do with every message, are not touched: an entry that fires early
/// is looked at and set again. So a message costs nothing here, and a connection has one entry, seldom a few. Entries
/// that nobody waits for any more are thrown out once they are the majority.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    heap: BinaryHeap<Reverse<(Time, ConnectionId)>>,
}

impl Deadlines {
    /// Makes sure that `id` comes up at `due`, and not before `earliest`. `armed` is when it would come up without this, and is
    /// brought up to date.
    ///
    /// Returns whether that took a new entry.
    pub(super) fn arm(&mut self, earliest: Time, id: ConnectionId, armed: &mut Time, due: Time) -> bool {
        let due = due.as_micros().max(earliest.as_micros());
        // Rounded up, it is no earlier than what is armed, which is rounded already.
        if due > armed.as_micros().saturating_sub(GRAIN_MICROS) {
            return false;
        }
        *armed = Time::from_micros(due.div_ceil(GRAIN_MICROS).saturating_mul(GRAIN_MICROS));
        self.heap.push(Reverse((*armed, id)));
        true
    }

    /// Forgets entries that are not what their connection is `armed` for, if there are many beside the `living`.
    /// Amortised O(1) per entry.
    pub(super) fn prune(&mut self, living: usize, armed: impl Fn(ConnectionId) -> Option<Time>) {
        if self.heap.len() > 2 * living + FEW {
            self.heap.retain(|Reverse((due, id))| armed(*id) == Some(*due));
        }
    }

    /// Entries, those included that nobody waits for.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// The earliest deadline. O(1).
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((due, _))| *due)
    }

    /// The next connection whose deadline has passed, and that deadline.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<(Time, ConnectionId)> {
        let Reverse((due, _)) = self.heap.peek()?;
        (*due <= now)
            .then(|| self.heap.pop().map(|Reverse(entry)| entry))
            .flatten()
    }
}
