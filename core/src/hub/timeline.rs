//! One continuous time line out of whatever publishers send.
//!
//! Each kind of media is measured against itself: a stamp means something only beside the one before it of its own kind.
//! What relates the kinds is an offset (line time minus stamp), which they share for as long as that is believable:
//!
//! ```text
//!  what comes                                        what a frame gets
//!  ------------------------------------------------  ----------------------------------------------------------
//!  the next frame of a kind, a small step on         its stamp with the kind's offset
//!  a kind's first frame, at most 5 s from where      its stamp with the other's offset: one clock, sent ahead or
//!  the other kind is now                             behind, so the stamps are right and say what belongs together
//!  a kind's first frame, further away than that      where the other kind is now: a clock of its own, of which only
//!                                                    the arrival says what belongs together; the offset then stays
//!  a jump, and the other's offset undoes it          its stamp with the other's offset: both jumped, or it is back
//!  a jump of one kind                                its last time and the wall clock's step: an offset of its own
//!  stamps that stand still                           the time of arrival
//! ```
//!
//! So a source that sends in real time gets a line that runs in real time, whatever lies between its clocks, and two kinds
//! that agree are never moved against each other. What no server can tell apart is a track that starts at 0 up to 5 s after
//! the other and one on the same clock that arrives so much later: the stamps are believed, as players do.

use crate::{FrameKind, Time, Timestamp};
use core::time::Duration;

/// Where internal time starts: far from zero, so that a first frame that is not the earliest has room before it.
const ORIGIN: u64 = 1 << 32;
/// Steps in this window are kept as they are: some encoders make small inversions, and frames are lost.
const MAX_STEP_BACK: i64 = 500;
const MAX_STEP_FORWARD: i64 = 5_000;
/// A longer step forward is kept if the wall clock or the other kind agrees this well: 1 fps streams and gaps in audio are
/// legal.
const WALL_CLOCK_TOLERANCE: i64 = 1_000;
/// How far apart the kinds may be on one clock. 5 s: encoders without an interleaving queue send one kind up to that
/// much ahead of the other.
const MAX_SKEW: i64 = 5_000;
/// The longest GOP with which another channel begins. 10 min, as [`gop_max_duration`](super::ChannelConfig::gop_max_duration).
#[cfg(any(feature = "server", test))]
const MAX_GOP: i64 = 600_000;
/// The step over a discontinuity, if the wall clock has none to offer.
const DEFAULT_STEP: u64 = 10;
/// The longest such step. 5 s: a longer silence is not made up for.
const MAX_GAP: u64 = 5_000;
/// A kind follows the other's jump within this time: one message of each is enough for both to be seen.
const JUMP_TOGETHER: Duration = Duration::from_secs(1);
/// For this long after a jump only what the wall clock confirms is a step forward: stamps that alternate would else add
/// up all their steps forward, and none of those back.
const DISTRUST: Duration = Duration::from_secs(10);
/// Stamps stand still if so many in a row are no higher than one before, and that for so long: pictures in slices repeat
/// theirs, and some are sent in another order than shown, but that does not take so long.
const STANDSTILL: Duration = Duration::from_millis(500);
const STANDSTILL_REPEATS: u32 = 3;

/// Turns the 32-bit times of successive publishers into one 64-bit time line in milliseconds.
///
/// Times never go back within a kind. What comes after [`restart`](Self::restart), a new publisher, continues behind
/// everything so far. Each frame costs O(1), without allocation.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// The present publisher's audio, video and data.
    clocks: [Option<Clock>; 3],
    /// Its first frame of each, and when this line began with it.
    first: [Option<Place>; 3],
    began: Time,
    /// What its own channel had then.
    origin: Places,
    /// The end of the line: where it was when its last frame came.
    newest: Option<Newest>,
    /// The latest time given out for audio, video and data.
    latest: [u64; 3],
    stats: TimelineStats,
}

/// Where frames of a publisher are on its own channel's time line, for that of another channel which has some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Places {
    /// Its first audio, video and data, and the newest.
    first: [Option<Place>; 3],
    newest: [Option<Place>; 3],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    input: Timestamp,
    output: u64,
    arrived: Time,
}

#[cfg(any(feature = "server", test))]
impl Place {
    /// Where the frame is that another channel has `first`, which `began` at this place. What came then is of the GOP before it,
    /// the rest behind it; further away than that there is a jump between, of which nothing is known here.
    fn of_first(self, first: Place, began: Time) -> u64 {
        let step = i64::from(first.input.since(self.input));
        let back = if first.arrived == began { MAX_GOP } else { MAX_STEP_BACK };
        if (-back..=MAX_STEP_FORWARD).contains(&step) {
            self.output.saturating_add_signed(step)
        } else {
            self.output.saturating_add(DEFAULT_STEP)
        }
    }
}

/// The last frame, of whatever kind and publisher.
#[derive(Debug, Clone, Copy)]
struct Newest {
    output: u64,
    arrived: Time,
}

/// The frame of a kind that the next one is measured against: that with the highest stamp since the last jump.
#[derive(Debug, Clone, Copy)]
struct Clock {
    input: Timestamp,
    /// The kind's place on the line, and when it was there: as below, unless its stamps stand still.
    output: u64,
    arrived: Time,
    /// When it came, the time that it got then, and how many came since with no higher stamp.
    moved: Time,
    moved_output: u64,
    repeats: u32,
    /// Where the other kind was on the line then.
    other_output: Option<u64>,
    /// Its last jump, and its last one that the other kind's offset did not explain.
    jumped: Option<Time>,
    jumped_alone: Option<Time>,
}

/// What had to be repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TimelineStats {
    /// Jumps that were replaced by a short step. One that both kinds make together counts once.
    pub jumps: u64,
    /// Frames whose time lay before that of an earlier frame of their kind, and was raised to it.
    pub raised: u64,
}

impl Timeline {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Another publisher begins: its times have nothing to do with those of the one before. `origin`: what its own channel has
    /// of it, if that is another.
    pub(super) fn restart(&mut self, now: Time, origin: Places) {
        self.began = now;
        self.stats = TimelineStats::default();
        self.clocks = [None; 3];
        self.first = [None; 3];
        self.origin = origin;
    }

    /// Frames of the publisher were lost on the way from its own channel, which is `there` now. The next ones are as far from
    /// those before as they are there, whenever they come.
    #[cfg(any(feature = "server", test))]
    pub(super) fn resume(&mut self, now: Time, there: &Places) {
        self.stats = TimelineStats::default();
        self.clocks = [FrameKind::Audio, FrameKind::Video, FrameKind::Data].map(|kind| self.resumed(now, kind, there));
        let ends = self.clocks.iter().zip(self.latest);
        let goes_back = |(clock, latest): (&Option<Clock>, u64)| {
            clock.is_some_and(|clock| distance(latest, clock.output) < -WALL_CLOCK_TOLERANCE)
        };
        if ends.into_iter().any(goes_back) {
            // The lines have come apart, by jumps that were read in two ways.
            self.clocks = [None; 3];
        }
    }

    /// The clock of a kind that is at its newest place `there`.
    #[cfg(any(feature = "server", test))]
    fn resumed(&self, now: Time, kind: FrameKind, there: &Places) -> Option<Clock> {
        let place = |places: &[Option<Place>; 3]| places.get(index(kind)).copied().flatten();
        let (own, newest) = (place(&self.first)?, place(&there.newest)?);
        let then = place(&self.origin.newest).or(place(&there.first))?;
        let apart = distance(then.of_first(own, self.began), own.output);
        let output = newest.output.saturating_add_signed(apart);
        let before = self.clock(kind);
        Some(Clock {
            jumped: before.and_then(|clock| clock.jumped),
            jumped_alone: before.and_then(|clock| clock.jumped_alone),
            ..Clock::new(now, newest.input, output, None)
        })
    }

    /// Where the present publisher's frames are.
    #[cfg(any(feature = "server", test))]
    pub(super) fn places(&self) -> Places {
        Places {
            first: self.first,
            newest: self.clocks.map(|clock| {
                let Clock {
                    input, output, arrived, ..
                } = clock?;
                Some(Place { input, output, arrived })
            }),
        }
    }

    /// The time now: that of the last frame.
    pub(super) fn current(&self) -> u64 {
        self.newest.map_or(ORIGIN, |newest| newest.output)
    }

    /// The time now for a header of `kind`: that of the kind's last frame. Headers' own stamps are often 0 and never move
    /// the line.
    pub(super) fn current_of(&self, kind: FrameKind) -> u64 {
        let time = self.clock(kind).map_or(self.current(), |clock| clock.output);
        let latest = self.latest.get(index(kind)).copied().unwrap_or_default();
        time.max(latest)
    }

    /// The time of a coded frame.
    pub(super) fn advance(&mut self, now: Time, kind: FrameKind, input: Timestamp) -> u64 {
        let (last, other) = (self.clock(kind), self.other(kind));
        let step = last.and_then(|clock| clock.follow(now, input, other));
        let (clock, output) = step.unwrap_or_else(|| {
            let clock = match last {
                Some(clock) => self.rebase(clock, now, kind, input),
                None => Clock::new(now, input, self.join(now, kind, input), other),
            };
            (clock, clock.output)
        });
        self.newest = Some(Newest { output, arrived: now });
        if let Some(first) = self.first.get_mut(index(kind)) {
            first.get_or_insert(Place {
                input,
                output,
                arrived: now,
            });
        }
        if let Some(place) = self.clocks.get_mut(index(kind)) {
            *place = Some(clock);
        }
        self.raise(kind, output)
    }

    /// The time of a frame that is not to move the line: its own if plausible, else the current one.
    pub(super) fn place(&mut self, now: Time, kind: FrameKind, input: Timestamp) -> u64 {
        let output = match self.clock(kind).or(self.other(kind)) {
            Some(clock) => clock
                .follow(now, input, None)
                .map_or(clock.output, |(_, output)| output),
            None => self.current(),
        };
        self.raise(kind, output)
    }

    pub(super) fn stats(&self) -> TimelineStats {
        self.stats
    }

    fn clock(&self, kind: FrameKind) -> Option<Clock> {
        self.clocks.get(index(kind)).copied().flatten()
    }

    /// The clock of the kind that `kind` is to stay in sync with.
    fn other(&self, kind: FrameKind) -> Option<Clock> {
        let [audio, video, _] = self.clocks;
        match kind {
            FrameKind::Audio => video,
            FrameKind::Video => audio,
            FrameKind::Data => video.or(audio),
        }
    }

    /// The time of a publisher's first frame of a kind.
    fn join(&self, now: Time, kind: FrameKind, input: Timestamp) -> u64 {
        if let Some(other) = self.other(kind) {
            let there = other.output.saturating_add(step_over_gap(now.since(other.arrived)));
            return other
                .at(input)
                .filter(|&time| (-MAX_SKEW..=MAX_SKEW).contains(&distance(there, time)))
                .unwrap_or(there);
        }
        let Some(newest) = self.newest else { return ORIGIN };
        let [audio, video, _] = self.latest;
        let end = newest.output.max(audio).max(video);
        end.saturating_add(step_over_gap(now.since(newest.arrived)).max(DEFAULT_STEP))
    }

    /// The clock of a kind behind a jump.
    fn rebase(&mut self, clock: Clock, now: Time, kind: FrameKind, input: Timestamp) -> Clock {
        let elapsed = now.since(clock.arrived);
        let other = self.other(kind);
        if let Some(other) = other {
            // On the other's offset it may go on where it was, at most as much later as the wall clock says.
            let jumps_together = other.jumped_alone.is_some_and(|at| now.since(at) <= JUMP_TOGETHER);
            let tolerance = if jumps_together && !clock.is_distrusted(now) {
                MAX_SKEW
            } else {
                WALL_CLOCK_TOLERANCE
            };
            let window = -WALL_CLOCK_TOLERANCE..=millis(elapsed).saturating_add(tolerance);
            if let Some(time) = other.at(input)
                && window.contains(&distance(clock.output, time))
            {
                return Clock {
                    jumped: Some(now),
                    ..Clock::new(now, input, time, Some(other))
                };
            }
            if elapsed >= Duration::from_millis(MAX_GAP) && now.since(other.arrived) < elapsed {
                // It was away while the other went on.
                self.stats.jumps += 1;
                return Clock::new(now, input, self.join(now, kind, input), Some(other));
            }
        }
        self.stats.jumps += 1;
        let mut gap = step_over_gap(elapsed);
        if !clock.is_distrusted(now) {
            gap = gap.max(DEFAULT_STEP);
        }
        Clock {
            jumped: Some(now),
            jumped_alone: Some(now),
            ..Clock::new(now, input, clock.output.saturating_add(gap), other)
        }
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

impl Clock {
    fn new(now: Time, input: Timestamp, output: u64, other: Option<Clock>) -> Clock {
        Clock {
            input,
            output,
            arrived: now,
            moved: now,
            moved_output: output,
            repeats: 0,
            other_output: other.map(|other| other.output),
            jumped: None,
            jumped_alone: None,
        }
    }

    /// The clock after the next frame of its kind, and the frame's time; `None` if that is a jump. `other` is the other
    /// kind's clock.
    fn follow(self, now: Time, input: Timestamp, other: Option<Clock>) -> Option<(Clock, u64)> {
        let step = self.step_to(input);
        if (-MAX_STEP_BACK..=0).contains(&step) {
            let stays = Clock {
                repeats: self.repeats.saturating_add(1),
                ..self
            };
            if stays.stands_still(now) {
                let stood = millis(now.since(self.moved));
                let output = self.moved_output.saturating_add_signed(stood);
                return Some((
                    Clock {
                        output,
                        arrived: now,
                        ..stays
                    },
                    output,
                ));
            }
            return Some((stays, self.output.saturating_add_signed(step)));
        }
        let elapsed = millis(now.since(self.arrived));
        let confirmed = (step - elapsed).abs() <= WALL_CLOCK_TOLERANCE;
        let longest = if self.is_distrusted(now) {
            WALL_CLOCK_TOLERANCE
        } else {
            MAX_STEP_FORWARD
        };
        if !confirmed && !(0..=longest).contains(&step) && !self.is_gap(now, step, other) {
            return None;
        }
        let mut output = self.moved_output.saturating_add_signed(step);
        if self.output != self.moved_output {
            // It stood still for a while. If that was a misreading, the stamp is where arrival has led to.
            let arrival = self.output.saturating_add_signed(elapsed);
            if distance(arrival, output).abs() > WALL_CLOCK_TOLERANCE {
                output = arrival;
            }
        }
        let next = Clock {
            jumped: self.jumped,
            jumped_alone: self.jumped_alone,
            ..Clock::new(now, input, output, other)
        };
        Some((next, output))
    }

    /// Whether the other kind went on as far as `step` meanwhile, so that frames are missing: what was sent while the network
    /// stood still comes in a burst, of which the wall clock knows nothing.
    fn is_gap(&self, now: Time, step: i64, other: Option<Clock>) -> bool {
        let (Some(other), Some(before)) = (other, self.other_output) else {
            return false;
        };
        let advance = distance(before, other.output);
        !self.is_distrusted(now) && !other.is_distrusted(now) && (step - advance).abs() <= WALL_CLOCK_TOLERANCE
    }

    /// The step from its stamp to `input`. A step back by 2^24 is that of a sender which knows no longer times.
    fn step_to(&self, input: Timestamp) -> i64 {
        const SHORT_WRAP: i64 = 1 << 24;
        let step = i64::from(input.since(self.input));
        if (0..=MAX_STEP_FORWARD).contains(&(step + SHORT_WRAP)) {
            step + SHORT_WRAP
        } else {
            step
        }
    }

    /// The time of `input` on this clock's offset. A clock that stands still has none.
    fn at(&self, input: Timestamp) -> Option<u64> {
        let is_exact = self.output == self.moved_output;
        is_exact.then(|| self.output.saturating_add_signed(i64::from(input.since(self.input))))
    }

    fn stands_still(&self, now: Time) -> bool {
        self.repeats >= STANDSTILL_REPEATS && now.since(self.moved) >= STANDSTILL
    }

    fn is_distrusted(&self, now: Time) -> bool {
        self.jumped.is_some_and(|at| now.since(at) < DISTRUST)
    }
}

const fn index(kind: FrameKind) -> usize {
    match kind {
        FrameKind::Audio => 0,
        FrameKind::Video => 1,
        FrameKind::Data => 2,
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// From `from` to `to`.
fn distance(from: u64, to: u64) -> i64 {
    to.wrapping_sub(from).cast_signed()
}

fn step_over_gap(elapsed: Duration) -> u64 {
    match u64::try_from(elapsed.as_millis()) {
        Ok(millis) if millis < MAX_GAP => millis,
        _ => DEFAULT_STEP,
    }
}
