//! Whole servers with their clients, in memory and in virtual time.

use bytes::{Buf, Bytes};
use headwater_core::flv::{FlvItem, FlvReader, FlvWriter, TagFlags};
use headwater_core::rtmp::{ClientEvent, ClientRequest, ClientSession, Purpose};
use headwater_core::server::{
    Action, Answer, Config, ConnectionId, ConnectionView, LocalEvent, Protocol, Question, RoleKind, RoleView, Server,
    ShardId, ShardMessage, Ticket,
};
use headwater_core::{Frame, FrameClass, FrameKind, Limits, Output, Time, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Some servers that are the shards of one, and everybody who is connected to them.
pub(super) struct World {
    pub(super) now: Time,
    pub(super) servers: Vec<Server>,
    /// What shards have sent each other and not received yet, by sender and receiver.
    links: BTreeMap<(u16, u16), VecDeque<ShardMessage>>,
    pub(super) clients: Vec<Client>,
    /// What was asked and is not answered, with the shard that asks.
    pub(super) asked: Vec<(usize, Ticket, Question)>,
    /// Picks which link delivers next.
    pub(super) random: u64,
    /// Whether links deliver on their own. Off, they wait for `deliver_one`.
    pub(super) delivers: bool,
    /// The shard that hears nothing for now.
    pub(super) stopped: Option<usize>,
    /// What connections of the program's own have heard, in the order of all, with their shard.
    pub(super) heard_locally: Vec<(usize, ConnectionId, LocalEvent)>,
    /// Whether the program takes what they hear.
    pub(super) takes_locally: bool,
}

/// One end of a connection in the hands of the test.
pub(super) struct Client {
    shard: usize,
    id: ConnectionId,
    /// What its socket holds at the server's side.
    unread: Vec<u8>,
    /// Whether it has closed its side, which the server has not read yet.
    is_finishing: bool,
    /// Whether it is read only when the server asks for it: its worker has other things to do.
    pub(super) is_yielding: bool,
    /// How often the server has read that.
    pub(super) reads: usize,
    /// What the server has sent.
    pub(super) received: Vec<u8>,
    /// How much more it will take.
    pub(super) window: usize,
    pub(super) is_shut_down: bool,
    pub(super) is_closed: bool,
    /// For an RTMP client: its side of the conversation, and what that has said.
    rtmp: Option<(ClientSession, Vec<String>)>,
}

impl World {
    pub(super) fn new(shards: u16, change: impl FnOnce(&mut Config)) -> World {
        let mut config = Config::default();
        change(&mut config);
        let config = Arc::new(config);
        World {
            now: Time::from_millis(1_000),
            servers: (0..shards)
                .map(|shard| Server::new(config.clone(), ShardId(shard), shards, 7))
                .collect(),
            links: BTreeMap::new(),
            clients: Vec::new(),
            asked: Vec::new(),
            random: 1,
            delivers: true,
            stopped: None,
            heard_locally: vec![],
            takes_locally: true,
        }
    }

    /// Connects to a shard, from an address that ends with `host`.
    pub(super) fn connect(&mut self, shard: usize, protocol: Protocol, host: u8) -> usize {
        self.connect_from(shard, protocol, Ipv4Addr::new(10, 0, 0, host).into())
    }

    pub(super) fn connect_from(&mut self, shard: usize, protocol: Protocol, address: IpAddr) -> usize {
        let peer = SocketAddr::new(address, 40_000);
        let id = self.servers[shard].accept(self.now, protocol, peer).unwrap();
        self.clients.push(Client {
            shard,
            id,
            unread: vec![],
            is_finishing: false,
            is_yielding: false,
            reads: 0,
            received: vec![],
            window: usize::MAX,
            is_shut_down: false,
            is_closed: false,
            rtmp: None,
        });
        self.settle();
        self.clients.len() - 1
    }

    pub(super) fn send(&mut self, client: usize, bytes: &[u8]) {
        self.arrive(client, bytes);
        self.settle();
    }

    /// Bytes come in at the server's side, and are read once there are enough.
    fn arrive(&mut self, client: usize, bytes: &[u8]) {
        if !self.clients[client].is_closed {
            self.clients[client].unread.extend_from_slice(bytes);
            self.read_ready(client);
        }
    }

    /// Bytes come in at the server's side, which is too late to be told of it.
    pub(super) fn arrive_unnoticed(&mut self, client: usize, script: &str) {
        let client = &mut self.clients[client];
        let bytes = match &mut client.rtmp {
            Some((session, _)) => {
                frames(script).for_each(|frame| session.send_frame(&frame).unwrap());
                drain(session.output())
            }
            None => {
                let mut output = Output::new();
                frames(script).for_each(|frame| FlvWriter::frame(&frame, &mut output));
                drain(&mut output)
            }
        };
        client.unread.extend_from_slice(&bytes);
    }

    /// As [`arrive_unnoticed`](Self::arrive_unnoticed), whatever they are.
    pub(super) fn arrive_unnoticed_bytes(&mut self, client: usize, bytes: &[u8]) {
        self.clients[client].unread.extend_from_slice(bytes);
    }

    /// All servers stand still for so long, and look at the time before anything else when they go on.
    pub(super) fn stand_still(&mut self, span: Duration) {
        self.now = self.now + span;
        for server in &mut self.servers {
            server.handle_timeout(self.now);
        }
    }

    /// Reads a client that has reported enough, or its end. Returns whether it had.
    fn read_ready(&mut self, client: usize) -> bool {
        let Client {
            shard,
            id,
            unread,
            is_finishing,
            is_yielding,
            ..
        } = &self.clients[client];
        let is_ready = !is_yielding
            && (*is_finishing || !unread.is_empty() && unread.len() >= self.servers[*shard].low_water(*id));
        is_ready && self.wants_input(client) && self.read(client)
    }

    /// Reads a client if the server wants it. Returns whether something was there.
    fn read(&mut self, client: usize) -> bool {
        let Client { shard, id, .. } = self.clients[client];
        if !self.wants_input(client) {
            return false;
        }
        let input = mem::take(&mut self.clients[client].unread);
        if !input.is_empty() {
            self.clients[client].reads += 1;
            self.servers[shard].handle_input(self.now, id, &input);
        } else if mem::take(&mut self.clients[client].is_finishing) {
            self.servers[shard].handle_eof(self.now, id);
        } else {
            return false;
        }
        true
    }

    /// The client closes its side.
    pub(super) fn finish(&mut self, client: usize) {
        self.clients[client].is_finishing = true;
        self.settle();
    }

    /// The client's connection is gone without a word.
    pub(super) fn reset(&mut self, client: usize) {
        let Client { shard, id, .. } = self.clients[client];
        self.servers[shard].handle_reset(self.now, id);
        self.settle();
    }

    /// The client takes `window` more bytes.
    pub(super) fn take(&mut self, client: usize, window: usize) {
        self.clients[client].window = window;
        let Client { shard, id, .. } = self.clients[client];
        self.write(shard, id);
        self.settle();
    }

    /// The connection of the client.
    pub(super) fn id(&self, client: usize) -> ConnectionId {
        self.clients[client].id
    }

    /// What its shard says of the client's connection, while that is open.
    pub(super) fn view(&self, client: usize) -> Option<ConnectionView> {
        let Client { shard, id, .. } = self.clients[client];
        let connections = self.servers[shard].connections(self.now);
        connections.into_iter().find(|connection| connection.id == id)
    }

    /// Whether the client has the name of a stream.
    pub(super) fn is_publishing(&self, client: usize) -> bool {
        let is_publishing = |role: &RoleView| role.kind == RoleKind::Publishes;
        self.view(client).is_some_and(|it| it.roles.iter().any(is_publishing))
    }

    /// Bytes that wait to be sent to the client.
    pub(super) fn waiting(&self, client: usize) -> usize {
        self.view(client).map_or(0, |it| it.queued)
    }

    /// Answers the question that was asked first.
    pub(super) fn answer(&mut self, answer: Answer) -> Ticket {
        let (shard, ticket, _) = self.asked.remove(0);
        self.servers[shard].answer(self.now, ticket, answer);
        self.settle();
        ticket
    }

    /// Whether its shard would read all others first.
    pub(super) fn yields(&self, client: usize) -> bool {
        let Client { shard, id, .. } = self.clients[client];
        self.servers[shard].yields(self.now, id)
    }

    /// Whether its shard would read from the client.
    pub(super) fn wants_input(&self, client: usize) -> bool {
        let Client { shard, id, .. } = self.clients[client];
        self.servers[shard].wants_input(id)
    }

    /// Lets time pass, stopping at every deadline.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        for _ in 0..100_000 {
            let due = self
                .servers
                .iter()
                .filter_map(Server::poll_timeout)
                .min()
                .filter(|due| *due <= end);
            self.now = due.unwrap_or(end).max(self.now);
            for server in &mut self.servers {
                server.handle_timeout(self.now);
            }
            self.settle();
            if due.is_none() {
                return;
            }
        }
        panic!(
            "deadlines never end: {:?}",
            self.servers.iter().map(Server::poll_timeout).collect::<Vec<_>>()
        );
    }

    pub(super) fn shutdown(&mut self) {
        for server in &mut self.servers {
            server.shutdown(self.now);
        }
        self.settle();
    }

    /// Does what drivers do until there is nothing more to do.
    pub(super) fn settle(&mut self) {
        for _ in 0..1_000_000 {
            let acted = (0..self.servers.len()).fold(false, |acted, shard| self.act(shard) | acted);
            if acted || self.converse() || self.read_all() || self.delivers && self.deliver_one() {
                continue;
            }
            return;
        }
        panic!("the servers never come to rest");
    }

    /// Reads clients that the server did not want before. Returns whether there was one.
    fn read_all(&mut self) -> bool {
        (0..self.clients.len()).fold(false, |has_read, client| self.read_ready(client) | has_read)
    }

    /// Delivers one message between shards, over a link picked at random.
    pub(super) fn deliver_one(&mut self) -> bool {
        let waiting: Vec<_> = self
            .links
            .iter()
            .filter(|((_, to), queue)| !queue.is_empty() && self.stopped != Some(usize::from(*to)))
            .map(|(link, _)| *link)
            .collect();
        if waiting.is_empty() {
            return false;
        }
        let pick = self.below(waiting.len());
        let (from, to) = waiting[pick];
        let message = self.links.get_mut(&(from, to)).and_then(VecDeque::pop_front).unwrap();
        self.servers[usize::from(to)].handle_shard(self.now, ShardId(from), message);
        true
    }

    /// Delivers what one shard has sent another, before anything else.
    pub(super) fn deliver_link(&mut self, from: usize, to: usize) {
        let from = u16::try_from(from).unwrap();
        let queue = self.links.get_mut(&(from, u16::try_from(to).unwrap())).map(mem::take);
        for message in queue.unwrap_or_default() {
            self.servers[to].handle_shard(self.now, ShardId(from), message);
        }
    }

    /// Messages that wait for a shard.
    pub(super) fn mail(&self, shard: usize) -> usize {
        let links = self.links.iter().filter(|((_, to), _)| usize::from(*to) == shard);
        links.map(|(_, queue)| queue.len()).sum()
    }

    /// A random number below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.pick() % bound as u64).unwrap()
    }

    /// The next number of a fixed random sequence (xorshift).
    pub(super) fn pick(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn act(&mut self, shard: usize) -> bool {
        let Some(action) = self.servers[shard].poll_action() else {
            return false;
        };
        match action {
            Action::Wake(id) => self.write(shard, id),
            Action::Read(id) => {
                let is_read = |client: &Client| client.shard == shard && client.id == id && !client.is_closed;
                if let Some(client) = self.clients.iter().position(is_read) {
                    self.read(client);
                }
            }
            Action::Shutdown(id) => {
                if let Some(client) = self.find(shard, id) {
                    client.is_shut_down = true;
                }
            }
            Action::Close(id) => {
                if let Some(client) = self.find(shard, id) {
                    client.is_closed = true;
                }
            }
            Action::Ask(ticket, question) => self.asked.push((shard, ticket, question)),
            Action::ToShard(to, message) => {
                let from = u16::try_from(shard).unwrap();
                self.links.entry((from, to.0)).or_default().push_back(message);
            }
        }
        true
    }

    fn find(&mut self, shard: usize, id: ConnectionId) -> Option<&mut Client> {
        self.clients
            .iter_mut()
            .find(|client| client.shard == shard && client.id == id && !client.is_closed)
    }

    /// Writes what the client takes.
    fn write(&mut self, shard: usize, id: ConnectionId) {
        let now = self.now;
        let server = &mut self.servers[shard];
        let Some(client) = self
            .clients
            .iter_mut()
            .find(|client| client.shard == shard && client.id == id && !client.is_closed)
        else {
            while self.takes_locally
                && let Some(event) = server.poll_local(now, id)
            {
                self.heard_locally.push((shard, id, event));
            }
            return;
        };
        loop {
            let output = server.output(now, id);
            if output.is_empty() || client.window == 0 {
                return;
            }
            let taken = output.chunk().len().min(client.window);
            client.received.extend_from_slice(&output.chunk()[..taken]);
            client.window -= taken;
            output.advance(taken);
        }
    }
}

/// HTTP clients.
impl World {
    /// A player that has sent its request.
    pub(super) fn http_play(&mut self, shard: usize, path: &str) -> usize {
        let client = self.connect(shard, Protocol::Http, 9);
        self.send(client, format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes());
        client
    }

    /// A publisher that has sent its request and the FLV header.
    pub(super) fn http_push(&mut self, shard: usize, path: &str, host: u8) -> usize {
        let client = self.connect(shard, Protocol::Http, host);
        let mut output = Output::new();
        FlvWriter::header(
            TagFlags {
                audio: true,
                video: true,
            },
            &mut output,
        );
        self.send(client, format!("POST {path} HTTP/1.0\r\n\r\n").as_bytes());
        self.send(client, &drain(&mut output));
        client
    }

    /// Sends frames such as `"V A K0 a5 P40"` as FLV tags, letting time pass as their times say.
    pub(super) fn push(&mut self, client: usize, script: &str) {
        let mut output = Output::new();
        for frame in frames(script) {
            FlvWriter::frame(&frame, &mut output);
        }
        self.send(client, &drain(&mut output));
    }

    /// The status line of the response.
    pub(super) fn status(&self, client: usize) -> String {
        let text = String::from_utf8_lossy(&self.clients[client].received);
        text.lines().next().unwrap_or_default().into()
    }

    /// The frames that an HTTP player has received, in the notation of `push`.
    pub(super) fn seen(&self, client: usize) -> String {
        let received = &self.clients[client].received;
        let Some(head) = received.windows(4).position(|window| window == b"\r\n\r\n") else {
            return String::new();
        };
        let mut reader = FlvReader::new(&Limits::default());
        let mut input = &received[head + 4..];
        let mut words = vec![];
        while let Some(item) = reader.handle_input(&mut input).unwrap() {
            if let FlvItem::Frame(frame) = item {
                words.push(name(&frame));
            }
        }
        words.join(" ")
    }
}

/// RTMP clients.
impl World {
    /// Connects to publish or to play `app/name`.
    pub(super) fn rtmp(&mut self, shard: usize, purpose: Purpose, app: &str, name: &str, host: u8) -> usize {
        let request = ClientRequest {
            purpose,
            app: app.into(),
            tc_url: format!("rtmp://host/{app}").into(),
            name: name.into(),
        };
        let client = self.connect(shard, Protocol::Rtmp, host);
        let session = ClientSession::new(Arc::default(), self.now, 3, request);
        self.clients[client].rtmp = Some((session, vec![]));
        self.settle();
        client
    }

    /// Publishes frames such as `"V A K0 a5 P40"`.
    pub(super) fn publish(&mut self, client: usize, script: &str) {
        let (session, _) = self.clients[client].rtmp.as_mut().unwrap();
        frames(script).for_each(|frame| session.send_frame(&frame).unwrap());
        self.settle();
    }

    /// Publishes frames by RTMP or HTTP, if the client may send some.
    pub(super) fn offer(&mut self, client: usize, script: &str) {
        let Some((session, _)) = &mut self.clients[client].rtmp else {
            return self.push(client, script);
        };
        // An error means that it was not let begin, or that its publish is over.
        frames(script).for_each(|frame| session.send_frame(&frame).unwrap_or_default());
        self.settle();
    }

    /// What an RTMP client has heard: frames in the notation of `publish`, other events in brackets.
    pub(super) fn heard(&self, client: usize) -> String {
        self.clients[client].rtmp.as_ref().unwrap().1.join(" ")
    }

    /// The frames that a client has received, whatever it speaks, in the notation of `publish`.
    pub(super) fn frames_of(&self, client: usize) -> String {
        match &self.clients[client].rtmp {
            Some((_, heard)) => {
                let frames: Vec<_> = heard.iter().filter(|word| !word.starts_with('[')).cloned().collect();
                frames.join(" ")
            }
            None => self.seen(client),
        }
    }

    /// Lets RTMP clients read and answer. Returns whether any had something to say.
    fn converse(&mut self) -> bool {
        let mut spoke = false;
        for index in 0..self.clients.len() {
            let client = &mut self.clients[index];
            let Some((session, heard)) = &mut client.rtmp else {
                continue;
            };
            let received = mem::take(&mut client.received);
            let mut input = &received[..];
            while let Some(event) = session.handle_input(self.now, &mut input).unwrap() {
                heard.push(match event {
                    ClientEvent::Frame(frame) => name(&frame),
                    ClientEvent::Refused { code, .. } => format!("[{code}]"),
                    ClientEvent::Ended(cause) => format!("[{cause}]"),
                    other => format!("[{other:?}]"),
                });
            }
            let reply = drain(session.output());
            if !reply.is_empty() && !client.is_closed {
                self.arrive(index, &reply);
                spoke = true;
            }
        }
        spoke
    }
}

pub(super) fn drain(output: &mut Output) -> Vec<u8> {
    output.copy_to_bytes(output.remaining()).to_vec()
}

/// `V` video header, `W` another, `A` audio header, `K` keyframe, `P` inter frame, `a` audio, each followed by its time.
pub(super) fn frames(script: &str) -> impl Iterator<Item = Frame> {
    script.split_whitespace().map(|word| {
        let (letter, time) = word.split_at(1);
        let (kind, head): (_, &[u8]) = match letter {
            "V" => (FrameKind::Video, &[0x17, 0, 0, 0, 0, 1]),
            "W" => (FrameKind::Video, &[0x17, 0, 0, 0, 0, 2]),
            "A" => (FrameKind::Audio, &[0xAF, 0, 0x12, 0x10]),
            "K" => (FrameKind::Video, &[0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 0]),
            "P" => (FrameKind::Video, &[0x27, 1, 0, 0, 0, 0, 0, 0, 2, 0x41, 0]),
            "a" => (FrameKind::Audio, &[0xAF, 1, 0x21]),
            other => panic!("no such frame: {other}"),
        };
        let time = Timestamp::from_millis(time.parse().unwrap_or(0));
        Frame::new(kind, time, Bytes::copy_from_slice(head))
    })
}

pub(super) fn name(frame: &Frame) -> String {
    let letter = match (frame.kind, frame.class) {
        (FrameKind::Data, _) => "M",
        (FrameKind::Video, FrameClass::SequenceHeader) => "V",
        (FrameKind::Audio, FrameClass::SequenceHeader) => "A",
        (FrameKind::Audio, _) => "a",
        (_, FrameClass::Keyframe) => "K",
        _ => "P",
    };
    format!("{letter}{}", frame.timestamp)
}
