//! What each binary tells monitoring systems, read by Prometheus' own library.
#![cfg(all(target_os = "linux", any(feature = "mio", feature = "smol", feature = "tokio")))]

#[path = "../core/tests/script/frames.rs"]
mod frames;
#[macro_use]
mod support;

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;
use support::process::POLL;
use support::server::Runtime;
use support::{DEADLINE, http};

/// A Python that has Prometheus' library. If there is none, says so, or fails if `HEADWATER_REQUIRE_PROMETHEUS` is set.
fn python() -> Option<&'static str> {
    let has_library = |python: &&str| {
        let mut command = Command::new(python);
        command.args(["-c", "import prometheus_client.openmetrics"]);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let found = ["python3", "/usr/bin/python3"].into_iter().find(has_library);
    if found.is_none() {
        assert!(
            std::env::var_os("HEADWATER_REQUIRE_PROMETHEUS").is_none(),
            "no Python has prometheus_client"
        );
        eprintln!("SKIPPED: no Python has prometheus_client (apt install python3-prometheus-client)");
    }
    found
}

/// The samples that the library has found.
fn scrape(python: &str, admin: SocketAddr) -> Vec<(String, f64)> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/prometheus.py");
    let url = format!("http://{admin}/metrics");
    let output = Command::new(python).args([script, &url]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    text.lines().map(|line| sample(line).expect(line)).collect()
}

fn prometheus_reads_what_a_stream_is(runtime: Runtime) {
    let Some(python) = python() else { return };
    let server = runtime.start(&["--admin-address", "127.0.0.1:0"]);
    let admin = server.admin.unwrap();
    let mut push = http::Push::start(server.http, "/live/x%22y");
    push.send(&frames::flv("V A K0 a5 P40"));
    let player = server.wait_until_live("live/x%22y");
    let deadline = Instant::now() + DEADLINE;
    let samples = loop {
        let samples = scrape(python, admin);
        let players = "headwater_stream_players{protocol=http,stream=live/x\"y}";
        if samples.iter().any(|(name, value)| name == players && *value == 1.0) {
            break samples;
        }
        assert!(Instant::now() < deadline, "{samples:#?}");
        thread::sleep(POLL);
    };
    let of = |name: &str| samples.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    for (name, value) in [
        ("headwater_workers{}", 2.0),
        ("headwater_streams_published{}", 1.0),
        ("headwater_stream_frames_total{kind=video,stream=live/x\"y}", 3.0),
        ("headwater_stream_keyframes_total{stream=live/x\"y}", 1.0),
    ] {
        assert_eq!(of(name), Some(value), "{name} in {samples:#?}");
    }
    for name in [
        "process_resident_memory_bytes{}",
        "process_open_fds{}",
        "process_start_time_seconds{}",
        "headwater_worker_busy_seconds_total{worker=1}",
    ] {
        assert!(of(name).is_some_and(|value| value > 0.0), "{name} in {samples:#?}");
    }
    // It counts hundredths of a second, and may have used none.
    assert!(of("process_cpu_seconds_total{}").is_some(), "{samples:#?}");
    let runtime = runtime.binary.rsplit("headwater-").next().unwrap();
    let build = samples
        .iter()
        .find(|(name, _)| name.starts_with("headwater_build_info"));
    assert!(build.unwrap().0.contains(&format!("runtime={runtime}")), "{build:?}");
    drop(player);
}

on_each_binary!(2, [prometheus_reads_what_a_stream_is]);
