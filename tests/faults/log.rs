//! A standard error that nobody reads for long.

use crate::good::Good;
use crate::support::http;
use std::io::Write;
use std::net::Ipv4Addr;

/// Lines of a kilobyte: more than a pipe and the server keep.
const LINES: usize = 2_000;

#[test]
fn what_a_log_lost_is_said_once() {
    crate::on_every_runtime(&[1, 2], |runtime| {
        let server = runtime.start(&["--grace", "1"]);
        let good = Good::start(&server);
        server.pause_log();
        let name = "x".repeat(500);
        for number in 0..LINES {
            // A peer has a share of the log.
            let source = Ipv4Addr::new(127, 0, 1, (number % 50) as u8);
            let mut socket = http::connect(server.http, source);
            write!(socket, "GET /live/{name}{number} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            assert_eq!(http::read_response(socket).status, 404);
        }
        server.resume_log();
        server.wait_for_line("log lines were left out: standard error did not take them");
        good.finish();
        server.wait_for_line("publish ended");
        assert_eq!(server.count_lines("log lines were left out: standard error"), 1);
    });
}
