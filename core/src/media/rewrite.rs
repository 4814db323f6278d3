//! Other forms of a frame's payload.

use super::TrackPart;
use crate::output::Payload;
use bytes::Bytes;
use core::ops::Range;

/// A frame's payload in another form: a few bytes of its own in front of a part of what came.
///
/// [`TrackPart::behind`] makes it, once for all players that get this form. For each, [`of`](Self::of) is the payload that
/// [`encode_media`](crate::rtmp::chunk::ChunkEncoder::encode_media) and [`FlvWriter::tag`](crate::flv::FlvWriter::tag) write.
///
/// Cost: 32 bytes, no reference to the payload, no allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    head: [u8; Self::MAX_HEAD_LEN],
    head_len: u8,
    body: Range<usize>,
}

impl Rewrite {
    /// The longest head. 15: the longest that there is any use for is that of a picture of one track out of several in
    /// Enhanced RTMP, 10 bytes.
    pub const MAX_HEAD_LEN: usize = 15;

    /// This form of `payload`, which must be the one that it was made for: of a shorter one that has no such part, it is the
    /// head alone.
    #[must_use]
    pub fn of<'a>(&'a self, payload: &'a Bytes) -> Payload<'a> {
        let head = self.head.get(..usize::from(self.head_len)).unwrap_or_default();
        Payload::new(head, payload, self.body.clone()).unwrap_or(Payload::of_head(head, payload))
    }
}

impl TrackPart<'_> {
    /// The body of this track with `head` in front of it, as a message of its own. A head of more than
    /// [`Rewrite::MAX_HEAD_LEN`] bytes does not compile. O(1).
    #[must_use]
    pub fn behind<const N: usize>(&self, head: [u8; N]) -> Rewrite {
        const { assert!(N <= Rewrite::MAX_HEAD_LEN, "the head is too long") };
        let mut bytes = [0; Rewrite::MAX_HEAD_LEN];
        for (to, from) in bytes.iter_mut().zip(head) {
            *to = from;
        }
        Rewrite {
            head: bytes,
            head_len: N.to_le_bytes()[0],
            body: self.range(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Frame, Timestamp};

    #[test]
    fn a_rewrite_of_a_shorter_payload_is_its_head() {
        let frame = Frame::video(Timestamp::ZERO, Bytes::from_static(b"\x91hvc1\0\0\x28abc"));
        let part = frame.tracks().next().unwrap().unwrap();
        let rewrite = part.behind(*b"head:");
        assert_eq!(rewrite.of(&frame.payload).to_bytes(), "head:abc");
        assert_eq!(rewrite.of(&Bytes::from_static(b"\x91hvc1")).to_bytes(), "head:");
        assert_eq!(part.behind([]).of(&frame.payload).to_bytes(), "abc");
    }
}
