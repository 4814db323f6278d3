//! Messages of one track and of several, whole, cut short and hostile.

use super::*;
use crate::media::classify;
use crate::media::vectors::hex;
use alloc::vec;
use alloc::vec::Vec;
use quickcheck::{Arbitrary, Gen, quickcheck};

fn parts(kind: FrameKind, payload: &[u8]) -> Vec<Result<TrackPart<'_>, TrackError>> {
    tracks(kind, payload).collect()
}

/// The only track of a message.
fn only(kind: FrameKind, payload: &[u8]) -> TrackPart<'_> {
    let [Ok(part)] = parts(kind, payload)[..] else {
        panic!("{payload:x?}")
    };
    part
}

/// Track, codec, packet and body of each part.
fn summary(kind: FrameKind, payload: &[u8]) -> Vec<(u8, Codec, PacketType, &[u8])> {
    let parts = tracks(kind, payload).map(Result::unwrap);
    parts
        .map(|part| (part.track.0, part.codec, part.packet, part.body))
        .collect()
}

/// A message of every form, and how many tracks it has.
fn vectors() -> Vec<(FrameKind, Vec<u8>, usize)> {
    use FrameKind::{Audio, Video};
    [
        (Audio, "AF 00 1210", 1),
        (Audio, "AF 01 2110", 1),
        (Audio, "2F FFFB9064", 1),
        (Video, "17 00 000000 0164001F", 1),
        (Video, "27 01 000028 00000002 419A", 1),
        (Video, "1C 01 FFFFD8 00000003 260180", 1),
        (Video, "22 0001", 1),
        (Video, "57 00", 1),
        // Of Enhanced RTMP: header, keyframe, inter frame, colours, other tracks.
        (Video, "90 68766331 0101", 1),
        (Video, "91 68766331 000028 00000003 260180", 1),
        (Video, "A3 68766331 00000003 020180", 1),
        (Video, "D4 68766331 02 0009 636F6C6F72496E666F 03 000009", 1),
        (Video, "D1 00", 0),
        (Audio, "95 01 6D703461 01 2110", 1),
        (Video, "96 01 61766331 01 000000 00000002 6588", 1),
        (Audio, "95 11 4F707573 00 000002 AAAA 01 000002 BBBB", 2),
        (Audio, "95 21 6D703461 00 000001 21 4F707573 01 000002 BBBB", 2),
        (
            Video,
            "A6 21 61766331 00 000005 000028 419A 68766331 02 000004 FFFFD8 02 61763031 03 000001 12",
            3,
        ),
        (Audio, "97 02 07A120 01 4F707573 FC", 1),
        (Video, "97 02 0F423F 07 00 FF 01 68766331 000028 26", 1),
    ]
    .map(|(kind, text, count)| (kind, hex(text), count))
    .into()
}

/// A message of several tracks.
#[derive(Debug, Clone)]
struct Multitrack {
    is_video: bool,
    many_codecs: bool,
    packet: u8,
    tracks: Vec<(u8, usize, Vec<u8>)>,
}

const NAMES: [[u8; 4]; 4] = [*b"av01", *b"vp09", *b"Opus", *b"wma2"];

impl Multitrack {
    fn write(&self) -> Vec<u8> {
        let first = if self.is_video { 0xA6 } else { 0x95 };
        let types = u8::from(self.many_codecs) + 1;
        let mut bytes = vec![first, types << 4 | self.packet];
        for (index, (track, name, body)) in self.tracks.iter().enumerate() {
            if self.many_codecs || index == 0 {
                bytes.extend(NAMES[*name]);
            }
            bytes.push(*track);
            bytes.extend(&u32::try_from(body.len()).unwrap().to_be_bytes()[1..]);
            bytes.extend(body);
        }
        bytes
    }
}

impl Arbitrary for Multitrack {
    fn arbitrary(g: &mut Gen) -> Self {
        let tracks = Vec::<(u8, usize, Vec<u8>)>::arbitrary(g);
        Multitrack {
            is_video: bool::arbitrary(g),
            many_codecs: bool::arbitrary(g),
            packet: u8::arbitrary(g) % 5,
            tracks: tracks
                .into_iter()
                .map(|(track, name, body)| (track, name % 4, body))
                .collect(),
        }
    }
}

/// Whether what the parts of `payload` say of themselves is true, whatever it holds.
fn is_sound(kind: FrameKind, payload: &[u8]) -> bool {
    let mut tracks = tracks(kind, payload);
    let (mut end, mut count) = (0, 0);
    let first_codec = tracks.codec();
    let first = tracks.clone().next();
    while let Some(Ok(part)) = tracks.next() {
        let range = part.range();
        if range.start < end || payload.get(range.clone()) != Some(part.body) || part.nano_offset > 0xFF_FFFF {
            return false;
        }
        (end, count) = (range.end, count + 1);
    }
    let agrees = match first {
        Some(Ok(part)) => first_codec == Some(part.codec) && classify(kind, payload).track == part.track,
        _ => classify(kind, payload).codec.is_none(),
    };
    agrees && count <= payload.len() / 4 + 1 && tracks.is_done() && tracks.next().is_none()
}

quickcheck! {
    fn any_bytes_are_read_without_panic(front: Vec<u8>, bytes: Vec<u8>) -> bool {
        let fronts: [&[u8]; 5] = [&front, b"\x97", b"\x95", b"\x96\x11avc1", b"\xA6\x21"];
        fronts.iter().all(|front| {
            let payload = [front, &bytes[..]].concat();
            [FrameKind::Audio, FrameKind::Video, FrameKind::Data]
                .into_iter()
                .all(|kind| is_sound(kind, &payload))
        })
    }

    fn tracks_are_read_as_they_were_written(message: Multitrack) -> bool {
        let kind = if message.is_video { FrameKind::Video } else { FrameKind::Audio };
        let bytes = message.write();
        if message.tracks.is_empty() {
            return parts(kind, &bytes) == [Err(TrackError::CutShort)];
        }
        let parts = parts(kind, &bytes);
        parts.len() == message.tracks.len()
            && parts.iter().zip(&message.tracks).all(|(part, (track, name, body))| {
                let name = if message.many_codecs { *name } else { message.tracks[0].1 };
                let part = part.unwrap();
                part.track.0 == *track
                    && part.four_cc == Some(FourCc(NAMES[name]))
                    && part.packet == packet_type(kind, message.packet)
                    && part.body == body
            })
    }
}

#[test]
fn every_form_has_its_tracks_and_every_cut_is_sound() {
    for (kind, payload, count) in vectors() {
        let whole = parts(kind, &payload);
        assert_eq!(whole.len(), count, "{payload:x?}");
        assert!(whole.iter().all(Result::is_ok), "{payload:x?}: {whole:?}");
        for cut in 0..payload.len() {
            assert!(is_sound(kind, &payload[..cut]), "{payload:x?} cut at {cut}");
            let cut_short = parts(kind, &payload[..cut]);
            assert!(cut_short.len() <= count.max(1), "{payload:x?} cut at {cut}");
            for (part, whole) in cut_short.iter().zip(&whole) {
                match part {
                    Ok(part) => assert!(whole.unwrap().body.starts_with(part.body), "{payload:x?} cut at {cut}"),
                    Err(error) => assert_eq!(*error, TrackError::CutShort, "{payload:x?} cut at {cut}"),
                }
            }
        }
    }
}

#[test]
fn a_legacy_message_is_one_track() {
    let payload = hex("2C 01 FFFFD8 00000002 0201");
    let part = only(FrameKind::Video, &payload);
    assert_eq!((part.track, part.codec, part.four_cc), (TrackId(0), Codec::Hevc, None));
    assert_eq!(part.frame_type, Some(VideoFrameType::INTER));
    assert_eq!((part.packet, part.composition_time), (PacketType::CodedFrames, -40));
    assert_eq!((part.range(), part.body), (5..11, &payload[5..]));

    let part = only(FrameKind::Audio, b"\xAF\x00\x12\x10");
    assert_eq!(
        (part.codec, part.frame_type, part.packet),
        (Codec::Aac, None, PacketType::SequenceStart)
    );
    assert_eq!(part.range(), 2..4);
    let part = only(FrameKind::Audio, b"\x2F\xFF\xFB");
    assert_eq!((part.packet, part.range()), (PacketType::CodedFrames, 1..3));
    let part = only(FrameKind::Video, b"\x57\x00");
    assert_eq!((part.codec, part.packet), (Codec::Avc, PacketType::Command));
}

#[test]
fn packet_types_of_audio_and_video_differ() {
    use PacketType::{CodedFramesX, Metadata, Mpeg2TsSequenceStart, MultichannelConfig, SequenceEnd, Unknown};
    let video = |number: u8| only(FrameKind::Video, &[&[0x90 | number], &b"av01\0"[..]].concat()).packet;
    let audio = |number: u8| only(FrameKind::Audio, &[&[0x90 | number], &b"Opus\0"[..]].concat()).packet;
    assert_eq!(
        [2, 3, 4, 5, 15].map(video),
        [SequenceEnd, CodedFramesX, Metadata, Mpeg2TsSequenceStart, Unknown(15)]
    );
    assert_eq!(
        [2, 3, 4, 6, 15].map(audio),
        [SequenceEnd, Unknown(3), MultichannelConfig, Unknown(6), Unknown(15)]
    );
    // Those of a legacy header are only three.
    let legacy = |number: u8| only(FrameKind::Video, &[0x27, number, 0, 0, 0, 0]).packet;
    assert_eq!([2, 3, 4].map(legacy), [SequenceEnd, Unknown(3), Unknown(4)]);
}

#[test]
fn nothing_is_carried_by_a_pause_a_command_and_data() {
    for (kind, payload) in [
        (FrameKind::Audio, &b""[..]),
        (FrameKind::Video, b""),
        (FrameKind::Video, b"\xD0\x00"),
        (FrameKind::Video, b"\xD1hvc1\0\0\0\x01"),
        (FrameKind::Data, b"\x02\0\x0aonMetaData"),
    ] {
        assert_eq!(parts(kind, payload), [], "{payload:x?}");
    }
}

#[test]
fn tracks_of_one_codec_and_of_several() {
    use PacketType::CodedFrames;
    assert_eq!(
        summary(
            FrameKind::Audio,
            b"\x95\x11Opus\x00\x00\x00\x02\xAA\xAA\x01\x00\x00\x02\xBB\xBB"
        ),
        [
            (0, Codec::Opus, CodedFrames, &b"\xAA\xAA"[..]),
            (1, Codec::Opus, CodedFrames, b"\xBB\xBB")
        ]
    );
    assert_eq!(
        summary(
            FrameKind::Video,
            b"\xA6\x21avc1\x00\x00\x00\x05\x00\x00\x28\x41\x9Aav01\x03\x00\x00\x01\x12"
        ),
        [
            (0, Codec::Avc, CodedFrames, &b"\x41\x9A"[..]),
            (3, Codec::Av1, CodedFrames, b"\x12")
        ]
    );
    assert_eq!(
        summary(FrameKind::Video, b"\x96\x00hvc1\x02\x01"),
        [(2, Codec::Hevc, PacketType::SequenceStart, &b"\x01"[..])]
    );
}

#[test]
fn the_composition_time_is_that_of_the_track() {
    let payload = hex("A6 11 68766331 00 000004 000028 02 01 000004 FFFFFF 02");
    let times: Vec<_> = tracks(FrameKind::Video, &payload)
        .map(|part| part.unwrap().composition_time)
        .collect();
    assert_eq!(times, [40, -1]);
    assert_eq!(only(FrameKind::Video, b"\xA3hvc1\0\0\x28").composition_time, 0);
    assert_eq!(only(FrameKind::Video, b"\xA1av01\0\0\x28").composition_time, 0);
}

#[test]
fn mod_ex_blocks_give_the_nanoseconds() {
    let opus = |bytes: &[u8]| {
        let payload = [bytes, b"Opus\xFC"].concat();
        let part = only(FrameKind::Audio, &payload);
        (part.packet, part.nano_offset, part.body.to_vec())
    };
    let fc = vec![0xFC];
    assert_eq!(opus(b"\x91"), (PacketType::CodedFrames, 0, fc.clone()));
    assert_eq!(
        opus(b"\x97\x02\x07\xA1\x20\x01"),
        (PacketType::CodedFrames, 500_000, fc.clone())
    );
    // Another type of block, and one that is too short.
    assert_eq!(opus(b"\x97\x02\x07\xA1\x20\x11").1, 0);
    assert_eq!(opus(b"\x97\x01\x07\xA1\x01").1, 0);
    assert_eq!(opus(b"\x97\x03\x00\x00\x05\xFF\x07\x00\xFF\x11").1, 5);
    // 257 bytes need the long size.
    let long = [&[0x97, 255, 1, 0][..], &[0, 0, 7], &[0; 254], &[0x03]].concat();
    assert_eq!(opus(&long), (PacketType::Unknown(3), 7, fc));
}

#[test]
fn mod_ex_chains_end_at_sixteen_blocks() {
    let chain = |blocks: usize| {
        let payload = [&[0x97][..], &b"\0\0\x07".repeat(blocks - 1), b"\0\0\x01Opus\xFC"].concat();
        tracks(FrameKind::Audio, &payload)
            .next()
            .unwrap()
            .map(|part| part.packet)
    };
    assert_eq!(chain(16), Ok(PacketType::CodedFrames));
    assert_eq!(chain(17), Err(TrackError::TooManyModEx));
}

#[test]
fn a_mod_ex_block_cut_short_is_malformed() {
    for block in [&b""[..], &[2], &[2, 7, 0xA1, 0x20], &[255, 1], &[255, 255, 255, 0]] {
        let payload = [&[0x97], block].concat();
        assert_eq!(
            parts(FrameKind::Video, &payload),
            [Err(TrackError::CutShort)],
            "{block:x?}"
        );
    }
}

#[test]
fn malformed_multitrack_ends_with_its_error() {
    for (payload, error) in [
        (&b"\x95"[..], TrackError::CutShort),
        (b"\x95\x05Opus\x00\xAA", TrackError::Nested(5)),
        (b"\x95\x07Opus\x00\xAA", TrackError::Nested(7)),
        (b"\x95\x31Opus\x00\xAA", TrackError::UnknownMultitrackType(3)),
        (b"\x95\x01Opus", TrackError::CutShort),
        (b"\x95\x11Opus", TrackError::CutShort),
        (b"\x95\x21", TrackError::CutShort),
        (b"\x95\x11Opus\x00\xFF\xFF\xFF\xAA", TrackError::CutShort),
    ] {
        assert_eq!(parts(FrameKind::Audio, payload), [Err(error)], "{payload:x?}");
    }
    let payload = b"\x95\x11Opus\x00\x00\x00\x01\xAA\x01\x00\x00\x02\xBB";
    let [Ok(first), Err(TrackError::CutShort)] = parts(FrameKind::Audio, payload)[..] else {
        panic!("the tracks in front of the fault, then the error")
    };
    assert_eq!(first.body, b"\xAA");
}

#[test]
fn nothing_comes_behind_a_track_without_room_for_its_time() {
    // Two bytes, where the composition time takes three; then a track that would be whole.
    let payload = b"\x96\x11hvc1\x00\x00\x00\x02\xAA\xAA\x01\x00\x00\x04\x00\x00\x00\xBB";
    assert_eq!(parts(FrameKind::Video, payload), [Err(TrackError::CutShort)]);
}
