//! Channels: one ring of frames per stream, one cursor per player.
//!
//! ```text
//!  frame ─▶ Timeline ─▶ Headers ─▶ Ring ◀─ cursor ◀─ Channel::next(player)
//!           repairs      what a     GOP cache and       skips for the slow,
//!           time         joiner     backlog in one      starts time at 0 for each
//!                        needs
//! ```
//!
//! Pushing a frame is O(1) whatever the number of players. A player pulls when its socket has room; until then it costs
//! a few dozen bytes. Payloads are shared: a frame that a thousand players wait for is in memory once.
//!
//! Players that saw [`Next::Pending`] are parked. The next push (or, with write merging, the first push plus
//! [`ChannelConfig::merge`]) hands them out through [`Hub::poll_wake`]; nobody else is visited.

mod channel;
mod config;
mod headers;
mod ring;
mod subscriber;
mod timeline;
mod tracks;
mod view;
mod wait_queue;

#[cfg(test)]
mod tests;

pub use channel::{Channel, ChannelStats, Join, Next, Position, SubscriberId};
pub use config::ChannelConfig;
pub use headers::{MAX_HEADER_LEN, MAX_HEADERS};
pub use subscriber::{LagLimit, SkipStep, SubscriberStats};
pub use timeline::TimelineStats;
pub use tracks::Tracks;

use crate::{StreamKey, Time};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use slab::Slab;
use wait_queue::GroupId;

/// All channels of one thread, by key, and who is to be woken.
#[derive(Debug, Default)]
pub struct Hub {
    channels: Slab<Channel>,
    by_key: BTreeMap<StreamKey, ChannelId>,
    /// Channels with players to wake now.
    ready: VecDeque<ChannelId>,
    /// Which players' merging delay runs, and until when.
    merging: BTreeSet<(Time, ChannelId, GroupId)>,
}

/// A channel of one [`Hub`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(usize);

impl Hub {
    /// A hub without channels.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The channel of `key`, made by `make` if there is none.
    pub fn open(&mut self, key: &StreamKey, make: impl FnOnce() -> Channel) -> ChannelId {
        if let Some(&id) = self.by_key.get(key) {
            return id;
        }
        let id = ChannelId(self.channels.insert(make()));
        self.by_key.insert(key.clone(), id);
        id
    }

    /// The channel of `key`, if there is one.
    #[must_use]
    pub fn find(&self, key: &StreamKey) -> Option<ChannelId> {
        self.by_key.get(key).copied()
    }

    /// The channel `id`.
    #[must_use]
    pub fn channel(&self, id: ChannelId) -> Option<&Channel> {
        self.channels.get(id.0)
    }

    /// The channel `id`. After a change that may have something for parked players, call [`announce`](Self::announce).
    pub fn channel_mut(&mut self, id: ChannelId) -> Option<&mut Channel> {
        self.channels.get_mut(id.0)
    }

    /// Forgets the channel of `key`, with everything it holds.
    pub fn remove(&mut self, key: &StreamKey) -> Option<Channel> {
        let id = self.by_key.remove(key)?;
        self.ready.retain(|ready| *ready != id);
        self.merging.retain(|(_, merging, _)| *merging != id);
        self.channels.try_remove(id.0)
    }

    /// Every key with its channel, in the order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (&StreamKey, &Channel)> {
        self.by_key
            .iter()
            .filter_map(|(key, id)| Some((key, self.channels.get(id.0)?)))
    }

    /// Says that channel `id` has something new: its parked players are woken now, or when its merging delay is over.
    ///
    /// O(1): the players are handed out by [`poll_wake`](Self::poll_wake).
    pub fn announce(&mut self, now: Time, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(id.0) else {
            return;
        };
        let merging = &mut self.merging;
        let wakes = channel.wait_queue().announce(|group, delay| {
            merging.insert((now + delay, id, group));
        });
        if wakes {
            self.ready.push_back(id);
        }
    }

    /// The next player to wake, by the token that it subscribed with.
    pub fn poll_wake(&mut self) -> Option<u64> {
        while let Some(&id) = self.ready.front() {
            if let Some(token) = self.channels.get_mut(id.0).and_then(Channel::poll_wake) {
                return Some(token);
            }
            self.ready.pop_front();
        }
        None
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). O(1).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.merging.first().map(|(due, _, _)| *due)
    }

    /// Wakes the players of every channel whose merging delay is over.
    pub fn handle_timeout(&mut self, now: Time) {
        while self.merging.first().is_some_and(|(due, _, _)| *due <= now) {
            let Some((_, id, group)) = self.merging.pop_first() else {
                return;
            };
            if let Some(channel) = self.channels.get_mut(id.0)
                && channel.wait_queue().end_delay(group)
            {
                self.ready.push_back(id);
            }
        }
    }
}
