//! Two thousand hostile conversations beside a good stream, with each binary: the stream loses no frame, the server keeps
//! neither memory nor file descriptors, and the log says of everything that was refused why.
//!
//! What the peers say is what `core/driver/tests/hostile` says to a server in memory, row by row.
#![cfg(all(target_os = "linux", any(feature = "mio", feature = "smol", feature = "tokio")))]

#[allow(dead_code, reason = "some of it is for the tests in memory")]
#[path = "../../core/driver/tests/hostile/inputs/mod.rs"]
mod inputs;
#[macro_use]
#[path = "../support/mod.rs"]
mod support;

use bytes::{Buf, Bytes};
use headwater_core::flv::{FlvWriter, TagFlags};
use headwater_core::{Frame, FrameKind, Output, Timestamp};
use inputs::{Input, Port, Reaction};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::http::{self, coded};
use support::rtmp::Player;
use support::server::{Runtime, Server};

const CONVERSATIONS: usize = 2_000;
/// Conversations at the same time.
const PEERS: usize = 32;
/// Conversations before memory is measured: what a server keeps for good, it has then.
const WARM_UP: usize = 400;

/// Memory that may stay behind. 12 MiB: the counters of shares, whose tables are bounded, and what the allocator keeps of messages
/// of megabytes. 1,600 conversations that leave one buffer each would keep 25 MiB.
const MEMORY_LEFT: usize = 12 << 20;

/// How long a peer waits for the end of its conversation before it leaves, and how long if the server is to end it.
const TIMEOUT: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(10);

/// Lines that a conversation may put into the log, on average. A few make a hundred requests in a second.
const LINES: usize = 8;

/// How long descriptors may stay taken: half-closed connections are given some 10 s.
const DESCRIPTORS_BACK_WITHIN: Duration = Duration::from_secs(40);

const STREAM: &str = "live/good";

fn hostile_peers_harm_no_stream(runtime: Runtime) {
    let inputs = inputs::all();
    assert!(inputs.len() + OTHERS.len() <= WARM_UP);
    let server = runtime.start(&["--grace", "1", "--log-level", "info"]);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let http_player = scope.spawn(|| server.get(&format!("/{STREAM}?wait=60")).read_flv());
        let rtmp_player = scope.spawn(|| Player::start(server.rtmp, STREAM).read_to_end());
        server.wait_for_players(STREAM, 2);
        let publisher = scope.spawn(|| publish(server.http, &is_over));
        server.wait_for_line("publish started");
        let files = server.files();

        converse(&server, &inputs, WARM_UP);
        let memory = server.memory();
        converse(&server, &inputs, CONVERSATIONS - WARM_UP);

        server.wait_for_files(files, DESCRIPTORS_BACK_WITHIN);
        let grown = server.memory().saturating_sub(memory);
        is_over.store(true, Ordering::Relaxed);
        let published = publisher.join().unwrap();
        for (frames, what) in [
            (http_player.join().unwrap(), "HTTP"),
            (rtmp_player.join().unwrap(), "RTMP"),
        ] {
            assert_unbroken(&frames, published, what);
        }
        assert!(grown <= MEMORY_LEFT, "{grown} bytes of memory stayed behind");
        assert_told(&server, &inputs);
    });
}

/// Publishes 50 pictures a second until `is_over`, and returns how many. Each has its number in it.
fn publish(server: SocketAddr, is_over: &AtomicBool) -> u32 {
    let mut socket = http::connect(server, Ipv4Addr::LOCALHOST);
    let mut output = Output::default();
    FlvWriter::header(
        TagFlags {
            audio: false,
            video: true,
        },
        &mut output,
    );
    let configuration = b"\x17\0\0\0\0\x01\x64\0\x1F\xFF\xE1\0\x04\x67\x64\0\x1F\x01\0\x01\x68";
    FlvWriter::frame(
        &Frame::video(Timestamp::ZERO, Bytes::from_static(configuration)),
        &mut output,
    );
    write!(
        socket,
        "POST /{STREAM} HTTP/1.1\r\nHost: {server}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    .unwrap();
    let start = Instant::now();
    let mut count = 0;
    while !is_over.load(Ordering::Relaxed) {
        FlvWriter::frame(&picture(count), &mut output);
        let len = output.remaining();
        write!(socket, "{len:x}\r\n").unwrap();
        socket.write_all(&output.copy_to_bytes(len)).unwrap();
        socket.write_all(b"\r\n").unwrap();
        count += 1;
        // The pace of a camera.
        thread::sleep((start + FRAME * count).saturating_duration_since(Instant::now()));
    }
    socket.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(http::read_response(socket).status, 200);
    count
}

const FRAME: Duration = Duration::from_millis(20);

fn picture(number: u32) -> Frame {
    let is_key = number.is_multiple_of(50);
    let head: &[u8] = if is_key { b"\x17\x01\0\0\0" } else { b"\x27\x01\0\0\0" };
    let unit = [
        &[if is_key { 0x65 } else { 0x41 }][..],
        &number.to_be_bytes(),
        &[0x55; 2_000],
    ]
    .concat();
    let payload = [head, &(unit.len() as u32).to_be_bytes(), &unit].concat();
    Frame::video(Timestamp::from_millis(number * 20), payload.into())
}

/// All pictures.
#[track_caller]
fn assert_unbroken(frames: &[Frame], published: u32, what: &str) {
    let numbers: Vec<_> = coded(frames, FrameKind::Video)
        .iter()
        .map(|frame| (&frame.payload[10..]).get_u32())
        .collect();
    assert!(
        numbers.iter().copied().eq(0..published),
        "{what}: of {published} pictures these came: {numbers:?}"
    );
}

/// Holds `count` conversations with the server, some at a time.
fn converse(server: &Server, inputs: &[Input], count: usize) {
    thread::scope(|scope| {
        for peer in 0..PEERS {
            scope.spawn(move || {
                for number in (peer..count).step_by(PEERS) {
                    // From six addresses, the stream's own among them.
                    let source = Ipv4Addr::new(127, 0, 0, 1 + (number % 6) as u8);
                    // A server that closes while its peer speaks does right.
                    let _ = match inputs.get(number % (inputs.len() + OTHERS.len())) {
                        Some(input) => say(server, source, input),
                        None => OTHERS[number % OTHERS.len()](server, source),
                    };
                }
            });
        }
    });
}

/// Says what an input has, and the end, reads a while, and leaves.
fn say(server: &Server, source: Ipv4Addr, input: &Input) -> io::Result<()> {
    let to = match input.to {
        Port::Rtmp => server.rtmp,
        Port::Http => server.http,
    };
    let ends = match input.reaction {
        Reaction::Ends(reason) => on_one_port(reason).is_some(),
        Reaction::Leaves => true,
        _ => false,
    };
    raw(to, source, &input.bytes, if ends { PATIENCE } else { TIMEOUT })
}

/// What a hostile peer does that is more than bytes, from an address of its own.
type Conversation = fn(&Server, Ipv4Addr) -> io::Result<()>;

const OTHERS: [Conversation; 3] = [
    // Row 38: it reads nothing, and is gone in an instant.
    |server, source| {
        let mut socket = http::connect(server.http, source);
        write!(socket, "GET /{STREAM} HTTP/1.1\r\nHost: x\r\n\r\n")?;
        socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO))
    },
    // Row 41: it plays the good stream, and says more.
    |server, source| {
        let request = format!("GET /{STREAM}.flv HTTP/1.1\r\nHost: x\r\n\r\n{}", "x".repeat(9_000));
        raw(server.http, source, request.as_bytes(), TIMEOUT)
    },
    // Row 41: a page of somebody else's pushes.
    |server, source| {
        let head = format!("POST /{STREAM} HTTP/1.1\r\nHost: x\r\nOrigin: http://elsewhere.example");
        let request = format!(
            "{head}\r\nTransfer-Encoding: chunked\r\n\r\n{}",
            "1\r\nF\r\n".repeat(2_000)
        );
        raw(server.http, source, request.as_bytes(), TIMEOUT)
    },
];

/// Sends `bytes` and the end, reads until the server has said all or for so long, and leaves.
fn raw(server: SocketAddr, source: Ipv4Addr, bytes: &[u8], patience: Duration) -> io::Result<()> {
    let mut socket: TcpStream = http::connect(server, source);
    socket.set_read_timeout(Some(patience))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.write_all(bytes)?;
    // Some close their side before they leave, some do not.
    if bytes.len().is_multiple_of(2) {
        socket.shutdown(Shutdown::Write)?;
    }
    let until = Instant::now() + patience;
    let mut scratch = [0; 4 << 10];
    while Instant::now() < until && socket.read(&mut scratch)? > 0 {}
    Ok(())
}

/// The log says why of everything that failed or was refused, in lines that nobody has forged, and not too many.
fn assert_told(server: &Server, inputs: &[Input]) {
    for Input {
        row, what, reaction, ..
    } in inputs
    {
        if let Reaction::Ends(reason) | Reaction::Refused(reason) = reaction
            && let Some(reason) = on_one_port(reason)
        {
            println!("row {row}, {what}: {reason}");
            server.wait_for_line(reason);
        }
    }
    let log = server.log();
    for line in log.lines() {
        let level = line.split_whitespace().nth(1);
        assert!(matches!(level, Some("INFO" | "WARN")), "{line:?}");
        assert!(line.len() < 4_096, "{} bytes: {line}", line.len());
        assert!(!line.chars().any(is_raw), "not escaped: {line:?}");
    }
    let count = log.lines().count();
    assert!(count < LINES * CONVERSATIONS, "{count} lines");
}

/// What a listener for every protocol says where one for a single protocol says `reason`. None if it takes what the other
/// refuses.
fn on_one_port(reason: &'static str) -> Option<&'static str> {
    match reason {
        "first byte 0x16 (TLS)" => Some("handshake version 22 (TLS)"),
        "first byte 0xa5" => Some("handshake version 165"),
        "handshake version 71 (HTTP)" | "first byte 0x03 (RTMP)" => None,
        other => Some(other),
    }
}

/// Characters that a terminal or a collector of logs could take for something else.
fn is_raw(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2028}' | '\u{2029}')
}

on_each_binary!(2, [hostile_peers_harm_no_stream]);
