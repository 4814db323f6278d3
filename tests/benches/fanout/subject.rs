//! What is measured: our server, the bare loop, nginx-rtmp.

use crate::nginx;
use crate::options::{Load, Options};
use crate::process::{Process, shell};
use std::env;
use std::io::{Error, Result};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// See [`floor`](crate::floor).
    Floor,
    Nginx,
    Headwater {
        runtime: &'static str,
        merge: u64,
        /// Whether it is the binary that ours is measured beside.
        is_other: bool,
    },
}

/// A subject that runs, and where it listens.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) command: String,
    rtmp: Option<SocketAddr>,
    http: Option<SocketAddr>,
    pub(crate) admin: Option<SocketAddr>,
    floor: Option<SocketAddr>,
    _nginx: Option<nginx::Folder>,
}

impl Subject {
    /// Why it cannot be measured here, if so.
    pub(crate) fn absence(self) -> Option<String> {
        match self {
            Subject::Nginx => nginx::absence(),
            Subject::Floor | Subject::Headwater { .. } => None,
        }
    }

    /// Builds it, where that is ours to do.
    pub(crate) fn build(self) -> Result<()> {
        match self {
            Subject::Headwater {
                runtime,
                is_other: false,
                ..
            } => build(runtime),
            Subject::Headwater { .. } | Subject::Floor | Subject::Nginx => Ok(()),
        }
    }

    /// Its line in the table, where players speak `proto`.
    pub(crate) fn label(self, proto: &str) -> String {
        match self {
            Subject::Floor => "bare loop".to_owned(),
            Subject::Nginx => format!("nginx-rtmp {proto}"),
            Subject::Headwater {
                runtime,
                merge,
                is_other,
            } => {
                let which = if is_other { "other " } else { "" };
                let merge = if merge == 0 {
                    String::new()
                } else {
                    format!(" {merge} ms")
                };
                format!("{which}{runtime} {proto}{merge}")
            }
        }
    }

    /// Starts it, and returns once it listens.
    pub(crate) fn start(self, options: &Options, cpus: &[usize]) -> Result<Running> {
        match self {
            Subject::Floor => {
                let mut command = Command::new(env::current_exe()?);
                command.arg("floor");
                let mut process = Process::spawn(&command, cpus, Stdio::piped(), Stdio::inherit())?;
                let address = process.lines().next().and_then(|line| line.parse().ok());
                Ok(Running {
                    process,
                    command: shell(&command),
                    rtmp: None,
                    http: None,
                    admin: None,
                    floor: Some(address.ok_or_else(|| Error::other("the bare loop did not start"))?),
                    _nginx: None,
                })
            }
            Subject::Nginx => {
                let (folder, command, address) = nginx::prepare()?;
                let mut process = Process::spawn(&command, cpus, Stdio::null(), Stdio::inherit())?;
                nginx::wait(&mut process, address)?;
                Ok(Running {
                    process,
                    command: shell(&command),
                    rtmp: Some(address),
                    http: None,
                    admin: None,
                    floor: None,
                    _nginx: Some(folder),
                })
            }
            Subject::Headwater {
                runtime,
                merge,
                is_other,
            } => {
                let ours = binary(runtime);
                let other = options.beside.as_ref().filter(|_| is_other);
                let binary = other.map_or_else(
                    || ours.clone(),
                    |folder| folder.join(ours.file_name().unwrap_or_default()),
                );
                let mut command = Command::new(binary);
                command.args([
                    "--address",
                    "127.0.0.1:0",
                    "--http-address",
                    "127.0.0.1:0",
                    "--admin-address",
                    if options.scrape { "127.0.0.1:0" } else { "none" },
                ]);
                command.args(["--workers", &options.workers.to_string()]);
                command.args(["--merge", &merge.to_string(), "--log-level", "info"]);
                start_headwater(&command, cpus)
            }
        }
    }
}

impl Running {
    /// Puts into `load` which server it is about.
    pub(crate) fn introduce(&self, load: &mut Load) {
        load.server = self.process.id();
        (load.rtmp, load.http, load.floor) = (self.rtmp, self.http, self.floor);
    }
}

fn start_headwater(command: &Command, cpus: &[usize]) -> Result<Running> {
    let mut process = Process::spawn(command, cpus, Stdio::null(), Stdio::piped())?;
    let mut lines = process.error_lines();
    let listening = lines
        .find(|line| line.contains("listening"))
        .ok_or_else(|| Error::other("the server did not start"))?;
    let address = |label: &str| {
        let mut words = listening.split_whitespace();
        words.find_map(|word| word.strip_prefix(label)?.parse().ok())
    };
    let (rtmp, http) = (address("rtmp="), address("http="));
    // Its log must be read, or it would wait for us.
    std::thread::spawn(move || lines.for_each(drop));
    Ok(Running {
        process,
        command: shell(command),
        rtmp,
        http,
        admin: address("admin="),
        floor: None,
        _nginx: None,
    })
}

/// The release binary of a runtime.
fn binary(runtime: &str) -> PathBuf {
    Path::new(OURS).with_file_name(format!("headwater-{runtime}"))
}

/// The binary that comes with this benchmark. The others are built next to it.
const OURS: &str = env!("CARGO_BIN_EXE_headwater-tokio");

/// Builds the release binary of a runtime.
fn build(runtime: &str) -> Result<()> {
    let binary = binary(runtime);
    let name = binary.file_name().unwrap_or_default();
    if binary == Path::new(OURS) {
        return Ok(());
    }
    let status = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["build", "--release", "--features", runtime, "--bin"])
        .arg(name)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()?;
    if !status.success() {
        return Err(Error::other(format!("cannot build {}", name.display())));
    }
    Ok(())
}
