//! What a web page may read of the answers.

use super::*;

const FRIEND: &str = "https://tv.example";

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
fn a_request_says_what_its_page_may_do() {
    let push = "POST /live/x HTTP/1.1\r\nHost: h\r\nOrigin: null\r\nSec-Fetch-Site: cross-site\r\n\r\n";
    for (allowed, may_write) in [(&["*"][..], true), (&[FRIEND], false), (&[], false)] {
        let (_, head) = Server::allowing(Limits::default(), allowed).request_head(push);
        assert_eq!(head.access.may_write(), may_write, "{allowed:?}");
    }
}
