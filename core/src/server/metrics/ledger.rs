//! What each stream has come to, from one publisher to the next.
//!
//! A channel counts anew with each publisher, and is gone with its last role. A counter that somebody watches must not go back
//! then, as long as it is the same stream to those who watch: until its grace time is over and nobody has it any more. So
//! each worker notes what its own publishers and players have come to when they leave, and forgets it when the home of the
//! name says so. Nothing is handed from worker to worker: the sum over all of them only grows.

use crate::hub::{ChannelStats, Figures, SubscriberStats};
use crate::server::StreamView;
use crate::{StreamKey, Time};
use alloc::collections::BTreeMap;

/// What publishes and plays of one stream have come to on one worker, or on all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::server) struct StreamCounts {
    /// When the first of its publishers got the name. None: it was only played or waited for.
    pub(in crate::server) since: Option<Time>,
    /// Publishers that had to leave the name to another, as the home of the name counts them.
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

/// The streams of which something is over that somebody may still ask about. At most as many as there are names, some 200
/// bytes each.
#[derive(Debug, Default)]
pub(in crate::server) struct Ledger {
    past: BTreeMap<StreamKey, StreamCounts>,
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
        let mut counts = StreamCounts {
            takeovers: view.takeovers,
            ..StreamCounts::of_plays(view.sent, view.drops)
        };
        if view.publisher.is_some() {
            counts.add(&StreamCounts::of_publish(&view.repairs, &view.figures));
        }
        counts
    }

    pub(in crate::server) fn add(&mut self, other: &StreamCounts) {
        self.since = self.since.into_iter().chain(other.since).min();
        // All workers have it from the same one.
        self.takeovers = self.takeovers.max(other.takeovers);
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
}

impl Ledger {
    /// Something of the stream is over. O(log names).
    pub(in crate::server) fn note(&mut self, key: &StreamKey, counts: &StreamCounts) {
        if *counts != StreamCounts::default() {
            self.past.entry(key.clone()).or_default().add(counts);
        }
    }

    /// Nobody has the stream any more.
    pub(in crate::server) fn forget(&mut self, key: &StreamKey) {
        self.past.remove(key);
    }

    /// What there is, to add what goes on to. O(names).
    pub(in crate::server) fn to_counts(&self) -> BTreeMap<StreamKey, StreamCounts> {
        self.past.clone()
    }
}
