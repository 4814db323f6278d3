//! One thread's part of the server: its state machine, its sockets, and the order in which they are served.

use bytes::Buf;
use core::mem;
use core::net::SocketAddr;
use headwater_core::server::{Action, ConnectionId, Listener, Refused, Server, ShardId, ShardMessage};
use headwater_core::{Output, Time};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};

/// A socket that never blocks, as the driver's runtime lends it.
///
/// Each method takes `&self`: a driver's own handle on the same socket waits for its readiness meanwhile.
pub trait Socket {
    /// Reads into `scratch`, also if nothing was reported; 0 means that the peer has closed its sending side.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if nothing is there yet. Any other error is the end of the connection.
    fn read(&self, scratch: &mut [u8]) -> io::Result<usize>;

    /// Writes what the kernel takes of `slices`, one after the other.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if the kernel takes nothing now. Any other error is the end of the connection.
    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

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
    scratch: Box<[u8]>,
    is_shut_down: bool,
}

#[derive(Debug)]
struct Connection<S> {
    id: ConnectionId,
    socket: S,
    interest: Interest,
    low_water: usize,
    is_queued: bool,
    is_read_queued: bool,
    is_blocked: bool,
    has_hung_up: bool,
}

/// Bytes read at a time. 64 KiB: a keyframe in a few reads, and it stays in the second-level cache.
const SCRATCH: usize = 64 << 10;
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
            scratch: vec![0; SCRATCH].into(),
            is_shut_down: false,
        }
    }

    /// Takes in a connection.
    ///
    /// # Errors
    /// [`Refused`] if the server wants no further connection: drop it.
    pub fn accept(
        &mut self,
        now: Time,
        listener: Listener,
        peer: SocketAddr,
        socket: S,
    ) -> Result<ConnectionId, Refused> {
        let id = self.server.accept(now, listener, peer)?;
        let connection = Connection {
            id,
            socket,
            interest: Interest::READ,
            low_water: 1,
            is_queued: false,
            is_read_queued: false,
            is_blocked: false,
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
        self.read(now, id) == self.scratch.len()
    }

    /// The socket of `id` takes bytes again.
    pub fn writable(&mut self, id: ConnectionId) {
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
        if let Some(connection) = find(&mut self.connections, id) {
            connection.has_hung_up = true;
            connection.update_interest(now, &mut self.server);
        }
    }

    /// Another shard has sent `message`. Messages of one shard must arrive in the order in which it sent them.
    pub fn handle_shard(&mut self, now: Time, from: ShardId, message: ShardMessage) {
        self.server.handle_shard(now, from, message);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.server.poll_timeout()
    }

    /// The time has come. Too early does nothing.
    pub fn handle_timeout(&mut self, now: Time) {
        self.server.handle_timeout(now);
    }

    /// Ends every stream cleanly and takes no more connections. Done when [`is_drained`](Self::is_drained).
    pub fn shutdown(&mut self, now: Time) {
        self.is_shut_down = true;
        self.server.shutdown(now);
    }

    /// Whether the shard was shut down and its last connection is closed.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.is_shut_down && self.server.is_drained()
    }

    /// Does what the server asks for: reads, writes, closes, hands messages for other shards to `send`.
    ///
    /// Returns whether work is left. A turn ends after about half a millisecond, so that one burst cannot keep the
    /// thread from its other sockets; what comes in meanwhile joins the queue, and frames that wait leave together.
    pub fn turn(&mut self, now: Time, mut send: impl FnMut(ShardId, ShardMessage)) -> bool {
        let mut budget = TURN;
        loop {
            while let Some(action) = self.server.poll_action() {
                budget = budget.saturating_sub(self.perform(now, action, &mut send));
            }
            if budget == 0 {
                return !(self.read_queue.is_empty() && self.run_queue.is_empty());
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
                return false;
            }
        }
    }

    /// Does what the server asks for, or queues it, and returns what that cost, in bytes.
    fn perform(&mut self, now: Time, action: Action, send: &mut impl FnMut(ShardId, ShardMessage)) -> usize {
        match action {
            Action::Wake(id) => {
                // Who is served soon has its interest brought up to date then.
                if !self.enqueue(id)
                    && let Some(connection) = find(&mut self.connections, id)
                {
                    connection.update_interest(now, &mut self.server);
                }
            }
            Action::Read(id) => {
                if let Some(connection) = find(&mut self.connections, id) {
                    connection.update_low_water(&self.server);
                }
                // Somebody waits for it: before anything is written. Else it is one of many, and its turn comes.
                if self.server.low_water(id) == 1 {
                    return CALL_COST + READ_WEIGHT * self.read_on(now, id);
                }
                self.enqueue_read(id);
            }
            Action::Shutdown(id) => {
                if let Some(connection) = find(&mut self.connections, id) {
                    connection.socket.shutdown_write();
                }
            }
            Action::Close(id) => {
                let slot = self.connections.get_mut(id.index());
                if let Some(connection) = slot.and_then(|slot| slot.take_if(|connection| connection.id == id)) {
                    connection.socket.close();
                }
            }
            Action::ToShard(shard, message) => send(shard, message),
        }
        0
    }

    /// Puts a connection at the end of the queue, unless it is there or waits for its socket. Returns whether it is
    /// there.
    fn enqueue(&mut self, id: ConnectionId) -> bool {
        let Some(connection) = find(&mut self.connections, id).filter(|connection| !connection.is_blocked) else {
            return false;
        };
        if !mem::replace(&mut connection.is_queued, true) {
            self.run_queue.push_back(id);
        }
        true
    }

    fn enqueue_read(&mut self, id: ConnectionId) {
        if let Some(connection) = find(&mut self.connections, id)
            && !mem::replace(&mut connection.is_read_queued, true)
        {
            self.read_queue.push_back(id);
        }
    }

    /// Reads a connection of the read queue once, and returns how much there was.
    fn read_queued(&mut self, now: Time, id: ConnectionId) -> usize {
        if let Some(connection) = find(&mut self.connections, id) {
            connection.is_read_queued = false;
        }
        self.read_on(now, id)
    }

    /// Reads once, comes back for what is left, and returns how much there was.
    fn read_on(&mut self, now: Time, id: ConnectionId) -> usize {
        let len = self.read(now, id);
        if len == self.scratch.len() {
            self.enqueue_read(id);
        }
        len
    }

    /// Reads once, if the server wants it, and returns how much there was.
    fn read(&mut self, now: Time, id: ConnectionId) -> usize {
        let Some(connection) = find(&mut self.connections, id).filter(|connection| connection.interest.read) else {
            return 0;
        };
        let len = match connection.socket.read(&mut self.scratch) {
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
            Err(_) => {
                self.server.handle_reset(now, id);
                0
            }
        };
        connection.update_interest(now, &mut self.server);
        connection.update_low_water(&self.server);
        len
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
    fn update_low_water(&mut self, server: &Server) {
        let low_water = server.low_water(self.id);
        if self.low_water != low_water {
            self.low_water = low_water;
            self.socket.set_low_water(low_water);
        }
    }

    fn update_interest(&mut self, now: Time, server: &mut Server) {
        let interest = Interest {
            read: server.wants_input(self.id),
            write: self.is_blocked,
        };
        if self.interest != interest {
            self.interest = interest;
            self.socket.set_interest(interest);
        }
        if self.has_hung_up && !interest.read {
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
mod tests {
    use super::*;
    use headwater_core::server;
    use quickcheck::quickcheck;
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::sync::Arc;

    /// A socket that is made up.
    #[derive(Debug, Default)]
    struct Fake {
        incoming: VecDeque<io::Result<Vec<u8>>>,
        written: Vec<u8>,
        /// How many bytes it takes until it refuses, each time it is asked; then it takes all.
        rooms: VecDeque<usize>,
        interest: Option<Interest>,
        low_water: Option<usize>,
        is_closed: bool,
    }

    impl Socket for Rc<RefCell<Fake>> {
        fn read(&self, scratch: &mut [u8]) -> io::Result<usize> {
            let bytes = self
                .borrow_mut()
                .incoming
                .pop_front()
                .unwrap_or_else(|| Err(ErrorKind::WouldBlock.into()))?;
            scratch[..bytes.len()].copy_from_slice(&bytes);
            Ok(bytes.len())
        }

        fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            let mut fake = self.borrow_mut();
            let room = fake.rooms.pop_front().unwrap_or(usize::MAX);
            if room == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            let before = fake.written.len();
            for byte in slices.iter().flat_map(|slice| slice.iter()).take(room) {
                fake.written.push(*byte);
            }
            Ok(fake.written.len() - before)
        }

        fn shutdown_write(&self) {}

        fn set_interest(&self, interest: Interest) {
            self.borrow_mut().interest = Some(interest);
        }

        fn set_low_water(&self, bytes: usize) {
            self.borrow_mut().low_water = Some(bytes);
        }

        fn close(self) {
            self.borrow_mut().is_closed = true;
        }
    }

    type TestShard = Shard<Rc<RefCell<Fake>>>;

    /// A request that is answered at once and leaves the connection open.
    fn request() -> Vec<u8> {
        b"OPTIONS /live/stream HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n".to_vec()
    }

    fn new_shard() -> TestShard {
        Shard::new(Server::new(Arc::new(server::Config::default()), ShardId(0), 1, 7))
    }

    fn connect(shard: &mut TestShard, rooms: &[usize]) -> (ConnectionId, Rc<RefCell<Fake>>) {
        let fake = Rc::new(RefCell::new(Fake {
            rooms: rooms.iter().copied().collect(),
            ..Fake::default()
        }));
        let peer = ([192, 0, 2, 1], 5).into();
        let id = shard.accept(Time::ZERO, Listener::Http, peer, fake.clone()).unwrap();
        (id, fake)
    }

    fn finish_turn(shard: &mut TestShard) {
        while shard.turn(Time::ZERO, |_, _| ()) {}
    }

    fn receive(shard: &mut TestShard, id: ConnectionId, fake: &Rc<RefCell<Fake>>, what: io::Result<Vec<u8>>) {
        fake.borrow_mut().incoming.push_back(what);
        shard.readable(Time::ZERO, id);
        finish_turn(shard);
    }

    /// What is written to a socket that takes so many bytes at a time, and becomes writable again whenever it was waited
    /// for.
    fn answer(rooms: &[usize]) -> Vec<u8> {
        let mut shard = new_shard();
        let (id, fake) = connect(&mut shard, rooms);
        receive(&mut shard, id, &fake, Ok(request()));
        while fake.borrow().interest.is_some_and(|interest| interest.write) {
            shard.writable(id);
            finish_turn(&mut shard);
        }
        fake.borrow().written.clone()
    }

    quickcheck! {
        fn how_much_a_socket_takes_changes_nothing(rooms: Vec<u8>) -> bool {
            let rooms: Vec<_> = rooms.into_iter().map(|room| usize::from(room % 16)).collect();
            let whole = answer(&[]);
            whole.starts_with(b"HTTP/1.1 204") && whole.ends_with(b"\r\n\r\n") && answer(&rooms) == whole
        }
    }

    #[test]
    fn a_socket_is_waited_for_only_while_it_refuses() {
        let mut shard = new_shard();
        let (id, fake) = connect(&mut shard, &[10, 0]);
        assert_eq!(fake.borrow().interest, None, "reading is what a connection begins with");
        receive(&mut shard, id, &fake, Ok(request()));
        assert_eq!(
            fake.borrow().interest,
            Some(Interest {
                read: true,
                write: true
            })
        );
        assert_eq!(fake.borrow().written.len(), 10);
        shard.writable(id);
        finish_turn(&mut shard);
        assert_eq!(fake.borrow().interest, Some(Interest::READ));
        assert_eq!(fake.borrow().written, answer(&[]));
    }

    #[test]
    fn a_socket_that_takes_nothing_is_read_again_when_the_answer_comes() {
        // The name's home is the other shard, so that the first tag waits for its answer.
        let config = Arc::new(server::Config::default());
        let [mut shard, mut home] = [0, 1].map(|number| {
            let server = Server::new(config.clone(), ShardId(number), 2, 7);
            Shard::<Rc<RefCell<Fake>>>::new(server)
        });
        let content = b"FLV\x01\x05\0\0\0\x09\0\0\0\0\x08\0\0\x03\0\0\0\0\0\0\0\xAF\x01\x21\0\0\0\x0E";
        let (fake, mut mail) = (0..9)
            .find_map(|number| {
                let (id, fake) = connect(&mut shard, &[0]);
                let push = format!("POST /live/{number} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
                let input = [&request(), push.as_bytes(), content].concat();
                fake.borrow_mut().incoming.push_back(Ok(input));
                shard.readable(Time::ZERO, id);
                let mut mail = Vec::new();
                while shard.turn(Time::ZERO, |to, message| mail.push((to, message))) {}
                (!mail.is_empty()).then_some((fake, mail))
            })
            .unwrap();
        let interest = |read| Some(Interest { read, write: true });
        assert_eq!(
            fake.borrow().interest,
            interest(false),
            "it waits for its answer, with input"
        );

        let (_, claim) = mail.pop().unwrap();
        home.handle_shard(Time::ZERO, ShardId(0), claim);
        while home.turn(Time::ZERO, |to, message| mail.push((to, message))) {}
        for (_, granted) in mail {
            shard.handle_shard(Time::ZERO, ShardId(1), granted);
        }
        finish_turn(&mut shard);
        assert_eq!(fake.borrow().interest, interest(true));
    }

    #[test]
    fn what_nobody_watches_is_read_without_being_reported_and_at_once_when_somebody_does() {
        let frames = b"\x08\0\0\x03\0\0\0\0\0\0\0\xAF\x01\x21\0\0\0\x0E".repeat(3);
        let mut shard = new_shard();
        let (id, fake) = connect(&mut shard, &[]);
        let head = b"POST /live/stream HTTP/1.0\r\n\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
        receive(&mut shard, id, &fake, Ok([head, frames.clone()].concat()));
        assert!(fake.borrow().low_water.is_some_and(|bytes| bytes > 1));

        fake.borrow_mut().incoming.push_back(Ok(frames.clone()));
        shard.handle_timeout(shard.poll_timeout().unwrap());
        finish_turn(&mut shard);
        assert!(fake.borrow().incoming.is_empty(), "its turn had come");

        fake.borrow_mut().incoming.push_back(Ok(frames));
        let (player, player_fake) = connect(&mut shard, &[]);
        let request = b"GET /live/stream HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
        receive(&mut shard, player, &player_fake, Ok(request));
        assert!(fake.borrow().incoming.is_empty(), "a player has come");
        assert_eq!(fake.borrow().low_water, Some(1));
    }

    #[test]
    fn who_joins_has_the_publisher_read_before_those_whose_turn_it_is() {
        let tag = |kind, body: &[u8]| {
            let len = u8::try_from(body.len()).unwrap();
            [&[kind, 0, 0, len, 0, 0, 0, 0, 0, 0, 0][..], body, &[0, 0, 0, 11 + len]].concat()
        };
        let sound = [0xAF, 1, 0x21];
        let headers = [tag(8, &[0xAF, 0, 0x12, 0x10]), tag(9, &[0x17, 0, 0, 0, 0, 1])].concat();
        let picture = tag(9, &[0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 0]);
        let mut shard = new_shard();
        let fakes = ["x", "y", "z"].map(|name| {
            let (id, fake) = connect(&mut shard, &[]);
            let head = format!("POST /live/{name} HTTP/1.0\r\n\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0");
            receive(
                &mut shard,
                id,
                &fake,
                Ok([head.as_bytes(), &headers, &picture].concat()),
            );
            fake.borrow_mut().incoming.push_back(Ok(tag(8, &sound)));
            fake
        });

        // The request comes when all of them are about to be read, and the player takes no second write.
        shard.handle_timeout(shard.poll_timeout().unwrap());
        let (player, player_fake) = connect(&mut shard, &[usize::MAX, 0]);
        let request = b"GET /live/z HTTP/1.0\r\n\r\n".to_vec();
        receive(&mut shard, player, &player_fake, Ok(request));
        assert!(fakes.iter().all(|fake| fake.borrow().incoming.is_empty()));
        let first_write = &player_fake.borrow().written;
        assert!(
            first_write.windows(sound.len()).any(|bytes| bytes == sound),
            "{}",
            first_write.escape_ascii()
        );
    }

    #[test]
    fn a_failed_socket_is_closed_and_no_other() {
        let mut shard = new_shard();
        let (id, fake) = connect(&mut shard, &[]);
        let (other, other_fake) = connect(&mut shard, &[]);
        receive(&mut shard, id, &fake, Err(ErrorKind::ConnectionReset.into()));
        assert!(fake.borrow().is_closed);
        receive(&mut shard, other, &other_fake, Ok(request()));
        assert_eq!(other_fake.borrow().written, answer(&[]));
        assert!(!other_fake.borrow().is_closed);
    }

    #[test]
    fn a_hang_up_ends_a_connection_that_is_not_read() {
        let mut shard = new_shard();
        let (id, fake) = connect(&mut shard, &[]);
        receive(
            &mut shard,
            id,
            &fake,
            Ok(b"GET /live/x?wait=60 HTTP/1.0\r\n\r\n".to_vec()),
        );
        receive(&mut shard, id, &fake, Ok(Vec::new()));
        assert_eq!(fake.borrow().interest, Some(Interest::NONE), "it has only half closed");
        assert!(!fake.borrow().is_closed);
        shard.hung_up(Time::ZERO, id);
        finish_turn(&mut shard);
        assert!(fake.borrow().is_closed);
    }

    #[test]
    fn what_came_before_a_hang_up_is_read() {
        let mut shard = new_shard();
        let (id, fake) = connect(&mut shard, &[]);
        shard.hung_up(Time::ZERO, id);
        receive(&mut shard, id, &fake, Ok(request()));
        assert_eq!(fake.borrow().written, answer(&[]));
        assert!(!fake.borrow().is_closed);
        receive(&mut shard, id, &fake, Err(ErrorKind::ConnectionReset.into()));
        assert!(fake.borrow().is_closed);
    }

    #[test]
    fn a_hang_up_is_not_forgotten_when_reading_stops() {
        let mut shard = new_shard();
        let (id, fake) = connect(&mut shard, &[]);
        shard.hung_up(Time::ZERO, id);
        receive(
            &mut shard,
            id,
            &fake,
            Ok(b"GET /live/x?wait=60 HTTP/1.0\r\n\r\n".to_vec()),
        );
        assert!(!fake.borrow().is_closed);
        receive(&mut shard, id, &fake, Ok(Vec::new()));
        assert!(fake.borrow().is_closed);
    }

    #[test]
    fn a_late_word_about_a_closed_socket_is_not_taken_for_its_successor() {
        let mut shard = new_shard();
        let (id, fake) = connect(&mut shard, &[]);
        receive(&mut shard, id, &fake, Err(ErrorKind::ConnectionReset.into()));
        let (successor, successor_fake) = connect(&mut shard, &[]);
        assert_eq!(successor.index(), id.index());
        successor_fake.borrow_mut().incoming.push_back(Ok(request()));
        assert!(!shard.readable(Time::ZERO, id));
        shard.writable(id);
        finish_turn(&mut shard);
        assert_eq!(
            successor_fake.borrow().incoming.len(),
            1,
            "it was read for its predecessor"
        );
    }

    #[test]
    fn a_shard_that_is_shut_down_takes_no_more_and_drains() {
        let mut shard = new_shard();
        let (_, fake) = connect(&mut shard, &[]);
        shard.shutdown(Time::ZERO);
        finish_turn(&mut shard);
        while let Some(due) = shard.poll_timeout() {
            shard.handle_timeout(due);
            while shard.turn(due, |_, _| ()) {}
        }
        assert!(fake.borrow().is_closed);
        assert!(shard.is_drained());
        let late = Rc::new(RefCell::new(Fake::default()));
        assert!(
            shard
                .accept(Time::ZERO, Listener::Http, ([192, 0, 2, 1], 5).into(), late)
                .is_err()
        );
    }
}
