//! What one address may take up, and what that leaves to others.

use crate::world::World;
use headwater_core::rtmp::Purpose::{Play, Publish};
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
