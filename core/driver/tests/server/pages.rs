//! What web pages may do.

use crate::lines::lines_of;
use crate::world::World;
use headwater_core::server::Protocol;
use std::time::Duration;

#[test]
fn a_push_of_a_foreign_page_is_403_and_no_publish() {
    let lines = lines_of(|| {
        let mut world = World::new(2, |_| {});
        let streams = |world: &World| -> Vec<_> { world.servers().map(|it| it.stats().streams).collect() };
        for (method, page) in [
            ("POST", "Origin: https://evil.example"),
            ("PUT", "Origin: null"),
            ("POST", "Sec-Fetch-Site: cross-site"),
        ] {
            let push = world.connect(1, Protocol::Http, 1);
            let head = format!("{method} /live/x HTTP/1.1\r\nHost: h\r\n{page}\r\nTransfer-Encoding: chunked\r\n\r\n");
            world.send(push, head.as_bytes());
            assert_eq!(world.status(push), "HTTP/1.1 403 Forbidden", "{page}");
            assert_eq!(streams(&world), [0, 0]);
        }
    });
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert!(lines.iter().all(|line| line.contains("request refused")), "{lines:#?}");
}

#[test]
fn a_browser_that_looks_around_is_worth_no_line() {
    let lines = lines_of(|| {
        let mut world = World::new(2, |_| {});
        for listener in [Protocol::Http, Protocol::Media] {
            let browser = world.connect(1, listener, 1);
            for path in ["/", "/favicon.ico", "/?utm=1"] {
                world.send(
                    browser,
                    format!("GET {path} HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n").as_bytes(),
                );
            }
            let received = String::from_utf8_lossy(&world.clients[browser].received).into_owned();
            assert_eq!(received.matches("200 OK").count(), 3, "{received}");
            world.pass(Duration::from_secs(60));
            assert!(world.clients[browser].is_closed());
        }
        assert_eq!(world.servers().map(|it| it.stats().plays_refused).sum::<u64>(), 0);
    });
    assert_eq!(lines, [""; 0]);
}
