//! The operators' API of each binary, asked by programs of others: curl, and schemathesis, which makes requests of all kinds
//! out of the description of the API and holds the answers against it.
#![cfg(all(target_os = "linux", any(feature = "mio", feature = "smol", feature = "tokio")))]

#[path = "../core/tests/script/frames.rs"]
mod frames;
#[macro_use]
mod support;

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use support::process::{POLL, Process, is_installed};
use support::server::{Runtime, Server};
use support::{DEADLINE, http};

/// What operators have to send, where they have to send something.
const TOKEN: &str = "s3cret";

/// The documentation's conversations with curl.
const TRANSCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/core/src/server/admin/transcripts.md");

/// What curl exits with when its time is over.
const CURL_TIMED_OUT: i32 = 28;

/// Characters of a line that the documentation shows, and lines of content.
const SHOWN: (usize, usize) = (160, 6);

/// Each command of the documentation is answered as it says there: status, header fields, and the content of what is refused.
/// With `UPDATE_TRANSCRIPTS=1` the answers are written into it, to be read before they are believed.
fn curl_is_answered_as_the_documentation_says(runtime: Runtime) {
    if !is_installed("curl", "--version", "HEADWATER_REQUIRE_CURL") {
        return;
    }
    let runtime = Runtime { workers: 1, ..runtime };
    let flags = ["--admin-address", "127.0.0.1:0"];
    let open = runtime.start(&flags);
    let guarded = runtime.start_with(&[("HEADWATER_ADMIN_TOKEN", TOKEN)], &flags);
    let mut push = http::Push::start(open.http, "/live/stream1");
    push.send(&frames::flv("V A K0 a5 P40"));
    let player = open.wait_until_live("live/stream1");
    let documented = fs::read_to_string(TRANSCRIPTS).unwrap();
    let (mut updated, mut answers) = (String::new(), 0);
    let mut lines = documented.lines();
    while let Some(line) = lines.next() {
        writeln!(updated, "{line}").unwrap();
        let Some(arguments) = line.strip_prefix("$ curl ") else {
            continue;
        };
        let arguments = arguments
            .replace("localhost:8081", &open.admin.unwrap().to_string())
            .replace("localhost:8082", &guarded.admin.unwrap().to_string());
        let answer = curl(&arguments);
        let expected: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        if !updates_transcripts() {
            assert_eq!(promised(&shown(&answer)), promised(&expected.join("\n")), "{line}");
        }
        writeln!(updated, "{}\n```", shown(&answer)).unwrap();
        answers += 1;
    }
    assert!(answers > 20, "{answers}");
    if updates_transcripts() && runtime.name() == "tokio" {
        fs::write(TRANSCRIPTS, updated).unwrap();
    }
    drop(player);
    assert_eq!(push.finish().status, 403);
}

fn updates_transcripts() -> bool {
    std::env::var_os("UPDATE_TRANSCRIPTS").is_some()
}

/// What curl is answered, with the head.
fn curl(arguments: &str) -> String {
    let command = format!(
        "exec curl --silent --show-error --max-time {} {arguments}",
        DEADLINE.as_secs()
    );
    let output = Command::new("sh").args(["-c", &command]).output().unwrap();
    // An answer without end is cut short by the command itself.
    let is_cut_short = arguments.contains("--max-time") && output.status.code() == Some(CURL_TIMED_OUT);
    assert!(
        output.status.success() || is_cut_short,
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().replace('\r', "")
}

/// An answer as the documentation shows it.
fn shown(answer: &str) -> String {
    let (head, content) = answer.split_once("\n\n").unwrap();
    let mut lines = content.lines();
    let mut shown = vec![head.to_owned()];
    if !content.is_empty() {
        shown.push(String::new());
    }
    shown.extend(
        lines
            .by_ref()
            .take(SHOWN.1)
            .map(|line| match line.char_indices().nth(SHOWN.0) {
                Some((end, _)) => format!("{}...", &line[..end]),
                None => line.to_owned(),
            }),
    );
    shown.extend(lines.next().map(|_| "...".to_owned()));
    shown.join("\n")
}

/// The lines of an answer that are the same every time: its head but for the length, and why it was refused.
fn promised(answer: &str) -> Vec<&str> {
    let is_promised = |line: &&str| !line.starts_with("Content-Length: ") && !line.starts_with("{\"code\":0");
    let head_end = answer.find("\n\n").unwrap_or(answer.len());
    let is_problem = answer[head_end..].trim_start().starts_with("{\"code\":");
    let same = if is_problem { answer } else { &answer[..head_end] };
    same.lines().filter(is_promised).collect()
}

/// schemathesis makes a thousand requests, in order and out of order, and finds no answer that is not as described.
fn schemathesis_finds_nothing(runtime: Runtime) {
    if !is_installed("schemathesis", "--version", "HEADWATER_REQUIRE_SCHEMATHESIS") {
        return;
    }
    let flags = ["--admin-address", "127.0.0.1:0", "--admin-token", TOKEN, "--grace", "0"];
    let server = runtime.start(&flags);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for name in ["stream1", "stream2"] {
            scope.spawn(|| keep_streaming(&server, name, &is_over));
        }
        for name in ["stream1", "stream2"] {
            server.wait_for_plays(&format!("live/{name}"), 1);
        }
        let (succeeded, report) = run_schemathesis(server.admin.unwrap());
        is_over.store(true, Relaxed);
        println!("{report}");
        assert!(succeeded, "schemathesis found something on {}", runtime.name());
    });
}

/// Publishes and plays `live/name`, and whenever that is ended, a stream of another name: the one that it had may be banned.
fn keep_streaming(server: &Server, name: &str, is_over: &AtomicBool) {
    let names = (1..).map(|count| match count {
        1 => name.to_owned(),
        count => format!("{name}-{count}"),
    });
    for name in names {
        let mut push = http::Push::start(server.http, &format!("/live/{name}"));
        push.send(&frames::flv("V A K0 a5"));
        let mut player = server.get(&format!("/live/{name}?wait=60"));
        let mut time = 40;
        // What is sent is there to read, unless one of both was ended.
        while player.body.read(&mut [0; 4 << 10]).is_ok_and(|len| len > 0) {
            if is_over.load(Relaxed) {
                return;
            }
            thread::sleep(POLL);
            push.send(&frames::tags(&format!("P{time}")));
            time += 40;
        }
    }
}

/// Whether schemathesis found nothing, and what it says.
fn run_schemathesis(admin: SocketAddr) -> (bool, String) {
    let mut command = Command::new("schemathesis");
    command
        .args(["run", &format!("http://{admin}/api/v1/openapi.json")])
        .args(["--header", &format!("Authorization: Bearer {TOKEN}")])
        .args(["--checks", "all", "--seed", "1", "--max-examples", "30", "--no-color"])
        // Its answer has no end. What is refused there is refused to HEAD, too.
        .args(["--exclude-operation-id", "readEvents"])
        // One connection, which may ask 100 times in a second.
        .args(["--workers", "1", "--rate-limit", "80/s", "--request-timeout", "10"])
        .current_dir(env!("CARGO_TARGET_TMPDIR"));
    let mut process = Process::spawn_silent("schemathesis", &mut command, true);
    let status = process.wait(5 * DEADLINE);
    (status.success(), process.log())
}

on_each_binary!(2, [
    curl_is_answered_as_the_documentation_says
    schemathesis_finds_nothing
]);
