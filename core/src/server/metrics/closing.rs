//! Why a connection is closed.

use core::fmt;

/// Why a connection is closed that has not failed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Closing {
    /// We were done with it.
    Closed,
    /// The peer had closed its side.
    ByPeer,
    /// Its socket failed.
    Reset,
    /// Its final reply did not leave in time.
    NotTaken,
    /// It was one too many.
    TooMany,
    /// It held the most when memory was short.
    OutOfMemory,
}

impl Closing {
    /// One word, for programs. It stays.
    pub(in crate::server) const fn label(self) -> &'static str {
        match self {
            Closing::Closed => "closed",
            Closing::ByPeer => "eof",
            Closing::Reset => "reset",
            Closing::NotTaken => "not_taken",
            Closing::TooMany => "refused",
            Closing::OutOfMemory => "out_of_memory",
        }
    }
}

impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Closing::Closed => "closed",
            Closing::ByPeer => "closed by peer",
            Closing::Reset => "connection reset",
            Closing::NotTaken => "did not take its final reply",
            Closing::TooMany => "too many connections",
            Closing::OutOfMemory => "the server is short of memory",
        })
    }
}
