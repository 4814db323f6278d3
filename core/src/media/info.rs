//! A summary of a stream's parameters, for people.

use super::{AudioSpecificConfig, Codec, Frame, FrameClass, FrameKind, avc, header, hevc};

/// What a video message tells about its track. Fields are `None` where the message does not tell.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct VideoInfo {
    /// The codec.
    pub codec: Codec,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Frames per second, as the encoder claims.
    pub frame_rate: Option<f64>,
    /// The profile's number in the codec's specification.
    pub profile: Option<u8>,
    /// The level as the codec's configuration writes it: AVC ten times the level, HEVC thirty times.
    pub level: Option<u8>,
}

/// What an audio message tells about its track. Fields are `None` where the message does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AudioInfo {
    /// The codec.
    pub codec: Codec,
    /// Samples per second of the output.
    pub sample_rate: Option<u32>,
    /// Channels of the output.
    pub channels: Option<u8>,
}

/// Reads the parameters of a video track from one of its messages; `None` if it is no video or names no codec.
///
/// Any message tells the codec. The sequence header of AVC and HEVC tells more; ask when one comes. A configuration that
/// makes no sense leaves fields `None` and concerns no one else. Cost: the bits of one parameter set, no allocation.
#[must_use]
pub fn video_info(frame: &Frame) -> Option<VideoInfo> {
    let (codec, config) = split(frame, FrameKind::Video)?;
    let mut info = VideoInfo {
        codec,
        width: None,
        height: None,
        frame_rate: None,
        profile: None,
        level: None,
    };
    match codec {
        Codec::Avc => {
            if let Some(config) = config.and_then(avc::DecoderConfig::parse) {
                info.profile = Some(config.profile);
                info.level = Some(config.level);
                if let Some(sps) = config.sps.and_then(avc::SequenceParameterSet::parse) {
                    info.width = Some(sps.width);
                    info.height = Some(sps.height);
                    info.frame_rate = sps.frame_rate;
                }
            }
        }
        Codec::Hevc => {
            if let Some(config) = config.and_then(hevc::DecoderConfig::parse) {
                info.profile = Some(config.profile);
                info.level = Some(config.level);
                if let Some(sps) = config.sps.and_then(hevc::SequenceParameterSet::parse) {
                    info.width = Some(sps.width);
                    info.height = Some(sps.height);
                }
            }
        }
        _ => {}
    }
    Some(info)
}

/// Reads the parameters of an audio track from one of its messages; `None` if it is no audio or names no codec.
///
/// As [`video_info`]: any message tells the codec, the sequence header of AAC the rest.
#[must_use]
pub fn audio_info(frame: &Frame) -> Option<AudioInfo> {
    let (codec, config) = split(frame, FrameKind::Audio)?;
    let config = match codec {
        Codec::Aac => config.and_then(AudioSpecificConfig::parse),
        _ => None,
    };
    Some(AudioInfo {
        codec,
        sample_rate: config.map(|config| config.sample_rate),
        channels: config.and_then(|config| config.channels),
    })
}

/// The codec of `frame` and, in a sequence header, its configuration record.
fn split(frame: &Frame, kind: FrameKind) -> Option<(Codec, Option<&[u8]>)> {
    if frame.kind != kind {
        return None;
    }
    let (header, body) = header::split(kind, &frame.payload)?;
    let config = (header.class == FrameClass::SequenceHeader).then_some(body);
    Some((header.codec?, config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::media::vectors::{AVC_HIGH_INTERLACED, HEVC_MAIN, hex};
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    fn video(header: &[u8], body: &[u8]) -> Frame {
        Frame::video(Timestamp::ZERO, [header, body].concat().into())
    }

    fn audio(payload: &[u8]) -> Frame {
        Frame::audio(Timestamp::ZERO, payload.to_vec().into())
    }

    quickcheck! {
        fn any_bytes_are_read_without_panic(payload: Vec<u8>) -> bool {
            let mut audio_headers = [&b""[..], b"\xAF\x00", b"\x90mp4a"].into_iter();
            let mut video_headers = [&b""[..], b"\x17\x00\0\0\0", b"\x90hvc1"].into_iter();
            audio_headers.all(|header| {
                audio_info(&audio(&[header, &payload].concat())).is_none_or(|info| info.sample_rate != Some(0))
            }) && video_headers.all(|header| {
                video_info(&video(header, &payload)).is_none_or(|info| info.width.is_some() == info.height.is_some())
            })
        }
    }

    #[test]
    fn avc_sequence_header() {
        let info = video_info(&video(b"\x17\x00\0\0\0", &hex(AVC_HIGH_INTERLACED))).unwrap();
        assert_eq!(info.codec, Codec::Avc);
        assert_eq!((info.width, info.height), (Some(640), Some(364)));
        assert_eq!((info.profile, info.level), (Some(100), Some(30)));
        assert_eq!(info.frame_rate, Some(30_000.0 / 1_001.0));
        assert_eq!(video_info(&video(b"\x90avc1", &hex(AVC_HIGH_INTERLACED))), Some(info));
    }

    #[test]
    fn hevc_sequence_header_of_every_form() {
        let record = hex(HEVC_MAIN);
        for header in [&b"\x1C\x00\0\0\0"[..], b"\x90hvc1", b"\x96\x00hvc1\x01"] {
            let info = video_info(&video(header, &record)).unwrap();
            assert_eq!(
                (info.codec, info.width, info.height),
                (Codec::Hevc, Some(1920), Some(1080))
            );
        }
    }

    #[test]
    fn aac_sequence_header() {
        let info = audio_info(&audio(b"\xAF\x00\x12\x10")).unwrap();
        assert_eq!((info.sample_rate, info.channels), (Some(44_100), Some(2)));
        assert_eq!(audio_info(&audio(b"\x90mp4a\x12\x10")), Some(info));
    }

    #[test]
    fn other_messages_tell_the_codec() {
        let info = video_info(&video(b"\x91av01", b"\x12\x00")).unwrap();
        assert_eq!((info.codec, info.width), (Codec::Av1, None));
        let info = video_info(&video(b"\x17\x00\0\0\0", b"garbage")).unwrap();
        assert_eq!((info.codec, info.profile), (Codec::Avc, None));
        let info = audio_info(&audio(b"\xAF\x01\x12\x10")).unwrap();
        assert_eq!((info.codec, info.sample_rate), (Codec::Aac, None));
    }

    #[test]
    fn messages_of_the_other_kind_tell_nothing() {
        assert_eq!(audio_info(&video(b"\x17\x00\0\0\0", &hex(AVC_HIGH_INTERLACED))), None);
        assert_eq!(video_info(&audio(b"\xAF\x00\x12\x10")), None);
        assert_eq!(audio_info(&audio(b"")), None);
    }
}
