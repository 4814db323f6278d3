//! Sockets in memory: a [`Shard`] and its peers without a runtime, for tests in virtual time.
//!
//! ```text
//!   test                         driver
//!  ┌──────┐ send, finish, reset ┌──────────────┐ readable, writable ┌───────┐
//!  │ Peer │────────────────────▶│ MemorySocket │───────────────────▶│ Shard │
//!  │      │◀────────────────────│              │◀───────────────────│       │
//!  └──────┘        take         └──────────────┘ read, write        └───────┘
//! ```
//!
//! A [`MemoryWorker`] does for its shard what a runtime does: it says which socket is ready, and lets the shard take its turn.
//! The worker does nothing until it is called, nothing waits, and the time is what the caller says: the same calls give the same
//! bytes. How much a socket takes and gives at a time, and when it stalls, is up to the test.
//!
//! ```
//! use headwater_core::Time;
//! use headwater_core::server::{Config, Protocol, Server, ShardId};
//! use headwater_driver::memory::MemoryWorker;
//! use std::sync::Arc;
//!
//! let server = Server::new(Arc::new(Config::default()), ShardId(0), 1, 7);
//! let mut worker = MemoryWorker::new(server);
//! let peer = worker.connect(Time::ZERO, Protocol::Http, ([192, 0, 2, 1], 40_000).into())?;
//! peer.send(b"GET /live/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n");
//! while worker.serve(Time::ZERO, |_, _| ()) {}
//! assert!(peer.take().starts_with(b"HTTP/1.1 404 "));
//! # Ok::<(), headwater_core::server::Refused>(())
//! ```

use crate::{Interest, Shard, Socket};
use core::fmt;
use core::mem;
use core::net::SocketAddr;
use core::ops::{Deref, DerefMut};
use headwater_core::Time;
use headwater_core::server::{ConnectionId, Protocol, Refused, Server, ShardId, ShardMessage};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;

/// The server's end of a connection in memory.
#[derive(Debug)]
pub struct MemorySocket(Rc<RefCell<Wire>>);

/// The other end, in the hands of a test. A clone is the same end.
#[derive(Debug, Clone)]
pub struct Peer {
    id: ConnectionId,
    wire: Rc<RefCell<Wire>>,
}

/// Both directions of a connection, and what the server waits for.
struct Wire {
    /// What the peer has sent and the server has not read.
    incoming: VecDeque<u8>,
    /// Whether nothing comes behind that, as the peer has closed its sending side.
    is_finished: bool,
    /// Whether the connection has failed.
    is_reset: bool,
    /// The system's code of the error that reads and writes end with.
    fault: Option<i32>,
    /// Whether that was told to a shard that may not be reading.
    is_reset_told: bool,
    /// Whether the server is told that it may read.
    is_reported: bool,
    /// What the server has written and the peer has not taken.
    outgoing: Vec<u8>,
    /// Bytes that the socket takes before it takes no more.
    window: usize,
    /// Whether the server is told that it takes some again.
    is_room_reported: bool,
    max_read: usize,
    max_write: usize,
    reads: usize,
    writes: usize,
    bytes_read: usize,
    interest: Interest,
    low_water: usize,
    is_shut_down: bool,
    is_closed: bool,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("incoming", &self.incoming.len())
            .field("outgoing", &self.outgoing.len())
            .field("window", &self.window)
            .field("interest", &self.interest)
            .finish_non_exhaustive()
    }
}

impl Default for Wire {
    fn default() -> Self {
        Wire {
            incoming: VecDeque::new(),
            is_finished: false,
            is_reset: false,
            fault: None,
            is_reset_told: false,
            is_reported: true,
            outgoing: Vec::new(),
            window: usize::MAX,
            is_room_reported: true,
            max_read: usize::MAX,
            max_write: usize::MAX,
            reads: 0,
            writes: 0,
            bytes_read: 0,
            interest: Interest::READ,
            low_water: 1,
            is_shut_down: false,
            is_closed: false,
        }
    }
}

impl Wire {
    /// Whether it is to be read, and whether it is to be written to.
    fn is_ready(&self) -> (bool, bool) {
        let has_enough = !self.incoming.is_empty() && self.incoming.len() >= self.low_water;
        let has_some = has_enough || self.is_finished || self.is_reset;
        let has_room = self.window > 0 && self.is_room_reported || self.is_reset;
        (
            self.interest.read && self.is_reported && has_some,
            self.interest.write && has_room,
        )
    }

    fn check(&self) -> io::Result<()> {
        self.fault
            .map_or(Ok(()), |code| Err(io::Error::from_raw_os_error(code)))
    }

    fn has_news(&self) -> bool {
        self.is_ready() != (false, false) || self.is_reset && !self.is_reset_told
    }

    /// Whether a reset is to be told to a shard that may not be reading: once.
    fn tells_reset(&mut self) -> bool {
        self.is_reset && !mem::replace(&mut self.is_reset_told, true)
    }
}

impl Socket for MemorySocket {
    fn read(&self, scratch: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        wire.check()?;
        let len = wire.incoming.len().min(scratch.len()).min(wire.max_read);
        if len > 0 {
            for (place, byte) in scratch.iter_mut().zip(wire.incoming.drain(..len)) {
                *place = byte;
            }
            wire.reads += 1;
            wire.bytes_read += len;
            Ok(len)
        } else if wire.is_reset {
            Err(ErrorKind::ConnectionReset.into())
        } else if wire.is_finished {
            Ok(0)
        } else {
            Err(ErrorKind::WouldBlock.into())
        }
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        wire.check()?;
        if wire.is_reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let room = wire.window.min(wire.max_write);
        if room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut left = room;
        for slice in slices {
            let len = slice.len().min(left);
            wire.outgoing.extend_from_slice(slice.get(..len).unwrap_or_default());
            left -= len;
        }
        if wire.window != usize::MAX {
            wire.window -= room - left;
        }
        wire.writes += 1;
        Ok(room - left)
    }

    fn shutdown_write(&self) {
        self.0.borrow_mut().is_shut_down = true;
    }

    fn set_interest(&self, interest: Interest) {
        self.0.borrow_mut().interest = interest;
    }

    fn set_low_water(&self, bytes: usize) {
        self.0.borrow_mut().low_water = bytes;
    }

    fn close(self) {
        self.0.borrow_mut().is_closed = true;
    }
}

/// What the peer does.
impl Peer {
    /// Sends `bytes`. They are lost if the server has closed the connection.
    pub fn send(&self, bytes: &[u8]) {
        let mut wire = self.wire.borrow_mut();
        if !wire.is_closed && !wire.is_reset {
            wire.incoming.extend(bytes);
        }
    }

    /// Closes the sending side.
    pub fn finish(&self) {
        self.wire.borrow_mut().is_finished = true;
    }

    /// Ends the connection without a word. What came before may still be read.
    pub fn reset(&self) {
        self.wire.borrow_mut().is_reset = true;
    }

    /// Takes what has come.
    #[must_use]
    pub fn take(&self) -> Vec<u8> {
        mem::take(&mut self.wire.borrow_mut().outgoing)
    }
}

/// What the network and the kernel do.
impl Peer {
    /// From now on the server can write so many bytes until it is told that the socket is full: 0 is a stall. Without a
    /// limit at first.
    pub fn set_window(&self, bytes: usize) {
        self.wire.borrow_mut().window = bytes;
    }

    /// Whether the worker is told that a socket which was full takes bytes again, as it is at first. If not, it finds that only
    /// by trying: the kernel waits until there is more room.
    pub fn set_room_reported(&self, is_reported: bool) {
        self.wire.borrow_mut().is_room_reported = is_reported;
    }

    /// One read gives the server so many bytes at the most: what was sent comes in pieces. At least 1; without a limit at
    /// first.
    pub fn set_max_read(&self, bytes: usize) {
        self.wire.borrow_mut().max_read = bytes.max(1);
    }

    /// One write of the server takes so many bytes at the most. At least 1; without a limit at first.
    pub fn set_max_write(&self, bytes: usize) {
        self.wire.borrow_mut().max_write = bytes.max(1);
    }

    /// From now on reads and writes fail with the error that the system calls `code`, or do not any more.
    pub fn set_fault(&self, code: Option<i32>) {
        self.wire.borrow_mut().fault = code;
    }

    /// Whether the worker is told that there is something to read, as it is at first. If not, it finds it only by looking:
    /// its worker has other things to do.
    pub fn set_reported(&self, is_reported: bool) {
        self.wire.borrow_mut().is_reported = is_reported;
    }
}

/// What the server has done.
impl Peer {
    /// The connection's name.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// Reads that found something.
    #[must_use]
    pub fn reads(&self) -> usize {
        self.wire.borrow().reads
    }

    /// Writes that the socket took something of.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.wire.borrow().writes
    }

    /// Bytes that were read.
    #[must_use]
    pub fn bytes_read(&self) -> usize {
        self.wire.borrow().bytes_read
    }

    /// Bytes that the socket takes until it is full.
    #[must_use]
    pub fn window(&self) -> usize {
        self.wire.borrow().window
    }

    /// Bytes that were sent and not read.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.wire.borrow().incoming.len()
    }

    /// What the server waits for.
    #[must_use]
    pub fn interest(&self) -> Interest {
        self.wire.borrow().interest
    }

    /// How many bytes there should be before the server is told of them.
    #[must_use]
    pub fn low_water(&self) -> usize {
        self.wire.borrow().low_water
    }

    /// Whether the server has closed its sending side, or the connection.
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        let wire = self.wire.borrow();
        wire.is_shut_down || wire.is_closed
    }

    /// Whether the server has dropped its socket.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.wire.borrow().is_closed
    }
}

/// A shard with sockets in memory, served as a runtime serves it.
#[derive(Debug)]
pub struct MemoryWorker {
    shard: Shard<MemorySocket>,
    /// Those that are not closed.
    peers: Vec<Peer>,
}

impl MemoryWorker {
    /// A worker without connections.
    #[must_use]
    pub fn new(server: Server) -> Self {
        MemoryWorker {
            shard: Shard::new(server),
            peers: Vec::new(),
        }
    }

    /// Connects from `address`.
    ///
    /// # Errors
    /// [`Refused`] if the server wants no further connection.
    pub fn connect(&mut self, now: Time, protocol: Protocol, address: SocketAddr) -> Result<Peer, Refused> {
        let wire = Rc::<RefCell<Wire>>::default();
        let socket = MemorySocket(wire.clone());
        let id = self.shard.accept(now, protocol, address, socket)?;
        let peer = Peer { id, wire };
        self.peers.push(peer.clone());
        Ok(peer)
    }

    /// Tells the shard once of each socket that is ready, and lets it take a turn. Messages for other shards go to `send`.
    ///
    /// Returns whether there is more to do: call it until there is not. Cost: O(connections).
    pub fn serve(&mut self, now: Time, send: impl FnMut(ShardId, ShardMessage)) -> bool {
        for peer in &self.peers {
            let (is_readable, is_writable) = peer.wire.borrow().is_ready();
            if peer.wire.borrow_mut().tells_reset() {
                self.shard.hung_up(now, peer.id);
            }
            if is_readable {
                self.shard.readable(now, peer.id);
            }
            if is_writable {
                self.shard.writable(peer.id);
            }
        }
        let has_work = self.shard.turn(now, send);
        self.peers.retain(|peer| !peer.is_closed());
        has_work || self.peers.iter().any(|peer| peer.wire.borrow().has_news())
    }
}

impl Deref for MemoryWorker {
    type Target = Shard<MemorySocket>;

    fn deref(&self) -> &Self::Target {
        &self.shard
    }
}

impl DerefMut for MemoryWorker {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.shard
    }
}

/// What shards have sent each other and not received yet. What one sends another arrives in order; between links there is
/// none.
#[derive(Debug, Default)]
pub struct Links {
    queues: BTreeMap<(u16, u16), VecDeque<ShardMessage>>,
}

impl Links {
    /// `from` sends `message` to `to`.
    pub fn send(&mut self, from: ShardId, to: ShardId, message: ShardMessage) {
        self.queues.entry((from.0, to.0)).or_default().push_back(message);
    }

    /// The links with something to receive, as sender and receiver.
    pub fn waiting(&self) -> impl Iterator<Item = (ShardId, ShardId)> {
        let waiting = self.queues.iter().filter(|(_, queue)| !queue.is_empty());
        waiting.map(|((from, to), _)| (ShardId(*from), ShardId(*to)))
    }

    /// The next message that `to` receives from `from`.
    pub fn receive(&mut self, from: ShardId, to: ShardId) -> Option<ShardMessage> {
        self.queues.get_mut(&(from.0, to.0))?.pop_front()
    }

    /// Messages that wait for `to`, from whichever shard.
    #[must_use]
    pub fn len(&self, to: ShardId) -> usize {
        let links = self.queues.iter().filter(|((_, receiver), _)| *receiver == to.0);
        links.map(|(_, queue)| queue.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_core::server::Config;
    use std::sync::Arc;

    fn connect() -> (MemoryWorker, Peer) {
        let mut worker = MemoryWorker::new(Server::new(Arc::new(Config::default()), ShardId(0), 1, 7));
        let address = ([192, 0, 2, 1], 40_000).into();
        let peer = worker.connect(Time::ZERO, Protocol::Http, address).unwrap();
        (worker, peer)
    }

    fn settle(worker: &mut MemoryWorker) {
        for _ in 0..10_000 {
            if !worker.serve(Time::ZERO, |_, _| ()) {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    const REQUEST: &[u8] = b"GET /live/x HTTP/1.1\r\nHost: localhost\r\n\r\n";

    #[test]
    fn pieces_of_one_byte_give_the_same_answer() {
        let (mut worker, peer) = connect();
        peer.send(REQUEST);
        settle(&mut worker);
        let (mut other_worker, other) = connect();
        other.set_max_read(1);
        other.set_max_write(1);
        other.send(REQUEST);
        settle(&mut other_worker);
        let answer = peer.take();
        assert_eq!((peer.reads(), other.reads()), (1, REQUEST.len()));
        assert_eq!((peer.writes(), other.writes()), (1, answer.len()));
        assert_eq!(other.take(), answer);
    }

    #[test]
    fn a_stalled_socket_goes_on_where_it_was() {
        let (mut worker, peer) = connect();
        peer.set_window(20);
        peer.send(REQUEST);
        settle(&mut worker);
        assert_eq!(peer.take(), b"HTTP/1.1 404 Not Fou");
        peer.set_window(usize::MAX);
        settle(&mut worker);
        assert!(peer.take().starts_with(b"nd\r\n"));
    }

    #[test]
    fn what_is_not_reported_is_not_read() {
        let (mut worker, peer) = connect();
        peer.set_reported(false);
        peer.send(REQUEST);
        settle(&mut worker);
        assert_eq!(peer.unread(), REQUEST.len());
        peer.set_reported(true);
        settle(&mut worker);
        assert_eq!(peer.unread(), 0);
    }

    #[test]
    fn a_reset_closes_a_connection_that_is_not_read() {
        let (mut worker, peer) = connect();
        peer.send(b"GET /live/x?wait=60 HTTP/1.0\r\n\r\n");
        peer.finish();
        settle(&mut worker);
        assert!(!peer.interest().read && !peer.is_closed());
        peer.reset();
        settle(&mut worker);
        assert!(peer.is_closed());
    }
}
