//! Core alone: shards in memory and in virtual time, driven as their documentation says.

use crate::target::{Received, Target};
use bytes::Buf;
use headwater_core::Time;
use headwater_core::server::{Action, Config, ConnectionId, Protocol, Server, ShardId, ShardMessage};
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// How long the server may leave alone what a publisher sends that nobody watches.
const DEFERRED_READS: Duration = Duration::from_millis(100);

/// How long what is expected may take: a publisher that is to be replaced is heard for about a second.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// Some servers that are the shards of one.
pub struct Shards {
    now: Time,
    servers: Vec<Server>,
    /// What shards have sent each other and not received yet, by sender and receiver.
    links: BTreeMap<(u16, u16), VecDeque<ShardMessage>>,
    connections: Vec<Connection>,
    /// How long to wait for what is awaited.
    max_wait: Duration,
    /// Which shard comes first, and which link delivers next (xorshift).
    random: u64,
}

struct Connection {
    shard: usize,
    id: ConnectionId,
    /// Waits until the server wants it, as in the buffers of a socket.
    unread: Vec<u8>,
    is_finished: bool,
    /// Whether it is to be read however little there is.
    is_due: bool,
    received: Vec<u8>,
    /// Whether the server has closed its sending side, and whether that has been read.
    has_ended: bool,
    is_closed: bool,
}

impl Shards {
    /// `order` picks who is served by which shard, and in which order shards hear from each other.
    pub fn new(shards: u16, config: Config, order: u64) -> Shards {
        let config = Arc::new(config);
        let server = |shard| Server::new(config.clone(), ShardId(shard), shards, 7);
        Shards {
            now: Time::ZERO,
            servers: (0..shards).map(server).collect(),
            links: BTreeMap::new(),
            connections: Vec::new(),
            max_wait: MAX_WAIT,
            random: order.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
        }
    }

    /// For a caller that does not know what will come: waits only for what comes soon.
    pub fn in_haste(self) -> Shards {
        let max_wait = DEFERRED_READS;
        Shards { max_wait, ..self }
    }

    /// Does what a driver does, until there is nothing more to do at this moment.
    fn settle(&mut self) {
        for _ in 0..1_000_000 {
            let has_acted = (0..self.servers.len()).fold(false, |acted, shard| self.act(shard) | acted);
            if !(has_acted || self.read() || self.deliver() || self.expire()) {
                return;
            }
        }
        panic!("the servers never come to rest");
    }

    fn act(&mut self, shard: usize) -> bool {
        let Some(action) = self.servers[shard].poll_action() else {
            return false;
        };
        match action {
            Action::Wake(id) => self.write(shard, id),
            Action::Read(id) => {
                if let Some(connection) = find(&mut self.connections, shard, id) {
                    connection.is_due = true;
                }
            }
            Action::Shutdown(id) => {
                if let Some(connection) = find(&mut self.connections, shard, id) {
                    connection.has_ended = true;
                }
            }
            Action::Close(id) => {
                if let Some(connection) = find(&mut self.connections, shard, id) {
                    connection.has_ended = true;
                    connection.is_closed = true;
                }
            }
            Action::Ask(_, question) => panic!("nothing is to be asked: {question:?}"),
            Action::ToShard(to, message) => {
                let from = u16::try_from(shard).unwrap();
                self.links.entry((from, to.0)).or_default().push_back(message);
            }
        }
        true
    }

    fn write(&mut self, shard: usize, id: ConnectionId) {
        let Some(connection) = find(&mut self.connections, shard, id) else {
            return;
        };
        loop {
            let output = self.servers[shard].output(self.now, id);
            if output.is_empty() {
                return;
            }
            connection.received.extend_from_slice(output.chunk());
            output.advance(output.chunk().len());
        }
    }

    /// Gives a server what it wants to read.
    fn read(&mut self) -> bool {
        let (now, servers) = (self.now, &mut self.servers);
        let mut has_read = false;
        for connection in self.connections.iter_mut().filter(|connection| !connection.is_closed) {
            let server = &mut servers[connection.shard];
            if !server.wants_input(connection.id) {
                continue;
            }
            let is_due = mem::take(&mut connection.is_due) || connection.is_finished;
            if !connection.unread.is_empty() && (is_due || connection.unread.len() >= server.low_water(connection.id)) {
                server.handle_input(now, connection.id, &mem::take(&mut connection.unread));
                has_read = true;
            } else if mem::take(&mut connection.is_finished) {
                server.handle_eof(now, connection.id);
                has_read = true;
            }
        }
        has_read
    }

    /// Delivers one message between shards, over a link picked at random.
    fn deliver(&mut self) -> bool {
        let waiting: Vec<_> = self.links.iter().filter(|(_, queue)| !queue.is_empty()).collect();
        let Ok(count) = u64::try_from(waiting.len()) else {
            return false;
        };
        if count == 0 {
            return false;
        }
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let pick = usize::try_from(self.random % count).unwrap();
        let (from, to) = *waiting[pick].0;
        let message = self.links.get_mut(&(from, to)).and_then(VecDeque::pop_front).unwrap();
        self.servers[usize::from(to)].handle_shard(self.now, ShardId(from), message);
        true
    }

    /// Handles deadlines that have come.
    fn expire(&mut self) -> bool {
        let is_due = self.due().is_some_and(|due| due <= self.now);
        if is_due {
            self.servers
                .iter_mut()
                .for_each(|server| server.handle_timeout(self.now));
        }
        is_due
    }

    fn pass(&mut self, end: Time) {
        self.settle();
        while let Some(due) = self.due().filter(|due| *due <= end) {
            self.now = due;
            self.settle();
        }
        self.now = self.now.max(end);
    }

    fn due(&self) -> Option<Time> {
        self.servers.iter().filter_map(Server::poll_timeout).min()
    }
}

impl Target for Shards {
    fn connect(&mut self, protocol: Protocol, from: Ipv4Addr) {
        let number = self.connections.len();
        let shard = (number + usize::try_from(self.random >> 60).unwrap()) % self.servers.len();
        let peer = SocketAddr::new(IpAddr::V4(from), 40_000);
        let id = self.servers[shard].accept(self.now, protocol, peer).unwrap();
        self.connections.push(Connection {
            shard,
            id,
            unread: Vec::new(),
            is_finished: false,
            is_due: false,
            received: Vec::new(),
            has_ended: false,
            is_closed: false,
        });
        self.settle();
    }

    fn send(&mut self, connection: usize, bytes: &[u8]) {
        self.connections[connection].unread.extend_from_slice(bytes);
        self.settle();
    }

    fn finish(&mut self, connection: usize) {
        self.connections[connection].is_finished = true;
        self.settle();
    }

    fn reset(&mut self, connection: usize) {
        let Connection { shard, id, .. } = self.connections[connection];
        self.servers[shard].handle_reset(self.now, id);
        self.settle();
        self.connections[connection].has_ended = false;
    }

    fn receive(&mut self, connection: usize, is_awaited: bool) -> Received {
        let end = self.now + self.max_wait;
        let is_silent = |it: &Shards| {
            let connection = &it.connections[connection];
            connection.received.is_empty() && !connection.has_ended
        };
        while is_awaited && self.now < end && is_silent(self) {
            self.pass(self.now + DEFERRED_READS);
        }
        let connection = &mut self.connections[connection];
        if !connection.received.is_empty() {
            Received::Bytes(mem::take(&mut connection.received))
        } else if mem::take(&mut connection.has_ended) {
            Received::Eof
        } else {
            Received::Nothing
        }
    }

    fn pass_until(&mut self, millis: u64) {
        self.pass(Time::from_millis(millis));
    }

    fn shut_down(&mut self) {
        self.servers.iter_mut().for_each(|server| server.shutdown(self.now));
        self.settle();
    }
}

fn find(connections: &mut [Connection], shard: usize, id: ConnectionId) -> Option<&mut Connection> {
    connections
        .iter_mut()
        .find(|connection| connection.shard == shard && connection.id == id && !connection.is_closed)
}
