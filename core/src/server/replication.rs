//! Replication: streams on their way from the shard of their publisher to those of their players.

use super::Server;
use super::shard::{Body, Epoch, ShardId, Start, Subscription};
use super::stream::Presence;
use crate::hub::ChannelId;
use crate::{Frame, StreamKey, Time};
use alloc::boxed::Box;
use alloc::vec::Vec;
use tracing::warn;

impl Server {
    /// Sends the frames of our publisher that have come since the last time to the shards that have players.
    pub(super) fn flush_outgoing(&mut self, channel: ChannelId) {
        let Some(stream) = self.streams.get_mut(channel) else {
            return;
        };
        let Some(publisher) = &mut stream.publisher else { return };
        let (frames, receivers) = publisher.replicas.flush();
        if receivers.is_empty() {
            return;
        }
        let (key, epoch) = (stream.key.clone(), stream.epoch);
        for (shard, is_behind) in receivers {
            let under_way = self.memory.send(&frames);
            if is_behind {
                self.stats.shards_behind += 1;
                if let Some(times) = self.journal.behind.note(self.now) {
                    warn!(
                        stream = key.as_str(),
                        shard = shard.0,
                        times,
                        "a worker cannot keep up and misses frames"
                    );
                }
            }
            let frames = frames.clone();
            let body = Body::Frames {
                epoch,
                frames,
                under_way,
            };
            self.send(shard, &key, body);
        }
    }

    /// Another shard has taken in so much of our publisher's stream: it starts again if it was too far behind.
    pub(super) fn note_taken(&mut self, key: &StreamKey, epoch: Epoch, subscription: Subscription, taken: u64) {
        let Some((channel, _)) = self.find_stream(key).filter(|(_, stream)| stream.epoch == epoch) else {
            return;
        };
        // It starts behind what has come.
        self.flush_outgoing(channel);
        let Some(stream) = self.streams.get_mut(channel) else {
            return;
        };
        let Some(publisher) = &mut stream.publisher else { return };
        let Some(replica) = publisher.replicas.take(subscription, taken) else {
            return;
        };
        // Without the GOP: its players may have seen a part of that.
        let frames: Vec<_> = stream.channel.headers().cloned().collect();
        replica.start(&frames);
        self.send_snapshot(key, subscription, true, frames);
    }

    /// Another shard has its first player of our publisher's stream.
    pub(super) fn add_subscriber(&mut self, key: &StreamKey, epoch: Epoch, subscription: Subscription) {
        let own = self.shard;
        let Some((channel, stream)) = self.find_stream(key) else {
            return;
        };
        if subscription.shard == own || stream.epoch != epoch || stream.publisher.is_none() {
            return;
        }
        self.read_publisher_now(channel);
        self.flush_outgoing(channel);
        let Some(stream) = self.streams.get_mut(channel) else {
            return;
        };
        let channel = &stream.channel;
        let frames: Vec<_> = channel.headers().chain(channel.gop()).cloned().collect();
        if let Some(publisher) = &mut stream.publisher {
            publisher.replicas.add(subscription, &frames);
        }
        self.send_snapshot(key, subscription, false, frames);
    }

    /// Has the publish of our publisher begin at another shard, with these frames to begin with.
    pub(super) fn send_snapshot(
        &mut self,
        key: &StreamKey,
        subscription: Subscription,
        is_again: bool,
        frames: Vec<Frame>,
    ) {
        let Some((_, stream)) = self.find_stream(key) else {
            return;
        };
        let Some(publisher) = &stream.publisher else { return };
        let start = Box::new(Start {
            epoch: stream.epoch,
            ticket: subscription.ticket,
            is_again,
            window: publisher.replicas.window(),
            position: stream.channel.position(),
        });
        let under_way = self.memory.send(&frames);
        let body = Body::Snapshot {
            start,
            frames,
            under_way,
        };
        self.send(subscription.shard, key, body);
    }

    /// Another shard's last player is gone.
    pub(super) fn remove_subscriber(&mut self, key: &StreamKey, epoch: Epoch, shard: ShardId) {
        if let Some((_, stream)) = self.find_stream(key)
            && stream.epoch == epoch
            && let Some(publisher) = &mut stream.publisher
        {
            publisher.replicas.remove(shard);
        }
    }

    /// A publisher on another shard begins, or sends us its stream from here on. Returns whether that concerns us still.
    pub(super) fn begin_replica(&mut self, now: Time, key: &StreamKey, start: &Start) -> bool {
        let &Start {
            epoch,
            ticket,
            is_again,
            position,
            ..
        } = start;
        let Some((channel, stream)) = self.find_stream(key) else {
            return false;
        };
        if stream.ticket != Some(ticket) || stream.publisher.is_some() || epoch < stream.epoch {
            return false;
        }
        stream.epoch = epoch;
        stream.intake.start(start);
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
        // Before their snapshot, for an earlier subscription, or after a newer publish they mean nothing.
        if stream.epoch != epoch || stream.publisher.is_some() || !stream.intake.is_for(epoch, stream.ticket) {
            return;
        }
        let report = stream.intake.take(&frames);
        let memory = &mut self.memory;
        if is_snapshot && let Some(address) = stream.asked_by.take() {
            self.request_rate.charge(now, address, 2 * frames.len() as u64);
        }
        if is_snapshot {
            stream.channel.push_burst(now, frames, |frame| memory.count(frame));
        } else {
            for frame in frames {
                stream.channel.push_as(now, frame, |frame| memory.count(frame));
            }
        }
        memory.recount(stream);
        if let Some((ticket, taken)) = report {
            self.send(from, key, Body::Taken { epoch, ticket, taken });
        }
        self.streams.announce(now, channel);
    }

    pub(super) fn relay_clear_metadata(&mut self, key: &StreamKey, epoch: Epoch) {
        if let Some((channel, stream)) = self.find_stream(key)
            && stream.epoch == epoch
            && stream.intake.is_for(epoch, stream.ticket)
        {
            stream.channel.clear_metadata();
            self.count_stream(channel);
        }
    }
}

#[cfg(test)]
mod tests;
