//! Replicas: other workers' copies of a stream of ours, and how far they may lag behind it.
//!
//! What is sent to a replica waits in its worker's mailbox, which has no bound of its own. So both sides count, from the
//! snapshot that begins a subscription: [`Replica`] what it has sent, [`Intake`] what has been taken in. Neither ever
//! starts afresh within a subscription, so the difference is what is under way, however often the worker lagged. Once that
//! is more than a ring may hold the replica is sent nothing, until half of it has arrived. Then it starts again, with the
//! headers and at a keyframe.

use super::shard::{Epoch, ShardId, Start, Subscription};
use crate::Frame;
use crate::hub::ChannelConfig;
use alloc::vec::Vec;
use core::mem;

/// The least that a small memory budget leaves for what is under way to a replica. 8 MiB: several keyframes.
const MIN_WINDOW: usize = 8 << 20;

/// All replicas of one publish, and the frames that they have not been sent yet.
#[derive(Debug, Default)]
pub(super) struct Replicas {
    /// The most that may be under way to each.
    window: u64,
    replicas: Vec<Replica>,
    outgoing: Vec<Frame>,
}

impl Replicas {
    /// Those that wait for a snapshot, of which they get an empty one. As much may be under way to each as the ring of a
    /// channel holds, or a part of the worker's memory `budget`.
    pub(super) fn new(
        config: &ChannelConfig,
        budget: usize,
        subscriptions: impl Iterator<Item = Subscription>,
    ) -> Self {
        Replicas {
            window: config.max_bytes().min(MIN_WINDOW.max(budget / 32)) as u64,
            replicas: subscriptions.map(Replica::new).collect(),
            outgoing: Vec::new(),
        }
    }

    /// The most that may be under way to each: the other side has to know.
    pub(super) fn window(&self) -> u64 {
        self.window
    }

    pub(super) fn len(&self) -> usize {
        self.replicas.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.replicas.is_empty()
    }

    /// One more, in place of the one that its shard had. It is sent a snapshot of `frames`.
    pub(super) fn add(&mut self, subscription: Subscription, frames: &[Frame]) {
        let mut replica = Replica::new(subscription);
        replica.start(frames);
        self.remove(subscription.shard);
        self.replicas.push(replica);
    }

    pub(super) fn remove(&mut self, shard: ShardId) {
        self.replicas.retain(|replica| replica.shard() != shard);
    }

    /// The publisher has sent a frame, which leaves with the next [`flush`](Self::flush). Nothing if there is no replica.
    pub(super) fn push(&mut self, frame: &Frame) {
        if !self.is_empty() {
            self.outgoing.push(frame.clone());
        }
    }

    /// What is to be sent now, and to which shards; those among them that are sent nothing more after it, because they are
    /// too far behind, are flagged.
    pub(super) fn flush(&mut self) -> (Vec<Frame>, Vec<(ShardId, bool)>) {
        let frames = mem::take(&mut self.outgoing);
        if frames.is_empty() {
            return Default::default();
        }
        let receivers = self.replicas.iter_mut().filter(|replica| !replica.is_behind);
        let receivers = receivers.map(|replica| (replica.shard(), replica.send(&frames, self.window)));
        let receivers = receivers.collect();
        (frames, receivers)
    }

    /// Sends no more to those that are late by a quarter of the window, until they have caught up: enough for them to say so.
    pub(super) fn hold_back(&mut self) {
        for replica in &mut self.replicas {
            replica.is_behind |= replica.under_way() > self.window / 4;
        }
    }

    /// A shard has taken in so much, in all. Returns its replica if that is to [`start`](Replica::start) again.
    pub(super) fn take(&mut self, subscription: Subscription, taken: u64) -> Option<&mut Replica> {
        let mut replicas = self.replicas.iter_mut();
        let replica = replicas.find(|replica| replica.subscription == subscription)?;
        replica.take(taken, self.window).then_some(replica)
    }

    /// The shards that are not too far behind.
    pub(super) fn keeping_up(&self) -> impl Iterator<Item = ShardId> {
        let replicas = self.replicas.iter().filter(|replica| !replica.is_behind);
        replicas.map(Replica::shard)
    }

    /// The cost of all that each was sent.
    #[cfg(test)]
    pub(super) fn sent(&self) -> Vec<u64> {
        self.replicas.iter().map(|replica| replica.sent).collect()
    }
}

/// Another shard's copy of the stream of a publisher of ours, for the players there.
#[derive(Debug)]
pub(super) struct Replica {
    subscription: Subscription,
    /// The cost of all that was sent.
    sent: u64,
    /// What is known to be taken in of that.
    taken: u64,
    /// Whether it is sent nothing for now.
    is_behind: bool,
}

impl Replica {
    fn new(subscription: Subscription) -> Self {
        Replica {
            subscription,
            sent: 0,
            taken: 0,
            is_behind: false,
        }
    }

    fn shard(&self) -> ShardId {
        self.subscription.shard
    }

    /// A snapshot is sent to it, to begin with or to begin again. However large that is, the next frames go out too.
    pub(super) fn start(&mut self, frames: &[Frame]) {
        self.sent += cost(frames);
        self.is_behind = false;
    }

    /// Frames are sent to it. Returns whether that was as much as it can have at once: nothing more is to be sent.
    fn send(&mut self, frames: &[Frame], window: u64) -> bool {
        self.sent += cost(frames);
        self.is_behind = self.under_way() > window;
        self.is_behind
    }

    /// It has taken in so much, in all. Returns whether it is to [`start`](Self::start) again.
    fn take(&mut self, taken: u64, window: u64) -> bool {
        self.taken = self.taken.max(taken);
        self.is_behind && self.under_way() <= window / 2
    }

    fn under_way(&self) -> u64 {
        self.sent.saturating_sub(self.taken)
    }
}

/// The other side: what this shard has taken in of a publish on another shard.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Intake {
    epoch: Epoch,
    /// The subscription that it counts for.
    ticket: u64,
    /// The cost of all that came.
    taken: u64,
    /// What the publisher's shard was told of that.
    reported: u64,
    /// The most that may be under way, as that shard counts.
    window: u64,
}

impl Intake {
    /// A snapshot has come. It counts on if it only starts the same subscription again.
    pub(super) fn start(&mut self, start: &Start) {
        let &Start {
            epoch, ticket, window, ..
        } = start;
        if (self.epoch, self.ticket) != (epoch, ticket) {
            *self = Intake {
                epoch,
                ticket,
                window,
                ..Intake::default()
            };
        }
    }

    /// Whether what comes for a publish belongs to the subscription `ticket`: its snapshot has come.
    pub(super) fn is_for(&self, epoch: Epoch, ticket: Option<u64>) -> bool {
        self.epoch == epoch && ticket == Some(self.ticket)
    }

    /// Frames have come. Returns the subscription's ticket and what to report for it, if it is time. That is eight times
    /// per window: seldom, and the sender never waits for it.
    pub(super) fn take(&mut self, frames: &[Frame]) -> Option<(u64, u64)> {
        self.taken += cost(frames);
        let is_due = self.taken - self.reported >= self.window / 8;
        is_due.then(|| {
            self.reported = self.taken;
            (self.ticket, self.taken)
        })
    }

    #[cfg(test)]
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }
}

/// Bytes of memory that `frames` hold.
fn cost(frames: &[Frame]) -> u64 {
    frames.iter().map(|frame| frame.memory() as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::hub::Position;
    use alloc::vec;

    /// Bytes.
    const WINDOW: u64 = 8_000;

    /// A frame that costs 1,000 bytes.
    fn stage() -> (Vec<Frame>, Replica) {
        let frame = Frame::video(Timestamp::ZERO, vec![0; 1_000 - Frame::OVERHEAD].into());
        let (shard, ticket) = (ShardId(1), 1);
        (vec![frame], Replica::new(Subscription { shard, ticket }))
    }

    #[test]
    fn a_replica_that_was_behind_starts_again_at_half_a_window() {
        let (frame, mut replica) = stage();
        let sent = (1..).take_while(|_| !replica.send(&frame, WINDOW)).count();
        assert_eq!(sent, 8);
        assert!((1_000..5_000).step_by(1_000).all(|taken| !replica.take(taken, WINDOW)));
        assert!(replica.take(5_000, WINDOW));
        // A report that was overtaken says nothing new.
        assert!(replica.take(1_000, WINDOW));
        replica.start(&frame);
        assert!(!replica.take(10_000, WINDOW));
    }

    #[test]
    fn what_was_taken_in_is_reported_eight_times_per_window() {
        let (frame, _) = stage();
        let mut intake = Intake::default();
        intake.start(&Start {
            epoch: 1,
            ticket: 7,
            is_again: false,
            window: WINDOW,
            position: Position::default(),
        });
        let reports: Vec<_> = (0..8).map(|_| intake.take(&frame)).collect();
        let expected: Vec<_> = (1..=8).map(|count| Some((7, count * 1_000))).collect();
        assert_eq!(reports, expected);
        let half = [Frame::video(Timestamp::ZERO, vec![0; 500 - Frame::OVERHEAD].into())];
        assert_eq!(intake.take(&half), None);
        assert_eq!(intake.take(&half), Some((7, 9_000)));
    }
}
