//! What the system says of this process.

use headwater_core::server::ProcessFigures;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::fs;
use std::time::Duration;

/// Ticks of a second in which Linux counts processor time for programs, whatever the kernel counts in.
const TICKS: u64 = 100;

/// What there is to say, without waiting for anything. Three small files are read: some 50 microseconds.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn figures() -> ProcessFigures {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut figures = ProcessFigures::default();
    figures.cpu = cpu(&stat);
    figures.resident_bytes = bytes(&status, "VmRSS:");
    figures.virtual_bytes = bytes(&status, "VmSize:");
    figures.open_files = open_files();
    figures.max_files = rlimit::getrlimit(rlimit::Resource::NOFILE).map(|(soft, _)| soft).ok();
    figures
}

/// Elsewhere nothing is known.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn figures() -> ProcessFigures {
    ProcessFigures::default()
}

/// The 14th and 15th fields; the second is a name in brackets, in which there may be spaces. proc_pid_stat(5).
fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    let sum = ticks.next()?.ok()? + ticks.next()?.ok()?;
    Some(Duration::from_millis(sum * 1_000 / TICKS))
}

/// proc_pid_status(5).
fn bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1_024)
}

/// Since Linux 6.2 the size of the folder says how many there are. To count them would take as long as there are many.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn open_files() -> Option<u64> {
    let folder = "/proc/self/fd";
    match fs::metadata(folder).ok()?.len() {
        0 => u64::try_from(fs::read_dir(folder).ok()?.count()).ok(),
        count => Some(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_a_process_are_read_as_linux_writes_them() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 250 75 0 0 20 0 3 0 100 1000 200";
        assert_eq!(cpu(stat), Some(Duration::from_millis(3_250)));
        assert_eq!(cpu("42 (a) S 1"), None);
        let status = "Name:\tx\nVmSize:\t    2048 kB\nVmRSS:\t     16 kB\nThreads:\t3\n";
        assert_eq!(bytes(status, "VmRSS:"), Some(16_384));
        assert_eq!(bytes(status, "VmSwap:"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_figures() {
        let figures = figures();
        assert!(
            figures.resident_bytes.is_some_and(|bytes| bytes > 100_000),
            "{figures:?}"
        );
        assert!(figures.open_files.is_some_and(|files| files >= 3), "{figures:?}");
        assert!(figures.max_files >= figures.open_files, "{figures:?}");
        assert!(figures.cpu.is_some(), "{figures:?}");
    }
}
