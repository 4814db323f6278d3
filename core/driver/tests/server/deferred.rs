//! When publishers are read: in time for players, seldom without any.

use crate::world::World;
use headwater_core::rtmp::Purpose::{Play, Publish};
use std::time::Duration;

/// One frame each 20 ms, as its encoder sends them.
fn publish_for(world: &mut World, publisher: usize, millis: u32) {
    let now = u32::try_from(world.now.as_millis()).unwrap();
    for time in (now..now + millis).step_by(20) {
        world.push(publisher, &format!("a{time}"));
        world.pass(Duration::from_millis(20));
    }
}

/// An HTTP publisher whose first keyframe has come.
fn publisher(world: &mut World, shard: usize) -> usize {
    let publisher = world.http_push(shard, "/live/x", 1);
    world.push(publisher, "V A a0 K0");
    publisher
}

#[test]
fn an_unwatched_publisher_is_read_ten_times_a_second() {
    let mut world = World::new(1, |_| {});
    let publisher = publisher(&mut world, 0);
    let before = world.clients[publisher].peer.reads();
    publish_for(&mut world, publisher, 2_000);
    let reads = world.clients[publisher].peer.reads() - before;
    assert!((19..=21).contains(&reads), "{reads}");
}

#[test]
fn a_joiner_gets_what_came_so_far_then_each_frame_at_once() {
    for watching in 0..2 {
        let mut world = World::new(2, |_| {});
        let publisher = publisher(&mut world, 0);
        world.push(publisher, "P40");
        let by_http = world.http_play(watching, "/live/x");
        assert_eq!(world.seen(by_http), "A0 V0 K0 P40");
        for time in ["P80", "P120"] {
            world.push(publisher, time);
            assert!(world.seen(by_http).ends_with(time));
        }
        let by_rtmp = world.rtmp(watching, Play, "live", "x", 2);
        assert_eq!(world.heard(by_rtmp), "[Started] A0 V0 K0 P40 P80 P120");
    }
}

#[test]
fn a_player_that_waits_has_its_publisher_read() {
    let mut world = World::new(2, |_| {});
    let waiting = world.http_play(1, "/live/x?wait=5");
    let publisher = publisher(&mut world, 0);
    world.push(publisher, "P40");
    assert!(world.seen(waiting).ends_with("P40"));
}

#[test]
fn once_the_last_player_has_left_reads_are_deferred_again() {
    let mut world = World::new(2, |_| {});
    let publisher = publisher(&mut world, 0);
    for shard in 0..2 {
        let player = world.http_play(shard, "/live/x");
        world.reset(player);
    }
    // The other worker keeps it for five seconds.
    publish_for(&mut world, publisher, 5_100);
    let before = world.clients[publisher].peer.reads();
    publish_for(&mut world, publisher, 1_000);
    let reads = world.clients[publisher].peer.reads() - before;
    assert!((9..=11).contains(&reads), "{reads}");
}

#[test]
fn a_file_pushed_at_full_speed_does_not_wait() {
    let mut world = World::new(1, |_| {});
    let publisher = publisher(&mut world, 0);
    let second = "a0 ".repeat(10_000);
    for _ in 0..10 {
        world.push(publisher, &second);
        // At most what may wait for an unwatched publisher's next turn.
        assert!(world.clients[publisher].peer.unread() < 64 << 10);
    }
}

#[test]
fn a_publisher_that_falls_silent_causes_no_wakeups() {
    let mut world = World::new(1, |_| {});
    let publisher = publisher(&mut world, 0);
    publish_for(&mut world, publisher, 200);
    world.pass(Duration::from_secs(1));
    let due = world.shards[0].poll_timeout().unwrap();
    assert!(due.since(world.now) > Duration::from_secs(1), "{due}");
    let before = world.clients[publisher].peer.reads();
    world.push(publisher, "a2000");
    assert_eq!(world.clients[publisher].peer.reads() - before, 1);
}

#[test]
fn a_publisher_that_waits_for_acknowledgements_gets_them() {
    // Window Acknowledgement Size, 64 KiB: it wants one per 32 KiB.
    let window = [2, 0, 0, 0, 0, 0, 4, 5, 0, 0, 0, 0, 0, 1, 0, 0];
    for has_begun in [false, true] {
        let mut world = World::new(1, |_| {});
        let publisher = world.rtmp(0, Publish, "live", "x", 1);
        if has_begun {
            world.publish(publisher, "V A K0");
        }
        world.send(publisher, &window);
        world.pass(Duration::from_millis(100));
        world.publish(publisher, "V A K0");
        let before = world.clients[publisher].peer.reads();
        world.publish(publisher, "P40");
        assert_eq!(world.clients[publisher].peer.reads() - before, 1);
    }
}

#[test]
fn a_publisher_that_is_gone_leaves_no_deadline() {
    for is_clean in [false, true] {
        let mut world = World::new(1, |_| {});
        let publisher = publisher(&mut world, 0);
        world.push(publisher, "P40");
        if is_clean {
            world.finish(publisher);
        } else {
            world.reset(publisher);
        }
        world.pass(Duration::from_secs(11));
        assert_eq!(world.shards[0].poll_timeout(), None);
    }
}
