//! The content of a request, wherever its framing says that it ends. RFC 9112 §6 and §7.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

/// Hex digits of a chunk size. 16: what fits 64 bits; chunks are streamed, so their size costs nothing.
const MAX_SIZE_DIGITS: u8 = 16;
/// Bytes of a chunk's size line, extensions included. 1 KiB: nobody sends extensions.
const MAX_SIZE_LINE: u16 = 1 << 10;
/// Bytes of the trailer section. 8 KiB: nobody sends trailers either.
const MAX_TRAILERS: u16 = 8 << 10;

/// Reads the content of one request off the connection. It holds no content: pieces are borrowed from the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Body {
    /// So many bytes are left.
    Length(u64),
    /// `Transfer-Encoding: chunked`, and where in it we are.
    Chunked(Chunked),
    /// All bytes until the peer closes.
    UntilClose,
}

/// A place in a chunked body. Line ends are CRLF and nothing else, so that no two readers see different chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Chunked {
    /// In a size line, after so many digits.
    Size { size: u64, digits: u8 },
    /// In what follows the digits, which starts with `;` or a blank and is ignored.
    Extension { size: u64, len: u16 },
    /// Before the LF of a size line.
    SizeEnd { size: u64 },
    /// In the data of a chunk.
    Data { left: u64 },
    /// Before the CR after the data of a chunk.
    DataEnd,
    /// Before the LF after the data of a chunk.
    DataEndLf,
    /// At the start of a trailer line.
    TrailerStart { len: u16 },
    /// Inside a trailer line.
    Trailer { len: u16 },
    /// Before the LF that ends a trailer line.
    TrailerLf { len: u16 },
    /// Before the LF of the empty line that ends the body.
    LastLf,
    /// Behind the body.
    Done,
}

impl Chunked {
    /// The start of a chunked body.
    pub(super) const START: Chunked = Chunked::Size { size: 0, digits: 0 };
}

/// What comes next in a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// These bytes, at least one.
    Data(&'a [u8]),
    /// Nothing yet: all of the input was framing and has been taken.
    NeedMore,
    /// Nothing: the body is over.
    End,
}

impl Body {
    /// A request without content.
    pub(super) const EMPTY: Body = Body::Length(0);

    /// Takes framing bytes off `input` and returns the content that follows; [`consume`](Self::consume) takes that.
    pub(super) fn peek<'a>(&mut self, input: &mut &'a [u8]) -> Result<Content<'a>, BodyError> {
        let left = match self {
            Body::Length(left) => *left,
            Body::UntilClose => u64::MAX,
            Body::Chunked(place) => match place.skip_framing(input)? {
                Chunked::Data { left } => left,
                Chunked::Done => 0,
                _ => return Ok(Content::NeedMore),
            },
        };
        if left == 0 {
            return Ok(Content::End);
        }
        let len = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        Ok(match input.get(..len) {
            Some(data @ [_, ..]) => Content::Data(data),
            _ => Content::NeedMore,
        })
    }

    /// Whether the next byte is content.
    #[cfg(feature = "server")]
    pub(super) const fn is_in_content(self) -> bool {
        match self {
            Body::Length(left) | Body::Chunked(Chunked::Data { left }) => left > 0,
            Body::UntilClose => true,
            Body::Chunked(_) => false,
        }
    }

    /// Takes `count` bytes of content off `input`: at most as many as [`peek`](Self::peek) has returned.
    pub(super) fn consume(&mut self, count: usize, input: &mut &[u8]) {
        *input = input.get(count..).unwrap_or_default();
        let count = count as u64;
        match self {
            Body::Length(left) => *left = left.saturating_sub(count),
            Body::Chunked(Chunked::Data { left }) if *left > count => *left = left.saturating_sub(count),
            Body::Chunked(place @ Chunked::Data { .. }) => *place = Chunked::DataEnd,
            Body::Chunked(_) | Body::UntilClose => {}
        }
    }
}

impl Chunked {
    /// Takes bytes off `input` until data or the end is reached, or nothing is left.
    fn skip_framing(&mut self, input: &mut &[u8]) -> Result<Chunked, BodyError> {
        while !matches!(self, Chunked::Data { .. } | Chunked::Done)
            && let Some((&byte, rest)) = input.split_first()
        {
            *self = self.after(byte)?;
            *input = rest;
        }
        Ok(*self)
    }

    /// The place one framing byte further. The grammar of RFC 9112 §7.1.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "each is added to below a bound that its arm states"
    )]
    fn after(self, byte: u8) -> Result<Chunked, BodyError> {
        use Chunked::*;
        Ok(match (self, byte) {
            (Size { size, digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') if digits < MAX_SIZE_DIGITS => Size {
                size: size << 4 | u64::from(hex_value(byte)),
                digits: digits + 1,
            },
            (Size { size, digits: 1.. } | Extension { size, .. }, b'\r') => SizeEnd { size },
            (Size { size, digits: 1.. }, b';' | b' ' | b'\t') => Extension { size, len: 1 },
            (Extension { size, len }, b'\t' | b' '..) if len < MAX_SIZE_LINE => Extension { size, len: len + 1 },
            (Size { .. } | Extension { .. }, _) => return Err(BodyError::BadChunkSize),
            (SizeEnd { size: 0 }, b'\n') => TrailerStart { len: 0 },
            (SizeEnd { size }, b'\n') => Data { left: size },
            (DataEnd, b'\r') => DataEndLf,
            (DataEndLf, b'\n') => Chunked::START,
            (TrailerStart { .. }, b'\r') => LastLf,
            (LastLf, b'\n') => Done,
            (Trailer { len }, b'\r') => TrailerLf { len },
            (TrailerLf { len }, b'\n') => TrailerStart { len },
            (TrailerStart { len } | Trailer { len }, b'\t' | b' '..) if len < MAX_TRAILERS => Trailer { len: len + 1 },
            (TrailerStart { .. } | Trailer { .. }, _) => return Err(BodyError::BadTrailer),
            (place @ (Data { .. } | Done), _) => place,
            (SizeEnd { .. } | DataEnd | DataEndLf | TrailerLf { .. } | LastLf, _) => {
                return Err(BodyError::MissingLineEnd);
            }
        })
    }
}

/// The value of an ASCII hex digit.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a hex digit is at least the first of its kind"
)]
const fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Why the framing of a chunked body makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// A chunk size that is not 1 to 16 hex digits, or a size line of more than 1 KiB.
    #[error("bad chunk size line")]
    BadChunkSize,
    /// Control bytes in the trailer section, or more than 8 KiB of it.
    #[error("bad trailer section")]
    BadTrailer,
    /// Something else where CRLF belongs.
    #[error("missing CRLF in a chunked body")]
    MissingLineEnd,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    /// The content of `pieces`, whether the body ended, and what is left behind it.
    fn read<'a>(
        mut body: Body,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(Vec<u8>, bool, Vec<u8>), BodyError> {
        let (mut content, mut rest, mut ended) = (Vec::new(), Vec::new(), false);
        for mut input in pieces {
            loop {
                match body.peek(&mut input)? {
                    Content::Data(data) => {
                        // One byte less than returned, where possible: taking a part must work.
                        let count = (data.len() - 1).max(1);
                        content.extend_from_slice(&data[..count]);
                        body.consume(count, &mut input);
                    }
                    Content::NeedMore => break,
                    Content::End => {
                        ended = true;
                        rest.extend_from_slice(input);
                        break;
                    }
                }
            }
        }
        Ok((content, ended, rest))
    }

    const CHUNKED: &[u8] =
        b"5\r\nhello\r\n0006;name=\"v\"\r\n world\r\nA \r\n0123456789\r\n0\r\nName: value\r\n\r\nGET";

    #[test]
    fn any_cut_of_a_chunked_body_gives_the_same_content() {
        let expected = (b"hello world0123456789".to_vec(), true, b"GET".to_vec());
        let body = Body::Chunked(Chunked::START);
        assert_eq!(read(body, [CHUNKED]).as_ref(), Ok(&expected));
        assert_eq!(read(body, CHUNKED.chunks(1)).as_ref(), Ok(&expected));
        for cut in 0..CHUNKED.len() {
            let (front, back) = CHUNKED.split_at(cut);
            assert_eq!(read(body, [front, back]).as_ref(), Ok(&expected), "cut at {cut}");
        }
    }

    #[test]
    fn a_length_ends_the_body() {
        let read = read(Body::Length(3), [&b"ab"[..], b"cd"]).unwrap();
        assert_eq!(read, (b"abc".to_vec(), true, b"d".to_vec()));
    }

    #[test]
    fn only_crlf_and_hex_digits_frame_a_chunk() {
        for (bytes, error) in [
            (&b"-5\r\nhello"[..], BodyError::BadChunkSize),
            (b"+5\r\nhello", BodyError::BadChunkSize),
            (b"0x5\r\nhello", BodyError::BadChunkSize),
            (b"\r\nhello", BodyError::BadChunkSize),
            (b";\r\nhello", BodyError::BadChunkSize),
            (b"5\nhello", BodyError::BadChunkSize),
            (b"5;a\nhello", BodyError::BadChunkSize),
            (b"00000000000000005\r\nhello", BodyError::BadChunkSize),
            (b"5\r5\r\nhello", BodyError::MissingLineEnd),
            (b"5\r\nhelloX\r\n", BodyError::MissingLineEnd),
            (b"5\r\nhello\n", BodyError::MissingLineEnd),
            (b"0\r\nName: a\0b\r\n\r\n", BodyError::BadTrailer),
            (b"0\r\nName\n\r\n", BodyError::BadTrailer),
        ] {
            assert_eq!(read(Body::Chunked(Chunked::START), [bytes]), Err(error), "{bytes:?}");
        }
    }

    #[test]
    fn endless_lines_end() {
        let extension = [&b"5;"[..], &[b'x'; 2_000]].concat();
        assert_eq!(
            read(Body::Chunked(Chunked::START), [&*extension]),
            Err(BodyError::BadChunkSize)
        );
        let trailers = [&b"0\r\n"[..], &b"a: b\r\n".repeat(3_000)].concat();
        assert_eq!(
            read(Body::Chunked(Chunked::START), [&*trailers]),
            Err(BodyError::BadTrailer)
        );
    }

    #[test]
    fn a_chunk_may_be_larger_than_memory() {
        let read = read(Body::Chunked(Chunked::START), [&b"ffffffffffffffff\r\nabc"[..]]).unwrap();
        assert_eq!(read, (b"abc".to_vec(), false, Vec::new()));
    }

    quickcheck! {
        fn takes_all_input_or_says_why(bytes: Vec<u8>) -> bool {
            let alphabet = b"0123aF;\r\n x\0";
            let bytes: Vec<u8> = bytes.iter().map(|b| alphabet[usize::from(*b) % alphabet.len()]).collect();
            let whole = read(Body::Chunked(Chunked::START), [&*bytes]);
            whole == read(Body::Chunked(Chunked::START), bytes.chunks(1))
        }
    }
}
