//! What video packets mean to a decoder.

use super::nal::{self, Content, Slice};
use super::{Codec, Frame, FrameClass, FrameKind, PacketType, TrackPart, VideoFrameType, header};

/// The class of a video message by its first track. `is_alone` says that there is no other: only then do NAL units speak for
/// the message.
pub(super) fn class(part: &TrackPart<'_>, is_alone: bool) -> FrameClass {
    let flagged = flagged(part.frame_type.unwrap_or(VideoFrameType::INTER));
    match part.packet {
        PacketType::SequenceStart | PacketType::Mpeg2TsSequenceStart => FrameClass::SequenceHeader,
        PacketType::CodedFrames | PacketType::CodedFramesX if is_alone => picture(flagged, part.codec, part.body),
        PacketType::CodedFrames | PacketType::CodedFramesX => flagged,
        PacketType::Metadata => FrameClass::Supplement,
        _ => FrameClass::Other,
    }
}

/// The class of a picture of this type. Reserved types are taken for inter frames: other pictures may depend on them, so they
/// must stay in their place.
fn flagged(frame_type: VideoFrameType) -> FrameClass {
    match frame_type {
        VideoFrameType::KEY | VideoFrameType::GENERATED_KEY => FrameClass::Keyframe,
        VideoFrameType::DISPOSABLE_INTER => FrameClass::Disposable,
        _ => FrameClass::Inter,
    }
}

/// The class of a coded picture, by how it is flagged and by its NAL units.
///
/// Where the two differ, the units are right: some encoders flag every frame inter, and some flag what accompanies a
/// keyframe in messages of its own, which nobody could start at.
fn picture(flagged: FrameClass, codec: Codec, body: &[u8]) -> FrameClass {
    match (flagged, nal::content(codec, body)) {
        (_, Content::Picture(Slice::RandomAccess)) => FrameClass::Keyframe,
        (FrameClass::Keyframe, Content::NoPicture) => FrameClass::Inter,
        (FrameClass::Inter, Content::Picture(Slice::NonReference)) => FrameClass::Disposable,
        (class, _) => class,
    }
}

/// Whether the message carries a picture or part of one, and not only what accompanies it. Where that cannot be told, it
/// does.
pub(crate) fn has_picture(frame: &Frame) -> bool {
    header::split(FrameKind::Video, &frame.payload).is_none_or(|(header, body)| {
        let codec = header.codec.unwrap_or(Codec::UnknownId(0));
        nal::content(codec, body) != Content::NoPicture
    })
}

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
