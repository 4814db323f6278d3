//! What a player needs before the first frame.

use super::tracks::Tracks;
use crate::media::script::{self, Named};
use crate::media::{Frame, FrameClass, FrameKind, TrackId};
use alloc::vec::Vec;

/// Headers that a stream may have: 8 tracks of audio and 8 of video with a supplement each, more than any encoder sends.
pub const MAX_HEADERS: usize = 32;

/// Bytes of one of them. 256 KiB: parameter sets take some hundred bytes, those with every extension some thousand.
pub const MAX_HEADER_LEN: usize = 256 << 10;

/// The latest metadata and the sequence header of every track with its supplement, in the order in which a joining
/// player gets them: metadata, audio, video.
#[derive(Debug, Default)]
pub(super) struct Headers {
    stored: Vec<Header>,
    /// What the metadata says of the kinds of media.
    named: Named,
    /// The metadata for players that were promised sound, pictures or both, where it says something else itself.
    corrected: [Option<Frame>; 3],
    /// Counts what makes a player that has got some of them begin again: other parameters, or one less.
    version: u32,
}

/// What a player can be promised.
const PROMISES: [Tracks; 3] = [
    Tracks {
        audio: true,
        video: false,
    },
    Tracks {
        audio: false,
        video: true,
    },
    Tracks {
        audio: true,
        video: true,
    },
];

#[derive(Debug)]
struct Header {
    frame: Frame,
    /// From an earlier publisher, and not confirmed by the present one yet.
    is_stale: bool,
}

/// What storing a header changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// The first of its kind and track.
    First,
    /// Other than the one before: for a sequence header, the codec's parameters changed.
    Changed,
    /// The same again, as encoders send it with every keyframe, or more than fits: nobody needs it.
    Ignored,
}

impl Headers {
    /// Keeps `frame`, in place of the one of its kind, track and class. A changed sequence header takes the supplement of
    /// the one before with it.
    pub(super) fn store(&mut self, frame: &Frame) -> Stored {
        if frame.payload.len() > MAX_HEADER_LEN {
            return Stored::Ignored;
        }
        let place = order(frame);
        match self.stored.binary_search_by_key(&place, |header| order(&header.frame)) {
            Ok(index) => match self.stored.get_mut(index) {
                Some(header) => {
                    header.is_stale = false;
                    if header.frame.payload == frame.payload {
                        return Stored::Ignored;
                    }
                    header.frame = frame.clone();
                    match frame.class {
                        FrameClass::SequenceHeader => {
                            self.version = self.version.wrapping_add(1);
                            self.drop_supplement(frame.kind, frame.track);
                        }
                        FrameClass::Metadata => self.read(frame),
                        _ => {}
                    }
                    Stored::Changed
                }
                None => Stored::Ignored,
            },
            Err(_) if self.stored.len() >= MAX_HEADERS => Stored::Ignored,
            Err(index) => {
                self.stored.insert(
                    index,
                    Header {
                        frame: frame.clone(),
                        is_stale: false,
                    },
                );
                if frame.class == FrameClass::Metadata {
                    self.read(frame);
                }
                Stored::First
            }
        }
    }

    /// Reads the metadata once for all players. O(its length).
    fn read(&mut self, metadata: &Frame) {
        self.named = script::named(&metadata.payload);
        self.corrected = PROMISES.map(|Tracks { audio, video }| {
            let payload = script::with_tracks(&metadata.payload, audio, video)?;
            Some(Frame {
                payload,
                ..metadata.clone()
            })
        });
    }

    /// What the metadata says of the kinds of media.
    pub(super) fn named(&self) -> Named {
        self.named
    }

    /// What a player gets for `metadata` that was promised these kinds; `None` if that is not the newest.
    pub(super) fn metadata_for<'a>(&'a self, metadata: &'a Frame, promised: Tracks) -> Option<&'a Frame> {
        let newest = self.iter().find(|frame| frame.class == FrameClass::Metadata)?;
        if newest.payload.as_ptr() != metadata.payload.as_ptr() {
            return None;
        }
        let index = PROMISES.iter().position(|it| *it == promised);
        let corrected = index.and_then(|index| self.corrected.get(index)?.as_ref());
        Some(corrected.unwrap_or(newest))
    }

    fn drop_supplement(&mut self, kind: FrameKind, track: TrackId) {
        let supplement = (kind, track, FrameClass::Supplement);
        self.retain(|Header { frame, .. }| (frame.kind, frame.track, frame.class) != supplement);
    }

    /// Forgets the headers of a track, which has another codec from now on.
    pub(super) fn drop_track(&mut self, kind: FrameKind, track: TrackId) {
        self.retain(|Header { frame, .. }| (frame.kind, frame.track) != (kind, track));
    }

    /// Another publisher begins. What it repeats unchanged is not news to anybody, so the old ones stay until it is
    /// known what it sends.
    pub(super) fn mark_stale(&mut self) {
        self.stored.iter_mut().for_each(|header| header.is_stale = true);
    }

    /// Forgets what the present publisher has not sent.
    pub(super) fn drop_stale(&mut self) {
        self.retain(|header| !header.is_stale);
    }

    /// Forgets those that are not `wanted`, and returns whether there were any.
    fn retain(&mut self, wanted: impl Fn(&Header) -> bool) -> bool {
        let stored = self.stored.len();
        self.stored.retain(wanted);
        let is_less = self.stored.len() < stored;
        self.version = self.version.wrapping_add(u32::from(is_less));
        is_less
    }

    /// A number that is another if the number of a header may mean another one now, or its parameters have changed.
    pub(super) fn version(&self) -> u32 {
        self.version
    }

    /// Header number `index`, if there are that many.
    pub(super) fn get(&self, index: usize) -> Option<&Frame> {
        self.stored.get(index).map(|header| &header.frame)
    }

    /// Whether the track has a sequence header, for a frame that has come and may need it. An earlier publisher's counts as
    /// the present one's from now on, with its supplement.
    pub(super) fn serves(&mut self, frame: &Frame) -> bool {
        let mut has_header = false;
        for header in &mut self.stored {
            if (header.frame.kind, header.frame.track) == (frame.kind, frame.track) {
                header.is_stale = false;
                has_header |= header.frame.class == FrameClass::SequenceHeader;
            }
        }
        has_header
    }

    pub(super) fn contains(&self, kind: FrameKind, track: TrackId) -> bool {
        self.iter()
            .any(|stored| stored.class == FrameClass::SequenceHeader && stored.kind == kind && stored.track == track)
    }

    /// Whether the present publisher has sent a sequence header for the track.
    pub(super) fn is_fresh(&self, kind: FrameKind, track: TrackId) -> bool {
        self.stored.iter().any(|Header { frame, is_stale }| {
            !is_stale && (frame.kind, frame.track, frame.class) == (kind, track, FrameClass::SequenceHeader)
        })
    }

    /// Returns whether there was any.
    pub(super) fn clear_metadata(&mut self) -> bool {
        self.retain(|header| header.frame.class != FrameClass::Metadata)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Frame> {
        self.stored.iter().map(|header| &header.frame)
    }

    /// Bytes of memory held, beside the payloads that the publisher has sent, and bytes of those. O(headers).
    #[cfg(feature = "server")]
    pub(super) fn memory(&self) -> (usize, usize) {
        let corrected = self.corrected.iter().flatten().map(|frame| frame.payload.len());
        let own = self.stored.capacity() * size_of::<Header>() + corrected.sum::<usize>();
        (own, self.iter().map(|frame| frame.payload.len()).sum())
    }
}

fn order(frame: &Frame) -> (u8, TrackId, bool) {
    let kind = match frame.kind {
        FrameKind::Data => 0,
        FrameKind::Audio => 1,
        FrameKind::Video => 2,
    };
    (kind, frame.track, frame.class == FrameClass::Supplement)
}
