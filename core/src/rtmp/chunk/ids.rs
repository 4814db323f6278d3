//! The numbers of the chunk stream, each its own type, so that none is taken for another.

use super::MAX_MESSAGE_LEN;
use core::fmt;

/// Bytes of payload in one chunk, at most; 1 to 16,777,215. RTMP 1.0 §5.4.1.
///
/// The wire allows values up to 2^31 - 1, but no message is longer than 16,777,215 bytes, so larger sizes mean the same
/// and are clamped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct ChunkSize(u32);

impl ChunkSize {
    /// What each direction of a connection begins with: 128.
    pub const DEFAULT: ChunkSize = ChunkSize(128);

    /// The chunk size that `size` on the wire stands for; `None` for 0 and above 2^31 - 1.
    #[must_use]
    pub const fn new(size: u32) -> Option<Self> {
        match size {
            0 | 0x8000_0000.. => None,
            MAX_MESSAGE_LEN.. => Some(ChunkSize(MAX_MESSAGE_LEN)),
            _ => Some(ChunkSize(size)),
        }
    }

    /// In bytes.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for ChunkSize {
    fn default() -> Self {
        ChunkSize::DEFAULT
    }
}

impl fmt::Display for ChunkSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Chunk stream ID (csid): 2 to 65,599. RTMP 1.0 §5.3.1.1.
///
/// Only [`CONTROL`](Self::CONTROL) is given by the specification. The others are those that this crate writes to, as
/// most servers do; nothing may be read from the csid of a received message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct ChunkStreamId(pub(super) u32);

impl ChunkStreamId {
    /// Protocol control and user control messages.
    pub const CONTROL: ChunkStreamId = ChunkStreamId(2);
    /// Commands that concern the connection.
    pub const COMMAND: ChunkStreamId = ChunkStreamId(3);
    /// `onStatus` and other commands that concern one message stream.
    pub const STATUS: ChunkStreamId = ChunkStreamId(5);
    /// Audio messages.
    pub const AUDIO: ChunkStreamId = ChunkStreamId(6);
    /// Video messages.
    pub const VIDEO: ChunkStreamId = ChunkStreamId(7);
    /// Data messages.
    pub const DATA: ChunkStreamId = ChunkStreamId(8);

    /// The chunk stream with this number; `None` unless it is between 2 and 65,599, the numbers a basic header can say.
    #[must_use]
    pub const fn new(csid: u32) -> Option<Self> {
        match csid {
            2..=65_599 => Some(ChunkStreamId(csid)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ChunkStreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Message stream ID (msid): [`CONTROL`](Self::CONTROL) for the connection itself, else what `createStream` answered.
/// RTMP 1.0 §5.3.1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct MessageStreamId(pub u32);

impl MessageStreamId {
    /// The stream of messages about the connection.
    pub const CONTROL: MessageStreamId = MessageStreamId(0);
}

impl fmt::Display for MessageStreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Message type ID. RTMP 1.0 §5.4, §6.2 and §7.1. Unknown ones are carried like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct MessageTypeId(pub u8);

impl MessageTypeId {
    /// Set Chunk Size.
    pub const SET_CHUNK_SIZE: MessageTypeId = MessageTypeId(1);
    /// Abort Message.
    pub const ABORT: MessageTypeId = MessageTypeId(2);
    /// Acknowledgement.
    pub const ACKNOWLEDGEMENT: MessageTypeId = MessageTypeId(3);
    /// User control message.
    pub const USER_CONTROL: MessageTypeId = MessageTypeId(4);
    /// Window Acknowledgement Size.
    pub const WINDOW_ACKNOWLEDGEMENT_SIZE: MessageTypeId = MessageTypeId(5);
    /// Set Peer Bandwidth.
    pub const SET_PEER_BANDWIDTH: MessageTypeId = MessageTypeId(6);
    /// Audio.
    pub const AUDIO: MessageTypeId = MessageTypeId(8);
    /// Video.
    pub const VIDEO: MessageTypeId = MessageTypeId(9);
    /// Data, one selector byte before the AMF.
    pub const DATA_AMF3: MessageTypeId = MessageTypeId(15);
    /// Shared object, one selector byte before the AMF.
    pub const SHARED_OBJECT_AMF3: MessageTypeId = MessageTypeId(16);
    /// Command, one selector byte before the AMF.
    pub const COMMAND_AMF3: MessageTypeId = MessageTypeId(17);
    /// Data in AMF0.
    pub const DATA_AMF0: MessageTypeId = MessageTypeId(18);
    /// Shared object in AMF0.
    pub const SHARED_OBJECT_AMF0: MessageTypeId = MessageTypeId(19);
    /// Command in AMF0.
    pub const COMMAND_AMF0: MessageTypeId = MessageTypeId(20);
    /// Aggregate.
    pub const AGGREGATE: MessageTypeId = MessageTypeId(22);

    /// Whether it is sound, pictures, or several messages of both.
    pub(crate) const fn is_media(self) -> bool {
        matches!(
            self,
            MessageTypeId::AUDIO | MessageTypeId::VIDEO | MessageTypeId::AGGREGATE
        )
    }
}

impl fmt::Display for MessageTypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_size_refuses_zero_and_the_top_bit_and_clamps_the_rest() {
        let size = |size| ChunkSize::new(size).map(ChunkSize::get);
        assert_eq!(size(0), None);
        assert_eq!(size(1), Some(1));
        assert_eq!(size(65_537), Some(65_537));
        assert_eq!(size(0x0100_0000), Some(0x00FF_FFFF));
        assert_eq!(size(0x7FFF_FFFF), Some(0x00FF_FFFF));
        assert_eq!(size(0x8000_0000), None);
        assert_eq!(size(u32::MAX), None);
    }

    #[test]
    fn chunk_stream_ids_are_those_a_basic_header_can_say() {
        let csid = |csid| ChunkStreamId::new(csid).map(ChunkStreamId::get);
        assert_eq!(
            [csid(1), csid(2), csid(65_599), csid(65_600)],
            [None, Some(2), Some(65_599), None]
        );
    }
}
