//! The muxer: frames in, FLV bytes out.

use super::{FileHeader, PREVIOUS_TAG_SIZE_LEN, TagFlags, TagHeader};
use crate::output::Payload;
use crate::{Frame, FrameAt, FrameKind, Output, Timestamp};

/// Writes an FLV stream into an [`Output`]: [`header`](Self::header) once, then [`frame`](Self::frame) for each frame.
///
/// It keeps no state, so one stream may be written from several places and any frame may be left out.
#[derive(Debug)]
pub struct FlvWriter;

impl FlvWriter {
    /// Bytes that [`header`](Self::header) writes.
    pub const HEADER_LEN: usize = FileHeader::LEN + PREVIOUS_TAG_SIZE_LEN;

    /// Appends the file header and the previous tag size in front of the first tag.
    pub fn header(flags: TagFlags, out: &mut Output) {
        out.write(&FileHeader::from(flags).write());
        out.write(&[0; PREVIOUS_TAG_SIZE_LEN]);
    }

    /// Appends `frame` as a tag. See [`tag`](Self::tag).
    pub fn frame<'a>(frame: impl Into<FrameAt<'a>>, out: &mut Output) {
        let FrameAt { frame, timestamp } = frame.into();
        Self::tag(frame.kind, timestamp, &frame.payload, out);
    }

    /// Appends a tag: eleven header bytes, the payload (by reference from 256 bytes on; of a [`Payload`] with a head, that is
    /// copied) and the tag's size.
    ///
    /// The size counts as "previous" for the tag that follows, yet goes out at once: players such as mpegts.js hold a
    /// tag back until they have those four bytes, and would show every frame one frame late.
    ///
    /// The payload must not exceed [`TagHeader::MAX_DATA_SIZE`]; none that came in an RTMP message or an FLV tag does.
    #[expect(clippy::arithmetic_side_effects, reason = "`data_size` gives at most 24 bits")]
    pub fn tag<'a>(kind: FrameKind, timestamp: Timestamp, payload: impl Into<Payload<'a>>, out: &mut Output) {
        let payload = payload.into();
        let data_size = data_size(payload.len());
        let header = TagHeader {
            tag_type: kind.type_id(),
            is_encrypted: false,
            data_size,
            timestamp,
        };
        let header = header.write();
        out.write(&header);
        out.write_payload(payload);
        out.write(&(data_size + HEADER_LEN).to_be_bytes());
    }

    /// Bytes that [`frame`](Self::frame) writes for `frame`: what an HTTP chunk around the tag has to announce.
    #[must_use]
    pub fn frame_len(frame: &Frame) -> usize {
        Self::tag_len(&frame.payload)
    }

    /// Bytes that [`tag`](Self::tag) writes.
    #[must_use]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a payload and 15 bytes are in memory at once"
    )]
    pub fn tag_len<'a>(payload: impl Into<Payload<'a>>) -> usize {
        TagHeader::LEN + payload.into().len() + PREVIOUS_TAG_SIZE_LEN
    }
}

fn data_size(len: usize) -> u32 {
    let size = u32::try_from(len).unwrap_or(u32::MAX);
    debug_assert!(
        size <= TagHeader::MAX_DATA_SIZE,
        "a payload of {size} bytes fits no tag"
    );
    size.min(TagHeader::MAX_DATA_SIZE)
}

/// [`TagHeader::LEN`] as the wire counts it.
const HEADER_LEN: u32 = 11;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use bytes::{Buf, Bytes};

    fn written(write: impl FnOnce(&mut Output)) -> Bytes {
        let mut out = Output::new();
        write(&mut out);
        out.copy_to_bytes(out.remaining())
    }

    #[test]
    fn header_is_followed_by_a_previous_tag_size_of_zero() {
        let flags = TagFlags {
            audio: true,
            video: true,
        };
        let bytes = written(|out| FlvWriter::header(flags, out));
        assert_eq!(&bytes[..], b"FLV\x01\x05\0\0\0\x09\0\0\0\0");
        assert_eq!(bytes.len(), FlvWriter::HEADER_LEN);
    }

    #[test]
    fn tags_end_with_their_size() {
        let frame = Frame::audio(Timestamp::ZERO, Bytes::from_static(b"\xAF\x00\x12\x10"));
        let bytes = written(|out| FlvWriter::frame(&frame, out));
        assert_eq!(&bytes[..], b"\x08\0\0\x04\0\0\0\0\0\0\0\xAF\x00\x12\x10\0\0\0\x0F");
        assert_eq!(bytes.len(), FlvWriter::frame_len(&frame));

        let frame = Frame::video(Timestamp::from_millis(400), Bytes::from_static(b"\x17\x02\0\0\0"));
        let bytes = written(|out| FlvWriter::frame(&frame, out));
        assert_eq!(&bytes[..], b"\x09\0\0\x05\0\x01\x90\0\0\0\0\x17\x02\0\0\0\0\0\0\x10");
    }

    #[test]
    fn large_payloads_are_not_copied() {
        let payload = Bytes::from(vec![7; 300]);
        let mut out = Output::new();
        FlvWriter::frame(&Frame::video(Timestamp::ZERO, payload.clone()), &mut out);
        out.advance(TagHeader::LEN);
        assert_eq!(out.chunk().as_ptr(), payload.as_ptr());
    }
}
