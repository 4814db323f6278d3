//! Players that have closed their sending side, or left, while nothing is sent to them.

use crate::connections::{codes, http};
use crate::world::World;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::Protocol;
use std::time::Duration;

const HEAD: &str = "HTTP/1.1\r\nHost: x\r\n";
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Deadlines are rounded up.
const GRAIN: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(10);

/// A world with a publisher of `live/x` on shard 0 that has sent headers, and no frame.
fn world_with_headers(shards: u16) -> (World, usize) {
    let mut world = World::new(shards, |_| {});
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "V A");
    assert!(world.is_publishing(publisher));
    (world, publisher)
}

/// Everything that an HTTP player may be doing when it closes its sending side, as what it has sent.
fn http_requests() -> [String; 7] {
    let get = format!("GET /live/x {HEAD}\r\n");
    [
        "GET /live/x HTTP/1.0\r\n\r\n".into(),
        get.clone(),
        get.repeat(2),
        format!("{get}GET /live/y {HEAD}\r\n"),
        format!("{get}POST /live/y {HEAD}Content-Length: 9\r\n\r\nFL"),
        format!("GET /live/y?wait=60 {HEAD}\r\n"),
        format!("GET /live/y?wait=60 {HEAD}\r\n{get}"),
    ]
}

#[test]
fn a_half_closed_player_without_progress_ends_after_10_s() {
    for shard in 0..2 {
        for request in http_requests() {
            let (mut world, _) = world_with_headers(2);
            let player = world.connect(shard, Protocol::Http, 9);
            world.send(player, request.as_bytes());
            world.pass(Duration::from_secs(2));
            world.finish(player);
            assert!(!world.wants_input(player), "{request}");
            world.pass(TIMEOUT - GRAIN);
            assert!(!world.clients[player].is_closed(), "{request}");
            world.pass(GRAIN * 2);
            assert!(world.clients[player].is_closed(), "{request}");
            assert_eq!(
                codes(&world, player).len(),
                1,
                "{request}: what came behind is forgotten"
            );
        }
    }
}

#[test]
fn the_end_of_an_rtmp_or_websocket_player_is_its_end() {
    let (mut world, _) = world_with_headers(1);
    let rtmp = world.rtmp(0, Play, "live", "x", 9);
    let websockets = ["/live/x", "/live/y?wait=60"].map(|path| {
        let player = world.connect(0, Protocol::Http, 9);
        world.send(player, format!("GET {path} {HEAD}{UPGRADE}\r\n").as_bytes());
        player
    });
    for player in [rtmp, websockets[0], websockets[1]] {
        world.finish(player);
        assert!(world.clients[player].is_closed());
    }
}

#[test]
fn a_half_closed_player_that_takes_its_bytes_plays_on() {
    for request in http_requests().iter().filter(|it| it.starts_with("GET /live/x")) {
        let (mut world, publisher) = world_with_headers(1);
        let player = world.connect(0, Protocol::Http, 9);
        world.send(player, request.as_bytes());
        world.finish(player);
        world.publish(publisher, "K0");
        for frame in 1..10 {
            world.pass(Duration::from_secs(9));
            world.publish(publisher, &format!("P{}", frame * 9_000));
            assert!(!world.clients[player].is_shut_down(), "{request}");
        }
        let received = &world.clients[player].received;
        let pictures = received.windows(5).filter(|bytes| bytes == b"\x27\x01\0\0\0");
        assert_eq!(pictures.count(), 9, "{request}");
        world.pass(TIMEOUT + GRAIN);
        assert!(world.clients[player].is_closed(), "{request}");
    }
}

#[test]
fn a_half_closed_player_that_takes_nothing_ends_after_10_s() {
    let (mut world, publisher) = world_with_headers(1);
    let player = world.http_play(0, "/live/x");
    world.finish(player);
    world.publish(publisher, "K0");
    world.pass(Duration::from_secs(5));
    world.take(player, 0);
    for frame in 1..8 {
        world.publish(publisher, &format!("P{}", frame * 1_000));
        world.pass(Duration::from_secs(1));
    }
    assert!(world.clients[player].is_closed());
}

#[test]
fn a_publisher_without_frames_holds_no_players_that_left() {
    let mut world = World::new(1, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A");
    // A tag that is never whole. It comes just fast enough.
    world.send(publisher, &[9, 0x7f, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0]);
    let requests = http_requests();
    for _ in 0..100 {
        for request in &requests {
            let player = world.connect(0, Protocol::Http, 9);
            world.send(player, request.as_bytes());
            world.finish(player);
        }
        assert_eq!(world.shards[0].server().stats().connections, 1 + requests.len());
        world.clients.truncate(publisher + 1);
        world.pass(Duration::from_secs(29));
        world.send(publisher, &[0; 4_500]);
    }
    assert!(world.is_publishing(publisher));
    assert_eq!(world.shards[0].server().stats().connections, 1);
}

#[test]
fn all_requests_before_the_end_of_input_are_answered() {
    for shard in 0..3 {
        let (mut world, _) = world_with_headers(3);
        world.delivers = false;
        let client = world.connect(shard, Protocol::Http, 9);
        let requests = [
            "HEAD /live/x",
            "HEAD /live/a",
            "GET /live/b",
            "HEAD /live/c",
            "OPTIONS /",
        ];
        let text: String = requests.map(|request| format!("{request} {HEAD}\r\n")).concat();
        world.send(client, text.as_bytes());
        world.finish(client);
        world.delivers = true;
        world.settle();
        assert_eq!(codes(&world, client), [200, 404, 404, 404, 204]);
        assert!(world.clients[client].is_closed());
    }
}

#[test]
fn what_follows_a_request_is_read_on_up_to_16_kib() {
    let mut world = World::new(1, |_| {});
    for request in ["GET /live/x?wait=60", "GET /live/y"] {
        let publisher = world.http_push(0, "/live/y", 1);
        world.push(publisher, "V A K0");
        let client = http(&mut world, &[request]);
        for _ in 0..16 {
            world.send(client, &[b'x'; 1 << 10]);
            assert!(world.wants_input(client));
        }
        let failed = world.shards[0].server().stats().failed;
        world.send(client, b"x");
        assert_eq!(world.shards[0].server().stats().failed, failed + 1);
        assert!(world.clients[client].is_shut_down());
        world.finish(client);
        assert!(world.clients[client].is_closed());
        let client = http(&mut world, &[request]);
        world.send(client, &[b'x'; (16 << 10) + 1]);
        assert!(world.clients[client].is_shut_down(), "in one piece");
    }
}

#[test]
fn a_reset_ends_a_half_closed_player_at_once() {
    let (mut world, _) = world_with_headers(1);
    for request in http_requests() {
        let player = world.connect(0, Protocol::Http, 9);
        world.send(player, request.as_bytes());
        world.finish(player);
        world.reset(player);
        assert!(world.clients[player].is_closed());
    }
}
