//! A server inside another program, which decides who may do what and hears what happens. The same on every runtime.

#![cfg(all(feature = "tokio", feature = "smol", feature = "mio"))]
#![allow(missing_docs, reason = "a test")]

use headwater_core::server::{self, Event, HttpAbsent, Intent, Kick, RoleKind};
use headwater_driver::{Authorizer, Config, Listen, Observer, Responder, Running, Server};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

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

/// Starts a request, and has its answer read later.
fn request(server: SocketAddr, request: &str) -> TcpStream {
    let mut socket = TcpStream::connect(server).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    socket
}

/// Calls `look` until it finds something.
fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it never came");
        thread::yield_now();
    }
}

#[test]
fn a_program_sees_what_there_is_on_all_workers() {
    for start in RUNTIMES {
        let server = Server::bind(config()).unwrap();
        let (address, handle) = (server.addresses().http().unwrap(), server.handle());
        let running = start(server);
        let players = [(); 8].map(|()| request(address, "GET /live/x?wait=60 HTTP/1.0\r\n\r\n"));
        // They are spread over two workers by the kernel.
        let streams = wait_for(|| {
            let streams = handle.streams().wait(DEADLINE);
            assert_eq!(streams.missing, []);
            (streams.value.first()?.waiting == players.len()).then_some(streams.value)
        });
        assert_eq!(streams.len(), 1);
        assert_eq!(streams[0].key.as_str(), "live/x");
        let connections = handle.connections().wait(DEADLINE).value;
        assert_eq!(connections.len(), players.len());
        assert!(connections.iter().all(|it| it.roles[0].kind == RoleKind::WaitsToPlay));
        let stats = handle.stats().wait(DEADLINE).value;
        assert_eq!((stats.connections, stats.accepted), (players.len(), 8));
        drop(running);
    }
}

#[test]
fn a_program_kicks_a_stream_from_all_workers() {
    for start in RUNTIMES {
        let server = Server::bind(config()).unwrap();
        let (address, handle) = (server.addresses().http().unwrap(), server.handle());
        let running = start(server);
        let players = [(); 8].map(|()| request(address, "GET /live/x?wait=60 HTTP/1.0\r\n\r\n"));
        wait_for(|| (handle.connections().wait(DEADLINE).value.len() == players.len()).then_some(()));
        let stream = handle.streams().wait(DEADLINE).value.remove(0).key;
        let kick = Kick::stream(stream).with_ban(Duration::from_secs(60));
        assert_eq!(handle.kick(kick).wait(DEADLINE).value, players.len());
        for mut player in players {
            let mut answer = String::new();
            player.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        }
        let late = ask(address, "GET /live/x?wait=60 HTTP/1.0\r\n\r\n");
        assert!(
            late.starts_with("HTTP/1.1 403") && late.contains("Retry-After"),
            "{late}"
        );
        drop(running);
    }
}

#[test]
fn a_program_reconfigures_a_server_that_runs() {
    for start in RUNTIMES {
        let mut config = config();
        config.server.http_absent = HttpAbsent::Wait(DEADLINE);
        let server = Server::bind(config).unwrap();
        let (address, handle) = (server.addresses().http().unwrap(), server.handle());
        let running = start(server);
        let waiting = request(address, "GET /live/x HTTP/1.0\r\n\r\n");
        wait_for(|| (handle.connections().wait(DEADLINE).value.first()?.roles.len() == 1).then_some(()));
        assert_eq!(handle.reconfigure(server::Config::default()).wait(DEADLINE).missing, []);
        for _ in 0..8 {
            let answer = ask(address, "GET /live/x HTTP/1.0\r\n\r\n");
            assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        }
        assert_eq!(handle.streams().wait(DEADLINE).value[0].waiting, 1, "it may go on");
        drop((waiting, running));
    }
}

#[test]
fn a_server_that_has_stopped_answers_nothing() {
    for start in RUNTIMES {
        let server = Server::bind(config()).unwrap();
        let handle = server.handle();
        let running = start(server);
        handle.stop();
        running.wait().unwrap();
        let streams = handle.streams().wait(DEADLINE);
        assert_eq!((streams.value.len(), streams.missing.len()), (0, 2));
    }
}
