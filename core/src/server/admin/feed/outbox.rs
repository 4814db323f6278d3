//! Events on their way to the sequencer.

use super::told::Told;
use alloc::vec::Vec;
use core::mem;

/// Bytes of events that wait until the sequencer has taken the last ones. 256 KiB: some 600 events. The sequencer takes them within
/// milliseconds; one that is stuck is not waited for.
const MAX_WAITING: usize = 256 << 10;

/// What a worker has told. One batch is under way at a time, so no more than two times [`MAX_WAITING`] bytes are kept.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    batch: Batch,
    bytes: usize,
    is_under_way: bool,
}

/// Events that travel together.
#[derive(Debug, Default)]
pub(in crate::server) struct Batch {
    pub(super) told: Vec<Told>,
    /// Events behind those that there was no room for.
    pub(super) missed: u64,
}

impl Outbox {
    pub(super) fn push(&mut self, told: Told) {
        let bytes = self.bytes + told.memory();
        // What comes behind one that is left out is left out, too, so that they are counted in their order.
        if bytes > MAX_WAITING || self.batch.missed > 0 {
            self.batch.missed += 1;
        } else {
            self.bytes = bytes;
            self.batch.told.push(told);
        }
    }

    /// What may leave now.
    pub(super) fn take(&mut self) -> Option<Batch> {
        if self.is_under_way || self.batch.told.is_empty() {
            return None;
        }
        self.is_under_way = true;
        self.bytes = 0;
        Some(mem::take(&mut self.batch))
    }

    /// What has left has arrived.
    pub(super) fn note_taken(&mut self) {
        self.is_under_way = false;
    }

    /// Forgets what waits: no events are to be told.
    pub(super) fn clear(&mut self) {
        self.batch = Batch::default();
        self.bytes = 0;
    }
}
