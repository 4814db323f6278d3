//! What a seed draws before anything begins: the server's configuration, who takes part, and what goes wrong when.
//!
//! A plan is all that there is to know of a world. So the [shrinker](crate::shrink) can take something out of it and look
//! whether what is left still fails.

use crate::actor::{How, Role};
use crate::application::Habit;
use crate::encoder::Quirks;
use crate::hostile::Hostility;
use crate::media::{Format, Style};
use crate::rng::Rng;
use crate::scarcity::Scarcity;
use headwater_core::Time;
use headwater_core::hub::ChannelConfig;
use headwater_core::server::{Config, HttpAbsent, Otherwise, Takeover};
use std::fmt;
use std::time::Duration;

/// The first seed of the further worlds, which have all that others have, and [more](Plan::draw_further).
pub const FURTHER: u64 = 1 << 32;

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
    /// The operator decides something else.
    Reconfigure,
    /// A worker does nothing for a while.
    Pause,
    /// Time leaps.
    Leap,
    /// Messages between workers take longer.
    SlowLinks,
    /// The worker is not told that there is something to read.
    Unreported,
    /// The system has no memory for a socket for a while.
    Shortage,
    /// An actor leaves as its protocol says, and closes its sending side at once.
    LeaveHalfClosed,
}

/// What else goes wrong in further worlds.
const FURTHER_FAULTS: [Fault; 2] = [Fault::Shortage, Fault::LeaveHalfClosed];

const FAULTS: [Fault; 16] = [
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
    Fault::Reconfigure,
    Fault::Pause,
    Fault::Leap,
    Fault::SlowLinks,
    Fault::Unreported,
];

/// Something that goes wrong, once.
#[derive(Debug, Clone, Copy)]
pub struct Trouble {
    /// In which tick.
    pub tick: u64,
    pub fault: Fault,
    /// Which actor or worker it meets.
    pub victim: usize,
    /// How long it lasts, if it lasts.
    pub span: Duration,
    /// Bytes, for a fault that is about some.
    pub size: usize,
}

/// One of those that take part.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub role: Role,
    pub how: How,
    /// The last byte of its address.
    pub host: u8,
    pub stream: usize,
    /// Whether it is there when all is well: one publisher of each stream, its players, and those who can hurt nobody.
    pub stays: bool,
    /// An HTTP player closes its sending side behind its request.
    pub half_closes: bool,
    /// A publisher comes and goes all the time.
    pub flaps: bool,
    pub quirks: Quirks,
    /// Whether the shrinker has left it out.
    pub is_absent: bool,
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All leave, and nothing may be left of them.
    AllLeave,
    /// The server is shut down while all are there.
    Shutdown,
    /// The server is shut down while everything goes wrong.
    ShutdownInTrouble,
}

#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub shards: u16,
    pub start: Time,
    pub config: Config,
    /// What the operator may decide instead.
    pub other_config: Config,
    /// What there is too little of in both, until all is well.
    pub scarcity: Option<Scarcity>,
    /// How the application answers questions.
    pub habits: Vec<Habit>,
    pub styles: Vec<Style>,
    pub parts: Vec<Part>,
    /// In order.
    pub troubles: Vec<Trouble>,
    /// Ticks for which things go wrong.
    pub ticks: u64,
    pub end: End,
}

impl Plan {
    pub fn draw(seed: u64) -> Plan {
        let rng = &mut Rng::new(seed);
        let streams = rng.size(1, 2);
        let mut styles: Vec<_> = (0..streams).map(|_| Style::draw(rng)).collect();
        let parts = parts(rng, streams);
        let ticks = rng.between(50, 350);
        let troubles = troubles(rng, ticks, parts.len());
        let mut config = config(rng, &styles);
        let mut other_config = self::config(rng, &styles);
        // Drawn by itself, so that all else is drawn as ever.
        let narrow = &mut Rng::new(!seed);
        narrow_windows(narrow, &mut config);
        narrow_windows(narrow, &mut other_config);
        other_config.authorize = config.authorize;
        let scarcity = Scarcity::draw(narrow);
        for config in [&mut config, &mut other_config] {
            scarcity.iter().for_each(|scarcity| scarcity.apply(config));
        }
        for style in &mut styles {
            style.sound_after = match narrow.once_in(8) {
                true => narrow.millis(200, 1_500),
                false => Duration::ZERO,
            };
            if matches!(scarcity, Some(Scarcity::Memory(_))) {
                style.max_len = narrow.size(40_000, 120_000);
            }
        }
        let habits = (0..rng.size(1, 3)).map(|_| Habit::draw(rng)).collect();
        let mut plan = Plan {
            seed,
            shards: u16::try_from(rng.between(1, 3)).unwrap(),
            start: Time::from_millis(match rng.below(3) {
                0 => 0,
                1 => (1 << 32) - rng.below(4_000),
                _ => rng.below(1 << 40),
            }),
            config,
            other_config,
            scarcity,
            habits,
            styles,
            parts,
            troubles,
            ticks,
            end: rng.pick(&[
                End::AllLeave,
                End::AllLeave,
                End::AllLeave,
                End::Shutdown,
                End::Shutdown,
                End::ShutdownInTrouble,
            ]),
        };
        if matches!(scarcity, Some(Scarcity::Memory(_))) {
            plan.add_hoarders();
        } else if narrow.once_in(8) {
            plan.contest(narrow);
        }
        if seed >= FURTHER {
            plan.draw_further(&mut Rng::new(seed.rotate_left(32)));
        }
        plan
    }

    /// Draws what only further worlds have.
    fn draw_further(&mut self, rng: &mut Rng) {
        for style in &mut self.styles {
            style.format = rng.pick(&[Format::Plain, Format::Enhanced, Format::Adts]);
        }
        let largest = self.styles.iter().map(|style| style.max_len).max().unwrap_or_default();
        let scarcity = Scarcity::draw_further(rng).filter(|_| self.scarcity.is_none());
        let has_memory = !matches!(self.scarcity, Some(Scarcity::Memory(_)));
        self.scarcity = self.scarcity.or(scarcity);
        for config in [&mut self.config, &mut self.other_config] {
            scarcity.iter().for_each(|scarcity| scarcity.apply(config));
            if has_memory && rng.once_in(2) {
                narrow_limits(config, largest);
            }
        }
        if rng.once_in(3) {
            self.add_part(Role::Restless, How::Rtmp, 100);
        }
        if rng.once_in(3) {
            self.add_part(Role::Operator, How::Http, 150);
        }
        if self.scarcity == Some(Scarcity::Operators) {
            self.add_part(Role::Operator, How::Http, 150);
            self.add_part(Role::Operator, How::Http, 150);
        }
        if rng.once_in(5) {
            self.add_part(Role::Hostile(Hostility::Pipelines), How::Http, 200);
        }
        if rng.once_in(2) {
            let fault = rng.pick(&FURTHER_FAULTS);
            let every = rng.between(5, 60);
            let ticks: Vec<_> = (0..self.ticks).filter(|_| rng.once_in(every)).collect();
            for tick in ticks {
                self.troubles.push(Trouble {
                    tick,
                    fault,
                    victim: rng.index(self.parts.len()),
                    span: rng.millis(10, 1_500),
                    size: rng.pick(&[1, 100]),
                });
            }
            self.troubles.sort_by_key(|trouble| trouble.tick);
        }
        for part in &mut self.parts {
            part.quirks.clears_metadata = rng.once_in(4);
        }
    }

    /// Adds one that stays and can hurt nobody, with an address of its own.
    fn add_part(&mut self, role: Role, how: How, first_host: usize) {
        let host = u8::try_from(first_host + self.parts.len()).unwrap();
        self.parts.push(Part {
            role,
            how,
            host,
            stays: true,
            flaps: false,
            ..self.parts[0]
        });
    }

    /// There is enough of everything, all the time.
    pub fn lift_scarcity(&mut self) {
        self.scarcity = None;
        Scarcity::lift(&mut self.config);
        Scarcity::lift(&mut self.other_config);
    }

    /// Has peers take part that hold much memory and are of no use to others.
    fn add_hoarders(&mut self) {
        for (hostility, how) in [
            (Hostility::Unfinished, How::Rtmp),
            (Hostility::Unfinished, How::Http),
            (Hostility::Crawls, How::Http),
        ] {
            let host = host(Role::Hostile(hostility), self.parts.len());
            self.parts.push(Part {
                role: Role::Hostile(hostility),
                how,
                host,
                stays: false,
                ..self.parts[0]
            });
        }
    }

    /// Has publishers of one address come for the first stream again and again, while workers pause for longer than a publisher may
    /// be silent: the present one has to be heard each time.
    fn contest(&mut self, rng: &mut Rng) {
        for config in [&mut self.config, &mut self.other_config] {
            config.takeover = Takeover::Auto;
            config.limits.idle_timeout = rng.millis(2_000, 2_500);
        }
        self.shards = u16::try_from(rng.between(2, 3)).unwrap();
        self.ticks = 600;
        for how in [How::Rtmp, How::Quirky] {
            self.parts.push(Part {
                how,
                stays: false,
                flaps: true,
                ..self.parts[0]
            });
        }
        let pauses = (80..self.ticks).step_by(160).map(|tick| Trouble {
            tick,
            fault: Fault::Pause,
            victim: rng.index(8),
            span: rng.millis(1_200, 3_000),
            size: 1,
        });
        self.troubles.extend(pauses);
        self.troubles.sort_by_key(|trouble| trouble.tick);
    }
}

/// The last byte of an address: two share one, but none shares one with those that use up its share of everything.
fn host(role: Role, index: usize) -> u8 {
    let host = match role {
        Role::Hostile(_) => 200 + index,
        _ => index / 2 + 1,
    };
    u8::try_from(host).unwrap()
}

impl Plan {
    /// How far a player's time may run ahead of the time that passed. A track on a clock of its own may be taken for one that is 5 s
    /// ahead; and a jump for real if the time leaps, or stands still for a worker, as well.
    pub fn max_ahead(&self) -> Duration {
        Duration::from_millis(if self.shifts_time() { 15_000 } else { 5_500 })
    }

    /// How much longer than its time a connection may last that is half-closed and takes nothing. Deadlines are rounded up, and a
    /// worker that was late itself waits for 2 s more.
    pub fn half_closed_slack(&self) -> Duration {
        Duration::from_millis(if self.shifts_time() { 2_400 } else { 300 })
    }

    /// Whether the time leaps, or stands still for a worker.
    fn shifts_time(&self) -> bool {
        let shifts_time = |trouble: &Trouble| matches!(trouble.fault, Fault::Leap | Fault::Pause);
        self.troubles.iter().any(shifts_time)
    }

    /// Whether a publisher is heard before it is replaced, whatever the operator decides.
    pub fn hears_publishers(&self) -> bool {
        [&self.config, &self.other_config]
            .iter()
            .all(|it| it.takeover == Takeover::Auto)
    }
}

fn parts(rng: &mut Rng, streams: usize) -> Vec<Part> {
    use How::{Chunked, Http, Local, Quirky, Rtmp, WebSocket};
    let publishers = rng.pick(&[
        &[Rtmp][..],
        &[Quirky],
        &[Http, Chunked],
        &[Rtmp, Quirky, Http],
        &[Rtmp, Quirky, Http, Chunked, Local],
    ]);
    let players = rng.pick(&[
        &[Rtmp][..],
        &[Http, Chunked],
        &[WebSocket],
        &[Rtmp, Http],
        &[Rtmp, Http, Chunked, WebSocket, Local],
    ]);
    let mut parts = Vec::new();
    let mut add = |rng: &mut Rng, role, hows: &[How], stream, stays| {
        parts.push(Part {
            role,
            how: rng.pick(hows),
            host: host(role, parts.len()),
            stream,
            stays,
            half_closes: rng.once_in(5),
            flaps: !stays && rng.once_in(3),
            quirks: Quirks::draw(rng),
            is_absent: false,
        });
    };
    for stream in 0..streams {
        add(rng, Role::Publisher, publishers, stream, true);
        if rng.once_in(2) {
            add(rng, Role::Publisher, publishers, stream, false);
        }
        for _ in 0..rng.size(1, 3) {
            add(rng, Role::Player, players, stream, true);
        }
    }
    for _ in 0..rng.pick(&[0, 0, 1, 2]) {
        let hostility = Hostility::draw(rng);
        add(
            rng,
            Role::Hostile(hostility),
            &[Rtmp, Http],
            0,
            hostility.hurts_nobody(),
        );
    }
    parts
}

/// Which faults there are at all, and when each comes.
fn troubles(rng: &mut Rng, ticks: u64, victims: usize) -> Vec<Trouble> {
    let mut faults: Vec<_> = FAULTS.into_iter().filter(|_| rng.once_in(3)).collect();
    if faults.is_empty() {
        faults.push(rng.pick(&FAULTS));
    }
    let every = rng.between(5, 60);
    let ticks = (0..ticks).filter(|_| rng.once_in(every)).collect::<Vec<_>>();
    let draw = |tick| Trouble {
        tick,
        fault: rng.pick(&faults),
        victim: rng.index(victims),
        span: rng.millis(10, 3_000),
        size: rng.pick(&[1, 3, 11, 100, 700]),
    };
    ticks.into_iter().map(draw).collect()
}

fn config(rng: &mut Rng, styles: &[Style]) -> Config {
    let mut config = Config::default();
    config.keeps_events = true;
    config.grace = rng.pick(&[Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)]);
    config.takeover = rng.pick(&[Takeover::Auto, Takeover::Auto, Takeover::Always, Takeover::Never]);
    if rng.once_in(3) {
        config.http_absent = HttpAbsent::Wait(Duration::from_secs(2));
    }
    config.authorize.publish = rng.once_in(4);
    config.authorize.play = rng.once_in(4);
    config.authorize.timeout = rng.millis(300, 1_500);
    config.authorize.otherwise = rng.pick(&[Otherwise::Allow, Otherwise::Deny]);
    config.channel.gop_cache = !rng.once_in(6);
    if rng.once_in(4) {
        config.channel.gop_max_frames = rng.size(4, 30);
    }
    let largest = styles.iter().map(|style| style.max_len + 100).max().unwrap_or_default();
    // Frames that wait for each other are behind together: no reason to leave some out.
    let merges = rng.once_in(4);
    if merges {
        config.channel.merge = rng.millis(10, 100);
    }
    if !merges && rng.once_in(3) {
        // A player at the live edge is no quarter of it behind, though some frames come together.
        config.channel.lag_max_bytes = rng.size(8, 20) * largest;
    }
    if !merges && rng.once_in(3) {
        config.channel.lag_max_frames = rng.size(16, 60);
    }
    if rng.once_in(3) {
        config.channel.lag_max_age = rng.millis(600, 2_000);
    }
    if rng.once_in(3) {
        config.limits.output_high_water = rng.size(1, 4_000);
    }
    if rng.once_in(2) {
        let limits = &mut config.limits;
        limits.handshake_timeout = rng.millis(500, 3_000);
        limits.command_timeout = rng.millis(500, 3_000);
        limits.keep_alive_timeout = limits.command_timeout;
        limits.idle_timeout = rng.millis(2_000, 4_000);
        limits.stall_timeout = rng.millis(500, 3_000);
        limits.half_closed_timeout = rng.millis(500, 3_000);
        limits.ping_interval = rng.millis(500, 3_000);
    }
    config
}

/// Less may be under way to another worker than a pause lets wait there, so that it misses frames.
fn narrow_windows(rng: &mut Rng, config: &mut Config) {
    let channel = &mut config.channel;
    if channel.lag_max_bytes < ChannelConfig::default().lag_max_bytes && rng.once_in(2) {
        channel.gop_max_bytes = channel.lag_max_bytes;
    }
}

/// A peer may hold little more than a few messages.
fn narrow_limits(config: &mut Config, largest: usize) {
    let message = largest + 10_000;
    config.limits.max_message_len = u32::try_from(message).unwrap();
    config.limits.max_buffered_bytes = 2 * message;
    config.limits.max_output = config.limits.output_high_water + 2 * message;
}

/// For a person: what there is, and what of the configuration is not as usual.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: {} workers from {:?} on, trouble for {} ticks of 10 ms, then {:?}",
            self.seed, self.shards, self.start, self.ticks, self.end
        )?;
        writeln!(f, "  configuration: {}", differences(&self.config, &Config::default()))?;
        writeln!(
            f,
            "  if reconfigured: {}",
            differences(&self.other_config, &self.config)
        )?;
        writeln!(f, "  the application answers: {:?}", self.habits)?;
        for (stream, style) in self.styles.iter().enumerate() {
            writeln!(f, "  s{stream}: {style:?}")?;
        }
        for (index, part) in self.parts.iter().enumerate().filter(|(_, part)| !part.is_absent) {
            writeln!(f, "  actor {index}: {part:?}")?;
        }
        for trouble in &self.troubles {
            writeln!(f, "  {trouble:?}")?;
        }
        Ok(())
    }
}

/// The fields of one configuration that the other has otherwise.
fn differences(config: &Config, other: &Config) -> String {
    let (config, other) = (format!("{config:#?}"), format!("{other:#?}"));
    let lines = config.lines().zip(other.lines());
    let different = lines.filter(|(one, other)| one != other).map(|(one, _)| one.trim());
    different.collect::<Vec<_>>().join(" ")
}
