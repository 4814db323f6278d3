//! Where the events of all workers come together.

use super::outbox::Batch;
use super::told::Told;
use super::{After, Start};
use crate::Time;
use crate::server::shard::ShardId;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

/// Events that are kept for workers that have not taken them, and for readers that come back. 1,000: a reader that tries again after
/// two seconds misses nothing but in a storm of players.
const MAX_KEPT: usize = 1_000;

/// Their bytes. 256 KiB: less than one picture of a large stream, and room for most of [`MAX_KEPT`].
const MAX_KEPT_BYTES: usize = 256 << 10;

/// How long events are kept, and told, after the last reader has left. 60 s: a reader that was cut off is back by then.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// The last events, and the workers that have readers.
#[derive(Debug, Default)]
pub(super) struct Sequencer {
    is_open: bool,
    /// What has a smaller number was not kept.
    first: u64,
    /// The number of the last event.
    last: u64,
    kept: VecDeque<Told>,
    kept_bytes: usize,
    watching: BTreeMap<ShardId, Cursor>,
    /// When it closes, unless a reader comes.
    until: Option<Time>,
}

/// How far a worker with readers has come.
#[derive(Debug)]
struct Cursor {
    /// The number of the next event for it.
    next: u64,
    is_under_way: bool,
}

impl Sequencer {
    /// Events are to be kept from here on. Returns whether they were not before.
    pub(super) fn open(&mut self, now: Time) -> bool {
        if self.is_open {
            return false;
        }
        self.is_open = true;
        // Nobody was given this number: a reader that has seen the one before may have missed something, too.
        self.last += 1;
        self.first = self.last + 1;
        self.until = Some(now + KEPT_FOR);
        true
    }

    /// Forgets what was kept: there has been no reader for a while.
    pub(super) fn close(&mut self) {
        *self = Sequencer {
            last: self.last,
            ..Sequencer::default()
        };
    }

    /// When it is to be closed.
    pub(super) const fn until(&self) -> Option<Time> {
        self.until
    }

    /// The workers that have readers.
    pub(super) fn watching(&self) -> impl Iterator<Item = ShardId> {
        self.watching.keys().copied()
    }

    /// A reader has come to a worker.
    pub(super) fn watch(&mut self, shard: ShardId, after: After) -> Start {
        self.until = None;
        self.watching.entry(shard).or_insert(Cursor {
            next: self.last + 1,
            is_under_way: false,
        });
        let known = self.first.saturating_sub(1)..=self.last;
        match after {
            After::Event(number) if known.contains(&number) => Start {
                after: number,
                has_missed: false,
                past: self.kept.iter().filter(|told| told.number > number).cloned().collect(),
            },
            _ => Start {
                after: self.last,
                has_missed: after != After::Now,
                past: Vec::new(),
            },
        }
    }

    /// The last reader of a worker is gone.
    pub(super) fn unwatch(&mut self, now: Time, shard: ShardId) {
        self.watching.remove(&shard);
        if self.is_open && self.watching.is_empty() {
            self.until = Some(now + KEPT_FOR);
        }
    }

    /// Numbers what a worker has told, and keeps it.
    pub(super) fn note(&mut self, batch: Batch) {
        if !self.is_open {
            return;
        }
        for mut told in batch.told {
            self.last += 1;
            told.number = self.last;
            self.keep(told);
        }
        self.last += batch.missed;
    }

    /// What may leave for a worker. What it was too late for is gone. O(what leaves).
    pub(super) fn take(&mut self, shard: ShardId) -> Option<Vec<Told>> {
        let cursor = self.watching.get_mut(&shard).filter(|cursor| !cursor.is_under_way)?;
        let newest = self.kept.iter().rev();
        let mut events: Vec<_> = newest.take_while(|told| told.number >= cursor.next).cloned().collect();
        events.reverse();
        cursor.next = self.last + 1;
        cursor.is_under_way = !events.is_empty();
        cursor.is_under_way.then_some(events)
    }

    pub(super) fn note_taken(&mut self, shard: ShardId) {
        if let Some(cursor) = self.watching.get_mut(&shard) {
            cursor.is_under_way = false;
        }
    }

    fn keep(&mut self, told: Told) {
        self.kept_bytes += told.memory();
        self.kept.push_back(told);
        while (self.kept.len() > MAX_KEPT || self.kept_bytes > MAX_KEPT_BYTES)
            && let Some(oldest) = self.kept.pop_front()
        {
            self.kept_bytes -= oldest.memory();
        }
    }
}
