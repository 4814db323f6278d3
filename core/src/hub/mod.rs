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
mod figures;
mod flapping;
mod headers;
mod keyframe_gap;
mod ring;
mod subscriber;
mod timeline;
mod tracks;
mod view;
mod wait_queue;

#[cfg(test)]
mod tests;

#[cfg(any(feature = "server", test))]
pub(crate) use channel::Position;
pub use channel::{Channel, ChannelStats, Join, Next, SubscriberId};
pub use config::ChannelConfig;
pub use figures::{Figures, Lag};
pub use headers::{MAX_HEADER_LEN, MAX_HEADERS};
pub use subscriber::{Awaits, LagLimit, SkipStep, SubscriberStats};
pub use timeline::TimelineStats;
pub use tracks::Tracks;

use crate::{StreamKey, Time};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use slab::Slab;
use wait_queue::GroupId;

/// All channels of one thread, by key, and which players are to be woken.
///
/// What else an application knows of a stream can stand beside its channel: `C` is a [`Channel`], or a record that holds one
/// and gives it out by [`AsMut`].
///
/// ```
/// use headwater_core::hub::{Channel, Hub, Join, Next};
/// use headwater_core::{Frame, StreamKey, Time, Timestamp};
///
/// let (mut hub, now) = (Hub::new(), Time::ZERO);
/// let id = hub.open(&StreamKey::new("live/radio")?, || Channel::new(Default::default()));
/// let channel = hub.get_mut(id).expect("it was opened");
/// let mut players = vec![];
/// for token in 0..3 {
///     players.push(channel.subscribe(now, Join { token, needs_tracks: false, merge: None }));
///     assert!(matches!(channel.next(players[token as usize]), Next::Pending)); // parked
/// }
///
/// // A publisher comes. Its frames are pushed, then announced once, and the hub names those to serve.
/// channel.begin(now);
/// for payload in [&b"\xAF\0\x12\x10"[..], b"\xAF\x01\x21"] {
///     channel.push(now, Frame::audio(Timestamp::ZERO, payload.into()));
/// }
/// hub.announce(now, id);
/// let mut sent = 0;
/// while let Some(token) = hub.poll_wake() {
///     let channel = hub.get_mut(id).expect("nobody has removed it");
///     while let Next::Frame(_) = channel.next(players[token as usize]) {
///         sent += 1; // to the player's session
///     }
/// }
/// assert_eq!(sent, 3 * 2);
/// # Ok::<(), headwater_core::StreamKeyError>(())
/// ```
#[derive(Debug)]
pub struct Hub<C = Channel> {
    slots: Slab<Slot<C>>,
    /// That of the newest channel.
    generation: u32,
    by_key: BTreeMap<StreamKey, ChannelId>,
    /// Channels with players to wake now.
    ready: VecDeque<ChannelId>,
    /// Which players' merging delay runs, and until when.
    merging: BTreeSet<(Time, ChannelId, GroupId)>,
}

/// A channel of one [`Hub`]. That of one which was removed finds no other, until 2^32 have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId {
    index: usize,
    generation: u32,
}

#[derive(Debug)]
struct Slot<C> {
    generation: u32,
    content: C,
}

impl<C> Default for Hub<C> {
    fn default() -> Self {
        Hub {
            slots: Slab::new(),
            generation: 0,
            by_key: BTreeMap::new(),
            ready: VecDeque::new(),
            merging: BTreeSet::new(),
        }
    }
}

impl<C: AsMut<Channel>> Hub<C> {
    /// A hub without channels.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The channel of `key`, made by `make` if there is none.
    pub fn open(&mut self, key: &StreamKey, make: impl FnOnce() -> C) -> ChannelId {
        if let Some(&id) = self.by_key.get(key) {
            return id;
        }
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let content = make();
        let index = self.slots.insert(Slot { generation, content });
        let id = ChannelId { index, generation };
        self.by_key.insert(key.clone(), id);
        id
    }

    /// The channel of `key`, if there is one.
    #[must_use]
    pub fn find(&self, key: &StreamKey) -> Option<ChannelId> {
        self.by_key.get(key).copied()
    }

    /// How many channels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The channel `id`, or what holds it.
    #[must_use]
    pub fn get(&self, id: ChannelId) -> Option<&C> {
        let slot = self.slots.get(id.index)?;
        (slot.generation == id.generation).then_some(&slot.content)
    }

    /// The channel `id`, or what holds it. After a change that may have something for parked players, call
    /// [`announce`](Self::announce).
    pub fn get_mut(&mut self, id: ChannelId) -> Option<&mut C> {
        let slot = self.slots.get_mut(id.index)?;
        (slot.generation == id.generation).then_some(&mut slot.content)
    }

    /// Forgets the channel of `key`, with everything it holds.
    pub fn remove(&mut self, key: &StreamKey) -> Option<C> {
        let id = self.by_key.remove(key)?;
        self.ready.retain(|ready| *ready != id);
        self.merging.retain(|(_, merging, _)| *merging != id);
        self.slots.try_remove(id.index).map(|slot| slot.content)
    }

    /// Every channel, in the order of keys.
    pub fn ids(&self) -> impl Iterator<Item = ChannelId> {
        self.by_key.values().copied()
    }

    /// Every key with its channel, in the order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (&StreamKey, &C)> {
        self.by_key.iter().filter_map(|(key, id)| Some((key, self.get(*id)?)))
    }

    /// Says that channel `id` has something new: its parked players are woken now, or when its merging delay is over.
    ///
    /// O(1): the players are handed out by [`poll_wake`](Self::poll_wake).
    pub fn announce(&mut self, now: Time, id: ChannelId) {
        let Some(channel) = channel_mut(&mut self.slots, id) else {
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
            if let Some(token) = channel_mut(&mut self.slots, id).and_then(Channel::poll_wake) {
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
            if let Some(channel) = channel_mut(&mut self.slots, id)
                && channel.wait_queue().end_delay(group)
            {
                self.ready.push_back(id);
            }
        }
    }
}

fn channel_mut<C: AsMut<Channel>>(slots: &mut Slab<Slot<C>>, id: ChannelId) -> Option<&mut Channel> {
    let slot = slots.get_mut(id.index)?;
    (slot.generation == id.generation).then_some(slot.content.as_mut())
}
