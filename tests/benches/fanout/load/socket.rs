//! Sockets that do not block, and reading without copying.

use bytes::Buf;
use headwater_core::Output;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use socket2::{Domain, Socket, Type};
use std::cell::RefCell;
use std::io::{ErrorKind, IoSlice, Read, Result};
use std::net::SocketAddr;
use std::time::Duration;

/// What [`drain`] has thrown away.
pub(super) struct Drained {
    pub(super) bytes: u64,
    pub(super) has_ended: bool,
}

/// As much as the kernel may throw away in one call. Nothing is ever written to it.
const DRAIN_LEN: usize = 8 << 20;

thread_local! {
    static DRAIN: RefCell<Vec<u8>> = RefCell::new(vec![0; DRAIN_LEN]);
}

/// Begins to connect to a server on this machine.
pub(super) fn connect(server: SocketAddr) -> Result<Socket> {
    assert!(server.ip().is_loopback(), "{server} is not this machine");
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    // The port is free again at once, for the next of thousands.
    socket.set_linger(Some(Duration::ZERO))?;
    match socket.connect(&server.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => Err(error),
        _ => Ok(socket),
    }
}

/// Writes what the socket takes.
pub(super) fn write(socket: &Socket, output: &mut Output) -> Result<()> {
    while output.has_remaining() {
        let mut slices = [IoSlice::new(&[]); 64];
        let count = output.chunks_vectored(&mut slices);
        match socket.send_vectored(&slices[..count]) {
            Ok(len) => output.advance(len),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What there is to read, up to the length of `scratch`, if anything.
pub(super) fn read<'a>(mut socket: &Socket, scratch: &'a mut [u8]) -> Result<Option<&'a [u8]>> {
    match socket.read(scratch) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(len) => Ok(Some(&scratch[..len])),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Throws away what there is to read. The kernel copies none of it (tcp(7), `MSG_TRUNC`).
pub(super) fn drain(socket: &Socket) -> Result<Drained> {
    DRAIN.with_borrow_mut(|scratch| match recv(socket, scratch.as_mut_slice(), RecvFlags::TRUNC) {
        Ok((_, len)) => Ok(Drained {
            bytes: len as u64,
            has_ended: len == 0,
        }),
        Err(Errno::WOULDBLOCK) => Ok(Drained {
            bytes: 0,
            has_ended: false,
        }),
        Err(error) => Err(error.into()),
    })
}
