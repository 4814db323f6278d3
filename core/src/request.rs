//! Requests that wait for an answer of the application, whichever protocol they came by.

/// Names a request until it is answered. Never reused on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestId(u32);

impl RequestId {
    /// Stands before the first request of a connection.
    pub(crate) const NONE: RequestId = RequestId(0);

    /// How many there have been, itself included.
    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    /// The one after it. It would take a connection 4,294,967,295 requests to see one again.
    pub(crate) const fn next(self) -> RequestId {
        RequestId(self.0.wrapping_add(1))
    }
}

/// The caller asked at a wrong moment; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// No such request waits for an answer: it was answered, or ended before it was.
    #[error("no such request waits for an answer")]
    StaleRequest,
    /// Nothing is being played there.
    #[error("nothing is being played")]
    NotPlaying,
    /// Nothing is being published there.
    #[error("nothing is being published")]
    NotPublishing,
    /// Too much output waits.
    #[error("{waiting} bytes of output exceed the limit of {max} bytes")]
    OutputFull {
        /// Bytes waiting.
        waiting: usize,
        /// The most allowed.
        max: usize,
    },
    /// A payload longer than the 16,777,215 bytes that a message can have.
    #[error("frame of {len} bytes is too large for a message")]
    FrameTooLarge {
        /// Its length in bytes.
        len: usize,
    },
}
