//! A server inside another program, which decides who may do what and hears what happens. The same on every runtime.

#![cfg(all(feature = "tokio", feature = "smol", feature = "mio"))]
#![allow(missing_docs, reason = "a test")]

use headwater_core::server::{self, Event, HttpAbsent, Intent, Kick, LocalEvent, RoleKind};
use headwater_core::{EndCause, Frame, FrameClass, StreamKey, Timestamp};
use headwater_driver::{Authorizer, Config, DRAIN_TIMEOUT, Listen, LocalEvents, Observer, Responder, Running, Server};
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
        let stream = wait_for(|| {
            let stream = handle.streams().wait(DEADLINE).value.pop()?;
            (stream.waiting == players.len()).then_some(stream.key)
        });
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

/// A stream with sound and a picture every 40 ms, of which each 25th is a keyframe.
fn frame(index: u32) -> Frame {
    let time = |index| Timestamp::from_millis(index * 20);
    match index {
        0 => Frame::video(time(0), vec![0x17, 0, 0, 0, 0, 1].into()),
        1 => Frame::audio(time(0), vec![0xAF, 0, 0x12, 0x10].into()),
        _ if index % 2 == 1 => Frame::audio(time(index), vec![0xAF, 1, 0x21].into()),
        _ => {
            let head = if index % 50 == 2 { 0x17 } else { 0x27 };
            let mut payload = vec![0; 1_000];
            payload[..2].copy_from_slice(&[head, 1]);
            payload[5..].fill(index.to_le_bytes()[0]);
            Frame::video(time(index), payload.into())
        }
    }
}

fn key(name: &str) -> StreamKey {
    StreamKey::new(name).unwrap()
}

#[test]
fn a_program_plays_what_it_publishes() {
    for start in RUNTIMES {
        let server = Server::bind(config()).unwrap();
        let (address, handle) = (server.addresses().http().unwrap(), server.handle());
        let mut publisher = handle.publish(key("live/x"));
        let running = start(server);
        assert_eq!(publisher.events().recv_timeout(DEADLINE), Ok(LocalEvent::Accepted));
        for index in 0..20 {
            publisher.send(frame(index)).unwrap();
        }
        let mut played = handle.play(key("live/x"));
        let mut player = request(address, "GET /live/x HTTP/1.0\r\n\r\n");
        assert_eq!(played.recv_timeout(DEADLINE), Ok(LocalEvent::Accepted));
        let Ok(LocalEvent::Tracks(tracks)) = played.recv_timeout(DEADLINE) else {
            panic!("it is told what comes");
        };
        assert!(tracks.audio && tracks.video);
        let mut heard = Vec::new();
        for index in 20..40 {
            publisher.send(frame(index)).unwrap();
        }
        while heard.len() < 40 {
            match played.recv_timeout(DEADLINE).unwrap() {
                LocalEvent::Frame(frame) => heard.push(frame),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(heard[0].class, FrameClass::SequenceHeader);
        let sent = (2..40).map(|index| frame(index).payload);
        assert!(
            heard[2..]
                .iter()
                .map(|frame| &frame.payload)
                .eq(&sent.collect::<Vec<_>>())
        );
        let stream = handle.streams().wait(DEADLINE).value.remove(0);
        wait_for(|| (handle.streams().wait(DEADLINE).value[0].players == 2).then_some(()));
        assert_eq!((stream.key.as_str(), stream.frames), ("live/x", 40));
        let kicked = handle.kick(Kick::stream(key("live/x"))).wait(DEADLINE).value;
        assert_eq!(kicked, 3);
        assert_eq!(played.recv_timeout(DEADLINE), Ok(LocalEvent::Ended(EndCause::Kicked)));
        assert_eq!(played.recv(), None);
        let refused = publisher.events().recv_timeout(DEADLINE);
        assert_eq!(refused, Ok(LocalEvent::Refused("an operator has ended it".into())));
        assert!(publisher.send(frame(40)).is_err());
        let mut flv = Vec::new();
        player.read_to_end(&mut flv).unwrap();
        assert!(flv.starts_with(b"HTTP/1.1 200"));
        drop(running);
    }
}

#[test]
fn a_program_that_does_not_take_its_frames_holds_nobody_up() {
    for start in RUNTIMES {
        let server = Server::bind(config()).unwrap();
        let handle = server.handle();
        let running = start(server);
        let publisher = handle.publish(key("live/x"));
        (0..20).for_each(|index| publisher.send(frame(index)).unwrap());
        let [mut slow, mut good] = [(); 2].map(|()| handle.play(key("live/x")));
        let next_frame = |events: &mut LocalEvents| {
            wait_for(|| match events.recv_timeout(DEADLINE).unwrap() {
                LocalEvent::Frame(frame) => Some(frame),
                _ => None,
            })
        };
        next_frame(&mut slow);
        let large = |index| {
            let mut frame = frame(index);
            frame.payload = [&frame.payload, &vec![1; 500_000][..]].concat().into();
            frame
        };
        // Pictures alone are told apart by what they show.
        let number = |frame: &Frame| frame.payload.get(5).copied().unwrap_or_default();
        let pictures = || (20..=200).step_by(2);
        for index in pictures() {
            publisher.send(large(index)).unwrap();
            while number(&next_frame(&mut good)) != number(&frame(index)) {}
        }
        // A keyframe for it to go on from.
        publisher.send(frame(202)).unwrap();
        let mut seen = vec![];
        while seen.last() != Some(&number(&frame(202))) {
            seen.push(number(&next_frame(&mut slow)));
        }
        assert!(seen.len() < pictures().count() / 2, "{} are too old", seen.len());
        assert!(handle.stats().wait(DEADLINE).value.slow_skips > 0);
        drop(running);
    }
}

#[test]
fn what_a_program_waits_for_ends_with_the_server() {
    for start in RUNTIMES {
        let server = Server::bind(config()).unwrap();
        let handle = server.handle();
        let running = start(server);
        let mut waiting = handle.play(key("live/x"));
        assert_eq!(waiting.recv(), Some(LocalEvent::Accepted));
        let stopped = Instant::now();
        handle.stop();
        assert!(matches!(waiting.recv(), Some(LocalEvent::Ended(_))));
        assert_eq!(waiting.recv(), None);
        running.wait().unwrap();
        assert!(stopped.elapsed() < DRAIN_TIMEOUT, "nothing is left to wait for");
        assert_eq!(handle.play(key("live/x")).recv(), None, "nobody is there");
        assert!(handle.publish(key("live/x")).send(frame(0)).is_err());
    }
}

#[test]
fn a_program_that_reads_nothing_does_not_hold_the_end_up() {
    for start in RUNTIMES {
        let server = Server::bind(config()).unwrap();
        let handle = server.handle();
        let running = start(server);
        let mut publisher = handle.publish(key("live/x"));
        (0..4).for_each(|index| publisher.send(frame(index)).unwrap());
        let unread = handle.play(key("live/x"));
        assert_eq!(publisher.events().recv(), Some(LocalEvent::Accepted));
        let mut large = frame(4);
        large.payload = [&large.payload, &vec![1; 600_000][..]].concat().into();
        for _ in 0..8 {
            publisher.send(large.clone()).unwrap();
        }
        wait_for(|| (handle.streams().wait(DEADLINE).value[0].frames == 12).then_some(()));
        let stopped = Instant::now();
        drop(publisher);
        handle.stop();
        running.wait().unwrap();
        assert!(stopped.elapsed() < DRAIN_TIMEOUT);
        drop(unread);
    }
}
