//! What an operator decides.

use super::admin::AdminConfig;
use super::question::AuthorizeConfig;
use super::record::RecordConfig;
use crate::Limits;
use crate::http::AllowedOrigin;
use crate::hub::{ChannelConfig, MAX_HEADER_LEN, MAX_HEADERS};
use alloc::vec::Vec;
use core::time::Duration;

/// What an operator decides, for all workers alike. Each field says its unit, its default and its reason, and what a change by
/// [`Server::reconfigure`](super::Server::reconfigure) applies to. No change ends anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// What one peer may make us hold or wait for.
    ///
    /// A change applies to new connections. Four apply to all at once: `max_requests_per_second`, `max_work_per_second`,
    /// `max_pipelined` and, from a peer's next progress on, `half_closed_timeout`; for what the program itself publishes also
    /// `max_message_len` and `max_buffered_bytes`.
    pub limits: Limits,
    /// What a stream keeps, how far a player may lag, and write merging.
    ///
    /// A change applies to new streams, on each worker for itself: one that is published or played goes on as it began.
    pub channel: ChannelConfig,
    /// How long players stay when their publisher is gone. 10 s: an encoder that lost its network is back by then. A change
    /// applies to publishers that leave from then on.
    pub grace: Duration,
    /// Which publisher wins when a name is published twice. `Auto`. A change applies at once.
    pub takeover: Takeover,
    /// Whether events are kept for [`Server::poll_event`](super::Server::poll_event), which then has to be called after
    /// everything else. No: they are only logged. A change applies at once, and those that wait are forgotten if none are kept
    /// any more.
    pub keeps_events: bool,
    /// Whether what peers say is kept in case that they fail, for [`Server::poll_recording`](super::Server::poll_recording). No.
    /// A change applies to new connections.
    pub record: Option<RecordConfig>,
    /// Whether the world is asked if a peer may publish or play. No: everybody may. A change applies to requests from then on.
    /// Of an RTMP peer that had connected before anything was asked, `tcUrl` and `pageUrl` are not known.
    pub authorize: AuthorizeConfig,
    /// Web pages that may publish, besides those of the host that they publish to. None: a page of anybody's could push a
    /// stream from the browser of whoever opens it, behind firewalls too. What no page sends (encoders, scripts) names no
    /// origin and needs no entry; to play needs none either. A change applies to new connections.
    pub allowed_origins: Vec<AllowedOrigin>,
    /// What an HTTP player gets whose stream is not there. 404 at once, so that players and probes can tell. A change applies
    /// to requests from then on, as for the next two.
    pub http_absent: HttpAbsent,
    /// The longest that an HTTP player may ask to wait, by `?wait=SECONDS`. 60 s.
    pub http_max_wait: Duration,
    /// How long an RTMP player waits whose stream is not there. 30 s: ffmpeg and librtmp have no way to ask again.
    pub rtmp_wait: Duration,
    /// Players of a worker that may wait for absent streams. 8,192: those of eight events that begin late. A change applies at
    /// once, as for the next two; those that wait may go on. A player whose path has escapes may wait for two names, and has
    /// two places then. In the counts of connections those that wait are [without a role](Self::max_roleless_connections).
    pub max_waiting_players: usize,
    /// Those among them that wait for one stream. 1,000: more is an attack or a mistyped link. A connection has one place.
    pub max_waiting_players_per_stream: usize,
    /// Those of one IPv4 address or IPv6 /64, for whatever streams. 250: the viewers of a school behind one address who came
    /// early; it takes four such addresses to leave others no place at one stream. A proxy that all players come by needs more.
    pub max_waiting_players_per_address: usize,
    /// Requests to publish or play, refused ones included, that the peers of one IPv4 address or IPv6 /64 may make of a worker in
    /// a second, at least 1; ten seconds' worth may come at once. A play takes one more for each 256 frames that it begins with,
    /// the GOP cache above all, and two for each 256 that another worker has to send for it first. 1,000: ten thousand players
    /// behind one proxy that all come back together are let in, for the GOP is short then; and a single peer takes no more than a
    /// tenth of a worker, whatever the number of its connections and of the frames with which it begins. A change applies at once.
    pub max_requests_per_second_per_address: u32,
    /// Publishes that the peers of one IPv4 address or IPv6 /64 may begin in a second, of names whose home a worker is, at least 1;
    /// twenty seconds' worth may come at once. 50: all of a thousand encoders behind one address begin together, and have come
    /// back in 20 s when they lost their network; one peer that begins and ends publishes all day holds no more than a few
    /// hundred grace times. A change applies at once.
    pub max_publishes_per_second_per_address: u32,
    /// Connections of the whole process, on all workers together. 65,536: more than a machine serves by its network; a driver
    /// lowers it to what the process has file descriptors for. A change applies at once, as for the next six; those that are
    /// there stay. The program's own publishes and plays count, and none of them is
    /// refused; connections of operators [do not](AdminConfig::max_connections).
    pub max_connections: usize,
    /// Those among them from one IPv4 address or IPv6 /64. No limit: a proxy has them all, and a school a thousand.
    pub max_connections_per_address: usize,
    /// Streams of the process that are published, those included whose publisher may come back in its grace time. 16,384: a
    /// core takes in some 3,000. One that is published already may be taken over whatever their number.
    pub max_publishers: usize,
    /// Streams of the process that are published or that somebody plays or waits for. 65,536: up to 1 KiB each, of which
    /// half is the name, where nobody publishes. Players that seek what is not there have half of them at most, and those of one address that wait have
    /// an eighth, of which each worker gives its share.
    pub max_streams: usize,
    /// Connections of the process that neither publish nor play, nor want to; players that wait for absent streams are among
    /// them. 16,384, and never more than three quarters of the places that others leave, so that there is always one for a
    /// newcomer. When there are more, the oldest of the address that has most ends.
    pub max_roleless_connections: usize,
    /// Those among them from one IPv4 address or IPv6 /64. 2,048: a school of a thousand players that all come back at once,
    /// or ten thousand in a second through a proxy. When there are more, the oldest ends.
    pub max_roleless_connections_per_address: usize,
    /// Connections of one worker that are one too many, and are answered so before they are closed, for 2 s at most. 64: some
    /// hundred clients a second that ask at once; beyond that the oldest are closed without an answer.
    pub max_refused_connections: usize,
    /// Bytes that a worker may hold for all its peers together: payloads, outputs, unfinished messages, rings, names, and what is
    /// on its way to other workers. Above it, those that are the least use to others go first: see [the ladder](super#memory).
    ///
    /// What is [recorded](Self::record) has a bound of its own, [`RecordConfig::max_memory`], which the drivers take off first.
    ///
    /// 1 GiB: 1,000 streams of 4 Mb/s with a keyframe every 2 s, and 10,000 players that keep up, hold 1 GB. The drivers set it
    /// to the worker's share of what the process may use, whatever it is here. One connection may hold more than a small budget
    /// allows for all: [`max_memory`](Self::max_memory) says what one takes at worst. A change applies at once.
    pub memory_budget: usize,
    /// What operators may do and are told. A change applies to requests from then on.
    pub admin: AdminConfig,
}

/// Bytes of a connection's own state, and of the lists of what waits for a player: pieces of `output_high_water` in the
/// smallest frames that are queued by reference.
const PER_CONNECTION: u64 = 24 << 10;
/// Bytes of input that wait for an answer: one read of the driver.
const PENDING_INPUT: u64 = 64 << 10;
/// Bytes that a frame takes beside its payload: its slot in a ring that has grown by doubling, and its reference count.
const PER_FRAME: u64 = 256;
/// Bytes of a name: 511 of its own, twice, with what is known of the stream and of its past, eight publishers that contend for it,
/// and players on 64 workers.
const PER_NAME: u64 = 4 << 10;
/// Bytes that a worker holds whoever is there: the buffer pool of outputs, what its driver reads into (2 MiB), and what it
/// remembers of peers that have left: 4,096 grace times, 1,024 bans and 256 refusals with their names, four tables of 4,096
/// shares of addresses, and 1 MiB of events on their way to readers.
const PER_WORKER: u64 = 9 << 20;

impl Config {
    /// The most that a worker holds, in bytes, with so many connections and streams, if all peers do their worst. A stream
    /// that has players on another worker counts on both, and on that for 5 s after the last of them: up to 256 such streams. One
    /// whose name is known to another worker counts on both as well.
    ///
    /// ```text
    ///   9 MiB
    /// + connections × (24 KiB + 64 KiB of unread input + max_buffered_bytes + max_output + max_message_len)
    /// + streams     × (gop_max_bytes + lag_max_bytes + max_message_len
    ///                  + (gop_max_frames + lag_max_frames) × 256 bytes + 32 headers × 256 KiB + 4 KiB for its name)
    /// + if connections are recorded: max_bytes + 18 × 2 × max_bytes_per_connection
    /// ```
    #[must_use]
    pub const fn max_memory(&self, connections: u64, streams: u64) -> u64 {
        let (limits, channel) = (&self.limits, &self.channel);
        let message = limits.max_message_len as u64;
        let connection = (PER_CONNECTION + PENDING_INPUT + message)
            .saturating_add(limits.max_buffered_bytes as u64)
            .saturating_add(limits.max_output as u64);
        let headers = (MAX_HEADERS * MAX_HEADER_LEN) as u64;
        let stream = (headers + message + PER_NAME)
            .saturating_add(channel.max_bytes() as u64)
            .saturating_add((channel.max_frames() as u64).saturating_mul(PER_FRAME));
        let recordings = match &self.record {
            Some(record) => record.max_memory(),
            None => 0,
        };
        PER_WORKER
            .saturating_add(recordings)
            .saturating_add(connections.saturating_mul(connection))
            .saturating_add(streams.saturating_mul(stream))
    }
}

/// Which publisher wins when a name is published that has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Takeover {
    /// The present one, if it is heard: its socket is read while the newcomer waits, for about a second at most. If it has been
    /// silent for [`Takeover::SILENCE_SAME_ADDRESS`], or [`Takeover::SILENCE`] if the newcomer comes from another address,
    /// it is replaced: an encoder has come back before its old connection is known to be dead.
    #[default]
    Auto,
    /// The newcomer, with its first frame.
    Always,
    /// The present one, once it has sent a frame: the newcomer is refused.
    Never,
}

impl Takeover {
    /// The silence after which a publisher may be replaced by one from its own address. 1 s: any encoder that is alive
    /// sends something, and one that comes back does not wait long.
    pub const SILENCE_SAME_ADDRESS: Duration = Duration::from_secs(1);

    /// The silence after which a publisher may be replaced by anybody. 5 s: no encoder that is alive pauses for so long.
    pub const SILENCE: Duration = Duration::from_secs(5);
}

/// What an HTTP player gets whose stream is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HttpAbsent {
    /// 404 at once, with `Retry-After`, unless it asks to wait.
    #[default]
    NotFound,
    /// It waits so long, then gets 404.
    Wait(Duration),
}

impl Default for Config {
    fn default() -> Self {
        Config {
            limits: Limits::default(),
            channel: ChannelConfig::default(),
            grace: Duration::from_secs(10),
            takeover: Takeover::default(),
            keeps_events: false,
            record: None,
            authorize: AuthorizeConfig::default(),
            allowed_origins: Vec::new(),
            http_absent: HttpAbsent::default(),
            http_max_wait: Duration::from_secs(60),
            rtmp_wait: Duration::from_secs(30),
            max_waiting_players: 8_192,
            max_waiting_players_per_stream: 1_000,
            max_waiting_players_per_address: 250,
            max_requests_per_second_per_address: 1_000,
            max_publishes_per_second_per_address: 50,
            max_connections: 65_536,
            max_connections_per_address: usize::MAX,
            max_publishers: 16_384,
            max_streams: 65_536,
            max_roleless_connections: 16_384,
            max_roleless_connections_per_address: 2_048,
            max_refused_connections: 64,
            memory_budget: 1 << 30,
            admin: AdminConfig::default(),
        }
    }
}
