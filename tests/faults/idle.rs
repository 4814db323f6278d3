//! A server to which nothing is done.

use crate::backlog::raise_file_limit;
use crate::good::{flv_head, sound, tag};
use crate::support::http::{self, Push};
use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

const PLAYERS: usize = 1_000;
const PUBLISHERS: usize = 100;

/// For how long it is watched at a time.
const WATCHED: Duration = Duration::from_secs(2);
/// How often it may wake up in that time: now and then there is a deadline. A loop of 100 ms would do so 20 times.
const WAKEUPS: u64 = 10;
/// And the CPU time for that, in which it looks at each connection perhaps once.
const USED: Duration = Duration::from_millis(100);

#[test]
fn a_server_with_1100_idle_connections_sleeps() {
    if !raise_file_limit() {
        eprintln!("SKIPPED: this process may have too few files open");
        return;
    }
    crate::on_every_runtime(&[2], |runtime| {
        let server = runtime.start(&[]);
        let content = [flv_head(), tag(&sound(0))].concat();
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|name| {
                let mut push = Push::start(server.http, &format!("/live/{name}"));
                push.send(&content);
                push
            })
            .collect();
        let players: Vec<_> = (0..PLAYERS)
            .map(|number| {
                // From several addresses.
                let source = Ipv4Addr::new(127, 0, 1, (number % 20) as u8);
                let mut player = http::connect(server.http, source);
                let request = format!("GET /live/{} HTTP/1.1\r\nHost: x\r\n\r\n", number % PUBLISHERS);
                std::io::Write::write_all(&mut player, request.as_bytes()).unwrap();
                http::read_response(player)
            })
            .collect();
        // It may have something to do at first, and a deadline of many connections now and then.
        let is_asleep = (0..5).any(|_| {
            let (cpu, wakeups) = (server.cpu(), server.wakeups());
            thread::sleep(WATCHED);
            let (cpu, wakeups) = (server.cpu() - cpu, server.wakeups() - wakeups);
            eprintln!("{}: {wakeups} wake-ups, {cpu:?}", runtime.binary);
            wakeups <= WAKEUPS && cpu <= USED
        });
        assert!(is_asleep && server.wakeups() > 100, "it was awake before");
        assert_eq!(server.count_lines("publish ended"), 0, "they are still there");
        drop((publishers, players));
    });
}
