//! The drivers' loop without a driver: shards with sockets in memory, in virtual time.

use crate::target::{Received, Target};
use headwater_core::Time;
use headwater_core::server::{Config, Protocol, Server, ShardId};
use headwater_driver::memory::{Links, MemoryWorker, Peer};
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
    shards: Vec<MemoryWorker>,
    links: Links,
    connections: Vec<Connection>,
    /// How long to wait for what is awaited.
    max_wait: Duration,
    /// Which shard comes first, and which link delivers next (xorshift).
    random: u64,
}

struct Connection {
    peer: Peer,
    /// Whether the end of what the server sends has been read.
    has_read_end: bool,
}

impl Shards {
    /// `order` picks who is served by which shard, and in which order shards hear from each other.
    pub fn new(shards: u16, config: Config, order: u64) -> Shards {
        let config = Arc::new(config);
        let worker = |shard| MemoryWorker::new(Server::new(config.clone(), ShardId(shard), shards, 7));
        Shards {
            now: Time::ZERO,
            shards: (0..shards).map(worker).collect(),
            links: Links::default(),
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
            let has_served = (0..self.shards.len()).fold(false, |served, shard| self.serve(shard) | served);
            if !(has_served || self.deliver() || self.expire()) {
                return;
            }
        }
        panic!("the servers never come to rest");
    }

    /// Lets a worker serve its sockets. Returns whether there is more.
    fn serve(&mut self, shard: usize) -> bool {
        let from = ShardId(u16::try_from(shard).unwrap());
        let links = &mut self.links;
        let worker = &mut self.shards[shard];
        let has_more = worker.serve(self.now, |to, message| links.send(from, to, message));
        let question = worker.poll_question();
        assert!(question.is_none(), "nothing is to be asked: {question:?}");
        has_more
    }

    /// Delivers one message between shards, over a link picked at random.
    fn deliver(&mut self) -> bool {
        let waiting: Vec<_> = self.links.waiting().collect();
        if waiting.is_empty() {
            return false;
        }
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let pick = usize::try_from(self.random % waiting.len() as u64).unwrap();
        let (from, to) = waiting[pick];
        let message = self.links.receive(from, to).unwrap();
        self.shards[usize::from(to.0)].handle_shard(self.now, from, message);
        true
    }

    /// Handles deadlines that have come.
    fn expire(&mut self) -> bool {
        let is_due = self.due().is_some_and(|due| due <= self.now);
        if is_due {
            for shard in &mut self.shards {
                shard.handle_timeout(self.now);
            }
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
        self.shards.iter().filter_map(|shard| shard.poll_timeout()).min()
    }
}

impl Target for Shards {
    /// The first byte says which protocol it is.
    fn connect(&mut self, _: Protocol, from: Ipv4Addr) {
        let number = self.connections.len();
        let shard = (number + usize::try_from(self.random >> 60).unwrap()) % self.shards.len();
        let address = SocketAddr::new(IpAddr::V4(from), 40_000);
        let peer = self.shards[shard].connect(self.now, Protocol::Media, address).unwrap();
        self.connections.push(Connection {
            peer,
            has_read_end: false,
        });
        self.settle();
    }

    fn send(&mut self, connection: usize, bytes: &[u8]) {
        self.connections[connection].peer.send(bytes);
        self.settle();
    }

    fn finish(&mut self, connection: usize) {
        self.connections[connection].peer.finish();
        self.settle();
    }

    fn reset(&mut self, connection: usize) {
        let connection = &mut self.connections[connection];
        connection.peer.reset();
        connection.has_read_end = true;
        self.settle();
    }

    fn receive(&mut self, connection: usize, is_awaited: bool) -> Received {
        let end = self.now + self.max_wait;
        loop {
            let Connection { peer, has_read_end } = &mut self.connections[connection];
            let bytes = peer.take();
            if !bytes.is_empty() {
                return Received::Bytes(bytes);
            }
            if peer.is_shut_down() && !mem::replace(has_read_end, true) {
                return Received::Eof;
            }
            if !is_awaited || self.now >= end {
                return Received::Nothing;
            }
            self.pass(self.now + DEFERRED_READS);
        }
    }

    fn pass_until(&mut self, millis: u64) {
        self.pass(Time::from_millis(millis));
    }

    fn shut_down(&mut self) {
        for shard in &mut self.shards {
            shard.shutdown(self.now);
        }
        self.settle();
    }
}
