//! A server under load: what it says, what it costs, how it ends.

use super::journal::Journal;
use super::media;
use super::process::{self, Memory, Process, ProcessorTime};
use std::io::{Error, Result};
use std::net::SocketAddr;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// A running server.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    process: Process,
    pub(crate) rtmp: SocketAddr,
    pub(crate) http: SocketAddr,
    journal: Arc<Mutex<Journal>>,
    /// Whether its log has ended.
    has_ended: watch::Receiver<bool>,
}

/// How a server is doing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    /// By [`media::now`].
    pub(crate) at: Duration,
    /// Resident memory in KiB.
    pub(crate) memory: f64,
    pub(crate) files: usize,
    pub(crate) threads: usize,
    /// Processor time so far, in seconds.
    pub(crate) processor: f64,
}

/// Between two looks at what no event tells.
const POLL: Duration = Duration::from_millis(50);
/// What has stood still for so long has settled.
const STANDS_STILL: Duration = Duration::from_millis(500);

impl Server {
    /// Starts it by `spawn` with the flags of `command`, on free ports of `address`.
    pub(crate) fn start(
        name: &'static str,
        command: &mut Command,
        address: &str,
        spawn: impl FnOnce(&mut Command) -> Result<Process>,
    ) -> Result<Self> {
        let address = format!("{address}:0");
        command
            .args([
                "--address",
                &address,
                "--http-address",
                &address,
                "--admin-address",
                "none",
            ])
            .args(["--log-level", "info"]);
        let mut process = spawn(command.env_remove("RUST_LOG"))?;
        let mut lines = process.error_lines();
        let listening = lines
            .find(|line| line.contains("listening"))
            .ok_or_else(|| Error::other("the server did not start"))?;
        let address = |label: &str| {
            let mut words = listening.split_whitespace();
            let address = words.find_map(|word| word.strip_prefix(label)?.parse().ok());
            address.ok_or_else(|| Error::other(format!("no {label} in {listening:?}")))
        };
        let (rtmp, http) = (address("rtmp=")?, address("http=")?);
        let journal = Arc::new(Mutex::new(Journal::default()));
        let (end, has_ended) = watch::channel(false);
        thread::spawn({
            let journal = journal.clone();
            move || {
                lines.for_each(|line| lock(&journal).take(&line));
                // Nobody may be left to hear it.
                let _ = end.send(true);
            }
        });
        Ok(Server {
            name,
            process,
            rtmp,
            http,
            journal,
            has_ended,
        })
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        lock(&self.journal)
    }

    pub(crate) fn sample(&self) -> Result<Sample> {
        let pid = self.process.id();
        let time = ProcessorTime::of(pid)?;
        Ok(Sample {
            at: media::now(),
            memory: Memory::of(pid)?.resident,
            files: process::files(pid)?,
            threads: process::threads(pid)?,
            processor: time.user + time.system,
        })
    }

    /// How it is before anybody has come. It says that it listens while its workers still start: their descriptors and
    /// threads are all there once their numbers stand still.
    pub(crate) async fn settled(&self) -> Result<Sample> {
        let mut sample = self.sample()?;
        let mut still = Instant::now();
        while still.elapsed() < STANDS_STILL {
            sleep(POLL).await;
            let next = self.sample()?;
            if (next.files, next.threads) != (sample.files, sample.threads) {
                still = Instant::now();
            }
            sample = next;
        }
        Ok(sample)
    }

    /// Returns once it has no more than `files` descriptors open; how many it has if that does not come within a time.
    pub(crate) async fn wait_for_files(&self, files: usize, within: Duration) -> Result<usize> {
        let until = Instant::now() + within;
        loop {
            let open = self.sample()?.files;
            if open <= files || Instant::now() >= until {
                return Ok(open);
            }
            sleep(POLL).await;
        }
    }

    /// Asks it to end by SIGTERM, and returns how it did.
    pub(crate) async fn stop(&mut self, within: Duration) -> Result<ExitStatus> {
        self.process.terminate()?;
        let late = || Error::other(format!("{} did not end within {within:?}", self.name));
        let until = Instant::now() + within;
        let ended = timeout(within, self.has_ended.wait_for(|has_ended| *has_ended)).await;
        ended.map_err(|_| late())?.map_err(Error::other)?;
        loop {
            if let Some(status) = self.process.status()? {
                return Ok(status);
            }
            if Instant::now() >= until {
                return Err(late());
            }
            sleep(POLL).await;
        }
    }
}

fn lock(journal: &Mutex<Journal>) -> MutexGuard<'_, Journal> {
    journal.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
