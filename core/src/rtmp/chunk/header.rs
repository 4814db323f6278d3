//! The header of one chunk, as the wire has it: nothing inherited yet. RTMP 1.0 §5.3.1.

use super::{ChunkStreamId, MAX_MESSAGE_LEN, MessageStreamId, MessageTypeId};
use bytes::BufMut;

/// The most bytes a header can have: 3 of basic header, 11 of message header, 4 of extended timestamp.
pub(super) const MAX_HEADER_LEN: usize = 18;

/// The value of the 24-bit time field that says: the time is in the extended timestamp. RTMP 1.0 §5.3.1.3.
pub(super) const EXTENDED: u32 = 0x00FF_FFFF;

/// The four message headers. `time` is the 24-bit field: a timestamp in type 0, a timestamp delta in types 1 and 2.
/// RTMP 1.0 §5.3.1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageHeader {
    Type0 {
        time: u32,
        length: u32,
        type_id: MessageTypeId,
        msid: MessageStreamId,
    },
    Type1 {
        time: u32,
        length: u32,
        type_id: MessageTypeId,
    },
    Type2 {
        time: u32,
    },
    Type3,
}

impl MessageHeader {
    /// Reads basic header and message header from the front of `bytes` and returns what follows them; `None` if `bytes`
    /// end first. Basic headers longer than necessary are accepted.
    #[inline]
    pub(super) fn parse(bytes: &[u8]) -> Option<(ChunkStreamId, MessageHeader, &[u8])> {
        let (&first, bytes) = bytes.split_first()?;
        let (csid, bytes) = match first & 0x3F {
            0 => {
                let (&[low], bytes) = bytes.split_first_chunk()?;
                (64 + u32::from(low), bytes)
            }
            1 => {
                let (&pair, bytes) = bytes.split_first_chunk()?;
                (64 + u32::from(u16::from_le_bytes(pair)), bytes)
            }
            csid => (u32::from(csid), bytes),
        };
        let (header, bytes) = match first >> 6 {
            0 => {
                let (&[t0, t1, t2, l0, l1, l2, type_id, m0, m1, m2, m3], bytes) = bytes.split_first_chunk()?;
                let header = MessageHeader::Type0 {
                    time: u32::from_be_bytes([0, t0, t1, t2]),
                    length: u32::from_be_bytes([0, l0, l1, l2]),
                    type_id: MessageTypeId(type_id),
                    msid: MessageStreamId(u32::from_le_bytes([m0, m1, m2, m3])),
                };
                (header, bytes)
            }
            1 => {
                let (&[t0, t1, t2, l0, l1, l2, type_id], bytes) = bytes.split_first_chunk()?;
                let header = MessageHeader::Type1 {
                    time: u32::from_be_bytes([0, t0, t1, t2]),
                    length: u32::from_be_bytes([0, l0, l1, l2]),
                    type_id: MessageTypeId(type_id),
                };
                (header, bytes)
            }
            2 => {
                let (&[t0, t1, t2], bytes) = bytes.split_first_chunk()?;
                let time = u32::from_be_bytes([0, t0, t1, t2]);
                (MessageHeader::Type2 { time }, bytes)
            }
            _ => (MessageHeader::Type3, bytes),
        };
        Some((ChunkStreamId(csid), header, bytes))
    }

    /// Appends basic header (in its shortest form) and message header.
    #[inline]
    #[expect(clippy::arithmetic_side_effects, reason = "at least 64 by its arm")]
    pub(super) fn write(self, csid: ChunkStreamId, out: &mut impl BufMut) {
        let format: u8 = match self {
            MessageHeader::Type0 { .. } => 0,
            MessageHeader::Type1 { .. } => 1,
            MessageHeader::Type2 { .. } => 2,
            MessageHeader::Type3 => 3,
        };
        // A `ChunkStreamId` is 2 to 65,599, so what is left of it fits.
        match csid.get() {
            csid @ 0..=63 => out.put_u8(format << 6 | csid.to_le_bytes()[0]),
            csid @ 64..=319 => out.put_slice(&[format << 6, (csid - 64).to_le_bytes()[0]]),
            csid => {
                let [low, high, ..] = (csid - 64).to_le_bytes();
                out.put_slice(&[format << 6 | 1, low, high]);
            }
        }
        match self {
            MessageHeader::Type0 {
                time,
                length,
                type_id,
                msid,
            } => {
                put_u24(out, time);
                put_u24(out, length);
                out.put_u8(type_id.0);
                out.put_u32_le(msid.0);
            }
            MessageHeader::Type1 { time, length, type_id } => {
                put_u24(out, time);
                put_u24(out, length);
                out.put_u8(type_id.0);
            }
            MessageHeader::Type2 { time } => put_u24(out, time),
            MessageHeader::Type3 => {}
        }
    }

    /// The time field; none in type 3.
    #[inline]
    pub(super) const fn time(self) -> Option<u32> {
        match self {
            MessageHeader::Type0 { time, .. } | MessageHeader::Type1 { time, .. } | MessageHeader::Type2 { time } => {
                Some(time)
            }
            MessageHeader::Type3 => None,
        }
    }
}

fn put_u24(out: &mut impl BufMut, value: u32) {
    debug_assert!(value <= MAX_MESSAGE_LEN, "{value} needs more than 24 bits");
    let [_, high, middle, low] = value.to_be_bytes();
    out.put_slice(&[high, middle, low]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn written(csid: u32, header: MessageHeader) -> Vec<u8> {
        let mut bytes = Vec::new();
        header.write(ChunkStreamId::new(csid).unwrap(), &mut bytes);
        bytes
    }

    #[test]
    fn chunk_stream_ids_in_their_three_forms() {
        let type3 = |csid| written(csid, MessageHeader::Type3);
        assert_eq!(type3(2), [0xC2]);
        assert_eq!(type3(63), [0xFF]);
        assert_eq!(type3(64), [0xC0, 0x00]);
        assert_eq!(type3(319), [0xC0, 0xFF]);
        assert_eq!(type3(320), [0xC1, 0x00, 0x01], "low byte first");
        assert_eq!(type3(65_599), [0xC1, 0xFF, 0xFF]);
    }

    #[test]
    fn longer_form_than_necessary_is_accepted() {
        let (csid, ..) = MessageHeader::parse(&[0xC1, 5, 0]).unwrap();
        assert_eq!(csid.get(), 69);
    }

    #[test]
    fn every_header_reads_back_and_every_prefix_is_incomplete() {
        let (time, length, type_id) = (0x0001_0203, 0x0004_0506, MessageTypeId(9));
        let msid = MessageStreamId(0x0708_090A);
        for header in [
            MessageHeader::Type0 {
                time,
                length,
                type_id,
                msid,
            },
            MessageHeader::Type1 { time, length, type_id },
            MessageHeader::Type2 { time },
            MessageHeader::Type3,
        ] {
            for csid in [2, 3, 63, 64, 319, 320, 65_599] {
                let mut bytes = written(csid, header);
                for end in 0..bytes.len() {
                    assert_eq!(MessageHeader::parse(&bytes[..end]), None);
                }
                bytes.push(0xEE);
                let csid = ChunkStreamId::new(csid).unwrap();
                assert_eq!(MessageHeader::parse(&bytes), Some((csid, header, &[0xEE][..])));
            }
        }
    }
}
