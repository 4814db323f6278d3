//! Aggregate messages: several messages in one, laid out as FLV tags.

use crate::Timestamp;
use crate::rtmp::chunk::{Message, MessageTypeId};
use core::iter;

/// The audio, video and data messages inside an aggregate message, in order. RTMP 1.0 §7.1.6, whose figure has the
/// fields in the wrong order; Flash Media Server and edge relays send FLV tags (FLV 10.1 §E.4.1).
///
/// Each part takes the chunk stream and message stream of the aggregate. The first part has the aggregate's timestamp,
/// the others follow at the distances that their own timestamps have. Other types, aggregates among them, are left out;
/// a part that reaches past the end is the end. Payloads share the aggregate's buffer: O(1) a part, nothing is copied. A session
/// copies them, so that one that is kept does not keep the others.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The aggregate, its payload cut down to what is left.
    rest: Message,
    /// The time of the first part, as it says itself.
    first: Option<Timestamp>,
    /// Bytes of the aggregate.
    len: usize,
}

impl Parts {
    /// The parts of `aggregate`, whatever its type says.
    #[must_use]
    pub const fn new(aggregate: Message) -> Parts {
        Parts {
            len: aggregate.payload.len(),
            rest: aggregate,
            first: None,
        }
    }

    /// Bytes of memory held, beside itself.
    pub(crate) const fn held_memory(&self) -> usize {
        self.len
    }

    /// Whether parts of this type are not left out.
    pub(crate) const fn may_have(type_id: MessageTypeId) -> bool {
        matches!(
            type_id,
            MessageTypeId::AUDIO | MessageTypeId::VIDEO | MessageTypeId::DATA_AMF3 | MessageTypeId::DATA_AMF0
        )
    }

    /// Cuts off one part, of any type: those that are left out are work too.
    pub(crate) fn cut(&mut self) -> Option<Message> {
        let (header, _) = self.rest.payload.split_first_chunk::<HEADER_LEN>()?;
        let [type_id, size @ .., t1, t2, t3, t0, _, _, _] = *header;
        let [s1, s2, s3] = size;
        let size = u32::from_be_bytes([0, s1, s2, s3]) as usize;
        let timestamp = Timestamp::from_millis(u32::from_be_bytes([t0, t1, t2, t3]));
        let end = HEADER_LEN.saturating_add(size);
        if end > self.rest.payload.len() {
            return None;
        }
        let mut part = self.rest.payload.split_to(end);
        // The back pointer says what we know. The last one may be missing.
        let back_pointer = BACK_POINTER_LEN.min(self.rest.payload.len());
        drop(self.rest.payload.split_to(back_pointer));

        let first = *self.first.get_or_insert(timestamp);
        let distance = timestamp.as_millis().wrapping_sub(first.as_millis());
        Some(Message {
            type_id: MessageTypeId(type_id),
            timestamp: self.rest.timestamp.wrapping_add(distance),
            payload: part.split_off(HEADER_LEN),
            ..self.rest
        })
    }
}

impl Iterator for Parts {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        iter::from_fn(|| self.cut()).find(|part| Parts::may_have(part.type_id))
    }
}

impl iter::FusedIterator for Parts {}

const HEADER_LEN: usize = 11;
const BACK_POINTER_LEN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtmp::chunk::{ChunkStreamId, MessageStreamId};
    use alloc::vec::Vec;
    use bytes::Bytes;
    use quickcheck::quickcheck;

    /// Audio at 100 and video at 140, one byte each.
    const TWO: &[u8] = b"\x08\0\0\x01\0\0\x64\0\0\0\0\xAF\0\0\0\x0C\x09\0\0\x01\0\0\x8C\0\0\0\0\x27\0\0\0\x0C";

    fn aggregate(timestamp: u32, payload: impl Into<Bytes>) -> Message {
        Message {
            csid: ChunkStreamId::VIDEO,
            msid: MessageStreamId(1),
            type_id: MessageTypeId::AGGREGATE,
            timestamp: Timestamp::from_millis(timestamp),
            payload: payload.into(),
        }
    }

    fn parts(timestamp: u32, payload: &[u8]) -> Vec<(u8, u32, Vec<u8>)> {
        Parts::new(aggregate(timestamp, payload.to_vec()))
            .map(|part| (part.type_id.0, part.timestamp.as_millis(), part.payload.to_vec()))
            .collect()
    }

    #[test]
    fn parts_keep_their_distances_from_the_aggregates_time() {
        let audio = (8, 5_000, [0xAF].to_vec());
        assert_eq!(parts(5_000, TWO), [audio, (9, 5_040, [0x27].to_vec())]);
        let wrapped = parts(u32::MAX - 9, TWO);
        assert_eq!((wrapped[0].1, wrapped[1].1), (u32::MAX - 9, 30));
    }

    #[test]
    fn parts_travel_on_the_aggregates_streams_and_share_its_buffer() {
        let aggregate = aggregate(0, TWO.to_vec());
        let part = Parts::new(aggregate.clone()).next().unwrap();
        assert_eq!((part.csid, part.msid), (aggregate.csid, aggregate.msid));
        assert_eq!(part.payload.as_ptr(), aggregate.payload[HEADER_LEN..].as_ptr());
    }

    #[test]
    fn the_high_byte_of_a_time_comes_last() {
        let mut payload = TWO.to_vec();
        payload[16 + 7] = 1;
        assert_eq!(parts(0, &payload)[1].1, 0x0100_0000 + 40);
    }

    #[test]
    fn only_media_and_data_come_out() {
        for type_id in [0, 1, 4, 17, 20, 22, 23] {
            let mut payload = TWO.to_vec();
            payload[0] = type_id;
            // Left out, the first part still is what time is measured from.
            assert_eq!(parts(5_000, &payload), [(9, 5_040, [0x27].to_vec())]);
        }
    }

    #[test]
    fn a_part_cut_short_is_the_end() {
        for cut in 0..TWO.len() {
            // Back pointers are not needed.
            let whole = usize::from(cut >= 12) + usize::from(cut >= 28);
            assert_eq!(parts(0, &TWO[..cut]).len(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn back_pointers_may_lie() {
        let mut payload = TWO.to_vec();
        payload[12..16].fill(0xFF);
        assert_eq!(parts(5_000, &payload), parts(5_000, TWO));
    }

    quickcheck! {
        fn any_bytes_come_to_an_end(timestamp: u32, payload: Vec<u8>) -> bool {
            let len = payload.len();
            let mut parts = Parts::new(aggregate(timestamp, payload));
            let taken: usize = parts.by_ref().map(|part| part.payload.len() + HEADER_LEN).sum();
            taken <= len && parts.next().is_none()
        }
    }
}
