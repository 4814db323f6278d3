//! Whole conversations, in memory, in virtual milliseconds.

mod content;
mod keep_alive;
mod pages;
mod pieces;
mod play;
mod properties;
mod publish;
mod refuse;
mod respond;
mod websocket;
mod websocket_push;

use super::*;
use crate::flv::{FlvWriter, TagFlags};
use crate::frames::{flv_of, frame, frame_of};
use crate::{EndCause, Frame, Limits, Output, RequestId, StateError, Time, Timer, Timestamp};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::{Buf, Bytes};

/// A session, the input that it left with its caller, and a clock.
struct Server {
    session: HttpSession,
    pending: Vec<u8>,
    now: Time,
}

impl Server {
    fn new() -> Self {
        Server::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        Server::allowing(limits, &[])
    }

    fn allowing(limits: Limits, origins: &[&str]) -> Self {
        let config = HttpConfig {
            allowed_origins: origins.iter().map(|origin| origin.parse().unwrap()).collect(),
            ..HttpConfig::new(limits)
        };
        Server {
            session: HttpSession::new(Arc::new(config), Time::ZERO),
            pending: Vec::new(),
            now: Time::ZERO,
        }
    }

    /// The next event, after `bytes` have arrived.
    fn next(&mut self, bytes: &[u8]) -> Result<Option<HttpEvent>, HttpError> {
        self.pending.extend_from_slice(bytes);
        let mut input = &*self.pending;
        let result = self.session.handle_input(self.now, &mut input);
        let taken = self.pending.len() - input.len();
        self.pending.drain(..taken);
        if result == Ok(None) && !self.session.is_paused() {
            assert!(self.pending.is_empty(), "left over, but not paused");
        }
        result
    }

    /// The request in `bytes`.
    fn request(&mut self, bytes: &str) -> RequestId {
        self.request_head(bytes).0
    }

    /// The same, and what it says.
    fn request_head(&mut self, bytes: &str) -> (RequestId, RequestHead) {
        match self.next(bytes.as_bytes()) {
            Ok(Some(HttpEvent::Requested { id, head })) => (id, *head),
            other => panic!("{other:?}"),
        }
    }

    /// What `bytes` lead to, and nothing more.
    #[track_caller]
    fn expect(&mut self, bytes: &[u8], events: &[HttpEvent]) {
        let mut seen = Vec::new();
        seen.extend(self.next(bytes).unwrap());
        while let Some(event) = seen.last().and_then(|_| self.next(b"").unwrap()) {
            seen.push(event);
        }
        assert_eq!(seen, events);
    }

    /// Lets time pass until the next deadline.
    fn timeout(&mut self) -> Result<Option<HttpEvent>, HttpError> {
        self.now = self.session.poll_timeout().expect("a deadline");
        self.session.handle_timeout(self.now)
    }

    /// Lets `timer` run out, and the timers before it, none of which does anything that is told.
    fn run_out(&mut self, timer: Timer) -> Result<Option<HttpEvent>, HttpError> {
        for _ in 0..100 {
            if self.session.next_timer() == Some(timer) {
                return self.timeout();
            }
            assert_eq!(self.timeout(), Ok(None));
        }
        panic!("no {timer} timer");
    }

    fn sent(&mut self) -> Vec<u8> {
        let out = self.session.output();
        out.copy_to_bytes(out.len()).to_vec()
    }

    /// What was sent, up to the content.
    fn sent_head(&mut self) -> String {
        let sent = String::from_utf8(self.sent()).unwrap();
        let (head, content) = sent.split_once("\r\n\r\n").unwrap();
        assert_eq!(content, "");
        String::from(head)
    }

    /// The status line that was sent.
    fn sent_status(&mut self) -> String {
        let sent = self.sent();
        let line = sent.split(|byte| *byte == b'\r').next().unwrap();
        String::from_utf8(line.to_vec()).unwrap()
    }
}

const FLAGS: TagFlags = TagFlags {
    audio: true,
    video: true,
};

fn written(write: impl FnOnce(&mut Output)) -> Vec<u8> {
    let mut out = Output::new();
    write(&mut out);
    out.copy_to_bytes(out.len()).to_vec()
}

fn tag(frame: &Frame) -> Vec<u8> {
    written(|out| FlvWriter::frame(frame, out))
}

fn chunk(content: &[u8]) -> Vec<u8> {
    [alloc::format!("{:x}\r\n", content.len()).as_bytes(), content, b"\r\n"].concat()
}

/// A masked client frame of WebSocket, the last of its message.
fn client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame_of_client(0x80 | opcode, payload)
}

/// The same with another first byte.
fn frame_of_client(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    let len = match u8::try_from(payload.len()) {
        Ok(len @ ..=125) => Vec::from([0x80 | len]),
        _ => [&[0x80 | 126][..], &u16::try_from(payload.len()).unwrap().to_be_bytes()].concat(),
    };
    [first].into_iter().chain(len).chain(mask).chain(masked).collect()
}
