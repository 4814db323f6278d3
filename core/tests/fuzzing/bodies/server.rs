//! The whole server, on one shard or two, as a list of operations: of peers, of time, of the program, and of those who answer.
//!
//! What holds after each: no deadline stays behind, actions come to an end, what we send can be read, memory is no more than what
//! came can explain. When all have left: each start had one end, and nothing is left of anybody.

use super::choices::Choices;
use super::http;
use super::memory::Meter;
use super::script;
use super::snippets::{MESSAGES, frame, tags};
use bytes::Buf;
use headwater_core::rtmp::chunk::{ChunkDecoder, ChunkEncoder};
use headwater_core::server::record::{RecordConfig, Recording};
use headwater_core::server::{
    Action, Answer, Config, ConnectionId, Event, Grant, HttpAbsent, Kick, LocalEvent, Otherwise, ProcessFigures,
    Protocol, Server, ShardId, ShardMessage, Takeover, Ticket,
};
use headwater_core::{Limits, StreamKey, Time};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Connections that an input may open. Each takes some time to say its first words.
const MAX_CONNECTIONS: usize = 24;
/// Bytes that a connection may hold that has announced much and sent little: the message under way, and its state.
const PER_CONNECTION: usize = 350 << 10;
/// Bytes that one byte may make the servers hold: the smallest frame takes a slot in two rings and a message between shards.
const PER_BYTE: usize = 200;
/// Bytes that servers hold whoever is there: buffers that outputs use in turns, shares of addresses.
const PER_SHARD: usize = 2 << 20;
/// Bytes that a shard may keep of what peers say.
const MAX_RECORDED: usize = 20_000;
/// Deadlines until all is quiet once all have left.
const MAX_DEADLINES: usize = 5_000;

pub(super) fn check(bytes: &[u8]) {
    let meter = Meter::new();
    let mut choices = Choices::new(bytes);
    let mut world = World::new(choices.byte(), choices.byte());
    while !choices.is_empty() {
        world.step(&mut choices);
        let (came, connections) = (world.bytes_in, world.connections.len());
        let held_here = world.memory();
        meter.assert_at_most(2 * PER_SHARD + connections * PER_CONNECTION + PER_BYTE * came + held_here);
    }
    world.all_leave();
    drop(world);
    meter.assert_at_most(64 << 10);
}

struct World {
    now: Time,
    shards: Vec<Shard>,
    connections: Vec<Connection>,
    tickets: Vec<(usize, Ticket)>,
    /// What has begun and not ended, and how often.
    open: BTreeMap<(ConnectionId, String), u32>,
    bytes_in: usize,
    names: u8,
}

struct Shard {
    server: Server,
    /// Messages of other shards to this one.
    mailbox: VecDeque<(ShardId, ShardMessage)>,
}

/// A connection as its driver sees it, with what its peer does.
struct Connection {
    shard: usize,
    id: ConnectionId,
    kind: Kind,
    /// What the peer has sent and nobody has read.
    unread: Vec<u8>,
    /// Whether nothing comes behind that.
    is_finished: bool,
    was_eof_told: bool,
    /// Bytes that its socket takes.
    room: usize,
    is_shut_down: bool,
    is_closed: bool,
}

enum Kind {
    Rtmp(Box<Rtmp>),
    Http { is_operator: bool, has_answer: bool },
    Local { is_over: bool },
}

/// What an RTMP peer says and reads.
struct Rtmp {
    encoder: ChunkEncoder,
    decoder: ChunkDecoder,
    /// Bytes of the handshake that are still to come.
    handshake: usize,
}

/// `bounds` says whether there are few places, little memory, and records of those that fail.
fn config(bounds: u8, choice: u8) -> Config {
    let mut config = Config::default();
    if bounds & 1 == 1 {
        config.max_connections = 9;
        config.max_connections_per_address = 6;
        config.max_roleless_connections = 5;
        config.max_roleless_connections_per_address = 3;
        config.max_refused_connections = 2;
        config.max_publishers = 2;
        config.max_streams = 3;
    }
    if bounds & 2 == 2 {
        config.memory_budget = 60_000;
    }
    if bounds & 4 == 4 {
        let mut record = RecordConfig::default();
        record.max_bytes_per_connection = 3_000;
        record.max_bytes = MAX_RECORDED;
        config.record = Some(record);
    }
    let has = |bit: u8| choice >> bit & 1 == 1;
    config.keeps_events = true;
    config.grace = Duration::from_secs(if has(0) { 0 } else { 2 });
    config.takeover = match choice >> 1 & 3 {
        0 | 3 => Takeover::Auto,
        1 => Takeover::Always,
        _ => Takeover::Never,
    };
    config.authorize.publish = has(3);
    config.authorize.play = has(3) && has(4);
    config.authorize.otherwise = if has(1) { Otherwise::Allow } else { Otherwise::Deny };
    if has(4) {
        config.http_absent = HttpAbsent::Wait(Duration::from_secs(2));
    }
    config.rtmp_wait = Duration::from_secs(3);
    config.channel.gop_max_bytes = 100_000;
    config.channel.lag_max_bytes = if has(5) { 2_000 } else { 100_000 };
    config.channel.gop_max_frames = if has(5) { 5 } else { 200 };
    config.channel.merge = Duration::from_millis(if has(6) { 50 } else { 0 });
    config.limits = http::limits();
    config.limits.max_buffered_bytes = 200_000;
    config.limits.output_high_water = if has(7) { 500 } else { 64 << 10 };
    config.limits.idle_timeout = Duration::from_secs(3);
    config.limits.ping_interval = Duration::from_secs(2);
    config.max_waiting_players = 4;
    config
}

impl World {
    fn new(choice: u8, configuration: u8) -> World {
        let config = Arc::new(config(choice >> 3, configuration));
        let shards = 1 + u16::from(choice & 1);
        let shard = |index| Shard {
            server: Server::new(config.clone(), ShardId(index), shards, 7),
            mailbox: VecDeque::new(),
        };
        World {
            now: Time::from_millis(if choice & 2 == 0 { 0 } else { (1 << 32) - 2_000 }),
            shards: (0..shards).map(shard).collect(),
            connections: Vec::new(),
            tickets: Vec::new(),
            open: BTreeMap::new(),
            bytes_in: 0,
            names: choice >> 2 & 1,
        }
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        let now = self.now;
        match choices.byte() % 32 {
            0 | 1 => self.connect(choices),
            2..12 => self.say(choices),
            12 | 13 => {
                let Some(index) = self.choose(choices) else { return };
                let len = usize::from(choices.byte());
                let bytes = choices.bytes(len).to_vec();
                self.send(index, &bytes);
            }
            14 => {
                let Some(index) = self.choose(choices) else { return };
                self.connections[index].is_finished = true;
                self.pump(index);
            }
            15 => {
                let Some(index) = self.choose(choices) else { return };
                let Connection { shard, id, .. } = self.connections[index];
                self.connections[index].unread.clear();
                self.shards[shard].server.handle_reset(now, id);
            }
            16 | 17 => {
                let Some(index) = self.choose(choices) else { return };
                let room = choices.one_of(&[0, 1, 7, 100, 3_073, 20_000, usize::MAX]);
                self.connections[index].room = room;
                self.write(index);
            }
            18..21 => self.now = now + Duration::from_millis(u64::from(choices.number() % 8_000)),
            21 => self.now = self.deadline().unwrap_or(now).max(now),
            22..25 => self.deliver(choices),
            25 | 26 => self.answer(choices),
            27 => self.kick(choices),
            28 => {
                let config = Arc::new(config(choices.byte(), choices.byte()));
                for shard in &mut self.shards {
                    shard.server.reconfigure(now, config.clone());
                }
            }
            29 | 30 => self.act_in_process(choices),
            _ if choices.byte() == 0 => {
                let shard = usize::from(choices.byte()) % self.shards.len();
                self.shards[shard].server.shutdown(now);
            }
            _ => self.look(),
        }
        self.settle();
    }

    fn choose(&self, choices: &mut Choices<'_>) -> Option<usize> {
        let index = usize::from(choices.byte());
        index.checked_rem(self.connections.len())
    }

    fn name(&self, choice: u8) -> &'static str {
        ["live/cam", "live/x", "live/other"][usize::from(choice) % (1 + 2 * usize::from(self.names))]
    }

    fn connect(&mut self, choices: &mut Choices<'_>) {
        let what = choices.byte();
        if self.connections.len() >= MAX_CONNECTIONS {
            return;
        }
        let shard = usize::from(what >> 1) % self.shards.len();
        let is_operator = what & 0xC1 == 0xC1;
        let protocol = match what & 0x21 {
            _ if is_operator => Protocol::Admin,
            0 => Protocol::Rtmp,
            1 => Protocol::Http,
            _ => Protocol::Media,
        };
        let peer = ([192, 0, 2, what >> 2 & 3], 40_000).into();
        let Ok(id) = self.shards[shard].server.accept(self.now, protocol, peer) else {
            return;
        };
        let kind = if what & 1 == 0 {
            Kind::Rtmp(Box::new(Rtmp {
                encoder: ChunkEncoder::new(),
                decoder: ChunkDecoder::new(&Limits::default()),
                handshake: 3_073,
            }))
        } else {
            Kind::Http {
                is_operator,
                has_answer: false,
            }
        };
        self.add(shard, id, kind);
        // Most peers know how to begin.
        if what & 0xC0 != 0xC0 && what & 1 == 0 {
            let index = self.connections.len() - 1;
            self.send(index, &[&[3][..], &[0; 3_072]].concat());
            self.say_rtmp(
                index,
                r#"connect(1, {app="live", tcUrl="rtmp://localhost/live"}) + createStream(2)"#,
            );
        }
    }

    fn add(&mut self, shard: usize, id: ConnectionId, kind: Kind) {
        self.connections.push(Connection {
            shard,
            id,
            kind,
            unread: Vec::new(),
            is_finished: false,
            was_eof_told: false,
            room: usize::MAX,
            is_shut_down: false,
            is_closed: false,
        });
    }

    fn say(&mut self, choices: &mut Choices<'_>) {
        let Some(index) = self.choose(choices) else { return };
        let what = choices.byte();
        match &self.connections[index].kind {
            Kind::Rtmp(_) => self.say_rtmp(index, MESSAGES[usize::from(what) % MESSAGES.len()]),
            Kind::Http { is_operator: true, .. } => {
                let bytes = self.operator_words(what, choices);
                self.send(index, &bytes);
            }
            Kind::Http { .. } => {
                let bytes = self.http_words(what, choices);
                self.send(index, &bytes);
            }
            Kind::Local { .. } => {}
        }
    }

    fn say_rtmp(&mut self, index: usize, text: &str) {
        if let Kind::Rtmp(rtmp) = &mut self.connections[index].kind {
            let chunks = script::to_chunks(&script::parse_all(text), &mut rtmp.encoder);
            self.send(index, &chunks);
        }
    }

    fn http_words(&self, what: u8, choices: &mut Choices<'_>) -> Vec<u8> {
        let name = self.name(what >> 5);
        let request = |head: &str| format!("{head}\r\nHost: h\r\n").into_bytes();
        match what % 12 {
            0 | 1 => request(&format!("GET /{name} HTTP/1.1"))
                .into_iter()
                .chain(*b"\r\n")
                .collect(),
            2 => [
                &*request(&format!("POST /{name} HTTP/1.1")),
                b"Transfer-Encoding: chunked\r\n\r\n",
                &http::chunk(b"FLV\x01\x05\0\0\0\x09\0\0\0\0"),
                &http::chunk(&tags("V A K0 a5")),
            ]
            .concat(),
            3 | 4 => http::chunk(&tags("P40 a30")),
            5 => http::chunk(&tags("K80:400 a70 P120 D160")),
            6 => http::chunk(&tags("V' A K4000000 a5")),
            7 => b"0\r\n\r\n".to_vec(),
            8 => [
                &*request(&format!("GET /{name}.flv?merge=100 HTTP/1.1")),
                b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            ]
            .concat(),
            9 => b"\x89\x84\0\0\0\0ping".to_vec(),
            10 => b"\x88\x82\0\0\0\0\x03\xE8".to_vec(),
            _ => {
                let all = http::conversations();
                all[usize::from(choices.byte()) % all.len()].clone()
            }
        }
    }

    fn operator_words(&self, what: u8, choices: &mut Choices<'_>) -> Vec<u8> {
        let name = self.name(what >> 5);
        let line = match what % 14 {
            0 => "GET /api/v1/streams".into(),
            1 => format!("GET /api/v1/streams/{name}"),
            2 => "GET /api/v1/clients?start=1&count=2".into(),
            3 => format!("GET /api/v1/clients?stream={name}"),
            4 => format!("GET /api/v1/clients/{}", choices.byte() % 32),
            5 => "GET /api/v1/summaries".into(),
            6 => format!("GET /api/v1/explain?stream={name}"),
            7 => format!("GET /api/v1/explain?stream={name}&client={}", choices.byte() % 32),
            8 => "GET /metrics".into(),
            9 => "GET /api/v1/openapi.json".into(),
            10 => format!("DELETE /api/v1/streams/{name}?ban={}", choices.byte() % 4),
            11 => format!("DELETE /api/v1/clients/{}?ban={}", choices.byte() % 32, what >> 6),
            12 => "GET /".into(),
            _ => "HEAD /readyz".into(),
        };
        format!("{line} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\r\n").into_bytes()
    }

    fn send(&mut self, index: usize, bytes: &[u8]) {
        let connection = &mut self.connections[index];
        let is_local = matches!(connection.kind, Kind::Local { .. });
        if connection.is_closed || connection.is_finished || is_local || connection.unread.len() > 100_000 {
            return;
        }
        connection.unread.extend_from_slice(bytes);
        self.pump(index);
    }

    /// Reads as a driver does: while the server wants it.
    fn pump(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        let server = &mut self.shards[connection.shard].server;
        if connection.is_closed {
            return;
        }
        if !connection.unread.is_empty() && server.wants_input(connection.id) {
            self.bytes_in += connection.unread.len();
            let input = std::mem::take(&mut connection.unread);
            server.handle_input(self.now, connection.id, &input);
        }
        if connection.unread.is_empty() && connection.is_finished && !connection.was_eof_told {
            connection.was_eof_told = true;
            server.handle_eof(self.now, connection.id);
        }
    }

    /// Writes as a driver does: until there is nothing more, or no room.
    fn write(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        let server = &mut self.shards[connection.shard].server;
        if connection.is_closed {
            return;
        }
        if let Kind::Local { is_over } = &mut connection.kind {
            while connection.room > 0
                && let Some(event) = server.poll_local(self.now, connection.id)
            {
                assert!(!*is_over, "{event:?} comes behind the last event");
                *is_over = matches!(event, LocalEvent::Ended(_) | LocalEvent::Refused(_));
            }
            return;
        }
        let mut sent = Vec::new();
        loop {
            let output = server.output(self.now, connection.id);
            let len = output.len().min(connection.room).min(10_000);
            if len == 0 {
                break;
            }
            sent.extend(output.copy_to_bytes(len));
            connection.room = connection.room.saturating_sub(len);
            assert!(sent.len() < 100_000_000, "the output comes to an end");
        }
        assert!(
            sent.is_empty() || !connection.is_shut_down,
            "nothing is sent behind the end"
        );
        connection.read(&sent);
    }

    fn deliver(&mut self, choices: &mut Choices<'_>) {
        let to = usize::from(choices.byte()) % self.shards.len();
        for _ in 0..=choices.byte() % 8 {
            let shard = &mut self.shards[to];
            let Some((from, message)) = shard.mailbox.pop_front() else {
                return;
            };
            shard.server.handle_shard(self.now, from, message);
            self.settle();
        }
    }

    /// Answers a question: late, twice or never as it may be.
    fn answer(&mut self, choices: &mut Choices<'_>) {
        let (which, how) = (usize::from(choices.byte()), choices.byte());
        let Some(index) = which.checked_rem(self.tickets.len()) else {
            return;
        };
        let (shard, ticket) = self.tickets[index];
        let mut grant = Grant::default();
        let answer = match how % 8 {
            0 => Answer::deny("No."),
            1 => {
                grant.lasts = Some(Duration::from_millis(u64::from(how) * 20));
                Answer::Allow(grant)
            }
            2 => {
                grant.stream = Some(StreamKey::new(self.name(how >> 3)).unwrap());
                Answer::Allow(grant)
            }
            _ => Answer::allow(),
        };
        self.shards[shard].server.answer(self.now, ticket, answer);
    }

    fn kick(&mut self, choices: &mut Choices<'_>) {
        let how = choices.byte();
        let kick = if how & 1 == 0 {
            Kick::stream(StreamKey::new(self.name(how >> 4)).unwrap())
        } else {
            let Some(index) = self.choose(choices) else { return };
            Kick::connection(self.connections[index].id)
        };
        let kick = kick.with_ban(Duration::from_secs(u64::from(how >> 1 & 3)));
        for shard in &mut self.shards {
            shard.server.kick(self.now, &kick);
        }
    }

    fn act_in_process(&mut self, choices: &mut Choices<'_>) {
        let what = choices.byte();
        let shard = usize::from(what >> 1) % self.shards.len();
        let locals = |it: &&Connection| matches!(it.kind, Kind::Local { .. }) && !it.is_closed;
        let local = self.connections.iter().filter(locals).nth(usize::from(what >> 5));
        let local = local.map(|it| (it.shard, it.id));
        let server = &mut self.shards[shard].server;
        let key = StreamKey::new("live/cam").unwrap();
        match what % 16 {
            0 | 1 if self.connections.len() < MAX_CONNECTIONS => {
                let id = if what & 1 == 0 {
                    server.publish(self.now, key)
                } else {
                    server.play(self.now, key)
                };
                if let Ok(id) = id {
                    self.add(shard, id, Kind::Local { is_over: false });
                }
            }
            2..14 => {
                let frame = frame(choices.one_of(&["V", "A", "K0:300", "P40", "a5", "M", "D80"]));
                if let Some((shard, id)) = local {
                    self.bytes_in += frame.memory();
                    let _ = self.shards[shard].server.send_frame(self.now, id, frame);
                }
            }
            _ => {
                if let Some((shard, id)) = local {
                    self.shards[shard].server.handle_eof(self.now, id);
                }
            }
        }
    }

    /// What people see is what there is.
    fn look(&mut self) {
        for (index, shard) in self.shards.iter().enumerate() {
            let (views, stats) = (shard.server.connections(self.now), shard.server.stats());
            let open = self.connections.iter().filter(|it| it.shard == index && !it.is_closed);
            assert_eq!(stats.connections, open.clone().count());
            assert!(views.iter().all(|view| open.clone().any(|it| it.id == view.id)));
            assert!(shard.server.streams(self.now).len() <= stats.streams);
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.shards.iter().filter_map(|shard| shard.server.poll_timeout()).min()
    }

    /// Does what drivers do, until there is nothing more to do at this moment.
    fn settle(&mut self) {
        for rounds in 0.. {
            assert!(rounds < 1_000, "the servers come to rest");
            let mut is_busy = false;
            for index in 0..self.shards.len() {
                is_busy |= self.take_actions(index);
                let server = &mut self.shards[index].server;
                if server.poll_timeout().is_some_and(|at| at <= self.now) {
                    server.handle_timeout(self.now);
                    is_busy = true;
                }
                while let Some(event) = self.shards[index].server.poll_event() {
                    self.observe(&event);
                }
                while let Some(recording) = self.shards[index].server.poll_recording() {
                    check_recording(&recording);
                }
            }
            if !is_busy {
                return;
            }
        }
    }

    fn take_actions(&mut self, shard: usize) -> bool {
        let mut count = 0;
        while let Some(action) = self.shards[shard].server.poll_action() {
            count += 1;
            assert!(count < 10_000, "actions come to an end");
            let at = |world: &World, id| {
                let found = world.connections.iter().position(|it| it.shard == shard && it.id == id);
                // What is added in this step is not known yet.
                found.inspect(|&index| assert!(!world.connections[index].is_closed, "{id} is dead"))
            };
            match action {
                Action::Wake(id) | Action::Read(id) => {
                    if let Some(index) = at(self, id) {
                        self.write(index);
                        self.pump(index);
                    }
                }
                Action::Shutdown(id) => {
                    if let Some(index) = at(self, id) {
                        assert!(!self.connections[index].is_shut_down, "it is shut down once");
                        self.connections[index].is_shut_down = true;
                    }
                }
                Action::Close(id) => {
                    if let Some(index) = at(self, id) {
                        self.connections[index].is_closed = true;
                        self.connections[index].unread.clear();
                    }
                }
                Action::Ask(ticket, _) => self.tickets.push((shard, ticket)),
                Action::Measure => self.shards[shard]
                    .server
                    .handle_process(self.now, ProcessFigures::default()),
                Action::ToShard(to, message) => {
                    assert_ne!(usize::from(to.0), shard, "nobody writes to themselves");
                    let from = ShardId(shard as u16);
                    self.shards[usize::from(to.0)].mailbox.push_back((from, message));
                }
            }
        }
        count > 0
    }

    /// Whatever begins ends, once.
    fn observe(&mut self, event: &Event) {
        let Some(id) = event.peer().map(|peer| peer.connection) else {
            return;
        };
        let (what, begins) = match event {
            Event::Connected { .. } => ("connection".into(), true),
            Event::Disconnected { .. } => ("connection".into(), false),
            Event::PublishStarted { stream, .. } => (format!("publish {stream}"), true),
            Event::PublishEnded { stream, .. } => (format!("publish {stream}"), false),
            Event::PlayStarted { stream, .. } => (format!("play {stream}"), true),
            Event::PlayEnded { stream, .. } => (format!("play {stream}"), false),
            _ => return,
        };
        let is_connection = what == "connection";
        let key = (id, what);
        let count = self.open.entry(key.clone()).or_default();
        if begins {
            assert!(*count == 0 || !is_connection, "it began twice: {event:?}");
            *count += 1;
        } else {
            assert!(*count > 0, "it ended without a beginning: {event:?}");
            *count -= 1;
        }
        if *count == 0 {
            self.open.remove(&key);
        }
        if is_connection && !begins {
            let is_left = self.open.keys().any(|(it, _)| *it == id);
            assert!(!is_left, "{id} has left, and not: {:?}", self.open);
        }
    }

    /// All is well, and everybody leaves: in the end there is nothing.
    fn all_leave(&mut self) {
        for index in 0..self.connections.len() {
            let connection = &mut self.connections[index];
            connection.room = usize::MAX;
            let Connection { shard, id, .. } = *connection;
            self.write(index);
            match self.connections[index].kind {
                Kind::Local { .. } => self.shards[shard].server.handle_eof(self.now, id),
                Kind::Rtmp(_) | Kind::Http { .. } if index % 3 == 0 => {
                    self.connections[index].unread.clear();
                    self.shards[shard].server.handle_reset(self.now, id);
                }
                _ => {
                    self.connections[index].is_finished = true;
                    self.pump(index);
                }
            }
            self.settle();
        }
        for deadlines in 0.. {
            assert!(deadlines < MAX_DEADLINES, "there is no end of deadlines");
            for to in 0..self.shards.len() {
                while let Some((from, message)) = self.shards[to].mailbox.pop_front() {
                    self.shards[to].server.handle_shard(self.now, from, message);
                    self.settle();
                }
            }
            self.settle();
            if self.shards.iter().any(|shard| !shard.mailbox.is_empty()) {
                continue;
            }
            let Some(at) = self.deadline() else { break };
            self.now = self.now.max(at);
            self.settle();
        }
        assert!(self.open.is_empty(), "not ended: {:?}", self.open);
        assert!(self.connections.iter().all(|it| it.is_closed), "all are closed");
        for shard in &self.shards {
            let stats = shard.server.stats();
            assert_eq!((stats.connections, stats.streams, stats.names), (0, 0, 0));
            assert!(shard.server.is_drained());
        }
    }

    /// Bytes that this program itself holds.
    fn memory(&self) -> usize {
        let unread: usize = self.connections.iter().map(|it| it.unread.capacity()).sum();
        let frames: usize = self.shards.iter().map(|it| it.mailbox.len() * 1_000).sum();
        unread + frames + (1 << 20)
    }
}

/// What a connection said before it failed can be written, read and played, with its payload and without. An aggregate message
/// may not be played without.
fn check_recording(recording: &Recording) {
    let read = Recording::from_bytes(&recording.to_bytes()).expect("what was recorded can be read");
    assert_eq!(&read, recording);
    let ending = read.replay().expect("what was recorded can be played");
    if let Ok(bare) = read.without_payload() {
        assert_eq!(bare.replay(), Ok(ending));
    }
}

impl Connection {
    /// What we send can be read.
    fn read(&mut self, mut sent: &[u8]) {
        match &mut self.kind {
            Kind::Rtmp(rtmp) => {
                let len = rtmp.handshake.min(sent.len());
                rtmp.handshake -= len;
                sent = &sent[len..];
                while rtmp
                    .decoder
                    .decode(&mut sent)
                    .expect("what we send is in chunks")
                    .is_some()
                {}
            }
            Kind::Http { has_answer, .. } => {
                let start = sent.get(..9).unwrap_or(sent);
                assert!(*has_answer || b"HTTP/1.1 ".starts_with(start));
                *has_answer |= !sent.is_empty();
            }
            Kind::Local { .. } => {}
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    // Connect with RTMP (0) or HTTP (1) to shard 0, or 1 (+ 2). Then each line is one thing that somebody does.
    let publish: &[u8] = &[0, 0, 2, 0, 1, 2, 0, 3, 2, 0, 4, 2, 0, 5, 2, 0, 6, 2, 0, 7];
    let push: &[u8] = &[0, 1, 2, 0, 2, 2, 0, 3, 2, 0, 5, 2, 0, 3];
    let exchange: &[u8] = &[22, 0, 7, 22, 1, 7, 22, 0, 7, 22, 1, 7];
    let play_rtmp: &[u8] = &[0, 2, 2, 1, 2];
    let play_http: &[u8] = &[0, 3, 2, 1, 0];
    let play_websocket: &[u8] = &[0, 3, 2, 1, 8];
    let frames: &[u8] = &[2, 0, 5, 2, 0, 7, 18, 0, 100, 2, 0, 5, 22, 1, 7, 22, 0, 7];
    let slow: &[u8] = &[16, 1, 1, 2, 0, 8, 2, 0, 8, 2, 0, 5, 2, 0, 5, 18, 0x40, 0, 16, 1, 5];
    let leave: &[u8] = &[14, 0, 18, 0xFF, 0xFF, 21, 21];
    let answers: &[u8] = &[25, 0, 3, 25, 0, 0, 25, 1, 3, 21];
    let rival: &[u8] = &[0, 0, 2, 1, 1, 2, 1, 3, 2, 1, 5, 18, 4, 0, 2, 1, 5, 22, 0, 7];
    let local: &[u8] = &[29, 0, 29, 2, 0, 29, 2, 1, 29, 2, 2, 29, 1, 29, 34, 4, 29, 15];
    let operator: &[u8] = &[28, 0x7F, 27, 0, 31, 1, 27, 1, 0, 28, 8, 31, 1];
    let stop: &[u8] = &[31, 0, 0, 21, 21];
    // An operator is the second to connect.
    let looks: &[u8] = &[
        0, 0xC1, 2, 1, 0, 2, 1, 1, 2, 1, 2, 2, 1, 3, 2, 1, 4, 1, 2, 1, 5, 2, 1, 6, 2, 1, 7, 1, 2, 1, 8,
    ];
    let reads: &[u8] = &[2, 1, 9, 2, 1, 12, 2, 1, 13, 16, 1, 0, 2, 1, 9, 2, 1, 0, 16, 1, 6];
    let ends: &[u8] = &[2, 1, 11, 1, 2, 1, 10, 2, 21];
    let stories: [&[&[u8]]; 13] = [
        &[publish, play_rtmp, exchange, frames, leave],
        &[publish, play_http, exchange, frames, slow, leave],
        &[
            push,
            play_websocket,
            exchange,
            &[2, 0, 5, 2, 1, 9, 2, 1, 10, 2, 0, 7],
            leave,
        ],
        &[play_rtmp, publish, exchange, frames],
        &[push, rival, exchange, leave],
        &[publish, rival, exchange, operator],
        &[local, play_http, frames, operator, leave],
        &[publish, answers, play_rtmp, answers, exchange, leave],
        &[push, play_http, exchange, stop, exchange],
        &[publish, play_rtmp, play_http, slow, &[15, 0], exchange, stop],
        &[publish, looks, exchange, play_http, frames, exchange, ends, exchange],
        &[push, looks, exchange, reads, exchange, leave],
        &[push, looks, ends, stop, exchange],
    ];
    let all = stories.iter().map(|story| story.concat());
    let heads = [[0, 0], [1, 8], [7, 0x31], [3, 0xE0], [0x38, 0], [0x29, 0x10]];
    let with = |story: Vec<u8>| heads.map(|head| [&head[..], &story].concat());
    all.flat_map(with).collect()
}
