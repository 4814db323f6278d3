//! Rows 1 to 4: before anybody has said who it is.

use super::*;

pub(super) fn inputs() -> Vec<Input> {
    let version = |version: u8, reason| {
        rtmp(
            2,
            "another version",
            [&[version][..], &[0; 1_536]].concat(),
            Ends(reason),
        )
    };
    let greet = |what, c1: Vec<u8>, c2: Vec<u8>| {
        let bytes = [vec![3], c1, c2, set_chunk_size(4 << 20), connect(&[])].concat();
        rtmp(3, what, bytes, GoesOn)
    };
    let junk: Vec<u8> = (0..1_536u32)
        .map(|index| index.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    let with_version = [&[0, 0, 0, 0, 128, 0, 7, 2][..], &junk[8..]].concat();
    let everything = publishing(&[
        message(9, 1, &video_header(1)),
        message(9, 1, &picture(true, 100)).repeat(900),
    ]);
    vec![
        rtmp(1, "silence", vec![], GoesOn),
        rtmp(1, "one byte", vec![3], GoesOn),
        rtmp(1, "all but one byte of C1", vec![3; 1_536], GoesOn),
        web(1, "silence to HTTP", vec![], GoesOn),
        web(1, "one byte to HTTP", b"G".to_vec(), GoesOn),
        version(0, "handshake version 0"),
        version(2, "handshake version 2"),
        version(6, "handshake version 6"),
        version(0x80, "handshake version 128"),
        version(0xFF, "handshake version 255"),
        rtmp(
            2,
            "70 KB of something",
            vec![0xA5; 70_000],
            Ends("handshake version 165"),
        ),
        greet("C1 and C2 of zeros", vec![0; 1_536], vec![0; 1_536]),
        greet("junk where a digest may be", with_version, junk.clone()),
        greet("junk all over", junk, vec![0xA5; 1_536]),
        rtmp(4, "all before S0, with frames", everything, GoesOn),
        rtmp(
            4,
            "3,000 calls before S0",
            connected(&[call("no", &[]).repeat(3_000)]),
            GoesOn,
        ),
    ]
}
