//! What a stream has, and what players by FLV are told of it.

use super::*;
use crate::frames::metadata;
use crate::hub::tracks::Tracks;

pub(super) const BOTH: Option<Tracks> = tracks(true, true);
pub(super) const SOUND: Option<Tracks> = tracks(true, false);
pub(super) const PICTURES: Option<Tracks> = tracks(false, true);

const fn tracks(audio: bool, video: bool) -> Option<Tracks> {
    Some(Tracks { audio, video })
}

impl Stage {
    pub(super) fn begin(&mut self) {
        let now = self.now;
        self.channel().begin(now);
    }

    pub(super) fn metadata(&mut self, audio: bool, video: bool) {
        let now = self.now;
        self.channel().push(now, metadata(audio, video));
    }

    /// A player that is told what the stream has.
    pub(super) fn join_by_flv(&mut self) -> SubscriberId {
        let now = self.now;
        let join = Join {
            token: 7,
            needs_tracks: true,
            merge: None,
        };
        self.channel().subscribe(now, join)
    }

    /// What such a player would be told, and gets.
    pub(super) fn see(&mut self) -> (Option<Tracks>, String) {
        let player = self.join_by_flv();
        let tracks = self.channel().tracks_of(player);
        let seen = self.take(player);
        self.channel().unsubscribe(player);
        (tracks, seen)
    }
}

/// `letter` every 40 ms in the given span.
pub(super) fn every_40_ms(letter: &str, span: core::ops::Range<u32>) -> String {
    let words: Vec<_> = span.step_by(40).map(|time| format!("{letter}{time}")).collect();
    words.join(" ")
}

#[test]
fn both_kinds_settle_it_at_once() {
    let mut stage = Stage::new(|_| {});
    stage.push("M V A K0");
    assert_eq!(stage.channel().tracks(), None, "a header is only a plan");
    stage.push("a5");
    assert_eq!(stage.see(), (BOTH, "M0 A0 V0 K0 a5".into()));
}

#[test]
fn a_kind_of_which_only_a_header_came_is_not_announced() {
    let mut stage = Stage::new(|_| {});
    let player = stage.join_by_flv();
    stage.push(&format!("A V K0 {}", every_40_ms("P", 40..3_000)));
    assert_eq!((stage.channel().tracks(), stage.take(player)), (None, String::new()));
    stage.push("P3000");
    assert_eq!(stage.channel().tracks_of(player), PICTURES);
    let seen = stage.take(player);
    assert!(seen.starts_with("V0 K0 P40 ") && seen.ends_with(" P3000"), "{seen}");
}

#[test]
fn a_kind_that_metadata_promised_in_vain_is_not_announced() {
    let mut stage = Stage::new(|_| {});
    stage.metadata(true, true);
    stage.push(&format!("V K0 {}", every_40_ms("P", 40..3_000)));
    assert_eq!(stage.channel().tracks(), None);
    stage.push("P3000");
    assert_eq!(stage.channel().tracks(), PICTURES);
}

#[test]
fn a_picture_after_two_seconds_of_sound_is_waited_for() {
    let mut stage = Stage::new(|_| {});
    let player = stage.join_by_flv();
    stage.metadata(true, true);
    stage.push(&format!("A {}", every_40_ms("a", 0..2_000)));
    assert_eq!(stage.take(player), "");
    stage.push("V K2000");
    assert_eq!(stage.channel().tracks_of(player), BOTH);
    let seen = stage.take(player);
    assert!(seen.starts_with("M0 A0 V0 a0 ") && seen.ends_with("K2000"), "{seen}");
}

#[test]
fn a_kind_that_metadata_denies_is_not_waited_for() {
    let mut stage = Stage::new(|_| {});
    stage.metadata(false, true);
    stage.push("V K0");
    assert_eq!(stage.see(), (PICTURES, "M0 V0 K0".into()));
}

#[test]
fn a_kind_that_nothing_speaks_of_is_waited_for_briefly() {
    let mut stage = Stage::new(|_| {});
    stage.push(&format!("A {}", every_40_ms("a", 0..360)));
    assert_eq!(stage.channel().tracks(), None);
    stage.push("a360");
    assert_eq!(stage.channel().tracks(), SOUND);
    let mut stage = Stage::new(|_| {});
    stage.push("A a0 a1000");
    assert_eq!(stage.channel().tracks(), None);
    stage.push("a2000");
    assert_eq!(stage.channel().tracks(), SOUND);
}

#[test]
fn sound_that_comes_later_ends_players_not_told_of_it() {
    let mut stage = Stage::new(|_| {});
    stage.push(&format!("V K0 {}", every_40_ms("P", 40..4_000)));
    let (player, by_rtmp) = (stage.join_by_flv(), stage.join());
    stage.take(player);
    stage.take(by_rtmp);
    stage.push("A P4000 a4010 P4040");
    assert_eq!(stage.take(player), "P4000 !");
    assert_eq!(stage.take(by_rtmp), "A3960 P4000 a4010 P4040");
    let (tracks, seen) = stage.see();
    assert_eq!(tracks, BOTH);
    assert!(seen.starts_with("A0 V0 K0 ") && seen.ends_with("a4010 P4040"), "{seen}");
}

#[test]
fn a_publisher_back_without_sound_ends_players_told_of_it() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 a5 P40");
    let (player, by_rtmp) = (stage.join_by_flv(), stage.join());
    stage.take(player);
    stage.take(by_rtmp);
    stage.begin();
    stage.push(&format!("V K80 {}", every_40_ms("P", 120..440)));
    assert!(stage.take(player).ends_with("P400"));
    stage.push("P440 P480");
    assert_eq!(stage.take(player), "!");
    assert!(stage.take(by_rtmp).ends_with("P480"));
    assert_eq!(stage.see().0, PICTURES);
}

#[test]
fn a_publisher_back_with_sound_ends_players_not_told_of_it() {
    let mut stage = Stage::new(|_| {});
    stage.metadata(false, true);
    stage.push("V K0 P40");
    let player = stage.join_by_flv();
    assert_eq!(stage.take(player), "M0 V0 K0 P40");
    stage.begin();
    stage.push("V A K80 a85");
    assert_eq!(stage.take(player), "K80 !");
}

#[test]
fn a_publisher_that_returns_with_the_same_kinds_ends_nobody() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 a5 P40");
    let player = stage.join_by_flv();
    stage.take(player);
    stage.begin();
    stage.push(&format!("V A K80 {} a2000 P2040", every_40_ms("P", 120..2_000)));
    assert!(stage.take(player).ends_with("a2000 P2040"));
}

#[test]
fn a_kind_silent_for_5_s_is_not_announced_to_joiners() {
    let mut stage = Stage::new(|_| {});
    stage.push(&format!("V A K0 a5 {}", every_40_ms("P", 40..5_000)));
    assert_eq!(stage.see().0, BOTH);
    stage.push("K5010 P5040");
    let late = stage.join_by_flv();
    assert_eq!(stage.channel().tracks_of(late), PICTURES);
    assert_eq!(stage.take(late), "V0 K0 P30");
    stage.push("a5050");
    assert_eq!(stage.take(late), "!");
}

#[test]
fn old_sound_in_the_cache_ends_nobody() {
    let mut stage = Stage::new(|_| {});
    stage.push(&format!("V A K0 a5 {}", every_40_ms("P", 40..6_000)));
    let (tracks, seen) = stage.see();
    assert_eq!(tracks, PICTURES);
    assert!(!seen.contains(['a', 'A', '!']) && seen.ends_with("P5960"), "{seen}");
}

#[test]
fn a_kind_gone_for_10_s_ends_players_told_of_it() {
    let mut stage = Stage::new(|config| config.lag_max_age = Duration::from_secs(60));
    stage.push("V A K0 a5 P40");
    let player = stage.join_by_flv();
    stage.take(player);
    stage.push(&every_40_ms("P", 80..10_000));
    assert!(stage.take(player).ends_with("P9960"));
    stage.push("P10010");
    assert_eq!(stage.take(player), "!");
}

#[test]
fn a_kind_that_comes_and_goes_ends_players_only_once() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 a5");
    let (mut player, mut ends) = (stage.join_by_flv(), 0);
    // 30 s with sound, 15 s without, for ten minutes.
    for round in 0..20 {
        let start = round * 45_000;
        stage.push(&format!("K{start}"));
        for second in (start..start + 45_000).step_by(1_000) {
            stage.push(&format!("P{}", second + 500));
            if second < start + 30_000 {
                stage.push(&format!("a{}", second + 510));
            }
            if stage.take(player).ends_with('!') {
                ends += 1;
                stage.channel().unsubscribe(player);
                player = stage.join_by_flv();
                stage.take(player);
            }
        }
    }
    assert_eq!(ends, 3, "gone, back, gone again");
    // It counts again once it has been there for a minute.
    for second in (900_000..975_000).step_by(1_000) {
        stage.push(&format!("P{second} a{}", second + 10));
        ends += usize::from(stage.take(player).ends_with('!'));
        if ends == 4 {
            break;
        }
    }
    assert_eq!((ends, stage.channel().tracks()), (4, BOTH));
}

#[test]
fn the_only_kind_that_comes_is_never_left_out() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 a5");
    for start in (1_000..840_000).step_by(140_000) {
        stage.push(&every_40_ms("P", start..start + 70_000));
        assert_eq!(stage.channel().tracks(), PICTURES, "{start}");
        stage.push(&every_40_ms("a", start + 70_000..start + 140_000));
        assert_eq!(stage.channel().tracks(), SOUND, "{start}");
    }
}

#[test]
fn metadata_says_the_same_as_the_flags() {
    let mut stage = Stage::new(|_| {});
    stage.metadata(true, true);
    stage.push(&format!("V K0 {}", every_40_ms("P", 40..3_040)));
    let (first, second, by_rtmp) = (stage.join_by_flv(), stage.join_by_flv(), stage.join());
    let mut payload = |player| match stage.channel().next(player) {
        Next::Frame(sent) => sent.frame.payload.clone(),
        other => panic!("{other:?}"),
    };
    let corrected = payload(first);
    assert_eq!(corrected, metadata(false, true).payload);
    assert_eq!(corrected.as_ptr(), payload(second).as_ptr(), "made once for all");
    assert_eq!(payload(by_rtmp), metadata(true, true).payload);
    // The same for metadata in mid-stream.
    stage.take(first);
    stage.metadata(true, false);
    assert_eq!(stage.channel().tracks(), PICTURES);
    match stage.channel().next(first) {
        Next::Frame(sent) => assert_eq!(sent.frame.payload, metadata(false, true).payload),
        other => panic!("{other:?}"),
    }
    // Of several that a player has not taken yet, it gets the newest.
    stage.metadata(true, true);
    stage.metadata(false, false);
    stage.push("P3080");
    assert_eq!(stage.take(first), "M3000 P3080");
}

#[test]
fn another_channel_goes_on_with_what_is_known() {
    let mut stage = Stage::new(|_| {});
    stage.push(&format!("V A K0 a5 {}", every_40_ms("P", 40..7_000)));
    let position = stage.channel().position();
    let mut replica = Stage::new(|_| {});
    replica.now = Time::from_millis(500_000);
    let now = replica.now;
    replica.channel().begin_at(now, position);
    let channel = stage.channel();
    let frames: Vec<_> = channel.headers().chain(channel.gop()).cloned().collect();
    replica.channel().push_burst(now, frames, |frame| frame);
    let (tracks, seen) = replica.see();
    assert_eq!(
        tracks, PICTURES,
        "its sound has been silent for 7 s, whenever the frames came here"
    );
    assert!(seen.starts_with("V0 K0 ") && seen.ends_with("P6960"), "{seen}");
}

#[test]
fn a_camera_gone_for_10_s_ends_players_told_of_it() {
    let mut stage = Stage::new(|config| config.lag_max_age = Duration::from_secs(60));
    stage.push("V A K0 a5");
    let player = stage.join_by_flv();
    stage.take(player);
    stage.push(&every_40_ms("a", 40..10_040));
    assert_eq!(stage.take(player), "!");
    assert_eq!(stage.see().0, SOUND);
}

#[test]
fn other_tracks_than_the_first_make_no_kind() {
    let mut stage = Stage::new(|_| {});
    stage.metadata(true, true);
    stage.push("A a0");
    for millis in (0..3_000).step_by(500) {
        let now = stage.now;
        let picture = Frame::video(
            Timestamp::from_millis(millis),
            Bytes::from_static(b"\x96\x01av01\x01\x12\0"),
        );
        assert_eq!((picture.class, picture.track), (FrameClass::Keyframe, TrackId(1)));
        stage.channel().push(now, picture);
        stage.push(&format!("a{}", millis + 500));
    }
    assert_eq!(stage.channel().tracks(), SOUND);
}

#[test]
fn a_kind_that_is_left_out_replaces_none_that_is_there() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 a5");
    // The camera goes twice, and is left out when it comes back.
    for start in [0, 80_000] {
        for second in 1..72 {
            stage.push(&format!("a{}", start + second * 1_000));
        }
        stage.push(&format!("K{}", start + 72_000));
    }
    assert_eq!(stage.see().0, SOUND);
    for second in 153..159 {
        stage.push(&format!("P{}", second * 1_000));
    }
    assert_eq!(stage.see().0, SOUND, "silent for less than 10 s");
    stage.push("P160000 P162000");
    assert_eq!(stage.see().0, PICTURES);
}

#[test]
fn a_player_of_a_stream_that_ended_gets_the_rest_of_it() {
    let mut stage = Stage::new(|config| config.lag_max_age = Duration::from_secs(60));
    stage.push("V A K0 a5");
    let told_of_both = stage.join_by_flv();
    stage.take(told_of_both);
    stage.push(&every_40_ms("P", 40..6_000));
    let told_of_pictures = stage.join_by_flv();
    stage.take(told_of_pictures);
    stage.push("P6000 a6005");
    stage.channel().end();
    stage.begin();
    stage.metadata(false, true);
    stage.push("V K7000");
    assert_eq!(stage.channel().tracks(), PICTURES);
    let seen = stage.take(told_of_both);
    assert!(seen.ends_with("P6000 a6005 ."), "{seen}");
    stage.push("A a7005");
    assert_eq!(stage.take(told_of_pictures), "P6000 .");
}

#[test]
fn a_kind_silent_at_the_end_is_not_announced_any_more() {
    let mut stage = Stage::new(|_| {});
    stage.push(&format!("V A K0 a5 {}", every_40_ms("P", 40..6_000)));
    let player = stage.join_by_flv();
    stage.channel().end();
    assert_eq!(stage.channel().tracks_of(player), PICTURES);
    assert!(stage.take(player).ends_with("P5960 ."));
}

#[test]
fn what_came_while_a_player_waited_for_the_tracks_is_no_lag() {
    let mut stage = Stage::new(|config| config.lag_max_bytes = 100);
    stage.push("V K0");
    let player = stage.join_by_flv();
    stage.push(&every_40_ms("P", 40..400));
    let seen = stage.take(player);
    assert!(seen.starts_with("V0 K0 P40 ") && seen.ends_with("P360"), "{seen}");
}

#[test]
fn a_slow_player_told_of_sound_alone_misses_the_older_half() {
    let mut stage = Stage::new(|config| config.lag_max_age = Duration::from_millis(400));
    stage.push(&format!("V A K0 {}", every_40_ms("a", 5..6_000)));
    let player = stage.join_by_flv();
    stage.push("a6000");
    assert_eq!(stage.take(player), "A0 a0");
    stage.push("a6100 a6200 a6300 a6400 a6500 a6600");
    assert_eq!(stage.take(player), "(ToKeyframe Age) A400 a400 a500 a600");
}
