//! HTTP: any cut of a conversation leads to the same events and answers, each start has one end, and every session ends.

use super::choices::{Choices, ways};
use super::http_owner::answer;
use super::memory::Meter;
use super::snippets::{frame, tags};
use bytes::Buf;
use headwater_core::flv::TagFlags;
use headwater_core::http::{HttpConfig, HttpError, HttpEvent, HttpSession, Method, Response, StatusCode};
use headwater_core::{EndCause, Limits, RequestId, Time};
use std::sync::Arc;
use std::time::Duration;

pub(super) const FLAGS: TagFlags = TagFlags {
    audio: true,
    video: true,
};

/// Events, the error, and everything that was sent.
#[derive(Debug, PartialEq, Default)]
pub(super) struct Outcome {
    pub(super) events: Vec<HttpEvent>,
    pub(super) error: Option<HttpError>,
    pub(super) sent: Vec<u8>,
}

pub(super) fn check(bytes: &[u8]) {
    let (mode, body) = bytes.split_first().map_or((0, bytes), |(first, body)| (*first, body));
    if mode & 1 == 0 {
        check_cuts(body, mode);
    } else {
        check_operations(body);
    }
}

fn check_cuts(body: &[u8], seed: u8) {
    let meter = Meter::new();
    let [whole, single, pieces] = ways(body, seed);
    let outcome = converse(whole);
    assert_eq!(converse(single), outcome, "byte by byte");
    assert_eq!(converse(pieces), outcome, "in pieces");
    let answered = outcome.sent.len();
    assert!(outcome.sent.is_empty() || outcome.sent.starts_with(b"HTTP/1.1 "));
    // No answer is long, and a request takes some 18 bytes at the least; each play is sent two frames.
    assert!(
        answered <= 100 * body.len() + 2_000,
        "{answered} bytes for {}",
        body.len()
    );
    meter.assert_at_most(64 * body.len() + 4 * answered + (64 << 10));
}

pub(super) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_http_head = 2_000;
    limits.max_http_headers = 20;
    limits.max_message_len = 50_000;
    limits.max_command_len = 2_000;
    limits.max_output = 100_000;
    limits
}

fn session(limits: Limits) -> HttpSession {
    let mut config = HttpConfig::new(limits);
    config.allowed_origins = vec!["https://studio.example".parse().unwrap()];
    HttpSession::new(Arc::new(config), Time::ZERO)
}

/// Delivers `pieces` and the end of input to a session whose owner accepts everything but what is called `no`.
pub(super) fn converse(pieces: Vec<&[u8]>) -> Outcome {
    // What is sent is read at the end of each piece, and the whole may be one.
    let mut limits = limits();
    limits.max_output = 10 << 20;
    let frames = [frame("K0:300"), frame("a23")];
    let (mut session, mut outcome, mut pending) = (session(limits), Outcome::default(), Vec::new());
    for piece in pieces {
        pending.extend_from_slice(piece);
        loop {
            let mut input = &*pending;
            let result = session.handle_input(Time::ZERO, &mut input);
            let taken = pending.len() - input.len();
            pending.drain(..taken);
            match result {
                Ok(Some(event)) => {
                    look_at(&event);
                    answer(&mut session, Time::ZERO, &event, &frames);
                    outcome.events.push(event);
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(outcome.error.as_ref().is_none_or(|it| *it == error), "an error stays");
                    outcome.error = Some(error);
                    break;
                }
            }
        }
        assert!(
            pending.is_empty() || session.is_paused() || outcome.error.is_some(),
            "all was taken"
        );
        let out = session.output();
        outcome.sent.extend(out.copy_to_bytes(out.len()));
    }
    while let Ok(Some(event)) = session.handle_eof(Time::ZERO) {
        outcome.events.push(event);
    }
    let out = session.output();
    outcome.sent.extend(out.copy_to_bytes(out.len()));
    outcome
}

/// Asks a request for all that its owner may want to know.
fn look_at(event: &HttpEvent) {
    if let HttpEvent::Requested { head, .. } = event {
        let _ = (head.query_value("merge"), head.host(), head.path_as_sent());
    }
}

/// Counts starts and ends while operations are applied to a session.
struct Ledger {
    session: HttpSession,
    pending: Vec<u8>,
    now: Time,
    waiting: Option<(RequestId, Method)>,
    /// Requests, plays and publishes that have begun and not ended.
    open: u32,
}

fn check_operations(body: &[u8]) {
    let mut ledger = Ledger {
        session: session(limits()),
        pending: Vec::new(),
        now: Time::ZERO,
        waiting: None,
        open: 0,
    };
    let conversations = conversations();
    let mut choices = Choices::new(body);
    while !choices.is_empty() {
        ledger.apply(&mut choices, &conversations);
        let waiting = ledger.session.output_ref().len();
        assert!(waiting < 300_000, "{waiting} bytes wait");
    }
    ledger.session.close(ledger.now);
    ledger.settle();
    for deadlines in 0.. {
        if ledger.session.is_closed() {
            break;
        }
        assert!(deadlines < 10, "deadlines lead to the end");
        ledger.now = ledger.session.poll_timeout().expect("a deadline until it is closed");
        ledger.settle();
    }
    assert_eq!(ledger.open, 0, "what has begun has ended");
    assert!(ledger.session.poll_timeout().is_none_or(|at| at > ledger.now));
}

impl Ledger {
    fn apply(&mut self, choices: &mut Choices<'_>, conversations: &[Vec<u8>]) {
        let now = self.now;
        match choices.byte() % 20 {
            0..6 => {
                let whole = &conversations[usize::from(choices.byte()) % conversations.len()];
                let len = usize::from(choices.byte()) * 8;
                self.pending.extend(&whole[..len.min(whole.len())]);
            }
            6 => {
                let len = usize::from(choices.byte());
                self.pending.extend(choices.bytes(len));
            }
            7 => {
                while let Ok(Some(event)) = self.session.handle_eof(now) {
                    self.note(&event);
                }
            }
            8 => self.now = now + Duration::from_millis(u64::from(choices.number())),
            9 => self.now = self.session.poll_timeout().unwrap_or(now).max(now),
            10..13 => self.answer(true),
            13 => self.answer(false),
            14 => _ = self.session.start_play(FLAGS),
            15 => {
                _ = self
                    .session
                    .send_frame(&frame(choices.one_of(&["K0:5000", "a5", "M", "S", "V"])))
            }
            16 => _ = self.session.end_play(now, EndCause::Unpublished),
            17 => {
                _ = self
                    .session
                    .end_publish(now, StatusCode::Conflict, "replaced", EndCause::Replaced)
            }
            18 => self.session.close(now),
            _ => {
                let len = usize::from(choices.number());
                let out = self.session.output();
                out.advance(out.len().min(len));
            }
        }
        self.settle();
    }

    /// Takes whatever there is to be taken.
    fn settle(&mut self) {
        for calls in 0.. {
            assert!(calls < 10_000, "each call takes something or gives something");
            let mut input = &*self.pending;
            let result = self.session.handle_input(self.now, &mut input);
            let taken = self.pending.len() - input.len();
            self.pending.drain(..taken);
            let Ok(Some(event)) = result else { break };
            self.note(&event);
        }
        while let Ok(Some(event)) = self.session.handle_timeout(self.now) {
            self.note(&event);
        }
        let deadline = self.session.poll_timeout();
        assert!(deadline.is_none_or(|at| at > self.now), "what was due is done");
    }

    fn answer(&mut self, accept: bool) {
        let Some((id, method)) = self.waiting.take() else {
            return;
        };
        let (session, now) = (&mut self.session, self.now);
        let answered = match (accept, method) {
            (false, _) => session.reject(now, id, StatusCode::NotFound, "no", None),
            (true, Method::Post | Method::Put) => session.accept_publish(now, id),
            (true, Method::Get | Method::Head) => session.accept_play(now, id),
            (true, Method::Patch) => session.read_body(now, id, 10),
            (true, _) => session.respond(now, id, &Response::json("{}")),
        };
        assert_eq!(answered, Ok(()));
        if !accept || !matches!(method, Method::Get | Method::Post | Method::Put | Method::Patch) {
            self.open -= 1;
        }
    }

    fn note(&mut self, event: &HttpEvent) {
        match event {
            HttpEvent::Requested { id, head } => {
                assert_eq!(self.open, 0, "one at a time");
                self.open = 1;
                self.waiting = Some((*id, head.method));
            }
            // It waits for an answer again, and may not be read once more.
            HttpEvent::Body { id, .. } => self.waiting = Some((*id, Method::Delete)),
            HttpEvent::PlayEnded { .. } | HttpEvent::PublishEnded { .. } | HttpEvent::RequestEnded { .. } => {
                self.open -= 1;
                self.waiting = None;
            }
            _ => {}
        }
    }
}

/// Content in one chunk.
pub(super) fn chunk(content: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", content.len()).as_bytes(), content, b"\r\n"].concat()
}

/// What HTTP clients say.
pub(super) fn conversations() -> Vec<Vec<u8>> {
    let content = [b"FLV\x01\x05\0\0\0\x09\0\0\0\0", &*tags("V A K0:300 a23")].concat();
    let chunks = [
        &b"POST /live/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"[..],
        &chunk(&content[..100]),
        &chunk(&content[100..]),
        b"0\r\n\r\n",
    ]
    .concat();
    let put = format!(
        "PUT /live/x HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
        content.len()
    );
    let texts: [&[u8]; 14] = [
        b"GET /live/x?merge=100&wait=2 HTTP/1.1\r\nHost: h\r\nOrigin: https://a.example\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\nOPTIONS /live/x HTTP/1.1\r\nHost: h\r\nOrigin: null\r\nAccess-Control-Request-Method: GET\r\n\r\n",
        b"HEAD /live/x.flv HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /live/%e5%90%8d%2Fno HTTP/1.1\r\nHost: h:8080\r\nConnection: close\r\n\r\n",
        b"DELETE /live/x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\r\nGET http://h/live/x HTTP/1.0\r\n\r\nignored",
        b"PATCH /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n4;a=\"b\"\r\nabcd\r\n6\r\nefghij\r\n0\r\nT: 1\r\n\r\n",
        b"PATCH /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789PATCH /x HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nabcdefghijk",
        b"PUT /live/x HTTP/1.1\r\nHost: h\r\nOrigin: https://studio.example\r\nSec-Fetch-Site: cross-site\r\n\r\n",
        b"GET /live/x HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n",
        b"POST /live/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        b"GET /live/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x89\x84\0\0\0\0ping\x88\x82\0\0\0\0\x03\xE8",
        b"\x16\x03\x01\x02\0",
        b"GET /live/x HTTP/1.1\nHost: h\n\n",
    ];
    let mut all: Vec<_> = texts.map(<[u8]>::to_vec).into();
    all.push(chunks);
    all.push([b"POST /live/x HTTP/1.1\r\nHost: h\r\n\r\n", &*content].concat());
    all.push([put.as_bytes(), &content].concat());
    all
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let all = conversations();
    let mut seeds: Vec<_> = all.iter().map(|bytes| [&[0], &**bytes].concat()).collect();
    seeds.push([&[4], &*all.concat()].concat());
    // Each conversation, answered, started, sent to and ended.
    let steps = (0..all.len() as u8).flat_map(|index| [0, index, 255, 10, 14, 15, 0, 16, 17, 19, 255, 255, 9]);
    seeds.push([1].into_iter().chain(steps).collect());
    seeds.push(vec![1, 0, 14, 255, 10, 0, 15, 255, 8, 255, 255, 9, 9, 7]);
    seeds.push(vec![1, 0, 6, 20, 10, 0, 7, 255, 10, 9, 13, 18]);
    seeds
}
