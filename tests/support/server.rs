//! A server binary under test.

use super::DEADLINE;
use super::http::{self, Response};
use super::process::{POLL, Process};
use std::net::SocketAddr;
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// Which binary to test, and with how many workers.
#[derive(Clone, Copy)]
pub struct Runtime {
    pub binary: &'static str,
    pub workers: u16,
}

/// Makes a test of each case, a function of a [`Runtime`], for each binary that the enabled features bring, with so many
/// workers.
macro_rules! on_each_binary {
    ($workers:literal, $cases:tt) => {
        on_each_binary!("mio", mio, "headwater-mio", $workers, $cases);
        on_each_binary!("smol", smol, "headwater-smol", $workers, $cases);
        on_each_binary!("tokio", tokio, "headwater-tokio", $workers, $cases);
    };
    ($feature:literal, $module:ident, $binary:literal, $workers:literal, [$($case:ident)*]) => {
        #[cfg(feature = $feature)]
        mod $module {
            $(
                #[test]
                fn $case() {
                    super::$case(crate::support::server::Runtime {
                        binary: env!(concat!("CARGO_BIN_EXE_", $binary)),
                        workers: $workers,
                    });
                }
            )*
        }
    };
}

/// A running server on free ports of the loopback interface.
pub struct Server {
    process: Process,
    /// The first address of those for RTMP. HTTP is spoken there too.
    pub rtmp: SocketAddr,
    /// The first address of those for HTTP. RTMP is spoken there too.
    pub http: SocketAddr,
    /// For operators, if it listens for them.
    pub admin: Option<SocketAddr>,
}

impl Runtime {
    /// `tokio`, `smol` or `mio`.
    pub fn name(&self) -> &'static str {
        self.binary.rsplit('-').next().unwrap_or(self.binary)
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(self.binary);
        command.env_remove("RUST_LOG");
        command
    }

    /// Starts it with further `flags`, and returns once it listens.
    pub fn start(&self, flags: &[&str]) -> Server {
        self.start_as(self.command(), flags)
    }

    /// The same on the addresses of other flags.
    pub fn start_at(&self, addresses: &[&str], flags: &[&str]) -> Server {
        self.start_on(self.command(), addresses, flags)
    }

    /// The same with further variables in its environment.
    pub fn start_with(&self, variables: &[(&str, &str)], flags: &[&str]) -> Server {
        let mut command = self.command();
        command.envs(variables.iter().copied());
        self.start_as(command, flags)
    }

    /// The same, by a shell that has run `setup`, with what the process then inherits of it.
    pub fn start_after(&self, setup: &str, flags: &[&str]) -> Server {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{setup}; exec \"$0\" \"$@\""), self.binary]);
        self.start_as(command, flags)
    }

    fn start_as(&self, command: Command, flags: &[&str]) -> Server {
        self.start_on(
            command,
            &["--address", "127.0.0.1:0", "--http-address", "127.0.0.1:0"],
            flags,
        )
    }

    fn start_on(&self, mut command: Command, addresses: &[&str], flags: &[&str]) -> Server {
        let workers = self.workers.to_string();
        if !flags.contains(&"--log-level") {
            command.args(["--log-level", "debug"]);
        }
        command
            .args(["--admin-address", "none"])
            .args(addresses)
            .args(["--workers", &workers])
            .args(flags);
        let process = Process::spawn("the server", &mut command);
        let line = process.wait_for_line("listening", DEADLINE);
        let (rtmp, http) = (address(&line, "rtmp="), address(&line, "http="));
        Server {
            rtmp: rtmp.or(http).expect("an address"),
            http: http.or(rtmp).expect("an address"),
            admin: address(&line, "admin="),
            process,
        }
    }
}

impl Server {
    pub fn rtmp_url(&self, stream: &str) -> String {
        format!("rtmp://{}/{stream}", self.rtmp)
    }

    pub fn http_url(&self, stream: &str) -> String {
        format!("http://{}/{stream}", self.http)
    }

    pub fn get(&self, path: &str) -> Response {
        http::get(self.http, path)
    }

    /// Returns once `stream` has a publisher, with a player of it.
    pub fn wait_until_live(&self, stream: &str) -> Response {
        let response = self.get(&format!("/{stream}?wait=60"));
        assert_eq!(response.status, 200, "{stream} did not go live");
        response
    }

    /// Returns once `count` players wait for `stream`: a publisher that comes now cannot be earlier than they.
    pub fn wait_for_players(&self, stream: &str, count: usize) {
        let stream = format!("stream={stream:?}");
        self.process.wait_for_lines(&["play waits", &stream], count, DEADLINE);
    }

    /// Returns once `count` players play `stream`, or have.
    pub fn wait_for_plays(&self, stream: &str, count: usize) {
        let stream = format!("stream={stream:?}");
        self.process.wait_for_lines(&["play started", &stream], count, DEADLINE);
    }

    /// Returns once the log has `text`.
    pub fn wait_for_line(&self, text: &str) {
        self.process.wait_for_line(text, DEADLINE);
    }

    /// Returns once the log has `count` lines with all of `texts`.
    pub fn wait_for_lines(&self, texts: &[&str], count: usize) {
        self.process.wait_for_lines(texts, count, DEADLINE);
    }

    /// Whether it has said all of `texts` in one line.
    pub fn has_line(&self, texts: &[&str]) -> bool {
        self.process.has_line(texts)
    }

    /// Lines with `text` so far.
    pub fn count_lines(&self, text: &str) -> usize {
        self.process.log().lines().filter(|line| line.contains(text)).count()
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// File descriptors that it has open.
    pub fn files(&self) -> usize {
        self.process.files()
    }

    /// Returns once it has no more than `count` file descriptors open.
    pub fn wait_for_files(&self, count: usize, within: Duration) {
        let deadline = Instant::now() + within;
        while self.files() > count {
            assert!(Instant::now() < deadline, "{} files, not {count}", self.files());
            thread::sleep(POLL);
        }
    }

    /// Bytes of memory that it has in use.
    pub fn memory(&self) -> usize {
        self.process.memory()
    }

    /// CPU time that it has used.
    pub fn cpu(&self) -> Duration {
        self.process.cpu()
    }

    /// How often its threads have gone to sleep.
    pub fn wakeups(&self) -> u64 {
        self.process.wakeups()
    }

    /// Takes no more lines of its log until they are wanted again.
    pub fn pause_log(&self) {
        self.process.pause_log(true);
    }

    /// Takes them again.
    pub fn resume_log(&self) {
        self.process.pause_log(false);
    }

    /// Sends it signals by their names, one right after the other.
    pub fn signal(&self, names: &[&str]) {
        self.process.signal(names);
    }

    /// How it ended, once it has.
    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait(DEADLINE)
    }

    /// Asks it to stop by the signal of that name, and returns once it has: successfully, and with everybody gone before
    /// the time for that was over.
    pub fn stop_by(&mut self, signal: &str) {
        self.signal(&[signal]);
        let status = self.wait();
        assert!(status.success(), "the server ended with {status}");
        assert_eq!(self.count_lines("connections are cut off"), 0, "it waited for nothing");
    }
}

/// The first address after `label` in the line that says where the server listens.
fn address(line: &str, label: &str) -> Option<SocketAddr> {
    let list = line.split_whitespace().find_map(|word| word.strip_prefix(label))?;
    Some(list.split(',').next()?.parse().expect("an address"))
}
