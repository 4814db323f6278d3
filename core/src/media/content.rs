//! From bodies of messages and tags to frames.

use super::Frame;
use crate::rtmp::chunk::MessageTypeId;
use crate::rtmp::message::{DataFrame, data};
use crate::{Limits, Timestamp};
use bytes::Bytes;

/// What the body of an audio, video or data message brings, or of an FLV tag: their types have the same numbers.
#[derive(Debug)]
pub(crate) enum Content {
    Frame(Frame),
    /// The metadata so far no longer holds.
    MetadataCleared,
    /// Data that nobody could use, a picture without a byte.
    Nothing,
}

impl Content {
    /// Reads a body. Anything but audio and video is taken for data.
    pub(crate) fn read(type_id: MessageTypeId, timestamp: Timestamp, body: Bytes, limits: &Limits) -> Content {
        match type_id {
            // Without a byte it is a pause; some servers fill gaps so.
            MessageTypeId::AUDIO => Content::Frame(Frame::audio(timestamp, body)),
            MessageTypeId::VIDEO if body.is_empty() => Content::Nothing,
            MessageTypeId::VIDEO => Content::Frame(Frame::video(timestamp, body)),
            _ => match data::normalize(type_id, &body, limits) {
                DataFrame::Metadata(body) | DataFrame::Other(body) => Content::Frame(Frame::data(timestamp, body)),
                DataFrame::ClearMetadata => Content::MetadataCleared,
                DataFrame::Ignored => Content::Nothing,
            },
        }
    }
}
