//! The way of log lines from the workers to standard error: a queue that nobody waits for, and one thread that writes.
//!
//! A reader of standard error that stands still, has gone, or is a full disk costs lines and nothing else: workers go on,
//! what was left out is counted, and said once lines can be written again.

use std::io::{self, Write};
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The lines of the process: it has one standard error.
pub static LINES: Queue = Queue::new();

/// How long the end of the process may wait for the last lines. 1 s: a reader that lives takes them at once.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Waits until the log is written, if it can be. To be called before the process ends.
pub fn flush() {
    LINES.flush(FLUSH_TIMEOUT);
}

/// Bytes of lines that wait to be written. 1 MiB: some thousand lines, for a reader that pauses; beyond that a line more
/// says little.
const MAX_WAITING: usize = 1 << 20;

/// Lines that have not been written yet. Putting one in takes as long as copying it, whatever becomes of the reader.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    /// There is something to write, or it has been written.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// Whether lines are being written, or the attempt hangs.
    is_writing: bool,
    /// Lines left out since the last time that it was said.
    lost: u64,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub const fn new() -> Self {
        Queue {
            state: Mutex::new(State {
                waiting: Vec::new(),
                is_writing: false,
                lost: 0,
            }),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic with the lock held could only leave half a line.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line in, or counts it as lost if there is no room.
    pub fn push(&self, line: &[u8]) {
        let mut state = self.state();
        if state.waiting.len() + line.len() > MAX_WAITING {
            state.lost += 1;
            return;
        }
        state.waiting.extend_from_slice(line);
        drop(state);
        self.changed.notify_all();
    }

    /// Writes to `output` what comes, forever. `notice` makes the line that says how many lines were left out.
    pub fn write_to(&self, mut output: impl Write, notice: impl Fn(u64) -> Vec<u8>) -> ! {
        let mut lines = Vec::new();
        loop {
            self.take(&mut lines);
            let written = output.write_all(&lines).and_then(|()| output.flush());
            let lost = self.note(written.is_ok(), &lines);
            lines.clear();
            // It takes lines again: what it missed comes first, before those that came in meanwhile.
            if lost > 0 && output.write_all(&notice(lost)).is_err() {
                self.state().lost += lost;
            }
        }
    }

    /// Waits for lines and swaps them for the empty `lines`.
    fn take(&self, lines: &mut Vec<u8>) {
        let mut state = self.state();
        state.is_writing = false;
        self.changed.notify_all();
        let mut state = self
            .changed
            .wait_while(state, |state| state.waiting.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        state.is_writing = true;
        mem::swap(&mut state.waiting, lines);
    }

    /// Lines were written, or not. Returns how many have been lost if that is to be said now.
    fn note(&self, is_written: bool, lines: &[u8]) -> u64 {
        let mut state = self.state();
        if is_written {
            return mem::take(&mut state.lost);
        }
        // Some of them may have got through; which ones, nobody says.
        state.lost += u64::try_from(lines.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(u64::MAX);
        0
    }

    /// Waits until all lines are written, but no longer than `timeout`.
    pub fn flush(&self, timeout: Duration) {
        let is_busy = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        // Whether in time or not: there is nobody to tell.
        drop(self.changed.wait_timeout_while(self.state(), timeout, is_busy));
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self::new()
    }
}

/// What the log writes its lines to, one line a call.
impl Write for &Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;

    /// Only a failing test waits so long.
    const DEADLINE: Duration = Duration::from_secs(20);

    /// Hands out what it is to write, then does with it what it is told.
    struct Output {
        offered: Sender<Vec<u8>>,
        results: Receiver<io::Result<()>>,
    }

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            drop(self.offered.send(bytes.to_vec()));
            self.results.recv().unwrap_or(Ok(()))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Log {
        queue: Arc<Queue>,
        offered: Receiver<Vec<u8>>,
        results: Sender<io::Result<()>>,
    }

    fn start() -> Log {
        let queue = Arc::new(Queue::new());
        let (results, wanted) = channel();
        let (sender, offered) = channel();
        let output = Output {
            offered: sender,
            results: wanted,
        };
        let writer = queue.clone();
        thread::spawn(move || writer.write_to(output, |lost| format!("lost {lost}\n").into_bytes()));
        Log {
            queue,
            offered,
            results,
        }
    }

    impl Log {
        /// What the writer writes next, or tries to.
        fn read(&self) -> String {
            String::from_utf8(self.offered.recv_timeout(DEADLINE).unwrap()).unwrap()
        }
    }

    #[test]
    fn lines_come_out_in_order() {
        let log = start();
        for _ in 0..2 {
            log.results.send(Ok(())).unwrap();
            log.queue.push(b"one\n");
            assert_eq!(log.read(), "one\n");
        }
        log.queue.flush(DEADLINE);
    }

    #[test]
    fn a_reader_that_stands_still_costs_lines_and_is_told_how_many() {
        let log = start();
        log.queue.push(b"first\n");
        assert_eq!(log.read(), "first\n");
        // The reader takes no more, so four of these wait.
        for _ in 0..6 {
            log.queue.push(&vec![b'x'; MAX_WAITING / 4]);
        }
        log.queue.flush(Duration::from_millis(1));
        drop(log.results);
        assert_eq!(log.offered.recv_timeout(DEADLINE).unwrap(), b"lost 2\n");
        assert_eq!(log.offered.recv_timeout(DEADLINE).unwrap().len(), MAX_WAITING);
    }

    #[test]
    fn a_full_disk_is_told_once_there_is_room() {
        let log = start();
        log.results.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
        log.queue.push(b"one\ntwo\n");
        assert_eq!(log.read(), "one\ntwo\n");
        log.queue.flush(DEADLINE);
        for _ in 0..3 {
            log.results.send(Ok(())).unwrap();
        }
        log.queue.push(b"three\n");
        assert_eq!(log.read(), "three\n");
        assert_eq!(log.read(), "lost 2\n");
        log.queue.push(b"four\n");
        assert_eq!(log.read(), "four\n");
    }
}
