//! Publishing: who may, and where the frames go.

use super::connection::{Activity, Refusal, Role};
use super::follower::{self, Follower};
use super::shard::{Body, ClaimId, Epoch, ShardId, Subscription};
use super::stream::{Presence, Publisher};
use super::{ConnectionId, Server, Takeover};
use crate::hub::Past;
use crate::session::{MessageStreamId, RequestId, Target};
use crate::{EndCause, Frame, StreamKey, Time};
use alloc::vec::Vec;
use core::mem;
use core::net::IpAddr;
use tracing::{info, warn};

impl Server {
    /// A connection wants to publish: asks the stream's home.
    pub(super) fn request_publish(
        &mut self,
        now: Time,
        id: ConnectionId,
        request: RequestId,
        stream: MessageStreamId,
        target: &Target,
    ) {
        self.end_role(id, stream, EndCause::Replaced);
        let is_shutting_down = self.is_shutting_down;
        let Some(connection) = self.connection(id) else { return };
        if is_shutting_down {
            connection.protocol.reject(now, request, Refusal::ShuttingDown);
            return;
        }
        let address = connection.peer.ip();
        self.attend(id);
        let channel = self.open_stream(&target.key);
        let Some(connection) = self.connection(id) else { return };
        connection.add_role(Role {
            stream,
            channel,
            activity: Activity::Claiming { request },
        });
        let claim = ClaimId {
            connection: id.to_token(),
            stream: stream.0,
        };
        self.send_home(&target.key, Body::Claim { claim, address });
    }

    /// The home has granted the claim: the publish begins.
    pub(super) fn begin_publish(
        &mut self,
        now: Time,
        key: &StreamKey,
        claim: ClaimId,
        epoch: Epoch,
        subscribers: &[Subscription],
    ) {
        let id = ConnectionId::from_token(claim.connection);
        let channel = self.hub.find(key);
        let role = self
            .connection(id)
            .and_then(|connection| connection.role(MessageStreamId(claim.stream)));
        let request = match role {
            Some(role) if Some(role.channel) == channel => {
                match mem::replace(&mut role.activity, Activity::Publishing { epoch }) {
                    Activity::Claiming { request } => request,
                    other => {
                        role.activity = other;
                        self.send_home(key, Body::Release { epoch });
                        return;
                    }
                }
            }
            // The claimant left while its claim was on the way.
            _ => {
                self.send_home(key, Body::Release { epoch });
                return;
            }
        };
        let own = self.shard;
        let Some((channel, stream)) = self.find_stream(key) else {
            return;
        };
        stream.epoch = epoch;
        stream.publisher = Some(Publisher {
            connection: id,
            stream: MessageStreamId(claim.stream),
            followers: subscribers
                .iter()
                .copied()
                .filter(|it| it.shard != own)
                .map(Follower::new)
                .collect(),
            outgoing: Vec::new(),
        });
        if let Some(channel) = self.hub.channel_mut(channel) {
            channel.begin(now);
        }
        for Subscription { shard, ticket } in subscribers.iter().copied().filter(|it| it.shard != own) {
            let snapshot = Body::Snapshot {
                epoch,
                ticket,
                is_again: false,
                past: Past::default(),
                frames: Vec::new(),
            };
            self.send(shard, key, snapshot);
        }
        self.stats.publishes += 1;
        if let Some(connection) = self.connection(id) {
            connection.protocol.accept_publish(now, request);
            info!(conn = %id, peer = %connection.peer, protocol = connection.protocol.name(), stream = key.as_str(),
                "publish started");
        }
        self.set_presence(now, channel, Presence::Present);
        self.settle(now, id);
    }

    /// The home has denied the claim.
    pub(super) fn refuse_publish(&mut self, now: Time, key: &StreamKey, claim: ClaimId, refusal: Refusal) {
        let (id, stream) = (
            ConnectionId::from_token(claim.connection),
            MessageStreamId(claim.stream),
        );
        let Some(connection) = self.connection(id) else { return };
        let Some(Role {
            activity: Activity::Claiming { request },
            ..
        }) = connection.role(stream)
        else {
            return;
        };
        let request = *request;
        connection.protocol.reject(now, request, refusal);
        warn!(conn = %id, peer = %connection.peer, protocol = connection.protocol.name(), stream = key.as_str(),
            reason = refusal.reason(), "publish refused");
        self.stats.publishes_refused += 1;
        self.end_role(id, stream, EndCause::Closed);
        self.settle(now, id);
    }

    /// Somebody at `address` wants to publish what our publisher does: says whether it yields.
    pub(super) fn answer_contest(&mut self, now: Time, home: ShardId, key: &StreamKey, epoch: Epoch, address: IpAddr) {
        let takeover = self.config.takeover;
        let publisher = self
            .find_stream(key)
            .filter(|(_, stream)| stream.epoch == epoch)
            .and_then(|(_, stream)| {
                stream
                    .publisher
                    .as_ref()
                    .map(|publisher| (publisher.connection, publisher.stream))
            });
        let has_yielded = match publisher {
            None => true,
            Some((id, stream)) => {
                let yields = self.connection(id).is_none_or(|connection| match takeover {
                    Takeover::Always => true,
                    Takeover::Never => false,
                    Takeover::Auto => {
                        connection.peer.ip() == address || now.since(connection.last_input) >= Takeover::SILENCE
                    }
                });
                if yields {
                    if let Some(connection) = self.connection(id) {
                        connection
                            .protocol
                            .end_publish(now, stream, Refusal::Replaced, EndCause::Replaced);
                    }
                    self.end_role(id, stream, EndCause::Replaced);
                    self.settle(now, id);
                }
                yields
            }
        };
        self.send(home, key, Body::Contested { epoch, has_yielded });
    }

    /// Takes a publisher's frame into its channel. O(1) whatever the number of players.
    pub(super) fn publish_frame(&mut self, now: Time, id: ConnectionId, stream: MessageStreamId, frame: Frame) {
        let Some(Role {
            channel,
            activity: Activity::Publishing { .. },
            ..
        }) = self.connection(id).and_then(|connection| connection.role(stream))
        else {
            return;
        };
        let channel = *channel;
        if let Some(publisher) = self
            .streams
            .get_mut(&channel)
            .and_then(|stream| stream.publisher.as_mut())
            && !publisher.followers.is_empty()
        {
            publisher.outgoing.push(frame.clone());
        }
        let Some(channel) = self.hub.channel_mut(channel) else {
            return;
        };
        channel.push(now, frame);
        if channel.is_unsteady() {
            self.end_unsteady(now, id, stream);
        }
    }

    fn end_unsteady(&mut self, now: Time, id: ConnectionId, stream: MessageStreamId) {
        let Some(connection) = self.connection(id) else { return };
        warn!(conn = %id, peer = %connection.peer, protocol = connection.protocol.name(), "{}", Refusal::Unsteady.reason());
        let cause = EndCause::ProtocolError;
        connection.protocol.end_publish(now, stream, Refusal::Unsteady, cause);
        self.stats.failed += 1;
        self.end_role(id, stream, cause);
    }

    /// After a read of a publisher: wakes the players of what came, here and on other shards, once for all frames.
    pub(super) fn announce_published(&mut self, now: Time, id: ConnectionId) {
        let mut index = 0;
        while let Some(role) = self.connection(id).and_then(|connection| connection.roles.get(index)) {
            let (channel, is_publisher) = (role.channel, matches!(role.activity, Activity::Publishing { .. }));
            if is_publisher {
                self.flush_outgoing(channel);
                self.hub.announce(now, channel);
            }
            index += 1;
        }
    }

    fn flush_outgoing(&mut self, channel: crate::hub::ChannelId) {
        let Some(stream) = self.streams.get_mut(&channel) else {
            return;
        };
        let Some(publisher) = stream
            .publisher
            .as_mut()
            .filter(|publisher| !publisher.outgoing.is_empty())
        else {
            return;
        };
        let (key, epoch) = (stream.key.clone(), stream.epoch);
        let frames = mem::take(&mut publisher.outgoing);
        let mut messages = Vec::with_capacity(publisher.followers.len());
        for follower in publisher.followers.iter_mut().filter(|follower| !follower.is_behind()) {
            if follower.send(&frames, &self.shared.channel) {
                warn!(stream = %key, shard = follower.shard().0, "a worker cannot keep up and misses frames");
                self.stats.shards_behind += 1;
            }
            let frames = frames.clone();
            messages.push((follower.shard(), Body::Frames { epoch, frames }));
        }
        for (shard, body) in messages {
            self.send(shard, &key, body);
        }
    }

    /// Another shard has taken in so much of our publisher's stream: it starts again if it was too far behind.
    pub(super) fn note_taken(&mut self, shard: ShardId, key: &StreamKey, epoch: Epoch, cost: usize) {
        let config = self.shared.channel.clone();
        let Some((channel, stream)) = self.find_stream(key) else {
            return;
        };
        let follower = stream
            .publisher
            .as_mut()
            .filter(|_| stream.epoch == epoch)
            .and_then(|publisher| {
                publisher
                    .followers
                    .iter_mut()
                    .find(|follower| follower.shard() == shard)
            });
        let Some(follower) = follower else { return };
        let ticket = follower.subscription.ticket;
        if follower.take(cost, &config) {
            // Without the GOP: its players may have seen a part of that.
            let (past, frames) = self.hub.channel(channel).map_or_else(Default::default, |channel| {
                (channel.past(), channel.headers().cloned().collect())
            });
            let snapshot = Body::Snapshot {
                epoch,
                ticket,
                is_again: true,
                past,
                frames,
            };
            self.send(shard, key, snapshot);
        }
    }

    pub(super) fn clear_metadata(&mut self, now: Time, id: ConnectionId, stream: MessageStreamId) {
        self.announce_published(now, id);
        let Some(role) = self.connection(id).and_then(|connection| connection.role(stream)) else {
            return;
        };
        let channel = role.channel;
        if let Some(channel) = self.hub.channel_mut(channel) {
            channel.clear_metadata();
        }
        let Some(stream) = self.streams.get(&channel) else {
            return;
        };
        let (key, epoch) = (stream.key.clone(), stream.epoch);
        let followers = stream.publisher.iter().flat_map(|publisher| &publisher.followers);
        let shards: Vec<_> = followers.filter(|it| !it.is_behind()).map(Follower::shard).collect();
        for shard in shards {
            self.send(shard, &key, Body::ClearMetadata { epoch });
        }
    }

    /// Another shard has its first player of our publisher's stream.
    pub(super) fn add_subscriber(&mut self, key: &StreamKey, epoch: Epoch, subscription: Subscription) {
        let own = self.shard;
        let Subscription { shard, ticket } = subscription;
        let Some((channel, stream)) = self.find_stream(key) else {
            return;
        };
        if shard == own || stream.epoch != epoch || stream.publisher.is_none() {
            return;
        }
        self.attend_publisher(channel);
        self.flush_outgoing(channel);
        let (past, frames) = self.hub.channel(channel).map_or_else(Default::default, |channel| {
            let frames = channel.headers().chain(channel.gop()).cloned();
            (channel.past(), frames.collect::<Vec<_>>())
        });
        if let Some(publisher) = self
            .streams
            .get_mut(&channel)
            .and_then(|stream| stream.publisher.as_mut())
        {
            let mut follower = Follower::new(subscription);
            follower.send(&frames, &self.shared.channel);
            publisher.followers.retain(|follower| follower.shard() != shard);
            publisher.followers.push(follower);
        }
        let snapshot = Body::Snapshot {
            epoch,
            ticket,
            is_again: false,
            past,
            frames,
        };
        self.send(shard, key, snapshot);
    }

    /// Another shard's last player is gone.
    pub(super) fn remove_subscriber(&mut self, key: &StreamKey, epoch: Epoch, shard: ShardId) {
        if let Some((_, stream)) = self.find_stream(key)
            && stream.epoch == epoch
            && let Some(publisher) = &mut stream.publisher
        {
            publisher.followers.retain(|follower| follower.shard() != shard);
        }
    }

    /// A publish of ours is over: its players stay, for the grace time.
    pub(super) fn end_publish(&mut self, channel: crate::hub::ChannelId, epoch: Epoch) {
        self.flush_outgoing(channel);
        let Some(stream) = self.streams.get_mut(&channel) else {
            return;
        };
        if stream.epoch == epoch {
            stream.publisher = None;
        }
        let key = stream.key.clone();
        self.send_home(&key, Body::Release { epoch });
    }

    /// A publisher on another shard begins, or sends us its stream from here on. Returns whether that concerns us still.
    pub(super) fn follow(
        &mut self,
        now: Time,
        key: &StreamKey,
        epoch: Epoch,
        ticket: u64,
        is_again: bool,
        past: Past,
    ) -> bool {
        let Some((channel, stream)) = self.find_stream(key) else {
            return false;
        };
        if stream.ticket != Some(ticket) || stream.publisher.is_some() || epoch < stream.epoch {
            return false;
        }
        stream.epoch = epoch;
        stream.taken = 0;
        if let Some(channel) = self.hub.channel_mut(channel) {
            if is_again {
                channel.resume(now, past);
            } else {
                channel.begin_midway(now, past);
            }
        }
        self.set_presence(now, channel, Presence::Present);
        true
    }

    /// Frames from a publisher on another shard: those of its snapshot, or the next ones.
    pub(super) fn relay(
        &mut self,
        now: Time,
        from: ShardId,
        key: &StreamKey,
        epoch: Epoch,
        is_snapshot: bool,
        frames: Vec<Frame>,
    ) {
        let report_after = follower::report_after(&self.shared.channel);
        let Some((channel, stream)) = self.find_stream(key) else {
            return;
        };
        // Before its snapshot, or after a newer one, they mean nothing.
        if stream.epoch != epoch || stream.publisher.is_some() {
            return;
        }
        stream.taken += follower::cost(&frames);
        let report = (stream.taken >= report_after).then(|| mem::take(&mut stream.taken));
        if let Some(cost) = report {
            self.send(from, key, Body::Taken { epoch, cost });
        }
        if let Some(channel) = self.hub.channel_mut(channel) {
            if is_snapshot {
                channel.push_burst(now, frames);
            } else {
                frames.into_iter().for_each(|frame| channel.push(now, frame));
            }
        }
        self.hub.announce(now, channel);
    }

    pub(super) fn relay_clear_metadata(&mut self, key: &StreamKey, epoch: Epoch) {
        let Some((channel, stream)) = self.find_stream(key) else {
            return;
        };
        if stream.epoch == epoch
            && let Some(channel) = self.hub.channel_mut(channel)
        {
            channel.clear_metadata();
        }
    }
}
