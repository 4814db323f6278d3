//! Replicas: other workers' copies of a stream of ours, and how far they may lag behind it.

use super::shard::{ShardId, Subscription};
use crate::Frame;
use crate::hub::ChannelConfig;

/// Another shard's copy of the stream of a publisher of ours, for the players there.
///
/// What is sent to it waits in its mailbox, which has no bound of its own. So it says how much it has taken in, and once
/// more is under way than a ring may hold it is sent nothing, until half of that has arrived. Then it starts again, with
/// the headers and at a keyframe.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) subscription: Subscription,
    /// What was sent and is not known to be taken in.
    under_way: usize,
    is_behind: bool,
}

impl Replica {
    pub(super) fn new(subscription: Subscription) -> Self {
        Replica {
            subscription,
            under_way: 0,
            is_behind: false,
        }
    }

    pub(super) fn shard(&self) -> ShardId {
        self.subscription.shard
    }

    /// Whether it is sent nothing for now.
    pub(super) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Frames are sent to it. Returns whether that was as much as it can have at once: nothing more is to be sent.
    pub(super) fn send(&mut self, frames: &[Frame], config: &ChannelConfig) -> bool {
        self.under_way += cost(frames);
        self.is_behind = self.under_way > window(config);
        self.is_behind
    }

    /// It has taken in so much. Returns whether it can start again.
    pub(super) fn take(&mut self, cost: usize, config: &ChannelConfig) -> bool {
        self.under_way = self.under_way.saturating_sub(cost);
        let starts_again = self.is_behind && self.under_way <= window(config) / 2;
        self.is_behind &= !starts_again;
        starts_again
    }
}

/// Bytes that a frame takes beside its payload, in a mailbox or a ring: its entry, and the allocation that it refers to.
const FRAME_OVERHEAD: usize = 128;

/// Bytes of memory that `frames` hold.
pub(super) fn cost(frames: &[Frame]) -> usize {
    frames.iter().map(|frame| frame.payload.len() + FRAME_OVERHEAD).sum()
}

/// The cost after which a shard says what it has taken in: eight times per window, so that it is seldom, and the sender
/// never waits for it.
pub(super) fn report_after(config: &ChannelConfig) -> usize {
    window(config) / 8
}

/// The most that may be under way: as much as the channel's ring holds.
fn window(config: &ChannelConfig) -> usize {
    config.max_bytes()
}
