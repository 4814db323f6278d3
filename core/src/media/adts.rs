//! ADTS: AAC as broadcast encoders frame it, each frame with the parameters in front. FLV and RTMP want the parameters once,
//! in a sequence header, and the frames raw; some cameras and transcoders send ADTS all the same, and no header. ISO/IEC
//! 14496-3 §1.A.3.2.

use super::{Frame, FrameClass, FrameKind};
use crate::Timestamp;
use bytes::Bytes;

/// The AudioSpecificConfig that an ADTS header amounts to.
pub(crate) type Config = [u8; 2];

/// An audio message whose body is one ADTS frame or several.
#[derive(Debug)]
pub(crate) struct Adts {
    message: Frame,
    first: Header,
}

#[derive(Debug, Clone, Copy)]
struct Header {
    config: Config,
    sample_rate: u32,
    /// Bytes of the header itself, and of all.
    start: usize,
    end: usize,
}

/// Bytes in front of an AAC body: the sound format and the packet type.
const FLV_HEADER_LEN: usize = 2;

/// ADTS frames in one message. 64: 1.5 s of sound, so that each message makes few frames.
const MAX_FRAMES: usize = 64;

/// Samples of an AAC frame.
const FRAME_SAMPLES: u64 = 1_024;

impl Adts {
    /// Reads an AAC message whose body is made of ADTS frames to the last byte; `None` for any other. Raw AAC never looks like
    /// that: it would begin with its own end.
    ///
    /// Cost: one comparison for all other messages, else a few bytes of each ADTS frame.
    pub(crate) fn read(message: &Frame) -> Option<Adts> {
        let body = match &*message.payload {
            [0xA0..=0xAF, 1, body @ ..] if body.first() == Some(&0xFF) => body,
            _ => return None,
        };
        if (message.kind, message.class) != (FrameKind::Audio, FrameClass::Keyframe) {
            return None;
        }
        let first = Header::read(body)?;
        let mut rest = body;
        for _ in 0..MAX_FRAMES {
            rest = rest.get(Header::read(rest)?.end..)?;
            if rest.is_empty() {
                break;
            }
        }
        rest.is_empty().then(|| Adts {
            message: message.clone(),
            first,
        })
    }

    pub(crate) fn config(&self) -> Config {
        self.first.config
    }

    /// The sequence header.
    pub(crate) fn header(&self) -> Frame {
        let [high, low] = self.first.config;
        let format = self.message.payload.first().copied().unwrap_or_default();
        let payload = Bytes::copy_from_slice(&[format, 0, high, low]);
        Frame::audio(self.message.timestamp, payload)
    }

    /// The frames, raw, each with its own time. One allocation and one copy each.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a message has less than 2^22 frames, and no sample rate is 0"
    )]
    pub(crate) fn frames(&self) -> impl Iterator<Item = Frame> {
        let (flv_header, mut rest) = self.message.payload.split_at(FLV_HEADER_LEN);
        let start = self.message.timestamp;
        (0_u64..).map_while(move |index| {
            let header = Header::read(rest)?;
            let payload = [flv_header, rest.get(header.start..header.end)?].concat();
            rest = rest.get(header.end..)?;
            let millis = index * FRAME_SAMPLES * 1_000 / u64::from(header.sample_rate);
            let millis = start
                .as_millis()
                .wrapping_add(u32::try_from(millis).unwrap_or_default());
            Some(Frame::audio(Timestamp::from_millis(millis), payload.into()))
        })
    }
}

impl Header {
    #[expect(clippy::arithmetic_side_effects, reason = "2 bits and 1, and a sum of 13 bits and 9")]
    fn read(bytes: &[u8]) -> Option<Header> {
        let &[0xFF, b1, b2, b3, b4, b5, b6, ..] = bytes else {
            return None;
        };
        // The rest of the sync word, and layer 0.
        if b1 & 0xF6 != 0xF0 {
            return None;
        }
        let object_type = (b2 >> 6) + 1;
        let rate_index = b2 >> 2 & 0xF;
        let channels = (b2 & 1) << 2 | b3 >> 6;
        let len = usize::from(b3 & 3) << 11 | usize::from(b4) << 3 | usize::from(b5 >> 5);
        let start = if b1 & 1 == 1 { 7 } else { 9 };
        // Several blocks in one frame cannot be told apart without decoding them; without a channel configuration the block
        // itself describes the channels, which a header of two bytes cannot.
        let is_one_block = b6 & 3 == 0;
        let sample_rate = super::aac::sample_rate(rate_index)?;
        (is_one_block && channels != 0 && len > start && len <= bytes.len()).then_some(Header {
            config: [object_type << 3 | rate_index >> 1, rate_index << 7 | channels << 3],
            sample_rate,
            start,
            end: len,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::media::audio_info;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    /// An ADTS frame: AAC-LC, 44,100 Hz, stereo.
    pub(crate) fn adts(body: &[u8]) -> Vec<u8> {
        let len = body.len() + 7;
        let (high, middle, low) = (len >> 11, len >> 3 & 0xFF, len << 5 & 0xE0);
        let [high, middle, low] = [high, middle, low].map(|it| u8::try_from(it).unwrap());
        [&[0xFF, 0xF1, 0x50, 0x80 | high, middle, low | 0x1F, 0xFC], body].concat()
    }

    fn message(body: &[u8]) -> Frame {
        Frame::audio(Timestamp::from_millis(100), [b"\xAF\x01", body].concat().into())
    }

    #[test]
    fn an_adts_header_gives_the_sequence_header() {
        let read = Adts::read(&message(&adts(b"\x21\x10"))).unwrap();
        assert_eq!(&read.header().payload[..], b"\xAF\x00\x12\x10");
        let info = audio_info(&read.header()).unwrap();
        assert_eq!((info.sample_rate, info.channels), (Some(44_100), Some(2)));
        let frames: Vec<_> = read.frames().collect();
        assert_eq!(frames, [message(b"\x21\x10")]);
    }

    #[test]
    fn several_frames_in_a_message_get_their_own_times() {
        let read = Adts::read(&message(&[adts(b"\x21"), adts(b"\x22"), adts(b"\x23")].concat())).unwrap();
        let frames: Vec<_> = read
            .frames()
            .map(|frame| (frame.timestamp.as_millis(), frame.payload[2]))
            .collect();
        assert_eq!(frames, [(100, 0x21), (123, 0x22), (146, 0x23)]);
    }

    #[test]
    fn a_check_sum_is_left_out() {
        let mut body = adts(b"\xAB\xCD\x21\x10");
        body[1] = 0xF0;
        let read = Adts::read(&message(&body)).unwrap();
        assert_eq!(read.frames().collect::<Vec<_>>(), [message(b"\x21\x10")]);
    }

    #[test]
    fn what_is_not_adts_to_the_last_byte_stays_as_it_is() {
        let good = adts(b"\x21\x10");
        let mut layer = good.clone();
        layer[1] |= 2;
        let mut rate = good.clone();
        rate[2] |= 0x3C;
        let mut blocks = good.clone();
        blocks[6] |= 1;
        for body in [
            &good[..8],
            &[&good[..], b"\0"].concat(),
            &good.repeat(65),
            &layer,
            &rate,
            &blocks,
            b"\xFF",
            b"\x21\x10",
        ] {
            assert!(Adts::read(&message(body)).is_none(), "{body:x?}");
        }
        let header = Frame::audio(Timestamp::ZERO, [b"\xAF\x00", &good[..]].concat().into());
        assert!(Adts::read(&header).is_none());
    }

    quickcheck! {
        fn any_bytes_give_no_more_than_they_have(body: Vec<u8>) -> bool {
            let message = message(&[b"\xFF\xF1", &body[..]].concat());
            Adts::read(&message).is_none_or(|read| {
                let len: usize = read.frames().map(|frame| frame.payload.len()).sum();
                len <= message.payload.len()
            })
        }
    }
}
