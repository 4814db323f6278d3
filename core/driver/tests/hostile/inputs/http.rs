//! Rows 40 to 43: HTTP and WebSocket.

use super::*;

pub(super) fn inputs() -> Vec<Input> {
    let post = |fields: &str, content: &[u8]| {
        [
            format!("POST /live/hostile HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n").as_bytes(),
            content,
        ]
        .concat()
    };
    let chunked = |content: &[u8]| post("Transfer-Encoding: chunked", content);
    let pinging = |frames: &[u8]| websocket("/live/good", frames);
    let publishing = |frames: &[u8]| websocket("/live/hostile?publish", frames);
    let close = b"\x88\x82\0\0\0\0\x03\xE8";
    vec![
        rtmp(
            40,
            "a player for nothing",
            connected(&[create_stream(), play(b"nothing")]),
            GoesOn,
        ),
        web(
            40,
            "a player for nothing by HTTP",
            get("/live/nothing?wait=60", ""),
            GoesOn,
        ),
        web(
            40,
            "one that does not wait",
            get("/live/nothing", ""),
            Refused("no such stream"),
        ),
        web(
            41,
            "a length and chunks",
            post("Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\nGET /"),
            Refused("conflicting Transfer-Encoding"),
        ),
        web(
            41,
            "two lengths",
            post("Content-Length: 5\r\nContent-Length: 6", b"hello"),
            Refused("bad Content-Length"),
        ),
        web(
            41,
            "a length with a sign",
            post("Content-Length: -5", b"hello"),
            Refused("bad Content-Length"),
        ),
        web(
            41,
            "a coding that is none",
            post("Transfer-Encoding: xchunked", b"0\r\n\r\n"),
            Refused("Transfer-Encoding is not chunked"),
        ),
        web(
            41,
            "a blank before the colon",
            post("Transfer-Encoding : chunked", b"0\r\n\r\n"),
            Refused("malformed request head"),
        ),
        web(
            41,
            "a field that goes on",
            post("Content-Length: 5\r\n Content-Length: 6", b"hello"),
            Refused("malformed request head"),
        ),
        web(
            41,
            "two hosts",
            get("/live/good", "Host: y\r\n"),
            Refused("exactly one Host"),
        ),
        web(
            41,
            "a field of 20 KB",
            get("/live/good", &format!("Cookie: {}\r\n", "x".repeat(20_000))),
            Refused("request head exceeds the limit"),
        ),
        web(
            41,
            "2,000 fields",
            get("/live/good", &"a: b\r\n".repeat(2_000)),
            Refused("request head exceeds the limit"),
        ),
        web(
            41,
            "a negative chunk",
            chunked(b"-1\r\nx\r\n"),
            Refused("bad chunk size line"),
        ),
        web(
            41,
            "a chunk with a prefix",
            chunked(b"0x1\r\nF\r\n"),
            Refused("bad chunk size line"),
        ),
        web(
            41,
            "a chunk of 2^68",
            chunked(b"100000000000000000\r\nF\r\n"),
            Refused("bad chunk size line"),
        ),
        web(
            41,
            "a chunk longer than it says",
            chunked(b"1\r\nFLV\r\n"),
            Refused("missing CRLF"),
        ),
        web(41, "chunks of one byte", chunked(b"1\r\nF\r\n"), GoesOn),
        web(
            41,
            "requests behind a request",
            b"OPTIONS /live/x HTTP/1.1\r\nHost: x\r\n\r\n".repeat(300),
            Ends("requests in a second"),
        ),
        web(
            42,
            "a push of nothing",
            post("Content-Length: 0", b""),
            Refused("the content has no audio, video or script tag"),
        ),
        web(
            42,
            "a push that does not come",
            post("Content-Length: 5000000", b""),
            GoesOn,
        ),
        web(
            42,
            "a push that is no FLV",
            push("/live/hostile", "", b"not a FLV at all"),
            Refused("not an FLV stream"),
        ),
        web(
            42,
            "FLV of another version",
            push("/live/hostile", "", b"FLV\x07\x05\0\0\0\x09\0\0\0\0"),
            Refused("FLV version 7"),
        ),
        web(
            42,
            "a tag of 16 MiB",
            push("/live/hostile", "", &flv(b"\x09\xFF\xFF\xFF\0\0\0\0\0\0\0")),
            Refused("FLV tag of 16777215 bytes exceeds"),
        ),
        web(
            42,
            "a tag of 8 MB that does not come",
            push("/live/hostile", "", &flv(b"\x09\x7A\x12\0\0\0\0\0\0\0\0\x17")),
            GoesOn,
        ),
        web(
            43,
            "a frame without a mask",
            pinging(b"\x82\x01x"),
            Refused("unmasked websocket frame"),
        ),
        web(
            43,
            "a ping in fragments",
            pinging(b"\x09\x80\0\0\0\0"),
            Refused("fragmented or long websocket control frame"),
        ),
        web(
            43,
            "a frame of 2^63",
            pinging(b"\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0"),
            Refused("websocket frame of 9223372036854775807 bytes"),
        ),
        web(
            43,
            "reserved bits",
            pinging(b"\xF2\x80\0\0\0\0"),
            Refused("reserved bits"),
        ),
        web(
            43,
            "an unknown opcode",
            pinging(b"\x83\x80\0\0\0\0"),
            Refused("unknown websocket opcode"),
        ),
        web(
            43,
            "frames behind the end",
            pinging(&[&close[..], &b"\x82\x80\0\0\0\0".repeat(3_000)].concat()),
            Leaves,
        ),
        web(
            43,
            "3,000 pings by WebSocket",
            pinging(&b"\x89\x80\0\0\0\0".repeat(3_000)),
            GoesOn,
        ),
        web(
            43,
            "a publisher's text",
            publishing(b"\x81\x83\0\0\0\0FLV"),
            Refused("websocket text from a publisher"),
        ),
        web(
            43,
            "a publisher's frame without a mask",
            publishing(b"\x82\x03FLV"),
            Refused("unmasked websocket frame"),
        ),
        web(
            43,
            "a publisher's frame of 2^63",
            publishing(b"\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0FLV"),
            Refused("websocket frame of 9223372036854775807 bytes"),
        ),
        web(
            43,
            "a publisher's reserved bits",
            publishing(b"\xC2\x80\0\0\0\0"),
            Refused("reserved bits"),
        ),
        web(
            43,
            "a publisher's message in another",
            publishing(b"\x02\x81\0\0\0\0F\x82\x82\0\0\0\0LV"),
            Refused("websocket message inside another"),
        ),
        web(
            43,
            "a publisher's end before it has begun",
            publishing(close),
            Refused("the content has no audio, video or script tag"),
        ),
        web(
            43,
            "a publisher's 3,000 empty messages",
            publishing(&b"\x82\x80\0\0\0\0".repeat(3_000)),
            GoesOn,
        ),
    ]
}
