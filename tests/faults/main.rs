//! What the world does to a server, with each binary, with one worker and with two: no descriptors, resets in every state, a
//! full accept queue, signals in every state, a log that nobody reads; and that a server to which nothing is done sleeps.
//!
//! Everywhere a good stream goes on beside it, and nothing is left of the others.
#![cfg(all(target_os = "linux", any(feature = "mio", feature = "smol", feature = "tokio")))]
#![allow(unreachable_pub, reason = "nothing in a test can be reached from elsewhere")]

mod backlog;
mod files;
#[path = "../../core/tests/script/frames.rs"]
mod frames;
mod good;
mod idle;
mod log;
mod peers;
mod resets;
mod signals;
#[path = "../support/mod.rs"]
mod support;

use std::thread;
use support::server::Runtime;

const BINARIES: &[&str] = &[
    #[cfg(feature = "mio")]
    env!("CARGO_BIN_EXE_headwater-mio"),
    #[cfg(feature = "smol")]
    env!("CARGO_BIN_EXE_headwater-smol"),
    #[cfg(feature = "tokio")]
    env!("CARGO_BIN_EXE_headwater-tokio"),
];

/// Runs `case` on every binary with so many workers, all at once: most of it is waiting.
fn on_every_runtime(workers: &[u16], case: impl Fn(Runtime) + Sync) {
    let case = &case;
    thread::scope(|scope| {
        for binary in BINARIES {
            for &workers in workers {
                let runtime = Runtime { binary, workers };
                let name = format!("{}, {workers} workers", binary.rsplit('/').next().unwrap_or(binary));
                let builder = thread::Builder::new().name(name);
                builder.spawn_scoped(scope, move || case(runtime)).unwrap();
            }
        }
    });
}
