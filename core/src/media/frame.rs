//! The unit that everything carries: one audio, video or data message.

use super::{TrackParts, classify, tracks};
use crate::Timestamp;
use bytes::Bytes;

/// One audio, video or data message, with what its first bytes say about it.
///
/// The body of an RTMP audio, video or data message *is* the body of an FLV tag, byte for byte, so `payload` is kept
/// untouched: RTMP players, HTTP-FLV players and files share one refcounted buffer. Cloning costs one reference count.
///
/// Metadata payloads are the exception: they begin with `"onMetaData"`, with `@setDataFrame` already stripped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Audio, video or data.
    pub kind: FrameKind,
    /// What the frame means to a decoder.
    pub class: FrameClass,
    /// The track it belongs to: 0 unless an Enhanced RTMP multitrack header says otherwise.
    pub track: TrackId,
    /// When to decode it.
    pub timestamp: Timestamp,
    /// The message or tag body.
    pub payload: Bytes,
}

impl Frame {
    /// Bytes that a frame takes beside its payload, in a queue or a ring: its entry, and the allocation that it refers to.
    pub const OVERHEAD: usize = 128;

    /// Bytes of memory that it takes, payload and all, where nobody else refers to that.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.payload.len().saturating_add(Self::OVERHEAD)
    }

    /// The frame of a message or tag body, classed by [`classify`]. Costs what that costs.
    #[must_use]
    pub fn new(kind: FrameKind, timestamp: Timestamp, payload: Bytes) -> Frame {
        let header = classify(kind, &payload);
        Frame {
            kind,
            class: header.class,
            track: header.track,
            timestamp,
            payload,
        }
    }

    /// An audio frame.
    #[must_use]
    pub fn audio(timestamp: Timestamp, payload: Bytes) -> Frame {
        Frame::new(FrameKind::Audio, timestamp, payload)
    }

    /// A video frame.
    #[must_use]
    pub fn video(timestamp: Timestamp, payload: Bytes) -> Frame {
        Frame::new(FrameKind::Video, timestamp, payload)
    }

    /// A data frame: metadata if its first value is `"onMetaData"`.
    #[must_use]
    pub fn data(timestamp: Timestamp, payload: Bytes) -> Frame {
        Frame::new(FrameKind::Data, timestamp, payload)
    }

    /// The tracks that it carries. See [`tracks()`].
    #[must_use]
    pub fn tracks(&self) -> TrackParts<'_> {
        tracks(self.kind, &self.payload)
    }
}

/// A frame on somebody's own time line: players share frames, each at a time of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameAt<'a> {
    /// The frame, with the timestamp of its publisher.
    pub frame: &'a Frame,
    /// When to decode it instead.
    pub timestamp: Timestamp,
}

impl FrameAt<'_> {
    /// The same to keep. Costs one reference count.
    #[must_use]
    pub fn to_frame(self) -> Frame {
        Frame {
            timestamp: self.timestamp,
            ..self.frame.clone()
        }
    }
}

/// At its own timestamp.
impl<'a> From<&'a Frame> for FrameAt<'a> {
    fn from(frame: &'a Frame) -> Self {
        FrameAt {
            frame,
            timestamp: frame.timestamp,
        }
    }
}

/// The three kinds of media message. RTMP 1.0 §7.1.4 and §7.1.5, FLV 10.1 §E.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// Message and tag type 8.
    Audio,
    /// Message and tag type 9.
    Video,
    /// Message and tag type 18.
    Data,
}

impl FrameKind {
    /// The kind with this RTMP message type ID or FLV tag type, if it is one of the three.
    #[must_use]
    pub const fn from_type_id(type_id: u8) -> Option<FrameKind> {
        match type_id {
            8 => Some(FrameKind::Audio),
            9 => Some(FrameKind::Video),
            18 => Some(FrameKind::Data),
            _ => None,
        }
    }

    /// The RTMP message type ID, which is also the FLV tag type.
    #[must_use]
    pub const fn type_id(self) -> u8 {
        match self {
            FrameKind::Audio => 8,
            FrameKind::Video => 9,
            FrameKind::Data => 18,
        }
    }
}

/// What a frame means to a decoder: which ones it needs first, where it can start, which it can miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrameClass {
    /// Codec configuration: needed before any other frame of its track.
    SequenceHeader,
    /// What Enhanced RTMP adds to a sequence header: the loudspeakers of an audio track (`MultichannelConfig`), the
    /// colours of a video track (`Metadata`). Decoders can do without.
    Supplement,
    /// A picture that a decoder can start at; for audio, every coded frame.
    Keyframe,
    /// A picture that depends on earlier ones, or a message that brings no picture but belongs to one.
    Inter,
    /// A picture that no other depends on: the first to go when a player is slow.
    Disposable,
    /// `onMetaData`.
    Metadata,
    /// The rest: command frames, end of sequence, other data messages. Passed on, never cached.
    Other,
}

impl FrameClass {
    /// Whether it describes what follows, and stays valid until the next of its class: a player that joins later needs it too.
    #[must_use]
    pub const fn is_header(self) -> bool {
        matches!(
            self,
            FrameClass::SequenceHeader | FrameClass::Supplement | FrameClass::Metadata
        )
    }

    /// Whether it is sound or pictures, and not about them.
    #[must_use]
    pub const fn is_coded(self) -> bool {
        matches!(self, FrameClass::Keyframe | FrameClass::Inter | FrameClass::Disposable)
    }
}

/// The number of a track within its kind. Track 0 is the default one. E-RTMP v2, "Multitrack Streaming".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TrackId(pub u8);
