//! What monitoring systems take from a server.
//!
//! The names, units and labels stay. Labels have few values: what a peer could make up is at most the name of a stream, of which
//! [`AdminConfig::metrics_streams`](super::AdminConfig::metrics_streams) are named.

mod exposition;
mod process;
mod streams;

pub(super) use exposition::Format;
pub use process::ProcessFigures;

use super::gather::World;
use crate::StreamKey;
use crate::http::{Response, StatusCode};
use crate::server::metrics::{Census, ROLES, Sight, StreamCounts, Tally};
use crate::server::shard::ShardId;
use crate::server::{ServerStats, StreamView, Transport};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use exposition::{Exposition, Kind};

/// What all workers know, added up.
#[derive(Debug)]
pub(super) struct Metrics<'a> {
    world: &'a World<'a>,
    stats: ServerStats,
    anomalies: BTreeMap<&'static str, u64>,
    views: Vec<StreamView>,
    tally: Tally,
    census: Census,
    /// What each of the named streams has come to.
    counts: BTreeMap<StreamKey, StreamCounts>,
    /// What all others ever have.
    unnamed: StreamCounts,
    named: &'a BTreeSet<StreamKey>,
    busy: Vec<(ShardId, Duration)>,
    process: ProcessFigures,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Microseconds in a second.
const MICROS: u32 = 1_000_000;

impl<'a> Metrics<'a> {
    pub(super) fn new(
        world: &'a World<'a>,
        stats: ServerStats,
        anomalies: BTreeMap<&'static str, u64>,
        views: Vec<StreamView>,
        sights: Vec<(ShardId, Sight)>,
        named: &'a BTreeSet<StreamKey>,
        process: ProcessFigures,
    ) -> Self {
        let mut metrics = Metrics {
            world,
            stats,
            anomalies,
            views,
            tally: Tally::default(),
            census: Census::default(),
            counts: BTreeMap::new(),
            unnamed: StreamCounts::default(),
            named,
            busy: Vec::new(),
            process,
        };
        for (shard, sight) in sights {
            metrics.busy.push((shard, sight.tally.busy));
            metrics.tally.add(sight.tally);
            metrics.census.add(sight.census);
            metrics.unnamed.add(&sight.unnamed);
            for (key, counts) in sight.streams {
                metrics.counts.entry(key).or_default().add(&counts);
            }
        }
        metrics.busy.sort();
        metrics
    }

    pub(super) fn response(&self, format: Format) -> Response {
        Response::new(StatusCode::Ok)
            .with_field("Content-Type", format.content_type())
            .with_field("Cache-Control", "no-store")
            .with_body(self.text(format))
    }

    fn text(&self, format: Format) -> String {
        let mut to = Exposition::new(format);
        self.server(&mut to);
        self.connections(&mut to);
        self.refusals(&mut to);
        self.memory(&mut to);
        self.times(&mut to);
        self.process.write(&mut to, self.world.config.epoch);
        if self.world.config.metrics_streams > 0 {
            self.streams(&mut to);
        }
        to.finish()
    }

    fn server(&self, to: &mut Exposition) {
        let labels = [("version", VERSION), ("runtime", &*self.world.config.runtime)];
        to.family(
            "headwater_build_info",
            Kind::Info,
            "The version, and the runtime that it stands on.",
        )
        .sample(&labels, 1);
        to.single(
            "headwater_workers",
            Kind::Gauge,
            "Workers, each of which is one thread.",
            self.world.workers,
        );
        let name = "headwater_worker_busy_seconds_total";
        let mut busy = to.family(
            name,
            Kind::Counter,
            "Time that a worker has not waited. Its rate is a share of a core.",
        );
        for (shard, time) in &self.busy {
            busy.sample(&[("worker", &shard.0.to_string())], time.as_secs_f64());
        }
        let published = self.views.iter().filter(|view| view.publisher.is_some()).count();
        to.single(
            "headwater_streams",
            Kind::Gauge,
            "Streams that are published, played or waited for.",
            self.views.len(),
        );
        to.single(
            "headwater_streams_published",
            Kind::Gauge,
            "Streams that have a publisher.",
            published,
        );
        let waiting: usize = self.views.iter().map(|view| view.waiting).sum();
        to.single(
            "headwater_waiting_players",
            Kind::Gauge,
            "Players that wait for a publisher to come.",
            waiting,
        );
    }

    fn connections(&self, to: &mut Exposition) {
        let mut open = to.family(
            "headwater_connections",
            Kind::Gauge,
            "Connections that are open, by what they speak and do.",
        );
        for transport in Transport::ALL {
            for role in ROLES {
                let count = self.census.connections.get(&(transport, role));
                open.sample(
                    &[("protocol", transport.as_str()), ("role", role)],
                    count.copied().unwrap_or_default(),
                );
            }
        }
        let accepted = self.stats.accepted;
        to.single(
            "headwater_connections_accepted_total",
            Kind::Counter,
            "Connections that were accepted.",
            accepted,
        );
        let endings = [
            (
                "headwater_connections_closed_total",
                "Connections that were closed, and why.",
                &self.tally.closed,
            ),
            (
                "headwater_publishes_ended_total",
                "Publishes that are over, and why.",
                &self.tally.publishes_ended,
            ),
            (
                "headwater_plays_ended_total",
                "Plays that are over, and why.",
                &self.tally.plays_ended,
            ),
        ];
        for (name, help, counts) in endings {
            let mut family = to.family(name, Kind::Counter, help);
            for ((transport, reason), count) in counts {
                family.sample(&[("protocol", transport.as_str()), ("reason", reason)], count);
            }
        }
        to.single(
            "headwater_publishes_total",
            Kind::Counter,
            "Publishes that have begun.",
            self.stats.publishes,
        );
        to.single(
            "headwater_plays_total",
            Kind::Counter,
            "Plays that have begun.",
            self.stats.plays,
        );
        let traffic = [
            (
                "headwater_received_bytes_total",
                "Bytes read from sockets.",
                &self.tally.received,
            ),
            (
                "headwater_sent_bytes_total",
                "Bytes written to sockets.",
                &self.tally.sent,
            ),
        ];
        for (name, help, bytes) in traffic {
            let mut family = to.family(name, Kind::Counter, help);
            for transport in Transport::ALL {
                let bytes = bytes.get(&transport).copied().unwrap_or_default();
                family.sample(&[("protocol", transport.as_str())], bytes);
            }
        }
    }

    fn refusals(&self, to: &mut Exposition) {
        let name = "headwater_refusals_total";
        let mut refused = to.family(name, Kind::Counter, "What was refused, and why.");
        for ((what, reason), count) in &self.tally.refused {
            refused.sample(&[("action", what), ("reason", reason)], count);
        }
        let unanswered = self.stats.unanswered;
        let help = "Questions about peers that were not answered in time.";
        to.single("headwater_questions_unanswered_total", Kind::Counter, help, unanswered);
        let mut anomalies = to.family(
            "headwater_anomalies_total",
            Kind::Counter,
            "What peers did wrong and was read over.",
        );
        for (name, count) in &self.anomalies {
            anomalies.sample(&[("anomaly", name)], count);
        }
    }

    fn memory(&self, to: &mut Exposition) {
        let stats = &self.stats;
        to.single(
            "headwater_queued_bytes",
            Kind::Gauge,
            "Bytes that wait to be written to sockets.",
            self.census.queued,
        );
        to.single(
            "headwater_memory_held_bytes",
            Kind::Gauge,
            "Bytes held for peers.",
            stats.memory_held,
        );
        to.single(
            "headwater_memory_limit_bytes",
            Kind::Gauge,
            "Bytes that may be held for peers.",
            stats.memory_budget,
        );
        let mut relief = to.family(
            "headwater_memory_relief_total",
            Kind::Counter,
            "What went because memory was short.",
        );
        for (what, count) in [
            ("unfinished", stats.relief_unfinished),
            ("players", stats.relief_players),
            ("rings", stats.relief_rings),
            ("newcomers", stats.relief_refused),
            ("publishers", stats.relief_publishers),
        ] {
            relief.sample(&[("what", what)], count);
        }
        let name = "headwater_slow_players_total";
        let mut slow = to.family(
            name,
            Kind::Counter,
            "Times that a slow player came to a step at which it misses frames.",
        );
        for (step, count) in [
            ("disposable", stats.slow_disposable),
            ("inter", stats.slow_inter),
            ("skip", stats.slow_skips),
        ] {
            slow.sample(&[("step", step)], count);
        }
        let help = "Times that a worker got too far behind a stream of another.";
        to.single(
            "headwater_workers_behind_total",
            Kind::Counter,
            help,
            stats.shards_behind,
        );
    }

    fn times(&self, to: &mut Exposition) {
        let tally = &self.tally;
        let help = "From the answer to a request to play to the first frame behind the headers.";
        to.family("headwater_first_frame_seconds", Kind::Histogram, help)
            .histogram(MICROS, &tally.first_frame);
        let help = "From a frame in to the write that it leaves with, of the oldest frame of each write.";
        to.family("headwater_send_delay_seconds", Kind::Histogram, help)
            .histogram(MICROS, &tally.send_delay);
        to.family(
            "headwater_frames_per_write",
            Kind::Histogram,
            "Frames that leave for a player at once.",
        )
        .histogram(1, &tally.frames_per_write);
    }
}
