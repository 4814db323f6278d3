//! Rows 26 to 31 and 46 to 48: commands.

use crate::inputs::{self, Port};
use crate::scene::Scene;
use std::net::Ipv4Addr;
use std::time::Duration;

/// A name has 511 bytes at the most, app and slash included, other strings 4 KiB.
#[test]
fn row_26_huge_strings_are_refused_with_a_reason() {
    let heard = Scene::new().hold(26);
    let codes = ["NetConnection.Connect.Rejected"; 3].into_iter().chain([
        "NetStream.Publish.BadName",
        "NetStream.Play.StreamNotFound",
        "HTTP/1.1 400",
    ]);
    assert_eq!(heard.len(), codes.clone().count());
    for (heard, code) in heard.iter().zip(codes) {
        assert!(String::from_utf8_lossy(&heard.bytes).contains(code), "{}", heard.what);
    }
}

/// Whatever a name is, the log has it escaped (a scene checks every line), and no response repeats it.
#[test]
fn row_27_names_reach_neither_log_nor_response_as_they_are() {
    let mut scene = Scene::new();
    for heard in scene.hold(27) {
        let text = String::from_utf8_lossy(&heard.bytes);
        for words in ["X-Injected", "<script>", "forged", "passwd"] {
            assert!(!text.contains(words), "{}: {text}", heard.what);
        }
    }
}

/// A stream may be played on a message stream that was published on: the publish ends.
#[test]
fn row_28_things_in_the_wrong_order_are_fatal_or_not_heard() {
    Scene::new().hold(28);
}

/// They have no bound in bytes, as nothing is kept of them. Their bound is the time for a command.
#[test]
fn row_28_media_before_connect_do_not_prolong_it() {
    let mut scene = Scene::new();
    let peer = scene.connect(Port::Rtmp);
    scene.say(peer, &inputs::unconnected(&[]));
    for _ in 0..12 {
        scene.say(peer, &inputs::message(9, 1, &[0x27; 20_000]));
        scene.pass(Duration::from_secs(1));
    }
    assert!(scene.is_over(peer));
    scene.expect_lines("command timeout", 1);
}

/// An encoder may not read that its publish has ended, and sends on.
#[test]
fn row_28_media_behind_a_publish_are_bounded() {
    let mut scene = Scene::with(|config| config.limits.max_message_len = 1 << 20);
    let peer = scene.connect(Port::Rtmp);
    let closed = inputs::on_stream(1, "closeStream", &[]);
    scene.say(peer, &inputs::publishing(&[closed]));
    let media = inputs::message(9, 1, &[0x27; 60_000]);
    scene.say(peer, &media.repeat(10));
    assert!(!scene.is_over(peer));
    scene.say(peer, &media.repeat(10));
    assert!(scene.is_over(peer));
    scene.expect_lines("bytes of media outside of any publish", 5);
}

#[test]
fn row_29_the_17th_message_stream_is_fatal() {
    for heard in Scene::new().hold(29) {
        let text = String::from_utf8_lossy(&heard.bytes);
        assert_eq!(text.matches("_result").count(), 1 + 16);
        assert!(text.contains("NetConnection.Call.Failed"));
    }
}

#[test]
fn row_30_streams_of_others_are_out_of_reach() {
    Scene::new().hold(30);
}

#[test]
fn row_31_flapping_is_told_to_wait_and_leaves_nothing() {
    let mut scene = Scene::new();
    // A line at each end of a hundred requests of a second, and one at the end of the connection that makes more.
    scene.may_say(210);
    scene.hold(31);
}

#[test]
fn row_31_many_publishers_of_one_name_take_it_from_nobody() {
    let mut scene = Scene::new();
    let header = inputs::message(8, 1, b"\xAF\0\x12\x10");
    let wanted = inputs::connected(&[inputs::create_stream(), inputs::publish(b"good"), header]);
    for _ in 0..2 {
        scene.begin_again();
        for host in 0..100 {
            let peer = scene.connect_from(Port::Rtmp, Ipv4Addr::new(10, 1, 0, host)).unwrap();
            scene.say(peer, &wanted);
        }
        scene.pass(Duration::from_secs(5));
        let lines = scene.lines();
        let refused = lines.iter().filter(|line| line.contains("publish refused"));
        assert_eq!(refused.count(), 100, "{lines:#?}");
        assert_eq!(lines.len(), 100, "{lines:#?}");
    }
}

/// One address begins 1,000 names at once, then 50 in a second, on each of two workers.
#[test]
fn row_31_one_address_begins_no_names_without_end() {
    let mut scene = Scene::new();
    let sound = inputs::flv(&inputs::tag(8, b"\xAF\x01\x21"));
    let mut refused = 0;
    for number in 0..2_200 {
        let peer = scene.connect(Port::Http);
        scene.tell(peer, &inputs::push(&format!("/live/{number}"), "", &sound));
        refused += usize::from(scene.heard(peer).starts_with(b"HTTP/1.1 429 "));
        scene.world.reset(peer);
        scene.world.clients.truncate(peer);
    }
    assert!((150..=250).contains(&refused), "{refused} refused");
    let lines = scene.lines();
    assert!(lines.len() <= 4_000 + 50, "{} lines", lines.len());
    // 4,096 grace times may run at once, and the tables of them stay.
    scene.begin_again();
}

/// Connections have numbers, which are in the log and mean nothing to peers; no reply has an id that would. Whoever names the
/// message streams of others means its own: the good stream goes on beside it.
#[test]
fn row_46_no_reply_has_an_id_worth_guessing() {
    for heard in Scene::new().hold(46) {
        let text = String::from_utf8_lossy(&heard.bytes).to_lowercase();
        assert!(text.contains("netconnection.connect.success"), "{text}");
        assert!(!text.contains("clientid"), "{text}");
    }
}

#[test]
fn row_47_answers_to_nothing_are_not_heard() {
    Scene::new().hold(47);
}

#[test]
fn row_48_types_that_mean_nothing_are_not_heard() {
    Scene::new().hold(48);
}
