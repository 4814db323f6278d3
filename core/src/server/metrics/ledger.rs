//! What each stream has come to, from one publisher to the next.
//!
//! A channel counts anew with each publisher, and is gone with its last role. A counter that somebody watches must not go back
//! then, as long as it is the same stream to those who watch: until its grace time is over and nobody has it any more. So
//! each worker notes what its own publishers and players have come to when they leave, and forgets it when the home of the
//! name says so. Nothing is handed from worker to worker: the sum over all of them only grows.
//!
//! Only some streams are named to those that watch, and there is a sum of the others. A stream that ends, or is named from then
//! on, must not take from that sum what it has come to in it. So each worker adds to a sum of its own what has come since it was
//! looked at last, and never takes anything away.

use crate::hub::{ChannelStats, Figures, SubscriberStats};
use crate::server::StreamView;
use crate::{StreamKey, Time};
use alloc::collections::{BTreeMap, BTreeSet};
use core::mem;

/// What publishes and plays of one stream have come to on one worker, or on all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::server) struct StreamCounts {
    /// When the first of its publishers got the name. None: it was only played or waited for.
    pub(in crate::server) since: Option<Time>,
    /// Publishers that had to leave the name to another: each is counted by the worker that the other is on.
    pub(in crate::server) takeovers: u64,
    pub(in crate::server) audio_frames: u64,
    pub(in crate::server) video_frames: u64,
    pub(in crate::server) data_frames: u64,
    pub(in crate::server) keyframes: u64,
    /// Payload bytes of its publishers.
    pub(in crate::server) received: u64,
    /// Bytes sent to its players.
    pub(in crate::server) sent: u64,
    /// What was repaired and left out.
    pub(in crate::server) jumps: u64,
    pub(in crate::server) raised: u64,
    pub(in crate::server) repeated_headers: u64,
    pub(in crate::server) without_header: u64,
    pub(in crate::server) gop_overflows: u64,
    /// What its players got and missed.
    pub(in crate::server) players: SubscriberStats,
}

/// The streams that somebody may still ask about, and the sum of those that nobody asks about by their names. At most as many
/// as there are names, some 600 bytes each beside the name.
#[derive(Debug, Default)]
pub(in crate::server) struct Ledger {
    accounts: BTreeMap<StreamKey, Account>,
    /// Bytes of all of them.
    memory: usize,
    /// What streams have come to while they were not named. It only grows.
    unnamed: StreamCounts,
}

/// What is known of one stream beside what is there now.
#[derive(Debug, Clone, Copy, Default)]
struct Account {
    /// What is over of it.
    past: StreamCounts,
    /// What it had come to when it was looked at last.
    seen: StreamCounts,
    /// Whether it was named then.
    is_named: bool,
}

/// Bytes that a stream takes, with its name `key`: in a map whose nodes are two thirds full.
fn memory_of(key: &StreamKey) -> usize {
    mem::size_of::<(StreamKey, Account)>() / 2 * 3 + 16 + key.as_str().len()
}

/// The account of a stream, which counts in `memory` once it is there.
fn account<'a>(accounts: &'a mut BTreeMap<StreamKey, Account>, memory: &mut usize, key: &StreamKey) -> &'a mut Account {
    accounts.entry(key.clone()).or_insert_with(|| {
        *memory = memory.saturating_add(memory_of(key));
        Account::default()
    })
}

impl StreamCounts {
    /// What a publisher has come to.
    pub(in crate::server) const fn of_publish(stats: &ChannelStats, figures: &Figures) -> Self {
        StreamCounts {
            since: None,
            takeovers: 0,
            audio_frames: figures.audio_frames,
            video_frames: figures.video_frames,
            data_frames: figures.data_frames,
            keyframes: figures.keyframes,
            received: stats.bytes,
            sent: 0,
            jumps: stats.timeline.jumps,
            raised: stats.timeline.raised,
            repeated_headers: stats.repeated_headers,
            without_header: stats.without_header,
            gop_overflows: stats.gop_overflows,
            players: SubscriberStats::ZERO,
        }
    }

    /// What players have come to.
    pub(in crate::server) fn of_plays(sent: u64, players: SubscriberStats) -> Self {
        StreamCounts {
            sent,
            players,
            ..StreamCounts::default()
        }
    }

    /// What a worker sees of a stream now. A copy of what another worker's publisher sends counts there.
    pub(in crate::server) fn of_view(view: &StreamView) -> Self {
        let mut counts = StreamCounts::of_plays(view.sent, view.drops);
        if view.publisher.is_some() {
            counts.add(&StreamCounts::of_publish(&view.repairs, &view.figures));
        }
        counts
    }

    pub(in crate::server) fn add(&mut self, other: &StreamCounts) {
        self.since = self.since.into_iter().chain(other.since).min();
        self.takeovers += other.takeovers;
        self.audio_frames += other.audio_frames;
        self.video_frames += other.video_frames;
        self.data_frames += other.data_frames;
        self.keyframes += other.keyframes;
        self.received += other.received;
        self.sent += other.sent;
        self.jumps += other.jumps;
        self.raised += other.raised;
        self.repeated_headers += other.repeated_headers;
        self.without_header += other.without_header;
        self.gop_overflows += other.gop_overflows;
        self.players.add(&other.players);
    }

    /// What has come on top of `earlier`.
    const fn beyond(&self, earlier: &StreamCounts) -> StreamCounts {
        StreamCounts {
            since: self.since,
            takeovers: self.takeovers.saturating_sub(earlier.takeovers),
            audio_frames: self.audio_frames.saturating_sub(earlier.audio_frames),
            video_frames: self.video_frames.saturating_sub(earlier.video_frames),
            data_frames: self.data_frames.saturating_sub(earlier.data_frames),
            keyframes: self.keyframes.saturating_sub(earlier.keyframes),
            received: self.received.saturating_sub(earlier.received),
            sent: self.sent.saturating_sub(earlier.sent),
            jumps: self.jumps.saturating_sub(earlier.jumps),
            raised: self.raised.saturating_sub(earlier.raised),
            repeated_headers: self.repeated_headers.saturating_sub(earlier.repeated_headers),
            without_header: self.without_header.saturating_sub(earlier.without_header),
            gop_overflows: self.gop_overflows.saturating_sub(earlier.gop_overflows),
            players: self.players.beyond(&earlier.players),
        }
    }
}

impl Ledger {
    /// Something of the stream is over. O(log names).
    pub(in crate::server) fn note(&mut self, key: &StreamKey, counts: &StreamCounts) {
        if *counts != StreamCounts::default() {
            account(&mut self.accounts, &mut self.memory, key).past.add(counts);
        }
    }

    /// Nobody has the stream any more. What nobody has looked at of it counts as not named.
    pub(in crate::server) fn forget(&mut self, key: &StreamKey) {
        let Some(account) = self.accounts.remove(key) else {
            return;
        };
        self.memory = self.memory.saturating_sub(memory_of(key));
        if !account.is_named {
            self.unnamed.add(&account.past.beyond(&account.seen));
        }
    }

    /// Bytes that it takes.
    pub(in crate::server) const fn memory(&self) -> usize {
        self.memory
    }

    /// In tests, the same counted from scratch.
    #[cfg(debug_assertions)]
    pub(in crate::server) fn count_memory(&self) -> usize {
        self.accounts.keys().map(memory_of).sum()
    }

    /// The streams of which something is over, and when each was first published.
    pub(in crate::server) fn names(&self) -> impl Iterator<Item = (&StreamKey, Option<Time>)> {
        let accounts = self.accounts.iter();
        let over = accounts.filter(|(_, account)| account.past != StreamCounts::default());
        over.map(|(key, account)| (key, account.past.since))
    }

    /// Adds to what is over what is there (`live`), and looks at it: what the streams that are `named` have come to, and what all
    /// others ever have. O(names).
    pub(in crate::server) fn look(
        &mut self,
        live: &[(StreamKey, StreamCounts)],
        named: &BTreeSet<StreamKey>,
    ) -> (BTreeMap<StreamKey, StreamCounts>, StreamCounts) {
        let mut sums: BTreeMap<_, _> = self.accounts.iter().map(|(key, it)| (key.clone(), it.past)).collect();
        for (key, counts) in live {
            sums.entry(key.clone()).or_default().add(counts);
        }
        sums.retain(|_, counts| *counts != StreamCounts::default());
        let memory = &mut self.memory;
        self.accounts.retain(|key, _| {
            let stays = sums.contains_key(key);
            if !stays {
                *memory = memory.saturating_sub(memory_of(key));
            }
            stays
        });
        for (key, counts) in &sums {
            let account = account(&mut self.accounts, &mut self.memory, key);
            account.is_named = named.contains(key);
            if !account.is_named {
                self.unnamed.add(&counts.beyond(&account.seen));
            }
            account.seen = *counts;
        }
        sums.retain(|key, _| named.contains(key));
        (sums, self.unnamed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> StreamKey {
        StreamKey::new(name).unwrap()
    }

    fn received(bytes: u64) -> StreamCounts {
        StreamCounts {
            received: bytes,
            ..StreamCounts::default()
        }
    }

    /// What is said of `live/x`, if it is named, and of the others.
    fn look(ledger: &mut Ledger, live: u64, is_named: bool) -> (Option<u64>, u64) {
        let x = key("live/x");
        let named = is_named.then(|| x.clone()).into_iter().collect();
        let (streams, unnamed) = ledger.look(&[(x.clone(), received(live))], &named);
        (streams.get(&x).map(|it| it.received), unnamed.received)
    }

    #[test]
    fn a_sum_keeps_what_has_come_while_it_was_in_it() {
        let mut ledger = Ledger::default();
        assert_eq!(look(&mut ledger, 10, false), (None, 10));
        assert_eq!(look(&mut ledger, 15, false), (None, 15));
        // It is named: what comes from then on is not in the sum.
        assert_eq!(look(&mut ledger, 18, true), (Some(18), 15));
        assert_eq!(look(&mut ledger, 20, true), (Some(20), 15));
        assert_eq!(look(&mut ledger, 23, false), (None, 18));
        // What is there becomes what is over, and that is forgotten.
        ledger.note(&key("live/x"), &received(24));
        assert_eq!(look(&mut ledger, 0, false), (None, 19));
        ledger.note(&key("live/x"), &received(1));
        ledger.forget(&key("live/x"));
        assert_eq!(look(&mut ledger, 0, false), (None, 20));
        assert!(ledger.accounts.is_empty());
    }

    #[test]
    fn a_named_stream_that_is_forgotten_adds_nothing() {
        let mut ledger = Ledger::default();
        assert_eq!(look(&mut ledger, 10, true), (Some(10), 0));
        ledger.note(&key("live/x"), &received(12));
        ledger.forget(&key("live/x"));
        assert_eq!(look(&mut ledger, 0, true), (None, 0));
    }

    #[test]
    fn nothing_is_kept_of_a_stream_that_has_come_to_nothing() {
        let mut ledger = Ledger::default();
        assert_eq!(look(&mut ledger, 10, false), (None, 10));
        assert_eq!(look(&mut ledger, 0, false), (None, 10));
        assert!(ledger.accounts.is_empty());
    }
}
