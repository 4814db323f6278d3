//! Inputs that are as dear as their bytes allow, for each reader.

use crate::{EMPTY_TAG, FLV_HEADER, script};
use headwater_core::rtmp::chunk::ChunkEncoder;

/// AMF3 values that are as dear as their bytes allow, and more once.
pub(crate) fn amf3_inputs() -> Vec<(&'static str, Vec<u8>)> {
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
pub(crate) fn http_inputs() -> Vec<(&'static str, Vec<u8>)> {
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
pub(crate) fn websocket_inputs() -> Vec<(&'static str, Vec<u8>)> {
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
pub(crate) fn session(texts: &[&str], raw: &[u8]) -> Vec<u8> {
    let mut encoder = ChunkEncoder::new();
    let mut input = [&[3][..], &[0; 3_072]].concat();
    for text in [&["connect(1, {app=\"live\"})", "SetChunkSize(65536)"], texts].concat() {
        input.extend(script::to_chunks(&script::parse_all(text), &mut encoder));
    }
    input.extend(raw);
    input
}

/// What a session may hear once it is connected: of each kind of message the ones that are dear for their length.
pub(crate) fn rtmp_inputs() -> Vec<(&'static str, Vec<u8>)> {
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

/// The start of an RTMP publish.
pub(crate) fn publishing() -> Vec<u8> {
    session(&["createStream(2)", "publish(3, \"x\", \"live\") msid=1"], &[])
}

/// Messages of a publisher that a server makes more of than a session does.
pub(crate) fn hub_inputs() -> Vec<(&'static str, Vec<u8>)> {
    let message = |type_id: u8, body: &[u8]| {
        let [.., high, middle, low] = body.len().to_be_bytes();
        [&[0x03, 0, 0, 0, high, middle, low, type_id, 1, 0, 0, 0][..], body].concat()
    };
    let part = [&[8, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x2F][..], &[0, 0, 0, 12]].concat();
    let adts = [0xFF, 0xF1, 0x50, 0x80, 0x01, 0x1F, 0xFC, 0x21];
    let tracks = |count| [&b"\xA6\x13mp4a"[..], &[0; 4].repeat(count)].concat();
    vec![
        ("sound of 4 bytes", message(8, b"\x2F\0\0\0").repeat(1_000)),
        ("pictures of 4 bytes", message(9, b"\x22\0\0\0").repeat(1_000)),
        (
            "ADTS: one frame",
            message(8, &[&b"\xAF\x01"[..], &adts].concat()).repeat(1_000),
        ),
        (
            "ADTS: 64 frames",
            message(8, &[&b"\xAF\x01"[..], &adts.repeat(64)].concat()).repeat(20),
        ),
        ("aggregates: parts of one byte", message(22, &part.repeat(1_000))),
        ("tracks: one of no byte", message(9, &tracks(1)).repeat(1_000)),
        ("tracks: many of no byte", message(9, &tracks(30)).repeat(100)),
    ]
}

/// The first 22 bytes of a sequence header of HEVC in Enhanced RTMP, up to the number of arrays.
pub(crate) const HEVC_RECORD: [u8; 27] = *b"\x90hvc1\x01\x01\x60\0\0\0\0\0\0\0\0\0\x78\xF0\0\xFC\xFD\xF8\xF8\0\0\x0F";

/// The number of arrays, and these.
pub(crate) fn hevc_arrays() -> Vec<(&'static str, Vec<u8>)> {
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
pub(crate) fn multitrack_inputs() -> Vec<(&'static str, Vec<u8>)> {
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
