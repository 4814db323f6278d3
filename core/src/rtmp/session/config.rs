//! What every session of a server has in common.

use crate::Limits;
use crate::rtmp::chunk::ChunkSize;

/// What every session of a server has in common. Sessions share it behind an `Arc`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct SessionConfig {
    /// What a peer may make us hold or wait for.
    pub limits: Limits,
    /// The size of the chunks that we send. 60,000 bytes: most messages are then one header and one payload. Announced
    /// once, before the answer to `connect`, because OBS stops reading such changes once it publishes.
    pub chunk_size: ChunkSize,
    /// Bytes after which the peer shall acknowledge, and the bandwidth that we announce to it. 2,500,000, as FMS.
    pub window_ack_size: u32,
}

impl SessionConfig {
    /// The defaults, with other limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        SessionConfig {
            limits,
            ..SessionConfig::default()
        }
    }
}

impl Default for SessionConfig {
    fn default() -> Self {
        SessionConfig {
            limits: Limits::default(),
            chunk_size: ChunkSize::new(60_000).unwrap_or(ChunkSize::DEFAULT),
            window_ack_size: 2_500_000,
        }
    }
}
