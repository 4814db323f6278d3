//! What becomes of connections: requests one after the other, ends and final replies.

use crate::world::World;
use headwater_core::server::{Event, Protocol};
use std::time::Duration;

/// An HTTP/1.1 client that has sent `requests`, all at once.
pub(super) fn http(world: &mut World, requests: &[&str]) -> usize {
    let client = world.connect(0, Protocol::Http, 9);
    let text: String = requests
        .iter()
        .map(|request| format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n"))
        .collect();
    world.send(client, text.as_bytes());
    client
}

/// The status codes of all responses so far.
pub(super) fn codes(world: &World, client: usize) -> Vec<u16> {
    String::from_utf8_lossy(&world.clients[client].received)
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|response| response[..3].parse().unwrap())
        .collect()
}

#[test]
fn requests_sent_together_are_answered_in_order() {
    let mut world = World::new(1, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let requests = ["HEAD /live/x", "HEAD /live/y", "OPTIONS /live/x", "GET /live/x"];
    let client = http(&mut world, &requests);
    assert_eq!(codes(&world, client), [200, 404, 204, 200]);
}

#[test]
fn a_request_behind_a_play_is_answered_when_the_play_has_ended() {
    let mut world = World::new(1, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let client = http(&mut world, &["GET /live/x", "GET /live/y"]);
    assert_eq!(codes(&world, client), [200]);
    world.finish(publisher);
    world.pass(Duration::from_secs(11));
    assert_eq!(codes(&world, client), [200, 404]);
    assert!(world.wants_input(client));
}

#[test]
fn a_request_behind_one_that_waited_in_vain_is_answered() {
    let mut world = World::new(1, |_| {});
    let client = http(&mut world, &["GET /live/x?wait=1", "GET /live/y"]);
    world.pass(Duration::from_secs(2));
    assert_eq!(codes(&world, client), [404, 404]);
    assert!(world.wants_input(client));
}

#[test]
fn a_connection_can_play_again_when_its_stream_has_ended() {
    let mut world = World::new(1, |_| {});
    let client = http(&mut world, &["GET /live/x?wait=1"]);
    for count in 1..3 {
        let publisher = world.http_push(0, "/live/x", 1);
        world.push(publisher, "V A K0 a5");
        world.finish(publisher);
        world.pass(Duration::from_secs(11));
        assert_eq!(codes(&world, client).len(), count);
        assert!(world.clients[client].received.ends_with(b"0\r\n\r\n"));
        world.send(client, b"GET /live/x?wait=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    }
}

#[test]
fn a_final_reply_survives_an_end_of_input_told_repeatedly() {
    let mut world = World::new(1, |_| {});
    let client = world.connect(0, Protocol::Http, 9);
    world.clients[client].peer.set_window(0);
    world.send(client, b"GET /live/x HTTP/1.0\r\n\r\n");
    for _ in 0..3 {
        world.finish(client);
        assert!(!world.wants_input(client) && !world.clients[client].is_closed());
    }
    world.take(client, usize::MAX);
    assert_eq!(codes(&world, client), [404]);
    assert!(
        world.clients[client].is_closed(),
        "there is nothing to wait for any more"
    );
}

#[test]
fn a_final_reply_that_nobody_takes_is_given_up() {
    let mut world = World::new(1, |_| {});
    let client = world.connect(0, Protocol::Http, 9);
    world.clients[client].peer.set_window(0);
    world.send(client, b"GET /live/x HTTP/1.0\r\n\r\n");
    world.finish(client);
    world.pass(Duration::from_secs(3));
    assert!(world.clients[client].is_closed());
}

#[test]
fn a_final_reply_that_is_not_taken_is_said_to_be_why() {
    let mut world = World::new(1, |config| config.keeps_events = true);
    let client = world.connect(0, Protocol::Http, 9);
    world.clients[client].peer.set_window(0);
    world.send(client, b"GET /live/x HTTP/1.0\r\n\r\n");
    world.pass(Duration::from_millis(2_100));
    assert!(world.clients[client].is_closed(), "it has been waited for already");
    let mut events = std::iter::from_fn(|| world.shards[0].poll_event());
    let reason = events.find_map(|event| match event {
        Event::Disconnected { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(reason.as_deref(), Some("did not take its final reply"));
}

#[test]
fn a_peer_that_closes_first_is_closed_at_once() {
    let mut world = World::new(1, |_| {});
    for listener in [Protocol::Http, Protocol::Rtmp] {
        let client = world.connect(0, listener, 9);
        world.finish(client);
        assert!(world.clients[client].is_closed());
    }
}

#[test]
fn a_peer_that_answers_our_end_is_closed_at_once() {
    let mut world = World::new(1, |_| {});
    let client = world.connect(0, Protocol::Http, 9);
    world.send(client, b"GET /live/x HTTP/1.0\r\n\r\n");
    assert!(world.clients[client].is_shut_down() && world.wants_input(client));
    world.finish(client);
    assert!(world.clients[client].is_closed());
}

#[test]
fn a_player_that_waits_is_heard_to_leave() {
    let mut world = World::new(1, |_| {});
    let client = http(&mut world, &["GET /live/x?wait=60"]);
    assert!(
        world.wants_input(client),
        "a peer that resets its connection is noticed by reading"
    );
    world.reset(client);
    assert_eq!(world.shards[0].server().stats().streams, 0);
}

#[test]
fn a_half_closed_player_waits_for_10_s_at_most() {
    let mut world = World::new(1, |_| {});
    let [leaves, listens] = [(); 2].map(|()| http(&mut world, &["GET /live/x?wait=60"]));
    world.finish(leaves);
    world.pass(Duration::from_secs(9));
    assert!(codes(&world, leaves).is_empty());
    world.pass(Duration::from_secs(2));
    assert_eq!(codes(&world, leaves), [404]);
    assert!(world.clients[leaves].is_closed());
    world.finish(listens);
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    assert_eq!(codes(&world, listens), [200]);
}

#[test]
fn a_connection_that_asks_and_asks_is_ended() {
    let mut world = World::new(1, |config| config.limits.max_requests_per_second = 10);
    let publisher = world.http_push(0, "/live/x", 1);
    let asked = [
        ("GET /live/y", 503),
        ("HEAD /live/y", 503),
        // What needs nobody to decide on it has been answered when it is counted.
        ("OPTIONS /live/y", 204),
        ("DELETE /live/y", 405),
        ("GET /y/..", 404),
    ];
    for (request, last) in asked {
        let client = http(&mut world, &[request; 10]);
        assert_eq!(codes(&world, client).len(), 10, "{request}");
        world.pass(Duration::from_secs(1));
        let many = format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(12);
        world.send(client, many.as_bytes());
        assert_eq!(codes(&world, client)[20..], [last], "{request}");
        assert!(world.clients[client].is_shut_down(), "{request}");
    }
    assert_eq!(world.shards[0].server().stats().failed, 5);
    world.push(publisher, "V A K0 a5");
    assert!(!world.clients[publisher].is_shut_down());
}
