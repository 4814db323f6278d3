//! What the players of a channel see, and what one of them gets next.

use super::headers::Headers;
use super::keyframe_gap::KeyframeGap;
use super::ring::{Ring, Sequence, Slot};
use super::subscriber::{AwaitsKeyframe, LagLimit, SkipStep, Subscriber};
use super::timeline::Timeline;
use super::tracks::{Tracks, Watch};
use super::{ChannelConfig, Next};
use crate::media::{Frame, FrameAt, FrameClass, FrameKind};
use crate::{Time, Timestamp};
use alloc::sync::Arc;
use core::time::Duration;

/// The longest that sound waits for pictures, and how long pictures may stay away before it waits for them no longer. 1 s:
/// with cached GOPs nothing waits, most encoders without send a keyframe each second or two, and more silence than that
/// reads as a broken stream.
const SOUND_WAIT: Duration = Duration::from_secs(1);

/// Frames that a joining player looks ahead for the earliest time, which becomes its zero: more than encoders interleave.
const BASE_LOOKAHEAD: usize = 64;

/// Everything that a player's next step depends on, apart from the player.
///
/// The channel changes it as frames come in, and each player borrows it as it is, so that a step begins with nothing to
/// look up or put together.
#[derive(Debug)]
pub(super) struct View {
    pub(super) config: Arc<ChannelConfig>,
    pub(super) timeline: Timeline,
    pub(super) headers: Headers,
    /// Where the sequence headers changed last: what lies before needs others.
    pub(super) headers_since: Sequence,
    pub(super) ring: Ring,
    /// Which kinds of media the present publisher has sent.
    pub(super) watch: Watch,
    /// How long its pictures have come without a keyframe.
    pub(super) keyframe_gap: KeyframeGap,
    /// How often the stream has ended. Players of an earlier generation get what is left of the last one, no more.
    pub(super) generation: u32,
    pub(super) ended: Ended,
}

/// What players of a stream that has ended still need.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) at: Sequence,
    pub(super) headers: Headers,
    /// Where these changed last.
    pub(super) headers_since: Sequence,
    pub(super) tracks: Tracks,
    pub(super) keyframe_gap: KeyframeGap,
}

impl View {
    /// What a channel without frames shows.
    pub(super) fn new(config: Arc<ChannelConfig>) -> Self {
        View {
            config,
            timeline: Timeline::new(),
            headers: Headers::default(),
            headers_since: 0,
            ring: Ring::default(),
            watch: Watch::default(),
            keyframe_gap: KeyframeGap::default(),
            generation: 0,
            ended: Ended::default(),
        }
    }

    /// What a player of `generation` is promised; `None` until that can be said.
    pub(super) fn promise(&self, generation: u32) -> Option<Tracks> {
        if generation == self.generation {
            self.watch.promise()
        } else {
            Some(self.ended.tracks)
        }
    }

    /// What the player gets next, or [`Next::Pending`] at the live edge.
    #[inline]
    pub(super) fn next(&self, subscriber: &mut Subscriber) -> Next<'_> {
        let is_over = subscriber.generation != self.generation;
        let end = if is_over {
            self.last_end(subscriber.generation)
        } else {
            self.ring.end()
        };
        let nothing = if is_over { Next::Ended } else { Next::Pending };
        if subscriber.cursor >= end && (is_over || subscriber.headers_due.is_none()) {
            subscriber.reported = None;
            return nothing;
        }
        if subscriber.is_paused || subscriber.needs_tracks || subscriber.is_outdated {
            return if subscriber.is_outdated { Next::Changed } else { nothing };
        }
        if !is_over && subscriber.promised.is_some_and(|promised| self.watch.breaks(promised)) {
            return Next::Changed;
        }
        if let Some(skipped) = self.catch_up(subscriber) {
            return skipped;
        }
        if let Some(header) = self.next_header(subscriber) {
            return Next::Frame(header);
        }
        while subscriber.cursor < end
            && let Some(slot) = self.ring.get(subscriber.cursor)
        {
            match self.verdict(subscriber, slot) {
                Verdict::Send => {
                    if subscriber.base.is_none() && slot.frame.class.is_coded() {
                        subscriber.base = Some(self.base_at(subscriber.cursor, slot));
                    }
                    subscriber.cursor += 1;
                    let Some(frame) = self.as_promised(subscriber, &slot.frame) else {
                        continue;
                    };
                    subscriber.stats.sent += 1;
                    return Next::Frame(at(frame, subscriber.own_time(slot.time)));
                }
                Verdict::PassOver => subscriber.cursor += 1,
                Verdict::Change => return Next::Changed,
                Verdict::Report(step, limit) => {
                    subscriber.reported = Some(step);
                    return Next::Skipped {
                        step,
                        limit,
                        missed: subscriber.stats.missed(),
                    };
                }
            }
        }
        subscriber.reported = None;
        nothing
    }

    /// Leaves out what is too old for a player that has had nothing yet: because it waited to be told what the stream has,
    /// or because it is to get no pictures, and so needs no GOP. It starts at the newest keyframe, if it waited for a second
    /// and for more than one of these, or with the sound of the last second.
    pub(super) fn start_late(&self, subscriber: &mut Subscriber) {
        if subscriber.generation != self.generation || subscriber.stats.sent > 0 {
            return;
        }
        let start = if subscriber.wants_video && subscriber.knows(FrameKind::Video) {
            self.ring.keyframe_after_another(subscriber.cursor, SOUND_WAIT)
        } else {
            Some(self.ring.first_younger(SOUND_WAIT))
        };
        subscriber.cursor = subscriber.cursor.max(start.unwrap_or(0));
    }

    /// The first frame that was not for players of `generation`, which is over.
    fn last_end(&self, generation: u32) -> Sequence {
        if generation + 1 == self.generation {
            self.ended.at
        } else {
            0
        }
    }

    /// The headers for players of `generation`.
    fn headers(&self, generation: u32) -> &Headers {
        if generation == self.generation {
            &self.headers
        } else {
            &self.ended.headers
        }
    }

    /// Whether players of `generation` have had pictures to see.
    fn has_video(&self, generation: u32) -> bool {
        if generation == self.generation {
            self.watch.seen().video
        } else {
            self.ended.tracks.video
        }
    }

    /// The third step of the ladder: a player beyond its lag bounds, or whose next frame is gone, goes to the newest
    /// keyframe, or to the live edge to wait for one. Without pictures there is nothing to wait for: it keeps the newer
    /// half of what it lags behind.
    fn catch_up(&self, subscriber: &mut Subscriber) -> Option<Next<'_>> {
        let limit = if subscriber.cursor < self.ring.first() {
            self.ring.overrun().unwrap_or(LagLimit::Bytes)
        } else {
            self.lag(subscriber, 1)?
        };
        Some(self.skip(subscriber, limit))
    }

    /// Takes that step. It is cold, so that a player at the live edge does not pay for it.
    #[cold]
    fn skip(&self, subscriber: &mut Subscriber, limit: LagLimit) -> Next<'_> {
        let now = self.ring.now();
        let end = self.ring.end();
        let gets_video = subscriber.wants_video && subscriber.knows(FrameKind::Video);
        let (target, anchor) = if gets_video && self.has_video(subscriber.generation) {
            let keyframe = self.ring.newest_keyframe();
            (keyframe.filter(|&it| it > subscriber.cursor).unwrap_or(end), end)
        } else {
            let half = self.ring.first_within(now, &self.config, 2).max(subscriber.cursor);
            (half, half)
        };
        subscriber.stats.missed_by_skip += target - subscriber.cursor;
        subscriber.cursor = target;
        subscriber.anchor = anchor;
        subscriber.headers_due = Some(0);
        // At the keyframe this ends at once; at the live edge audio goes on and pictures wait.
        // Without video nothing waits, unless there still is some of the publisher before.
        subscriber.awaits = Some(AwaitsKeyframe {
            since: now,
            audio_too: false,
            is_slow: true,
        });
        subscriber.reported = Some(SkipStep::ToKeyframe);
        Next::Skipped {
            step: SkipStep::ToKeyframe,
            limit,
            missed: subscriber.stats.missed(),
        }
    }

    fn next_header(&self, subscriber: &mut Subscriber) -> Option<FrameAt<'_>> {
        let mut index = subscriber.headers_due?;
        let headers = self.headers(subscriber.generation);
        // If they have changed since the player got the first ones, it gets all of them anew.
        if index == 0 || subscriber.headers_version != headers.version() {
            index = 0;
            subscriber.headers_version = headers.version();
            subscriber.headers_until = self.ring.end();
            self.skip_to_headers(subscriber);
        }
        let header = loop {
            let header = headers.get(usize::from(index));
            index += 1;
            match header {
                Some(header) if subscriber.wants(header.kind) && subscriber.knows(header.kind) => break header,
                Some(_) => {}
                None => {
                    subscriber.headers_due = None;
                    return None;
                }
            }
        };
        subscriber.headers_due = Some(index);
        subscriber.stats.sent += 1;
        // The time of the frame that follows, so that the player sees no step in between.
        let time = match self.ring.get(subscriber.cursor) {
            Some(slot) if subscriber.base.is_some() => slot.time,
            _ => self.timeline.current(),
        };
        let header = self.as_promised(subscriber, header).unwrap_or(header);
        Some(at(header, subscriber.own_time(time)))
    }

    /// Leaves out what lies before the headers that the player is about to get: it needs others. That is little, since a
    /// keyframe follows a change.
    fn skip_to_headers(&self, subscriber: &mut Subscriber) {
        let since = if subscriber.generation == self.generation {
            self.headers_since
        } else {
            self.ended.headers_since
        };
        if subscriber.cursor >= since {
            return;
        }
        if subscriber.base.is_some() {
            subscriber.stats.missed_by_skip += since - subscriber.cursor;
        }
        subscriber.cursor = since;
        subscriber.awaits.get_or_insert(AwaitsKeyframe {
            since: self.ring.now(),
            audio_too: false,
            is_slow: false,
        });
    }

    /// `frame` for a player that may have been told which kinds of media there are: metadata must not say anything else.
    /// `None` for metadata that newer metadata follows.
    fn as_promised<'a>(&'a self, subscriber: &Subscriber, frame: &'a Frame) -> Option<&'a Frame> {
        match subscriber.promised {
            Some(promised) if frame.class == FrameClass::Metadata => {
                self.headers(subscriber.generation).metadata_for(frame, promised)
            }
            _ => Some(frame),
        }
    }

    fn verdict(&self, subscriber: &mut Subscriber, slot: &Slot) -> Verdict {
        let frame = &slot.frame;
        let is_coded = frame.class.is_coded();
        if let Some(beginning) = slot.begins {
            subscriber.awaits.get_or_insert(AwaitsKeyframe {
                since: slot.arrived,
                audio_too: beginning.audio_waits,
                is_slow: false,
            });
        }
        if !subscriber.wants(frame.kind) || (frame.class.is_header() && subscriber.cursor < subscriber.headers_until) {
            return Verdict::PassOver;
        }
        if !subscriber.knows(frame.kind) {
            let is_news = is_coded && subscriber.generation == self.generation && self.watch.has_now(frame.kind);
            return if is_news { Verdict::Change } else { Verdict::PassOver };
        }
        if is_coded && let Some(awaits) = subscriber.awaits {
            let waited = slot.arrived.since(awaits.since);
            if frame.kind != FrameKind::Video {
                if awaits.audio_too && subscriber.wants_video && waited < SOUND_WAIT && self.shows(slot.arrived) {
                    return Verdict::PassOver;
                }
                // What is heard goes on.
                subscriber.awaits = Some(AwaitsKeyframe {
                    audio_too: false,
                    ..awaits
                });
            } else if self.ring.starts_at(subscriber.cursor)
                || (waited >= self.config.keyframe_wait && self.has_no_keyframes(subscriber))
            {
                subscriber.awaits = None;
            } else {
                subscriber.stats.missed_inter += u64::from(awaits.is_slow);
                return Verdict::PassOver;
            }
        }
        if frame.kind != FrameKind::Video || !is_coded || frame.class == FrameClass::Keyframe {
            return Verdict::Send;
        }
        if let Some(limit) = self.lag(subscriber, 2) {
            if subscriber.reported < Some(SkipStep::Inter) {
                return Verdict::Report(SkipStep::Inter, limit);
            }
            subscriber.awaits = Some(AwaitsKeyframe {
                since: slot.arrived,
                audio_too: false,
                is_slow: true,
            });
            subscriber.stats.missed_inter += 1;
            return Verdict::PassOver;
        }
        if frame.class == FrameClass::Disposable
            && let Some(limit) = self.lag(subscriber, 4)
        {
            if subscriber.reported < Some(SkipStep::Disposable) {
                return Verdict::Report(SkipStep::Disposable, limit);
            }
            subscriber.stats.missed_disposable += 1;
            return Verdict::PassOver;
        }
        Verdict::Send
    }

    /// The bound that the player has passed one `part`-th of, if any. O(1).
    fn lag(&self, subscriber: &Subscriber, part: u32) -> Option<LagLimit> {
        let sequence = subscriber.cursor.max(subscriber.anchor);
        self.ring.lag(sequence, self.ring.now(), &self.config, part)
    }

    /// Whether pictures come at present, so that sound may wait for them.
    fn shows(&self, now: Time) -> bool {
        self.watch
            .newest_picture()
            .is_some_and(|last| now.since(last) < SOUND_WAIT)
    }

    /// Whether keyframes are rarer than any encoder is set to, so that a player may see pictures without one: intra
    /// refresh repairs them by and by.
    fn has_no_keyframes(&self, subscriber: &Subscriber) -> bool {
        let gap = if subscriber.generation == self.generation {
            &self.keyframe_gap
        } else {
            &self.ended.keyframe_gap
        };
        let has_more = |newest| newest > subscriber.cursor;
        gap.is_endless(self.config.keyframe_wait) && !self.ring.newest_keyframe().is_some_and(has_more)
    }

    /// The earliest time among the frame `slot` and those that follow it: some encoders interleave audio a little late,
    /// and clamping it to the keyframe's time would move it against the picture.
    fn base_at(&self, sequence: Sequence, slot: &Slot) -> u64 {
        self.ring
            .range(sequence, BASE_LOOKAHEAD)
            .map(|slot| slot.time)
            .min()
            .unwrap_or(slot.time)
    }
}

enum Verdict {
    Send,
    PassOver,
    /// The frame is of a kind that the player was not told of.
    Change,
    Report(SkipStep, LagLimit),
}

/// `frame` at the player's time `millis`.
fn at(frame: &Frame, millis: u32) -> FrameAt<'_> {
    FrameAt {
        frame,
        timestamp: Timestamp::from_millis(millis),
    }
}
