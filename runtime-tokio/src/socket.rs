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
    /// Whether the task knows that the socket has failed. The runtime says so again and again.
    has_hung_up: Cell<bool>,
}

/// What the shard is to hear.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    /// It waits to read, and may.
    pub(crate) may_read: bool,
    /// It waits to write, and may.
    pub(crate) may_write: bool,
    pub(crate) has_hung_up: bool,
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
            has_hung_up: Cell::new(false),
        })
    }

    /// Waits until the socket is ready, for what the shard wants of it or with an error. `None` once the shard has closed
    /// the connection.
    pub(crate) async fn ready(&self) -> Option<Report> {
        loop {
            let interest = self.interest.get()?;
            let is_failure_news = interest != Interest::NONE || !self.has_hung_up.get();
            tokio::select! {
                biased;
                // It fails while the runtime shuts down.
                ready = self.stream.ready(to_tokio(interest)), if is_failure_news => {
                    return Some(self.report(interest, ready.ok()?));
                }
                () = self.changed.notified() => {}
            }
        }
    }

    fn report(&self, interest: Interest, ready: Ready) -> Report {
        let has_hung_up = ready.is_error() || ready.is_write_closed();
        self.has_hung_up.set(has_hung_up);
        Report {
            may_read: interest.read && (ready.is_readable() || has_hung_up),
            may_write: interest.write && ready.is_writable(),
            has_hung_up,
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

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        sockets::send(SockRef::from(&self.0.stream), slices)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    /// Only a failing test waits so long.
    const DEADLINE: Duration = Duration::from_secs(20);

    async fn connect() -> (Rc<Connection>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        (Connection::new(stream), peer)
    }

    fn reset(peer: TcpStream) {
        SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    }

    fn is_pending(future: impl Future) -> bool {
        let poll = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
        matches!(poll, Poll::Pending)
    }

    #[tokio::test]
    async fn a_hang_up_is_told_once_if_nothing_is_waited_for() {
        let (connection, peer) = connect().await;
        connection.set_interest(Some(Interest::NONE));
        assert!(is_pending(connection.ready()));
        reset(peer);
        let report = timeout(DEADLINE, connection.ready()).await.unwrap().unwrap();
        assert!(report.has_hung_up && !report.may_read);
        assert!(is_pending(connection.ready()), "it would be told without end");
        connection.set_interest(Some(Interest::READ));
        let report = timeout(DEADLINE, connection.ready()).await.unwrap().unwrap();
        assert!(report.may_read);
    }
}
