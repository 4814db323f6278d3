//! A player with several message streams on one connection, which changes its mind all the time: it plays, pauses, seeks, wants no
//! pictures, stops and plays again. On one more message stream it publishes something of its own now and then.

use crate::link::drain;
use crate::rng::Rng;
use bytes::Bytes;
use headwater_core::amf::amf0::Writer;
use headwater_core::rtmp::chunk::{ChunkDecoder, ChunkEncoder, ChunkStreamId, Message, MessageStreamId, MessageTypeId};
use headwater_core::{Frame, FrameKind, Limits, Output, Timestamp};

/// One connection of it.
#[derive(Debug)]
pub struct Restless {
    /// Streams that there are to play: each on a message stream of its own, from 1 on. The one behind them is for what it publishes.
    streams: u32,
    encoder: ChunkEncoder,
    output: Output,
    decoder: ChunkDecoder,
    /// Bytes of the server's handshake that have not come.
    handshake_left: usize,
    transaction: f64,
    /// Message streams that the server has made.
    created: u32,
    is_publishing: bool,
}

/// What the server has said.
#[derive(Debug)]
pub enum Reply {
    /// It plays a stream from the beginning.
    Started(usize),
    /// A frame of a stream.
    Frame(usize, Frame),
}

/// Plays that begin and end in one go: fewer than a connection may ask for in a second.
const FLOOD: usize = 20;

impl Restless {
    pub fn new(streams: usize) -> Restless {
        let mut output = Output::new();
        output.write(&[3]);
        output.write(&[0; 1_536]);
        Restless {
            streams: u32::try_from(streams).unwrap(),
            encoder: ChunkEncoder::new(),
            output,
            decoder: ChunkDecoder::new(&Limits::default()),
            handshake_left: 1 + 1_536 + 1_536,
            transaction: 0.0,
            created: 0,
            is_publishing: false,
        }
    }

    /// What it sends.
    pub fn take(&mut self) -> Vec<u8> {
        drain(&mut self.output)
    }

    /// Takes in what has come, and returns what that says.
    pub fn hear(&mut self, mut input: &[u8]) -> Vec<Reply> {
        let len = self.handshake_left.min(input.len());
        input = &input[len..];
        self.handshake_left -= len;
        if len > 0 && self.handshake_left == 0 {
            self.connect();
        }
        let mut replies = Vec::new();
        while let Some(message) = self.decoder.decode(&mut input).expect("the server sends good chunks") {
            replies.extend(self.handle(&message));
        }
        replies
    }

    /// Does something else, or nothing.
    pub fn act(&mut self, rng: &mut Rng) {
        if self.created <= self.streams {
            return;
        }
        if self.is_publishing && rng.once_in(5) {
            self.send(MessageTypeId::VIDEO, self.streams + 1, OWN_PICTURE.into());
        }
        if !rng.once_in(15) {
            return;
        }
        let msid = 1 + u32::try_from(rng.index(self.streams as usize)).unwrap();
        match rng.below(10) {
            0..3 => self.play(msid),
            3 => self.command("closeStream", msid, |_| ()),
            4 => {
                let pauses = rng.once_in(2);
                self.command("pause", msid, |writer| {
                    writer.boolean(pauses).number(0.0);
                });
            }
            5 => self.command("seek", msid, |writer| {
                writer.number(1_000.0);
            }),
            6 | 7 => {
                let kind = rng.pick(&["receiveVideo", "receiveVideo", "receiveAudio"]);
                let wants = rng.once_in(2);
                self.command(kind, msid, |writer| {
                    writer.boolean(wants);
                });
            }
            8 if rng.once_in(4) => {
                for _ in 0..FLOOD {
                    self.play(msid);
                    self.command("closeStream", msid, |_| ());
                }
            }
            _ => self.publish_or_stop(),
        }
    }

    /// It is done with everything, and says so.
    pub fn close(&mut self) {
        for msid in 1..=self.created {
            self.command("deleteStream", 0, |writer| {
                writer.number(f64::from(msid));
            });
        }
    }

    fn connect(&mut self) {
        self.output.write(&[0; 1_536]);
        self.transaction += 1.0;
        let mut payload = Vec::new();
        let mut writer = Writer::new(&mut payload);
        writer.string("connect").number(self.transaction).object_start();
        writer
            .key("app")
            .string("live")
            .key("tcUrl")
            .string("rtmp://host/live")
            .object_end();
        self.send(MessageTypeId::COMMAND_AMF0, 0, payload.into());
        for _ in 0..=self.streams {
            self.command("createStream", 0, |_| ());
        }
    }

    fn play(&mut self, msid: u32) {
        self.command("play", msid, |writer| {
            writer.string(format!("s{}", msid - 1));
        });
    }

    fn publish_or_stop(&mut self) {
        let msid = self.streams + 1;
        if self.is_publishing {
            self.command("closeStream", msid, |_| ());
        } else {
            self.command("publish", msid, |writer| {
                writer.string("restless");
            });
            self.send(MessageTypeId::VIDEO, msid, OWN_HEADER.into());
        }
        self.is_publishing = !self.is_publishing;
    }

    fn command(&mut self, name: &str, msid: u32, arguments: impl FnOnce(&mut Writer<&mut Vec<u8>>)) {
        self.transaction += 1.0;
        let mut payload = Vec::new();
        let mut writer = Writer::new(&mut payload);
        writer.string(name).number(self.transaction).null();
        arguments(&mut writer);
        self.send(MessageTypeId::COMMAND_AMF0, msid, payload.into());
    }

    fn send(&mut self, type_id: MessageTypeId, msid: u32, payload: Bytes) {
        let message = Message {
            csid: ChunkStreamId::COMMAND,
            msid: MessageStreamId(msid),
            type_id,
            timestamp: Timestamp::ZERO,
            payload,
        };
        self.encoder
            .encode(&message, &mut self.output)
            .expect("a short message");
    }

    fn handle(&mut self, message: &Message) -> Option<Reply> {
        let says = |text: &[u8]| message.payload.windows(text.len()).any(|window| window == text);
        let stream = message.msid.0.checked_sub(1).filter(|stream| *stream < self.streams);
        match message.type_id {
            MessageTypeId::COMMAND_AMF0 if says(b"_result") && !says(b"NetConnection.Connect") => self.created += 1,
            // It is told of a start too when it wants sound or pictures again.
            MessageTypeId::COMMAND_AMF0 if says(b"Started playing.") => {
                return stream.map(|stream| Reply::Started(stream as usize));
            }
            MessageTypeId::USER_CONTROL if message.payload.starts_with(&[0, PING]) => {
                let pong = [&[0, PING + 1], &message.payload[2..]].concat();
                self.send(MessageTypeId::USER_CONTROL, 0, pong.into());
            }
            _ => {
                let kind = FrameKind::from_type_id(message.type_id.0)?;
                let frame = Frame::new(kind, message.timestamp, message.payload.clone());
                return stream.map(|stream| Reply::Frame(stream as usize, frame));
            }
        }
        None
    }
}

const PING: u8 = 6;

const OWN_HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1, 0, 0];
const OWN_PICTURE: &[u8] = &[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65];
