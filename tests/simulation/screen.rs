//! What a player sees, and what must be true of it.

use crate::media::{Header, Sent, Source, Stamp, is_coded};
use headwater_core::{Frame, FrameClass, FrameKind, Time};
use std::collections::BTreeSet;
use std::time::Duration;

/// How much further a player's time may run ahead for each further time that the time leaps: the jump is believed, and then what
/// was late comes too.
const MAX_JUMP: i64 = 9_000;

/// What one play has got so far.
#[derive(Debug, Default)]
pub struct Screen {
    /// How far its time may run ahead of the time that passed, whatever timestamps say, in ms.
    max_ahead: i64,
    headers: [Option<Header>; 2],
    /// The newest frame of all.
    newest: Option<Stamp>,
    /// The newest picture that others refer to.
    reference: Option<Stamp>,
    /// The number of the last sound and of the last picture, of the present source.
    last: [Option<u32>; 2],
    times: [Option<u32>; 2],
    /// The player's time less the source's, for the present source.
    offsets: [Option<u32>; 2],
    /// Whether that is of its first frame alone, which may have been raised.
    raised: [bool; 2],
    /// The player's time, the source's own, and when it was sent, of the first frame of the present source.
    began: Option<(u32, u32, Time)>,
    pub earlier_sources: BTreeSet<u32>,
    /// Those that its worker had shown others before it came.
    replaced: BTreeSet<u32>,
    /// Every frame, as source and number.
    pub seen: Vec<(u32, u32)>,
}

impl Screen {
    /// `replaced`: sources that have given way to others on its worker before it came.
    pub fn new(max_ahead: Duration, replaced: BTreeSet<u32>) -> Screen {
        Screen {
            replaced,
            max_ahead: i64::try_from(max_ahead.as_millis()).unwrap(),
            ..Screen::default()
        }
    }

    /// Takes a frame in. Returns the first one of its kind, if there is one, that its publisher sent since the last that came.
    ///
    /// # Panics
    /// If no player may get it there.
    pub fn see(&mut self, now: Time, stream: usize, sources: &[Source], frame: &Frame) -> Option<Stamp> {
        let kind = match frame.kind {
            FrameKind::Audio => 0,
            FrameKind::Video => 1,
            FrameKind::Data => return None,
        };
        if frame.class == FrameClass::SequenceHeader {
            self.headers[kind] = Some(Header::of(frame));
            return None;
        }
        assert!(is_coded(frame), "a frame of another class: {frame:?}");
        let stamp = Stamp::of(frame);
        let source = &sources[stamp.source as usize];
        assert_eq!(source.stream, stream, "a frame of another stream: {stamp}");
        let sent = &source.sent[stamp.number as usize];
        assert_eq!(sent.frame.payload, frame.payload, "a frame was changed: {stamp}");
        assert_eq!(
            self.headers[kind],
            Some(stamp.header),
            "the header of {stamp} is missing"
        );
        self.follow(stamp);
        self.check_time(now, kind, stamp, frame, source, sent);
        if kind == 1 {
            self.check_picture(stamp, frame.class);
        }
        self.seen.push((stamp.source, stamp.number));
        let last = self.last[kind].replace(stamp.number)?;
        let mut between = source.sent[last as usize + 1..stamp.number as usize].iter();
        let skipped = between.find(|sent| sent.frame.kind == frame.kind && is_coded(&sent.frame))?;
        Some(Stamp::of(&skipped.frame))
    }

    /// Whether it has got a frame, among the last ones.
    pub fn has_lately(&self, stamp: Stamp) -> bool {
        let mut lately = self.seen.iter().rev().take(20);
        lately.any(|seen| *seen == (stamp.source, stamp.number))
    }

    /// Frames of a source come in order, and sources one after the other.
    fn follow(&mut self, stamp: Stamp) {
        if let Some(newest) = self.newest {
            if newest.source == stamp.source {
                assert!(newest.number < stamp.number, "{stamp} comes after {newest}");
            } else {
                self.earlier_sources.insert(newest.source);
                self.offsets = [None; 2];
                self.raised = [false; 2];
                self.began = None;
                self.reference = None;
                self.last = [None; 2];
            }
        }
        assert!(
            !self.earlier_sources.contains(&stamp.source),
            "{stamp} comes after those of another publisher"
        );
        assert!(
            !self.replaced.contains(&stamp.source),
            "{stamp} comes to a player that came after another publisher took over"
        );
        self.newest = Some(stamp);
    }

    fn check_time(&mut self, now: Time, kind: usize, stamp: Stamp, frame: &Frame, source: &Source, sent: &Sent) {
        let time = frame.timestamp.as_millis();
        let before = self.times[kind].replace(time).unwrap_or_default();
        assert!(time >= before, "time goes back from {before} to {time} ms with {stamp}");
        // What lies before a player's start, or before the end of an earlier publisher, is raised to that.
        if time > before && source.style.clock.is_believed() {
            let offset = time.wrapping_sub(sent.frame.timestamp.as_millis());
            let known = self.offsets[kind].replace(offset);
            // The first frame too, if a player that skipped has not seen that end.
            let is_raised = self.raised[kind] && known.is_some_and(|known| known.wrapping_sub(offset) < 1 << 31);
            self.raised[kind] = known.is_none() && !self.earlier_sources.is_empty();
            assert!(
                is_raised || known.is_none_or(|known| known == offset),
                "time runs at another speed with {stamp}: {offset} after {known:?}"
            );
        }
        let (began, elapsed, at) = *self.began.get_or_insert((time, sent.elapsed, sent.at));
        // Frames without times of their own get that of their arrival.
        let arrived = i64::try_from(now.since(at).as_millis()).unwrap();
        let seen = i64::from(time) - i64::from(began);
        let real = arrived.max(i64::from(sent.elapsed) - i64::from(elapsed));
        assert!(
            seen <= real + self.max_ahead + MAX_JUMP * i64::from(source.leaps.saturating_sub(1)),
            "time runs ahead, {seen} ms in {real} ms, with {stamp}"
        );
    }

    /// A picture comes only if those that it refers to have come.
    fn check_picture(&mut self, stamp: Stamp, class: FrameClass) {
        if class != FrameClass::Keyframe {
            let needed = stamp.place - u16::from(class == FrameClass::Inter);
            let has_it = self
                .reference
                .is_some_and(|it| (it.source, it.gop, it.place) == (stamp.source, stamp.gop, needed));
            assert!(
                has_it,
                "{stamp} refers to a picture that did not come: {:?}",
                self.reference
            );
        }
        if class != FrameClass::Disposable {
            self.reference = Some(stamp);
        }
    }
}
