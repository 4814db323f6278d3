//! What messages say. RTMP 1.0 §5.4, §6 and §7.
//!
//! | Message type | Read with |
//! |--|--|
//! | 1, 2, 3, 5, 6: protocol control | [`Control`] |
//! | 4: user control | [`UserControl`] |
//! | 15, 18: data | [`data::normalize`] |
//! | 17, 20: command | [`Command`] |
//! | 22: aggregate | [`aggregate::Parts`] |
//!
//! Audio (8) and video (9) messages are [frames](crate::media). Shared objects (16, 19), reserved and unknown types have
//! nothing to tell a media server.

pub mod aggregate;
pub mod command;
mod control;
pub mod data;
mod user_control;

pub use command::Command;
pub use control::{Control, LimitType};
pub use data::DataFrame;
pub use user_control::UserControl;

use crate::Timestamp;
use crate::rtmp::chunk::{ChunkStreamId, Message, MessageStreamId, MessageTypeId};
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
///
/// In types 15, 16 and 17 a selector byte comes first. Only 0 is defined for it: AMF0, in which the "avmplus" marker
/// switches single values to AMF3. Some senders leave it out and begin with a string. E-RTMP v2, "AMF3-encoded
/// historical specification clarification".
fn amf0_values(type_id: MessageTypeId, payload: &[u8]) -> &[u8] {
    const STRING: u8 = 0x02;
    match (type_id, payload) {
        (_, [STRING, ..]) => payload,
        (
            MessageTypeId::DATA_AMF3 | MessageTypeId::SHARED_OBJECT_AMF3 | MessageTypeId::COMMAND_AMF3,
            [_selector, values @ ..],
        ) => values,
        _ => payload,
    }
}
