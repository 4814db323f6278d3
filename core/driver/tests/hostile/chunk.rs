//! Rows 5 to 20: chunks, and the messages that control them.

use crate::inputs;
use crate::scene::{Heard, Scene};
use headwater_core::Limits;
use headwater_core::rtmp::chunk::{ChunkDecoder, Message, MessageTypeId};
use std::time::Duration;

/// The messages behind the handshake.
fn messages(heard: &Heard) -> Vec<Message> {
    let mut decoder = ChunkDecoder::new(&Limits::default());
    let mut input = &heard.bytes[1 + 2 * 1_536..];
    std::iter::from_fn(|| decoder.decode(&mut input).unwrap()).collect()
}

fn count(heard: &Heard, type_id: MessageTypeId) -> usize {
    messages(heard).iter().filter(|it| it.type_id == type_id).count()
}

#[test]
fn row_05_chunk_sizes_that_are_none_are_fatal() {
    Scene::new().hold(5);
}

/// There is no least chunk size: some encoders send few bytes at a time, and a byte of payload never takes more than 25 ns.
/// A peer that makes more than its share of work yields to the others (`core/driver/tests/server/work.rs`).
#[test]
fn row_06_chunks_of_one_byte_are_work_and_no_more() {
    for heard in Scene::new().hold(6) {
        assert!(heard.held < 192 << 10, "{} bytes for a message of 60 KB", heard.held);
    }
}

#[test]
fn row_07_memory_follows_the_bytes_whatever_the_chunk_size() {
    for heard in Scene::new().hold(7) {
        assert!(heard.held < 128 << 10, "{} bytes held", heard.held);
    }
}

/// A message has 64 KiB from its first byte on, and at most twice what has come of it from then on, so that nearly every
/// message is in place at once. All of a connection's together are bounded by `max_buffered_bytes`.
#[test]
fn row_08_announced_lengths_hold_64_kib_each_at_the_most() {
    let mut scene = Scene::new();
    scene.may_hold(64 * (66 << 10));
    scene.hold(8);
}

#[test]
fn row_08_unfinished_messages_have_one_bound_together() {
    let max = 2 << 20;
    let mut scene = Scene::with(|config| config.limits.max_buffered_bytes = max);
    scene.may_hold(max + (256 << 10));
    let peer = scene.connect(inputs::Port::Rtmp);
    scene.say(peer, &inputs::handshake());
    scene.say(peer, &inputs::set_chunk_size(100_000));
    for csid in 3..60 {
        scene.say(peer, &inputs::header(csid, 0, 8_000_000, 9, 1));
        scene.say(peer, &[7; 100_000]);
    }
    assert!(scene.is_over(peer));
    assert!(scene.peak() < max + (256 << 10));
    scene.expect_lines("unfinished messages need", 1);
}

#[test]
fn row_09_the_65th_chunk_stream_is_fatal() {
    Scene::new().hold(9);
}

#[test]
fn row_10_headers_that_inherit_nothing_are_fatal() {
    Scene::new().hold(10);
}

#[test]
fn row_11_a_message_that_changes_in_its_middle_is_fatal() {
    Scene::new().hold(11);
}

#[test]
fn row_12_empty_messages_mean_nothing_and_a_flood_is_fatal() {
    Scene::new().hold(12);
}

#[test]
fn row_13_payload_that_looks_like_a_time_harms_nobody_else() {
    Scene::new().hold(13);
}

/// A player of the hostile stream itself sees time that runs like everybody's.
#[test]
fn row_14_timestamps_that_leap_become_real_time() {
    let mut scene = Scene::new();
    scene.hold(14);
    let inputs = inputs::of(14);
    scene.leave("the inputs are there");
    for input in &inputs {
        let watcher = scene.world.http_play(1, &format!("/live/{}?wait=60", input.stream()));
        let start = scene.world.now;
        let peer = scene.connect(input.to);
        scene.say(peer, &input.bytes);
        scene.pass(Duration::from_secs(1));
        let passed = scene.world.now.since(start).as_millis();
        let seen = scene.world.seen(watcher);
        let times: Vec<u128> = seen.split(' ').map(|word| word[1..].parse().unwrap()).collect();
        assert!(times.len() >= 10, "{}: {seen}", input.what);
        assert!(times.is_sorted(), "{}: {seen}", input.what);
        // 5 s: as much as two kinds of media may be apart.
        assert!(times[times.len() - 1] <= passed + 5_000, "{}: {seen}", input.what);
        scene.leave(input.what);
    }
}

#[test]
fn row_15_aborts_of_nothing_change_nothing() {
    Scene::new().hold(15);
}

#[test]
fn row_16_acknowledgements_that_lie_are_not_believed() {
    Scene::new().hold(16);
}

/// Half the window, as everybody does, and no window below 4,096 bytes counts.
#[test]
fn row_17_acknowledgements_come_every_2_kib_at_the_most() {
    for heard in Scene::new().hold(17) {
        let count = count(&heard, MessageTypeId::ACKNOWLEDGEMENT);
        assert!(count <= 110_000 / 2_048, "{}: {count}", heard.what);
    }
}

#[test]
fn row_18_a_bandwidth_is_answered_once_a_change() {
    for heard in Scene::new().hold(18) {
        // 500 times from 0 to 1 and back, and our own at the start.
        assert_eq!(count(&heard, MessageTypeId::WINDOW_ACKNOWLEDGEMENT_SIZE), 1_001);
    }
}

#[test]
fn row_19_pings_are_answered_ten_times_a_second() {
    for heard in Scene::new().hold(19) {
        let pongs = messages(&heard);
        let pongs = pongs
            .iter()
            .filter(|it| it.type_id == MessageTypeId::USER_CONTROL && it.payload[..2] == [0, 7]);
        assert!(pongs.count() <= 10, "{}", heard.what);
    }
}

#[test]
fn row_20_nothing_is_sized_by_the_buffer_of_a_player() {
    for heard in Scene::new().hold(20) {
        assert!(heard.held < 64 << 10, "{} bytes held", heard.held);
    }
}
