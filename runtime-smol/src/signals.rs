//! When to stop.

use async_io::block_on;
use async_signal::{Signal, Signals};
use smol::future;
use smol::stream::StreamExt;
use std::future::Future;
use std::io;
use std::thread;
use tracing::info;

/// Listens for the signals that ask a process to stop. The future completes at the first one; from then on, another
/// one ends the process at once.
pub(crate) fn stop() -> io::Result<impl Future<Output = ()>> {
    let mut signals = Signals::new(STOP)?;
    Ok(async move {
        let signal = next(&mut signals).await;
        info!(signal, "stopping");
        thread::spawn(move || {
            let signal = block_on(next(&mut signals));
            headwater_driver::exit_at_once(signal);
        });
    })
}

/// On Windows the first is Ctrl-C, and there is no other.
#[cfg(unix)]
const STOP: &[Signal] = &[Signal::Int, Signal::Term, Signal::Hup];
#[cfg(not(unix))]
const STOP: &[Signal] = &[Signal::Int];

async fn next(signals: &mut Signals) -> &'static str {
    match signals.next().await {
        Some(Ok(Signal::Term)) => "SIGTERM",
        Some(Ok(Signal::Hup)) => "SIGHUP",
        Some(Ok(_)) => "SIGINT",
        Some(Err(_)) | None => future::pending().await,
    }
}
