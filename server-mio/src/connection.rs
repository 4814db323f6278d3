//! One connection: a socket, and what is known of its readiness.

use headwater_driver::{Interest, Socket, sockets};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Registry, Token};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read};
use std::net::Shutdown;
use std::rc::Rc;

/// Connections of one thread to read from, in the order in which they became ready.
///
/// The kernel reports bytes once, when they come. A connection that is not read to the end, because others want their
/// turn too, stays here; one that the shard does not want to read now comes back here when it does.
#[derive(Debug, Default)]
pub(crate) struct ReadQueue(RefCell<VecDeque<Token>>);

impl ReadQueue {
    pub(crate) fn pop(&self) -> Option<Token> {
        self.0.borrow_mut().pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

/// The shard's handle on a connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    token: Token,
    interest: Cell<Interest>,
    /// Whether bytes, an end or an error may be there.
    is_readable: Cell<bool>,
    /// Whether the kernel may take bytes.
    is_writable: Cell<bool>,
    /// Whether nothing comes behind the bytes that are there, and so no word from the kernel either.
    has_ended: Cell<bool>,
    is_queued: Cell<bool>,
    queue: Rc<ReadQueue>,
}

/// What the shard is to hear at once. That there is something to read it hears from the queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    /// It waits to write, and may.
    pub(crate) may_write: bool,
    pub(crate) has_hung_up: bool,
}

/// No connection's, as tokens of connections are small.
const UNREGISTERED: Token = Token(usize::MAX);

/// Where the kernel reports each change of readiness once, a read or write that moves less than it could has emptied
/// or filled the socket. To know so saves the call that would only return `WouldBlock`.
const SHORT_MEANS_EXHAUSTED: bool = cfg!(any(target_os = "linux", target_os = "android", target_vendor = "apple"));

impl Connection {
    pub(crate) fn new(stream: TcpStream, queue: Rc<ReadQueue>) -> Self {
        Connection {
            stream,
            token: UNREGISTERED,
            interest: Cell::new(Interest::READ),
            is_readable: Cell::new(false),
            is_writable: Cell::new(true),
            has_ended: Cell::new(false),
            is_queued: Cell::new(false),
            queue,
        }
    }

    /// Lets the poll report the connection as `token` from now on, whatever the shard waits for: to change that in the
    /// kernel would cost more than to ignore some of what it says.
    ///
    /// If it cannot, the connection ends.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.token = token;
        let both = mio::Interest::READABLE | mio::Interest::WRITABLE;
        let result = registry.register(&mut self.stream, token, both);
        if result.is_err() {
            // The shard learns it as it learns any end.
            let _ = self.stream.shutdown(Shutdown::Both);
            self.has_ended.set(true);
            self.set_readable();
        }
        result
    }

    /// The poll has reported `event`. Returns what the shard is to hear of it.
    pub(crate) fn ready(&self, event: &Event) -> Report {
        if event.is_read_closed() || event.is_error() {
            self.has_ended.set(true);
        }
        if event.is_readable() || self.has_ended.get() {
            self.set_readable();
        }
        if event.is_writable() {
            self.is_writable.set(true);
        }
        Report {
            may_write: self.is_writable.get() && self.interest.get().write,
            has_hung_up: event.is_error() || event.is_write_closed(),
        }
    }

    /// The connection was taken from the queue, to be read.
    pub(crate) fn dequeued(&self) {
        self.is_queued.set(false);
    }

    fn set_readable(&self) {
        self.is_readable.set(true);
        self.enqueue();
    }

    fn enqueue(&self) {
        if self.is_readable.get() && self.interest.get().read && !self.is_queued.replace(true) {
            self.queue.0.borrow_mut().push_back(self.token);
        }
    }
}

/// Whether a read or write of at most `len` bytes says that the next one will not move any.
fn has_exhausted(result: &io::Result<usize>, len: usize) -> bool {
    match result {
        Ok(moved) => SHORT_MEANS_EXHAUSTED && *moved < len,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

impl Socket for Connection {
    fn read(&self, scratch: &mut [u8]) -> io::Result<usize> {
        let result = (&self.stream).read(scratch);
        let end_follows = result.is_ok() && self.has_ended.get();
        self.is_readable
            .set(!has_exhausted(&result, scratch.len()) || end_follows);
        self.enqueue();
        result
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.is_writable.get() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let result = sockets::send(&self.stream, slices);
        if has_exhausted(&result, slices.iter().map(|slice| slice.len()).sum()) {
            self.is_writable.set(false);
        }
        result
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        sockets::send(&self.stream, slices)
    }

    fn shutdown_write(&self) {
        // Fails if the peer has reset the connection, which the next read reports.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn set_interest(&self, interest: Interest) {
        self.interest.set(interest);
        self.enqueue();
    }

    fn set_low_water(&self, bytes: usize) {
        sockets::set_low_water(&self.stream, bytes);
    }

    /// The kernel forgets a socket that is closed, and the poll with it.
    fn close(self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Events, Poll};
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;
    use std::time::{Duration, Instant};

    const TOKEN: Token = Token(3);
    /// Only a failing test waits so long.
    const LONG: Duration = Duration::from_secs(20);

    struct Fixture {
        poll: Poll,
        queue: Rc<ReadQueue>,
        connection: Connection,
        has_hung_up: bool,
        peer: std::net::TcpStream,
    }

    fn connect() -> Fixture {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let poll = Poll::new().unwrap();
        let queue = Rc::new(ReadQueue::default());
        let mut connection = Connection::new(TcpStream::from_std(stream), queue.clone());
        connection.register(poll.registry(), TOKEN).unwrap();
        Fixture {
            poll,
            queue,
            connection,
            has_hung_up: false,
            peer,
        }
    }

    impl Fixture {
        /// Polls until what the kernel has reported is `enough`.
        fn poll_until(&mut self, enough: impl Fn(&Self) -> bool) {
            let mut events = Events::with_capacity(8);
            while !enough(self) {
                self.poll.poll(&mut events, Some(LONG)).unwrap();
                assert!(!events.is_empty(), "nothing was reported");
                for event in &events {
                    self.has_hung_up |= self.connection.ready(event).has_hung_up;
                }
            }
        }

        /// Returns once `count` bytes have come, reported or not.
        fn wait_for_bytes(&self, count: usize) {
            let deadline = Instant::now() + LONG;
            let mut scratch = [0; 64];
            while self.connection.stream.peek(&mut scratch).unwrap_or(0) < count {
                assert!(Instant::now() < deadline, "they have not come");
                thread::yield_now();
            }
        }

        /// Whether the connection was in the queue, and then not more than once.
        fn dequeue(&self) -> bool {
            let queued = self.queue.pop();
            assert_eq!(self.queue.pop(), None);
            self.connection.dequeued();
            queued == Some(TOKEN)
        }
    }

    #[test]
    fn an_end_that_comes_with_the_last_bytes_is_read_after_them() {
        let mut fixture = connect();
        fixture.peer.write_all(b"goodbye").unwrap();
        fixture.peer.shutdown(Shutdown::Write).unwrap();
        fixture.poll_until(|fixture| fixture.connection.has_ended.get());
        let mut scratch = [0; 64];
        assert!(fixture.dequeue());
        assert_eq!(fixture.connection.read(&mut scratch).unwrap(), 7);
        assert!(fixture.dequeue(), "nothing more will be reported");
        assert_eq!(fixture.connection.read(&mut scratch).unwrap(), 0);
    }

    #[test]
    fn what_is_left_unread_keeps_its_place_in_the_queue() {
        let mut fixture = connect();
        fixture.peer.write_all(b"ten bytes.").unwrap();
        fixture.poll_until(|fixture| !fixture.queue.is_empty());
        let mut received = Vec::new();
        while fixture.dequeue() {
            let mut scratch = [0; 4];
            match fixture.connection.read(&mut scratch) {
                Ok(len) => received.extend_from_slice(&scratch[..len]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        assert_eq!(received, b"ten bytes.");
    }

    #[test]
    fn bytes_that_came_early_are_queued_when_they_are_wanted() {
        let mut fixture = connect();
        fixture.connection.set_interest(Interest::NONE);
        fixture.peer.write_all(b"early").unwrap();
        fixture.poll_until(|fixture| fixture.connection.is_readable.get());
        assert!(!fixture.dequeue());
        fixture.connection.set_interest(Interest::READ);
        assert!(fixture.dequeue());
    }

    #[test]
    fn a_reset_is_a_hang_up_and_an_end_of_input_is_none() {
        let mut fixture = connect();
        fixture.connection.set_interest(Interest::NONE);
        fixture.connection.write_vectored(&[IoSlice::new(b"unread")]).unwrap();
        fixture.peer.shutdown(Shutdown::Write).unwrap();
        fixture.poll_until(|fixture| fixture.connection.has_ended.get());
        assert!(!fixture.has_hung_up);
        // A peer that closes with bytes unread resets the connection.
        fixture.peer.peek(&mut [0]).unwrap();
        fixture.peer = connect().peer;
        fixture.poll_until(|fixture| fixture.has_hung_up);
        assert!(!fixture.dequeue(), "nobody reads it");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn below_the_low_water_mark_bytes_are_there_but_not_reported() {
        let mut fixture = connect();
        fixture.connection.set_low_water(10);
        fixture.peer.write_all(b"seven..").unwrap();
        fixture.wait_for_bytes(7);
        fixture.connection.is_writable.set(false);
        // Room to write is reported at once, and nothing else.
        fixture.poll_until(|fixture| fixture.connection.is_writable.get());
        assert!(!fixture.dequeue());
        let mut scratch = [0; 64];
        assert_eq!(fixture.connection.read(&mut scratch).unwrap(), 7);
        fixture.peer.write_all(b"ten bytes.").unwrap();
        fixture.poll_until(|fixture| !fixture.queue.is_empty());
        assert!(fixture.dequeue());
        assert_eq!(fixture.connection.read(&mut scratch).unwrap(), 10);
        fixture.peer.write_all(b"end").unwrap();
        fixture.peer.shutdown(Shutdown::Write).unwrap();
        fixture.poll_until(|fixture| fixture.connection.has_ended.get());
        assert!(fixture.dequeue());
        assert_eq!(fixture.connection.read(&mut scratch).unwrap(), 3);
    }

    #[test]
    fn a_full_socket_refuses_until_the_kernel_reports_room() {
        let mut fixture = connect();
        let block = vec![0; 1 << 20];
        let slices = [IoSlice::new(&block)];
        let mut sent = 0;
        while let Ok(len) = fixture.connection.write_vectored(&slices) {
            sent += len;
        }
        assert!(!fixture.connection.is_writable.get());
        let mut peer = fixture.peer.try_clone().unwrap();
        io::copy(&mut Read::by_ref(&mut peer).take(sent as u64), &mut io::sink()).unwrap();
        fixture.poll_until(|fixture| fixture.connection.is_writable.get());
        fixture.connection.write_vectored(&slices).unwrap();
    }
}
