//! The flight recorder: what a connection said before it failed, played again step by step.
//!
//! A server whose configuration says so ([`Config::record`](super::Config::record)) keeps the newest input of each
//! connection in memory, with its times. When one fails, that becomes a [`Recording`] for [`Server::poll_recording`]. Its
//! owner may write it to a file ([`Recording::to_bytes`]), and anybody play it ([`Recording::play`]): the peer's session
//! goes through the same steps once more, and prints them as a transcript.
//!
//! # What is recorded
//!
//! All that the session of one connection was told: the bytes that it took, the times, how much of its output had left, and
//! what the server answered and sent. A session depends on nothing else, so it does the same again, timeouts included, and
//! what the other connections did need not be known. A play begins at the accept or, for a connection that has said more
//! than is kept, at a state of the session: one is noted whenever nothing is under way and half of what may be kept is full.
//!
//! # What is in a file
//!
//! ```text
//! headwater recording 1\n         the version of this format
//! { ... }\n                       JSON: whose it is, why it ended, and the limits that held
//! { ... }\n                       JSON: the state of the session at the beginning; null: it had just been accepted
//! steps                           see below, up to the last eight bytes
//! checksum                        FNV-1a of all before it, 64 bits, little-endian
//! ```
//!
//! A step is a byte that says which, the microseconds since the step before, and what belongs to it. Numbers are LEB128.
//!
//! | | step | followed by |
//! |--|--|--|
//! | 0 | bytes came, and all were taken | their number, the bytes |
//! | 1 | bytes came, and others behind them that the session left for later | their number, the bytes |
//! | 2 | the peer closed its sending side | |
//! | 3 | a deadline had passed | |
//! | 4 | output has left | how many bytes |
//! | 5 | a frame was sent to a player | message stream, type ID, timestamp, kinds announced with it (0: none; 4, 1 for video, 2 for audio), bytes of the body, bytes of its beginning that are here, these |
//! | 6 | the server told the session something else | the length of a text, JSON |
//! | 7 | bytes wait behind a request, more than may | how many |
//!
//! The state has the names and the shape of this crate's own fields. So a file is played by the version that wrote it, and
//! another one may say that it cannot.
//!
//! **Secrets**: the input has what the peer sent, stream keys and `Authorization` fields included.
//! [`without_payload`](Recording::without_payload) leaves sound and pictures out, not those.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod play;
mod recorder;
mod step;
#[cfg(test)]
mod tests;

pub use play::{Ending, PlayError};
pub(super) use recorder::{RecordedSession, Recorder, Records};

use super::fnv::fnv_1a;
use super::{ConnectionId, Server};
use crate::Time;
use crate::http::HttpConfig;
use crate::rtmp::SessionConfig;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// How much is kept of each connection in case that it fails.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordConfig {
    /// How far back a recording reaches, at least half of it. 60 s: the longest timeout is 30 s, and what came before it
    /// counts.
    pub span: Duration,
    /// Bytes that are kept of a connection, which take up to twice that in memory. 512 KiB: a player's minute takes 100, of
    /// a publisher it is the last half second or more. A connection that has more under way at once than that is recorded
    /// again once it has finished it.
    pub max_bytes_per_connection: usize,
    /// Bytes that are kept of all connections of a worker. 64 MiB: a thousand players and a hundred publishers. Connections
    /// that find no room are not recorded until there is some.
    pub max_bytes: usize,
}

impl RecordConfig {
    /// The same, with less of all if recordings would take more than `bytes` in memory.
    #[must_use]
    pub fn within(self, bytes: usize) -> Self {
        if self.max_memory() <= bytes as u64 {
            return self;
        }
        // A quarter for what single connections add, as with the defaults.
        let max_bytes_per_connection = self.max_bytes_per_connection.min(bytes / 4 / COPIES);
        let single = COPIES.saturating_mul(max_bytes_per_connection);
        RecordConfig {
            max_bytes_per_connection,
            max_bytes: self.max_bytes.min(bytes.saturating_sub(single)),
            ..self
        }
    }

    /// The most that recordings take in memory, in bytes: what is kept, with the last connection that exceeds it, what waits
    /// to be taken, and a copy while one is made.
    #[must_use]
    pub const fn max_memory(&self) -> u64 {
        let single = (self.max_bytes_per_connection as u64).saturating_mul(COPIES as u64);
        single.saturating_add(self.max_bytes as u64)
    }
}

impl Default for RecordConfig {
    fn default() -> Self {
        RecordConfig {
            span: Duration::from_secs(60),
            max_bytes_per_connection: 512 << 10,
            max_bytes: 64 << 20,
        }
    }
}

/// Recordings that wait for [`Server::poll_recording`]. 16: they are taken after every turn.
const MAX_WAITING: usize = 16;

/// How often what is kept of one connection may be in memory beside all that is kept: each that waits, the one that exceeds the bound
/// and the copy that is being made. Each takes up to twice what may be kept.
const COPIES: usize = 2 * (MAX_WAITING + 2);

/// The first line of a file.
const MAGIC: &[u8] = b"headwater recording 1\n";

/// What a connection was told before it failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    head: Head,
    /// JSON.
    state: Option<Vec<u8>>,
    steps: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Head {
    /// The version of the crate that wrote it.
    version: Box<str>,
    conn: Box<str>,
    peer: Box<str>,
    protocol: Box<str>,
    reason: Box<str>,
    /// When the first step is counted from.
    began: Time,
    /// The seed of the session, if it begins at the accept.
    seed: u64,
    has_payload: bool,
    /// Requests in the second in which it begins.
    requests: crate::time::PerSecond,
    config: Sessions,
}

/// The configuration of the session, and so which one it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Sessions {
    Rtmp(Arc<SessionConfig>),
    Http(Arc<HttpConfig>),
}

/// The bytes are no recording, or not one that can be read here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The first line is another.
    #[error("not a recording of this format: the first line is not 'headwater recording 1'")]
    NoRecording,
    /// The checksum is another.
    #[error("the recording is cut off or was changed")]
    Broken,
    /// The head is not what this version writes.
    #[error("the recording was written by another version: {0}")]
    Version(Box<str>),
}

impl Recording {
    /// Where the peer came from.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.head.peer.parse().ok()
    }

    /// The number of its connection, as in the log.
    #[must_use]
    pub fn conn(&self) -> &str {
        &self.head.conn
    }

    /// Why it failed, in the words of the log.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.head.reason
    }

    /// The kind of failure: protocol and reason in lower case, `rtmp-stall-timeout`, without what a peer can vary. At most
    /// 64 bytes; letters and `-`.
    #[must_use]
    pub fn kind(&self) -> String {
        let words = self.head.reason.split_whitespace();
        // Words with a number or a quote say what the peer sent.
        let is_plain = |word: &&str| {
            word.bytes()
                .all(|byte| byte.is_ascii_alphabetic() || b"-:,;.".contains(&byte))
        };
        let mut kind = self.head.protocol.to_string();
        for word in words.filter(is_plain) {
            kind.push('-');
            kind.extend(
                word.chars()
                    .filter(char::is_ascii_alphabetic)
                    .map(|it| it.to_ascii_lowercase()),
            );
        }
        kind.truncate(64);
        kind
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len().saturating_add(self.state.as_ref().map_or(0, Vec::len))
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The file. The [page of this module](self) says what is in it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len().saturating_add(2 << 10));
        bytes.extend_from_slice(MAGIC);
        // Nothing in it can fail to be written.
        bytes.extend(serde_json::to_vec(&self.head).unwrap_or_default());
        bytes.push(b'\n');
        bytes.extend_from_slice(self.state.as_deref().unwrap_or(b"null"));
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.steps);
        bytes.extend(fnv_1a(&bytes).to_le_bytes());
        bytes
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ReadError`] if it is none, or not one of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ReadError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(ReadError::NoRecording)?;
        let (_, sum) = bytes.split_last_chunk().ok_or(ReadError::Broken)?;
        let (rest, _) = rest.split_last_chunk::<8>().ok_or(ReadError::Broken)?;
        if u64::from_le_bytes(*sum) != fnv_1a(bytes.get(..bytes.len().saturating_sub(8)).unwrap_or_default()) {
            return Err(ReadError::Broken);
        }
        let (head, rest) = line(rest).ok_or(ReadError::Broken)?;
        let (state, steps) = line(rest).ok_or(ReadError::Broken)?;
        let head = serde_json::from_slice(head).map_err(|error| ReadError::Version(error.to_string().into()))?;
        Ok(Recording {
            head,
            state: (state != b"null").then(|| state.to_vec()),
            steps: steps.to_vec(),
        })
    }
}

/// The first line of `bytes`, and what follows.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((bytes.get(..end)?, bytes.get(end.saturating_add(1)..)?))
}

impl Server {
    /// The next recording of a connection that has failed, if [`Config::record`](super::Config::record) says that they are
    /// made. Take them after each turn: no more than 16 wait.
    pub fn poll_recording(&mut self) -> Option<Recording> {
        self.recordings.pop_front()
    }

    /// What is recorded of the connection up to now. `None` if nothing is.
    #[must_use]
    pub fn recording(&self, id: ConnectionId, reason: &str) -> Option<Recording> {
        let connection = self.connections.get(id)?;
        let recorder = connection.protocol.recorder()?;
        recorder.recording(&connection.peer(id), reason)
    }

    /// A connection fails: what is recorded of it is to be taken.
    pub(super) fn keep_recording(&mut self, id: ConnectionId, reason: &dyn core::fmt::Display) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let peer = connection.peer(id);
        let Some(recorder) = connection.protocol.take_recorder() else {
            return;
        };
        if self.recordings.len() >= MAX_WAITING {
            return;
        }
        self.recordings.extend(recorder.recording(&peer, &reason.to_string()));
    }
}
