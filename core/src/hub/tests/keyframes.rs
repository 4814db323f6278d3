//! Where players can start, whatever way an encoder cuts its keyframes into messages.

use super::*;

const AUD: &[u8] = &[0, 0, 0, 2, 0x09, 0xF0];
const SPS: &[u8] = &[0, 0, 0, 4, 0x67, 0x42, 0, 30];
const SEI: &[u8] = &[0, 0, 0, 3, 6, 0, 0];
const IDR: &[u8] = &[0, 0, 0, 2, 0x65, 0x88];
const SLICE: &[u8] = &[0, 0, 0, 2, 0x41, 0x9A];
const KEY: &[u8] = &[0x17, 1, 0, 0, 0];
const INTER: &[u8] = &[0x27, 1, 0, 0, 0];

impl Stage {
    /// Pushes a message of NAL units as a connection would.
    fn video(&mut self, millis: u32, flags: &[u8], units: &[u8]) {
        self.now = self.now.max(Time::from_millis(1_000 + u64::from(millis)));
        let (now, id) = (self.now, self.id);
        let payload = Bytes::from([flags, units].concat());
        self.channel()
            .push(now, Frame::video(Timestamp::from_millis(millis), payload));
        self.hub.announce(now, id);
    }

    /// The units of the next video messages that a player gets, headers left out.
    fn units(&mut self, id: SubscriberId) -> Vec<Bytes> {
        let mut units = Vec::new();
        while let Next::Frame(FrameAt { frame, .. }) = self.channel().next(id) {
            if frame.kind == FrameKind::Video && !frame.class.is_header() {
                units.push(frame.payload.slice(5..));
            }
        }
        units
    }
}

fn late_joiner(stage: &mut Stage) -> Vec<Bytes> {
    let player = stage.join();
    stage.units(player)
}

#[test]
fn a_late_player_gets_all_messages_of_a_keyframe() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A");
    for time in [0, 2_000] {
        for part in [AUD, SPS, IDR, SEI, AUD, IDR] {
            stage.video(time, KEY, part);
            stage.push(&format!("a{time}"));
        }
        stage.video(time + 40, INTER, SLICE);
        let all = [AUD, SPS, IDR, SEI, AUD, IDR, SLICE];
        // What comes before the very first slice is let go where nobody is there to get it.
        let first = if time == 0 { 2 } else { 0 };
        assert_eq!(late_joiner(&mut stage), all[first..], "{time}");
    }
}

#[test]
fn slices_of_a_keyframe_are_one_keyframe_however_many() {
    let mut stage = Stage::new(|_| {});
    stage.push("V");
    for _ in 0..100 {
        stage.video(0, KEY, IDR);
    }
    assert_eq!(late_joiner(&mut stage).len(), 100);
    stage.video(40, KEY, IDR);
    assert_eq!(late_joiner(&mut stage), [IDR], "another timestamp is another keyframe");
}

#[test]
fn a_message_without_a_slice_starts_nothing() {
    let mut stage = Stage::new(|_| {});
    stage.push("V");
    stage.video(0, KEY, IDR);
    stage.video(40, INTER, SLICE);
    stage.video(80, KEY, SEI);
    stage.video(80, INTER, SLICE);
    assert_eq!(late_joiner(&mut stage), [IDR, SLICE, SEI, SLICE]);
}

#[test]
fn an_idr_that_is_flagged_inter_starts_a_gop() {
    let mut stage = Stage::new(|_| {});
    stage.push("V");
    for time in [0, 80] {
        stage.video(time, INTER, &[AUD, SEI, IDR].concat());
        stage.video(time + 40, INTER, SLICE);
    }
    assert_eq!(late_joiner(&mut stage), [&[AUD, SEI, IDR].concat()[..], SLICE]);
}

#[test]
fn a_player_waits_for_the_first_message_of_a_keyframe() {
    let mut stage = Stage::new(|config| config.gop_cache = false);
    stage.push("V");
    stage.video(0, KEY, IDR);
    let between = stage.join();
    stage.video(0, KEY, IDR);
    stage.video(40, INTER, SLICE);
    assert!(stage.units(between).is_empty(), "half a keyframe is none");
    for part in [AUD, IDR, SEI, IDR] {
        stage.video(80, KEY, part);
    }
    assert_eq!(stage.units(between), [AUD, IDR, SEI, IDR]);
}

#[test]
fn a_player_that_took_the_delimiter_starts_at_the_slice() {
    let mut stage = Stage::new(|_| {});
    stage.push("V");
    let (player, _keeps_all_frames) = (stage.join(), stage.join());
    for part in [AUD, SEI] {
        stage.video(0, KEY, part);
        assert!(stage.units(player).is_empty());
    }
    stage.video(0, KEY, IDR);
    stage.video(0, KEY, IDR);
    stage.video(40, INTER, SLICE);
    assert_eq!(stage.units(player), [IDR, IDR, SLICE]);
}

#[test]
fn half_a_keyframe_is_no_start_when_the_rest_was_let_go() {
    let mut stage = Stage::new(|config| config.gop_cache = false);
    stage.push("V");
    let between = stage.join();
    stage.video(0, KEY, IDR);
    assert_eq!(stage.units(between), [IDR]);
    let late = stage.join();
    assert!(stage.units(late).is_empty());
    stage.video(0, KEY, IDR);
    stage.video(0, KEY, SEI);
    stage.video(0, KEY, IDR);
    assert!(stage.units(late).is_empty());
    stage.video(40, KEY, IDR);
    assert_eq!(stage.units(late), [IDR]);
}

#[test]
fn a_slow_player_skips_to_the_first_message_of_a_keyframe() {
    let mut stage = Stage::new(|config| config.lag_max_bytes = 100);
    stage.push("V");
    let player = stage.join();
    stage.video(0, KEY, IDR);
    assert_eq!(stage.units(player).len(), 1);
    for n in 1..20 {
        stage.video(n * 40, INTER, SLICE);
    }
    for part in [IDR, SEI, IDR] {
        stage.video(1_000, KEY, part);
    }
    assert!(matches!(
        stage.channel().next(player),
        Next::Skipped {
            step: SkipStep::ToKeyframe,
            ..
        }
    ));
    assert_eq!(stage.units(player), [IDR, SEI, IDR]);
}

#[test]
fn a_header_between_two_keyframes_of_one_time_parts_them() {
    let mut stage = Stage::new(|_| {});
    stage.push("V");
    stage.video(0, KEY, IDR);
    stage.push("V0'");
    stage.video(0, KEY, IDR);
    assert_eq!(late_joiner(&mut stage), [IDR]);
}

#[test]
fn a_picture_between_two_keyframes_of_one_time_parts_them() {
    let mut stage = Stage::new(|_| {});
    stage.push("V");
    for (flags, units) in [(KEY, IDR), (INTER, SLICE), (KEY, IDR), (KEY, IDR)] {
        stage.video(0, flags, units);
    }
    assert_eq!(late_joiner(&mut stage), [IDR, IDR]);
}

#[test]
fn a_small_gop_is_cached_however_long_it_lasts() {
    let mut stage = Stage::new(|_| {});
    stage.push("V K0");
    for second in 1..300 {
        stage.push(&format!("P{}", second * 1_000));
    }
    assert_eq!(late_joiner(&mut stage).len(), 300);
}

#[test]
fn bounds_as_large_as_can_be_are_added_without_overflow() {
    let mut stage = Stage::new(|config| {
        config.gop_max_bytes = usize::MAX;
        config.gop_max_frames = usize::MAX;
        config.lag_max_bytes = usize::MAX;
        config.lag_max_frames = usize::MAX;
        config.gop_max_duration = Duration::MAX;
        config.lag_max_age = Duration::MAX;
    });
    let player = stage.join();
    stage.push("V K0 P40 K80 P120");
    assert_eq!(stage.take(player), "V0 K0 P40 K80 P120");
}

/// A picture a second.
fn every_second(seconds: core::ops::Range<u32>) -> String {
    let words: Vec<_> = seconds.map(|second| format!("P{}", second * 1_000 + 40)).collect();
    words.join(" ")
}

#[test]
fn a_server_that_stood_still_shows_no_picture_before_a_keyframe() {
    let mut stage = Stage::new(|config| config.gop_cache = false);
    stage.push("V K0 P40");
    let player = stage.join();
    stage.now = stage.now + Duration::from_secs(25);
    stage.push("P80 P120");
    assert_eq!(stage.take(player), "V0");
    stage.push("K160 P200");
    assert_eq!(stage.take(player), "K0 P40");
}

#[test]
fn the_end_of_a_stream_shows_no_picture_before_a_keyframe() {
    let mut stage = Stage::new(|config| {
        config.gop_cache = false;
        config.lag_max_age = Duration::from_secs(60);
    });
    stage.push("V K0 P40");
    let player = stage.join();
    stage.push(&every_second(1..15));
    stage.channel().end();
    assert_eq!(stage.take(player), "V0 .");
}

#[test]
fn without_keyframes_pictures_are_shown_to_the_end() {
    let mut stage = Stage::new(|config| config.lag_max_age = Duration::from_secs(60));
    stage.push("V P0");
    let player = stage.join();
    stage.push(&every_second(0..12));
    stage.channel().end();
    assert_eq!(stage.take(player), "V0 P0 P1000 .");
}

#[test]
fn a_player_waits_for_a_keyframe_that_has_come() {
    let mut stage = Stage::new(|config| {
        config.gop_cache = false;
        config.lag_max_age = Duration::from_secs(60);
    });
    stage.push("V P0");
    let player = stage.join();
    stage.push(&every_second(0..10));
    stage.push("K10040 P10080");
    assert_eq!(stage.take(player), "V0 K0 P40");
}
