//! What can go wrong in a session by the peer's fault.

use crate::Timer;
use crate::rtmp::chunk::ChunkError;
use crate::rtmp::handshake::HandshakeError;

/// The peer broke the rules, or fell silent. The session is over; the output may still hold a last reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// It speaks something else.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The framing is broken.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// A command before `connect`.
    #[error("command before connect")]
    NotConnected,
    /// A second `connect`.
    #[error("second connect on one connection")]
    AlreadyConnected,
    /// `createStream` once too often.
    #[error("more than {max} message streams")]
    TooManyStreams {
        /// The most allowed.
        max: usize,
    },
    /// Media without end for a stream that it does not publish.
    #[error("{dropped} bytes of media outside of any publish")]
    UnexpectedMedia {
        /// Bytes of it that we dropped.
        dropped: usize,
    },
    /// The peer makes us reply and does not read the replies.
    #[error("{waiting} bytes of output exceed the limit of {max} bytes")]
    OutputFull {
        /// Bytes waiting.
        waiting: usize,
        /// The most allowed.
        max: usize,
    },
    /// Next to empty messages without end, each of which costs us as much as a real one.
    #[error("{messages} messages in {bytes} bytes within a second")]
    MessageFlood {
        /// Messages in that second.
        messages: u32,
        /// Their bytes, headers included.
        bytes: u64,
    },
    /// Silence where something was due.
    #[error("{0} timeout")]
    Timeout(Timer),
}
