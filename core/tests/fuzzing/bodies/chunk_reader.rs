//! Chunks to messages: any cut gives the same messages, and memory is bounded whatever they announce.

use super::choices::ways;
use super::memory::Meter;
use bytes::Buf;
use headwater_core::rtmp::chunk::{ChunkDecoder, ChunkEncoder, ChunkError, ChunkSize, Message};
use headwater_core::{Limits, Output};

/// What came out, and what the decoder says of itself while there is no error.
#[derive(Debug, PartialEq)]
struct Outcome {
    messages: Vec<Message>,
    error: Option<ChunkError>,
    /// 0 behind an error, which may stand in the middle of a header.
    received: u64,
    chunks: u64,
    buffered: usize,
    is_at_border: bool,
}

pub(super) fn check(bytes: &[u8]) {
    let (seed, body) = bytes.split_first().map_or((0, bytes), |(first, body)| (*first, body));
    let limits = limits(seed);
    let [whole, single, pieces] = ways(body, seed);
    let outcome = decode(&limits, whole);
    assert_eq!(decode(&limits, single), outcome, "byte by byte");
    assert_eq!(decode(&limits, pieces), outcome, "in pieces");

    let total: usize = outcome.messages.iter().map(|message| message.payload.len()).sum();
    assert!(total + outcome.buffered <= body.len());
    assert!(outcome.messages.len() as u64 <= outcome.chunks && outcome.chunks <= body.len() as u64);
    if outcome.error.is_none() {
        assert_eq!(outcome.received, body.len() as u64);
    }
}

fn limits(seed: u8) -> Limits {
    let mut limits = Limits::default();
    if seed.is_multiple_of(2) {
        limits.max_message_len = 3_000;
        limits.max_command_len = 1_000;
        limits.max_buffered_bytes = 5_000;
        limits.max_chunk_streams = 4;
    }
    limits
}

fn decode(limits: &Limits, pieces: Vec<&[u8]>) -> Outcome {
    let meter = Meter::new();
    let mut decoder = ChunkDecoder::new(limits);
    let (mut messages, mut error, mut offered, mut payload) = (Vec::new(), None, 0, 0);
    'pieces: for mut piece in pieces {
        offered += piece.len();
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(message)) => {
                    payload += message.payload.len();
                    messages.push(message);
                }
                Ok(None) => break assert!(piece.is_empty(), "all was taken"),
                Err(it) => {
                    assert_eq!(decoder.decode(&mut piece), Err(it.clone()), "an error stays");
                    error = Some(it);
                    break 'pieces;
                }
            }
        }
        assert!(decoder.buffered() <= offered, "nothing is there that did not come");
        // Its state takes some bytes for each chunk stream, and its buffers what they may hold.
        let held = decoder.held_memory();
        assert!(
            held <= limits.max_buffered_bytes + 100 * limits.max_chunk_streams,
            "{held} bytes"
        );
    }
    meter.assert_at_most(decoder.held_memory() + payload + 256 * messages.len() + (24 << 10));
    Outcome {
        messages,
        received: if error.is_none() { decoder.bytes_received() } else { 0 },
        chunks: decoder.chunks_received(),
        buffered: decoder.buffered(),
        is_at_border: error.is_none() && decoder.is_at_chunk_border(),
        error,
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let talk = super::snippets::MESSAGES.join(" + ");
    let messages = super::script::parse_all(&talk);
    let mut all = Vec::new();
    for size in [1, 128, 4_096] {
        let (mut encoder, mut output) = (ChunkEncoder::new(), Output::new());
        encoder.set_chunk_size(ChunkSize::new(size).unwrap(), &mut output);
        for message in messages.iter().filter(|message| message.payload.len() < 900) {
            encoder.encode(message, &mut output).unwrap();
        }
        all.push([&[1], &*output.copy_to_bytes(output.len())].concat());
    }
    let others: [&[u8]; 8] = [
        // Two messages interleaved; types 1, 2 and 3; an abort of the second.
        b"\x01\x06\0\0\0\0\0\x82\x08\x01\0\0\0",
        b"\x00\x47\0\0\0\0\0\x04\x09abcd\x87\0\0\x28efgh\xC7ijkl\x02\0\0\0\0\0\x04\x02\0\0\0\0\0\0\0\x07",
        // Extended timestamps: absolute, as deltas, repeated or not.
        b"\x01\x07\xFF\xFF\xFF\0\0\x02\x09\x01\0\0\0\x01\0\0\0ab\xC7\x01\0\0\0cd\x87\xFF\xFF\xFF\xFF\xFF\xFF\xF0ef\xC7\xFF\xFF\xFF\xF0gh",
        b"\x01\x07\xFF\xFF\xFF\0\x01\x04\x09\x01\0\0\0\xFF\xFF\xFF\xFE",
        // Chunk stream numbers in two and three bytes.
        b"\x00\x00\x01\0\0\0\0\0\x01\x08\0\0\0\0a\xC0\x01b\x01\xFF\xFF\0\0\0\0\0\0\x08\0\0\0\0\xC1\xFF\xFF",
        b"\x01\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\0\0\x00",
        b"\x01\x02\0\0\0\0\0\x04\x01\0\0\0\0\x7F\xFF\xFF\xFF\x04\0\0\0\x10\0\0\x09\x01\0\0\0abc",
        b"\x00\x03\0\0\0\0\x0B\xB8\x09\0\0\0\0",
    ];
    all.extend(others.map(<[u8]>::to_vec));
    all
}
