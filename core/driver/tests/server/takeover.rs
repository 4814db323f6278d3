//! Which publisher has a name when several want it: with one shard and with several, by RTMP, by HTTP and by WebSocket.

use crate::frames::flv;
use crate::streams::on_any_shards;
use crate::world::World;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::{Config, Protocol, Takeover, Transport};
use std::net::Ipv4Addr;
use std::time::Duration;

const PROTOCOLS: [Transport; 3] = [Transport::Rtmp, Transport::Http, Transport::WebSocket];
const STEP: Duration = Duration::from_millis(20);

/// The address that publishes first, and another.
const OWN: u8 = 1;
const STRANGER: u8 = 2;

/// Somebody who wants to publish `live/x`, and has sent no media yet.
fn newcomer(world: &mut World, by: Transport, shard: usize, host: u8) -> usize {
    match by {
        Transport::Rtmp => world.rtmp(shard, Publish, "live", "x", host),
        Transport::WebSocket => world.websocket_push(shard, "/live/x", host),
        _ => world.http_push(shard, "/live/x", host),
    }
}

fn send(world: &mut World, by: Transport, client: usize, script: &str) {
    match by {
        Transport::Rtmp => world.publish(client, script),
        Transport::WebSocket => world.push_messages(client, script),
        _ => world.push(client, script),
    }
}

/// A publisher of `live/x` that has sent its first keyframe.
fn publisher(world: &mut World, by: Transport, shard: usize) -> usize {
    let publisher = newcomer(world, by, shard, OWN);
    send(world, by, publisher, "V A a0 K0");
    assert!(world.is_publishing(publisher));
    publisher
}

/// Whether it may send: RTMP is told so.
fn may_send(world: &World, by: Transport, client: usize) -> bool {
    by != Transport::Rtmp || world.heard(client).starts_with("[Started]")
}

/// Whether it was told that it cannot have the name, and its connection ends.
fn is_refused(world: &World, by: Transport, client: usize) -> bool {
    let is_told = match by {
        Transport::Rtmp => world.heard(client).ends_with("[NetStream.Publish.BadName]"),
        Transport::WebSocket => world.websocket_close(client) == Some(4409),
        _ => world.status(client) == "HTTP/1.1 409 Conflict",
    };
    is_told && world.clients[client].is_shut_down()
}

/// Lets time pass until `is_done`, for `limit` at most, and returns how much has passed.
fn wait(world: &mut World, limit: Duration, is_done: impl Fn(&World) -> bool) -> Duration {
    let start = world.now;
    while !is_done(world) {
        let passed = world.now.since(start);
        assert!(passed < limit, "nothing has changed in {passed:?}");
        world.pass(STEP);
    }
    world.now.since(start)
}

/// A newcomer that sends as soon as it may. Returns it once it has the name, and how long that took.
fn take_over(world: &mut World, by: Transport, shard: usize, host: u8, limit: Duration) -> (usize, Duration) {
    let start = world.now;
    let client = newcomer(world, by, shard, host);
    wait(world, limit, |world| may_send(world, by, client));
    send(world, by, client, "V A K0");
    wait(world, limit, |world| world.is_publishing(client));
    (client, world.now.since(start))
}

/// Runs a case with each protocol for the first publisher and for the newcomer, on any shards.
fn with_any_protocols(change: impl Fn(&mut Config), case: impl Fn(&mut World, [Transport; 2], [usize; 2])) {
    for old in PROTOCOLS {
        for new in PROTOCOLS {
            on_any_shards(&change, |mut world, there, here| {
                case(&mut world, [old, new], [there, here]);
            });
        }
    }
}

#[test]
fn a_publisher_that_sends_keeps_its_name_from_everybody() {
    for (host, is_watched) in [(OWN, true), (OWN, false), (STRANGER, true), (STRANGER, false)] {
        with_any_protocols(
            |_| {},
            |world, [old, new], [there, here]| {
                let first = publisher(world, old, there);
                let player = is_watched.then(|| world.rtmp(here, Play, "live", "x", 9));
                let second = newcomer(world, new, here, host);
                let mut has_sent = false;
                for picture in 1..50 {
                    if may_send(world, new, second) && !is_refused(world, new, second) && !has_sent {
                        has_sent = true;
                        send(world, new, second, "V A K0 P20");
                    }
                    send(world, old, first, &format!("P{}", picture * 40));
                    world.pass(Duration::from_millis(40));
                }
                assert!(is_refused(world, new, second), "{}", world.status(second));
                assert!(world.is_publishing(first) && !world.clients[first].is_shut_down());
                if let Some(player) = player {
                    let pictures: Vec<_> = (1..50).map(|picture| format!("P{}", picture * 40)).collect();
                    assert!(world.frames_of(player).ends_with(&pictures.join(" ")));
                }
            },
        );
    }
}

#[test]
fn an_encoder_whose_old_connection_is_dead_is_back_in_time() {
    for millis in [0, 40, 300, 900, 1_500, 20_000] {
        with_any_protocols(
            |_| {},
            |world, [old, new], [there, here]| {
                let first = publisher(world, old, there);
                let player = world.http_play(here, "/live/x");
                send(world, old, first, "P40");
                world.pass(Duration::from_millis(millis));
                let (second, passed) = take_over(world, new, here, OWN, Duration::from_secs(2));
                assert!(passed <= Duration::from_millis(1_500), "{passed:?}");
                assert!(!world.is_publishing(first) && world.clients[first].is_shut_down());
                send(world, new, second, "P40");
                let seen = world.seen(player);
                assert!(seen.starts_with("A0 V0 K0 P40 K"), "{seen}");
                assert_eq!(seen.matches('P').count(), 2, "{seen}");
                assert!(!world.clients[player].is_shut_down());
            },
        );
    }
}

#[test]
fn what_a_dead_connection_has_left_unread_does_not_count() {
    with_any_protocols(
        |_| {},
        |world, [old, new], [there, here]| {
            // Without players it is read seldom, and some of what it has sent is still under way.
            let first = publisher(world, old, there);
            send(world, old, first, "P40");
            let second = newcomer(world, new, here, OWN);
            if new != Transport::Rtmp {
                send(world, new, second, "V A K0");
            }
            world.pass(Duration::from_millis(60));
            // The last of it comes only now.
            send(world, old, first, "P80");
            let passed = wait(world, Duration::from_secs(2), |world| {
                world.is_publishing(second) || new == Transport::Rtmp && may_send(world, new, second)
            });
            assert!(passed <= Duration::from_millis(1_300), "{passed:?}");
        },
    );
}

#[test]
fn a_stranger_is_refused_until_five_seconds_of_silence() {
    with_any_protocols(
        |_| {},
        |world, [old, new], [there, here]| {
            let first = publisher(world, old, there);
            for seconds in [0, 3] {
                world.pass(Duration::from_secs(seconds));
                let second = newcomer(world, new, here, STRANGER);
                if new != Transport::Rtmp {
                    send(world, new, second, "V A K0");
                }
                assert!(is_refused(world, new, second), "after {seconds} s more");
                assert!(world.is_publishing(first));
            }
            world.pass(Duration::from_millis(1_500));
            let (_, passed) = take_over(world, new, here, STRANGER, Duration::from_secs(2));
            assert!(passed >= Duration::from_millis(500), "{passed:?}");
            assert!(!world.is_publishing(first));
        },
    );
}

#[test]
fn a_late_worker_does_not_take_its_own_lateness_for_silence() {
    for seconds in [5, 10, 20] {
        for host in [OWN, STRANGER] {
            for new in PROTOCOLS {
                on_any_shards(
                    |_| {},
                    |mut world, there, here| {
                        let first = publisher(&mut world, Transport::Http, there);
                        // Its worker reads nothing for so long, and hears the newcomer before the publisher.
                        world.now = world.now + Duration::from_secs(seconds);
                        world.arrive_unnoticed(first, "P40");
                        let second = newcomer(&mut world, new, here, host);
                        if may_send(&world, new, second) && !is_refused(&world, new, second) {
                            send(&mut world, new, second, "V A K0");
                        }
                        // It is late again while the newcomer waits.
                        world.now = world.now + Duration::from_secs(seconds);
                        world.arrive_unnoticed(first, "P80");
                        for time in 3..10 {
                            world.pass(Duration::from_millis(40));
                            send(&mut world, Transport::Http, first, &format!("P{}", time * 40));
                        }
                        assert!(is_refused(&world, new, second));
                        assert!(world.is_publishing(first));
                    },
                );
            }
        }
    }
}

#[test]
fn a_publisher_that_speaks_in_a_contest_keeps_its_name() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let first = publisher(&mut world, Transport::Http, there);
            let second = newcomer(&mut world, Transport::Http, here, OWN);
            send(&mut world, Transport::Http, second, "V A K0");
            world.pass(Duration::from_millis(900));
            assert!(world.is_publishing(first) && !world.clients[second].is_shut_down());
            // The worker is late, and what comes is read late.
            world.arrive_unnoticed(first, "P900");
            world.now = world.now + Duration::from_secs(10);
            world.pass(Duration::from_millis(300));
            assert!(is_refused(&world, Transport::Http, second));
            assert!(world.is_publishing(first));
        },
    );
}

#[test]
fn a_publisher_whose_worker_is_busy_is_read_for_a_newcomer() {
    for is_watched in [true, false] {
        on_any_shards(
            |_| {},
            |mut world, there, here| {
                let first = publisher(&mut world, Transport::Http, there);
                if is_watched {
                    world.http_play(there, "/live/x");
                }
                world.clients[first].peer.set_reported(false);
                world.pass(Duration::from_secs(2));
                world.arrive_unnoticed(first, "P2000");
                let second = newcomer(&mut world, Transport::Http, here, OWN);
                send(&mut world, Transport::Http, second, "V A K0");
                for time in 1..10 {
                    world.pass(Duration::from_millis(200));
                    world.arrive_unnoticed(first, &format!("P{}", 2_000 + time * 200));
                }
                assert!(is_refused(&world, Transport::Http, second));
                assert!(world.is_publishing(first));
            },
        );
    }
}

#[test]
fn an_encoder_that_was_let_in_by_another_listener_is_the_same() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let first = publisher(&mut world, Transport::Rtmp, there);
            // As a socket for IPv6 that takes IPv4 as well tells it.
            let mapped = Ipv4Addr::new(10, 0, 0, OWN).to_ipv6_mapped();
            let second = world.connect_from(here, Protocol::Http, mapped.into());
            world.send(second, b"POST /live/x HTTP/1.0\r\n\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0");
            world.push(second, "V A K0");
            world.pass(Duration::from_millis(1_500));
            assert!(!world.is_publishing(first) && world.is_publishing(second));
        },
    );
}

#[test]
fn a_push_without_a_tag_cuts_nobody_and_is_told_so() {
    let header = b"FLV\x01\x05\0\0\0\x09\0\0\0\0";
    let half = [&header[..], b"\x09\0\0\x10\0\0\0\0\0\0\0\x17"].concat();
    for (body, status) in [
        (&b""[..], "HTTP/1.1 400 Bad Request"),
        (b"<html>", "HTTP/1.1 400 Bad Request"),
        (header, "HTTP/1.1 400 Bad Request"),
        (&half, "HTTP/1.1 400 Bad Request"),
    ] {
        for old in PROTOCOLS {
            on_any_shards(
                |_| {},
                |mut world, there, here| {
                    let first = publisher(&mut world, old, there);
                    world.pass(Duration::from_secs(20));
                    let pushes = [OWN, STRANGER].map(|host| {
                        let push = world.connect(here, Protocol::Http, host);
                        let head = format!(
                            "PUT /live/x HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
                            body.len()
                        );
                        world.send(push, &[head.as_bytes(), body].concat());
                        world.pass(Duration::from_secs(1));
                        push
                    });
                    for push in pushes {
                        assert_eq!(world.status(push), status);
                    }
                    assert!(world.is_publishing(first) && !world.clients[first].is_shut_down());
                    let publishes: u64 = world.servers().map(|server| server.stats().publishes).sum();
                    assert_eq!(publishes, 1);
                },
            );
        }
    }
}

#[test]
fn a_push_that_sends_nothing_has_no_name_and_ends_soon() {
    for new in PROTOCOLS {
        on_any_shards(
            |_| {},
            |mut world, there, here| {
                let silent = world.http_push(here, "/live/x", STRANGER);
                let client = newcomer(&mut world, new, there, OWN);
                send(&mut world, new, client, "V A K0");
                assert!(world.is_publishing(client));
                world.pass(Duration::from_secs(11));
                assert_eq!(world.status(silent), "HTTP/1.1 408 Request Timeout");
                assert!(world.is_publishing(client));
            },
        );
    }
}

#[test]
fn an_rtmp_publish_without_media_cuts_nobody() {
    for old in PROTOCOLS {
        on_any_shards(
            |_| {},
            |mut world, there, here| {
                let first = publisher(&mut world, old, there);
                world.pass(Duration::from_secs(6));
                let second = world.rtmp(here, Publish, "live", "x", STRANGER);
                world.pass(Duration::from_secs(2));
                assert_eq!(world.heard(second), "[Started]");
                assert!(world.is_publishing(first) && !world.clients[first].is_shut_down());
                // It is back, so that the newcomer's first frame comes too late.
                send(&mut world, old, first, "P40");
                world.pass(Duration::from_millis(100));
                world.publish(second, "V A K0");
                world.pass(Duration::from_millis(100));
                assert!(is_refused(&world, Transport::Rtmp, second));
                assert!(world.is_publishing(first));
            },
        );
    }
}

#[test]
fn an_rtmp_publish_that_stays_without_media_ends() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let first = publisher(&mut world, Transport::Http, there);
            world.pass(Duration::from_secs(6));
            let second = world.rtmp(here, Publish, "live", "x", STRANGER);
            for second in 6..40 {
                world.pass(Duration::from_secs(1));
                world.push(first, &format!("P{}", second * 1_000));
            }
            assert!(world.heard(second).starts_with("[Started]") && world.clients[second].is_closed());
            assert!(world.is_publishing(first));
        },
    );
}

#[test]
fn a_newcomer_that_was_let_send_may_come_in_the_grace_time() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let first = publisher(&mut world, Transport::Http, there);
            let player = world.http_play(here, "/live/x");
            world.pass(Duration::from_secs(1));
            let second = world.rtmp(here, Publish, "live", "x", OWN);
            wait(&mut world, Duration::from_secs(1), |world| {
                may_send(world, Transport::Rtmp, second)
            });
            world.reset(first);
            world.pass(Duration::from_secs(5));
            world.publish(second, "V A K0");
            assert!(world.is_publishing(second));
            assert!(world.seen(player).starts_with("A0 V0 K0 K"), "{}", world.seen(player));
        },
    );
}

#[test]
fn a_publish_without_media_does_not_stop_the_grace_time() {
    for waits in [false, true] {
        on_any_shards(
            |_| {},
            |mut world, there, here| {
                let first = publisher(&mut world, Transport::Http, there);
                let player = world.http_play(here, "/live/x");
                world.pass(Duration::from_millis(500));
                // It comes when the first is gone, or waits while that is heard.
                let second = waits.then(|| world.rtmp(here, Publish, "live", "x", OWN));
                world.reset(first);
                let second = second.unwrap_or_else(|| world.rtmp(here, Publish, "live", "x", STRANGER));
                assert_eq!(world.heard(second), "[Started]");
                world.send(second, &[4]);
                world.pass(Duration::from_secs(9));
                world.send(second, &[0]);
                assert!(!world.clients[player].is_shut_down());
                world.pass(Duration::from_millis(1_100));
                assert!(world.clients[player].is_shut_down(), "{waits}");
                assert_eq!(world.seen(player), "A0 V0 K0");
            },
        );
    }
}

#[test]
fn a_name_without_media_ends_whatever_else_is_sent() {
    let mut world = World::new(1, |_| {});
    let silent = world.rtmp(0, Publish, "live", "x", OWN);
    world.send(silent, b"\x04\0\0\0\0\xff\xff\x09\x01\0\0\0");
    for _ in 0..29 {
        assert!(world.is_publishing(silent));
        world.pass(Duration::from_secs(1));
        world.send(silent, &[0]);
    }
    world.pass(Duration::from_secs(4));
    assert!(world.clients[silent].is_closed());
}

#[test]
fn a_name_without_media_goes_to_the_first_that_has_some() {
    for takeover in [Takeover::Auto, Takeover::Never] {
        for new in PROTOCOLS {
            on_any_shards(
                |config| config.takeover = takeover,
                |mut world, there, here| {
                    let silent = world.rtmp(there, Publish, "live", "x", OWN);
                    assert_eq!(world.heard(silent), "[Started]");
                    let client = newcomer(&mut world, new, here, STRANGER);
                    assert!(world.is_publishing(silent));
                    send(&mut world, new, client, "V A K0");
                    assert!(world.is_publishing(client));
                    assert!(is_refused(&world, Transport::Rtmp, silent));
                },
            );
        }
    }
}

#[test]
fn of_two_newcomers_the_first_with_media_has_the_name() {
    with_any_protocols(
        |_| {},
        |world, [second_by, third_by], [there, here]| {
            let first = publisher(world, Transport::Http, there);
            world.pass(Duration::from_secs(1));
            let second = newcomer(world, second_by, here, OWN);
            let third = newcomer(world, third_by, there, OWN);
            wait(world, Duration::from_secs(1), |world| {
                may_send(world, second_by, second) && may_send(world, third_by, third)
            });
            send(world, third_by, third, "V A K0");
            send(world, second_by, second, "V A K0");
            wait(world, Duration::from_secs(1), |world| world.is_publishing(third));
            for time in 1..10 {
                send(world, third_by, third, &format!("P{}", time * 40));
                world.pass(Duration::from_millis(40));
            }
            assert!(!world.is_publishing(first) && world.is_publishing(third));
            assert!(is_refused(world, second_by, second));
        },
    );
}

#[test]
fn newcomers_that_wait_for_one_name_are_bounded() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            publisher(&mut world, Transport::Http, there);
            let crowd: Vec<_> = (0..10)
                .map(|_| {
                    let client = world.http_push(here, "/live/x", OWN);
                    world.push(client, "V A K0");
                    client
                })
                .collect();
            let refused = |world: &World| {
                let refused = crowd
                    .iter()
                    .filter(|client| is_refused(world, Transport::Http, **client));
                refused.count()
            };
            assert_eq!(refused(&world), 8);
            world.pass(Duration::from_secs(2));
            let holders = crowd.iter().filter(|client| world.is_publishing(**client));
            assert_eq!(holders.count(), 1);
        },
    );
}

#[test]
fn takeover_can_be_always_or_never() {
    for (takeover, host) in [(Takeover::Always, STRANGER), (Takeover::Never, OWN)] {
        with_any_protocols(
            |config| config.takeover = takeover,
            |world, [old, new], [there, here]| {
                let first = publisher(world, old, there);
                if takeover == Takeover::Never {
                    world.pass(Duration::from_secs(20));
                }
                let second = newcomer(world, new, here, host);
                let is_always = takeover == Takeover::Always;
                assert_eq!(may_send(world, new, second), is_always || new != Transport::Rtmp);
                if may_send(world, new, second) {
                    assert!(world.is_publishing(first));
                    send(world, new, second, "V A K0");
                }
                assert_eq!(world.is_publishing(second), is_always);
                assert_eq!(is_refused(world, old, first), is_always);
                assert_eq!(is_refused(world, new, second), !is_always);
            },
        );
    }
}

#[test]
fn a_newcomer_that_leaves_while_it_waits_leaves_nothing_behind() {
    with_any_protocols(
        |_| {},
        |world, [old, new], [there, here]| {
            let first = publisher(world, old, there);
            let second = newcomer(world, new, here, OWN);
            if new != Transport::Rtmp {
                send(world, new, second, "V A K0");
            }
            world.reset(second);
            world.pass(Duration::from_millis(150));
            send(world, old, first, "P150");
            world.pass(Duration::from_secs(2));
            assert!(world.is_publishing(first));
            world.reset(first);
            world.pass(Duration::from_secs(11));
            for server in world.servers() {
                assert_eq!((server.stats().streams, server.poll_timeout()), (0, None));
                assert_eq!(server.stats().names, 0);
            }
        },
    );
}

#[test]
fn the_first_frame_waits_for_its_name_and_nothing_is_lost() {
    for new in PROTOCOLS {
        let mut world = World::new(3, |_| {});
        for shard in 0..3 {
            let player = world.http_play(1, "/live/x?wait=20");
            let client = newcomer(&mut world, new, shard, OWN);
            world.delivers = false;
            // More than may come behind a request that waits.
            let pictures: Vec<_> = (1..=700).map(|number| format!("P{number}")).collect();
            send(&mut world, new, client, &format!("V A K0 a5 {}", pictures.join(" ")));
            send(&mut world, new, client, "P740 a745");
            world.delivers = true;
            world.settle();
            assert!(world.seen(player).ends_with("P700 P740 a745"), "{}", world.seen(player));
            world.finish(client);
            world.pass(Duration::from_secs(11));
        }
    }
}

#[test]
fn a_push_that_has_ended_before_it_has_its_name_is_heard() {
    // With frames behind the first, with a few bytes, and with nothing.
    for (script, cut, seen) in [("V K0 P40", 0, "V0 K0 P40"), ("V", 0, ""), ("V", 4, "")] {
        let mut body = flv(script);
        body.truncate(body.len() - cut);
        for length in [format!("Content-Length: {}\r\n", body.len()), String::new()] {
            let mut world = World::new(3, |_| {});
            for name in ["a", "b", "c", "d"] {
                let player = world.http_play(1, &format!("/live/{name}?wait=20"));
                let push = world.connect(0, Protocol::Http, OWN);
                let head = format!("POST /live/{name} HTTP/1.1\r\nHost: x\r\n{length}\r\n");
                world.delivers = false;
                world.send(push, &[head.as_bytes(), &body].concat());
                world.finish(push);
                world.delivers = true;
                world.settle();
                assert_eq!(world.status(push), "HTTP/1.1 200 OK");
                world.pass(Duration::from_secs(11));
                assert_eq!(world.seen(player), seen);
            }
            assert_eq!(world.shards[0].server().stats().publishes, 4, "{script}");
        }
    }
}

#[test]
fn a_reply_that_is_not_taken_while_a_claim_waits_is_no_loop() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let first = publisher(&mut world, Transport::Http, there);
            let second = world.connect(here, Protocol::Http, OWN);
            world.take(second, 0);
            world.send(second, b"POST /live/x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n");
            world.send(second, b"Transfer-Encoding: chunked\r\n\r\n");
            let body = flv("V K0");
            world.send(
                second,
                &[format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n"].concat(),
            );
            assert!(world.waiting(second) > 0 && !world.is_publishing(second));
            world.pass(Duration::from_secs(2));
            assert!(!world.is_publishing(first) && world.is_publishing(second));
        },
    );
}

#[test]
fn the_name_goes_to_the_newcomer_that_may_have_it() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let first = publisher(&mut world, Transport::Http, there);
            world.pass(Duration::from_millis(4_100));
            let [stranger, own] = [STRANGER, OWN].map(|host| {
                let push = world.http_push(here, "/live/x", host);
                world.push(push, "V A K0");
                push
            });
            world.pass(Duration::from_millis(300));
            assert!(!world.is_publishing(first) && world.is_publishing(own));
            world.pass(Duration::from_millis(300));
            assert!(!world.is_publishing(stranger));
        },
    );
}

#[test]
fn frames_in_the_next_reads_wait_with_the_first() {
    let body = flv("V A K0 a5 P40");
    // Any number of bytes comes before the name is had, in two reads.
    for (name, early) in ["a", "b"]
        .iter()
        .flat_map(|name| (20..body.len()).map(move |early| (name, early)))
    {
        let mut world = World::new(3, |_| {});
        let player = world.http_play(1, &format!("/live/{name}?wait=20"));
        let push = world.connect(0, Protocol::Http, OWN);
        world.send(
            push,
            format!("POST /live/{name} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes(),
        );
        let (early, late) = body.split_at(early);
        world.delivers = false;
        world.send(push, early);
        world.send(push, late);
        world.delivers = true;
        world.settle();
        assert_eq!(world.seen(player), "A0 V0 K0 a5 P40", "{name}, {} bytes", early.len());
    }
}
