//! Those who connect to the server.

use crate::media::Source;
use crate::plan::Part;
use crate::screen::Screen;
use crate::wire::Wire;
use crate::world::World;
use bytes::Buf;
use headwater_core::flv::{FlvItem, FlvReader, FlvWriter, TagFlags};
use headwater_core::rtmp::{ClientEvent, ClientRequest, ClientSession, ProtocolError, Purpose};
use headwater_core::server::{ConnectionId, LocalEvent, Protocol};
use headwater_core::{Frame, FrameKind, Limits, Output, StreamKey, Time};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Publisher,
    Player,
    /// Sends anything.
    Garbage,
}

/// What an actor speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Rtmp,
    Http,
    /// It is part of the server's program.
    Local,
}

#[derive(Debug)]
pub struct Actor {
    pub name: String,
    pub part: Part,
    host: u8,
    pub link: Option<Link>,
    /// When it connects, if it has no connection.
    pub returns: Time,
    /// Its frames since it was let publish.
    source: Option<usize>,
    pub screen: Screen,
    /// It publishes nothing until then.
    silent_until: Time,
    /// In process, it takes nothing until then.
    pub takes_from: Time,
}

/// How an actor is connected.
#[derive(Debug)]
pub enum Link {
    Rtmp(Wire, Box<ClientSession>),
    Http(Wire, Box<Response>),
    Local(usize, ConnectionId),
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
    reader: FlvReader,
    flags: Option<TagFlags>,
}

/// What an actor hears of the server.
enum Heard {
    Frame(Frame),
    /// It may publish.
    Started,
    Over(String),
}

impl Actor {
    pub fn new(index: usize, part: Part, returns: Time) -> Actor {
        let letter = match part.role {
            Role::Publisher => "pub",
            Role::Player => "play",
            Role::Garbage => "noise",
        };
        Actor {
            name: format!("{letter}{index}.{:?}.s{}", part.how, part.stream).to_lowercase(),
            part,
            host: u8::try_from(index).unwrap() / 2 + 1,
            link: None,
            returns,
            source: None,
            screen: Screen::default(),
            silent_until: Time::ZERO,
            takes_from: Time::ZERO,
        }
    }

    /// Does what it does in a tick.
    pub fn act(&mut self, world: &mut World) {
        if self.link.is_none() && self.returns <= world.now {
            self.connect(world);
        }
        for heard in self.hear(world) {
            self.handle(world, heard);
        }
        match self.part.role {
            Role::Publisher => self.publish(world),
            Role::Garbage => self.make_noise(world),
            Role::Player => {}
        }
        if let Some(Link::Rtmp(wire, session)) = &mut self.link {
            wire.say(world.now, drain(session.output()));
        }
    }

    /// Its connection, if it has one over the network.
    pub fn wire(&mut self) -> Option<&mut Wire> {
        match &mut self.link {
            Some(Link::Rtmp(wire, _) | Link::Http(wire, ..)) => Some(wire),
            _ => None,
        }
    }

    pub fn id(&self) -> Option<ConnectionId> {
        match self.link.as_ref()? {
            Link::Rtmp(wire, _) | Link::Http(wire, ..) => Some(wire.peer.id()),
            Link::Local(_, id) => Some(*id),
        }
    }

    /// The source that it publishes, if it does.
    pub fn source(&self) -> Option<usize> {
        self.source.filter(|_| self.link.is_some())
    }

    fn connect(&mut self, world: &mut World) {
        let shard = world.rng.index(world.shards.len());
        if world.is_paused(shard) || world.shards[shard].worker.is_shutting_down() {
            return;
        }
        world.note(1, || format!("{} connects to worker {shard}", self.name));
        self.source = None;
        self.screen = Screen::default();
        let (stream, now) = (self.part.stream, world.now);
        let protocol = match self.part.how {
            How::Rtmp => Protocol::Rtmp,
            How::Http => Protocol::Http,
            How::Local => {
                let key = StreamKey::new(&format!("live/s{stream}")).unwrap();
                let server = world.shards[shard].worker.server_mut();
                let id = match self.part.role {
                    Role::Publisher => server.publish(now, key).unwrap(),
                    _ => server.play(now, key).unwrap(),
                };
                self.link = Some(Link::Local(shard, id));
                return;
            }
        };
        let peer = world.accept(shard, protocol, self.host);
        let mut wire = Wire::new(peer, shard);
        self.link = Some(match (self.part.how, self.part.role) {
            (_, Role::Garbage) | (How::Local, _) => Link::Http(wire, Box::default()),
            (How::Rtmp, role) => {
                let request = ClientRequest {
                    purpose: if role == Role::Publisher {
                        Purpose::Publish
                    } else {
                        Purpose::Play
                    },
                    app: "live".into(),
                    tc_url: "rtmp://host/live".into(),
                    name: format!("s{stream}").into(),
                };
                let session = ClientSession::new(Arc::default(), now, world.rng.next(), request);
                Link::Rtmp(wire, Box::new(session))
            }
            (How::Http, role) => {
                let request = match role {
                    Role::Publisher => format!("POST /live/s{stream} HTTP/1.0\r\n\r\n"),
                    _ if world.rng.once_in(3) => format!("GET /live/s{stream}.flv?wait=2 HTTP/1.0\r\n\r\n"),
                    _ => format!("GET /live/s{stream} HTTP/1.0\r\n\r\n"),
                };
                wire.say(now, request.into_bytes());
                Link::Http(wire, Box::default())
            }
        });
        if (self.part.how, self.part.role) == (How::Http, Role::Publisher) {
            self.start_source(world);
        }
    }

    fn start_source(&mut self, world: &mut World) {
        let (id, stream) = (world.sources.len(), self.part.stream);
        let style = world.plan.styles[stream];
        let source = Source::new(id, stream, style, &mut world.rng);
        world.sources.push(source);
        self.source = Some(id);
        world.note(2, || format!("{} publishes source {id}", self.name));
        if let Some(Link::Http(wire, ..)) = &mut self.link {
            let mut output = Output::new();
            let flags = TagFlags {
                audio: style.has_audio,
                video: style.has_video,
            };
            FlvWriter::header(flags, &mut output);
            wire.say(world.now, drain(&mut output));
        }
    }

    /// What the server has said to it.
    fn hear(&mut self, world: &mut World) -> Vec<Heard> {
        let now = world.now;
        let mut all = Vec::new();
        match &mut self.link {
            Some(Link::Rtmp(wire, session)) => {
                let bytes = wire.carry(now);
                world.journal.borrow_mut().note_bytes(&bytes);
                let mut input = &bytes[..];
                let is_over = wire.is_over();
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
                            assert!(is_late, "{}: the server broke the protocol: {error}", self.name);
                            all.push(Heard::Over(error.to_string()));
                            break;
                        }
                    }
                }
                if is_over || session.is_closed() {
                    all.push(Heard::Over("closed".into()));
                }
            }
            Some(Link::Http(wire, response)) => {
                let bytes = wire.carry(now);
                world.journal.borrow_mut().note_bytes(&bytes);
                if self.part.role == Role::Player {
                    response.read(&bytes, &mut all);
                }
                if wire.is_over() {
                    all.push(Heard::Over("closed".into()));
                }
            }
            Some(Link::Local(shard, id)) if self.takes_from <= now && !world.is_paused(*shard) => {
                let shard = &mut world.shards[*shard];
                if shard.awake.remove(id) {
                    while let Some(event) = shard.worker.server_mut().poll_local(now, *id) {
                        all.push(match event {
                            LocalEvent::Frame(frame) => Heard::Frame(frame),
                            LocalEvent::Accepted => Heard::Started,
                            event @ (LocalEvent::Refused(_) | LocalEvent::Ended(_)) => {
                                Heard::Over(format!("{event:?}"))
                            }
                            _ => continue,
                        });
                    }
                }
            }
            _ => {}
        }
        all
    }

    fn handle(&mut self, world: &mut World, heard: Heard) {
        match heard {
            Heard::Frame(frame) if self.part.role == Role::Player => {
                let time = frame.timestamp.as_millis();
                world.note(u64::from(time), || {
                    let stamp = crate::media::is_coded(&frame).then(|| crate::media::Stamp::of(&frame));
                    format!(
                        "{} sees {:?} {:?} at {time}: {stamp:?}",
                        self.name, frame.kind, frame.class
                    )
                });
                self.screen.see(self.part.stream, &world.sources, &frame);
            }
            Heard::Started if self.part.role == Role::Publisher => self.start_source(world),
            Heard::Frame(_) | Heard::Started => {}
            Heard::Over(why) => {
                if self.link.is_some() {
                    world.note(3, || format!("{} is told that it is over: {why}", self.name));
                    self.hang_up(world);
                }
            }
        }
    }

    fn publish(&mut self, world: &mut World) {
        let (Some(source), true) = (self.source(), self.silent_until <= world.now) else {
            return;
        };
        let frames = world.sources[source].due(world.now, &mut world.rng);
        for frame in frames {
            match &mut self.link {
                Some(Link::Rtmp(_, session)) => session.send_frame(&frame).unwrap_or_default(),
                Some(Link::Http(wire, ..)) => {
                    let mut output = Output::new();
                    FlvWriter::frame(&frame, &mut output);
                    wire.say(world.now, drain(&mut output));
                }
                Some(Link::Local(shard, id)) => {
                    // It is in the mailbox while the worker pauses.
                    let sent = world.shards[*shard]
                        .worker
                        .server_mut()
                        .send_frame(world.now, *id, frame);
                    sent.unwrap_or_default();
                }
                None => {}
            }
        }
    }

    fn make_noise(&mut self, world: &mut World) {
        let (now, rng) = (world.now, &mut world.rng);
        let Some(Link::Http(wire, ..)) = &mut self.link else {
            return;
        };
        if !rng.once_in(10) {
            return;
        }
        let mut bytes = match rng.below(5) {
            0 => b"GET /live/s0 HTTP/1.1\r\nHost: x\r\n".to_vec(),
            1 => {
                b"POST /live/s0 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nFLV\x01\x05\r\n".to_vec()
            }
            2 => [&[3][..], &[0; 1536], &[7; 1536]].concat(),
            _ => Vec::new(),
        };
        let len = rng.size(0, 64);
        bytes.extend((0..len).map(|_| rng.next() as u8));
        wire.say(now, bytes);
        if rng.once_in(8) {
            wire.is_finishing = true;
        }
        if rng.once_in(10) {
            self.hang_up(world);
        }
    }

    /// Its connection is gone without a word.
    pub fn hang_up(&mut self, world: &mut World) {
        match self.link.take() {
            Some(Link::Rtmp(wire, _) | Link::Http(wire, ..)) => {
                // What breaks is told.
                wire.peer.set_reported(true);
                wire.peer.reset();
                world.note_break(wire.shard, wire.peer);
            }
            Some(Link::Local(shard, id)) => {
                let now = world.now;
                world.shards[shard].worker.server_mut().handle_eof(now, id);
            }
            None => {}
        }
        self.returns = world.now + world.rng.millis(0, 300);
    }

    /// It leaves as its protocol says.
    pub fn leave(&mut self, world: &mut World) {
        match &mut self.link {
            Some(Link::Rtmp(wire, session)) => {
                session.close(world.now);
                wire.say(world.now, drain(session.output()));
            }
            Some(Link::Http(wire, ..)) => wire.is_finishing = true,
            Some(Link::Local(..)) => self.hang_up(world),
            None => {}
        }
    }

    /// It has nothing to publish for a while.
    pub fn fall_silent(&mut self, world: &mut World, span: Duration) {
        if let Some(source) = self.source()
            && self.silent_until <= world.now
            && !world.sources[source].sent.is_empty()
        {
            world.sources[source].skip(span);
            self.silent_until = world.now + span;
        }
    }

    pub fn heal(&mut self) {
        self.takes_from = Time::ZERO;
        if let Some(wire) = self.wire() {
            wire.heal();
            wire.peer.set_reported(true);
        }
    }
}

impl Response {
    /// Reads on in it.
    fn read(&mut self, bytes: &[u8], all: &mut Vec<Heard>) {
        if let Some(body) = &mut self.body {
            return body.read(bytes, all);
        }
        self.head.extend(bytes);
        let Some(end) = self.head.windows(4).position(|window| window == b"\r\n\r\n") else {
            return;
        };
        let rest = self.head.split_off(end + 4);
        let head = String::from_utf8_lossy(&self.head);
        let line = head.lines().next().unwrap_or_default();
        if !line.contains(" 200 ") {
            all.push(Heard::Over(line.into()));
            return;
        }
        let body = self.body.insert(Body {
            reader: FlvReader::new(&Limits::default()),
            flags: None,
        });
        body.read(&rest, all);
    }
}

impl Body {
    fn read(&mut self, mut input: &[u8], all: &mut Vec<Heard>) {
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
    }
}

fn drain(output: &mut Output) -> Vec<u8> {
    output.copy_to_bytes(output.remaining()).to_vec()
}
