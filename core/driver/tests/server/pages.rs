//! What web pages may do.

use crate::lines::lines_of;
use crate::world::World;
use headwater_core::server::Protocol;

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
