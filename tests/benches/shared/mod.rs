//! What several benchmarks and tests need: the stream that is published, peers of all kinds, and processes and what they
//! cost.
#![allow(dead_code, reason = "each benchmark uses a part of this")]

pub(crate) mod checker;
pub(crate) mod conversation;
pub(crate) mod hostile;
pub(crate) mod journal;
pub(crate) mod media;
pub(crate) mod options;
pub(crate) mod player;
pub(crate) mod process;
pub(crate) mod publisher;
pub(crate) mod server;
pub(crate) mod verdict;
pub(crate) mod web_socket;
pub(crate) mod wire;

/// Runs `future` and the tasks that it spawns, in this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(tokio::task::LocalSet::new().block_on(&runtime, future))
}
