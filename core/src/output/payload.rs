//! What a message or a tag carries, in two parts.

use bytes::{BufMut, Bytes, BytesMut};
use core::ops::Range;

/// What a message or a tag carries: a small head of its own, and a body that it shares with others.
///
/// A frame as it came is all body. A frame in another form (of a codec under its other name, or one of several tracks alone)
/// has other bytes in front, and a part of what came behind them. So all forms of a frame share one buffer.
///
/// Cost: it borrows both parts. The head is copied into an [`Output`](super::Output), the body is queued by reference.
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a>(pub(super) Parts<'a>);

/// A whole buffer is a case of its own: where the compiler sees that a payload is one, it drops the code for two parts. Most
/// frames go out as they came, and cost no more than without this type.
#[derive(Debug, Clone, Copy)]
pub(super) enum Parts<'a> {
    Whole(&'a Bytes),
    Two {
        head: &'a [u8],
        shared: &'a Bytes,
        /// A part of `shared`.
        body: &'a [u8],
    },
}

impl<'a> Payload<'a> {
    /// `head`, and behind it the bytes of `shared` in `body`; `None` if `shared` has no such bytes.
    #[must_use]
    pub fn new(head: &'a [u8], shared: &'a Bytes, body: Range<usize>) -> Option<Payload<'a>> {
        let body = shared.get(body)?;
        Some(Payload(Parts::Two { head, shared, body }))
    }

    /// Bytes of both parts.
    #[must_use]
    #[inline]
    pub const fn len(&self) -> usize {
        match self.0 {
            Parts::Whole(whole) => whole.len(),
            Parts::Two { head, body, .. } => head.len() + body.len(),
        }
    }

    /// Whether there is no byte in either part.
    #[must_use]
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes in front.
    #[must_use]
    pub const fn head(&self) -> &'a [u8] {
        match self.0 {
            Parts::Whole(_) => &[],
            Parts::Two { head, .. } => head,
        }
    }

    /// The bytes that are shared.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        match self.0 {
            Parts::Whole(whole) => whole,
            Parts::Two { body, .. } => body,
        }
    }

    /// Both parts as one buffer. Costs a reference count without a head, else a copy.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self.0 {
            Parts::Whole(whole) => whole.clone(),
            Parts::Two { head: [], shared, body } => shared.slice_ref(body),
            Parts::Two { head, body, .. } => {
                let mut bytes = BytesMut::with_capacity(self.len());
                bytes.put_slice(head);
                bytes.put_slice(body);
                bytes.freeze()
            }
        }
    }

    /// `head` alone; `shared` is not used.
    pub(crate) const fn of_head(head: &'a [u8], shared: &'a Bytes) -> Payload<'a> {
        let body = &[];
        Payload(Parts::Two { head, shared, body })
    }

    /// Takes `len` bytes from the front, or all if there are no more.
    pub(crate) fn split_to(&mut self, len: usize) -> Payload<'a> {
        let (head, shared, body) = match self.0 {
            Parts::Whole(whole) => (&[][..], whole, &**whole),
            Parts::Two { head, shared, body } => (head, shared, body),
        };
        let (head, later_head) = split(head, len);
        let (body, later_body) = split(body, len - head.len());
        self.0 = Parts::Two {
            head: later_head,
            shared,
            body: later_body,
        };
        Payload(Parts::Two { head, shared, body })
    }
}

/// All body.
impl<'a> From<&'a Bytes> for Payload<'a> {
    #[inline]
    fn from(shared: &'a Bytes) -> Self {
        Payload(Parts::Whole(shared))
    }
}

fn split(bytes: &[u8], len: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(len).unwrap_or((bytes, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    quickcheck! {
        fn pieces_are_the_whole(head: Vec<u8>, shared: Vec<u8>, start: usize, len: usize) -> bool {
            let shared = Bytes::from(shared);
            let start = start % (shared.len() + 1);
            let mut rest = Payload::new(&head, &shared, start..shared.len()).unwrap();
            let (whole, mut joined) = (rest.to_bytes(), Vec::new());
            while !rest.is_empty() {
                let piece = rest.split_to(len % 9 + 1);
                joined.extend(piece.to_bytes());
            }
            whole == [&head, &shared[start..]].concat() && joined == whole
        }
    }

    #[test]
    fn a_body_outside_the_shared_bytes_is_refused() {
        let shared = Bytes::from_static(b"abc");
        #[expect(clippy::reversed_empty_ranges, reason = "it is to be refused")]
        for body in [0..4, 4..4, 2..1] {
            assert!(Payload::new(b"", &shared, body).is_none());
        }
        assert_eq!(Payload::new(b"x", &shared, 3..3).unwrap().to_bytes(), "x");
    }

    #[test]
    fn without_a_head_nothing_is_copied() {
        let shared = Bytes::from_static(b"abcdef");
        assert_eq!(Payload::from(&shared).to_bytes().as_ptr(), shared.as_ptr());
        let part = Payload::new(b"", &shared, 2..4).unwrap();
        assert_eq!(part.to_bytes().as_ptr(), shared[2..].as_ptr());
    }
}
