//! How many connections there may be, on all workers together, and what becomes of one too many.

use crate::world::World;
use headwater_core::Time;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::{Action, Config, Protocol, Server, ShardId};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const SERVED: &str = "HTTP/1.1 200 OK";
const REFUSED: &str = "HTTP/1.1 503 Service Unavailable";

/// A world with a stream, whose publisher has one of the places.
fn world(shards: u16, change: impl FnOnce(&mut Config)) -> World {
    let mut world = World::new(shards, change);
    let publisher = world.http_push(0, "/live/x", 250);
    world.push(publisher, "V A K0 a5");
    world
}

fn count(world: &World, players: &[usize], status: &str) -> usize {
    players.iter().filter(|player| world.status(**player) == status).count()
}

/// What all workers count, and what is there.
fn counts(world: &World) -> (usize, usize, usize) {
    world.servers().fold((0, 0, 0), |(counted, roleless, there), server| {
        let stats = server.stats();
        (
            counted + stats.counted,
            roleless + stats.roleless,
            there + stats.connections,
        )
    })
}

#[test]
fn exactly_as_many_are_served_as_may_be_on_any_workers() {
    for shards in 1..=4 {
        for seed in 1..=20 {
            let mut world = world(shards, |config| config.max_connections = 6);
            world.random = seed;
            world.delivers = false;
            // All come before a word has passed between the workers, and ask at once.
            let players: Vec<_> = (0..12)
                .map(|number| world.http_play(number % usize::from(shards), "/live/x"))
                .collect();
            world.delivers = true;
            world.settle();
            assert_eq!(count(&world, &players, SERVED), 5, "{shards} workers, seed {seed}");
            assert_eq!(count(&world, &players, REFUSED), 7, "{shards} workers, seed {seed}");
            for player in players {
                world.reset(player);
            }
            world.pass(Duration::from_secs(3));
            assert_eq!(counts(&world), (1, 0, 1), "{shards} workers, seed {seed}");
        }
    }
}

#[test]
fn a_place_that_is_left_is_there_for_the_next() {
    for shards in [1, 3] {
        let mut world = world(shards, |config| config.max_connections = 2);
        let last = usize::from(shards) - 1;
        let first = world.http_play(last, "/live/x");
        let second = world.http_play(0, "/live/x");
        world.reset(first);
        let third = world.http_play(last, "/live/x");
        assert_eq!(
            [first, second, third].map(|it| world.status(it)),
            [SERVED, REFUSED, SERVED]
        );
    }
}

#[test]
fn each_protocol_hears_that_there_are_too_many() {
    for shards in [1, 2] {
        let mut world = world(shards, |config| config.max_connections = 1);
        let last = usize::from(shards) - 1;
        for purpose in [Play, Publish] {
            let rtmp = world.rtmp(last, purpose, "live", "y", 1);
            assert_eq!(world.heard(rtmp), "[NetConnection.Connect.Rejected]");
            assert!(world.clients[rtmp].is_shut_down());
        }
        let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        for request in [
            "GET /live/x HTTP/1.1\r\nHost: h\r\n".into(),
            format!("GET /live/x HTTP/1.1\r\nHost: h\r\n{upgrade}"),
            "POST /live/y HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n".into(),
        ] {
            let client = world.connect(last, Protocol::Http, 1);
            world.send(client, format!("{request}\r\n").as_bytes());
            let answer = String::from_utf8_lossy(&world.clients[client].received).into_owned();
            assert!(answer.starts_with(REFUSED), "{request}: {answer}");
            assert!(answer.contains("Retry-After: 2\r\n"), "{request}: {answer}");
            assert!(answer.contains("Connection: close\r\n"), "{request}: {answer}");
            assert!(world.clients[client].is_shut_down(), "{request}");
        }
        world.pass(Duration::from_secs(3));
        assert_eq!(counts(&world), (1, 0, 1));
    }
}

#[test]
fn one_too_many_that_says_nothing_is_closed_in_two_seconds() {
    let mut world = world(2, |config| config.max_connections = 1);
    let silent: Vec<_> = (0..100)
        .map(|number| world.connect(number % 2, Protocol::Rtmp, 1))
        .collect();
    let open = |world: &World| silent.iter().filter(|it| !world.clients[**it].is_closed()).count();
    // They are no more than may be answered, on each worker.
    assert_eq!(open(&world), 100);
    let more: Vec<_> = (0..100).map(|_| world.connect(1, Protocol::Rtmp, 1)).collect();
    assert_eq!(open(&world), 50, "the oldest of that worker go first");
    world.pass(Duration::from_millis(2_001));
    assert_eq!(open(&world), 0);
    assert!(more.iter().all(|it| world.clients[*it].is_closed()));
}

#[test]
fn an_address_has_as_many_as_it_may_and_others_theirs() {
    let mut world = world(2, |config| config.max_connections_per_address = 3);
    let mut play = |address: &str, shard| {
        let client = world.connect_from(shard, Protocol::Http, address.parse::<IpAddr>().unwrap());
        world.send(client, b"GET /live/x HTTP/1.0\r\n\r\n");
        world.status(client)
    };
    let crowd: Vec<_> = (0..5).map(|number| play("192.0.2.1", number % 2)).collect();
    assert_eq!(crowd, [SERVED, SERVED, SERVED, REFUSED, REFUSED]);
    assert_eq!(play("192.0.2.2", 0), SERVED);
    // A network of 64 bits is one address.
    let network: Vec<_> = (0..4)
        .map(|host| play(&format!("2001:db8::{host}"), host % 2))
        .collect();
    assert_eq!(network, [SERVED, SERVED, SERVED, REFUSED]);
    assert_eq!(play("2001:db8:0:1::1", 0), SERVED);
}

#[test]
fn a_good_peer_joins_from_behind_an_address_of_silent_ones() {
    for shards in [1, 2] {
        let mut world = world(shards, |config| config.max_roleless_connections_per_address = 20);
        let silent: Vec<_> = (0..100)
            .map(|number| world.connect(number % usize::from(shards), Protocol::Rtmp, 9))
            .collect();
        let player = world.http_play(0, "/live/x");
        assert_eq!(world.status(player), SERVED);
        let encoder = world.rtmp(0, Publish, "live", "y", 9);
        assert_eq!(world.heard(encoder), "[Started]");
        world.pass(Duration::from_secs(3));
        let open = silent.iter().filter(|it| !world.clients[**it].is_closed()).count();
        assert!((18..=20).contains(&open), "{open} of the silent ones are left");
        world.pass(Duration::from_secs(10));
        assert_eq!(counts(&world), (3, 0, 3));
    }
}

#[test]
fn silent_peers_of_one_address_cost_no_other_its_place() {
    let mut world = world(2, |config| config.max_connections = 400);
    let waiting = world.connect(1, Protocol::Http, 7);
    for number in 0..1_000 {
        world.connect(number % 2, Protocol::Rtmp, 66);
    }
    world.send(waiting, b"GET /live/x HTTP/1.0\r\n\r\n");
    assert_eq!(world.status(waiting), SERVED);
    let newcomers: Vec<_> = (0..90).map(|_| world.http_play(1, "/live/x")).collect();
    assert_eq!(count(&world, &newcomers, SERVED), 90);
}

/// Players of one address that wait for so many streams, each by a connection of its own.
fn wait_for(world: &mut World, names: usize, connections: usize, host: u8) -> Vec<usize> {
    let shards = world.shards.len();
    let wait = |number| {
        let client = world.connect(number % shards, Protocol::Http, host);
        let name = number / shards % names;
        world.send(
            client,
            format!("GET /live/n{name}?wait=60 HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes(),
        );
        client
    };
    (0..connections).map(wait).collect()
}

fn still_waiting(world: &World, players: &[usize]) -> usize {
    let waits = |player: &&usize| world.status(**player).is_empty() && !world.clients[**player].is_shut_down();
    players.iter().filter(waits).count()
}

#[test]
fn players_that_wait_under_many_names_keep_nobody_out() {
    for shards in [1, 2] {
        let mut world = world(shards, |config| {
            config.max_connections = 1_000;
            config.max_waiting_players_per_address = 4_000;
        });
        let good = wait_for(&mut world, 1, 1, 7);
        let crowd = wait_for(&mut world, 8, 1_200, 66);
        let player = world.http_play(0, "/live/x");
        assert_eq!(world.status(player), SERVED, "{shards} workers");
        let encoder = world.http_push(usize::from(shards) - 1, "/live/encoder", 8);
        world.push(encoder, "V A K0 a5");
        assert!(world.is_publishing(encoder), "{shards} workers");
        let rtmp = world.rtmp(0, Play, "live", "x", 8);
        assert!(world.heard(rtmp).contains("K0"), "{shards} workers");
        // The newest of the crowd stay, as do those of others.
        assert_eq!(still_waiting(&world, &good), 1);
        let waiting = still_waiting(&world, &crowd);
        assert!((700..=750).contains(&waiting), "{shards} workers: {waiting}");
        assert_eq!(world.status(crowd[0]), REFUSED);
        assert_eq!(still_waiting(&world, &crowd[1_100..]), 100);
    }
}

#[test]
fn a_player_by_rtmp_that_waits_makes_room_like_any_other() {
    let mut world = world(1, |config| config.max_roleless_connections_per_address = 2);
    let waiting = [1, 2, 3].map(|_| world.rtmp(0, Play, "live", "absent", 4));
    assert_eq!(world.heard(waiting[0]), "[Started] [NetStream.Play.StreamNotFound]");
    assert!(world.clients[waiting[0]].is_shut_down());
    // Once their publisher has come they have a role, and are not counted.
    let publisher = world.http_push(0, "/live/absent", 1);
    world.push(publisher, "V A K0 a5");
    let _silent = [1, 2].map(|_| world.connect(0, Protocol::Rtmp, 4));
    for player in &waiting[1..] {
        assert!(world.heard(*player).ends_with("K0 a5"), "{}", world.heard(*player));
    }
    world.pass(Duration::from_secs(2));
    assert_eq!(counts(&world), (6, 2, 6));
}

#[test]
fn an_address_waits_for_as_many_players_under_all_names_together() {
    let mut world = world(1, |config| {
        config.max_waiting_players = 50;
        config.max_waiting_players_per_address = 20;
    });
    for (host, expected) in [(66, 20), (67, 20), (68, 10), (69, 0)] {
        let crowd = wait_for(&mut world, 40, 40, host);
        assert_eq!(still_waiting(&world, &crowd), expected, "host {host}");
        assert_eq!(count(&world, &crowd, REFUSED), 40 - expected);
    }
    // A publisher that comes gives back a place for each that waited.
    let publisher = world.http_push(0, "/live/n3", 1);
    world.push(publisher, "V A K0 a5");
    let next = wait_for(&mut world, 1, 5, 69);
    assert_eq!(still_waiting(&world, &next), 3);
}

#[test]
fn an_address_waits_for_an_eighth_of_the_names() {
    let mut world = world(1, |config| config.max_streams = 80);
    let crowd = wait_for(&mut world, 40, 80, 66);
    // Ten names, each of them twice.
    assert_eq!(still_waiting(&world, &crowd), 20);
    let others = wait_for(&mut world, 5, 5, 67);
    assert_eq!(still_waiting(&world, &others), 5);
    // The last that waits for a name gives it back.
    world.reset(crowd[0]);
    let late = wait_for(&mut world, 11, 11, 66);
    assert_eq!(still_waiting(&world, &late), 10);
    world.reset(crowd[40]);
    world.reset(late[0]);
    let new = world.connect(0, Protocol::Http, 66);
    world.send(new, b"GET /live/new?wait=60 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(still_waiting(&world, &[new]), 1);
}

#[test]
fn a_registrar_that_is_deaf_keeps_nobody_waiting_while_places_are_many() {
    let mut world = world(2, |_| {});
    world.http_play(1, "/live/x");
    world.stopped = Some(0);
    let player = world.http_play(1, "/live/x");
    assert_eq!(world.status(player), SERVED);
    world.stopped = None;
    world.settle();
    assert_eq!(counts(&world), (3, 0, 3));
}

#[test]
fn the_number_of_connections_changes_at_once_and_ends_nobody() {
    let mut world = world(2, |_| {});
    let old: Vec<_> = (0..4).map(|number| world.http_play(number % 2, "/live/x")).collect();
    world.reconfigure(|config| config.max_connections = 2);
    let late = world.http_play(1, "/live/x");
    assert_eq!(world.status(late), REFUSED);
    assert!(old.iter().all(|it| !world.clients[*it].is_shut_down()));
    world.reconfigure(|config| config.max_connections = 6);
    let next = [0, 1].map(|shard| world.http_play(shard, "/live/x"));
    assert_eq!(next.map(|it| world.status(it)), [SERVED, REFUSED]);
}

/// Publishers on some workers, one each of a name of its own, all before a word has passed between the workers.
fn publish(world: &mut World, names: usize) -> Vec<usize> {
    world.delivers = false;
    let shards = world.shards.len();
    let publishers: Vec<_> = (0..names)
        .map(|number| {
            let publisher = world.http_push(number % shards, &format!("/live/{number}"), 1);
            world.push(publisher, "V A K0 a5");
            publisher
        })
        .collect();
    world.delivers = true;
    world.settle();
    publishers
}

#[test]
fn exactly_as_many_publish_as_may_be_on_any_workers() {
    for shards in 1..=4 {
        for seed in 1..=20 {
            let mut world = World::new(shards, |config| config.max_publishers = 3);
            world.random = seed;
            let publishers = publish(&mut world, 8);
            let (live, others): (Vec<_>, Vec<_>) = publishers.into_iter().partition(|it| world.is_publishing(*it));
            assert_eq!(live.len(), 3, "{shards} workers, seed {seed}");
            assert_eq!(count(&world, &others, REFUSED), 5, "{shards} workers, seed {seed}");
            let encoder = world.rtmp(0, Publish, "live", "more", 1);
            assert_eq!(world.heard(encoder), "[NetStream.Publish.Failed]");
            // A name that is published may be taken over, and one in its grace time be published again.
            world.pass(Duration::from_secs(6));
            let again = world.http_push(0, "/live/more", 1);
            world.push(again, "V A K0 a5");
            assert_eq!(world.status(again), REFUSED);
            for publisher in live {
                world.finish(publisher);
            }
            world.pass(Duration::from_secs(11));
            let next = world.http_push(0, "/live/more", 2);
            world.push(next, "V A K0 a5");
            assert!(world.is_publishing(next), "{shards} workers, seed {seed}");
        }
    }
}

/// Publishers of one address, with names of their own. Returns those that publish.
fn publish_from(world: &mut World, names: core::ops::Range<usize>, host: u8) -> Vec<usize> {
    let shards = world.shards.len();
    let publish = |number| {
        let publisher = world.http_push(number % shards, &format!("/live/{host}.{number}"), host);
        world.push(publisher, "A a0");
        publisher
    };
    let publishers: Vec<_> = names.map(publish).collect();
    publishers.into_iter().filter(|it| world.is_publishing(*it)).collect()
}

#[test]
fn publishers_of_one_address_leave_places_to_others() {
    for shards in 1..=3 {
        let mut world = World::new(shards, |config| config.max_publishers = 50);
        let crowd = publish_from(&mut world, 0..60, 66);
        assert_eq!(crowd.len(), 50, "{shards} workers");
        // Each that is alone at its address finds a place, and the newest of the crowd makes it.
        let others: Vec<_> = (1..=49).flat_map(|host| publish_from(&mut world, 0..1, host)).collect();
        assert_eq!(others.len(), 49, "{shards} workers");
        let left: Vec<_> = crowd.iter().filter(|it| world.is_publishing(**it)).collect();
        assert_eq!(left.len(), 1, "{shards} workers");
        assert!(shards > 1 || left == [&crowd[0]]);
        // Nobody that is alone goes for another, nor for the crowd.
        for host in [66, 60] {
            assert_eq!(publish_from(&mut world, 100..110, host).len(), 0, "{shards} workers");
        }
        let all = others.iter().chain(left);
        assert!(all.clone().all(|it| world.is_publishing(*it)), "{shards} workers");
        assert_eq!(world.servers().map(|it| it.stats().names).sum::<usize>(), 50);
    }
}

/// A place is shared out once it is free, and by the count of all workers, not by what the home of a name knows.
#[test]
fn two_crowds_of_publishers_come_to_rest() {
    for shards in 1..=3 {
        let mut world = World::new(shards, |config| config.max_publishers = 20);
        let first = publish_from(&mut world, 0..40, 66);
        assert_eq!(first.len(), 20);
        let second = publish_from(&mut world, 0..40, 67);
        let first_left = first.iter().filter(|it| world.is_publishing(**it)).count();
        assert_eq!((first_left, second.len()), (10, 10), "{shards} workers");
        for _ in 0..3 {
            assert_eq!(publish_from(&mut world, 50..60, 66).len(), 0);
            assert_eq!(publish_from(&mut world, 50..60, 67).len(), 0);
        }
        assert!(second.iter().all(|it| world.is_publishing(*it)), "{shards} workers");
    }
}

#[test]
fn publishers_of_one_address_leave_names_to_others() {
    for shards in 1..=3 {
        let mut world = World::new(shards, |config| config.max_streams = 40);
        let crowd = publish_from(&mut world, 0..60, 66);
        assert_eq!(crowd.len(), 40, "{shards} workers");
        let other = publish_from(&mut world, 0..1, 1);
        assert_eq!(other.len(), 1, "{shards} workers");
        assert_eq!(publish_from(&mut world, 100..110, 66).len(), 0, "{shards} workers");
        assert!(world.is_publishing(other[0]));
    }
}

/// Their names wait for them to come back, and there are too many of these.
#[test]
fn publishers_one_too_many_that_have_left_are_forgotten() {
    for shards in 1..=4 {
        let mut world = World::new(shards, |config| config.max_publishers = 3);
        world.delivers = false;
        let publishers: Vec<_> = (0..16)
            .map(|number| {
                let publisher = world.http_push(number % usize::from(shards), &format!("/live/{number}"), 1);
                world.push(publisher, "V A K0 a5");
                publisher
            })
            .collect();
        publishers.into_iter().for_each(|it| world.reset(it));
        world.delivers = true;
        world.settle();
        let names: usize = world.servers().map(|it| it.stats().names).sum();
        assert!(names <= 3, "{shards} workers: {names} names");
    }
}

#[test]
fn an_encoder_that_comes_back_needs_no_further_place() {
    let mut world = World::new(2, |config| config.max_publishers = 1);
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    world.reset(publisher);
    let stranger = world.http_push(0, "/live/y", 2);
    world.push(stranger, "V A K0 a5");
    assert_eq!(world.status(stranger), REFUSED);
    let back = world.http_push(1, "/live/x", 1);
    world.push(back, "V A K0 a5");
    assert!(world.is_publishing(back));
    world.pass(Duration::from_millis(1_500));
    let new = world.http_push(0, "/live/x", 1);
    world.push(new, "V A K0 a5");
    world.pass(Duration::from_millis(1_500));
    assert!(world.is_publishing(new), "it takes over");
}

#[test]
fn players_of_absent_streams_leave_names_to_publishers() {
    for shards in [1, 2] {
        let mut world = World::new(shards, |config| config.max_streams = 8);
        let seek = |host| {
            let player = world.connect(0, Protocol::Http, host);
            let request = format!("GET /live/absent{host}?wait=60 HTTP/1.0\r\n\r\n");
            world.send(player, request.as_bytes());
            player
        };
        let players: Vec<_> = (10..18).map(seek).collect();
        assert_eq!(count(&world, &players, REFUSED), 4);
        let encoders: Vec<_> = (0..5)
            .map(|number| world.rtmp(0, Publish, "live", &format!("{number}"), 2))
            .collect();
        let heard: Vec<_> = encoders.iter().map(|it| world.heard(*it)).collect();
        let full = "[NetStream.Publish.Failed]";
        assert_eq!(heard, ["[Started]", "[Started]", "[Started]", "[Started]", full]);
        let waiting = players.into_iter().find(|it| world.status(*it) != REFUSED).unwrap();
        world.reset(waiting);
        let encoder = world.rtmp(0, Publish, "live", "next", 2);
        assert_eq!(world.heard(encoder), "[Started]");
    }
}

/// Peers of all kinds come and go on three workers, one of which pauses now and then, and the bounds change meanwhile.
#[test]
fn the_counts_are_right_whenever_all_is_quiet() {
    for seed in 1..=30 {
        let mut world = World::new(3, |config| config.max_connections = 30);
        world.random = seed;
        let mut clients: Vec<usize> = Vec::new();
        for _ in 0..200 {
            let shard = world.below(3);
            let host = u8::try_from(world.below(4)).unwrap();
            world.delivers = world.below(3) > 0;
            world.stopped = Some(world.below(6)).filter(|shard| *shard < 3);
            match world.below(9) {
                0 => clients.push(world.connect(shard, Protocol::Rtmp, host)),
                1 => clients.push(world.http_play(shard, "/live/x?wait=5")),
                2 => clients.push(world.http_play(shard, "/live/y")),
                3 => clients.push(world.http_push(shard, "/live/x", host)),
                4 => clients.push(world.rtmp(shard, Play, "live", "x", host)),
                5 => clients.push(world.rtmp(shard, Publish, "live", "z", host)),
                6 => {
                    let span = Duration::from_millis(world.pick() % 4_000);
                    world.pass(span);
                }
                7 => {
                    let max = 5 + world.below(40);
                    world.reconfigure(|config| {
                        config.max_connections = max;
                        config.max_roleless_connections_per_address = max / 4;
                        config.max_connections_per_address = if max.is_multiple_of(2) { max / 2 } else { usize::MAX };
                    });
                }
                _ if clients.is_empty() => {}
                _ => {
                    let client = clients.swap_remove(world.below(clients.len()));
                    if world.below(2) == 0 {
                        world.reset(client);
                    } else {
                        world.finish(client);
                    }
                }
            }
        }
        (world.delivers, world.stopped) = (true, None);
        world.settle();
        let (counted, roleless, there) = counts(&world);
        let refused = there - counted;
        assert!(
            roleless <= counted && refused <= 30,
            "seed {seed}: {counted} of {there}"
        );
        for client in clients {
            world.reset(client);
        }
        world.pass(Duration::from_secs(60));
        assert_eq!(counts(&world), (0, 0, 0), "seed {seed}");
    }
}

/// It does not take its answer, and both its times are over at once.
#[test]
fn nothing_is_said_of_a_connection_behind_its_close() {
    let mut config = Config::default();
    config.max_connections = 1;
    let mut server = Server::new(Arc::new(config), ShardId(0), 1, 7);
    let peer = ([192, 0, 2, 1], 40_000).into();
    server.accept(Time::ZERO, Protocol::Rtmp, peer).unwrap();
    let refused = server.accept(Time::ZERO, Protocol::Rtmp, peer).unwrap();
    server.handle_input(Time::ZERO, refused, &[&[3][..], &[0; 1_536]].concat());
    while server.poll_action().is_some() {}
    assert!(!server.output(Time::ZERO, refused).is_empty());
    server.handle_timeout(Time::from_millis(60_000));
    let actions: Vec<_> = std::iter::from_fn(|| server.poll_action()).collect();
    let is_of_it = |action: &&Action| matches!(action, Action::Wake(id) | Action::Close(id) if *id == refused);
    let last = actions.iter().rfind(is_of_it);
    assert!(matches!(last, Some(Action::Close(_))), "{actions:?}");
}
