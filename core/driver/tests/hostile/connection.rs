//! Rows 1 to 4, 44, 49 and 50: what comes before anybody has said who it is, and peers that vanish.

use crate::inputs::{self, Port};
use crate::scene::{ADDRESS, Scene};
use headwater_core::server::Answer;
use std::net::Ipv4Addr;
use std::time::Duration;

#[test]
fn row_01_silence_and_a_byte_a_second_end_after_10_s() {
    let mut scene = Scene::new();
    scene.hold(1);
    let peers = [Port::Rtmp, Port::Http, Port::Rtmp, Port::Http].map(|port| scene.connect(port));
    for second in 0..12 {
        for (peer, bytes) in [(peers[2], &[3; 12][..]), (peers[3], b"GET /live/go")] {
            scene.say(peer, &bytes[second..=second]);
        }
        assert_eq!(
            peers.iter().all(|peer| !scene.is_over(*peer)),
            second < 10,
            "after {second} s"
        );
        scene.pass(Duration::from_secs(1));
    }
    assert!(peers.iter().all(|peer| scene.is_over(*peer)));
    let lines = scene.lines();
    for reason in ["handshake timeout", "command timeout"] {
        let told = lines.iter().any(|line| line.contains(reason));
        assert!(told, "{reason}: {lines:#?}");
    }
}

#[test]
fn row_01_a_crowd_that_is_silent_is_gone_after_10_s() {
    let mut scene = Scene::new();
    for _ in 0..2 {
        scene.begin_again();
        end_a_crowd(&mut scene);
    }
}

fn end_a_crowd(scene: &mut Scene) {
    let crowd: Vec<_> = (0..1_000u16)
        .filter_map(|number| {
            let [.., high, low] = u32::from(number % 50 + 1).to_be_bytes();
            let port = if number % 2 == 0 { Port::Rtmp } else { Port::Http };
            scene.connect_from(port, Ipv4Addr::new(10, 1, high, low))
        })
        .collect();
    assert!(crowd.len() >= 50);
    scene.pass(Duration::from_secs(12));
    assert!(crowd.iter().all(|peer| scene.is_over(*peer)));
}

#[test]
fn row_02_another_version_is_closed_without_an_answer() {
    for heard in Scene::new().hold(2) {
        assert_eq!(heard.bytes, b"");
    }
}

#[test]
fn row_03_junk_in_the_handshake_is_never_an_error() {
    for heard in Scene::new().hold(3) {
        let answer = String::from_utf8_lossy(&heard.bytes);
        assert!(answer.contains("NetConnection.Connect.Success"), "{}", heard.what);
    }
}

/// Our half of the handshake is said at C1, so nothing that comes behind it is kept for later.
#[test]
fn row_04_what_comes_before_our_half_is_served() {
    let mut scene = Scene::new();
    let heard = scene.hold(4);
    assert!(String::from_utf8_lossy(&heard[0].bytes).contains("NetStream.Publish.Start"));
}

#[test]
fn row_44_other_protocols_are_closed_without_an_answer() {
    for heard in Scene::new().hold(44) {
        assert_eq!(heard.bytes, b"", "{}", heard.what);
    }
}

/// They neither send nor take anything any more, and nobody says that they are gone.
#[test]
fn row_49_peers_that_vanish_are_missed_in_time() {
    let mut scene = Scene::new();
    let player = inputs::connected(&[inputs::create_stream(), inputs::play(b"good")]);
    let waiting = inputs::connected(&[inputs::create_stream(), inputs::play(b"nothing")]);
    let get = b"GET /live/good HTTP/1.1\r\nHost: x\r\n\r\n";
    let kinds: [(Port, Vec<u8>); 9] = [
        (Port::Rtmp, vec![]),
        (Port::Rtmp, inputs::handshake()),
        (Port::Rtmp, inputs::connected(&[])),
        (Port::Rtmp, player),
        (Port::Rtmp, waiting),
        (
            Port::Rtmp,
            inputs::publishing(&[inputs::message(8, 1, b"\xAF\x01\x21")]),
        ),
        (Port::Http, get.to_vec()),
        (Port::Http, inputs::websocket("/live/good", b"")),
        (Port::Http, inputs::push("/live/hostile2", "", &inputs::flv(b""))),
    ];
    let peers = kinds.map(|(port, bytes)| {
        let peer = scene.connect(port);
        scene.say(peer, &bytes);
        scene.world.take(peer, 0);
        peer
    });
    scene.pass(Duration::from_secs(100));
    for (kind, peer) in peers.into_iter().enumerate() {
        assert!(scene.is_over(peer), "kind {kind}");
    }
    scene.check_quiet("without a word from the peers");
    let lines = scene.lines();
    let reasons = lines
        .iter()
        .filter(|line| line.contains("timeout") || line.contains("stall"));
    assert!(reasons.count() >= 6, "{lines:#?}");
}

/// Whoever decides takes his time. Until then the flood waits in the kernel.
#[test]
fn row_50_a_flood_waits_while_a_question_is_open() {
    const FLOOD: usize = 1 << 20;
    for port in [Port::Rtmp, Port::Http] {
        let mut scene = Scene::with(|config| {
            config.authorize.publish = true;
            config.authorize.timeout = Duration::from_secs(5);
        });
        let frame = inputs::message(9, 1, &[0x27; 60_000]);
        let start = match port {
            Port::Rtmp => inputs::publishing(&[]),
            Port::Http => inputs::push("/live/hostile", "", &inputs::flv(b"")),
        };
        let peer = scene.connect_from(port, ADDRESS).unwrap();
        scene.say(peer, &start);
        assert_eq!(scene.world.asked.len(), 1);
        // What nobody reads is the test's own memory.
        scene.may_hold(2 * FLOOD);
        let read = scene.world.clients[peer].peer.bytes_read();
        while scene.world.clients[peer].peer.unread() < FLOOD {
            scene.say(peer, &frame);
        }
        let read = scene.world.clients[peer].peer.bytes_read() - read;
        assert!(read <= 64 << 10, "{read} bytes read");
        // Too late, and for nobody: the question had its time.
        scene.pass(Duration::from_secs(6));
        assert!(scene.is_over(peer));
        scene.world.answer(Answer::allow());
        scene.expect_lines("reason=", 2);
    }
}
