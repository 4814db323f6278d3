//! Lists of what there is.

use crate::world::World;
use headwater_core::media::Codec;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::{ConnectionView, Protocol, RoleKind, Server, ServerStats, StreamView, Transport};
use std::time::Duration;

impl World {
    /// All streams, as all shards together see them.
    pub(super) fn streams(&self) -> Vec<StreamView> {
        StreamView::merge(self.servers().map(|server| server.streams(self.now)).collect())
    }

    pub(super) fn connections(&self) -> Vec<ConnectionView> {
        self.servers().flat_map(|server| server.connections(self.now)).collect()
    }
}

/// What the open connections do, sorted.
fn roles(world: &World) -> Vec<String> {
    let connections = world.connections();
    let mut roles: Vec<_> = connections
        .iter()
        .map(|it| {
            let roles = it
                .roles
                .iter()
                .map(|role| format!(" {:?} {}", role.kind, role.stream.as_str()));
            format!("{}{}", it.protocol, roles.collect::<String>())
        })
        .collect();
    roles.sort();
    roles
}

#[test]
fn a_stream_is_seen_with_its_publisher_and_its_media() {
    let mut world = World::new(1, |_| {});
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "V A K0 a5");
    world.pass(Duration::from_secs(1));
    world.publish(publisher, "P1000 P1040");
    let [stream] = &world.streams()[..] else { panic!() };
    let seen = stream.publisher.clone().unwrap();
    assert_eq!(stream.key.as_str(), "live/x");
    assert_eq!(
        (seen.peer.to_string().as_str(), seen.protocol),
        ("10.0.0.1:40000", Transport::Rtmp)
    );
    assert_eq!(seen.age, Duration::from_secs(1));
    assert_eq!((stream.players, stream.waiting, stream.replicas), (0, 0, 0));
    assert_eq!((stream.frames, stream.missed), (6, 0));
    // Payloads: 6 and 4 bytes of headers, 11 of each picture, 3 of sound.
    assert_eq!(
        (stream.bytes, stream.gop_bytes),
        (6 + 4 + 11 + 3 + 2 * 11, 11 + 3 + 2 * 11)
    );
    let tracks: Vec<_> = stream.tracks.iter().map(|it| (it.track.0, it.codec)).collect();
    assert_eq!(tracks, [(0, Codec::Aac), (0, Codec::Avc)]);
}

#[test]
fn the_rate_is_that_of_the_last_full_second() {
    let mut world = World::new(1, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let kbps = |world: &World| world.streams().first().map(|stream| stream.kbps);
    for second in 0..3 {
        for tenth in 0..10 {
            let times = (0..100).map(|frame| format!("a{}", second * 1_000 + tenth * 100 + frame));
            world.push(publisher, &times.collect::<Vec<_>>().join(" "));
            world.pass(Duration::from_millis(100));
        }
    }
    // 1,000 frames of 3 bytes.
    assert_eq!(kbps(&world), Some(24));
    world.pass(Duration::from_secs(2));
    assert_eq!(kbps(&world), Some(0));
}

#[test]
fn players_of_all_workers_are_added_up() {
    for home in 0..3 {
        let mut world = World::new(3, |_| {});
        let path = format!("/live/{home}");
        let publisher = world.http_push(0, &path, 1);
        world.push(publisher, "V A K0 a5");
        let players: Vec<_> = [0, 1, 1, 2].map(|shard| world.http_play(shard, &path)).into();
        let [stream] = &world.streams()[..] else { panic!() };
        assert_eq!((stream.players, stream.waiting, stream.replicas), (4, 0, 2));
        assert_eq!((stream.frames, stream.bytes), (4, 24));
        assert!(stream.publisher.is_some());
        // In the grace time nobody publishes, and the players stay.
        world.reset(publisher);
        let [stream] = &world.streams()[..] else { panic!() };
        assert_eq!((stream.publisher.is_some(), stream.players), (false, 4));
        players.into_iter().for_each(|player| world.reset(player));
        assert_eq!(world.streams(), []);
    }
}

#[test]
fn two_publishers_at_once_are_seen_as_the_later() {
    let mut world = World::new(1, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let player = world.http_play(0, "/live/x");
    let old = world.streams().remove(0);
    let mut new = old.clone();
    (new.epoch, new.frames, new.players, new.missed) = (old.epoch + 1, 7, 2, 5);
    let mut replica = old.clone();
    (replica.epoch, replica.publisher, replica.players) = (old.epoch + 2, None, 1);
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
        let views = [&old, &new, &replica];
        let merged = StreamView::merge(order.map(|index| vec![views[index].clone()]).into());
        let mut expected = new.clone();
        (expected.players, expected.missed) = (4, 5);
        expected.drops.sent = 3 * old.drops.sent;
        (expected.sent, expected.sent_per_second) = (3 * old.sent, 3 * old.sent_per_second);
        assert_eq!(merged, [expected]);
    }
    assert!(!world.clients[player].is_closed());
}

#[test]
fn streams_are_listed_by_name() {
    let mut world = World::new(2, |_| {});
    for (shard, path) in [(1, "/b/x"), (0, "/a/y"), (1, "/a/x"), (0, "/c/x")] {
        let publisher = world.http_push(shard, path, 1);
        world.push(publisher, "A a0");
    }
    let names: Vec<_> = world
        .streams()
        .into_iter()
        .map(|it| it.key.as_str().to_string())
        .collect();
    assert_eq!(names, ["a/x", "a/y", "b/x", "c/x"]);
}

#[test]
fn a_connection_is_seen_with_what_it_does() {
    let mut world = World::new(2, |_| {});
    world.connect(0, Protocol::Http, 1);
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "V A K0 a5");
    world.http_push(0, "/live/new", 1);
    world.http_play(1, "/live/x");
    world.rtmp(1, Play, "live", "x", 2);
    world.rtmp(1, Play, "live", "absent", 2);
    world.http_play(1, "/live/absent?wait=10");
    let websocket = world.connect(0, Protocol::Http, 9);
    world.send(
        websocket,
        b"GET /live/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    assert_eq!(
        roles(&world),
        [
            "http",
            "http Plays live/x",
            "http WaitsToPlay live/absent",
            "http WaitsToPublish live/new",
            "rtmp Plays live/x",
            "rtmp Publishes live/x",
            "rtmp WaitsToPlay live/absent",
            "websocket Plays live/x",
        ]
    );
    let streams: Vec<_> = world
        .streams()
        .into_iter()
        .map(|it| (it.players, it.waiting, it.publisher.is_some()))
        .collect();
    assert_eq!(streams, [(0, 2, false), (3, 0, true)]);
}

#[test]
fn bytes_of_a_connection_are_counted_both_ways() {
    let mut world = World::new(1, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let player = world.connect(0, Protocol::Http, 9);
    world.clients[player].peer.set_window(30);
    world.send(player, b"GET /live/x HTTP/1.0\r\n\r\n");
    world.pass(Duration::from_secs(2));
    let views = world.connections();
    let seen = views.iter().find(|it| it.peer.to_string() == "10.0.0.9:40000").unwrap();
    assert_eq!((seen.bytes_in, seen.bytes_out), (24, 30));
    assert_eq!(seen.age, Duration::from_secs(2));
    let queued = seen.queued;
    world.take(player, usize::MAX);
    let views = world.connections();
    let seen = views.iter().find(|it| it.peer.to_string() == "10.0.0.9:40000").unwrap();
    assert_eq!((seen.queued, seen.bytes_out), (0, 30 + queued as u64));
    assert_eq!(seen.roles[0].kind, RoleKind::Plays);
}

#[test]
fn missed_frames_stay_counted_when_a_player_has_left() {
    let mut world = World::new(2, |config| {
        config.limits.output_high_water = 100;
        config.channel.lag_max_frames = 10;
    });
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let player = world.http_play(1, "/live/x");
    world.clients[player].peer.set_window(0);
    for number in 1..100 {
        world.push(publisher, &format!("P{}", number * 40));
    }
    world.take(player, 1_000);
    let missed = world.streams()[0].missed;
    let of_connections: u64 = world.connections().iter().map(|it| it.missed).sum();
    assert!(missed > 50, "{missed}");
    assert_eq!(missed, of_connections);
    let other = world.http_play(1, "/live/x");
    world.reset(player);
    assert_eq!(world.streams()[0].missed, missed);
    assert!(!world.clients[other].is_closed());
}

#[test]
fn sound_without_a_sequence_header_has_a_codec() {
    let mut world = World::new(1, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    // MP3 in an FLV tag: type 8, 2 bytes, 11 bytes before and 4 behind it.
    world.send(publisher, b"\x08\0\0\x02\0\0\0\0\0\0\0\x2F\xFF\0\0\0\x0D");
    let codecs = |world: &World| world.streams()[0].tracks.iter().map(|it| it.codec).collect::<Vec<_>>();
    assert_eq!(codecs(&world), [Codec::Mp3]);
}

#[test]
fn counters_of_workers_add_up() {
    let mut world = World::new(2, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "A a0");
    world.http_play(0, "/live/x");
    world.http_play(1, "/live/x");
    world.http_play(1, "/live/absent");
    let mut stats = ServerStats::default();
    world.servers().map(Server::stats).for_each(|it| stats += it);
    assert_eq!(
        (stats.accepted, stats.publishes, stats.plays, stats.plays_refused),
        (4, 1, 2, 1)
    );
    assert_eq!(stats.streams, 2, "once for the publisher, once for a replica");
}
