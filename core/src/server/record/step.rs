//! What a session was told, one thing at a time, as bytes.

use crate::hub::Tracks;
use crate::rtmp::MessageStreamId;
use crate::server::question::Intent;
use crate::server::refusal::{Excess, Refusal};
use crate::{EndCause, Frame, FrameAt, FrameKind, RequestId, Timestamp};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// One thing that a session was told.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step<'a> {
    /// The session took these bytes. `more`: others came behind them that it left.
    Input {
        bytes: &'a [u8],
        more: bool,
    },
    Eof,
    Timeout,
    /// So many bytes of output have left.
    Left(u64),
    /// A frame for a player, of which the beginning is here. `starts`: what the header before it announces.
    Frame {
        stream: MessageStreamId,
        kind: FrameKind,
        timestamp: Timestamp,
        starts: Option<Tracks>,
        len: usize,
        beginning: &'a [u8],
    },
    Told(Told),
    /// So many bytes wait behind a request.
    Waiting(usize),
}

/// What the server told a session, beside frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::server) enum Told {
    AcceptConnect(RequestId),
    RejectConnect {
        request: RequestId,
        excess: Excess,
    },
    AcceptPublish(RequestId),
    AcceptPlay(RequestId),
    Reject {
        request: RequestId,
        intent: Intent,
        refusal: Refusal,
    },
    /// For good: the connection closes behind the answer.
    TurnAway {
        request: RequestId,
        intent: Intent,
        excess: Excess,
    },
    Deny {
        request: RequestId,
        intent: Intent,
        reason: Box<str>,
        needs_credentials: bool,
    },
    PublishNotify(MessageStreamId),
    EndPlay {
        stream: MessageStreamId,
        cause: EndCause,
    },
    EndPublish {
        stream: MessageStreamId,
        refusal: Refusal,
        cause: EndCause,
    },
    Close,
}

/// Bytes of a frame that are recorded: a player's session looks at no more, and neither does anybody who reads the transcript.
const FRAME_HEAD: usize = 17;
/// The same of metadata, which is shown whole.
const METADATA_HEAD: usize = 1 << 10;

impl<'a> Step<'a> {
    /// The step that sends `frame`.
    pub(super) fn frame(stream: MessageStreamId, frame: &'a FrameAt<'_>, starts: Option<Tracks>) -> Self {
        let payload = &frame.frame.payload;
        let head = match frame.frame.kind {
            FrameKind::Data => METADATA_HEAD,
            FrameKind::Audio | FrameKind::Video => FRAME_HEAD,
        };
        Step::Frame {
            stream,
            kind: frame.frame.kind,
            timestamp: frame.timestamp,
            starts,
            len: payload.len(),
            beginning: payload.get(..payload.len().min(head)).unwrap_or_default(),
        }
    }

    /// Appends the step that comes `after` the one before it.
    pub(super) fn write(&self, after: Duration, out: &mut Vec<u8>) {
        let begin = |tag: u8, out: &mut Vec<u8>| {
            out.push(tag);
            write_number(u64::try_from(after.as_micros()).unwrap_or(u64::MAX), out);
        };
        match self {
            Step::Input { bytes, more } => {
                begin(u8::from(*more), out);
                write_bytes(bytes, out);
            }
            Step::Eof => begin(2, out),
            Step::Timeout => begin(3, out),
            Step::Left(bytes) => {
                begin(4, out);
                write_number(*bytes, out);
            }
            Step::Frame {
                stream,
                kind,
                timestamp,
                starts,
                len,
                beginning,
            } => {
                begin(5, out);
                write_number(stream.0.into(), out);
                out.push(kind.type_id());
                write_number(timestamp.as_millis().into(), out);
                out.push(starts.map_or(0, |it| 4 | u8::from(it.audio) << 1 | u8::from(it.video)));
                write_number(*len as u64, out);
                write_bytes(beginning, out);
            }
            Step::Told(told) => {
                begin(6, out);
                write_bytes(&serde_json::to_vec(told).unwrap_or_default(), out);
            }
            Step::Waiting(bytes) => {
                begin(7, out);
                write_number(*bytes as u64, out);
            }
        }
    }

    /// Takes a step off the front of `bytes`, with the time since the one before. `None` if there is none.
    pub(super) fn read(bytes: &mut &'a [u8]) -> Option<(Duration, Self)> {
        let tag = read_byte(bytes)?;
        let after = Duration::from_micros(read_number(bytes)?);
        let step = match tag {
            0 | 1 => Step::Input {
                bytes: read_bytes(bytes)?,
                more: tag == 1,
            },
            2 => Step::Eof,
            3 => Step::Timeout,
            4 => Step::Left(read_number(bytes)?),
            5 => Step::Frame {
                stream: MessageStreamId(read_number(bytes)?.try_into().ok()?),
                kind: FrameKind::from_type_id(read_byte(bytes)?)?,
                timestamp: Timestamp::from_millis(read_number(bytes)?.try_into().ok()?),
                starts: match read_byte(bytes)? {
                    0 => None,
                    flags => Some(Tracks {
                        audio: flags & 2 != 0,
                        video: flags & 1 != 0,
                    }),
                },
                len: read_number(bytes)?.try_into().ok()?,
                beginning: read_bytes(bytes)?,
            },
            6 => Step::Told(serde_json::from_slice(read_bytes(bytes)?).ok()?),
            7 => Step::Waiting(read_number(bytes)?.try_into().ok()?),
            _ => return None,
        };
        Some((after, step))
    }
}

/// The frame that was sent, with zeros for what is not recorded of it. `None` if no frame is so long.
pub(super) fn restored(kind: FrameKind, timestamp: Timestamp, len: usize, beginning: &[u8]) -> Option<Frame> {
    /// The most that a message can have.
    const MAX_LEN: usize = 0x00FF_FFFF;
    if len > MAX_LEN || beginning.len() > len {
        return None;
    }
    let mut payload = beginning.to_vec();
    payload.resize(len, 0);
    Some(Frame::new(kind, timestamp, Bytes::from(payload)))
}

fn write_number(mut number: u64, out: &mut Vec<u8>) {
    while let Some(low) = u8::try_from(number & 0x7F).ok().filter(|_| number > 0x7F) {
        out.push(low | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or_default());
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_number(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn read_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*byte)
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = read_byte(bytes)?;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn read_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(read_number(bytes)?).ok()?;
    let (piece, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(piece)
}
