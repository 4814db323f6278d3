//! Connections that fail are recorded by each binary, and played again by it.
#![cfg(all(target_os = "linux", any(feature = "mio", feature = "smol", feature = "tokio")))]

#[macro_use]
mod support;

use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::server::{Runtime, Server};
use support::{DEADLINE, http};

/// A folder of a test's own, gone with it.
struct Temporary(PathBuf);

impl Temporary {
    fn new(runtime: Runtime, test: &str) -> Self {
        let name = Path::new(runtime.binary).file_name().unwrap().to_string_lossy();
        let dir = std::env::temp_dir().join(format!("{name}-{test}-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        Temporary(dir)
    }

    fn flag(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// The file about a failure of this kind.
    fn file(&self, kind: &str) -> PathBuf {
        let mut paths = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        paths
            .find(|path| path.file_name().unwrap().to_string_lossy().contains(kind))
            .unwrap_or_else(|| panic!("no {kind} in {}", self.0.display()))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Breaks the framing behind a handshake.
fn send_garbage(server: &Server) {
    let mut socket = http::connect(server.rtmp, Ipv4Addr::LOCALHOST);
    socket.write_all(&[3; 1 + 2 * 1_536]).unwrap();
    socket.write_all(&[0xFF; 100]).unwrap();
    server.wait_for_line("begins with a header that inherits its length");
}

/// Publishes until `is_over`, or until the test has failed: more than sockets hold.
fn publish(server: &Server, is_over: &AtomicBool) {
    let mut socket = http::connect(server.http, Ipv4Addr::LOCALHOST);
    let payload = [&b"\x17\x01\0\0\0\0\x01\x86\x9c\x65"[..], &[0x55; 99_995]].concat();
    let mut tag = b"\x09\x01\x86\xa5\0\0\0\0\0\0\0".to_vec();
    tag.extend(&payload);
    tag.extend([0; 4]);
    write!(socket, "POST /live/x HTTP/1.0\r\n\r\nFLV\x01\x01\0\0\0\x09\0\0\0\0").unwrap();
    socket
        .write_all(
            b"\x09\0\0\x15\0\0\0\0\0\0\0\x17\0\0\0\0\x01\x64\0\x1F\xFF\xE1\0\x04\x67\x64\0\x1F\x01\0\x01\x68\0\0\0\0",
        )
        .unwrap();
    let mut millis = 0_u32;
    let start = Instant::now();
    while !is_over.load(Ordering::Relaxed) && start.elapsed() < 2 * DEADLINE {
        millis += 20;
        tag[4..7].copy_from_slice(&millis.to_be_bytes()[1..]);
        socket.write_all(&tag).unwrap();
        // The pace of a camera.
        thread::sleep(Duration::from_millis(20));
    }
}

fn replay(runtime: Runtime, file: &Path) -> Output {
    runtime.command().arg("--replay").arg(file).output().unwrap()
}

fn failures_are_recorded_and_played_again(runtime: Runtime) {
    let dir = Temporary::new(runtime, "failures");
    let server = runtime.start(&["--record-on-error", dir.flag()]);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let player = http::connect(server.http, Ipv4Addr::LOCALHOST);
        write!(&player, "GET /live/x?wait=60 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        server.wait_for_players("live/x", 1);
        scope.spawn(|| publish(&server, &is_over));
        send_garbage(&server);
        // It reads nothing, which takes a while to be seen.
        server.wait_for_line("reason=\"stall timeout\"");
        is_over.store(true, Ordering::Relaxed);
    });
    server.wait_for_lines(&["connection recorded"], 2);
    for (kind, line) in [
        ("http-stall-timeout", "S= error: stall timeout"),
        (
            "rtmp-chunk-stream-begins",
            "S= error: chunk stream 63 begins with a header that inherits",
        ),
    ] {
        let output = replay(runtime, &dir.file(kind));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        assert!(text.contains(line), "{text}");
        assert!(text.ends_with("# the same failure as recorded\n"), "{text}");
    }
}

fn payload_is_left_out(runtime: Runtime) {
    let dir = Temporary::new(runtime, "payload");
    let server = runtime.start(&["--record-on-error", dir.flag(), "--record-without-payload"]);
    let mut socket = http::connect(server.http, Ipv4Addr::LOCALHOST);
    write!(socket, "POST /live/x HTTP/1.0\r\n\r\nFLV\x01\x01\0\0\0\x09\0\0\0\0").unwrap();
    let tag = [&b"\x08\0\x01\0\0\0\0\0\0\0\0\xAF\x01"[..], &[0x55; 254], &[0; 4]].concat();
    socket.write_all(&tag).unwrap();
    server.wait_for_line("publish started");
    socket.write_all(b"\x08\xff\xff\xff\0\0\0\0\0\0\0").unwrap();
    server.wait_for_line("connection recorded");
    let bytes = fs::read(dir.file("flv-tag-of-bytes-exceeds")).unwrap();
    let longest = bytes.split(|byte| *byte != 0x55).map(<[u8]>::len).max();
    assert_eq!(longest, Some(14), "only the first 16 bytes of a tag are there");
}

fn a_bad_folder_is_one_line_and_exit_code_2(runtime: Runtime) {
    let dir = Temporary::new(runtime, "bad");
    let file = dir.0.join("file");
    fs::write(&file, "no recording").unwrap();
    let missing = dir.0.join("missing");
    let listen = [
        "--address",
        "127.0.0.1:0",
        "--http-address",
        "none",
        "--admin-address",
        "none",
    ];
    for (flag, path, text) in [
        ("--record-on-error", &missing, "cannot record in"),
        ("--record-on-error", &file, "cannot record in"),
        ("--replay", &missing, "cannot read"),
        ("--replay", &file, "not a recording"),
    ] {
        let mut command = runtime.command();
        if flag != "--replay" {
            command.args(listen);
        }
        let output = command.arg(flag).arg(path).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(text), "{error}");
    }
}

fn a_folder_that_goes_away_stops_nothing(runtime: Runtime) {
    let dir = Temporary::new(runtime, "gone");
    let mut server = runtime.start(&["--record-on-error", dir.flag()]);
    fs::remove_dir(&dir.0).unwrap();
    send_garbage(&server);
    server.wait_for_line("a connection could not be recorded");
    fs::create_dir(&dir.0).unwrap();
    // Another fault, TLS: the same one is recorded now and then only.
    let mut socket = http::connect(server.http, Ipv4Addr::LOCALHOST);
    socket.write_all(b"\x16").unwrap();
    server.wait_for_line("connection recorded");
    server.stop_by("TERM");
}

on_each_binary!(2, [
    failures_are_recorded_and_played_again
    payload_is_left_out
    a_bad_folder_is_one_line_and_exit_code_2
    a_folder_that_goes_away_stops_nothing
]);
