//! Rows 38 to 40: players that take nothing, little, or a place.

use crate::inputs::{self, Port};
use crate::scene::Scene;
use std::time::Duration;

/// Every way to play.
fn players() -> [(Port, Vec<u8>); 3] {
    [
        (
            Port::Rtmp,
            inputs::connected(&[inputs::create_stream(), inputs::play(b"good")]),
        ),
        (Port::Http, b"GET /live/good HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        (Port::Http, inputs::websocket("/live/good", b"")),
    ]
}

#[test]
fn row_38_a_player_that_never_reads_is_closed() {
    for (port, request) in players() {
        let mut scene = Scene::new();
        let peer = scene.connect(port);
        scene.world.take(peer, 0);
        scene.say(peer, &request);
        scene.pass(Duration::from_secs(60));
        assert!(scene.is_over(peer));
        scene.expect_lines("stall", 4);
    }
}

/// Its queue is bounded: it misses what is too old. A byte a second is no progress, so it is closed as one that never reads,
/// once enough waits for it to be judged.
#[test]
fn row_39_a_player_that_reads_a_byte_a_second_holds_little_and_is_closed() {
    for (port, request) in players() {
        let mut scene = Scene::new();
        let peer = scene.connect(port);
        scene.say(peer, &request);
        for _ in 0..120 {
            scene.world.take(peer, 1);
            scene.pass(Duration::from_secs(1));
            assert!(scene.world.waiting(peer) <= 65 << 10);
        }
        assert!(scene.is_over(peer));
        scene.expect_lines("stall", 6);
    }
}

#[test]
fn row_40_players_for_nothing_have_their_share_of_places() {
    let mut scene = Scene::new();
    scene.hold(40);
    for _ in 0..2 {
        scene.begin_again();
        wait_for_nothing(&mut scene);
    }
}

fn wait_for_nothing(scene: &mut Scene) {
    let rtmp = inputs::connected(&[inputs::create_stream(), inputs::play(b"nothing")]);
    let (mut waiting, mut refused) = (0, 0);
    for number in 0..800 {
        let (port, request) = match number % 2 {
            0 => (Port::Rtmp, &rtmp[..]),
            _ => (
                Port::Http,
                &b"GET /live/nothing?wait=60 HTTP/1.1\r\nHost: x\r\n\r\n"[..],
            ),
        };
        let Some(peer) = scene.connect_from(port, crate::scene::ADDRESS) else {
            continue;
        };
        scene.tell(peer, request);
        let heard = scene.heard(peer);
        let heard = String::from_utf8_lossy(&heard);
        match heard.contains("HTTP/1.1 503 ") || heard.contains("NetStream.Play.Failed") {
            true => refused += 1,
            false => waiting += 1,
        }
    }
    assert!(waiting > 0 && refused > 0, "{waiting} wait, {refused} refused");
    assert!(waiting <= 250, "{waiting} wait");
    // Somebody else finds a place.
    let other = scene
        .connect_from(Port::Http, std::net::Ipv4Addr::new(10, 0, 1, 1))
        .unwrap();
    scene.say(other, b"GET /live/nothing?wait=60 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(scene.heard(other), b"");
    // An RTMP player waits for 30 s, HTTP as long as it asks, and may ask for something else then.
    scene.pass(Duration::from_secs(90));
    scene.check_quiet("their waits are over");
}

/// Their shares end with the names, whatever these are.
#[test]
fn row_40_players_for_many_names_keep_nobody_out() {
    let mut scene = Scene::new();
    scene.hold(40);
    for _ in 0..2 {
        scene.begin_again();
        wait_under_many_names(&mut scene);
    }
}

fn wait_under_many_names(scene: &mut Scene) {
    let mut waiting = 0;
    for number in 0..600 {
        let Some(peer) = scene.connect_from(Port::Http, crate::scene::ADDRESS) else {
            continue;
        };
        let request = format!("GET /live/nothing{}?wait=60 HTTP/1.1\r\nHost: x\r\n\r\n", number / 100);
        scene.tell(peer, request.as_bytes());
        waiting += usize::from(scene.heard(peer).is_empty());
    }
    assert!(waiting <= 250, "{waiting} wait");
    scene.pass(Duration::from_secs(130));
    scene.check_quiet("their waits are over");
}
