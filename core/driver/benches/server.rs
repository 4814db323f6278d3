//! What the whole server costs beside the kernel: one shard with sockets in memory that take everything.
//!
//! ```text
//! cargo bench -p headwater-driver --bench server
//! ```
//!
//! Prints nanoseconds, and instructions where valgrind is installed, per frame and player; for publishers without
//! players, per frame. To see where they go:
//!
//! ```text
//! valgrind --tool=callgrind --toggle-collect='server::measured*' target/release/deps/server-* --bench rtmp
//! ```

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark may panic")]

use bytes::{Buf, Bytes};
use headwater_core::rtmp::{ClientEvent, ClientRequest, ClientSession, Purpose, SessionConfig};
use headwater_core::server::{Config, ConnectionId, Protocol, Server, ShardId};
use headwater_core::{Frame, Time, Timestamp};
use headwater_driver::{Interest, Shard, Socket};
use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, IoSlice};
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PLAYERS: usize = 1_000;
const PUBLISHERS: usize = 100;
/// Frames published in one round, by each publisher: one second.
const FRAMES: u32 = 73;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let is_bench = arguments.iter().any(|argument| argument == "--bench");
    // `cargo test --all-targets` runs this too, only to see that it works.
    let rounds = if is_bench { 21 } else { 1 };
    match arguments.iter().find_map(|name| Case::named(name)) {
        // Under callgrind, which counts one round.
        Some(case) => drop(run(case, 1)),
        None => {
            println!("{:<42} {:>10} {:>14}", "", "ns", "instructions");
            for case in Case::ALL {
                let nanos = run(*case, rounds) / case.units();
                let instructions = if is_bench { count_instructions(*case) } else { None };
                let instructions = instructions.map_or("-".to_owned(), |count| format!("{:.0}", count / case.units()));
                println!("{:<42} {nanos:>10.1} {instructions:>14}", case.title);
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    title: &'static str,
    publishers: usize,
    players: usize,
    protocol: Protocol,
    /// Frames that come in one read.
    batch: usize,
}

impl Case {
    const ALL: &[Case] = &[
        Case::new(
            "rtmp",
            "frame to one of 1,000 RTMP players",
            1,
            PLAYERS,
            Protocol::Rtmp,
            1,
        ),
        Case::new(
            "flv",
            "frame to one of 1,000 HTTP-FLV players",
            1,
            PLAYERS,
            Protocol::Http,
            1,
        ),
        Case::new(
            "rtmp-8",
            "the same by RTMP, 8 frames at once",
            1,
            PLAYERS,
            Protocol::Rtmp,
            8,
        ),
        Case::new(
            "publish",
            "frame from one of 100 RTMP publishers",
            PUBLISHERS,
            0,
            Protocol::Rtmp,
            1,
        ),
    ];

    const fn new(
        name: &'static str,
        title: &'static str,
        publishers: usize,
        players: usize,
        protocol: Protocol,
        batch: usize,
    ) -> Case {
        Case {
            name,
            title,
            publishers,
            players,
            protocol,
            batch,
        }
    }

    fn named(name: &str) -> Option<Case> {
        Case::ALL.iter().find(|case| case.name == name).copied()
    }

    /// What the cost of a round is divided by.
    fn units(self) -> f64 {
        f64::from(FRAMES) * (self.publishers * self.players.max(1)) as f64
    }
}

/// The median time of a round in nanoseconds.
fn run(case: Case, rounds: usize) -> f64 {
    let mut world = World::new(case);
    // The first round fills the caches, ours and the processor's.
    let input = world.next_round(case.batch);
    world.deliver(&input);
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let input = world.next_round(case.batch);
            let (start, sent) = (Instant::now(), world.sent());
            measured(&mut || world.deliver(&input));
            let elapsed = start.elapsed();
            let taken = world.sent() - sent;
            let payload: usize = input.iter().map(|(_, bytes)| bytes.len()).sum();
            assert!(
                taken >= payload * case.players,
                "{taken} bytes sent of {payload} for each player"
            );
            elapsed
        })
        .collect();
    times.sort();
    times[times.len() / 2].as_nanos() as f64
}

/// What callgrind counts.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
}

/// Instructions of one round.
fn count_instructions(case: Case) -> Option<f64> {
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--toggle-collect=server::measured*",
        ])
        .arg(std::env::current_exe().ok()?)
        .args(["--bench", case.name])
        .output()
        .ok()?;
    let report = String::from_utf8_lossy(&output.stderr);
    report
        .lines()
        .find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok())
}

/// A shard, its publishers, and players that take everything.
struct World {
    shard: Shard<Handle>,
    publishers: Vec<Peer>,
    players: Vec<Peer>,
    now: Time,
    /// Number of the next frame.
    sequence: u32,
}

/// The other side of a connection.
struct Peer {
    id: ConnectionId,
    socket: Rc<MemorySocket>,
    session: Option<ClientSession>,
}

/// The server's handle on a socket in memory.
struct Handle(Rc<MemorySocket>);

/// A socket that takes everything.
#[derive(Default)]
struct MemorySocket {
    incoming: RefCell<Bytes>,
    /// What was written, while somebody wants to read it.
    outgoing: RefCell<Option<Vec<u8>>>,
    sent: Cell<usize>,
}

impl Socket for Handle {
    fn read(&self, scratch: &mut [u8]) -> io::Result<usize> {
        let mut incoming = self.0.incoming.borrow_mut();
        let len = incoming.len().min(scratch.len());
        if len == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        incoming.copy_to_slice(&mut scratch[..len]);
        Ok(len)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if let Some(outgoing) = &mut *self.0.outgoing.borrow_mut() {
            slices.iter().for_each(|slice| outgoing.extend_from_slice(slice));
        }
        let len = slices.iter().map(|slice| slice.len()).sum();
        self.0.sent.set(self.0.sent.get() + len);
        Ok(len)
    }

    fn shutdown_write(&self) {}

    fn set_interest(&self, _: Interest) {}

    fn set_low_water(&self, _: usize) {}

    fn close(self) {}
}

impl World {
    fn new(case: Case) -> Self {
        let mut world = World {
            shard: Shard::new(Server::new(Arc::new(Config::default()), ShardId(0), 1, 7)),
            publishers: Vec::new(),
            players: Vec::new(),
            now: Time::ZERO,
            sequence: 0,
        };
        for index in 0..case.publishers {
            let mut publisher = world.connect(Protocol::Rtmp);
            world.converse(&mut publisher, Purpose::Publish, index);
            world.publishers.push(publisher);
        }
        for frame in headers() {
            let input = world.encode(&[frame]);
            world.deliver(&input);
        }
        for _ in 0..case.players {
            let mut player = world.connect(case.protocol);
            if case.protocol == Protocol::Rtmp {
                world.converse(&mut player, Purpose::Play, 0);
            } else {
                world.receive(&player, Bytes::from_static(b"GET /live/0 HTTP/1.1\r\nHost: a\r\n\r\n"));
            }
            world.players.push(player);
        }
        world
    }

    fn connect(&mut self, protocol: Protocol) -> Peer {
        let socket = Rc::new(MemorySocket::default());
        let peer = ([192, 0, 2, 1], 1).into();
        let id = self
            .shard
            .accept(self.now, protocol, peer, Handle(socket.clone()))
            .expect("there is room");
        Peer {
            id,
            socket,
            session: None,
        }
    }

    /// Lets a peer say what it says until it may publish or play.
    fn converse(&mut self, peer: &mut Peer, purpose: Purpose, stream: usize) {
        let request = ClientRequest {
            purpose,
            app: "live".into(),
            tc_url: "rtmp://localhost/live".into(),
            name: stream.to_string().into(),
        };
        let mut session = ClientSession::new(Arc::new(SessionConfig::default()), self.now, 7, request);
        peer.socket.outgoing.replace(Some(Vec::new()));
        let mut has_started = false;
        while !has_started {
            let len = session.output().remaining();
            let said = session.output().copy_to_bytes(len);
            self.receive(peer, said);
            let heard = peer.socket.outgoing.replace(Some(Vec::new())).unwrap_or_default();
            let mut heard = heard.as_slice();
            while let Some(event) = session.handle_input(self.now, &mut heard).expect("the server is right") {
                has_started |= event == ClientEvent::Started;
            }
        }
        peer.socket.outgoing.replace(None);
        peer.session = Some(session);
    }

    /// The server reads `input` from a peer, and does all that follows.
    fn receive(&mut self, peer: &Peer, input: Bytes) {
        receive(&mut self.shard, self.now, peer, input);
    }

    /// A second of all publishers, `batch` frames at a time, in the order of time: what comes from whom.
    fn next_round(&mut self, batch: usize) -> Vec<(usize, Bytes)> {
        let mut input = Vec::new();
        let frames: Vec<Frame> = (0..FRAMES).map(|index| frame(self.sequence + index)).collect();
        self.sequence += FRAMES;
        for frames in frames.chunks(batch) {
            input.extend(self.encode(frames));
        }
        input
    }

    /// `frames` as each publisher sends them.
    fn encode(&mut self, frames: &[Frame]) -> Vec<(usize, Bytes)> {
        let each = |(index, peer): (usize, &mut Peer)| {
            let session = peer.session.as_mut().expect("publishers speak RTMP");
            frames
                .iter()
                .for_each(|frame| session.send_frame(frame).expect("it publishes"));
            let len = session.output().remaining();
            (index, session.output().copy_to_bytes(len))
        };
        self.publishers.iter_mut().enumerate().map(each).collect()
    }

    fn deliver(&mut self, input: &[(usize, Bytes)]) {
        for (publisher, bytes) in input {
            self.now =
                self.now + Duration::from_secs(1) / FRAMES / u32::try_from(self.publishers.len()).expect("a few");
            receive(&mut self.shard, self.now, &self.publishers[*publisher], bytes.clone());
        }
    }

    /// Bytes that all players have taken.
    fn sent(&self) -> usize {
        self.players.iter().map(|player| player.socket.sent.get()).sum()
    }
}

fn receive(shard: &mut Shard<Handle>, now: Time, peer: &Peer, input: Bytes) {
    peer.socket.incoming.replace(input);
    while !peer.socket.incoming.borrow().is_empty() {
        shard.readable(now, peer.id);
        while shard.turn(now, |_, _| ()) {}
    }
}

fn headers() -> [Frame; 2] {
    [
        Frame::video(
            Timestamp::ZERO,
            Bytes::from_static(b"\x17\0\0\0\0\x01\x64\0\x1F\xFF\xE0\0"),
        ),
        Frame::audio(Timestamp::ZERO, Bytes::from_static(b"\xAF\0\x12\x10")),
    ]
}

/// Frame `index` of a stream with 30 pictures and 43 sounds a second, a keyframe every two seconds.
fn frame(index: u32) -> Frame {
    let second = index / FRAMES;
    let place = index % FRAMES;
    let timestamp = Timestamp::from_millis(second * 1_000 + place * 1_000 / FRAMES);
    let is_picture = place * 30 / FRAMES != (place + 1) * 30 / FRAMES;
    if place == 0 && second.is_multiple_of(2) {
        Frame::video(timestamp, payload(b"\x17\x01\0\0\0\0\0\xEA\x57\x65", 60_000))
    } else if is_picture {
        Frame::video(timestamp, payload(b"\x27\x01\0\0\0\0\0\x27\x07\x41", 10_000))
    } else {
        Frame::audio(timestamp, payload(b"\xAF\x01", 370))
    }
}

fn payload(head: &[u8], len: usize) -> Bytes {
    let mut payload = head.to_vec();
    payload.resize(len, 0xA5);
    payload.into()
}
