//! What a byte of hostile input may cost, in every reader.
//!
//! Memory is counted by the allocator, so those figures are exact. Time is only a coarse check here; the figures in
//! nanoseconds come from `cargo test --release -p headwater-core --test work -- --ignored --nocapture`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a test"
)]

mod clock;
mod hub;
mod inputs;
#[path = "../script/mod.rs"]
mod script;

use bytes::Buf;
use clock::time_worked;
use headwater_core::amf::{AmfLimits, amf0, amf3};
use headwater_core::flv::{FlvReader, TagFlags};
use headwater_core::http::{HttpConfig, HttpEvent, HttpSession, Method, Response, StatusCode};
use headwater_core::media::{self, audio_info, video_info};
use headwater_core::rtmp::chunk::ChunkDecoder;
use headwater_core::rtmp::{Event, ServerSession, SessionConfig};
use headwater_core::{Frame, FrameKind, Limits, Time, Timestamp};
use inputs::{
    HEVC_RECORD, amf3_inputs, hevc_arrays, http_inputs, multitrack_inputs, rtmp_inputs, session, websocket_inputs,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Held by each test: the allocator counts for all of them.
static ALONE: Mutex<()> = Mutex::new(());

/// Bytes that a reader may allocate for a byte of input, and once besides: each value that is kept is some 60 bytes, made of
/// one byte at the least, in a list that grows by doubling.
const ALLOCATED_PER_BYTE: usize = 160;
const ALLOCATED_ONCE: usize = 64 << 10;

/// Time for a byte of input, in an optimized build. 25 ns: what chunks of one byte cost.
const NANOS_PER_BYTE: u128 = 25;

const FLV_HEADER: &[u8] = b"FLV\x01\x05\0\0\0\x09\0\0\0\0";
const EMPTY_TAG: &[u8] = &[8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11];

struct Case {
    name: String,
    input: Vec<u8>,
    /// Returns how many bytes it took: those behind an error have cost nothing.
    read: fn(&[u8]) -> usize,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: &str, input: Vec<u8>, read| {
        let name = name.to_owned();
        cases.push(Case { name, input, read });
    };
    for (name, input) in amf3_inputs() {
        let in_amf0 = [&[0x11][..], &input].concat();
        add(&format!("AMF3: {name}"), input, read_amf3);
        add(&format!("AMF3 in AMF0: {name}"), in_amf0, read_amf0);
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
        [FLV_HEADER, &EMPTY_TAG.repeat(2_000)].concat(),
        read_flv,
    );
    add(
        "FLV: tags of one byte",
        [
            FLV_HEADER,
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
    for (name, input) in http_inputs() {
        add(name, input, read_http);
    }
    for (name, input) in websocket_inputs() {
        add(name, input, read_http);
    }
    for (name, input) in rtmp_inputs() {
        add(name, input, read_rtmp);
    }
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
    for (name, arrays) in hevc_arrays() {
        add(name, [&HEVC_RECORD[..], &arrays].concat(), read_video);
    }
    for (name, input) in multitrack_inputs() {
        add(name, input, read_tracks);
    }
    add("AAC configuration", [&[0xAF, 0][..], &[0xF8; 400]].concat(), read_audio);
    cases
}

fn read_amf3(input: &[u8]) -> usize {
    let mut reader = amf3::Reader::new(input, AmfLimits::default());
    while !reader.is_empty() && black_box(reader.value()).is_ok() {}
    input.len()
}

fn read_amf0(input: &[u8]) -> usize {
    let mut reader = amf0::Reader::new(input, AmfLimits::default());
    while !reader.is_empty() && black_box(reader.value()).is_ok() {}
    input.len()
}

/// Has `next` take from `input` until there is no more, and returns how much it took.
fn drain<T, E>(mut input: &[u8], mut next: impl FnMut(&mut &[u8]) -> Result<Option<T>, E>) -> usize {
    let offered = input.len();
    while let Ok(Some(item)) = next(&mut input) {
        black_box(item);
    }
    offered - input.len()
}

fn read_flv(input: &[u8]) -> usize {
    let mut reader = FlvReader::new(&Limits::default());
    drain(input, |input| reader.handle_input(input))
}

fn read_chunks(input: &[u8]) -> usize {
    let mut decoder = ChunkDecoder::new(&Limits::default());
    drain(input, |input| decoder.decode(input))
}

/// Grants whatever is asked, and takes every answer.
fn read_http(mut input: &[u8]) -> usize {
    let offered = input.len();
    let mut session = HttpSession::new(Arc::new(HttpConfig::default()), Time::ZERO);
    while let Ok(Some(event)) = session.handle_input(Time::ZERO, &mut input) {
        match event {
            HttpEvent::Requested { id, head } => match head.method {
                Method::Get | Method::Head => {
                    session.accept_play(Time::ZERO, id).unwrap();
                    // Not after the answer to a HEAD.
                    let _ = session.start_play(TagFlags::default());
                }
                Method::Post | Method::Put => session.accept_publish(Time::ZERO, id).unwrap(),
                Method::Patch => session.read_body(Time::ZERO, id, 1 << 20).unwrap(),
                _ => {
                    let fields = head.fields.get("access-control-request-headers").unwrap_or("*");
                    let response = Response::new(StatusCode::NoContent)
                        .with_field("Allow", "GET, HEAD, POST, PUT, OPTIONS")
                        .readable_by(&head.access)
                        .with_field("Access-Control-Allow-Headers", fields.to_owned());
                    session.respond(Time::ZERO, id, &response).unwrap();
                }
            },
            HttpEvent::Body { id, body } => {
                let response = Response::new(StatusCode::Ok).with_body(body);
                session.respond(Time::ZERO, id, &response).unwrap();
            }
            other => drop(black_box(other)),
        }
        let output = session.output();
        output.advance(output.len());
    }
    offered - input.len()
}

/// The same.
fn read_rtmp(input: &[u8]) -> usize {
    hear(input).0
}

/// How many bytes a session took, and how much work these made.
fn hear(mut input: &[u8]) -> (usize, u64) {
    let offered = input.len();
    let mut session = ServerSession::new(Arc::new(SessionConfig::new(Limits::default())), Time::ZERO, 1);
    while let Ok(Some(event)) = session.handle_input(Time::ZERO, &mut input) {
        match event {
            Event::ConnectRequested { id, .. }
            | Event::PublishRequested { id, .. }
            | Event::PlayRequested { id, .. } => session.accept(Time::ZERO, id).unwrap(),
            other => drop(black_box(other)),
        }
        let output = session.output();
        output.advance(output.len());
    }
    (offered - input.len(), session.work())
}

fn read_video(input: &[u8]) -> usize {
    let frame = Frame::video(Timestamp::ZERO, input.to_vec().into());
    black_box(video_info(&frame));
    input.len()
}

fn read_tracks(input: &[u8]) -> usize {
    black_box(media::tracks(FrameKind::Video, input).count());
    input.len()
}

fn read_audio(input: &[u8]) -> usize {
    let frame = Frame::audio(Timestamp::ZERO, input.to_vec().into());
    black_box(audio_info(&frame));
    input.len()
}

#[test]
fn no_input_makes_a_reader_allocate_more_than_it_pays_for() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
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

/// The parts of an aggregate are as much work as messages of their own, and so are those that are passed over.
#[test]
fn an_aggregate_is_as_much_work_as_its_parts() {
    let work = |type_id: u8, body: &[u8]| {
        let [.., high, low] = body.len().to_be_bytes();
        let header = [0x03, 0, 0, 0, 0, high, low, type_id, 0, 0, 0, 0];
        hear(&session(&[], &[&header[..], body].concat())).1
    };
    let metadata = [&b"\x02\0\x0AonMetaData\x08\0\0\0\0"[..], &[b'x'; 1_000]].concat();
    for (type_id, body) in [(18, &metadata[..]), (8, b"\xAF"), (99, b"")] {
        let [.., high, low] = body.len().to_be_bytes();
        let part = [&[type_id, 0, high, low, 0, 0, 0, 0, 0, 0, 0][..], body, &[0; 4]].concat();
        let nothing = work(22, b"");
        let parts = work(22, &part.repeat(50)) - nothing;
        assert!(parts >= 50 * (work(type_id, body) - nothing), "{type_id}: {parts}");
    }
}

/// The least time of a few runs, per byte.
fn nanos_per_byte(Case { input, read, .. }: &Case, runs: usize) -> u128 {
    let runs = (0..runs).map(|_| {
        let start = time_worked();
        let taken = read(input);
        (time_worked() - start).as_nanos() / taken.max(1) as u128
    });
    runs.min().unwrap_or(u128::MAX)
}

/// As loose as a build without optimizations needs it: what this is to find costs thousands.
#[test]
fn no_input_takes_thousands_of_nanoseconds_a_byte() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for case in cases() {
        let nanos = nanos_per_byte(&case, 5);
        assert!(nanos < 40 * NANOS_PER_BYTE, "{}: {nanos} ns a byte", case.name);
    }
}

#[test]
#[ignore = "says nothing without optimizations and a quiet machine"]
fn no_input_takes_more_than_25_nanoseconds_a_byte() {
    let mut slow = Vec::new();
    for case in cases() {
        let nanos = nanos_per_byte(&case, 200);
        println!("{nanos:>6} ns a byte: {}", case.name);
        if nanos > NANOS_PER_BYTE {
            slow.push(case.name);
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
}
