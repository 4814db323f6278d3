//! How far a long run is, on standard error.

use crate::media;
use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

/// A line that is written again and again on a terminal; elsewhere a line now and then.
pub(crate) struct Progress {
    phase: &'static str,
    began: Duration,
    next: Duration,
    interval: Duration,
    is_terminal: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let is_terminal = stderr().is_terminal();
        let interval = Duration::from_secs(if is_terminal { 1 } else { 5 });
        Progress {
            phase: "",
            began: media::now(),
            next: media::now() + interval,
            interval,
            is_terminal,
        }
    }

    /// Something else begins.
    pub(crate) fn say(&mut self, phase: &'static str) {
        self.phase = phase;
    }

    pub(crate) fn is_due(&self) -> bool {
        media::now() >= self.next
    }

    pub(crate) fn update(&mut self, details: &str) {
        self.next = media::now() + self.interval;
        let seconds = (media::now() - self.began).as_secs();
        let (before, after) = if self.is_terminal { ("\r\x1b[K", "") } else { ("", "\n") };
        // Nobody minds if nobody reads it.
        let _ = write!(stderr(), "{before}  {seconds:>3} s: {}, {details}{after}", self.phase);
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        if self.is_terminal {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
