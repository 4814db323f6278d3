//! Command messages.

use super::amf0_values;
use crate::amf::{AmfError, AmfLimits, amf0};
use crate::rtmp::chunk::Message;
use bytes::{Bytes, BytesMut};

/// A command message: a call, or the answer to one. RTMP 1.0 §7.2.
#[derive(Debug, Clone)]
pub struct Command<'a> {
    /// The name of the procedure, `_result`, `_error` or `onStatus`. UTF-8 or not.
    pub name: &'a [u8],
    /// What an answer repeats. 0 if none is wanted, and if it is missing.
    pub transaction_id: f64,
    /// The values that follow: first the command object, often null, then the arguments.
    pub arguments: amf0::Reader<'a>,
}

impl<'a> Command<'a> {
    /// Reads the name and the transaction ID of a command message of either type. Nothing is allocated.
    ///
    /// # Errors
    /// [`AmfError::ExpectedString`] if the message does not begin with a name; otherwise the [`AmfError`] that stopped
    /// the reader.
    pub fn parse(message: &'a Message, limits: AmfLimits) -> Result<Command<'a>, AmfError> {
        let mut arguments = amf0::Reader::new(amf0_values(message), limits);
        let name = arguments.string()?.ok_or(AmfError::ExpectedString)?;
        let transaction_id = arguments.number()?.unwrap_or(0.0);
        Ok(Command {
            name,
            transaction_id,
            arguments,
        })
    }
}

/// Makes the body of a command message in AMF0 (type 20), which every peer understands. Two allocations, the
/// buffer and its reference count.
///
/// ```
/// use headwater_core::rtmp::message::command;
///
/// let body = command::encode("_result", 4.0, |arguments| {
///     arguments.null().number(1.0);
/// });
/// assert_eq!(&body[..10], b"\x02\0\x07_result");
/// ```
pub fn encode(name: &str, transaction_id: f64, arguments: impl FnOnce(&mut amf0::Writer<&mut BytesMut>)) -> Bytes {
    let mut body = BytesMut::with_capacity(USUAL_LEN);
    let mut writer = amf0::Writer::new(&mut body);
    writer.string(name).number(transaction_id);
    arguments(&mut writer);
    body.freeze()
}

/// Bytes that most commands fit in: an `onStatus` takes about 150.
const USUAL_LEN: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::rtmp::chunk::{ChunkStreamId, MessageStreamId, MessageTypeId};
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    fn message(type_id: MessageTypeId, payload: impl Into<Bytes>) -> Message {
        Message {
            csid: ChunkStreamId::COMMAND,
            msid: MessageStreamId::CONTROL,
            type_id,
            timestamp: Timestamp::ZERO,
            payload: payload.into(),
        }
    }

    fn parse(message: &Message) -> Result<Command<'_>, AmfError> {
        Command::parse(message, AmfLimits::default())
    }

    #[test]
    fn the_result_of_create_stream_has_its_bytes() {
        let body = encode("_result", 4.0, |arguments| {
            arguments.null().number(1.0);
        });
        let expected = b"\x02\0\x07_result\0\x40\x10\0\0\0\0\0\0\x05\0\x3F\xF0\0\0\0\0\0\0";
        assert_eq!(&body[..], expected);

        let message = message(MessageTypeId::COMMAND_AMF0, body);
        let mut command = parse(&message).unwrap();
        assert_eq!((command.name, command.transaction_id), (&b"_result"[..], 4.0));
        assert!(command.arguments.object().unwrap().is_none());
        assert_eq!(command.arguments.number(), Ok(Some(1.0)));
        assert_eq!(command.arguments.string(), Ok(None), "absent arguments are none");
    }

    #[test]
    fn type_17_has_a_selector_or_none() {
        let body = encode("play", 0.0, |_| {});
        let selected = [&[0][..], &body].concat();
        for payload in [body, selected.into()] {
            let message = message(MessageTypeId::COMMAND_AMF3, payload);
            assert_eq!(parse(&message).unwrap().name, b"play");
        }
        // Strings in AMF3, name and all.
        let flash = message(
            MessageTypeId::COMMAND_AMF3,
            &b"\0\x11\x06\x09play\x11\x04\x03\x05\x11\x06\x07cam"[..],
        );
        let mut command = parse(&flash).unwrap();
        assert_eq!((command.name, command.transaction_id), (&b"play"[..], 3.0));
        assert!(command.arguments.object().unwrap().is_none());
        assert_eq!(command.arguments.string(), Ok(Some(&b"cam"[..])));
    }

    #[test]
    fn a_missing_transaction_id_is_zero() {
        let message = message(MessageTypeId::COMMAND_AMF0, &b"\x02\0\x05close"[..]);
        assert_eq!(parse(&message).unwrap().transaction_id, 0.0);
    }

    #[test]
    fn a_command_begins_with_its_name() {
        for payload in [&b""[..], b"\x05", b"\0\0\0\0\0\0\0\0\0"] {
            let message = message(MessageTypeId::COMMAND_AMF0, payload);
            assert_eq!(parse(&message).err(), Some(AmfError::ExpectedString));
        }
        let cut = message(MessageTypeId::COMMAND_AMF0, &b"\x02\0\x07conn"[..]);
        assert_eq!(parse(&cut).err(), Some(AmfError::Truncated));
    }

    quickcheck! {
        fn any_bytes_are_read_or_refused(type_id: u8, payload: Vec<u8>) -> bool {
            let message = message(MessageTypeId(type_id), payload);
            match parse(&message) {
                Ok(command) => command.name.len() + 3 <= message.payload.len(),
                Err(_) => true,
            }
        }
    }
}
