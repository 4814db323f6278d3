//! NAL units behind lengths: what a message of AVC or HEVC carries, by the headers of its first units.

use super::{Codec, avc, hevc};

/// Units that are looked at. 8: access unit delimiter, three parameter sets and some supplemental information come
/// before a slice.
const MAX_UNITS: usize = 8;

/// What the first slice of a message says about its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slice {
    /// A decoder can start here: AVC's IDR, HEVC's IDR, BLA and CRA.
    RandomAccess,
    /// No other picture depends on it.
    NonReference,
    /// Any other.
    Other,
}

/// What a message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Picture(Slice),
    /// Parameter sets, supplemental information, delimiters: parts of a picture that comes in another message.
    NoPicture,
    /// Not to be told: another codec, more units than are looked at, or not units behind lengths of four bytes.
    Unknown,
}

/// Looks into a body of NAL units, each behind a length of four bytes.
///
/// Four is what encoders use, and shorter lengths or start codes show: read as four bytes they point behind the end of the
/// body. So nobody has to know the sequence header here. At most [`MAX_UNITS`] × 5 bytes are read, up to the first slice.
pub(super) fn content(codec: Codec, mut body: &[u8]) -> Content {
    let slice: fn(u8) -> Option<Slice> = match codec {
        Codec::Avc => avc::slice,
        Codec::Hevc => hevc::slice,
        _ => return Content::Unknown,
    };
    for _ in 0..MAX_UNITS {
        if body.is_empty() {
            return Content::NoPicture;
        }
        let Some((unit, rest)) = split_unit(body) else {
            return Content::Unknown;
        };
        match unit.first().copied() {
            Some(header) if header & FORBIDDEN_ZERO_BIT != 0 => return Content::Unknown,
            Some(header) => {
                if let Some(slice) = slice(header) {
                    return Content::Picture(slice);
                }
            }
            None => {} // Empty units occur.
        }
        body = rest;
    }
    if body.is_empty() {
        Content::NoPicture
    } else {
        Content::Unknown
    }
}

fn split_unit(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = body.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)
}

const FORBIDDEN_ZERO_BIT: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::vectors::hex;
    use Content::{NoPicture, Picture, Unknown};
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    const AUD: &str = "00000002 09F0";
    const SEI: &str = "00000003 060000";
    const UNUSED: &str = "00000002 019A";
    const USED: &str = "00000002 419A";
    const IDR: &str = "00000002 6588";

    fn avc(units: &[&str]) -> Content {
        content(Codec::Avc, &hex(&units.concat()))
    }

    quickcheck! {
        fn any_bytes_are_read_without_panic(is_hevc: bool, bytes: Vec<u8>) -> bool {
            let _ = content(if is_hevc { Codec::Hevc } else { Codec::Avc }, &bytes);
            true
        }
    }

    #[test]
    fn the_first_slice_tells_what_the_picture_is() {
        assert_eq!(avc(&[UNUSED]), Picture(Slice::NonReference));
        assert_eq!(avc(&[AUD, SEI, UNUSED]), Picture(Slice::NonReference));
        assert_eq!(
            avc(&[AUD, "00000000", UNUSED]),
            Picture(Slice::NonReference),
            "empty units occur"
        );
        assert_eq!(avc(&[AUD, SEI, USED]), Picture(Slice::Other));
        assert_eq!(avc(&[AUD, SEI, IDR, USED]), Picture(Slice::RandomAccess));
    }

    #[test]
    fn units_without_a_slice_are_no_picture() {
        assert_eq!(avc(&[AUD, SEI]), NoPicture);
        assert_eq!(avc(&["00000000"]), NoPicture);
        assert_eq!(avc(&[&SEI.repeat(8)]), NoPicture);
        assert_eq!(content(Codec::Hevc, &hex("00000003 460150 00000003 4E0105")), NoPicture);
    }

    #[test]
    fn what_cannot_be_told_is_unknown() {
        assert_eq!(avc(&[&SEI.repeat(8), UNUSED]), Unknown, "the look is bounded");
        assert_eq!(avc(&["00000003 019A"]), Unknown, "cut short");
        assert_eq!(avc(&["0002 09F0 0002 6588"]), Unknown, "lengths of two bytes");
        assert_eq!(avc(&["02 09F0 02 6588"]), Unknown, "lengths of one byte");
        assert_eq!(avc(&["00000001 09F0 00000001 6588"]), Unknown, "start codes");
        assert_eq!(content(Codec::Av1, &hex(IDR)), Unknown);
    }

    #[test]
    fn hevc_starts_at_every_random_access_point() {
        let of_type = |nal: u8| content(Codec::Hevc, &[0, 0, 0, 3, nal << 1, 1, 0x80]);
        for nal in 16..=21 {
            assert_eq!(of_type(nal), Picture(Slice::RandomAccess), "{nal}");
        }
        for nal in (0..=9).chain(22..=31) {
            assert_eq!(of_type(nal), Picture(Slice::Other), "{nal}");
        }
        for nal in 32..=40 {
            assert_eq!(of_type(nal), NoPicture, "{nal}");
        }
    }
}
