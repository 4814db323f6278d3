//! What every process says of itself, by the names that all monitoring systems know.

use super::exposition::{Exposition, Kind};
use core::time::Duration;

/// What the system says of the process. `None` where it does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProcessFigures {
    /// Processor time, of all threads.
    pub cpu: Option<Duration>,
    /// Bytes of memory that are resident.
    pub resident_bytes: Option<u64>,
    /// Bytes of memory that are mapped.
    pub virtual_bytes: Option<u64>,
    /// Descriptors that are open.
    pub open_files: Option<u64>,
    /// How many may be.
    pub max_files: Option<u64>,
}

impl ProcessFigures {
    /// `began`: since 1970.
    pub(super) fn write(&self, to: &mut Exposition, began: Duration) {
        if let Some(cpu) = self.cpu {
            let help = "Total user and system CPU time spent in seconds.";
            to.single("process_cpu_seconds_total", Kind::Counter, help, cpu.as_secs_f64());
        }
        let gauges = [
            (
                "process_resident_memory_bytes",
                "Resident memory size in bytes.",
                self.resident_bytes,
            ),
            (
                "process_virtual_memory_bytes",
                "Virtual memory size in bytes.",
                self.virtual_bytes,
            ),
            ("process_open_fds", "Number of open file descriptors.", self.open_files),
            (
                "process_max_fds",
                "Maximum number of open file descriptors.",
                self.max_files,
            ),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                to.single(name, Kind::Gauge, help, value);
            }
        }
        let help = "Start time of the process since unix epoch in seconds.";
        to.single("process_start_time_seconds", Kind::Gauge, help, began.as_secs_f64());
    }
}
