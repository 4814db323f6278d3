//! Recordings that wait to be written.

use headwater_core::server::record::Recording;
use std::collections::VecDeque;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes that wait. 16 MiB: what a flood of failures adds while one file is written; beyond that one more says little.
const MAX_WAITING_BYTES: usize = 16 << 20;
/// The part of what the process may use that they take at most: one of 64.
const PARTS: usize = 64;
/// Recordings that wait. 4,096: most take a few hundred bytes, and each has some of its own.
const MAX_WAITING: usize = 4_096;

/// Bytes that wait at most in a process that may use `max_memory` bytes, if that is known.
pub(crate) fn most_waiting(max_memory: Option<usize>) -> usize {
    max_memory.map_or(MAX_WAITING_BYTES, |max| MAX_WAITING_BYTES.min(max / PARTS))
}

/// Recordings that have not been written yet. Putting one in takes as long as moving it, whatever the disk does.
#[derive(Debug)]
pub(crate) struct Queue {
    max_bytes: usize,
    state: Mutex<State>,
    /// There is something to write, or it has been written.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Recording>,
    bytes: usize,
    is_writing: bool,
    is_finished: bool,
    /// Recordings left out since one was taken.
    lost: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Queue::new(MAX_WAITING_BYTES)
    }
}

impl Queue {
    /// A queue of recordings of so many bytes together.
    pub(super) fn new(max_bytes: usize) -> Self {
        Queue {
            max_bytes,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing below panics with the lock held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a recording in, or counts it as lost if there is no room.
    pub(crate) fn push(&self, recording: Recording) {
        let mut state = self.state();
        let bytes = state.bytes + recording.len();
        if bytes > self.max_bytes || state.waiting.len() >= MAX_WAITING {
            state.lost += 1;
            return;
        }
        state.bytes = bytes;
        state.waiting.push_back(recording);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for the next recording, with how many were lost before it. `None` once the queue is finished.
    pub(super) fn take(&self) -> Option<(Recording, u64)> {
        let mut state = self.state();
        state.is_writing = false;
        self.changed.notify_all();
        let mut state = self
            .changed
            .wait_while(state, |state| state.waiting.is_empty() && !state.is_finished)
            .unwrap_or_else(PoisonError::into_inner);
        let recording = state.waiting.pop_front()?;
        state.bytes -= recording.len();
        state.is_writing = true;
        Some((recording, mem::take(&mut state.lost)))
    }

    /// No more will come: waits until all are written, but no longer than `timeout`.
    pub(super) fn finish(&self, timeout: Duration) {
        let mut state = self.state();
        state.is_finished = true;
        self.changed.notify_all();
        let is_busy = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        // Whether in time or not: there is nobody to tell.
        drop(self.changed.wait_timeout_while(state, timeout, is_busy));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::recording;
    use super::*;

    #[test]
    fn a_disk_that_stands_still_costs_recordings_and_no_time() {
        let queue = Queue::default();
        for _ in 0..MAX_WAITING + 5 {
            queue.push(recording());
        }
        queue.finish(Duration::from_millis(1));
        assert_eq!(queue.take().map(|(_, lost)| lost), Some(5));
        assert_eq!(queue.take().map(|(_, lost)| lost), Some(0));
        assert_eq!(std::iter::from_fn(|| queue.take()).count(), MAX_WAITING - 2);
    }
}
