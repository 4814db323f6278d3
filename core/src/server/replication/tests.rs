//! What one shard sends and another takes in, counted on both sides.

use crate::server::{Action, Config, ConnectionId, Protocol, Server, ShardId, ShardMessage};
use crate::{StreamKey, Time};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The shard of a publisher and the shard of its players. Each is the other's only neighbour.
struct Pair {
    publishing: Server,
    playing: Server,
    publisher: ConnectionId,
    /// What the playing shard has not been told yet.
    mail: VecDeque<ShardMessage>,
}

impl Pair {
    fn new() -> Pair {
        let mut config = Config::default();
        config.channel.gop_max_bytes = 5_000;
        config.channel.lag_max_bytes = 5_000;
        let config = Arc::new(config);
        let [mut publishing, playing] = [0, 1].map(|shard| Server::new(config.clone(), ShardId(shard), 2, 7));
        let publisher = publishing
            .accept(Time::ZERO, Protocol::Http, ([10, 0, 0, 1], 1).into())
            .unwrap();
        let mut pair = Pair {
            publishing,
            playing,
            publisher,
            mail: VecDeque::new(),
        };
        let head = b"POST /live/x HTTP/1.0\r\n\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0";
        pair.publishing.handle_input(Time::ZERO, publisher, head);
        pair.publish(1);
        pair.deliver();
        pair
    }

    /// Publishes keyframes of 1,000 bytes each.
    fn publish(&mut self, pictures: usize) {
        let head = b"\x09\0\x03\xE8\0\0\0\0\0\0\0\x17\x01\0\0\0";
        let mut tag = Vec::from(head);
        tag.resize(11 + 1_000, 0);
        tag.extend_from_slice(b"\0\0\x03\xF3");
        for _ in 0..pictures {
            self.publishing.handle_input(Time::ZERO, self.publisher, &tag);
            self.act();
        }
    }

    /// A player that has asked for the stream.
    fn play(&mut self) -> ConnectionId {
        let peer = ([10, 0, 0, 2], 2).into();
        let player = self.playing.accept(Time::ZERO, Protocol::Http, peer).unwrap();
        let request = b"GET /live/x HTTP/1.0\r\n\r\n";
        self.playing.handle_input(Time::ZERO, player, request);
        self.act();
        player
    }

    /// What the playing shard says arrives at once, what it is told waits.
    fn act(&mut self) {
        loop {
            if let Some(action) = self.playing.poll_action() {
                if let Action::ToShard(_, message) = action {
                    self.publishing.handle_shard(Time::ZERO, ShardId(1), message);
                }
            } else if let Some(action) = self.publishing.poll_action() {
                if let Action::ToShard(_, message) = action {
                    self.mail.push_back(message);
                }
            } else {
                return;
            }
        }
    }

    fn deliver(&mut self) {
        self.act();
        while let Some(message) = self.mail.pop_front() {
            self.playing.handle_shard(Time::ZERO, ShardId(0), message);
            self.act();
        }
    }

    /// The cost of what was taken in, and of what was sent.
    fn counts(&mut self) -> (u64, Vec<u64>) {
        let key = StreamKey::new("live/x").unwrap();
        let taken = self.playing.find_stream(&key).unwrap().1.intake.taken();
        let (_, stream) = self.publishing.find_stream(&key).unwrap();
        (taken, stream.publisher.as_ref().unwrap().replicas.sent())
    }
}

#[test]
fn both_sides_count_the_same_however_often_one_lagged() {
    let mut pair = Pair::new();
    pair.play();
    pair.deliver();
    for lag in 1..=50 {
        // The last ones are not worth a report.
        pair.publish(20 + usize::try_from(lag % 3).unwrap());
        pair.deliver();
        assert_eq!(pair.publishing.stats().shards_behind, lag);
        let (taken, sent) = pair.counts();
        assert_eq!(sent, [taken]);
    }
}

#[test]
fn both_sides_count_anew_for_each_subscription() {
    let mut pair = Pair::new();
    let gone = pair.play();
    pair.publish(2);
    pair.playing.handle_reset(Time::ZERO, gone);
    pair.play();
    pair.publish(2);
    pair.deliver();
    let (taken, sent) = pair.counts();
    assert_eq!(sent, [taken]);
}
