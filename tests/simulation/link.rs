//! How an actor is connected, and what it hears.

use crate::encoder::{Encoder, Reply};
use crate::framing::{self, Framing};
use crate::operator::Operator;
use crate::restless::{self, Restless};
use crate::rng::Rng;
use crate::wire::Wire;
use bytes::Buf;
use headwater_core::flv::{FlvItem, FlvReader, FlvWriter, TagFlags};
use headwater_core::rtmp::{ClientEvent, ClientSession, ProtocolError};
use headwater_core::server::{ConnectionId, LocalEvent, Server};
use headwater_core::{Frame, FrameKind, Limits, Output, Time};

#[derive(Debug)]
pub enum Link {
    Rtmp(Wire, Box<ClientSession>),
    Encoder(Wire, Box<Encoder>),
    Push(Wire, Push),
    Pull(Wire, Box<Response>),
    Restless(Wire, Box<Restless>),
    Operator(Wire, Operator),
    /// Of one who does not listen.
    Raw(Wire),
    Local(usize, ConnectionId),
}

/// How a publisher sends its FLV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    Plain,
    Chunked,
}

/// What a player by HTTP has got.
#[derive(Debug, Default)]
pub struct Response {
    head: Vec<u8>,
    /// Once the head is complete.
    body: Option<Body>,
}

/// The FLV stream behind the head.
#[derive(Debug)]
struct Body {
    framing: Framing,
    reader: FlvReader,
    flags: Option<TagFlags>,
}

/// What an actor hears of the server.
pub enum Heard {
    Frame(Frame),
    /// It may publish.
    Started,
    /// It plays one of several streams, from the beginning.
    PlayStarted(usize),
    /// A frame of one of several streams.
    FrameOf(usize, Frame),
    Over(String),
}

impl Link {
    /// Its connection, if it has one over the network.
    pub fn wire(&mut self) -> Option<&mut Wire> {
        match self {
            Link::Rtmp(wire, _)
            | Link::Encoder(wire, _)
            | Link::Push(wire, _)
            | Link::Pull(wire, _)
            | Link::Restless(wire, _)
            | Link::Operator(wire, _)
            | Link::Raw(wire) => Some(wire),
            Link::Local(..) => None,
        }
    }

    pub fn wire_ref(&self) -> Option<&Wire> {
        match self {
            Link::Rtmp(wire, _)
            | Link::Encoder(wire, _)
            | Link::Push(wire, _)
            | Link::Pull(wire, _)
            | Link::Restless(wire, _)
            | Link::Operator(wire, _)
            | Link::Raw(wire) => Some(wire),
            Link::Local(..) => None,
        }
    }

    /// Its worker.
    pub fn shard(&self) -> usize {
        match self {
            Link::Local(shard, _) => *shard,
            _ => self
                .wire_ref()
                .map(|wire| wire.shard)
                .expect("all others are over the network"),
        }
    }

    pub fn id(&self) -> ConnectionId {
        match self {
            Link::Local(_, id) => *id,
            _ => self
                .wire_ref()
                .map(|wire| wire.peer.id())
                .expect("all others are over the network"),
        }
    }

    /// What the player was told of the kinds of media, if it was.
    pub fn flags(&self) -> Option<TagFlags> {
        match self {
            Link::Pull(_, response) => response.body.as_ref()?.flags,
            _ => None,
        }
    }

    /// Carries what is due both ways, and returns what the server says. Its bytes go to `note` as well.
    pub fn hear(&mut self, now: Time, mut note: impl FnMut(&[u8])) -> Vec<Heard> {
        let mut all = Vec::new();
        let Some(wire) = self.wire() else { return all };
        let bytes = wire.carry(now);
        note(&bytes);
        let is_over = wire.is_over();
        match self {
            Link::Rtmp(wire, session) => {
                hear_rtmp(session, now, &bytes, &mut all);
                wire.say(now, drain(session.output()));
            }
            Link::Encoder(wire, encoder) => {
                all.extend(encoder.hear(&bytes).into_iter().map(|reply| match reply {
                    Reply::Started => Heard::Started,
                    Reply::Over(text) => Heard::Over(text),
                }));
                wire.say(now, encoder.take());
            }
            Link::Pull(wire, response) => {
                let reply = response.read(&bytes, &mut all);
                wire.say(now, reply);
            }
            Link::Restless(wire, restless) => {
                all.extend(restless.hear(&bytes).into_iter().map(|reply| match reply {
                    restless::Reply::Started(stream) => Heard::PlayStarted(stream),
                    restless::Reply::Frame(stream, frame) => Heard::FrameOf(stream, frame),
                }));
                wire.say(now, restless.take());
            }
            Link::Operator(_, operator) => operator.hear(&bytes),
            Link::Push(..) | Link::Raw(_) | Link::Local(..) => {}
        }
        if is_over {
            all.push(Heard::Over("closed".into()));
        }
        all
    }

    pub fn send_frame(&mut self, now: Time, frame: Frame, server: impl FnOnce(usize, ConnectionId, Frame)) {
        match self {
            Link::Rtmp(wire, session) => {
                session.send_frame(&frame).unwrap_or_default();
                wire.say(now, drain(session.output()));
            }
            Link::Encoder(wire, encoder) => {
                encoder.send_frame(&frame);
                wire.say(now, encoder.take());
            }
            Link::Push(wire, push) => {
                let mut output = Output::new();
                FlvWriter::frame(&frame, &mut output);
                wire.say(now, push.wrap(drain(&mut output)));
            }
            Link::Local(shard, id) => server(*shard, *id, frame),
            Link::Pull(..) | Link::Restless(..) | Link::Operator(..) | Link::Raw(_) => {}
        }
    }

    /// Does something else, or asks for something. `is_well`: it is to leave the servers as they are.
    pub fn act(&mut self, now: Time, is_well: bool, rng: &mut Rng) {
        match self {
            Link::Restless(wire, restless) => {
                restless.act(rng);
                wire.say(now, restless.take());
            }
            Link::Operator(wire, operator) => wire.say(now, operator.ask(is_well, rng)),
            _ => {}
        }
    }

    /// A push begins.
    pub fn send_header(&mut self, now: Time, flags: TagFlags) {
        if let Link::Push(wire, push) = self {
            let mut output = Output::new();
            FlvWriter::header(flags, &mut output);
            wire.say(now, push.wrap(drain(&mut output)));
        }
    }

    /// Says farewell, as its protocol has it.
    pub fn close(&mut self, now: Time) {
        match self {
            Link::Rtmp(wire, session) => {
                session.close(now);
                wire.say(now, drain(session.output()));
            }
            Link::Encoder(wire, encoder) => {
                encoder.close();
                wire.say(now, encoder.take());
                wire.is_finishing = true;
            }
            Link::Push(wire, push) => {
                if *push == Push::Chunked {
                    wire.say(now, b"0\r\n\r\n".to_vec());
                }
                wire.is_finishing = true;
            }
            Link::Restless(wire, restless) => {
                restless.close();
                wire.say(now, restless.take());
                wire.is_finishing = true;
            }
            Link::Pull(wire, _) | Link::Operator(wire, _) | Link::Raw(wire) => wire.is_finishing = true,
            Link::Local(..) => {}
        }
    }
}

impl Push {
    fn wrap(self, bytes: Vec<u8>) -> Vec<u8> {
        match self {
            Push::Plain => bytes,
            Push::Chunked => framing::chunk(&bytes),
        }
    }
}

fn hear_rtmp(session: &mut ClientSession, now: Time, mut input: &[u8], all: &mut Vec<Heard>) {
    loop {
        let event = match session.handle_input(now, &mut input) {
            Ok(None) => session.handle_timeout(now),
            event => event,
        };
        match event {
            Ok(Some(ClientEvent::Frame(frame))) => all.push(Heard::Frame(frame)),
            Ok(Some(ClientEvent::Started)) => all.push(Heard::Started),
            Ok(Some(event @ (ClientEvent::Refused { .. } | ClientEvent::Ended(_)))) => {
                all.push(Heard::Over(format!("{event:?}")));
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => {
                let is_late = matches!(error, ProtocolError::Timeout(_));
                assert!(is_late, "the server broke the protocol: {error}");
                all.push(Heard::Over(error.to_string()));
                break;
            }
        }
    }
    if session.is_closed() {
        all.push(Heard::Over("closed".into()));
    }
}

/// What a connection of the program's own has for it.
pub fn hear_local(server: &mut Server, now: Time, id: ConnectionId) -> Vec<Heard> {
    let mut all = Vec::new();
    while let Some(event) = server.poll_local(now, id) {
        match event {
            LocalEvent::Frame(frame) => all.push(Heard::Frame(frame)),
            LocalEvent::Accepted => all.push(Heard::Started),
            event @ (LocalEvent::Refused(_) | LocalEvent::Ended(_)) => all.push(Heard::Over(format!("{event:?}"))),
            _ => {}
        }
    }
    all
}

impl Response {
    /// Reads on in it, and returns what is to be answered.
    fn read(&mut self, bytes: &[u8], all: &mut Vec<Heard>) -> Vec<u8> {
        if let Some(body) = &mut self.body {
            return body.read(bytes, all);
        }
        self.head.extend(bytes);
        let Some(end) = self.head.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Vec::new();
        };
        let rest = self.head.split_off(end + 4);
        let head = String::from_utf8_lossy(&self.head);
        let line = head.lines().next().unwrap_or_default();
        if !line.contains(" 200 ") && !line.contains(" 101 ") {
            all.push(Heard::Over(line.into()));
            return Vec::new();
        }
        let body = self.body.insert(Body {
            framing: Framing::of(&head),
            reader: FlvReader::new(&Limits::default()),
            flags: None,
        });
        body.read(&rest, all)
    }
}

impl Body {
    fn read(&mut self, bytes: &[u8], all: &mut Vec<Heard>) -> Vec<u8> {
        let unwrapped = self.framing.unwrap(bytes);
        let mut input = &unwrapped.body[..];
        while let Some(item) = self.reader.handle_input(&mut input).expect("the server sends good FLV") {
            match item {
                FlvItem::Header(header) => {
                    assert!(self.flags.is_none(), "a second FLV header");
                    self.flags = Some(header);
                }
                FlvItem::Frame(frame) => {
                    let flags = self.flags.expect("an FLV header comes first");
                    let is_announced = match frame.kind {
                        FrameKind::Audio => flags.audio,
                        FrameKind::Video => flags.video,
                        FrameKind::Data => true,
                    };
                    assert!(is_announced, "{flags:?} do not announce a frame: {frame:?}");
                    all.push(Heard::Frame(frame));
                }
                other => panic!("the server sends what nobody published: {other:?}"),
            }
        }
        if unwrapped.is_over {
            all.push(Heard::Over("its response has ended".into()));
        }
        unwrapped.reply
    }
}

pub fn drain(output: &mut Output) -> Vec<u8> {
    output.copy_to_bytes(output.remaining()).to_vec()
}
