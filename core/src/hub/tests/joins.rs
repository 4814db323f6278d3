//! Where a player starts that joins a stream under way.

use super::tracks::{SOUND, every_40_ms};
use super::*;

/// The letters of what was taken.
fn letters(taken: &str) -> String {
    taken.replace(|it: char| it.is_ascii_digit() || it == ' ', "")
}

/// How many sounds were taken.
fn sounds(taken: &str) -> usize {
    taken.matches('a').count()
}

#[test]
fn after_the_camera_went_off_a_joiner_hears_what_is_new() {
    let mut stage = Stage::new(|_| {});
    stage.push(&format!("V A K0 P40 {}", every_40_ms("a", 45..5_000)));
    let player = stage.join();
    assert!(
        stage.take(player).starts_with("A0 V0 K0 P40 a45 a85 "),
        "a short absence"
    );
    stage.push(&every_40_ms("a", 5_005..40_000));
    let player = stage.join();
    stage.push("a40005 a40045");
    assert_eq!(stage.take(player), "A0 V0 a0 a40");
    let (tracks, seen) = stage.see();
    assert_eq!((tracks, letters(&seen).as_str()), (SOUND, "A"));
    // The camera is on again.
    stage.push("P41000 a41005");
    assert_eq!(letters(&stage.take(player)), "a");
    stage.push("K42000 a42005 P42040");
    let player = stage.join();
    assert_eq!(stage.take(player), "A0 V0 K0 a5 P40");
}

#[test]
fn a_joiner_without_pictures_hears_a_second_of_old_sound() {
    let mut stage = Stage::new(|_| {});
    for time in (0..8_000).step_by(40) {
        stage.push(&if time == 0 {
            "V A K0 a5".into()
        } else {
            format!("P{time} a{}", time + 5)
        });
    }
    let player = stage.join();
    let now = stage.now;
    stage.channel().set_wanted(now, player, FrameKind::Video, false);
    let seen = stage.take(player);
    assert!(seen.starts_with("A0 a0 a40 ") && sounds(&seen) == 26, "{seen}");
    // A player that changes its mind later goes on where it is.
    let player = stage.join();
    stage.take_up_to(player, 10);
    stage.channel().set_wanted(now, player, FrameKind::Video, false);
    assert!(sounds(&stage.take(player)) > 190);
}

#[test]
fn a_joiner_told_of_sound_alone_hears_a_second_of_old_sound() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 a5");
    // The camera is on for a moment every 70 s. That is too seldom to tell anybody.
    for start in [0, 70_000, 140_000] {
        stage.push(&format!("K{start} {}", every_40_ms("a", start + 5..start + 70_000)));
    }
    stage.push(&format!("K210000 {}", every_40_ms("a", 210_005..214_000)));
    let (tracks, seen) = stage.see();
    assert_eq!((tracks, sounds(&seen)), (SOUND, 26), "{seen}");
}

#[test]
fn when_no_pictures_come_a_joiner_hears_a_second_of_sound() {
    let mut stage = Stage::new(|_| {});
    let player = stage.join_by_flv();
    stage.push(&format!("V A {}", every_40_ms("a", 0..3_040)));
    assert_eq!(stage.channel().tracks_of(player), SOUND);
    let seen = stage.take(player);
    assert!(seen.starts_with("A0 a0 a40 ") && sounds(&seen) == 26, "{seen}");
}

#[test]
fn when_no_sound_comes_a_joiner_starts_at_the_last_keyframe() {
    let mut stage = Stage::new(|_| {});
    let (player, by_rtmp) = (stage.join_by_flv(), stage.join());
    stage.push("V A");
    for start in (0..3_000).step_by(1_000) {
        stage.push(&format!("K{start} {}", every_40_ms("P", start + 40..start + 1_000)));
    }
    stage.push("K3000 P3040");
    assert_eq!(stage.take(player), "V0 K0 P40");
    assert!(stage.take(by_rtmp).starts_with("A0 V0 K0 P40 "), "it need not wait");
}

#[test]
fn a_joiner_that_waits_for_tracks_starts_at_the_new_headers() {
    let mut stage = Stage::new(|_| {});
    stage.push("M V K0 P40");
    let now = stage.now;
    let join = Join {
        token: 1,
        needs_tracks: true,
        merge: None,
    };
    let player = stage.channel().subscribe(now, join);
    stage.push("P80 V80' K120");
    assert_eq!(stage.take(player), "");
    stage.push("P160 A a160 P200");
    assert_eq!(stage.take(player), "M0 A0 V0 K0 P40 a40 P80");
}
