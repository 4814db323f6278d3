//! Rows 44 to 48: what belongs to no other protocol, or means nothing.

use super::*;

pub(super) fn inputs() -> Vec<Input> {
    let replies =
        ["onStatus", "_result", "_error", "onBWDone", "close"].map(|it| call(it, &string(b"NetStream.Publish.Start")));
    let types: Vec<_> = [0, 7, 10, 11, 12, 13, 14, 16, 19, 21, 23, 64, 99, 255]
        .map(|it| message(it, 0, &[7; 40]).repeat(20))
        .concat();
    vec![
        rtmp(
            44,
            "TLS to the port of RTMP",
            b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03".to_vec(),
            Ends("handshake version 22 (TLS)"),
        ),
        rtmp(
            44,
            "HTTP to the port of RTMP",
            get("/live/good", ""),
            Ends("handshake version 71 (HTTP)"),
        ),
        rtmp(
            44,
            "RTMPE",
            [&[6][..], &[7; 1_536]].concat(),
            Ends("handshake version 6"),
        ),
        web(
            44,
            "TLS to the port of HTTP",
            b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03".to_vec(),
            Ends("first byte 0x16 (TLS)"),
        ),
        web(
            44,
            "70 KB of something to HTTP",
            vec![0xA5; 70_000],
            Ends("first byte 0xa5"),
        ),
        web(
            44,
            "RTMP to the port of HTTP",
            handshake(),
            Ends("first byte 0x03 (RTMP)"),
        ),
        rtmp(46, "ids of others", connected(&[meddling()]), GoesOn),
        rtmp(47, "answers to nothing", publishing(&[replies.concat()]), GoesOn),
        rtmp(
            48,
            "shared objects and types that are none",
            publishing(&[types]),
            GoesOn,
        ),
    ]
}
