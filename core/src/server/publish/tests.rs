//! Publishers whose claim is on its way to another shard.

use crate::frames::{frames, tags};
use crate::rtmp::chunk::{ChunkEncoder, ChunkStreamId, Message, MessageStreamId, MessageTypeId};
use crate::rtmp::message::command;
use crate::server::shard::{Body, Message as ToShard, home_of};
use crate::server::{Action, Config, ConnectionId, Protocol, RoleKind, Server, ShardId, ShardMessage};
use crate::{FrameKind, Output, StreamKey, Time, Timestamp};
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Buf;
use core::time::Duration;

/// Shard 0, with publishers, and shard 1, the home of their stream. What they tell each other waits.
struct Pair {
    now: Time,
    shards: [Server; 2],
    mail: VecDeque<(usize, ShardMessage)>,
    key: StreamKey,
}

impl Pair {
    fn new() -> Pair {
        let keys = (0..).map(|number| StreamKey::new(&format!("live/{number}")).unwrap());
        let config = Arc::new(Config::default());
        Pair {
            now: Time::ZERO,
            shards: [0, 1].map(|shard| Server::new(config.clone(), ShardId(shard), 2, 7)),
            mail: VecDeque::new(),
            key: keys.into_iter().find(|key| home_of(key, 2) == ShardId(1)).unwrap(),
        }
    }

    fn connect(&mut self, protocol: Protocol, host: u8, input: &[u8]) -> ConnectionId {
        let peer = ([10, 0, 0, host], 1).into();
        let id = self.shards[0].accept(self.now, protocol, peer).unwrap();
        self.shards[0].handle_input(self.now, id, input);
        self.act();
        id
    }

    fn push(&mut self, frames: &str) -> ConnectionId {
        let head = format!("POST /{} HTTP/1.0\r\n\r\n", self.key);
        let input = [head.as_bytes(), b"FLV\x01\x05\0\0\0\x09\0\0\0\0", &tags(frames)].concat();
        self.connect(Protocol::Http, 1, &input)
    }

    fn act(&mut self) {
        for shard in 0..2 {
            while let Some(action) = self.shards[shard].poll_action() {
                if let Action::ToShard(to, message) = action {
                    self.mail.push_back((usize::from(to.0), message));
                }
            }
        }
    }

    fn deliver(&mut self) {
        self.deliver_if(|_| true);
    }

    /// Delivers what `is_delivered` says, and leaves the rest on its way.
    fn deliver_if(&mut self, is_delivered: impl Fn(&ShardMessage) -> bool) {
        while let Some(index) = self.mail.iter().position(|(_, message)| is_delivered(message)) {
            let (to, message) = self.mail.remove(index).unwrap();
            let from = ShardId(u16::try_from(1 - to).unwrap());
            self.shards[to].handle_shard(self.now, from, message);
            self.act();
        }
    }

    /// Lets all deadlines of shard 0 come until `end`.
    fn pass(&mut self, end: Time) {
        while let Some(at) = self.shards[0].poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.shards[0].handle_timeout(at);
            self.act();
        }
        self.now = end;
    }
}

/// What an RTMP client says that sends `early` before it asks to publish.
fn publish_behind(early: &str, name: &str) -> Vec<u8> {
    let (mut encoder, mut output) = (ChunkEncoder::new(), Output::new());
    output.write(&[&[3][..], &[0; 3_072]].concat());
    let mut say = |msid, type_id, timestamp, payload| {
        let message = Message {
            csid: ChunkStreamId::COMMAND,
            msid: MessageStreamId(msid),
            type_id,
            timestamp,
            payload,
        };
        encoder.encode(&message, &mut output).unwrap();
    };
    let connect = command::encode("connect", 1.0, |writer| {
        writer.object_start().key("app").string("live").object_end();
    });
    say(0, MessageTypeId::COMMAND_AMF0, Timestamp::ZERO, connect);
    let create_stream = command::encode("createStream", 2.0, |writer| _ = writer.null());
    say(0, MessageTypeId::COMMAND_AMF0, Timestamp::ZERO, create_stream);
    for frame in frames(early) {
        let type_id = match frame.kind {
            FrameKind::Audio => MessageTypeId::AUDIO,
            _ => MessageTypeId::VIDEO,
        };
        say(1, type_id, frame.timestamp, frame.payload);
    }
    let publish = command::encode("publish", 3.0, |writer| _ = writer.null().string(name));
    say(1, MessageTypeId::COMMAND_AMF0, Timestamp::ZERO, publish);
    output.copy_to_bytes(output.len()).into()
}

/// Whether a publisher whose first frame has come wants a name.
fn is_claim(message: &ShardMessage) -> bool {
    matches!(&message.0, ToShard::Stream { body: Body::Claim(newcomer), .. } if newcomer.has_media)
}

#[test]
fn a_push_that_times_out_before_it_has_a_name_ends_whole() {
    let mut pair = Pair::new();
    pair.push("V K0");
    for _ in 0..100 {
        let at = pair.shards[0].poll_timeout().unwrap();
        pair.pass(at);
        let views = pair.shards[0].connections(pair.now);
        let Some(id) = views.first().map(|view| view.id) else {
            return;
        };
        let has_role = !views[0].roles.is_empty();
        assert_eq!(pair.shards[0].is_closing(id), !has_role, "at {}", pair.now);
    }
    panic!("it does not end");
}

#[test]
fn early_headers_wait_with_a_claim_whatever_is_due() {
    let mut pair = Pair::new();
    pair.push("V K0");
    pair.deliver();
    // The first publisher falls silent, and another takes over.
    pair.pass(Time::from_millis(6_000));
    let name = String::from(pair.key.name());
    let id = pair.connect(Protocol::Rtmp, 2, &publish_behind("V A", &name));
    // It may send; its claim stays on its way, and it does not read what it is told meanwhile.
    for _ in 0..20 {
        pair.deliver_if(|message| !is_claim(message));
        pair.pass(pair.now + Duration::from_millis(100));
    }
    pair.pass(pair.now + Duration::from_secs(10));
    assert_eq!(pair.mail.iter().filter(|(_, message)| is_claim(message)).count(), 1);
    for _ in 0..20 {
        pair.deliver();
        pair.pass(pair.now + Duration::from_millis(100));
    }
    let connections = pair.shards[0].connections(pair.now);
    let view = connections.iter().find(|view| view.id == id).expect("it is there");
    assert_eq!(view.roles[0].kind, RoleKind::Publishes);
    assert_eq!(pair.shards[0].streams(pair.now)[0].frames, 2);
}
