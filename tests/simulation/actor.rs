//! Those who connect to the server.

use crate::encoder::Encoder;
use crate::hostile::Hostility;
use crate::link::{Heard, Link, Push, Response, hear_local};
use crate::media::{Source, Stamp, is_coded};
use crate::operator::Operator;
use crate::plan::{Part, Plan};
use crate::restless::Restless;
use crate::rng::Rng;
use crate::screen::Screen;
use crate::wire::Wire;
use crate::world::{TICK, World};
use headwater_core::flv::TagFlags;
use headwater_core::rtmp::{ClientRequest, ClientSession, Purpose};
use headwater_core::server::{ConnectionId, Protocol};
use headwater_core::{Frame, StreamKey, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Publisher,
    Player,
    /// A player that changes its mind all the time.
    Restless,
    Operator,
    Hostile(Hostility),
}

/// What an actor speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// RTMP as our own client does.
    Rtmp,
    /// RTMP as encoders do.
    Quirky,
    /// HTTP/1.0: what it sends and gets is not wrapped.
    Http,
    /// HTTP/1.1, in chunks.
    Chunked,
    WebSocket,
    /// It is part of the server's program.
    Local,
}

#[derive(Debug)]
pub struct Actor {
    pub name: String,
    pub part: Part,
    rng: Rng,
    pub link: Option<Link>,
    /// When it connects, if it has no connection.
    pub returns: Time,
    /// Ticks since it connected, in which its worker was there.
    ticks: u64,
    /// Its frames since it was let publish.
    source: Option<usize>,
    pub screen: Screen,
    /// What it sees of each stream, if it plays several.
    screens: BTreeMap<usize, Screen>,
    /// It publishes nothing until then.
    silent_until: Time,
    /// In process, it takes nothing until then.
    pub takes_from: Time,
    is_healed: bool,
}

/// How much longer than its time a connection may be there that says too little: a server that was late gives it more.
const LATENESS: Duration = Duration::from_secs(4);

impl Actor {
    pub fn new(plan: &Plan, index: usize) -> Actor {
        let part = plan.parts[index];
        let name = match part.role {
            Role::Publisher => format!("pub{index}.{:?}.s{}", part.how, part.stream),
            Role::Player => format!("play{index}.{:?}.s{}", part.how, part.stream),
            Role::Restless => format!("restless{index}"),
            Role::Operator => format!("operator{index}"),
            Role::Hostile(hostility) => format!("hostile{index}.{hostility:?}.{:?}", part.how),
        };
        let mut rng = Rng::new(plan.seed ^ (index as u64 + 1) << 48);
        Actor {
            name: name.to_lowercase(),
            part,
            link: None,
            returns: match part.is_absent {
                true => Time::NEVER,
                false => plan.start + rng.millis(0, 500),
            },
            ticks: 0,
            rng,
            source: None,
            screen: Screen::default(),
            screens: BTreeMap::new(),
            silent_until: Time::ZERO,
            takes_from: Time::ZERO,
            is_healed: false,
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
            Role::Hostile(hostility) => self.harass(world, hostility),
            Role::Player => {}
            Role::Restless | Role::Operator => {
                if let Some(link) = &mut self.link {
                    link.act(world.now, self.is_healed, &mut self.rng);
                }
            }
        }
        if let Some(link) = &mut self.link
            && let Some(wire) = link.wire()
        {
            self.ticks += u64::from(!world.is_paused(wire.shard));
        }
    }

    /// Its connection, if it has one over the network.
    pub fn wire(&mut self) -> Option<&mut Wire> {
        self.link.as_mut()?.wire()
    }

    pub fn id(&self) -> Option<ConnectionId> {
        Some(self.link.as_ref()?.id())
    }

    /// The source that it publishes, if it does.
    pub fn source(&self) -> Option<usize> {
        self.source.filter(|_| self.link.is_some())
    }

    /// For how long something that it sent has arrived at the server all the time, up to now.
    pub fn steady_for(&self, now: Time) -> Duration {
        let wire = self.link.as_ref().and_then(Link::wire_ref);
        wire.map_or(Duration::ZERO, |wire| wire.steady_for(now))
    }

    fn connect(&mut self, world: &mut World) {
        let shard = self.rng.index(world.shards.len());
        if world.is_paused(shard) || world.shards[shard].worker.is_shutting_down() {
            return;
        }
        world.note(1, || format!("{} connects to worker {shard}", self.name));
        self.source = None;
        let (stream, now) = (self.part.stream, world.now);
        self.screen = Screen::new(world.plan.max_ahead(), world.oracle.replaced(shard, stream));
        self.screens.clear();
        self.ticks = 0;
        let is_publisher = self.part.role == Role::Publisher;
        if self.part.how == How::Local {
            let key = StreamKey::new(&format!("live/s{stream}")).unwrap();
            let server = world.shards[shard].worker.server_mut();
            let id = match self.part.role {
                Role::Publisher => server.publish(now, key),
                _ => server.play(now, key),
            };
            self.link = Some(Link::Local(shard, id.unwrap()));
            return;
        }
        let protocol = match self.part.role {
            Role::Operator => Protocol::Admin,
            _ => Protocol::Media,
        };
        let wire = Wire::new(world.accept(shard, protocol, self.part.host), shard);
        let mut link = match (self.part.how, self.part.role) {
            (_, Role::Hostile(_)) => Link::Raw(wire),
            (_, Role::Restless) => Link::Restless(wire, Box::new(Restless::new(world.plan.styles.len()))),
            (_, Role::Operator) => Link::Operator(wire, Operator::default()),
            (How::Quirky, _) => Link::Encoder(wire, Box::new(Encoder::new(self.part.quirks, format!("s{stream}")))),
            (How::Rtmp, _) => {
                let request = ClientRequest {
                    purpose: if is_publisher { Purpose::Publish } else { Purpose::Play },
                    app: "live".into(),
                    tc_url: "rtmp://host/live".into(),
                    name: format!("s{stream}").into(),
                };
                let session = ClientSession::new(Arc::default(), now, self.rng.next(), request);
                Link::Rtmp(wire, Box::new(session))
            }
            (_, Role::Publisher) => Link::Push(wire, Push::Plain),
            (_, Role::Player) => Link::Pull(wire, Box::<Response>::default()),
        };
        let waits = if self.rng.once_in(3) { "?wait=2" } else { "" };
        let request = match (self.part.how, self.part.role) {
            (_, Role::Restless | Role::Operator | Role::Hostile(_)) => String::new(),
            (How::Http, Role::Publisher) => format!("POST /live/s{stream} HTTP/1.0\r\n\r\n"),
            (How::Chunked | How::WebSocket, Role::Publisher) => {
                if let Link::Push(_, push) = &mut link {
                    *push = Push::Chunked;
                }
                format!("PUT /live/s{stream} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            }
            (How::Http, Role::Player) => format!("GET /live/s{stream}.flv{waits} HTTP/1.0\r\n\r\n"),
            (How::Chunked, Role::Player) => format!("GET /live/s{stream}{waits} HTTP/1.1\r\nHost: h\r\n\r\n"),
            (How::WebSocket, Role::Player) => format!(
                "GET /live/s{stream}{waits} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ),
            (How::Rtmp | How::Quirky | How::Local, _) => String::new(),
        };
        if let Some(wire) = link.wire() {
            wire.say(now, request.into_bytes());
            let may_listen_on = matches!(self.part.how, How::Http | How::Chunked) && self.part.role == Role::Player;
            wire.is_finishing = may_listen_on && self.part.half_closes && !self.is_healed;
        }
        let is_push = matches!(link, Link::Push(..));
        self.link = Some(link);
        if is_push {
            self.start_source(world);
        }
    }

    fn start_source(&mut self, world: &mut World) {
        let (id, stream) = (world.sources.len(), self.part.stream);
        let style = world.plan.styles[stream];
        let source = Source::new(id, stream, style, &mut self.rng);
        world.sources.push(source);
        self.source = Some(id);
        self.silent_until = Time::ZERO;
        world.note(2, || format!("{} publishes source {id}", self.name));
        let flags = TagFlags {
            audio: style.has_audio,
            video: style.has_video,
        };
        if let Some(link) = &mut self.link {
            link.send_header(world.now, flags);
        }
    }

    /// What the server has said to it.
    fn hear(&mut self, world: &mut World) -> Vec<Heard> {
        let now = world.now;
        match &mut self.link {
            Some(Link::Local(shard, id)) => {
                let is_ready = self.takes_from <= now && !world.is_paused(*shard);
                let shard = &mut world.shards[*shard];
                if is_ready && shard.awake.remove(id) {
                    return hear_local(shard.worker.server_mut(), now, *id);
                }
                Vec::new()
            }
            Some(link) => link.hear(now, |bytes| world.journal.borrow_mut().note_bytes(bytes)),
            None => Vec::new(),
        }
    }

    fn handle(&mut self, world: &mut World, heard: Heard) {
        match heard {
            Heard::Frame(frame) if self.part.role == Role::Player => {
                self.note_frame(world, &frame);
                let skipped = self.screen.see(world.now, self.part.stream, &world.sources, &frame);
                if let Some(link) = &self.link {
                    if let Some(skipped) = skipped {
                        world.oracle.note_skipped(&self.name, link.id(), skipped);
                    }
                    let earlier = &self.screen.earlier_sources;
                    world.oracle.note_replaced(link.shard(), self.part.stream, earlier);
                }
            }
            Heard::Started if self.part.role == Role::Publisher && self.source().is_none() => {
                self.start_source(world);
            }
            Heard::PlayStarted(stream) => {
                world.note(9, || format!("{} plays s{stream}", self.name));
                let screen = Screen::new(world.plan.max_ahead(), BTreeSet::new());
                self.screens.insert(stream, screen);
            }
            Heard::FrameOf(stream, frame) => {
                self.note_frame(world, &frame);
                let screen = self
                    .screens
                    .get_mut(&stream)
                    .expect("a play starts before its frames come");
                screen.see(world.now, stream, &world.sources, &frame);
            }
            Heard::Frame(_) | Heard::Started => {}
            Heard::Over(why) => {
                if self.link.is_some() {
                    world.note(3, || format!("{} is told that it is over: {why}", self.name));
                    world.marks.note_told(&why);
                    self.hang_up(world);
                }
            }
        }
    }

    fn note_frame(&self, world: &World, frame: &Frame) {
        let time = frame.timestamp.as_millis();
        world.note(u64::from(time), || {
            let stamp = is_coded(frame).then(|| Stamp::of(frame).to_string());
            let class = format!("{:?} {:?}", frame.kind, frame.class).to_lowercase();
            format!("{} sees {class} {} at {time}", self.name, stamp.unwrap_or_default())
        });
    }

    fn publish(&mut self, world: &mut World) {
        if self.source.is_none() && self.part.quirks.is_eager() && matches!(self.link, Some(Link::Encoder(..))) {
            self.start_source(world);
        }
        let (Some(source), true) = (self.source(), self.silent_until <= world.now) else {
            return;
        };
        let frames = world.sources[source].due(world.now, &mut self.rng);
        for frame in frames {
            if let Some(link) = &mut self.link {
                let now = world.now;
                link.send_frame(now, frame, |shard, id, frame| {
                    // It is in the mailbox while the worker pauses.
                    let server = world.shards[shard].worker.server_mut();
                    server.send_frame(now, id, frame).unwrap_or_default();
                });
            }
        }
        if self.part.flaps && self.rng.once_in(20) {
            self.hang_up(world);
        }
    }

    fn harass(&mut self, world: &mut World, hostility: Hostility) {
        let is_rtmp = self.part.how == How::Rtmp;
        let bytes = hostility.say(self.ticks, is_rtmp, &mut self.rng);
        let Some(wire) = self.wire() else { return };
        if hostility == Hostility::Crawls {
            wire.rate = Some(1);
        }
        wire.say(world.now, bytes);
        if hostility == Hostility::Slow {
            let limits = [&world.plan.config.limits, &world.plan.other_config.limits];
            let spans = limits.map(|limits| limits.handshake_timeout.max(limits.command_timeout));
            let max = spans.into_iter().max().unwrap() + LATENESS;
            let span = TICK * u32::try_from(self.ticks).unwrap();
            assert!(span <= max, "{} says nothing for {span:?} and is there", self.name);
        }
        if hostility.has_enough(&mut self.rng) {
            self.hang_up(world);
        }
    }

    /// Its connection is gone without a word.
    pub fn hang_up(&mut self, world: &mut World) {
        if let Some(mut link) = self.link.take() {
            if let Some(wire) = link.wire() {
                wire.reset();
                world.note_break(wire.shard, wire.peer.clone());
            } else if let Link::Local(shard, id) = link {
                world.shards[shard].worker.server_mut().handle_eof(world.now, id);
            }
        }
        self.returns = world.now + self.rng.millis(0, 300);
    }

    /// It leaves as its protocol says.
    pub fn leave(&mut self, world: &mut World) {
        match &mut self.link {
            Some(Link::Local(..)) => self.hang_up(world),
            Some(link) => link.close(world.now),
            None => {}
        }
    }

    /// It leaves as its protocol says, and closes its sending side with that.
    pub fn leave_half_closed(&mut self, world: &mut World) {
        self.leave(world);
        if let Some(wire) = self.wire() {
            wire.is_finishing = true;
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

    /// Whether it has nothing to publish, or not all kinds of media yet.
    pub fn is_silent(&self, world: &World) -> bool {
        let source = self.source().map(|source| &world.sources[source]);
        source.is_some_and(|source| self.silent_until > world.now || !source.is_complete(world.now))
    }

    /// All is well, and it stays or goes.
    pub fn heal(&mut self, world: &mut World) {
        self.takes_from = Time::ZERO;
        self.is_healed = true;
        if let Some(wire) = self.wire() {
            wire.heal();
        }
        if !self.part.stays {
            self.hang_up(world);
            self.returns = Time::NEVER;
        }
    }
}
