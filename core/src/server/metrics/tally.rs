//! The counters of one worker, and how they are added up.

use super::Histogram;
use crate::server::Transport;
use crate::{EndCause, Time};
use alloc::collections::BTreeMap;
use core::time::Duration;

/// From the answer to a request to play until the first frame behind the headers, in microseconds: from what is there at once
/// to a player that waits for the next keyframe.
const FIRST_FRAME: [u64; 10] = [
    1_000, 5_000, 25_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// From a frame in to the write that it leaves with, in microseconds: from an idle server to a player that is far behind.
const SEND_DELAY: [u64; 11] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000,
];

/// Frames that leave with one write.
const FRAMES_PER_WRITE: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];

/// What a worker has counted since it began, apart from [`ServerStats`](crate::server::ServerStats). The words in it are from
/// closed sets: no peer can add to them.
#[derive(Debug, Clone)]
pub(in crate::server) struct Tally {
    /// Connections that were closed, by what they spoke and why.
    pub(in crate::server) closed: BTreeMap<(Transport, &'static str), u64>,
    /// Publishes that are over, by what their peers spoke and why.
    pub(in crate::server) publishes_ended: BTreeMap<(Transport, &'static str), u64>,
    /// Plays that are over, the same.
    pub(in crate::server) plays_ended: BTreeMap<(Transport, &'static str), u64>,
    /// What was refused, and why.
    pub(in crate::server) refused: BTreeMap<(&'static str, &'static str), u64>,
    /// Bytes read, by what the connection spoke when they were counted.
    pub(in crate::server) received: BTreeMap<Transport, u64>,
    /// Bytes written, the same.
    pub(in crate::server) sent: BTreeMap<Transport, u64>,
    /// Microseconds until a player has its first frame.
    pub(in crate::server) first_frame: Histogram<{ FIRST_FRAME.len() }>,
    /// Microseconds that the oldest live frame of a write has been here.
    pub(in crate::server) send_delay: Histogram<{ SEND_DELAY.len() }>,
    /// Frames in a write to a player.
    pub(in crate::server) frames_per_write: Histogram<{ FRAMES_PER_WRITE.len() }>,
    /// How long the worker has worked.
    pub(in crate::server) busy: Duration,
}

impl Default for Tally {
    fn default() -> Self {
        Tally {
            closed: BTreeMap::new(),
            publishes_ended: BTreeMap::new(),
            plays_ended: BTreeMap::new(),
            refused: BTreeMap::new(),
            received: BTreeMap::new(),
            sent: BTreeMap::new(),
            first_frame: Histogram::new(&FIRST_FRAME),
            send_delay: Histogram::new(&SEND_DELAY),
            frames_per_write: Histogram::new(&FRAMES_PER_WRITE),
            busy: Duration::ZERO,
        }
    }
}

impl Tally {
    /// Something was refused: what (`publish`, `play`, `connection` or `request`), and why.
    pub(in crate::server) fn refuse(&mut self, what: &'static str, why: &'static str) {
        *self.refused.entry((what, why)).or_default() += 1;
    }

    /// A connection is closed, or has failed and will be.
    pub(in crate::server) fn close(&mut self, transport: Transport, why: &'static str) {
        *self.closed.entry((transport, why)).or_default() += 1;
    }

    /// A publish is over.
    pub(in crate::server) fn end_publish(&mut self, transport: Transport, cause: EndCause) {
        *self.publishes_ended.entry((transport, cause.as_str())).or_default() += 1;
    }

    /// A play is over.
    pub(in crate::server) fn end_play(&mut self, transport: Transport, cause: EndCause) {
        *self.plays_ended.entry((transport, cause.as_str())).or_default() += 1;
    }

    /// Frames leave for a player. `since`: when the oldest of them came, if it is no part of the burst that a player begins
    /// with. O(1), without allocation.
    #[inline]
    pub(in crate::server) fn write(&mut self, now: Time, frames: u64, since: Option<Time>) {
        self.frames_per_write.observe(frames);
        if let Some(since) = since {
            self.send_delay
                .observe(now.as_micros().saturating_sub(since.as_micros()));
        }
    }

    /// A player has its first frame.
    pub(in crate::server) fn start(&mut self, waited: Duration) {
        self.first_frame.observe(micros(waited));
    }

    /// Adds what another worker has counted.
    pub(in crate::server) fn add(&mut self, other: Tally) {
        add(&mut self.closed, other.closed);
        add(&mut self.publishes_ended, other.publishes_ended);
        add(&mut self.plays_ended, other.plays_ended);
        add(&mut self.refused, other.refused);
        add(&mut self.received, other.received);
        add(&mut self.sent, other.sent);
        self.first_frame.add(&other.first_frame);
        self.send_delay.add(&other.send_delay);
        self.frames_per_write.add(&other.frames_per_write);
        self.busy += other.busy;
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn add<K: Ord>(sums: &mut BTreeMap<K, u64>, more: BTreeMap<K, u64>) {
    for (key, count) in more {
        *sums.entry(key).or_default() += count;
    }
}
