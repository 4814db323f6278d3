//! Rows 26 to 31: commands.

use super::*;

/// Names that would mean something to a file system, a shell, a terminal, a page or a log, and whether they name a stream.
pub(crate) const NAMES: [(&[u8], bool); 16] = [
    (b"../../etc/passwd", false),
    (b"a/../b", false),
    (b"./x", false),
    (b"a//b", false),
    (b"x\0y", false),
    (b"x\r\nX-Injected: yes", false),
    (b"x\n2026-01-01T00:00:00Z ERROR forged", false),
    (b"\x1B[31mred", false),
    (b"\xC2\x85next", false),
    (b"x\\y", false),
    (b"\xFF\xFE", false),
    (b"%00%0d%0a", true),
    (b"<script>alert(1)</script>", true),
    (b"$(reboot)`id`;|&'\" peer=\"10.0.0.1", true),
    ("\u{202E}evil".as_bytes(), true),
    ("line\u{2028}line".as_bytes(), true),
];

pub(super) fn inputs() -> Vec<Input> {
    let asks = |what: fn(&[u8]) -> Vec<u8>, name: &[u8]| connected(&[create_stream(), what(name)]);
    let long = |key: &str, len: usize| connected_with(&pair(key, &string(&vec![b'x'; len])));
    let escaped = |name: &[u8]| name.iter().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let mut inputs = vec![
        rtmp(
            26,
            "an app of 60,000 bytes",
            unconnected(&[connect_to(&[b'x'; 60_000], &[])]),
            Refused("a string of 60000 bytes"),
        ),
        rtmp(
            26,
            "a tcUrl of 60,000 bytes",
            long("tcUrl", 60_000),
            Refused("a string of 60000 bytes"),
        ),
        rtmp(
            26,
            "a flashVer of 5,000 bytes",
            long("flashVer", 5_000),
            Refused("a string of 5000 bytes"),
        ),
        rtmp(
            26,
            "a name of 600 bytes to publish",
            asks(publish, &[b'x'; 600]),
            Refused("stream name of 605 bytes"),
        ),
        rtmp(
            26,
            "a name of 200,000 bytes to play",
            asks(play, &[b'x'; 200_000]),
            Refused("stream name of 200000 bytes"),
        ),
        web(
            26,
            "a path of 600 bytes",
            get(&format!("/live/{}", "x".repeat(600)), ""),
            Refused("stream name of 605 bytes"),
        ),
    ];
    for (name, is_stream) in NAMES {
        let refused = if is_stream { GoesOn } else { Refused("stream name") };
        inputs.push(rtmp(27, "a name to publish", asks(publish, name), refused));
        inputs.push(rtmp(27, "a name to play", asks(play, name), refused));
        let reason = match str::from_utf8(name) {
            _ if is_stream => "no such stream",
            Ok(_) => "stream name",
            Err(_) => "not UTF-8",
        };
        inputs.push(web(
            27,
            "a path",
            get(&format!("/live/{}", escaped(name)), ""),
            Refused(reason),
        ));
    }
    let agent = b"\x1B[31mFMLE\r\n2026-01-01T00:00:00Z ERROR forged\0\xFF";
    let early = |len: usize| message(9, 1, &vec![0x27; len]);
    inputs.extend([
        rtmp(
            27,
            "an encoder's name",
            unconnected(&[
                connect(&pair("flashVer", &string(agent))),
                create_stream(),
                publish(b"hostile"),
                message(9, 1, &video_header(1)),
            ]),
            GoesOn,
        ),
        web(
            27,
            "an encoder's name by HTTP",
            push(
                "/live/hostile",
                "User-Agent: \u{202E}evil\"\r\n",
                &flv(&tag(9, &video_header(1))),
            ),
            GoesOn,
        ),
        rtmp(28, "connect twice", connected(&[connect(&[])]), Ends("second connect")),
        rtmp(
            28,
            "publish before connect",
            unconnected(&[publish(b"hostile")]),
            Ends("command before connect"),
        ),
        rtmp(
            28,
            "publish and play on one stream",
            publishing(&[message(9, 1, &video_header(1)), play(b"good")]),
            GoesOn,
        ),
        rtmp(
            28,
            "media before connect",
            unconnected(&[early(1_000).repeat(100)]),
            GoesOn,
        ),
        rtmp(
            28,
            "media before publish",
            connected(&[create_stream(), early(1_000).repeat(100)]),
            GoesOn,
        ),
        rtmp(
            28,
            "9 MB of media before publish",
            connected(&[create_stream(), early(60_000).repeat(150)]),
            Ends("bytes of media outside of any publish"),
        ),
        rtmp(
            29,
            "3,000 message streams",
            connected(&[create_stream().repeat(3_000)]),
            Ends("message streams"),
        ),
        rtmp(
            30,
            "streams of others, deleted and closed",
            connected(&[meddling()]),
            GoesOn,
        ),
        rtmp(
            31,
            "a name published 50 times",
            connected(&[
                create_stream(),
                [
                    publish(b"flapping"),
                    message(9, 1, &video_header(1)),
                    on_stream(1, "closeStream", &[]),
                ]
                .concat()
                .repeat(50),
            ]),
            Refused("too many publishes began there of late"),
        ),
        rtmp(
            31,
            "200 requests at once",
            connected(&[create_stream(), play(b"good").repeat(200)]),
            Ends("requests in a second"),
        ),
        rtmp(
            31,
            "a name that is taken",
            connected(&[create_stream(), publish(b"good"), message(9, 1, &video_header(1))]),
            Refused("the stream has a publisher"),
        ),
    ]);
    inputs
}

/// Everything by which a peer could mean a stream that is not its own.
pub(crate) fn meddling() -> Vec<u8> {
    let ids = [0.0, 1.0, 2.0, -1.0, 1e300, f64::NAN]
        .map(|id| call("deleteStream", &number(id)))
        .concat();
    let names = ["good", "live/good"].map(|name| {
        ["FCUnpublish", "releaseStream", "closeStream", "deleteStream"]
            .map(|it| call(it, &string(name.as_bytes())))
            .concat()
    });
    let streams = [0, 1, 2, 255].map(|msid| {
        ["closeStream", "pause", "seek", "receiveVideo"]
            .map(|it| on_stream(msid, it, &[]))
            .concat()
    });
    [
        ids,
        names.concat(),
        streams.concat(),
        message(18, 1, &string(b"@clearDataFrame")),
    ]
    .concat()
}
