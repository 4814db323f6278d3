//! A process that stands still while more connections come than the kernel keeps for it.

use crate::good::Good;
use crate::support::{DEADLINE, http};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Connections: more than the 4,096 of the queue.
const MANY: u16 = 4_500;
/// Of so many, one asks for something.
const ASKING: usize = 50;
/// Files that this process needs.
const FILES: u64 = 6_000;

/// Lets this process have many files open. Whether it may.
pub fn raise_file_limit() -> bool {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(u64::MAX).min(FILES.max(1 << 16));
    let limit = Rlimit {
        current: Some(wanted),
        maximum,
    };
    wanted >= FILES && setrlimit(Resource::Nofile, limit).is_ok()
}

#[test]
fn a_full_accept_queue_is_worked_off() {
    if !raise_file_limit() {
        eprintln!("SKIPPED: this process may have too few files open");
        return;
    }
    // One after the other: they are many connections.
    for binary in crate::BINARIES {
        let runtime = crate::Runtime { binary, workers: 1 };
        let server = runtime.start(&["--grace", "1"]);
        let good = Good::start(&server);
        server.signal(&["STOP"]);
        let waiting: Vec<_> = (0..MANY).map(|number| begin_to_connect(server.http, number)).collect();
        server.signal(&["CONT"]);
        let deadline = Instant::now() + DEADLINE;
        assert_eq!(http::get(server.http, "/live/nobody").status, 404);
        for socket in waiting.iter().step_by(ASKING) {
            assert!(is_answered(socket, deadline), "one of the queue is not served");
        }
        drop(waiting);
        assert_eq!(http::get(server.http, "/live/nobody").status, 404);
        good.finish();
    }
}

/// A connection from an address of its own, which may still be on its way.
fn begin_to_connect(server: SocketAddr, number: u16) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let [high, low] = number.to_be_bytes();
    let source = IpAddr::V4(Ipv4Addr::new(127, 1, high, low));
    socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    match socket.connect(&server.into()) {
        Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => panic!("{error}"),
        _ => socket.into(),
    }
}

/// Asks for a stream, and waits for an answer, whatever it is.
fn is_answered(mut socket: &TcpStream, deadline: Instant) -> bool {
    while Instant::now() < deadline {
        match socket.write(b"GET /live/nobody HTTP/1.0\r\n\r\n") {
            Ok(_) => break,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                std::thread::sleep(crate::support::process::POLL);
            }
            Err(_) => return false,
        }
    }
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.read(&mut [0; 64]).is_ok_and(|len| len > 0)
}
