//! Rows 5 to 20: chunks and control messages.

use super::*;

pub(super) fn inputs() -> Vec<Input> {
    let after = |messages: &[Vec<u8>]| [handshake(), messages.concat()].concat();
    let bytes_of_one = [header(4, 0, 60_000, 9, 1), vec![7], b"\xC4\x07".repeat(59_999)].concat();
    let much_announced: Vec<_> = (3..=60)
        .map(|csid| [header(csid, 0, 8_000_000, 9, 1), vec![7; 128]].concat())
        .collect();
    let many_ids: Vec<_> = (64..1_064u16)
        .map(|csid| [&[1][..], &(csid - 64).to_le_bytes(), &header(0, 0, 1, 9, 1)[1..], &[7]].concat())
        .collect();
    let video = |len: usize| header(4, 0, len, 9, 1);
    let some = |count: usize| [video(300), vec![7; count]].concat();
    let empty = |type_id: u8| message(type_id, 1, &[]);
    let ambiguous = [
        header(4, 0xFF_FFFF, 384, 9, 1),
        0x0100_0000u32.to_be_bytes().to_vec(),
        vec![7; 128],
        [&[0xC4, 1, 0, 0, 0][..], &[7; 124]].concat(),
        [&[0xC4, 1, 0, 0, 0][..], &[7; 128]].concat(),
    ];
    let frames_at = |times: &[u32]| -> Vec<u8> {
        let frames = times.iter().enumerate().map(|(index, time)| {
            let sound = message_at(*time, 8, 1, b"\xAF\x01\x21");
            [message_at(*time, 9, 1, &picture(index % 10 == 0, 20)), sound].concat()
        });
        [
            message(9, 1, &video_header(1)),
            message(8, 1, b"\xAF\0\x12\x10"),
            frames.collect::<Vec<_>>().concat(),
        ]
        .concat()
    };
    let day = 86_400_000;
    let control = |type_id: u8, value: u32| message(type_id, 0, &value.to_be_bytes());
    let bandwidth = |size: u32, kind: u8| message(6, 0, &[&size.to_be_bytes()[..], &[kind]].concat());
    let user = |event: u16, values: &[u32]| {
        let values: Vec<_> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
        message(4, 0, &[&event.to_be_bytes()[..], &values].concat())
    };
    vec![
        rtmp(
            5,
            "chunk size 0",
            after(&[set_chunk_size(0)]),
            Ends("chunk size 0 is not"),
        ),
        rtmp(
            5,
            "chunk size 2^31",
            after(&[set_chunk_size(1 << 31)]),
            Ends("chunk size 2147483648 is not"),
        ),
        rtmp(
            5,
            "a short chunk size",
            after(&[message(1, 0, &[0, 0]), message(1, 0, &[])]),
            GoesOn,
        ),
        rtmp(
            6,
            "chunks of one byte",
            after(&[connect(&[]), set_chunk_size(1), bytes_of_one]),
            GoesOn,
        ),
        rtmp(
            7,
            "chunk size 2^31 - 1",
            after(&[set_chunk_size(0x7FFF_FFFF), video(8_000_000), vec![7; 200]]),
            GoesOn,
        ),
        rtmp(
            8,
            "16 MiB announced",
            after(&[video(0xFF_FFFF), vec![7; 128]]),
            Ends("message of 16777215 bytes exceeds"),
        ),
        rtmp(8, "8 MB announced 58 times", after(&much_announced), GoesOn),
        rtmp(9, "1,000 chunk streams", after(&many_ids), Ends("chunk streams")),
        rtmp(
            10,
            "type 1 on a new chunk stream",
            after(&[[&[0x45, 0, 0, 0, 0, 0, 1, 9][..], &[7]].concat()]),
            GoesOn,
        ),
        rtmp(
            10,
            "type 2 on a new chunk stream",
            after(&[vec![0x85, 0, 0, 0, 7]]),
            Ends("inherits its length"),
        ),
        rtmp(
            10,
            "type 3 on a new chunk stream",
            after(&[vec![0xC5, 7]]),
            Ends("inherits its length"),
        ),
        rtmp(
            10,
            "ones alone",
            after(&[vec![0xFF; 5_000]]),
            Ends("inherits its length"),
        ),
        rtmp(
            11,
            "another length inside a message",
            after(&[some(128), video(301), vec![7; 128]]),
            Ends("interrupted after 128"),
        ),
        rtmp(
            11,
            "another type inside a message",
            after(&[some(128), header(4, 0, 300, 8, 1), vec![7; 128]]),
            Ends("interrupted after 128"),
        ),
        rtmp(
            11,
            "another stream inside a message",
            after(&[some(128), header(4, 0, 300, 9, 2), vec![7; 128]]),
            Ends("interrupted after 128"),
        ),
        rtmp(
            12,
            "messages without content",
            publishing(&[8, 9, 15, 18, 20, 22].map(|it| empty(it).repeat(50))),
            GoesOn,
        ),
        rtmp(
            12,
            "a flood of them",
            publishing(&[empty(9), vec![0xC3; 30_000]]),
            Ends("messages in"),
        ),
        rtmp(
            12,
            "a flood before connect",
            unconnected(&[empty(20), vec![0xC3; 30_000]]),
            Ends("messages in"),
        ),
        rtmp(13, "payload that looks like the time", after(&ambiguous), GoesOn),
        rtmp(
            14,
            "the last millisecond",
            publishing(&[frames_at(&[0, u32::MAX, 0, u32::MAX - 1, u32::MAX])]),
            GoesOn,
        ),
        rtmp(
            14,
            "0 and 2^31 in turns",
            publishing(&[frames_at(&[0, 1 << 31].repeat(200))]),
            GoesOn,
        ),
        rtmp(
            14,
            "a day back and forth",
            publishing(&[frames_at(&[day, 2 * day, day, 0, day].repeat(40))]),
            GoesOn,
        ),
        rtmp(
            14,
            "time that stands still",
            publishing(&[frames_at(&[0; 400])]),
            GoesOn,
        ),
        rtmp(
            15,
            "Abort for nothing, on and on",
            after(&[control(2, 77).repeat(5_000)]),
            GoesOn,
        ),
        rtmp(
            15,
            "Abort of each message",
            after(&[[some(128), control(2, 4)].concat().repeat(500)]),
            GoesOn,
        ),
        rtmp(
            16,
            "acknowledgements of all sorts",
            connected(&[[0, 1 << 31, 5, u32::MAX].map(|it| control(3, it)).concat().repeat(500)]),
            GoesOn,
        ),
        rtmp(
            17,
            "window 0",
            connected(&[control(5, 0), message(99, 0, &[7; 60_000])]),
            GoesOn,
        ),
        rtmp(
            17,
            "window 1",
            connected(&[control(5, 1), message(99, 0, &[7; 1_000]).repeat(100)]),
            GoesOn,
        ),
        rtmp(
            17,
            "windows, each another",
            connected(&[[control(5, 1), control(5, u32::MAX), control(5, 5_000)]
                .concat()
                .repeat(500)]),
            GoesOn,
        ),
        rtmp(
            18,
            "bandwidth 0 and 1 in turns",
            connected(&[[bandwidth(0, 2), bandwidth(1, 0), bandwidth(1, 9)].concat().repeat(500)]),
            GoesOn,
        ),
        rtmp(19, "5,000 pings", connected(&[user(6, &[1]).repeat(5_000)]), GoesOn),
        rtmp(
            19,
            "answers to no ping",
            connected(&[user(7, &[1]).repeat(1_000)]),
            GoesOn,
        ),
        rtmp(
            20,
            "a buffer of 49 days",
            connected(&[create_stream(), user(3, &[1, u32::MAX]).repeat(50), play(b"good")]),
            GoesOn,
        ),
    ]
}
