//! What work costs in time.

use std::time::Duration;

/// The time that this thread has had on a processor: others that want it too cost nothing.
#[cfg(unix)]
pub(crate) fn time_worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}

/// As good as it gets elsewhere.
#[cfg(not(unix))]
pub(crate) fn time_worked() -> Duration {
    use std::time::Instant;
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    START.elapsed()
}
