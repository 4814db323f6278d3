//! What players of a channel see.

mod adts;
mod codecs;
mod joins;
mod keyframes;
mod position;
mod slow;
mod sound;
mod stalls;
mod timeline;
mod tracks;

use super::*;
use crate::frames::{self, name};
use crate::media::Codec;
use crate::{Frame, FrameAt, FrameClass, FrameKind, Timestamp, TrackId};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use alloc::{format, string::String};
use bytes::Bytes;
use core::time::Duration;
use quickcheck::quickcheck;

/// A channel under test with its clock. Its frames are in the notation of [`frames`](crate::frames).
struct Stage {
    hub: Hub,
    id: ChannelId,
    now: Time,
    frame_len: usize,
}

impl Stage {
    fn new(change: impl FnOnce(&mut ChannelConfig)) -> Stage {
        let mut config = ChannelConfig::default();
        change(&mut config);
        let mut hub = Hub::new();
        let key = StreamKey::new("live/x").unwrap();
        let id = hub.open(&key, || Channel::new(Arc::new(config)));
        let mut stage = Stage {
            hub,
            id,
            now: Time::from_millis(1_000),
            frame_len: 20,
        };
        let now = stage.now;
        stage.channel().begin(now);
        stage
    }

    fn channel(&mut self) -> &mut Channel {
        self.hub.get_mut(self.id).unwrap()
    }

    /// Pushes frames such as `"M V A K0 a7 P40"`, at the wall clock of their own times.
    fn push(&mut self, script: &str) {
        for word in script.split_whitespace() {
            let frame = frames::frame_of(word, self.frame_len);
            let time = Time::from_millis(1_000 + u64::from(frame.timestamp.as_millis()));
            self.now = self.now.max(time);
            let (now, id) = (self.now, self.id);
            self.channel().push(now, frame);
            self.hub.announce(now, id);
        }
    }

    fn join(&mut self) -> SubscriberId {
        let now = self.now;
        self.channel().subscribe(
            now,
            Join {
                token: 7,
                needs_tracks: false,
                merge: None,
            },
        )
    }

    /// Takes what a player gets until it is parked, in the notation of `push`; `-` is `Pending`, `.` the end.
    fn take(&mut self, id: SubscriberId) -> String {
        self.take_up_to(id, usize::MAX)
    }

    fn take_up_to(&mut self, id: SubscriberId, count: usize) -> String {
        let mut words = Vec::new();
        for _ in 0..count {
            match self.channel().next(id) {
                Next::Frame(frame) => words.push(name(&frame.to_frame())),
                Next::Pending => break,
                Next::Ended => {
                    words.push(".".into());
                    break;
                }
                Next::Changed => {
                    words.push("!".into());
                    break;
                }
                Next::Skipped { step, limit, .. } => words.push(format!("({step:?} {limit:?})")),
            }
        }
        words.join(" ")
    }
}

#[test]
fn a_joiner_gets_headers_then_the_gop_then_live_frames() {
    let mut stage = Stage::new(|_| {});
    stage.push("M V A K0 a5 P40 K2000 a2005 P2040");
    let player = stage.join();
    assert_eq!(stage.take(player), "M0 A0 V0 K0 a5 P40");
    stage.push("a2060 P2080");
    assert_eq!(stage.take(player), "a60 P80");
}

#[test]
fn a_joiner_gets_each_supplement_behind_its_header() {
    let mut stage = Stage::new(|_| {});
    let first = stage.join();
    assert_eq!(stage.take(first), "");
    stage.push("M V S A K0 P40 S' P80 K120");
    assert_eq!(stage.take(first), "M0 V0 S0 A0 K0 P40 S40 P80 K120");
    let late = stage.join();
    assert_eq!(stage.take(late), "M0 A0 V0 S0 K0");
    stage.push("V' K160");
    let without = stage.join();
    assert_eq!(stage.take(without), "M0 A0 V0 K0", "a supplement belongs to its header");
}

#[test]
fn a_player_before_its_publisher_gets_all_from_the_first_frame() {
    let mut stage = Stage::new(|_| {});
    let player = stage.join();
    assert_eq!(stage.take(player), "");
    stage.push("M V A K500 a505");
    assert_eq!(stage.take(player), "M0 V0 A0 K0 a5");
}

#[test]
fn a_player_before_its_publisher_gets_sound_before_pictures() {
    let mut hub = Hub::new();
    let id = hub.open(&StreamKey::new("live/x").unwrap(), || Channel::new(Arc::default()));
    let mut stage = Stage {
        hub,
        id,
        now: Time::from_millis(1_000),
        frame_len: 20,
    };
    let player = stage.join();
    let now = stage.now;
    stage.channel().begin(now);
    let at_the_start = stage.join();
    stage.push("V A a0 a21 K30 a42 P70");
    for player in [player, at_the_start] {
        assert_eq!(stage.take(player), "A0 V0 a0 a21 K30 a42 P70");
    }
}

#[test]
fn without_a_gop_cache_a_joiner_waits_for_the_next_keyframe() {
    let mut stage = Stage::new(|config| config.gop_cache = false);
    stage.push("V A K0 a5 P40");
    let player = stage.join();
    assert_eq!(stage.take(player), "A0 V0");
    stage.push("a60 P80 K120 a125 P160");
    assert_eq!(stage.take(player), "K0 a5 P40");
}

#[test]
fn a_stream_without_keyframes_is_given_out_after_a_while() {
    let mut stage = Stage::new(|_| {});
    stage.push("V P0");
    let player = stage.join();
    stage.push("P5000 P9000 P10100 P10140");
    assert_eq!(stage.take(player), "V0 P0 P40");
}

#[test]
fn audio_that_is_interleaved_late_keeps_its_offset() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K100 a80 a103 P140");
    let player = stage.join();
    assert_eq!(stage.take(player), "A0 V0 K20 a0 a23 P60");
}

#[test]
fn an_audio_only_stream_keeps_no_gop() {
    let mut stage = Stage::new(|_| {});
    stage.push("A a0 a20 a40 a60 a80 a100 a120 a140 a160 a180");
    let player = stage.join();
    assert_eq!(stage.take(player), "A0");
    stage.push("a200 a220");
    assert_eq!(stage.take(player), "a0 a20");
    assert_eq!(stage.channel().held().1, 2);
}

#[test]
fn an_outgrown_gop_becomes_headers_then_the_next_keyframe() {
    for change in [
        (|config| config.gop_max_frames = 3) as fn(&mut ChannelConfig),
        |config| config.gop_max_bytes = 70,
        |config| config.gop_max_duration = Duration::from_millis(100),
    ] {
        let mut stage = Stage::new(change);
        stage.push("V A K0 P40 P80 P120");
        assert_eq!(stage.channel().stats().gop_overflows, 1);
        let player = stage.join();
        assert_eq!(stage.take(player), "A0 V0");
        stage.push("P160 K200 P240");
        assert_eq!(stage.take(player), "K0 P40");
    }
}

#[test]
fn repeated_headers_are_left_out_changed_ones_start_a_gop() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 V0 A0 P40");
    let early = stage.join();
    assert_eq!(stage.take(early), "A0 V0 K0 P40");
    assert_eq!(stage.channel().stats().repeated_headers, 2);
    stage.push("V50' P60");
    let late = stage.join();
    assert_eq!(stage.take(late), "A0 V0");
    stage.push("K80 P120");
    assert_eq!(stage.take(early), "V40 P60 K80 P120");
    assert_eq!(stage.take(late), "K0 P40");
}

#[test]
fn each_publisher_is_counted_from_0() {
    let mut stage = Stage::new(|_| {});
    stage.push("V V K0 P40 P20");
    let stats = stage.channel().stats();
    assert_eq!((stats.frames, stats.repeated_headers, stats.timeline.raised), (5, 1, 1));
    let now = stage.now;
    stage.channel().begin(now);
    assert_eq!(stage.channel().stats(), ChannelStats::default());
}

#[test]
fn metadata_comes_when_it_changes_and_to_joiners_until_cleared() {
    let mut stage = Stage::new(|_| {});
    stage.push("M V K0 M0 P40 M80' P80");
    let early = stage.join();
    assert_eq!(stage.take(early), "M0 V0 K0 P40 P80", "the newest first, and no other");
    stage.push("M120'' P120");
    assert_eq!(stage.take(early), "M80 P120");
    stage.channel().clear_metadata();
    let late = stage.join();
    assert_eq!(stage.take(late), "V0 K0 P40 P80 P120");
    let gop: Vec<_> = stage.channel().gop().map(name).collect();
    assert_eq!(gop.join(" "), "K0 P40 P80 P120", "for players on another worker");
    stage.push("K160");
    let last = stage.join();
    assert_eq!(stage.take(last), "V0 K0");
}

#[test]
fn frames_before_their_header_reach_nobody() {
    let mut stage = Stage::new(|_| {});
    let player = stage.join();
    stage.push("a0 P0 V A K40 a45");
    assert_eq!(stage.take(player), "A0 V0 K0 a5");
    assert_eq!(stage.channel().stats().without_header, 2);
}

#[test]
fn a_player_that_needs_the_tracks_waits_for_them() {
    let mut stage = Stage::new(|_| {});
    let now = stage.now;
    let player = stage.channel().subscribe(
        now,
        Join {
            token: 1,
            needs_tracks: true,
            merge: None,
        },
    );
    stage.push("M V K0 P10 P20 P30");
    assert_eq!((stage.channel().tracks(), stage.take(player)), (None, String::new()));
    stage.push("P40 P50 P60 P70 P80 P90");
    assert_eq!(
        stage.channel().tracks(),
        Some(Tracks {
            audio: false,
            video: true
        })
    );
    assert_eq!(stage.take(player), "M0 V0 K0 P10 P20 P30 P40 P50 P60 P70 P80 P90");
}

#[test]
fn a_player_that_waits_for_tracks_loses_nothing_of_a_batch() {
    let mut stage = Stage::new(|_| {});
    let now = stage.now;
    let player = stage.channel().subscribe(
        now,
        Join {
            token: 1,
            needs_tracks: true,
            merge: None,
        },
    );
    assert_eq!(stage.take(player), "");
    for frame in frames::frames("M V A K0 a0 P0") {
        stage.channel().push(now, frame);
    }
    assert_eq!(stage.take(player), "M0 A0 V0 K0 a0 P0");
}

#[test]
fn a_returning_publisher_repeats_only_what_changed() {
    let mut stage = Stage::new(|_| {});
    stage.push("M V A K0 a5 P40");
    let player = stage.join();
    assert_eq!(stage.take(player), "M0 A0 V0 K0 a5 P40");
    stage.now = Time::from_millis(4_040);
    let now = stage.now;
    stage.channel().begin(now);
    stage.push("M V A' P0 K40 a45 P80");
    assert_eq!(stage.take(player), "A40 K3080 a3085 P3120");
    let late = stage.join();
    assert_eq!(stage.take(late), "M0 A0 V0 K0 a5 P40");
}

#[test]
fn what_a_returning_publisher_no_longer_sends_is_forgotten() {
    let mut stage = Stage::new(|_| {});
    stage.push("M V A K0 a5");
    let now = stage.now;
    stage.channel().begin(now);
    stage.push("A a0 a10 a20 a30 a40 a50 a60 a70 a80 a90");
    assert_eq!(
        stage.channel().tracks(),
        Some(Tracks {
            audio: true,
            video: false
        })
    );
    assert_eq!(stage.channel().headers().map(name).collect::<Vec<_>>(), ["A0"]);
}

#[test]
fn a_joiner_hears_sound_until_the_next_rare_keyframe() {
    let mut stage = Stage::new(|config| {
        config.gop_max_frames = 2;
        config.lag_max_age = Duration::from_secs(60);
    });
    stage.push("V A K0 P40 P80 P120");
    let player = stage.join();
    stage.push("P5000 a5005 P10200 a10205 P15000 a15005 K18000 a18005 P18040");
    assert_eq!(stage.take(player), "A0 V0 a0 a5200 a10000 K12995 a13000 P13035");
}

#[test]
fn a_new_publisher_takes_nothing_from_players_of_the_old() {
    let mut stage = Stage::new(|_| {});
    stage.push("V K0 P40 P80");
    let player = stage.join();
    assert_eq!(stage.take_up_to(player, 2), "V0 K0");
    stage.channel().end();
    let now = stage.now;
    stage.channel().begin(now);
    assert_eq!(stage.take(player), "P40 P80 .");
}

#[test]
fn a_player_without_a_keyframe_at_the_end_gets_no_later_one() {
    let mut stage = Stage::new(|config| config.gop_cache = false);
    stage.push("V K0 P40");
    let player = stage.join();
    stage.push("P80");
    stage.channel().end();
    let now = stage.now;
    stage.channel().begin(now);
    stage.push("V' K500");
    assert_eq!(stage.take(player), "V0 .");
}

#[test]
fn only_headers_that_change_at_frame_rate_are_flapping() {
    let mut stage = Stage::new(|config| config.max_header_changes = 3);
    for second in 0..10 {
        stage.push(&format!("V{0} V{0}' V{0} A{0}", second * 1_000));
    }
    assert!(!stage.channel().is_flapping());
    stage.push("V10000' V10000 V10000' V10000");
    assert!(stage.channel().is_flapping());
    let now = stage.now;
    stage.channel().begin(now);
    assert!(!stage.channel().is_flapping());
}

/// GOPs of half a second with other headers each, from `start` seconds on, which all come `at` so many ms.
fn gops_at_once(stage: &mut Stage, start: u32, count: u32, at: u64, stands: bool) {
    stage.now = Time::from_millis(1_000 + at);
    for gop in 0..count {
        let millis = start * 1_000 + gop * 500;
        let change = if gop % 2 == 0 { "" } else { "'" };
        let times = [0, 100, 200, 300, 400].map(|step| if stands { 0 } else { millis + step });
        let [key, rest @ ..] = times;
        let pictures = rest.map(|time| format!("P{time}")).join(" ");
        for frame in frames::frames(&format!("V{change} A{change} K{key} {pictures}")) {
            let now = stage.now;
            stage.channel().push(now, frame);
        }
    }
}

#[test]
fn headers_that_change_each_gop_may_come_late_at_once() {
    for stands in [false, true] {
        let mut stage = Stage::new(|_| {});
        for second in 0..3 {
            gops_at_once(&mut stage, second, 2, u64::from(second) * 1_000, stands);
        }
        // The server stands still for 15 s.
        gops_at_once(&mut stage, 3, 30, 18_000, stands);
        assert!(!stage.channel().is_flapping(), "stands: {stands}");
        assert_eq!(stage.channel().stats().frames, 36 * 7);
    }
}

#[test]
fn headers_that_change_each_gop_may_come_late_at_the_start() {
    let mut stage = Stage::new(|_| {});
    gops_at_once(&mut stage, 0, 30, 0, false);
    assert!(!stage.channel().is_flapping());
}

#[test]
fn headers_that_change_at_frame_rate_may_not_come_late_either() {
    let mut stage = Stage::new(|_| {});
    stage.push("V K0");
    stage.now = Time::from_millis(3_000);
    let late = (1..60).map(|frame| format!("V{0}' K{0} V{0} K{0}", frame * 40));
    let late = late.collect::<Vec<_>>().join(" ");
    for frame in frames::frames(&late) {
        let now = stage.now;
        stage.channel().push(now, frame);
    }
    assert!(stage.channel().is_flapping());
}

#[test]
fn times_of_its_own_let_no_publisher_flap_for_long() {
    let mut stage = Stage::new(|_| {});
    let now = stage.now;
    let mut seconds = 0;
    for second in 0..2_000 {
        for frame in frames::frames(&format!("V{0} K{0} V{0}' K{0}", second * 1_000)) {
            stage.channel().push(now, frame);
        }
        seconds += u32::from(!stage.channel().is_flapping());
    }
    assert!((60..70).contains(&seconds), "{seconds}");
}

#[test]
fn a_header_of_absurd_size_is_not_kept() {
    let mut stage = Stage::new(|_| {});
    stage.frame_len = 300 << 10;
    stage.push("V");
    assert_eq!(stage.channel().headers().count(), 0);
}

#[test]
fn the_ring_holds_only_the_gop_once_everybody_has_caught_up() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 P40 P80");
    let slow = stage.join();
    assert_eq!(stage.take(slow), "A0 V0 K0 P40 P80");
    stage.push("P120 P160 K2000 P2040 K4000 P4040");
    assert_eq!(stage.channel().held().1, 9);
    while stage.hub.poll_wake().is_some() {}
    stage.take(slow);
    stage.push("P4080");
    assert_eq!(stage.channel().held().1, 3);
}

#[test]
fn a_paused_player_resumes_live_with_headers_and_a_keyframe() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 a5");
    let player = stage.join();
    stage.take(player);
    let now = stage.now;
    stage.channel().set_paused(now, player, true);
    stage.push("P40 a45");
    assert_eq!(stage.take(player), "");
    stage.channel().set_paused(now, player, false);
    stage.push("P80 a85 K120 a125");
    assert_eq!(stage.take(player), "A80 V80 a85 K120 a125");
}

#[test]
fn a_player_gets_only_the_kinds_it_wants() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 a5");
    let player = stage.join();
    let now = stage.now;
    stage.channel().set_wanted(now, player, FrameKind::Video, false);
    assert_eq!(stage.take(player), "A0 a0");
    stage.push("P40 a45");
    assert_eq!(stage.take(player), "a40");
    stage.channel().set_wanted(now, player, FrameKind::Video, true);
    stage.push("P80 a85 K120 P160");
    assert_eq!(stage.take(player), "A75 V75 a80 K115 P155");
}

#[test]
fn only_parked_players_are_woken_and_each_once() {
    let mut stage = Stage::new(|_| {});
    stage.push("V K0");
    let players: Vec<_> = (0..3)
        .map(|token| {
            let now = stage.now;
            stage.channel().subscribe(
                now,
                Join {
                    token,
                    needs_tracks: false,
                    merge: None,
                },
            )
        })
        .collect();
    stage.take(players[0]);
    stage.take(players[2]);
    assert_eq!(stage.hub.poll_wake(), None);
    stage.push("P40 P80");
    let mut woken = vec![];
    while let Some(token) = stage.hub.poll_wake() {
        woken.push(token);
        // A player that is served in between and parks again is not handed out twice.
        stage.take(players[usize::try_from(token).unwrap()]);
    }
    woken.sort_unstable();
    assert_eq!(woken, [0, 2]);
}

#[test]
fn merging_wakes_once_after_the_delay_of_the_first_frame() {
    let mut stage = Stage::new(|config| config.merge = Duration::from_millis(20));
    stage.push("V K0");
    let player = stage.join();
    stage.take(player);
    stage.push("P40 P55");
    assert_eq!(
        (stage.hub.poll_wake(), stage.hub.poll_timeout()),
        (None, Some(Time::from_millis(1_060)))
    );
    stage.hub.handle_timeout(Time::from_millis(1_059));
    assert_eq!(stage.hub.poll_wake(), None);
    stage.hub.handle_timeout(Time::from_millis(1_060));
    assert_eq!((stage.hub.poll_wake(), stage.hub.poll_wake()), (Some(7), None));
    assert_eq!(
        (stage.take(player).as_str(), stage.hub.poll_timeout()),
        ("P40 P55", None)
    );
}

#[test]
fn a_player_may_ask_for_its_own_merging_delay() {
    let mut stage = Stage::new(|config| config.merge = Duration::from_millis(20));
    stage.push("V K0");
    let now = stage.now;
    let asks = [None, Some(0), Some(119), Some(60_000)];
    let players = asks.map(|millis: Option<u64>| {
        let join = Join {
            token: millis.unwrap_or(7),
            needs_tracks: false,
            merge: millis.map(Duration::from_millis),
        };
        stage.channel().subscribe(now, join)
    });
    for player in players {
        stage.take(player);
    }
    stage.push("P40");
    let mut woken = |millis: u64| {
        stage.hub.handle_timeout(Time::from_millis(1_040 + millis));
        core::iter::from_fn(|| stage.hub.poll_wake()).collect::<Vec<_>>()
    };
    assert_eq!(
        [0, 19, 20, 99, 100, 999, 1_000].map(&mut woken),
        [vec![0], vec![], vec![7], vec![], vec![119], vec![], vec![60_000]]
    );
}

#[test]
fn the_end_comes_after_everything_else() {
    let mut stage = Stage::new(|_| {});
    stage.push("V K0 P40");
    let player = stage.join();
    assert_eq!(stage.take_up_to(player, 2), "V0 K0");
    stage.channel().end();
    assert_eq!(stage.take(player), "P40 .");
}

#[test]
fn a_player_that_took_nothing_before_the_end_gets_it_all() {
    let mut stage = Stage::new(|_| {});
    let now = stage.now;
    let join = |needs_tracks| Join {
        token: 7,
        needs_tracks,
        merge: None,
    };
    let players = [true, false].map(|needs_tracks| stage.channel().subscribe(now, join(needs_tracks)));
    stage.push("M V K0 P40");
    stage.channel().end();
    stage.channel().begin(now);
    stage.push("A a500");
    for player in players {
        let video = Tracks {
            audio: false,
            video: true,
        };
        assert_eq!(stage.channel().tracks_of(player), Some(video));
        assert_eq!(stage.take(player), "M0 V0 K0 P40 .");
    }
}

#[test]
fn headers_of_a_later_stream_change_nothing_in_the_old() {
    let mut stage = Stage::new(|_| {});
    let player = stage.join();
    stage.push("V K0 P40 V80' K80 P120");
    stage.channel().end();
    let now = stage.now;
    stage.channel().begin(now);
    stage.push("V K500 V540' K540");
    assert_eq!(
        stage.take(player),
        "V0 K0 P40 .",
        "what needs the first header is left out"
    );
}

#[test]
fn a_player_that_comes_after_the_end_waits_for_a_publisher() {
    let mut stage = Stage::new(|_| {});
    stage.push("V A K0 a5");
    let early = stage.join();
    assert_eq!(stage.take_up_to(early, 3), "A0 V0 K0");
    stage.channel().end();
    let late = stage.join();
    assert_eq!(stage.take(late), "");
    let now = stage.now;
    stage.channel().begin(now);
    stage.push("V A K500 a505");
    assert_eq!(stage.take(late), "V0 A0 K0 a5");
    assert_eq!(stage.take(early), "a5 .");
}

#[test]
fn a_payload_is_in_memory_once_whatever_the_number_of_players() {
    let mut stage = Stage::new(|_| {});
    stage.push("V K0");
    let first = stage.join();
    let second = stage.join();
    let payload = |stage: &mut Stage, id| {
        assert_eq!(stage.take_up_to(id, 1), "V0");
        match stage.channel().next(id) {
            Next::Frame(sent) => sent.frame.payload.as_ptr(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(payload(&mut stage, first), payload(&mut stage, second));
}

quickcheck! {
    /// Whatever is pushed and however players come, lag and take, no player sees a picture that depends on one it did
    /// not get, nor time going back within a kind.
    fn no_inter_frame_before_a_keyframe_and_no_step_back(ops: Vec<(u8, u8)>) -> bool {
        let mut stage = Stage::new(|config| {
            config.lag_max_bytes = 300;
            config.gop_max_frames = 12;
            config.keyframe_wait = Duration::from_secs(1_000_000);
        });
        stage.push("V A");
        // Per player: whether a picture may come, what the last one was, and the latest time per kind.
        let mut players: Vec<(SubscriberId, Option<u64>, [u32; 2])> = vec![];
        // The video frames in order: which one each payload number is, and the last keyframe before it.
        let (mut number, mut time) = (0u64, 0u32);
        let mut ok = true;
        for (op, pick) in ops {
            match op % 16 {
                0 if players.len() < 8 => {
                    let id = stage.join();
                    players.push((id, None, [0; 2]));
                }
                1..=8 => {
                    time += 40;
                    number += 1;
                    let letter = match op % 16 { 1 => "K", 2 | 3 => "a", _ => "P" };
                    let mut frame = frames::frame(&format!("{letter}{time}"));
                    let mut payload = frame.payload.to_vec();
                    if letter != "a" { payload.truncate(5); payload.extend(number.to_be_bytes()); } else { number -= 1; }
                    frame.payload = Bytes::from(payload);
                    stage.now = stage.now + Duration::from_millis(40);
                    let now = stage.now;
                    stage.channel().push(now, frame);
                }
                9 => {
                    let now = stage.now;
                    stage.channel().begin(now);
                }
                _ if !players.is_empty() => {
                    let index = usize::from(pick) % players.len();
                    let (id, last, times) = &mut players[index];
                    for _ in 0..op % 16 {
                        let Next::Frame(FrameAt { frame, timestamp }) = stage.channel().next(*id) else { continue };
                        let slot = usize::from(frame.kind == FrameKind::Video);
                        if frame.kind != FrameKind::Data && frame.class != FrameClass::SequenceHeader {
                            ok &= timestamp.as_millis() >= times[slot];
                            times[slot] = timestamp.as_millis();
                        }
                        if frame.kind == FrameKind::Video && frame.class != FrameClass::SequenceHeader {
                            let number = u64::from_be_bytes(frame.payload[5..13].try_into().unwrap());
                            ok &= frame.class == FrameClass::Keyframe || *last == Some(number - 1);
                            *last = Some(number);
                        }
                    }
                }
                _ => {}
            }
        }
        ok
    }
}
