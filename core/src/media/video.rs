//! Video tag headers. FLV 10.1 §E.4.3.1; E-RTMP v2, "Enhanced Video".

use super::nal::{self, Content, Slice};
use super::{Codec, Frame, FrameClass, FrameHeader, TrackId, enhanced};

/// Splits a video message into header and body.
pub(super) fn split(payload: &[u8]) -> Option<(FrameHeader, &[u8])> {
    let (&first, rest) = payload.split_first()?;
    if first & IS_EX_HEADER != 0 {
        split_enhanced(FrameType((first & !IS_EX_HEADER) >> 4), first & 0x0F, rest)
    } else {
        split_legacy(FrameType(first >> 4), Codec::from_video_id(first & 0x0F), rest)
    }
}

/// The codec of a video message.
pub(super) fn codec(payload: &[u8]) -> Option<Codec> {
    let (&first, rest) = payload.split_first()?;
    if first & IS_EX_HEADER == 0 {
        return Some(Codec::from_video_id(first & 0x0F));
    }
    let (packet_type, rest) = enhanced::skip_mod_ex(first & 0x0F, rest)?;
    Some(enhanced::first_track(packet_type, MULTITRACK, rest)?.codec)
}

fn split_legacy(frame_type: FrameType, codec: Codec, rest: &[u8]) -> Option<(FrameHeader, &[u8])> {
    if frame_type == FrameType::COMMAND {
        return Some((header(FrameClass::Other, codec, TrackId(0), 0), rest));
    }
    match codec {
        // HEVC and AV1 under legacy codec IDs borrow the layout of AVC.
        Codec::Avc | Codec::Hevc | Codec::Av1 => {
            let (&packet_type, rest) = rest.split_first()?;
            let (composition_time, body) = split_composition_time(rest)?;
            Some(match packet_type {
                SEQUENCE_START => (header(FrameClass::SequenceHeader, codec, TrackId(0), 0), body),
                CODED_FRAMES => {
                    let class = picture(frame_type, codec, body);
                    (header(class, codec, TrackId(0), composition_time), body)
                }
                _ => (header(FrameClass::Other, codec, TrackId(0), 0), body),
            })
        }
        _ => Some((header(frame_type.class(), codec, TrackId(0), 0), rest)),
    }
}

fn split_enhanced(frame_type: FrameType, packet_type: u8, rest: &[u8]) -> Option<(FrameHeader, &[u8])> {
    let (packet_type, rest) = enhanced::skip_mod_ex(packet_type, rest)?;
    if frame_type == FrameType::COMMAND && packet_type != METADATA {
        // One byte of command and no FourCC. Metadata is exempt: ffmpeg sends it with this frame type (first byte D4).
        return None;
    }
    let track = enhanced::first_track(packet_type, MULTITRACK, rest)?;
    let (composition_time, body) = match (track.packet_type, track.codec) {
        (CODED_FRAMES, Codec::Avc | Codec::Hevc | Codec::Vvc) => split_composition_time(track.body)?,
        _ => (0, track.body),
    };
    let class = match track.packet_type {
        SEQUENCE_START | MPEG2_TS_SEQUENCE_START => FrameClass::SequenceHeader,
        CODED_FRAMES | CODED_FRAMES_X if track.is_alone => picture(frame_type, track.codec, body),
        CODED_FRAMES | CODED_FRAMES_X => frame_type.class(),
        METADATA => FrameClass::Supplement,
        _ => FrameClass::Other,
    };
    Some((header(class, track.codec, track.id, composition_time), body))
}

/// The class of a coded picture, by its frame type and its NAL units.
///
/// Where the two differ, the units are right: some encoders flag every frame inter, and some flag what accompanies a
/// keyframe in messages of its own, which nobody could start at.
fn picture(frame_type: FrameType, codec: Codec, body: &[u8]) -> FrameClass {
    match (frame_type.class(), nal::content(codec, body)) {
        (_, Content::Picture(Slice::RandomAccess)) => FrameClass::Keyframe,
        (FrameClass::Keyframe, Content::NoPicture) => FrameClass::Inter,
        (FrameClass::Inter, Content::Picture(Slice::NonReference)) => FrameClass::Disposable,
        (class, _) => class,
    }
}

/// Whether the message carries a picture or part of one, and not only what accompanies it. Where that cannot be told, it
/// does.
pub(crate) fn has_picture(frame: &Frame) -> bool {
    split(&frame.payload).is_none_or(|(header, body)| {
        let codec = header.codec.unwrap_or(Codec::UnknownId(0));
        nal::content(codec, body) != Content::NoPicture
    })
}

/// The signed 24-bit composition time in front of `rest`.
fn split_composition_time(rest: &[u8]) -> Option<(i32, &[u8])> {
    let ([a, b, c], body) = rest.split_first_chunk()?;
    Some((i32::from_be_bytes([*a, *b, *c, 0]) >> 8, body))
}

const fn header(class: FrameClass, codec: Codec, track: TrackId, composition_time: i32) -> FrameHeader {
    FrameHeader {
        class,
        codec: Some(codec),
        track,
        composition_time,
    }
}

/// The frame type field, the same in legacy (4 bits) and enhanced (3 bits) headers.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FrameType(u8);

impl FrameType {
    const KEY: FrameType = FrameType(1);
    const DISPOSABLE_INTER: FrameType = FrameType(3);
    const GENERATED_KEY: FrameType = FrameType(4);
    /// The next byte is the start (0) or end (1) of a client-side seek; there is no picture.
    const COMMAND: FrameType = FrameType(5);

    /// The class of a picture of this type. Reserved types are taken for inter frames: other pictures may depend on
    /// them, so they must stay in their place.
    fn class(self) -> FrameClass {
        match self {
            FrameType::KEY | FrameType::GENERATED_KEY => FrameClass::Keyframe,
            FrameType::DISPOSABLE_INTER => FrameClass::Disposable,
            _ => FrameClass::Inter,
        }
    }
}

/// The bit of the first byte that announces an enhanced header.
const IS_EX_HEADER: u8 = 0x80;

// AVCPacketType and VideoPacketType agree on the first three values.
const SEQUENCE_START: u8 = 0;
const CODED_FRAMES: u8 = 1;
const CODED_FRAMES_X: u8 = 3;
const METADATA: u8 = 4;
const MPEG2_TS_SEQUENCE_START: u8 = 5;
const MULTITRACK: u8 = 6;

#[cfg(test)]
mod tests {
    use crate::media::{Codec, FrameClass, FrameKind, classify};
    use FrameClass::{Disposable, Inter, Keyframe, Other, SequenceHeader, Supplement};

    fn read(payload: &[u8]) -> (FrameClass, Option<Codec>, u8, i32) {
        let header = classify(FrameKind::Video, payload);
        (header.class, header.codec, header.track.0, header.composition_time)
    }

    #[test]
    fn legacy_avc() {
        let avc = Some(Codec::Avc);
        assert_eq!(read(b"\x17\x00\x00\x00\x00\x01\x64"), (SequenceHeader, avc, 0, 0));
        assert_eq!(read(b"\x17\x01\x00\x00\x28\0\0\0\x01\x65"), (Keyframe, avc, 0, 40));
        assert_eq!(read(b"\x47\x01\x00\x00\x00\0\0\0\x01\x65"), (Keyframe, avc, 0, 0));
        assert_eq!(read(b"\x27\x01\x00\x00\x00\0\0\0\x01\x41"), (Inter, avc, 0, 0));
        assert_eq!(read(b"\x17\x02\x00\x00\x00"), (Other, avc, 0, 0));
        assert_eq!(read(b"\x57\x00"), (Other, avc, 0, 0));
    }

    #[test]
    fn composition_time_is_signed() {
        assert_eq!(read(b"\x27\x01\xFF\xFF\xD8\0\0\0\x01\x41").3, -40);
        assert_eq!(read(b"\x27\x01\x80\x00\x00\0\0\0\x01\x41").3, -0x80_0000);
        assert_eq!(read(b"\xA1hvc1\xFF\xFF\xFF\0\0\0\x01\x02").3, -1);
    }

    #[test]
    fn headers_without_a_body_are_other() {
        for payload in [&b""[..], b"\x17", b"\x17\x00", b"\x17\x00\x00\x00"] {
            assert_eq!(read(payload), (Other, None, 0, 0), "{payload:x?}");
        }
        for payload in [
            &b"\x17\x00\x00\x00\x00"[..],
            b"\x17\x01\x00\x00\x00",
            b"\x12",
            b"\x90hvc1",
        ] {
            assert_eq!(read(payload).0, Other, "{payload:x?}");
        }
    }

    #[test]
    fn avc_pictures_that_nothing_refers_to_are_disposable() {
        assert_eq!(read(b"\x27\x01\x00\x00\x00\0\0\0\x02\x01\x9A").0, Disposable);
        assert_eq!(
            read(b"\x27\x01\x00\x00\x00\0\0\0\x02\x09\xF0\0\0\0\x02\x01\x9A").0,
            Disposable
        );
        assert_eq!(
            read(b"\x27\x01\x00\x00\x00\0\0\0\x02\x09\xF0\0\0\0\x02\x41\x9A").0,
            Inter
        );
        assert_eq!(read(b"\xA3avc1\0\0\0\x02\x01\x9A").0, Disposable);
        assert_eq!(read(b"\x17\x01\x00\x00\x00\0\0\0\x02\x01\x9A").0, Keyframe);
    }

    #[test]
    fn a_random_access_picture_is_a_keyframe_whatever_its_flag() {
        assert_eq!(read(b"\x27\x01\0\0\0\0\0\0\x02\x09\xF0\0\0\0\x02\x65\x88").0, Keyframe);
        assert_eq!(read(b"\x2C\x01\0\0\0\0\0\0\x02\x26\x01").0, Keyframe);
        assert_eq!(read(b"\xA1avc1\0\0\0\0\0\0\x02\x65\x88").0, Keyframe);
        assert_eq!(read(b"\xA3hvc1\0\0\0\x02\x2A\x01").0, Keyframe);
    }

    #[test]
    fn a_keyframe_without_a_slice_is_none() {
        assert_eq!(read(b"\x17\x01\0\0\0\0\0\0\x02\x09\xF0").0, Inter);
        assert_eq!(read(b"\x17\x01\0\0\0\0\0\0\x03\x06\0\0").0, Inter);
        assert_eq!(read(b"\x91hvc1\0\0\0\0\0\0\x03\x40\x01\x0C").0, Inter);
    }

    #[test]
    fn other_legacy_codecs() {
        assert_eq!(read(b"\x12\x00"), (Keyframe, Some(Codec::H263), 0, 0));
        assert_eq!(read(b"\x22\x00"), (Inter, Some(Codec::H263), 0, 0));
        assert_eq!(read(b"\x32\x00"), (Disposable, Some(Codec::H263), 0, 0));
        assert_eq!(read(b"\x14\x00"), (Keyframe, Some(Codec::Vp6), 0, 0));
        assert_eq!(
            read(b"\x1C\x00\x00\x00\x00\x01"),
            (SequenceHeader, Some(Codec::Hevc), 0, 0)
        );
        assert_eq!(read(b"\x1C\x01\x00\x00\x21\x00"), (Keyframe, Some(Codec::Hevc), 0, 33));
        assert_eq!(
            read(b"\x1D\x00\x00\x00\x00\x81"),
            (SequenceHeader, Some(Codec::Av1), 0, 0)
        );
        assert_eq!(
            read(b"\x01\x00\x00\x00\x00\0\0\0\0"),
            (Inter, Some(Codec::UnknownId(1)), 0, 0)
        );
    }

    #[test]
    fn enhanced_packets() {
        let hevc = Some(Codec::Hevc);
        assert_eq!(read(b"\x90hvc1\x01"), (SequenceHeader, hevc, 0, 0));
        assert_eq!(read(b"\x91hvc1\x00\x00\x28\0\0\0\x01\x26"), (Keyframe, hevc, 0, 40));
        assert_eq!(read(b"\xA3hvc1\0\0\0\x01\x02"), (Inter, hevc, 0, 0));
        assert_eq!(read(b"\x92hvc1"), (Other, hevc, 0, 0));
        assert_eq!(read(b"\x95av01\x80\x04"), (SequenceHeader, Some(Codec::Av1), 0, 0));
        assert_eq!(read(b"\x91av01\x12\x00"), (Keyframe, Some(Codec::Av1), 0, 0));
        assert_eq!(read(b"\xA1vp09\x82"), (Inter, Some(Codec::Vp9), 0, 0));
        assert_eq!(read(b"\x9Fhvc1\x00"), (Other, hevc, 0, 0));
    }

    #[test]
    fn metadata_with_the_frame_type_of_a_command_is_no_command() {
        assert_eq!(
            read(b"\xD4hvc1\x02\x00\x09colorInfo\x03\0\0\x09"),
            (Supplement, Some(Codec::Hevc), 0, 0)
        );
        assert_eq!(
            read(b"\x84av01\x02\x00\x09colorInfo\x03\0\0\x09"),
            (Supplement, Some(Codec::Av1), 0, 0)
        );
        assert_eq!(read(b"\xD1hvc1\x00\x00\x00\x01"), (Other, None, 0, 0));
        assert_eq!(read(b"\xD0\x00"), (Other, None, 0, 0));
    }

    #[test]
    fn multitrack_and_mod_ex() {
        let avc = Some(Codec::Avc);
        assert_eq!(
            read(b"\x96\x01avc1\x01\x00\x00\x00\0\0\0\x01\x65"),
            (Keyframe, avc, 1, 0)
        );
        assert_eq!(read(b"\x96\x00avc1\x02\x01\x64"), (SequenceHeader, avc, 2, 0));
        assert_eq!(
            read(b"\xA6\x11avc1\x01\x00\x00\x05\0\0\x05\x01\x9A\x02\x00\x00\x05\0\0\0\x41\x9A").3,
            5
        );
        assert_eq!(
            read(b"\x97\x02\x07\xA1\x20\x01hvc1\x00\x00\x28\x26"),
            (Keyframe, Some(Codec::Hevc), 0, 40)
        );
        assert_eq!(read(b"\x97\x02\x07"), (Other, None, 0, 0));
    }

    #[test]
    fn tracks_beside_a_disposable_one_keep_the_message_in_place() {
        let disposable = b"\0\0\0\x02\x01\x9A";
        let alone = [&b"\xA6\x13avc1\x00\x00\x00\x06"[..], disposable].concat();
        let beside = [&alone[..], b"\x01\x00\x00\x06\0\0\0\x02\x41\x9A"].concat();
        assert_eq!(read(&alone).0, Disposable);
        assert_eq!(read(&beside).0, Inter);
    }
}
