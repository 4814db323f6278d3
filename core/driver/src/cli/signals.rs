//! When to stop.

use crate::log;
use std::{io, process, thread};

/// Exit code after a second signal.
const EXIT_INTERRUPTED: i32 = 1;

/// Calls `stop` at the first signal that asks the process to stop; from then on, another one ends the process at once.
pub(super) fn on_stop(stop: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let mut signals = listen()?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if let Some(signal) = signals.next() {
            tracing::info!(signal, "stopping");
            stop();
        }
        if let Some(signal) = signals.next() {
            tracing::warn!(signal, "stopping at once");
            log::flush();
            process::exit(EXIT_INTERRUPTED);
        }
    })?;
    Ok(())
}

/// The names of the signals that come.
#[cfg(unix)]
fn listen() -> io::Result<impl Iterator<Item = &'static str> + Send> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::signal_name;

    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    if !is_ignored(SIGHUP) {
        signals.add_signal(SIGHUP)?;
    }
    Ok(std::iter::from_fn(move || signals.forever().find_map(signal_name)))
}

/// Whether whoever started the process lets it ignore `signal`, as `nohup` does. Only Linux tells.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(not(unix))]
fn listen() -> io::Result<impl Iterator<Item = &'static str> + Send> {
    let (sender, signals) = std::sync::mpsc::channel();
    // Fails once the process ends.
    ctrlc::set_handler(move || drop(sender.send("Ctrl-C"))).map_err(io::Error::other)?;
    Ok(signals.into_iter())
}
