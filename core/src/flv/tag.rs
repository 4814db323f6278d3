//! The tag header. FLV 10.1 §E.4.1.

use crate::Timestamp;

/// What the eleven bytes in front of a tag's data say. The stream ID, always 0, is ignored and written as 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagHeader {
    /// 8 audio, 9 video, 18 script data, 15 script data with an AMF3 selector byte (E-RTMP v2); five bits.
    pub tag_type: u8,
    /// Whether the data is encrypted (the bit that the specification calls Filter).
    pub is_encrypted: bool,
    /// Bytes of data, at most [`MAX_DATA_SIZE`](Self::MAX_DATA_SIZE).
    pub data_size: u32,
    /// When to decode it. On the wire its 24 low bits come first, then the 8 high ones.
    pub timestamp: Timestamp,
}

impl TagHeader {
    /// Bytes of a tag header.
    pub const LEN: usize = 11;

    /// The most bytes of data that the 24-bit size field can say.
    pub const MAX_DATA_SIZE: u32 = 0xFF_FFFF;

    /// Reads a header. Any eleven bytes are one.
    #[must_use]
    pub const fn parse(bytes: &[u8; Self::LEN]) -> TagHeader {
        let [first, size_2, size_1, size_0, time_2, time_1, time_0, time_3, ..] = *bytes;
        TagHeader {
            tag_type: first & TAG_TYPE,
            is_encrypted: first & FILTER != 0,
            data_size: u32::from_be_bytes([0, size_2, size_1, size_0]),
            timestamp: Timestamp::from_millis(u32::from_be_bytes([time_3, time_2, time_1, time_0])),
        }
    }

    /// The header's bytes. Of a tag type or data size that is too large, the low bits.
    #[must_use]
    pub const fn write(self) -> [u8; Self::LEN] {
        let first = self.tag_type & TAG_TYPE | if self.is_encrypted { FILTER } else { 0 };
        let [_, size_2, size_1, size_0] = self.data_size.to_be_bytes();
        let [time_3, time_2, time_1, time_0] = self.timestamp.as_millis().to_be_bytes();
        [first, size_2, size_1, size_0, time_2, time_1, time_0, time_3, 0, 0, 0]
    }
}

const TAG_TYPE: u8 = 0x1F;
const FILTER: u8 = 0x20;

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    quickcheck! {
        fn round_trips(tag_type: u8, is_encrypted: bool, data_size: u32, timestamp: u32) -> bool {
            let header = TagHeader {
                tag_type: tag_type % 32,
                is_encrypted,
                data_size: data_size & TagHeader::MAX_DATA_SIZE,
                timestamp: Timestamp::from_millis(timestamp),
            };
            TagHeader::parse(&header.write()) == header
        }
    }

    #[test]
    fn the_high_bits_of_the_timestamp_follow_the_low_ones() {
        let header = TagHeader {
            tag_type: 9,
            is_encrypted: false,
            data_size: 5,
            timestamp: Timestamp::from_millis(0x1234_5678),
        };
        assert_eq!(header.write(), [9, 0, 0, 5, 0x34, 0x56, 0x78, 0x12, 0, 0, 0]);
    }

    #[test]
    fn encrypted_tags_keep_their_type() {
        let header = TagHeader::parse(&[0x29, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!((header.tag_type, header.is_encrypted), (9, true));
    }
}
