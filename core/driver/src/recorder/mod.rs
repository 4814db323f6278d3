//! From the workers to files: recordings of connections that have failed.
//!
//! A worker puts a recording into a queue and goes on; a thread of its own takes them out and writes those that are worth it.
//! A disk that is slow, full or gone costs recordings and nothing else.

mod folder;
mod queue;

pub(crate) use queue::{Queue, most_waiting};

use folder::Folder;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tracing::warn;

/// Where recordings of connections that have failed are written to, and how many.
///
/// A file has what the peer sent: stream keys, tokens and `Authorization` fields, too. It can be read by its owner only.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordTo {
    /// A folder, which has to be there.
    pub dir: PathBuf,
    /// Whether the bytes of sound and pictures are left out, but for the first 16 of each message. No: they take part in what
    /// fails.
    pub without_payload: bool,
    /// Files in the folder, those of earlier runs included. 256: some of each kind of failure. One more takes the place of the
    /// oldest of the kind that has the most, so that a flood of one kind leaves the others alone.
    pub max_files: usize,
    /// Bytes of them. 64 MiB: each has up to 1 MiB.
    pub max_bytes: u64,
}

impl RecordTo {
    /// The folder `dir`, with the defaults for the rest.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        RecordTo {
            dir: dir.into(),
            without_payload: false,
            max_files: 256,
            max_bytes: 64 << 20,
        }
    }
}

/// How long the end of the server may wait for the last recordings. 1 s: a disk that works has written them by then.
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);

/// The folder, and what waits to be written there.
#[derive(Debug)]
pub(crate) struct Recorder {
    folder: Folder,
    queue: Arc<Queue>,
}

impl Recorder {
    /// A recorder that writes nothing yet, and keeps up to `waiting` bytes that are to be written.
    ///
    /// # Errors
    /// If files cannot be made in the folder. The text says which, and why.
    pub(crate) fn new(to: RecordTo, waiting: usize) -> io::Result<Self> {
        let dir = to.dir.clone();
        let folder = Folder::open(to).map_err(|error| {
            let text = format!("cannot record in {}: {error}", dir.display());
            io::Error::new(error.kind(), text)
        })?;
        Ok(Recorder {
            folder,
            queue: Arc::new(Queue::new(waiting)),
        })
    }

    pub(crate) fn queue(&self) -> Arc<Queue> {
        self.queue.clone()
    }

    /// Writes what comes into the queue, in a thread of its own, until the queue is [finished](finish).
    pub(crate) fn start(self) {
        let Recorder { mut folder, queue } = self;
        let write = move || {
            while let Some((recording, lost)) = queue.take() {
                folder.take(Instant::now(), &recording, lost);
            }
        };
        if let Err(error) = thread::Builder::new().name("recorder".to_owned()).spawn(write) {
            warn!(%error, "nothing is recorded: there is no thread for it");
        }
    }
}

/// Lets the last recordings be written, as far as that does not take long.
pub(crate) fn finish(queue: &Queue) {
    queue.finish(FINISH_TIMEOUT);
}

#[cfg(test)]
mod tests;
