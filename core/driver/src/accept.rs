//! What a listener does when it cannot accept.

use crate::sockets;
use headwater_core::Time;
use headwater_core::server::Listener;
use std::io::{self, ErrorKind};
use std::time::Duration;
use tracing::warn;

/// Pause after an accept that failed for want of file descriptors or memory: only a connection that closes can help,
/// and the listener stays readable meanwhile. 50 ms: too short for a viewer to notice, long enough not to spin.
const PAUSE: Duration = Duration::from_millis(50);
/// Time between two log lines about failing accepts. 1 s: the first says it all.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// The errors of one listener. None ends it: most mean that one peer was too quick to leave, and a lack of file descriptors
/// or memory passes.
#[derive(Debug, Default)]
pub struct AcceptErrors {
    logged: Option<Time>,
}

impl AcceptErrors {
    /// How long to wait before the next attempt after `error`; `None` to go on at once. Tells the log, once a second.
    pub fn pause_after(&mut self, now: Time, error: &io::Error, listener: Listener) -> Option<Duration> {
        if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) {
            return None;
        }
        if self.logged.is_none_or(|at| now.since(at) >= LOG_INTERVAL) {
            self.logged = Some(now);
            warn!(%error, ?listener, files = sockets::file_limit(), "cannot accept");
        }
        Some(PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_has_left_costs_no_pause() {
        let mut errors = AcceptErrors::default();
        let gone = io::Error::from(ErrorKind::ConnectionAborted);
        assert_eq!(errors.pause_after(Time::ZERO, &gone, Listener::Rtmp), None);
        let full = io::Error::other("too many open files");
        assert_eq!(errors.pause_after(Time::ZERO, &full, Listener::Rtmp), Some(PAUSE));
    }
}
