//! What hostile peers say, row by row: each input is one conversation, the same for the server in memory and for the binaries.
//!
//! Where a row needs more than bytes (time, several peers, a peer that does not read), its test has the rest.

mod amf;
mod chunk;
mod connection;
mod http;
mod media;
mod others;
mod session;

use headwater_core::rtmp::message::command;
pub(crate) use session::meddling;

/// What one peer says.
#[derive(Debug)]
pub(crate) struct Input {
    /// Which row of the table it belongs to.
    pub(crate) row: u8,
    pub(crate) what: &'static str,
    pub(crate) to: Port,
    pub(crate) bytes: Vec<u8>,
    pub(crate) reaction: Reaction,
}

/// Where it connects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    Rtmp,
    Http,
}

/// What the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// The connection fails, for the reason that the log gives.
    Ends(&'static str),
    /// What the peer asks for is refused, for the reason that the log gives.
    Refused(&'static str),
    /// The connection ends, and nothing has failed.
    Leaves,
    /// Nothing: the connection goes on.
    GoesOn,
}

pub(crate) use Reaction::{Ends, GoesOn, Leaves, Refused};

/// What a listener for every protocol says where one for a single protocol says `reason`. None if it takes what the other
/// refuses.
pub(crate) fn on_one_port(reason: &'static str) -> Option<&'static str> {
    match reason {
        "first byte 0x16 (TLS)" => Some("handshake version 22 (TLS)"),
        "first byte 0xa5" => Some("handshake version 165"),
        "handshake version 71 (HTTP)" | "first byte 0x03 (RTMP)" => None,
        other => Some(other),
    }
}

/// All of them, in the order of the table.
#[allow(dead_code, reason = "for the binaries")]
pub(crate) fn all() -> Vec<Input> {
    let rows = [
        connection::inputs(),
        chunk::inputs(),
        amf::inputs(),
        session::inputs(),
        media::inputs(),
        http::inputs(),
        others::inputs(),
    ];
    rows.into_iter().flatten().collect()
}

/// Those of one row.
pub(crate) fn of(row: u8) -> Vec<Input> {
    let inputs = match row {
        1..=4 => connection::inputs(),
        5..=20 => chunk::inputs(),
        21..=25 => amf::inputs(),
        26..=31 => session::inputs(),
        32..=37 => media::inputs(),
        38..=43 => http::inputs(),
        _ => others::inputs(),
    };
    let inputs: Vec<_> = inputs.into_iter().filter(|input| input.row == row).collect();
    assert!(!inputs.is_empty(), "row {row}");
    inputs
}

fn rtmp(row: u8, what: &'static str, bytes: Vec<u8>, reaction: Reaction) -> Input {
    Input::new(row, what, Port::Rtmp, bytes, reaction)
}

fn web(row: u8, what: &'static str, bytes: Vec<u8>, reaction: Reaction) -> Input {
    Input::new(row, what, Port::Http, bytes, reaction)
}

/// What a hostile publisher calls its stream, until its input gives it a name.
const NAME: &[u8] = b"hostile";

impl Input {
    fn new(row: u8, what: &'static str, to: Port, bytes: Vec<u8>, reaction: Reaction) -> Self {
        let mut input = Input {
            row,
            what,
            to,
            bytes,
            reaction,
        };
        // Its own, so that no other has it when all of them are there at once.
        let name = input.stream();
        for at in 0..input.bytes.len().min(4 << 10) {
            if input.bytes[at..].starts_with(NAME) {
                input.bytes[at..at + NAME.len()].copy_from_slice(name.as_bytes());
            }
        }
        input
    }

    /// The name of the stream that it publishes, if it does: as long as the one that it takes the place of.
    pub(crate) fn stream(&self) -> String {
        let hash = self
            .what
            .bytes()
            .fold(7u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        format!("h{:02}{:04}", self.row, hash % 10_000)
    }
}

// What RTMP is made of.

/// C0, C1, and a C2 that repeats nothing.
pub(crate) fn handshake() -> Vec<u8> {
    [&[3][..], &[0; 2 * 1_536]].concat()
}

/// A message of one chunk, if chunks are long enough.
pub(crate) fn message(type_id: u8, msid: u8, payload: &[u8]) -> Vec<u8> {
    message_at(0, type_id, msid, payload)
}

fn message_at(millis: u32, type_id: u8, msid: u8, payload: &[u8]) -> Vec<u8> {
    [
        &header(3, millis.min(0xFF_FFFF), payload.len(), type_id, msid)[..],
        &extended(millis),
        payload,
    ]
    .concat()
}

fn extended(millis: u32) -> Vec<u8> {
    if millis >= 0xFF_FFFF {
        millis.to_be_bytes().into()
    } else {
        vec![]
    }
}

/// A header of type 0.
pub(crate) fn header(csid: u8, millis: u32, len: usize, type_id: u8, msid: u8) -> Vec<u8> {
    let [.., a, b, c] = len.to_be_bytes();
    [
        &[csid][..],
        &millis.to_be_bytes()[1..],
        &[a, b, c, type_id, msid, 0, 0, 0],
    ]
    .concat()
}

pub(crate) fn set_chunk_size(size: u32) -> Vec<u8> {
    message(1, 0, &size.to_be_bytes())
}

/// A handshake, chunks of 4 MiB, and `messages`.
pub(crate) fn unconnected(messages: &[Vec<u8>]) -> Vec<u8> {
    [handshake(), set_chunk_size(4 << 20), messages.concat()].concat()
}

/// The same behind a `connect`.
pub(crate) fn connected(messages: &[Vec<u8>]) -> Vec<u8> {
    unconnected(&[connect(&[]), messages.concat()])
}

/// The same behind a publish of a stream of its own, on message stream 1.
pub(crate) fn publishing(messages: &[Vec<u8>]) -> Vec<u8> {
    connected(&[create_stream(), publish(NAME), messages.concat()])
}

/// `connect` to the app `live`, and what else its object has.
fn connect(pairs: &[u8]) -> Vec<u8> {
    connect_to(b"live", pairs)
}

fn connect_to(app: &[u8], pairs: &[u8]) -> Vec<u8> {
    let object = [&[3][..], &pair("app", &string(app)), pairs, b"\0\0\x09"].concat();
    message(
        20,
        0,
        &[b"\x02\0\x07connect\0\x3F\xF0\0\0\0\0\0\0", &object[..]].concat(),
    )
}

/// A call on the connection, with a null and `arguments` in AMF0.
fn call(name: &str, arguments: &[u8]) -> Vec<u8> {
    on_stream(0, name, arguments)
}

pub(crate) fn on_stream(msid: u8, name: &str, arguments: &[u8]) -> Vec<u8> {
    let head = command::encode(name, 2.0, |writer| {
        writer.null();
    });
    message(20, msid, &[&head, arguments].concat())
}

pub(crate) fn publish(name: &[u8]) -> Vec<u8> {
    on_stream(1, "publish", &string(name))
}

pub(crate) fn play(name: &[u8]) -> Vec<u8> {
    on_stream(1, "play", &string(name))
}

pub(crate) fn create_stream() -> Vec<u8> {
    call("createStream", &[])
}

fn string(text: &[u8]) -> Vec<u8> {
    match u16::try_from(text.len()) {
        Ok(len) => [&[2][..], &len.to_be_bytes(), text].concat(),
        Err(_) => [&[12][..], &u32::try_from(text.len()).unwrap().to_be_bytes(), text].concat(),
    }
}

fn pair(key: &str, value: &[u8]) -> Vec<u8> {
    [
        &u16::try_from(key.len()).unwrap().to_be_bytes()[..],
        key.as_bytes(),
        value,
    ]
    .concat()
}

fn number(value: f64) -> Vec<u8> {
    [&[0][..], &value.to_be_bytes()].concat()
}

fn metadata(value: &[u8]) -> Vec<u8> {
    message(18, 1, &[&string(b"onMetaData")[..], value].concat())
}

/// A sequence header of AVC, with something of its own in it.
fn video_header(variant: u8) -> Vec<u8> {
    [
        b"\x17\0\0\0\0\x01\x64\0\x1F\xFF\xE1\0\x05\x67\x64\0\x1F",
        &[variant][..],
        b"\x01\0\x01\x68",
    ]
    .concat()
}

/// A picture of AVC of so many bytes.
fn picture(is_key: bool, len: u32) -> Vec<u8> {
    let (flags, unit) = if is_key { (0x17, 0x65) } else { (0x27, 0x41) };
    let body = vec![0x55; usize::try_from(len).unwrap()];
    [&[flags, 1, 0, 0, 0][..], &(len + 1).to_be_bytes(), &[unit], &body].concat()
}

// What HTTP is made of.

fn get(path: &str, fields: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n").into_bytes()
}

/// A push in one chunk that is not the last.
pub(crate) fn push(path: &str, fields: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\n{fields}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        content.len()
    );
    [head.as_bytes(), content, b"\r\n"].concat()
}

pub(crate) fn flv(tags: &[u8]) -> Vec<u8> {
    [b"FLV\x01\x05\0\0\0\x09\0\0\0\0", tags].concat()
}

pub(crate) fn tag(type_id: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap();
    [
        &[type_id][..],
        &len.to_be_bytes()[1..],
        &[0; 7],
        body,
        &(11 + len).to_be_bytes(),
    ]
    .concat()
}

/// A player by WebSocket, and what it says then.
pub(crate) fn websocket(path: &str, frames: &[u8]) -> Vec<u8> {
    let fields = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    [&get(path, fields)[..], frames].concat()
}

/// The same, with what else the object of `connect` has.
fn connected_with(pairs: &[u8]) -> Vec<u8> {
    unconnected(&[connect(pairs), create_stream()])
}
