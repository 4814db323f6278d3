//! Publishers that a channel hears from the middle on, as a worker does that has players of another worker's stream.

use super::*;
use crate::hub::timeline::Places;
use crate::hub::tracks::Watch;

/// As a publisher that has sent five pictures, and sounds if `audio`.
fn position(audio: bool, video: bool, media_frames: u64) -> Position {
    Position {
        watch: Watch::of(Time::from_millis(1_000), Tracks { audio, video }, media_frames),
        adts: None,
        places: Places::default(),
    }
}

fn begin_at(stage: &mut Stage, position: Position) {
    let now = stage.now;
    stage.channel().begin_at(now, position);
}

#[test]
fn a_player_that_joins_hears_nothing_before_its_first_picture() {
    let mut stage = Stage::new(|_| {});
    let before = stage.join();
    begin_at(&mut stage, position(true, true, 5));
    let after = stage.join();
    stage.push("A V a5 P40 K80 a85");
    for player in [before, after] {
        assert_eq!(stage.take(player), "A0 V0 K0 a5");
    }
}

#[test]
fn where_there_are_no_pictures_nothing_waits() {
    let mut stage = Stage::new(|_| {});
    let before = stage.join();
    begin_at(&mut stage, position(true, false, 5));
    let after = stage.join();
    stage.push("A a5 a28");
    assert_eq!(stage.take(before), "A0 a0 a23");
    assert_eq!(stage.take(after), "A0 a0 a23");
}

#[test]
fn the_tracks_are_known_that_the_publisher_is_known_to_have() {
    let mut stage = Stage::new(|_| {});
    begin_at(&mut stage, position(true, false, 9));
    assert_eq!(stage.channel().tracks(), None);
    begin_at(&mut stage, position(true, false, 10));
    assert_eq!(stage.channel().tracks().map(|tracks| tracks.video), Some(false));
    assert_eq!(stage.channel().position(), position(true, false, 10));
}

#[test]
fn a_keyframe_may_have_come_just_before() {
    let mut stage = Stage::new(|config| config.lag_max_age = Duration::from_secs(60));
    begin_at(&mut stage, position(false, true, 50));
    let player = stage.join();
    stage.push("V P5000 P10000 P15000 P19900");
    assert_eq!(stage.take(player), "V0");
    stage.push("P20100 P20140");
    assert_eq!(stage.take(player), "P0 P40");
}

#[test]
fn after_a_gap_the_sound_goes_on_for_players_that_were_there() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 a5");
    let there = stage.join();
    stage.take(there);
    let now = stage.now;
    stage.channel().resume(now, position(true, true, 500));
    let newcomer = stage.join();
    stage.push("V A a45 P50 K80 a85");
    let seen = stage.take(there);
    assert!(seen.starts_with('a') && !seen.contains('P'), "{seen}");
    assert_eq!(stage.take(newcomer), "A0 V0 K0 a5");
}

#[test]
fn a_batch_is_a_lag_only_for_players_that_lagged_before() {
    let mut stage = Stage::new(|config| config.lag_max_bytes = 100);
    stage.push("V K0 P40");
    let slow = stage.join();
    assert_eq!(stage.take_up_to(slow, 2), "V0 K0");
    let there = stage.join();
    stage.take(there);
    let now = stage.now;
    stage.channel().resume(now, position(false, true, 2));
    stage.channel().push_burst(
        now,
        frames::frames("K0:20 P40:20 P80:20 P120:20 P160:20 P200:20"),
        |it| it,
    );
    assert!(stage.take(slow).starts_with("(ToKeyframe Bytes)"));
    let seen = stage.take(there);
    assert!(seen.starts_with('K') && !seen.contains('('), "{seen}");
}

/// A channel that has what another has, and a player of it.
fn replica_of(stage: &mut Stage) -> (Stage, SubscriberId) {
    let mut replica = Stage::new(|_| {});
    let player = replica.join();
    let position = stage.channel().position();
    begin_at(&mut replica, position);
    let channel = stage.channel();
    let frames: Vec<_> = channel.headers().chain(channel.gop()).cloned().collect();
    let now = replica.now;
    replica.channel().push_burst(now, frames, |it| it);
    (replica, player)
}

/// Goes on with `script` behind frames that were lost.
fn resume(replica: &mut Stage, stage: &mut Stage, script: &str) {
    let (now, position) = (replica.now, stage.channel().position());
    replica.channel().resume(now, position);
    let headers: Vec<_> = stage.channel().headers().cloned().collect();
    replica.channel().push_burst(now, headers, |it| it);
    stage.push(script);
    for frame in frames::frames(script) {
        replica.channel().push(now, frame);
    }
}

#[test]
fn a_stream_that_resumes_keeps_its_time() {
    for elapsed in [0, 3, 600] {
        let mut stage = Stage::new(|_| {});
        stage.push("V A K7000 a7005 P7040");
        let (mut replica, player) = replica_of(&mut stage);
        assert_eq!(replica.take(player), "A0 V0 K0 a5 P40");
        // Here it takes as long as it likes.
        replica.now = replica.now + Duration::from_secs(elapsed);
        stage.push("P7080 a7085 K9000 a9005 P11000 a11005");
        resume(&mut replica, &mut stage, "P11040 a11045 K12000 a12005");
        assert_eq!(replica.take(player), "a4045 K5000 a5005", "{elapsed} s");
        stage.push("P12040 a12045 K12080 P12120 a12125");
        resume(&mut replica, &mut stage, "K12160 a12165");
        assert_eq!(replica.take(player), "K5160 a5165");
    }
}

#[test]
fn a_replica_from_the_start_resumes_with_its_time() {
    let mut stage = Stage::new(|_| {});
    let (mut replica, player) = replica_of(&mut stage);
    for stage in [&mut stage, &mut replica] {
        stage.push("V A K0 a0 P40");
    }
    assert_eq!(replica.take(player), "A0 V0 K0 a0 P40");
    stage.push("K4000 a4000 K8000 a8000");
    resume(&mut replica, &mut stage, "a8040 K8080");
    assert_eq!(replica.take(player), "a8040 K8080");
}

#[test]
fn a_jump_among_lost_frames_is_a_short_step_on_resuming() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 a0 P40");
    let (mut replica, player) = replica_of(&mut stage);
    replica.take(player);
    let now = stage.now;
    for frame in frames::frames("K90000000 a90000000") {
        stage.channel().push(now, frame);
    }
    resume(&mut replica, &mut stage, "K90000040 a90000045");
    assert_eq!(replica.take(player), "K90 a95");
}

#[test]
fn lines_that_have_come_apart_never_go_back_on_resuming() {
    let mut stage = Stage::new(|_| {});
    stage.push("V K0 P40");
    let (mut replica, player) = replica_of(&mut stage);
    replica.take(player);
    // 9 s pass here, and a jump as long is believed.
    replica.now = replica.now + Duration::from_secs(9);
    let now = replica.now;
    for frame in frames::frames("K9040 P9080") {
        replica.channel().push(now, frame);
    }
    assert_eq!(replica.take(player), "K9040 P9080");
    let now = stage.now;
    for frame in frames::frames("K9040 P9080") {
        stage.channel().push(now, frame);
    }
    resume(&mut replica, &mut stage, "K9120 P9160");
    assert_eq!(replica.take(player), "K9090 P9130");
}

#[test]
fn a_player_that_lags_waits_for_a_picture_behind_lost_frames() {
    let mut stage = Stage::new(|_| {});
    stage.push("V K0 P40");
    let player = stage.join();
    assert_eq!(stage.take_up_to(player, 2), "V0 K0");
    // It sees what had come, and waits behind each loss.
    for time in [100, 300] {
        stage.push(&format!("K{time} P{}", time + 40));
        let now = stage.now;
        stage.channel().resume(now, position(false, true, 2));
        stage.push(&format!("V P{}", time + 100));
    }
    stage.push("K500 P540");
    let seen = stage.take(player);
    let letters: String = seen.chars().filter(|it| it.is_ascii_uppercase()).collect();
    assert_eq!(letters, "PKPKPKP", "{seen}");
}

#[test]
fn a_player_that_lags_waits_for_the_next_publishers_picture() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 a5 P40 K80 P120");
    let player = stage.join();
    assert_eq!(stage.take_up_to(player, 2), "A0 V0");
    stage.push("P160");
    let now = stage.now;
    stage.channel().begin(now);
    stage.push("V A P200 a205 K240 a245");
    let seen = stage.take(player);
    let letters: String = seen.chars().filter(char::is_ascii_alphabetic).collect();
    assert_eq!(letters, "KPPaKa", "{seen}");
}

#[test]
fn a_jump_just_behind_the_start_of_a_replica_is_no_time() {
    let mut stage = Stage::new(|config| config.gop_cache = false);
    stage.push("V K90000000 P90000040");
    let (mut replica, player) = replica_of(&mut stage);
    assert_eq!(replica.take(player), "V0");
    replica.now = replica.now + Duration::from_millis(40);
    for stage in [&mut stage, &mut replica] {
        let now = stage.now;
        for frame in frames::frames("K1000 P1040") {
            stage.channel().push(now, frame);
        }
    }
    assert_eq!(replica.take(player), "K0 P40");
    resume(&mut replica, &mut stage, "K1080 P1120");
    assert_eq!(replica.take(player), "K80 P120");
}
