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
use headwater_core::amf::amf0::{Reader, Writer};
use headwater_core::amf::{AmfLimits, Text, Value};
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

/// Shows one message.
pub fn print(message: &Message) -> String {
    let millis = message.timestamp.as_millis();
    let text = match message.type_id {
        MessageTypeId::USER_CONTROL => {
            return match UserControl::parse(message).unwrap() {
                UserControl::StreamBegin(stream) => format!("StreamBegin({stream})"),
                UserControl::StreamEof(stream) => format!("StreamEof({stream})"),
                event => format!("{event:?}"),
            };
        }
        MessageTypeId(1..=6) => match Control::parse(message).unwrap() {
            Control::SetPeerBandwidth { size, .. } => return format!("SetPeerBandwidth({size})"),
            Control::SetChunkSize(size) => return format!("SetChunkSize({size})"),
            control => return format!("{control:?}"),
        },
        MessageTypeId::AUDIO => format!("audio({millis}, {})", print_body(&message.payload)),
        MessageTypeId::VIDEO => format!("video({millis}, {})", print_body(&message.payload)),
        MessageTypeId::DATA_AMF0 => format!("data({millis}, {})", print_values(&decode(&message.payload))),
        MessageTypeId::COMMAND_AMF0 => {
            let mut values = decode(&message.payload);
            let name = values.remove(0);
            if values[1] == Value::Null {
                values.remove(1);
            }
            format!("{}({})", name.as_str().unwrap(), print_values(&values))
        }
        type_id => format!("raw({type_id}, {})", print_body(&message.payload)),
    };
    match message.msid {
        MessageStreamId::CONTROL => text,
        msid => format!("{text} msid={msid}"),
    }
}

/// The values of a body in AMF0.
pub fn decode(body: &[u8]) -> Vec<Value> {
    let mut reader = Reader::new(body, AmfLimits::default());
    let mut values = Vec::new();
    while !reader.is_empty() {
        values.push(reader.value().unwrap());
    }
    values
}

fn encode(values: &[Value]) -> Bytes {
    let mut body = BytesMut::new();
    let mut writer = Writer::new(&mut body);
    for value in values {
        writer.value(value);
    }
    body.freeze()
}

pub fn print_values(values: &[Value]) -> String {
    values.iter().map(print_value).collect::<Vec<_>>().join(", ")
}

fn print_value(value: &Value) -> String {
    let pairs = |pairs: &[(Text, Value)]| {
        let pair = |(key, value): &(Text, Value)| format!("{key}={}", print_value(value));
        pairs.iter().map(pair).collect::<Vec<_>>().join(", ")
    };
    match value {
        Value::Number(number) => number.to_string(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::String(text) => format!("{text:?}"),
        Value::Undefined => "undefined".into(),
        Value::Object(members) => match value.get("code").and_then(Value::as_str) {
            Some(code) => code.into(),
            None => format!("{{{}}}", pairs(members)),
        },
        Value::EcmaArray(members) => format!("[{}]", pairs(members)),
        Value::StrictArray(elements) => format!("<{}>", print_values(elements)),
        _ => "null".into(),
    }
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

/// Hexadecimal; of a long body the start and the length.
pub fn print_body(body: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    match body.len() {
        ..=16 => hex(body),
        len => format!("{}.. {len} bytes", hex(&body[..8])),
    }
}

pub fn from_hex(text: &str) -> Bytes {
    let digits: Vec<_> = text.bytes().collect();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}
