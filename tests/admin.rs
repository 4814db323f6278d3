//! The operator's API of each binary.
#![cfg(all(target_os = "linux", any(feature = "mio", feature = "smol", feature = "tokio")))]

#[path = "../core/tests/script/frames.rs"]
mod frames;
#[macro_use]
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Instant;
use support::process::{POLL, Process};
use support::server::Runtime;
use support::{DEADLINE, http};

/// Sends a request with these header fields, and returns the status and the content.
fn ask(admin: SocketAddr, request: &str, fields: &str) -> (u16, String) {
    let mut stream = http::connect(admin, Ipv4Addr::LOCALHOST);
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n{fields}\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// A stream is there with its player, whichever workers they are on, and gone when it is kicked.
fn an_operator_sees_a_stream_and_ends_it(runtime: Runtime) {
    let file = std::env::temp_dir().join(format!(
        "headwater-token-{}-{}",
        std::process::id(),
        runtime.binary.len()
    ));
    fs::write(&file, "s3cret\n").unwrap();
    let flags = [
        "--admin-address",
        "127.0.0.1:0",
        "--admin-token-file",
        file.to_str().unwrap(),
    ];
    let server = runtime.start(&flags);
    let admin = server.admin.unwrap();
    let _ = fs::remove_file(file);
    assert_eq!(
        ask(admin, "GET /healthz", ""),
        (200, "{\"code\":0,\"status\":\"ok\"}\n".into())
    );
    assert_eq!(ask(admin, "GET /api/v1/streams", "").0, 401);
    let token = "Authorization: Bearer s3cret\r\n";
    let mut push = http::Push::start(server.http, "/live/x?key=hidden");
    push.send(&frames::flv("V A K0 a5 P40"));
    let player = server.wait_until_live("live/x");
    let deadline = Instant::now() + DEADLINE;
    let streams = loop {
        let (status, streams) = ask(admin, "GET /api/v1/streams", token);
        assert_eq!(status, 200);
        if streams.contains("\"players\":1") {
            break streams;
        }
        assert!(Instant::now() < deadline, "{streams}");
        thread::sleep(POLL);
    };
    for part in [
        "\"id\":\"live/x\"",
        "\"total\":1",
        "\"missing_workers\":[]",
        "\"codec\":\"H264\"",
    ] {
        assert!(streams.contains(part), "{part}: {streams}");
    }
    assert!(!streams.contains("hidden"), "{streams}");
    assert_eq!(ask(admin, "GET /api/v1/clients?count=1", token).0, 200);
    let (status, kicked) = ask(admin, "DELETE /api/v1/streams/live/x?ban=60", token);
    assert!(status == 200 && kicked.contains("\"kicked\":2"), "{kicked}");
    drop(player);
    assert_eq!(ask(admin, "DELETE /api/v1/streams/live/x", token).0, 404);
    assert_eq!(push.finish().status, 403);
}

/// Why a player sees nothing is told from the first question to the ban.
fn an_operator_is_told_why_nothing_is_seen(runtime: Runtime) {
    let server = runtime.start(&["--admin-address", "127.0.0.1:0"]);
    let admin = server.admin.unwrap();
    let explained = |case: &str, sentence: &str| {
        let (status, answer) = ask(admin, "GET /api/v1/explain?stream=live/x", "");
        assert_eq!(status, 200, "{answer}");
        for part in [&format!("\"case\":\"{case}\""), sentence] {
            assert!(answer.contains(part), "{part}: {answer}");
        }
    };
    explained("nobody_publishes", "nobody publishes live/x");
    let mut push = http::Push::start(server.http, "/live/x?key=hidden");
    push.send(&frames::flv("V A K0 a5 P40"));
    let player = server.wait_until_live("live/x");
    explained("well", "all is well here");
    let json = "Content-Type: application/json\r\n";
    assert_eq!(ask(admin, "DELETE /api/v1/streams/live/x?ban=60", json).0, 200);
    explained("banned", "an operator keeps everybody from live/x for ");
    assert_eq!(ask(admin, "GET /api/v1/explain", "").0, 400);
    drop(player);
}

/// One connection does for all requests, which are answered in order, whatever has to be asked of other workers for them.
fn requests_share_a_connection_until_one_says_otherwise(runtime: Runtime) {
    let server = runtime.start(&["--admin-address", "127.0.0.1:0"]);
    let admin = server.admin.unwrap();
    let mut stream = http::connect(admin, Ipv4Addr::LOCALHOST);
    let paths = [
        "/api/v1/streams",
        "/healthz",
        "/metrics",
        "/api/v1/none",
        "/api/v1/clients",
    ];
    let requests: String = paths
        .map(|path| format!("HEAD {path} HTTP/1.1\r\nHost: {admin}\r\n\r\n"))
        .concat();
    let last = format!("{requests}HEAD /readyz HTTP/1.0\r\nHost: {admin}\r\n\r\n{requests}");
    for part in [requests, last] {
        stream.write_all(part.as_bytes()).unwrap();
    }
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    let statuses: Vec<_> = answers
        .lines()
        .filter_map(|line| line.strip_prefix("HTTP/1.1 "))
        .collect();
    let (found, absent) = ("200 OK", "404 Not Found");
    let once = [found, found, found, absent, found];
    assert_eq!(statuses, [&once[..], &once, &[found]].concat(), "{answers}");
    assert_eq!(answers.matches("\r\nConnection: ").count(), 1, "{answers}");
    assert!(answers.ends_with("\r\nConnection: close\r\n\r\n"), "{answers}");
}

/// A stream is told of on a connection to whichever worker, from its beginning to its end, and the answer ends with the server.
fn an_operator_reads_what_goes_on(runtime: Runtime) {
    let mut server = runtime.start(&["--admin-address", "127.0.0.1:0"]);
    let mut events = http::get(server.admin.unwrap(), "/api/v1/events?stream=live/x");
    assert_eq!(events.status, 200);
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    let mut read = String::new();
    let mut read_until = |name: &str| {
        let event = format!("event: {name}\n");
        while !read.contains(&event) {
            let mut piece = [0; 4 << 10];
            let len = events.body.read(&mut piece).unwrap();
            assert!(len > 0, "it has ended before {name}: {read}");
            read += str::from_utf8(&piece[..len]).unwrap();
        }
    };
    read_until("opened");
    let mut push = http::Push::start(server.http, "/live/x?key=hidden");
    push.send(&frames::flv("V A K0 a5 P40"));
    for name in ["publish_started", "stream_info"] {
        read_until(name);
    }
    let player = server.wait_until_live("live/x");
    read_until("play_started");
    drop(player);
    read_until("play_ended");
    assert_eq!(push.finish().status, 200);
    read_until("publish_ended");
    server.stop_by("TERM");
    let mut rest = String::new();
    events.body.read_to_string(&mut rest).unwrap();
    assert!(!read.contains("hidden"), "{read}");
    for part in [
        "\"missing_workers\":[]",
        "\"codec\":\"H264\"",
        "\"cause\":\"requested\"",
    ] {
        assert!(read.contains(part), "{part}: {read}");
    }
}

/// The address that operators have without a flag is another's: the server serves everybody else.
fn a_second_server_goes_on_without_operators(runtime: Runtime) {
    let taken = std::net::TcpListener::bind("127.0.0.1:8081");
    let flags = ["--address", "127.0.0.1:0", "--http-address", "127.0.0.1:0"];
    let server = Process::spawn("the server", runtime.command().args(flags));
    server.wait_for_line("operators are not listened for", DEADLINE);
    server.wait_for_line("listening", DEADLINE);
    drop(taken);
}

on_each_binary!(2, [
    an_operator_sees_a_stream_and_ends_it
    an_operator_is_told_why_nothing_is_seen
    requests_share_a_connection_until_one_says_otherwise
    an_operator_reads_what_goes_on
    a_second_server_goes_on_without_operators
]);
