//! What a stream is on one shard, apart from its frames.

use super::address::Address;
use super::event::PublishTotals;
use super::memory::RingMemory;
use super::metrics::StreamCounts;
use super::refusal::Refusal;
use super::replica::{Intake, Replicas};
use super::shard::{Body, Epoch};
use super::waits::Waits;
use super::{Config, ConnectionId, Server};
use crate::hub::{Channel, ChannelId, ChannelStats};
use crate::rtmp::MessageStreamId;
use crate::{StreamKey, Time};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::mem;

/// One stream, as long as a connection here publishes, plays or wants to, and [for a while](super::idle) beyond that.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) key: StreamKey,
    /// Its frames, and how far each player has come.
    pub(super) channel: Channel,
    /// Roles of connections here that refer to it.
    pub(super) roles: usize,
    /// Those among them that play or want to.
    pub(super) players: usize,
    pub(super) presence: Presence,
    /// The publish that its channel carries, or carried last.
    pub(super) epoch: Epoch,
    pub(super) publisher: Option<Publisher>,
    /// What we have taken in of it from another shard.
    pub(super) intake: Intake,
    /// Names our subscription at the stream's home, while there is one.
    pub(super) ticket: Option<u64>,
    /// When that ends though it would go on, because nobody plays the stream: see [idle replicas](super::idle).
    pub(super) idle_until: Option<Time>,
    /// The address of the player for which we subscribed, unless it is the program itself.
    pub(super) asked_by: Option<Address>,
    /// Publishers that had to leave its name to another, as far as its home has said so.
    pub(super) takeovers: u64,
    /// Bytes that were sent to players which have left.
    pub(super) sent_to_departed: u64,
    /// Players that wait to hear whether it is there, or for it to come.
    pub(super) waiters: Vec<Waiter>,
    /// What it was last counted with.
    pub(super) counted: RingMemory,
}

/// A player that waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiter {
    pub(super) connection: ConnectionId,
    pub(super) stream: MessageStreamId,
    pub(super) address: Address,
}

/// Whether a stream is there, as far as this shard knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Its home has not been asked, or has not answered yet.
    Unknown,
    /// It has a publisher, or had one within the grace time.
    Present,
    Absent,
}

/// The publisher of a stream, on its own shard.
#[derive(Debug)]
pub(super) struct Publisher {
    /// When it got the name.
    pub(super) since: Time,
    pub(super) connection: ConnectionId,
    pub(super) stream: MessageStreamId,
    /// Whether it was said what the stream consists of.
    pub(super) is_described: bool,
    /// Whether it was said that its GOPs are too large.
    pub(super) has_large_gops: bool,
    /// The most players that there were here at once.
    pub(super) peak_players: usize,
    /// Whether a frame has come. Until then its name can be had by anybody who has one.
    pub(super) has_media: bool,
    /// What it did wrong and was read over, by name: as many as there are names, at most.
    pub(super) anomalies: BTreeMap<&'static str, u64>,
    /// Other shards that have players, or had some just before.
    pub(super) replicas: Replicas,
}

impl Publisher {
    /// What its publish has come to.
    pub(super) fn totals(&self, now: Time, stats: ChannelStats) -> PublishTotals {
        PublishTotals {
            lasted: now.since(self.since),
            frames: stats.frames,
            bytes: stats.bytes,
            jumps: stats.timeline.jumps,
            raised: stats.timeline.raised,
            without_header: stats.without_header,
            peak_players: self.peak_players,
        }
    }
}

impl AsMut<Channel> for Stream {
    fn as_mut(&mut self) -> &mut Channel {
        &mut self.channel
    }
}

impl Stream {
    fn new(key: StreamKey, channel: Channel) -> Self {
        Stream {
            key,
            channel,
            roles: 0,
            players: 0,
            presence: Presence::Unknown,
            epoch: 0,
            publisher: None,
            intake: Intake::default(),
            ticket: None,
            idle_until: None,
            asked_by: None,
            takeovers: 0,
            sent_to_departed: 0,
            waiters: Vec::new(),
            counted: RingMemory::default(),
        }
    }

    /// Whether it has a publisher here, or somebody plays it here or wants to.
    pub(super) const fn is_there(&self) -> bool {
        self.publisher.is_some() || self.players > 0
    }

    /// Whether somebody plays it or wants to, here or on another shard.
    pub(super) fn is_watched(&self) -> bool {
        let has_replicas = |publisher: &Publisher| !publisher.replicas.is_empty();
        self.players > 0 || self.publisher.as_ref().is_some_and(has_replicas)
    }

    /// Why one more may not wait for it, if it may not. O(waiters).
    pub(super) fn wait_refusal(&self, waiter: Waiter, waits: &Waits, config: &Config, shards: u16) -> Option<Refusal> {
        let is_there_already = self.waiters.iter().any(|it| it.connection == waiter.connection);
        if self.waiters.len() >= config.max_waiting_players_per_stream || is_there_already {
            return Some(Refusal::Crowded);
        }
        waits.refusal(waiter.address, !self.is_awaited_by(waiter.address), config, shards)
    }

    /// One more waits for it to come. O(waiters).
    pub(super) fn add_waiter(&mut self, waiter: Waiter, waits: &mut Waits) {
        waits.add(waiter.address, !self.is_awaited_by(waiter.address));
        self.waiters.push(waiter);
    }

    /// A player waits no more, if it did. O(waiters).
    pub(super) fn remove_waiter(&mut self, connection: ConnectionId, stream: MessageStreamId, waits: &mut Waits) {
        let is_it = |it: &Waiter| (it.connection, it.stream) == (connection, stream);
        if let Some(index) = self.waiters.iter().position(is_it) {
            let Waiter { address, .. } = self.waiters.remove(index);
            if self.has_places() {
                waits.remove(address, !self.is_awaited_by(address));
            }
        }
    }

    /// All that wait, who do so no more. O(waiters log waiters).
    pub(super) fn take_waiters(&mut self, waits: &mut Waits) -> Vec<Waiter> {
        let waiters = mem::take(&mut self.waiters);
        if self.has_places() {
            let mut addresses: Vec<_> = waiters.iter().map(|it| it.address).collect();
            addresses.sort_unstable();
            let next = addresses.iter().skip(1).map(Some).chain([None]);
            for (address, next) in addresses.iter().zip(next) {
                waits.remove(*address, next != Some(address));
            }
        }
        waiters
    }

    /// Whether those that wait have a place each: they wait for the stream, and not only to hear whether it is there.
    pub(super) fn has_places(&self) -> bool {
        self.presence == Presence::Absent
    }

    fn is_awaited_by(&self, address: Address) -> bool {
        self.waiters.iter().any(|it| it.address == address)
    }
}

impl Server {
    /// The stream of `key` on this shard, made if it is new, with one more role.
    pub(super) fn open_stream(&mut self, key: &StreamKey) -> ChannelId {
        let config = &self.shared.channel;
        let make = || Stream::new(key.clone(), Channel::new(config.clone()));
        let id = self.streams.open(key, make);
        if let Some(stream) = self.streams.get_mut(id) {
            stream.roles += 1;
        }
        self.count_stream(id);
        id
    }

    /// A role that referred to the stream is gone. The last player's end ends our subscription, unless the replica [stays for a
    /// while](super::idle), and the last role's end the stream.
    pub(super) fn release_stream(&mut self, id: ChannelId, was_player: bool) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        stream.roles = stream.roles.saturating_sub(1);
        stream.players = stream.players.saturating_sub(usize::from(was_player));
        if stream.players == 0 && stream.ticket.is_some() {
            // Before the home may forget it.
            let (sent, players) = (mem::take(&mut stream.sent_to_departed), stream.channel.take_drops());
            self.ledger.note(&stream.key, &StreamCounts::of_plays(sent, players));
        }
        if !self.keep_idle(id) {
            self.let_stream_go(id);
        }
    }

    /// Ends our subscription if nobody plays the stream, and the stream if nobody has a role in it.
    pub(super) fn let_stream_go(&mut self, id: ChannelId) {
        self.end_idle(id);
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        let key = stream.key.clone();
        let unsubscribes = stream.players == 0 && stream.ticket.take().is_some();
        if stream.roles == 0 {
            if let Some(stream) = self.streams.remove(&key) {
                self.discount_stream(stream);
            }
        } else if stream.ticket.is_none() && stream.publisher.is_none() {
            // Nobody tells us about it any more, and what is left of it is nothing to begin with.
            stream.presence = Presence::Unknown;
            stream.channel.end();
            self.count_stream(id);
        }
        if unsubscribes {
            self.send_home(&key, Body::Unsubscribe);
        }
    }

    /// Our publisher of `key` as `epoch`, if it still is.
    pub(super) fn find_publisher(&self, key: &StreamKey, epoch: Epoch) -> Option<&Publisher> {
        let stream = self.streams.get(self.streams.find(key)?)?;
        stream.publisher.as_ref().filter(|_| stream.epoch == epoch)
    }

    /// The stream of `key` on this shard, if there is one.
    pub(super) fn find_stream(&mut self, key: &StreamKey) -> Option<(ChannelId, &mut Stream)> {
        let id = self.streams.find(key)?;
        Some((id, self.streams.get_mut(id)?))
    }
}
