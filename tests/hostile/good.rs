//! A good stream and its players, who miss nothing.

use crate::support::http::{self, coded};
use crate::support::rtmp::Player;
use crate::support::server::Server;
use bytes::{Buf, Bytes};
use headwater_core::flv::{FlvWriter, TagFlags};
use headwater_core::{Frame, FrameKind, Output, Timestamp};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const STREAM: &str = "live/good";

/// Does something while a player by HTTP-FLV and one by RTMP play a good stream: each gets all pictures.
pub(crate) fn beside_a_good_stream(server: &Server, hostile: impl FnOnce()) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let http_player = scope.spawn(|| server.get(&format!("/{STREAM}?wait=60")).read_flv());
        let rtmp_player = scope.spawn(|| Player::start(server.rtmp, STREAM).read_to_end());
        server.wait_for_players(STREAM, 2);
        let publisher = scope.spawn(|| publish(server.http, &is_over));
        server.wait_for_line("publish started");
        let end = EndsStream(&is_over);
        hostile();
        drop(end);
        let published = publisher.join().unwrap();
        for (frames, what) in [
            (http_player.join().unwrap(), "HTTP"),
            (rtmp_player.join().unwrap(), "RTMP"),
        ] {
            assert_unbroken(&frames, published, what);
        }
    });
}

/// Ends the stream, also where the test has failed: its threads are waited for.
struct EndsStream<'a>(&'a AtomicBool);

impl Drop for EndsStream<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
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
