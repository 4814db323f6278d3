//! Counters.

use core::ops::AddAssign;

/// What a server has done since it began, and what there is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ServerStats {
    /// Connections there are.
    pub connections: usize,
    /// Connections of the whole process, as the first worker counts them for all; 0 on the others.
    pub counted: usize,
    /// Those among them that neither publish nor play, nor want to.
    pub roleless: usize,
    /// Streams that have a publisher or players here.
    pub streams: usize,
    /// Streams that had players here up to 5 s ago, and that another worker still sends.
    pub idle_replicas: usize,
    /// Names that this worker is the home of, which have a publisher, players or a grace time on any worker. So over all
    /// workers each counts once.
    pub names: usize,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections that were one too many and told so: newcomers, and those that neither published nor played.
    pub refused: u64,
    /// Connections that broke the protocol, fell silent or took nothing.
    pub failed: u64,
    /// Anomalies.
    pub anomalies: u64,
    /// Publishes begun.
    pub publishes: u64,
    /// Publishes refused because the name was taken, and pushes that ended before they had one.
    pub publishes_refused: u64,
    /// Plays begun.
    pub plays: u64,
    /// Plays refused because there was no such stream.
    pub plays_refused: u64,
    /// Questions that were not answered in time.
    pub unanswered: u64,
    /// Times that another worker got so far behind a stream of ours that frames were kept from it.
    pub shards_behind: u64,
    /// Times that a slow player began to miss disposable frames.
    pub slow_disposable: u64,
    /// Times that a slow player began to miss all pictures but keyframes.
    pub slow_inter: u64,
    /// Times that a slow player skipped to the newest keyframe.
    pub slow_skips: u64,
    /// Bytes that are held now: see [`Config::memory_budget`](super::Config::memory_budget).
    pub memory_held: usize,
    /// Those among them that are frames on their way to other workers.
    pub memory_under_way: usize,
    /// Bytes that may be held.
    pub memory_budget: usize,
    /// Connections that were ended because they held much, in messages without an end above all, when the memory budget was used
    /// up: those that published nothing, and publishers that had for five seconds.
    pub relief_unfinished: u64,
    /// Players that did not keep up and were ended for that reason.
    pub relief_players: u64,
    /// Streams whose ring was cut down for it: players that were behind skipped, those that join wait for a keyframe. Also copies of
    /// streams from other workers that nobody played and that were let go.
    pub relief_rings: u64,
    /// Publishes and plays that were refused for it.
    pub relief_refused: u64,
    /// Publishers that were ended for it.
    pub relief_publishers: u64,
}

/// Adds up what several workers count. A stream counts once on each worker that has its publisher or a player of it.
impl AddAssign for ServerStats {
    fn add_assign(&mut self, other: ServerStats) {
        let ServerStats {
            connections,
            counted,
            roleless,
            streams,
            idle_replicas,
            names,
            accepted,
            refused,
            failed,
            anomalies,
            publishes,
            publishes_refused,
            plays,
            plays_refused,
            unanswered,
            shards_behind,
            slow_disposable,
            slow_inter,
            slow_skips,
            memory_held,
            memory_under_way,
            memory_budget,
            relief_unfinished,
            relief_players,
            relief_rings,
            relief_refused,
            relief_publishers,
        } = other;
        self.connections += connections;
        self.counted += counted;
        self.roleless += roleless;
        self.streams += streams;
        self.idle_replicas += idle_replicas;
        self.names += names;
        self.accepted += accepted;
        self.refused += refused;
        self.failed += failed;
        self.anomalies += anomalies;
        self.publishes += publishes;
        self.publishes_refused += publishes_refused;
        self.plays += plays;
        self.plays_refused += plays_refused;
        self.unanswered += unanswered;
        self.shards_behind += shards_behind;
        self.slow_disposable += slow_disposable;
        self.slow_inter += slow_inter;
        self.slow_skips += slow_skips;
        self.memory_held += memory_held;
        self.memory_under_way += memory_under_way;
        self.memory_budget = self.memory_budget.saturating_add(memory_budget);
        self.relief_unfinished += relief_unfinished;
        self.relief_players += relief_players;
        self.relief_rings += relief_rings;
        self.relief_refused += relief_refused;
        self.relief_publishers += relief_publishers;
    }
}
