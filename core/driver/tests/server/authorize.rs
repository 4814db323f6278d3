//! Whether the world lets peers publish and play.

use crate::world::World;
use headwater_core::StreamKey;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::{
    Answer, AuthorizeRequest, Config, Grant, Intent, Otherwise, Protocol, Question, Transport,
};
use std::time::Duration;

fn asking(change: impl FnOnce(&mut Config)) -> World {
    World::new(2, |config| {
        config.authorize.publish = true;
        config.authorize.play = true;
        change(config);
    })
}

fn asked(world: &World) -> &AuthorizeRequest {
    match world.asked.as_slice() {
        [(_, _, Question::Authorize(request))] => request,
        other => panic!("one question: {other:?}"),
    }
}

/// What an HTTP client has received, the head only.
fn head(world: &World, client: usize) -> String {
    let received = String::from_utf8_lossy(&world.clients[client].received).into_owned();
    received.split("\r\n\r\n").next().unwrap_or_default().into()
}

#[test]
fn an_rtmp_publisher_starts_once_it_is_allowed() {
    let mut world = asking(|_| {});
    let publisher = world.rtmp(0, Publish, "live", "x?token=secret", 1);
    assert_eq!(world.heard(publisher), "");
    let request = asked(&world);
    assert_eq!((request.intent, request.protocol), (Intent::Publish, Transport::Rtmp));
    assert_eq!((request.stream.as_str(), &*request.query), ("live/x", "token=secret"));
    assert_eq!((request.peer.port(), &*request.tc_url), (40_000, "rtmp://host/live"));
    let shown = format!("{request:?}");
    assert!(shown.contains("live/x") && !shown.contains("secret"), "{shown}");

    world.answer(Answer::allow());
    assert_eq!(world.heard(publisher), "[Started]");
    assert!(world.is_publishing(publisher));
}

#[test]
fn an_http_push_is_read_once_it_is_allowed() {
    let mut world = asking(|config| config.authorize.play = false);
    let publisher = world.connect(0, Protocol::Http, 1);
    let push = "POST /live/x?a=1 HTTP/1.1\r\nHost: h\r\nUser-Agent: Lavf\r\nAuthorization: Basic eA==\r\n\
        Origin: http://h\r\nReferer: http://h/page\r\nTransfer-Encoding: chunked\r\n\r\n";
    world.send(publisher, push.as_bytes());
    let request = asked(&world);
    assert_eq!(
        [
            &request.agent,
            &request.authorization,
            &request.origin,
            &request.page_url
        ]
        .map(|text| &**text),
        ["Lavf", "Basic eA==", "http://h", "http://h/page"]
    );
    assert!(!format!("{request:?}").contains("eA=="));
    // An encoder that does not wait fills its socket: one read is taken, and no harm is done.
    world.send(publisher, &[b'5'; 60_000]);
    assert!(!world.wants_input(publisher));
    assert_eq!((world.waiting(publisher), head(&world, publisher).as_str()), (0, ""));
}

#[test]
fn a_push_that_was_allowed_goes_on_with_what_waited() {
    let mut world = asking(|config| config.authorize.play = false);
    let publisher = world.http_push(1, "/live/x", 1);
    world.push(publisher, "V A a0 K0");
    assert!(!world.is_publishing(publisher));
    world.answer(Answer::allow());
    assert!(world.is_publishing(publisher));
    let player = world.http_play(0, "/live/x");
    assert_eq!(world.seen(player), "A0 V0 K0");
}

#[test]
fn a_denied_peer_hears_why_and_is_closed() {
    let mut world = asking(|_| {});
    for purpose in [Publish, Play] {
        let client = world.rtmp(0, purpose, "live", "x", 1);
        world.answer(Answer::deny("the key has expired"));
        let code = match purpose {
            Publish => "NetStream.Publish.Denied",
            Play => "NetStream.Play.Failed",
        };
        assert_eq!(world.heard(client), format!("[{code}]"));
        world.pass(Duration::from_secs(2));
        assert!(world.clients[client].is_closed());
    }
    for request in [
        "GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n",
        "PUT /live/x HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        let client = world.connect(0, Protocol::Http, 1);
        world.send(client, request.as_bytes());
        world.answer(Answer::deny("no such key"));
        let received = String::from_utf8_lossy(&world.clients[client].received).into_owned();
        assert!(
            received.starts_with("HTTP/1.1 403") && received.contains("no such key"),
            "{received}"
        );
    }
    assert_eq!(world.shards[0].server().stats().publishes_refused, 2);
    assert_eq!(world.shards[0].server().stats().plays_refused, 2);
}

#[test]
fn a_browser_is_asked_for_credentials() {
    let mut world = asking(|_| {});
    let player = world.connect(0, Protocol::Http, 1);
    world.send(player, b"GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    let Answer::Deny(denial) = Answer::deny("who are you?") else {
        unreachable!()
    };
    world.answer(Answer::Deny(denial.needs_credentials()));
    let head = head(&world, player);
    assert!(
        head.starts_with("HTTP/1.1 401") && head.contains("WWW-Authenticate"),
        "{head}"
    );
}

#[test]
fn what_is_published_with_a_secret_key_has_a_public_name() {
    let mut world = asking(|config| config.authorize.play = false);
    let publisher = world.rtmp(1, Publish, "live", "secret", 1);
    let mut grant = Grant::default();
    grant.stream = StreamKey::new("live/public").ok();
    world.answer(Answer::Allow(grant));
    world.publish(publisher, "V A K0 a5");
    let player = world.http_play(0, "/live/public");
    assert_eq!(world.seen(player), "A0 V0 K0 a5");
    let other = world.http_play(0, "/live/secret");
    assert!(head(&world, other).starts_with("HTTP/1.1 404"));
}

#[test]
fn without_an_answer_the_default_is_done() {
    for (otherwise, expected) in [
        (Otherwise::Deny, "[NetStream.Publish.Denied]"),
        (Otherwise::Allow, "[Started]"),
    ] {
        let mut world = asking(|config| config.authorize.otherwise = otherwise);
        let publisher = world.rtmp(0, Publish, "live", "x", 1);
        world.pass(Duration::from_millis(4_900));
        assert_eq!(world.heard(publisher), "");
        world.pass(Duration::from_millis(200));
        assert_eq!(world.heard(publisher), expected);
        assert_eq!(world.shards[0].server().stats().unanswered, 1);
        // Too late, and twice.
        let (shard, ticket, _) = world.asked.remove(0);
        for _ in 0..2 {
            world.shards[shard].answer(world.now, ticket, Answer::deny("late"));
            world.settle();
        }
        assert_eq!(world.heard(publisher), expected);
    }
}

#[test]
fn an_answer_about_a_peer_that_has_left_does_nothing() {
    let mut world = asking(|_| {});
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.reset(publisher);
    let successor = world.rtmp(0, Publish, "live", "y", 2);
    world.answer(Answer::allow());
    assert_eq!(
        (world.heard(successor), world.shards[0].server().stats().publishes),
        (String::new(), 0)
    );
    world.answer(Answer::allow());
    assert_eq!(world.heard(successor), "[Started]");
}

#[test]
fn a_permission_that_ends_ends_what_it_allowed() {
    let mut world = asking(|_| {});
    let lasts = |seconds| {
        let mut grant = Grant::default();
        grant.lasts = Some(Duration::from_secs(seconds));
        Answer::Allow(grant)
    };
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.answer(lasts(60));
    world.publish(publisher, "V A K0");
    let player = world.rtmp(1, Play, "live", "x", 2);
    world.answer(lasts(20));
    for second in 0..19 {
        world.publish(publisher, &format!("P{}", second * 1_000));
        world.pass(Duration::from_secs(1));
    }
    assert!(!world.clients[player].is_closed());
    world.pass(Duration::from_secs(4));
    assert!(world.heard(player).ends_with("[permission ended]") || world.clients[player].is_closed());
    assert!(world.is_publishing(publisher));
    for second in 23..60 {
        world.publish(publisher, &format!("P{}", second * 1_000));
        world.pass(Duration::from_secs(1));
    }
    assert!(!world.is_publishing(publisher), "{}", world.heard(publisher));
}

#[test]
fn a_server_that_shuts_down_waits_for_no_answer() {
    let mut world = asking(|_| {});
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    let player = world.connect(0, Protocol::Http, 1);
    world.send(player, b"GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    world.shutdown();
    assert!(
        head(&world, player).starts_with("HTTP/1.1 503"),
        "{}",
        head(&world, player)
    );
    assert_eq!(world.heard(publisher), "[NetConnection.Connect.AppShutdown]");
    world.pass(Duration::from_secs(5));
    assert!(world.shards[0].server().is_drained());
}

#[test]
fn a_server_that_asks_for_nothing_has_no_question() {
    let mut world = World::new(1, |_| {});
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    assert_eq!((world.asked.len(), world.heard(publisher).as_str()), (0, "[Started]"));
}
