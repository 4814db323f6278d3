//! The chunk stream: messages cut into chunks, several of them interleaved on one connection. RTMP 1.0 §5.3.
//!
//! [`ChunkDecoder`] takes bytes as they come and gives out [`Message`]s; [`ChunkEncoder`] appends messages to an
//! [`Output`](crate::Output). Neither knows what a message says, except for the two that change the framing itself, Set
//! Chunk Size and Abort.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod decoder;
mod encoder;
mod error;
mod header;
mod ids;
#[cfg(test)]
mod tests;

pub use decoder::ChunkDecoder;
pub use encoder::ChunkEncoder;
pub use error::ChunkError;
pub use ids::{ChunkSize, ChunkStreamId, MessageStreamId, MessageTypeId};

use crate::Timestamp;
use bytes::Bytes;

/// One RTMP message: a payload and where it belongs. RTMP 1.0 §5.3.
///
/// Cloning costs one reference count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The chunk stream that carries it. It orders chunks and means nothing else.
    pub csid: ChunkStreamId,
    /// The message stream it belongs to.
    pub msid: MessageStreamId,
    /// What kind of message it is.
    pub type_id: MessageTypeId,
    /// When, for media; meaningless for the rest.
    pub timestamp: Timestamp,
    /// The body, at most 16,777,215 bytes. It may be empty.
    pub payload: Bytes,
}

/// The most bytes a message can have: what 24 bits can say.
const MAX_MESSAGE_LEN: u32 = 0x00FF_FFFF;
