//! A server inside another program, which decides who may do what and hears what happens. The same on every runtime.

#![cfg(all(feature = "tokio", feature = "smol", feature = "mio"))]
#![allow(missing_docs, reason = "a test")]

use headwater_core::server::{Event, Intent};
use headwater_driver::{Authorizer, Config, Listen, Observer, Responder, Running, Server};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Only a failing test waits so long.
const DEADLINE: Duration = Duration::from_secs(20);

const RUNTIMES: [fn(Server) -> Running; 3] = [headwater_tokio::start, headwater_smol::start, headwater_mio::start];

fn config() -> Config {
    let mut config = Config::default();
    config.listen = vec![Listen::http((Ipv4Addr::LOCALHOST, 0))];
    config.workers = 2.try_into().ok();
    config
}

/// What is answered to a request.
fn ask(server: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(server).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_program_decides_later_and_in_another_thread() {
    for start in RUNTIMES {
        let mut config = config();
        let (asked, questions) = mpsc::channel::<(_, Responder)>();
        config.authorize = Some(Authorizer::new(move |request, responder| {
            asked.send((request, responder)).unwrap_or_default();
        }));
        let server = Server::bind(config).unwrap();
        let address = server.addresses().http().unwrap();
        let running = start(server);

        let player = thread::spawn(move || ask(address, "GET /live/x?key=wrong HTTP/1.0\r\n\r\n"));
        let (request, responder) = questions.recv_timeout(DEADLINE).unwrap();
        assert_eq!((request.intent, request.stream.as_str()), (Intent::Play, "live/x"));
        assert_eq!(&*request.query, "key=wrong");
        responder.deny("the key is wrong");
        let answer = player.join().unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 403") && answer.contains("the key is wrong"),
            "{answer}"
        );

        let player = thread::spawn(move || ask(address, "GET /live/x HTTP/1.0\r\n\r\n"));
        let (_, responder) = questions.recv_timeout(DEADLINE).unwrap();
        responder.allow();
        let answer = player.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        drop(running);
    }
}

#[test]
fn a_program_hears_what_happens() {
    for start in RUNTIMES {
        let mut config = config();
        let (tell, events) = mpsc::channel();
        config.observe = Some(Observer::new(move |event| tell.send(event).unwrap_or_default()));
        let server = Server::bind(config).unwrap();
        let address = server.addresses().http().unwrap();
        let running = start(server);
        let answer = ask(address, "GET /live/absent HTTP/1.0\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        let refused = std::iter::from_fn(|| events.recv_timeout(DEADLINE).ok()).find_map(|event| match event {
            Event::PlayRefused { stream, reason, .. } => Some((stream.as_str().to_owned(), reason)),
            _ => None,
        });
        let (stream, reason) = refused.expect("it was refused");
        assert_eq!((stream.as_str(), &*reason), ("live/absent", "no such stream"));
        drop(running);
    }
}
