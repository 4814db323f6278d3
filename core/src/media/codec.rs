//! The names of codecs, by legacy number and by FourCC.

use core::fmt;

/// Which codec a message carries, however its header says so.
///
/// FLV 10.1 §E.4.2.1 and §E.4.3.1 number the codecs; E-RTMP v2 names them by [`FourCc`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// Sorenson H.263.
    H263,
    /// Screen video.
    ScreenVideo,
    /// On2 VP6.
    Vp6,
    /// On2 VP6 with an alpha channel.
    Vp6Alpha,
    /// Screen video, version 2.
    ScreenVideo2,
    /// AVC, H.264.
    Avc,
    /// HEVC, H.265.
    Hevc,
    /// VVC, H.266.
    Vvc,
    /// AV1.
    Av1,
    /// VP8.
    Vp8,
    /// VP9.
    Vp9,
    /// PCM, of either byte order.
    Pcm,
    /// ADPCM.
    Adpcm,
    /// MPEG-1 or MPEG-2 layer III audio.
    Mp3,
    /// Nellymoser.
    Nellymoser,
    /// G.711 A-law.
    G711A,
    /// G.711 mu-law.
    G711Mu,
    /// AAC.
    Aac,
    /// Speex.
    Speex,
    /// Opus.
    Opus,
    /// FLAC.
    Flac,
    /// AC-3.
    Ac3,
    /// Enhanced AC-3.
    Eac3,
    /// A legacy codec ID or sound format that no document gives a meaning.
    UnknownId(u8),
    /// A FourCC outside the E-RTMP lists.
    UnknownFourCc(FourCc),
}

impl Codec {
    /// The codec of the legacy video codec ID `id`.
    ///
    /// FLV 10.1 §E.4.3.1 ends at 7. 12 to 15 are the de-facto extensions of Chinese CDNs, SRS and ZLMediaKit.
    #[must_use]
    pub const fn from_video_id(id: u8) -> Codec {
        match id {
            2 => Codec::H263,
            3 => Codec::ScreenVideo,
            4 => Codec::Vp6,
            5 => Codec::Vp6Alpha,
            6 => Codec::ScreenVideo2,
            7 => Codec::Avc,
            12 => Codec::Hevc,
            13 => Codec::Av1,
            14 => Codec::Vp8,
            15 => Codec::Vp9,
            id => Codec::UnknownId(id),
        }
    }

    /// The codec of the legacy sound format `format`.
    ///
    /// FLV 10.1 §E.4.2.1. 13 is the de-facto number of Opus in SRS, ZLMediaKit and ireader.
    #[must_use]
    pub const fn from_sound_format(format: u8) -> Codec {
        match format {
            0 | 3 => Codec::Pcm,
            1 => Codec::Adpcm,
            2 | 14 => Codec::Mp3,
            4..=6 => Codec::Nellymoser,
            7 => Codec::G711A,
            8 => Codec::G711Mu,
            10 => Codec::Aac,
            11 => Codec::Speex,
            13 => Codec::Opus,
            format => Codec::UnknownId(format),
        }
    }

    /// The codec of a FourCC. E-RTMP v2, "Enhanced Audio" and "Enhanced Video".
    #[must_use]
    pub const fn from_four_cc(four_cc: FourCc) -> Codec {
        match &four_cc.0 {
            b"avc1" => Codec::Avc,
            b"hvc1" => Codec::Hevc,
            b"vvc1" => Codec::Vvc,
            b"av01" => Codec::Av1,
            b"vp08" => Codec::Vp8,
            b"vp09" => Codec::Vp9,
            b".mp3" => Codec::Mp3,
            b"mp4a" => Codec::Aac,
            b"Opus" => Codec::Opus,
            b"fLaC" => Codec::Flac,
            b"ac-3" => Codec::Ac3,
            b"ec-3" => Codec::Eac3,
            _ => Codec::UnknownFourCc(four_cc),
        }
    }

    /// The codec's usual name; `"unknown"` for an unknown number or FourCC, which [`Display`](fmt::Display) spells out.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Codec::H263 => "Sorenson H.263",
            Codec::ScreenVideo => "Screen video",
            Codec::Vp6 => "VP6",
            Codec::Vp6Alpha => "VP6 with alpha",
            Codec::ScreenVideo2 => "Screen video 2",
            Codec::Avc => "H.264",
            Codec::Hevc => "H.265",
            Codec::Vvc => "H.266",
            Codec::Av1 => "AV1",
            Codec::Vp8 => "VP8",
            Codec::Vp9 => "VP9",
            Codec::Pcm => "PCM",
            Codec::Adpcm => "ADPCM",
            Codec::Mp3 => "MP3",
            Codec::Nellymoser => "Nellymoser",
            Codec::G711A => "G.711 A-law",
            Codec::G711Mu => "G.711 mu-law",
            Codec::Aac => "AAC",
            Codec::Speex => "Speex",
            Codec::Opus => "Opus",
            Codec::Flac => "FLAC",
            Codec::Ac3 => "AC-3",
            Codec::Eac3 => "E-AC-3",
            Codec::UnknownId(_) | Codec::UnknownFourCc(_) => "unknown",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Codec::UnknownId(id) => write!(f, "codec {id}"),
            Codec::UnknownFourCc(four_cc) => four_cc.fmt(f),
            known => f.pad(known.name()),
        }
    }
}

/// Four bytes, nearly always ASCII, that name a codec: `hvc1` is `68 76 63 31`. E-RTMP v2, "Defining Additional
/// Video/Audio Codecs".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FourCc(pub [u8; 4]);

impl fmt::Display for FourCc {
    /// Escapes what is not printable ASCII: a peer chose these bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn one_codec_has_one_name_whatever_the_header() {
        assert_eq!(Codec::from_video_id(12), Codec::from_four_cc(FourCc(*b"hvc1")));
        assert_eq!(Codec::from_sound_format(14), Codec::from_four_cc(FourCc(*b".mp3")));
        assert_eq!(Codec::Hevc.to_string(), "H.265");
    }

    #[test]
    fn unknown_codecs_are_spelled_without_control_characters() {
        assert_eq!(Codec::from_video_id(9).to_string(), "codec 9");
        assert_eq!(Codec::from_four_cc(FourCc(*b"a\n\x1b\xff")).to_string(), r"a\n\x1b\xff");
    }
}
