//! A publisher that sends nothing for a while.

use super::tracks::{BOTH, PICTURES, every_40_ms};
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
