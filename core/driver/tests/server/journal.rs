//! What the log says, and how much.

use crate::frames::{flv, tags};
use crate::lines::lines_of;
use crate::world::World;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::Protocol;
use std::time::Duration;

#[test]
fn a_name_forges_nothing_in_any_line() {
    let lines = lines_of(|| {
        let mut world = World::new(2, |config| {
            config.channel.gop_max_bytes = 5_000;
            config.channel.lag_max_bytes = 5_000;
        });
        let (path, name) = ("/live/x%22%20peer=%22y", "x\" peer=\"y");
        world.http_play(0, path);
        let early = world.http_play(1, &format!("{path}?wait=60"));
        let tv = world.rtmp(1, Play, "live", name, 2);
        let publisher = world.http_push(0, path, 1);
        world.push(publisher, "V A K0 a5");
        for _ in 0..2 {
            let other = world.http_push(1, path, 3);
            world.push(other, "V A K0 a5");
        }
        world.stopped = Some(1);
        (0..200).for_each(|frame| world.push(publisher, &format!("P{}", frame * 40)));
        world.stopped = None;
        world.settle();
        world.pass(Duration::from_secs(2));
        let heir = world.http_push(0, path, 1);
        world.push(heir, "V A K0 a5");
        world.pass(Duration::from_secs(2));
        [early, tv].into_iter().for_each(|player| world.reset(player));
        world.reset(heir);
        world.pass(Duration::from_secs(11));
    });
    let about = [
        "play refused",
        "play waits",
        "play started",
        "publish started",
        "publish refused",
        "a worker cannot keep up",
        "publisher replaced",
        "play ended",
        "publish ended",
        "stream ended",
    ];
    for what in about {
        assert!(lines.iter().any(|line| line.contains(what)), "{what}: {lines:#?}");
    }
    for line in lines {
        assert!(line.contains(r#"stream="live/x\" peer=\"y" "#), "{line}");
    }
}

#[test]
fn one_address_does_not_fill_the_log_up() {
    let lines = lines_of(|| {
        let mut world = World::new(1, |_| {});
        for _ in 0..60 {
            let attacker = world.connect(0, Protocol::Http, 66);
            for _ in 0..2 {
                world.send(attacker, "GET // HTTP/1.1\r\nHost: x\r\n\r\n".repeat(99).as_bytes());
                world.pass(Duration::from_secs(1));
            }
            world.reset(attacker);
        }
        let publisher = world.http_push(0, "/live/x", 1);
        world.push(publisher, "V A K0 a5");
        world.pass(Duration::from_secs(10));
    });
    let count = |what| lines.iter().filter(|line| line.contains(what)).count();
    assert_eq!(count("publish started"), 1);
    // One in ten seconds.
    assert!((1..=13).contains(&count("log lines left out")), "{}", count("left out"));
    assert!(lines.iter().any(|line| line.contains("most_about=10.0.0.66 ")));
    let logged = count("request refused");
    assert!((4_000..4_000 + 120 * 50).contains(&logged), "{logged} lines");
    let left_out: usize = lines
        .iter()
        .filter_map(|line| line.split("lines=").nth(1)?.split(' ').next()?.parse::<usize>().ok())
        .sum();
    assert_eq!(logged + left_out, 60 * 2 * 99);
}

#[test]
fn what_was_left_out_is_told_though_nobody_is_there_any_more() {
    let lines = lines_of(|| {
        let mut world = World::new(1, |config| {
            config.limits.max_requests_per_second = 10_000;
            config.limits.max_http_requests = 10_000;
        });
        let attacker = world.connect(0, Protocol::Http, 66);
        // Later than any deadline of the connection itself.
        world.pass(Duration::from_secs(5));
        for _ in 0..60 {
            world.send(attacker, "GET // HTTP/1.1\r\nHost: x\r\n\r\n".repeat(99).as_bytes());
        }
        world.reset(attacker);
        while let Some(due) = world.shards[0].poll_timeout() {
            world.pass(due.since(world.now));
        }
    });
    let count = |what| lines.iter().filter(|line| line.contains(what)).count();
    assert_eq!(count("log lines left out"), 1);
}

#[test]
fn a_full_server_says_so_once_in_ten_seconds() {
    let lines = lines_of(|| {
        let mut world = World::new(1, |config| config.max_connections = 1);
        world.http_play(0, "/live/x?wait=60");
        for _ in 0..250 {
            world.connect(0, Protocol::Http, 2);
            world.pass(Duration::from_millis(100));
        }
    });
    let refused: Vec<_> = lines.iter().filter(|line| line.contains("refused")).collect();
    assert_eq!(refused.len(), 3, "{refused:#?}");
    assert!(
        refused[0].contains("reason=\"too many connections\" times=1 "),
        "{refused:#?}"
    );
    assert!(refused[2].contains("times=100 "), "{refused:#?}");
}

#[test]
fn a_push_in_many_requests_is_refused_once_in_the_log() {
    let (start, tags) = (flv(""), tags("V A K0 a5"));
    // Some clients put a header before each piece, some cut anywhere.
    for piece in [[&start[..], &tags].concat(), tags[..40].to_vec()] {
        for same_connection in [false, true] {
            let lines = lines_of(|| {
                let mut world = World::new(2, |_| {});
                let publisher = world.rtmp(0, Publish, "live", "x", 1);
                world.publish(publisher, "V A K0 a5");
                let head = format!(
                    "PUT /live/x HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
                    piece.len()
                );
                let mut client = world.connect(1, Protocol::Http, 2);
                for number in 0..70 {
                    if !same_connection || world.clients[client].is_shut_down() {
                        client = world.connect(1, Protocol::Http, 2);
                    }
                    world.send(client, &[head.as_bytes(), &piece].concat());
                    assert!(
                        world.status(client).starts_with("HTTP/1.1 4"),
                        "{}",
                        world.status(client)
                    );
                    world.pass(Duration::from_millis(14));
                    world.publish(publisher, &format!("P{}", number * 14));
                }
                assert!(world.is_publishing(publisher));
            });
            let count = |what| lines.iter().filter(|line| line.contains(what)).count();
            assert_eq!(count("publish refused"), 1, "{lines:#?}");
            assert_eq!(count("publish started") + count("stream info"), 2, "{lines:#?}");
            assert_eq!(lines.len(), 3, "{lines:#?}");
        }
    }
}

#[test]
fn players_that_come_and_go_by_the_hundred_are_all_logged() {
    let lines = lines_of(|| {
        let mut world = World::new(1, |config| config.max_waiting_players_per_address = 1_000);
        let players: Vec<_> = (0..250).map(|_| world.http_play(0, "/live/x?wait=60")).collect();
        let publisher = world.http_push(0, "/live/x", 9);
        world.push(publisher, "V A K0 a5");
        players.into_iter().for_each(|player| world.reset(player));
    });
    let count = |what| lines.iter().filter(|line| line.contains(what)).count();
    for what in ["play waits", "play started", "play ended"] {
        assert_eq!(count(what), 250, "{what}");
    }
    assert_eq!(count("left out"), 0);
}
