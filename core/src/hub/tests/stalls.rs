//! A publisher that sends nothing for a while, or pictures now and then.

use super::tracks::{BOTH, PICTURES, SOUND, every_40_ms};
use super::*;

/// A publisher that sends nothing for 20 s, twice, and begins again with the frames that `back` writes of the time.
fn stall_twice(back: fn(u32) -> [String; 2]) {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 a5 P40 a45");
    let mut player = stage.join_by_flv();
    stage.take(player);
    for time in [20_000, 40_000] {
        for read in back(time) {
            stage.push(&read);
            let letters = |words: &str| words.replace(|it: char| it.is_ascii_digit(), "");
            assert_eq!(letters(&stage.take(player)), letters(&read), "{read}");
        }
        assert_eq!(stage.see().0, BOTH, "{time}");
        stage.channel().unsubscribe(player);
        player = stage.join_by_flv();
        assert!(!stage.take(player).contains('!'));
    }
}

#[test]
fn a_publisher_that_stalls_has_lost_no_kind() {
    stall_twice(|time| [format!("a{time}"), format!("K{}", time + 10)]);
    stall_twice(|time| [format!("K{time}"), format!("a{}", time + 10)]);
    // Both in one read.
    stall_twice(|time| [format!("a{time} K{time}"), format!("P{}", time + 40)]);
    stall_twice(|time| [format!("K{time} a{time}"), format!("P{}", time + 40)]);
    // The other kind takes its time.
    stall_twice(|time| [format!("a{time} a{}", time + 1_500), format!("K{}", time + 2_900)]);
}

#[test]
fn a_kind_that_stays_away_after_a_stall_is_gone_as_ever() {
    let mut stage = Stage::new(|config| config.lag_max_age = Duration::from_secs(60));
    stage.push("V A K0 a5");
    let player = stage.join_by_flv();
    stage.take(player);
    stage.push(&every_40_ms("P", 20_000..28_000));
    assert!(stage.take(player).ends_with("P27960"));
    stage.push(&every_40_ms("P", 28_000..29_000));
    assert!(stage.take(player).ends_with('!'));
    assert_eq!(stage.see().0, PICTURES);
}

/// Sound from `start` on with a picture every so many seconds; how many responses of one player end.
fn slides(stage: &mut Stage, start: u32, every: u32, count: u32) -> usize {
    let mut player = stage.join_by_flv();
    stage.take(player);
    let mut ends = 0;
    for second in start..start + every * count {
        if (second - start).is_multiple_of(every) {
            stage.push(&format!("K{}", second * 1_000));
        }
        stage.push(&format!("a{}", second * 1_000 + 5));
        if stage.take(player).ends_with('!') {
            ends += 1;
            stage.channel().unsubscribe(player);
            player = stage.join_by_flv();
            stage.take(player);
        }
    }
    stage.channel().unsubscribe(player);
    ends
}

#[test]
fn a_picture_every_12_s_stays() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A");
    assert_eq!(slides(&mut stage, 0, 12, 20), 2, "gone, back");
    let (tracks, seen) = stage.see();
    assert!(tracks == BOTH && seen.starts_with("A0 V0 K0 a5 "), "{seen}");
    assert_eq!(slides(&mut stage, 240, 50, 5), 2, "longer than twice 12 s");
    assert_eq!(stage.see().0, BOTH);
}

#[test]
fn a_camera_that_was_on_for_a_minute_is_gone_as_soon_as_any() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A");
    slides(&mut stage, 0, 12, 5);
    assert_eq!(slides(&mut stage, 60, 1, 70), 0);
    stage.push(&every_40_ms("a", 130_005..139_000));
    assert_eq!(stage.see().0, SOUND);
}
