//! What RTMP clients hear, alone and together with HTTP clients.

use crate::world::{World, drain, frames};
use bytes::Bytes;
use headwater_core::Output;
use headwater_core::amf::AmfLimits;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::rtmp::chunk::{
    ChunkDecoder, ChunkEncoder, ChunkSize, ChunkStreamId, Message, MessageStreamId, MessageTypeId,
};
use headwater_core::rtmp::message::{Command, Control, UserControl, command};
use headwater_core::server::{Config, Protocol};
use headwater_core::{Frame, Limits, Timestamp};
use std::time::Duration;

#[test]
fn each_way_in_reaches_each_way_out() {
    let mut world = World::new(2, |_| {});
    let by_rtmp = world.rtmp(0, Publish, "live", "x", 1);
    let by_http = world.http_push(1, "/live/y", 1);
    world.publish(by_rtmp, "V A K0 a5 P40");
    world.push(by_http, "V A K0 a5 P40");
    for shard in 0..2 {
        for name in ["x", "y"] {
            let rtmp = world.rtmp(shard, Play, "live", name, 2);
            let http = world.http_play(shard, &format!("/live/{name}"));
            assert_eq!(world.heard(rtmp), "[Started] A0 V0 K0 a5 P40");
            assert_eq!(world.seen(http), "A0 V0 K0 a5 P40");
        }
    }
}

#[test]
fn a_player_before_its_publisher_waits_then_plays() {
    let mut world = World::new(1, |_| {});
    let player = world.rtmp(0, Play, "live", "x", 2);
    assert_eq!(world.heard(player), "[Started]");
    world.pass(Duration::from_secs(20));
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "V A K0 a5");
    assert_eq!(world.heard(player), "[Started] V0 A0 K0 a5");
    world.pass(Duration::from_secs(20));
    assert!(
        !world.clients[player].is_closed(),
        "the wait was over when the publisher came"
    );
}

#[test]
fn too_many_players_that_wait_for_a_stream_are_turned_away() {
    let mut world = World::new(1, |config: &mut Config| config.max_waiting_players = 2);
    let players = [0, 1, 2].map(|_| world.rtmp(0, Play, "live", "x", 2));
    assert_eq!(
        players.map(|player| world.heard(player)),
        ["[Started]", "[Started]", "[NetStream.Play.Failed]"]
    );
}

#[test]
fn one_address_leaves_places_for_players_of_others() {
    let mut world = World::new(1, |config: &mut Config| {
        config.max_waiting_players = 10;
        config.max_waiting_players_per_address = 4;
    });
    let crowd: Vec<_> = (0..40).map(|_| world.rtmp(0, Play, "live", "x", 2)).collect();
    let waiting = crowd.iter().filter(|player| world.heard(**player) == "[Started]");
    assert_eq!(waiting.count(), 4);
    let other = world.rtmp(0, Play, "live", "x", 3);
    let web = world.http_play(0, "/live/x?wait=60");
    // A player that gives up leaves its place to the next from there.
    world.reset(crowd[0]);
    let late = world.rtmp(0, Play, "live", "x", 2);
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "V A K0 a5");
    for player in [other, web, crowd[1], late] {
        assert!(world.frames_of(player).ends_with("K0 a5"), "player {player}");
    }
}

#[test]
fn a_connection_waits_for_a_name_once() {
    let mut world = World::new(1, |_| {});
    let mut caller = Caller::new(&mut world, 2, 2);
    for (stream, code) in [(1, "NetStream.Play.Start@1"), (2, "NetStream.Play.Failed@2")] {
        caller.call(&mut world, stream, "play", "x");
        let heard = caller.hear(&mut world);
        assert!(heard.contains(&code.into()), "{heard:?}");
    }
}

#[test]
fn a_failure_is_counted_once_while_its_reply_waits() {
    let mut world = World::new(1, |_| {});
    let mut caller = Caller::new(&mut world, 2, 1);
    world.take(caller.client, 0);
    caller.call(&mut world, 0, "getStreamLength", "x");
    // The chunk that follows is none.
    world.send(caller.client, &[0xFF; 64]);
    world.pass(Duration::from_secs(1));
    assert!(!world.clients[caller.client].is_closed());
    world.pass(Duration::from_secs(5));
    assert!(world.clients[caller.client].is_closed());
    assert_eq!(world.shards[0].server().stats().failed, 1);
}

/// A stream that goes on for days: time passes 24 bits (4 h 40 min) and 32 bits (49.7 days), and a player that is
/// there all along, as well as one that joins late, sees only small steps.
#[test]
fn time_passes_24_and_32_bits_without_a_step() {
    let mut world = World::new(1, |_| {});
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "V A K0");
    let early = world.rtmp(0, Play, "live", "x", 2);
    let times = [10_u64 << 20, 0xFF_FFFF, 1 << 31, 1 << 32];
    let mut now = 0;
    for time in times {
        // In steps of hours as the wall clock agrees, then in small ones across the border.
        while now + 20_000_000 < time {
            now += 20_000_000;
            hop(&mut world, publisher, now, 20_000_000);
        }
        let rest = time - 80 - now;
        now += rest;
        hop(&mut world, publisher, now, rest);
        for _ in 0..4 {
            now += 40;
            hop(&mut world, publisher, now, 40);
        }
        let millis = u32::try_from(now & 0xFFFF_FFFF).unwrap();
        assert!(
            world
                .heard(early)
                .ends_with(&format!("K{} K{}", millis.wrapping_sub(40), millis)),
            "at {now}"
        );
        let late = world.rtmp(0, Play, "live", "x", 2);
        assert!(world.heard(late).ends_with("V0 K0"), "{}", world.heard(late));
        world.reset(late);
    }
}

/// Lets `span` milliseconds pass, then publishes a keyframe at `time`. Idle timers are kept quiet on the way.
fn hop(world: &mut World, publisher: usize, time: u64, span: u64) {
    world.now = world.now + Duration::from_millis(span);
    world.publish(publisher, &format!("K{}", time & 0xFFFF_FFFF));
}

/// A client that sends one command after the other, on any message stream.
pub(super) struct Caller {
    pub(super) client: usize,
    encoder: ChunkEncoder,
    decoder: ChunkDecoder,
}

impl Caller {
    /// A client that is connected to `live` and has created so many streams.
    pub(super) fn new(world: &mut World, host: u8, streams: u32) -> Caller {
        let mut caller = Caller {
            client: world.connect(0, Protocol::Rtmp, host),
            encoder: ChunkEncoder::new(),
            decoder: ChunkDecoder::new(&Limits::default()),
        };
        world.send(caller.client, &[&[3], &[0; 2 * 1_536][..]].concat());
        world.clients[caller.client].received.drain(..1 + 2 * 1_536);
        let connect = command::encode("connect", 1.0, |writer| {
            writer.object_start().key("app").string("live").object_end();
        });
        caller.send(world, 0, MessageTypeId::COMMAND_AMF0, 0, connect);
        for _ in 0..streams {
            caller.call(world, 0, "createStream", "");
        }
        caller.hear(world);
        caller
    }

    /// Calls a command with a name for its argument.
    pub(super) fn call(&mut self, world: &mut World, stream: u32, command: &str, name: &str) {
        let payload = command::encode(command, 2.0, |writer| {
            writer.null().string(name);
        });
        self.send(world, stream, MessageTypeId::COMMAND_AMF0, 0, payload);
    }

    pub(super) fn publish(&mut self, world: &mut World, stream: u32, script: &str) {
        for Frame {
            kind,
            timestamp,
            payload,
            ..
        } in frames(script)
        {
            self.send(
                world,
                stream,
                MessageTypeId(kind.type_id()),
                timestamp.as_millis(),
                payload,
            );
        }
    }

    pub(super) fn send(
        &mut self,
        world: &mut World,
        stream: u32,
        type_id: MessageTypeId,
        millis: u32,
        payload: bytes::Bytes,
    ) {
        let message = Message {
            csid: ChunkStreamId::COMMAND,
            msid: MessageStreamId(stream),
            type_id,
            timestamp: Timestamp::from_millis(millis),
            payload,
        };
        let mut output = Output::new();
        self.encoder.encode(&message, &mut output).unwrap();
        world.send(self.client, &drain(&mut output));
    }

    /// What has been said since: commands by their name or code, frames as `frame`, each with its stream.
    pub(super) fn hear(&mut self, world: &mut World) -> Vec<String> {
        let received = std::mem::take(&mut world.clients[self.client].received);
        let (mut input, mut heard) = (&received[..], vec![]);
        while let Some(message) = self.decoder.decode(&mut input).unwrap() {
            let what = match message.type_id {
                MessageTypeId::COMMAND_AMF0 => {
                    let text = String::from_utf8_lossy(&message.payload).into_owned();
                    let code = text.find("NetStream.").map(|at| &text[at..]);
                    let code = code.and_then(|code| code.split(|it: char| !it.is_alphanumeric() && it != '.').next());
                    let name = Command::parse(&message, AmfLimits::default()).unwrap().name;
                    code.map_or_else(|| String::from_utf8_lossy(name).into_owned(), Into::into)
                }
                MessageTypeId::AUDIO | MessageTypeId::VIDEO => "frame".into(),
                _ => continue,
            };
            heard.push(format!("{what}@{}", message.msid.0));
        }
        heard
    }
}

#[test]
fn a_connection_that_does_more_than_publish_is_read_at_once() {
    let mut world = World::new(1, |_| {});
    let mut caller = Caller::new(&mut world, 2, 2);
    caller.call(&mut world, 1, "publish", "own");
    caller.publish(&mut world, 1, "V A K0");
    caller.call(&mut world, 2, "play", "other");
    assert!(!caller.hear(&mut world).contains(&"NetStream.Play.Start@2".into()));
    world.pass(Duration::from_millis(100));
    assert!(caller.hear(&mut world).contains(&"NetStream.Play.Start@2".into()));
    caller.call(&mut world, 2, "closeStream", "");
    assert_eq!(caller.hear(&mut world), ["NetStream.Play.Stop@2"]);
}

#[test]
fn what_a_player_wants_is_remembered_for_its_play() {
    let mut world = World::new(2, |_| {});
    let publisher = world.rtmp(1, Publish, "live", "x", 1);
    world.publish(publisher, "V A K0 a5 P40 a45");
    for (commands, expected) in [
        (&["receiveVideo"][..], 3),
        (&["receiveAudio"], 3),
        (&["receiveVideo", "receiveAudio"], 0),
    ] {
        let mut caller = Caller::new(&mut world, 2, 1);
        for name in commands {
            let payload = command::encode(name, 0.0, |writer| {
                writer.null().boolean(false);
            });
            caller.send(&mut world, 1, MessageTypeId::COMMAND_AMF0, 0, payload);
        }
        let frames = |heard: Vec<String>| heard.iter().filter(|it| *it == "frame@1").count();
        caller.call(&mut world, 1, "play", "x");
        assert_eq!(frames(caller.hear(&mut world)), expected, "{commands:?}");
        caller.call(&mut world, 1, "play", "x");
        assert_eq!(frames(caller.hear(&mut world)), 6, "for the next play only");
    }
}

#[test]
fn a_player_may_switch_streams_and_stop() {
    let mut world = World::new(1, |_| {});
    for name in ["x", "y"] {
        let publisher = world.rtmp(0, Publish, "live", name, 1);
        world.publish(publisher, "V A K0 a5");
    }
    let mut caller = Caller::new(&mut world, 2, 1);
    for name in ["x", "y", "x"] {
        caller.call(&mut world, 1, "play", name);
        assert_eq!(caller.hear(&mut world).iter().filter(|it| *it == "frame@1").count(), 4);
    }
    caller.call(&mut world, 1, "closeStream", "");
    assert_eq!(caller.hear(&mut world), ["NetStream.Play.Stop@1"]);
    caller.call(&mut world, 1, "publish", "z");
    assert_eq!(caller.hear(&mut world), ["NetStream.Publish.Start@1"]);
    caller.call(&mut world, 1, "play", "z");
    assert!(caller.hear(&mut world).contains(&"NetStream.Play.Start@1".into()));
    assert_eq!(
        world.shards[0].server().stats().streams,
        3,
        "z waits out its grace time"
    );
}

/// A connection that publishes `own` beside something else, whatever that is, and whether `own` still is.
fn publishes_on(world: &mut World, caller: &mut Caller) -> bool {
    let player = world.rtmp(0, Play, "live", "own", 9);
    world.settle();
    let before = world.frames_of(player);
    caller.publish(world, 1, "P40 P80");
    world.pass(Duration::from_millis(200));
    caller.hear(world).iter().all(|it| it != "NetStream.Publish.BadName@1") && world.frames_of(player) != before
}

#[test]
fn a_bad_play_name_ends_no_publish_of_the_connection() {
    for command in ["play", "publish"] {
        let mut world = World::new(1, |_| {});
        let mut caller = Caller::new(&mut world, 2, 2);
        caller.call(&mut world, 1, "publish", "own");
        caller.publish(&mut world, 1, "V A K0");
        caller.call(&mut world, 2, command, "../other");
        assert!(publishes_on(&mut world, &mut caller), "after {command}");
        assert!(!world.clients[caller.client].is_shut_down());
    }
}

#[test]
fn a_refused_publish_ends_no_other_of_the_connection() {
    let mut world = World::new(1, |_| {});
    let other = world.http_push(0, "/live/other", 1);
    world.push(other, "V A K0");
    let mut caller = Caller::new(&mut world, 2, 2);
    caller.call(&mut world, 1, "publish", "own");
    caller.publish(&mut world, 1, "V A K0");
    caller.call(&mut world, 2, "publish", "other");
    world.pass(Duration::from_millis(100));
    assert!(caller.hear(&mut world).contains(&"NetStream.Publish.BadName@2".into()));
    assert!(publishes_on(&mut world, &mut caller));
}

#[test]
fn a_takeover_of_one_publish_leaves_the_others_alone() {
    let mut world = World::new(1, |_| {});
    let mut caller = Caller::new(&mut world, 2, 3);
    for (stream, name) in [(1, "own"), (2, "other")] {
        caller.call(&mut world, stream, "publish", name);
        caller.publish(&mut world, stream, "V A K0");
    }
    world.pass(Duration::from_secs(6));
    let other = world.http_push(0, "/live/other", 1);
    world.push(other, "V A K0");
    world.pass(Duration::from_millis(300));
    assert!(world.is_publishing(other));
    assert_eq!(
        caller.hear(&mut world).last().map(String::as_str),
        Some("NetStream.Publish.BadName@2")
    );
    assert!(publishes_on(&mut world, &mut caller));
    // It has not read that, and goes on. A third stream does not get the headers of the second.
    caller.publish(&mut world, 2, "V A K40");
    world.settle();
    caller.call(&mut world, 3, "publish", "third");
    let player = world.rtmp(0, Play, "live", "third", 9);
    world.pass(Duration::from_millis(200));
    assert_eq!(world.frames_of(player), "");
    // It has not read that, and sends more than is let pass before a publish.
    world.clients[caller.client].peer.set_window(0);
    for _ in 0..20 {
        let frame = Bytes::from([&[0x27, 1][..], &[0; 1 << 20]].concat());
        caller.send(&mut world, 2, MessageTypeId::VIDEO, 0, frame);
    }
    assert!(!world.clients[caller.client].is_closed() && world.is_publishing(caller.client));
}

#[test]
fn what_comes_behind_a_request_waits_for_its_answer() {
    let mut world = World::new(3, |_| {});
    for name in ["a", "b", "c", "d"] {
        let mut caller = Caller::new(&mut world, 2, 1);
        world.delivers = false;
        caller.call(&mut world, 1, "publish", name);
        caller.publish(&mut world, 1, "V A K0 a5");
        caller.call(&mut world, 1, "deleteStream", "");
        world.delivers = true;
        world.settle();
        world.pass(Duration::from_millis(100));
        let heard = caller.hear(&mut world);
        assert_eq!(heard, ["NetStream.Publish.Start@1", "NetStream.Unpublish.Success@1"]);
        let stats = world.shards[0].server().stats();
        assert_eq!((stats.streams, stats.anomalies), (0, 0));
    }
    assert_eq!(world.shards[0].server().stats().publishes, 4);
}

#[test]
fn a_peer_that_leaves_before_its_answer_leaves_nothing_behind() {
    for request in ["publish", "play"] {
        let mut world = World::new(3, |_| {});
        for name in ["a", "b", "c", "d"] {
            let mut caller = Caller::new(&mut world, 2, 1);
            world.delivers = false;
            caller.call(&mut world, 1, request, name);
            world.reset(caller.client);
            world.delivers = true;
            world.settle();
        }
        world.pass(Duration::from_secs(11));
        for server in world.servers() {
            assert_eq!(server.stats().streams, 0);
            assert_eq!(server.stats().names, 0);
        }
    }
}

/// A peer that asks and asks and never reads is read no further once a few replies wait, and goes on when it does read.
#[test]
fn replies_to_a_peer_that_does_not_read_are_bounded() {
    let mut world = World::new(1, |_| {});
    let mut caller = Caller::new(&mut world, 1, 0);
    world.take(caller.client, 0);
    let high_water = Limits::default().output_high_water;
    let call = command::encode("x".repeat(200).as_str(), 2.0, |writer| {
        writer.null();
    });
    let mut calls = 0;
    while world.wants_input(caller.client) && calls < 20_000 {
        caller.send(&mut world, 0, MessageTypeId::COMMAND_AMF0, 0, call.clone());
        calls += 1;
    }
    assert!(calls < 20_000, "it is still read after {calls} calls");
    let waiting = world.waiting(caller.client);
    assert!(waiting < 2 * high_water + 1_024, "{waiting} bytes wait");
    world.take(caller.client, usize::MAX);
    assert!(world.wants_input(caller.client));
}

/// Fills the output of a caller that reads nothing until the next reply is the last before it is read no further.
fn fill_output(world: &mut World, caller: &mut Caller) {
    world.take(caller.client, 0);
    let max = 2 * Limits::default().output_high_water;
    let (mut waiting, mut reply) = (0, 0);
    while waiting + reply < max {
        caller.call(world, 0, "getStreamLength", "x");
        reply = world.waiting(caller.client) - waiting;
        waiting += reply;
    }
    assert!(world.wants_input(caller.client));
}

#[test]
fn a_publisher_let_in_while_replies_wait_may_not_be_silent() {
    let mut world = World::new(1, |_| {});
    let mut caller = Caller::new(&mut world, 1, 1);
    fill_output(&mut world, &mut caller);
    caller.call(&mut world, 1, "publish", "x");
    world.take(caller.client, usize::MAX);
    assert!(world.is_publishing(caller.client));
    world.pass(Duration::from_secs(31));
    assert!(!world.is_publishing(caller.client));
}

#[test]
fn the_silence_of_a_publisher_that_is_not_read_is_ours() {
    let mut world = World::new(1, |_| {});
    let mut caller = Caller::new(&mut world, 1, 1);
    caller.call(&mut world, 1, "publish", "x");
    caller.publish(&mut world, 1, "V K0");
    // So that it is read at once.
    world.http_play(0, "/live/x");
    fill_output(&mut world, &mut caller);
    caller.call(&mut world, 0, "getStreamLength", "x");
    caller.publish(&mut world, 1, "P40");
    assert!(!world.wants_input(caller.client));
    world.pass(Duration::from_secs(3));
    let newcomer = world.http_push(0, "/live/x", 1);
    world.push(newcomer, "V A K0");
    world.pass(Duration::from_secs(2));
    assert_eq!(world.status(newcomer), "HTTP/1.1 409 Conflict");
    assert!(world.is_publishing(caller.client));
}

/// Publishes as an encoder that wants many acknowledgements, pings, and takes nothing any more: its window is full.
fn encoder_that_does_not_read(world: &mut World) -> Caller {
    let mut caller = Caller::new(world, 1, 1);
    let window = Control::WindowAckSize(4_096).to_message();
    caller.send(world, 0, window.type_id, 0, window.payload);
    caller.call(world, 1, "publish", "x");
    caller.publish(world, 1, "V");
    caller.hear(world);
    world.take(caller.client, 0);
    caller
}

/// A keyframe of some kilobytes at `millis`, and a ping.
fn publish_and_ping(world: &mut World, caller: &mut Caller, millis: u32) {
    let mut picture = frames("K").next().unwrap().payload.to_vec();
    picture.resize(3_000, 0);
    caller.send(world, 1, MessageTypeId::VIDEO, millis, picture.into());
    let ping = UserControl::PingRequest(millis).to_message();
    caller.send(world, 0, ping.type_id, 0, ping.payload);
}

#[test]
fn an_encoder_that_never_reads_publishes_all_day() {
    let mut world = World::new(1, |_| {});
    let mut caller = encoder_that_does_not_read(&mut world);
    for millis in (0..86_400_000).step_by(10_000) {
        publish_and_ping(&mut world, &mut caller, millis);
        world.pass(Duration::from_secs(10));
        assert!(world.is_publishing(caller.client), "after {millis} ms");
        let waiting = world.waiting(caller.client);
        assert!(
            waiting < Limits::default().output_high_water + 1_024,
            "{waiting} bytes wait"
        );
    }
    let player = world.rtmp(0, Play, "live", "x", 2);
    assert!(world.heard(player).ends_with(" K0"), "{}", world.heard(player));
}

#[test]
fn a_peer_that_reads_late_gets_one_acknowledgement_of_all() {
    let mut world = World::new(1, |_| {});
    let mut caller = encoder_that_does_not_read(&mut world);
    for millis in 0..100 {
        publish_and_ping(&mut world, &mut caller, millis);
        world.pass(Duration::from_millis(1));
    }
    world.take(caller.client, usize::MAX);
    let received = std::mem::take(&mut world.clients[caller.client].received);
    let mut input = &received[..];
    let mut acknowledged = vec![];
    while let Some(message) = caller.decoder.decode(&mut input).unwrap() {
        if let Some(Control::Acknowledgement(count)) = Control::parse(&message) {
            acknowledged.push(count);
        }
    }
    let [count] = acknowledged[..] else {
        panic!("{acknowledged:?}")
    };
    assert!(count > 100 * 3_000, "{count}");
}

#[test]
fn a_publisher_that_asks_and_does_not_read_is_ended() {
    let mut world = World::new(1, |_| {});
    let mut caller = encoder_that_does_not_read(&mut world);
    publish_and_ping(&mut world, &mut caller, 0);
    caller.call(&mut world, 0, "getStreamLength", "x");
    for millis in (1_000..30_000).step_by(1_000) {
        world.pass(Duration::from_secs(1));
        publish_and_ping(&mut world, &mut caller, millis);
    }
    assert!(!world.is_publishing(caller.client));
}

/// A connection that publishes `x`, and has sent `count` times `repeated`, behind `first`, within a second.
fn publishes_at_once(chunk_size: u32, first: &[u8], repeated: &[u8], count: usize) -> (World, usize) {
    let mut world = World::new(1, |_| {});
    let mut caller = Caller::new(&mut world, 1, 1);
    let size = Control::SetChunkSize(ChunkSize::new(chunk_size).unwrap()).to_message();
    caller.call(&mut world, 1, "publish", "x");
    caller.publish(&mut world, 1, "V K0");
    caller.send(&mut world, 0, size.type_id, 0, size.payload);
    world.send(caller.client, &[first, &repeated.repeat(count)].concat());
    (world, caller.client)
}

#[test]
fn dear_input_yields_for_the_rest_of_its_second() {
    // The header of a picture of 1 MB, of a call, and of metadata.
    let picture = [0x04, 0, 0, 0, 0x0F, 0x42, 0x40, 9, 1, 0, 0, 0, 0x27];
    let call = b"\x04\0\0\0\0\0\x10\x14\0\0\0\0\x02\0\x04call\0\0\0\0\0\0\0\0\0";
    let metadata = b"\x04\0\0\0\0\0\x15\x12\x01\0\0\0\x02\0\x0AonMetaData\x03\0\0\x09\x05\x05\x05\x05";
    for (chunk_size, first, repeated, count) in [
        (1, &picture[..], &b"\xC4\0"[..], 200_000),
        (4_096, b"", call, 9_000),
        (4_096, b"", metadata, 9_000),
    ] {
        let (mut world, client) = publishes_at_once(chunk_size, first, repeated, count);
        // Nobody watches, so its last bytes are read a little later.
        world.pass(Duration::from_millis(100));
        assert!(world.yields(client), "{}", repeated.escape_ascii());
        assert!(world.is_publishing(client), "it is read on");
        world.pass(Duration::from_secs(1));
        assert!(!world.yields(client));
    }
}

#[test]
fn a_stream_of_100_megabits_in_small_chunks_does_not_yield() {
    let picture = [&[0xC4][..], &[0; 128]].concat().repeat(1_000);
    let picture = [&[0x04, 0, 0, 0, 0x01, 0xF4, 0x00, 9, 1, 0, 0, 0][..], &picture[1..]].concat();
    let (world, client) = publishes_at_once(128, b"", &picture, 98);
    assert!(!world.yields(client));
}
