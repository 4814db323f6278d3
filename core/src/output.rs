//! Bytes on their way out.

mod payload;

use payload::Parts;
pub use payload::Payload;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::{Buf, Bytes};
use core::mem;

/// Payloads shorter than this are copied, longer ones are queued by reference. A copy of 256 bytes costs about as much
/// as the bookkeeping of one more segment (h2 settled on the same number).
pub const INLINE_BELOW: usize = 256;

/// Arena bytes and segments for which a drained `Output` keeps room: enough for 128 frames, which is twice what a driver
/// offers to its socket at a time.
const KEPT_ARENA: usize = 16 << 10;
const KEPT_SEGMENTS: usize = 256;

/// Sent bytes at the front of the arena from which on they are worth a move of what is behind them.
const RECLAIMED_ARENA: usize = 1 << 10;

/// Slices that [`Output::write_to`] offers in a call. 64: kernels take more, and gain little by it.
#[cfg(feature = "std")]
const SLICES: usize = 64;

/// Buffers that [`BufferPool`] keeps. 64: as many connections as a driver serves between two looks for input; with what
/// a room may keep that is 1.5 MiB.
const MAX_POOLED: usize = 64;

/// Bytes to write: small pieces in one arena, large payloads by reference.
///
/// [`write_to`](Self::write_to) sends it. It is a [`bytes::Buf`], too: an asynchronous driver offers
/// [`chunks_vectored`](Buf::chunks_vectored) to its socket and calls [`advance`](Buf::advance) with what the kernel took. A writer appends with [`write`](Self::write) (copies) and
/// [`write_shared`](Self::write_shared) (bumps a reference count for [`INLINE_BELOW`] bytes and more).
///
/// Cost: no allocation once arena and segment list have grown to what bursts need. A drained output keeps them up to
/// 24 KiB, or leaves them to others: see [`BufferPool`].
#[derive(Debug, Default)]
pub struct Output {
    /// Some if there are bytes to send, and perhaps afterwards.
    room: Option<Box<Room>>,
    remaining: usize,
    sent: u64,
}

/// The state of an output, for that of a session: its length. No session depends on what it has written.
#[cfg(feature = "server")]
mod state {
    use super::Output;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// More than any session lets wait. 64 MiB: a broken file cannot make its reader take more.
    const MAX_RESTORED: u32 = 64 << 20;

    #[derive(Serialize, Deserialize)]
    struct Lengths {
        waiting: u32,
        sent: u64,
    }

    impl Serialize for Output {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let waiting = u32::try_from(self.len()).unwrap_or(u32::MAX);
            let sent = self.sent;
            Lengths { waiting, sent }.serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for Output {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let Lengths { waiting, sent } = Lengths::deserialize(deserializer)?;
            let mut output = Output { sent, ..Output::new() };
            output.write(&alloc::vec![0; waiting.min(MAX_RESTORED) as usize]);
            Ok(output)
        }
    }
}

/// The memory of an [`Output`].
#[derive(Debug, Default)]
struct Room {
    /// Small pieces, in order. `sent` bytes at its front have been sent.
    arena: Vec<u8>,
    sent: usize,
    segments: VecDeque<Segment>,
    /// What a [`BufferPool`] has counted it with.
    counted: usize,
}

/// Memory that outputs use in turns: one with nothing to send needs none.
///
/// Of many connections few have something to send at a time. With their outputs' memory in common, an idle connection
/// and a player that keeps up own none, and what is written to next is still in the processor's cache.
///
/// Cost: a few dozen instructions for each of the two calls; no allocation while no more than 64 outputs that hold
/// something were given room by [`acquire`](Self::acquire).
#[derive(Debug, Default)]
pub struct BufferPool {
    #[expect(clippy::vec_box, reason = "a room moves between here and an output by its pointer")]
    rooms: Vec<Box<Room>>,
    /// Bytes of the rooms that outputs have.
    used: usize,
}

#[derive(Debug)]
enum Segment {
    /// The next so many bytes of the arena.
    Arena(usize),
    Shared(Bytes),
}

impl Output {
    /// An empty output that owns no memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Output {
            room: None,
            remaining: 0,
            sent: 0,
        }
    }

    /// Whether everything has been sent.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.remaining == 0
    }

    /// Bytes still to send.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.remaining
    }

    /// Pieces that [`chunks_vectored`](Buf::chunks_vectored) has to offer.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.room.as_ref().map_or(0, |room| room.segments.len())
    }

    /// Bytes sent since the beginning.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Counts bytes as sent that went another way.
    #[cfg(feature = "server")]
    pub(crate) const fn note_sent(&mut self, len: usize) {
        self.sent += len as u64;
    }

    /// Bytes written since the beginning, sent or not.
    pub(crate) const fn written(&self) -> u64 {
        self.sent + self.remaining as u64
    }

    /// Changes some of the bytes that were [written](Self::write), from the `position`th on; false if they have been sent.
    /// O(segments).
    pub(crate) fn overwrite(&mut self, position: u64, piece: &[u8]) -> bool {
        let offset = position.checked_sub(self.sent).map(usize::try_from);
        let (Some(Ok(mut offset)), Some(room)) = (offset, &mut self.room) else {
            return false;
        };
        let mut start = room.sent;
        for segment in &room.segments {
            match segment {
                Segment::Arena(len) if offset < *len => {
                    let place = start + offset..start + (offset + piece.len()).min(*len);
                    let place = room.arena.get_mut(place).filter(|place| place.len() == piece.len());
                    return place.map(|place| place.copy_from_slice(piece)).is_some();
                }
                Segment::Arena(len) => {
                    start += len;
                    offset -= len;
                }
                Segment::Shared(payload) if offset < payload.len() => return false,
                Segment::Shared(payload) => offset -= payload.len(),
            }
        }
        false
    }

    /// Appends a copy of `piece`.
    pub fn write(&mut self, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        let room = self.room.get_or_insert_default();
        if room.sent >= RECLAIMED_ARENA && room.sent >= room.arena.len() / 2 {
            // A peer that always lags a little never drains us: reclaim the sent half, amortised O(1) per byte.
            room.arena.drain(..room.sent);
            room.sent = 0;
        }
        room.arena.extend_from_slice(piece);
        match room.segments.back_mut() {
            Some(Segment::Arena(len)) => *len += piece.len(),
            _ => room.segments.push_back(Segment::Arena(piece.len())),
        }
        self.remaining += piece.len();
    }

    /// Appends `payload` by reference, or a copy of it below [`INLINE_BELOW`] bytes.
    pub fn write_shared(&mut self, payload: &Bytes) {
        if payload.len() < INLINE_BELOW {
            self.write(payload);
        } else {
            let room = self.room.get_or_insert_default();
            room.segments.push_back(Segment::Shared(payload.clone()));
            self.remaining += payload.len();
        }
    }

    /// Appends a payload of two parts: a copy of its head, and its body like [`write_shared`](Self::write_shared).
    #[inline]
    pub fn write_payload(&mut self, payload: Payload<'_>) {
        match payload.0 {
            Parts::Whole(whole) => self.write_shared(whole),
            Parts::Two { head, shared, body } => self.write_parts(head, shared, body),
        }
    }

    #[inline(never)]
    fn write_parts(&mut self, head: &[u8], shared: &Bytes, body: &[u8]) {
        self.write(head);
        if body.len() < INLINE_BELOW {
            self.write(body);
        } else {
            self.write_shared(&shared.slice_ref(body));
        }
    }

    /// Writes to `writer` until it has everything, or would block. Returns how many bytes it took; those count as sent, and
    /// the rest waits here for the next call.
    ///
    /// Each call of the writer is offered up to 64 pieces, and nothing is copied or allocated. The bytes are not flushed.
    ///
    /// ```
    /// let mut output = headwater_core::Output::new();
    /// output.write(b"some bytes");
    /// let mut socket = Vec::new();
    /// assert_eq!(output.write_to(&mut socket)?, 10);
    /// assert!(output.is_empty(), "else it goes on once the socket takes bytes again");
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// Those of the writer, but not [`WouldBlock`](std::io::ErrorKind::WouldBlock) and
    /// [`Interrupted`](std::io::ErrorKind::Interrupted); [`WriteZero`](std::io::ErrorKind::WriteZero) if it takes nothing. What
    /// it took before has been sent all the same.
    #[cfg(feature = "std")]
    pub fn write_to(&mut self, writer: &mut impl std::io::Write) -> std::io::Result<usize> {
        use std::io::{ErrorKind, IoSlice};
        let mut written = 0;
        while !self.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.chunks_vectored(&mut slices);
            match writer.write_vectored(slices.get(..filled).unwrap_or_default()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(taken) => {
                    self.advance(taken);
                    written += taken;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Forgets everything that was not sent.
    pub fn clear(&mut self) {
        self.remaining = 0;
        if let Some(room) = &mut self.room {
            room.clear();
        }
    }

    /// Bytes of memory held: arena and segment storage, without what shared payloads refer to.
    #[must_use]
    pub fn held_memory(&self) -> usize {
        self.room.as_ref().map_or(0, |room| room.memory())
    }

    /// The same as its [`BufferPool`] knows it.
    #[cfg(all(feature = "server", debug_assertions))]
    pub(crate) fn counted_memory(&self) -> usize {
        self.room.as_ref().map_or(0, |room| room.counted)
    }
}

impl Room {
    fn memory(&self) -> usize {
        mem::size_of::<Room>() + self.arena.capacity() + self.segments.capacity() * mem::size_of::<Segment>()
    }

    fn clear(&mut self) {
        self.arena.clear();
        self.sent = 0;
        self.segments.clear();
        if self.arena.capacity() > KEPT_ARENA || self.segments.capacity() > KEPT_SEGMENTS {
            self.arena.shrink_to(KEPT_ARENA);
            self.segments.shrink_to(KEPT_SEGMENTS);
        }
    }

    fn piece(&self, offset: usize, len: usize) -> &[u8] {
        self.arena.get(offset..offset.saturating_add(len)).unwrap_or_default()
    }
}

impl BufferPool {
    /// No memory yet.
    #[must_use]
    pub const fn new() -> Self {
        BufferPool {
            rooms: Vec::new(),
            used: 0,
        }
    }

    /// Gives room to `output`, which is about to be written to, if it has none and some is there. Returns whether it had none.
    pub fn acquire(&mut self, output: &mut Output) -> bool {
        let is_new = output.room.is_none();
        if is_new && let Some(room) = self.rooms.pop() {
            self.used += room.counted;
            output.room = Some(room);
        }
        is_new
    }

    /// Takes the room of `output` if nothing is in it, and counts it otherwise.
    pub fn release(&mut self, output: &mut Output) {
        if !output.is_empty() {
            if let Some(room) = &mut output.room {
                let memory = room.memory();
                if memory != room.counted {
                    self.used = self.used + memory - mem::replace(&mut room.counted, memory);
                }
            }
        } else if let Some(room) = output.room.take() {
            self.used -= room.counted;
            if self.rooms.len() < MAX_POOLED {
                self.rooms.push(room);
            }
        }
    }

    /// Bytes of memory that outputs have of it, or have grown beyond it, as of when each was last [released](Self::release): their
    /// own, without what shared payloads refer to. O(1).
    #[must_use]
    pub const fn used_memory(&self) -> usize {
        self.used
    }
}

impl Buf for Output {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        let Some(room) = &self.room else { return &[] };
        match room.segments.front() {
            Some(Segment::Arena(len)) => room.piece(room.sent, *len),
            Some(Segment::Shared(payload)) => payload,
            None => &[],
        }
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, dst: &mut [std::io::IoSlice<'a>]) -> usize {
        let Some(room) = &self.room else { return 0 };
        let mut offset = room.sent;
        let mut filled = 0;
        for (slot, segment) in dst.iter_mut().zip(&room.segments) {
            *slot = std::io::IoSlice::new(match segment {
                Segment::Arena(len) => {
                    let piece = room.piece(offset, *len);
                    offset += len;
                    piece
                }
                Segment::Shared(payload) => payload,
            });
            filled += 1;
        }
        filled
    }

    /// # Panics
    /// If `count` exceeds [`remaining`](Self::remaining), as [`Buf`] demands.
    fn advance(&mut self, mut count: usize) {
        assert!(
            count <= self.remaining,
            "cannot advance {count} bytes, {} remain",
            self.remaining
        );
        self.sent += count as u64;
        if count == self.remaining {
            self.clear();
            return;
        }
        self.remaining -= count;
        let Some(room) = &mut self.room else { return };
        while count > 0 {
            let Some(front) = room.segments.front_mut() else { break };
            let (len, whole) = match front {
                Segment::Arena(len) => (count.min(*len), count >= *len),
                Segment::Shared(payload) => (count.min(payload.len()), count >= payload.len()),
            };
            match front {
                Segment::Arena(left) => {
                    *left -= len;
                    room.sent += len;
                }
                Segment::Shared(payload) => payload.advance(len),
            }
            if whole {
                room.segments.pop_front();
            }
            count -= len;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use quickcheck::quickcheck;

    fn drain(output: &mut Output, step: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        while output.has_remaining() {
            let n = output.chunk().len().min(step);
            sent.extend_from_slice(&output.chunk()[..n]);
            output.advance(n);
        }
        sent
    }

    quickcheck! {
        fn sends_what_was_written(pieces: Vec<(Vec<u8>, bool)>, step: usize) -> bool {
            let mut output = Output::new();
            let mut expected = Vec::new();
            for (piece, large) in &pieces {
                let piece = if *large { piece.repeat(40) } else { piece.clone() };
                expected.extend_from_slice(&piece);
                output.write_shared(&Bytes::from(piece));
            }
            output.remaining() == expected.len()
                && drain(&mut output, step % 97 + 1) == expected
                && output.sent() == expected.len() as u64
        }
    }

    /// Takes so many bytes each time that it is asked, then what `then` says.
    #[cfg(feature = "std")]
    struct Writer {
        rooms: VecDeque<usize>,
        then: std::io::ErrorKind,
        taken: Vec<u8>,
        most_slices: usize,
    }

    #[cfg(feature = "std")]
    impl std::io::Write for Writer {
        fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
            self.write_vectored(&[std::io::IoSlice::new(piece)])
        }

        fn write_vectored(&mut self, slices: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
            self.most_slices = self.most_slices.max(slices.len());
            let Some(mut room) = self.rooms.pop_front() else {
                return Err(self.then.into());
            };
            let before = self.taken.len();
            for slice in slices {
                let taken = room.min(slice.len());
                self.taken.extend_from_slice(&slice[..taken]);
                room -= taken;
            }
            Ok(self.taken.len() - before)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[cfg(feature = "std")]
    fn writer(rooms: &[usize], then: std::io::ErrorKind) -> Writer {
        Writer {
            rooms: rooms.iter().copied().collect(),
            then,
            taken: Vec::new(),
            most_slices: 0,
        }
    }

    #[cfg(feature = "std")]
    #[test]
    fn a_writer_gets_bytes_until_it_would_block() {
        use std::io::ErrorKind::{Interrupted, WouldBlock};
        let mut output = Output::new();
        let mut expected = Vec::new();
        for number in 0..100 {
            let payload = [number; 300];
            output.write(&payload[..10]);
            output.write_shared(&Bytes::copy_from_slice(&payload));
            expected.extend_from_slice(&payload[..10]);
            expected.extend_from_slice(&payload);
        }
        let mut full = writer(&[5, 4_000, 1], WouldBlock);
        assert_eq!(output.write_to(&mut full).unwrap(), 4_006);
        assert_eq!((output.sent(), output.len()), (4_006, 31_000 - 4_006));
        assert_eq!(output.write_to(&mut full).unwrap(), 0);
        let mut rest = writer(&[usize::MAX; 4], Interrupted);
        assert_eq!(output.write_to(&mut rest).unwrap(), 31_000 - 4_006);
        assert_eq!([full.taken, rest.taken].concat(), expected);
        assert!(output.is_empty() && rest.most_slices == SLICES);
        assert_eq!(
            output.write_to(&mut writer(&[], WouldBlock)).unwrap(),
            0,
            "nothing to say"
        );
    }

    #[cfg(feature = "std")]
    #[test]
    fn what_a_writer_took_before_it_failed_is_sent() {
        use std::io::ErrorKind::{BrokenPipe, WriteZero};
        let mut output = Output::new();
        output.write(b"some bytes");
        let error = output.write_to(&mut writer(&[4], BrokenPipe)).unwrap_err();
        assert_eq!((error.kind(), output.chunk()), (BrokenPipe, &b" bytes"[..]));
        let error = output.write_to(&mut writer(&[0], BrokenPipe)).unwrap_err();
        assert_eq!((error.kind(), output.len()), (WriteZero, 6));
    }

    #[test]
    fn what_has_not_left_may_be_overwritten() {
        let written = || {
            let mut output = Output::new();
            output.write(b"abc");
            output.write_shared(&Bytes::from(vec![0; INLINE_BELOW]));
            output.write(b"def");
            output
        };
        let front = 3 + INLINE_BELOW as u64;
        let mut output = written();
        output.advance(2);
        assert!(!output.overwrite(1, b"BC"), "half of it has left");
        assert!(output.overwrite(2, b"C"));
        assert!(output.overwrite(front + 1, b"EF"));
        for (position, piece) in [(2, &b"CD"[..]), (4, b"x"), (front + 2, b"FG"), (front + 3, b"G")] {
            assert!(!output.overwrite(position, piece), "{position}");
        }
        let rest = [b"C", &[0; INLINE_BELOW][..], b"dEF"].concat();
        assert_eq!(output.copy_to_bytes(output.len()), rest);
        assert!(!output.overwrite(0, b"a") && !Output::new().overwrite(0, b"a"));
    }

    #[cfg(feature = "std")]
    #[test]
    fn offers_small_pieces_as_one_and_large_ones_by_reference() {
        let payload = Bytes::from([7; 300].to_vec());
        let mut output = Output::new();
        output.write(b"head");
        output.write(b"er");
        output.write_shared(&payload);
        output.write(b"tail");
        let mut slices = [std::io::IoSlice::new(&[]); 8];
        assert_eq!(output.chunks_vectored(&mut slices), 3);
        assert_eq!(&*slices[0], b"header");
        assert_eq!(slices[1].as_ptr(), payload.as_ptr());
        assert_eq!(&*slices[2], b"tail");
    }

    /// Queues so many frames.
    fn fill(output: &mut Output, frames: usize) {
        for _ in 0..frames {
            output.write(&[0; 12]);
            output.write_shared(&Bytes::from_static(&[0; 300]));
        }
    }

    #[test]
    fn keeps_what_bursts_need_and_gives_back_the_rest() {
        let mut output = Output::new();
        fill(&mut output, 100);
        let held = output.held_memory();
        output.advance(output.remaining());
        assert_eq!(output.held_memory(), held);
        fill(&mut output, 10_000);
        assert!(output.held_memory() > 300_000);
        output.advance(output.remaining());
        assert!(output.held_memory() < 25 << 10, "{}", output.held_memory());
    }

    #[test]
    fn outputs_use_the_same_room_in_turns() {
        let mut pool = BufferPool::new();
        let mut outputs = [Output::new(), Output::new()];
        fill(&mut outputs[0], 3);
        pool.release(&mut outputs[0]);
        assert_eq!(
            drain(&mut outputs[0], 100).len(),
            3 * 312,
            "what is still to be sent stays"
        );
        pool.release(&mut outputs[0]);
        for turn in 1..10 {
            let sender = &mut outputs[turn % 2];
            pool.acquire(sender);
            fill(sender, 3);
            assert_eq!(drain(sender, 100).len(), 3 * 312);
            pool.release(sender);
            assert_eq!(sender.held_memory(), 0);
        }
        assert_eq!(pool.rooms.len(), 1);
    }

    #[test]
    fn a_pool_keeps_few_buffers() {
        let mut pool = BufferPool::new();
        for _ in 0..1_000 {
            let mut output = Output::new();
            fill(&mut output, 1);
            output.clear();
            pool.release(&mut output);
        }
        assert_eq!(pool.rooms.len(), MAX_POOLED);
    }

    #[test]
    fn never_drained_never_grows() {
        let mut output = Output::new();
        output.write(&[0; 50]);
        for _ in 0..100_000 {
            output.write(&[0; 50]);
            output.advance(50);
        }
        assert!(output.held_memory() <= 8_192, "{}", output.held_memory());
    }

    #[test]
    #[should_panic(expected = "cannot advance")]
    fn refuses_to_advance_past_the_end() {
        Output::new().advance(1);
    }
}
