//! Requests that share a connection.

use super::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// Answers the request in `bytes`, and returns what was sent.
#[track_caller]
fn ask(server: &mut Server, bytes: &str) -> String {
    let id = server.request(bytes);
    server.session.respond(server.now, id, &Response::json("{}")).unwrap();
    String::from_utf8(server.sent()).unwrap()
}

#[test]
fn http_1_0_goes_on_only_where_it_asks_to() {
    let ask_for = |connection: &str| {
        let mut server = Server::new();
        let sent = ask(&mut server, &alloc::format!("GET / HTTP/1.0\r\n{connection}\r\n"));
        let said = sent.lines().find(|line| line.starts_with("Connection:"));
        (said.map(String::from), server.session.is_closing())
    };
    let said = |text: &str| Some(String::from(text));
    for connection in ["Connection: Keep-Alive\r\n", "Connection: x, keep-alive\r\n"] {
        assert_eq!(ask_for(connection), (said("Connection: keep-alive"), false));
    }
    for connection in [
        "",
        "Connection: close\r\n",
        "Connection: keep-alive, close\r\n",
        "Keep-Alive: 5\r\n",
    ] {
        assert_eq!(ask_for(connection), (said("Connection: close"), true), "{connection}");
    }
}

#[test]
fn http_1_0_may_ask_again_and_stop() {
    let mut server = Server::new();
    let get = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    for _ in 0..3 {
        assert!(ask(&mut server, get).contains("\r\nConnection: keep-alive\r\n"));
    }
    assert!(ask(&mut server, "GET / HTTP/1.0\r\n\r\n").contains("\r\nConnection: close\r\n"));
    server.expect(get.as_bytes(), &[]);
    assert!(server.session.is_closed());
}

#[test]
fn a_push_by_http_1_0_may_be_followed() {
    let content = flv_of(&[frame("K0:300")]);
    let head = alloc::format!(
        "PUT /live/x HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: {}\r\n\r\n",
        content.len()
    );
    let mut server = Server::new();
    let id = server.request(&head);
    server.session.accept_publish(server.now, id).unwrap();
    let ended = HttpEvent::PublishEnded {
        cause: EndCause::Requested,
    };
    server.expect(&content, &[HttpEvent::Frame(frame("K0:300")), ended]);
    assert!(server.sent_head().ends_with("\r\nConnection: keep-alive"));
    ask(&mut server, GET);
}

#[test]
fn the_last_request_of_a_connection_is_told_so() {
    let mut server = Server::with(Limits {
        max_http_requests: 3,
        ..Limits::default()
    });
    let mut id = server.request(&GET.repeat(5));
    for number in 1..=3 {
        server.session.respond(server.now, id, &Response::json("{}")).unwrap();
        let sent = String::from_utf8(server.sent()).unwrap();
        assert_eq!(sent.contains("\r\nConnection: close\r\n"), number == 3, "{sent}");
        if number < 3 {
            id = server.request("");
        }
    }
    server.expect(b"", &[]);
    assert!(server.session.is_closed(), "the fourth and fifth are not read");
}

#[test]
fn a_last_request_may_play() {
    let mut server = Server::with(Limits {
        max_http_requests: 1,
        ..Limits::default()
    });
    let id = server.request("GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    server.session.accept_play(server.now, id).unwrap();
    let head = server.sent_head();
    assert!(
        head.ends_with("\r\nTransfer-Encoding: chunked\r\nConnection: close"),
        "{head}"
    );
    server.session.end_play(server.now, EndCause::Unpublished).unwrap();
    assert!(server.session.is_closing());
}

#[test]
fn a_connection_between_two_requests_has_its_own_time() {
    let mut server = Server::new();
    server.now = Time::from_millis(9_000);
    ask(&mut server, GET);
    assert_eq!(
        server.session.poll_timeout(),
        Some(Time::from_millis(9_000 + 15_000 / 2)),
        "its output"
    );
    assert_eq!(server.run_out(Timer::Command), Ok(None));
    assert_eq!(server.now, Time::from_millis(29_000));
    assert!(
        server.session.is_closed() && server.sent().is_empty(),
        "nothing was asked"
    );
}

#[test]
fn a_later_head_has_the_time_of_a_first_one() {
    let mut server = Server::new();
    ask(&mut server, GET);
    server.now = Time::from_millis(19_000);
    server.expect(b"\r\n", &[]);
    assert_eq!(server.session.handle_timeout(server.now), Ok(None));
    for byte in b"GET" {
        server.expect(&[*byte], &[]);
        server.now = Time::from_millis(server.now.as_millis() + 1_000);
        assert_eq!(server.session.handle_timeout(server.now), Ok(None));
    }
    let refused = HttpEvent::Refused(HttpError::Timeout(Timer::Command));
    assert_eq!(server.run_out(Timer::Command), Ok(Some(refused)));
    assert_eq!(
        server.now,
        Time::from_millis(29_000),
        "ten seconds after its first byte"
    );
    assert_eq!(server.sent_status(), "HTTP/1.1 408 Request Timeout");
}

#[test]
fn an_idle_connection_ends_when_the_server_stops() {
    let mut server = Server::new();
    ask(&mut server, GET);
    server.session.close(server.now);
    assert!(server.session.is_closed());
}
