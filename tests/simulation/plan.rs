//! What a seed draws before anything begins: the server's configuration, who takes part, and what can go wrong.

use crate::actor::{How, Role};
use crate::media::Style;
use crate::rng::Rng;
use headwater_core::Time;
use headwater_core::server::{Config, HttpAbsent, Takeover};
use std::time::Duration;

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Reads and writes of a few bytes.
    SmallPieces,
    /// What is sent arrives later.
    Delay,
    /// What an actor sends does not arrive for a while.
    SendingStalls,
    /// What the server sends is not taken for a while.
    ReceivingStalls,
    /// A few bytes are taken at a time.
    ReceivingIsSlow,
    /// A connection breaks.
    Reset,
    /// An actor closes its sending side.
    HalfClose,
    /// An actor leaves as its protocol says, and comes back.
    Leave,
    /// A publisher has nothing to send for a while.
    Silence,
    /// The operator ends a connection.
    KickOne,
    /// The operator ends a stream.
    KickStream,
    /// A worker does nothing for a while.
    Pause,
    /// Time leaps.
    Leap,
    /// Messages between workers take longer.
    SlowLinks,
    /// The worker is not told that there is something to read.
    Unreported,
}

const FAULTS: [Fault; 15] = [
    Fault::SmallPieces,
    Fault::Delay,
    Fault::SendingStalls,
    Fault::ReceivingStalls,
    Fault::ReceivingIsSlow,
    Fault::Reset,
    Fault::HalfClose,
    Fault::Leave,
    Fault::Silence,
    Fault::KickOne,
    Fault::KickStream,
    Fault::Pause,
    Fault::Leap,
    Fault::SlowLinks,
    Fault::Unreported,
];

/// Those that take part.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub role: Role,
    pub how: How,
    pub stream: usize,
    /// Whether it is there when all is well: one publisher of each stream, and its players.
    pub stays: bool,
}

#[derive(Debug)]
pub struct Plan {
    pub shards: u16,
    pub start: Time,
    pub config: Config,
    pub styles: Vec<Style>,
    pub parts: Vec<Part>,
    pub faults: Vec<Fault>,
    /// How long things go wrong.
    pub trouble: Duration,
    /// Ticks between two faults, on average.
    pub fault_every: u64,
    /// Whether the server is shut down while all are there.
    pub ends_by_shutdown: bool,
}

impl Plan {
    pub fn draw(rng: &mut Rng) -> Plan {
        let streams = rng.size(1, 2);
        let styles: Vec<_> = (0..streams).map(|_| Style::draw(rng)).collect();
        let hows = rng.pick(&[
            &[How::Rtmp][..],
            &[How::Http],
            &[How::Rtmp, How::Http],
            &[How::Rtmp, How::Http, How::Local],
        ]);
        let mut parts = Vec::new();
        for stream in 0..streams {
            let rivals = if rng.once_in(2) { 1 } else { 0 };
            let players = rng.size(1, 3);
            let roles = [(Role::Publisher, 1 + rivals), (Role::Player, players)];
            for (role, count) in roles {
                for number in 0..count {
                    parts.push(Part {
                        role,
                        how: rng.pick(hows),
                        stream,
                        stays: role == Role::Player || number == 0,
                    });
                }
            }
        }
        for _ in 0..rng.pick(&[0, 0, 1, 2]) {
            parts.push(Part {
                role: Role::Garbage,
                how: rng.pick(&[How::Rtmp, How::Http]),
                stream: 0,
                stays: false,
            });
        }
        let mut faults: Vec<_> = FAULTS.into_iter().filter(|_| rng.once_in(3)).collect();
        if faults.is_empty() {
            faults.push(rng.pick(&FAULTS));
        }
        Plan {
            shards: u16::try_from(rng.between(1, 3)).unwrap(),
            start: Time::from_millis(match rng.below(3) {
                0 => 0,
                1 => (1 << 32) - rng.below(4_000),
                _ => rng.below(1 << 40),
            }),
            config: config(rng, &styles),
            styles,
            parts,
            faults,
            trouble: rng.millis(500, 3_500),
            fault_every: rng.between(5, 60),
            ends_by_shutdown: rng.once_in(2),
        }
    }
}

fn config(rng: &mut Rng, styles: &[Style]) -> Config {
    let mut config = Config::default();
    config.keeps_events = true;
    config.grace = rng.pick(&[Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)]);
    config.takeover = rng.pick(&[Takeover::Auto, Takeover::Auto, Takeover::Always, Takeover::Never]);
    if rng.once_in(3) {
        config.http_absent = HttpAbsent::Wait(Duration::from_secs(2));
    }
    config.channel.gop_cache = !rng.once_in(6);
    if rng.once_in(4) {
        config.channel.gop_max_frames = rng.size(4, 30);
    }
    if rng.once_in(3) {
        // A player at the live edge is no quarter of it behind, though some frames come together.
        let largest = styles.iter().map(|style| style.max_len + 100).max();
        config.channel.lag_max_bytes = rng.size(8, 20) * largest.unwrap_or_default();
    }
    if rng.once_in(3) {
        config.channel.lag_max_frames = rng.size(16, 60);
    }
    if rng.once_in(3) {
        config.channel.lag_max_age = rng.millis(600, 2_000);
    }
    if rng.once_in(4) {
        config.channel.merge = rng.millis(10, 100);
    }
    if rng.once_in(3) {
        config.limits.output_high_water = rng.size(1, 4_000);
    }
    if rng.once_in(2) {
        let limits = &mut config.limits;
        limits.handshake_timeout = rng.millis(500, 3_000);
        limits.command_timeout = rng.millis(500, 3_000);
        limits.idle_timeout = rng.millis(2_000, 4_000);
        limits.stall_timeout = rng.millis(500, 3_000);
        limits.half_closed_timeout = rng.millis(500, 3_000);
        limits.ping_interval = rng.millis(500, 3_000);
    }
    config
}
