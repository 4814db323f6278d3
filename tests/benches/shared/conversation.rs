//! What a player says and hears, whatever it speaks.

use super::media;
use super::web_socket::WebSocket;
use bytes::Buf;
use headwater_core::flv::{FlvItem, FlvReader};
use headwater_core::rtmp::chunk::ChunkEncoder;
use headwater_core::rtmp::message::Control;
use headwater_core::rtmp::{ClientEvent, ClientRequest, ClientSession, Purpose, SessionConfig};
use headwater_core::{Frame, Limits, Output, Time};
use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;

/// One side of a connection that plays, as bytes in and bytes out.
pub(crate) enum Conversation {
    Rtmp(Box<ClientSession>),
    Http(Box<Http>),
    WebSocket(Box<WebSocket>),
    /// FLV without anything around it, from the bare loop.
    Bare(Box<FlvReader>),
}

/// A chunked response with FLV in it.
pub(crate) struct Http {
    request: Output,
    place: Place,
    /// The end of the line being read.
    line: Vec<u8>,
    flv: FlvReader,
}

/// Where in the response we are. RFC 9112 §7.1.
#[derive(Clone, Copy)]
enum Place {
    StatusLine,
    Fields,
    ChunkSize,
    Data { left: usize },
    DataEnd,
}

impl Conversation {
    pub(crate) fn rtmp(stream: &str) -> Self {
        Conversation::Rtmp(Box::new(session(Purpose::Play, stream)))
    }

    pub(crate) fn http(stream: &str) -> Self {
        let mut request = Output::new();
        request.write(format!("GET /live/{stream} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        Conversation::Http(Box::new(Http {
            request,
            place: Place::StatusLine,
            line: Vec::new(),
            flv: FlvReader::new(&Limits::default()),
        }))
    }

    pub(crate) fn web_socket(stream: &str) -> Self {
        Conversation::WebSocket(Box::new(WebSocket::new(stream)))
    }

    pub(crate) fn bare() -> Self {
        Conversation::Bare(Box::new(FlvReader::new(&Limits::default())))
    }

    /// What to send, if anything.
    pub(crate) fn output(&mut self) -> Option<&mut Output> {
        let output = match self {
            Conversation::Rtmp(session) => session.output(),
            Conversation::Http(http) => &mut http.request,
            Conversation::WebSocket(socket) => &mut socket.output,
            Conversation::Bare(_) => return None,
        };
        output.has_remaining().then_some(output)
    }

    /// Says goodbye, where the protocol has words for it.
    pub(crate) fn close(&mut self) {
        match self {
            Conversation::Rtmp(session) => session.close(time()),
            Conversation::WebSocket(socket) => socket.close(),
            Conversation::Http(_) | Conversation::Bare(_) => {}
        }
    }

    /// Takes what came, and hands on the frames in it. An end that the server announces is an error, too, of the kind
    /// `UnexpectedEof`; one that it refuses is `ConnectionRefused`.
    pub(crate) fn handle_input(&mut self, mut input: &[u8], mut on_frame: impl FnMut(&Frame)) -> Result<()> {
        match self {
            Conversation::Rtmp(session) => {
                while let Some(event) = session.handle_input(time(), &mut input).map_err(invalid)? {
                    match event {
                        ClientEvent::Frame(frame) => on_frame(&frame),
                        ClientEvent::Refused { .. } => {
                            return Err(Error::new(ErrorKind::ConnectionRefused, format!("{event:?}")));
                        }
                        ClientEvent::Ended(cause) => {
                            return Err(Error::new(ErrorKind::UnexpectedEof, cause.to_string()));
                        }
                        _ => {}
                    }
                }
                Ok(())
            }
            Conversation::Http(http) => http.handle_input(input, &mut on_frame),
            Conversation::WebSocket(socket) => socket.handle_input(input, &mut on_frame),
            Conversation::Bare(flv) => read_flv(flv, input, &mut on_frame),
        }
    }
}

impl Http {
    fn handle_input(&mut self, mut input: &[u8], on_frame: &mut impl FnMut(&Frame)) -> Result<()> {
        while !input.is_empty() {
            if let Place::Data { left } = self.place {
                let (data, rest) = input.split_at(left.min(input.len()));
                input = rest;
                self.place = match left - data.len() {
                    0 => Place::DataEnd,
                    left => Place::Data { left },
                };
                read_flv(&mut self.flv, data, on_frame)?;
                continue;
            }
            self.line.push(input[0]);
            input = &input[1..];
            if let Some(line) = self.line.strip_suffix(b"\r\n") {
                self.place = self.place.after(line)?;
                self.line.clear();
            }
        }
        Ok(())
    }
}

impl Place {
    fn after(self, line: &[u8]) -> Result<Place> {
        let line = std::str::from_utf8(line).map_err(invalid)?;
        Ok(match self {
            Place::StatusLine if line.starts_with("HTTP/1.1 200") => Place::Fields,
            Place::StatusLine => return Err(Error::new(ErrorKind::ConnectionRefused, line)),
            Place::Fields if line.is_empty() => Place::ChunkSize,
            Place::Fields => Place::Fields,
            Place::ChunkSize => match usize::from_str_radix(line, 16).map_err(invalid)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                left => Place::Data { left },
            },
            Place::Data { .. } | Place::DataEnd => Place::ChunkSize,
        })
    }
}

pub(super) fn read_flv(reader: &mut FlvReader, mut input: &[u8], on_frame: &mut impl FnMut(&Frame)) -> Result<()> {
    while let Some(item) = reader.handle_input(&mut input).map_err(invalid)? {
        if let FlvItem::Frame(frame) = item {
            on_frame(&frame);
        }
    }
    Ok(())
}

/// An RTMP session about `/live/STREAM`.
pub(crate) fn session(purpose: Purpose, stream: &str) -> ClientSession {
    let request = ClientRequest {
        purpose,
        app: "live".into(),
        tc_url: "rtmp://127.0.0.1/live".into(),
        name: stream.into(),
    };
    ClientSession::new(Arc::new(SessionConfig::default()), time(), 7, request)
}

/// Writes something that a server reads and does not act on, so that it takes us to be alive.
pub(crate) fn write_sign_of_life(out: &mut Output) {
    let message = Control::Acknowledgement(0).to_message();
    ChunkEncoder::new().encode(&message, out).expect("it is short");
}

pub(crate) fn time() -> Time {
    Time::ZERO + media::now()
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::InvalidData, error)
}
