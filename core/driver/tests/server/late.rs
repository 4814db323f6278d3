//! A server that was late itself: what its peers have done meanwhile is no silence of theirs.

use crate::streams::on_any_shards;
use crate::world::World;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::Protocol;
use std::time::Duration;

const PROTOCOLS: [Protocol; 2] = [Protocol::Rtmp, Protocol::Http];

/// Longer than any peer may be silent.
const LONG: Duration = Duration::from_secs(100);

/// How much later a deadline may come if we were late, because the socket is looked into first.
const LOOKS_IF_LATE: Duration = Duration::from_millis(2_100);

/// A publisher of `live/x` that has sent its first keyframe.
fn publisher(world: &mut World, by: Protocol, shard: usize) -> usize {
    let publisher = match by {
        Protocol::Rtmp => world.rtmp(shard, Publish, "live", "x", 1),
        _ => world.http_push(shard, "/live/x", 1),
    };
    world.offer(publisher, "V A a0 K0");
    assert!(world.is_publishing(publisher));
    publisher
}

#[test]
fn publishers_whose_bytes_wait_outlast_our_lateness() {
    for by in PROTOCOLS {
        for is_watched in [false, true] {
            on_any_shards(
                |_| {},
                |mut world, there, here| {
                    let first = publisher(&mut world, by, there);
                    let player = is_watched.then(|| world.rtmp(here, Play, "live", "x", 9));
                    world.stand_still(LONG);
                    world.arrive_unnoticed(first, "P40");
                    // Somebody has come meanwhile, and is heard first.
                    let newcomer = world.http_push(here, "/live/x", 2);
                    world.push(newcomer, "V A K0");
                    for time in 2..20 {
                        world.pass(Duration::from_millis(40));
                        world.offer(first, &format!("P{}", time * 40));
                    }
                    assert!(world.is_publishing(first), "{by:?} {is_watched}");
                    assert_eq!(world.status(newcomer), "HTTP/1.1 409 Conflict");
                    if let Some(player) = player {
                        let pictures: Vec<_> = (1..20).map(|time| format!("P{}", time * 40)).collect();
                        assert!(world.frames_of(player).ends_with(&pictures.join(" ")));
                    }
                },
            );
        }
    }
}

#[test]
fn a_publisher_that_goes_on_while_we_are_late_is_heard() {
    let mut world = World::new(1, |_| {});
    let first = publisher(&mut world, Protocol::Rtmp, 0);
    // It is silent for long enough, which the last look has found.
    world.pass(Duration::from_millis(1_050));
    let newcomer = world.http_push(0, "/live/x", 1);
    world.push(newcomer, "V A K0");
    assert!(world.is_publishing(first), "it is looked at again");
    world.stand_still(Duration::from_millis(1_500));
    world.arrive_unnoticed(first, "P40");
    for time in 2..20 {
        world.pass(Duration::from_millis(40));
        world.offer(first, &format!("P{}", time * 40));
    }
    assert!(world.is_publishing(first));
    assert_eq!(world.status(newcomer), "HTTP/1.1 409 Conflict");
}

#[test]
fn requests_that_wait_unread_outlast_our_lateness() {
    let mut world = World::new(1, |_| {});
    let first = publisher(&mut world, Protocol::Http, 0);
    let begun = world.connect(0, Protocol::Http, 9);
    world.send(begun, b"GET /live/x HT");
    let quiet = world.connect(0, Protocol::Http, 9);
    world.stand_still(LONG);
    world.arrive_unnoticed(first, "P40");
    world.arrive_unnoticed_bytes(begun, b"TP/1.0\r\n\r\n");
    world.arrive_unnoticed_bytes(quiet, b"GET /live/x HTTP/1.0\r\n\r\n");
    world.pass(Duration::from_millis(40));
    for player in [begun, quiet] {
        assert_eq!(world.status(player), "HTTP/1.1 200 OK");
        assert!(world.seen(player).ends_with("K0 P40"));
    }
}

#[test]
fn a_handshake_that_waits_unread_outlasts_our_lateness() {
    let mut world = World::new(1, |_| {});
    let client = world.connect(0, Protocol::Rtmp, 9);
    world.stand_still(LONG);
    let mut hello = Vec::from([3]);
    hello.resize(1 + 1_536, 0);
    world.arrive_unnoticed_bytes(client, &hello);
    world.pass(Duration::from_millis(1_500));
    assert_eq!(world.clients[client].received.len(), 1 + 2 * 1_536);
    assert!(!world.clients[client].is_shut_down(), "it could not answer before");
    world.pass(LOOKS_IF_LATE);
    assert!(world.clients[client].is_shut_down());
}

#[test]
fn players_that_take_bytes_again_outlast_our_lateness() {
    for is_half_closed in [false, true] {
        let mut world = World::new(1, |_| {});
        let first = publisher(&mut world, Protocol::Rtmp, 0);
        let player = world.http_play(0, "/live/x");
        if is_half_closed {
            world.finish(player);
        }
        world.take(player, 0);
        let mut time = 0;
        let mut publish_for = |world: &mut World, seconds: u64| {
            for _ in 0..seconds * 25 {
                time += 40;
                world.publish(first, &format!("a{time} P{time}"));
                world.pass(Duration::from_millis(40));
            }
        };
        // It has been seen to take nothing once, and a little more is too much.
        publish_for(&mut world, if is_half_closed { 9 } else { 18 });
        assert!(!world.clients[player].is_shut_down());
        world.stand_still(LONG);
        world.settle();
        world.take(player, usize::MAX);
        publish_for(&mut world, 20);
        assert!(!world.clients[player].is_shut_down() && !world.clients[player].is_closed());
    }
}

#[test]
fn a_deadline_that_is_met_after_a_stop_is_not_silence() {
    for by in PROTOCOLS {
        let mut world = World::new(1, |_| {});
        let first = publisher(&mut world, by, 0);
        world.stand_still(Duration::from_secs(30));
        world.arrive_unnoticed(first, "P40");
        world.pass(Duration::from_secs(1));
        assert!(world.is_publishing(first));
    }
}

#[test]
fn silence_is_seen_though_we_were_late() {
    for by in PROTOCOLS {
        let mut world = World::new(1, |_| {});
        let first = publisher(&mut world, by, 0);
        world.stand_still(LONG);
        world.pass(LOOKS_IF_LATE);
        assert!(!world.is_publishing(first) && world.clients[first].is_shut_down());
    }
}

#[test]
fn a_silent_publisher_ends_in_time() {
    for by in PROTOCOLS {
        let mut world = World::new(1, |_| {});
        let first = publisher(&mut world, by, 0);
        world.pass(Duration::from_millis(29_999));
        assert!(world.is_publishing(first));
        world.pass(Duration::from_millis(1));
        assert!(!world.is_publishing(first) && world.clients[first].is_shut_down());
    }
}
