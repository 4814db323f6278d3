//! Which frames each player gets, with one shard and with several.

use crate::world::{World, drain, frames};
use headwater_core::Output;
use headwater_core::flv::FlvWriter;
use headwater_core::rtmp::Purpose::Publish;
use headwater_core::server::{Config, HttpAbsent, Protocol};
use std::time::Duration;

/// Runs a case with everybody on one shard, and with publisher and players on any two of three.
pub(super) fn on_any_shards(change: impl Fn(&mut Config), case: impl Fn(World, usize, usize)) {
    case(World::new(1, &change), 0, 0);
    for publisher in 0..3 {
        for player in 0..3 {
            let mut world = World::new(3, &change);
            world.random = 1 + publisher as u64 * 3 + player as u64;
            case(world, publisher, player);
        }
    }
}

#[test]
fn a_joiner_gets_headers_the_gop_and_live_frames() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let publisher = world.http_push(there, "/live/x", 1);
            world.push(publisher, "V A K0 a5 P40");
            let player = world.http_play(here, "/live/x.flv");
            assert_eq!(world.status(player), "HTTP/1.1 200 OK");
            assert_eq!(world.seen(player), "A0 V0 K0 a5 P40");
            world.push(publisher, "a60 P80");
            assert_eq!(world.seen(player), "A0 V0 K0 a5 P40 a60 P80");
            let second = world.http_play(here, "/live/x");
            assert_eq!(world.seen(second), "A0 V0 K0 a5 P40 a60 P80");
        },
    );
}

#[test]
fn an_absent_stream_is_404_at_once() {
    on_any_shards(
        |_| {},
        |mut world, _, here| {
            let player = world.http_play(here, "/live/x");
            assert_eq!(world.status(player), "HTTP/1.1 404 Not Found");
            world.pass(Duration::from_secs(3));
            assert!(world.clients[player].is_closed());
            assert_eq!(world.shards[here].server().stats().streams, 0);
        },
    );
}

#[test]
fn a_player_that_asks_to_wait_gets_the_stream_when_it_comes() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let player = world.http_play(here, "/live/x?wait=10");
            assert_eq!(world.status(player), "");
            world.pass(Duration::from_secs(9));
            let publisher = world.http_push(there, "/live/x", 1);
            world.push(publisher, "V A K0 a5");
            assert_eq!(world.seen(player), "V0 A0 K0 a5".replace("V0 A0", "A0 V0"));
        },
    );
}

#[test]
fn a_wait_has_an_end() {
    on_any_shards(
        |config| config.http_absent = HttpAbsent::Wait(Duration::from_secs(5)),
        |mut world, _, here| {
            let player = world.http_play(here, "/live/x");
            world.pass(Duration::from_millis(4_900));
            assert_eq!(world.status(player), "");
            world.pass(Duration::from_millis(200));
            assert_eq!(world.status(player), "HTTP/1.1 404 Not Found");
        },
    );
}

#[test]
fn players_stay_while_their_publisher_comes_back_on_any_shard() {
    for back in 0..3 {
        on_any_shards(
            |_| {},
            |mut world, there, here| {
                let back = back % world.shards.len();
                let publisher = world.http_push(there, "/live/x", 1);
                world.push(publisher, "V A K0 a5 P40");
                let player = world.http_play(here, "/live/x");
                world.reset(publisher);
                world.pass(Duration::from_secs(4));
                assert!(!world.clients[player].is_shut_down());
                let joined_in_grace = world.http_play(here, "/live/x");
                let publisher = world.http_push(back, "/live/x", 1);
                world.push(publisher, "V A K0 a5");
                assert_eq!(world.seen(player), "A0 V0 K0 a5 P40 K4040 a4045");
                assert!(
                    world.seen(joined_in_grace).ends_with("K4040 a4045"),
                    "{}",
                    world.seen(joined_in_grace)
                );
            },
        );
    }
}

#[test]
fn frames_that_come_with_the_end_of_their_publish_do_not_wait() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let by_http = world.connect(there, Protocol::Http, 1);
            let chunk = |script| {
                let mut output = Output::new();
                frames(script).for_each(|frame| FlvWriter::frame(&frame, &mut output));
                let bytes = drain(&mut output);
                [format!("{:x}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat()
            };
            let head = b"POST /live/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                d\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0\r\n";
            world.send(by_http, head);
            world.send(by_http, &chunk("V A K0 a5"));
            let player = world.http_play(here, "/live/x");
            world.send(by_http, &[&chunk("P40 a45")[..], b"0\r\n\r\n"].concat());
            assert_eq!(world.status(by_http), "HTTP/1.1 200 OK");
            assert_eq!(world.seen(player), "A0 V0 K0 a5 P40 a45");
        },
    );
}

#[test]
fn after_the_grace_time_players_end_and_the_name_is_free() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let publisher = world.http_push(there, "/live/x", 1);
            world.push(publisher, "V A K0 a5");
            let player = world.http_play(here, "/live/x");
            world.finish(publisher);
            world.pass(Duration::from_millis(9_900));
            assert!(!world.clients[player].is_shut_down());
            world.pass(Duration::from_millis(200));
            assert!(world.clients[player].is_shut_down());
            let late = world.http_play(here, "/live/x");
            assert_eq!(world.status(late), "HTTP/1.1 404 Not Found");
            world.pass(Duration::from_secs(5));
            assert!(
                world
                    .servers()
                    .all(|server| server.stats().streams == 0 && server.is_drained())
            );
        },
    );
}

#[test]
fn a_publisher_that_says_nothing_is_cut_off() {
    let mut world = World::new(1, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    world.pass(Duration::from_secs(29));
    assert!(!world.clients[publisher].is_closed());
    world.pass(Duration::from_secs(5));
    assert!(world.clients[publisher].is_closed());
}

#[test]
fn a_publisher_whose_headers_flap_is_ended_and_told() {
    let mut world = World::new(1, |_| {});
    let by_http = world.http_push(0, "/live/x", 1);
    let by_rtmp = world.rtmp(0, Publish, "live", "y", 1);
    for time in 0..6 {
        let script = format!("V{time} V{time}'");
        world.push(by_http, &script);
        world.publish(by_rtmp, &script);
    }
    world.pass(Duration::from_millis(100));
    assert_eq!(world.status(by_http), "HTTP/1.1 400 Bad Request");
    assert!(
        world.heard(by_rtmp).ends_with("[NetStream.Publish.Failed]"),
        "{}",
        world.heard(by_rtmp)
    );
    assert!(world.clients[by_http].is_shut_down() && world.clients[by_rtmp].is_shut_down());
}

#[test]
fn peers_that_connect_and_say_nothing_do_not_pile_up() {
    let mut world = World::new(1, |_| {});
    for _ in 0..100 {
        world.connect(0, Protocol::Http, 5);
        world.connect(0, Protocol::Rtmp, 5);
    }
    world.pass(Duration::from_secs(14));
    assert!(world.shards[0].server().is_drained());
}

#[test]
fn a_player_that_takes_nothing_is_closed_and_costs_nobody_else() {
    let mut world = World::new(1, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let good = world.http_play(0, "/live/x");
    let bad = world.http_play(0, "/live/x");
    world.clients[bad].peer.set_window(0);
    for second in 1..40u32 {
        world.push(publisher, &format!("K{0} a{0}", second * 1_000));
        world.pass(Duration::from_secs(1));
    }
    assert!(world.clients[bad].is_closed());
    assert!(world.seen(good).ends_with("K39000 a39000"));
    assert_eq!(world.seen(good).split(' ').count(), 4 + 39 * 2);
}

#[test]
fn shutdown_ends_streams_cleanly_and_drains() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let publisher = world.http_push(there, "/live/x", 1);
            world.push(publisher, "V A K0 a5");
            let player = world.http_play(here, "/live/x");
            let waiter = world.http_play(here, "/live/y?wait=30");
            world.shutdown();
            assert!(world.clients[player].is_shut_down() && world.clients[publisher].is_shut_down());
            assert_eq!(world.status(waiter), "HTTP/1.1 503 Service Unavailable");
            world.pass(Duration::from_secs(3));
            assert!(world.servers().all(|server| server.is_drained()));
        },
    );
}

#[test]
fn idle_connections_cause_few_wakeups() {
    let mut world = World::new(1, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "A a0 a20 a40 a60 a80 a100 a120 a140 a160 a180 a200");
    for step in 0..200 {
        world.http_play(0, "/live/x");
        world.pass(Duration::from_millis(3 + step % 5));
    }
    let (mut wakeups, end) = (0, world.now + Duration::from_secs(10));
    while let Some(due) = world.shards[0].poll_timeout().filter(|due| *due <= end) {
        world.now = due;
        world.shards[0].handle_timeout(due);
        wakeups += 1;
    }
    assert!(wakeups <= 200, "{wakeups}");
}

#[test]
fn shards_agree_whatever_overtakes_what() {
    for seed in 1..500u64 {
        let mut world = World::new(3, |config| config.grace = Duration::from_secs(2));
        world.random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        world.delivers = false;
        let (mut publishers, mut players) = (vec![], vec![]);
        for _ in 0..60 {
            let shard = usize::try_from(world.pick() % 3).unwrap();
            match world.pick() % 10 {
                0 => publishers.push(world.http_push(shard, "/live/x", u8::try_from(shard).unwrap())),
                1 => players.push(world.http_play(shard, "/live/x?wait=5")),
                2 if !publishers.is_empty() => {
                    let pick = usize::try_from(world.pick()).unwrap_or(0) % publishers.len();
                    let publisher = publishers.swap_remove(pick);
                    if !world.clients[publisher].is_closed() {
                        world.reset(publisher);
                    }
                }
                3 if !players.is_empty() => {
                    let pick = usize::try_from(world.pick()).unwrap_or(0) % players.len();
                    let player = players.swap_remove(pick);
                    if !world.clients[player].is_closed() {
                        world.finish(player);
                    }
                }
                4 => world.pass(Duration::from_millis(300)),
                5 if !publishers.is_empty() => {
                    let pick = usize::try_from(world.pick()).unwrap_or(0) % publishers.len();
                    world.push(publishers[pick], "V A K0 a5 P40");
                }
                _ => {
                    world.deliver_one();
                    world.settle();
                }
            }
        }
        // The dust settles: one more publisher reaches one more player, wherever both are.
        world.delivers = true;
        world.settle();
        world.pass(Duration::from_secs(6));
        let player = world.http_play(1, "/live/x?wait=5");
        let publisher = world.http_push(2, "/live/x", 77);
        world.push(publisher, "V A K0 P40 a45");
        world.pass(Duration::from_secs(1));
        let seen = world.seen(player);
        assert!(
            seen.contains('K') && seen.rsplit(' ').next().is_some_and(|last| last.starts_with('a')),
            "seed {seed}: {:?} {}",
            world.status(player),
            world.seen(player)
        );
        for client in 0..world.clients.len() {
            if !world.clients[client].is_closed() {
                world.reset(client);
            }
        }
        world.pass(Duration::from_secs(6));
        let left: Vec<_> = world.servers().map(|server| server.stats().streams).collect();
        assert_eq!(left, [0, 0, 0], "seed {seed}");
    }
}
