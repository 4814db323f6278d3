//! What reaches a worker from other threads.

use headwater_core::server::{ShardId, ShardMessage};

/// What a worker is told from outside its thread.
#[derive(Debug)]
pub enum Mail {
    /// From another worker's shard.
    Shard(ShardId, ShardMessage),
    /// Stop accepting, end what there is, return.
    Shutdown,
}

/// Mails that a worker handles before it looks at its sockets. 64: together about a millisecond, unless each brings a
/// burst for many players.
pub const MAIL_PER_TURN: usize = 64;
