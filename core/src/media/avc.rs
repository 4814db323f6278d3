//! AVC (H.264): configuration record, sequence parameter set, NAL units.

use super::bits::{BitReader, without_emulation_prevention};
use super::nal::Slice;

/// AVCDecoderConfigurationRecord, the body of an AVC sequence header. ISO/IEC 14496-15 §5.3.3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecoderConfig<'a> {
    /// profile_idc: 66 Baseline, 77 Main, 100 High ...
    pub profile: u8,
    /// level_idc: ten times the level.
    pub level: u8,
    /// Bytes of the length in front of each NAL unit: 1, 2 or 4.
    pub nal_length_size: u8,
    /// The first sequence parameter set, a NAL unit with emulation prevention. [`SequenceParameterSet::parse`] reads it.
    pub sps: Option<&'a [u8]>,
}

impl<'a> DecoderConfig<'a> {
    /// Reads a record up to its first sequence parameter set; `None` if it is malformed.
    #[must_use]
    #[expect(clippy::arithmetic_side_effects, reason = "2 bits and 1")]
    pub fn parse(record: &'a [u8]) -> Option<DecoderConfig<'a>> {
        let ([1, profile, _compatibility, level, length_size, sps_count], rest) = record.split_first_chunk()? else {
            return None;
        };
        let sps = if sps_count & 0x1F == 0 {
            None
        } else {
            let (len, rest) = rest.split_first_chunk()?;
            Some(rest.get(..usize::from(u16::from_be_bytes(*len)))?)
        };
        Some(DecoderConfig {
            profile: *profile,
            level: *level,
            nal_length_size: (length_size & 3) + 1,
            sps,
        })
    }
}

/// The fields of a sequence parameter set that describe the pictures. ITU-T H.264 §7.3.2.1.1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequenceParameterSet {
    /// profile_idc.
    pub profile: u8,
    /// level_idc.
    pub level: u8,
    /// chroma_format_idc: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Bits of a luma sample.
    pub bit_depth: u8,
    /// Pixels, after cropping.
    pub width: u32,
    /// Pixels, after cropping.
    pub height: u32,
    /// Frames per second, where the parameter set tells. Encoders get it wrong.
    pub frame_rate: Option<f64>,
}

impl SequenceParameterSet {
    /// Reads a NAL unit of type 7; `None` if it is malformed, or describes pictures without pixels.
    #[must_use]
    #[expect(clippy::arithmetic_side_effects, reason = "products of constants of at most 32")]
    pub fn parse(nal_unit: &[u8]) -> Option<SequenceParameterSet> {
        let (header, rest) = nal_unit.split_first()?;
        if header & NAL_UNIT_TYPE != 7 {
            return None;
        }
        let bits = &mut BitReader::new(without_emulation_prevention(rest));
        let profile = bits.byte(8)?;
        bits.skip(8)?; // constraint flags
        let level = bits.byte(8)?;
        bits.ue()?; // seq_parameter_set_id
        let (mut chroma_format, mut bit_depth) = (1, 8);
        if matches!(
            profile,
            100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135 | 144
        ) {
            chroma_format = u8::try_from(bits.ue()?).ok().filter(|&format| format <= 3)?;
            if chroma_format == 3 {
                bits.skip(1)?; // separate_colour_plane_flag
            }
            bit_depth = u8::try_from(bits.ue()?).ok()?.checked_add(8)?;
            bits.ue()?; // bit_depth_chroma_minus8
            bits.skip(1)?; // qpprime_y_zero_transform_bypass_flag
            if bits.bit()? {
                skip_scaling_lists(bits, if chroma_format == 3 { 12 } else { 8 })?;
            }
        }
        bits.ue()?; // log2_max_frame_num_minus4
        skip_picture_order_count(bits)?;
        bits.ue()?; // max_num_ref_frames
        bits.skip(1)?; // gaps_in_frame_num_value_allowed_flag
        let width_in_mbs = bits.ue()?.checked_add(1)?;
        let height_in_map_units = bits.ue()?.checked_add(1)?;
        let fields = if bits.bit()? {
            1
        } else {
            bits.skip(1)?; // mb_adaptive_frame_field_flag
            2
        };
        bits.skip(1)?; // direct_8x8_inference_flag
        let crop = Cropping::read(bits)?;
        let (crop_x, crop_y) = crop_units(chroma_format);
        let frame_rate = if bits.bit()? { read_frame_rate(bits) } else { None };
        Some(SequenceParameterSet {
            profile,
            level,
            chroma_format,
            bit_depth,
            width: crop.width(width_in_mbs.checked_mul(16)?, crop_x)?,
            height: crop.height(height_in_map_units.checked_mul(16 * fields)?, crop_y * fields)?,
            frame_rate,
        })
    }
}

/// Samples at each edge that are not shown, in units of the chroma format. AVC's frame cropping and HEVC's conformance
/// window are the same four numbers.
pub(super) struct Cropping {
    left: u32,
    right: u32,
    top: u32,
    bottom: u32,
}

impl Cropping {
    /// Reads a flag and, if it is set, the four offsets.
    pub(super) fn read(bits: &mut BitReader<impl Iterator<Item = u8>>) -> Option<Cropping> {
        let is_present = bits.bit()?;
        let mut offset = || if is_present { bits.ue() } else { Some(0) };
        Some(Cropping {
            left: offset()?,
            right: offset()?,
            top: offset()?,
            bottom: offset()?,
        })
    }

    /// What is left of `width` pixels; `None` if nothing is.
    pub(super) fn width(&self, width: u32, unit: u32) -> Option<u32> {
        crop(width, self.left, self.right, unit)
    }

    /// What is left of `height` pixels; `None` if nothing is.
    pub(super) fn height(&self, height: u32, unit: u32) -> Option<u32> {
        crop(height, self.top, self.bottom, unit)
    }
}

fn crop(pixels: u32, first: u32, last: u32, unit: u32) -> Option<u32> {
    let cut = first.checked_add(last)?.checked_mul(unit)?;
    pixels.checked_sub(cut).filter(|&left| left > 0)
}

/// CropUnitX, and CropUnitY of a frame that is not interlaced. ITU-T H.264 §7.4.2.1.1; HEVC has the same.
pub(super) const fn crop_units(chroma_format: u8) -> (u32, u32) {
    match chroma_format {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    }
}

/// Lists of 16 (the first six) or 64 differences, each until the value is 0. ITU-T H.264 §7.3.2.1.1.1.
fn skip_scaling_lists(bits: &mut BitReader<impl Iterator<Item = u8>>, lists: usize) -> Option<()> {
    for list in 0..lists {
        if !bits.bit()? {
            continue;
        }
        let mut scale = 8;
        for _ in 0..if list < 6 { 16 } else { 64 } {
            scale = bits.se()?.wrapping_add(scale).rem_euclid(256);
            if scale == 0 {
                break;
            }
        }
    }
    Some(())
}

fn skip_picture_order_count(bits: &mut BitReader<impl Iterator<Item = u8>>) -> Option<()> {
    match bits.ue()? {
        0 => {
            bits.ue()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            bits.skip(1)?; // delta_pic_order_always_zero_flag
            bits.se()?; // offset_for_non_ref_pic
            bits.se()?; // offset_for_top_to_bottom_field
            let cycle = bits.ue()?;
            for _ in 0..u8::try_from(cycle).ok()? {
                bits.se()?; // offset_for_ref_frame
            }
        }
        _ => {}
    }
    Some(())
}

/// The timing of the video usability information: ticks per second over two fields of a frame. ITU-T H.264 §E.1.1.
fn read_frame_rate(bits: &mut BitReader<impl Iterator<Item = u8>>) -> Option<f64> {
    const EXTENDED_SAR: u32 = 255;
    if bits.bit()? && bits.bits(8)? == EXTENDED_SAR {
        bits.skip(32)?; // sar_width, sar_height
    }
    if bits.bit()? {
        bits.skip(1)?; // overscan_appropriate_flag
    }
    if bits.bit()? {
        bits.skip(4)?; // video_format, video_full_range_flag
        if bits.bit()? {
            bits.skip(24)?; // colour_primaries, transfer_characteristics, matrix_coefficients
        }
    }
    if bits.bit()? {
        bits.ue()?; // chroma_sample_loc_type_top_field
        bits.ue()?; // chroma_sample_loc_type_bottom_field
    }
    if !bits.bit()? {
        return None;
    }
    let units_in_tick = bits.bits(32)?;
    let time_scale = bits.bits(32)?;
    (units_in_tick > 0 && time_scale > 0).then(|| f64::from(time_scale) / (2.0 * f64::from(units_in_tick)))
}

/// What the header of a NAL unit says about a picture; `None` if the unit is no slice.
pub(super) fn slice(header: u8) -> Option<Slice> {
    match header & NAL_UNIT_TYPE {
        1..=4 if header & NAL_REF_IDC == 0 => Some(Slice::NonReference),
        1..=4 => Some(Slice::Other),
        5 => Some(Slice::RandomAccess),
        _ => None,
    }
}

const NAL_UNIT_TYPE: u8 = 0x1F;
const NAL_REF_IDC: u8 = 0x60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::vectors::{AVC_HIGH_422, AVC_HIGH_444_SCALED, AVC_HIGH_INTERLACED, hex};
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    fn sps(record: &str) -> SequenceParameterSet {
        let record = hex(record);
        let config = DecoderConfig::parse(&record).unwrap();
        assert_eq!(config.nal_length_size, 4);
        let sps = SequenceParameterSet::parse(config.sps.unwrap()).unwrap();
        assert_eq!((config.profile, config.level), (sps.profile, sps.level));
        sps
    }

    quickcheck! {
        fn any_bytes_are_read_without_panic(profile: u8, bytes: Vec<u8>) -> bool {
            let _ = DecoderConfig::parse(&bytes);
            let nal_unit = [&[0x67, profile, 0, 30][..], &bytes].concat();
            SequenceParameterSet::parse(&nal_unit).is_none_or(|sps| sps.width > 0 && sps.height > 0)
        }
    }

    #[test]
    fn parameter_sets() {
        let baseline = SequenceParameterSet::parse(&hex("67 42C01EDA0280F640")).unwrap();
        assert_eq!((baseline.width, baseline.height), (640, 480));
        assert_eq!((baseline.profile, baseline.level), (66, 30));

        // With emulation prevention bytes, and 1088 coded lines.
        let high = SequenceParameterSet::parse(&hex("67 640028ACE501E0089F9610000003001000000303C840"));
        assert_eq!(
            high,
            Some(SequenceParameterSet {
                profile: 100,
                level: 40,
                chroma_format: 1,
                bit_depth: 8,
                width: 1920,
                height: 1080,
                frame_rate: Some(30.0),
            })
        );
    }

    #[test]
    fn records_of_x264() {
        let interlaced = sps(AVC_HIGH_INTERLACED);
        assert_eq!((interlaced.width, interlaced.height), (640, 364));
        assert_eq!(interlaced.frame_rate, Some(30_000.0 / 1_001.0));

        let deep = sps(AVC_HIGH_422);
        assert_eq!((deep.profile, deep.chroma_format, deep.bit_depth), (122, 2, 10));
        assert_eq!((deep.width, deep.height, deep.frame_rate), (640, 480, Some(24.0)));

        let scaled = sps(AVC_HIGH_444_SCALED);
        assert_eq!((scaled.profile, scaled.chroma_format), (244, 3));
        assert_eq!((scaled.width, scaled.height, scaled.frame_rate), (321, 241, Some(25.0)));
    }

    #[test]
    fn scaling_lists_are_passed_over() {
        // High profile, seq_scaling_matrix_present_flag: list 0 with 16 differences of 0, list 1 ended by -8 (to scale
        // 0), six lists absent; then the fields of a 16x16 picture.
        let bits = "1 1 1 1 0 1 \
             1 1111111111111111 \
             1 000010001 \
             000000 \
             1 1 1 1 0 1 1 1 1 0 0 1";
        let bits: Vec<u8> = bits
            .bytes()
            .filter(u8::is_ascii_digit)
            .map(|digit| digit - b'0')
            .collect();
        let mut nal_unit = hex("67 64001E");
        nal_unit.extend(bits.chunks(8).map(|byte| {
            let value = byte.iter().fold(0, |value, bit| value << 1 | bit);
            value << (8 - byte.len())
        }));
        let sps = SequenceParameterSet::parse(&nal_unit).unwrap();
        assert_eq!((sps.width, sps.height), (16, 16));
    }

    #[test]
    fn damaged_parameter_sets_are_read_without_panic() {
        for record in [AVC_HIGH_INTERLACED, AVC_HIGH_422, AVC_HIGH_444_SCALED] {
            let record = hex(record);
            let intact = DecoderConfig::parse(&record).unwrap().sps.unwrap();
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
    }

    #[test]
    fn records_cut_short_are_malformed() {
        let record = hex(AVC_HIGH_INTERLACED);
        let end_of_sps = 8 + 24;
        assert!(DecoderConfig::parse(&record[..end_of_sps]).is_some());
        for end in 0..end_of_sps {
            assert_eq!(DecoderConfig::parse(&record[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn a_record_may_have_no_parameter_set() {
        let record = hex("01 64001E FF E0");
        assert_eq!(DecoderConfig::parse(&record).unwrap().sps, None);
    }
}
