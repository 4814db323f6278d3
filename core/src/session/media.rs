//! From media messages to frames.

use crate::chunk::{Message, MessageTypeId};
use crate::message::{DataFrame, data};
use crate::{Frame, Limits};

/// What an audio, video or data message brings.
#[derive(Debug)]
pub(super) enum Media {
    Frame(Frame),
    /// The metadata so far no longer holds.
    MetadataCleared,
    /// Data that nobody could use, a picture without a byte.
    Nothing,
}

impl Media {
    /// Reads `message`. Anything but audio and video is taken for data.
    pub(super) fn read(message: Message, limits: &Limits) -> Media {
        let Message {
            type_id,
            timestamp,
            payload,
            ..
        } = message;
        match type_id {
            // Without a byte it is a pause; some servers fill gaps so.
            MessageTypeId::AUDIO => Media::Frame(Frame::audio(timestamp, payload)),
            MessageTypeId::VIDEO if payload.is_empty() => Media::Nothing,
            MessageTypeId::VIDEO => Media::Frame(Frame::video(timestamp, payload)),
            _ => match data::normalize(type_id, &payload, limits) {
                DataFrame::Metadata(payload) | DataFrame::Other(payload) => {
                    Media::Frame(Frame::data(timestamp, payload))
                }
                DataFrame::ClearMetadata => Media::MetadataCleared,
                DataFrame::Ignored => Media::Nothing,
            },
        }
    }
}
