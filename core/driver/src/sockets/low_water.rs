//! `SO_RCVLOWAT`, which `socket2` does not know.

// The macro names all three.
use nix::{getsockopt_impl, libc, setsockopt_impl, sockopt_impl};

use nix::sys::socket;
use socket2::Socket;
use std::io;

sockopt_impl!(
    /// The bytes that a socket must have before it is reported as readable.
    ReceiveLowWater,
    Both,
    libc::SOL_SOCKET,
    libc::SO_RCVLOWAT,
    libc::c_int
);

pub(crate) fn set(socket: &Socket, bytes: libc::c_int) -> io::Result<()> {
    Ok(socket::setsockopt(socket, ReceiveLowWater, &bytes)?)
}

#[cfg(test)]
pub(crate) fn get(socket: &Socket) -> io::Result<libc::c_int> {
    Ok(socket::getsockopt(socket, ReceiveLowWater)?)
}
