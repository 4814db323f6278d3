//! When to stop.

use std::io;

/// Calls `stop` at the first signal that asks the process to stop; from then on, another one ends the process at once.
#[cfg(unix)]
pub(crate) fn on_stop(stop: impl FnOnce() + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::signal_name;

    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut signals = signals.forever().filter_map(signal_name);
        if let Some(signal) = signals.next() {
            tracing::info!(signal, "stopping");
            stop();
        }
        if let Some(signal) = signals.next() {
            headwater_driver::exit_at_once(signal);
        }
    })?;
    Ok(())
}

/// Elsewhere the system ends the process.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as where there are signals")]
pub(crate) fn on_stop(_: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Ok(())
}
