//! Child processes on a core of their own, and what they cost.

use clap::Args;
use rustix::param::clock_ticks_per_second;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getrlimit, kill_process, set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::{env, fs};

/// A child process; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts `command` on `cpus`. It ends with us, however we end.
    pub(crate) fn spawn(command: &Command, cpus: &[usize], stdout: Stdio, stderr: Stdio) -> io::Result<Process> {
        let list: Vec<_> = cpus.iter().map(ToString::to_string).collect();
        let child = Command::new(env::current_exe()?)
            .args(["launch", "--cpus", &list.join(","), "--"])
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()?;
        Ok(Process { child })
    }

    /// Starts `command` on all of our cores, with its standard error as a pipe. It ends with us, however we end.
    pub(crate) fn spawn_server(command: &mut Command) -> io::Result<Process> {
        Process::spawn(command, &allowed_cpus()?, Stdio::null(), Stdio::piped())
    }

    /// The same, from a program that has no [`launch`] role. If we are killed, it stays.
    pub(crate) fn spawn_plainly(command: &mut Command) -> io::Result<Process> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let child = command.spawn()?;
        Ok(Process { child })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The lines that it prints on standard output, if that was piped.
    pub(crate) fn lines(&mut self) -> impl Iterator<Item = String> {
        let stdout = self.child.stdout.take().expect("it is piped");
        BufReader::new(stdout).lines().map_while(Result::ok)
    }

    /// The lines that it prints on standard output, if that was piped, for another thread.
    pub(crate) fn output_lines(&mut self) -> impl Iterator<Item = String> + use<> {
        let stdout = self.child.stdout.take().expect("it is piped");
        BufReader::new(stdout).lines().map_while(Result::ok)
    }

    /// The lines that it prints on standard error, if that was piped.
    pub(crate) fn error_lines(&mut self) -> impl Iterator<Item = String> + use<> {
        let stderr = self.child.stderr.take().expect("it is piped");
        BufReader::new(stderr).lines().map_while(Result::ok)
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// How it ended, if it has.
    pub(crate) fn status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        let id = id.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(kill_process(id, Signal::TERM)?)
    }

    pub(crate) fn succeeded(&mut self) -> bool {
        self.child.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Becomes another program on some of the cores.
#[derive(Debug, Args)]
pub(crate) struct Launch {
    #[arg(long, value_delimiter = ',')]
    pub(crate) cpus: Vec<usize>,
    #[arg(last = true)]
    pub(crate) command: Vec<String>,
}

/// The role between us and a child: sets what a process can only set for itself, and becomes the child. Returns only if
/// that fails.
pub(crate) fn launch(launch: &Launch) -> io::Error {
    let mut cpus = CpuSet::new();
    launch.cpus.iter().for_each(|cpu| cpus.set(*cpu));
    if let Err(error) =
        sched_setaffinity(None, &cpus).and_then(|()| set_parent_process_death_signal(Some(Signal::KILL)))
    {
        return error.into();
    }
    match launch.command.split_first() {
        Some((program, arguments)) => Command::new(program).args(arguments).exec(),
        None => io::ErrorKind::InvalidInput.into(),
    }
}

/// The cores that we may use.
pub(crate) fn allowed_cpus() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect())
}

/// Gives way to other processes.
pub(crate) fn give_way(niceness: i32) -> io::Result<()> {
    Ok(rustix::process::nice(niceness).map(drop)?)
}

/// Lets us and our children open as many sockets as we may.
pub(crate) fn raise_file_limit() -> io::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// Processor time that a process has used, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ProcessorTime {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl ProcessorTime {
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The second field, the name, may hold anything; it ends with the last parenthesis.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let mut fields = fields.split_whitespace().skip(11).map(str::parse::<f64>);
        let mut seconds = || match fields.next() {
            Some(Ok(ticks)) => Ok(ticks / clock_ticks_per_second() as f64),
            _ => Err(io::Error::from(io::ErrorKind::InvalidData)),
        };
        Ok(ProcessorTime {
            user: seconds()?,
            system: seconds()?,
        })
    }
}

/// Memory of a process in KiB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    pub(crate) resident: f64,
    pub(crate) peak: f64,
}

impl Memory {
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
                .ok_or(io::Error::from(io::ErrorKind::InvalidData))
        };
        Ok(Memory {
            resident: field("VmRSS:")?,
            peak: field("VmHWM:")?,
        })
    }
}

/// File descriptors that a process has open.
pub(crate) fn files(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// Threads of a process.
pub(crate) fn threads(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/task"))?.count())
}

/// A command line that can be pasted into a shell.
pub(crate) fn shell(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Whether a process is there, for those that are not our children.
pub(crate) fn is_alive(pid: u32) -> bool {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}
