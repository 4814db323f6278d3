//! Peers that an operator ends and keeps away.

use crate::streams::on_any_shards;
use crate::world::World;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::{Kick, Protocol};
use headwater_core::{StreamKey, Time};
use std::time::Duration;

const TEN_SECONDS: Duration = Duration::from_secs(10);

impl World {
    /// Has every shard kick; how many connections that ended.
    fn kick(&mut self, kick: &Kick) -> usize {
        let kicked = self
            .shards
            .iter_mut()
            .map(|it| it.server_mut().kick(self.now, kick))
            .sum();
        self.settle();
        kicked
    }

    /// All that a client was sent, as text.
    fn text(&self, client: usize) -> String {
        String::from_utf8_lossy(&self.clients[client].received).into()
    }
}

fn key(name: &str) -> StreamKey {
    StreamKey::new(name).unwrap()
}

#[test]
fn a_kicked_publisher_is_told_and_kept_away_for_a_while() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let encoder = world.rtmp(there, Publish, "live", "x", 1);
            world.publish(encoder, "V A K0 a5");
            let kick = Kick::connection(world.id(encoder)).with_ban(TEN_SECONDS);
            assert_eq!(world.kick(&kick), 1);
            assert!(
                world.heard(encoder).contains("[NetStream.Publish.Denied]"),
                "{}",
                world.heard(encoder)
            );
            assert!(world.clients[encoder].is_shut_down());
            // It comes back, on another worker as well.
            world.pass(Duration::from_secs(2));
            for shard in [there, here] {
                let again = world.rtmp(shard, Publish, "live", "x", 1);
                assert!(
                    world.heard(again).ends_with("[NetStream.Publish.Denied]"),
                    "{}",
                    world.heard(again)
                );
                assert!(world.clients[again].is_shut_down());
            }
            // Another stream is none of that, nor is another address.
            let other = world.rtmp(here, Publish, "live", "y", 1);
            let neighbour = world.rtmp(here, Publish, "live", "x", 2);
            world.publish(other, "A a0");
            world.publish(neighbour, "A a0");
            assert!(world.is_publishing(other) && world.is_publishing(neighbour));
            world.reset(neighbour);
            world.pass(TEN_SECONDS);
            let again = world.rtmp(here, Publish, "live", "x", 1);
            world.publish(again, "A a0");
            assert!(world.is_publishing(again));
        },
    );
}

#[test]
fn a_kicked_push_gets_403_and_may_come_back_later() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let push = world.http_push(there, "/live/x", 1);
            world.push(push, "V A K0 a5");
            let kick = Kick::connection(world.id(push)).with_ban(TEN_SECONDS);
            assert_eq!(world.kick(&kick), 1);
            assert_eq!(world.status(push), "HTTP/1.1 403 Forbidden");
            assert!(
                world.text(push).contains("an operator has ended it"),
                "{}",
                world.text(push)
            );
            assert!(world.clients[push].is_shut_down());
            world.pass(Duration::from_millis(3_500));
            let again = world.http_push(here, "/live/x", 1);
            assert_eq!(world.status(again), "HTTP/1.1 403 Forbidden");
            assert!(
                world.text(again).contains("\r\nRetry-After: 7\r\n"),
                "{}",
                world.text(again)
            );
        },
    );
}

#[test]
fn a_kicked_player_ends_and_its_neighbours_stay() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let push = world.http_push(there, "/live/x", 1);
            world.push(push, "V A K0 a5");
            let kicked = world.rtmp(here, Play, "live", "x", 2);
            let neighbour = world.http_play(here, "/live/x");
            let kick = Kick::connection(world.id(kicked)).with_ban(TEN_SECONDS);
            assert_eq!(world.kick(&kick), 1);
            assert!(
                world.heard(kicked).ends_with("V0 K0 a5 [unpublished]"),
                "{}",
                world.heard(kicked)
            );
            assert!(world.clients[kicked].is_shut_down());
            world.push(push, "P40");
            assert!(world.seen(neighbour).ends_with("P40"));
            let again = world.rtmp(there, Play, "live", "x", 2);
            assert!(
                world.heard(again).ends_with("[NetStream.Play.Failed]"),
                "{}",
                world.heard(again)
            );
            let by_http = world.connect(there, Protocol::Http, 2);
            world.send(by_http, b"GET /live/x HTTP/1.0\r\n\r\n");
            assert_eq!(world.status(by_http), "HTTP/1.1 403 Forbidden");
            world.pass(TEN_SECONDS);
            let by_http = world.connect(there, Protocol::Http, 2);
            world.send(by_http, b"GET /live/x HTTP/1.0\r\n\r\n");
            assert_eq!(world.status(by_http), "HTTP/1.1 200 OK");
        },
    );
}

#[test]
fn a_kicked_stream_ends_everywhere_and_is_closed_to_everybody() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let push = world.http_push(there, "/live/x", 1);
            world.push(push, "V A K0 a5");
            let players = [there, here, here].map(|shard| world.http_play(shard, "/live/x"));
            let contender = world.http_push(here, "/live/x", 3);
            let other = world.http_push(there, "/live/y", 1);
            world.push(other, "A a0");
            assert_eq!(world.kick(&Kick::stream(key("live/x")).with_ban(TEN_SECONDS)), 5);
            for client in players.into_iter().chain([push, contender]) {
                assert!(world.clients[client].is_shut_down());
            }
            assert!(world.is_publishing(other));
            world.pass(Duration::from_secs(1));
            let stranger = world.rtmp(here, Publish, "live", "x", 7);
            assert!(
                world.heard(stranger).ends_with("[NetStream.Publish.Denied]"),
                "{}",
                world.heard(stranger)
            );
            let player = world.http_play(there, "/live/x.flv");
            assert_eq!(world.status(player), "HTTP/1.1 403 Forbidden");
            world.pass(TEN_SECONDS);
            let stranger = world.rtmp(here, Publish, "live", "x", 7);
            world.publish(stranger, "A a0");
            assert!(world.is_publishing(stranger));
        },
    );
}

#[test]
fn without_a_ban_a_kicked_encoder_is_back_at_once() {
    let mut world = World::new(1, |_| {});
    let push = world.http_push(0, "/live/x", 1);
    world.push(push, "A a0");
    let player = world.http_play(0, "/live/x");
    assert_eq!(world.kick(&Kick::connection(world.id(push))), 1);
    assert!(!world.is_publishing(push));
    let again = world.http_push(0, "/live/x", 1);
    world.push(again, "A a0 a23");
    assert!(world.is_publishing(again));
    assert!(!world.clients[player].is_shut_down(), "players stay for the grace time");
}

#[test]
fn a_kick_of_nobody_ends_nobody() {
    let mut world = World::new(2, |_| {});
    let push = world.http_push(0, "/live/x", 1);
    world.push(push, "A a0");
    let id = world.id(push);
    assert_eq!(world.kick(&Kick::stream(key("live/y"))), 0);
    assert_eq!(world.kick(&Kick::connection(id)), 1);
    assert_eq!(world.kick(&Kick::connection(id)), 0, "it is ending already");
    world.pass(Duration::from_secs(2));
    assert!(world.clients[push].is_closed());
    let other = world.http_push(0, "/live/x", 2);
    world.push(other, "A a0");
    assert_eq!(world.kick(&Kick::connection(id)), 0, "another has its place");
}

#[test]
fn a_player_that_waits_is_kicked_as_well() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let silent = world.connect(there, Protocol::Rtmp, 1);
            assert_eq!(world.kick(&Kick::connection(world.id(silent))), 1);
            assert!(world.clients[silent].is_shut_down());
            let waits = world.http_play(here, "/live/a%41?wait=10");
            let by_rtmp = world.rtmp(there, Play, "live", "aA", 2);
            assert_eq!(world.kick(&Kick::stream(key("live/a%41"))), 1, "as it was typed");
            assert_eq!(world.status(waits), "HTTP/1.1 403 Forbidden");
            assert_eq!(world.kick(&Kick::stream(key("live/aA"))), 1);
            assert!(world.clients[by_rtmp].is_shut_down());
            world.pass(Duration::from_secs(2));
            for server in world.servers() {
                assert_eq!((server.stats().connections, server.stats().streams), (0, 0));
            }
        },
    );
}

#[test]
fn a_ban_stops_a_claim_that_is_under_way() {
    for seed in 1..50 {
        let mut world = World::new(3, |_| {});
        world.random = seed;
        let push = world.http_push(0, "/live/x", 1);
        world.push(push, "A a0");
        world.delivers = false;
        let again = world.rtmp(1, Publish, "live", "x", 1);
        let kick = Kick::connection(world.id(push)).with_ban(TEN_SECONDS);
        assert_eq!(world.kick(&kick), 1);
        // The ban comes first; the name is granted after that.
        for to in [1, 2] {
            world.deliver_link(0, to);
        }
        world.delivers = true;
        world.settle();
        assert!(!world.is_publishing(again));
        assert!(
            world.heard(again).ends_with("[NetStream.Publish.Denied]"),
            "{}",
            world.heard(again)
        );
        let other = world.http_push(2, "/live/x", 2);
        world.push(other, "A a0");
        assert!(world.is_publishing(other), "the name is free for others");
    }
}

#[test]
fn a_kicked_peer_that_reads_nothing_is_closed_in_time() {
    let mut world = World::new(1, |_| {});
    let push = world.http_push(0, "/live/x", 1);
    world.push(push, "V A K0 a5");
    let player = world.connect(0, Protocol::Http, 2);
    world.clients[player].peer.set_window(0);
    world.send(player, b"GET /live/x HTTP/1.0\r\n\r\n");
    assert_eq!(world.kick(&Kick::connection(world.id(player))), 1);
    assert!(!world.clients[player].is_closed());
    world.pass(Duration::from_secs(4));
    assert!(world.clients[player].is_closed());
}

#[test]
fn bans_wake_nobody() {
    let mut world = World::new(2, |_| {});
    world.kick(&Kick::stream(key("live/x")).with_ban(TEN_SECONDS));
    let deadlines: Vec<Option<Time>> = world.servers().map(|server| server.poll_timeout()).collect();
    assert_eq!(deadlines, [None, None]);
}
