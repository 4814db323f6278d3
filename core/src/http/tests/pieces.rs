//! Responses whose content comes piece by piece.

use super::*;

const GET: &str = "GET /events HTTP/1.1\r\nHost: h\r\n\r\n";

fn head() -> Response {
    Response::new(StatusCode::Ok)
        .with_field("Content-Type", "text/event-stream")
        .with_body("not sent")
}

/// A session that has begun to answer `request`, what it has sent so far, and the request.
fn responding(request: &str) -> (Server, String, RequestId) {
    let mut server = Server::new();
    let id = server.request(request);
    server.session.start_response(server.now, id, &head()).unwrap();
    let sent = server.sent_head();
    (server, sent, id)
}

#[track_caller]
fn send(server: &mut Server, head: &str, body: &Bytes) -> Vec<u8> {
    server.session.send_content(server.now, head.as_bytes(), body).unwrap();
    server.sent()
}

#[test]
fn each_piece_is_a_chunk_until_the_response_ends() {
    let (mut server, head, _) = responding(GET);
    let expected = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
        Transfer-Encoding: chunked\r\nConnection: close";
    assert_eq!(head, expected);
    assert!(server.session.is_responding());
    let body = Bytes::from_static(b"data: 1\n\n");
    assert_eq!(send(&mut server, "id: 1\n", &body), chunk(b"id: 1\ndata: 1\n\n"));
    assert_eq!(
        send(&mut server, "", &Bytes::new()),
        b"",
        "an empty chunk would be the last"
    );
    assert_eq!(server.session.end_response(server.now), Ok(()));
    assert_eq!(server.sent(), b"0\r\n\r\n");
    assert!(server.session.is_closed() && !server.session.is_responding());
}

#[test]
fn http_1_0_gets_pieces_without_chunks() {
    let (mut server, head, _) = responding("GET /events HTTP/1.0\r\n\r\n");
    assert!(head.ends_with("text/event-stream\r\nConnection: close"), "{head}");
    let body = Bytes::from_static(b"data: 1\n\n");
    assert_eq!(send(&mut server, "", &body), body);
    server.session.close(server.now);
    assert_eq!(server.sent(), b"");
    assert!(server.session.is_closed());
}

#[test]
fn head_is_answered_by_the_head_alone() {
    let (mut server, head, _) = responding("HEAD /events HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(head.contains("chunked") && server.session.is_closed(), "{head}");
    let stale = Err(StateError::StaleRequest);
    let (now, body) = (server.now, Bytes::from_static(b"data: 1\n\n"));
    assert_eq!(server.session.send_content(now, b"", &body), stale);
    assert_eq!(server.session.end_response(now), stale);
}

#[test]
fn a_large_piece_is_sent_by_reference() {
    let (mut server, ..) = responding(GET);
    let body = Bytes::from(alloc::vec![7; 1_000]);
    server.session.send_content(server.now, b"id: 1\n", &body).unwrap();
    let out = server.session.output();
    out.advance(out.chunk().len());
    assert_eq!(out.chunk().as_ptr(), body.as_ptr());
}

#[test]
fn a_response_goes_on_when_its_peer_sends_no_more() {
    let (mut server, ..) = responding(GET);
    server.expect(b"GET /late HTTP/1.1\r\nHost: h\r\n\r\n", &[]);
    assert_eq!(server.session.handle_eof(server.now), Ok(None));
    assert_eq!(server.timeout(), Ok(None), "a look at what waits");
    assert_eq!(server.session.poll_timeout(), None, "nothing waits");
    assert!(!send(&mut server, "", &Bytes::from_static(b":\n\n")).is_empty());
}

#[test]
fn a_peer_that_takes_no_piece_is_given_up() {
    let (mut server, _, id) = responding(GET);
    let body = Bytes::from(alloc::vec![7; 1_000]);
    server.session.send_content(server.now, b"", &body).unwrap();
    let ended = HttpEvent::RequestEnded {
        id,
        cause: EndCause::Timeout(Timer::Stall),
    };
    let event = (0..10).find_map(|_| server.timeout().transpose());
    assert_eq!(event, Some(Ok(ended)));
    let stalled = server.session.handle_timeout(server.now);
    assert_eq!(stalled, Err(HttpError::Timeout(Timer::Stall)));
    assert!(server.session.is_closed() && server.now <= Time::from_millis(22_500));
}
