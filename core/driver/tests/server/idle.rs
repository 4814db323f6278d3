//! What is kept of a stream from another worker when its last player has left, and what plays cost that come and go.

use crate::world::World;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::{Protocol, ServerStats};
use std::time::Duration;

/// How long it is kept.
const IDLE_TIME: Duration = Duration::from_secs(5);

/// A stream on the first worker, whose player on the second has left just now.
fn with_idle_replica() -> (World, usize) {
    let mut world = World::new(2, |_| {});
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "V A K0 a0");
    let player = world.http_play(1, "/live/x");
    assert_eq!(world.seen(player), "A0 V0 K0 a0");
    world.reset(player);
    (world, publisher)
}

/// Copies that the first worker sends of its streams.
fn replicas(world: &World) -> usize {
    let views = world.shards[0].server().streams(world.now);
    views.iter().map(|view| view.replicas).sum()
}

fn stats(world: &World) -> ServerStats {
    world.shards[1].server().stats()
}

/// Nothing is left on the second worker but what its players have got of the name.
#[track_caller]
fn assert_nothing_is_kept(world: &World) {
    let stats = stats(world);
    assert_eq!((stats.streams, replicas(world)), (0, 0));
    assert!(stats.memory_held < 1_024, "{}", stats.memory_held);
}

#[test]
fn a_player_that_comes_back_joins_what_is_there() {
    let (mut world, publisher) = with_idle_replica();
    assert_eq!((stats(&world).streams, replicas(&world)), (0, 1));
    for round in 1..5 {
        world.publish(publisher, &format!("P{0} a{0}", round * 40));
        // Whatever is asked of another worker is not answered.
        world.delivers = false;
        let player = world.http_play(1, "/live/x");
        let frames = (1..=round).map(|it| format!(" P{0} a{0}", it * 40));
        assert_eq!(world.seen(player), format!("A0 V0 K0 a0{}", frames.collect::<String>()));
        world.reset(player);
        world.delivers = true;
        world.pass(Duration::from_secs(4));
    }
}

#[test]
fn a_replica_that_nobody_plays_goes_after_5_s() {
    let (mut world, _) = with_idle_replica();
    let end = world.now + IDLE_TIME;
    assert_eq!(world.shards[1].poll_timeout(), Some(end), "no look at it before");
    world.pass(IDLE_TIME - Duration::from_millis(1));
    assert_eq!(replicas(&world), 1);
    world.pass(Duration::from_millis(1));
    assert_nothing_is_kept(&world);
}

#[test]
fn a_player_that_stays_keeps_its_replica() {
    let (mut world, publisher) = with_idle_replica();
    let player = world.http_play(1, "/live/x");
    world.pass(2 * IDLE_TIME);
    world.publish(publisher, "K9000");
    assert!(world.seen(player).ends_with(" K9000"));
    world.reset(player);
    world.pass(IDLE_TIME);
    assert_nothing_is_kept(&world);
}

#[test]
fn an_idle_replica_ends_with_its_stream() {
    let mut world = World::new(2, |config| config.grace = Duration::from_secs(1));
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "V A K0 a0");
    let player = world.rtmp(1, Play, "live", "x", 2);
    world.reset(player);
    world.reset(publisher);
    assert!(stats(&world).memory_held > 0);
    world.pass(Duration::from_secs(1));
    assert_nothing_is_kept(&world);
}

#[test]
fn a_stream_that_is_published_where_it_was_idle_goes_on() {
    let (mut world, publisher) = with_idle_replica();
    world.reset(publisher);
    let publisher = world.rtmp(1, Publish, "live", "x", 1);
    world.publish(publisher, "V A K0 a0");
    let players = [0, 1].map(|worker| world.rtmp(worker, Play, "live", "x", 2));
    world.pass(2 * IDLE_TIME);
    world.publish(publisher, "K9000");
    for player in players {
        assert!(
            world.frames_of(player).ends_with(" K9000"),
            "{}",
            world.frames_of(player)
        );
        world.reset(player);
    }
    world.reset(publisher);
    world.pass(Duration::from_secs(11));
    assert!(world.servers().all(|server| server.stats().memory_held == 0));
}

/// The home is asked by the first message of a player that has left before it hears an answer.
#[test]
fn a_stream_that_is_not_there_is_not_kept() {
    for name in 0..8 {
        let mut world = World::new(2, |_| {});
        world.delivers = false;
        let player = world.http_play(1, &format!("/live/{name}"));
        world.reset(player);
        world.delivers = true;
        world.settle();
        assert_nothing_is_kept(&world);
        assert_eq!(world.shards[0].server().stats().names, 0);
    }
}

/// What it has caused is not undone by its end.
#[test]
fn a_player_that_leaves_before_the_snapshot_costs_one() {
    let mut world = World::new(2, |_| {});
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "V A K0 a0");
    world.delivers = false;
    for _ in 0..10 {
        let player = world.http_play(1, "/live/x");
        world.reset(player);
    }
    world.delivers = true;
    world.settle();
    assert_eq!(replicas(&world), 1);
    world.delivers = false;
    let player = world.http_play(1, "/live/x");
    assert_eq!(world.seen(player), "A0 V0 K0 a0");
}

#[test]
fn of_more_than_256_idle_replicas_the_first_goes() {
    let mut world = World::new(2, |_| {});
    for number in 0..260 {
        let publisher = world.http_push(0, &format!("/live/{number}"), 1);
        world.push(publisher, "A a0");
        let player = world.http_play(1, &format!("/live/{number}"));
        world.reset(player);
    }
    let views = world.shards[0].server().streams(world.now);
    let idle: Vec<_> = views.iter().filter(|view| view.replicas == 1).collect();
    assert_eq!(idle.len(), 256);
}

#[test]
fn idle_replicas_go_first_when_memory_is_short() {
    const MIB: usize = 1 << 20;
    let mut world = World::new(2, |config| config.memory_budget = 8 * MIB);
    for name in ["x", "y"] {
        let publisher = world.rtmp(0, Publish, "live", name, 1);
        world.publish(publisher, "V A K0:1000000 a0 P40:1000000");
        let player = world.http_play(1, &format!("/live/{name}"));
        world.reset(player);
    }
    assert_eq!(replicas(&world), 2);
    let publisher = world.rtmp(1, Publish, "live", "z", 1);
    world.publish(publisher, "V A K0:1000000 a0 P40:4000000");
    let player = world.http_play(1, "/live/z");
    assert_eq!(replicas(&world), 0, "{:?}", stats(&world));
    assert_eq!(stats(&world).relief_rings, 2);
    assert_eq!(world.seen(player), "A0 V0 K0 a0 P40", "nothing of it was cut");
}

/// How often a peer of `host` may play a stream on `worker` at once, leaving each time.
fn plays(world: &mut World, worker: usize, host: u8) -> usize {
    let is_served = |_: &u32| {
        let player = world.connect(worker, Protocol::Http, host);
        world.send(player, b"GET /live/x HTTP/1.0\r\n\r\n");
        world.reset(player);
        world.status(player) == "HTTP/1.0 200 OK" || world.status(player) == "HTTP/1.1 200 OK"
    };
    (0..1_000).take_while(is_served).count()
}

/// 20 requests a second are 200 at once; a play of 8,000 frames is 32 of them, and 94 if these come from another worker first.
#[test]
fn a_play_takes_as_many_requests_as_its_frames_cost() {
    for (frames, expected) in [(10, [200, 200]), (8_000, [7, 5])] {
        for worker in [0, 1] {
            let mut world = World::new(2, |config| config.max_requests_per_second_per_address = 20);
            let publisher = world.rtmp(0, Publish, "live", "x", 1);
            let pictures = (1..frames).map(|number| format!(" P{}", number * 5));
            world.publish(publisher, &format!("V A K0 a0{}", pictures.collect::<String>()));
            // A publisher that nobody watches is not read at once.
            world.pass(Duration::from_millis(200));
            assert_eq!(plays(&mut world, worker, 66), expected[worker], "of {frames} frames");
            let other = world.connect(worker, Protocol::Http, 9);
            world.send(other, b"GET /live/x HTTP/1.0\r\n\r\n");
            assert!(world.status(other).ends_with("200 OK"), "another address may");
            world.pass(Duration::from_secs(10));
            assert!(plays(&mut world, worker, 66) > 0, "ten seconds later it may again");
        }
    }
}
