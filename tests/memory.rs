//! A server with a small memory budget and peers that hold all they can, with each binary: they are ended, a good stream loses
//! nothing, and the memory of the process stays below what it may use.
#![cfg(all(target_os = "linux", any(feature = "mio", feature = "smol", feature = "tokio")))]

#[macro_use]
mod support;

use bytes::{Buf, Bytes};
use headwater_core::flv::{FlvWriter, TagFlags};
use headwater_core::{Frame, FrameKind, Output, Timestamp};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::http::{self, Push, coded};
use support::rtmp::Player;
use support::server::{Runtime, Server};

/// Bytes that the process may use.
const MAX: usize = 64 << 20;

/// Has glibc give large blocks back as they are freed. Else it keeps up to 30 MiB of them, which is much beside 64.
const GIVES_BACK: [(&str, &str); 2] = [
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
];

const STREAM: &str = "live/good";
const LARGE: &str = "live/large";

/// Time between two pictures.
const FRAME: Duration = Duration::from_millis(20);

/// Peers that hold as much as one may. All together that would be 300 MB.
const UNFINISHED: usize = 20;
/// Players that take nothing. They begin one after the other, so that each waits for another picture of 1 MB.
const SLOW: usize = 80;

fn peers_that_hold_much_are_ended(runtime: Runtime) {
    let server = runtime.start_with(&GIVES_BACK, &["--grace", "1", "--max-memory", "64M"]);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let http_player = scope.spawn(|| server.get(&format!("/{STREAM}?wait=60")).read_flv());
        let rtmp_player = scope.spawn(|| Player::start(server.rtmp, STREAM).read_to_end());
        server.wait_for_players(STREAM, 2);
        let publisher = scope.spawn(|| publish(&server, STREAM, FRAME, 2_000, &is_over));
        server.wait_for_line("publish started");
        let most = scope.spawn(|| {
            let mut most = 0;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(server.memory());
                thread::sleep(Duration::from_millis(1));
            }
            most
        });

        let unfinished: Vec<_> = (0..UNFINISHED)
            .map(|_| scope.spawn(|| hold_messages(&server)))
            .collect();
        let unfinished: Vec<_> = unfinished.into_iter().map(|peer| peer.join().unwrap()).collect();
        server.wait_for_line("memory is short: connections that hold unfinished messages were ended");
        drop(unfinished);

        let large = scope.spawn(|| publish(&server, LARGE, Duration::from_millis(50), 1_000_000, &is_over));
        server.wait_until_live(LARGE);
        let slow: Vec<_> = (0..SLOW)
            .map(|_| {
                thread::sleep(Duration::from_millis(50));
                http::send_get(server.http, &format!("/{LARGE}"))
            })
            .collect();
        server.wait_for_line("memory is short: players that do not keep up were ended");
        is_over.store(true, Ordering::Relaxed);
        drop(slow);

        let published = publisher.join().unwrap();
        for (frames, what) in [
            (http_player.join().unwrap(), "HTTP"),
            (rtmp_player.join().unwrap(), "RTMP"),
        ] {
            let numbers: Vec<_> = coded(&frames, FrameKind::Video)
                .iter()
                .map(|frame| (&frame.payload[10..]).get_u32())
                .collect();
            assert!(
                numbers.iter().copied().eq(0..published),
                "{what}: of {published} pictures these came: {numbers:?}"
            );
        }
        assert!(large.join().unwrap() > 0);
        let most = most.join().unwrap();
        println!("{}: {} KiB at most", runtime.binary, most >> 10);
        assert!(most < MAX, "the process had {most} bytes");
    });
}

/// Begins two messages of nearly 8 MiB, which never end. What the server has to say to that is read.
fn hold_messages(server: &Server) -> TcpStream {
    let mut socket = http::connect(server.rtmp, Ipv4Addr::LOCALHOST);
    let mut bytes = vec![3; 1 + 2 * 1_536];
    // Chunks of 7 MiB from here on.
    bytes.extend([2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0x70, 0, 0]);
    for csid in [4, 5] {
        bytes.extend([csid, 0, 0, 0, 0x7F, 0xFF, 0xFF, 9, 1, 0, 0, 0]);
        bytes.resize(bytes.len() + (7 << 20), 0x55);
    }
    // The server may have ended it before all is written.
    let _ = socket.write_all(&bytes);
    let _ = socket.set_read_timeout(Some(Duration::from_millis(1)));
    let _ = socket.read(&mut [0; 4 << 10]);
    socket
}

/// Publishes pictures until `is_over`, with a keyframe each second, or nothing else if they are large. Returns how many; each
/// has its number in it.
fn publish(server: &Server, stream: &str, interval: Duration, len: usize, is_over: &AtomicBool) -> u32 {
    let mut push = Push::start(server.http, &format!("/{stream}"));
    let mut output = Output::default();
    let flags = TagFlags {
        audio: false,
        video: true,
    };
    FlvWriter::header(flags, &mut output);
    let configuration = b"\x17\0\0\0\0\x01\x64\0\x1F\xFF\xE1\0\x04\x67\x64\0\x1F\x01\0\x01\x68";
    let configuration = Frame::video(Timestamp::ZERO, Bytes::from_static(configuration));
    FlvWriter::frame(&configuration, &mut output);
    let start = Instant::now();
    let mut count = 0;
    while !is_over.load(Ordering::Relaxed) {
        FlvWriter::frame(&picture(count, interval, len), &mut output);
        push.send(&output.copy_to_bytes(output.remaining()));
        count += 1;
        // The pace of a camera.
        thread::sleep((start + interval * count).saturating_duration_since(Instant::now()));
    }
    assert_eq!(push.finish().status, 200);
    count
}

fn picture(number: u32, interval: Duration, len: usize) -> Frame {
    let time = interval * number;
    let is_key = time.as_millis().is_multiple_of(1_000) || len > 100_000;
    let head: &[u8] = if is_key { b"\x17\x01\0\0\0" } else { b"\x27\x01\0\0\0" };
    let first = if is_key { 0x65 } else { 0x41 };
    let unit = [&[first][..], &number.to_be_bytes(), &vec![0x55; len]].concat();
    let payload = [head, &(unit.len() as u32).to_be_bytes(), &unit].concat();
    Frame::video(Timestamp::from_millis(time.as_millis() as u32), payload.into())
}

on_each_binary!(1, [peers_that_hold_much_are_ended]);
