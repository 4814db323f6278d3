//! A socket that the shard uses and a task waits for.

use headwater_driver::{Interest, Socket, sockets};
use socket2::SockRef;
use std::cell::Cell;
use std::io::{self, ErrorKind, IoSlice, Read};
use std::net::Shutdown;
use std::rc::Rc;
use tokio::io::Ready;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// What the shard and the connection's task share.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// What the task waits for; `None` once the shard has closed the connection.
    interest: Cell<Option<Interest>>,
    /// Tells the task that `interest` has changed.
    changed: Notify,
}

/// Where the kernel reports each change of readiness once, a read or write that moves less than it could has emptied
/// or filled the socket. To say so saves the call that would only return `WouldBlock`; tokio's own `AsyncRead` and
/// `AsyncWrite` do the same.
const SHORT_MEANS_EXHAUSTED: bool = cfg!(any(target_os = "linux", target_os = "android", target_vendor = "apple"));

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Rc<Self> {
        Rc::new(Connection {
            stream,
            interest: Cell::new(Some(Interest::READ)),
            changed: Notify::new(),
        })
    }

    /// Waits until the socket is ready, for what the shard wants of it or with an error. `None` once the shard has closed
    /// the connection.
    pub(crate) async fn ready(&self) -> Option<(Interest, Ready)> {
        loop {
            let interest = self.interest.get()?;
            tokio::select! {
                biased;
                // It fails while the runtime shuts down.
                ready = self.stream.ready(to_tokio(interest)) => return Some((interest, ready.ok()?)),
                () = self.changed.notified() => {}
            }
        }
    }

    fn set_interest(&self, interest: Option<Interest>) {
        self.interest.set(interest);
        self.changed.notify_one();
    }

    /// Calls `operation` if the socket is `ready` for it, as far as is known without asking. It returns how many of `len` bytes it moved.
    fn transfer(
        &self,
        ready: tokio::io::Interest,
        len: usize,
        operation: impl FnOnce(SockRef<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut moved = None;
        let result = self.stream.try_io(ready, || {
            let count = operation(SockRef::from(&self.stream))?;
            if SHORT_MEANS_EXHAUSTED && 0 < count && count < len {
                moved = Some(count);
                return Err(ErrorKind::WouldBlock.into());
            }
            Ok(count)
        });
        moved.map_or(result, Ok)
    }
}

/// What to wait for: errors in any case.
fn to_tokio(interest: Interest) -> tokio::io::Interest {
    let mut wanted = tokio::io::Interest::ERROR;
    if interest.read {
        wanted |= tokio::io::Interest::READABLE;
    }
    if interest.write {
        wanted |= tokio::io::Interest::WRITABLE;
    }
    wanted
}

/// The shard's handle on a connection.
#[derive(Debug)]
pub(crate) struct Handle(pub(crate) Rc<Connection>);

impl Socket for Handle {
    fn read(&self, scratch: &mut [u8]) -> io::Result<usize> {
        let mut has_asked = false;
        let result = self.0.transfer(tokio::io::Interest::READABLE, scratch.len(), |socket| {
            has_asked = true;
            (&*socket).read(scratch)
        });
        match has_asked {
            true => result,
            // Nothing was reported, but the shard wants to know.
            false => (&*SockRef::from(&self.0.stream)).read(scratch),
        }
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let len = slices.iter().map(|slice| slice.len()).sum();
        self.0.transfer(tokio::io::Interest::WRITABLE, len, |socket| {
            sockets::send(socket, slices)
        })
    }

    fn shutdown_write(&self) {
        // Fails if the peer has reset the connection, which the next read reports.
        let _ = SockRef::from(&self.0.stream).shutdown(Shutdown::Write);
    }

    fn set_interest(&self, interest: Interest) {
        self.0.set_interest(Some(interest));
    }

    fn set_low_water(&self, bytes: usize) {
        sockets::set_low_water(&self.0.stream, bytes);
    }

    fn close(self) {
        self.0.set_interest(None);
    }
}
