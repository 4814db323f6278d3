//! What messages say. RTMP 1.0 §5.4, §6 and §7.
//!
//! | Message type | Read with |
//! |--|--|
//! | 1, 2, 3, 5, 6: protocol control | [`Control`] |
//! | 4: user control | [`UserControl`] |
//! | 17, 20: command | [`Command`] |
//! | 22: aggregate | [`aggregate::Parts`] |
//!
//! Audio (8), video (9) and data (15, 18) messages are [media](crate::media), as the tags of FLV are. Shared objects (16,
//! 19), reserved and unknown types have nothing to tell a media server.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod aggregate;
pub mod command;
mod control;
mod text;
mod user_control;

pub use command::Command;
pub use control::{Control, LimitType};
pub use text::{Hex, Values};
pub use user_control::UserControl;

use crate::amf::skip_selector;
use crate::media::Content;
use crate::rtmp::chunk::{ChunkStreamId, Message, MessageStreamId, MessageTypeId};
use crate::{FrameKind, Limits, Timestamp};
use bytes::Bytes;

/// A message about the connection, as control and user control messages are.
fn about_connection(type_id: MessageTypeId, payload: &[u8]) -> Message {
    Message {
        csid: ChunkStreamId::CONTROL,
        msid: MessageStreamId::CONTROL,
        type_id,
        timestamp: Timestamp::ZERO,
        payload: Bytes::copy_from_slice(payload),
    }
}

/// The AMF0 values of a data, shared object or command message.
fn amf0_values(message: &Message) -> &[u8] {
    match message.type_id {
        MessageTypeId::DATA_AMF3 | MessageTypeId::SHARED_OBJECT_AMF3 | MessageTypeId::COMMAND_AMF3 => {
            skip_selector(&message.payload)
        }
        _ => &message.payload,
    }
}

/// What an audio, video or data message brings. Any other is taken for data: `@setDataFrame` may be a command.
pub(crate) fn content(message: Message, limits: &Limits) -> Content {
    match message.type_id {
        MessageTypeId::AUDIO => Content::read(FrameKind::Audio, message.timestamp, message.payload, limits),
        MessageTypeId::VIDEO => Content::read(FrameKind::Video, message.timestamp, message.payload, limits),
        _ => {
            let values = message.payload.slice_ref(amf0_values(&message));
            Content::read(FrameKind::Data, message.timestamp, values, limits)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frame;

    #[test]
    fn data_in_amf3_loses_its_selector_if_it_has_one() {
        const PLAIN: &[u8] = b"\x02\0\x0aonMetaData\x08\0\0\0\x01\0\x01a\x05\0\0\x09";
        let read = |type_id, body: &[u8]| content(about_connection(type_id, body), &Limits::default());
        let selected = [&[0], PLAIN].concat();
        let expected = Content::Frame(Frame::data(Timestamp::ZERO, Bytes::from_static(PLAIN)));
        assert_eq!(read(MessageTypeId::DATA_AMF0, PLAIN), expected);
        for type_id in [MessageTypeId::DATA_AMF3, MessageTypeId::COMMAND_AMF3] {
            assert_eq!(read(type_id, PLAIN), expected);
            assert_eq!(read(type_id, &selected), expected);
        }
        assert_eq!(read(MessageTypeId::DATA_AMF3, &[]), Content::Nothing);
    }
}
