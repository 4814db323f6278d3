//! What there is too little of in some worlds, until all is well: places, or memory.

use crate::rng::Rng;
use headwater_core::hub::ChannelConfig;
use headwater_core::server::Config;

/// Bytes that a connection may add to what its worker holds before the worker decides again who goes: what is read at once, and
/// a buffer for the longest message.
pub const ONE_STEP: usize = (64 << 10) + MAX_MESSAGE_LEN as usize;

/// Bytes of the longest message where memory is short: longer than the largest picture there.
const MAX_MESSAGE_LEN: u32 = 200_000;

/// What there is too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scarcity {
    /// Bytes of memory for each worker. More than a dozen modest connections and a few small rings hold, of which nothing goes.
    Memory(usize),
    Connections(usize),
    ConnectionsPerAddress,
    RolelessPerAddress,
    Publishers,
    Streams,
    WaitingPlayers,
    RequestsPerAddress,
    Roleless,
    Operators,
}

impl Scarcity {
    /// In one of eight worlds something is scarce, memory in half of these.
    pub fn draw(rng: &mut Rng) -> Option<Scarcity> {
        Some(match rng.below(96) {
            0..6 => Scarcity::Memory(rng.size(400_000, 900_000)),
            6 => Scarcity::Connections(rng.size(2, 4)),
            7 => Scarcity::ConnectionsPerAddress,
            8 => Scarcity::RolelessPerAddress,
            9 => Scarcity::Publishers,
            10 => Scarcity::Streams,
            11 => Scarcity::WaitingPlayers,
            _ => return None,
        })
    }

    /// In one of four further worlds something else is.
    pub fn draw_further(rng: &mut Rng) -> Option<Scarcity> {
        Some(match rng.below(12) {
            0 => Scarcity::RequestsPerAddress,
            1 => Scarcity::Roleless,
            2 => Scarcity::Operators,
            _ => return None,
        })
    }

    /// Makes it scarce.
    pub fn apply(self, config: &mut Config) {
        match self {
            Scarcity::Memory(bytes) => {
                config.memory_budget = bytes;
                config.limits.max_message_len = MAX_MESSAGE_LEN;
                // Frames are large here, and players that lag are to hold some.
                let usual = ChannelConfig::default();
                config.channel.lag_max_bytes = usual.lag_max_bytes;
                config.channel.gop_max_bytes = usual.gop_max_bytes;
            }
            Scarcity::Connections(count) => config.max_connections = count,
            Scarcity::ConnectionsPerAddress => config.max_connections_per_address = 1,
            Scarcity::RolelessPerAddress => config.max_roleless_connections_per_address = 1,
            Scarcity::Publishers => config.max_publishers = 1,
            Scarcity::Streams => config.max_streams = 1,
            Scarcity::WaitingPlayers => config.max_waiting_players = 1,
            Scarcity::RequestsPerAddress => config.max_requests_per_second_per_address = 1,
            Scarcity::Roleless => config.max_roleless_connections = 1,
            Scarcity::Operators => config.admin.max_connections = 1,
        }
    }

    /// There is enough from now on.
    pub fn lift(config: &mut Config) {
        let usual = Config::default();
        config.memory_budget = usual.memory_budget;
        config.max_connections = usual.max_connections;
        config.max_connections_per_address = usual.max_connections_per_address;
        config.max_roleless_connections_per_address = usual.max_roleless_connections_per_address;
        config.max_publishers = usual.max_publishers;
        config.max_streams = usual.max_streams;
        config.max_waiting_players = usual.max_waiting_players;
        config.max_requests_per_second_per_address = usual.max_requests_per_second_per_address;
        config.max_roleless_connections = usual.max_roleless_connections;
        config.admin.max_connections = usual.admin.max_connections;
    }
}
