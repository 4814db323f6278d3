//! A good stream: a publisher of sound, and a player that is to get all of it.

use crate::frames;
use crate::support::http::{self, Push, coded};
use crate::support::server::Server;
use bytes::{Buf, Bytes};
use headwater_core::flv::{FlvWriter, TagFlags};
use headwater_core::{Frame, FrameKind, Output, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// From one frame to the next.
const FRAME: Duration = Duration::from_millis(20);

/// A stream that is under way.
pub struct Good {
    is_over: Arc<AtomicBool>,
    publisher: JoinHandle<u32>,
    player: JoinHandle<Vec<Frame>>,
}

impl Good {
    /// Begins to publish and to play `live/good`.
    pub fn start(server: &Server) -> Good {
        let request = http::send_get(server.http, "/live/good?wait=60");
        server.wait_for_players("live/good", 1);
        let mut push = Push::start(server.http, "/live/good");
        push.send(&flv_head());
        let is_over = Arc::new(AtomicBool::new(false));
        let until = is_over.clone();
        let publisher = thread::spawn(move || {
            let begin = Instant::now();
            let mut count = 0;
            while !until.load(Ordering::Relaxed) {
                push.send(&tag(&sound(count)));
                count += 1;
                // The pace of a microphone.
                thread::sleep((begin + FRAME * count).saturating_duration_since(Instant::now()));
            }
            assert_eq!(push.finish().status, 200);
            count
        });
        let player = thread::spawn(move || http::read_response(request).read_flv());
        server.wait_for_line("publish started");
        Good {
            is_over,
            publisher,
            player,
        }
    }

    /// Ends it, and asserts that the player got each frame.
    pub fn finish(self) {
        self.is_over.store(true, Ordering::Relaxed);
        let published = self.publisher.join().unwrap();
        let frames = self.player.join().unwrap();
        let numbers: Vec<_> = coded(&frames, FrameKind::Audio)
            .into_iter()
            .map(|frame| (&frame.payload[2..]).get_u32())
            .collect();
        let missing: Vec<_> = (0..published).filter(|number| !numbers.contains(number)).collect();
        assert!(
            numbers.iter().copied().eq(0..published),
            "of {published} frames {missing:?} are missing"
        );
    }
}

/// What an FLV file of sound begins with. It says that there are no pictures, for which a player would wait.
pub fn flv_head() -> Vec<u8> {
    let mut output = Output::new();
    let (audio, video) = (true, false);
    FlvWriter::header(TagFlags { audio, video }, &mut output);
    FlvWriter::frame(&frames::metadata(audio, video), &mut output);
    let header = Frame::audio(Timestamp::ZERO, Bytes::from_static(b"\xAF\0\x12\x10"));
    FlvWriter::frame(&header, &mut output);
    output.copy_to_bytes(output.remaining()).into()
}

/// A frame of sound with its number in it.
pub fn sound(number: u32) -> Frame {
    let payload = [&b"\xAF\x01"[..], &number.to_be_bytes()].concat();
    Frame::audio(Timestamp::from_millis(number * 20), payload.into())
}

/// The same as an FLV tag.
pub fn tag(frame: &Frame) -> Vec<u8> {
    let mut output = Output::new();
    FlvWriter::frame(frame, &mut output);
    output.copy_to_bytes(output.remaining()).into()
}
