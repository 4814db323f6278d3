//! Messages and AMF values as text, for people: the notation of the transcripts.

use super::{Control, UserControl, amf0_values};
use crate::amf::amf0::Reader;
use crate::amf::{AmfLimits, Text, Value};
use crate::rtmp::chunk::{Message, MessageStreamId, MessageTypeId};
use alloc::string::String;
use core::fmt;

/// What a message says, without line breaks or other control characters, whatever the peer has put in.
///
/// | Text | Message |
/// |--|--|
/// | `createStream(4)`, `publish(5, "cam", "live") msid=1` | A command. The command object is left out where it is `null` |
/// | `onStatus(0, NetStream.Play.Start) msid=1` | Objects that carry a status code are shown as that code |
/// | `WindowAckSize(2500000)`, `StreamBegin(1)`, `PingRequest(7)` | A control message |
/// | `audio(10, af01)`, `video(0, 1700) msid=1` | A timestamp and a body: [`Hex`] |
/// | `data(0, "onMetaData", [width=640]) msid=1` | A timestamp and values |
/// | `raw(22, 0800) msid=1` | A type and a body: any other message, and one that cannot be read |
/// | ... `amf3` | The same as the AMF3 type |
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (millis, body) = (self.timestamp.as_millis(), Hex(&self.payload));
        match self.type_id {
            MessageTypeId::USER_CONTROL => {
                return match UserControl::parse(self) {
                    Some(UserControl::StreamBegin(stream)) => write!(f, "StreamBegin({stream})"),
                    Some(UserControl::StreamEof(stream)) => write!(f, "StreamEof({stream})"),
                    Some(event) => write!(f, "{event:?}"),
                    None => write!(f, "raw(4, {body})"),
                };
            }
            MessageTypeId(1..=6) => {
                return match Control::parse(self) {
                    Some(Control::SetPeerBandwidth { size, .. }) => write!(f, "SetPeerBandwidth({size})"),
                    Some(Control::SetChunkSize(size)) => write!(f, "SetChunkSize({size})"),
                    Some(control) => write!(f, "{control:?}"),
                    None => write!(f, "raw({}, {body})", self.type_id),
                };
            }
            MessageTypeId::AUDIO => write!(f, "audio({millis}, {body})")?,
            MessageTypeId::VIDEO => write!(f, "video({millis}, {body})")?,
            MessageTypeId::DATA_AMF0 | MessageTypeId::DATA_AMF3 => {
                write!(f, "data({millis}, {})", Values(amf0_values(self)))?;
            }
            MessageTypeId::COMMAND_AMF0 | MessageTypeId::COMMAND_AMF3 => {
                let mut reader = Reader::new(amf0_values(self), AmfLimits::default());
                match reader.string() {
                    Ok(Some(name)) => write!(f, "{}(", String::from_utf8_lossy(name).escape_debug())?,
                    _ => return write!(f, "raw({}, {body})", self.type_id),
                }
                write!(f, "{})", Arguments(reader.rest()))?;
            }
            type_id => write!(f, "raw({type_id}, {body})")?,
        }
        if self.msid != MessageStreamId::CONTROL {
            write!(f, " msid={}", self.msid)?;
        }
        match self.type_id {
            MessageTypeId::DATA_AMF3 | MessageTypeId::COMMAND_AMF3 => f.write_str(" amf3"),
            _ => Ok(()),
        }
    }
}

/// Bytes in hexadecimal; of more than 16 the first eight, and how many there are.
#[derive(Debug, Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if self.0.len() > 16 { 8 } else { 16 };
        for byte in self.0.iter().take(shown) {
            write!(f, "{byte:02x}")?;
        }
        match self.0.len() {
            ..=16 => Ok(()),
            len => write!(f, ".. {len} bytes"),
        }
    }
}

/// AMF0 values with commas between them, up to the first that cannot be read.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a>(pub &'a [u8]);

impl fmt::Display for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_values(f, self.0, false)
    }
}

/// The values behind the name of a command. The second is the command object.
struct Arguments<'a>(&'a [u8]);

impl fmt::Display for Arguments<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_values(f, self.0, true)
    }
}

fn write_values(f: &mut fmt::Formatter<'_>, values: &[u8], has_object: bool) -> fmt::Result {
    let mut reader = Reader::new(values, AmfLimits::default());
    for index in 0.. {
        if reader.is_empty() {
            break;
        }
        let value = reader.value();
        if has_object && index == 1 && value == Ok(Value::Null) {
            continue;
        }
        let separator = if index == 0 { "" } else { ", " };
        match value {
            Ok(value) => write!(f, "{separator}{value}")?,
            Err(error) => return write!(f, "{separator}({error})"),
        }
    }
    Ok(())
}

/// `1`, `"text"`, `true`, `null`, `undefined`, `{key=value}` (object), `[key=value]` (ECMA array), `<1, 2>` (strict array). An
/// object that carries a status code is shown as that code.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => write!(f, "{number}"),
            Value::Boolean(boolean) => write!(f, "{boolean}"),
            Value::String(text) => write!(f, "{text:?}"),
            Value::Undefined => f.write_str("undefined"),
            Value::Object(members) => match self.get("code").and_then(Value::as_str) {
                Some(code) => write!(f, "{}", code.escape_debug()),
                None => write_pairs(f, '{', members, '}'),
            },
            Value::EcmaArray(members) => write_pairs(f, '[', members, ']'),
            Value::StrictArray(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", if index == 0 { "<" } else { ", " })?;
                }
                f.write_str(if elements.is_empty() { "<>" } else { ">" })
            }
            _ => f.write_str("null"),
        }
    }
}

fn write_pairs(f: &mut fmt::Formatter<'_>, open: char, pairs: &[(Text, Value)], close: char) -> fmt::Result {
    write!(f, "{open}")?;
    for (index, (key, value)) in pairs.iter().enumerate() {
        let key = String::from_utf8_lossy(key.as_bytes());
        write!(
            f,
            "{}{}={value}",
            if index == 0 { "" } else { ", " },
            key.escape_debug()
        )?;
    }
    write!(f, "{close}")
}
