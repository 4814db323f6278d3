//! What RTMP clients hear, alone and together with HTTP clients.

use super::world::World;
use crate::server::Config;
use crate::session::Purpose::{Play, Publish};
use alloc::format;
use core::time::Duration;

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
        !world.clients[player].is_closed,
        "the wait was over when the publisher came"
    );
}

#[test]
fn a_wait_for_a_publisher_has_an_end() {
    let mut world = World::new(1, |_| {});
    let player = world.rtmp(0, Play, "live", "x", 2);
    world.pass(Duration::from_secs(29));
    assert_eq!(world.heard(player), "[Started]");
    world.pass(Duration::from_secs(2));
    assert_eq!(world.heard(player), "[Started] [unpublished]");
    world.pass(Duration::from_secs(5));
    assert!(world.servers[0].is_drained());
}

#[test]
fn a_name_that_is_taken_is_refused_with_a_reason() {
    let mut world = World::new(2, |_| {});
    let first = world.rtmp(0, Publish, "live", "x", 1);
    let second = world.rtmp(1, Publish, "live", "x", 2);
    assert_eq!(world.heard(second), "[NetStream.Publish.BadName]");
    assert!(world.clients[second].is_shut_down);
    world.publish(first, "V A K0");
}

#[test]
fn the_end_of_a_stream_is_told_after_the_grace_time() {
    let mut world = World::new(2, |_| {});
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "V A K0 a5");
    let player = world.rtmp(1, Play, "live", "x", 2);
    world.reset(publisher);
    world.pass(Duration::from_secs(9));
    assert_eq!(world.heard(player), "[Started] A0 V0 K0 a5");
    world.pass(Duration::from_secs(2));
    assert_eq!(world.heard(player), "[Started] A0 V0 K0 a5 [unpublished]");
}

#[test]
fn apps_with_several_segments_and_queries_meet() {
    let mut world = World::new(1, |_| {});
    let publisher = world.rtmp(0, Publish, "live/a", "b?token=x", 1);
    world.publish(publisher, "V A K0 a5");
    let rtmp = world.rtmp(0, Play, "live", "a/b", 2);
    let http = world.http_play(0, "/live/a/b.flv?token=y");
    assert_eq!(world.heard(rtmp), "[Started] A0 V0 K0 a5");
    assert_eq!(world.seen(http), "A0 V0 K0 a5");
}

#[test]
fn too_many_who_wait_for_one_stream_are_turned_away() {
    let mut world = World::new(1, |config: &mut Config| config.max_waiting_players = 2);
    let players = [0, 1, 2].map(|_| world.rtmp(0, Play, "live", "x", 2));
    assert_eq!(
        players.map(|player| world.heard(player)),
        ["[Started]", "[Started]", "[NetStream.Play.Failed]"]
    );
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
