//! From bodies of messages and tags to frames.

use super::script::{self, ScriptData};
use super::{Frame, FrameKind};
use crate::{Limits, Timestamp};
use bytes::Bytes;

/// What the body of an audio, video or data message brings, or of an FLV tag.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Frame(Frame),
    /// The metadata so far no longer holds.
    MetadataCleared,
    /// Data that nobody could use, a picture without a byte.
    Nothing,
}

impl Content {
    /// Reads a body; of data, what follows the [selector](crate::amf::skip_selector).
    pub(crate) fn read(kind: FrameKind, timestamp: Timestamp, body: Bytes, limits: &Limits) -> Content {
        match kind {
            // Without a byte it is a pause; some servers fill gaps so.
            FrameKind::Audio => Content::Frame(Frame::audio(timestamp, body)),
            FrameKind::Video if body.is_empty() => Content::Nothing,
            FrameKind::Video => Content::Frame(Frame::video(timestamp, body)),
            FrameKind::Data => match script::normalize(&body, limits) {
                ScriptData::Metadata(body) | ScriptData::Other(body) => Content::Frame(Frame::data(timestamp, body)),
                ScriptData::ClearMetadata => Content::MetadataCleared,
                ScriptData::Ignored => Content::Nothing,
            },
        }
    }
}
