//! What the session answers without asking, and what nobody can answer.

use super::*;

/// The answer to a request that is refused, and whether another may follow.
fn refusal(bytes: &[u8]) -> (String, bool) {
    let mut server = Server::new();
    let event = server.next(bytes).unwrap();
    assert!(matches!(event, Some(HttpEvent::Refused(_))), "{event:?}");
    server.expect(b"", &[]);
    let sent = String::from_utf8(server.sent()).unwrap();
    assert!(sent.contains("\r\nAccess-Control-Allow-Origin: *\r\n"), "{sent}");
    assert_eq!(server.session.is_closing(), sent.contains("close\r\n\r\n"), "{sent}");
    let line = sent.split("\r\n").next().unwrap();
    (String::from(line), !server.session.is_closing())
}

#[test]
fn content_that_nobody_reads_ends_the_connection() {
    for method in ["OPTIONS", "DELETE", "BREW"] {
        let mut server = Server::new();
        let smuggled = "GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n";
        let head = alloc::format!(
            "{method} /live/x HTTP/1.1\r\nHost: h\r\nContent-Length: {}",
            smuggled.len()
        );
        let request = alloc::format!("{head}\r\n\r\n{smuggled}");
        match server.next(request.as_bytes()).unwrap() {
            Some(HttpEvent::Requested { id, .. }) => {
                let response = Response::new(StatusCode::NoContent);
                server.session.respond(server.now, id, &response).unwrap();
            }
            other => panic!("{other:?}"),
        }
        server.expect(b"", &[]);
        assert!(server.session.is_closing());
    }
}

#[test]
fn a_method_of_any_name_is_for_the_owner_to_answer() {
    for method in ["get", "CONNECT", "TRACE", "BREW"] {
        let request = alloc::format!("{method} /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
        let mut server = Server::new();
        let (id, head) = server.request_head(&request);
        assert_eq!((head.method, &*head.path), (Method::Other, "/live/x"), "{method}");
        let status = StatusCode::MethodNotAllowed;
        server.session.reject(server.now, id, status, "no", None).unwrap();
        assert!(!server.session.is_closing());
    }
}

#[test]
fn a_path_that_is_not_utf_8_is_400_and_the_end() {
    let expected = (String::from("HTTP/1.1 400 Bad Request"), false);
    assert_eq!(refusal(b"GET /live/%FF HTTP/1.1\r\nHost: h\r\n\r\n"), expected);
}

#[test]
fn a_head_that_is_too_large_is_431() {
    let expected = (String::from("HTTP/1.1 431 Request Header Fields Too Large"), false);
    let long = alloc::format!("GET /live/x HTTP/1.1\r\nHost: h\r\nCookie: {}", "a".repeat(16 << 10));
    assert_eq!(refusal(long.as_bytes()), expected);
    let many = alloc::format!("GET /live/x HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(100));
    assert_eq!(refusal(many.as_bytes()), expected);
}

#[test]
fn smuggled_framing_is_400_and_the_end() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "Content-Length: 5\r\n Content-Length: 6",
    ] {
        let request = alloc::format!("POST /live/x HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n0\r\n\r\nGET /");
        let expected = (String::from("HTTP/1.1 400 Bad Request"), false);
        assert_eq!(refusal(request.as_bytes()), expected, "{fields}");
    }
}

#[test]
fn a_malformed_host_is_400_and_the_end() {
    let expected = (String::from("HTTP/1.1 400 Bad Request"), false);
    for host in ["a/b", "user@a", "a b", "a:b", "a:1:2", "[::1", "a\"", "a\r\nHost: b"] {
        for version in ["1.0", "1.1"] {
            let request = alloc::format!("GET /live/x HTTP/{version}\r\nHost: {host}\r\n\r\n");
            assert_eq!(refusal(request.as_bytes()), expected, "{host}");
        }
    }
}

#[test]
fn a_websocket_request_with_content_is_400_and_the_end() {
    let expected = (String::from("HTTP/1.1 400 Bad Request"), false);
    for framing in ["Content-Length: 1", "Transfer-Encoding: chunked"] {
        let request = alloc::format!(
            "GET /live/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{framing}\r\n\r\n"
        );
        assert_eq!(refusal(request.as_bytes()), expected, "{framing}");
    }
}

#[test]
fn other_versions_are_told() {
    let http_2 = refusal(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(http_2.0, "HTTP/1.1 505 HTTP Version Not Supported");
    let websocket = refusal(
        b"GET /live/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    assert_eq!(websocket.0, "HTTP/1.1 426 Upgrade Required");
}

#[test]
fn another_protocol_gets_no_answer() {
    let mut server = Server::new();
    let error = HttpError::Head(HeadError::NotHttp { first: 0x16 });
    assert_eq!(server.next(b"\x16\x03\x01"), Err(error.clone()));
    assert_eq!(server.session.handle_input(server.now, &mut &b"GET"[..]), Err(error));
    assert!(server.session.is_closed() && server.session.output_ref().is_empty());
}

#[test]
fn a_server_that_is_full_says_when_to_come_back() {
    let mut server = Server::new();
    let id = server.request("GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    let wait = Some(core::time::Duration::from_secs(5));
    server
        .session
        .reject(server.now, id, StatusCode::ServiceUnavailable, "full", wait)
        .unwrap();
    let sent = String::from_utf8(server.sent()).unwrap();
    assert!(sent.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{sent}");
    assert!(
        sent.contains("\r\nRetry-After: 5\r\n") && sent.ends_with("\r\n\r\nfull\n"),
        "{sent}"
    );
}

#[test]
fn a_slow_head_is_408_and_silence_just_ends() {
    let mut server = Server::new();
    for byte in b"GET /live/x HTTP/1.1\r\nHost: h\r\n" {
        server.now = server.now + core::time::Duration::from_millis(100);
        server.expect(&[*byte], &[]);
    }
    let refused = HttpEvent::Refused(HttpError::Timeout(Timer::Command));
    assert_eq!(server.run_out(Timer::Command), Ok(Some(refused)));
    assert_eq!(server.now, Time::from_millis(10_000));
    assert_eq!(server.sent_status(), "HTTP/1.1 408 Request Timeout");

    let mut server = Server::new();
    assert_eq!(server.run_out(Timer::Command), Ok(None));
    assert!(server.session.is_closed());
}

#[test]
fn a_peer_that_reads_no_answers_may_ask_no_more() {
    let mut server = Server::new();
    let mut refused = 0;
    while !server.session.is_closing() {
        let id = server.request("BREW /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
        let status = StatusCode::MethodNotAllowed;
        server.session.reject(server.now, id, status, "no", None).unwrap();
        refused += 1;
        assert!(refused < 1_000);
    }
    assert!(server.session.output_ref().len() < 65 << 10);
}

#[test]
fn a_closing_server_says_goodbye_to_everyone() {
    let mut idle = Server::new();
    idle.session.close(idle.now);
    assert!(idle.session.is_closed());

    let mut waiting = Server::new();
    let id = waiting.request("GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    waiting.session.close(waiting.now);
    let cause = EndCause::Closed;
    waiting.expect(b"", &[HttpEvent::RequestEnded { id, cause }]);
    assert_eq!(waiting.sent_status(), "HTTP/1.1 503 Service Unavailable");

    let mut playing = Server::new();
    let id = playing.request("GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    playing.session.accept_play(playing.now, id).unwrap();
    playing.session.close(playing.now);
    playing.expect(b"", &[HttpEvent::PlayEnded { cause }]);
    assert!(playing.sent().ends_with(b"\r\n0\r\n\r\n"));
    assert!(playing.session.is_closed());

    let mut publishing = Server::new();
    let id = publishing.request("POST /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    publishing.session.accept_publish(publishing.now, id).unwrap();
    publishing.session.close(publishing.now);
    publishing.expect(b"", &[HttpEvent::PublishEnded { cause }]);
    assert_eq!(publishing.sent_status(), "HTTP/1.1 503 Service Unavailable");
}
