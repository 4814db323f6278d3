//! Players that cannot keep up, and what they miss.

use super::*;

#[test]
fn a_slow_player_misses_disposables_then_pictures_then_all() {
    let mut stage = Stage::new(|config| config.lag_max_age = Duration::from_millis(400));
    stage.push("V A K0");
    let player = stage.join();
    stage.take(player);
    stage.push("P40 D80 a85 P120 P160 P200");
    // 160 ms behind: more than a quarter.
    assert_eq!(stage.take_up_to(player, 3), "P40 (Disposable Age) a85");
    stage.push("P240 a250 D280 P330 a335");
    // 215 ms behind: more than half. Audio goes on until the next keyframe.
    assert_eq!(stage.take_up_to(player, 3), "(Inter Age) a250 a335");
    stage.push("P360 K400 P440 a445 P480");
    assert_eq!(stage.take(player), "K400 P440 a445 P480");
    // Further behind than the bound: on to the newest keyframe, with headers again.
    stage.push("P520 K560 P600 K640 P680 a690 P930");
    assert_eq!(stage.take(player), "(ToKeyframe Age) A640 V640 K640 P680 a690 P930");
    let stats = stage.channel().subscriber_stats(player).unwrap();
    assert_eq!(
        (stats.missed_disposable, stats.missed_inter, stats.missed_by_skip),
        (1, 7, 3)
    );
}

#[test]
fn a_bound_in_bytes_works_like_one_in_time() {
    let mut stage = Stage::new(|config| config.lag_max_bytes = 400);
    stage.push("V A K0");
    let player = stage.join();
    stage.take(player);
    stage.push("P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15 P16 P17 P18 P19 K20 P21");
    assert_eq!(stage.take(player), "(ToKeyframe Bytes) A20 V20 K20 P21");
}

#[test]
fn empty_frames_are_bounded_by_their_number() {
    let mut stage = Stage::new(|config| {
        config.gop_max_frames = 50;
        config.lag_max_frames = 50;
    });
    stage.frame_len = 0;
    stage.push("A a0");
    let player = stage.join();
    stage.take_up_to(player, 1);
    for _ in 0..1_000 {
        stage.push("a1");
        assert!(stage.channel().held().1 <= 101);
    }
    assert!(stage.take(player).starts_with("(ToKeyframe Frames)"));
}

#[test]
fn a_slow_player_of_sound_alone_misses_the_older_half() {
    let mut stage = Stage::new(|config| config.lag_max_age = Duration::from_millis(400));
    stage.push("A a0");
    let player = stage.join();
    stage.push("a20");
    assert_eq!(stage.take(player), "A0 a0");
    stage.push("a100 a200 a300 a400 a500 a600");
    assert_eq!(stage.take(player), "(ToKeyframe Age) A380 a380 a480 a580");
    assert_eq!(stage.channel().subscriber_stats(player).unwrap().missed(), 3);
}

#[test]
fn a_slow_player_that_wants_no_video_misses_the_older_half() {
    let mut stage = Stage::new(|config| config.lag_max_age = Duration::from_millis(400));
    stage.push("V A K0 a5");
    let player = stage.join();
    let now = stage.now;
    stage.channel().set_wanted(now, player, FrameKind::Video, false);
    assert_eq!(stage.take(player), "A0 a0");
    stage.push("P40 a45 P250 a255 P400 a405 P500 a505");
    assert_eq!(stage.take(player), "(ToKeyframe Age) A395 a400 a500");
}

#[test]
fn a_player_whose_frames_are_gone_learns_which_bound_it_was() {
    for (change, limit) in [
        (
            (|config| config.lag_max_age = Duration::from_millis(100)) as fn(&mut ChannelConfig),
            "Age",
        ),
        (|config| config.lag_max_bytes = 200, "Bytes"),
        (|config| config.lag_max_frames = 9, "Frames"),
    ] {
        let mut stage = Stage::new(change);
        stage.push("V K0");
        let player = stage.join();
        stage.take(player);
        for second in 0..20 {
            stage.push(&format!("K{0} P{0} P{0} P{0} P{0}", second * 60));
        }
        assert!(
            stage
                .take(player)
                .starts_with(&format!("(ToKeyframe {limit}) V1140 K1140"))
        );
    }
}

#[test]
fn without_new_keyframes_slow_players_see_pictures_again() {
    let mut stage = Stage::new(|config| config.lag_max_bytes = 100);
    stage.push("V K0");
    let player = stage.join();
    stage.take(player);
    stage.push("P1 P2 P3 P4 P5 P6 P7");
    assert_eq!(stage.take(player), "(ToKeyframe Bytes) V7");
    for millis in [5_000, 10_000, 15_000, 19_990] {
        stage.push(&format!("P{millis}"));
        assert_eq!(stage.take(player), "");
    }
    stage.push("P20010 P20050");
    assert_eq!(stage.take(player), "P20010 P20050");
}

#[test]
fn waiting_for_a_new_publishers_picture_is_not_slow() {
    let mut stage = Stage::new(|_| {});
    stage.push("V K0");
    let player = stage.join();
    stage.take(player);
    let now = stage.now;
    stage.channel().begin(now);
    stage.push("V P0 P40 K80");
    assert_eq!(stage.take(player), "K90");
    assert_eq!(stage.channel().subscriber_stats(player).unwrap().missed(), 0);
}

#[test]
fn the_burst_for_a_joiner_does_not_count_as_lag() {
    let mut stage = Stage::new(|config| config.lag_max_bytes = 100);
    stage.push("V K0 P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 P12");
    let player = stage.join();
    stage.push("P13");
    assert_eq!(stage.take(player), "V0 K0 P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13");
}

#[test]
fn the_newest_frame_alone_is_no_lag() {
    let mut stage = Stage::new(|config| config.lag_max_bytes = 100);
    stage.push("V K0");
    let player = stage.join();
    stage.take(player);
    stage.frame_len = 1_000;
    stage.push("P40");
    assert_eq!(stage.take(player), "P40");
    stage.push("P80 P120");
    assert_eq!(stage.take(player), "(ToKeyframe Bytes) V120");
}

#[test]
fn without_a_keyframe_a_slow_player_waits_at_the_live_edge() {
    let mut stage = Stage::new(|config| config.lag_max_bytes = 100);
    stage.push("V A K0");
    let player = stage.join();
    stage.take(player);
    stage.push("P1 P2 P3 P4 P5 P6 P7");
    assert_eq!(stage.take(player), "(ToKeyframe Bytes) A0 V0".replace("A0 V0", "A7 V7"));
    stage.push("P8 a9 K10 P11");
    assert_eq!(stage.take(player), "a9 K10 P11");
}

#[test]
fn a_slow_player_gets_new_headers_and_no_older_picture() {
    let mut stage = Stage::new(|config| config.lag_max_age = Duration::from_millis(400));
    stage.push("V A K0");
    let player = stage.join();
    stage.take(player);
    stage.push("P40 K500 P540 V540' a560");
    assert_eq!(stage.take(player), "(ToKeyframe Age) A540 V540 a560");
    stage.push("P580 K600 P640");
    assert_eq!(stage.take(player), "K600 P640");
}

#[test]
fn headers_that_change_amid_a_players_headers_come_anew() {
    let mut stage = Stage::new(|_| {});
    stage.push("M V A K0");
    let player = stage.join();
    assert_eq!(stage.take_up_to(player, 1), "M0", "its socket is full");
    stage.push("P40 V50' A50' P60 K80");
    assert_eq!(stage.take(player), "M0 A0 V0 K0");
}

#[test]
fn headers_that_go_amid_a_players_headers_hide_no_other() {
    let mut stage = Stage::new(|_| {});
    stage.push("M V A K0");
    let player = stage.join();
    assert_eq!(stage.take_up_to(player, 1), "M0", "its socket is full");
    stage.channel().clear_metadata();
    assert_eq!(stage.take(player), "A0 V0 K0");
}

#[test]
fn a_player_that_reads_nothing_does_not_grow_the_ring() {
    let mut stage = Stage::new(|config| {
        config.lag_max_age = Duration::from_secs(1);
        config.lag_max_bytes = 4_000;
        config.gop_max_bytes = 4_000;
    });
    stage.push("V");
    stage.join();
    for second in 0..100u32 {
        let script: Vec<_> = (1..25).map(|i| format!("P{}", second * 1_000 + i * 40)).collect();
        stage.push(&format!("K{} {}", second * 1_000, script.join(" ")));
        assert!(stage.channel().held().1 <= 51, "{:?}", stage.channel().held());
    }
}

#[test]
fn a_slow_player_gets_no_picture_of_the_old_publisher() {
    let mut stage = Stage::new(|config| config.lag_max_bytes = 300);
    stage.push("V A K0");
    let player = stage.join();
    stage.take(player);
    stage.push("K40 K80 K120 K160 a200 a240 a280 a320 a360 a400 a440 a480 a520 P560 P600");
    let now = stage.now;
    stage.channel().begin(now);
    stage.push("A a0 a20 a40");
    let taken = stage.take(player);
    assert!(
        taken.starts_with("(ToKeyframe Bytes)") && !taken.contains('P'),
        "{taken}"
    );
}
