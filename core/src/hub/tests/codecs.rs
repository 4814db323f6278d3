//! A publisher whose headers or codecs are not those of before.

use super::tracks::{BOTH, every_40_ms};
use super::*;
use crate::media::adts::tests::adts;

impl Stage {
    fn push_frame(&mut self, make: fn(Timestamp, Bytes) -> Frame, millis: u32, payload: &'static [u8]) {
        let now = Time::from_millis(1_000 + u64::from(millis));
        self.now = self.now.max(now);
        let (now, id) = (self.now, self.id);
        let frame = make(Timestamp::from_millis(millis), Bytes::from_static(payload));
        self.channel().push(now, frame);
        self.hub.announce(now, id);
    }

    /// A header of HEVC and a keyframe.
    fn push_hevc(&mut self, millis: u32) {
        self.push_frame(Frame::video, millis, b"\x90hvc1\x01\x02\x03");
        self.push_frame(Frame::video, millis, b"\x91hvc1\0\0\0\0\0\0\x04\x26\x01\xAF\x08");
    }

    fn push_mp3(&mut self, millis: u32) {
        self.push_frame(Frame::audio, millis, b"\x2F\xFF\xFB\x90\x64");
    }

    fn codecs(&mut self) -> Vec<Codec> {
        self.channel().codecs().map(|(_, _, codec)| codec).collect()
    }
}

#[test]
fn a_publisher_that_returns_without_headers_goes_on() {
    let mut stage = Stage::new(|_| {});
    stage.push("M V A S K0 a5 P40");
    let player = stage.join();
    stage.take(player);
    stage.begin();
    let script = format!("K1000 a1005 {}", every_40_ms("P", 1_040..2_000));
    stage.push(&format!("{script} a2005"));
    assert_eq!(stage.take(player), format!("{script} a2005"));
    assert_eq!(stage.channel().stats().without_header, 0);
    let (tracks, seen) = stage.see();
    assert!(tracks == BOTH && seen.starts_with("A0 V0 S0 K0 a5 "), "{seen}");
}

/// A publisher has come back to players by RTMP and by FLV, who have had its first pictures.
fn stage_that_begins_again() -> (Stage, [SubscriberId; 2]) {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 a5 P40");
    let players = [stage.join(), stage.join_by_flv()];
    for player in players {
        stage.take(player);
    }
    stage.begin();
    (stage, players)
}

#[test]
fn another_codec_ends_players_that_had_pictures_of_the_old() {
    let (mut stage, players) = stage_that_begins_again();
    let new = stage.join();
    stage.push("A a1000");
    stage.push_hevc(1_000);
    assert_eq!(players.map(|player| stage.take(player)), ["!", "!"]);
    stage.push("a1020");
    assert_eq!(stage.codecs(), [Codec::Aac, Codec::Hevc]);
    assert_eq!(stage.see(), (BOTH, "A0 V0 K0 a20".into()));
    assert_eq!(stage.take(new), "A0 V0 K0 a20", "it had nothing yet");
}

#[test]
fn another_codec_without_a_header_ends_players_too() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 a5 P40");
    let (player, silent) = (stage.join(), stage.join());
    let now = stage.now;
    stage.channel().set_wanted(now, silent, FrameKind::Audio, false);
    stage.take(player);
    stage.take(silent);
    stage.push_mp3(60);
    stage.push("P80");
    assert_eq!(stage.take(player), "!");
    assert_eq!(stage.take(silent), "P80", "it hears nothing");
    assert_eq!(stage.codecs(), [Codec::Avc, Codec::Mp3]);
    // No cached GOP has sound of both.
    let player = stage.join();
    stage.push("K120 P160");
    stage.push_mp3(165);
    assert_eq!(stage.take(player), "V0 K0 P40 a45");
    // And back, with the same header as at first.
    stage.push("A a200");
    assert_eq!(stage.take(player), "!");
    assert_eq!(stage.codecs(), [Codec::Aac, Codec::Avc]);
}

#[test]
fn sound_in_adts_that_comes_back_has_its_header() {
    let mut stage = Stage::new(|_| {});
    for start in [0, 100] {
        stage.push_adts(start, &adts(&[1]));
        assert_eq!(stage.codecs(), [Codec::Aac]);
        stage.push_mp3(start + 50);
        assert_eq!(stage.codecs(), [Codec::Mp3]);
    }
    assert_eq!(stage.channel().stats().without_header, 0);
}

#[test]
fn other_parameters_of_the_same_codec_end_nobody() {
    let (mut stage, players) = stage_that_begins_again();
    stage.push("V' A K1000 a1005");
    assert_eq!(players.map(|player| stage.take(player)), ["V40 K1000 a1005"; 2]);
}

#[test]
fn codecs_that_change_all_the_time_are_flapping() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 a5");
    for millis in (10..60).step_by(10) {
        stage.push_mp3(millis);
        stage.push(&format!("A a{}", millis + 5));
    }
    assert!(!stage.channel().is_flapping());
    stage.push_mp3(70);
    assert!(stage.channel().is_flapping());
}
