//! Workers that hear from each other late, or cannot keep up.

use crate::world::World;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::Takeover;
use std::time::Duration;

/// No picture that depends on one that is missing, and no time that goes back within a kind.
fn is_playable(seen: &str) -> bool {
    let (mut has_keyframe, mut latest) = (false, [0, 0]);
    seen.split(' ')
        .filter(|word| word.starts_with(['K', 'P', 'a']))
        .all(|word| {
            has_keyframe |= word.starts_with('K');
            let time: u32 = word[1..].parse().unwrap();
            let latest = &mut latest[usize::from(word.starts_with('a'))];
            let is_steady = time >= *latest;
            *latest = time;
            is_steady && (has_keyframe || !word.starts_with('P'))
        })
}

/// The path of a stream whose home, among three shards, is `home`.
fn path_at(home: usize) -> String {
    let mut world = World::new(3, |_| {});
    let paths = (0..9).map(|number| format!("/live/{number}"));
    let mut there = paths.filter(|path| {
        let names = world.shards[home].server().stats().names;
        world.http_play(0, &format!("{path}?wait=60"));
        world.shards[home].server().stats().names > names
    });
    there.next().unwrap()
}

/// A second of a stream that begins at `second`: 24 pictures and a sound.
fn second_of_stream(second: u32) -> String {
    let start = second * 1_000;
    let inter: Vec<_> = (1..24).map(|frame| format!("P{}", start + frame * 40)).collect();
    format!("K{start} {} a{}", inter.join(" "), start + 960)
}

#[test]
fn a_slow_worker_costs_a_bounded_amount_and_goes_on_later() {
    for stopped in 0..2 {
        let there = 1 - stopped;
        let mut world = World::new(2, |config| {
            config.channel.gop_max_bytes = 5_000;
            config.channel.lag_max_bytes = 5_000;
        });
        let publisher = world.http_push(there, "/live/x", 1);
        world.push(publisher, "V A K0 a5");
        let player = world.http_play(stopped, "/live/x");
        let neighbour = world.http_play(there, "/live/x");
        world.stopped = Some(stopped);
        for second in 1..20 {
            world.push(publisher, &second_of_stream(second));
            world.pass(Duration::from_secs(1));
        }
        assert!(world.mail(stopped) <= 5, "{} messages wait", world.mail(stopped));
        world.stopped = None;
        world.settle();
        world.push(publisher, "P20000 K20040 P20080 a20085");
        let seen = world.seen(player);
        assert!(is_playable(&seen), "{seen}");
        assert!(seen.ends_with("a3960 K20040 P20080 a20085"), "{seen}");
        let late = world.http_play(stopped, "/live/x");
        assert_eq!(world.seen(late), "A0 V0 K0 P40 a45");
        assert_eq!(world.seen(neighbour).split(' ').count(), 4 + 19 * 25 + 4);
        assert_eq!(world.shards[there].server().stats().shards_behind, 1);
    }
}

#[test]
fn a_worker_that_fell_behind_fifty_times_gets_frames() {
    for stopped in 0..2 {
        let there = 1 - stopped;
        let mut world = World::new(2, |config| {
            config.channel.gop_max_bytes = 5_000;
            config.channel.lag_max_bytes = 5_000;
        });
        let publisher = world.http_push(there, "/live/x", 1);
        world.push(publisher, "V A K0 a5");
        let player = world.http_play(stopped, "/live/x");
        let mut second = 0;
        for lag in 1..=50 {
            world.stopped = Some(stopped);
            for _ in 0..4 {
                second += 1;
                // A few at a time, so that each lag leaves another rest that was not worth a report.
                let frames = second_of_stream(second);
                let mut frames = frames.split(' ').peekable();
                while frames.peek().is_some() {
                    let few: Vec<_> = frames.by_ref().take(1 + world.below(8)).collect();
                    world.push(publisher, &few.join(" "));
                }
                world.pass(Duration::from_secs(1));
            }
            world.stopped = None;
            world.settle();
            assert_eq!(world.shards[there].server().stats().shards_behind, lag);
        }
        let late = world.http_play(stopped, "/live/x");
        let before = [player, late].map(|player| world.frames_of(player).len());
        world.push(publisher, &second_of_stream(second + 1));
        for (player, before) in [player, late].into_iter().zip(before) {
            let new = world.frames_of(player).split_off(before);
            assert_eq!(new.trim_start().split(' ').count(), 25, "{new}");
            assert!(is_playable(&world.frames_of(player)));
        }
    }
}

#[test]
fn frames_of_an_earlier_subscription_reach_nobody() {
    let path = path_at(1);
    let mut world = World::new(3, |config| config.takeover = Takeover::Always);
    let publisher = world.http_push(0, &path, 1);
    world.push(publisher, "V A K0 a5");
    let first = world.http_play(1, &path);
    // As long as it waits, its worker knows of the stream.
    world.rtmp(1, Publish, "live", path.trim_start_matches("/live/"), 2);
    world.stopped = Some(0);
    world.reset(first);
    // Longer than a replica that nobody plays is kept.
    world.pass(Duration::from_secs(6));
    let second = world.http_play(1, &path);
    world.push(publisher, "P40 V A K80 a85 P120");
    world.stopped = None;
    world.settle();
    world.push(publisher, "P160");
    assert_eq!(world.seen(second), "A0 V0 K0 a5 P40 P80");
}

#[test]
fn a_worker_that_keeps_up_is_told_everything_for_ever() {
    let mut world = World::new(2, |config| {
        config.channel.gop_max_bytes = 5_000;
        config.channel.lag_max_bytes = 5_000;
    });
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let player = world.http_play(1, "/live/x");
    for second in 1..100 {
        world.push(publisher, &second_of_stream(second));
        world.pass(Duration::from_secs(1));
    }
    assert_eq!(world.seen(player).split(' ').count(), 4 + 99 * 25);
    assert_eq!(world.shards[0].server().stats().shards_behind, 0);
}

/// Publishers hop from worker to worker, take over from each other and go; players come and go; each worker is deaf for
/// long stretches. When all is heard at last, every player that is left follows the one publisher that is left, and when
/// all are gone nothing is remembered.
#[test]
fn workers_that_are_deaf_for_long_agree_in_the_end() {
    for seed in 1..400u64 {
        let takeover = [Takeover::Auto, Takeover::Always, Takeover::Never][usize::try_from(seed % 3).unwrap()];
        let mut world = World::new(3, |config| {
            config.takeover = takeover;
            config.grace = Duration::from_secs(2);
        });
        world.random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let names = ["live/x", "live/y", "live/z"];
        let (mut publishers, mut players) = (vec![vec![], vec![], vec![]], vec![vec![], vec![], vec![]]);
        for _ in 0..80 {
            let shard = world.below(3);
            let name = world.below(3);
            let path = format!("/{}?wait=60", names[name]);
            match world.below(12) {
                0 => {
                    let host = u8::try_from(world.below(2)).unwrap();
                    publishers[name].push(world.http_push(shard, &path, host));
                }
                1 => {
                    let host = u8::try_from(world.below(2)).unwrap();
                    publishers[name].push(world.rtmp(shard, Publish, "live", &names[name][5..], host));
                }
                2 => players[name].push(world.http_play(shard, &path)),
                3 => players[name].push(world.rtmp(shard, Play, "live", &names[name][5..], 9)),
                4 if !publishers[name].is_empty() => {
                    let pick = world.below(publishers[name].len());
                    world.reset(publishers[name].swap_remove(pick));
                }
                5 if !players[name].is_empty() => {
                    let pick = world.below(players[name].len());
                    world.finish(players[name].swap_remove(pick));
                }
                6 => world.stopped = Some(shard),
                7 => world.stopped = None,
                8 => world.pass(Duration::from_millis(700)),
                _ => {
                    for &publisher in &publishers[name] {
                        world.offer(publisher, "V A K0 a5 P40");
                    }
                }
            }
        }
        world.stopped = None;
        world.settle();
        world.pass(Duration::from_secs(3));
        for (name, publishers) in names.iter().zip(&publishers) {
            let left: Vec<_> = publishers.iter().filter(|it| world.is_publishing(**it)).collect();
            assert!(left.len() <= 1, "seed {seed}: {name} has {} publishers", left.len());
        }
        for (publishers, players) in publishers.iter().zip(&players) {
            let publisher = publishers.iter().find(|it| world.is_publishing(**it));
            let Some(&publisher) = publisher else { continue };
            let before: Vec<_> = players.iter().map(|player| world.frames_of(*player).len()).collect();
            world.offer(publisher, "V A K80 a85 P120");
            for (&player, before) in players.iter().zip(before) {
                let client = &world.clients[player];
                assert!(
                    client.is_closed() || client.is_shut_down() || world.frames_of(player).len() > before,
                    "seed {seed}: player {player} does not hear publisher {publisher}"
                );
            }
        }
        for &player in players.iter().flatten() {
            let frames = world.frames_of(player);
            assert!(is_playable(&frames), "seed {seed}: {frames}");
        }
        (0..world.clients.len()).for_each(|client| world.reset(client));
        world.pass(Duration::from_secs(6));
        for server in world.servers() {
            assert_eq!(server.stats().streams, 0, "seed {seed}");
            assert_eq!(server.stats().names, 0, "seed {seed}");
        }
    }
}

#[test]
fn shutdown_drains_while_workers_do_not_hear_each_other() {
    let mut world = World::new(3, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let players = [0, 1, 2].map(|shard| world.http_play(shard, "/live/x"));
    world.delivers = false;
    let late: Vec<_> = ["x", "y", "z"]
        .map(|name| world.http_push(1, &format!("/live/{name}"), 2))
        .into();
    let waiting: Vec<_> = ["u", "v", "w"].map(|name| world.rtmp(2, Play, "live", name, 2)).into();
    world.shutdown();
    let clients: Vec<_> = players
        .into_iter()
        .chain(late)
        .chain(waiting)
        .chain([publisher])
        .collect();
    for &client in &clients {
        assert!(world.clients[client].is_shut_down(), "client {client}");
    }
    for player in players {
        assert_eq!(world.seen(player), "A0 V0 K0 a5");
    }
    world.pass(Duration::from_secs(2));
    assert!(world.servers().all(|server| server.is_drained()));
    world.delivers = true;
    world.settle();
    world.pass(Duration::from_secs(11));
    for server in world.servers() {
        assert_eq!((server.stats().names, server.stats().streams), (0, 0));
    }
}

#[test]
fn an_end_that_the_next_publisher_has_overtaken_ends_nobody() {
    let mut world = World::new(3, |config| config.grace = Duration::from_secs(2));
    let (home, there, here) = (0, 1, 2);
    let path = path_at(home);
    let publisher = world.http_push(there, &path, 1);
    world.push(publisher, "V A K0 a5");
    let player = world.http_play(here, &path);
    world.stopped = Some(here);
    world.reset(publisher);
    world.pass(Duration::from_secs(3));
    let publisher = world.http_push(there, &path, 1);
    world.push(publisher, "V A K0 a5");
    for from in [there, home] {
        world.deliver_link(from, here);
        world.settle();
    }
    world.stopped = None;
    world.push(publisher, "P40");
    assert_eq!(world.seen(player), "A0 V0 K0 a5 K3005 a3010 P3045");
}

#[test]
fn what_was_sent_to_players_that_have_left_reaches_nobody_else() {
    for gop_cache in [true, false] {
        let mut world = World::new(3, |config| config.channel.gop_cache = gop_cache);
        let (home, there, here) = (0, 1, 2);
        let path = path_at(home);
        let publisher = world.http_push(there, &path, 1);
        world.push(publisher, "V A K0 a5");
        world.stopped = Some(here);
        let gone = world.http_play(here, &path);
        world.reset(gone);
        let player = world.http_play(here, &path);
        world.deliver_link(home, here);
        // The snapshot for the first, then what came after it, then the snapshot for the second.
        world.stopped = None;
        world.settle();
        world.push(publisher, "P40 K80 a85");
        let expected = if gop_cache {
            "A0 V0 K0 a5 P40 K80 a85"
        } else {
            "A0 V0 K0 a5"
        };
        assert_eq!(world.seen(player), expected);
    }
}

#[test]
fn a_publish_over_before_its_players_wake_reaches_them_whole() {
    for (publishing, name) in [0, 1]
        .into_iter()
        .flat_map(|shard| ["a", "b", "c", "d"].map(|name| (shard, name)))
    {
        let mut world = World::new(2, |config| config.grace = Duration::ZERO);
        let path = format!("/live/{name}");
        let playing = 1 - publishing;
        let web = world.http_play(playing, &format!("{path}?wait=60"));
        let tv = world.rtmp(playing, Play, "live", name, 9);
        let publisher = world.http_push(publishing, &path, 1);
        world.stopped = Some(playing);
        world.push(publisher, "A V K0 P40 P80 a90");
        world.finish(publisher);
        // All of it comes before a player is served.
        world.deliver_link(publishing, playing);
        world.stopped = None;
        world.settle();
        for player in [web, tv] {
            assert_eq!(
                world.frames_of(player),
                "A0 V0 K0 P40 P80 a90",
                "player {player} of {name}"
            );
        }
    }
}

#[test]
fn a_long_gop_is_no_lag_for_the_first_player_on_another_worker() {
    for playing in 0..2 {
        let mut world = World::new(2, |config| config.channel.lag_max_bytes = 500);
        let publisher = world.http_push(0, "/live/x", 1);
        let gop = second_of_stream(0);
        world.push(publisher, &format!("A V {gop}"));
        let player = world.http_play(playing, "/live/x");
        assert_eq!(world.seen(player), format!("A0 V0 {gop}"), "on worker {playing}");
        world.push(publisher, "P1000 K1040");
        assert!(world.seen(player).ends_with("a960 P1000 K1040"));
    }
}

#[test]
fn a_player_that_comes_anew_sees_each_frame_once() {
    let mut world = World::new(3, |_| {});
    let (home, there, here) = (0, 1, 2);
    let path = path_at(home);
    let publisher = world.http_push(there, &path, 1);
    world.push(publisher, "V A K0 a5");
    // Somebody who has sent no frame yet, so that the worker does not forget the stream with its last player.
    world.http_push(here, &path, 2);
    let gone = world.http_play(here, &path);
    assert_eq!(world.seen(gone), "A0 V0 K0 a5");
    world.stopped = Some(here);
    world.push(publisher, "P40 K80 P120");
    world.reset(gone);
    // Longer than a replica that nobody plays is kept.
    world.pass(Duration::from_secs(6));
    let player = world.rtmp(here, Play, "live", &path[6..], 9);
    world.deliver_link(home, here);
    world.stopped = None;
    world.settle();
    world.push(publisher, "P160");
    assert_eq!(world.frames_of(player), "A0 V0 K0 P40 P80");
}

#[test]
fn metadata_taken_back_again_and_again_is_told_once() {
    let tag = |body: &[u8]| {
        let len = u8::try_from(body.len()).unwrap();
        [&[18, 0, 0, len, 0, 0, 0, 0, 0, 0, 0], body, &[0, 0, 0, 11 + len]].concat()
    };
    let mut world = World::new(2, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    world.http_play(1, "/live/x");
    world.stopped = Some(1);
    world.send(publisher, &tag(b"\x02\0\x0AonMetaData\x08\0\0\0\0\0\0\x09"));
    for _ in 0..100 {
        world.send(publisher, &tag(b"\x02\0\x0F@clearDataFrame\x02\0\x0AonMetaData"));
    }
    assert_eq!(world.mail(1), 2, "the metadata, and their end");
}

#[test]
fn an_earlier_subscriptions_reports_count_for_no_later_one() {
    let mut world = World::new(3, |config| {
        config.channel.gop_cache = false;
        config.channel.gop_max_bytes = 5_000;
        config.channel.lag_max_bytes = 5_000;
    });
    let (home, there, here) = (0, 1, 2);
    let path = path_at(home);
    let publisher = world.http_push(there, &path, 1);
    world.push(publisher, "V A K0 a5");
    let gone = world.http_play(here, &path);
    for second in 1..10 {
        world.push(publisher, &second_of_stream(second));
    }
    // The last report is on its way while the worker subscribes anew.
    world.delivers = false;
    world.push(publisher, &second_of_stream(10));
    world.deliver_link(there, here);
    world.reset(gone);
    world.http_play(here, &path);
    for (from, to) in [(here, 0), (0, there), (here, there)] {
        world.deliver_link(from, to);
        world.settle();
    }
    for second in 11..30 {
        world.push(publisher, &second_of_stream(second));
    }
    assert!(world.mail(here) <= 6, "{} messages wait", world.mail(here));
}
