//! What a byte of hostile input may cost, in every reader.
//!
//! Memory is counted by the allocator, so those figures are exact. Time is only a coarse check here; the figures in
//! nanoseconds come from `cargo test --release -p headwater-core --test work -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use headwater_core::amf::{AmfLimits, amf0, amf3};
use headwater_core::chunk::ChunkDecoder;
use headwater_core::flv::FlvReader;
use headwater_core::http::HttpSession;
use headwater_core::media::{audio_info, video_info};
use headwater_core::session::{ServerSession, SessionConfig};
use headwater_core::{Frame, Limits, Time, Timestamp};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes that a reader may allocate for a byte of input, and once besides: each value that is kept is some 60 bytes, made of
/// one byte at the least, in a list that grows by doubling.
const ALLOCATED_PER_BYTE: usize = 160;
const ALLOCATED_ONCE: usize = 64 << 10;

/// Time for a byte of input, in an optimized build. 25 ns: what chunks of one byte cost.
const NANOS_PER_BYTE: u128 = 25;

struct Case {
    name: &'static str,
    input: Vec<u8>,
    read: fn(&[u8]),
}

/// AMF3 values that are as dear as their bytes allow, and more once.
fn amf3_inputs() -> Vec<(&'static str, Vec<u8>)> {
    // A strict array of `count` of something, which comes next.
    let array = |count: u32| {
        let header = count << 1 | 1;
        vec![
            0x09,
            0x80 | u8::try_from(header >> 7).unwrap(),
            u8::try_from(header & 0x7F).unwrap(),
            0x01,
        ]
    };
    let names = |count: usize| [0x03, b'n'].repeat(count);
    // A class of 2,040 names, each of which is referred to.
    let sealed = |flags: u32, count: u32| {
        let header = count << 4 | flags << 2 | 3;
        vec![
            0x0A,
            0x80 | u8::try_from(header >> 14).unwrap(),
            0x80 | u8::try_from(header >> 7 & 0x7F).unwrap(),
            u8::try_from(header & 0x7F).unwrap(),
        ]
    };
    let collection = b"\x43flex.messaging.io.ArrayCollection";
    let externalizable = [
        &array(1_001)[..],
        &sealed(1, 2_040),
        collection,
        &names(2_040),
        &[1],
        &[0x0A, 0x01, 0x01].repeat(1_000),
    ];
    let classes = [
        &array(1_001)[..],
        &sealed(0, 1_000),
        &[0x01],
        &names(1_000),
        &[1; 1_000],
        &[0x0A, 0x01].repeat(1_000),
    ];
    let long = [
        &array(4_000)[..],
        &[0x06, 0xFF, 0x7F],
        &[b'x'; 8_191],
        &[0x06, 0x00].repeat(4_000),
    ];
    let short = [
        &array(4_000)[..],
        &[0x06, 0x7F],
        &[b'x'; 63],
        &[0x06, 0x00].repeat(4_000),
    ];
    vec![
        (
            "an externalizable class with names, referred to",
            externalizable.concat(),
        ),
        ("a class with many names, referred to", classes.concat()),
        ("a long string, referred to", long.concat()),
        ("a short string, referred to", short.concat()),
        ("many small values", [&array(4_000)[..], &[0x01; 4_000]].concat()),
        ("arrays in arrays", [0x09, 0x03, 0x01].repeat(2_000)),
    ]
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name, input: Vec<u8>, read| cases.push(Case { name, input, read });
    for (name, input) in amf3_inputs() {
        add(name, input.clone(), read_amf3);
        add(name, [&[0x11][..], &input].concat(), read_amf0);
    }
    add(
        "AMF0: values of one byte",
        [&[0x0A, 0, 0, 0x0F, 0xA0][..], &[0x05; 4_000]].concat(),
        read_amf0,
    );
    add(
        "AMF0: one AMF3 value after the other",
        b"\x11\x01".repeat(2_000),
        read_amf0,
    );
    add("AMF0: objects in objects", b"\x03\0\x01k".repeat(2_000), read_amf0);
    add(
        "AMF0: long keys",
        [&[0x03][..], &[&[0, 1, b'k', 5][..]; 2_000].concat()].concat(),
        read_amf0,
    );
    add(
        "FLV: tags without a body",
        [
            &b"FLV\x01\x05\0\0\0\x09\0\0\0\0"[..],
            &[&[8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11][..]; 2_000].concat(),
        ]
        .concat(),
        read_flv,
    );
    add(
        "FLV: tags of one byte",
        [
            &b"FLV\x01\x05\0\0\0\x09\0\0\0\0"[..],
            &[&[9, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x17, 0, 0, 0, 12][..]; 2_000].concat(),
        ]
        .concat(),
        read_flv,
    );
    add(
        "chunks: messages of one byte",
        [&[0x03, 0, 0, 0, 0, 0, 1, 9, 1, 0, 0, 0, 0][..]; 2_000].concat(),
        read_chunks,
    );
    let one_byte_chunks = [
        &[
            0x02, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0x04, 0, 0, 0, 0, 0xFF, 0xFF, 9, 1, 0, 0, 0, 7,
        ][..],
        &b"\xC4\x07".repeat(30_000),
    ]
    .concat();
    add("chunks: of one byte", one_byte_chunks, read_chunks);
    add(
        "HTTP: a head of many fields",
        [
            &b"GET /live/x HTTP/1.1\r\nHost: x\r\n"[..],
            &b"a: b\r\n".repeat(60),
            b"\r\n",
        ]
        .concat(),
        read_http,
    );
    add(
        "HTTP: OPTIONS, one after the other",
        b"OPTIONS /live/x HTTP/1.1\r\nHost: x\r\n\r\n".repeat(200),
        read_http,
    );
    add(
        "HTTP: an escaped path",
        [
            &b"GET /live/"[..],
            &b"%41".repeat(4_000),
            b" HTTP/1.1\r\nHost: x\r\n\r\n",
        ]
        .concat(),
        read_http,
    );
    add(
        "RTMP: a session in garbage",
        [&[3][..], &[0x55; 60_000]].concat(),
        read_rtmp,
    );
    add(
        "AVC configuration: many parameter sets",
        [
            &[0x17, 0, 0, 0, 0, 1, 100, 0, 31, 0xFF, 0xFF][..],
            &[0, 4, 0x67, 100, 0, 31].repeat(31),
            &[0xFF],
            &[0, 1, 0x68].repeat(255),
        ]
        .concat(),
        read_video,
    );
    add(
        "AVC configuration: a parameter set of ones",
        [
            &[
                0x17, 0, 0, 0, 0, 1, 100, 0, 31, 0xFF, 0xE1, 0x0F, 0xA0, 0x67, 100, 0, 31,
            ][..],
            &[0xFF; 4_000],
        ]
        .concat(),
        read_video,
    );
    add(
        "AVC configuration: a parameter set of zeros",
        [
            &[
                0x17, 0, 0, 0, 0, 1, 100, 0, 31, 0xFF, 0xE1, 0x0F, 0xA0, 0x67, 100, 0, 31,
            ][..],
            &[0; 4_000],
        ]
        .concat(),
        read_video,
    );
    add(
        "AVC: many NAL units of no byte",
        [&[0x27, 1, 0, 0, 0][..], &[0; 4_000]].concat(),
        read_video,
    );
    add("AAC configuration", [&[0xAF, 0][..], &[0xF8; 400]].concat(), read_audio);
    cases
}

fn read_amf3(input: &[u8]) {
    let mut reader = amf3::Reader::new(input, AmfLimits::default());
    while !reader.is_empty() && black_box(reader.value()).is_ok() {}
}

fn read_amf0(input: &[u8]) {
    let mut reader = amf0::Reader::new(input, AmfLimits::default());
    while !reader.is_empty() && black_box(reader.value()).is_ok() {}
}

fn read_flv(mut input: &[u8]) {
    let mut reader = FlvReader::new(&Limits::default());
    while let Ok(Some(item)) = reader.handle_input(&mut input) {
        black_box(item);
    }
}

fn read_chunks(mut input: &[u8]) {
    let mut decoder = ChunkDecoder::new(&Limits::default());
    while let Ok(Some(message)) = decoder.decode(&mut input) {
        black_box(message);
    }
}

fn read_http(mut input: &[u8]) {
    let mut session = HttpSession::new(Arc::new(Limits::default()), Time::ZERO);
    while let Ok(Some(event)) = session.handle_input(Time::ZERO, &mut input) {
        black_box(event);
    }
}

fn read_rtmp(mut input: &[u8]) {
    let mut session = ServerSession::new(Arc::new(SessionConfig::new(Limits::default())), Time::ZERO, 1);
    while let Ok(Some(event)) = session.handle_input(Time::ZERO, &mut input) {
        black_box(event);
    }
}

fn read_video(input: &[u8]) {
    let frame = Frame::video(Timestamp::ZERO, input.to_vec().into());
    black_box(video_info(&frame));
}

fn read_audio(input: &[u8]) {
    let frame = Frame::audio(Timestamp::ZERO, input.to_vec().into());
    black_box(audio_info(&frame));
}

#[test]
fn no_input_makes_a_reader_allocate_more_than_it_pays_for() {
    for Case { name, input, read } in cases() {
        let region = Region::new(ALLOCATOR);
        read(&input);
        let allocated = region.change().bytes_allocated;
        let allowed = ALLOCATED_ONCE + ALLOCATED_PER_BYTE * input.len();
        assert!(
            allocated <= allowed,
            "{name}: {allocated} bytes for {} of input",
            input.len()
        );
    }
}

/// The least time of a few runs, per byte.
fn nanos_per_byte(case: &Case) -> u128 {
    let rounds = (0..20).map(|_| {
        let start = Instant::now();
        for _ in 0..10 {
            (case.read)(&case.input);
        }
        start.elapsed()
    });
    rounds.min().unwrap_or(Duration::MAX).as_nanos() / 10 / case.input.len() as u128
}

/// As loose as a build without optimizations on a busy machine needs it: what this is to find costs thousands.
#[test]
fn no_input_takes_thousands_of_nanoseconds_a_byte() {
    for case in cases() {
        let nanos = nanos_per_byte(&case);
        assert!(nanos < 40 * NANOS_PER_BYTE, "{}: {nanos} ns a byte", case.name);
    }
}

#[test]
#[ignore = "says nothing without optimizations and a quiet machine"]
fn no_input_takes_more_than_25_nanoseconds_a_byte() {
    let mut slow = Vec::new();
    for case in cases() {
        let nanos = nanos_per_byte(&case);
        println!("{nanos:>6} ns a byte: {}", case.name);
        if nanos > NANOS_PER_BYTE {
            slow.push(case.name);
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
}
