//! FLV over WebSocket.

use super::*;

const UPGRADE: &str = "GET /live/x.flv HTTP/1.1\r\nHost: h\r\nOrigin: https://a.example\r\n\
    Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

fn playing() -> Server {
    let mut server = Server::new();
    let (id, head) = server.request_head(UPGRADE);
    assert_eq!((head.method, head.transport), (Method::Get, Transport::WebSocket));
    server.session.accept_play(server.now, id).unwrap();
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    assert_eq!(server.sent_head(), head);
    server.session.start_play(FLAGS).unwrap();
    server
}

#[test]
fn each_tag_is_one_binary_message_and_the_first_has_the_header() {
    let mut server = playing();
    let (first, second) = (frame("K0:300"), frame("a23"));
    server.session.send_frame(&first).unwrap();
    let content = flv_of(&[first]);
    let len = u16::try_from(content.len()).unwrap().to_be_bytes();
    assert_eq!(server.sent(), [&[0x82, 126][..], &len, &content].concat());
    server.session.send_frame(&second).unwrap();
    let content = tag(&second);
    assert_eq!(server.sent(), [&[0x82, 18][..], &content].concat());
}

#[test]
fn the_end_of_the_stream_is_a_close_frame() {
    let mut server = playing();
    server.session.end_play(server.now, EndCause::Unpublished).unwrap();
    let ended = HttpEvent::PlayEnded {
        cause: EndCause::Unpublished,
    };
    server.expect(&client_frame(0x1, b"stats"), &[ended]);
    assert!(server.session.is_closing() && !server.session.is_closed());
    assert_eq!(server.sent(), [0x88, 2, 0x03, 0xe8]);
    assert!(server.session.is_closed());
    server.expect(&client_frame(0x8, &[0x03, 0xe8]), &[]);
    assert_eq!(server.sent(), b"");
}

#[test]
fn pings_go_both_ways() {
    let mut server = playing();
    server.expect(&client_frame(0x9, b"hi"), &[]);
    assert_eq!(server.sent(), b"\x8a\x02hi");
    assert_eq!(server.run_out(Timer::Ping), Ok(None));
    assert_eq!(server.now, Time::from_millis(30_000));
    assert_eq!(server.sent(), [0x89, 0]);
    server.expect(&client_frame(0xa, b""), &[]);
    assert_eq!(server.run_out(Timer::Ping), Ok(None));
    assert_eq!(server.now, Time::from_millis(60_000));
}

#[test]
fn a_peer_that_pings_and_reads_nothing_gets_no_pongs() {
    let mut server = playing();
    for _ in 0..10_000 {
        server.expect(&client_frame(0x9, &[7; 125]), &[]);
    }
    assert!(server.session.output_ref().len() <= (64 << 10) + 127);
}

#[test]
fn a_player_may_leave() {
    let mut server = playing();
    let ended = HttpEvent::PlayEnded {
        cause: EndCause::Requested,
    };
    server.expect(&client_frame(0x8, &[0x03, 0xe9]), &[ended]);
    assert_eq!(server.sent(), [0x88, 2, 0x03, 0xe9]);
    assert!(server.session.is_closed());
}

#[test]
fn a_player_that_breaks_the_rules_is_told_the_code() {
    for (bytes, error, code) in [
        (&[0x81, 0x01, b'x'][..], WebSocketError::Unmasked, 1002_u16),
        (&[0x09, 0x80], WebSocketError::BadControlFrame, 1002),
        (
            &[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0],
            WebSocketError::FrameTooLong {
                len: 1 << 63,
                max: 4_096,
            },
            1009,
        ),
    ] {
        let mut server = playing();
        let ended = HttpEvent::PlayEnded {
            cause: EndCause::ProtocolError,
        };
        server.expect(bytes, &[HttpEvent::Refused(error.into()), ended]);
        assert_eq!(server.sent(), [&[0x88, 2][..], &code.to_be_bytes()].concat());
        assert!(server.session.is_closed());
    }
}

#[test]
fn a_rejected_upgrade_gets_an_http_answer() {
    let mut server = Server::new();
    let id = server.request(UPGRADE);
    server
        .session
        .reject(server.now, id, StatusCode::NotFound, "no such stream", None)
        .unwrap();
    assert_eq!(server.sent_status(), "HTTP/1.1 404 Not Found");
    assert!(!server.session.is_closing());
}
