//! What the first bytes of a message say about it.

use super::{Codec, FrameClass, FrameKind, TrackId, audio, tracks, video};

/// Bytes of the body of sound or pictures that say what the rest is: codec, kind of picture, composition time. 16.
#[cfg(feature = "server")]
pub(crate) const MEDIA_HEAD: usize = 16;

/// What the tag header at the front of a message says: the legacy one of FLV 10.1 or the enhanced one of E-RTMP v2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// What the message means to a decoder.
    pub class: FrameClass,
    /// The codec; `None` for data, for an empty message and where the header stops before it names one.
    pub codec: Option<Codec>,
    /// The track; of a message with several tracks, the first.
    pub track: TrackId,
    /// Milliseconds from the message's timestamp (decoding time) to presentation, -8,388,608 to 8,388,607. Encoders
    /// send negative and absurd values: carry it, do not pace by it.
    pub composition_time: i32,
}

impl FrameHeader {
    /// The header of which nothing is known.
    const UNKNOWN: FrameHeader = FrameHeader {
        class: FrameClass::Other,
        codec: None,
        track: TrackId(0),
        composition_time: 0,
    };
}

/// Reads the tag header at the front of `payload`, the body of an RTMP message or an FLV tag.
///
/// It never fails: whatever is empty, cut short, reserved or malformed is [`FrameClass::Other`], and so is a header
/// with nothing behind it. Every coded audio frame is a [`FrameClass::Keyframe`], since decoding can start at any.
/// A message with several tracks is what its first track is.
///
/// Cost: a few comparisons of the first bytes; for AVC and HEVC also the headers of at most eight NAL units, to learn
/// whether a decoder can start at this picture and whether others depend on it. Nothing is allocated.
///
/// FLV 10.1 §E.4.2.1 and §E.4.3.1; E-RTMP v2, "Enhanced Audio" and "Enhanced Video".
#[must_use]
pub fn classify(kind: FrameKind, payload: &[u8]) -> FrameHeader {
    split(kind, payload).map_or(FrameHeader::UNKNOWN, |(header, _)| header)
}

/// The codec of `payload`, whatever follows: less work than [`classify`], which looks for a keyframe.
pub(crate) fn codec(kind: FrameKind, payload: &[u8]) -> Option<Codec> {
    tracks(kind, payload).codec()
}

/// The header of `payload` and what follows it: a configuration record, NAL units, samples. `None` if cut short.
pub(super) fn split(kind: FrameKind, payload: &[u8]) -> Option<(FrameHeader, &[u8])> {
    if kind == FrameKind::Data {
        return Some((data(payload), payload));
    }
    let mut tracks = tracks(kind, payload);
    let part = tracks.next()?.ok()?;
    let class = match kind {
        // A sequence header without a record would wipe the real one from a cache (some encoders send such a tag first),
        // and an empty picture is none that a player could start at.
        _ if part.body.is_empty() => FrameClass::Other,
        FrameKind::Audio => audio::class(&part),
        _ => video::class(&part, tracks.is_done()),
    };
    let header = FrameHeader {
        class,
        codec: Some(part.codec),
        track: part.track,
        composition_time: part.composition_time,
    };
    Some((header, part.body))
}

fn data(payload: &[u8]) -> FrameHeader {
    let is_metadata = payload.starts_with(b"\x02\x00\x0aonMetaData");
    FrameHeader {
        class: if is_metadata {
            FrameClass::Metadata
        } else {
            FrameClass::Other
        },
        ..FrameHeader::UNKNOWN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    quickcheck! {
        fn any_bytes_have_a_class(kind: u8, payload: Vec<u8>) -> bool {
            let kind = [FrameKind::Audio, FrameKind::Video, FrameKind::Data][usize::from(kind % 3)];
            let header = classify(kind, &payload);
            (-0x80_0000..0x80_0000).contains(&header.composition_time)
        }
    }

    #[test]
    fn a_first_byte_alone_is_other() {
        for first in 0..=u8::MAX {
            for kind in [FrameKind::Audio, FrameKind::Video] {
                assert_eq!(
                    classify(kind, &[first]).class,
                    FrameClass::Other,
                    "{kind:?} {first:02x}"
                );
            }
        }
    }

    #[test]
    fn only_on_meta_data_is_metadata() {
        let class = |payload| classify(FrameKind::Data, payload).class;
        assert_eq!(
            class(b"\x02\x00\x0aonMetaData\x08\0\0\0\0\0\0\x09"),
            FrameClass::Metadata
        );
        assert_eq!(class(b"\x02\x00\x0aonTextData\x08\0\0\0\0\0\0\x09"), FrameClass::Other);
        assert_eq!(class(b""), FrameClass::Other);
    }
}
