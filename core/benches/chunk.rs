//! How fast the chunk layer is and what it allocates, on one recorded publish.
//!
//! ```text
//! cargo bench -p headwater-core --bench chunk
//! ```
//!
//! The recording is synthetic and the same in every run: ten seconds of 2.7 Mb/s H.264 and AAC, a keyframe every two
//! seconds. It is decoded as a driver would feed it, 64 KiB or one Ethernet frame at a time, and every message is dropped
//! as it comes; and it is encoded into an output that is drained after every message.

#![expect(clippy::expect_used, reason = "a benchmark may panic")]

use bytes::{Buf, Bytes};
use headwater_core::rtmp::chunk::{
    ChunkDecoder, ChunkEncoder, ChunkSize, ChunkStreamId, Message, MessageStreamId, MessageTypeId,
};
use headwater_core::{Limits, Output, Timestamp};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::hint::black_box;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SECONDS: u32 = 10;
const FRAMES_PER_SECOND: u32 = 30;
const FRAMES_PER_GOP: u32 = 60;

fn main() {
    // `cargo test --all-targets` runs this too, only to see that it works.
    let rounds = if std::env::args().any(|argument| argument == "--bench") {
        41
    } else {
        1
    };
    let messages = recording();
    let payload: usize = messages.iter().map(|message| message.payload.len()).sum();
    let rate = payload as f64 * 8.0 / 1e6 / f64::from(SECONDS);
    println!(
        "{} messages, {payload} bytes of payload, {rate:.2} Mb/s",
        messages.len()
    );
    println!(
        "{:<39} {:>12} {:>20} {:>20}",
        "", "payload", "allocations/message", "allocated/payload"
    );
    for chunk_size in [128, 4_096, 60_000] {
        let chunk_size = ChunkSize::new(chunk_size).expect("in range");
        let wire = encoded(&messages, chunk_size);
        for read in [65_536, 1_448] {
            let decode = || decode(&wire, read, messages.len());
            report(
                &format!("decode, chunks of {chunk_size:>5}, reads of {read:>5}"),
                rounds,
                &messages,
                decode,
            );
        }
        let encode = || encode(&messages, chunk_size);
        report(&format!("encode, chunks of {chunk_size:>5}"), rounds, &messages, encode);
    }
}

/// Audio and video of one publisher, in the order of their timestamps.
fn recording() -> Vec<Message> {
    let mut noise = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |from: u32, to: u32| {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        from + u32::try_from(noise >> 33).expect("31 bits") % (to - from)
    };
    let mut messages = Vec::new();
    let mut audio_frames = 0;
    for frame in 0..SECONDS * FRAMES_PER_SECOND {
        let millis = frame * 1_000 / FRAMES_PER_SECOND;
        let len = if frame % FRAMES_PER_GOP == 0 {
            next(58_000, 62_000)
        } else {
            next(4_500, 15_500)
        };
        messages.push(message(ChunkStreamId::VIDEO, MessageTypeId::VIDEO, millis, len));
        // AAC: 1,024 samples at 44,100 Hz.
        while audio_frames * 1_024 * 10 / 441 < millis {
            let millis = audio_frames * 1_024 * 10 / 441;
            messages.push(message(
                ChunkStreamId::AUDIO,
                MessageTypeId::AUDIO,
                millis,
                next(350, 390),
            ));
            audio_frames += 1;
        }
    }
    messages
}

fn message(csid: ChunkStreamId, type_id: MessageTypeId, millis: u32, len: u32) -> Message {
    let payload = (0..len).map(|index| index.to_le_bytes()[0]).collect::<Vec<_>>();
    Message {
        csid,
        msid: MessageStreamId(1),
        type_id,
        timestamp: Timestamp::from_millis(millis),
        payload: Bytes::from(payload),
    }
}

fn encoded(messages: &[Message], chunk_size: ChunkSize) -> Vec<u8> {
    let (mut encoder, mut output) = (ChunkEncoder::new(), Output::new());
    encoder.set_chunk_size(chunk_size, &mut output);
    for message in messages {
        encoder.encode(message, &mut output).expect("not too large");
    }
    let len = output.remaining();
    output.copy_to_bytes(len).to_vec()
}

fn decode(wire: &[u8], read: usize, expected: usize) {
    let mut decoder = ChunkDecoder::new(&Limits::default());
    let mut count = 0;
    for mut input in wire.chunks(read) {
        while let Some(message) = decoder.decode(&mut input).expect("valid") {
            black_box(message);
            count += 1;
        }
    }
    assert_eq!(count, expected + 1, "with Set Chunk Size");
}

fn encode(messages: &[Message], chunk_size: ChunkSize) {
    let (mut encoder, mut output) = (ChunkEncoder::new(), Output::new());
    encoder.set_chunk_size(chunk_size, &mut output);
    for message in messages {
        encoder.encode(message, &mut output).expect("not too large");
        while output.has_remaining() {
            output.advance(black_box(output.chunk().len()));
        }
    }
}

/// Prints the median speed of `work` over `rounds`, and what one run of it allocates.
fn report(name: &str, rounds: usize, messages: &[Message], work: impl Fn()) {
    let region = Region::new(ALLOCATOR);
    work();
    let allocated = region.change();

    let payload: usize = messages.iter().map(|message| message.payload.len()).sum();
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort();
    let median = times.get(rounds / 2).expect("at least one round");
    println!(
        "{name:<39} {:>7.0} MB/s {:>20.3} {:>20.3}",
        payload as f64 / 1e6 / median.as_secs_f64(),
        (allocated.allocations + allocated.reallocations) as f64 / messages.len() as f64,
        allocated.bytes_allocated as f64 / payload as f64,
    );
}
