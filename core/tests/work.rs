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

mod script;

use bytes::Buf;
use headwater_core::amf::{AmfLimits, amf0, amf3};
use headwater_core::flv::{FlvReader, TagFlags};
use headwater_core::http::{HttpConfig, HttpEvent, HttpSession, Method, Response, StatusCode};
use headwater_core::media::{self, audio_info, video_info};
use headwater_core::rtmp::chunk::{ChunkDecoder, ChunkEncoder};
use headwater_core::rtmp::{Event, ServerSession, SessionConfig};
use headwater_core::{Frame, FrameKind, Limits, Time, Timestamp};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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
        (
            "an array with a key and many elements",
            [&array(4_000)[..3], b"\x03a\x01\x01", &[0x01; 4_000]].concat(),
        ),
        (
            "empty strings",
            [&array(4_000)[..], &[0x06, 0x01].repeat(4_000)].concat(),
        ),
        ("empty XML", [&array(4_000)[..], &[0x07, 0x01].repeat(4_000)].concat()),
        (
            "strings of one byte",
            [&array(4_000)[..], &[0x06, 0x03, b'x'].repeat(4_000)].concat(),
        ),
        (
            "keys that are referred to",
            [&b"\x09\x01\x03k\x01"[..], &b"\0\x01".repeat(4_000), b"\x01"].concat(),
        ),
    ]
}

/// Heads, and bodies in chunks, which are published.
fn http_inputs() -> Vec<(&'static str, Vec<u8>)> {
    let head = |method: &str, fields: &[u8]| {
        [
            format!("{method} /live/x HTTP/1.1\r\nHost: x\r\n").as_bytes(),
            fields,
            b"\r\n",
        ]
        .concat()
    };
    let push = head("POST", b"Transfer-Encoding: chunked\r\n");
    let patch = head("PATCH", b"Transfer-Encoding: chunked\r\n");
    let chunk = |line: &[u8], data: &[u8]| [line, b"\r\n", data, b"\r\n"].concat();
    let body = |line: &[u8]| {
        let content = [FLV_HEADER, &EMPTY_TAG.repeat(200)].concat();
        let chunks: Vec<_> = content.iter().map(|byte| chunk(line, &[*byte])).collect();
        [&push[..], &chunks.concat()].concat()
    };
    let whole = chunk(b"1C", &[FLV_HEADER, EMPTY_TAG].concat());
    vec![
        ("HTTP: a head of many fields", head("GET", &b"a: b\r\n".repeat(60))),
        (
            "HTTP: heads of many fields",
            head("OPTIONS", &b"a:\r\n".repeat(99)).repeat(100),
        ),
        (
            "HTTP: a head of more fields than may be",
            head("GET", &b"a:\r\n".repeat(3_000)),
        ),
        (
            "HTTP: a long field",
            head("GET", &[&b"a: "[..], &[b','; 16_000], b"\r\n"].concat()),
        ),
        (
            "HTTP: lists without members",
            head(
                "GET",
                &[
                    &b"Connection: "[..],
                    &[b','; 8_000],
                    b"\r\nUpgrade: ",
                    &[b','; 8_000],
                    b"\r\n",
                ]
                .concat(),
            ),
        ),
        (
            "HTTP: empty lines",
            [&b"\r\n".repeat(8_000)[..], &head("GET", b"")].concat(),
        ),
        ("HTTP: OPTIONS, one after the other", head("OPTIONS", b"").repeat(200)),
        (
            "HTTP: preflights that list many fields",
            head(
                "OPTIONS",
                &[
                    &b"Origin: http://x\r\nAccess-Control-Request-Headers: "[..],
                    &[b'x'; 8_000],
                    b"\r\n",
                ]
                .concat(),
            )
            .repeat(20),
        ),
        ("HTTP: HEAD, one after the other", head("HEAD", b"").repeat(200)),
        ("HTTP: the shortest heads", b"A / HTTP/1.1\r\nHost:\r\n\r\n".repeat(200)),
        (
            "HTTP: an escaped path",
            [
                &b"GET /live/"[..],
                &b"%41".repeat(4_000),
                b" HTTP/1.1\r\nHost: x\r\n\r\n",
            ]
            .concat(),
        ),
        ("HTTP: chunks of one byte", body(b"1")),
        ("HTTP: sizes of sixteen digits", body(b"0000000000000001")),
        (
            "HTTP: long chunk extensions",
            body(&[&b"1;"[..], &[b'x'; 1_000]].concat()),
        ),
        (
            "HTTP: long trailers",
            [&push[..], &whole, b"0\r\n", &b"a: b\r\n".repeat(1_300), b"\r\n"].concat(),
        ),
        (
            "HTTP: one trailer",
            [&push[..], &whole, b"0\r\na: ", &[b'x'; 8_000], b"\r\n\r\n"].concat(),
        ),
        (
            "HTTP: content in chunks of one byte",
            [&patch[..], &chunk(b"1", b"x").repeat(5_000), b"0\r\n\r\n"].concat(),
        ),
        (
            "HTTP: one content of a byte after the other",
            [&head("PATCH", b"Content-Length: 1\r\n")[..], b"x"]
                .concat()
                .repeat(200),
        ),
        (
            "HTTP: content that announces more than comes",
            [&head("PATCH", b"Content-Length: 1000000\r\n")[..], &[b'x'; 1_000]].concat(),
        ),
        (
            "HTTP: a push after the other",
            [&push[..], &whole, b"0\r\n\r\n"].concat().repeat(200),
        ),
    ]
}

/// What a player by WebSocket may send.
fn websocket_inputs() -> Vec<(&'static str, Vec<u8>)> {
    let opening = b"GET /live/x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let after_opening = |frames: &[u8]| [&opening[..], frames].concat();
    let mask = b"\x12\x34\x56\x78";
    let frame = |first: u8, len: u8| [&[first, 0x80 | len][..], mask, &[7; 125][..len.into()]].concat();
    let huge = [&[0x82, 0xFF][..], &u64::MAX.to_be_bytes(), mask].concat();
    let longest = [&[0x82, 0xFE, 0x10, 0][..], mask, &[7; 4_096]].concat();
    let padded = [&[0x82, 0xFF][..], &[0; 8], mask].concat();
    vec![
        (
            "WebSocket: pings without payload",
            after_opening(&frame(0x89, 0).repeat(4_000)),
        ),
        (
            "WebSocket: pings of 125 bytes",
            after_opening(&frame(0x89, 125).repeat(400)),
        ),
        (
            "WebSocket: pongs of 125 bytes",
            after_opening(&frame(0x8A, 125).repeat(400)),
        ),
        (
            "WebSocket: frames without payload",
            after_opening(&frame(0x82, 0).repeat(4_000)),
        ),
        (
            "WebSocket: fragments of one byte",
            after_opening(&frame(0x00, 1).repeat(4_000)),
        ),
        (
            "WebSocket: lengths in eight bytes",
            after_opening(&padded.repeat(4_000)),
        ),
        ("WebSocket: a huge length", after_opening(&huge.repeat(4_000))),
        ("WebSocket: the longest frames", after_opening(&longest.repeat(10))),
    ]
}

/// A handshake, `connect`, and what comes behind them: messages in chunks of whatever size.
fn session(texts: &[&str], raw: &[u8]) -> Vec<u8> {
    let mut encoder = ChunkEncoder::new();
    let mut input = [&[3][..], &[0; 3_072]].concat();
    for text in [&["connect(1, {app=\"live\"})", "SetChunkSize(65536)"], texts].concat() {
        input.extend(script::to_chunks(&script::parse_all(text), &mut encoder));
    }
    input.extend(raw);
    input
}

/// What a session may hear once it is connected: of each kind of message the ones that are dear for their length.
fn rtmp_inputs() -> Vec<(&'static str, Vec<u8>)> {
    let publish = &["createStream(2)", "publish(3, \"x\", \"live\") msid=1"];
    // A header of a type without a message stream, and then one byte of header for each message that is like it.
    let repeated = |header: &[u8], body: &[u8], count| {
        [
            &[header, body].concat()[..],
            &[&[0xC3][..], body].concat().repeat(count),
        ]
        .concat()
    };
    let command = |body: &[u8], count| {
        let len = u8::try_from(body.len()).unwrap();
        repeated(&[0x03, 0, 0, 0, 0, 0, len, 20, 0, 0, 0, 0], body, count)
    };
    let number = [0, 0x40, 0, 0, 0, 0, 0, 0, 0];
    let metadata = |pieces: &[&[u8]]| {
        let body = [&b"\0\x02\0\x0AonMetaData"[..], &pieces.concat()].concat();
        let [.., high, low] = body.len().to_be_bytes();
        session(
            publish,
            &repeated(&[0x03, 0, 0, 0, 0, high, low, 15, 1, 0, 0, 0], &body, 10),
        )
    };
    let key = [&[0x7F][..], &[b'k'; 63]].concat();
    let string = [&[0x06, 0x7F][..], &[b'x'; 63]].concat();
    vec![
        ("RTMP: a session in garbage", [&[3][..], &[0x55; 60_000]].concat()),
        (
            "RTMP: calls of nothing",
            session(
                &[],
                &command(&[&[2, 0, 2, b'n', b'o'][..], &number, &[5]].concat(), 4_000),
            ),
        ),
        // Shorter messages are soon a flood.
        ("RTMP: calls cut short", session(&[], &command(&[2; 15], 4_000))),
        (
            "RTMP: pings",
            session(
                &[],
                &repeated(&[0x03, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0], &[0, 6, 0, 0, 0, 1], 4_000),
            ),
        ),
        (
            "RTMP: acknowledgements",
            session(
                &[],
                &repeated(&[0x03, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0], &[0, 0, 0, 1], 4_000),
            ),
        ),
        (
            "RTMP: windows",
            session(
                &[],
                &repeated(&[0x03, 0, 0, 0, 0, 0, 4, 5, 0, 0, 0, 0], &[0, 0, 0, 1], 4_000),
            ),
        ),
        (
            "RTMP: bandwidths, each another",
            session(
                &[],
                &repeated(
                    &[0x03, 0, 0, 0, 0, 0, 5, 6, 0, 0, 0, 0],
                    &[0, 0, 0, 1, 2, 0xC3, 0, 0, 0, 2, 2],
                    2_000,
                ),
            ),
        ),
        (
            "RTMP: streams that come and go",
            session(&[&["createStream(2) + deleteStream(3, 1)"; 1_000].join(" + ")], &[]),
        ),
        (
            "RTMP: publishes that come and go",
            session(
                &[
                    "createStream(2)",
                    &["publish(3, \"x\") msid=1 + closeStream(0) msid=1"; 400].join(" + "),
                ],
                &[],
            ),
        ),
        (
            "RTMP: sound of 16 bytes",
            session(
                publish,
                &repeated(&[0x03, 0, 0, 0, 0, 0, 15, 8, 1, 0, 0, 0], &[0xAF; 15], 4_000),
            ),
        ),
        (
            "RTMP: pictures of 16 bytes",
            session(
                publish,
                &repeated(&[0x03, 0, 0, 0, 0, 0, 15, 9, 1, 0, 0, 0], &[0x17; 15], 4_000),
            ),
        ),
        (
            "RTMP: metadata of 16 bytes",
            session(
                publish,
                &repeated(
                    &[0x03, 0, 0, 0, 0, 0, 15, 18, 1, 0, 0, 0],
                    b"\x02\0\x0AonMetaData\x05\x05",
                    4_000,
                ),
            ),
        ),
        (
            "RTMP: metadata of AMF3 references",
            metadata(&[b"\x11\x09\x01\x03k", &string, &b"\0\x06\x02".repeat(2_000), b"\x01"]),
        ),
        (
            "RTMP: metadata of AMF3 references, keys too",
            metadata(&[b"\x11\x09\x01", &key, &string, &b"\0\x06\x02".repeat(2_000), b"\x01"]),
        ),
        (
            "RTMP: metadata of short AMF3 pairs",
            metadata(&[b"\x11\x09\x01\x03k\x01", &b"\0\x01".repeat(4_000), b"\x01"]),
        ),
        (
            "RTMP: metadata of an AMF3 array with a key",
            metadata(&[b"\x11\x09\xBE\x41\x03k\x01\x01", &[1; 4_000]]),
        ),
        (
            "RTMP: metadata that is cut",
            metadata(&[b"\x03", &b"\0\x01k\x05".repeat(4_000)]),
        ),
        (
            "RTMP: metadata that is cut, of empty keys",
            metadata(&[b"\x03", &b"\0\0\x05".repeat(4_000)]),
        ),
        (
            "RTMP: metadata of empty keys",
            metadata(&[b"\x08\0\0\0\0", &b"\0\0\x05".repeat(4_000), b"\0\0\x09"]),
        ),
        (
            "RTMP: aggregates of parts without payload",
            session(
                publish,
                &repeated(
                    &[0x03, 0, 0, 0, 0, 0xFF, 0xFF, 22, 1, 0, 0, 0],
                    &[&[8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11][..]; 4_369].concat(),
                    1,
                ),
            ),
        ),
        (
            "RTMP: unknown messages",
            session(
                &[],
                &repeated(&[0x03, 0, 0, 0, 0, 0, 15, 99, 0, 0, 0, 0], &[0; 15], 4_000),
            ),
        ),
    ]
}

/// The first 22 bytes of a sequence header of HEVC in Enhanced RTMP, up to the number of arrays.
const HEVC_RECORD: [u8; 27] = *b"\x90hvc1\x01\x01\x60\0\0\0\0\0\0\0\0\0\x78\xF0\0\xFC\xFD\xF8\xF8\0\0\x0F";

/// The number of arrays, and these.
fn hevc_arrays() -> Vec<(&'static str, Vec<u8>)> {
    // The start of a parameter set, up to a number.
    let set = [
        0x42, 0x01, 0x01, 0x01, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x78,
    ];
    let in_array = |nal_unit: &[u8]| {
        let len = u16::try_from(nal_unit.len()).unwrap();
        [&[1, 33, 0, 1][..], &len.to_be_bytes(), nal_unit].concat()
    };
    vec![
        (
            "HEVC configuration: many arrays without units",
            [&[255][..], &[32, 0, 0].repeat(255)].concat(),
        ),
        (
            "HEVC configuration: an array of many empty units",
            [&[255][..], &[32, 0xFF, 0xFF], &[0; 131_070], &[34, 0, 0]].concat(),
        ),
        (
            "HEVC configuration: many arrays of one unit",
            [&[255][..], &[32, 0, 1, 0, 1, 0x40].repeat(255)].concat(),
        ),
        (
            "HEVC configuration: more units than there are",
            [&[255][..], &[32, 0xFF, 0xFF, 0, 1, 0x40].repeat(2)].concat(),
        ),
        (
            "HEVC configuration: a parameter set of ones",
            in_array(&[&set[..], &[0xFF; 4_000]].concat()),
        ),
        (
            "HEVC configuration: a parameter set of zeros",
            in_array(&[&set[..], &[0; 4_000]].concat()),
        ),
        (
            "HEVC configuration: eight sub-layers",
            in_array(&[&[0x42, 0x01, 0x0F][..], &[0xFF; 4_000]].concat()),
        ),
    ]
}

/// Messages of Enhanced RTMP with as many tracks and blocks as fit.
fn multitrack_inputs() -> Vec<(&'static str, Vec<u8>)> {
    let pictures = b"avc1\0\0\0\x03\0\0\0";
    vec![
        ("tracks: of no byte", [&b"\xA6\x13avc1"[..], &[0; 4_000 * 4]].concat()),
        (
            "tracks: each with a codec and a composition time",
            [&b"\xA6\x21"[..], &pictures.repeat(4_000)].concat(),
        ),
        (
            "tracks: behind long ModEx blocks",
            [
                &[0xA7][..],
                &[&[0xFF, 0xFF, 0xFF][..], &[0; 65_536], &[0x07]].concat().repeat(15),
                b"\0\0\x06\x13avc1",
                &[0; 4_000 * 4],
            ]
            .concat(),
        ),
        (
            "tracks: behind short ModEx blocks",
            [&[0xA7][..], &b"\0\0\x07".repeat(15), b"\0\0\x01avc1\0\0\0"].concat(),
        ),
        (
            "tracks: the last longer than the message",
            b"\xA6\x13avc1\x00\xFF\xFF\xFF\0\0\0\0".to_vec(),
        ),
    ]
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

/// The time that this thread has had on a processor: others that want it too cost nothing.
#[cfg(unix)]
fn time_worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}

/// As good as it gets elsewhere.
#[cfg(not(unix))]
fn time_worked() -> Duration {
    use std::time::Instant;
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    START.elapsed()
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
