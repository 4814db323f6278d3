//! FLV pushed by WebSocket.

use super::publish::{ENDED, stream};
use super::*;

const FIELDS: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn upgrade(fields: &str) -> String {
    alloc::format!("GET /live/x.flv HTTP/1.1\r\nHost: h\r\n{FIELDS}{fields}\r\n")
}

/// A session that lets a WebSocket publish.
fn publishing() -> Server {
    publishing_with(Limits::default())
}

fn publishing_with(limits: Limits) -> Server {
    let mut server = Server::with(limits);
    let id = server.request(&upgrade(""));
    server.session.accept_publish(server.now, id).unwrap();
    assert_eq!(server.session.transport(), Transport::WebSocket);
    server.sent_head();
    server
}

/// A close frame as it is sent.
fn close(code: u16, reason: &str) -> Vec<u8> {
    let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
    [&[0x88, u8::try_from(payload.len()).unwrap()][..], &payload].concat()
}

#[test]
fn a_sub_protocol_says_that_it_publishes() {
    for (offered, subprotocol) in [
        ("", None),
        ("Sec-WebSocket-Protocol: flv\r\n", None),
        ("Sec-WebSocket-Protocol: Publisher\r\n", None),
        ("Sec-WebSocket-Protocol: publisher\r\n", Some("publisher")),
        ("Sec-WebSocket-Protocol: flv, post, publisher\r\n", Some("post")),
        (
            "Sec-WebSocket-Protocol: flv\r\nsec-websocket-protocol: post\r\n",
            Some("post"),
        ),
    ] {
        let mut server = Server::new();
        let (id, head) = server.request_head(&upgrade(offered));
        assert_eq!(head.subprotocol, subprotocol, "{offered}");
        server.session.accept_publish(server.now, id).unwrap();
        let said = subprotocol.map_or(String::new(), |name| {
            alloc::format!("\r\nSec-WebSocket-Protocol: {name}")
        });
        let expected = alloc::format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo={said}"
        );
        assert_eq!(server.sent_head(), expected);
    }
    let (_, head) = Server::new().request_head("GET / HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Protocol: post\r\n\r\n");
    assert_eq!(head.subprotocol, None, "it is no WebSocket");
}

#[test]
fn frames_come_out_of_messages_however_they_are_cut() {
    let ([first, second], content) = stream();
    let events = [first, second, ENDED];
    let bye = client_frame(0x8, &[0x03, 0xe8]);
    let in_one = client_frame(0x2, &content);
    let byte_by_byte: Vec<u8> = content.chunks(1).flat_map(|byte| client_frame(0x2, byte)).collect();
    // One message in three fragments, with a ping between them and nothing in the last.
    let fragments = [
        frame_of_client(0x02, &content[..50]),
        client_frame(0x9, b"hi"),
        frame_of_client(0x00, &content[50..]),
        client_frame(0x0, b""),
        client_frame(0xa, b""),
    ]
    .concat();
    for (messages, pongs) in [(in_one, &b""[..]), (byte_by_byte, b""), (fragments, b"\x8a\x02hi")] {
        let mut server = publishing();
        server.expect(&[messages, bye.clone()].concat(), &events);
        assert_eq!(server.sent(), [pongs, &close(1000, "")].concat());
        assert!(server.session.is_closed());
    }
}

#[test]
fn a_large_frame_of_a_websocket_arrives_whole() {
    let frames = [frame("K0:60000"), frame("a23")];
    let content = flv_of(&frames);
    let mut server = publishing();
    for piece in content.chunks(50_000) {
        server.pending.extend(client_frame(0x2, piece));
    }
    server.expect(b"", &frames.map(HttpEvent::Frame));
}

#[test]
fn what_a_publisher_must_not_send_is_told_by_a_code() {
    let (_, content) = stream();
    let text = WebSocketError::Text;
    let long = WebSocketError::FrameTooLong {
        len: u64::MAX >> 1,
        max: 16 << 20,
    };
    let mut huge = Vec::from([0x82, 0xff]);
    huge.extend((u64::MAX >> 1).to_be_bytes());
    for (bytes, error, code) in [
        (client_frame(0x1, b"hello"), text, 1003),
        (Vec::from([0x82, 0x01, b'F']), WebSocketError::Unmasked, 1002),
        (Vec::from([0xc2, 0x80]), WebSocketError::ReservedBits, 1002),
        (
            Vec::from([0x83, 0x80]),
            WebSocketError::UnknownOpcode { opcode: 3 },
            1002,
        ),
        (client_frame(0x0, &content), WebSocketError::NothingToContinue, 1002),
        (
            [frame_of_client(0x02, b""), client_frame(0x2, b"")].concat(),
            WebSocketError::UnfinishedMessage,
            1002,
        ),
        (huge, long, 1009),
        (client_frame(0x8, &[3]), WebSocketError::BadCloseCode, 1002),
    ] {
        let mut server = publishing();
        let ended = HttpEvent::PublishEnded {
            cause: EndCause::ProtocolError,
        };
        let reason = error.to_string();
        server.expect(&bytes, &[HttpEvent::Refused(error.into()), ended]);
        assert_eq!(server.sent(), close(code, &reason));
        assert!(server.session.is_closed());
    }
}

#[test]
fn what_is_no_flv_is_told_as_a_post_is() {
    let (_, content) = stream();
    let bye = client_frame(0x8, &[0x03, 0xe8]);
    let tag = |len: &[u8; 3]| [&flv_of(&[])[..], &[9], len, &[0; 7]].concat();
    for (bytes, frames, code) in [
        (client_frame(0x2, b"hello, world"), 0, 4400_u16),
        (client_frame(0x2, &tag(&[0xff; 3])), 0, 4413),
        (
            [client_frame(0x2, &content[..content.len() - 10]), bye.clone()].concat(),
            1,
            4400,
        ),
        ([client_frame(0x2, &flv_of(&[])), bye.clone()].concat(), 0, 4400),
        (bye, 0, 4400),
    ] {
        let mut server = publishing();
        server.pending.extend(&bytes);
        for _ in 0..frames {
            assert!(matches!(server.next(b""), Ok(Some(HttpEvent::Frame(_)))));
        }
        let Ok(Some(HttpEvent::Refused(error))) = server.next(b"") else {
            panic!("it goes on");
        };
        let ended = HttpEvent::PublishEnded {
            cause: EndCause::ProtocolError,
        };
        server.expect(b"", &[ended]);
        assert_eq!(server.sent(), close(code, &error.to_string()));
        assert!(server.session.is_closed());
    }
}

#[test]
fn pings_and_headers_do_not_break_a_silence() {
    let (events, content) = stream();
    let mut server = publishing();
    server.expect(&client_frame(0x2, &content), &events);
    while server.now < Time::from_millis(29_000) {
        server.now = Time::from_millis(server.now.as_millis() + 1_000);
        server.expect(&client_frame(0x9, b""), &[]);
        server.expect(&client_frame(0x2, b""), &[]);
        server.sent();
        assert_eq!(server.session.handle_timeout(server.now), Ok(None));
    }
    let refused = HttpEvent::Refused(HttpError::Timeout(Timer::Idle));
    assert_eq!(server.run_out(Timer::Idle), Ok(Some(refused)));
    assert_eq!(server.now, Time::from_millis(30_000));
    let ended = HttpEvent::PublishEnded {
        cause: EndCause::Timeout(Timer::Idle),
    };
    assert_eq!(server.session.handle_timeout(server.now), Ok(Some(ended)));
    assert!(server.sent().ends_with(&close(4408, "idle timeout")));
}

#[test]
fn a_websocket_that_begins_with_silence_is_timed_out_sooner() {
    let mut server = publishing();
    let refused = HttpEvent::Refused(HttpError::Timeout(Timer::Idle));
    assert_eq!(server.run_out(Timer::Idle), Ok(Some(refused)));
    assert_eq!(server.now, Time::from_millis(10_000));
    assert_eq!(server.sent(), close(4408, "idle timeout"));
}

#[test]
fn a_publisher_is_pinged_so_that_proxies_keep_it() {
    let (events, content) = stream();
    let mut server = publishing_with(Limits {
        ping_interval: core::time::Duration::from_secs(4),
        ..Limits::default()
    });
    server.expect(&client_frame(0x2, &content), &events);
    for seconds in [4, 8, 12] {
        assert_eq!(server.run_out(Timer::Ping), Ok(None));
        assert_eq!(server.now, Time::from_millis(seconds * 1_000));
        assert_eq!(server.sent(), [0x89, 0]);
        server.expect(&client_frame(0xa, b""), &[]);
    }
}

#[test]
fn a_publisher_that_reads_nothing_gets_no_pongs() {
    let mut server = publishing();
    for _ in 0..10_000 {
        server.expect(&client_frame(0x9, &[7; 125]), &[]);
    }
    assert!(server.session.output_ref().len() <= (64 << 10) + 127);
}

#[test]
fn an_end_by_the_owner_has_the_code_of_its_status() {
    let mut server = publishing();
    let status = StatusCode::Conflict;
    server
        .session
        .end_publish(server.now, status, "replaced", EndCause::Replaced)
        .unwrap();
    assert_eq!(server.sent(), close(4409, "replaced"));
    let ended = HttpEvent::PublishEnded {
        cause: EndCause::Replaced,
    };
    server.expect(&client_frame(0x2, b"more"), &[ended]);
    assert!(server.session.is_closed());

    let mut server = publishing();
    server.session.close(server.now);
    assert_eq!(server.sent(), close(4503, "the server is stopping"));
}

#[test]
fn a_reason_is_cut_between_two_characters() {
    let mut server = publishing();
    let reason = "\u{76f4}".repeat(100);
    let status = StatusCode::Forbidden;
    server
        .session
        .end_publish(server.now, status, &reason, EndCause::Kicked)
        .unwrap();
    let shown = &reason[..reason.floor_char_boundary(123)];
    assert_eq!(server.sent(), close(4403, shown));
    assert_eq!(shown.len(), 123, "41 characters");
}

#[test]
fn a_websocket_that_is_cut_off_has_no_last_word() {
    let (events, content) = stream();
    let mut server = publishing();
    server.expect(&client_frame(0x2, &content), &events);
    let ended = HttpEvent::PublishEnded { cause: EndCause::Eof };
    assert_eq!(server.session.handle_eof(server.now), Ok(Some(ended)));
    assert_eq!(server.sent(), b"");
    assert!(server.session.is_closed());
}

#[test]
fn a_rejected_publisher_gets_an_http_answer() {
    let mut server = Server::new();
    let id = server.request(&upgrade("Sec-WebSocket-Protocol: publisher\r\n"));
    let status = StatusCode::Forbidden;
    server.session.reject(server.now, id, status, "no", None).unwrap();
    assert_eq!(server.sent_status(), "HTTP/1.1 403 Forbidden");
}
