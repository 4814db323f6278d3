//! Chunks to messages.

use super::header::{EXTENDED, MAX_HEADER_LEN, MessageHeader};
use super::{ChunkError, ChunkSize, ChunkStreamId, Message, MessageStreamId, MessageTypeId};
use crate::{Limits, Timestamp};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::mem;

/// What is reserved for a message before its bytes are there. 64 KiB: nearly every message fits, and a peer that
/// announces more than it sends makes us hold little.
const FIRST_RESERVE: usize = 64 << 10;

/// How many times the bytes of a longer message are reserved that have come so far. 4: while a message of 1 MB grows, a third of
/// it is moved, and no peer makes us hold much more than it has sent.
const GROWTH: usize = 4;

/// The most bytes of a protocol or user control message. Real ones have at most 10.
const MAX_CONTROL_LEN: u32 = 4 << 10;

/// Control messages up to this length share one buffer, which stays. All that mean something to us are shorter.
const SHORT_CONTROL_LEN: u32 = 16;

/// Joins chunks to messages. RTMP 1.0 §5.3.
///
/// A push parser: it keeps no receive buffer, only a header that was cut off (at most 18 bytes) and one buffer for each
/// message under way. What it gives out depends on the bytes alone, never on how they were cut into calls.
///
/// Cost: each payload byte is copied once, each message allocates its payload and nothing else (the reference count
/// comes with the first clone). Control messages allocate nothing, as long as each is dropped before the next is
/// decoded. A message of more than 64 KiB may be moved while it grows: what is held of it is never more than four times
/// what has come. Work is linear in the bytes, also with chunks of one byte.
#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct ChunkDecoder {
    max_message_len: u32,
    max_command_len: u32,
    max_chunk_streams: usize,
    max_buffered_bytes: usize,

    chunk_size: ChunkSize,
    streams: Vec<ChunkStream>,
    /// Index of the stream whose chunk is under way.
    current: usize,
    /// Bytes of payload missing in that chunk; 0 before a header.
    chunk_left: usize,
    /// The start of a header whose end has not come yet.
    scratch: [u8; MAX_HEADER_LEN],
    scratch_len: usize,
    repeats: Repeats,

    /// Where short control messages are joined, one at a time.
    control: Vec<u8>,
    /// Where they are given out from: what was given out and dropped is free for the next.
    #[cfg_attr(feature = "server", serde(skip))]
    control_out: BytesMut,
    /// Capacity of all payload buffers.
    reserved: usize,
    bytes_received: u64,
    chunks_received: u64,
    #[cfg_attr(feature = "server", serde(skip))]
    failed: Option<ChunkError>,
}

/// What later headers of a chunk stream inherit, and its message under way.
#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
struct ChunkStream {
    csid: ChunkStreamId,
    msid: MessageStreamId,
    type_id: MessageTypeId,
    length: u32,
    timestamp: Timestamp,
    /// The time last read, from the 24-bit field or its extension: a timestamp after type 0, else a delta.
    time: u32,
    /// Whether `time` came from a type 0 header.
    is_absolute: bool,
    /// Whether `time` needed the extension, so that type 3 headers may repeat it.
    is_extended: bool,
    /// The payload so far. Not empty between two chunks: the message goes on.
    #[cfg_attr(feature = "server", serde(skip))]
    payload: Vec<u8>,
}

/// Whether the peer repeats an extended timestamp in the type 3 headers that continue a message.
///
/// RTMP 1.0 (2012) says so; its draft of 2009 said the opposite, and librtmp and what was built on it follow the draft.
/// Two chunks that agree settle it for the connection, so that from then on no payload can be taken for a timestamp.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
enum Repeats {
    Unknown,
    Once(bool),
    Settled(bool),
}

/// A whole header, with what only this decoder could tell about it.
struct ChunkHeader {
    csid: ChunkStreamId,
    /// Index of its stream; `None` if it is new.
    stream: Option<usize>,
    message: MessageHeader,
    /// The extended timestamp.
    extended: Option<u32>,
    /// In bytes, all parts together.
    len: usize,
}

impl ChunkDecoder {
    /// A decoder at the start of a connection, after the handshake.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        ChunkDecoder {
            max_message_len: limits.max_message_len,
            max_command_len: limits.max_command_len,
            max_chunk_streams: limits.max_chunk_streams,
            max_buffered_bytes: limits.max_buffered_bytes,
            chunk_size: ChunkSize::DEFAULT,
            streams: Vec::new(),
            current: 0,
            chunk_left: 0,
            scratch: [0; MAX_HEADER_LEN],
            scratch_len: 0,
            repeats: Repeats::Unknown,
            control: Vec::new(),
            control_out: BytesMut::new(),
            reserved: 0,
            bytes_received: 0,
            chunks_received: 0,
            failed: None,
        }
    }

    /// Consumes from the front of `input`, stopping after the first message. `Ok(None)` means that all of `input` was
    /// taken. Call it again until then.
    ///
    /// Set Chunk Size and Abort are applied at once, because they change the framing, and reported as well. Unknown
    /// message types pass through.
    ///
    /// # Errors
    /// Any [`ChunkError`]: the framing is lost, and every later call returns the same error.
    ///
    /// RTMP 1.0 §5.3 and §5.4.1-2. More lenient than it in three points: a chunk stream may open with a type 1 header
    /// (librtmp pings), a message may be continued with a header of another type that repeats its length, type and
    /// message stream, and type 3 headers need not repeat an extended timestamp.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "2^64 bytes do not come, and no step makes the input longer"
    )]
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let offered = input.len();
        let result = self.step(input);
        self.bytes_received += (offered - input.len()) as u64;
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    /// Bytes taken from all inputs so far. An Acknowledgement says the low 32 bits of it.
    #[must_use]
    pub const fn bytes_received(&self) -> u64 {
        self.bytes_received
    }

    /// Chunks begun so far: what to charge a peer for that sends very small ones.
    #[must_use]
    pub const fn chunks_received(&self) -> u64 {
        self.chunks_received
    }

    /// Whether the bytes so far end exactly where a chunk ends.
    #[must_use]
    pub const fn is_at_chunk_border(&self) -> bool {
        self.chunk_left == 0 && self.scratch_len == 0
    }

    /// Bytes of unfinished messages received so far.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.streams.iter().map(|stream| stream.payload.len()).sum()
    }

    /// Those among them that are media.
    pub(crate) fn media_under_way(&self) -> usize {
        let media = self.streams.iter().filter(|stream| stream.type_id.is_media());
        media.map(|stream| stream.payload.len()).sum()
    }

    /// Bytes so far of the sound or pictures that the next byte goes on with; 0 if it is something else.
    #[cfg(feature = "server")]
    pub(crate) fn media_so_far(&self) -> usize {
        let is_in_payload = self.chunk_left > 0 && self.scratch_len == 0;
        let stream = self.streams.get(self.current).filter(|_| is_in_payload);
        let media = stream.filter(|stream| stream.type_id.is_media());
        media.map_or(0, |stream| stream.payload.len())
    }

    /// Bytes of memory held: unfinished messages and the state of chunk streams.
    #[must_use]
    #[expect(clippy::arithmetic_side_effects, reason = "what is in memory at once")]
    pub const fn held_memory(&self) -> usize {
        self.reserved + self.streams.capacity() * mem::size_of::<ChunkStream>()
    }

    /// Forgets the messages under way, as nothing is to be decoded any more.
    #[cfg(feature = "server")]
    pub(crate) fn discard(&mut self) {
        self.streams.iter_mut().for_each(|stream| stream.payload = Vec::new());
        self.reserved = 0;
    }

    fn step(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        loop {
            if self.chunk_left == 0 && !self.begin_chunk(input)? {
                return Ok(None);
            }
            if self.scratch_len > 0 {
                // Rare: what might have been an extended timestamp is payload, and perhaps the next header.
                let (scratch, len) = (self.scratch, mem::take(&mut self.scratch_len));
                let mut looked_at = scratch.get(..len).unwrap_or_default();
                self.take_payload(&mut looked_at)?;
                self.keep(looked_at);
            }
            self.take_payload(input)?;
            if self.chunk_left > 0 {
                return Ok(None);
            }
            if let Some(message) = self.finish_message()? {
                return Ok(Some(message));
            }
        }
    }

    /// Takes one header and applies it. `false` if `input` ended before it did.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a header that is carried over is shorter than the longest"
    )]
    fn begin_chunk(&mut self, input: &mut &[u8]) -> Result<bool, ChunkError> {
        let carried = self.scratch_len;
        if carried == 0 {
            let Some(header) = self.parse_header(input)? else {
                self.keep(mem::take(input));
                return Ok(false);
            };
            skip(input, header.len);
            self.apply(&header)?;
            return Ok(true);
        }
        let fresh = input
            .get(..input.len().min(MAX_HEADER_LEN - carried))
            .unwrap_or_default();
        self.keep(fresh);
        let known = self.scratch_len;
        let scratch = self.scratch;
        let Some(header) = self.parse_header(scratch.get(..known).unwrap_or_default())? else {
            skip(input, fresh.len());
            return Ok(false);
        };
        // The header ends within the fresh bytes, or before them where carried bytes turned out to be payload.
        skip(input, header.len.saturating_sub(carried));
        self.scratch_len = 0;
        self.keep(scratch.get(header.len..carried).unwrap_or_default());
        self.apply(&header)?;
        Ok(true)
    }

    /// Reads a header from the front of `bytes`; `None` if they end first, which 18 bytes never do.
    #[expect(clippy::arithmetic_side_effects, reason = "`rest` is what is left of `bytes`")]
    fn parse_header(&self, bytes: &[u8]) -> Result<Option<ChunkHeader>, ChunkError> {
        let Some((csid, message, mut rest)) = MessageHeader::parse(bytes) else {
            return Ok(None);
        };
        let stream = self.streams.iter().position(|stream| stream.csid == csid);
        let is_extended = match message.time() {
            Some(time) => time == EXTENDED,
            None => match stream.and_then(|index| self.streams.get(index)) {
                Some(stream) if stream.is_extended && !stream.payload.is_empty() => {
                    match self.repeats.holds(stream.time, rest) {
                        Some(is_repeated) => is_repeated,
                        None => return Ok(None),
                    }
                }
                Some(stream) => stream.is_extended,
                None => return Err(ChunkError::NothingToInherit { csid }),
            },
        };
        let mut extended = None;
        if is_extended {
            let Some((&time, after)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            extended = Some(u32::from_be_bytes(time));
            rest = after;
        }
        Ok(Some(ChunkHeader {
            csid,
            stream,
            message,
            extended,
            len: bytes.len() - rest.len(),
        }))
    }

    #[expect(
        clippy::arithmetic_side_effects,
        reason = "what is in memory at once, and 2^64 chunks do not come"
    )]
    fn apply(&mut self, header: &ChunkHeader) -> Result<(), ChunkError> {
        let index = match header.stream {
            Some(index) => index,
            None => self.add_stream(header)?,
        };
        let Some(stream) = self.streams.get_mut(index) else {
            return Ok(()); // not reached: it was found or added above
        };
        if stream.payload.is_empty() {
            stream.begin_message(header);
            let max = match stream.type_id.0 {
                _ if is_control(stream.type_id) => MAX_CONTROL_LEN,
                15..=20 => self.max_command_len,
                _ => self.max_message_len,
            };
            if stream.length > max {
                return Err(ChunkError::MessageTooLarge {
                    csid: header.csid,
                    len: stream.length as usize,
                    max: max as usize,
                });
            }
            if stream.is_short_control() {
                stream.payload = mem::take(&mut self.control);
                self.reserved += stream.payload.capacity();
            }
        } else {
            if header.message == MessageHeader::Type3 && stream.is_extended {
                self.repeats.learn(header.extended.is_some());
            }
            stream.continue_message(header)?;
        }
        self.current = index;
        self.chunk_left = stream.missing().min(self.chunk_size.get() as usize);
        self.chunks_received += 1;
        Ok(())
    }

    #[expect(clippy::arithmetic_side_effects, reason = "there is one by then")]
    fn add_stream(&mut self, header: &ChunkHeader) -> Result<usize, ChunkError> {
        let csid = header.csid;
        if matches!(header.message, MessageHeader::Type2 { .. } | MessageHeader::Type3) {
            return Err(ChunkError::NothingToInherit { csid });
        }
        if self.streams.len() >= self.max_chunk_streams {
            let max = self.max_chunk_streams;
            return Err(ChunkError::TooManyChunkStreams { max });
        }
        // Four for most clients: one by one, so that there is no room for more.
        self.streams.reserve_exact(1);
        self.streams.push(ChunkStream {
            csid,
            msid: MessageStreamId::CONTROL,
            type_id: MessageTypeId(0),
            length: 0,
            timestamp: Timestamp::ZERO,
            time: 0,
            is_absolute: false,
            is_extended: false,
            payload: Vec::new(),
        });
        Ok(self.streams.len() - 1)
    }

    /// Moves payload of the chunk under way from the front of `input` into the message.
    #[inline]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a buffer is no longer than its message of 24 bits, and its capacity is in `reserved`"
    )]
    fn take_payload(&mut self, input: &mut &[u8]) -> Result<(), ChunkError> {
        let Some(stream) = self.streams.get_mut(self.current) else {
            return Ok(()); // not reached: a chunk is under way
        };
        let Some((piece, rest)) = input.split_at_checked(self.chunk_left.min(input.len())) else {
            return Ok(()); // not reached: the minimum is at most the length
        };
        let (len, capacity) = (stream.payload.len(), stream.payload.capacity());
        let needed = len + piece.len();
        if needed > capacity {
            // Exactly what the message needs or, where that is much, some times what is there.
            let wanted = needed
                .max(capacity.saturating_mul(GROWTH))
                .max(FIRST_RESERVE)
                .min(stream.length as usize);
            let reserved = self.reserved - capacity + wanted;
            if reserved > self.max_buffered_bytes {
                return Err(ChunkError::TooMuchBuffered {
                    needed: reserved,
                    max: self.max_buffered_bytes,
                });
            }
            stream.payload.reserve_exact(wanted - len);
            self.reserved = self.reserved - capacity + stream.payload.capacity();
        }
        stream.payload.extend_from_slice(piece);
        self.chunk_left -= piece.len();
        *input = rest;
        Ok(())
    }

    /// Gives out the message under way if the chunk that just ended was its last.
    #[inline]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the capacity was added when it was reserved"
    )]
    fn finish_message(&mut self) -> Result<Option<Message>, ChunkError> {
        let Some(stream) = self.streams.get_mut(self.current) else {
            return Ok(None); // not reached: a chunk has ended
        };
        if stream.missing() > 0 {
            return Ok(None);
        }
        let mut payload = mem::take(&mut stream.payload);
        self.reserved -= payload.capacity();
        let payload = if stream.is_short_control() {
            self.control_out.extend_from_slice(&payload);
            payload.clear();
            self.control = payload;
            self.control_out.split().freeze()
        } else {
            Bytes::from(payload)
        };
        let message = Message {
            csid: stream.csid,
            msid: stream.msid,
            type_id: stream.type_id,
            timestamp: stream.timestamp,
            payload,
        };
        match (message.type_id, message.payload.first_chunk()) {
            (MessageTypeId::SET_CHUNK_SIZE, Some(&size)) => {
                let size = u32::from_be_bytes(size);
                self.chunk_size = ChunkSize::new(size).ok_or(ChunkError::InvalidChunkSize { size })?;
            }
            (MessageTypeId::ABORT, Some(&csid)) => self.abort(u32::from_be_bytes(csid)),
            _ => {}
        }
        Ok(Some(message))
    }

    /// Drops the message under way on a chunk stream. What its headers said stays, to be inherited.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the capacity was added when it was reserved"
    )]
    fn abort(&mut self, csid: u32) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.csid.get() == csid) {
            self.reserved -= mem::take(&mut stream.payload).capacity();
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let end = self.scratch_len.saturating_add(bytes.len());
        if let Some(free) = self.scratch.get_mut(self.scratch_len..end) {
            free.copy_from_slice(bytes);
            self.scratch_len = end;
        }
    }
}

impl ChunkStream {
    /// Bytes that the message under way still needs.
    fn missing(&self) -> usize {
        (self.length as usize).saturating_sub(self.payload.len())
    }

    const fn is_short_control(&self) -> bool {
        is_control(self.type_id) && self.length <= SHORT_CONTROL_LEN
    }

    fn begin_message(&mut self, header: &ChunkHeader) {
        match header.message {
            MessageHeader::Type0 {
                length, type_id, msid, ..
            } => {
                self.length = length;
                self.type_id = type_id;
                self.msid = msid;
            }
            MessageHeader::Type1 { length, type_id, .. } => {
                self.length = length;
                self.type_id = type_id;
            }
            MessageHeader::Type2 { .. } | MessageHeader::Type3 => {}
        }
        self.note_time(header);
        let is_timestamp = match header.message {
            // It repeats the last time as a delta, even if that was a timestamp (RTMP 1.0 §5.3.1.2.4; FMLE relies on
            // it). But an extended timestamp is taken for what it looks like: as a delta it would be a jump of hours.
            MessageHeader::Type3 => {
                self.time = header.extended.unwrap_or(self.time);
                self.is_absolute && self.is_extended
            }
            _ => self.is_absolute,
        };
        self.timestamp = if is_timestamp {
            Timestamp::from_millis(self.time)
        } else {
            self.timestamp.wrapping_add(self.time)
        };
    }

    /// Accepts any header that agrees with the message under way. Its time counts only for what later headers inherit.
    fn continue_message(&mut self, header: &ChunkHeader) -> Result<(), ChunkError> {
        let agrees = match header.message {
            MessageHeader::Type0 {
                length, type_id, msid, ..
            } => length == self.length && type_id == self.type_id && msid == self.msid,
            MessageHeader::Type1 { length, type_id, .. } => length == self.length && type_id == self.type_id,
            MessageHeader::Type2 { .. } | MessageHeader::Type3 => true,
        };
        if !agrees {
            return Err(ChunkError::MessageInterrupted {
                csid: self.csid,
                received: self.payload.len(),
                len: self.length,
            });
        }
        self.note_time(header);
        Ok(())
    }

    fn note_time(&mut self, header: &ChunkHeader) {
        if let Some(time) = header.message.time() {
            self.time = header.extended.unwrap_or(time);
            self.is_absolute = matches!(header.message, MessageHeader::Type0 { .. });
            self.is_extended = header.extended.is_some();
        }
    }
}

impl Repeats {
    /// Whether `bytes`, what follows a type 3 header, begin with the extended timestamp `time`; `None` if they end
    /// before that shows. The first byte that differs shows it, so a last short chunk of a peer that does not repeat
    /// the timestamp is not waited for.
    fn holds(self, time: u32, bytes: &[u8]) -> Option<bool> {
        if let Repeats::Settled(is_repeated) = self {
            return Some(is_repeated);
        }
        let time = time.to_be_bytes();
        if time.iter().zip(bytes).any(|(expected, seen)| expected != seen) {
            return Some(false);
        }
        (bytes.len() >= time.len()).then_some(true)
    }

    fn learn(&mut self, is_repeated: bool) {
        *self = match *self {
            Repeats::Settled(known) => Repeats::Settled(known),
            Repeats::Once(before) if before == is_repeated => Repeats::Settled(is_repeated),
            Repeats::Unknown | Repeats::Once(_) => Repeats::Once(is_repeated),
        };
    }
}

/// Protocol control and user control messages: types 1 to 6. RTMP 1.0 §5.4 and §6.2.
const fn is_control(type_id: MessageTypeId) -> bool {
    matches!(type_id.0, 1..=6)
}

fn skip(input: &mut &[u8], count: usize) {
    *input = input.get(count..).unwrap_or_default();
}
