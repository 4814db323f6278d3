//! AAC: the AudioSpecificConfig.

use super::bits::BitReader;

/// AudioSpecificConfig, the body of an AAC sequence header. ISO/IEC 14496-3 §1.6.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioSpecificConfig {
    /// Audio object type of the core: 1 Main, 2 LC ...
    pub object_type: u8,
    /// Samples per second of the output: twice the core's with spectral band replication, where that is signalled.
    pub sample_rate: u32,
    /// Channels of the output; `None` if a program config element describes them.
    pub channels: Option<u8>,
    /// Whether spectral band replication (HE-AAC) is signalled.
    pub sbr: bool,
    /// Whether parametric stereo (HE-AAC v2) is signalled.
    pub ps: bool,
}

impl AudioSpecificConfig {
    /// Reads a configuration; `None` if it is malformed. Bytes behind it are ignored: some encoders append junk.
    #[must_use]
    pub fn parse(config: &[u8]) -> Option<AudioSpecificConfig> {
        let bits = &mut BitReader::new(config.iter().copied());
        let mut object_type = read_object_type(bits)?;
        let mut sample_rate = read_sample_rate(bits)?;
        let channel_configuration = bits.byte(4)?;
        let (mut sbr, mut ps) = (false, false);
        if matches!(object_type, SBR | PS) {
            sbr = true;
            ps = object_type == PS;
            sample_rate = read_sample_rate(bits)?;
            object_type = read_object_type(bits)?;
        } else if matches!(object_type, 1..=4)
            && channel_configuration != 0
            && let Some(extension) = read_backward_compatible_extension(bits)
        {
            sbr = true;
            ps = extension.ps;
            sample_rate = extension.sample_rate;
        }
        let channels = match channel_configuration {
            1 if ps => Some(2),
            1..=6 => Some(channel_configuration),
            11 => Some(7),
            7 | 12 | 14 => Some(8),
            _ => None,
        };
        Some(AudioSpecificConfig {
            object_type,
            sample_rate,
            channels,
            sbr,
            ps,
        })
    }
}

struct Extension {
    sample_rate: u32,
    ps: bool,
}

/// Looks behind the GASpecificConfig of object types 1 to 4 for an extension that decoders without SBR do not see. §1.6.6.1.
fn read_backward_compatible_extension(bits: &mut BitReader<impl Iterator<Item = u8>>) -> Option<Extension> {
    bits.skip(1)?; // frameLengthFlag
    if bits.bit()? {
        bits.skip(14)?; // coreCoderDelay
    }
    bits.skip(1)?; // extensionFlag
    if bits.bits(11)? != 0x2B7 || read_object_type(bits)? != SBR || !bits.bit()? {
        return None;
    }
    Some(Extension {
        sample_rate: read_sample_rate(bits)?,
        ps: bits.bits(11) == Some(0x548) && bits.bit() == Some(true),
    })
}

#[expect(clippy::arithmetic_side_effects, reason = "6 bits and 32")]
fn read_object_type(bits: &mut BitReader<impl Iterator<Item = u8>>) -> Option<u8> {
    const ESCAPE: u8 = 31;
    match bits.byte(5)? {
        ESCAPE => Some(32 + bits.byte(6)?),
        object_type => Some(object_type),
    }
}

fn read_sample_rate(bits: &mut BitReader<impl Iterator<Item = u8>>) -> Option<u32> {
    const EXPLICIT: u8 = 15;
    let rate = match bits.byte(4)? {
        EXPLICIT => bits.bits(24)?,
        index => sample_rate(index)?,
    };
    (rate > 0).then_some(rate)
}

/// The rate of a sampling frequency index.
pub(super) fn sample_rate(index: u8) -> Option<u32> {
    SAMPLE_RATES.get(usize::from(index)).copied()
}

/// By sampling frequency index. §1.6.3.4.
const SAMPLE_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];

/// Audio object type: spectral band replication.
const SBR: u8 = 5;
/// Audio object type: parametric stereo.
const PS: u8 = 29;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    const LC_44100_STEREO: AudioSpecificConfig = AudioSpecificConfig {
        object_type: 2,
        sample_rate: 44_100,
        channels: Some(2),
        sbr: false,
        ps: false,
    };

    quickcheck! {
        fn any_bytes_are_read_without_panic(config: Vec<u8>) -> bool {
            AudioSpecificConfig::parse(&config).is_none_or(|config| config.sample_rate > 0)
        }
    }

    #[test]
    fn plain_aac() {
        assert_eq!(AudioSpecificConfig::parse(&[0x12, 0x10]), Some(LC_44100_STEREO));
        let config = AudioSpecificConfig::parse(&[0x11, 0x90]).unwrap();
        assert_eq!((config.sample_rate, config.channels), (48_000, Some(2)));
        assert_eq!(AudioSpecificConfig::parse(&[0x12]), None);
        assert_eq!(
            AudioSpecificConfig::parse(&[0x16, 0x90]),
            None,
            "sampling frequency index 13"
        );
    }

    #[test]
    fn junk_behind_the_configuration_is_ignored() {
        assert_eq!(
            AudioSpecificConfig::parse(&[0x12, 0x10, 0xDE, 0xAD, 0xBE, 0xEF]),
            Some(LC_44100_STEREO)
        );
    }

    #[test]
    fn he_aac_reports_the_output_rate() {
        let explicit = AudioSpecificConfig::parse(&[0x2B, 0x92, 0x08, 0x00]);
        assert_eq!(
            explicit,
            Some(AudioSpecificConfig {
                sbr: true,
                ..LC_44100_STEREO
            })
        );
        // The same by backward-compatible signalling: LC at 22,050 Hz, sync extension, SBR at 44,100 Hz.
        let compatible = AudioSpecificConfig::parse(&[0x13, 0x90, 0x56, 0xE5, 0xA0]);
        assert_eq!(compatible, explicit);
    }

    #[test]
    fn parametric_stereo_makes_two_channels_of_one() {
        // Object type 29, 22,050 Hz, mono, extension 44,100 Hz, LC.
        let config = AudioSpecificConfig::parse(&[0xEB, 0x8A, 0x08, 0x00]).unwrap();
        assert_eq!(
            (config.sample_rate, config.channels, config.ps),
            (44_100, Some(2), true)
        );
    }

    #[test]
    fn an_extension_that_says_no_sbr_changes_nothing() {
        // As ffmpeg 5.1 sends it for AAC-LC, 44,100 Hz, mono.
        let config = AudioSpecificConfig::parse(&[0x12, 0x08, 0x56, 0xE5, 0x00]);
        assert_eq!(
            config,
            Some(AudioSpecificConfig {
                channels: Some(1),
                ..LC_44100_STEREO
            })
        );
    }

    #[test]
    fn channel_configurations() {
        let channels = |configuration: u8| {
            AudioSpecificConfig::parse(&[0x12, configuration << 3])
                .unwrap()
                .channels
        };
        assert_eq!(channels(6), Some(6));
        assert_eq!(channels(7), Some(8));
        assert_eq!(channels(11), Some(7));
        assert_eq!(channels(0), None);
    }

    #[test]
    fn an_explicit_rate_has_24_bits() {
        // LC, index 15, 24 bits of 44,056, stereo.
        let bits: u64 = 0b00010 << 35 | 0b1111 << 31 | 44_056 << 7 | 0b0010 << 3;
        let config = AudioSpecificConfig::parse(&bits.to_be_bytes()[3..]).unwrap();
        assert_eq!((config.sample_rate, config.channels), (44_056, Some(2)));
    }
}
