//! Idle replicas: streams of other workers that nobody here plays any more, and that are kept for a while.
//!
//! A replica begins with a snapshot of its stream's GOP cache, and all frames of that are sent, counted and put into a ring
//! once more: a few hundred nanoseconds for each, and there may be [thousands](crate::hub::ChannelConfig::gop_max_frames). A
//! peer that plays, leaves and plays again must not cost that each time. So the subscription of a worker outlives its last
//! player by [`IDLE_TIME`]: a player that comes meanwhile joins what is there, which costs an index into the ring.
//!
//! A replica is let go before its time if its stream ends or is published here, if others are kept that were played later
//! ([`MAX_IDLE`]), and if memory is short: then it is the first thing that goes.

use super::Server;
use super::stream::{Presence, Stream};
use crate::Time;
use crate::hub::ChannelId;
use alloc::collections::BTreeSet;
use core::time::Duration;

/// How long a replica stays that nobody plays. 5 s: a viewer who looks through streams, or whose player joins anew, is back by
/// then; and whoever plays a stream and leaves has it sent to a worker once in that time at most.
const IDLE_TIME: Duration = Duration::from_secs(5);

/// Idle replicas of a worker. 256: 50 streams a second whose only viewer leaves. Each is sent what its publisher sends, so there
/// are not more; the one that would go first goes at once.
const MAX_IDLE: usize = 256;

/// The idle replicas of a worker, by the time at which they go. Cost of everything: O(log n).
#[derive(Debug, Default)]
pub(super) struct IdleReplicas {
    ends: BTreeSet<(Time, ChannelId)>,
}

impl IdleReplicas {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.ends.first().map(|(until, _)| *until)
    }

    /// The next one that goes by `now`.
    fn due(&self, now: Time) -> Option<ChannelId> {
        let (until, channel) = *self.ends.first()?;
        (until <= now).then_some(channel)
    }
}

impl Stream {
    /// Whether what another worker sends of it may be kept though nobody plays it.
    fn may_be_idle(&self) -> bool {
        self.players == 0 && self.ticket.is_some() && self.publisher.is_none() && self.presence != Presence::Absent
    }
}

impl Server {
    /// Keeps a stream whose last player has left. Returns whether it is kept: only if another worker sends it, or may be about
    /// to.
    pub(super) fn keep_idle(&mut self, channel: ChannelId) -> bool {
        let Some(stream) = self.streams.get_mut(channel).filter(|it| it.may_be_idle()) else {
            return false;
        };
        if stream.idle_until.is_none() {
            let until = self.now + IDLE_TIME;
            stream.idle_until = Some(until);
            self.idle.ends.insert((until, channel));
        }
        if self.idle.len() > MAX_IDLE
            && let Some(first) = self.idle.due(Time::NEVER)
        {
            self.drop_idle(first);
        }
        true
    }

    /// Somebody plays the stream again, or it has another reason to stay.
    pub(super) fn end_idle(&mut self, channel: ChannelId) {
        if let Some(stream) = self.streams.get_mut(channel)
            && let Some(until) = stream.idle_until.take()
        {
            self.idle.ends.remove(&(until, channel));
        }
    }

    /// Lets an idle replica go. Nothing if the stream is none. Returns whether it was.
    pub(super) fn drop_idle(&mut self, channel: ChannelId) -> bool {
        let is_idle = self.streams.get(channel).is_some_and(|it| it.idle_until.is_some());
        if is_idle {
            self.let_stream_go(channel);
        }
        is_idle
    }

    /// Lets all those go whose time is over by `now`. Returns how many there were.
    pub(super) fn expire_idle(&mut self, now: Time) -> usize {
        let mut count = 0;
        while let Some(channel) = self.idle.due(now)
            && self.drop_idle(channel)
        {
            count += 1;
        }
        count
    }
}
