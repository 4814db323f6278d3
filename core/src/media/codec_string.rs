//! Codecs as browsers and HLS players want them named. RFC 6381, ISO/IEC 14496-15 Annex E.

use super::{AudioSpecificConfig, Codec, Frame, FrameClass, header};
use alloc::format;
use alloc::string::String;

/// The name of the codec of a sequence header: `avc1.64001f`, `hvc1.1.6.L93.b0`, `mp4a.40.2`. Of any other frame, and where
/// the configuration makes no sense, the name says less; `None` if the frame names no codec, or needs a sequence header and
/// is none.
#[must_use]
pub fn codec_string(frame: &Frame) -> Option<String> {
    let (header, config) = header::split(frame.kind, &frame.payload)?;
    let codec = header.codec?;
    let config = (header.class == FrameClass::SequenceHeader).then_some(config);
    Some(match codec {
        Codec::Avc => match config? {
            [_, profile, compatibility, level, ..] => format!("avc1.{profile:02x}{compatibility:02x}{level:02x}"),
            _ => "avc1".into(),
        },
        Codec::Hevc => hevc(config?).unwrap_or_else(|| "hvc1".into()),
        Codec::Aac => match AudioSpecificConfig::parse(config?) {
            Some(AudioSpecificConfig { ps: true, .. }) => "mp4a.40.29".into(),
            Some(AudioSpecificConfig { sbr: true, .. }) => "mp4a.40.5".into(),
            Some(config) => format!("mp4a.40.{}", config.object_type),
            None => "mp4a.40".into(),
        },
        Codec::Av1 => "av01".into(),
        Codec::Vp9 => "vp09".into(),
        Codec::Vp8 => "vp08".into(),
        Codec::Vvc => "vvc1".into(),
        Codec::Mp3 => "mp4a.6b".into(),
        Codec::Opus => "opus".into(),
        Codec::Flac => "flac".into(),
        Codec::Ac3 => "ac-3".into(),
        Codec::Eac3 => "ec-3".into(),
        _ => return None,
    })
}

/// From an HEVCDecoderConfigurationRecord, ISO/IEC 14496-15 §8.3.3.1.
fn hevc(record: &[u8]) -> Option<String> {
    let ([_, profile, compatibility @ .., level], _) = record.split_first_chunk::<13>()?;
    let (compatibility, constraints) = compatibility.split_first_chunk::<4>()?;
    let space = ["", "A", "B", "C"].get(usize::from(profile >> 6))?;
    let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
    let compatibility = u32::from_be_bytes(*compatibility).reverse_bits();
    let mut text = format!("hvc1.{space}{}.{compatibility:x}.{tier}{level}", profile & 0x1F);
    let used = constraints
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last.saturating_add(1));
    for byte in constraints.iter().take(used) {
        text.push_str(&format!(".{byte:x}"));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::media::vectors::{AVC_HIGH_INTERLACED, HEVC_MAIN, hex};

    fn name(head: &[u8], config: &[u8], is_video: bool) -> Option<String> {
        let payload = [head, config].concat().into();
        codec_string(&match is_video {
            true => Frame::video(Timestamp::ZERO, payload),
            false => Frame::audio(Timestamp::ZERO, payload),
        })
    }

    #[test]
    fn sequence_headers_name_profile_and_level() {
        let avc = name(&[0x17, 0, 0, 0, 0], &hex(AVC_HIGH_INTERLACED), true).unwrap();
        assert!(avc.starts_with("avc1.64"), "{avc}");
        let hevc = name(&[0x1C, 0, 0, 0, 0], &hex(HEVC_MAIN), true).unwrap();
        assert!(hevc.starts_with("hvc1.1.6.L"), "{hevc}");
        assert_eq!(name(&[0xAF, 0], &[0x12, 0x10], false).unwrap(), "mp4a.40.2");
    }

    #[test]
    fn what_says_too_little_says_the_codec_or_nothing() {
        assert_eq!(name(&[0x17, 0, 0, 0, 0], &[1], true).unwrap(), "avc1");
        assert_eq!(name(&[0x1C, 0, 0, 0, 0], &[1, 2], true).unwrap(), "hvc1");
        assert_eq!(name(&[0x17, 1, 0, 0, 0], &[1, 2, 3, 4], true), None);
        assert_eq!(name(&[0x2F], &[1, 2, 3], false).unwrap(), "mp4a.6b");
        assert_eq!(name(&[], &[], false), None);
    }
}
