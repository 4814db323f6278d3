//! What one address may take up, and what that leaves to others.

use crate::rtmp::Caller;
use crate::world::World;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::Protocol;
use std::time::Duration;

/// An encoder at `host` publishes `path` and is gone. Returns whether it was let.
fn come_and_go(world: &mut World, path: &str, host: u8) -> bool {
    let publishes = world.shards[0].server().stats().publishes;
    let publisher = world.http_push(0, path, host);
    world.push(publisher, "V A K0 a5");
    world.reset(publisher);
    world.shards[0].server().stats().publishes > publishes
}

#[test]
fn an_encoder_that_reconnects_every_second_is_let_in() {
    let mut world = World::new(1, |_| {});
    for _ in 0..100 {
        assert!(come_and_go(&mut world, "/live/x", 1));
        world.pass(Duration::from_secs(1));
    }
}

#[test]
fn publishing_a_name_again_and_again_is_told_to_wait() {
    let mut world = World::new(1, |_| {});
    while come_and_go(&mut world, "/live/x", 1) {}
    assert_eq!(world.shards[0].server().stats().publishes, 20);
    let web = world.http_push(0, "/live/x", 1);
    world.push(web, "V A K0 a5");
    assert_eq!(world.status(web), "HTTP/1.1 429 Too Many Requests");
    let encoder = world.rtmp(0, Publish, "live", "x", 1);
    assert_eq!(world.heard(encoder), "[NetStream.Publish.Failed]");
    assert!(come_and_go(&mut world, "/live/x", 2), "others may");
    world.pass(Duration::from_secs(1));
    assert!(come_and_go(&mut world, "/live/x", 1), "a second later it may again");
}

#[test]
fn a_crowd_that_comes_and_goes_takes_nothing_from_others() {
    let mut world = World::new(1, |config| {
        config.max_waiting_players = 40;
        config.max_waiting_players_per_address = 30;
    });
    let publisher = world.http_push(0, "/live/victim", 1);
    world.push(publisher, "V A K0 a5");
    let player = world.http_play(0, "/live/victim");
    world.reset(publisher);
    let mut crowd = Vec::new();
    for round in 0..99 {
        crowd.push(world.rtmp(0, Play, "live", "soon", 66));
        for number in 0..5 {
            come_and_go(&mut world, &format!("/live/{}", number * round), 66);
        }
        world.pass(Duration::from_millis(100));
    }
    let waiting = world.rtmp(0, Play, "live", "soon", 1);
    assert!(!world.clients[player].is_shut_down(), "9.9 s are within its grace time");
    for (name, player) in [("victim", player), ("soon", waiting)] {
        let publisher = world.http_push(0, &format!("/live/{name}"), 1);
        let before = world.frames_of(player).len();
        world.push(publisher, "V A K40 a45");
        assert!(world.frames_of(player).len() > before, "{name}");
    }
}

#[test]
fn an_address_that_asks_and_asks_is_told_to_wait() {
    let mut world = World::new(1, |config| config.max_requests_per_second_per_address = 5);
    // Each has a connection of its own.
    let ask = |world: &mut World, host: u8| {
        let client = world.connect(0, Protocol::Http, host);
        world.send(client, b"GET /live/x HTTP/1.1\r\nHost: x\r\n\r\n");
        String::from_utf8_lossy(&world.clients[client].received).to_lowercase()
    };
    let has_place = |world: &mut World, host| ask(world, host).starts_with("http/1.1 404 ");
    assert!((0..50).all(|_| has_place(&mut world, 1)));
    let refusal = ask(&mut world, 1);
    assert!(refusal.starts_with("http/1.1 429 "), "{refusal}");
    assert!(refusal.contains("\r\nretry-after: 2\r\n"), "{refusal}");
    let refused = [
        (Play, "[NetStream.Play.Failed]"),
        (Publish, "[NetStream.Publish.Failed]"),
    ];
    for (purpose, expected) in refused {
        let client = world.rtmp(0, purpose, "live", "x", 1);
        assert_eq!(world.heard(client), expected);
    }
    let stats = world.shards[0].server().stats();
    assert_eq!((stats.plays_refused, stats.publishes_refused), (52, 1));
    assert!(has_place(&mut world, 2), "others may");
    world.pass(Duration::from_secs(1));
    let served = (0..10).filter(|_| has_place(&mut world, 1)).count();
    assert_eq!(served, 5, "what a second allows");
}

#[test]
fn a_request_that_is_refused_ends_what_its_stream_did() {
    let mut world = World::new(1, |config| config.max_requests_per_second_per_address = 1);
    let mut caller = Caller::new(&mut world, 1, 1);
    for _ in 0..10 {
        caller.call(&mut world, 1, "publish", "x");
    }
    assert!(world.is_publishing(caller.client));
    caller.call(&mut world, 1, "play", "x");
    assert!(!world.is_publishing(caller.client));
}
