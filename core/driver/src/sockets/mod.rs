//! How the drivers set their sockets up: the same options on every runtime.

mod files;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod low_water;
mod shortage;

pub(crate) use shortage::{Shortage, shortage};

pub(crate) use files::Capacity;
pub use files::{file_limit, raise_file_limit};

use crate::{Addresses, Config, Listen};
use headwater_core::server::Protocol;
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use std::io::{self, ErrorKind, IoSlice};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU16;
use std::{iter, thread};

/// The listening sockets of one worker, and what is spoken on each. They never block.
pub type Listeners = Vec<(Protocol, TcpListener)>;

/// A server that listens already. Connections made meanwhile wait in the kernel.
#[derive(Debug)]
pub(crate) struct Bound {
    /// Where.
    pub(crate) addresses: Addresses,
    /// Of each worker.
    pub(crate) listeners: Vec<Listeners>,
    /// What the process has file descriptors for.
    pub(crate) capacity: Capacity,
}

/// Listens on all addresses, with sockets for each worker.
///
/// On Linux each socket has a queue of its own and the kernel spreads connections over them. Elsewhere they are handles
/// on one queue, from which the first that asks takes.
///
/// The servers are told to take no more connections than the process may have files open.
///
/// # Errors
/// If an address cannot be listened on, the text says which, and why; or if there is none.
pub(crate) fn listen(config: &Config) -> io::Result<Bound> {
    let workers = workers(config).get();
    let mut listen = config.listen.clone();
    if listen.is_empty() {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "there is no address to listen on",
        ));
    }
    let is_open = |it: &&Listen| it.protocol == Protocol::Admin && !it.address.ip().is_loopback();
    if let Some(open) = listen.iter().find(is_open)
        && config.server.admin.token.is_none()
    {
        let reason = format!(
            "operators need a token to listen for them on {}: other machines reach it",
            open.address
        );
        return Err(io::Error::new(ErrorKind::InvalidInput, reason));
    }
    let mut listeners: Vec<_> = iter::repeat_with(Listeners::new).take(usize::from(workers)).collect();
    for Listen { protocol, address } in &mut listen {
        let (bound, sockets) = listen_on(*address, listeners.len())
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?;
        *address = bound;
        for (worker, socket) in listeners.iter_mut().zip(sockets) {
            worker.push((*protocol, socket));
        }
    }
    let has_operators = listen.iter().any(|it| it.protocol == Protocol::Admin);
    let capacity = |files| Capacity::of(files, workers, listen.len(), has_operators);
    let capacity = file_limit().map_or(Capacity::UNKNOWN, capacity);
    Ok(Bound {
        addresses: Addresses { listen, workers },
        listeners,
        capacity,
    })
}

/// How many workers there are to be: one per core if that is not said.
pub(crate) fn workers(config: &Config) -> NonZeroU16 {
    let cores = || thread::available_parallelism().map(|cores| NonZeroU16::try_from(cores).unwrap_or(NonZeroU16::MAX));
    config.workers.unwrap_or_else(|| cores().unwrap_or(NonZeroU16::MIN))
}

/// Listens on `address` with `count` sockets, and says which port it became.
fn listen_on(address: SocketAddr, count: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let first = new_socket(address)?;
    first.bind(&address.into())?;
    // Only now: two sockets that both say so before they bind may share a port, and that another process has it
    // would go unnoticed.
    share_port(&first, count)?;
    first.listen(backlog())?;
    let first = TcpListener::from(first);
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    while listeners.len() < count {
        let next = another(address, &listeners)?;
        listeners.push(next);
    }
    Ok((address, listeners))
}

/// Sets a connection up as the server wants it: frames leave at once, what cannot leave stays with us,
/// and a peer that vanished is noticed.
///
/// # Errors
/// If the peer has gone already, on some systems.
pub fn configure<'a>(stream: impl Into<SockRef<'a>>) -> io::Result<()> {
    let stream = stream.into();
    stream.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(crate::KEEPALIVE_IDLE);
    #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd"
    ))]
    let keepalive = keepalive
        .with_interval(crate::KEEPALIVE_INTERVAL)
        .with_retries(crate::KEEPALIVE_PROBES);
    stream.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        stream.set_tcp_user_timeout(Some(crate::USER_TIMEOUT))?;
        stream.set_tcp_notsent_lowat(crate::MAX_UNSENT)?;
    }
    Ok(())
}

/// Sends what the kernel takes of `slices`, one after the other.
///
/// As a message: on Linux a vectored write to a file descriptor takes the way through the file system's layer, which
/// costs 0.1 µs more each time.
///
/// # Errors
/// As a write to the socket.
pub fn send<'a>(stream: impl Into<SockRef<'a>>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    stream.into().send_vectored(slices)
}

/// Lets a connection report that it is readable only once `bytes` are there, or an end or an error.
///
/// Linux enlarges the receive buffer if need be, and reports earlier if the peer has no more room to send. Elsewhere it
/// is left as it is: such a connection costs more wake-ups, and works the same.
pub fn set_low_water<'a>(stream: impl Into<SockRef<'a>>, bytes: usize) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Ok(bytes) = bytes.try_into() {
        // If it fails, then because the peer has gone already.
        let _ = low_water::set(&stream.into(), bytes);
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (stream.into(), bytes);
}

fn new_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(socket2::Protocol::TCP))?;
    // So that a restart need not wait until old connections are forgotten. On Windows it would mean what
    // SO_REUSEPORT means elsewhere.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // So that the same port of IPv4 can be had as well, on every system.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn share_port(first: &Socket, count: usize) -> io::Result<()> {
    first.set_reuse_port(count > 1)
}

#[cfg(target_os = "linux")]
fn another(address: SocketAddr, _: &[TcpListener]) -> io::Result<TcpListener> {
    let socket = new_socket(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog())?;
    Ok(socket.into())
}

#[cfg(not(target_os = "linux"))]
fn share_port(_: &Socket, _: usize) -> io::Result<()> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn another(_: SocketAddr, listeners: &[TcpListener]) -> io::Result<TcpListener> {
    listeners
        .first()
        .map_or_else(|| Err(io::ErrorKind::NotFound.into()), TcpListener::try_clone)
}

fn backlog() -> i32 {
    i32::try_from(crate::BACKLOG).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};

    const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn the_sockets_of_an_address_share_one_port() {
        let (address, listeners) = listen_on(ANY_PORT, 3).unwrap();
        assert_eq!(listeners.len(), 3);
        for listener in &listeners {
            assert_eq!(listener.local_addr().unwrap(), address);
        }
        TcpStream::connect(address).unwrap();
    }

    #[test]
    fn each_worker_listens_on_every_address() {
        let mut config = Config {
            listen: vec![Listen::rtmp(ANY_PORT), Listen::http(ANY_PORT), Listen::http(ANY_PORT)],
            workers: NonZeroU16::new(2),
            ..Config::default()
        };
        let bound = listen(&config).unwrap();
        assert_eq!(bound.addresses.speaking(Protocol::Http).count(), 2);
        for worker in &bound.listeners {
            let found = worker.iter().map(|(protocol, socket)| Listen {
                protocol: *protocol,
                address: socket.local_addr().unwrap(),
            });
            assert!(found.eq(bound.addresses.listen.iter().copied()));
        }
        config.listen.clear();
        assert_eq!(listen(&config).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn ipv6_leaves_the_same_port_of_ipv4_alone() {
        // Somebody else may have the port by IPv4, but not each time.
        let mut last = None;
        for _ in 0..20 {
            let Ok((v6, _listeners)) = listen_on((Ipv6Addr::UNSPECIFIED, 0).into(), 1) else {
                eprintln!("SKIPPED: this machine has no IPv6");
                return;
            };
            match listen_on((Ipv4Addr::UNSPECIFIED, v6.port()).into(), 1) {
                Ok((v4, _listeners)) => return assert_eq!(v4.port(), v6.port()),
                Err(error) => last = Some(error),
            }
        }
        panic!("{last:?}");
    }

    #[test]
    fn a_port_in_use_is_an_error_even_if_it_is_ours() {
        for first in [1, 2] {
            let (address, _listeners) = listen_on(ANY_PORT, first).unwrap();
            for second in [1, 2] {
                let error = listen_on(address, second).unwrap_err();
                assert_eq!(
                    error.kind(),
                    io::ErrorKind::AddrInUse,
                    "{first} listeners, then {second}"
                );
            }
        }
    }

    #[test]
    fn a_connection_sends_at_once_and_notices_dead_peers() {
        let (address, _listeners) = listen_on(ANY_PORT, 1).unwrap();
        let stream = TcpStream::connect(address).unwrap();
        configure(&stream).unwrap();
        assert!(stream.nodelay().unwrap());
        assert!(SockRef::from(&stream).keepalive().unwrap());
        #[cfg(target_os = "linux")]
        {
            use crate::{MAX_UNSENT, USER_TIMEOUT};
            let stream = SockRef::from(&stream);
            assert_eq!(stream.tcp_user_timeout().unwrap(), Some(USER_TIMEOUT));
            assert_eq!(stream.tcp_notsent_lowat().unwrap(), MAX_UNSENT);
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_low_water_mark_of_a_connection_can_be_moved_up_and_down() {
        let (address, _listeners) = listen_on(ANY_PORT, 1).unwrap();
        let stream = TcpStream::connect(address).unwrap();
        for bytes in [64 << 10, 1] {
            set_low_water(&stream, bytes);
            let mark = low_water::get(&SockRef::from(&stream)).unwrap();
            assert_eq!(usize::try_from(mark).unwrap(), bytes);
        }
    }
}
