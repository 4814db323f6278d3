//! WebSocket, as far as a server needs it: players that hardly say anything, and publishers whose messages are one stream of
//! bytes. RFC 6455.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use crate::Output;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha1::{Digest, Sha1};

/// The value of `Sec-WebSocket-Accept`: a SHA-1 digest in base64.
pub(super) type Accept = [u8; 28];

/// The answer to a `Sec-WebSocket-Key`; `None` unless that is 16 bytes in base64. RFC 6455 §4.2.2.
pub(super) fn accept(key: &[u8]) -> Option<Accept> {
    let nonce = BASE64.decode(key).ok()?;
    if nonce.len() != 16 {
        return None;
    }
    let digest = Sha1::new()
        .chain_update(key)
        .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    let mut accept = [0; 28];
    BASE64.encode_slice(digest, &mut accept).ok()?;
    Some(accept)
}

/// What kind of frame it is. RFC 6455 §5.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Opcode {
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xa,
}

/// Sub-protocols by which a client says that it publishes, as clients of Node-Media-Server do. RFC 6455 §1.9.
const PUBLISHER: [&str; 2] = ["publisher", "post"];

/// The first of the sub-protocols offered by which a client publishes. Case matters: browsers fail on another spelling.
pub(super) fn publisher_protocol<'a>(mut offered: impl Iterator<Item = &'a [u8]>) -> Option<&'static str> {
    offered.find_map(|name| PUBLISHER.into_iter().find(|known| known.as_bytes() == name))
}

/// Why a WebSocket is closed. RFC 6455 §7.4.1.
pub(super) const NORMAL_CLOSURE: u16 = 1000;
const PROTOCOL_ERROR: u16 = 1002;
const UNSUPPORTED_DATA: u16 = 1003;
const MESSAGE_TOO_BIG: u16 = 1009;
/// The first of the codes that applications give a meaning. A status of HTTP is added to it.
pub(super) const APPLICATION: u16 = 4000;

/// Writes the header of a whole, unmasked message whose `len` bytes the caller writes next. Allocates nothing.
pub(super) fn write_header(opcode: Opcode, len: usize, out: &mut Output) {
    out.write(&[0x80 | opcode as u8]);
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ ..=125), _) => out.write(&[len]),
        (_, Ok(len)) => {
            out.write(&[126]);
            out.write(&len.to_be_bytes());
        }
        _ => {
            out.write(&[127]);
            out.write(&(len as u64).to_be_bytes());
        }
    }
}

/// Writes a control frame. Its payload is at most 125 bytes.
pub(super) fn write_control(opcode: Opcode, payload: &[u8], out: &mut Output) {
    write_header(opcode, payload.len(), out);
    out.write(payload);
}

/// Writes a close frame. Of `reason`, what a control frame has room for is sent.
pub(super) fn write_close(code: u16, reason: &str, out: &mut Output) {
    let len = reason.floor_char_boundary(MAX_REASON);
    let reason = reason.get(..len).unwrap_or_default();
    write_header(Opcode::Close, size_of::<u16>().saturating_add(len), out);
    out.write(&code.to_be_bytes());
    out.write(reason.as_bytes());
}

/// Bytes of a reason to close: what a control frame of 125 bytes has room for beside the code.
const MAX_REASON: usize = 123;

/// What a client said that has to be acted on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received<'a> {
    /// Bytes of a publisher's message are next: [`Reader::unmask`] shows them, [`Reader::consume`] takes them.
    Content,
    /// A ping with its payload.
    Ping(&'a [u8]),
    /// A close frame, and the code with which to answer it.
    Close(u16),
}

/// Reads the frames of a client. Pings and close frames want an answer. What a player says otherwise is skipped, and since
/// no message of it is put together, it does not matter whether its continuation frames continue anything. What a publisher
/// says is handed on as it comes: a message may be as long as it likes, and no byte of it is kept here.
#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Reader {
    /// The frame under way: its header, and its payload if it is a control frame.
    #[cfg_attr(feature = "server", serde(skip, default = "empty"))]
    scratch: [u8; CONTROL_FRAME_LEN],
    filled: u8,
    /// Payload bytes of a data frame that are still to come.
    left: usize,
    /// What the next of them is masked with, and those behind it.
    mask: [u8; 4],
    client: Client,
}

/// Whose frames they are.
#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
enum Client {
    Player,
    Publisher {
        /// The longest frame that it may send.
        max: u32,
        /// Whether the last frame was not the last of its message.
        is_in_message: bool,
    },
}

/// Header (2), mask (4) and payload of the longest control frame; more than the header of any data frame (14).
const CONTROL_FRAME_LEN: usize = 2 + 4 + 125;
/// The longest frame that a player may send. 4 KiB: players send nothing, or a few words of JSON.
const MAX_PLAYER_FRAME_LEN: u64 = 4 << 10;

/// Bytes that are unmasked at a time. 256: few enough that it costs little if the first of them end a tag, after which the
/// others are unmasked again; enough that the calls do not count.
pub(super) const PIECE: usize = 256;

/// The bytes of a reader between two frames, for [the state of a session](crate::server::record).
#[cfg(feature = "server")]
const fn empty() -> [u8; CONTROL_FRAME_LEN] {
    [0; CONTROL_FRAME_LEN]
}

impl Reader {
    /// Whether no frame is under way.
    #[cfg(feature = "server")]
    pub(super) const fn is_at_border(&self) -> bool {
        self.filled == 0
    }

    /// Whether the next byte is of a message.
    #[cfg(feature = "server")]
    pub(super) const fn is_in_content(&self) -> bool {
        self.left > 0
    }

    pub(super) const fn of_player() -> Self {
        Reader::new(Client::Player)
    }

    /// `max`: the longest frame that it may send.
    pub(super) const fn of_publisher(max: u32) -> Self {
        Reader::new(Client::Publisher {
            max,
            is_in_message: false,
        })
    }

    const fn new(client: Client) -> Self {
        Reader {
            scratch: [0; CONTROL_FRAME_LEN],
            filled: 0,
            left: 0,
            mask: [0; 4],
            client,
        }
    }

    /// Takes bytes off `input` up to the next that have to be acted on; `None` if all are taken.
    ///
    /// The header is looked at anew for each of its bytes and for each byte of a control frame: both are short.
    pub(super) fn read(&mut self, input: &mut &[u8]) -> Result<Option<Received<'_>>, WebSocketError> {
        loop {
            if matches!(self.client, Client::Player) {
                self.consume(input.len(), input);
            } else if self.left > 0 && !input.is_empty() {
                return Ok(Some(Received::Content));
            }
            let Some((&byte, rest)) = input.split_first() else {
                return Ok(None);
            };
            *input = rest;
            if let Some(place) = self.scratch.get_mut(usize::from(self.filled)) {
                *place = byte;
            }
            self.filled = self.filled.saturating_add(1);
            let max = match self.client {
                Client::Player => MAX_PLAYER_FRAME_LEN,
                Client::Publisher { max, .. } => u64::from(max),
            };
            let filled = usize::from(self.filled);
            let Some(header) = Header::parse(self.scratch.get(..filled).unwrap_or_default(), max)? else {
                continue;
            };
            if !header.is_control() {
                self.client.note_frame(&header)?;
                self.filled = 0;
                self.left = header.payload_len;
                self.mask = header.mask;
            } else if filled == header.end() {
                self.filled = 0;
                match header.opcode {
                    CLOSE => return close_reply(self.payload(&header)).map(|code| Some(Received::Close(code))),
                    PING => return Ok(Some(Received::Ping(self.payload(&header)))),
                    _ => {}
                }
            }
        }
    }

    /// The payload of the control frame that is there.
    fn payload(&mut self, header: &Header) -> &[u8] {
        let frame = header.len..header.end();
        let payload = self.scratch.get_mut(frame).unwrap_or_default();
        unmask(payload, header.mask);
        payload
    }

    /// The content at the front of `input`, unmasked in `piece`: at least a byte after [`Received::Content`].
    pub(super) fn unmask<'a>(&self, input: &[u8], piece: &'a mut [u8; PIECE]) -> &'a [u8] {
        let len = self.left.min(input.len()).min(PIECE);
        let (Some(piece), Some(masked)) = (piece.get_mut(..len), input.get(..len)) else {
            return &[];
        };
        piece.copy_from_slice(masked);
        unmask(piece, self.mask);
        piece
    }

    /// Takes `count` bytes of content off `input`, or as many as there are.
    pub(super) fn consume(&mut self, count: usize, input: &mut &[u8]) {
        let count = count.min(self.left);
        *input = input.get(count..).unwrap_or_default();
        self.left = self.left.saturating_sub(count);
        self.mask.rotate_left(count & 3);
    }
}

impl Client {
    /// A data frame begins. RFC 6455 §5.4.
    const fn note_frame(&mut self, header: &Header) -> Result<(), WebSocketError> {
        let Client::Publisher { is_in_message, .. } = self else {
            return Ok(());
        };
        match (header.opcode, *is_in_message) {
            (TEXT, _) => return Err(WebSocketError::Text),
            (CONTINUATION, false) => return Err(WebSocketError::NothingToContinue),
            (BINARY, true) => return Err(WebSocketError::UnfinishedMessage),
            _ => *is_in_message = !header.is_final,
        }
        Ok(())
    }
}

/// Takes the mask off `bytes`, or puts it on. RFC 6455 §5.3.
fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let (words, rest) = bytes.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = Opcode::Binary as u8;
const CLOSE: u8 = Opcode::Close as u8;
const PING: u8 = Opcode::Ping as u8;

/// What the first bytes of a frame say.
struct Header {
    /// Whether it is the last of its message.
    is_final: bool,
    opcode: u8,
    /// Bytes of the header itself, mask included.
    len: usize,
    mask: [u8; 4],
    payload_len: usize,
}

impl Header {
    const fn is_control(&self) -> bool {
        self.opcode & 0x8 != 0
    }

    /// Bytes of the whole frame.
    const fn end(&self) -> usize {
        self.len.saturating_add(self.payload_len)
    }

    /// Reads the header at the front of `bytes`, of a frame of at most `max` bytes; `None` if it goes on behind them.
    /// RFC 6455 §5.2.
    fn parse(bytes: &[u8], max: u64) -> Result<Option<Header>, WebSocketError> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk() else {
            return Ok(None);
        };
        let (is_final, reserved, opcode) = (first & 0x80 != 0, first & 0x70, first & 0x0f);
        let (is_masked, short_len) = (second & 0x80 != 0, second & 0x7f);
        if reserved != 0 {
            return Err(WebSocketError::ReservedBits);
        }
        if !matches!(opcode, 0x0..=0x2 | 0x8..=0xa) {
            return Err(WebSocketError::UnknownOpcode { opcode });
        }
        if !is_masked {
            return Err(WebSocketError::Unmasked);
        }
        if opcode & 0x8 != 0 && (!is_final || short_len > 125) {
            return Err(WebSocketError::BadControlFrame);
        }
        let (len, rest) = match short_len {
            126 => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from_be_bytes(*len), rest),
                None => return Ok(None),
            },
            len => (u64::from(len), rest),
        };
        if len > max {
            return Err(WebSocketError::FrameTooLong { len, max });
        }
        let Some((&mask, rest)) = rest.split_first_chunk() else {
            return Ok(None);
        };
        Ok(Some(Header {
            is_final,
            opcode,
            len: bytes.len().saturating_sub(rest.len()),
            mask,
            payload_len: usize::try_from(len).unwrap_or(usize::MAX),
        }))
    }
}

/// The code with which to answer a close frame: its own. RFC 6455 §5.5.1.
fn close_reply(payload: &[u8]) -> Result<u16, WebSocketError> {
    let Some((&code, _reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() {
            Ok(NORMAL_CLOSURE)
        } else {
            Err(WebSocketError::BadCloseCode)
        };
    };
    match u16::from_be_bytes(code) {
        code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => Ok(code),
        _ => Err(WebSocketError::BadCloseCode),
    }
}

/// How a WebSocket client broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketError {
    /// A reserved bit is set, though no extension was agreed on.
    #[error("websocket frame with reserved bits set")]
    ReservedBits,
    /// An opcode that RFC 6455 does not define.
    #[error("unknown websocket opcode {opcode:#x}")]
    UnknownOpcode {
        /// The four bits.
        opcode: u8,
    },
    /// A client's frame without a mask.
    #[error("unmasked websocket frame from a client")]
    Unmasked,
    /// A control frame that is fragmented or longer than 125 bytes.
    #[error("fragmented or long websocket control frame")]
    BadControlFrame,
    /// A text message of a publisher: FLV is binary.
    #[error("websocket text from a publisher: FLV is binary")]
    Text,
    /// A continuation frame where no message is under way.
    #[error("websocket continuation of nothing")]
    NothingToContinue,
    /// A message that begins before the last one has ended.
    #[error("websocket message inside another")]
    UnfinishedMessage,
    /// More than a player or a publisher has reason to send.
    #[error("websocket frame of {len} bytes exceeds the limit of {max} bytes")]
    FrameTooLong {
        /// The length that the header says.
        len: u64,
        /// The limit.
        max: u64,
    },
    /// A close frame with half a code, or one that must not be sent.
    #[error("bad websocket close code")]
    BadCloseCode,
}

impl WebSocketError {
    /// The code of the close frame that says so to the client.
    #[must_use]
    pub const fn close_code(&self) -> u16 {
        match self {
            WebSocketError::FrameTooLong { .. } => MESSAGE_TOO_BIG,
            WebSocketError::Text => UNSUPPORTED_DATA,
            _ => PROTOCOL_ERROR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use bytes::Buf;
    use quickcheck::quickcheck;

    /// A masked client frame with a final bit.
    fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let mut bytes = vec![0x80 | opcode];
        match u8::try_from(payload.len()) {
            Ok(len @ ..=125) => bytes.push(0x80 | len),
            _ => {
                bytes.push(0x80 | 126);
                bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
            }
        }
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    /// What `pieces` say: the payloads of pings, then the close code or the error.
    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Option<Result<u16, WebSocketError>>) {
        let mut reader = Reader::of_player();
        let mut pings = Vec::new();
        for mut input in pieces {
            loop {
                match reader.read(&mut input) {
                    Ok(Some(Received::Ping(payload))) => pings.push(payload.to_vec()),
                    Ok(Some(Received::Close(code))) => return (pings, Some(Ok(code))),
                    Ok(Some(Received::Content)) => panic!("it is a player"),
                    Ok(None) => break,
                    Err(error) => return (pings, Some(Err(error))),
                }
            }
            assert!(input.is_empty());
        }
        (pings, None)
    }

    fn written(write: impl FnOnce(&mut Output)) -> Vec<u8> {
        let mut out = Output::new();
        write(&mut out);
        out.copy_to_bytes(out.len()).to_vec()
    }

    #[test]
    fn accepts_a_key_of_16_bytes_only() {
        assert_eq!(
            accept(b"dGhlIHNhbXBsZSBub25jZQ=="),
            Some(*b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        );
        for key in ["", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZQ", "!Ghl"] {
            assert_eq!(accept(key.as_bytes()), None, "{key}");
        }
    }

    #[test]
    fn any_cut_of_client_frames_gives_the_same_answers() {
        let bytes = [
            frame(0x1, b"{\"event\":\"stats\"}"),
            frame(0x9, b""),
            frame(0x2, &[7; 300]),
            frame(0xa, b"pong"),
            frame(0x9, &[9; 125]),
            frame(0x8, &[0x03, 0xe9, b'b', b'y', b'e']),
        ]
        .concat();
        let expected = (vec![vec![], vec![9; 125]], Some(Ok(1001)));
        assert_eq!(read([&*bytes]), expected);
        assert_eq!(read(bytes.chunks(1)), expected);
        for cut in 0..bytes.len() {
            let (front, back) = bytes.split_at(cut);
            assert_eq!(read([front, back]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn what_a_client_must_not_send_has_a_name_and_a_code() {
        let mut long = frame(0x2, b"");
        long[1] = 0x80 | 127;
        long.splice(2..2, (1_u64 << 63).to_be_bytes());
        for (bytes, error, code) in [
            (vec![0x82, 0x01, 0x00], WebSocketError::Unmasked, 1002),
            (vec![0xc2, 0x80], WebSocketError::ReservedBits, 1002),
            (vec![0x83, 0x80], WebSocketError::UnknownOpcode { opcode: 3 }, 1002),
            (vec![0x09, 0x80], WebSocketError::BadControlFrame, 1002),
            (vec![0x89, 0xfe], WebSocketError::BadControlFrame, 1002),
            (frame(0x8, &[3]), WebSocketError::BadCloseCode, 1002),
            (frame(0x8, &[0x03, 0xed]), WebSocketError::BadCloseCode, 1002),
            (
                frame(0x1, &[0; 4_097]),
                WebSocketError::FrameTooLong { len: 4_097, max: 4_096 },
                1009,
            ),
            (
                long,
                WebSocketError::FrameTooLong {
                    len: 1 << 63,
                    max: 4_096,
                },
                1009,
            ),
        ] {
            assert_eq!(error.close_code(), code);
            assert_eq!(read([&*bytes]), (vec![], Some(Err(error))));
        }
        assert_eq!(read([&*frame(0x1, &[0; 4_096])]), (vec![], None));
        assert_eq!(read([&*frame(0x8, b"")]), (vec![], Some(Ok(1000))));
    }

    #[test]
    fn headers_have_the_shortest_form() {
        for (len, bytes) in [
            (125, &[0x82, 125][..]),
            (126, &[0x82, 126, 0, 126]),
            (65_535, &[0x82, 126, 0xff, 0xff]),
            (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            assert_eq!(written(|out| write_header(Opcode::Binary, len, out)), bytes);
        }
        assert_eq!(written(|out| write_close(1000, "", out)), [0x88, 2, 0x03, 0xe8]);
    }

    quickcheck! {
        fn any_bytes_read_the_same_however_cut(bytes: Vec<u8>, opcode: u8) -> bool {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = 0x80 | opcode & 0xf;
            }
            read([&*bytes]) == read(bytes.chunks(1))
        }

        fn any_ping_is_read_back(payload: Vec<u8>) -> bool {
            let payload = &payload[..payload.len().min(125)];
            read([&*frame(0x9, payload)]) == (vec![payload.to_vec()], None)
        }
    }
}
