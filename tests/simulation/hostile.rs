//! Those who mean no good, or cannot do better. None of them may hurt anybody else.

use crate::rng::Rng;
use bytes::Buf;
use headwater_core::flv::{FlvWriter, TagFlags};
use headwater_core::{Frame, Output, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hostility {
    /// Sends anything.
    Garbage,
    /// Sends anything behind a good handshake.
    Chunks,
    /// Sends a good beginning, a byte at a time and seldom.
    Slow,
    /// Plays, and takes a byte at a time.
    Crawls,
    /// Asks and asks.
    Asks,
    /// Publishes, with other sequence headers each time.
    Changes,
}

impl Hostility {
    pub fn draw(rng: &mut Rng) -> Hostility {
        rng.pick(&[
            Hostility::Garbage,
            Hostility::Chunks,
            Hostility::Slow,
            Hostility::Crawls,
            Hostility::Asks,
            Hostility::Changes,
        ])
    }

    /// Whether it cannot even take a name that a good one wants.
    pub fn hurts_nobody(self) -> bool {
        self != Hostility::Garbage
    }

    /// What it says in its tick number `tick` since it connected, from 0.
    pub fn say(self, tick: u64, is_rtmp: bool, rng: &mut Rng) -> Vec<u8> {
        match self {
            Hostility::Garbage if rng.once_in(10) => garbage(rng),
            Hostility::Chunks if tick == 0 => handshake(),
            Hostility::Chunks if rng.once_in(10) => noise(rng),
            Hostility::Slow if tick.is_multiple_of(23) => {
                let beginning = if is_rtmp { handshake() } else { REQUEST.to_vec() };
                let place = usize::try_from(tick / 23).unwrap();
                beginning.get(place).copied().into_iter().collect()
            }
            Hostility::Crawls if tick == 0 => b"GET /live/s0?wait=2 HTTP/1.0\r\n\r\n".to_vec(),
            Hostility::Asks => b"GET /live/none HTTP/1.1\r\nHost: h\r\n\r\n".repeat(rng.size(1, 20)),
            Hostility::Changes => changes(tick),
            _ => Vec::new(),
        }
    }

    /// Whether it hangs up now.
    pub fn has_enough(self, rng: &mut Rng) -> bool {
        match self {
            Hostility::Garbage | Hostility::Chunks => rng.once_in(100),
            Hostility::Slow | Hostility::Crawls | Hostility::Asks | Hostility::Changes => false,
        }
    }
}

const REQUEST: &[u8] = b"GET /live/s0 HTTP/1.1\r\nHost: somewhere\r\nUser-Agent: one that takes its time\r\n";

fn handshake() -> Vec<u8> {
    [&[3][..], &[0; 1_536], &[7; 1_536]].concat()
}

fn noise(rng: &mut Rng) -> Vec<u8> {
    let len = rng.size(0, 64);
    (0..len).map(|_| rng.next() as u8).collect()
}

fn garbage(rng: &mut Rng) -> Vec<u8> {
    let beginning = match rng.below(5) {
        0 => b"GET /live/s0 HTTP/1.1\r\nHost: x\r\n".to_vec(),
        1 => b"POST /live/s0 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nFLV\x01\x05\r\n".to_vec(),
        2 => handshake(),
        _ => Vec::new(),
    };
    [beginning, noise(rng)].concat()
}

/// A push with a name of its own, whose every tag is another sequence header.
fn changes(tick: u64) -> Vec<u8> {
    let mut output = Output::new();
    if tick == 0 {
        output.write(b"POST /live/hostile HTTP/1.0\r\n\r\n");
        FlvWriter::header(
            TagFlags {
                audio: false,
                video: true,
            },
            &mut output,
        );
    }
    let header = [0x17, 0, 0, 0, 0, 1, tick as u8];
    FlvWriter::frame(&Frame::video(Timestamp::ZERO, header.to_vec().into()), &mut output);
    output.copy_to_bytes(output.remaining()).to_vec()
}
