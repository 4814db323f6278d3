//! The whole server, as operators see it.

use super::gather::World;
use super::stream::Kbps;
use crate::server::{Protocol, ServerStats, StreamView};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Which version this is.
#[derive(Debug, Serialize)]
pub(super) struct Versions {
    data: Version,
}

#[derive(Debug, Serialize)]
struct Version {
    major: u32,
    minor: u32,
    revision: u32,
    version: &'static str,
}

/// What there is in all, and what was done.
#[derive(Debug, Serialize)]
pub(super) struct Summary<'a> {
    workers: u16,
    missing_workers: &'a [u16],
    data: Data,
}

#[derive(Debug, Serialize)]
struct Data {
    ok: bool,
    now_ms: u64,
    #[serde(rename = "self")]
    own: Own,
    /// Where what is listened for, operators left out.
    listeners: Vec<Listener>,
    streams: Streams,
    connections: Connections,
    memory: Memory,
    refusals: Refusals,
    slow: Slow,
    relief: Relief,
    anomalies: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize)]
struct Listener {
    protocols: &'static [&'static str],
    ip: String,
    port: u16,
}

#[derive(Debug, Serialize)]
struct Own {
    version: &'static str,
    pid: u32,
    /// Seconds.
    srs_uptime: u64,
}

#[derive(Debug, Serialize)]
struct Streams {
    total: usize,
    published: usize,
    players: usize,
    waiting: usize,
    kbps: Kbps,
}

#[derive(Debug, Serialize)]
struct Connections {
    open: usize,
    accepted: u64,
    failed: u64,
    publishes: u64,
    plays: u64,
}

/// Bytes that the workers hold for their peers, and may hold.
#[derive(Debug, Serialize)]
struct Memory {
    held: usize,
    limit: usize,
}

#[derive(Debug, Serialize)]
struct Refusals {
    connections: u64,
    publishes: u64,
    plays: u64,
    unanswered: u64,
    memory: u64,
}

/// Times that a player came to a step of the ladder for those that are too slow.
#[derive(Debug, Serialize)]
struct Slow {
    disposable: u64,
    inter: u64,
    skips: u64,
    workers: u64,
}

/// What went because memory was short.
#[derive(Debug, Serialize)]
struct Relief {
    unfinished: u64,
    players: u64,
    rings: u64,
    publishers: u64,
}

/// How many connections were ended.
#[derive(Debug, Serialize)]
pub(super) struct Kicked<'a> {
    workers: u16,
    missing_workers: &'a [u16],
    kicked: usize,
}

impl Versions {
    pub(super) fn new() -> Self {
        let mut numbers = VERSION.split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        Versions {
            data: Version {
                major: next(),
                minor: next(),
                revision: next(),
                version: VERSION,
            },
        }
    }
}

impl<'a> Summary<'a> {
    pub(super) fn new(
        world: &World<'_>,
        stats: &ServerStats,
        anomalies: BTreeMap<&'static str, u64>,
        streams: &[StreamView],
        missing: &'a [u16],
    ) -> Self {
        let sum = |what: fn(&StreamView) -> u64| streams.iter().map(what).sum();
        let count = |what: fn(&StreamView) -> usize| streams.iter().map(what).sum();
        Summary {
            workers: world.workers,
            missing_workers: missing,
            data: Data {
                ok: missing.is_empty(),
                now_ms: world.now_ms(),
                own: Own {
                    version: VERSION,
                    pid: world.config.pid,
                    srs_uptime: world.now.as_millis() / 1_000,
                },
                listeners: listeners(world),
                streams: Streams {
                    total: streams.len(),
                    published: count(|it| usize::from(it.publisher.is_some())),
                    players: count(|it| it.players),
                    waiting: count(|it| it.waiting),
                    kbps: Kbps::new(sum(|it| it.figures.bytes_per_second), sum(|it| it.sent_per_second)),
                },
                connections: Connections {
                    open: stats.connections,
                    accepted: stats.accepted,
                    failed: stats.failed,
                    publishes: stats.publishes,
                    plays: stats.plays,
                },
                memory: Memory {
                    held: stats.memory_held,
                    limit: stats.memory_budget,
                },
                refusals: Refusals {
                    connections: stats.refused,
                    publishes: stats.publishes_refused,
                    plays: stats.plays_refused,
                    unanswered: stats.unanswered,
                    memory: stats.relief_refused,
                },
                slow: Slow {
                    disposable: stats.slow_disposable,
                    inter: stats.slow_inter,
                    skips: stats.slow_skips,
                    workers: stats.shards_behind,
                },
                relief: Relief {
                    unfinished: stats.relief_unfinished,
                    players: stats.relief_players,
                    rings: stats.relief_rings,
                    publishers: stats.relief_publishers,
                },
                anomalies,
            },
        }
    }
}

fn listeners(world: &World<'_>) -> Vec<Listener> {
    let all = world.config.listeners.iter();
    all.map(|(protocol, address)| Listener {
        protocols: match protocol {
            Protocol::Rtmp => &["rtmp"],
            Protocol::Http => &["http"],
            Protocol::Media => &["rtmp", "http"],
            Protocol::Admin => &[],
        },
        ip: address.ip().to_string(),
        port: address.port(),
    })
    .filter(|listener| !listener.protocols.is_empty())
    .collect()
}

impl<'a> Kicked<'a> {
    pub(super) const fn new(world: &World<'_>, kicked: usize, missing: &'a [u16]) -> Self {
        Kicked {
            workers: world.workers,
            missing_workers: missing,
            kicked,
        }
    }
}
