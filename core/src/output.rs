//! Bytes on their way out.

use alloc::collections::VecDeque;
use bytes::{Buf, Bytes};
use core::mem;

/// Payloads shorter than this are copied, longer ones are queued by reference. A copy of 256 bytes costs about as much
/// as the bookkeeping of one more segment (h2 settled on the same number).
pub const INLINE_BELOW: usize = 256;

/// Arena and segment storage that a drained `Output` keeps, come what may: enough to send frames one at a time, each
/// with its headers, a payload below [`INLINE_BELOW`] and what FLV and HTTP put behind it.
const CALM: Room = Room {
    arena: 512,
    segments: 8,
};

/// What it keeps for more of the bursts that it has seen: as much as a burst of 64 KiB of small frames needs.
const BUSY: Room = Room {
    arena: 64 << 10,
    segments: 1 << 10,
};

/// Times in a row that [`CALM`] has to suffice until the rest goes back. 250: two keyframes of a live stream are rarely
/// as many frames apart, and a player that got a cached GOP in one burst is small again after a few seconds.
const PATIENCE: u8 = 250;

/// Capacities.
struct Room {
    arena: usize,
    segments: usize,
}

/// Bytes to write: small pieces in one arena, large payloads by reference.
///
/// It is a [`bytes::Buf`]: a driver offers [`chunks_vectored`](Buf::chunks_vectored) to its socket and calls
/// [`advance`](Buf::advance) with what the kernel took. Whoever writes appends with [`write`](Self::write) (copies) and
/// [`write_shared`](Self::write_shared) (bumps a reference count for [`INLINE_BELOW`] bytes and more).
///
/// Cost: no allocation once arena and segment list have grown to what bursts need. They are kept when drained, but what
/// has not been needed for a while is given back, down to 768 bytes, and more than 96 KiB at once.
#[derive(Debug, Default)]
pub struct Output {
    /// Small pieces, in order. `arena_start` bytes at its front have been sent.
    arena: alloc::vec::Vec<u8>,
    arena_start: usize,
    segments: VecDeque<Segment>,
    remaining: usize,
    sent: u64,
    /// Times in a row that it was filled and drained within [`CALM`].
    calm: u8,
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
            arena: alloc::vec::Vec::new(),
            arena_start: 0,
            segments: VecDeque::new(),
            remaining: 0,
            sent: 0,
            calm: 0,
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
        self.segments.len()
    }

    /// Bytes sent since the beginning.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Appends a copy of `piece`.
    pub fn write(&mut self, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        if self.arena_start >= CALM.arena && self.arena_start >= self.arena.len() / 2 {
            // A peer that always lags a little never drains us: reclaim the sent half, amortised O(1) per byte.
            self.arena.drain(..self.arena_start);
            self.arena_start = 0;
        }
        self.arena.extend_from_slice(piece);
        if self.arena.len() > CALM.arena {
            self.calm = 0;
        }
        match self.segments.back_mut() {
            Some(Segment::Arena(len)) => {
                *len += piece.len();
                self.remaining += piece.len();
            }
            _ => self.push(Segment::Arena(piece.len()), piece.len()),
        }
    }

    /// Appends `payload` by reference, or a copy of it below [`INLINE_BELOW`] bytes.
    pub fn write_shared(&mut self, payload: &Bytes) {
        if payload.len() < INLINE_BELOW {
            self.write(payload);
        } else {
            self.push(Segment::Shared(payload.clone()), payload.len());
        }
    }

    fn push(&mut self, segment: Segment, len: usize) {
        self.segments.push_back(segment);
        self.remaining += len;
        if self.segments.len() > CALM.segments {
            self.calm = 0;
        }
    }

    /// Forgets everything that was not sent.
    pub fn clear(&mut self) {
        self.segments.clear();
        self.remaining = 0;
        self.reset();
    }

    /// Says that nothing like what was written so far will come again: the next drain gives back what it took.
    pub(crate) const fn forget_bursts(&mut self) {
        self.calm = PATIENCE;
    }

    /// Bytes of memory held: arena and segment storage, without what shared payloads refer to.
    #[must_use]
    pub fn held_memory(&self) -> usize {
        self.arena.capacity() + self.segments.capacity() * mem::size_of::<Segment>()
    }

    fn arena_piece(&self, offset: usize, len: usize) -> &[u8] {
        self.arena.get(offset..offset.saturating_add(len)).unwrap_or_default()
    }

    fn reset(&mut self) {
        self.arena.clear();
        self.arena_start = 0;
        self.calm = self.calm.saturating_add(1);
        let keep = if self.calm >= PATIENCE { CALM } else { BUSY };
        if self.arena.capacity() > keep.arena {
            self.arena.shrink_to(keep.arena);
        }
        if self.segments.capacity() > keep.segments {
            self.segments.shrink_to(keep.segments);
        }
    }
}

impl Buf for Output {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        match self.segments.front() {
            Some(Segment::Arena(len)) => self.arena_piece(self.arena_start, *len),
            Some(Segment::Shared(payload)) => payload,
            None => &[],
        }
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, dst: &mut [std::io::IoSlice<'a>]) -> usize {
        let mut offset = self.arena_start;
        let mut filled = 0;
        for (slot, segment) in dst.iter_mut().zip(&self.segments) {
            *slot = std::io::IoSlice::new(match segment {
                Segment::Arena(len) => {
                    let piece = self.arena_piece(offset, *len);
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
        while count > 0 {
            let Some(front) = self.segments.front_mut() else { break };
            let (len, whole) = match front {
                Segment::Arena(len) => (count.min(*len), count >= *len),
                Segment::Shared(payload) => (count.min(payload.len()), count >= payload.len()),
            };
            match front {
                Segment::Arena(left) => {
                    *left -= len;
                    self.arena_start += len;
                }
                Segment::Shared(payload) => payload.advance(len),
            }
            if whole {
                self.segments.pop_front();
            }
            count -= len;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
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

    /// Queues so many frames, and lets them leave.
    fn send(output: &mut Output, frames: usize) {
        let payload = Bytes::from_static(&[0; 300]);
        for _ in 0..frames {
            output.write(&[0; 12]);
            output.write_shared(&payload);
        }
        output.advance(output.remaining());
    }

    #[test]
    fn keeps_what_bursts_need_as_long_as_they_come() {
        let mut output = Output::new();
        send(&mut output, 100);
        let held = output.held_memory();
        for _ in 0..10 {
            (0..PATIENCE - 2).for_each(|_| send(&mut output, 1));
            assert_eq!(output.held_memory(), held);
            send(&mut output, 100);
            assert_eq!(output.held_memory(), held);
        }
    }

    #[test]
    fn gives_back_what_no_burst_has_needed_for_long() {
        let mut output = Output::new();
        send(&mut output, 100);
        assert!(output.held_memory() > 4_096);
        (0..PATIENCE).for_each(|_| send(&mut output, 1));
        assert!(output.held_memory() <= 768, "{}", output.held_memory());

        send(&mut output, 100);
        output.forget_bursts();
        send(&mut output, 1);
        assert!(output.held_memory() <= 768, "{}", output.held_memory());
    }

    #[test]
    fn gives_back_at_once_what_is_too_much_for_bursts() {
        let mut output = Output::new();
        for _ in 0..10_000 {
            output.write(&[0; 100]);
            output.write_shared(&Bytes::from_static(&[0; 300]));
        }
        assert!(output.held_memory() > 1_000_000);
        output.advance(output.remaining());
        assert!(output.held_memory() <= 96 << 10, "{}", output.held_memory());
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
