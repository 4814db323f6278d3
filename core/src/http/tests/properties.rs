//! What holds for every input, however it is cut, and for every order of calls.

use super::*;
use crate::http_owner::answer;
use quickcheck::{Arbitrary, Gen, quickcheck};

/// What a conversation led to: events, the error, and everything that was sent.
type Outcome = (Vec<HttpEvent>, Option<HttpError>, Vec<u8>);

/// Delivers `pieces` and the end of input to a session whose owner accepts everything, plays two frames to each player,
/// and rejects what is called `live/no`.
fn converse<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let frames = [frame("K0:300"), frame("a23")];
    let mut server = Server::new();
    let mut outcome = Outcome::default();
    for piece in pieces {
        let mut piece = Some(piece);
        loop {
            let event = match server.next(piece.take().unwrap_or_default()) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    outcome.1 = Some(error);
                    break;
                }
            };
            answer(&mut server.session, server.now, &event, &frames);
            outcome.0.push(event);
        }
        outcome.2.extend(server.sent());
    }
    while let Ok(Some(event)) = server.session.handle_eof(server.now) {
        outcome.0.push(event);
    }
    outcome.2.extend(server.sent());
    outcome
}

fn conversations() -> Vec<Vec<u8>> {
    let content = flv_of(&[frame("K0:300"), frame("a23")]);
    let chunks = [
        &b"POST /live/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"[..],
        &chunk(&content[..100]),
        &chunk(&content[100..]),
        b"0\r\n\r\n",
    ]
    .concat();
    let upgrade = b"GET /live/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let push = b"GET /live/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: publisher\r\n\r\n";
    alloc::vec![
        [
            &chunks[..],
            b"GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n",
            b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
            b"HEAD /live/x HTTP/1.1\r\nHost: h\r\n\r\n",
            b"GET /live/no HTTP/1.1\r\nHost: h\r\n\r\n",
            b"DELETE /live/x HTTP/1.1\r\nHost: h\r\n\r\n",
            b"\r\nGET /live/x HTTP/1.0\r\n\r\nignored",
        ]
        .concat(),
        [&b"POST /live/x HTTP/1.1\r\nHost: h\r\n\r\n"[..], &content].concat(),
        [
            &b"PATCH /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"[..],
            b"4\r\nabcd\r\n6\r\nefghij\r\n0\r\n\r\n",
            b"PATCH /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789",
            b"PATCH /x HTTP/1.1\r\nHost: h\r\n\r\n",
            b"PATCH /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\nghijk\r\n",
        ]
        .concat(),
        [
            &b"GET /live/no HTTP/1.0\r\nConnection: keep-alive\r\n\r\n\r\n"[..],
            b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
            b"GET /live/no HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /live/x HTTP/1.0\r\n\r\n",
        ]
        .concat(),
        b"PATCH /x HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nabcdefghijk".to_vec(),
        b"PATCH /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc".to_vec(),
        b"DELETE /x HTTP/1.1\r\nHost: h\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
        [
            alloc::format!(
                "PUT /live/x HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
                content.len()
            )
            .as_bytes(),
            &content,
            b"PUT /live/no HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
        ]
        .concat(),
        [
            &upgrade[..],
            &client_frame(0x9, b"ping"),
            &client_frame(0x1, b"text"),
            &client_frame(0x8, &[0x03, 0xe8]),
            b"ignored",
        ]
        .concat(),
        [&upgrade[..], &client_frame(0x9, b""), &[0x81, 0x00]].concat(),
        [
            &push[..],
            &frame_of_client(0x02, &content[..30]),
            &client_frame(0x9, b"ping"),
            &client_frame(0x0, &content[30..]),
            &client_frame(0x8, &[0x03, 0xe8]),
            b"ignored",
        ]
        .concat(),
        [&push[..], &client_frame(0x2, &content), &client_frame(0x1, b"text")].concat(),
        [&push[..], &client_frame(0x2, b"hello, world")].concat(),
        [&chunks[..200], b"\r\nX"].concat(),
        b"GET /live/x HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n".to_vec(),
        b"\x03RTMP".to_vec(),
    ]
}

#[test]
fn any_cut_of_a_conversation_leads_to_the_same() {
    for bytes in conversations() {
        let expected = converse([&*bytes]);
        assert!(!expected.0.is_empty() || expected.1.is_some());
        assert_eq!(converse(bytes.chunks(1)), expected, "byte by byte");
        for cut in 0..bytes.len() {
            let (front, back) = bytes.split_at(cut);
            assert_eq!(
                converse([front, back]),
                expected,
                "cut at {cut}: {}",
                bytes.escape_ascii()
            );
        }
    }
}

/// Something that a peer, the clock or the owner of a session does.
#[derive(Debug, Clone)]
enum Operation {
    Input(Vec<u8>),
    Eof,
    Wait(u32),
    Answer(bool),
    Start,
    Send(u16),
    EndPlay,
    EndPublish,
    Close,
    Drain(u16),
}

impl Arbitrary for Operation {
    fn arbitrary(g: &mut Gen) -> Self {
        let conversations = conversations();
        match u8::arbitrary(g) % 16 {
            0 => Operation::Eof,
            1 => Operation::Wait(u32::arbitrary(g) % 20_000),
            2..=4 => Operation::Answer(true),
            5 => Operation::Answer(false),
            6 => Operation::Start,
            7 => Operation::Send(u16::arbitrary(g)),
            8 => Operation::EndPlay,
            9 => Operation::EndPublish,
            10 if bool::arbitrary(g) => Operation::Close,
            10 => Operation::Drain(u16::arbitrary(g)),
            11 => Operation::Input(Vec::arbitrary(g)),
            _ => {
                let bytes = g.choose(&conversations).unwrap();
                let len = usize::arbitrary(g) % bytes.len() + 1;
                Operation::Input(if bool::arbitrary(g) {
                    bytes.clone()
                } else {
                    bytes[..len].to_vec()
                })
            }
        }
    }
}

/// Counts starts and ends while operations are applied to a session.
#[derive(Default)]
struct Ledger {
    waiting: Option<(RequestId, Method)>,
    /// Requests, plays and publishes that have begun and not ended.
    open: u32,
}

impl Ledger {
    fn note(&mut self, result: Result<Option<HttpEvent>, HttpError>) -> bool {
        match result {
            Ok(Some(HttpEvent::Requested { id, head })) => {
                assert_eq!(self.open, 0, "one at a time");
                self.open = 1;
                self.waiting = Some((id, head.method));
            }
            Ok(Some(HttpEvent::PlayEnded { .. } | HttpEvent::PublishEnded { .. } | HttpEvent::RequestEnded { .. })) => {
                self.open -= 1;
                self.waiting = None;
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return false,
        }
        true
    }

    fn apply(&mut self, server: &mut Server, operation: &Operation) {
        let now = server.now;
        match operation {
            Operation::Input(bytes) => {
                let mut bytes = Some(&**bytes);
                while self.note(server.next(bytes.take().unwrap_or_default())) {}
            }
            Operation::Eof => while self.note(server.session.handle_eof(now)) {},
            Operation::Wait(millis) => server.now = now + core::time::Duration::from_millis(u64::from(*millis)),
            Operation::Answer(accept) => {
                if let Some((id, method)) = self.waiting.take() {
                    let answered = match (accept, method) {
                        (false, _) => server.session.reject(now, id, StatusCode::NotFound, "no", None),
                        (true, Method::Post | Method::Put) => server.session.accept_publish(now, id),
                        (true, Method::Get | Method::Head) => server.session.accept_play(now, id),
                        (true, Method::Patch) => server.session.read_body(now, id, 10),
                        (true, Method::Delete) => server.session.start_response(now, id, &Response::json("")),
                        (true, _) => server.session.respond(now, id, &Response::json("{}")),
                    };
                    assert_eq!(answered, Ok(()));
                    let goes_on = matches!(
                        method,
                        Method::Get | Method::Post | Method::Put | Method::Patch | Method::Delete
                    );
                    if !accept || !goes_on {
                        self.open -= 1;
                    }
                }
            }
            Operation::Start => drop(server.session.start_play(FLAGS)),
            Operation::Send(len) => {
                let frame = frame_of("K0", usize::from(*len));
                let _ = server.session.send_frame(&frame);
                if server.session.output_ref().len() < 200_000 {
                    let _ = server.session.send_content(now, b"", &frame.payload);
                }
            }
            Operation::EndPlay => {
                let _ = server.session.end_play(now, EndCause::Unpublished);
                if server.session.end_response(now).is_ok() {
                    self.open -= 1;
                }
            }
            Operation::EndPublish => drop(server.session.end_publish(
                now,
                StatusCode::Conflict,
                "replaced",
                EndCause::Replaced,
            )),
            Operation::Close => server.session.close(now),
            Operation::Drain(len) => {
                let out = server.session.output();
                out.advance(out.len().min(usize::from(*len)));
            }
        }
        while self.note(server.next(b"")) {}
        while self.note(server.session.handle_timeout(server.now)) {}
    }
}

quickcheck! {
    fn each_start_has_one_end_and_every_session_ends(operations: Vec<Operation>) -> bool {
        let mut server = Server::with(Limits { max_output: 200_000, ..Limits::default() });
        let mut ledger = Ledger::default();
        for operation in &operations {
            ledger.apply(&mut server, operation);
            assert!(server.session.output_ref().len() < 300_000);
        }
        ledger.apply(&mut server, &Operation::Close);
        let mut deadlines = 0;
        while !server.session.is_closed() {
            ledger.note(server.timeout());
            deadlines += 1;
            assert!(deadlines < 10, "deadlines do not lead to the end");
        }
        ledger.open == 0 && server.session.poll_timeout().is_none_or(|at| at > server.now)
    }

    fn any_bytes_lead_to_the_same_however_cut(pieces: Vec<Vec<u8>>, start: usize) -> bool {
        let conversations = conversations();
        let mut bytes = conversations[start % conversations.len()].clone();
        bytes.truncate(start % (bytes.len() + 1));
        let mut pieces: Vec<&[u8]> = pieces.iter().map(|piece| &**piece).collect();
        pieces.insert(0, &bytes);
        let whole = pieces.concat();
        converse([&*whole]) == converse(pieces) && converse([&*whole]) == converse(whole.chunks(1))
    }
}
