//! Encoders as they are: each has its own idea of what RTMP leaves open. They write their chunks themselves.

use crate::rng::Rng;
use headwater_core::amf::amf0::Writer;
use headwater_core::rtmp::chunk::{ChunkDecoder, Message, MessageTypeId};
use headwater_core::{Frame, FrameKind, Limits};
use std::collections::HashMap;

/// What an encoder does otherwise than others.
#[derive(Debug, Clone, Copy)]
pub struct Quirks {
    /// It sends neither `releaseStream` nor `FCPublish`, and `publish` without a type.
    is_terse: bool,
    /// It waits for nothing: handshake, commands and media leave one behind the other.
    is_eager: bool,
    /// From one transaction to the next.
    transaction_step: f64,
    /// Its headers say how much later a message is, not when.
    has_deltas: bool,
    /// It changes the size of its chunks, in the middle of messages too.
    changes_chunk_size: bool,
    /// It has one chunk stream for all media, as librtmp.
    has_one_stream: bool,
    /// Its chunk streams have large numbers.
    has_far_streams: bool,
    /// It takes its metadata back now and then.
    pub clears_metadata: bool,
}

impl Quirks {
    pub fn draw(rng: &mut Rng) -> Quirks {
        Quirks {
            is_terse: rng.once_in(2),
            is_eager: rng.once_in(3),
            transaction_step: rng.pick(&[1.0, 1.0, 0.5, 1_000.0]),
            has_deltas: rng.once_in(2),
            changes_chunk_size: rng.once_in(2),
            has_one_stream: rng.once_in(2),
            has_far_streams: rng.once_in(4),
            clears_metadata: false,
        }
    }
}

impl Quirks {
    /// Whether it sends media before it may.
    pub fn is_eager(self) -> bool {
        self.is_eager
    }
}

/// What the server has said.
#[derive(Debug)]
pub enum Reply {
    /// It may publish.
    Started,
    Over(String),
}

/// One connection of an encoder.
#[derive(Debug)]
pub struct Encoder {
    quirks: Quirks,
    name: String,
    chunks: Chunks,
    /// Bytes of the server's handshake that have not come.
    handshake_left: usize,
    decoder: ChunkDecoder,
    transaction: f64,
    /// That of `createStream`.
    creates: f64,
    is_started: bool,
}

const CONTROL: u32 = 2;
const COMMAND: u32 = 3;

impl Encoder {
    pub fn new(quirks: Quirks, name: String) -> Encoder {
        let mut encoder = Encoder {
            quirks,
            name,
            chunks: Chunks::new(quirks),
            handshake_left: 1 + 1_536 + 1_536,
            decoder: ChunkDecoder::new(&Limits::default()),
            transaction: 0.0,
            creates: 0.0,
            is_started: false,
        };
        encoder.chunks.bytes.push(3);
        encoder.chunks.bytes.extend([0; 1_536]);
        if quirks.is_eager {
            encoder.connect();
            encoder.publish(1);
        }
        encoder
    }

    /// What it sends.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.chunks.bytes)
    }

    /// Takes in what has come, and returns what that says.
    pub fn hear(&mut self, mut input: &[u8]) -> Vec<Reply> {
        let len = self.handshake_left.min(input.len());
        input = &input[len..];
        self.handshake_left -= len;
        if len > 0 && self.handshake_left == 0 && !self.quirks.is_eager {
            self.connect();
        }
        let mut replies = Vec::new();
        while let Some(message) = self.decoder.decode(&mut input).expect("the server sends good chunks") {
            replies.extend(self.handle(&message));
        }
        replies
    }

    pub fn send_frame(&mut self, frame: &Frame) {
        let (csid, type_id) = match frame.kind {
            FrameKind::Audio => (4, 8),
            FrameKind::Video => (6, 9),
            FrameKind::Data => (4, 18),
        };
        let csid = if self.quirks.has_one_stream { 4 } else { csid };
        let csid = if self.quirks.has_far_streams {
            60 + csid * 90
        } else {
            csid
        };
        let time = frame.timestamp.as_millis();
        let mut payload = Vec::new();
        if frame.kind == FrameKind::Data {
            Writer::new(&mut payload).string("@setDataFrame");
        }
        payload.extend(&frame.payload);
        self.chunks.write(csid, type_id, 1, time, &payload);
        if self.quirks.clears_metadata && self.chunks.messages.is_multiple_of(40) {
            let mut payload = Vec::new();
            Writer::new(&mut payload).string("@clearDataFrame").string("onMetaData");
            self.chunks.write(csid, 18, 1, time, &payload);
        }
    }

    /// It stops publishing, and says so.
    pub fn close(&mut self) {
        self.command("deleteStream", 0, |writer| {
            writer.null().number(1.0);
        });
    }

    fn connect(&mut self) {
        self.chunks.bytes.extend([0; 1_536]);
        if self.quirks.changes_chunk_size {
            self.chunks.set_size(4_096);
        }
        self.command("connect", 0, |writer| {
            writer.object_start().key("app").string("live");
            writer.key("tcUrl").string("rtmp://host/live").object_end();
        });
        let name = self.name.clone();
        if !self.quirks.is_terse {
            for command in ["releaseStream", "FCPublish"] {
                self.command(command, 0, |writer| {
                    writer.null().string(&name);
                });
            }
        }
        self.command("createStream", 0, |writer| {
            writer.null();
        });
        self.creates = self.transaction;
    }

    fn publish(&mut self, msid: u32) {
        let (name, is_terse) = (self.name.clone(), self.quirks.is_terse);
        self.command("publish", msid, |writer| {
            writer.null().string(name);
            if !is_terse {
                writer.string("live");
            }
        });
    }

    fn command(&mut self, name: &str, msid: u32, arguments: impl FnOnce(&mut Writer<&mut Vec<u8>>)) {
        self.transaction += self.quirks.transaction_step;
        let mut payload = Vec::new();
        let mut writer = Writer::new(&mut payload);
        writer.string(name).number(self.transaction);
        arguments(&mut writer);
        self.chunks.write(COMMAND, 20, msid, 0, &payload);
    }

    fn handle(&mut self, message: &Message) -> Option<Reply> {
        if message.type_id != MessageTypeId::COMMAND_AMF0 {
            return None;
        }
        let says = |text: &[u8]| message.payload.windows(text.len()).any(|window| window == text);
        let mut created = Vec::new();
        Writer::new(&mut created).string("_result").number(self.creates);
        if message.payload.starts_with(&created) {
            if !self.quirks.is_eager {
                self.publish(1);
            }
        } else if says(b"onStatus") && says(b"NetStream.Publish.Start") {
            assert!(!self.is_started, "it may publish twice");
            self.is_started = true;
            return Some(Reply::Started);
        } else if says(b"error") || says(b"NetStream.Unpublish") {
            let text = String::from_utf8_lossy(&message.payload);
            return Some(Reply::Over(
                text.chars().filter(|char| char.is_ascii_graphic()).collect(),
            ));
        }
        None
    }
}

/// Chunks, by hand.
#[derive(Debug)]
struct Chunks {
    quirks: Quirks,
    bytes: Vec<u8>,
    size: usize,
    messages: usize,
    /// The last message of each chunk stream: its time, length and type, and what its time field said if that was a delta.
    last: HashMap<u32, (u32, usize, u8, Option<u32>)>,
}

impl Chunks {
    fn new(quirks: Quirks) -> Chunks {
        Chunks {
            quirks,
            bytes: Vec::new(),
            size: 128,
            messages: 0,
            last: HashMap::new(),
        }
    }

    fn set_size(&mut self, size: usize) {
        let payload = u32::try_from(size).unwrap().to_be_bytes();
        self.basic(0, CONTROL);
        self.bytes.extend([0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0]);
        self.bytes.extend(payload);
        self.size = size;
    }

    fn write(&mut self, csid: u32, type_id: u8, msid: u32, time: u32, payload: &[u8]) {
        self.messages += 1;
        let field = self.header(csid, type_id, msid, time, payload.len());
        let mut rest = payload;
        loop {
            let (chunk, after) = rest.split_at(self.size.min(rest.len()));
            self.bytes.extend(chunk);
            rest = after;
            if rest.is_empty() {
                return;
            }
            if self.quirks.changes_chunk_size && self.messages.is_multiple_of(5) {
                self.set_size(64 + self.messages * 37 % 900);
            }
            self.basic(3, csid);
            if field >= 0x00FF_FFFF {
                self.bytes.extend(field.to_be_bytes());
            }
        }
    }

    /// The header of a message, as short as the quirks have it. Returns what its time field says.
    fn header(&mut self, csid: u32, type_id: u8, msid: u32, time: u32, len: usize) -> u32 {
        let last = self.last.get(&csid).copied();
        let delta = last.map(|(before, ..)| time.wrapping_sub(before));
        // A step back is said by the time itself.
        let delta = delta.filter(|delta| self.quirks.has_deltas && *delta < 1 << 31);
        self.last.insert(csid, (time, len, type_id, delta));
        let length = u32::try_from(len).unwrap().to_be_bytes();
        let Some(delta) = delta else {
            self.basic(0, csid);
            self.time(time);
            self.bytes.extend(&length[1..]);
            self.bytes.push(type_id);
            self.bytes.extend(msid.to_le_bytes());
            self.extension(time);
            return time;
        };
        match last {
            Some((_, before, kind, Some(same))) if (before, kind, same) == (len, type_id, delta) => {
                self.basic(3, csid);
            }
            Some((_, before, kind, _)) if (before, kind) == (len, type_id) => {
                self.basic(2, csid);
                self.time(delta);
            }
            _ => {
                self.basic(1, csid);
                self.time(delta);
                self.bytes.extend(&length[1..]);
                self.bytes.push(type_id);
            }
        }
        self.extension(delta);
        delta
    }

    fn time(&mut self, field: u32) {
        self.bytes.extend(&field.min(0x00FF_FFFF).to_be_bytes()[1..]);
    }

    fn extension(&mut self, field: u32) {
        if field >= 0x00FF_FFFF {
            self.bytes.extend(field.to_be_bytes());
        }
    }

    fn basic(&mut self, format: u8, csid: u32) {
        let format = format << 6;
        let low = |value: u32| u8::try_from(value & 0xFF).unwrap();
        match csid {
            2..64 => self.bytes.push(format | low(csid)),
            64..320 => self.bytes.extend([format, low(csid - 64)]),
            _ => self.bytes.extend([format | 1, low(csid - 64), low((csid - 64) >> 8)]),
        }
    }
}
