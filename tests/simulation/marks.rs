//! What worlds have gone through, told by what the server itself reports: its events, its counters, and its messages to other
//! workers. So nothing in the server is there for the tests, and a mark is missing also if nobody would be told of it.

use headwater_core::server::{Event, ServerStats, ShardMessage};
use std::collections::BTreeSet;
use std::fmt::{self, Write};

/// Marks, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks(BTreeSet<&'static str>);

/// All that the seeds which run by default have to go through.
const ALL: &[&str] = &[
    // Each rung of the ladder for slow players, by each bound.
    "lag Disposable Age",
    "lag Disposable Bytes",
    "lag Disposable Frames",
    "lag Inter Age",
    "lag Inter Bytes",
    "lag Inter Frames",
    "lag ToKeyframe Age",
    "lag ToKeyframe Bytes",
    "lag ToKeyframe Frames",
    "lag ToKeyframe Memory",
    // Each rung of the ladder for memory.
    "relief unfinished",
    "relief players",
    "relief rings",
    "relief refused",
    "relief publishers",
    // Each reason to refuse or to end.
    "refused: an operator has closed the stream for a while",
    "refused: authorization is not available",
    "refused: no",
    "refused: no such stream",
    "refused: the stream has a publisher",
    "refused: too many publishes began there of late",
    "refused: too many publishers wait for the stream",
    "refused: too many players wait for the stream",
    "refused: too many publishers",
    "refused: too many streams",
    "refused: the server is short of memory",
    "told: too many connections",
    "told: too many connections from one address",
    "told: too many connections that neither publish nor play",
    "told: the server is shutting down",
    "failed: the sequence headers change all the time",
    "failed: more than 100 requests in a second",
    "closed: connection reset",
    // Each timer.
    "failed: command timeout",
    "failed: handshake timeout",
    "failed: idle timeout",
    "failed: stall timeout",
    "silent publisher",
    "stream ended",
    "play waits",
    "publish ended: idle timeout",
    "play ended: stall timeout",
    "play ended: no such stream",
    // Each other way to end.
    "publish ended: closed",
    "publish ended: end of input",
    "publish ended: kicked",
    "publish ended: permission ended",
    "publish ended: protocol error",
    "publish ended: replaced",
    "publish ended: requested",
    "publish ended: the server is short of memory",
    "play ended: closed",
    "play ended: end of input",
    "play ended: kicked",
    "play ended: other kinds of media or another codec",
    "play ended: permission ended",
    "play ended: protocol error",
    "play ended: the server is short of memory",
    "play ended: unpublished",
    // What a takeover comes to.
    "replaced at once",
    "replaced after a silence",
    "message Contest",
    "message Contested",
    "message Denied",
    "message Admitted",
    // What becomes of a replica.
    "message Claim",
    "message Granted",
    "message Release",
    "message Subscribe",
    "message Unsubscribe",
    "message Located",
    "message AddSubscriber",
    "message RemoveSubscriber",
    "message Snapshot",
    "message Frames",
    "message Ended",
    "message Ban",
    // What is only counted.
    "anomalies",
    "unanswered",
    "answered in vain",
    "timestamps raised",
    "timestamps jumped",
    "gop too large",
    "worker behind",
];

impl Marks {
    /// Adds a mark, if it is one of all.
    fn add(&mut self, mark: &str) {
        self.0.extend(ALL.iter().find(|known| **known == mark));
    }

    pub fn extend(&mut self, other: Marks) {
        self.0.extend(other.0);
    }

    /// Those that are to be there and are not.
    pub fn missing(&self) -> Vec<&'static str> {
        ALL.iter().copied().filter(|mark| !self.0.contains(mark)).collect()
    }

    pub fn note_event(&mut self, event: &Event) {
        match event {
            Event::PlayLags { step, limit, .. } => self.add(&format!("lag {step:?} {limit:?}")),
            Event::PublishRefused { reason, .. } | Event::PlayRefused { reason, .. } => {
                self.add(&format!("refused: {reason}"));
            }
            Event::Failed { reason, .. } => self.add(&format!("failed: {reason}")),
            Event::Disconnected { reason, .. } => self.add(&format!("closed: {reason}")),
            Event::PublishEnded { cause, totals, .. } => {
                self.add(&format!("publish ended: {cause}"));
                for (mark, count) in [
                    ("timestamps raised", totals.raised),
                    ("timestamps jumped", totals.jumps),
                ] {
                    if count > 0 {
                        self.add(mark);
                    }
                }
            }
            Event::PlayEnded { cause, .. } => self.add(&format!("play ended: {cause}")),
            Event::PublisherReplaced { silent, .. } => self.add(match silent.as_millis() {
                0..1_000 => "replaced at once",
                _ => "replaced after a silence",
            }),
            Event::PublisherSilent { .. } => self.add("silent publisher"),
            Event::StreamEnded { .. } => self.add("stream ended"),
            Event::PlayWaits { .. } => self.add("play waits"),
            Event::GopTooLarge { .. } => self.add("gop too large"),
            _ => {}
        }
    }

    /// What an RTMP client is refused with, as [`ClientEvent`](headwater_core::rtmp::ClientEvent) prints: not all refusals are events.
    pub fn note_told(&mut self, text: &str) {
        let quoted = text.split('"').skip(1).step_by(2);
        if text.starts_with("Refused")
            && let Some(reason) = quoted.last()
        {
            self.add(&format!("told: {reason}"));
        }
    }

    /// An answer came when it meant nothing any more.
    pub fn note_stale_answer(&mut self) {
        self.add("answered in vain");
    }

    pub fn note_stats(&mut self, stats: &ServerStats) {
        for (mark, count) in [
            ("anomalies", stats.anomalies),
            ("unanswered", stats.unanswered),
            ("worker behind", stats.shards_behind),
            ("relief unfinished", stats.relief_unfinished),
            ("relief players", stats.relief_players),
            ("relief rings", stats.relief_rings),
            ("relief refused", stats.relief_refused),
            ("relief publishers", stats.relief_publishers),
        ] {
            if count > 0 {
                self.add(mark);
            }
        }
    }

    /// The kind of a message, which only its `Debug` tells.
    pub fn note_message(&mut self, message: &ShardMessage) {
        let mut beginning = Beginning::default();
        // It ends with an error when there is enough of it.
        let _ = write!(beginning, "{message:?}");
        let body = beginning.0.split("body: ").nth(1).unwrap_or_default();
        let kind = body
            .split(|char: char| !char.is_alphanumeric())
            .next()
            .unwrap_or_default();
        self.add(&format!("message {kind}"));
    }
}

/// The first bytes of a long text.
#[derive(Debug, Default)]
struct Beginning(String);

impl Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(text);
        if self.0.len() < 60 { Ok(()) } else { Err(fmt::Error) }
    }
}
