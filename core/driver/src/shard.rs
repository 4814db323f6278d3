//! One thread's part of the server: its state machine, its sockets, and the order in which they are served.

mod deferred;
mod shortages;

use crate::DRAIN_TIMEOUT;
use crate::process;
use crate::sockets::shortage;
use bytes::Buf;
use core::mem;
use core::net::SocketAddr;
use deferred::{DeferredReads, LOW_WATER};
use headwater_core::server::record::Recording;
use headwater_core::server::{
    Action, Answer, ConnectionId, Event, Protocol, Question, Refused, Server, ShardId, ShardMessage, Ticket,
};
use headwater_core::{Output, Time};
use shortages::Shortages;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::time::Duration;
use tracing::warn;

/// A socket that never blocks, as the driver's runtime gives it.
///
/// Each method takes `&self`: a driver's own handle on the same socket waits for its readiness meanwhile.
pub trait Socket {
    /// Reads into `scratch`, also if nothing was reported; 0 means that the peer has closed its sending side.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if nothing is there yet. A want of memory, as the system's error code tells, is waited out; any
    /// other error is the end of the connection.
    fn read(&self, scratch: &mut [u8]) -> io::Result<usize>;

    /// Writes what the kernel takes of `slices`, one after the other.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if the kernel takes nothing now. Else as [`read`](Self::read).
    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// As [`write_vectored`](Self::write_vectored), for a socket that has refused bytes and has not been reported to take more:
    /// it may all the same, as Linux says so only once there is room for 64 KiB. Called seldom.
    ///
    /// # Errors
    /// As a write. One that fails is told again by the next.
    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_vectored(slices)
    }

    /// Tells the peer that nothing more will come. What was written before still arrives.
    fn shutdown_write(&self);

    /// What to wait for from now on. At first that is [`Interest::READ`]; called only when it changes. Whatever it is, an
    /// error or an end of both directions is to be told by [`Shard::hung_up`].
    fn set_interest(&self, interest: Interest);

    /// From now on, reports that there is something to read only once `bytes` are there, or an end or an error. At first
    /// that is 1; called only when it changes. A socket that cannot may ignore it, and pays with more wake-ups.
    fn set_low_water(&self, bytes: usize);

    /// The shard is done with this socket and drops it.
    fn close(self);
}

/// What a shard waits for on one socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    /// Call [`Shard::readable`] when the socket has bytes, or has them already.
    pub read: bool,
    /// Call [`Shard::writable`] when the kernel takes bytes again. Only a socket that has refused some is waited for:
    /// usually a shard just writes.
    pub write: bool,
}

impl Interest {
    /// Bytes, an end or an error to read.
    pub const READ: Interest = Interest {
        read: true,
        write: false,
    };

    /// Nothing but a failure, which is told whatever is waited for.
    pub const NONE: Interest = Interest {
        read: false,
        write: false,
    };
}

/// A [`Server`] with the sockets of its connections.
///
/// After any call but a getter, call [`turn`](Self::turn) until it returns false, letting other work in between; it is
/// what writes. Nothing here waits or blocks.
///
/// Cost: one entry per connection, and one scratch of 64 KiB that all of them read through, so that an idle connection
/// owns no buffer.
#[derive(Debug)]
pub struct Shard<S> {
    server: Server,
    /// By [`ConnectionId::index`].
    connections: Vec<Option<Connection<S>>>,
    /// Connections with something to write, each at most once, served in turn.
    run_queue: VecDeque<ConnectionId>,
    /// Connections to read whether or not they have reported something, each at most once.
    read_queue: VecDeque<ConnectionId>,
    /// Connections that [yield](Server::yields) to all others, each at most once.
    yield_queue: VecDeque<ConnectionId>,
    /// When one of them is read though there is other work.
    yields_until: Time,
    /// Connections that are read seldom.
    deferred: DeferredReads,
    shortages: Shortages,
    /// What the server asks, until somebody takes it.
    questions: VecDeque<(Ticket, Question)>,
    /// Connections of the program's own that have something to take, until somebody takes them.
    locals: VecDeque<ConnectionId>,
    /// Whether anything was reported since the last turn.
    is_busy: bool,
    scratch: Box<[u8]>,
    /// When connections that are still there are cut off, once the shard is shut down.
    drain_until: Option<Time>,
    /// Whether they were.
    is_cut_off: bool,
}

#[derive(Debug)]
struct Connection<S> {
    id: ConnectionId,
    socket: S,
    interest: Interest,
    is_deferred: bool,
    is_queued: bool,
    is_read_queued: bool,
    is_yielding: bool,
    is_blocked: bool,
    /// Whether it is not to be used for now, for want of memory.
    is_short: bool,
    has_hung_up: bool,
}

/// Bytes read at a time. 64 KiB: a keyframe in a few reads, and it stays in the second-level cache.
const SCRATCH: usize = 64 << 10;
/// Bytes read at a time of a connection that yields. 4 KiB: 0.1 ms at the dearest, and a bulk upload that has the thread for
/// itself still comes in at 100 MB/s.
const YIELDING_READ: usize = 4 << 10;
/// How long connections that yield wait for a turn without other work at the most: one of them is read then. 10 ms: all
/// of them together get a hundredth of a busy thread, and none starves.
const MAX_YIELD: Duration = Duration::from_millis(10);
/// Slices offered to one write. 64: as tokio and rustls do; with a header and a payload per frame that is 32 frames.
const MAX_SLICES: usize = 64;
/// Slices that a frame to a player at the live edge usually needs, so that a write need not prepare more.
const FEW_SLICES: usize = 4;
/// Bytes written to one connection before the others get their share. 256 KiB: a player that joins gets its pictures
/// in a few steps, and nobody waits longer than about 0.1 ms for it.
const BURST: usize = 256 << 10;
/// Bytes written in one turn, before the runtime looks for new input. 1 MiB: about 0.5 ms.
const TURN: usize = 1 << 20;
/// What a read or write costs beside its bytes, in bytes: a system call on a socket is about as long as copying 16 KiB.
const CALL_COST: usize = 16 << 10;
/// How many written bytes a byte that was read counts as. 8: it is copied and parsed, and bytes that were chosen to be slow
/// to parse take a millisecond for a read of 64 KiB, for which others should not wait often.
const READ_WEIGHT: usize = 8;

impl<S: Socket> Shard<S> {
    /// A shard without connections.
    #[must_use]
    pub fn new(server: Server) -> Self {
        Shard {
            server,
            connections: Vec::new(),
            run_queue: VecDeque::new(),
            read_queue: VecDeque::new(),
            yield_queue: VecDeque::new(),
            yields_until: Time::ZERO,
            deferred: DeferredReads::default(),
            shortages: Shortages::default(),
            questions: VecDeque::new(),
            locals: VecDeque::new(),
            is_busy: false,
            scratch: vec![0; SCRATCH].into(),
            drain_until: None,
            is_cut_off: false,
        }
    }

    /// Takes in a connection.
    ///
    /// # Errors
    /// [`Refused`] if the server wants no further connection: drop it.
    pub fn accept(
        &mut self,
        now: Time,
        protocol: Protocol,
        peer: SocketAddr,
        socket: S,
    ) -> Result<ConnectionId, Refused> {
        self.is_busy = true;
        let id = self.server.accept(now, protocol, peer)?;
        let connection = Connection {
            id,
            socket,
            interest: Interest::READ,
            is_deferred: false,
            is_queued: false,
            is_read_queued: false,
            is_yielding: false,
            is_blocked: false,
            is_short: false,
            has_hung_up: false,
        };
        if self.connections.len() <= id.index() {
            self.connections.resize_with(id.index() + 1, || None);
        }
        if let Some(slot) = self.connections.get_mut(id.index()) {
            *slot = Some(connection);
        }
        Ok(id)
    }

    /// The connection whose [`ConnectionId::index`] is `index`, for drivers whose events say no more.
    pub fn connection_at(&mut self, index: usize) -> Option<(ConnectionId, &mut S)> {
        let connection = self.connections.get_mut(index)?.as_mut()?;
        Some((connection.id, &mut connection.socket))
    }

    /// The socket of `id` has something to read: reads once. Returns whether more may be there; other work should then
    /// come first.
    pub fn readable(&mut self, now: Time, id: ConnectionId) -> bool {
        self.is_busy = true;
        if self.yields(now, id) {
            return false;
        }
        let len = self.read(now, id);
        self.has_more(id, len)
    }

    /// The socket of `id` takes bytes again.
    pub fn writable(&mut self, id: ConnectionId) {
        self.is_busy = true;
        if let Some(connection) = find(&mut self.connections, id) {
            connection.is_blocked = false;
            self.enqueue(id);
        }
    }

    /// The socket of `id` has failed, or both directions are closed: whatever is waited for, nothing can be written any
    /// more. That the peer has closed its sending side alone is none of this; it is read.
    ///
    /// What came before is still read, as far as the server wants it; the connection ends as soon as it does not. So this
    /// comes beside [`readable`](Self::readable), in any order, and may be said again.
    pub fn hung_up(&mut self, now: Time, id: ConnectionId) {
        self.is_busy = true;
        if let Some(connection) = find(&mut self.connections, id) {
            connection.has_hung_up = true;
            connection.update_interest(now, &mut self.server);
        }
    }

    /// Another shard has sent `message`. Messages of one shard must arrive in the order in which it sent them.
    pub fn handle_shard(&mut self, now: Time, from: ShardId, message: ShardMessage) {
        self.is_busy = true;
        self.server.handle_shard(now, from, message);
    }

    /// The server, to look at.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The server, to change by what concerns no socket.
    pub fn server_mut(&mut self) -> &mut Server {
        self.is_busy = true;
        &mut self.server
    }

    /// The next question of the server, which asks only what its configuration says. Take them after each
    /// [`turn`](Self::turn).
    pub fn poll_question(&mut self) -> Option<(Ticket, Question)> {
        self.questions.pop_front()
    }

    /// The next connection of the program's own, opened by [`Server::publish`] or [`Server::play`], that has something for
    /// [`Server::poll_local`]. Take them after each [`turn`](Self::turn).
    pub fn poll_local(&mut self) -> Option<ConnectionId> {
        self.locals.pop_front()
    }

    /// The next event, if the server's configuration says that events are kept. Take them after each
    /// [`turn`](Self::turn).
    pub fn poll_event(&mut self) -> Option<Event> {
        self.server.poll_event()
    }

    /// The next recording of a connection that has failed, if the server's configuration says that they are made. Take them
    /// after each [`turn`](Self::turn).
    pub fn poll_recording(&mut self) -> Option<Recording> {
        self.server.poll_recording()
    }

    /// The answer to a question. One that comes too late does nothing.
    pub fn answer(&mut self, now: Time, ticket: Ticket, answer: Answer) {
        self.is_busy = true;
        self.server.answer(now, ticket, answer);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else is to be done before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let drain = self.drain_until.filter(|_| !self.is_drained());
        [
            self.server.poll_timeout(),
            self.deferred.poll_timeout(),
            self.shortages.poll_timeout(),
            drain,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The time has come. Too early does nothing.
    pub fn handle_timeout(&mut self, now: Time) {
        self.server.handle_timeout(now);
        self.deferred.take_turn(now, |id, is_silent| {
            if let Some(connection) = find(&mut self.connections, id) {
                if is_silent {
                    connection.is_deferred = false;
                    connection.socket.set_low_water(1);
                }
                connection.enqueue_read(&mut self.read_queue);
            }
        });
        for id in self.shortages.take_due(now) {
            if let Some(connection) = find(&mut self.connections, id) {
                connection.is_short = false;
                connection.update_interest(now, &mut self.server);
                connection.enqueue_read(&mut self.read_queue);
            }
            self.enqueue(id);
        }
        let is_late = self.drain_until.is_some_and(|until| until <= now);
        if is_late && !self.is_drained() {
            warn!("connections are cut off at the end of the drain time");
            self.is_cut_off = true;
        }
    }

    /// Ends every stream cleanly and takes no more connections. Done when [`is_drained`](Self::is_drained), after
    /// [`DRAIN_TIMEOUT`] at the latest. To say it again changes nothing.
    pub fn shutdown(&mut self, now: Time) {
        if self.drain_until.is_none() {
            self.drain_until = Some(now + DRAIN_TIMEOUT);
            self.server.shutdown(now);
        }
    }

    /// Whether the shard was [shut down](Self::shutdown).
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.drain_until.is_some()
    }

    /// Whether the shard was shut down and its last connection is closed, or had its time.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.is_cut_off || self.drain_until.is_some() && self.server.is_drained()
    }

    /// Does what the server asks for: reads, writes, closes, hands messages for other shards to `send`.
    ///
    /// Returns whether work is left. A turn ends after about half a millisecond, so that one burst cannot keep the
    /// thread from its other sockets; what comes in meanwhile joins the queue, and frames that wait leave together.
    ///
    /// Connections whose input makes too much work [yield](Server::yields): one of them is read, and only a little, by each
    /// turn that finds nothing else to do, because nothing came since the turn before. So a stream waits for them
    /// no longer than for one such read, however many there are.
    pub fn turn(&mut self, now: Time, mut send: impl FnMut(ShardId, ShardMessage)) -> bool {
        let is_idle = !mem::take(&mut self.is_busy) && self.read_queue.is_empty() && self.run_queue.is_empty();
        if is_idle || self.yields_until <= now {
            self.read_yielding(now);
        }
        let mut budget = TURN;
        loop {
            while let Some(action) = self.server.poll_action() {
                budget = budget.saturating_sub(self.perform(now, action, &mut send));
            }
            if budget == 0 {
                break;
            }
            // One of these for one of those, so that neither waits for all of the other.
            let (to_read, to_write) = (self.read_queue.pop_front(), self.run_queue.pop_front());
            if let Some(id) = to_read {
                budget = budget.saturating_sub(CALL_COST + READ_WEIGHT * self.read_queued(now, id));
            }
            if let Some(id) = to_write {
                budget = budget.saturating_sub(CALL_COST + self.flush(now, id));
            }
            if (to_read, to_write) == (None, None) {
                break;
            }
        }
        !(self.read_queue.is_empty() && self.run_queue.is_empty() && self.yield_queue.is_empty())
    }

    /// Does what the server asks for, or queues it, and returns what that cost, in bytes.
    fn perform(&mut self, now: Time, action: Action, send: &mut impl FnMut(ShardId, ShardMessage)) -> usize {
        match action {
            Action::Wake(id) => {
                // A connection that is served soon has its interest brought up to date then.
                if !self.enqueue(id) {
                    match find(&mut self.connections, id) {
                        Some(connection) => connection.update_interest(now, &mut self.server),
                        None => self.locals.push_back(id),
                    }
                }
            }
            Action::Read(id) => {
                if let Some(connection) = find(&mut self.connections, id) {
                    connection.hurry(&mut self.deferred);
                }
                // Somebody waits for it: before anything is written.
                let len = self.read_on(now, id);
                return CALL_COST + READ_WEIGHT * len + self.offer(now, id);
            }
            Action::Shutdown(id) => {
                if let Some(connection) = find(&mut self.connections, id) {
                    connection.socket.shutdown_write();
                }
            }
            Action::Close(id) => {
                let slot = self.connections.get_mut(id.index());
                if let Some(connection) = slot.and_then(|slot| slot.take_if(|connection| connection.id == id)) {
                    if connection.is_deferred {
                        self.deferred.remove(id);
                    }
                    connection.socket.close();
                }
            }
            Action::Ask(ticket, question) => self.questions.push_back((ticket, question)),
            Action::ToShard(shard, message) => send(shard, message),
            Action::Measure => self.server.handle_process(now, process::figures()),
        }
        0
    }

    /// Puts a connection at the end of the queue, unless it is there or waits for its socket. Returns whether it is
    /// there.
    fn enqueue(&mut self, id: ConnectionId) -> bool {
        let Some(connection) = find(&mut self.connections, id).filter(|it| !it.is_blocked && !it.is_short) else {
            return false;
        };
        if !mem::replace(&mut connection.is_queued, true) {
            self.run_queue.push_back(id);
        }
        true
    }

    fn enqueue_read(&mut self, id: ConnectionId) {
        if let Some(connection) = find(&mut self.connections, id) {
            connection.enqueue_read(&mut self.read_queue);
        }
    }

    /// Reads a little of the connection that has yielded longest.
    fn read_yielding(&mut self, now: Time) {
        while let Some(id) = self.yield_queue.pop_front() {
            if let Some(connection) = find(&mut self.connections, id) {
                connection.is_yielding = false;
                self.yields_until = now + MAX_YIELD;
                self.read_at_most(now, id, YIELDING_READ);
                return;
            }
        }
    }

    /// Reads a connection of the read queue once, unless it yields, and returns how much there was.
    fn read_queued(&mut self, now: Time, id: ConnectionId) -> usize {
        if let Some(connection) = find(&mut self.connections, id) {
            connection.is_read_queued = false;
        }
        if self.yields(now, id) { 0 } else { self.read_on(now, id) }
    }

    /// Whether a connection that has something to read yields to the others: it is read in its turn then.
    fn yields(&mut self, now: Time, id: ConnectionId) -> bool {
        let Some(connection) = find(&mut self.connections, id) else {
            return false;
        };
        let yields = connection.is_yielding || self.server.yields(now, id);
        if yields {
            connection.join(&mut self.yield_queue);
            connection.update_interest(now, &mut self.server);
        }
        yields
    }

    /// Reads once, comes back for what is left, and returns how much there was.
    fn read_on(&mut self, now: Time, id: ConnectionId) -> usize {
        let len = self.read(now, id);
        if self.has_more(id, len) {
            self.enqueue_read(id);
        }
        len
    }

    /// Whether a read of `len` bytes has left some, for which others wait that are to be served first.
    fn has_more(&self, id: ConnectionId, len: usize) -> bool {
        len == SCRATCH && !self.is_yielding(id)
    }

    fn is_yielding(&self, id: ConnectionId) -> bool {
        let connection = self.connections.get(id.index()).and_then(Option::as_ref);
        connection.is_some_and(|connection| connection.id == id && connection.is_yielding)
    }

    /// Reads once, if the server wants it, and returns how much there was.
    fn read(&mut self, now: Time, id: ConnectionId) -> usize {
        let yields = self.is_yielding(id) || self.server.yields(now, id);
        self.read_at_most(now, id, if yields { YIELDING_READ } else { SCRATCH })
    }

    fn read_at_most(&mut self, now: Time, id: ConnectionId, max: usize) -> usize {
        let Some(connection) = find(&mut self.connections, id).filter(|_| self.server.wants_input(id)) else {
            return 0;
        };
        let scratch = self.scratch.get_mut(..max).unwrap_or_default();
        let len = match connection.socket.read(scratch) {
            Ok(0) => {
                self.server.handle_eof(now, id);
                0
            }
            Ok(len) => {
                self.server
                    .handle_input(now, id, self.scratch.get(..len).unwrap_or_default());
                len
            }
            Err(error) if is_temporary(&error) => 0,
            Err(error) if shortage(&error).is_some() => {
                connection.wait_for_memory(now, &mut self.shortages);
                0
            }
            Err(_) => {
                self.server.handle_reset(now, id);
                0
            }
        };
        // A connection that yields does so until it has caught up, in the seconds that follow too.
        if len == max && (max == YIELDING_READ || self.server.yields(now, id)) {
            connection.join(&mut self.yield_queue);
        }
        connection.update_interest(now, &mut self.server);
        if len > 0 && !self.server.is_urgent(id) {
            connection.defer(now, &mut self.deferred);
        } else if len > 0 {
            connection.hurry(&mut self.deferred);
        }
        len
    }

    /// Offers bytes to a socket that waits for room, up to a burst, and returns how much the kernel took. It waits on as before.
    fn offer(&mut self, now: Time, id: ConnectionId) -> usize {
        let Some(connection) = find(&mut self.connections, id).filter(|it| it.is_blocked) else {
            return 0;
        };
        let mut taken = 0;
        while taken < BURST {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let output = self.server.output(now, id);
            let count = output.chunks_vectored(&mut slices);
            let offered = slices.get(..count).unwrap_or_default();
            let len = match offered {
                [] => 0,
                offered => connection.socket.try_write_vectored(offered).unwrap_or(0),
            };
            if len == 0 {
                break;
            }
            output.advance(len);
            taken += len;
        }
        taken
    }

    /// Writes what `id` has, up to a burst, and returns how much the kernel took.
    fn flush(&mut self, now: Time, id: ConnectionId) -> usize {
        let Some(connection) = find(&mut self.connections, id) else {
            return 0;
        };
        connection.is_queued = false;
        let mut sent = 0;
        while sent < BURST {
            let output = self.server.output(now, id);
            if output.is_empty() {
                break;
            }
            let written = if output.segments() <= FEW_SLICES {
                write::<FEW_SLICES>(&connection.socket, output)
            } else {
                write::<MAX_SLICES>(&connection.socket, output)
            };
            match written {
                Ok(len) => sent += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    if error.kind() == ErrorKind::WouldBlock {
                        connection.is_blocked = true;
                    } else if shortage(&error).is_some() {
                        connection.wait_for_memory(now, &mut self.shortages);
                    } else {
                        self.server.handle_reset(now, id);
                    }
                    break;
                }
            }
        }
        connection.update_interest(now, &mut self.server);
        if sent >= BURST {
            self.enqueue(id);
        }
        sent
    }
}

impl<S: Socket> Connection<S> {
    /// Yields to all others, if it does not yet.
    fn join(&mut self, yield_queue: &mut VecDeque<ConnectionId>) {
        if !mem::replace(&mut self.is_yielding, true) {
            yield_queue.push_back(self.id);
        }
    }

    /// It is to be read in its turn.
    fn enqueue_read(&mut self, read_queue: &mut VecDeque<ConnectionId>) {
        if !mem::replace(&mut self.is_read_queued, true) {
            read_queue.push_back(self.id);
        }
    }

    /// It is left alone for a moment.
    fn wait_for_memory(&mut self, now: Time, shortages: &mut Shortages) {
        if !mem::replace(&mut self.is_short, true) {
            shortages.insert(now, self.id);
        }
    }

    /// What it sends from now on may wait.
    fn defer(&mut self, now: Time, deferred: &mut DeferredReads) {
        deferred.insert(now, self.id);
        if !mem::replace(&mut self.is_deferred, true) {
            self.socket.set_low_water(LOW_WATER);
        }
    }

    /// What it sends from now on is read at once.
    fn hurry(&mut self, deferred: &mut DeferredReads) {
        if mem::take(&mut self.is_deferred) {
            deferred.remove(self.id);
            self.socket.set_low_water(1);
        }
    }

    fn update_interest(&mut self, now: Time, server: &mut Server) {
        let wants_input = server.wants_input(self.id);
        let interest = Interest {
            read: wants_input && !self.is_yielding && !self.is_short,
            write: self.is_blocked && !self.is_short,
        };
        if self.interest != interest {
            self.interest = interest;
            self.socket.set_interest(interest);
        }
        if self.has_hung_up && !wants_input {
            server.handle_reset(now, self.id);
        }
    }
}

/// One write of the first `SLICES` segments of `output`.
fn write<const SLICES: usize>(socket: &impl Socket, output: &mut Output) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let count = output.chunks_vectored(&mut slices);
    let len = socket.write_vectored(slices.get(..count).unwrap_or_default())?;
    if len == 0 {
        return Err(ErrorKind::WriteZero.into());
    }
    output.advance(len);
    Ok(len)
}

/// The connection `id`, unless it is closed and its place perhaps taken by another.
fn find<S>(connections: &mut [Option<Connection<S>>], id: ConnectionId) -> Option<&mut Connection<S>> {
    connections
        .get_mut(id.index())?
        .as_mut()
        .filter(|connection| connection.id == id)
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests;
