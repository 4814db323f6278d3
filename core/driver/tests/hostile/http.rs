//! Rows 41 to 43: HTTP and WebSocket.

use crate::inputs::{self, Port};
use crate::scene::Scene;
use std::time::Duration;

#[test]
fn row_41_requests_that_could_be_two_are_refused() {
    let mut scene = Scene::new();
    for heard in scene.hold(41) {
        let text = String::from_utf8_lossy(&heard.bytes);
        let is_refused = ["HTTP/1.1 400 ", "HTTP/1.1 431 "]
            .iter()
            .any(|line| text.starts_with(line));
        assert!(
            is_refused || heard.what.contains("behind") || heard.what.contains("of one byte"),
            "{}: {text}",
            heard.what
        );
        assert!(
            !text.contains("HTTP/1.1 200 ") && !text.contains("FLV"),
            "{}: {text}",
            heard.what
        );
    }
}

#[test]
fn row_41_a_push_without_its_last_chunk_ends_with_its_connection() {
    let mut scene = Scene::new();
    let peer = scene.connect(Port::Http);
    scene.say(
        peer,
        &inputs::push("/live/hostile", "", &inputs::flv(&inputs::tag(8, b"\xAF\x01\x21"))),
    );
    scene.world.finish(peer);
    assert!(scene.is_over(peer));
    assert_eq!(scene.heard(peer), b"", "there is nothing to say 200 to");
    scene.expect_lines("publish ended", 3);
}

#[test]
fn row_42_what_is_no_flv_is_refused() {
    let heard = Scene::new().hold(42);
    for (heard, status) in heard.iter().zip(["400", "", "400", "400", "413", ""]) {
        let text = String::from_utf8_lossy(&heard.bytes);
        assert!(
            text.split(' ').nth(1).unwrap_or_default() == status,
            "{}: {text}",
            heard.what
        );
    }
}

#[test]
fn row_42_a_tag_that_never_comes_ends_its_push() {
    let mut scene = Scene::new();
    let peer = scene.connect(Port::Http);
    scene.say(
        peer,
        &inputs::push("/live/hostile", "", &inputs::flv(b"\x09\x7A\x12\0\0\0\0\0\0\0\0\x17")),
    );
    assert!(scene.holds() < 128 << 10);
    scene.pass(Duration::from_secs(40));
    assert!(scene.is_over(peer));
    scene.expect_lines("timeout", 3);
}

/// 1002 for what breaks the rules, 1009 for what is too large.
#[test]
fn row_43_a_player_that_breaks_websocket_is_told_the_code() {
    let mut heard = Scene::new().hold(43);
    heard.retain(|heard| !heard.what.contains("publisher"));
    let codes = [1_002u16, 1_002, 1_009, 1_002, 1_002, 1_000];
    // To either listener.
    for heard in heard.chunks(codes.len() + 1) {
        let (flood, broken) = heard.split_last().unwrap();
        assert_eq!(broken.len(), codes.len());
        assert!(
            flood.bytes.windows(2).any(|it| it == b"\x8A\0"),
            "{}: no pong",
            flood.what
        );
        for (heard, code) in broken.iter().zip(codes) {
            let close = [&[0x88, 2][..], &code.to_be_bytes()].concat();
            let is_told = heard.bytes.windows(4).any(|window| window == close)
                || heard
                    .bytes
                    .windows(4)
                    .any(|window| window[0] == 0x88 && window[2..] == code.to_be_bytes());
            assert!(is_told, "{}: {:?}", heard.what, heard.bytes.escape_ascii().to_string());
        }
    }
}

#[test]
fn row_43_a_publisher_that_breaks_websocket_is_told_the_code() {
    let heard = Scene::new().hold(43);
    let publishers = heard.iter().filter(|heard| heard.what.contains("publisher"));
    let mut told = 0;
    for (heard, code) in publishers.zip([1_003u16, 1_002, 1_009, 1_002, 1_002, 4_400]) {
        let is_told = heard
            .bytes
            .windows(4)
            .any(|window| window[0] == 0x88 && window[2..] == code.to_be_bytes());
        assert!(is_told, "{}: {:?}", heard.what, heard.bytes.escape_ascii().to_string());
        told += 1;
    }
    assert_eq!(told, 6);
}

#[test]
fn row_43_a_publisher_that_says_nothing_is_told_so() {
    let mut scene = Scene::new();
    let peer = scene.connect(Port::Http);
    scene.say(peer, &inputs::websocket("/live/hostile?publish", b"\x82\x81\0\0\0\0F"));
    scene.pass(Duration::from_secs(11));
    assert!(scene.is_over(peer));
    let heard = scene.heard(peer);
    let reason = b"\x11\x38idle timeout";
    assert!(heard.ends_with(reason), "{}", heard.escape_ascii());
}
