//! A player's side of FLV over WebSocket. RFC 6455.

use super::conversation::read_flv;
use headwater_core::flv::FlvReader;
use headwater_core::{Frame, Limits, Output};
use std::io::{Error, ErrorKind, Result};

/// A connection that asks for a stream and reads it.
pub(crate) struct WebSocket {
    pub(super) output: Output,
    place: Place,
    /// The head of the response, or of a frame, as far as it came; the whole of a control frame.
    head: Vec<u8>,
    flv: FlvReader,
}

#[derive(Clone, Copy)]
enum Place {
    Response,
    Head,
    /// In a data frame.
    Data {
        left: u64,
    },
    /// In a control frame.
    Control {
        opcode: u8,
        len: usize,
    },
}

const CLOSE: u8 = 8;
const PING: u8 = 9;

impl WebSocket {
    pub(crate) fn new(stream: &str) -> Self {
        let mut output = Output::new();
        output.write(request(stream).as_bytes());
        WebSocket {
            output,
            place: Place::Response,
            head: Vec::new(),
            flv: FlvReader::new(&Limits::default()),
        }
    }

    pub(super) fn handle_input(&mut self, mut input: &[u8], on_frame: &mut impl FnMut(&Frame)) -> Result<()> {
        while !input.is_empty() {
            if let Place::Data { left } = self.place {
                let taken = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let (data, rest) = input.split_at(taken);
                input = rest;
                self.place = match left - taken as u64 {
                    0 => Place::Head,
                    left => Place::Data { left },
                };
                read_flv(&mut self.flv, data, on_frame)?;
                continue;
            }
            self.head.push(input[0]);
            input = &input[1..];
            self.step()?;
        }
        Ok(())
    }

    /// Looks at a head that has grown by a byte.
    fn step(&mut self) -> Result<()> {
        let head = &self.head[..];
        match self.place {
            Place::Response if head.ends_with(b"\r\n\r\n") => {
                if !head.starts_with(b"HTTP/1.1 101") {
                    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
                    return Err(Error::new(ErrorKind::ConnectionRefused, String::from_utf8_lossy(line)));
                }
                self.place = Place::Head;
            }
            Place::Head => {
                let Some(len) = length(head)? else { return Ok(()) };
                let opcode = head[0] & 15;
                self.place = match (opcode, len) {
                    (8.., 0) => return self.answer(opcode),
                    (8.., _) => Place::Control {
                        opcode,
                        len: usize::try_from(len).map_err(Error::other)?,
                    },
                    (_, 0) => Place::Head,
                    (_, left) => Place::Data { left },
                };
            }
            Place::Control { opcode, len } if head.len() == len => return self.answer(opcode),
            Place::Response | Place::Control { .. } | Place::Data { .. } => return Ok(()),
        }
        self.head.clear();
        Ok(())
    }

    fn answer(&mut self, opcode: u8) -> Result<()> {
        self.place = Place::Head;
        let payload = std::mem::take(&mut self.head);
        match opcode {
            CLOSE => Err(ErrorKind::UnexpectedEof.into()),
            PING => {
                // A pong with what the ping had in it: behind a head of two bytes if it was empty.
                let payload = if payload == [0x89, 0] { &[][..] } else { &payload };
                self.output.write(&frame(10, payload));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn close(&mut self) {
        self.output.write(&frame(CLOSE, &1_000_u16.to_be_bytes()));
    }
}

/// What asks for `/live/STREAM`.
pub(crate) fn request(stream: &str) -> String {
    format!(
        "GET /live/{stream} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// The payload's length, if the head is whole. Servers do not mask.
fn length(head: &[u8]) -> Result<Option<u64>> {
    let [_, first, rest @ ..] = head else { return Ok(None) };
    Ok(match (first, rest) {
        (128.., _) => return Err(Error::new(ErrorKind::InvalidData, "a masked frame from a server")),
        (126, [high, low]) => Some(u16::from_be_bytes([*high, *low]).into()),
        (127, rest) => rest.first_chunk().map(|len| u64::from_be_bytes(*len)),
        (126, _) => None,
        (len, _) => Some((*len).into()),
    })
}

/// A short frame of a client, with a mask of zeros.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).expect("it is short") | 0x80;
    [&[0x80 | opcode, len, 0, 0, 0, 0][..], payload].concat()
}
