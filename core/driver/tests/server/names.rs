//! One stream, whichever way its name was written.

use crate::streams::on_any_shards;
use crate::world::World;
use headwater_core::rtmp::Purpose::Publish;
use headwater_core::server::Protocol;
use std::time::Duration;

/// An encoder that publishes by RTMP what was typed, escapes and all.
fn encoder(world: &mut World, shard: usize, name: &str) -> usize {
    let encoder = world.rtmp(shard, Publish, "live", name, 1);
    world.publish(encoder, "V A K0 a5");
    encoder
}

fn assert_nothing_is_left(world: &mut World) {
    world.pass(Duration::from_secs(11));
    for server in world.servers() {
        assert_eq!((server.stats().streams, server.poll_timeout()), (0, None));
    }
}

#[test]
fn a_name_alone_is_in_the_default_app() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let encoder = world.rtmp(there, Publish, "x", "", 1);
            world.publish(encoder, "V A K0 a5");
            for path in ["/x", "/x.flv", "/x/", "/live/x"] {
                let player = world.http_play(here, path);
                assert_eq!(world.seen(player), "A0 V0 K0 a5", "{path}");
            }
            let push = world.http_push(here, "/y", 1);
            world.push(push, "V A K0 a5");
            let player = world.http_play(there, "/live/y");
            assert_eq!(world.seen(player), "A0 V0 K0 a5");
        },
    );
}

#[test]
fn a_name_with_escapes_is_found_by_the_same_path() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            encoder(&mut world, there, "TEST%20STREAM");
            let player = world.http_play(here, "/live/TEST%20STREAM");
            assert_eq!(world.seen(player), "A0 V0 K0 a5");
            let decoded = world.http_play(here, "/live/TEST%2520STREAM");
            assert_eq!(world.seen(decoded), "A0 V0 K0 a5");
            let probe = world.connect(here, Protocol::Http, 1);
            world.send(probe, b"HEAD /live/TEST%20STREAM HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_eq!(world.status(probe), "HTTP/1.1 200 OK");
            world.send(probe, b"HEAD /live/TEST%20STREAMS HTTP/1.1\r\nHost: h\r\n\r\n");
            assert!(world.clients[probe].received.ends_with(b"Retry-After: 2\r\n\r\n"));
        },
    );
}

#[test]
fn the_decoded_name_is_the_first_choice() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            encoder(&mut world, there, "a%41");
            let decoded = encoder(&mut world, here, "aA");
            let player = world.http_play(here, "/live/a%41");
            world.publish(decoded, "P40");
            assert_eq!(world.seen(player), "A0 V0 K0 a5 P40");
            let push = world.http_push(here, "/live/b%41", 1);
            world.push(push, "V A K0 a5");
            let player = world.http_play(there, "/live/bA");
            assert_eq!(world.seen(player), "A0 V0 K0 a5", "a push has the decoded name");
        },
    );
}

#[test]
fn a_player_waits_for_either_name() {
    for name in ["a%41", "aA"] {
        on_any_shards(
            |_| {},
            |mut world, there, here| {
                let players = [0, 0].map(|_| world.http_play(here, "/live/a%41?wait=10"));
                world.pass(Duration::from_secs(5));
                let encoder = encoder(&mut world, there, name);
                for player in players {
                    assert_eq!(world.seen(player), "A0 V0 K0 a5", "{name}");
                }
                // They wait for nothing any more.
                world.pass(Duration::from_secs(6));
                world.publish(encoder, "P40");
                for player in players {
                    assert!(world.seen(player).ends_with(" P40"), "{}", world.seen(player));
                    world.reset(player);
                }
                world.reset(encoder);
                assert_nothing_is_left(&mut world);
            },
        );
    }
}

#[test]
fn a_player_finds_either_name_in_any_order_of_news() {
    for seed in 1..100 {
        for path in ["/live/a%41", "/live/a%2541"] {
            let mut world = World::new(3, |_| {});
            world.random = seed;
            world.delivers = false;
            let players = [0, 1, 2].map(|shard| world.http_play(shard, "/live/a%41?wait=10"));
            let push = world.http_push(0, path, 1);
            world.push(push, "V A K0 a5");
            world.delivers = true;
            world.settle();
            for player in players {
                assert_eq!(world.seen(player), "A0 V0 K0 a5", "{path}, seed {seed}");
                world.reset(player);
            }
            world.reset(push);
            assert_nothing_is_left(&mut world);
        }
    }
}

#[test]
fn a_wait_for_two_names_needs_a_place_at_both() {
    on_any_shards(
        |config| config.max_waiting_players_per_stream = 1,
        |mut world, _, here| {
            world.http_play(here, "/live/aA?wait=5");
            let player = world.http_play(here, "/live/a%41?wait=5");
            assert_eq!(world.status(player), "HTTP/1.1 503 Service Unavailable");
        },
    );
}

#[test]
fn a_wait_for_two_names_ends_once() {
    on_any_shards(
        |config| config.max_waiting_players_per_stream = 2,
        |mut world, _, here| {
            let [first, second, third] = [(); 3].map(|()| world.http_play(here, "/live/a%41?wait=5"));
            assert_eq!(world.status(third), "HTTP/1.1 503 Service Unavailable");
            world.reset(second);
            let fourth = world.http_play(here, "/live/a%41?wait=5");
            world.pass(Duration::from_secs(6));
            for player in [first, fourth] {
                assert_eq!(world.status(player), "HTTP/1.1 404 Not Found");
            }
            assert_nothing_is_left(&mut world);
        },
    );
}
