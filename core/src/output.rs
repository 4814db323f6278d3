//! Bytes on their way out.

use alloc::collections::VecDeque;
use bytes::{Buf, Bytes};
use core::mem;

/// Payloads shorter than this are copied, longer ones are queued by reference. A copy of 256 bytes costs about as much
/// as the bookkeeping of one more segment (h2 settled on the same number).
pub const INLINE_BELOW: usize = 256;

/// Arena and segment storage that a drained `Output` keeps for the next message. Above it the memory goes back, so that
/// a connection which once sent a burst does not hold on to it.
const KEEP_ARENA: usize = 1024;
const KEEP_SEGMENTS: usize = 16;

/// Bytes to write: small pieces in one arena, large payloads by reference.
///
/// It is a [`bytes::Buf`]: a driver offers [`chunks_vectored`](Buf::chunks_vectored) to its socket and calls
/// [`advance`](Buf::advance) with what the kernel took. Whoever writes appends with [`write`](Self::write) (copies) and
/// [`write_shared`](Self::write_shared) (bumps a reference count for [`INLINE_BELOW`] bytes and more).
///
/// Cost: no allocation once arena and segment list have grown to what a turn needs; both are kept when drained, up to
/// about 1.5 KiB, and given back above that.
#[derive(Debug, Default)]
pub struct Output {
    /// Small pieces, in order. `arena_start` bytes at its front have been sent.
    arena: alloc::vec::Vec<u8>,
    arena_start: usize,
    segments: VecDeque<Segment>,
    remaining: usize,
    sent: u64,
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
        if self.arena_start >= KEEP_ARENA && self.arena_start >= self.arena.len() / 2 {
            // A peer that always lags a little never drains us: reclaim the sent half, amortised O(1) per byte.
            self.arena.drain(..self.arena_start);
            self.arena_start = 0;
        }
        self.arena.extend_from_slice(piece);
        self.remaining += piece.len();
        match self.segments.back_mut() {
            Some(Segment::Arena(len)) => *len += piece.len(),
            _ => self.segments.push_back(Segment::Arena(piece.len())),
        }
    }

    /// Appends `payload` by reference, or a copy of it below [`INLINE_BELOW`] bytes.
    pub fn write_shared(&mut self, payload: &Bytes) {
        if payload.len() < INLINE_BELOW {
            self.write(payload);
        } else {
            self.remaining += payload.len();
            self.segments.push_back(Segment::Shared(payload.clone()));
        }
    }

    /// Forgets everything that was not sent.
    pub fn clear(&mut self) {
        self.segments.clear();
        self.remaining = 0;
        self.reset();
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
        if self.arena.capacity() > KEEP_ARENA {
            self.arena.shrink_to(KEEP_ARENA);
        }
        if self.segments.capacity() > KEEP_SEGMENTS {
            self.segments.shrink_to(KEEP_SEGMENTS);
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
        self.remaining -= count;
        self.sent += count as u64;
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
        if self.remaining == 0 {
            self.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
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

    #[test]
    fn offers_small_pieces_as_one_and_large_ones_by_reference() {
        let payload = Bytes::from(vec![7; 300]);
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

    #[test]
    fn gives_back_what_a_burst_grew() {
        let mut output = Output::new();
        for _ in 0..1_000 {
            output.write(&[0; 100]);
            output.write_shared(&Bytes::from(vec![0; 300]));
        }
        assert!(output.held_memory() > 100_000);
        output.advance(output.remaining());
        assert!(output.held_memory() <= 2_048, "{}", output.held_memory());
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
