//! One continuous time line out of whatever publishers send.

use crate::{FrameKind, Time, Timestamp};
use core::time::Duration;

/// Where internal time starts: far from zero, so that a first frame that is not the earliest has room before it.
const ORIGIN: u64 = 1 << 32;
/// Steps in this window are kept as they are: interleaving and some encoders make small inversions.
const MAX_STEP_BACK: i64 = 500;
const MAX_STEP_FORWARD: i64 = 5_000;
/// A longer step forward is kept if the wall clock agrees this well: 1 fps streams and gaps in audio are legal.
const WALL_CLOCK_TOLERANCE: i64 = 1_000;
/// The step over a discontinuity, if the wall clock has none to offer.
const DEFAULT_STEP: u64 = 10;

/// Turns the 32-bit times of successive publishers into one 64-bit time line in milliseconds.
///
/// Times never go back within a kind. A jump that the wall clock does not confirm becomes a step of the wall clock's
/// own length (10 ms if that exceeds 5 s); audio and video share one offset, so they stay in sync across it. What comes
/// after [`restart`](Self::restart), a new publisher, continues in the same way.
#[derive(Debug)]
pub(super) struct Timeline {
    reference: Option<Reference>,
    /// Set by `restart`: the next frame's time means nothing relative to the reference.
    discontinuous: bool,
    /// The latest time given out for audio, video and data.
    latest: [u64; 3],
    stats: TimelineStats,
}

/// The message that the next one is measured against: the last one, of either kind.
#[derive(Debug, Clone, Copy)]
struct Reference {
    input: Timestamp,
    output: u64,
    arrived: Time,
}

/// What had to be repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TimelineStats {
    /// Jumps that were replaced by a short step.
    pub jumps: u64,
    /// Frames whose time lay before that of an earlier frame of their kind, and was raised to it.
    pub raised: u64,
}

impl Timeline {
    pub(super) fn new() -> Self {
        Timeline {
            reference: None,
            discontinuous: false,
            latest: [0; 3],
            stats: TimelineStats::default(),
        }
    }

    /// Another publisher begins: its times have nothing to do with those of the one before.
    pub(super) fn restart(&mut self) {
        self.stats = TimelineStats::default();
        self.discontinuous = true;
    }

    /// The time now, for headers and metadata: their own stamps are often 0 and never move the line.
    pub(super) fn current(&self) -> u64 {
        self.reference.map_or(ORIGIN, |reference| reference.output)
    }

    /// The time of a coded frame.
    pub(super) fn advance(&mut self, now: Time, kind: FrameKind, input: Timestamp) -> u64 {
        let output = match self.reference {
            None => ORIGIN,
            Some(reference) => {
                let step = i64::from(input.since(reference.input));
                let elapsed = now.since(reference.arrived);
                if !self.discontinuous && is_plausible(step, elapsed) {
                    reference.output.saturating_add_signed(step)
                } else {
                    self.stats.jumps += u64::from(!self.discontinuous);
                    let [audio, video, _] = self.latest;
                    let resumed = reference.output.max(audio).max(video);
                    resumed.saturating_add(step_over_gap(elapsed))
                }
            }
        };
        self.discontinuous = false;
        self.reference = Some(Reference {
            input,
            output,
            arrived: now,
        });
        self.raise(kind, output)
    }

    /// The time of a frame that is not to move the line: its own if plausible, else the current one.
    pub(super) fn place(&mut self, now: Time, kind: FrameKind, input: Timestamp) -> u64 {
        let output = match self.reference {
            Some(reference) if !self.discontinuous => {
                let step = i64::from(input.since(reference.input));
                let plausible = is_plausible(step, now.since(reference.arrived));
                reference.output.saturating_add_signed(if plausible { step } else { 0 })
            }
            _ => self.current(),
        };
        self.raise(kind, output)
    }

    pub(super) fn stats(&self) -> TimelineStats {
        self.stats
    }

    fn raise(&mut self, kind: FrameKind, output: u64) -> u64 {
        let [audio, video, data] = &mut self.latest;
        let latest = match kind {
            FrameKind::Audio => audio,
            FrameKind::Video => video,
            FrameKind::Data => data,
        };
        self.stats.raised += u64::from(output < *latest);
        *latest = output.max(*latest);
        *latest
    }
}

fn is_plausible(step: i64, elapsed: Duration) -> bool {
    let elapsed = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
    (-MAX_STEP_BACK..=MAX_STEP_FORWARD).contains(&step) || (step - elapsed).abs() <= WALL_CLOCK_TOLERANCE
}

fn step_over_gap(elapsed: Duration) -> u64 {
    match u64::try_from(elapsed.as_millis()) {
        Ok(millis @ DEFAULT_STEP..5_000) => millis,
        _ => DEFAULT_STEP,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FrameKind::{Audio, Video};
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    /// Feeds `(wall clock, kind, time)` and returns the times relative to the first.
    fn run(line: &mut Timeline, input: &[(u64, FrameKind, u32)]) -> Vec<i64> {
        input
            .iter()
            .map(|&(at, kind, time)| {
                let time = line.advance(Time::from_millis(at), kind, Timestamp::from_millis(time));
                i64::try_from(time).unwrap() - i64::try_from(ORIGIN).unwrap()
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
    fn a_jump_becomes_the_wall_clocks_step_and_both_kinds_stay_in_sync() {
        let mut line = Timeline::new();
        let input = [
            (0, Video, 1_000),
            (1, Audio, 1_010),
            (40, Video, 90_000_040),
            (41, Audio, 90_000_050),
        ];
        assert_eq!(run(&mut line, &input), [0, 10, 49, 59]);
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
        line.restart();
        assert_eq!(run(&mut line, &[(2_001, Video, 0), (2_002, Audio, 5)]), [2_030, 2_035]);
        line.restart();
        assert_eq!(run(&mut line, &[(60_000, Video, 0)]), [2_045]);
    }

    #[test]
    fn what_does_not_move_the_line_is_placed_on_it() {
        let mut line = Timeline::new();
        run(&mut line, &[(0, Video, 1_000_000)]);
        let place =
            |line: &mut Timeline, time| line.place(Time::ZERO, FrameKind::Data, Timestamp::from_millis(time)) - ORIGIN;
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
}
