//! Whole servers with their clients, in memory and in virtual time.

#![allow(dead_code, reason = "each test crate uses some of it")]

use crate::frames::{flv, tags};
pub(crate) use crate::frames::{frames, name};
use bytes::Buf;
use headwater_core::flv::{FlvItem, FlvReader};
use headwater_core::rtmp::{ClientEvent, ClientRequest, ClientSession, Purpose};
use headwater_core::server::{
    Answer, Config, ConnectionId, ConnectionView, LocalEvent, Protocol, Question, RoleKind, RoleView, Server, ShardId,
    Ticket,
};
use headwater_core::{Limits, Output, Time};
use headwater_driver::memory::{Links, MemoryWorker, Peer};
use std::mem;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Some servers that are the shards of one, and everybody who is connected to them.
pub(super) struct World {
    pub(super) now: Time,
    /// One worker each, with its sockets.
    pub(super) shards: Vec<MemoryWorker>,
    links: Links,
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
    /// How often somebody was served: the work of all, however much there was each time.
    pub(super) steps: u64,
}

/// One end of a connection in the hands of the test.
pub(super) struct Client {
    shard: usize,
    pub(super) peer: Peer,
    /// What the server has sent.
    pub(super) received: Vec<u8>,
    /// What an operator has asked for last.
    pub(super) asked_for: String,
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
            shards: (0..shards)
                .map(|shard| MemoryWorker::new(Server::new(config.clone(), ShardId(shard), shards, 7)))
                .collect(),
            links: Links::default(),
            clients: Vec::new(),
            asked: Vec::new(),
            random: 1,
            delivers: true,
            stopped: None,
            heard_locally: vec![],
            takes_locally: true,
            steps: 0,
        }
    }

    /// Connects to a shard, from an address that ends with `host`.
    pub(super) fn connect(&mut self, shard: usize, protocol: Protocol, host: u8) -> usize {
        self.connect_from(shard, protocol, Ipv4Addr::new(10, 0, 0, host).into())
    }

    pub(super) fn connect_from(&mut self, shard: usize, protocol: Protocol, address: IpAddr) -> usize {
        self.try_connect(shard, protocol, address).unwrap()
    }

    /// The same, if the server takes the connection.
    pub(super) fn try_connect(&mut self, shard: usize, protocol: Protocol, address: IpAddr) -> Option<usize> {
        let peer = SocketAddr::new(address, 40_000);
        let peer = self.shards[shard].connect(self.now, protocol, peer).ok()?;
        self.clients.push(Client {
            shard,
            peer,
            received: vec![],
            asked_for: String::new(),
            rtmp: None,
        });
        self.settle();
        Some(self.clients.len() - 1)
    }

    pub(super) fn send(&mut self, client: usize, bytes: &[u8]) {
        self.clients[client].peer.send(bytes);
        self.settle();
    }

    /// Bytes come in at the server's side, which is too late to be told of it.
    pub(super) fn arrive_unnoticed(&mut self, client: usize, script: &str) {
        let client = &mut self.clients[client];
        let bytes = match &mut client.rtmp {
            Some((session, _)) => {
                frames(script).for_each(|frame| session.send_frame(&frame).unwrap());
                drain(session.output())
            }
            None => tags(script),
        };
        client.peer.send(&bytes);
    }

    /// As [`arrive_unnoticed`](Self::arrive_unnoticed), whatever they are.
    pub(super) fn arrive_unnoticed_bytes(&mut self, client: usize, bytes: &[u8]) {
        self.clients[client].peer.send(bytes);
    }

    /// All servers stand still for so long, and look at the time before anything else when they go on.
    pub(super) fn stand_still(&mut self, span: Duration) {
        self.now = self.now + span;
        for shard in &mut self.shards {
            shard.handle_timeout(self.now);
        }
    }

    /// The client closes its side.
    pub(super) fn finish(&mut self, client: usize) {
        self.clients[client].peer.finish();
        self.settle();
    }

    /// The client's connection is gone without a word.
    pub(super) fn reset(&mut self, client: usize) {
        self.clients[client].peer.reset();
        self.settle();
    }

    /// The client takes `window` more bytes.
    pub(super) fn take(&mut self, client: usize, window: usize) {
        self.clients[client].peer.set_window(window);
        self.settle();
    }

    /// The connection of the client.
    pub(super) fn id(&self, client: usize) -> ConnectionId {
        self.clients[client].peer.id()
    }

    /// What its shard says of the client's connection, while that is open.
    pub(super) fn view(&self, client: usize) -> Option<ConnectionView> {
        let (server, id) = self.place(client);
        let connections = server.connections(self.now);
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
        self.shards[shard].answer(self.now, ticket, answer);
        self.settle();
        ticket
    }

    /// Whether its shard would read all others first.
    pub(super) fn yields(&self, client: usize) -> bool {
        let (server, id) = self.place(client);
        server.yields(self.now, id)
    }

    /// Whether its shard would read from the client.
    pub(super) fn wants_input(&self, client: usize) -> bool {
        let (server, id) = self.place(client);
        server.wants_input(id)
    }

    /// The server that serves the client, and what that calls it.
    fn place(&self, client: usize) -> (&Server, ConnectionId) {
        let Client { shard, peer, .. } = &self.clients[client];
        (self.shards[*shard].server(), peer.id())
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = &Server> {
        self.shards.iter().map(|shard| shard.server())
    }

    /// When the first deadline comes.
    pub(super) fn due(&self) -> Option<Time> {
        self.shards.iter().filter_map(|shard| shard.poll_timeout()).min()
    }

    /// Lets time pass, stopping at every deadline.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        for _ in 0..100_000 {
            let due = self.due().filter(|due| *due <= end);
            self.now = due.unwrap_or(end).max(self.now);
            for shard in &mut self.shards {
                shard.handle_timeout(self.now);
            }
            self.settle();
            if due.is_none() {
                return;
            }
        }
        panic!("deadlines never end: {:?}", self.due());
    }

    pub(super) fn shutdown(&mut self) {
        for shard in &mut self.shards {
            shard.shutdown(self.now);
        }
        self.settle();
    }

    /// Does what drivers do until there is nothing more to do.
    pub(super) fn settle(&mut self) {
        for _ in 0..1_000_000 {
            self.steps += 1;
            let has_served = (0..self.shards.len()).fold(false, |served, shard| self.serve(shard) | served);
            if has_served || self.converse() || self.delivers && self.deliver_one() {
                continue;
            }
            return;
        }
        panic!("the servers never come to rest");
    }

    /// Lets a worker serve its sockets, and takes what comes of it. Returns whether there is more.
    fn serve(&mut self, shard: usize) -> bool {
        let (from, links) = (shard_id(shard), &mut self.links);
        let worker = &mut self.shards[shard];
        let mut has_more = worker.serve(self.now, |to, message| links.send(from, to, message));
        while let Some((ticket, question)) = worker.poll_question() {
            self.asked.push((shard, ticket, question));
        }
        while let Some(id) = worker.poll_local() {
            while self.takes_locally
                && let Some(event) = worker.server_mut().poll_local(self.now, id)
            {
                self.heard_locally.push((shard, id, event));
            }
            has_more = true;
        }
        has_more
    }

    /// Delivers one message between shards, over a link picked at random.
    pub(super) fn deliver_one(&mut self) -> bool {
        let stopped = self.stopped.map(shard_id);
        let waiting: Vec<_> = self.links.waiting().filter(|(_, to)| Some(*to) != stopped).collect();
        if waiting.is_empty() {
            return false;
        }
        let pick = self.below(waiting.len());
        let (from, to) = waiting[pick];
        self.receive(from, to)
    }

    /// Delivers what one shard has sent another, before anything else.
    pub(super) fn deliver_link(&mut self, from: usize, to: usize) {
        while self.receive(shard_id(from), shard_id(to)) {}
    }

    /// A shard receives one message. Returns whether there was one.
    fn receive(&mut self, from: ShardId, to: ShardId) -> bool {
        let message = self.links.receive(from, to);
        let has_come = message.is_some();
        if let Some(message) = message {
            self.shards[usize::from(to.0)].handle_shard(self.now, from, message);
        }
        has_come
    }

    /// Messages that wait for a shard.
    pub(super) fn mail(&self, shard: usize) -> usize {
        self.links.len(shard_id(shard))
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
}

fn shard_id(shard: usize) -> ShardId {
    ShardId(u16::try_from(shard).unwrap())
}

impl Client {
    pub(super) fn is_closed(&self) -> bool {
        self.peer.is_closed()
    }

    /// Whether the server has said its last word.
    pub(super) fn is_shut_down(&self) -> bool {
        self.peer.is_shut_down()
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
        self.send(client, format!("POST {path} HTTP/1.0\r\n\r\n").as_bytes());
        self.send(client, &flv(""));
        client
    }

    /// The same by WebSocket.
    pub(super) fn websocket_push(&mut self, shard: usize, path: &str, host: u8) -> usize {
        let client = self.connect(shard, Protocol::Http, host);
        let head = format!(
            "GET {path}?publish HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.send(client, head.as_bytes());
        self.send(client, &messages(&flv("")));
        client
    }

    /// Sends frames in messages of a WebSocket.
    pub(super) fn push_messages(&mut self, client: usize, script: &str) {
        self.send(client, &messages(&tags(script)));
    }

    /// The code of the close frame that the client was sent last, if that is what it was sent last.
    pub(super) fn websocket_close(&self, client: usize) -> Option<u16> {
        let received = &self.clients[client].received;
        let start = received.iter().rposition(|byte| *byte == 0x88)?;
        match received[start..] {
            [_, len, high, low, ref reason @ ..] if usize::from(len) == 2 + reason.len() => {
                Some(u16::from_be_bytes([high, low]))
            }
            _ => None,
        }
    }

    /// Sends frames such as `"V A K0 a5 P40"` as FLV tags, letting time pass as their times say.
    pub(super) fn push(&mut self, client: usize, script: &str) {
        self.send(client, &tags(script));
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

    /// How much a client has heard or received so far: it grows with everything that comes.
    pub(super) fn progress(&self, client: usize) -> usize {
        let Client { received, rtmp, .. } = &self.clients[client];
        rtmp.as_ref().map_or(received.len(), |(_, heard)| heard.len())
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
            client.received.extend(client.peer.take());
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
            if !reply.is_empty() && !client.is_closed() {
                client.peer.send(&reply);
                spoke = true;
            }
        }
        spoke
    }
}

/// Binary messages of a WebSocket client.
fn messages(bytes: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    let message = |piece: &[u8]| {
        let len = match u8::try_from(piece.len()) {
            Ok(len @ ..126) => vec![0x80 | len],
            _ => [&[0x80 | 126][..], &u16::try_from(piece.len()).unwrap().to_be_bytes()].concat(),
        };
        let masked = piece.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        [0x82]
            .into_iter()
            .chain(len)
            .chain(mask)
            .chain(masked)
            .collect::<Vec<_>>()
    };
    bytes.chunks(50_000).flat_map(message).collect()
}

pub(super) fn drain(output: &mut Output) -> Vec<u8> {
    output.copy_to_bytes(output.remaining()).to_vec()
}
