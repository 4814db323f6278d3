//! How long sound waits for pictures: a second at most, and only while pictures come.

use super::*;

/// A channel without a cached GOP, so that players that join wait for a keyframe.
fn uncached() -> Stage {
    Stage::new(|config| config.gop_cache = false)
}

#[test]
fn sound_waits_a_second_for_a_keyframe_and_no_longer() {
    let mut stage = uncached();
    stage.push("V A K0 a5 P40");
    let player = stage.join();
    stage.push("P500 a505 P960 a1035 P1000");
    assert_eq!(stage.take(player), "A0 V0");
    stage.push("a1040 P1050 K1080 a1085");
    assert_eq!(stage.take(player), "a0 K40 a45");
}

#[test]
fn sound_comes_at_once_when_the_camera_is_off() {
    let mut stage = uncached();
    stage.push("V A K0 a5 P40 a60 a500 a1040");
    let player = stage.join();
    stage.push("a1060 a1080");
    assert_eq!(stage.take(player), "A0 V0 a0 a20");
}

#[test]
fn sound_that_has_come_waits_for_no_picture() {
    let mut stage = uncached();
    stage.push("V A K0 a5 P40 a60 a1040");
    let player = stage.join();
    stage.push("a1060");
    assert_eq!(stage.take(player), "A0 V0 a0");
    stage.push("P1080 a1085 K1100 a1105");
    assert_eq!(stage.take(player), "a25 K40 a45");
}

#[test]
fn sound_comes_at_once_when_a_cached_gop_was_outgrown_long_ago() {
    let mut stage = Stage::new(|config| config.gop_max_frames = 3);
    stage.push("V A K0 P40 a45 a60 a3000");
    let player = stage.join();
    stage.push("a3020");
    assert_eq!(stage.take(player), "A0 V0 a0");
}

#[test]
fn sound_waits_a_second_at_one_picture_a_second() {
    let mut stage = uncached();
    stage.push("V A K0 a5 P1000 a1005 P2000 a2005");
    let player = stage.join();
    stage.push("a2505 P3000 a3005 a3010 P4000 a4005");
    assert_eq!(stage.take(player), "A0 V0 a0 a5 a1000");
    stage.push("K60000 a60005");
    assert_eq!(stage.take(player), "K56995 a57000");
}

#[test]
fn a_player_that_wants_no_video_hears_sound_at_once() {
    let mut stage = uncached();
    stage.push("V A K0 a5 P40");
    let player = stage.join();
    let now = stage.now;
    stage.channel().set_wanted(now, player, FrameKind::Video, false);
    stage.push("a60 P80 a85");
    assert_eq!(stage.take(player), "A0 a0 a25");
}

#[test]
fn sound_waits_a_second_where_every_picture_is_flagged_inter() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A P0 a5 P40");
    let player = stage.join();
    stage.push("a60 P500 a1035 P1000 a1040 P1500 a1505");
    assert_eq!(stage.take(player), "A0 V0 a0 a465");
    stage.push("P5500 P10040 a10045");
    assert_eq!(stage.take(player), "P9000 a9005", "and pictures come after 10 s");
}
