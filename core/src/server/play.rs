//! Playing: letting players in, having them wait, and the frames on their way out.

use super::connection::{Activity, Connection, Role};
use super::event::{Event, LAG_EPISODE, PlayTotals};
use super::question::Intent;
use super::refusal::{Excess, Refusal};
use super::session::{PlayAsk, PlayRequest};
use super::shard::{Body, Epoch};
use super::stream::{Presence, Waiter};
use super::{ConnectionId, HttpAbsent, Server};
use crate::hub::{ChannelId, Join, Next, SkipStep};
use crate::rtmp::{MessageStreamId, PlayControl};
use crate::time::Meter;
use crate::{EndCause, FrameKind, StreamKey, Target, Time};
use core::mem;
use core::time::Duration;
use tracing::debug;

impl Server {
    /// A connection wants to play.
    pub(super) fn request_play(&mut self, now: Time, id: ConnectionId, play: &PlayRequest, ends: Time) {
        let &PlayRequest {
            request, stream, ask, ..
        } = play;
        let target = &*play.target;
        let wait = self.absence_wait(target, ask);
        let merge = target
            .query_value("merge")
            .and_then(|millis| millis.parse().ok())
            .map(Duration::from_millis);
        let ask = PlayAsk { merge, ..ask };
        self.read_now(id);
        let channel = self.seek(id, stream, &target.key);
        let undecoded = play.undecoded.as_ref().map(|key| self.seek(id, stream, key));
        let activity = Activity::Seeking {
            request,
            until: None,
            wait,
            ask,
            undecoded,
        };
        if let Some(connection) = self.connections.get_mut(id) {
            connection.add_role(Role {
                stream,
                channel,
                ends,
                activity,
            });
        }
        self.answer_play(now, id, stream);
    }

    /// One more player wants the stream of `key`, and is told about it if its home has to be asked.
    fn seek(&mut self, id: ConnectionId, stream: MessageStreamId, key: &StreamKey) -> ChannelId {
        let channel = self.open_stream(key);
        self.end_idle(channel);
        self.read_publisher_now(channel);
        let ticket = self.next_ticket();
        let waiter = self.waiter(id, stream);
        let address = self.connections.get(id).and_then(Connection::address_to_charge);
        if let Some(entry) = self.streams.get_mut(channel) {
            entry.players += 1;
            if let Some(publisher) = &mut entry.publisher {
                publisher.peak_players = publisher.peak_players.max(entry.players);
            }
            if entry.presence == Presence::Unknown {
                entry.waiters.extend(waiter);
            }
            if entry.ticket.is_none() {
                entry.ticket = Some(ticket);
                entry.asked_by = address;
                self.send_home(key, Body::Subscribe { ticket });
            }
        }
        channel
    }

    /// A player wants the stream no more.
    fn leave(&mut self, id: ConnectionId, stream: MessageStreamId, channel: ChannelId) {
        if let Some(entry) = self.streams.get_mut(channel) {
            entry.remove_waiter(id, stream, &mut self.waits);
        }
        self.release_stream(channel, true);
    }

    /// How long a player waits for a stream that is not there.
    fn absence_wait(&self, target: &Target, ask: PlayAsk) -> Duration {
        if ask.waits_accepted {
            return self.config.rtmp_wait;
        }
        let asked = target
            .query_value("wait")
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs);
        let configured = match self.config.http_absent {
            HttpAbsent::NotFound => Duration::ZERO,
            HttpAbsent::Wait(wait) => wait,
        };
        asked.map_or(configured, |asked| asked.min(self.config.http_max_wait))
    }

    fn waiter(&self, id: ConnectionId, stream: MessageStreamId) -> Option<Waiter> {
        let address = self.connections.get(id)?.peer.into();
        Some(Waiter {
            connection: id,
            stream,
            address,
        })
    }

    pub(super) fn next_ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    /// Answers a player's request as far as it is known whether its stream is there.
    fn answer_play(&mut self, now: Time, id: ConnectionId, stream: MessageStreamId) {
        let Some(presence) = self.find_either(id, stream) else {
            return;
        };
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Some(role) = connection.role(stream) else { return };
        let Activity::Seeking {
            request,
            until,
            wait,
            ask,
            undecoded,
        } = role.activity
        else {
            return;
        };
        let channel = role.channel;
        match presence {
            Presence::Unknown => {}
            Presence::Present if ask.head_only => {
                connection.protocol.accept_play(now, request);
                self.end_role(id, stream, EndCause::Requested);
            }
            Presence::Present => self.begin_play(now, id, stream, None),
            Presence::Absent if until.is_some() => {}
            Presence::Absent if wait.is_zero() || ask.head_only => self.refuse_play(now, id, stream, Refusal::Absent),
            Presence::Absent => self.begin_wait(now, id, stream, [Some(channel), undecoded], wait, ask),
        }
        self.connections.touch(id);
    }

    /// Has a player wait for a publisher of one of `channels`, if there is place.
    fn begin_wait(
        &mut self,
        now: Time,
        id: ConnectionId,
        stream: MessageStreamId,
        channels: [Option<ChannelId>; 2],
        wait: Duration,
        ask: PlayAsk,
    ) {
        let Some(waiter) = self.waiter(id, stream) else { return };
        let mut entries = channels.iter().flatten().filter_map(|it| self.streams.get(*it));
        let refusal = entries.find_map(|entry| entry.wait_refusal(waiter, &self.waits, &self.config, self.shards));
        if let Some(refusal) = refusal {
            self.refuse_play(now, id, stream, refusal);
            return;
        }
        for channel in channels.iter().flatten() {
            if let Some(entry) = self.streams.get_mut(*channel) {
                entry.add_waiter(waiter, &mut self.waits);
            }
        }
        let deadline = now + wait;
        if let [Some(channel), _] = channels
            && let Some((peer, stream)) = self.subject(id, channel)
        {
            self.report(now, Event::PlayWaits { peer, stream, wait });
        }
        if ask.waits_accepted {
            self.begin_play(now, id, stream, Some(deadline));
        } else if let Some(connection) = self.connections.get_mut(id)
            && let Some(role) = connection.role(stream)
            && let Activity::Seeking { until, .. } = &mut role.activity
        {
            *until = Some(deadline);
        }
    }

    /// Whether the stream that a player seeks is there; `None` if it seeks none. The one with the undecoded name takes the
    /// place of the other if only that is there. Once one is there, the player seeks no other.
    fn find_either(&mut self, id: ConnectionId, stream: MessageStreamId) -> Option<Presence> {
        let role = self.connections.get_mut(id)?.role(stream)?;
        let Activity::Seeking { undecoded, .. } = &mut role.activity else {
            return None;
        };
        let presence_of = |channel| self.streams.get(channel).map_or(Presence::Absent, |it| it.presence);
        let decoded = presence_of(role.channel);
        let presence = match (decoded, undecoded.map(presence_of)) {
            (Presence::Absent, Some(presence)) => presence,
            _ => decoded,
        };
        if presence == Presence::Present
            && let Some(mut other) = undecoded.take()
        {
            if decoded == Presence::Absent {
                mem::swap(&mut role.channel, &mut other);
            }
            self.leave(id, stream, other);
        }
        Some(presence)
    }

    /// Lets a player in. `until`: how long it waits for a publisher to come.
    fn begin_play(&mut self, now: Time, id: ConnectionId, stream: MessageStreamId, until: Option<Time>) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Some(role) = connection.roles.iter_mut().find(|role| role.stream == stream) else {
            return;
        };
        let Activity::Seeking { request, ask, .. } = role.activity else {
            return;
        };
        let Some(entry) = self.streams.get_mut(role.channel) else {
            return;
        };
        let join = Join {
            token: id.to_token(),
            needs_tracks: ask.needs_tracks,
            merge: ask.merge,
        };
        let subscriber = entry.channel.subscribe(now, join);
        self.memory.recount(entry);
        let sent = connection.protocol.output_ref().sent();
        role.activity = Activity::Playing {
            subscriber,
            until,
            has_started: false,
            due_since: if until.is_some() { Time::NEVER } else { now },
            since: now,
            sent_before: sent,
            meter: Meter::new(now, sent),
            lagged: None,
            drained: now,
        };
        connection.protocol.accept_play(now, request);
        let (peer, stream) = (connection.peer(id), entry.key.clone());
        self.stats.plays += 1;
        self.report(now, Event::PlayStarted { peer, stream });
    }

    pub(super) fn refuse_play(&mut self, now: Time, id: ConnectionId, stream: MessageStreamId, refusal: Refusal) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Some(Role {
            activity: Activity::Seeking { request, .. },
            channel,
            ..
        }) = connection.role(stream)
        else {
            return;
        };
        let (request, channel) = (*request, *channel);
        connection.protocol.reject(now, request, Intent::Play, refusal);
        if let Some((peer, stream)) = self.subject(id, channel) {
            self.remember_refusal(now, peer, &stream, Intent::Play, refusal.label(), refusal.reason());
            let reason = refusal.reason().into();
            self.report(now, Event::PlayRefused { peer, stream, reason });
        }
        self.stats.plays_refused += 1;
        self.tally.refuse("play", refusal.label());
        self.end_role(id, stream, EndCause::Closed);
    }

    /// The home's answer to our subscription.
    pub(super) fn locate(&mut self, now: Time, key: &StreamKey, ticket: u64, is_present: bool) {
        let Some((channel, stream)) = self.find_stream(key) else {
            return;
        };
        // What came from the publisher itself meanwhile is newer.
        if stream.ticket == Some(ticket) && stream.presence == Presence::Unknown {
            self.set_presence(
                now,
                channel,
                if is_present {
                    Presence::Present
                } else {
                    Presence::Absent
                },
            );
        }
    }

    /// The home has not noted that we seek a stream, for there are too many.
    pub(super) fn refuse_seekers(&mut self, now: Time, key: &StreamKey, ticket: u64) {
        let Some(channel) = self.streams.find(key) else { return };
        let Some(stream) = self.streams.get_mut(channel) else {
            return;
        };
        if stream.ticket != Some(ticket) || stream.presence != Presence::Unknown {
            return;
        }
        let waiters = stream.take_waiters(&mut self.waits);
        stream.presence = Presence::Absent;
        for Waiter {
            connection: id, stream, ..
        } in waiters
        {
            self.refuse_play(now, id, stream, Refusal::Excess(Excess::Streams));
            self.connections.touch(id);
        }
        self.drop_idle(channel);
    }

    /// The stream has come, or is known not to be there: answers those who wait for that.
    pub(super) fn set_presence(&mut self, now: Time, channel: ChannelId, presence: Presence) {
        let Some(stream) = self.streams.get_mut(channel) else {
            return;
        };
        let waiters = stream.take_waiters(&mut self.waits);
        stream.presence = presence;
        for Waiter {
            connection: id, stream, ..
        } in waiters
        {
            if presence == Presence::Present
                && let Some(connection) = self.connections.get_mut(id)
                && let Some(Role {
                    activity: Activity::Playing { until, due_since, .. },
                    ..
                }) = connection.roles.iter_mut().find(|role| role.stream == stream)
                && until.take().is_some()
            {
                *due_since = now;
                connection.protocol.publish_notify(now, stream);
                self.connections.touch(id);
            }
            self.answer_play(now, id, stream);
        }
        if presence == Presence::Absent {
            self.drop_idle(channel);
        }
    }

    /// The grace time of a stream is over: its players get what there is, then their end.
    pub(super) fn end_stream(&mut self, now: Time, key: &StreamKey, epoch: Epoch) {
        let Some((id, stream)) = self.find_stream(key) else {
            return;
        };
        if stream.presence != Presence::Present || stream.epoch > epoch {
            return;
        }
        stream.presence = Presence::Absent;
        stream.channel.end();
        self.count_stream(id);
        self.streams.announce(now, id);
        self.drop_idle(id);
    }

    /// Gives up on what a connection has waited for long enough.
    pub(super) fn expire_waits(&mut self, now: Time, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let due = connection.roles.iter().find_map(|role| match role.activity {
            Activity::Seeking { until: Some(until), .. } if until <= now => Some((role.stream, true)),
            Activity::Playing { until: Some(until), .. } if until <= now => Some((role.stream, false)),
            _ => None,
        });
        match due {
            Some((stream, true)) => self.refuse_play(now, id, stream, Refusal::Absent),
            Some((stream, false)) => {
                connection.protocol.end_play(now, stream, EndCause::Absent);
                self.end_role(id, stream, EndCause::Absent);
            }
            None => {}
        }
    }

    pub(super) fn control_play(&mut self, now: Time, id: ConnectionId, stream: MessageStreamId, control: PlayControl) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Some(role) = connection.role(stream) else { return };
        let Activity::Playing { subscriber, .. } = role.activity else {
            return;
        };
        let Some(stream) = self.streams.get_mut(role.channel) else {
            return;
        };
        let channel = &mut stream.channel;
        match control {
            PlayControl::Pause(paused) => channel.set_paused(now, subscriber, paused),
            PlayControl::ReceiveAudio(wanted) => channel.set_wanted(now, subscriber, FrameKind::Audio, wanted),
            PlayControl::ReceiveVideo(wanted) => channel.set_wanted(now, subscriber, FrameKind::Video, wanted),
        }
    }

    /// Moves frames from the streams that a connection plays into its output, up to the high-water mark.
    pub(super) fn refill(&mut self, now: Time, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.protocol.is_responding() {
            return self.refill_reader(now, id);
        }
        let (mut ended, mut lags) = (None, None);
        connection.may_have_more = false;
        let is_drained = self.buffer_pool.acquire(connection.protocol.output());
        let address = connection.address_to_charge();
        let sent = connection.protocol.output_ref().sent();
        for role in &mut connection.roles {
            let Activity::Playing {
                subscriber,
                has_started,
                due_since,
                lagged,
                drained,
                meter,
                ..
            } = &mut role.activity
            else {
                continue;
            };
            if is_drained {
                *drained = now;
            }
            meter.note(now, sent);
            let Some(stream) = self.streams.get_mut(role.channel) else {
                continue;
            };
            let channel = &mut stream.channel;
            let mut waiting_since = channel.waiting_since(*subscriber);
            let burst = (!*has_started).then(|| channel.lag(*subscriber)).flatten();
            let mut frames = 0;
            loop {
                if !connection.protocol.can_send() {
                    connection.may_have_more = true;
                    break;
                }
                let starts = (!*has_started).then(|| channel.tracks_of(*subscriber).unwrap_or_default());
                match channel.next(*subscriber) {
                    Next::Frame(frame) => {
                        if !mem::replace(has_started, true)
                            && let (Some(burst), Some(address)) = (burst, address)
                        {
                            self.request_rate.charge(now, address, burst.frames);
                        }
                        frames += 1;
                        if *due_since != Time::NEVER && !frame.frame.class.is_header() {
                            self.tally.start(now.since(mem::replace(due_since, Time::NEVER)));
                        }
                        connection.protocol.send_frame(now, role.stream, frame, starts);
                    }
                    Next::Pending => break,
                    Next::Skipped { step, limit, missed } => {
                        waiting_since = None;
                        *match step {
                            SkipStep::Disposable => &mut self.stats.slow_disposable,
                            SkipStep::Inter => &mut self.stats.slow_inter,
                            SkipStep::ToKeyframe => &mut self.stats.slow_skips,
                        } += 1;
                        debug!(conn = %id, peer = %connection.peer, ?step, ?limit, missed, "player misses frames");
                        let is_news = lagged.is_none_or(|lagged| now.since(lagged) >= LAG_EPISODE);
                        *lagged = Some(now);
                        if is_news {
                            lags = Some((stream.key.clone(), step, limit));
                        }
                    }
                    Next::Ended => {
                        ended = Some((role.stream, EndCause::Unpublished));
                        break;
                    }
                    Next::Changed => {
                        ended = Some((role.stream, EndCause::TracksChanged));
                        break;
                    }
                }
            }
            if frames > 0 {
                self.tally.write(now, frames, waiting_since);
            }
        }
        let peer = lags.is_some().then(|| connection.peer(id));
        if let Some((stream, cause)) = ended {
            connection.protocol.end_play(now, stream, cause);
            self.end_role(id, stream, cause);
            self.connections.touch(id);
        }
        if let (Some(peer), Some((stream, step, limit))) = (peer, lags) {
            let event = Event::PlayLags {
                peer,
                stream,
                step,
                limit,
            };
            self.report(now, event);
        }
    }

    /// What a connection did on `stream` is over. Nothing if it did nothing.
    pub(super) fn end_role(&mut self, id: ConnectionId, stream: MessageStreamId, cause: EndCause) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        connection.withdraw(|asking| asking.stream() == stream);
        let Some(index) = connection.roles.iter().position(|role| role.stream == stream) else {
            return;
        };
        let sent = connection.protocol.output().sent();
        let Role { channel, activity, .. } = connection.roles.swap_remove(index);
        let was_player = match activity {
            Activity::Requesting { .. } | Activity::Admitted | Activity::Claiming { .. } => false,
            Activity::Publishing { epoch } => {
                self.read_now(id);
                self.end_publish(id, channel, epoch, cause);
                false
            }
            Activity::Seeking { undecoded, .. } => {
                if let Some(other) = undecoded {
                    self.leave(id, stream, other);
                }
                true
            }
            Activity::Playing {
                subscriber,
                since,
                sent_before,
                ..
            } => {
                let bytes = sent.saturating_sub(sent_before);
                let stats = self.streams.get_mut(channel).and_then(|stream| {
                    stream.sent_to_departed += bytes;
                    stream.channel.unsubscribe(subscriber)
                });
                if let Some(stats) = stats
                    && let Some((peer, stream)) = self.subject(id, channel)
                {
                    let totals = PlayTotals {
                        lasted: self.now.since(since),
                        frames: stats.sent,
                        missed: stats.missed(),
                        bytes,
                    };
                    self.tally.end_play(peer.protocol, cause);
                    let event = Event::PlayEnded {
                        peer,
                        stream,
                        cause,
                        totals,
                    };
                    self.report(self.now, event);
                }
                true
            }
        };
        if was_player {
            self.leave(id, stream, channel);
        } else {
            self.release_stream(channel, false);
        }
    }

    /// Ends what a connection does on `stream` by our own decision, and tells the peer why.
    pub(super) fn cut_role(
        &mut self,
        now: Time,
        id: ConnectionId,
        stream: MessageStreamId,
        refusal: Refusal,
        cause: EndCause,
    ) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Some(role) = connection.roles.iter().find(|role| role.stream == stream) else {
            return;
        };
        match role.activity {
            Activity::Requesting { request } => {
                connection.protocol.reject(now, request, Intent::Publish, refusal);
            }
            Activity::Seeking { request, .. } => {
                connection.protocol.reject(now, request, Intent::Play, refusal);
            }
            Activity::Admitted | Activity::Claiming { .. } | Activity::Publishing { .. } => {
                connection.protocol.end_publish(now, stream, refusal, cause);
            }
            Activity::Playing { .. } => connection.protocol.end_play(now, stream, cause),
        }
        self.end_role(id, stream, cause);
    }
}
