//! Publishing: who may, and where the frames go.

use super::connection::{Activity, Protocol, Refusal, Role};
use super::replica::Replica;
use super::shard::{Body, ClaimId, Epoch, Newcomer, ShardId, Subscription};
use super::stream::{Presence, Publisher};
use super::{ConnectionId, Server};
use crate::hub::Position;
use crate::rtmp::{MessageStreamId, RequestId, Target};
use crate::{EndCause, Frame, StreamKey, Time};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::Display;
use core::mem;
use tracing::{debug, info, warn};

impl Server {
    /// A connection wants to publish. One that waits for the answer before it sends has the stream's home asked for it; any
    /// other may send, and claims the name with its first frame.
    pub(super) fn request_publish(
        &mut self,
        now: Time,
        id: ConnectionId,
        request: RequestId,
        stream: MessageStreamId,
        target: &Target,
        waits: bool,
    ) {
        self.end_role(id, stream, EndCause::Replaced);
        let is_shutting_down = self.is_shutting_down;
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if is_shutting_down {
            connection.protocol.reject(now, request, Refusal::ShuttingDown);
            return;
        }
        self.read_now(id);
        let channel = self.open_stream(&target.key);
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let activity = if waits {
            Activity::Requesting { request }
        } else {
            connection.protocol.accept_publish(now, request);
            Activity::Admitted
        };
        connection.add_role(Role {
            stream,
            channel,
            activity,
        });
        if waits {
            self.claim(id, stream, false);
        }
    }

    /// Asks the stream's home for the name.
    fn claim(&mut self, id: ConnectionId, stream: MessageStreamId, has_media: bool) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let peer = connection.peer;
        let Some(channel) = connection.role(stream).map(|role| role.channel) else {
            return;
        };
        let Some(key) = self.streams.get(channel).map(|stream| stream.key.clone()) else {
            return;
        };
        let claim = ClaimId {
            connection: id.to_token(),
            stream: stream.0,
        };
        let newcomer = Newcomer { claim, peer, has_media };
        self.send_home(&key, Body::Claim(newcomer));
    }

    /// The home lets the claimant send, as its first frame may have the name.
    pub(super) fn admit_publish(&mut self, now: Time, key: &StreamKey, claim: ClaimId) {
        let (id, stream) = (
            ConnectionId::from_token(claim.connection),
            MessageStreamId(claim.stream),
        );
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Some(role) = connection.role(stream) else { return };
        let Activity::Requesting { request } = role.activity else {
            return;
        };
        role.activity = Activity::Admitted;
        connection.protocol.accept_publish(now, request);
        debug!(conn = %id, peer = %connection.peer, protocol = connection.protocol.name(), stream = key.as_str(),
            "publish takes over with its first frame");
        self.connections.touch(id);
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
        let channel = self.streams.find(key);
        let role = self
            .connections
            .get_mut(id)
            .and_then(|connection| connection.role(MessageStreamId(claim.stream)));
        let (request, first) = match role {
            Some(role) if Some(role.channel) == channel => {
                match mem::replace(&mut role.activity, Activity::Publishing { epoch }) {
                    Activity::Requesting { request } => (Some(request), None),
                    Activity::Claiming { first } => (None, Some(first)),
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
            has_media: false,
            replicas: subscribers
                .iter()
                .copied()
                .filter(|it| it.shard != own)
                .map(Replica::new)
                .collect(),
            outgoing: Vec::new(),
        });
        stream.channel.begin(now);
        for Subscription { shard, ticket } in subscribers.iter().copied().filter(|it| it.shard != own) {
            let snapshot = Body::Snapshot {
                epoch,
                ticket,
                is_again: false,
                position: Box::default(),
                frames: Vec::new(),
            };
            self.send(shard, key, snapshot);
        }
        self.stats.publishes += 1;
        if let Some(connection) = self.connections.get_mut(id) {
            if let Some(request) = request {
                connection.protocol.accept_publish(now, request);
            }
            if self.journal.admits(now, connection.peer, key.as_str()) {
                info!(conn = %id, peer = %connection.peer, protocol = connection.protocol.name(),
                    stream = key.as_str(), "publish started");
            }
        }
        self.set_presence(now, channel, Presence::Present);
        if let Some(first) = first {
            self.publish_frame(now, id, MessageStreamId(claim.stream), *first);
        }
        self.connections.touch(id);
    }

    /// The home has denied the claim.
    pub(super) fn refuse_publish(&mut self, now: Time, key: &StreamKey, claim: ClaimId, refusal: Refusal) {
        let (id, stream) = (
            ConnectionId::from_token(claim.connection),
            MessageStreamId(claim.stream),
        );
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        match connection.role(stream).map(|role| &role.activity) {
            Some(&Activity::Requesting { request }) => connection.protocol.reject(now, request, refusal),
            Some(Activity::Claiming { .. }) => {
                let cause = EndCause::Closed;
                connection.protocol.end_publish(now, stream, refusal, cause);
            }
            _ => return,
        }
        self.note_refused(now, id, key, &refusal.reason());
        self.end_role(id, stream, EndCause::Closed);
        self.connections.touch(id);
    }

    /// The HTTP session has turned a peer away on its own: whether that was a push without a name, and is noted as such.
    pub(super) fn note_refused_push(&mut self, now: Time, id: ConnectionId, reason: &dyn Display) -> bool {
        let connection = self
            .connections
            .get(id)
            .filter(|it| matches!(it.protocol, Protocol::Http(_)));
        let key = connection
            .and_then(|connection| connection.roles.first())
            .filter(|role| matches!(role.activity, Activity::Admitted))
            .and_then(|role| self.streams.get(role.channel))
            .map(|stream| stream.key.clone());
        if let Some(key) = &key {
            self.note_refused(now, id, key, reason);
        }
        key.is_some()
    }

    /// Counts a refused publish, and logs it if the peer has not been refused the same just before.
    fn note_refused(&mut self, now: Time, id: ConnectionId, key: &StreamKey, reason: &dyn Display) {
        self.stats.publishes_refused += 1;
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        let (peer, protocol) = (connection.peer, connection.protocol.name());
        if self.journal.admits_refusal(now, peer, key.as_str()) {
            warn!(conn = %id, %peer, protocol, stream = key.as_str(), %reason, "publish refused");
        }
    }

    /// Takes a publisher's frame into its channel. O(1) whatever the number of players. The first frame of one that has no
    /// name yet claims it.
    pub(super) fn publish_frame(&mut self, now: Time, id: ConnectionId, stream: MessageStreamId, frame: Frame) {
        let Some(role) = self
            .connections
            .get_mut(id)
            .and_then(|connection| connection.role(stream))
        else {
            return;
        };
        match role.activity {
            Activity::Publishing { .. } => {}
            Activity::Admitted => {
                role.activity = Activity::Claiming { first: Box::new(frame) };
                self.claim(id, stream, true);
                return;
            }
            _ => return,
        }
        let channel = role.channel;
        let Some(entry) = self.streams.get_mut(channel) else {
            return;
        };
        if let Some(publisher) = &mut entry.publisher {
            publisher.has_media = true;
            if !publisher.replicas.is_empty() {
                publisher.outgoing.push(frame.clone());
            }
        }
        entry.channel.push(now, frame);
        if entry.channel.is_flapping() {
            self.end_flapping(now, id, stream);
        }
    }

    fn end_flapping(&mut self, now: Time, id: ConnectionId, stream: MessageStreamId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if self.journal.admits(now, connection.peer, "") {
            warn!(conn = %id, peer = %connection.peer, protocol = connection.protocol.name(), "{}", Refusal::Flapping.reason());
        }
        let cause = EndCause::ProtocolError;
        connection.protocol.end_publish(now, stream, Refusal::Flapping, cause);
        self.stats.failed += 1;
        self.end_role(id, stream, cause);
    }

    /// After a read of a publisher: wakes the players of what came, here and on other shards, once for all frames.
    pub(super) fn announce_published(&mut self, now: Time, id: ConnectionId) {
        let mut index = 0;
        while let Some(role) = self
            .connections
            .get_mut(id)
            .and_then(|connection| connection.roles.get(index))
        {
            let (channel, is_publisher) = (role.channel, matches!(role.activity, Activity::Publishing { .. }));
            if is_publisher {
                self.announce_frames(now, channel);
            }
            index += 1;
        }
    }

    /// Wakes the players of what our publisher has sent, here and on other shards.
    fn announce_frames(&mut self, now: Time, channel: crate::hub::ChannelId) {
        self.flush_outgoing(channel);
        self.streams.announce(now, channel);
    }

    fn flush_outgoing(&mut self, channel: crate::hub::ChannelId) {
        let Some(stream) = self.streams.get_mut(channel) else {
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
        let mut messages = Vec::with_capacity(publisher.replicas.len());
        for replica in publisher.replicas.iter_mut().filter(|replica| !replica.is_behind()) {
            if replica.send(&frames, &self.shared.channel) {
                warn!(
                    stream = key.as_str(),
                    shard = replica.shard().0,
                    "a worker cannot keep up and misses frames"
                );
                self.stats.shards_behind += 1;
            }
            let frames = frames.clone();
            messages.push((replica.shard(), Body::Frames { epoch, frames }));
        }
        for (shard, body) in messages {
            self.send(shard, &key, body);
        }
    }

    /// Another shard has taken in so much of our publisher's stream: it starts again if it was too far behind.
    pub(super) fn note_taken(&mut self, key: &StreamKey, epoch: Epoch, subscription: Subscription, taken: u64) {
        let Some(id) = self.streams.find(key) else { return };
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        let channel = &stream.channel;
        let replica = stream
            .publisher
            .as_mut()
            .filter(|_| stream.epoch == epoch)
            .and_then(|publisher| {
                let mut replicas = publisher.replicas.iter_mut();
                replicas.find(|replica| replica.subscription() == subscription)
            });
        let Some(replica) = replica else { return };
        if replica.take(taken, &self.shared.channel) {
            // Without the GOP: its players may have seen a part of that.
            let frames: Vec<_> = channel.headers().cloned().collect();
            replica.start(&frames);
            let snapshot = Body::Snapshot {
                epoch,
                ticket: subscription.ticket,
                is_again: true,
                position: Box::new(channel.position()),
                frames,
            };
            self.send(subscription.shard, key, snapshot);
        }
    }

    pub(super) fn clear_metadata(&mut self, now: Time, id: ConnectionId, stream: MessageStreamId) {
        self.announce_published(now, id);
        let Some(&Role {
            channel,
            activity: Activity::Publishing { .. },
            ..
        }) = self
            .connections
            .get_mut(id)
            .and_then(|connection| connection.role(stream).map(|role| &*role))
        else {
            return;
        };
        let Some(stream) = self.streams.get_mut(channel) else {
            return;
        };
        stream.channel.clear_metadata();
        let (key, epoch) = (stream.key.clone(), stream.epoch);
        let replicas = stream.publisher.iter().flat_map(|publisher| &publisher.replicas);
        let shards: Vec<_> = replicas.filter(|it| !it.is_behind()).map(Replica::shard).collect();
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
        self.read_publisher_now(channel);
        self.flush_outgoing(channel);
        let Some(stream) = self.streams.get_mut(channel) else {
            return;
        };
        let channel = &stream.channel;
        let position = channel.position();
        let frames: Vec<_> = channel.headers().chain(channel.gop()).cloned().collect();
        if let Some(publisher) = &mut stream.publisher {
            let mut replica = Replica::new(subscription);
            replica.start(&frames);
            publisher.replicas.retain(|replica| replica.shard() != shard);
            publisher.replicas.push(replica);
        }
        let snapshot = Body::Snapshot {
            epoch,
            ticket,
            is_again: false,
            position: Box::new(position),
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
            publisher.replicas.retain(|replica| replica.shard() != shard);
        }
    }

    /// A publish of ours is over: its players stay, for the grace time.
    pub(super) fn end_publish(&mut self, channel: crate::hub::ChannelId, epoch: Epoch) {
        // Frames may have come in the same read as the end.
        self.announce_frames(self.now, channel);
        let Some(stream) = self.streams.get_mut(channel) else {
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
        position: Position,
    ) -> bool {
        let Some((channel, stream)) = self.find_stream(key) else {
            return false;
        };
        if stream.ticket != Some(ticket) || stream.publisher.is_some() || epoch < stream.epoch {
            return false;
        }
        stream.epoch = epoch;
        stream.intake.start(epoch, ticket);
        if is_again {
            stream.channel.resume(now, position);
        } else {
            stream.channel.begin_at(now, position);
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
        let Some(channel) = self.streams.find(key) else { return };
        let Some(stream) = self.streams.get_mut(channel) else {
            return;
        };
        // Before its snapshot, or after a newer one, they mean nothing.
        if stream.epoch != epoch || stream.publisher.is_some() {
            return;
        }
        let report = stream.intake.take(&frames, &self.shared.channel);
        if is_snapshot {
            stream.channel.push_burst(now, frames);
        } else {
            frames.into_iter().for_each(|frame| stream.channel.push(now, frame));
        }
        if let Some((ticket, taken)) = report {
            self.send(from, key, Body::Taken { epoch, ticket, taken });
        }
        self.streams.announce(now, channel);
    }

    pub(super) fn relay_clear_metadata(&mut self, key: &StreamKey, epoch: Epoch) {
        if let Some((_, stream)) = self.find_stream(key)
            && stream.epoch == epoch
        {
            stream.channel.clear_metadata();
        }
    }
}
