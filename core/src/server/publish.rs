//! Publishing: who may, and where the frames go.

use super::connection::{Activity, Role};
use super::event::{Event, StreamInfo};
use super::metrics::StreamCounts;
use super::question::Intent;
use super::refusal::{BAD_REQUEST, Excess, Refusal};
use super::replica::Replicas;
use super::session::{PublishRequest, Session};
use super::shard::{Body, ClaimId, Epoch, Newcomer, Subscription};
use super::stream::{Presence, Publisher};
use super::{ConnectionId, Server};
use crate::hub::ChannelId;
use crate::rtmp::MessageStreamId;
use crate::{EndCause, Frame, StreamKey, Time, work};
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt::Display;
use core::mem;
use tracing::debug;

impl Server {
    /// A connection wants to publish. One that waits for the answer before it sends has the stream's home asked for it; any
    /// other may send, and claims the name with its first frame.
    pub(super) fn request_publish(&mut self, now: Time, id: ConnectionId, publish: &PublishRequest, ends: Time) {
        let &PublishRequest {
            request, stream, waits, ..
        } = publish;
        self.read_now(id);
        let channel = self.open_stream(&publish.target.key);
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
            ends,
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
        if let Some(refusal) = self.banned(now, id, [key]) {
            // Since it asked.
            self.refuse_publish(now, key, claim, refusal);
            return;
        }
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
        if let Some(refusal) = self.banned(now, id, [key]) {
            // Since it asked.
            self.send_home(key, Body::Release { epoch });
            self.refuse_publish(now, key, claim, refusal);
            return;
        }
        let channel = self.streams.find(key);
        let role = self
            .connections
            .get_mut(id)
            .and_then(|connection| connection.role(MessageStreamId(claim.stream)));
        let (request, frames) = match role {
            Some(role) if Some(role.channel) == channel => {
                match mem::replace(&mut role.activity, Activity::Publishing { epoch }) {
                    Activity::Requesting { request } => (Some(request), Vec::new()),
                    Activity::Claiming { frames } => (None, frames),
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
        let (own, budget) = (self.shard, self.config.memory_budget);
        let Some((channel, stream)) = self.find_stream(key) else {
            return;
        };
        let elsewhere = subscribers.iter().copied().filter(|it| it.shard != own);
        stream.epoch = epoch;
        stream.publisher = Some(Publisher {
            since: now,
            connection: id,
            stream: MessageStreamId(claim.stream),
            is_described: false,
            has_large_gops: false,
            peak_players: stream.players,
            has_media: false,
            anomalies: BTreeMap::new(),
            replicas: Replicas::new(stream.channel.config(), budget, elsewhere.clone()),
        });
        stream.channel.begin(now);
        for subscription in elsewhere {
            self.send_snapshot(key, subscription, false, Vec::new());
        }
        self.drop_idle(channel);
        self.stats.publishes += 1;
        if let Some(connection) = self.connections.get_mut(id) {
            if let Some(request) = request {
                connection.protocol.accept_publish(now, request);
            }
            let event = Event::PublishStarted {
                peer: connection.peer(id),
                stream: key.clone(),
                agent: connection.agent(),
            };
            self.report(now, event);
        }
        self.set_presence(now, channel, Presence::Present);
        for frame in frames {
            self.publish_frame(now, id, MessageStreamId(claim.stream), frame);
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
            Some(&Activity::Requesting { request }) => {
                connection.protocol.reject(now, request, Intent::Publish, refusal);
            }
            Some(Activity::Claiming { .. }) => {
                let cause = EndCause::Closed;
                connection.protocol.end_publish(now, stream, refusal, cause);
            }
            _ => return,
        }
        self.note_refused(now, id, key, &refusal.reason(), refusal.label());
        self.end_role(id, stream, EndCause::Closed);
        self.connections.touch(id);
    }

    /// The home ends our publish of `epoch`, which is one too many.
    pub(super) fn revoke_publish(&mut self, now: Time, key: &StreamKey, epoch: Epoch) {
        let Some(publisher) = self.find_publisher(key, epoch) else {
            return;
        };
        let (id, stream) = (publisher.connection, publisher.stream);
        let refusal = Refusal::Excess(Excess::Publishers);
        self.note_refused(now, id, key, &refusal.reason(), refusal.label());
        self.cut_role(now, id, stream, refusal, EndCause::Closed);
        self.connections.touch(id);
    }

    /// The HTTP session has turned a peer away on its own: whether that was a push without a name, and is noted as such.
    pub(super) fn note_refused_push(&mut self, now: Time, id: ConnectionId, reason: &dyn Display) -> bool {
        let connection = self
            .connections
            .get(id)
            .filter(|it| matches!(*it.protocol, Session::Http(_)));
        let key = connection
            .and_then(|connection| connection.roles.first())
            .filter(|role| matches!(role.activity, Activity::Admitted))
            .and_then(|role| self.streams.get(role.channel))
            .map(|stream| stream.key.clone());
        if let Some(key) = &key {
            self.note_refused(now, id, key, reason, BAD_REQUEST);
        }
        key.is_some()
    }

    /// Counts a refused publish, and logs it if the peer has not been refused the same just before. `reason` is for people,
    /// `label` for programs.
    pub(super) fn note_refused(
        &mut self,
        now: Time,
        id: ConnectionId,
        key: &StreamKey,
        reason: &dyn Display,
        label: &'static str,
    ) {
        self.stats.publishes_refused += 1;
        self.tally.refuse("publish", label);
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        let (peer, reason) = (connection.peer(id), reason.to_string());
        self.remember_refusal(now, peer, key, Intent::Publish, label, &reason);
        let event = Event::PublishRefused {
            peer,
            stream: key.clone(),
            reason: reason.into(),
        };
        self.report(now, event);
    }

    /// Takes a publisher's frame into its channel. O(1) whatever the number of players. The first frame of one that has no
    /// name yet claims it.
    pub(super) fn publish_frame(&mut self, now: Time, id: ConnectionId, stream: MessageStreamId, frame: Frame) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Some(role) = connection.role(stream) else { return };
        match &mut role.activity {
            Activity::Publishing { .. } => {}
            Activity::Admitted => {
                role.activity = Activity::Claiming {
                    frames: Vec::from([frame]),
                };
                self.claim(id, stream, true);
                return;
            }
            Activity::Claiming { frames } => {
                frames.push(frame);
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
            publisher.replicas.push(&frame);
        }
        let cut = entry.channel.push_as(now, frame, |frame| self.memory.count(frame));
        if cut > 0 {
            connection.work.add(now, work::FRAME * cut, &mut self.work);
        }
        if entry.channel.is_flapping() {
            self.end_flapping(now, id, stream);
        }
    }

    fn end_flapping(&mut self, now: Time, id: ConnectionId, stream: MessageStreamId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let event = Event::Failed {
            peer: connection.peer(id),
            reason: Refusal::Flapping.reason().into(),
        };
        let cause = EndCause::ProtocolError;
        connection.protocol.end_publish(now, stream, Refusal::Flapping, cause);
        self.report(now, event);
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

    /// Says what a stream of ours consists of, once that is known, and that its GOPs are too large, once each.
    fn describe_stream(&mut self, now: Time, channel: ChannelId) {
        let Some(stream) = self.streams.get_mut(channel) else {
            return;
        };
        let Some(publisher) = &mut stream.publisher else { return };
        let is_described = publisher.is_described || stream.channel.tracks().is_none();
        let is_small = publisher.has_large_gops || stream.channel.stats().gop_overflows == 0;
        if is_described && is_small {
            return;
        }
        let id = publisher.connection;
        let Some(peer) = self.connections.get(id).map(|connection| connection.peer(id)) else {
            return;
        };
        let key = stream.key.clone();
        if !is_small {
            publisher.has_large_gops = true;
            let stream = key.clone();
            self.report(now, Event::GopTooLarge { peer, stream });
        }
        if !is_described
            && let Some(stream) = self.streams.get_mut(channel)
            && let Some(publisher) = &mut stream.publisher
        {
            publisher.is_described = true;
            let info = StreamInfo::of(stream.channel.headers().chain(stream.channel.gop()));
            let stream = key;
            self.report(now, Event::StreamInfo { peer, stream, info });
        }
    }

    /// Wakes the players of what our publisher has sent, here and on other shards.
    fn announce_frames(&mut self, now: Time, channel: ChannelId) {
        self.count_stream(channel);
        self.describe_stream(now, channel);
        self.flush_outgoing(channel);
        self.streams.announce(now, channel);
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
        if !stream.channel.clear_metadata() {
            return;
        }
        self.memory.recount(stream);
        let (key, epoch) = (stream.key.clone(), stream.epoch);
        let publisher = stream.publisher.iter();
        let shards: Vec<_> = publisher.flat_map(|it| it.replicas.keeping_up()).collect();
        for shard in shards {
            self.send(shard, &key, Body::ClearMetadata { epoch });
        }
    }

    /// A publish of ours is over: its players stay, for the grace time.
    pub(super) fn end_publish(&mut self, id: ConnectionId, channel: ChannelId, epoch: Epoch, cause: EndCause) {
        // Frames may have come in the same read as the end.
        self.announce_frames(self.now, channel);
        let Some(stream) = self.streams.get_mut(channel) else {
            return;
        };
        let key = stream.key.clone();
        if stream.epoch == epoch
            && let Some(publisher) = stream.publisher.take()
            && let Some(connection) = self.connections.get(id)
        {
            let stats = stream.channel.stats();
            let counts = StreamCounts {
                since: Some(publisher.since),
                ..StreamCounts::of_publish(&stats, &stream.channel.figures(self.now))
            };
            self.ledger.note(&key, &counts);
            let peer = connection.peer(id);
            self.tally.end_publish(peer.protocol, cause);
            let event = Event::PublishEnded {
                peer,
                stream: key.clone(),
                cause,
                totals: publisher.totals(self.now, stats),
            };
            self.report(self.now, event);
        }
        self.send_home(&key, Body::Release { epoch });
    }
}

#[cfg(test)]
mod tests;
