//! HEVC (H.265): configuration record, sequence parameter set.

use super::avc::{Cropping, crop_units};
use super::bits::{BitReader, without_emulation_prevention};
use super::nal::Slice;

/// HEVCDecoderConfigurationRecord, the body of an HEVC sequence header. ISO/IEC 14496-15 §8.3.3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecoderConfig<'a> {
    /// general_profile_idc: 1 Main, 2 Main 10, 4 range extensions ...
    pub profile: u8,
    /// general_level_idc: thirty times the level.
    pub level: u8,
    /// Bytes of the length in front of each NAL unit: 1, 2 or 4.
    pub nal_length_size: u8,
    /// The first sequence parameter set, a NAL unit with emulation prevention. [`SequenceParameterSet::parse`] reads it.
    pub sps: Option<&'a [u8]>,
}

impl<'a> DecoderConfig<'a> {
    /// Reads a record up to its first sequence parameter set; `None` if it is malformed. Early encoders write version 0
    /// instead of 1.
    #[must_use]
    #[expect(clippy::arithmetic_side_effects, reason = "2 bits and 1")]
    pub fn parse(record: &'a [u8]) -> Option<DecoderConfig<'a>> {
        let (fixed, mut rest) = record.split_first_chunk::<23>()?;
        let [0 | 1, profile, .., length_size, arrays] = *fixed else {
            return None;
        };
        let level = fixed[12];
        let mut sps = None;
        'arrays: for _ in 0..arrays {
            let ([nal_type, count @ ..], after) = rest.split_first_chunk::<3>()?;
            rest = after;
            for _ in 0..u16::from_be_bytes(*count) {
                let (len, after) = rest.split_first_chunk()?;
                let (nal_unit, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
                rest = after;
                if nal_type & 0x3F == SPS {
                    sps = Some(nal_unit);
                    break 'arrays;
                }
            }
        }
        Some(DecoderConfig {
            profile: profile & 0x1F,
            level,
            nal_length_size: (length_size & 3) + 1,
            sps,
        })
    }
}

/// The fields of a sequence parameter set that describe the pictures. ITU-T H.265 §7.3.2.2.1.
///
/// The frame rate is not among them: it comes after reference picture sets of any length, and is wrong too often to be
/// worth their parsing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequenceParameterSet {
    /// chroma_format_idc: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Bits of a luma sample.
    pub bit_depth: u8,
    /// Pixels, inside the conformance window.
    pub width: u32,
    /// Pixels, inside the conformance window.
    pub height: u32,
}

impl SequenceParameterSet {
    /// Reads a NAL unit of type 33; `None` if it is malformed, or describes pictures without pixels.
    #[must_use]
    pub fn parse(nal_unit: &[u8]) -> Option<SequenceParameterSet> {
        let ([header, _], rest) = nal_unit.split_first_chunk()?;
        if header >> 1 & 0x3F != SPS {
            return None;
        }
        let bits = &mut BitReader::new(without_emulation_prevention(rest));
        bits.skip(4)?; // sps_video_parameter_set_id
        let max_sub_layers_minus1 = bits.byte(3)?;
        bits.skip(1)?; // sps_temporal_id_nesting_flag
        skip_profile_tier_level(bits, max_sub_layers_minus1)?;
        bits.ue()?; // sps_seq_parameter_set_id
        let chroma_format = u8::try_from(bits.ue()?).ok().filter(|&format| format <= 3)?;
        if chroma_format == 3 {
            bits.skip(1)?; // separate_colour_plane_flag
        }
        let width = bits.ue()?;
        let height = bits.ue()?;
        let window = Cropping::read(bits)?;
        let (crop_x, crop_y) = crop_units(chroma_format);
        Some(SequenceParameterSet {
            chroma_format,
            bit_depth: u8::try_from(bits.ue()?).ok()?.checked_add(8)?,
            width: window.width(width, crop_x)?,
            height: window.height(height, crop_y)?,
        })
    }
}

/// ITU-T H.265 §7.3.3.
#[expect(clippy::arithmetic_side_effects, reason = "the sum of seven layers of 96 bits")]
fn skip_profile_tier_level(bits: &mut BitReader<impl Iterator<Item = u8>>, max_sub_layers_minus1: u8) -> Option<()> {
    const PROFILE: u32 = 88;
    const LEVEL: u32 = 8;
    bits.skip(PROFILE + LEVEL)?;
    if max_sub_layers_minus1 == 0 {
        return Some(());
    }
    let mut sub_layers = 0;
    for layer in 0..8 {
        // Flags for profile and level of each sub-layer, filled up to eight pairs.
        let [profile, level] = [bits.bit()?, bits.bit()?];
        if layer < max_sub_layers_minus1 {
            sub_layers += if profile { PROFILE } else { 0 } + if level { LEVEL } else { 0 };
        }
    }
    bits.skip(sub_layers)
}

/// What the first byte of a NAL unit says about a picture; `None` if the unit is no slice. ITU-T H.265 table 7-1.
pub(super) fn slice(header: u8) -> Option<Slice> {
    match header >> 1 & 0x3F {
        16..=21 => Some(Slice::RandomAccess),
        0..=31 => Some(Slice::Other),
        _ => None,
    }
}

/// The NAL unit type of a sequence parameter set.
const SPS: u8 = 33;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::vectors::{HEVC_MAIN, HEVC_RANGE_EXTENSIONS, hex};
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    fn sps(record: &[u8]) -> &[u8] {
        DecoderConfig::parse(record).unwrap().sps.unwrap()
    }

    quickcheck! {
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) -> bool {
            let record = [&[1; 22][..], &[255], &bytes].concat();
            let _ = DecoderConfig::parse(&record);
            let nal_unit = [&b"\x42\x01"[..], &bytes].concat();
            SequenceParameterSet::parse(&nal_unit).is_none_or(|sps| sps.width > 0 && sps.height > 0)
        }
    }

    #[test]
    fn record_and_parameter_set_of_x265() {
        let record = hex(HEVC_MAIN);
        let config = DecoderConfig::parse(&record).unwrap();
        assert_eq!((config.profile, config.level, config.nal_length_size), (1, 120, 4));
        let main = SequenceParameterSet {
            chroma_format: 1,
            bit_depth: 8,
            width: 1920,
            height: 1080,
        };
        assert_eq!(SequenceParameterSet::parse(config.sps.unwrap()), Some(main));

        let record = hex(HEVC_RANGE_EXTENSIONS);
        let config = DecoderConfig::parse(&record).unwrap();
        assert_eq!((config.profile, config.level), (4, 93));
        let range_extensions = SequenceParameterSet {
            chroma_format: 2,
            bit_depth: 10,
            width: 1282,
            height: 722,
        };
        assert_eq!(SequenceParameterSet::parse(config.sps.unwrap()), Some(range_extensions));
    }

    #[test]
    fn profiles_and_levels_of_sub_layers_are_passed_over() {
        let record = hex(HEVC_MAIN);
        let plain = sps(&record);
        // NAL unit header, IDs and counts, profile and level with three emulation prevention bytes.
        let (front, rest) = plain.split_at(3 + 15);
        let mut front = front.to_vec();
        front[2] |= 2 << 1; // sps_max_sub_layers_minus1
        // The first sub-layer has profile and level, the second a level.
        let layered = [&front[..], &[0b1101_0000, 0], &[0xFF; 13], rest].concat();
        assert_eq!(
            SequenceParameterSet::parse(&layered),
            SequenceParameterSet::parse(plain)
        );
    }

    #[test]
    fn damaged_parameter_sets_are_read_without_panic() {
        let record = hex(HEVC_MAIN);
        let intact = sps(&record);
        for bit in 0..intact.len() * 8 {
            let mut damaged = intact.to_vec();
            damaged[bit / 8] ^= 0x80 >> (bit % 8);
            let parsed = SequenceParameterSet::parse(&damaged);
            assert!(
                parsed.is_none_or(|sps| sps.width > 0 && sps.height > 0),
                "bit {bit}: {parsed:?}"
            );
        }
    }

    #[test]
    fn records_cut_short_are_malformed() {
        let record = hex(HEVC_MAIN);
        let end_of_sps = record.len() - 12; // the picture parameter set follows
        assert!(DecoderConfig::parse(&record[..end_of_sps]).is_some());
        for end in 0..end_of_sps {
            assert_eq!(DecoderConfig::parse(&record[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn early_encoders_write_version_0() {
        let mut record = hex(HEVC_MAIN);
        record[0] = 0;
        assert!(DecoderConfig::parse(&record).is_some());
        record[0] = 2;
        assert!(DecoderConfig::parse(&record).is_none());
    }
}
