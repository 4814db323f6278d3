//! How many connections each binary serves, and what one too many hears; and for how many workers it has memory.
#![cfg(all(target_os = "linux", any(feature = "mio", feature = "smol", feature = "tokio")))]

#[macro_use]
mod support;

use headwater_core::rtmp::{ClientEvent, ClientRequest, ClientSession, SessionConfig};
use headwater_core::{Output, Time};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use support::process::POLL;
use support::server::Runtime;
use support::{DEADLINE, http};

/// Twelve players ask at once: five are served, whichever worker they are on, and the others hear that they are too many.
fn exactly_as_many_are_served_as_may_be(runtime: Runtime) {
    let server = runtime.start(&["--max-connections", "5", "--http-absent", "wait:60"]);
    let sockets: Vec<_> = (0..12).map(|_| http::send_get(server.http, "/live/x")).collect();
    let answered = |socket: &TcpStream| {
        socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        socket.peek(&mut [0]).is_ok()
    };
    let deadline = Instant::now() + DEADLINE;
    let mut waiting: Vec<_> = sockets.iter().collect();
    while waiting.len() > 5 {
        assert!(Instant::now() < deadline, "{} wait", waiting.len());
        waiting.retain(|socket| !answered(socket));
    }
    // As many as may be, and no longer than any of them is there.
    server.wait_for_players("live/x", 5);
    assert_eq!(waiting.len(), 5);
    let (waiting, refused): (Vec<_>, Vec<_>) = sockets.into_iter().partition(|socket| !answered(socket));
    assert_eq!((waiting.len(), refused.len()), (5, 7));
    for socket in refused {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut response = http::read_response(socket);
        assert_eq!(response.status, 503);
        assert_eq!(response.header("retry-after"), Some("2"));
        assert_eq!(response.header("connection"), Some("close"));
        let _ = response.body.read_to_end(&mut Vec::new());
    }
    assert_eq!(
        hear(server.rtmp),
        "NetConnection.Connect.Rejected: too many connections"
    );
    drop(waiting);
    // It may not have noticed yet that they have left.
    while http::try_get(server.http, "/live/x?wait=0").is_none_or(|response| response.status != 404) {
        assert!(Instant::now() < deadline, "nobody is let in");
        thread::sleep(POLL);
    }
}

/// What an RTMP player is refused with.
fn hear(server: SocketAddr) -> String {
    let request: ClientRequest = ClientRequest::play(&format!("rtmp://{server}/live/x")).unwrap();
    let mut session = ClientSession::new(Arc::new(SessionConfig::default()), Time::ZERO, 1, request);
    let mut socket = http::connect(server, Ipv4Addr::LOCALHOST);
    let mut scratch = [0; 4 << 10];
    loop {
        let output: &mut Output = session.output();
        output.write_to(&mut socket).unwrap();
        let len = socket.read(&mut scratch).unwrap();
        assert_ne!(len, 0, "it is closed without a word");
        let mut input = &scratch[..len];
        while let Some(event) = session.handle_input(Time::ZERO, &mut input).unwrap() {
            if let ClientEvent::Refused { code, description } = event {
                return format!("{code}: {description}");
            }
        }
    }
}

/// A server that may have few files open answers those for which it has no place, too.
fn a_server_with_few_descriptors_refuses_with_an_answer(runtime: Runtime) {
    let server = runtime.start_after("ulimit -n 40", &[]);
    let waiting: Vec<_> = (0..10)
        .map(|_| http::send_get(server.http, "/live/x?wait=60"))
        .collect();
    server.wait_for_players("live/x", 10);
    for _ in 0..5 {
        assert_eq!(server.get("/live/x").status, 503);
    }
    assert_eq!(server.count_lines("cannot accept"), 0);
    drop(waiting);
}

/// An address may ask so often, whatever the number of its connections. Others are answered all the time.
fn an_address_that_asks_too_often_is_told_to_wait(runtime: Runtime) {
    let server = runtime.start(&["--max-requests-per-address", "2"]);
    let ask = |host| {
        let mut socket = http::connect(server.http, Ipv4Addr::new(127, 0, 0, host));
        write!(socket, "GET /live/x HTTP/1.1\r\nHost: {}\r\n\r\n", server.http).unwrap();
        http::read_response(socket)
    };
    let deadline = Instant::now() + DEADLINE;
    let mut served = 0;
    let refused = loop {
        assert!(Instant::now() < deadline, "it asks as often as it likes");
        match ask(2) {
            response if response.status == 404 => served += 1,
            response => break response,
        }
    };
    assert!(served >= 20, "{served}: ten seconds' worth may come at once");
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("2")));
    assert_eq!(ask(3).status, 404);
    server.wait_for_line("requests refused");
    while ask(2).status != 429 {}
    let lines = server.count_lines("requests refused");
    assert!((1..=2).contains(&lines), "one for each worker: {lines}");
}

/// 16 workers need more than 16 MiB. Both the server and its explanation say so, and neither goes on.
fn too_little_memory_is_one_line_and_exit_code_2(runtime: Runtime) {
    let listen = ["--address", "none", "--http-address", "none", "--admin-address", "none"];
    for explains in [&[][..], &["--explain-memory"]] {
        let mut command = runtime.command();
        command.args(listen).args(explains);
        let output = command
            .args(["--max-memory", "16M", "--workers", "16"])
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{error}");
        let text = ": the process may use 16 MiB of memory, which is enough for 1 of 16 workers: all need 126 MiB (--max-memory, --workers)\n";
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.ends_with(text), "{error}");
    }
}

on_each_binary!(2, [
    an_address_that_asks_too_often_is_told_to_wait
    exactly_as_many_are_served_as_may_be
    too_little_memory_is_one_line_and_exit_code_2
    a_server_with_few_descriptors_refuses_with_an_answer
]);
