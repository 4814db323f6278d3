//! The frames of a stream that somebody may still want, in order of arrival.

use super::{ChannelConfig, LagLimit};
use crate::media;
use crate::{Frame, FrameClass, FrameKind, Time, Timestamp};
use alloc::collections::VecDeque;
use core::mem;
use core::time::Duration;

/// Frames among which the part before one is looked for. 16: parts come one after the other, with a little sound between.
const KEYFRAME_PARTS: usize = 16;

/// The number of a frame in its channel, from 0, never used twice.
pub(super) type Sequence = u64;

/// Frames by sequence number: the GOP cache at the end, before it what slow players have not taken yet.
#[derive(Debug, Default)]
pub(super) struct Ring {
    slots: VecDeque<Slot>,
    /// The sequence number of the front slot.
    first: Sequence,
    /// Keyframes in the ring, in order.
    keyframes: VecDeque<Keyframe>,
    /// The timestamp of the newest keyframe and its place on the time line, while more parts of it may come.
    open_keyframe: Option<(Timestamp, u64)>,
    /// Where the GOP cache begins; the start of one of `keyframes`.
    gop_start: Option<Sequence>,
    /// Payload bytes of all frames ever pushed.
    pushed_bytes: u64,
    /// What begins with the next frame.
    beginning: Option<Beginning>,
    /// When the newest frame came.
    now: Time,
    /// The bound for which frames were let go last that somebody might have wanted.
    overrun: Option<LagLimit>,
}

/// A frame in the ring.
#[derive(Debug)]
pub(super) struct Slot {
    /// The frame. Its own timestamp is the publisher's; `time` is what counts.
    pub(super) frame: Frame,
    /// Its place on the channel's time line, in milliseconds.
    pub(super) time: u64,
    /// When it came.
    pub(super) arrived: Time,
    /// Payload bytes of all frames before it.
    pub(super) offset: u64,
    /// Set if nothing before it is of use to pictures from here on.
    pub(super) begins: Option<Beginning>,
}

/// A publisher, or what comes behind frames that were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beginning {
    /// Whether its sound waits for its pictures.
    pub(super) audio_waits: bool,
}

/// A picture that players can start at.
#[derive(Debug, Clone, Copy)]
struct Keyframe {
    /// Its first message.
    start: Sequence,
    /// Its first message with a slice. A player that let those before it pass starts here.
    slice: Sequence,
}

impl Ring {
    /// The sequence number that the next frame will get.
    pub(super) fn end(&self) -> Sequence {
        self.first + self.slots.len() as u64
    }

    pub(super) fn first(&self) -> Sequence {
        self.first
    }

    pub(super) fn gop_start(&self) -> Option<Sequence> {
        self.gop_start
    }

    /// The newest keyframe in the ring.
    pub(super) fn newest_keyframe(&self) -> Option<Sequence> {
        self.keyframes.back().map(|keyframe| keyframe.start)
    }

    pub(super) fn get(&self, sequence: Sequence) -> Option<&Slot> {
        self.slots.get(usize::try_from(sequence.checked_sub(self.first)?).ok()?)
    }

    /// When the newest frame came: lag is measured from there, so that a stream that stands still makes nobody late.
    pub(super) fn now(&self) -> Time {
        self.now
    }

    /// Up to `count` slots from `sequence` on.
    pub(super) fn range(&self, sequence: Sequence, count: usize) -> impl Iterator<Item = &Slot> {
        let skip = usize::try_from(sequence.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.slots.iter().skip(skip).take(count)
    }

    /// Payload bytes from frame `sequence` to the end.
    pub(super) fn bytes_from(&self, sequence: Sequence) -> u64 {
        self.get(sequence).map_or(0, |slot| self.pushed_bytes - slot.offset)
    }

    /// The bound of which a player that is at frame `sequence` at `now` has passed one `part`-th, if any. O(1).
    ///
    /// The newest frame alone is no lag, whatever its size: nobody could have taken it before. So a player at the live
    /// edge costs one comparison here.
    pub(super) fn lag(&self, sequence: Sequence, now: Time, config: &ChannelConfig, part: u32) -> Option<LagLimit> {
        if sequence + 1 >= self.end() {
            return None;
        }
        let next = self.get(sequence)?;
        let part = u64::from(part);
        let bytes = self.pushed_bytes - next.offset;
        let micros = now.as_micros().saturating_sub(next.arrived.as_micros());
        if bytes.saturating_mul(part) > config.lag_max_bytes as u64 {
            Some(LagLimit::Bytes)
        } else if Duration::from_micros(micros.saturating_mul(part)) > config.lag_max_age {
            Some(LagLimit::Age)
        } else if (self.end() - sequence).saturating_mul(part) > config.lag_max_frames as u64 {
            Some(LagLimit::Frames)
        } else {
            None
        }
    }

    /// The first frame that is within one `part`-th of the lag bounds. O(log frames).
    pub(super) fn first_within(&self, now: Time, config: &ChannelConfig, part: u32) -> Sequence {
        let (mut low, mut high) = (self.first, self.end());
        while low < high {
            let middle = low.midpoint(high);
            match self.lag(middle, now, config, part) {
                Some(_) => low = middle + 1,
                None => high = middle,
            }
        }
        low
    }

    /// The first frame that came at most `age` before the newest. O(log frames).
    pub(super) fn first_younger(&self, age: Duration) -> Sequence {
        self.first + self.slots.partition_point(|slot| self.now.since(slot.arrived) > age) as u64
    }

    /// The newest keyframe, if there is an older one from frame `sequence` on that came more than `age` before the newest
    /// frame: what comes in a burst is no older than the rest. O(1).
    pub(super) fn keyframe_after_another(&self, sequence: Sequence, age: Duration) -> Option<Sequence> {
        let mut newest = self.keyframes.iter().rev().map(|keyframe| keyframe.start);
        let start = newest.next()?;
        let is_old = |slot: &Slot| self.now.since(slot.arrived) > age;
        let waits_for_more = newest.next().is_some_and(|older| older >= sequence);
        (waits_for_more && self.get(sequence.max(self.first)).is_some_and(is_old)).then_some(start)
    }

    /// The bound for which frames were let go last that somebody might have wanted.
    pub(super) fn overrun(&self) -> Option<LagLimit> {
        self.overrun
    }

    /// Payload bytes held.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes_from(self.first)
    }

    /// Frames held.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of memory held, beside payloads. O(1).
    #[cfg(feature = "server")]
    pub(super) fn own_memory(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.keyframes.capacity() * size_of::<Keyframe>()
    }

    /// Appends a frame. O(1).
    pub(super) fn push(&mut self, frame: Frame, time: u64, arrived: Time) {
        if self.open_keyframe.is_some_and(|open| ends_keyframe(&frame, time, open)) {
            self.open_keyframe = None;
        }
        let offset = self.pushed_bytes;
        self.pushed_bytes += frame.payload.len() as u64;
        self.now = arrived;
        self.slots.push_back(Slot {
            frame,
            time,
            arrived,
            offset,
            begins: self.beginning.take(),
        });
    }

    /// Says that the next frame begins something.
    pub(super) fn begin(&mut self, beginning: Beginning) {
        self.beginning = Some(beginning);
    }

    /// Says that `frame`, which comes next with `time`, is a keyframe or part of one: players can start at the first of
    /// its parts, and, if `cache` is on, the GOP cache begins there.
    pub(super) fn mark_keyframe(&mut self, frame: &Frame, time: u64, cache: bool) {
        let open = Some((frame.timestamp, time));
        if mem::replace(&mut self.open_keyframe, open) == open {
            return;
        }
        let start = self.keyframe_start(frame, time);
        self.keyframes.push_back(Keyframe {
            start,
            slice: self.end(),
        });
        self.gop_start = cache.then_some(start);
    }

    /// Where the keyframe begins whose first slice is in `frame`: encoders send delimiters and parameter sets before it in
    /// messages of their own, with the same timestamp. Looks at no more than [`KEYFRAME_PARTS`] frames.
    fn keyframe_start(&self, frame: &Frame, time: u64) -> Sequence {
        let mut start = self.end();
        for (back, slot) in (1..).zip(self.slots.iter().rev().take(KEYFRAME_PARTS)) {
            let part = &slot.frame;
            if part.kind != frame.kind || part.track != frame.track {
                continue;
            }
            if part.timestamp != frame.timestamp
                || slot.time != time
                || part.class.is_header()
                || media::has_picture(part)
            {
                break;
            }
            start = self.end() - back;
        }
        start
    }

    /// Whether a player whose next picture is frame `sequence` can start there. O(log keyframes).
    pub(super) fn starts_at(&self, sequence: Sequence) -> bool {
        let later = self.keyframes.partition_point(|keyframe| keyframe.start <= sequence);
        let keyframe = later.checked_sub(1).and_then(|index| self.keyframes.get(index));
        keyframe.is_some_and(|keyframe| sequence <= keyframe.slice)
    }

    /// Ends the GOP cache: a player that joins now waits for the next keyframe.
    pub(super) fn end_gop(&mut self) {
        self.gop_start = None;
    }

    /// Ends the GOP cache if it has outgrown its bounds. Returns whether it had.
    pub(super) fn bound_gop(&mut self, config: &ChannelConfig) -> bool {
        let Some(start) = self.gop_start else { return false };
        let (Some(first), Some(last)) = (self.get(start), self.slots.back()) else {
            return false;
        };
        let outgrown = self.end() - start > config.gop_max_frames as u64
            || self.pushed_bytes - first.offset > config.gop_max_bytes as u64
            || u128::from(last.time.saturating_sub(first.time)) > config.gop_max_duration.as_millis();
        if outgrown {
            self.end_gop();
        }
        outgrown
    }

    /// Lets go of what nobody can want any more. Amortised O(1) per frame.
    ///
    /// If every player has all frames before `needed_from`, only the GOP cache and what follows stay. Otherwise what a
    /// lagging player may still take stays too: the frames within the lag bounds, from the last keyframe before them.
    pub(super) fn trim(&mut self, now: Time, config: &ChannelConfig, needed_from: Option<Sequence>) {
        let gop_start = self.gop_start.unwrap_or(self.end());
        if let Some(needed_from) = needed_from {
            self.trim_to(gop_start.min(needed_from));
            return;
        }
        while self.first < gop_start {
            // The front goes if the next place to start at is outside the lag bounds as well.
            let mut starts = self.keyframes.iter().map(|keyframe| keyframe.start);
            let next_start = starts.find(|&start| start > self.first);
            let limit = if self.bytes() > config.max_bytes() as u64 {
                Some(LagLimit::Bytes)
            } else if self.len() > config.max_frames() {
                Some(LagLimit::Frames)
            } else {
                self.lag(next_start.unwrap_or(self.first), now, config, 1)
            };
            if limit.is_none() {
                break;
            }
            self.overrun = limit;
            self.trim_to(self.first + 1);
        }
    }

    /// Lets go of frames before `sequence` though somebody may want them, but of nothing in the GOP cache. Returns whether there
    /// were any.
    #[cfg(feature = "server")]
    pub(super) fn cut(&mut self, sequence: Sequence) -> bool {
        let sequence = sequence.min(self.gop_start.unwrap_or(self.end()));
        let is_cut = self.first < sequence;
        if is_cut {
            self.overrun = Some(LagLimit::Memory);
            self.trim_to(sequence);
            self.slots.shrink_to(self.slots.len() * 2);
        }
        is_cut
    }

    fn trim_to(&mut self, sequence: Sequence) {
        while self.first < sequence && self.slots.pop_front().is_some() {
            self.first += 1;
        }
        while self
            .keyframes
            .front()
            .is_some_and(|keyframe| keyframe.start < self.first)
        {
            self.keyframes.pop_front();
        }
        if self.slots.capacity() > 256 && self.slots.len() < self.slots.capacity() / 8 {
            self.slots.shrink_to(self.slots.len() * 2);
        }
    }
}

/// Whether `frame`, which comes at `time`, shows that the keyframe of the default track at `keyframe` is complete.
fn ends_keyframe(frame: &Frame, time: u64, keyframe: (Timestamp, u64)) -> bool {
    frame.kind == FrameKind::Video
        && frame.track.0 == 0
        && frame.class != FrameClass::Keyframe
        && ((frame.timestamp, time) != keyframe || frame.class.is_header() || media::has_picture(frame))
}
