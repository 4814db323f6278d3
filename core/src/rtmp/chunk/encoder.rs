//! Messages to chunks.

use super::header::{EXTENDED, MAX_HEADER_LEN, MessageHeader};
use super::{ChunkError, ChunkSize, ChunkStreamId, MAX_MESSAGE_LEN, Message, MessageStreamId, MessageTypeId};
use crate::output::Payload;
use crate::{Output, Timestamp};
use bytes::BufMut;

/// Chunk streams 2 to 8, all that this crate writes to, are remembered for timestamp deltas. Messages on others always
/// have type 0 headers.
const REMEMBERED: usize = 7;

/// Cuts messages into chunks. RTMP 1.0 §5.3.
///
/// Each message is finished before the next begins: some players join chunks without looking at the csid.
#[derive(Debug, Default)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct ChunkEncoder {
    chunk_size: ChunkSize,
    /// The message stream and timestamp of the last message on each chunk stream.
    last: [Option<(MessageStreamId, Timestamp)>; REMEMBERED],
}

impl ChunkEncoder {
    /// An encoder at the start of a connection: chunks of [`ChunkSize::DEFAULT`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[cfg(feature = "server")]
    pub(crate) const fn chunk_size(&self) -> ChunkSize {
        self.chunk_size
    }

    /// Announces `size` with a Set Chunk Size message and cuts all later messages to it.
    ///
    /// Do so once, before the first reply. An encoder such as OBS stops reading what we say once it publishes, so a
    /// later change would make it lose the framing.
    ///
    /// RTMP 1.0 §5.4.1.
    pub fn set_chunk_size(&mut self, size: ChunkSize, out: &mut Output) {
        self.encode_control(MessageTypeId::SET_CHUNK_SIZE, &size.get().to_be_bytes(), out);
        self.chunk_size = size;
    }

    /// Encodes a control message, which is a few bytes on the stack: they are copied, and nothing is allocated.
    ///
    /// RTMP 1.0 §5.4: chunk stream 2, message stream 0, and a timestamp that nobody looks at.
    pub(crate) fn encode_control(&mut self, type_id: MessageTypeId, payload: &[u8], out: &mut Output) {
        let (csid, msid) = (ChunkStreamId::CONTROL, MessageStreamId::CONTROL);
        let begun = self.begin(csid, msid, type_id, Timestamp::ZERO, payload.len(), out);
        debug_assert!(begun.is_ok(), "no control message has more than 10 bytes");
        for (index, piece) in payload.chunks(self.chunk_size.get() as usize).enumerate() {
            if index > 0 {
                write_header(MessageHeader::Type3, csid, None, out);
            }
            out.write(piece);
        }
    }

    /// Encodes `message` as chunks and appends them to `out`. See [`encode_media`](Self::encode_media).
    ///
    /// # Errors
    /// As `encode_media`.
    pub fn encode(&mut self, message: &Message, out: &mut Output) -> Result<(), ChunkError> {
        let Message {
            csid,
            msid,
            type_id,
            timestamp,
            ref payload,
        } = *message;
        self.encode_media(csid, msid, type_id, timestamp, payload, out)
    }

    /// Encodes a message given by its parts, so that a relay needs no [`Message`] for each player.
    ///
    /// Below 0xFFFFFF ms (4 h 39 min) the first chunk has a type 0 header, so that no message depends on another. From
    /// there on it has a type 1 header with a timestamp delta wherever one is possible, because many players cannot
    /// read the extended timestamp that type 0 would need. Later chunks have type 3 headers, which repeat an extended
    /// timestamp.
    ///
    /// The payload is one buffer, or a [`Payload`] of two parts. Chunks are cut as if these were one; the head is copied, and
    /// pieces of the body of [`INLINE_BELOW`](crate::output::INLINE_BELOW) bytes and more are queued by reference: one
    /// reference count each. Nothing is allocated once `out` has grown.
    ///
    /// # Errors
    /// [`ChunkError::MessageTooLarge`] if the payload exceeds 16,777,215 bytes, the most that the 24-bit length field
    /// can say; `out` is then unchanged.
    ///
    /// RTMP 1.0 §5.3.1. Types 1 and 2 would save 4 or 8 bytes and tie the message to the one before it.
    pub fn encode_media<'a>(
        &mut self,
        csid: ChunkStreamId,
        msid: MessageStreamId,
        type_id: MessageTypeId,
        timestamp: Timestamp,
        payload: impl Into<Payload<'a>>,
        out: &mut Output,
    ) -> Result<(), ChunkError> {
        let payload = payload.into();
        let extended = self.begin(csid, msid, type_id, timestamp, payload.len(), out)?;
        if payload.len() <= self.chunk_size.get() as usize {
            out.write_payload(payload);
            return Ok(());
        }
        self.write_chunks(csid, extended, payload, out);
        Ok(())
    }

    /// Writes what is behind the header of the first of several chunks.
    fn write_chunks(&self, csid: ChunkStreamId, extended: Option<u32>, mut payload: Payload<'_>, out: &mut Output) {
        let chunk_size = self.chunk_size.get() as usize;
        out.write_payload(payload.split_to(chunk_size));
        while !payload.is_empty() {
            write_header(MessageHeader::Type3, csid, extended, out);
            out.write_payload(payload.split_to(chunk_size));
        }
    }

    /// Writes the header of a message's first chunk. Returns the extended timestamp that its later chunks repeat.
    fn begin(
        &mut self,
        csid: ChunkStreamId,
        msid: MessageStreamId,
        type_id: MessageTypeId,
        timestamp: Timestamp,
        len: usize,
        out: &mut Output,
    ) -> Result<Option<u32>, ChunkError> {
        let length = match u32::try_from(len) {
            Ok(length @ ..=MAX_MESSAGE_LEN) => length,
            _ => {
                return Err(ChunkError::MessageTooLarge {
                    csid,
                    len,
                    max: MAX_MESSAGE_LEN as usize,
                });
            }
        };
        let millis = timestamp.as_millis();
        let (first, extended) = match self.delta(csid, msid, timestamp) {
            Some(time) if millis >= EXTENDED => (MessageHeader::Type1 { time, length, type_id }, None),
            _ => {
                let time = millis.min(EXTENDED);
                let first = MessageHeader::Type0 {
                    time,
                    length,
                    type_id,
                    msid,
                };
                (first, (time == EXTENDED).then_some(millis))
            }
        };
        write_header(first, csid, extended, out);
        Ok(extended)
    }

    /// The timestamp delta to the previous message of the same chunk and message stream, if there was one, time did not
    /// step back, and the delta fits the 24-bit field. Remembers this message instead.
    #[expect(clippy::arithmetic_side_effects, reason = "the lowest chunk stream ID is 2")]
    fn delta(&mut self, csid: ChunkStreamId, msid: MessageStreamId, timestamp: Timestamp) -> Option<u32> {
        // The lowest chunk stream ID is 2.
        let last = self.last.get_mut((csid.get() - 2) as usize)?;
        let (last_msid, last_timestamp) = last.replace((msid, timestamp))?;
        let delta = u32::try_from(timestamp.since(last_timestamp)).ok()?;
        (last_msid == msid && delta < EXTENDED).then_some(delta)
    }
}

#[expect(clippy::arithmetic_side_effects, reason = "what is free is a part of the buffer")]
fn write_header(header: MessageHeader, csid: ChunkStreamId, extended: Option<u32>, out: &mut Output) {
    let mut buffer = [0; MAX_HEADER_LEN];
    let mut free = buffer.as_mut_slice();
    header.write(csid, &mut free);
    if let Some(time) = extended {
        free.put_u32(time);
    }
    let len = MAX_HEADER_LEN - free.len();
    out.write(buffer.get(..len).unwrap_or_default());
}
