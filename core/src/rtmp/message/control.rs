//! Protocol control messages.

use super::about_connection;
use crate::Output;
use crate::rtmp::chunk::{ChunkEncoder, ChunkSize, ChunkStreamId, Message, MessageTypeId};

/// A protocol control message. RTMP 1.0 §5.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// The sender's chunks have at most this size from now on. §5.4.1.
    SetChunkSize(ChunkSize),
    /// The message under way on this chunk stream will not be finished. §5.4.2.
    Abort(ChunkStreamId),
    /// The bytes received so far, modulo 2^32. §5.4.3.
    Acknowledgement(u32),
    /// The bytes after which the sender wants an acknowledgement. §5.4.4.
    WindowAckSize(u32),
    /// The bytes that the receiver may send without an acknowledgement. §5.4.5.
    SetPeerBandwidth {
        /// The bytes.
        size: u32,
        /// How it goes with an earlier limit.
        limit: LimitType,
    },
}

/// How a Set Peer Bandwidth message goes with the limit in force. RTMP 1.0 §5.4.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitType {
    /// It replaces it.
    Hard = 0,
    /// The smaller one counts.
    Soft = 1,
    /// As hard if the last one was hard, else it means nothing. Unknown types are read as this one.
    Dynamic = 2,
}

impl Control {
    /// Reads a protocol control message. `None` for other types, short payloads (deployed senders send some) and values
    /// out of range. Bytes beyond the last field are ignored.
    #[must_use]
    pub fn parse(message: &Message) -> Option<Control> {
        let (value, rest) = message.payload.split_first_chunk()?;
        let value = u32::from_be_bytes(*value);
        match message.type_id {
            MessageTypeId::SET_CHUNK_SIZE => ChunkSize::new(value).map(Control::SetChunkSize),
            MessageTypeId::ABORT => ChunkStreamId::new(value).map(Control::Abort),
            MessageTypeId::ACKNOWLEDGEMENT => Some(Control::Acknowledgement(value)),
            MessageTypeId::WINDOW_ACKNOWLEDGEMENT_SIZE => Some(Control::WindowAckSize(value)),
            MessageTypeId::SET_PEER_BANDWIDTH => Some(Control::SetPeerBandwidth {
                size: value,
                limit: match rest.first()? {
                    0 => LimitType::Hard,
                    1 => LimitType::Soft,
                    _ => LimitType::Dynamic,
                },
            }),
            _ => None,
        }
    }

    /// The message that says so. One small allocation.
    #[must_use]
    pub fn to_message(self) -> Message {
        self.with_body(about_connection)
    }

    /// Appends the message that says so to `out`, without an allocation once that has grown.
    pub fn encode(self, encoder: &mut ChunkEncoder, out: &mut Output) {
        self.with_body(|type_id, body| encoder.encode_control(type_id, body, out));
    }

    fn with_body<R>(self, take: impl FnOnce(MessageTypeId, &[u8]) -> R) -> R {
        let (type_id, value) = match self {
            Control::SetChunkSize(size) => (MessageTypeId::SET_CHUNK_SIZE, size.get()),
            Control::Abort(csid) => (MessageTypeId::ABORT, csid.get()),
            Control::Acknowledgement(sequence_number) => (MessageTypeId::ACKNOWLEDGEMENT, sequence_number),
            Control::WindowAckSize(size) => (MessageTypeId::WINDOW_ACKNOWLEDGEMENT_SIZE, size),
            Control::SetPeerBandwidth { size, limit } => {
                let [a, b, c, d] = size.to_be_bytes();
                return take(MessageTypeId::SET_PEER_BANDWIDTH, &[a, b, c, d, limit as u8]);
            }
        };
        take(type_id, &value.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtmp::chunk::MessageStreamId;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    fn parse(type_id: u8, payload: &[u8]) -> Option<Control> {
        Control::parse(&about_connection(MessageTypeId(type_id), payload))
    }

    #[test]
    fn each_has_its_bytes() {
        let bandwidth = Control::SetPeerBandwidth {
            size: 2_500_000,
            limit: LimitType::Dynamic,
        };
        for (control, type_id, payload) in [
            (
                Control::SetChunkSize(ChunkSize::new(4_096).unwrap()),
                1,
                &b"\0\0\x10\0"[..],
            ),
            (Control::Abort(ChunkStreamId::VIDEO), 2, b"\0\0\0\x07"),
            (Control::Acknowledgement(u32::MAX), 3, b"\xFF\xFF\xFF\xFF"),
            (Control::WindowAckSize(2_500_000), 5, b"\0\x26\x25\xA0"),
            (bandwidth, 6, b"\0\x26\x25\xA0\x02"),
        ] {
            let message = control.to_message();
            assert_eq!(
                (message.csid, message.msid),
                (ChunkStreamId::CONTROL, MessageStreamId::CONTROL)
            );
            assert_eq!((message.type_id.0, &message.payload[..]), (type_id, payload));
            assert_eq!(Control::parse(&message), Some(control));
            assert_eq!(parse(type_id, &[payload, b"more"].concat()), Some(control));
            for len in 0..payload.len() {
                assert_eq!(parse(type_id, &payload[..len]), None, "{control:?} of {len} bytes");
            }
        }
    }

    #[test]
    fn values_out_of_range_say_nothing() {
        assert_eq!(parse(1, &[0; 4]), None);
        assert_eq!(parse(1, &[0x80, 0, 0, 0]), None);
        assert_eq!(parse(2, &[0; 4]), None);
    }

    quickcheck! {
        fn any_payload_is_read_or_ignored(type_id: u8, payload: Vec<u8>) -> bool {
            let read = parse(type_id, &payload);
            read.is_none() || (matches!(type_id, 1 | 2 | 3 | 5 | 6) && payload.len() >= 4)
        }
    }
}
