//! What a web page may ask, and what it may read of the answer.

use super::*;

const FRIEND: &str = "https://tv.example";

/// What is answered to a preflight of a page of `origin`, where [`FRIEND`] is allowed.
fn preflight(origin: &str, method: &str, fields: &str) -> String {
    let mut server = Server::allowing(Limits::default(), &[FRIEND]);
    let request = alloc::format!(
        "OPTIONS /live/x.flv HTTP/1.1\r\nHost: h:8080\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: {method}\r\n{fields}\r\n"
    );
    server.expect(request.as_bytes(), &[HttpEvent::Answered]);
    server.sent_head()
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
        assert_eq!(preflight(origin, "GET", ""), answer);
        assert_eq!(preflight(origin, "PUT", ""), answer);
    }
    let closing = alloc::format!("{answer}\r\nConnection: close");
    assert_eq!(preflight("null", "GET", "Connection: close\r\n"), closing);
}

#[test]
fn a_preflight_offers_pages_that_may_push_to_do_it() {
    let answer = |access: &str| {
        alloc::format!(
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
    assert_eq!(preflight("http://h:8080", "PUT", fields), own);
    let friend = answer(
        "Access-Control-Allow-Origin: https://tv.example\r\nAccess-Control-Allow-Credentials: true\r\nVary: Origin",
    );
    assert_eq!(preflight(FRIEND, "PUT", fields), friend);
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
        let answer = preflight(origin, method, asks);
        let has_grant = answer.ends_with("\r\nAccess-Control-Allow-Private-Network: true");
        assert_eq!(has_grant, is_granted, "{method} from {origin}: {answer}");
        assert!(!preflight(origin, method, "").contains("Private-Network"));
    }
}

#[test]
fn a_push_of_a_foreign_page_is_403() {
    let long = alloc::format!("Origin: {}", "x".repeat(200));
    let cut = alloc::format!("'{}...'", "x".repeat(128));
    for (page, named) in [
        ("Origin: https://a.example", "'https://a.example'"),
        ("Origin: null", "'null'"),
        ("Origin: http://h\r\nOrigin: http://h", "'http://h'"),
        ("Origin: a' b", "'a\\' b'"),
        ("Sec-Fetch-Site: cross-site", "another site"),
        (&*long, &*cut),
    ] {
        let mut server = Server::new();
        let request = |method| {
            alloc::format!(
                "{method} /live/x HTTP/1.1\r\nHost: h\r\n{page}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
            )
        };
        let event = server.next(request("PUT").as_bytes()).unwrap();
        let Some(HttpEvent::Refused(error)) = event else {
            panic!("{page}: {event:?}");
        };
        let said = alloc::format!("web pages of {named} may not publish here");
        assert_eq!(error.to_string(), said);
        server.expect(b"", &[]);
        let sent = String::from_utf8(server.sent()).unwrap();
        assert!(sent.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{sent}");
        assert!(sent.ends_with(&alloc::format!("\r\n\r\n{said}\n")), "{sent}");
        assert!(server.session.is_closing());
    }
}

#[test]
fn a_page_that_may_push_can_read_every_answer() {
    let named =
        "\r\nAccess-Control-Allow-Origin: https://tv.example\r\nAccess-Control-Allow-Credentials: true\r\nVary: Origin";
    let mut server = Server::allowing(Limits::default(), &[FRIEND]);
    let ([first, second], content) = publish::stream();
    let request = |method, origin, len| {
        alloc::format!("{method} /live/x HTTP/1.1\r\nHost: h\r\nOrigin: {origin}\r\nContent-Length: {len}\r\n\r\n")
    };
    let id = server.request(&request("PUT", FRIEND, content.len()));
    server.session.accept_publish(server.now, id).unwrap();
    server.expect(&content, &[first, second, publish::ENDED]);
    assert!(server.sent_head().contains(named));

    let id = server.request(&request("GET", FRIEND, 0));
    (server.session)
        .reject(server.now, id, StatusCode::NotFound, "", None)
        .unwrap();
    assert!(server.sent_head().contains(named));

    // The same connection may serve a page of another origin, behind a proxy.
    let id = server.request(&request("HEAD", "https://a.example", 0));
    server.session.accept_play(server.now, id).unwrap();
    let head = server.sent_head();
    assert!(head.contains("\r\nAccess-Control-Allow-Origin: *\r\n"), "{head}");
    assert!(!head.contains("Credentials") && !head.contains("Vary"), "{head}");

    let id = server.request(&request("GET", FRIEND, 0));
    server.session.accept_play(server.now, id).unwrap();
    assert!(server.sent_head().contains(named));
}

#[test]
fn all_pages_may_push_if_all_are_allowed() {
    let mut server = Server::allowing(Limits::default(), &["*"]);
    let push = "POST /live/x HTTP/1.1\r\nHost: h\r\nOrigin: null\r\nSec-Fetch-Site: cross-site\r\n\r\n";
    let event = server.next(push.as_bytes()).unwrap();
    assert!(matches!(event, Some(HttpEvent::PublishRequested { .. })), "{event:?}");
}
