//! A stand-in for a client at another address.

use super::http;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// An address where a client that connects reaches `server` as if it came from `source`.
pub fn start(source: Ipv4Addr, server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = http::connect(server, source);
            forward(client.try_clone().unwrap(), server.try_clone().unwrap());
            forward(server, client);
        }
    });
    address
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        // However it ends, the other side is told.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}
