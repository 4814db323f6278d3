//! What audio packets mean to a decoder.

use super::{FrameClass, PacketType, TrackPart};

/// The class of an audio message by its first track. What is neither decoder configuration nor audio (SequenceEnd, reserved
/// packets) is [`FrameClass::Other`].
pub(super) const fn class(part: &TrackPart<'_>) -> FrameClass {
    match part.packet {
        PacketType::SequenceStart => FrameClass::SequenceHeader,
        PacketType::CodedFrames => FrameClass::Keyframe,
        PacketType::MultichannelConfig => FrameClass::Supplement,
        _ => FrameClass::Other,
    }
}

#[cfg(test)]
mod tests {
    use crate::media::{Codec, FourCc, FrameClass, FrameKind, classify};
    use FrameClass::{Keyframe, Other, SequenceHeader, Supplement};

    fn read(payload: &[u8]) -> (FrameClass, Option<Codec>, u8) {
        let header = classify(FrameKind::Audio, payload);
        (header.class, header.codec, header.track.0)
    }

    #[test]
    fn legacy_formats() {
        assert_eq!(read(b"\xAF\x00\x12\x10"), (SequenceHeader, Some(Codec::Aac), 0));
        assert_eq!(read(b"\xAF\x01\x21\x10"), (Keyframe, Some(Codec::Aac), 0));
        assert_eq!(read(b"\xAF\x02\x21"), (Other, Some(Codec::Aac), 0));
        assert_eq!(read(b"\x2F\xFF\xFB"), (Keyframe, Some(Codec::Mp3), 0));
        assert_eq!(read(b"\x7E\x00"), (Keyframe, Some(Codec::G711A), 0));
        assert_eq!(read(b"\xD0\x00"), (Keyframe, Some(Codec::Opus), 0));
        assert_eq!(read(b"\xCF\x00"), (Keyframe, Some(Codec::UnknownId(12)), 0));
    }

    #[test]
    fn silence_and_headers_without_a_body_are_other() {
        assert_eq!(read(b""), (Other, None, 0));
        assert_eq!(read(b"\xAF"), (Other, None, 0));
        assert_eq!(read(b"\xAF\x00"), (Other, Some(Codec::Aac), 0));
        assert_eq!(read(b"\x2F"), (Other, Some(Codec::Mp3), 0));
        assert_eq!(read(b"\x90ac-3"), (Other, Some(Codec::Ac3), 0));
    }

    #[test]
    fn enhanced_packets() {
        assert_eq!(read(b"\x90OpusOpusHead"), (SequenceHeader, Some(Codec::Opus), 0));
        assert_eq!(read(b"\x91fLaC\xFF\xF8"), (Keyframe, Some(Codec::Flac), 0));
        assert_eq!(read(b"\x92Opus"), (Other, Some(Codec::Opus), 0));
        assert_eq!(read(b"\x94Opus\x01\x02\0\0\0\x03"), (Supplement, Some(Codec::Opus), 0));
        assert_eq!(
            read(b"\x91wma2\x00"),
            (Keyframe, Some(Codec::UnknownFourCc(FourCc(*b"wma2"))), 0)
        );
        assert_eq!(read(b"\x91Opu"), (Other, None, 0));
    }

    #[test]
    fn multitrack_and_mod_ex() {
        assert_eq!(read(b"\x95\x01mp4a\x01\x21"), (Keyframe, Some(Codec::Aac), 1));
        assert_eq!(read(b"\x95\x00mp4a\x02\x12\x10"), (SequenceHeader, Some(Codec::Aac), 2));
        assert_eq!(
            read(b"\x95\x11Opus\x00\x00\x00\x02\xAA\xAA\x01\x00\x00\x02\xBB\xBB"),
            (Keyframe, Some(Codec::Opus), 0)
        );
        assert_eq!(
            read(b"\x95\x21mp4a\x03\x00\x00\x01\x21Opus\x01\x00\x00\x01\xBB"),
            (Keyframe, Some(Codec::Aac), 3)
        );
        assert_eq!(
            read(b"\x97\x02\x07\xA1\x20\x01Opus\xFC"),
            (Keyframe, Some(Codec::Opus), 0)
        );
    }

    #[test]
    fn malformed_multitrack_is_other() {
        for payload in [
            &b"\x95"[..],
            b"\x95\x05Opus\x00\xAA",                 // multitrack in multitrack
            b"\x95\x07Opus\x00\xAA",                 // ModEx in multitrack
            b"\x95\x31Opus\x00\xAA",                 // reserved multitrack type
            b"\x95\x01Opus",                         // no track
            b"\x95\x11Opus\x00\x00\x00\x03\xAA\xAA", // track longer than the message
        ] {
            assert_eq!(read(payload), (Other, None, 0), "{payload:x?}");
        }
    }
}
