//! What worlds have gone through, told by what the server itself reports: its events, its counters, and its messages to other
//! workers. So nothing in the server is there for the tests, and a mark is missing also if nobody would be told of it.

use headwater_core::Timer;
use headwater_core::server::{Event, ServerStats, ShardMessage, Transport};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Marks, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks(BTreeSet<String>);

/// All that the seeds which run by default have to go through: the words that the server has for its reasons, its timers and its
/// messages, each of which has one, and what is named here.
static ALL: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let reasons = Event::reasons().map(|reason| format!("reason {reason}"));
    let timers = Timer::NAMES.iter().map(|timer| format!("timer {timer}"));
    let messages = ShardMessage::kinds().map(|kind| format!("message {kind}"));
    let named = NAMED.iter().map(|mark| (*mark).to_owned());
    let all = reasons.chain(timers).chain(messages).chain(named);
    all.filter(|mark| EXCEPTIONS.iter().all(|(exception, _)| exception != mark))
        .collect()
});

/// Marks that no seed has to go through, and why.
const EXCEPTIONS: &[(&str, &str)] = &[(
    "timer ping",
    "nothing ends by it: it is when a player is asked for a sign",
)];

const NAMED: &[&str] = &[
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
    // What is refused or ended for reasons that are not the server's own.
    "reason authorization is not available",
    "reason no",
    "failed: more than 100 requests in a second",
    "closed: connection reset",
    // What comes of time, beside the timers.
    "half-closed timeout",
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
        if !self.0.contains(mark) && ALL.contains(mark) {
            self.0.insert(mark.to_owned());
        }
    }

    pub fn extend(&mut self, other: Marks) {
        self.0.extend(other.0);
    }

    /// Those that are to be there and are not.
    pub fn missing(&self) -> Vec<&'static str> {
        let missing = ALL.iter().filter(|mark| !self.0.contains(*mark));
        missing.map(String::as_str).collect()
    }

    /// The server says why it refuses or ends something, or why somebody failed.
    fn note_reason(&mut self, reason: &str) {
        self.add(&format!("reason {reason}"));
        self.add(&format!("failed: {reason}"));
        if let Some(timer) = reason.strip_suffix(" timeout") {
            self.add(&format!("timer {timer}"));
        }
    }

    pub fn note_event(&mut self, event: &Event) {
        match event {
            Event::PlayLags { step, limit, .. } => self.add(&format!("lag {step:?} {limit:?}")),
            Event::PublishRefused { reason, .. } | Event::PlayRefused { reason, .. } | Event::Failed { reason, .. } => {
                self.note_reason(reason);
            }
            Event::Disconnected { reason, peer } => self.note_end(reason, peer.protocol),
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

    /// What an RTMP client is told, as [`ClientEvent`](headwater_core::rtmp::ClientEvent) prints: not all that is refused or ended
    /// is an event.
    pub fn note_told(&mut self, text: &str) {
        let quoted = text.split('"').skip(1).step_by(2);
        quoted.for_each(|reason| self.note_reason(reason));
    }

    /// A connection is closed.
    fn note_end(&mut self, reason: &str, protocol: Transport) {
        self.add(&format!("closed: {reason}"));
        match (reason, protocol) {
            ("did not take its final reply", _) => self.add("timer close"),
            ("too many connections", Transport::Admin) => self.add("reason too many connections of operators"),
            _ => {}
        }
    }

    /// A half-closed connection that took nothing is closed.
    pub fn note_half_closed_timeout(&mut self) {
        self.add("half-closed timeout");
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

    pub fn note_message(&mut self, message: &ShardMessage) {
        self.add(&format!("message {}", message.kind()));
    }
}
