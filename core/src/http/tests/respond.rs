//! Answers that the owner makes.

use super::*;
use alloc::borrow::Cow;

const GET: &str = "GET /api/streams?page=2 HTTP/1.1\r\nHost: h\r\n\r\n";

#[track_caller]
fn respond(server: &mut Server, request: &str, response: &Response) -> String {
    let id = server.request(request);
    server.session.respond(server.now, id, response).unwrap();
    String::from_utf8(server.sent()).unwrap()
}

#[test]
fn a_response_has_its_fields_and_a_length() {
    let mut server = Server::new();
    let (id, head) = server.request_head(GET);
    assert_eq!(
        (&*head.path, head.query_value("page").as_deref()),
        ("/api/streams", Some("2"))
    );
    assert_eq!((head.version, head.host()), (Version::Http11, Some("h")));
    let response = Response::json("[1]").with_field("X-Total", "1");
    server.session.respond(server.now, id, &response).unwrap();
    let sent = String::from_utf8(server.sent()).unwrap();
    let expected = "HTTP/1.1 200 OK\r\n\
        Content-Type: application/json\r\n\
        X-Content-Type-Options: nosniff\r\n\
        Cache-Control: no-store\r\n\
        X-Total: 1\r\n\
        Content-Length: 3\r\n\r\n[1]";
    assert_eq!(sent, expected);
}

#[test]
fn head_is_told_the_length_of_what_get_would_get() {
    let response = Response::text(StatusCode::Ok, "metrics 1\n");
    let mut server = Server::new();
    let get = respond(&mut server, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", &response);
    let head = respond(&mut server, "HEAD /metrics HTTP/1.1\r\nHost: h\r\n\r\n", &response);
    assert_eq!(get, alloc::format!("{head}metrics 1\n"));
    assert!(head.ends_with("\r\nContent-Length: 10\r\n\r\n"), "{head}");
}

#[test]
fn responses_follow_each_other_on_one_connection() {
    let mut server = Server::new();
    let mut id = server.request(&GET.repeat(3));
    for number in 0..3 {
        assert!(server.session.is_paused());
        let body = alloc::format!("{number}");
        server.session.respond(server.now, id, &Response::json(body)).unwrap();
        assert!(server.sent().ends_with(alloc::format!("\r\n\r\n{number}").as_bytes()));
        if number < 2 {
            id = server.request("");
        }
    }
    server.expect(b"", &[]);
    assert!(!server.session.is_closing() && !server.session.is_paused());
}

#[test]
fn a_response_is_the_last_if_the_peer_says_so() {
    let response = Response::json("{}");
    for request in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        let mut server = Server::new();
        let sent = respond(&mut server, request, &response);
        assert!(
            sent.ends_with("\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"),
            "{sent}"
        );
        server.expect(b"GET / HTTP/1.0\r\n\r\n", &[]);
        assert!(server.session.is_closed());
    }
}

#[test]
fn no_field_breaks_out_of_its_line() {
    let response = Response::new(StatusCode::Found)
        .with_field("Location", "/a\r\nSet-Cookie: b\0\tc")
        .with_field("No name", "d")
        .with_field("X:\r\nY", "d")
        .with_field("", "d")
        .with_field("content-LENGTH", "7")
        .with_field("Transfer-Encoding", "chunked")
        .with_field("Connection", "close");
    let sent = respond(&mut Server::new(), GET, &response);
    let expected = "HTTP/1.1 302 Found\r\nLocation: /a  Set-Cookie: b \tc\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(sent, expected);
}

#[test]
fn a_status_without_content_has_none() {
    for status in [StatusCode::NoContent, StatusCode::NotModified] {
        let sent = respond(&mut Server::new(), GET, &Response::new(status).with_body("x"));
        assert_eq!(sent, alloc::format!("HTTP/1.1 {status}\r\n\r\n"));
    }
}

#[test]
fn what_a_status_demands_is_added_unless_it_is_there() {
    let refused = Response::new(StatusCode::MethodNotAllowed);
    let sent = respond(&mut Server::new(), GET, &refused);
    assert!(sent.contains("\r\nAllow: GET, HEAD, POST, PUT, OPTIONS\r\n"), "{sent}");
    let sent = respond(&mut Server::new(), GET, &refused.with_field("allow", "GET"));
    assert!(sent.contains("\r\nallow: GET\r\n") && !sent.contains("POST"), "{sent}");
}

#[test]
fn other_sites_read_only_what_is_meant_for_them() {
    let origins = ["https://tv.example"];
    for (origin, fields) in [
        ("https://a.example", &[("Access-Control-Allow-Origin", "*")][..]),
        (
            origins[0],
            &[
                ("Access-Control-Allow-Origin", origins[0]),
                ("Access-Control-Allow-Credentials", "true"),
                ("Vary", "Origin"),
            ],
        ),
    ] {
        let mut server = Server::allowing(Limits::default(), &origins);
        let request = alloc::format!("GET / HTTP/1.1\r\nHost: h\r\nOrigin: {origin}\r\n\r\n");
        let (id, head) = server.request_head(&request);
        let response = Response::new(StatusCode::Ok);
        server.session.respond(server.now, id, &response).unwrap();
        assert!(!server.sent_head().contains("Access-Control"));
        let expected: Vec<_> = fields.iter().map(|(name, value)| (*name, Cow::from(*value))).collect();
        assert_eq!(response.readable_by(&head.access).fields, expected);
    }
}

#[test]
fn a_large_content_is_sent_by_reference() {
    let body = Bytes::from(alloc::vec![7; 100_000]);
    let mut server = Server::new();
    let id = server.request(GET);
    let response = Response::new(StatusCode::Ok).with_body(body.clone());
    server.session.respond(server.now, id, &response).unwrap();
    let out = server.session.output();
    out.advance(out.chunk().len());
    assert_eq!(out.chunk().as_ptr(), body.as_ptr());
}

#[test]
fn a_large_response_may_take_its_time_while_it_moves() {
    let response = Response::new(StatusCode::Ok).with_body(alloc::vec![7; 1 << 20]);
    for version in ["1.0", "1.1"] {
        let mut server = Server::new();
        let id = server.request(&alloc::format!("GET / HTTP/{version}\r\nHost: h\r\n\r\n"));
        server.session.respond(server.now, id, &response).unwrap();
        while server.session.output_ref().len() > 64 << 10 {
            assert_eq!(server.timeout(), Ok(None), "{}", server.now);
            server.session.output().advance(10_000);
        }
        assert!(server.now > Time::from_millis(100_000), "{}", server.now);
        server.sent();
        assert_eq!(server.session.is_closed(), version == "1.0");
    }
}

#[test]
fn a_large_response_that_stands_still_is_given_up() {
    for version in ["1.0", "1.1"] {
        let mut server = Server::new();
        let id = server.request(&alloc::format!("GET / HTTP/{version}\r\nHost: h\r\n\r\n"));
        let response = Response::new(StatusCode::Ok).with_body(alloc::vec![7; 1 << 20]);
        server.session.respond(server.now, id, &response).unwrap();
        let error = (0..10).find_map(|_| server.timeout().err());
        assert_eq!(error, Some(HttpError::Timeout(Timer::Stall)));
        assert!(server.session.is_closed() && server.now <= Time::from_millis(22_500));
    }
}

#[test]
fn a_request_is_answered_once() {
    let stale = Err(StateError::StaleRequest);
    let response = Response::json("{}");
    let mut server = Server::new();
    let now = server.now;
    let old = server.request(GET);
    assert_eq!(server.session.respond(now, old, &response), Ok(()));
    assert_eq!(server.session.respond(now, old, &response), stale);
    let id = server.request(GET);
    assert_eq!(
        server.session.respond(now, old, &response),
        stale,
        "of the request before"
    );
    assert_eq!(server.session.accept_publish(now, id), stale, "it is no push");
    assert_eq!(server.session.accept_play(now, id), Ok(()));
    assert_eq!(server.session.respond(now, id, &response), stale);

    let delete = Server::new().request("DELETE /api/x HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(Server::new().session.accept_play(now, delete), stale);
}

#[test]
fn a_head_shows_no_credentials_to_a_log() {
    let request = "GET /live/x?token=secret HTTP/1.1\r\nHost: h\r\nAuthorization: secret\r\n\r\n";
    let (_, head) = Server::new().request_head(request);
    let shown = alloc::format!("{head:?}");
    assert!(shown.contains("/live/x") && shown.contains("Authorization"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}
