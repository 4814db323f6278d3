use super::*;
use crate::http::HttpConfig;
use crate::{Limits, Output};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Buf;

const FRIEND: &str = "https://tv.example";

/// A session that pages of [`FRIEND`] may publish to.
fn session() -> HttpSession {
    let config = HttpConfig {
        allowed_origins: [FRIEND.parse().unwrap()].into(),
        ..HttpConfig::new(Limits::default())
    };
    HttpSession::new(Arc::new(config), Time::ZERO)
}

fn sent(out: &mut Output) -> String {
    String::from_utf8(out.copy_to_bytes(out.len()).to_vec()).unwrap()
}

/// Where a request leads.
fn lead(request: &str) -> Route {
    match session().handle_input(Time::ZERO, &mut request.as_bytes()) {
        Ok(Some(HttpEvent::Requested { head, .. })) => route(&head),
        other => panic!("{other:?}"),
    }
}

/// What is answered to a request for which no stream is asked, in words and in bytes, and whether another may follow.
fn answer(request: &str) -> (ProtocolEvent, String, bool) {
    let mut session = session();
    let event = session.handle_input(Time::ZERO, &mut request.as_bytes());
    let event = from_http(&mut session, Time::ZERO, event.unwrap().unwrap());
    assert!(event.is_request());
    let may_follow = !session.is_closing();
    (event, sent(session.output()), may_follow)
}

/// A target in short.
fn shown(target: &Target) -> String {
    format!("{}?{}", target.key, target.query)
}

/// A route in short.
fn shown_route(route: Route) -> String {
    match route {
        Route::Play {
            target,
            undecoded,
            head_only,
        } => {
            let verb = if head_only { "look" } else { "play" };
            let or = undecoded.map_or(String::new(), |key| format!(" or {key}"));
            format!("{verb} {}{or}", shown(&target))
        }
        Route::Push { target } => format!("push {}", shown(&target)),
        Route::Refuse(error) => error.to_string(),
        Route::Respond(response) => response.status.to_string(),
    }
}

#[test]
fn requests_lead_to_streams() {
    for (request, expected) in [
        ("GET /live/x", "play live/x?"),
        ("GET /live/x.flv?token=a&wait=5", "play live/x?token=a&wait=5"),
        ("GET /x?merge=20", "play live/x?merge=20"),
        ("GET /a/b/c.flv", "play a/b/c?"),
        ("GET http://h/live/x?q", "play live/x?q"),
        ("GET /live/%E7%9B%B4", "play live/直? or live/%E7%9B%B4"),
        ("GET /live/a%20b.flv", "play live/a b? or live/a%20b"),
        ("GET /live/a%2Fb", "play live/a/b? or live/a%2Fb"),
        ("GET /live/%78.fl%76", "play live/x? or live/%78.fl%76"),
        ("GET /live/100%", "play live/100%?"),
        ("HEAD /live/x.flv", "look live/x?"),
        ("POST /live/x.flv?key=a", "push live/x?key=a"),
        ("PUT /live/a%20b", "push live/a b?"),
        ("DELETE /live/x", "method not allowed"),
        ("PATCH /live/x", "method not allowed"),
        ("BREW /live/x", "method not allowed"),
        ("GET /", "200 OK"),
        ("HEAD /?a=b", "200 OK"),
        ("GET /favicon.ico", "200 OK"),
        ("GET //", "stream name needs an app and a name, as in live/stream1"),
        ("GET /live/favicon.ico", "play live/favicon.ico?"),
        ("POST /live/favicon.ico", "push live/favicon.ico?"),
        (
            "POST /favicon.ico",
            "a page can only be read: streams have an app and a name, as in live/stream1",
        ),
        ("POST /live/../x", "stream name has an empty, '.' or '..' component"),
        ("GET *", "play live/*?"),
    ] {
        let led = lead(&format!("{request} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(shown_route(led), expected, "{request}");
    }
}

#[test]
fn a_websocket_says_whether_it_publishes() {
    for (path, fields, expected) in [
        ("/live/x.flv", "", "play live/x?"),
        ("/live/x?publisher", "", "play live/x?publisher"),
        ("/live/x.flv?publish", "", "push live/x?publish"),
        ("/live/x?key=a&publish=1", "", "push live/x?key=a&publish=1"),
        ("/live/x", "Sec-WebSocket-Protocol: publisher\r\n", "push live/x?"),
        (
            "/live/x",
            "Sec-WebSocket-Protocol: post\r\nOrigin: https://h\r\n",
            "push live/x?",
        ),
        (
            "/live/x?publish",
            "Origin: https://a.example\r\n",
            "web pages of 'https://a.example' may not publish here",
        ),
        ("/live/x", "Origin: https://a.example\r\n", "play live/x?"),
        (
            "/?publish",
            "",
            "stream name needs an app and a name, as in live/stream1",
        ),
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
        );
        assert_eq!(shown_route(lead(&request)), expected, "{path} {fields}");
    }
    let plain = "GET /live/x?publish HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Protocol: publisher\r\n\r\n";
    assert_eq!(shown_route(lead(plain)), "play live/x?publish");
}

#[test]
fn options_is_a_preflight_whatever_the_path() {
    for path in ["/live/x", "*", "/", "/live/../x"] {
        let (event, sent, may_follow) = answer(&format!("OPTIONS {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert!(matches!(event, ProtocolEvent::Answered), "{event:?}");
        assert!(sent.starts_with("HTTP/1.1 204 No Content\r\n") && may_follow, "{sent}");
    }
}

#[test]
fn a_request_that_leads_nowhere_is_told_why() {
    for (request, status) in [
        ("DELETE /live/x", "405 Method Not Allowed"),
        ("PATCH /", "405 Method Not Allowed"),
        ("PUT /", "405 Method Not Allowed"),
        ("GET /live/../x", "404 Not Found"),
        ("GET /live/%2e%2e/x", "404 Not Found"),
        ("GET /live/a%00b", "400 Bad Request"),
        ("GET /live/a%0d%0aSet-Cookie:%20a", "400 Bad Request"),
        ("GET /live/a%5Cb", "400 Bad Request"),
    ] {
        let (event, sent, may_follow) = answer(&format!("{request} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let ProtocolEvent::Refused(reason) = event else {
            panic!("{request}: {event:?}");
        };
        assert!(sent.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {sent}");
        assert!(sent.contains("\r\nAccess-Control-Allow-Origin: *\r\n"), "{sent}");
        assert!(sent.ends_with(&format!("\r\n\r\n{reason}\n")), "{sent}");
        let allowed = sent
            .split_once("\r\nAllow: ")
            .map(|(_, rest)| rest.lines().next().unwrap());
        let expected = match request {
            "PATCH /" | "PUT /" => Some("GET, HEAD, OPTIONS"),
            "DELETE /live/x" => Some("GET, HEAD, POST, PUT, OPTIONS"),
            _ => None,
        };
        assert_eq!(allowed, expected, "{sent}");
        assert_eq!(may_follow, request != "PUT /", "{request}: its content is not read");
    }
}

/// What `GET` of `path` is answered, and what `HEAD`: both have the same head.
fn page(path: &str, fields: &str) -> (String, String) {
    let [get, head] = ["GET", "HEAD"].map(|method| {
        let (event, sent, may_follow) = answer(&format!("{method} {path} HTTP/1.1\r\nHost: h\r\n{fields}\r\n"));
        assert!(matches!(event, ProtocolEvent::Answered) && may_follow, "{event:?}");
        sent
    });
    let (fields, body) = get.split_once("\r\n\r\n").unwrap();
    assert_eq!(head, format!("{fields}\r\n\r\n"));
    assert!(
        fields.ends_with(&format!("\r\nContent-Length: {}", body.len())),
        "{fields}"
    );
    (fields.into(), body.into())
}

#[test]
fn the_front_page_is_html_for_those_that_name_it() {
    for (accept, content_type) in [
        ("", "text/plain; charset=utf-8"),
        ("Accept: */*\r\n", "text/plain; charset=utf-8"),
        ("Accept: application/json, text/*\r\n", "text/plain; charset=utf-8"),
        (
            "Accept: text/html,application/xhtml+xml;q=0.9\r\n",
            "text/html; charset=utf-8",
        ),
        ("Accept: image/png, TEXT/HTML ;q=0.5\r\n", "text/html; charset=utf-8"),
    ] {
        let (head, body) = page("/", accept);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(
            head.contains(&format!("\r\nContent-Type: {content_type}\r\n")),
            "{accept}{head}"
        );
        assert!(
            head.contains("\r\nVary: Accept\r\n"),
            "a cache keeps both apart: {head}"
        );
        for line in [
            "Headwater",
            "rtmp://HOST/live",
            "-f flv http://HOST:PORT/live/stream1",
            "/live/stream1.flv",
            "ws://",
        ] {
            assert!(body.contains(line), "{line}: {body}");
        }
    }
}

#[test]
fn the_front_page_is_the_same_whatever_is_asked() {
    let plain = page("/", "");
    for (path, fields) in [
        ("/?a=<script>secret", ""),
        (
            "/#secret",
            "User-Agent: secret\r\nAuthorization: secret\r\nCookie: secret\r\n",
        ),
        ("http://secret.example/", "Origin: https://secret.example\r\n"),
        ("/", "X-Forwarded-Host: secret\r\nReferer: secret\r\n"),
    ] {
        assert_eq!(page(path, fields), plain, "{path}");
    }
}

#[test]
fn the_icon_is_kept_by_browsers() {
    let (head, body) = page("/favicon.ico", "");
    assert!(head.contains("\r\nContent-Type: image/svg+xml\r\n"), "{head}");
    assert!(head.contains("\r\nCache-Control: public, max-age=86400\r\n"), "{head}");
    assert!(body.starts_with("<svg ") && body.len() < 1_000, "{body}");
}

#[test]
fn a_page_is_no_websocket() {
    for path in ["/", "/favicon.ico"] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        assert!(!matches!(lead(&request), Route::Respond(_)), "{path}");
    }
}

#[test]
fn no_page_of_another_site_may_write_to_a_page() {
    let answer = |method| {
        let request = format!(
            "OPTIONS / HTTP/1.1\r\nHost: h\r\nOrigin: http://h\r\nAccess-Control-Request-Method: {method}\r\n\r\n"
        );
        answer(&request).1
    };
    assert!(answer("GET").contains("\r\nAllow: GET, HEAD, OPTIONS\r\n"));
    assert_eq!(answer("PUT"), answer("GET"));
}

/// What is answered to a preflight of a page of `origin`, without the empty line.
fn preflight_of(origin: &str, method: &str, fields: &str) -> String {
    let (event, sent, _) = answer(&format!(
        "OPTIONS /live/x.flv HTTP/1.1\r\nHost: h:8080\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: {method}\r\n{fields}\r\n"
    ));
    assert!(matches!(event, ProtocolEvent::Answered), "{event:?}");
    sent.strip_suffix("\r\n\r\n").unwrap().into()
}

#[test]
fn a_preflight_offers_every_page_to_play() {
    let answer = "HTTP/1.1 204 No Content\r\n\
        Allow: GET, HEAD, OPTIONS\r\n\
        Access-Control-Allow-Origin: *\r\n\
        Access-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n\
        Access-Control-Allow-Headers: *\r\n\
        Access-Control-Max-Age: 86400";
    for origin in ["https://a.example", "null"] {
        assert_eq!(preflight_of(origin, "GET", ""), answer);
        assert_eq!(preflight_of(origin, "PUT", ""), answer);
    }
    let closing = format!("{answer}\r\nConnection: close");
    assert_eq!(preflight_of("null", "GET", "Connection: close\r\n"), closing);
}

#[test]
fn a_preflight_offers_pages_that_may_push_to_do_it() {
    let answer = |access: &str| {
        format!(
            "HTTP/1.1 204 No Content\r\n\
            Allow: GET, HEAD, POST, PUT, OPTIONS\r\n\
            {access}\r\n\
            Access-Control-Allow-Methods: GET, HEAD, POST, PUT, OPTIONS\r\n\
            Access-Control-Allow-Headers: x-a, authorization\r\n\
            Access-Control-Max-Age: 86400"
        )
    };
    let fields = "Access-Control-Request-Headers: x-a, authorization\r\n";
    let own = answer("Access-Control-Allow-Origin: *");
    assert_eq!(preflight_of("http://h:8080", "PUT", fields), own);
    let friend = answer(
        "Access-Control-Allow-Origin: https://tv.example\r\nAccess-Control-Allow-Credentials: true\r\nVary: Origin",
    );
    assert_eq!(preflight_of(FRIEND, "PUT", fields), friend);
}

#[test]
fn a_private_network_is_open_for_what_a_page_may_do() {
    let asks = "Access-Control-Request-Private-Network: true\r\n";
    for (origin, method, is_granted) in [
        ("https://a.example", "GET", true),
        ("https://a.example", "POST", false),
        ("https://a.example", "PUT", false),
        ("https://a.example", "DELETE", false),
        (FRIEND, "PUT", true),
        (FRIEND, "DELETE", false),
        ("http://h:8080", "POST", true),
    ] {
        let answer = preflight_of(origin, method, asks);
        let has_grant = answer.ends_with("\r\nAccess-Control-Allow-Private-Network: true");
        assert_eq!(has_grant, is_granted, "{method} from {origin}: {answer}");
        assert!(!preflight_of(origin, method, "").contains("Private-Network"));
    }
}

#[test]
fn a_push_of_a_foreign_page_is_403() {
    let long = format!("Origin: {}", "x".repeat(200));
    let cut = format!("'{}...'", "x".repeat(128));
    for (page, named) in [
        ("Origin: https://a.example", "'https://a.example'"),
        ("Origin: null", "'null'"),
        ("Origin: http://h\r\nOrigin: http://h", "'http://h'"),
        ("Origin: a' b", "'a\\' b'"),
        ("Sec-Fetch-Site: cross-site", "another site"),
        (&*long, &*cut),
    ] {
        let (event, sent, may_follow) = answer(&format!(
            "PUT /live/x HTTP/1.1\r\nHost: h\r\n{page}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        ));
        let ProtocolEvent::Refused(error) = event else {
            panic!("{page}: {event:?}");
        };
        let said = format!("web pages of {named} may not publish here");
        assert_eq!(error.to_string(), said);
        assert!(sent.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{sent}");
        assert!(sent.ends_with(&format!("\r\n\r\n{said}\n")), "{sent}");
        assert!(!may_follow);
    }
    let friend = format!("PUT /live/x HTTP/1.1\r\nHost: h\r\nOrigin: {FRIEND}\r\n\r\n");
    assert!(matches!(lead(&friend), Route::Push { .. }));
}

#[test]
fn the_head_of_a_request_is_not_kept() {
    let mut session = session();
    let request = format!(
        "GET /live/x HTTP/1.1\r\nHost: h\r\nCookie: {}\r\n\r\n",
        "x".repeat(1_000)
    );
    let event = session.handle_input(Time::ZERO, &mut request.as_bytes()).unwrap();
    let event = from_http(&mut session, Time::ZERO, event.unwrap());
    let ProtocolEvent::PlayRequested(play) = event else {
        panic!("{event:?}");
    };
    let names: Vec<_> = play.fields.iter().map(|(name, _)| name).collect();
    assert_eq!(names, [&b"Host"[..], b"Cookie"], "they go with the request");
    assert!(size_of::<HttpSession>() <= 512, "and there is no room for them here");
}
