//! Content that the owner wants to have whole.

use super::*;
use core::time::Duration;

const MAX: usize = 10;

/// A request with such header fields, whose owner reads the content.
fn reading(version: &str, fields: &str) -> (Server, RequestId) {
    let mut server = Server::new();
    let id = server.request(&alloc::format!(
        "POST /api/kick HTTP/{version}\r\nHost: h\r\n{fields}\r\n"
    ));
    server.session.read_body(server.now, id, MAX).unwrap();
    (server, id)
}

fn body(id: RequestId, content: &[u8]) -> HttpEvent {
    HttpEvent::Body {
        id,
        body: Bytes::copy_from_slice(content),
    }
}

fn ended(id: RequestId, cause: EndCause) -> HttpEvent {
    HttpEvent::RequestEnded { id, cause }
}

fn too_large(id: RequestId) -> [HttpEvent; 2] {
    let refused = HttpEvent::Refused(HttpError::BodyTooLarge { max: MAX });
    [refused, ended(id, EndCause::ProtocolError)]
}

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

#[test]
fn any_cut_of_a_content_gives_the_same_body() {
    let next = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
    for (fields, content) in [
        ("Content-Length: 10\r\n", &b"0123456789"[..]),
        (CHUNKED, b"3\r\n012\r\n7;a=b\r\n3456789\r\n0\r\nTrailer: x\r\n\r\n"),
    ] {
        let whole = [content, next].concat();
        for cut in 0..=content.len() {
            let (mut server, id) = reading("1.1", fields);
            let (front, back) = whole.split_at(cut);
            let events = [server.next(front).unwrap(), server.next(back).unwrap()];
            let bodies: Vec<_> = events.into_iter().flatten().collect();
            assert_eq!(bodies, [body(id, b"0123456789")], "cut at {cut}");
            assert!(server.session.is_paused(), "it waits for the answer");
            assert_eq!(server.session.poll_timeout(), None);
            server.session.respond(server.now, id, &Response::json("{}")).unwrap();
            assert_eq!(server.sent_status(), "HTTP/1.1 200 OK");
            server.request("");
        }
    }
}

#[test]
fn a_content_that_is_announced_too_large_is_413_at_once() {
    for length in ["11", "18446744073709551615"] {
        let fields = alloc::format!("Content-Length: {length}\r\nExpect: 100-continue\r\n");
        let (mut server, id) = reading("1.1", &fields);
        server.expect(b"", &too_large(id));
        let sent = String::from_utf8(server.sent()).unwrap();
        assert!(sent.starts_with("HTTP/1.1 413 Content Too Large\r\n"), "{sent}");
        assert!(
            sent.ends_with("\r\n\r\nthe content exceeds the limit of 10 bytes\n"),
            "{sent}"
        );
        assert!(server.session.is_closed());
    }
}

#[test]
fn chunks_that_become_too_large_are_413() {
    let (mut server, id) = reading("1.1", CHUNKED);
    server.expect(b"a\r\n0123456789\r\n", &[]);
    server.expect(b"1\r\nx", &too_large(id));
    assert_eq!(server.sent_status(), "HTTP/1.1 413 Content Too Large");
}

#[test]
fn a_client_that_asks_is_told_to_continue() {
    for (version, fields, told) in [
        ("1.1", "Content-Length: 2\r\n", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("1.1", CHUNKED, "HTTP/1.1 100 Continue\r\n\r\n"),
        ("1.1", "Content-Length: 0\r\n", ""),
        ("1.0", "Content-Length: 2\r\n", ""),
    ] {
        let fields = alloc::format!("{fields}Expect: 100-continue\r\n");
        let (mut server, _) = reading(version, &fields);
        assert_eq!(server.sent(), told.as_bytes(), "{version} {fields}");
    }
}

#[test]
fn a_client_is_not_told_to_continue_for_nothing() {
    let mut server = Server::new();
    let id = server.request("POST /api HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    let refused = Response::new(StatusCode::Forbidden);
    server.session.respond(server.now, id, &refused).unwrap();
    let expected = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close";
    assert_eq!(server.sent_head(), expected);
}

#[test]
fn a_request_without_content_has_an_empty_one() {
    for (request, is_last) in [
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", false),
        ("DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", false),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", false),
        ("POST / HTTP/1.1\r\nHost: h\r\n\r\n", true),
        ("POST / HTTP/1.0\r\n\r\n", true),
    ] {
        let mut server = Server::new();
        let id = server.request(request);
        server.session.read_body(server.now, id, 0).unwrap();
        server.expect(b"", &[body(id, b"")]);
        let response = Response::new(StatusCode::NoContent);
        server.session.respond(server.now, id, &response).unwrap();
        assert_eq!(server.session.is_closing(), is_last, "{request}");
    }
}

#[test]
fn a_peer_that_leaves_in_its_content_ends_the_request() {
    for (fields, content) in [("Content-Length: 5\r\n", &b"1234"[..]), (CHUNKED, b"4\r\n1234\r\n")] {
        let (mut server, id) = reading("1.1", fields);
        server.expect(content, &[]);
        let event = server.session.handle_eof(server.now);
        assert_eq!(event, Ok(Some(ended(id, EndCause::Eof))));
        assert_eq!(server.session.handle_eof(server.now), Ok(None));
        assert!(server.session.is_closed() && server.sent().is_empty());
    }
}

#[test]
fn a_peer_may_close_its_side_behind_its_content() {
    for (fields, content) in [("Content-Length: 2\r\n", &b"{}"[..]), ("", b"")] {
        let (mut server, id) = reading("1.1", fields);
        server.expect(content, &[body(id, content)]);
        assert_eq!(server.session.handle_eof(server.now), Ok(None));
        server.session.respond(server.now, id, &Response::json("{}")).unwrap();
        assert_eq!(server.sent_status(), "HTTP/1.1 200 OK");
        assert!(server.session.is_closed());
    }
}

#[test]
fn a_slow_content_is_408() {
    let (mut server, id) = reading("1.1", "Content-Length: 10\r\n");
    for byte in b"123456789" {
        server.now = server.now + Duration::from_secs(1);
        server.expect(&[*byte], &[]);
    }
    let refused = HttpEvent::Refused(HttpError::Timeout(Timer::Command));
    assert_eq!(server.run_out(Timer::Command), Ok(Some(refused)));
    assert_eq!(server.now, Time::from_millis(10_000));
    server.expect(b"0", &[ended(id, EndCause::Timeout(Timer::Command))]);
    assert_eq!(server.sent_status(), "HTTP/1.1 408 Request Timeout");
}

#[test]
fn broken_chunks_are_400() {
    let (mut server, id) = reading("1.1", CHUNKED);
    let refused = HttpEvent::Refused(BodyError::BadChunkSize.into());
    server.expect(b"2\r\n{}\r\n-1\r\n", &[refused, ended(id, EndCause::ProtocolError)]);
    assert_eq!(server.sent_status(), "HTTP/1.1 400 Bad Request");
    assert!(server.session.is_closed());
}

#[test]
fn a_closing_server_does_not_wait_for_content() {
    let (mut server, id) = reading("1.1", "Content-Length: 5\r\n");
    server.session.close(server.now);
    server.expect(b"12345", &[ended(id, EndCause::Closed)]);
    assert_eq!(server.sent_status(), "HTTP/1.1 503 Service Unavailable");
}

#[test]
fn a_content_is_read_once_and_before_the_answer() {
    let stale = Err(StateError::StaleRequest);
    let response = Response::json("{}");
    let (mut server, id) = reading("1.1", "Content-Length: 2\r\n");
    let now = server.now;
    assert_eq!(server.session.respond(now, id, &response), stale, "its content comes");
    assert_eq!(server.session.read_body(now, id, MAX), stale);
    server.expect(b"{}", &[body(id, b"{}")]);
    assert_eq!(server.session.read_body(now, id, MAX), stale);
    assert_eq!(
        server.session.accept_publish(now, id),
        stale,
        "nothing is left to publish"
    );
    assert_eq!(server.session.respond(now, id, &response), Ok(()));
    assert_eq!(server.session.read_body(now, id, MAX), stale);
    assert_eq!(server.session.respond(now, id, &response), stale);
}

#[test]
fn all_content_is_work() {
    let (mut server, _) = reading("1.1", CHUNKED);
    let before = server.session.work();
    let content = b"a\r\n0123456789\r\n0\r\n\r\n";
    assert!(matches!(server.next(content), Ok(Some(HttpEvent::Body { .. }))));
    assert_eq!(server.session.work() - before, content.len() as u64);
}
