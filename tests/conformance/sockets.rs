//! A binary, over the loopback interface.

use crate::support::http;
use crate::support::server::Server;
use crate::target::{Received, Target};
use headwater_core::server::Protocol;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::Duration;

/// A running server and the connections to it; `None` where they have been reset.
pub struct Sockets {
    server: Server,
    /// Whether RTMP is spoken to the address of HTTP, and HTTP to that of RTMP.
    is_crossed: bool,
    connections: Vec<Option<TcpStream>>,
}

impl Sockets {
    pub fn new(server: Server, is_crossed: bool) -> Sockets {
        Sockets {
            server,
            is_crossed,
            connections: Vec::new(),
        }
    }
}

impl Target for Sockets {
    fn connect(&mut self, protocol: Protocol, from: Ipv4Addr) {
        let server = match (protocol, self.is_crossed) {
            (Protocol::Rtmp, false) | (Protocol::Http, true) => self.server.rtmp,
            (Protocol::Http, false) | (Protocol::Rtmp, true) => self.server.http,
            (other, _) => unreachable!("no transcript speaks {}", other.scheme()),
        };
        let connection = http::connect(server, from);
        connection.set_nodelay(true).unwrap();
        self.connections.push(Some(connection));
    }

    fn send(&mut self, connection: usize, bytes: &[u8]) {
        if let Some(connection) = &mut self.connections[connection] {
            // What the server thinks of it, it says; nobody hears what it did not want to read.
            let _ = connection.write_all(bytes);
        }
    }

    fn finish(&mut self, connection: usize) {
        if let Some(connection) = &self.connections[connection] {
            // Fails if the server has closed the connection.
            let _ = connection.shutdown(Shutdown::Write);
        }
    }

    fn reset(&mut self, connection: usize) {
        if let Some(connection) = self.connections[connection].take() {
            let socket = socket2::SockRef::from(&connection);
            socket.set_linger(Some(Duration::ZERO)).unwrap();
        }
    }

    fn receive(&mut self, connection: usize, is_awaited: bool) -> Received {
        let Some(connection) = &mut self.connections[connection] else {
            return Received::Nothing;
        };
        let mut scratch = [0; 16 << 10];
        connection.set_nonblocking(!is_awaited).unwrap();
        let result = connection.read(&mut scratch);
        connection.set_nonblocking(false).unwrap();
        match result {
            Ok(0) => Received::Eof,
            Ok(len) => Received::Bytes(scratch[..len].to_vec()),
            // With a timeout, a socket says the one or the other.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Received::Nothing,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Received::Reset,
            Err(error) => panic!("cannot read: {error}"),
        }
    }

    fn pass_until(&mut self, _: u64) {
        panic!("only in memory is time virtual");
    }

    fn shut_down(&mut self) {
        self.server.signal(&["TERM"]);
    }
}
