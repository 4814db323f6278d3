//! A server that is given another configuration while it runs. One case for each field.

use crate::world::World;
use headwater_core::http::AllowedOrigin;
use headwater_core::rtmp::Purpose::Publish;
use headwater_core::server::{Answer, Config, HttpAbsent, Protocol, Takeover};
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

impl World {
    /// Gives all shards another configuration.
    pub(super) fn reconfigure(&mut self, change: impl Fn(&mut Config)) {
        for shard in 0..self.shards.len() {
            self.reconfigure_shard(shard, &change);
        }
        self.settle();
    }

    fn reconfigure_shard(&mut self, shard: usize, change: impl Fn(&mut Config)) {
        let mut config = Config::default();
        change(&mut config);
        self.shards[shard].server_mut().reconfigure(self.now, Arc::new(config));
    }

    fn ask(&mut self, client: usize, head: &str) {
        self.send(client, format!("{head} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
    }
}

#[test]
fn limits_apply_to_new_connections() {
    let mut world = World::new(1, |_| {});
    let old = world.connect(0, Protocol::Rtmp, 1);
    world.reconfigure(|config| config.limits.handshake_timeout = SECOND);
    let new = world.connect(0, Protocol::Rtmp, 1);
    world.pass(SECOND * 4);
    assert!(world.clients[new].is_closed() && !world.clients[old].is_shut_down());
    world.pass(SECOND * 10);
    assert!(world.clients[old].is_closed());
}

#[test]
fn limits_that_the_server_keeps_apply_at_once() {
    let mut world = World::new(1, |_| {});
    let old = world.connect(0, Protocol::Http, 1);
    world.ask(old, "HEAD /live/x");
    world.reconfigure(|config| config.limits.max_requests_per_second = 2);
    world.ask(old, "HEAD /live/x");
    assert!(!world.clients[old].is_shut_down());
    world.ask(old, "HEAD /live/x");
    assert!(world.clients[old].is_shut_down());
}

#[test]
fn what_channels_keep_applies_to_new_streams() {
    let mut world = World::new(2, |_| {});
    let old = world.http_push(0, "/live/old", 1);
    world.push(old, "V A K0 a5");
    world.reconfigure(|config| config.channel.gop_cache = false);
    let new = world.http_push(0, "/live/new", 1);
    world.push(new, "V A K0 a5");
    world.push(old, "K40 P80");
    let players = ["/live/old", "/live/new"].map(|path| world.http_play(0, path));
    assert_eq!(players.map(|player| world.seen(player)), ["A0 V0 K0 P40", "A0 V0"]);
    // The stream is new on the other worker: the first player there gets what comes with the replica, the next one waits.
    let elsewhere = [(); 2].map(|()| world.http_play(1, "/live/old"));
    assert_eq!(elsewhere.map(|player| world.seen(player)), ["A0 V0 K0 P40", "A0 V0"]);
}

#[test]
fn grace_applies_to_publishers_that_leave_from_then_on() {
    let mut world = World::new(2, |_| {});
    let pushes = ["/live/a", "/live/b"].map(|path| {
        let push = world.http_push(0, path, 1);
        world.push(push, "A a0");
        push
    });
    let players = ["/live/a", "/live/b"].map(|path| world.http_play(1, path));
    world.reset(pushes[0]);
    world.reconfigure(|config| config.grace = SECOND);
    world.reset(pushes[1]);
    world.pass(SECOND * 2);
    assert_eq!(
        players.map(|player| world.clients[player].is_shut_down()),
        [false, true]
    );
    world.pass(SECOND * 9);
    assert!(world.clients[players[0]].is_shut_down());
}

#[test]
fn takeover_applies_at_once() {
    let mut world = World::new(2, |_| {});
    let mut publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "A a0");
    for (takeover, is_replaced) in [
        (Takeover::Never, false),
        (Takeover::Always, true),
        (Takeover::Never, false),
    ] {
        world.reconfigure(|config| config.takeover = takeover);
        let newcomer = world.http_push(1, "/live/x", 2);
        world.push(newcomer, "A a0");
        assert_eq!(world.is_publishing(newcomer), is_replaced);
        assert_eq!(world.is_publishing(publisher), !is_replaced);
        if is_replaced {
            publisher = newcomer;
        }
    }
}

#[test]
fn events_are_kept_from_then_on_and_forgotten() {
    let mut world = World::new(1, |_| {});
    world.connect(0, Protocol::Rtmp, 1);
    world.reconfigure(|config| config.keeps_events = true);
    assert_eq!(world.shards[0].poll_event(), None);
    world.connect(0, Protocol::Rtmp, 1);
    assert!(world.shards[0].poll_event().is_some());
    world.connect(0, Protocol::Rtmp, 1);
    world.reconfigure(|_| {});
    assert_eq!(world.shards[0].poll_event(), None);
}

#[test]
fn what_is_asked_applies_to_new_requests() {
    let mut world = World::new(1, |_| {});
    let old = world.rtmp(0, Publish, "live", "old", 1);
    world.reconfigure(|config| config.authorize.publish = true);
    world.publish(old, "A a0");
    assert!(world.is_publishing(old));
    let new = world.http_push(0, "/live/new", 1);
    world.reconfigure(|_| {});
    world.push(new, "A a0");
    assert!(!world.is_publishing(new), "it still waits for its answer");
    world.answer(Answer::allow());
    assert!(world.is_publishing(new));
    let later = world.http_push(0, "/live/later", 1);
    world.push(later, "A a0");
    assert!(world.is_publishing(later));
}

#[test]
fn allowed_origins_apply_to_new_connections() {
    let mut world = World::new(1, |_| {});
    let request = "POST /live/x HTTP/1.1\r\nHost: h\r\nOrigin: http://page\r\nContent-Length: 0\r\n\r\n";
    let old = world.connect(0, Protocol::Http, 1);
    world.reconfigure(|config| config.allowed_origins = [AllowedOrigin::Any].into());
    let new = world.connect(0, Protocol::Http, 1);
    for client in [old, new] {
        world.send(client, request.as_bytes());
    }
    assert_eq!(world.status(old), "HTTP/1.1 403 Forbidden");
    assert_eq!(world.status(new), "HTTP/1.1 400 Bad Request", "it has no tags");
}

#[test]
fn waits_apply_to_new_requests() {
    let mut world = World::new(2, |config| config.http_absent = HttpAbsent::Wait(SECOND * 5));
    let old = world.http_play(0, "/live/x");
    world.reconfigure(|config| {
        config.http_max_wait = SECOND;
        config.rtmp_wait = SECOND;
    });
    let refused = world.http_play(0, "/live/x");
    assert_eq!(world.status(refused), "HTTP/1.1 404 Not Found");
    let waits = world.http_play(0, "/live/x?wait=60");
    let by_rtmp = world.rtmp(0, headwater_core::rtmp::Purpose::Play, "live", "x", 1);
    world.pass(SECOND * 2);
    assert_eq!(world.status(waits), "HTTP/1.1 404 Not Found");
    assert!(world.clients[by_rtmp].is_shut_down());
    assert_eq!(world.status(old), "");
    world.pass(SECOND * 4);
    assert_eq!(world.status(old), "HTTP/1.1 404 Not Found");
}

#[test]
fn places_apply_at_once_and_nobody_loses_one() {
    let mut world = World::new(1, |_| {});
    let old = [(); 3].map(|()| world.http_play(0, "/live/x?wait=10"));
    for change in [
        |config: &mut Config| config.max_waiting_players = 2,
        |config: &mut Config| config.max_waiting_players_per_address = 2,
    ] {
        world.reconfigure(change);
        let new = world.http_play(0, "/live/x?wait=10");
        assert_eq!(world.status(new), "HTTP/1.1 503 Service Unavailable");
    }
    world.pass(SECOND * 2);
    world.reconfigure(|config| config.max_connections = 2);
    let late = world.http_play(0, "/live/x?wait=10");
    assert_eq!(world.status(late), "HTTP/1.1 503 Service Unavailable");
    let push = old.map(|client| world.status(client));
    assert_eq!(push, ["", "", ""]);
    world.reconfigure(|_| {});
    let push = world.http_push(0, "/live/x", 1);
    world.push(push, "A a0 a23");
    for player in old {
        assert_eq!(world.status(player), "HTTP/1.1 200 OK");
    }
}

/// One worker has heard of other bounds than another when a stream goes over to it, and that worker falls behind.
#[test]
fn workers_with_other_bounds_go_on_with_a_stream() {
    let bounds = |bytes: usize| {
        move |config: &mut Config| {
            config.channel.gop_max_bytes = bytes;
            config.channel.lag_max_bytes = bytes;
        }
    };
    for (first, second) in [(5_000, 5_000_000), (5_000_000, 5_000)] {
        for reconfigured in 0..2 {
            let mut world = World::new(2, bounds(first));
            let publisher = world.http_push(0, "/live/x", 1);
            world.push(publisher, "V A K0 a5");
            world.reconfigure_shard(reconfigured, bounds(second));
            let player = world.http_play(1, "/live/x");
            world.reconfigure_shard(1 - reconfigured, bounds(second));
            world.stopped = Some(1);
            for second in 1..200 {
                let pictures = (1..10).map(|frame| format!("P{}", second * 1_000 + frame * 100));
                world.push(publisher, &format!("K{}", second * 1_000));
                pictures.for_each(|picture| world.push(publisher, &picture));
            }
            world.stopped = None;
            world.settle();
            for _ in 0..3 {
                world.push(publisher, "K300000 a300005");
                world.push(publisher, "P300040");
            }
            assert!(
                world.seen(player).contains("K30"),
                "{first} {reconfigured}: {}",
                world.seen(player)
            );
        }
    }
}
