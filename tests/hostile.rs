//! Two thousand hostile conversations beside a good stream, with each binary: the stream loses no frame, and the server
//! keeps neither memory nor file descriptors.
#![cfg(all(target_os = "linux", any(feature = "mio", feature = "smol", feature = "tokio")))]

mod support;

use bytes::{Buf, Bytes};
use headwater_core::amf::amf0;
use headwater_core::flv::{FlvWriter, TagFlags};
use headwater_core::rtmp::message::command;
use headwater_core::{Frame, FrameKind, Output, Timestamp};
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

/// Memory that may stay behind. 4 MiB: the counters of shares, whose tables are bounded, and what the allocator keeps.
/// 1,600 conversations that leave one buffer each would keep 25 MiB.
const MEMORY_LEFT: usize = 4 << 20;

/// How long a peer waits for the end of its conversation before it leaves.
const TIMEOUT: Duration = Duration::from_millis(200);

/// How long descriptors may stay taken: half-closed connections are given some 10 s.
const DESCRIPTORS_BACK_WITHIN: Duration = Duration::from_secs(40);

const STREAM: &str = "live/good";

fn hostile_peers_harm_no_stream(runtime: Runtime) {
    let server = runtime.start(&["--grace", "1"]);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let http_player = scope.spawn(|| server.get(&format!("/{STREAM}?wait=60")).read_flv());
        let rtmp_player = scope.spawn(|| Player::start(server.rtmp, STREAM).read_to_end());
        server.wait_for_players(STREAM, 2);
        let publisher = scope.spawn(|| publish(server.http, &is_over));
        server.wait_for_line("publish started");
        let files = server.files();

        converse(&server, WARM_UP);
        let memory = server.memory();
        converse(&server, CONVERSATIONS - WARM_UP);

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
fn converse(server: &Server, count: usize) {
    thread::scope(|scope| {
        for peer in 0..PEERS {
            scope.spawn(move || {
                for number in (peer..count).step_by(PEERS) {
                    // From six addresses, the stream's own among them.
                    let source = Ipv4Addr::new(127, 0, 0, 1 + (number % 6) as u8);
                    // A server that closes while its peer speaks does right.
                    let _ = KINDS[number % KINDS.len()](server, source);
                }
            });
        }
    });
}

/// What a hostile peer does, from an address of its own.
type Conversation = fn(&Server, Ipv4Addr) -> io::Result<()>;

const KINDS: [Conversation; 23] = [
    |server, source| rtmp(server, source, &[connect_call(), message(17, &dear_amf3())].concat()),
    |server, source| rtmp(server, source, &message(17, &dear_amf3()).repeat(20)),
    |server, source| rtmp(server, source, &message(9, &[0x17; 60_000]).repeat(8)),
    |server, source| rtmp(server, source, &[connect_call(), publish_call()].concat()),
    |server, source| rtmp(server, source, &[connect_call(), publish_call().repeat(50)].concat()),
    |server, source| {
        rtmp(
            server,
            source,
            &[connect_call(), call("createStream", None).repeat(3_000)].concat(),
        )
    },
    |server, source| rtmp(server, source, &[connect_call(), play_calls(STREAM)].concat()),
    |server, source| rtmp(server, source, &[connect_call(), play_calls("nobody")].concat()),
    |server, source| rtmp(server, source, &[0xFF; 5_000]),
    |server, source| raw(server.rtmp, source, &[3; 700]),
    |server, source| raw(server.rtmp, source, &[0xA5; 70_000]),
    |server, source| raw(server.http, source, &[0xA5; 70_000]),
    |server, source| request(server, source, &format!("GET /{STREAM} HTTP/1.1"), ""),
    |server, source| {
        request(
            server,
            source,
            &format!("GET /{STREAM}.flv HTTP/1.1"),
            &"x".repeat(9_000),
        )
    },
    |server, source| request(server, source, "GET /live/nobody?wait=60 HTTP/1.1", ""),
    |server, source| request(server, source, &format!("POST /{STREAM} HTTP/1.1"), ""),
    |server, source| {
        request(
            server,
            source,
            &format!("POST /{STREAM} HTTP/1.1\r\nContent-Length: 0"),
            "",
        )
    },
    |server, source| {
        request(
            server,
            source,
            &format!("PUT /{STREAM} HTTP/1.1\r\nContent-Length: 9"),
            "not a FLV",
        )
    },
    |server, source| {
        let head = format!("POST /{STREAM} HTTP/1.1\r\nTransfer-Encoding: chunked");
        request(server, source, &head, "d\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0\r\n")
    },
    |server, source| {
        let head = format!("POST /{STREAM} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nOrigin: http://elsewhere.example");
        request(server, source, &head, &"1\r\nF\r\n".repeat(2_000))
    },
    |server, source| {
        raw(
            server.http,
            source,
            &b"OPTIONS /live/x HTTP/1.1\r\nHost: x\r\n\r\n".repeat(300),
        )
    },
    |server, source| {
        let head = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        let ping = "\u{9}\u{0}".repeat(3_000);
        request(server, source, &format!("GET /{STREAM} HTTP/1.1\r\n{head}"), &ping)
    },
    |server, source| {
        // Reads nothing, and is gone in an instant.
        let mut socket = http::connect(server.http, source);
        write!(socket, "GET /{STREAM} HTTP/1.1\r\nHost: x\r\n\r\n")?;
        socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO))
    },
];

/// A handshake, then `messages` and the end.
fn rtmp(server: &Server, source: Ipv4Addr, messages: &[u8]) -> io::Result<()> {
    let mut bytes = vec![3; 1 + 2 * 1_536];
    // Chunks of 64 KiB from here on.
    bytes.extend([2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 1, 0, 0]);
    bytes.extend(messages);
    raw(server.rtmp, source, &bytes)
}

fn request(server: &Server, source: Ipv4Addr, head: &str, body: &str) -> io::Result<()> {
    raw(
        server.http,
        source,
        format!("{head}\r\nHost: {}\r\n\r\n{body}", server.http).as_bytes(),
    )
}

/// Sends `bytes` and the end, reads a while, and leaves.
fn raw(server: SocketAddr, source: Ipv4Addr, bytes: &[u8]) -> io::Result<()> {
    let mut socket: TcpStream = http::connect(server, source);
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    socket.write_all(bytes)?;
    // Some close their side before they leave, some do not.
    if bytes.len().is_multiple_of(2) {
        socket.shutdown(Shutdown::Write)?;
    }
    let until = Instant::now() + TIMEOUT;
    let mut scratch = [0; 4 << 10];
    while Instant::now() < until && socket.read(&mut scratch)? > 0 {}
    Ok(())
}

/// A message of type `type_id` in one chunk.
fn message(type_id: u8, payload: &[u8]) -> Vec<u8> {
    let stream_id = u8::from(matches!(type_id, 8 | 9));
    let [_, len @ ..] = (payload.len() as u32).to_be_bytes();
    let mut bytes = vec![3, 0, 0, 0];
    bytes.extend(len);
    bytes.extend([type_id, stream_id, 0, 0, 0]);
    bytes.extend(payload);
    bytes
}

fn call(name: &str, argument: Option<&str>) -> Vec<u8> {
    let payload = command::encode(name, 1.0, |writer| {
        writer.null();
        if let Some(argument) = argument {
            writer.string(argument);
        }
    });
    message(20, &payload)
}

fn connect_call() -> Vec<u8> {
    let payload = command::encode("connect", 1.0, |writer: &mut amf0::Writer<_>| {
        writer.object_start().key("app").string("live").object_end();
    });
    message(20, &payload)
}

fn publish_call() -> Vec<u8> {
    [call("createStream", None), on_stream(call("publish", Some("good")))].concat()
}

fn play_calls(name: &str) -> Vec<u8> {
    let name = name.rsplit('/').next();
    [call("createStream", None), on_stream(call("play", name))].concat()
}

/// The same message on stream 1.
fn on_stream(mut message: Vec<u8>) -> Vec<u8> {
    message[8] = 1;
    message
}

/// An AMF3 class of 2,040 names that writes itself, referred to 1,000 times.
fn dear_amf3() -> Vec<u8> {
    [
        &[0, 0x11, 0x09, 0x8F, 0x53, 0x01][..],
        &[0x0A, 0x81, 0xFF, 0x07],
        b"\x43flex.messaging.io.ArrayCollection",
        &[0x03, b'n'].repeat(2_040),
        &[1],
        &[0x0A, 0x01, 0x01].repeat(1_000),
    ]
    .concat()
}

macro_rules! on {
    ($feature:literal, $module:ident, $binary:literal) => {
        #[cfg(feature = $feature)]
        mod $module {
            #[test]
            fn hostile_peers_harm_no_stream() {
                super::hostile_peers_harm_no_stream(super::Runtime {
                    binary: env!(concat!("CARGO_BIN_EXE_", $binary)),
                    workers: 2,
                });
            }
        }
    };
}

on!("mio", mio, "headwater-mio");
on!("smol", smol, "headwater-smol");
on!("tokio", tokio, "headwater-tokio");
