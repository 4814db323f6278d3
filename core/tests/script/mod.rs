//! RTMP messages as text, both ways. Tests for which a frame is a frame name frames instead: see `frames.rs`.
//!
//! | Text | Message |
//! |--|--|
//! | `createStream(4)`, `publish(5, "cam", "live") msid=1` | A command. The command object is left out where it is `null` |
//! | `onStatus(0, NetStream.Play.Start) msid=1` | Objects that carry a status code are shown as that code |
//! | `WindowAckSize(2500000)`, `StreamBegin(1)`, `PingRequest(7)` | A control message |
//! | `audio(10, af01)`, `video(0, 1700) msid=1` | A timestamp and a body in hexadecimal |
//! | `data(0, "onMetaData", [width=640]) msid=1` | A timestamp and values |
//! | `raw(22, 0800) msid=1` | A type and a body |
//! | ... `amf3`, `pad=100` | The same as the AMF3 type; with so many zero bytes behind the body |
//!
//! Values: `1`, `"text"`, `true`, `null`, `undefined`, `{key=value}` (object), `[key=value]` (ECMA array).

use bytes::{Buf, Bytes, BytesMut};
use headwater_core::amf::Value;
use headwater_core::amf::amf0::Writer;
use headwater_core::rtmp::chunk::{ChunkEncoder, ChunkSize, ChunkStreamId, Message, MessageStreamId, MessageTypeId};
use headwater_core::rtmp::message::{Control, LimitType, UserControl};
use headwater_core::{Output, Timestamp};

/// Reads one message.
pub fn parse(text: &str) -> Message {
    let (head, tail) = text.rsplit_once(')').expect("a closing parenthesis");
    let (name, arguments) = head.split_once('(').expect("an opening parenthesis");
    let mut message = body(name, arguments);
    for word in tail.split_whitespace() {
        match word.split_once('=') {
            Some(("msid", id)) => message.msid = MessageStreamId(id.parse().unwrap()),
            Some(("pad", len)) => {
                let padding = vec![0; len.parse().unwrap()];
                message.payload = [&*message.payload, &padding].concat().into();
            }
            None if word == "amf3" => {
                message.type_id = MessageTypeId(message.type_id.0 - 3);
                message.payload = [&[0], &*message.payload].concat().into();
            }
            _ => panic!("unknown word {word}"),
        }
    }
    message
}

/// Reads messages that have ` + ` between them.
pub fn parse_all(text: &str) -> Vec<Message> {
    text.split(" + ").map(parse).collect()
}

/// The chunks that say `messages`; a change of the chunk size holds for those after it.
pub fn to_chunks(messages: &[Message], encoder: &mut ChunkEncoder) -> Bytes {
    let mut output = Output::new();
    for message in messages {
        match Control::parse(message) {
            Some(Control::SetChunkSize(size)) => encoder.set_chunk_size(size, &mut output),
            _ => encoder.encode(message, &mut output).unwrap(),
        }
    }
    output.copy_to_bytes(output.len())
}

fn body(name: &str, arguments: &str) -> Message {
    let number = |index: usize| arguments.split(", ").nth(index).unwrap().parse::<u32>().unwrap();
    let stream = |index| MessageStreamId(number(index));
    let media = |type_id, csid| {
        let (timestamp, body) = arguments.split_once(", ").unwrap();
        message(csid, type_id, timestamp.parse().unwrap(), from_hex(body))
    };
    match name {
        "SetChunkSize" => Control::SetChunkSize(ChunkSize::new(number(0)).unwrap()).to_message(),
        "Acknowledgement" => Control::Acknowledgement(number(0)).to_message(),
        "WindowAckSize" => Control::WindowAckSize(number(0)).to_message(),
        "SetPeerBandwidth" => Control::SetPeerBandwidth {
            size: number(0),
            limit: LimitType::Dynamic,
        }
        .to_message(),
        "SetBufferLength" => UserControl::SetBufferLength {
            stream: stream(0),
            millis: number(1),
        }
        .to_message(),
        "PingRequest" => UserControl::PingRequest(number(0)).to_message(),
        "PingResponse" => UserControl::PingResponse(number(0)).to_message(),
        "audio" => media(MessageTypeId::AUDIO, ChunkStreamId::AUDIO),
        "video" => media(MessageTypeId::VIDEO, ChunkStreamId::VIDEO),
        "data" => {
            let (timestamp, rest) = arguments.split_once(", ").unwrap();
            let body = encode(&values(rest));
            message(
                ChunkStreamId::DATA,
                MessageTypeId::DATA_AMF0,
                timestamp.parse().unwrap(),
                body,
            )
        }
        "raw" => {
            let (type_id, body) = arguments.split_once(", ").unwrap();
            let type_id = MessageTypeId(type_id.parse().unwrap());
            message(ChunkStreamId::DATA, type_id, 0, from_hex(body))
        }
        name => {
            let mut values = values(arguments);
            if !matches!(values.get(1), Some(Value::Object(_) | Value::Null)) {
                values.insert(1, Value::Null);
            }
            values.insert(0, Value::String(name.into()));
            message(ChunkStreamId::COMMAND, MessageTypeId::COMMAND_AMF0, 0, encode(&values))
        }
    }
}

fn message(csid: ChunkStreamId, type_id: MessageTypeId, millis: u32, payload: Bytes) -> Message {
    Message {
        csid,
        msid: MessageStreamId::CONTROL,
        type_id,
        timestamp: Timestamp::from_millis(millis),
        payload,
    }
}

fn encode(values: &[Value]) -> Bytes {
    let mut body = BytesMut::new();
    let mut writer = Writer::new(&mut body);
    for value in values {
        writer.value(value);
    }
    body.freeze()
}

fn values(text: &str) -> Vec<Value> {
    let mut rest = text.trim();
    let mut values = Vec::new();
    while !rest.is_empty() {
        values.push(value(&mut rest));
        rest = rest.trim_start_matches([',', ' ']);
    }
    values
}

/// Takes one value from the front of `rest`.
fn value(rest: &mut &str) -> Value {
    if let Some(text) = rest.strip_prefix('"') {
        let (text, after) = text.split_once('"').expect("a closing quote");
        *rest = after;
        return Value::String(text.into());
    }
    for (open, close, is_array) in [('{', '}', false), ('[', ']', true)] {
        if let Some(mut members) = rest.strip_prefix(open) {
            let mut pairs = Vec::new();
            while !members.starts_with(close) {
                let (key, after) = members.split_once('=').expect("a member");
                members = after;
                pairs.push((key.into(), value(&mut members)));
                members = members.trim_start_matches([',', ' ']);
            }
            *rest = &members[1..];
            return if is_array {
                Value::EcmaArray(pairs)
            } else {
                Value::Object(pairs)
            };
        }
    }
    let end = rest.find([',', ' ', '}', ']']).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    *rest = after;
    match word {
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        "null" => Value::Null,
        "undefined" => Value::Undefined,
        number => Value::Number(number.parse().unwrap_or_else(|_| panic!("no value: {number}"))),
    }
}

pub fn from_hex(text: &str) -> Bytes {
    let digits: Vec<_> = text.bytes().collect();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}
