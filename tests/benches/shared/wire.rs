//! A connection of a peer, from an address of its own.

use bytes::Buf;
use headwater_core::Output;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{Error, ErrorKind, Result, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::ops::Range;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};

/// A connection that never blocks, and is waited for.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    /// Our side.
    pub(crate) local: SocketAddr,
}

/// How long a server may take to accept. The kernel does that for it, unless its queue is full.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The ports that peers connect from.
const PORTS: Range<u16> = 10_000..60_000;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 << 10]);
    /// The port that is next, by address.
    static NEXT_PORT: RefCell<HashMap<Ipv4Addr, u16>> = RefCell::default();
}

impl Wire {
    /// Connects from `source`; with a small receive buffer if the peer is to look slow.
    pub(crate) async fn connect(server: SocketAddr, source: Ipv4Addr, receive_buffer: Option<u32>) -> Result<Self> {
        let is_near =
            matches!(server, SocketAddr::V4(address) if address.ip().is_loopback() || address.ip().is_private());
        assert!(is_near, "{server} may be somebody else's");
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        bind(&socket, source)?;
        let stream = timeout(CONNECT_TIMEOUT, socket.connect(server))
            .await
            .unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))?;
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        Ok(Wire { stream, local })
    }

    /// Returns once there is something to read, or room to write if that is asked for, or `until` is over.
    pub(crate) async fn ready(&self, writes: bool, until: Instant) -> Result<()> {
        let interest = if writes {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        match timeout_at(until, self.stream.ready(interest)).await {
            Ok(ready) => ready.map(drop),
            Err(_) => Ok(()),
        }
    }

    /// Hands on what there is to read, and returns how much it was; 0 if there is nothing now.
    pub(crate) fn read(&self, handle: impl FnOnce(&[u8]) -> Result<()>) -> Result<usize> {
        SCRATCH.with_borrow_mut(|scratch| self.read_into(scratch, handle))
    }

    /// The same, `most` bytes at a time.
    pub(crate) fn read_up_to(&self, most: usize, handle: impl FnOnce(&[u8]) -> Result<()>) -> Result<usize> {
        SCRATCH.with_borrow_mut(|scratch| self.read_into(&mut scratch[..most], handle))
    }

    fn read_into(&self, scratch: &mut [u8], handle: impl FnOnce(&[u8]) -> Result<()>) -> Result<usize> {
        match self.stream.try_read(scratch) {
            Ok(0) => Err(Error::new(ErrorKind::ConnectionAborted, "the connection was closed")),
            Ok(len) => handle(&scratch[..len]).map(|()| len),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Writes what the socket takes.
    pub(crate) fn flush(&self, output: &mut Output) -> Result<()> {
        output.write_to(&mut Writer(&self.stream)).map(drop)
    }

    /// Writes what the socket takes of `bytes`, and returns how much that was.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<usize> {
        match self.stream.try_write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }

    /// Says `bytes`, reading and forgetting what comes meanwhile. An error if that takes longer than `until`.
    pub(crate) async fn say(&self, mut bytes: &[u8], until: Instant) -> Result<()> {
        while !bytes.is_empty() {
            bytes.advance(self.write(bytes)?);
            while self.read(|_| Ok(()))? > 0 {}
            if !bytes.is_empty() {
                self.ready(true, until).await?;
                if Instant::now() >= until {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
        }
        Ok(())
    }

    /// Reads and forgets until the peer ends the connection, which is an error, or `until` is over.
    pub(crate) async fn listen(&self, until: Instant) -> Result<()> {
        while Instant::now() < until {
            while self.read(|_| Ok(()))? > 0 {}
            self.ready(false, until).await?;
        }
        Ok(())
    }

    /// Says that no more will come.
    pub(crate) fn shut_down(&self) -> Result<()> {
        socket2::SockRef::from(&self.stream).shutdown(Shutdown::Write)
    }

    /// Is gone without a goodbye: the peer gets a reset.
    pub(crate) fn reset(self) -> Result<()> {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))
    }
}

/// Binds to the next port of `source`. A log names its peers by address and port, and the kernel would soon give out the
/// same one twice.
fn bind(socket: &TcpSocket, source: Ipv4Addr) -> Result<()> {
    NEXT_PORT.with_borrow_mut(|ports| {
        let next = ports.entry(source).or_insert(PORTS.start);
        for _ in PORTS {
            let port = *next;
            *next = if port + 1 < PORTS.end { port + 1 } else { PORTS.start };
            match socket.bind(SocketAddr::new(source.into(), port)) {
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                result => return result,
            }
        }
        Err(ErrorKind::AddrInUse.into())
    })
}

struct Writer<'a>(&'a TcpStream);

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[std::io::IoSlice<'_>]) -> Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
