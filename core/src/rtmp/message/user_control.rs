//! User control messages.

use super::about_connection;
use crate::Output;
use crate::rtmp::chunk::{ChunkEncoder, Message, MessageStreamId, MessageTypeId};

/// An event of a user control message. RTMP 1.0 §7.1.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserControl {
    /// The message stream is ready for use.
    StreamBegin(MessageStreamId),
    /// No more comes on the message stream.
    StreamEof(MessageStreamId),
    /// Nothing has come on the message stream for a while.
    StreamDry(MessageStreamId),
    /// A player says how much it buffers. Values up to 2^31 - 1 occur; size nothing by them.
    SetBufferLength {
        /// The message stream, or 0 from clients that say it before they have one.
        stream: MessageStreamId,
        /// Milliseconds.
        millis: u32,
    },
    /// The message stream is a recording.
    StreamIsRecorded(MessageStreamId),
    /// Asks for a ping response with the same value, by custom the sender's clock in milliseconds.
    PingRequest(u32),
    /// Answers a ping request.
    PingResponse(u32),
}

impl UserControl {
    /// Reads a user control message. `None` for other message types, unknown events and events without their data,
    /// which Flash Media Server sends.
    #[must_use]
    pub fn parse(message: &Message) -> Option<UserControl> {
        if message.type_id != MessageTypeId::USER_CONTROL {
            return None;
        }
        let (event, data) = message.payload.split_first_chunk()?;
        let (value, rest) = data.split_first_chunk()?;
        let value = u32::from_be_bytes(*value);
        let stream = MessageStreamId(value);
        match u16::from_be_bytes(*event) {
            STREAM_BEGIN => Some(UserControl::StreamBegin(stream)),
            STREAM_EOF => Some(UserControl::StreamEof(stream)),
            STREAM_DRY => Some(UserControl::StreamDry(stream)),
            SET_BUFFER_LENGTH => Some(UserControl::SetBufferLength {
                stream,
                millis: u32::from_be_bytes(*rest.first_chunk()?),
            }),
            STREAM_IS_RECORDED => Some(UserControl::StreamIsRecorded(stream)),
            PING_REQUEST => Some(UserControl::PingRequest(value)),
            PING_RESPONSE => Some(UserControl::PingResponse(value)),
            _ => None,
        }
    }

    /// The message that says so. One small allocation.
    #[must_use]
    pub fn to_message(self) -> Message {
        self.with_body(|body| about_connection(MessageTypeId::USER_CONTROL, body))
    }

    /// Appends the message that says so to `out`, without an allocation once that has grown.
    pub fn encode(self, encoder: &mut ChunkEncoder, out: &mut Output) {
        self.with_body(|body| encoder.encode_control(MessageTypeId::USER_CONTROL, body, out));
    }

    fn with_body<R>(self, take: impl FnOnce(&[u8]) -> R) -> R {
        let (event, value) = match self {
            UserControl::StreamBegin(stream) => (STREAM_BEGIN, stream.0),
            UserControl::StreamEof(stream) => (STREAM_EOF, stream.0),
            UserControl::StreamDry(stream) => (STREAM_DRY, stream.0),
            UserControl::SetBufferLength { stream, .. } => (SET_BUFFER_LENGTH, stream.0),
            UserControl::StreamIsRecorded(stream) => (STREAM_IS_RECORDED, stream.0),
            UserControl::PingRequest(time) => (PING_REQUEST, time),
            UserControl::PingResponse(time) => (PING_RESPONSE, time),
        };
        let [a, b] = event.to_be_bytes();
        let [c, d, e, f] = value.to_be_bytes();
        match self {
            UserControl::SetBufferLength { millis, .. } => {
                let [g, h, i, j] = millis.to_be_bytes();
                take(&[a, b, c, d, e, f, g, h, i, j])
            }
            _ => take(&[a, b, c, d, e, f]),
        }
    }
}

const STREAM_BEGIN: u16 = 0;
const STREAM_EOF: u16 = 1;
const STREAM_DRY: u16 = 2;
const SET_BUFFER_LENGTH: u16 = 3;
const STREAM_IS_RECORDED: u16 = 4;
const PING_REQUEST: u16 = 6;
const PING_RESPONSE: u16 = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    fn parse(payload: &[u8]) -> Option<UserControl> {
        UserControl::parse(&about_connection(MessageTypeId::USER_CONTROL, payload))
    }

    #[test]
    fn each_has_its_bytes() {
        let stream = MessageStreamId(1);
        let buffer = UserControl::SetBufferLength { stream, millis: 3_000 };
        for (event, payload) in [
            (UserControl::StreamBegin(stream), &b"\0\0\0\0\0\x01"[..]),
            (UserControl::StreamEof(stream), b"\0\x01\0\0\0\x01"),
            (UserControl::StreamDry(stream), b"\0\x02\0\0\0\x01"),
            (buffer, b"\0\x03\0\0\0\x01\0\0\x0B\xB8"),
            (UserControl::StreamIsRecorded(stream), b"\0\x04\0\0\0\x01"),
            (UserControl::PingRequest(0x0102_0304), b"\0\x06\x01\x02\x03\x04"),
            (UserControl::PingResponse(0x0102_0304), b"\0\x07\x01\x02\x03\x04"),
        ] {
            let message = event.to_message();
            assert_eq!(message, about_connection(MessageTypeId::USER_CONTROL, payload));
            assert_eq!(UserControl::parse(&message), Some(event));
            for len in 0..payload.len() {
                assert_eq!(parse(&payload[..len]), None, "{event:?} of {len} bytes");
            }
        }
    }

    #[test]
    fn events_without_their_data_and_unknown_ones_say_nothing() {
        // Buffer Empty and Buffer Ready as Flash Media Server sends them, SWF verification, reserved 5.
        for event in [b"\0\x1F", b"\0\x20", b"\0\x1A", b"\0\x05"] {
            assert_eq!(parse(event), None);
            assert_eq!(parse(&[&event[..], &[0; 8]].concat()), None);
        }
    }

    quickcheck! {
        fn any_payload_is_read_or_ignored(payload: Vec<u8>) -> bool {
            parse(&payload).is_none_or(|event| payload.starts_with(&event.to_message().payload))
        }
    }
}
