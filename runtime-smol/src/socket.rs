//! A socket that the shard uses and a task waits for.

use async_io::{Async, Timer};
use headwater_driver::{Interest, Socket, sockets};
use std::cell::Cell;
use std::future::Future;
use std::io::{self, IoSlice, Read};
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What the shard and the connection's task share.
pub(crate) struct Connection {
    stream: Async<TcpStream>,
    /// What the task waits for; `None` once the shard has closed the connection.
    interest: Cell<Option<Interest>>,
    /// The task, while it waits for what `interest` says.
    waiting: Cell<Option<Waker>>,
    /// Some while nothing is waited for but a failure.
    next_look: Cell<Option<Box<Timer>>>,
}

impl Connection {
    pub(crate) fn new(stream: Async<TcpStream>) -> Rc<Self> {
        Rc::new(Connection {
            stream,
            interest: Cell::new(Some(Interest::READ)),
            waiting: Cell::new(None),
            next_look: Cell::new(None),
        })
    }

    /// What the shard waits for; `None` once it has closed the connection.
    pub(crate) fn interest(&self) -> Option<Interest> {
        self.interest.get()
    }

    /// Ready when the task was woken for its socket, which may then be readable, writable or, rarely, neither; or when the
    /// timer that `next_look` makes is over while nothing is waited for but a failure.
    ///
    /// The reactor would say which, but it takes an event for stale if another thread was already waiting for events
    /// when this task asked, and the task would have to ask again. A read or write in vain costs less.
    pub(crate) fn poll_event(&self, context: &mut Context<'_>, next_look: impl FnOnce() -> Timer) -> Poll<()> {
        if self.waiting.take().is_some() {
            return Poll::Ready(());
        }
        let Some(interest) = self.interest.get() else {
            return Poll::Ready(());
        };
        if interest.read {
            request_wake(|| self.stream.poll_readable(context));
        }
        if interest.write {
            request_wake(|| self.stream.poll_writable(context));
        }
        let mut next_look = (interest == Interest::NONE).then(|| Box::new(next_look()));
        if let Some(timer) = &mut next_look
            && Pin::new(&mut **timer).poll(context).is_ready()
        {
            return Poll::Ready(());
        }
        self.next_look.set(next_look);
        self.waiting.set(Some(context.waker().clone()));
        Poll::Pending
    }

    /// Whether the peer has reset the connection, or it is dead otherwise.
    pub(crate) fn has_failed(&self) -> bool {
        !matches!(self.stream.get_ref().take_error(), Ok(None))
    }

    fn set_interest(&self, interest: Option<Interest>) {
        self.interest.set(interest);
        if let Some(task) = self.waiting.take() {
            task.wake();
        }
    }
}

/// Polls until the socket's next event will wake the task. The first answer may be about an event that has done so
/// already.
fn request_wake(mut poll: impl FnMut() -> Poll<io::Result<()>>) {
    if poll().is_ready() {
        // It does not fail on a socket that is registered and open.
        let _ = poll();
    }
}

/// The shard's handle on a connection.
pub(crate) struct Handle(pub(crate) Rc<Connection>);

impl Socket for Handle {
    fn read(&self, scratch: &mut [u8]) -> io::Result<usize> {
        self.0.stream.get_ref().read(scratch)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        sockets::send(self.0.stream.get_ref(), slices)
    }

    fn shutdown_write(&self) {
        // Fails if the peer has reset the connection, which the next read reports.
        let _ = self.0.stream.get_ref().shutdown(Shutdown::Write);
    }

    fn set_interest(&self, interest: Interest) {
        self.0.set_interest(Some(interest));
    }

    fn set_low_water(&self, bytes: usize) {
        sockets::set_low_water(self.0.stream.get_ref(), bytes);
    }

    fn close(self) {
        self.0.set_interest(None);
    }
}
