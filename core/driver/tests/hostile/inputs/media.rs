//! Rows 32 to 37: media, of a publisher.

use super::*;

pub(super) fn inputs() -> Vec<Input> {
    let publishes = |row, what, messages: &[Vec<u8>], reaction| {
        let headers = [message(9, 1, &video_header(1)), message(8, 1, b"\xAF\0\x12\x10")].concat();
        rtmp(row, what, publishing(&[headers, messages.concat()]), reaction)
    };
    let aggregate = |parts: &[u8]| message(22, 1, parts);
    let part = |type_id: u8, len: u32, body: &[u8]| {
        [&[type_id][..], &len.to_be_bytes()[1..], &[0; 7], body, &[0, 0, 0, 11]].concat()
    };
    let video = |body: &[u8]| message(9, 1, body);
    let chain = |count: usize| [&[0xA7][..], &b"\0\0\x07".repeat(count), b"\0\0\x01avc1\0\0\0"].concat();
    let set = |bytes: &[u8]| {
        let len = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        video(
            &[
                b"\x17\0\0\0\0\x01\x64\0\x1F\xFF\xE1",
                &len[..],
                bytes,
                b"\x01\0\x01\x68",
            ]
            .concat(),
        )
    };
    let key = video(&picture(true, 20));
    let tracks: Vec<_> = (0..=255u8)
        .map(|track| video(&[b"\x96\x00hvc1", &[track][..], &[7; 4_000]].concat()))
        .collect();
    let audio = message(8, 1, b"\xAF\x01\x21");
    let not_numbers = [f64::NAN, f64::INFINITY, -f64::INFINITY]
        .map(|value| pair("width", &number(value)))
        .concat();
    vec![
        publishes(
            32,
            "a part longer than its aggregate",
            &[aggregate(&part(9, 0xFF_FFFF, &[0x27; 20])).repeat(20)],
            GoesOn,
        ),
        publishes(
            32,
            "an aggregate in an aggregate",
            &[aggregate(&part(22, 40, &part(22, 14, &[0; 14]))).repeat(20)],
            GoesOn,
        ),
        publishes(
            32,
            "20,000 empty parts",
            &[aggregate(&part(8, 0, &[]).repeat(20_000))],
            GoesOn,
        ),
        publishes(
            32,
            "commands in aggregates",
            &[aggregate(&part(20, 10, b"\x02\0\x07connect")).repeat(20)],
            GoesOn,
        ),
        publishes(
            33,
            "a ModEx beyond the end",
            &[video(b"\xA7\xFF\xFF\xFF\0\0").repeat(20)],
            GoesOn,
        ),
        publishes(33, "1,000 ModEx in a row", &[video(&chain(1_000)).repeat(20)], GoesOn),
        publishes(
            33,
            "Multitrack in Multitrack",
            &[video(b"\xA6\x16\x16\x16avc1\0").repeat(20)],
            GoesOn,
        ),
        publishes(
            33,
            "a track beyond the end",
            &[video(b"\xA6\x13avc1\x00\xFF\xFF\xFF\0\0\0\0").repeat(20)],
            GoesOn,
        ),
        publishes(33, "headers of 256 tracks", &[tracks.concat()], GoesOn),
        publishes(
            33,
            "a header of 2 MB",
            &[video(&[video_header(1), vec![7; 2_000_000]].concat())],
            GoesOn,
        ),
        publishes(
            34,
            "a header for each picture",
            &[(0..200u8)
                .map(|it| [video(&video_header(it)), key.clone()].concat())
                .collect::<Vec<_>>()
                .concat()],
            Ends("the sequence headers change all the time"),
        ),
        publishes(35, "keyframes alone", &[key.repeat(3_000)], GoesOn),
        publishes(
            35,
            "not one keyframe",
            &[video(&picture(false, 20)).repeat(9_000)],
            GoesOn,
        ),
        publishes(
            36,
            "parameters of ones",
            &[set(&[&[0x67, 100, 0, 31][..], &[0xFF; 4_000]].concat()), key.clone()],
            GoesOn,
        ),
        publishes(
            36,
            "parameters of zeros",
            &[set(&[&[0x67, 100, 0, 31][..], &[0; 4_000]].concat()), key.clone()],
            GoesOn,
        ),
        publishes(36, "parameters that are cut", &[set(&[0x67]), key.clone()], GoesOn),
        publishes(
            36,
            "a configuration of one byte",
            &[
                video(b"\x17\0\0\0\0\x01"),
                key.clone(),
                message(8, 1, b"\xAF\0"),
                audio.clone(),
            ],
            GoesOn,
        ),
        publishes(
            37,
            "metadata of 300 KB",
            &[metadata(&string(&vec![b'x'; 300_000]))],
            Ends("message of 300"),
        ),
        publishes(
            37,
            "metadata of 100 KB",
            &[metadata(&string(&vec![b'x'; 100_000])), audio.clone()],
            GoesOn,
        ),
        publishes(
            37,
            "metadata of no numbers",
            &[
                metadata(&[b"\x08\0\0\0\x01", &not_numbers[..], b"\0\0\x09"].concat()),
                audio,
            ],
            GoesOn,
        ),
        web(
            37,
            "metadata of 1 MB by HTTP",
            push(
                "/live/hostile",
                "",
                &flv(&tag(
                    18,
                    &[string(b"onMetaData"), string(&vec![b'x'; 1_000_000])].concat(),
                )),
            ),
            GoesOn,
        ),
    ]
}
