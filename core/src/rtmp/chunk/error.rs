//! What can be wrong with a chunk stream.

use super::ChunkStreamId;

/// The framing is broken: there is no way to find the next chunk, so the connection has to end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// Set Chunk Size with a value outside of 1 to 2^31 - 1.
    #[error("chunk size {size} is not between 1 and 2147483647")]
    InvalidChunkSize {
        /// What the peer sent.
        size: u32,
    },
    /// A message longer than its type may be.
    #[error("message of {len} bytes exceeds the limit of {max} bytes on chunk stream {csid}")]
    MessageTooLarge {
        /// Where.
        csid: ChunkStreamId,
        /// The announced length in bytes.
        len: usize,
        /// The most allowed.
        max: usize,
    },
    /// A type 2 or 3 header on a chunk stream that has had no header to inherit from.
    #[error("chunk stream {csid} begins with a header that inherits its length")]
    NothingToInherit {
        /// Where.
        csid: ChunkStreamId,
    },
    /// A header with another length, type or message stream in the middle of a message.
    #[error("message on chunk stream {csid} interrupted after {received} of {len} bytes")]
    MessageInterrupted {
        /// Where.
        csid: ChunkStreamId,
        /// Bytes of the message received so far.
        received: usize,
        /// Bytes it should have had.
        len: u32,
    },
    /// More chunk streams than the connection may use.
    #[error("more than {max} chunk streams")]
    TooManyChunkStreams {
        /// The most allowed.
        max: usize,
    },
    /// Unfinished messages hold more memory than the connection may use.
    #[error("unfinished messages need {needed} bytes, the limit is {max}")]
    TooMuchBuffered {
        /// Bytes of buffers that the next payload byte would take.
        needed: usize,
        /// The most allowed.
        max: usize,
    },
}
