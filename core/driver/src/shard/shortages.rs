//! Sockets that could not be read or written for want of memory in the kernel, to be tried again a little later.
//!
//! It is no fault of their peers, and the kernel does not say when it has passed.

use headwater_core::Time;
use headwater_core::server::ConnectionId;
use std::mem;
use std::time::Duration;

/// How long a socket is left alone. 50 ms: too short for a viewer to notice, long enough not to spin. A peer that cannot be
/// written to for long ends as one that takes nothing.
const PAUSE: Duration = Duration::from_millis(50);

/// The connections that wait for memory.
#[derive(Debug, Default)]
pub(super) struct Shortages {
    waiting: Vec<ConnectionId>,
    /// Set while there are any.
    due: Option<Time>,
}

impl Shortages {
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.due
    }

    pub(super) fn insert(&mut self, now: Time, id: ConnectionId) {
        self.waiting.push(id);
        self.due.get_or_insert(now + PAUSE);
    }

    /// Those to try again, if the time has come.
    pub(super) fn take_due(&mut self, now: Time) -> Vec<ConnectionId> {
        if self.due.is_none_or(|due| now < due) {
            return Vec::new();
        }
        self.due = None;
        mem::take(&mut self.waiting)
    }
}
