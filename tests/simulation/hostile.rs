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
    /// Begins one long message after the other, and ends none.
    Unfinished,
    /// Plays, and then breaks the protocol.
    Breaks,
    /// Sends requests of all kinds one behind the other, without waiting for answers, and behind one to play too.
    Pipelines,
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
            Hostility::Unfinished,
            Hostility::Breaks,
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
            Hostility::Unfinished if is_rtmp => unfinished_message(tick),
            Hostility::Unfinished => unfinished_tag(tick),
            Hostility::Breaks if tick == 0 => WEB_SOCKET.to_vec(),
            Hostility::Pipelines if tick == 300 => b"GET /live/s0?wait=2 HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
            Hostility::Pipelines if tick.is_multiple_of(20) => PIPELINE.concat(),
            // Clients have to mask what they say.
            Hostility::Breaks if tick == 150 => b"\x82\x01x".to_vec(),
            _ => Vec::new(),
        }
    }

    /// Whether it hangs up now.
    pub fn has_enough(self, rng: &mut Rng) -> bool {
        match self {
            Hostility::Garbage | Hostility::Chunks => rng.once_in(100),
            Hostility::Slow
            | Hostility::Crawls
            | Hostility::Asks
            | Hostility::Changes
            | Hostility::Unfinished
            | Hostility::Breaks
            | Hostility::Pipelines => false,
        }
    }
}

const REQUEST: &[u8] = b"GET /live/s0 HTTP/1.1\r\nHost: somewhere\r\nUser-Agent: one that takes its time\r\n";

const WEB_SOCKET: &[u8] = b"GET /live/s0?wait=2 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Requests that are answered at once, and a whole push.
const PIPELINE: [&[u8]; 4] = [
    b"OPTIONS /live/s0 HTTP/1.1\r\nHost: h\r\nOrigin: http://a.example\r\n\r\nHEAD /live/none HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST /live/pipeline HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nFLV\x01\x01\0\0\0\x09\0\0\0\0\r\n",
    b"14\r\n\x09\0\0\x05\0\0\0\0\0\0\0\x17\x01\0\0\0\0\0\0\x10\r\n0\r\n\r\n",
    b"GET /live/none HTTP/1.1\r\nHost: h\r\n\r\nDELETE /live/s0 HTTP/1.1\r\nHost: h\r\n\r\n",
];

/// Bytes that come in a tick of a message without an end.
const PIECE: usize = 4_000;
/// Ticks after which the next message begins.
const PIECES: u64 = 25;

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

/// Pieces of messages of 150,000 bytes, each on a chunk stream of its own.
fn unfinished_message(tick: u64) -> Vec<u8> {
    let csid = 4 + (tick / PIECES) as u8 % 50;
    let beginning = match tick {
        // Chunks have up to 0xF0000 bytes from then on.
        0 => [&handshake()[..], b"\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\x0F\0\0"].concat(),
        _ => Vec::new(),
    };
    let header = [csid, 0, 0, 0, 0x02, 0x49, 0xF0, 9, 1, 0, 0, 0];
    let header = if tick.is_multiple_of(PIECES) { &header[..] } else { &[] };
    [&beginning, header, &[0; PIECE]].concat()
}

/// Pieces of a tag of 150,000 bytes, of a push with a name of its own: 100,000 bytes in all.
fn unfinished_tag(tick: u64) -> Vec<u8> {
    let beginning: &[u8] = match tick {
        0 => b"POST /live/hoard HTTP/1.0\r\n\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0\x09\x02\x49\xF0\0\0\0\0\0\0\0",
        _ => &[],
    };
    let len = if tick < PIECES { PIECE } else { 0 };
    [beginning, &vec![0; len]].concat()
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
