//! The time line: steps, jumps, clocks of two kinds.

use super::super::timeline::{Places, Timeline};
use crate::{FrameKind, Time, Timestamp};
use FrameKind::{Audio, Video};
use alloc::vec::Vec;
use quickcheck::quickcheck;

/// Where the line starts.
fn origin() -> u64 {
    Timeline::new().current()
}

/// Feeds `(wall clock, kind, time)` and returns the times relative to the first.
fn run(line: &mut Timeline, input: &[(u64, FrameKind, u32)]) -> Vec<i64> {
    input
        .iter()
        .map(|&(at, kind, time)| {
            let time = line.advance(Time::from_millis(at), kind, Timestamp::from_millis(time));
            time.wrapping_sub(origin()).cast_signed()
        })
        .collect()
}

#[test]
fn steps_are_kept_as_they_are() {
    let input = [
        (0, Video, 100),
        (0, Audio, 80),
        (40, Video, 140),
        (40, Audio, 103),
        (4_000, Video, 4_140),
    ];
    assert_eq!(run(&mut Timeline::new(), &input), [0, -20, 40, 3, 4_040]);
}

#[test]
fn the_wrap_of_32_bits_is_a_step_like_any_other() {
    let input = [(0, Video, u32::MAX - 19), (40, Video, 20), (80, Video, 60)];
    assert_eq!(run(&mut Timeline::new(), &input), [0, 40, 80]);
}

#[test]
fn a_long_step_is_kept_if_the_wall_clock_agrees() {
    assert_eq!(
        run(&mut Timeline::new(), &[(0, Video, 0), (60_000, Video, 60_400)]),
        [0, 60_400]
    );
}

#[test]
fn a_jump_becomes_the_clocks_step_for_both_kinds_alike() {
    let mut line = Timeline::new();
    let input = [
        (0, Video, 1_000),
        (1, Audio, 1_010),
        (40, Video, 90_000_040),
        (41, Audio, 90_000_050),
    ];
    assert_eq!(run(&mut line, &input), [0, 10, 40, 50]);
    assert_eq!(line.stats().jumps, 1);
}

#[test]
fn a_step_back_is_raised_to_what_was_given_out() {
    let mut line = Timeline::new();
    assert_eq!(
        run(
            &mut line,
            &[(0, Video, 100), (40, Video, 140), (80, Video, 120), (90, Video, 180)]
        ),
        [0, 40, 40, 80]
    );
    assert_eq!(line.stats().raised, 1);
}

#[test]
fn a_new_publisher_goes_on_where_the_old_one_stopped() {
    let mut line = Timeline::new();
    run(&mut line, &[(0, Video, 500_000), (1, Audio, 500_030)]);
    line.restart(Time::ZERO, Places::default());
    assert_eq!(run(&mut line, &[(2_001, Video, 0), (2_002, Audio, 5)]), [2_030, 2_035]);
    line.restart(Time::ZERO, Places::default());
    assert_eq!(run(&mut line, &[(60_000, Video, 0)]), [2_045]);
}

#[test]
fn what_does_not_move_the_line_is_placed_on_it() {
    let mut line = Timeline::new();
    run(&mut line, &[(0, Video, 1_000_000)]);
    let place =
        |line: &mut Timeline, time| line.place(Time::ZERO, FrameKind::Data, Timestamp::from_millis(time)) - origin();
    assert_eq!(place(&mut line, 0), 0);
    assert_eq!(place(&mut line, 1_000_020), 20);
    assert_eq!(run(&mut line, &[(40, Video, 1_000_040)]), [40]);
}

quickcheck! {
    fn never_goes_back_within_a_kind(input: Vec<(u16, bool, u32)>) -> bool {
        let (mut line, mut clock, mut latest) = (Timeline::new(), 0, [0, 0]);
        input.into_iter().all(|(pause, audio, time)| {
            clock += u64::from(pause);
            let (kind, slot) = if audio { (Audio, 0) } else { (Video, 1) };
            let output = line.advance(Time::from_millis(clock), kind, Timestamp::from_millis(time));
            let steady = output >= latest[slot];
            latest[slot] = output;
            steady
        })
    }
}

fn low_32_bits(millis: i64) -> u32 {
    u32::try_from(millis & i64::from(u32::MAX)).unwrap()
}

/// What one kind of a publisher that sends in real time does: `count` frames, `every` so many milliseconds, the first
/// captured and stamped `first`, each sent when the next `burst` is due, up to `jitter` late.
#[derive(Clone, Copy)]
struct Source {
    kind: FrameKind,
    begins: u64,
    every: u64,
    stamp: i64,
    burst: u64,
    jitter: u64,
}

impl Source {
    const fn new(kind: FrameKind, every: u64) -> Source {
        Source {
            kind,
            begins: 0,
            every,
            stamp: 0,
            burst: 1,
            jitter: 0,
        }
    }

    /// `(arrival, kind, stamp)` of its frames in `length` milliseconds.
    fn frames(self, length: u64) -> Vec<(u64, FrameKind, u32)> {
        let count = length.saturating_sub(self.begins) / self.every;
        let mut last = 0;
        (0..count)
            .map(|n| {
                let captured = self.begins + n * self.every;
                let late = n.wrapping_mul(0x9E37_79B9) >> 7 & 0xFFFF;
                last = (captured.next_multiple_of(self.burst) + late % (self.jitter + 1)).max(last);
                let stamp = self.stamp.wrapping_add((n * self.every).cast_signed());
                (last, self.kind, low_32_bits(stamp))
            })
            .collect()
    }
}

/// Both kinds in order of arrival, with the times that they get.
fn play(
    line: &mut Timeline,
    sources: &[Source],
    length: u64,
    change: impl Fn(u64, FrameKind, u32) -> u32,
) -> Vec<Played> {
    let mut input: Vec<_> = sources.iter().flat_map(|source| source.frames(length)).collect();
    input.sort_by_key(|(at, ..)| *at);
    for (at, kind, stamp) in &mut input {
        *stamp = change(*at, *kind, *stamp);
    }
    let output = run(line, &input);
    let played = |((at, kind, stamp), time): (_, i64)| Played { at, kind, stamp, time };
    input.into_iter().zip(output).map(played).collect()
}

#[derive(Debug, Clone, Copy)]
struct Played {
    at: u64,
    kind: FrameKind,
    stamp: u32,
    time: i64,
}

impl Played {
    /// What lies between its stamp and its time.
    fn offset(&self) -> u32 {
        low_32_bits(self.time).wrapping_sub(self.stamp)
    }
}

/// Whether each kind's time advances as the wall clock does, within 1 % over 10 s, and never goes back; frames may come
/// `slack` milliseconds sooner or later than they are due.
fn is_real_time(played: &[Played], slack: u64) -> bool {
    [Audio, Video].into_iter().all(|kind| {
        let frames: Vec<_> = played.iter().filter(|frame| frame.kind == kind).collect();
        let rises = frames.is_sorted_by_key(|frame| frame.time);
        let first_after = |at: u64| frames.get(frames.partition_point(|frame| frame.at < at));
        rises
            && frames.iter().all(|from| {
                first_after(from.at + 10_000).is_none_or(|to| {
                    let wall = (to.at - from.at).cast_signed();
                    (to.time - from.time - wall).unsigned_abs() <= slack + wall.unsigned_abs() / 100
                })
            })
    })
}

/// Audio whose stamps are `skew` milliseconds ahead of those of the video that comes with it.
fn skewed(skew: i64) -> [Source; 2] {
    let audio = Source {
        stamp: skew,
        ..Source::new(Audio, 23)
    };
    [
        audio,
        Source {
            stamp: 0,
            ..Source::new(Video, 40)
        },
    ]
}

#[test]
fn kinds_a_constant_time_apart_run_at_real_time() {
    for skew in [0, 499, 501, 1_200, 2_000, 4_900, 5_000, 5_100, 20_000, 600_000, 1 << 31] {
        for skew in [skew, -skew] {
            let mut line = Timeline::new();
            let played = play(&mut line, &skewed(skew), 30_000, |_, _, stamp| stamp);
            assert!(is_real_time(&played, 0), "{skew}: {:?}", played.last());
            assert_eq!(line.stats().jumps, 0, "{skew}");
        }
    }
}

#[test]
fn kinds_up_to_5_s_apart_keep_what_their_stamps_say() {
    for skew in [-4_900, -1_200, 1_200, 4_900] {
        let played = play(&mut Timeline::new(), &skewed(skew), 20_000, |_, _, stamp| stamp);
        assert!(
            played.iter().all(|frame| frame.offset() == played[0].offset()),
            "{skew}"
        );
    }
}

#[test]
fn a_kind_with_a_clock_of_its_own_starts_where_the_other_is() {
    for skew in [-600_000, -6_000, 6_000, 600_000] {
        let played = play(&mut Timeline::new(), &skewed(skew), 20_000, |_, _, stamp| stamp);
        assert!(
            played.iter().all(|frame| frame.time == frame.at.cast_signed()),
            "{skew}"
        );
    }
}

#[test]
fn a_track_that_starts_at_0_later_runs_at_real_time() {
    for begins in [300, 2_000, 4_000, 8_000, 60_000] {
        let late = Source {
            begins,
            ..Source::new(Audio, 23)
        };
        let played = play(
            &mut Timeline::new(),
            &[late, Source::new(Video, 33)],
            begins + 20_000,
            |_, _, stamp| stamp,
        );
        assert!(is_real_time(&played, 0), "{begins}");
    }
}

#[test]
fn bursts_of_more_than_a_second_run_at_real_time() {
    let audio = Source {
        burst: 1_500,
        ..Source::new(Audio, 23)
    };
    let video = Source {
        burst: 2_000,
        stamp: 1_200,
        ..Source::new(Video, 40)
    };
    let mut line = Timeline::new();
    let played = play(&mut line, &[audio, video], 40_000, |_, _, stamp| stamp);
    assert!(is_real_time(&played, 2_000));
    assert!(played.iter().all(|frame| frame.offset() == played[0].offset()));
    assert_eq!(line.stats().jumps, 0);
}

#[test]
fn a_kind_whose_stamps_stand_still_takes_its_time_from_arrival() {
    for still in [Audio, Video] {
        let mut line = Timeline::new();
        let change = |_, kind, stamp| if kind == still { 0 } else { stamp };
        let played = play(&mut line, &skewed(0), 30_000, change);
        assert!(is_real_time(&played, 600), "{still:?}: {:?}", played.last());
        assert_eq!(line.stats().jumps, 0);
    }
    let played = play(&mut Timeline::new(), &skewed(0), 30_000, |_, _, _| 0);
    assert!(is_real_time(&played, 600), "both");
}

#[test]
fn a_keyframe_in_slices_that_arrive_slowly_moves_nothing() {
    let slices = (0..8).map(|n| (40 + n * 100, Video, 40));
    let input: Vec<_> = [(0, Video, 0)]
        .into_iter()
        .chain(slices)
        .chain([(760, Video, 80), (800, Video, 800)])
        .collect();
    let times = run(&mut Timeline::new(), &input);
    assert_eq!(times.last(), Some(&800), "{times:?}");
}

#[test]
fn wraps_at_24_and_32_bits_are_steps_like_any_other() {
    for (start, mask) in [(0xFF_FFFF - 5_000, 0xFF_FFFF), (i64::from(u32::MAX) - 5_000, u32::MAX)] {
        for skew in [0, 2_000, 60_000] {
            let sources = skewed(skew).map(|source| Source {
                stamp: source.stamp + start,
                ..source
            });
            let mut line = Timeline::new();
            let played = play(&mut line, &sources, 90_000, |_, _, stamp| stamp & mask);
            assert!(is_real_time(&played, 0), "{start:x} {skew}");
            assert_eq!(line.stats().jumps, 0);
        }
    }
}

#[test]
fn stamps_that_alternate_run_at_real_time() {
    for far in [40, 4_000, 1 << 20, 1 << 31] {
        for kinds in [&[Audio, Video][..], &[Video], &[Audio]] {
            let sources: Vec<_> = skewed(0)
                .into_iter()
                .filter(|source| kinds.contains(&source.kind))
                .collect();
            let count = core::cell::Cell::new(0);
            let bomb = |_, _, _| {
                count.set(count.get() + 1);
                if count.get() % 2 == 0 { far } else { 0 }
            };
            let played = play(&mut Timeline::new(), &sources, 60_000, bomb);
            // A first step of less than 5 s is believed.
            assert!(
                is_real_time(&played, if far < 5_000 { far.max(600).into() } else { 50 }),
                "{far} {kinds:?} {:?}",
                played.last()
            );
        }
    }
}

#[test]
fn kinds_whose_stamps_alternate_do_not_confirm_each_other() {
    let pattern = [(Video, 0), (Audio, 4_000), (Audio, 0), (Video, 4_000)];
    let input: Vec<_> = (0..)
        .zip(pattern.into_iter().cycle())
        .map(|(n, (kind, stamp))| (n * 10, kind, stamp))
        .take(4_000)
        .collect();
    let times = run(&mut Timeline::new(), &input);
    assert!(times.iter().all(|time| *time < 50_000), "40 s of arrival");
}

#[test]
fn kinds_that_jump_together_stay_in_sync() {
    for jump in [
        90_000_000,
        7_000,
        0u32.wrapping_sub(3_000),
        0u32.wrapping_sub(90_000_000),
    ] {
        for skew in [-3_000, -100, 0, 100, 3_000] {
            let sources = skewed(skew).map(|source| Source {
                stamp: source.stamp + 100_000_000,
                ..source
            });
            let change = |at, _, stamp: u32| if at < 15_000 { stamp } else { stamp.wrapping_add(jump) };
            let mut line = Timeline::new();
            let played = play(&mut line, &sources, 30_000, change);
            let after: Vec<_> = played
                .iter()
                .filter(|frame| frame.at >= 16_000)
                .map(Played::offset)
                .collect();
            assert!(after.iter().all(|offset| *offset == after[0]), "{jump} {skew}");
            assert!(is_real_time(&played, 60), "{jump} {skew}");
            assert_eq!(line.stats().jumps, 1, "{jump} {skew}");
        }
    }
}

#[test]
fn a_kind_that_jumps_away_and_back_is_in_sync_again() {
    let change = |at, kind, stamp: u32| {
        if kind == Audio && (5_000..12_000).contains(&at) {
            stamp + 700_000
        } else {
            stamp
        }
    };
    let played = play(&mut Timeline::new(), &skewed(100), 20_000, change);
    assert!(is_real_time(&played, 60));
    let (first, last) = (played[0].offset(), played[played.len() - 1].offset());
    assert_eq!(first, last);
}

#[test]
fn a_loop_of_three_seconds_runs_at_real_time() {
    let played = play(&mut Timeline::new(), &skewed(100), 40_000, |_, _, stamp| stamp % 3_000);
    assert!(is_real_time(&played, 300), "{:?}", played.last());
}

#[test]
fn a_kind_that_was_away_comes_back_where_the_other_is() {
    let mut line = Timeline::new();
    let sources = [Source::new(Video, 40), Source::new(Audio, 23)];
    let mut input: Vec<_> = sources.iter().flat_map(|source| source.frames(90_000)).collect();
    input.sort_by_key(|(at, ..)| *at);
    input.retain(|(at, kind, _)| *kind == Video || !(10_000..70_000).contains(at));
    for (at, kind, stamp) in &mut input {
        if *kind == Audio && *at >= 70_000 {
            *stamp -= 70_000;
        }
    }
    let times = run(&mut line, &input);
    let end = *times.last().unwrap();
    assert!((89_900..=90_000).contains(&end), "{end}");
    assert!(
        input
            .iter()
            .zip(&times)
            .all(|((at, ..), time)| at.abs_diff(time.unsigned_abs()) < 50)
    );
}

#[test]
fn a_gap_of_one_kind_that_comes_in_a_burst_is_no_jump() {
    for gappy in [Audio, Video] {
        for skew in [-3_000, 0, 3_000, 20_000] {
            // The network stands still for 8 s, in which the encoder leaves out 7 s of one kind.
            let mut input: Vec<_> = skewed(skew).iter().flat_map(|source| source.frames(30_000)).collect();
            input.retain(|(at, kind, _)| *kind != gappy || !(5_500..12_500).contains(at));
            input.sort_by_key(|(at, ..)| *at);
            for (at, ..) in &mut input {
                if (5_000..13_000).contains(at) {
                    *at = 13_000;
                }
            }
            let mut line = Timeline::new();
            let times = run(&mut line, &input);
            for kind in [Audio, Video] {
                let mut offsets = (input.iter().zip(&times))
                    .filter(|((_, it, _), _)| *it == kind)
                    .map(|((.., stamp), time)| low_32_bits(*time).wrapping_sub(*stamp));
                let first = offsets.next();
                assert!(offsets.all(|offset| Some(offset) == first), "{gappy:?} {skew}");
            }
            assert_eq!(line.stats().jumps, 0, "{gappy:?} {skew}");
        }
    }
}

#[test]
fn a_header_has_the_time_of_its_own_kind() {
    let mut line = Timeline::new();
    run(&mut line, &[(0, Video, 0), (1, Audio, 3_000)]);
    assert_eq!(line.current_of(Video) - origin(), 0);
    assert_eq!(line.current_of(Audio) - origin(), 3_000);
}

#[test]
fn a_header_comes_no_earlier_than_the_frames_of_its_kind() {
    let mut line = Timeline::new();
    run(&mut line, &[(0, Audio, 3_000), (1, Video, 0)]);
    line.restart(Time::ZERO, Places::default());
    assert_eq!((line.current(), line.current_of(Audio)), (origin() - 3_000, origin()));
}

quickcheck! {
    fn real_time_sources_keep_one_offset_per_kind(every: (u8, u8), skew: i32, begins: u16, burst: (u16, u16), jitter: u8) -> bool {
        let audio = Source {
            begins: u64::from(begins % 12_000),
            every: u64::from(every.0 % 100) + 10,
            stamp: i64::from(skew),
            burst: u64::from(burst.0 % 2_500) + 1,
            jitter: u64::from(jitter),
            kind: Audio,
        };
        let video = Source {
            begins: 0,
            every: u64::from(every.1 % 100) + 10,
            stamp: 0,
            burst: u64::from(burst.1 % 2_500) + 1,
            jitter: u64::from(jitter),
            kind: Video,
        };
        let mut line = Timeline::new();
        let played = play(&mut line, &[audio, video], 40_000, |_, _, stamp| stamp);
        let constant = [Audio, Video].into_iter().all(|kind| {
            let mut offsets = played.iter().filter(|frame| frame.kind == kind).map(Played::offset);
            let first = offsets.next();
            offsets.all(|offset| Some(offset) == first)
        });
        constant && line.stats().jumps == 0 && is_real_time(&played, 2_500 + 256 + 100)
    }

    fn kinds_on_one_clock_keep_what_their_stamps_say(skew: i16, begins: u16, burst: u16, jitter: u8) -> bool {
        let begins = u64::from(begins % 12_000);
        let skew = i64::from(skew % 2_000);
        let audio = Source {
            begins,
            stamp: skew + begins.cast_signed(),
            jitter: u64::from(jitter),
            ..Source::new(Audio, 21)
        };
        let video = Source { burst: u64::from(burst % 2_500) + 1, ..Source::new(Video, 33) };
        let played = play(&mut Timeline::new(), &[audio, video], 30_000, |_, _, stamp| stamp);
        played.iter().all(|frame| frame.offset() == played[0].offset())
    }

    fn a_jump_of_both_kinds_keeps_their_relation(skew: i16, jump: u32, at: u16, jitter: u8) -> bool {
        let (skew, at) = (i64::from(skew % 1_000), 10_000 + u64::from(at % 10_000));
        let jitter = u64::from(jitter % 100);
        let sources = skewed(skew).map(|source| Source { jitter, ..source });
        // Told by its stamp, so that each kind jumps at one place.
        let change = |arrived: u64, _, stamp: u32| if arrived < at { stamp } else { stamp.wrapping_add(jump) };
        let played = play(&mut Timeline::new(), &sources, 40_000, change);
        let after: Vec<_> = played.iter().filter(|frame| frame.at >= at + 1_000).map(Played::offset).collect();
        let is_step = (0..5_100).contains(&jump);
        after.iter().all(|offset| *offset == after[0]) && (is_step || is_real_time(&played, 100 + 1_000))
    }
}
