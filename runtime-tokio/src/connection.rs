//! One connection: a socket that the shard uses, and a task that waits for it.

use crate::worker::Worker;
use headwater_core::server::ConnectionId;
use headwater_driver as driver;
use socket2::SockRef;
use std::cell::Cell;
use std::io::{self, ErrorKind, IoSlice, Read};
use std::net::Shutdown;
use std::rc::Rc;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// What the shard and the connection's task share.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// What the task waits for; `None` once the shard has closed the connection.
    interest: Cell<Option<driver::Interest>>,
    /// Tells the task that `interest` has changed.
    changed: Notify,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Connection {
            stream,
            interest: Cell::new(Some(driver::Interest::READ)),
            changed: Notify::new(),
        }
    }
}

/// Waits for the socket, and lets the shard use it, until the shard has closed the connection.
pub(crate) async fn serve(worker: Rc<Worker>, id: ConnectionId, connection: Rc<Connection>) {
    while let Some(interest) = connection.interest.get() {
        let ready = tokio::select! {
            biased;
            ready = connection.stream.ready(to_tokio(interest)) => ready,
            () = connection.changed.notified() => continue,
        };
        let Ok(ready) = ready else {
            // The runtime shuts down.
            return;
        };
        let may_have_more = worker.step(|shard, now| {
            let has_hung_up = ready.is_error() || ready.is_write_closed();
            if has_hung_up {
                shard.hung_up(now, id);
            }
            if interest.write && ready.is_writable() {
                shard.writable(id);
            }
            interest.read && (ready.is_readable() || has_hung_up) && shard.readable(now, id)
        });
        if may_have_more {
            tokio::task::yield_now().await;
        }
    }
}

/// What to wait for: errors in any case.
fn to_tokio(interest: driver::Interest) -> tokio::io::Interest {
    let mut wanted = tokio::io::Interest::ERROR;
    if interest.read {
        wanted |= tokio::io::Interest::READABLE;
    }
    if interest.write {
        wanted |= tokio::io::Interest::WRITABLE;
    }
    wanted
}

/// Where the kernel reports each change of readiness once, a read or write that moves less than it could has emptied
/// or filled the socket. To say so saves the call that would only return `WouldBlock`; tokio's own `AsyncRead` and
/// `AsyncWrite` do the same.
const SHORT_MEANS_EXHAUSTED: bool = cfg!(any(target_os = "linux", target_os = "android", target_vendor = "apple"));

impl Connection {
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

/// The shard's handle on a connection.
#[derive(Debug)]
pub(crate) struct Handle(pub(crate) Rc<Connection>);

impl driver::Socket for Handle {
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
            headwater_driver::sockets::send(socket, slices)
        })
    }

    fn shutdown_write(&self) {
        // Fails if the peer has reset the connection, which the next read reports.
        let _ = SockRef::from(&self.0.stream).shutdown(Shutdown::Write);
    }

    fn set_interest(&self, interest: driver::Interest) {
        self.0.interest.set(Some(interest));
        self.0.changed.notify_one();
    }

    fn set_low_water(&self, bytes: usize) {
        headwater_driver::sockets::set_low_water(&self.0.stream, bytes);
    }

    fn close(self) {
        self.0.interest.set(None);
        self.0.changed.notify_one();
    }
}
