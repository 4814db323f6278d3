//! A child process with its log, for which a test waits with a deadline.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A child process. Dropping it kills it; if the test has failed, its log is printed.
pub struct Process {
    name: String,
    child: Child,
    log: Arc<Log>,
}

/// What the process wrote so far.
#[derive(Default)]
struct Log {
    state: Mutex<LogState>,
    changed: Condvar,
}

#[derive(Default)]
struct LogState {
    lines: Vec<String>,
    is_closed: bool,
    /// Whether what comes is left in the pipe.
    is_paused: bool,
}

/// How often to ask for what no event tells.
pub const POLL: Duration = Duration::from_millis(10);

/// Lines of a log printed for a failed test.
const SHOWN_LINES: usize = 60;

/// Whether a program is there, which says so when it is asked for its version. If not, says so, or fails if the variable
/// `required` is set.
pub fn is_installed(program: &str, version: &str, required: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(version).stdout(Stdio::null()).stderr(Stdio::null());
    let found = command.status().is_ok_and(|status| status.success());
    if !found {
        assert!(std::env::var_os(required).is_none(), "{program} not found");
        eprintln!("SKIPPED: {program} not found");
    }
    found
}

impl Process {
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let log = Log::read(child.stderr.take().expect("it is piped"));
        Process {
            name: name.to_owned(),
            child,
            log,
        }
    }

    /// A process whose log nobody reads: its standard error is what `command` says, and if that is a pipe, it is kept open
    /// or not.
    pub fn spawn_silent(name: &str, command: &mut Command, keeps_pipe: bool) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        if !keeps_pipe {
            drop(child.stderr.take());
        }
        let log = Log::read(child.stdout.take().expect("it is piped"));
        Process {
            name: name.to_owned(),
            child,
            log,
        }
    }

    /// The first line that contains `text`, once it is there.
    pub fn wait_for_line(&self, text: &str, within: Duration) -> String {
        self.wait_for_one_of(&[text], within)
    }

    /// The first line that contains one of `texts`, once it is there.
    pub fn wait_for_one_of(&self, texts: &[&str], within: Duration) -> String {
        let is_meant = |line: &&String| texts.iter().any(|text| line.contains(text));
        self.log
            .wait(within, |state| state.lines.iter().find(is_meant).cloned())
            .unwrap_or_else(|| panic!("{} did not say one of {texts:?} within {within:?}", self.name))
    }

    /// Returns once `count` lines contain all of `texts`.
    pub fn wait_for_lines(&self, texts: &[&str], count: usize, within: Duration) {
        let is_meant = |line: &&String| texts.iter().all(|text| line.contains(text));
        self.log
            .wait(within, |state| {
                (state.lines.iter().filter(is_meant).count() >= count).then_some(())
            })
            .unwrap_or_else(|| panic!("{} did not say {texts:?} {count} times within {within:?}", self.name));
    }

    /// Whether a line contains all of `texts`, the newest first.
    pub fn has_line(&self, texts: &[&str]) -> bool {
        let state = self.log.state.lock().unwrap();
        let is_meant = |line: &String| texts.iter().all(|text| line.contains(text));
        state.lines.iter().rev().any(is_meant)
    }

    /// How it ended, once it has and all that it said is in its log. It must not leave its standard error to a child.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        let is_closed = self.log.wait(within, |state| state.is_closed.then_some(()));
        assert!(is_closed.is_some(), "{} did not end within {within:?}", self.name);
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "{} is silent and did not end within {within:?}",
                self.name
            );
            thread::sleep(POLL);
        }
    }

    /// Waits for its end and expects success.
    pub fn succeed(mut self, within: Duration) {
        let status = self.wait(within);
        assert!(status.success(), "{} ended with {status}", self.name);
    }

    /// Ends it without a chance to say goodbye.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Sends signals by their names, such as `TERM`, one right after the other.
    pub fn signal(&self, names: &[&str]) {
        let id = self.child.id();
        let kills: Vec<_> = names.iter().map(|name| format!("kill -{name} {id}")).collect();
        let status = Command::new("sh")
            .args(["-c", &kills.join(" && ")])
            .status()
            .expect("sh can be started");
        assert!(status.success(), "cannot send {names:?} to {}", self.name);
    }

    /// File descriptors that it has open, as Linux says.
    pub fn files(&self) -> usize {
        let folder = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        folder.expect("a child has a folder of its files").count()
    }

    /// Bytes of memory that it has in use, as Linux says.
    pub fn memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a child has a status");
        let kilobytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        kilobytes
            .and_then(|number| number.parse::<usize>().ok())
            .expect("a number of kB")
            << 10
    }

    /// CPU time that its threads have used, as Linux says.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("a child has its times");
        // The name, which may have spaces, ends with the last bracket.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: u64 = fields
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u64>().expect("a number"))
            .sum();
        Duration::from_millis(ticks * 1_000 / rustix::param::clock_ticks_per_second())
    }

    /// How often its threads have gone to sleep, as Linux says.
    pub fn wakeups(&self) -> u64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("a child has threads");
        let count = |path: std::path::PathBuf| {
            // One that has ended meanwhile is none.
            let status = fs::read_to_string(path.join("status")).unwrap_or_default();
            let count = status
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            count.map_or(0, |count| count.trim().parse().expect("a number"))
        };
        threads.flatten().map(|thread| count(thread.path())).sum()
    }

    /// Leaves what it says in the pipe, or takes it again.
    pub fn pause_log(&self, is_paused: bool) {
        self.log.update(|state| state.is_paused = is_paused);
    }

    pub fn log(&self) -> String {
        self.log.state.lock().unwrap().lines.join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fail if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let lines = self
                .log
                .state
                .lock()
                .map(|state| state.lines.clone())
                .unwrap_or_default();
            let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
            eprintln!("--- {} said:\n{}\n---", self.name, shown.join("\n"));
        }
    }
}

impl Log {
    /// The lines of `source`, as they come.
    fn read(source: impl Read + Send + 'static) -> Arc<Log> {
        let log = Arc::new(Log::default());
        thread::spawn({
            let log = log.clone();
            move || {
                let mut source = BufReader::new(source);
                let mut line = Vec::new();
                while source.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
                    let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                    log.update(|state| state.lines.push(text));
                    line.clear();
                    let state = log.state.lock().unwrap();
                    drop(log.changed.wait_while(state, |state| state.is_paused));
                }
                log.update(|state| state.is_closed = true);
            }
        });
        log
    }

    fn update(&self, change: impl FnOnce(&mut LogState)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    /// What `find` finds, as soon as it does.
    fn wait<T>(&self, within: Duration, mut find: impl FnMut(&LogState) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + within;
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(found) = find(&state) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }
}
