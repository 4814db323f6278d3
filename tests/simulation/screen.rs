//! What a player sees, and what must be true of it.

use crate::media::{Header, Source, Stamp, is_coded};
use headwater_core::{Frame, FrameClass, FrameKind};
use std::collections::BTreeSet;

/// What one play has got so far.
#[derive(Debug, Default)]
pub struct Screen {
    headers: [Option<Header>; 2],
    /// The newest frame of all.
    newest: Option<Stamp>,
    /// The newest picture that others refer to.
    reference: Option<Stamp>,
    times: [Option<u32>; 2],
    /// The player's time less the source's, for the present source.
    offsets: [Option<u32>; 2],
    earlier_sources: BTreeSet<u32>,
    /// Every frame, as source and number.
    pub seen: Vec<(u32, u32)>,
}

impl Screen {
    /// Takes a frame in.
    ///
    /// # Panics
    /// If no player may get it there.
    pub fn see(&mut self, stream: usize, sources: &[Source], frame: &Frame) {
        let kind = match frame.kind {
            FrameKind::Audio => 0,
            FrameKind::Video => 1,
            FrameKind::Data => return,
        };
        if frame.class == FrameClass::SequenceHeader {
            self.headers[kind] = Some(Header::of(frame));
            return;
        }
        assert!(is_coded(frame), "a frame of another class: {frame:?}");
        let stamp = Stamp::of(frame);
        let source = &sources[stamp.source as usize];
        assert_eq!(source.stream, stream, "a frame of another stream: {stamp:?}");
        let (sent, _) = &source.sent[stamp.number as usize];
        assert_eq!(sent.payload, frame.payload, "a frame was changed: {stamp:?}");
        assert_eq!(
            self.headers[kind],
            Some(stamp.header),
            "the header of {stamp:?} is missing"
        );
        self.follow(stamp);
        self.check_time(kind, stamp, frame, sent);
        if kind == 1 {
            self.check_picture(stamp, frame.class);
        }
        self.seen.push((stamp.source, stamp.number));
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
                assert!(newest.number < stamp.number, "{stamp:?} comes after {newest:?}");
            } else {
                self.earlier_sources.insert(newest.source);
                self.offsets = [None; 2];
                self.reference = None;
            }
        }
        assert!(
            !self.earlier_sources.contains(&stamp.source),
            "{stamp:?} comes after those of another publisher"
        );
        self.newest = Some(stamp);
    }

    fn check_time(&mut self, kind: usize, stamp: Stamp, frame: &Frame, sent: &Frame) {
        let time = frame.timestamp.as_millis();
        if let Some(before) = self.times[kind].replace(time) {
            assert!(
                time >= before,
                "time goes back from {before} to {time} ms with {stamp:?}"
            );
        }
        // What lies before a player's start is shown at 0.
        if time > 0 {
            let offset = time.wrapping_sub(sent.timestamp.as_millis());
            let before = *self.offsets[kind].get_or_insert(offset);
            assert_eq!(before, offset, "time runs at another speed with {stamp:?}");
        }
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
                "{stamp:?} refers to a picture that did not come: {:?}",
                self.reference
            );
        }
        if class != FrameClass::Disposable {
            self.reference = Some(stamp);
        }
    }
}
