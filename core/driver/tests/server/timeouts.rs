//! Peers that say or take nothing, or only seem to: each wait has an end.

use crate::rtmp::Caller;
use crate::world::{World, frames};
use bytes::Bytes;
use headwater_core::flv::FlvWriter;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::rtmp::chunk::MessageTypeId;
use headwater_core::rtmp::message::{Control, UserControl};
use headwater_core::server::Protocol;
use headwater_core::{Output, Time};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
/// Deadlines are rounded up.
const GRAIN: Duration = Duration::from_millis(100);
/// The longest that output may wait unseen, by the two looks that it takes.
const STALL: Duration = Duration::from_millis(22_600);

impl World {
    /// Calls `act` every second, until the client is told to go or the time is over. Returns for how long it was there.
    fn last(&mut self, client: usize, most: Duration, mut act: impl FnMut(&mut World)) -> Duration {
        let begin = self.now;
        while !self.clients[client].is_shut_down() && self.now < begin + most {
            act(self);
            self.pass(SECOND);
        }
        self.now.since(begin)
    }
}

#[track_caller]
fn assert_between(span: Duration, least: u64, most: u64) {
    let (least, most) = (Duration::from_secs(least), Duration::from_secs(most));
    assert!((least..=most).contains(&span), "{span:?}");
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_handshake_byte_by_byte_ends_after_10_s() {
    let mut world = World::new(1, |_| {});
    let client = world.connect(0, Protocol::Rtmp, 1);
    assert_between(world.last(client, MINUTE, |world| world.send(client, &[3])), 10, 11);
}

#[test]
fn a_request_byte_by_byte_ends_after_10_s() {
    for begin in [&b""[..], b"GET /live/x HTTP/1.1\r\nHost: x\r\nX: "] {
        let mut world = World::new(1, |_| {});
        let client = world.connect(0, Protocol::Http, 1);
        world.send(client, begin);
        assert_between(world.last(client, MINUTE, |world| world.send(client, b"x")), 10, 11);
    }
}

#[test]
fn a_connection_that_asks_nothing_more_ends_after_20_s() {
    for listener in [Protocol::Http, Protocol::Media, Protocol::Admin] {
        let mut world = World::new(1, |_| {});
        let client = world.connect(0, listener, 1);
        let ask = |world: &mut World| {
            world.send(client, b"GET /api/v1/versions HTTP/1.1\r\nHost: localhost\r\n\r\n");
        };
        ask(&mut world);
        world.pass(19 * SECOND);
        ask(&mut world);
        assert_between(world.last(client, MINUTE, |_| {}), 20, 21);
        let client = world.connect(0, listener, 1);
        world.send(client, b"OPTIONS /live/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
        world.pass(19 * SECOND);
        assert_between(world.last(client, MINUTE, |world| world.send(client, b"x")), 10, 11);
    }
}

#[test]
fn a_client_that_only_talks_ends_after_10_s() {
    let mut world = World::new(1, |_| {});
    let mut caller = Caller::new(&mut world, 1, 1);
    let lasted = world.last(caller.client, MINUTE, |world| {
        caller.call(world, 1, "FCPublish", "x");
        say_no_media(world, &mut caller);
    });
    assert_between(lasted, 10, 11);
}

#[test]
fn a_peer_between_two_streams_answers_pings_or_ends_after_60_s() {
    for answers in [false, true] {
        let mut world = World::new(1, |_| {});
        let mut caller = Caller::new(&mut world, 1, 1);
        caller.call(&mut world, 1, "publish", "x");
        caller.publish(&mut world, 1, "V A K0 a5");
        caller.call(&mut world, 1, "closeStream", "");
        let mut seconds = 0;
        let lasted = world.last(caller.client, 3 * MINUTE, |world| {
            if answers && seconds % 30 == 1 {
                let pong = UserControl::PingResponse(7).to_message();
                caller.send(world, 0, pong.type_id, 0, pong.payload);
            }
            seconds += 1;
        });
        let (least, most) = if answers { (180, 180) } else { (60, 61) };
        assert_between(lasted, least, most);
    }
}

/// What a connection says that has nothing to say: pings, acknowledgements, headers, metadata, and media without content.
fn say_no_media(world: &mut World, caller: &mut Caller) {
    for control in [
        UserControl::PingRequest(7).to_message(),
        UserControl::PingResponse(7).to_message(),
        Control::Acknowledgement(7).to_message(),
    ] {
        caller.send(world, 0, control.type_id, 0, control.payload);
    }
    caller.call(world, 0, "getStreamLength", "x");
    caller.publish(world, 1, "M V A");
    for (type_id, payload) in [
        (MessageTypeId::AUDIO, &b""[..]),
        (MessageTypeId::AUDIO, b"\xAF\x01"),
        (MessageTypeId::VIDEO, b""),
        (MessageTypeId::VIDEO, b"\x27\x01\0\0\0"),
        (MessageTypeId::VIDEO, b"\x17\x02\0\0\0"),
        (MessageTypeId::AGGREGATE, b""),
        (MessageTypeId::DATA_AMF0, b"\x02\0\x02hi"),
    ] {
        caller.send(world, 1, type_id, 0, Bytes::from_static(payload));
    }
}

#[test]
fn an_rtmp_publisher_without_media_ends_after_30_s() {
    for has_begun in [false, true] {
        let mut world = World::new(1, |_| {});
        let mut caller = Caller::new(&mut world, 1, 1);
        caller.call(&mut world, 1, "publish", "x");
        if has_begun {
            caller.publish(&mut world, 1, "V A K0 a5");
        }
        assert!(world.is_publishing(caller.client));
        let lasted = world.last(caller.client, MINUTE, |world| say_no_media(world, &mut caller));
        assert_between(lasted, 30, 31);
    }
}

#[test]
fn what_else_a_publisher_asks_for_is_no_media() {
    let mut world = World::new(1, |_| {});
    let mut caller = Caller::new(&mut world, 1, 2);
    caller.call(&mut world, 1, "publish", "x");
    caller.publish(&mut world, 1, "V A K0 a5");
    let lasted = world.last(caller.client, MINUTE, |world| {
        caller.call(world, 2, "play", "x");
        caller.call(world, 2, "closeStream", "");
    });
    assert_between(lasted, 30, 31);
}

#[test]
fn a_push_without_media_ends_after_30_s() {
    let mut world = World::new(1, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let lasted = world.last(publisher, MINUTE, |world| world.push(publisher, "M V A"));
    assert_between(lasted, 30, 31);
}

#[test]
fn a_push_that_begins_without_a_frame_ends_after_10_s() {
    let mut world = World::new(1, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    let big = tag(100_000);
    let mut bytes = big.iter();
    let lasted = world.last(publisher, MINUTE, |world| {
        world.send(publisher, &[*bytes.next().unwrap()]);
    });
    assert_between(lasted, 10, 11);
    assert!(!world.is_publishing(publisher));
}

/// A keyframe of `len` bytes, as an FLV tag.
fn tag(len: usize) -> Vec<u8> {
    let mut output = Output::new();
    frames(&format!("K40:{len}")).for_each(|frame| FlvWriter::frame(&frame, &mut output));
    crate::world::drain(&mut output)
}

/// The same as an RTMP message in one chunk, behind the message that says how large chunks are.
fn message(len: usize) -> Vec<u8> {
    let payload = frames(&format!("K:{len}")).next().unwrap().payload;
    let [_, size @ ..] = u32::try_from(len).unwrap().to_be_bytes();
    let size_of_chunks = [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF];
    [&size_of_chunks, &[4, 0, 0, 40][..], &size, &[9, 1, 0, 0, 0], &payload].concat()
}

/// A publisher of `live/x` by RTMP or HTTP that has begun, and a large keyframe as it sends it.
fn publisher(world: &mut World, by: Protocol, len: usize) -> (usize, Vec<u8>) {
    let (client, frame) = match by {
        Protocol::Rtmp => {
            let mut caller = Caller::new(world, 1, 1);
            caller.call(world, 1, "publish", "x");
            caller.publish(world, 1, "V A K0 a5");
            (caller.client, message(len))
        }
        _ => {
            let client = world.http_push(0, "/live/x", 1);
            world.push(client, "V A K0 a5");
            (client, tag(len))
        }
    };
    assert!(world.is_publishing(client));
    (client, frame)
}

const BOTH: [Protocol; 2] = [Protocol::Rtmp, Protocol::Http];

#[test]
fn a_byte_every_29_s_is_no_publisher() {
    for by in BOTH {
        let mut world = World::new(1, |_| {});
        let (client, frame) = publisher(&mut world, by, 100_000);
        let mut bytes = frame.iter();
        let mut seconds = 0;
        let lasted = world.last(client, 10 * MINUTE, |world| {
            if seconds % 29 == 0 {
                world.send(client, &[*bytes.next().unwrap()]);
            }
            seconds += 1;
        });
        assert_between(lasted, 30, 31);
    }
}

#[test]
fn a_hundred_bytes_a_second_of_a_frame_are_no_publisher() {
    for by in BOTH {
        let mut world = World::new(1, |_| {});
        let (client, frame) = publisher(&mut world, by, 100_000);
        let mut pieces = frame.chunks(100);
        let lasted = world.last(client, 10 * MINUTE, |world| world.send(client, pieces.next().unwrap()));
        assert_between(lasted, 30, 31);
    }
}

#[test]
fn a_frame_that_is_two_minutes_on_its_way_arrives() {
    for by in BOTH {
        let mut world = World::new(1, |_| {});
        let (client, frame) = publisher(&mut world, by, 40_000);
        let player = world.rtmp(0, Play, "live", "x", 9);
        for piece in frame.chunks(300) {
            world.send(client, piece);
            world.pass(SECOND);
        }
        assert!(world.is_publishing(client), "{by:?}");
        assert!(world.heard(player).ends_with("K0 a5 K40"), "{}", world.heard(player));
    }
}

#[test]
fn a_frame_that_stops_on_its_way_ends_within_a_minute() {
    for by in BOTH {
        let mut world = World::new(1, |_| {});
        let (client, frame) = publisher(&mut world, by, 100_000);
        world.send(client, &frame[..60_000]);
        assert_between(world.last(client, 10 * MINUTE, |_| {}), 30, 61);
    }
}

#[test]
fn a_camera_that_pauses_for_29_s_stays() {
    for by in BOTH {
        let mut world = World::new(1, |_| {});
        let client = match by {
            Protocol::Rtmp => world.rtmp(0, Publish, "live", "x", 1),
            _ => world.http_push(0, "/live/x", 1),
        };
        world.offer(client, "V A");
        for pause in 0..5 {
            world.offer(client, &format!("K{}", pause * 29_000));
            world.pass(Duration::from_secs(29));
            assert!(world.is_publishing(client), "{by:?}");
        }
    }
}

#[test]
fn a_publish_of_the_program_may_be_silent() {
    let mut world = World::new(1, |_| {});
    let publisher = world.local_publish(0, "live/x");
    world.local_send(0, publisher, "V A K0");
    let player = world.http_play(0, "/live/x");
    world.pass(60 * MINUTE);
    world.local_send(0, publisher, "P40");
    assert!(world.seen(player).ends_with("K0 P40"), "{}", world.seen(player));
}

/// A player of each kind of `live/x`, before there is anything to play.
fn players(world: &mut World) -> [usize; 3] {
    [
        world.rtmp(0, Play, "live", "x", 9),
        world.http_play(0, "/live/x?wait=60"),
        world.ws_play(0, "/live/x?wait=60"),
    ]
}

/// Sound for so many seconds from `at` on, 50 frames of `len` bytes each, while the clients take so much of each second.
fn sound(world: &mut World, publisher: usize, at: &mut u64, seconds: u64, len: usize, take: impl Fn(&mut World)) {
    for _ in 0..seconds * 50 {
        if at.is_multiple_of(1_000) {
            take(world);
        }
        world.publish(publisher, &format!("a{at}:{len}"));
        *at += 20;
        world.pass(Duration::from_millis(20));
    }
}

#[test]
fn a_player_that_takes_a_byte_a_second_ends_in_22_s() {
    let mut world = World::new(1, |_| {});
    let players = players(&mut world);
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "A");
    let mut at = 0;
    // What it has when it stalls.
    sound(&mut world, publisher, &mut at, 5, 200, |_| {});
    players.iter().for_each(|player| world.take(*player, 0));
    let begin = world.now;
    while !players.iter().all(|player| world.clients[*player].is_shut_down()) && world.now < begin + MINUTE {
        sound(&mut world, publisher, &mut at, 1, 200, |world| {
            players.iter().for_each(|player| world.take(*player, 1));
        });
    }
    assert_between(world.now.since(begin), 15, STALL.as_secs() + 1);
    assert!(world.is_publishing(publisher));
}

#[test]
fn a_stream_of_a_kilobit_per_second_is_never_judged() {
    let mut world = World::new(1, |_| {});
    let players = players(&mut world);
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "A");
    // 13 bytes of sound ten times a second. Each player's link takes them and what is around them, a few at a time.
    for at in (0..600_000_u32).step_by(100) {
        for player in players {
            world.take(player, 40);
        }
        world.publish(publisher, &format!("a{at}:13"));
        world.pass(Duration::from_millis(100));
    }
    for player in players {
        assert!(!world.clients[player].is_shut_down());
    }
}

#[test]
fn a_player_that_takes_little_but_enough_stays() {
    let mut world = World::new(1, |_| {});
    let players = players(&mut world);
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "A");
    players.iter().for_each(|player| world.take(*player, 0));
    // It takes 10 kbit/s of 80, and misses the rest.
    let mut at = 0;
    sound(&mut world, publisher, &mut at, 120, 200, |world| {
        players.iter().for_each(|player| world.take(*player, 1_250));
    });
    for player in players {
        assert!(!world.clients[player].is_shut_down());
    }
}

#[test]
fn bytes_that_leave_unnoticed_are_progress() {
    for (takes, stays) in [(1_250, true), (1, false)] {
        let mut world = World::new(1, |_| {});
        let players = players(&mut world);
        let publisher = world.rtmp(0, Publish, "live", "x", 1);
        world.publish(publisher, "A");
        for player in players {
            world.take(player, 0);
            world.clients[player].peer.set_room_reported(false);
        }
        // The kernel makes room as the player takes bytes, and would tell much later.
        let mut at = 0;
        for second in 1..=60 {
            sound(&mut world, publisher, &mut at, 1, 200, |_| {});
            let left: Vec<_> = players
                .iter()
                .map(|player| world.clients[*player].peer.clone())
                .collect();
            left.iter().for_each(|peer| peer.set_window(peer.window() + takes));
            let are_there = players.iter().all(|player| !world.clients[*player].is_shut_down());
            assert!(are_there || !stays, "after {second} s");
        }
        let left = players.iter().filter(|player| !world.clients[**player].is_shut_down());
        assert_eq!(left.count(), if stays { 3 } else { 0 });
    }
}

#[test]
fn room_that_a_full_socket_has_left_is_no_progress() {
    let mut world = World::new(1, |_| {});
    let players = players(&mut world);
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "A");
    for player in players {
        world.take(player, 0);
    }
    let mut at = 0;
    sound(&mut world, publisher, &mut at, 1, 200, |_| {});
    // The kernel has some room left, and does not tell.
    for player in players {
        world.clients[player].peer.set_room_reported(false);
        world.clients[player].peer.set_window(20_000);
    }
    let begin = world.now;
    while !players.iter().all(|player| world.clients[*player].is_shut_down()) && world.now < begin + MINUTE {
        sound(&mut world, publisher, &mut at, 1, 200, |_| {});
    }
    // The room is filled at the next look, and the time begins then.
    assert_between(world.now.since(begin), 15, 30);
}

#[test]
fn a_drain_ends_in_5_s_whatever_peers_do() {
    let mut world = World::new(1, |_| {});
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "V A K0 a5");
    let stalled = [world.http_play(0, "/live/x"), world.rtmp(0, Play, "live", "x", 9)];
    stalled.iter().for_each(|player| world.take(*player, 0));
    world.publish(publisher, "K40:100000");
    world.http_play(0, "/live/y?wait=60");
    world.rtmp(0, Play, "live", "y", 9);
    let shaking = world.connect(0, Protocol::Rtmp, 2);
    world.send(shaking, &[3; 100]);
    let asking = world.connect(0, Protocol::Http, 2);
    world.send(asking, b"GET /live");
    world.shutdown();
    let begin = world.now;
    while !world.shards[0].is_drained() && world.now < begin + MINUTE {
        let due = world.due().unwrap();
        world.pass(due.since(world.now).max(Duration::from_micros(1)));
    }
    assert!(world.now.since(begin) <= Duration::from_secs(5) + GRAIN);
}

#[test]
fn a_server_at_rest_wakes_for_deadlines_only() {
    let mut world = World::new(1, |_| {});
    // 100 publishers that have stopped to send, and 1,000 players of one of them.
    let publishers: Vec<_> = (0..100)
        .map(|name| world.http_push(0, &format!("/live/{name}"), 1))
        .collect();
    for publisher in &publishers {
        world.push(*publisher, "V A K0 a5");
    }
    for number in 0..1_000 {
        match number % 3 {
            0 => world.rtmp(0, Play, "live", "0", 9),
            1 => world.ws_play(0, "/live/0"),
            _ => world.http_play(0, "/live/0"),
        };
    }
    // Deferred reads are over.
    world.pass(SECOND);
    let begin = world.now;
    let mut wakeups = vec![];
    while let Some(due) = world.due().filter(|due| *due < begin + Duration::from_secs(28)) {
        world.now = due;
        world.shards[0].handle_timeout(due);
        world.settle();
        wakeups.push(due.since(begin));
    }
    // The silence of all publishers is noted at one moment; and a stall is looked for after 7.5 s, as something was sent.
    assert!(wakeups.len() <= 4, "{wakeups:?}");
    assert_eq!(world.shards[0].server().stats().connections, 1_100);
}

#[test]
fn nobody_left_means_no_deadline() {
    let mut world = World::new(1, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let players = players(&mut world);
    for client in players.into_iter().chain([publisher]) {
        world.reset(client);
    }
    world.pass(11 * SECOND);
    assert_eq!(world.due(), None::<Time>);
}
