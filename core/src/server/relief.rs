//! Relief: what goes first when the memory budget is used up.
//!
//! Above [`Config::memory_budget`](super::Config::memory_budget) a ladder is climbed, rung by rung, until an eighth of the
//! budget is free again. Those that are the least use to others go first, good players and publishers last:
//!
//! | rung | what goes, the largest first |
//! |---|---|
//! | idle | [replicas](super::idle) that nobody plays |
//! | unfinished | connections that hold messages without an end or the like: those that publish nothing, and publishers that have held much for some seconds; of all addresses the one that holds the most so first |
//! | slow players | players whose output has not been drained for a second, by what waits there and for how long |
//! | rings | GOP caches of streams that nobody watches, frames for players that lag, then the other GOP caches |
//! | newcomers | are refused from then on, until an eighth of the budget is free |
//! | publishers | if there still is more than the budget: players whose output is full, then the publisher that holds the most, or all frames of a stream from another worker, or of the program's own, that holds more |
//!
//! A decision costs O(connections log connections). The next comes when the sum is above the budget again, but not within
//! [`REVIEW`], unless the sum grows by a 16th of the budget meanwhile. As long as newcomers are refused, all that goes before
//! them is looked at again every [`LASTING`].

use super::address::Address;
use super::connection::{Activity, Connection, Phase};
use super::metrics::Closing;
use super::refusal::Refusal;
use super::{ConnectionId, Event, Server};
use crate::hub::ChannelId;
use crate::{EndCause, Time};
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::mem;
use core::time::Duration;
use tracing::{info, warn};

/// Where the decisions about the memory budget stand.
#[derive(Debug, Default)]
pub(super) struct Relief {
    /// Whether newcomers are refused.
    is_short: bool,
    /// Before that nothing is decided again, unless there are more bytes than that.
    next: Time,
    grown: usize,
    /// When to look again if nothing comes in before: there still is more than the budget.
    review: Option<Time>,
    /// When to make room again, as newcomers are refused.
    again: Option<Time>,
}

#[derive(Debug, Clone, Copy)]
enum Rung {
    Unfinished,
    SlowPlayers,
    Rings,
    Newcomers,
    Publishers,
}

/// Time between two decisions. 100 ms: what was decided has had its effect by then.
const REVIEW: Duration = Duration::from_millis(100);

/// Bytes that a connection may own without being one of those that own much. 8 KiB: several times what a player or a
/// conversation before it needs.
const MODEST: u32 = 8 << 10;

/// Bytes that a publisher may own for as long as it likes. 128 KiB: what is [reserved](crate::rtmp::chunk::ChunkDecoder) at first
/// for a picture, and sound beside it. Of a longer picture it holds more only until that is complete.
pub(super) const MUCH: u32 = 128 << 10;

/// For how long a publisher may own more than [`MUCH`], and newcomers are refused before those are looked for again that are less
/// use. 5 s: a picture that takes longer comes at less than 210 kbit/s, so that nobody can watch its stream; an encoder that
/// recovers from a lost packet or a change of its network is back by then.
const LASTING: Duration = Duration::from_secs(5);

/// For how long the output of a player that keeps up may wait to be drained, when memory is short. 1 s: a player that joins by
/// a fast connection has had its GOP by then.
const DRAINED_WITHIN: Duration = Duration::from_secs(1);

/// What stays in the ring of a stream that has players. 2 s: twice the longest merging delay, so that players at the live edge
/// lose nothing.
const KEPT: Duration = Duration::from_secs(2);

/// Bytes of a ring for which it is not worth being cut down.
const SMALL_RING: usize = 64 << 10;

impl Relief {
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.review.into_iter().chain(self.again).min()
    }
}

impl Server {
    /// Makes room if more is held than may be. Returns whether connections were touched by it. The usual answer, that there
    /// is nothing to do, costs some dozen instructions.
    pub(super) fn relieve(&mut self, now: Time) -> bool {
        let held = self.memory_held();
        if held <= self.config.memory_budget && self.relief.poll_timeout().is_none() {
            return false;
        }
        self.review_memory(now);
        self.connections.has_touched()
    }

    #[cold]
    fn review_memory(&mut self, now: Time) {
        if self.relief.again.is_some_and(|due| due <= now) {
            self.make_room(now);
        }
        self.note_room();
        let (held, budget) = (self.memory_held(), self.config.memory_budget);
        if held > budget && (self.relief.next <= now || self.relief.grown <= held) {
            self.climb(now);
            let held = self.memory_held();
            self.relief.next = now + REVIEW;
            self.relief.grown = held.saturating_add(budget / 16);
        }
        let due = self.relief.review.filter(|due| *due > now).unwrap_or(now + REVIEW);
        self.relief.review = (self.memory_held() > budget).then_some(due);
    }

    /// Takes newcomers again if there is room.
    fn note_room(&mut self) {
        if self.relief.is_short && self.has_room() {
            (self.relief.is_short, self.relief.again) = (false, None);
            let (held, budget) = (self.memory_held(), self.config.memory_budget);
            info!(held, budget, "there is enough memory again");
        }
    }

    /// Whether a request to publish or play is refused for want of memory: not while others can go that are less use.
    pub(super) fn is_short_of_memory(&mut self, now: Time) -> bool {
        self.note_room();
        if !self.relief.is_short && !self.has_room() && self.relief.next <= now {
            self.make_room(now);
            self.relief.next = now + REVIEW;
        }
        if self.relief.is_short {
            self.stats.relief_refused += 1;
            self.note_rung(now, Rung::Newcomers, 1);
        }
        self.relief.is_short
    }

    /// What may be held when relief has done its work.
    fn memory_target(&self) -> usize {
        self.config.memory_budget / 8 * 7
    }

    fn has_room(&self) -> bool {
        self.memory_held() <= self.memory_target()
    }

    fn climb(&mut self, now: Time) {
        self.make_room(now);
        // What other workers have not taken in is not the fault of anybody here.
        let own = |server: &Server| server.memory_held().saturating_sub(server.memory.under_way());
        if self.relief.is_short && own(self) > self.config.memory_budget {
            self.end_slow_players(now, Duration::ZERO, self.config.limits.output_high_water);
        }
        if self.relief.is_short && own(self) > self.config.memory_budget {
            self.end_largest_stream(now);
        }
    }

    /// All rungs but the last.
    fn make_room(&mut self, now: Time) {
        self.drop_idle_replicas(now);
        if self.has_room() {
            return;
        }
        self.end_unfinished(now);
        if self.has_room() {
            return;
        }
        self.end_slow_players(now, DRAINED_WITHIN, 1);
        if self.has_room() {
            return;
        }
        self.cut_rings(now);
        if self.has_room() {
            return;
        }
        self.relief.again = Some(now + LASTING);
        if !mem::replace(&mut self.relief.is_short, true) {
            self.note_rung(now, Rung::Newcomers, 0);
        }
    }

    /// Lets go of what nobody plays and another worker has.
    fn drop_idle_replicas(&mut self, now: Time) {
        let dropped = self.expire_idle(Time::NEVER) as u64;
        self.stats.relief_rings += dropped;
        self.note_rung(now, Rung::Rings, dropped);
    }

    /// Ends connections that own much and bring nothing: they publish nothing, or what they have under way does not come to an
    /// end. Of the address whose connections own the most so first, the largest first.
    fn end_unfinished(&mut self, now: Time) {
        let is_unfinished = |id, it: &Connection| match it.is_publishing() {
            true => self.memory.large_since(id).is_some_and(|it| now.since(it) >= LASTING),
            false => it.counted > MODEST,
        };
        let those = self
            .connections
            .iter()
            .filter(|(id, it)| it.is_of_a_peer() && is_unfinished(*id, it));
        let mut those: Vec<_> = those
            .map(|(id, it)| (0, Address::from(it.peer), it.counted, id))
            .collect();
        let mut of_address = BTreeMap::new();
        for (_, address, counted, _) in &those {
            *of_address.entry(*address).or_default() += u64::from(*counted);
        }
        for (of_all, address, ..) in &mut those {
            *of_all = of_address.get(address).copied().unwrap_or_default();
        }
        those.sort_unstable_by_key(|it| Reverse(*it));
        let mut ended = 0;
        for (.., id) in those {
            if self.has_room() {
                break;
            }
            ended += u64::from(self.end_for_memory(now, id));
        }
        self.stats.relief_unfinished += ended;
        self.note_rung(now, Rung::Unfinished, ended);
    }

    /// Ends players whose output has not been drained for so long, and holds so much, as long as that outputs hold much is what
    /// is wrong.
    fn end_slow_players(&mut self, now: Time, drained_within: Duration, least: usize) {
        let is_slow = |it: &Connection| it.output_memory() >= least && now.since(it.drained()) >= drained_within;
        let those = self.connections.iter().filter(|(_, it)| it.may_go() && is_slow(it));
        let weight = |it: &Connection| {
            let waited = now.since(it.drained()).as_millis().saturating_add(1);
            waited.saturating_mul(it.output_memory() as u128)
        };
        let mut those: Vec<_> = those.map(|(id, it)| (Reverse(weight(it)), id)).collect();
        those.sort_unstable();
        let mut ended = 0;
        for (_, id) in those {
            let in_outputs = self.memory.outlived() + self.buffer_pool.used_memory();
            if self.has_room() || in_outputs <= self.config.memory_budget / 16 {
                break;
            }
            ended += u64::from(self.cut_off_for_memory(now, id));
        }
        self.stats.relief_players += ended;
        self.note_rung(now, Rung::SlowPlayers, ended);
    }

    /// Cuts rings down, the largest first: of streams that nobody watches, then what only players need that lag, then the GOP
    /// caches of the others. What is on its way to other workers gets no more where these are late.
    fn cut_rings(&mut self, now: Time) {
        let mut cut = 0;
        for keeps_gop in [true, false] {
            let those = self.streams.ids().filter_map(|id| Some((id, self.streams.get(id)?)));
            let those = those.filter(|(_, it)| it.counted.total() > SMALL_RING && (keeps_gop || it.is_watched()));
            let mut those: Vec<_> = those
                .map(|(id, it)| (it.is_watched(), Reverse(it.counted.total()), id))
                .collect();
            those.sort_unstable();
            for (is_watched, _, id) in those {
                if self.has_room() {
                    break;
                }
                cut += u64::from(self.cut_ring(id, is_watched.then_some(KEPT), keeps_gop && is_watched));
            }
        }
        self.stats.relief_rings += cut;
        self.note_rung(now, Rung::Rings, cut);
    }

    /// Whether anything of the ring could go.
    fn cut_ring(&mut self, channel: ChannelId, keep: Option<Duration>, keeps_gop: bool) -> bool {
        let Some(stream) = self.streams.get_mut(channel) else {
            return false;
        };
        if let Some(publisher) = &mut stream.publisher {
            publisher.replicas.hold_back();
        }
        let is_cut = stream.channel.cut(keep, keeps_gop);
        self.count_stream(channel);
        is_cut
    }

    /// Ends the publisher that holds the most, in its stream and of its own. If what holds the most is a stream that is published on
    /// another worker, or by the program, nothing of that stream is kept: its players go on at the next keyframe.
    fn end_largest_stream(&mut self, now: Time) {
        let weight = |channel: ChannelId| {
            let stream = self.streams.get(channel)?;
            let held = stream.counted.total();
            let id = stream.publisher.as_ref().map(|publisher| publisher.connection);
            let publisher = id.and_then(|id| self.connections.get(id));
            match publisher.filter(|it| !it.protocol.is_local()) {
                Some(publisher) => Some((held + publisher.counted as usize, channel, id)),
                None => (held > SMALL_RING).then_some((held, channel, None)),
            }
        };
        let (channel, publisher) = match self.streams.ids().filter_map(weight).max() {
            Some((_, channel, publisher)) => (channel, publisher),
            None => return,
        };
        let Some(id) = publisher else {
            let cut = u64::from(self.cut_ring(channel, None, false));
            self.stats.relief_rings += cut;
            self.note_rung(now, Rung::Rings, cut);
            return;
        };
        let channels: Vec<_> = self.connections.get(id).into_iter().flat_map(|it| &it.roles).collect();
        let channels: Vec<_> = channels.into_iter().map(|role| role.channel).collect();
        if self.end_for_memory(now, id) {
            self.stats.relief_publishers += 1;
            self.note_rung(now, Rung::Publishers, 1);
        }
        for channel in channels {
            self.cut_ring(channel, Some(KEPT), false);
        }
    }

    /// Ends what a connection does, and tells its peer why. Returns whether it was not ending already.
    fn end_for_memory(&mut self, now: Time, id: ConnectionId) -> bool {
        self.note_ended_for_memory(now, id);
        let is_news = self.dismiss(now, id, Refusal::OutOfMemory, EndCause::OutOfMemory);
        if let Some(connection) = self.connections.get_mut(id) {
            connection.pending_input = Vec::new();
            connection.protocol.discard_input();
            self.count_connection(id);
        }
        is_news
    }

    /// The same where the output is what holds the memory: there is no telling behind that.
    fn cut_off_for_memory(&mut self, now: Time, id: ConnectionId) -> bool {
        self.note_ended_for_memory(now, id);
        self.end_roles(id, EndCause::OutOfMemory);
        self.drop_connection(id, Closing::OutOfMemory);
        let Some(connection) = self.connections.get_mut(id) else {
            return false;
        };
        connection.pending_input = Vec::new();
        connection.protocol.discard_input();
        let output = connection.protocol.output();
        output.clear();
        self.buffer_pool.release(output);
        self.count_connection(id);
        true
    }

    fn note_ended_for_memory(&mut self, now: Time, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if !mem::replace(&mut connection.has_failed, true) {
            self.tally
                .close(connection.protocol.kind(), Closing::OutOfMemory.label());
            let event = Event::Failed {
                peer: connection.peer(id),
                reason: Refusal::OutOfMemory.reason().to_string().into(),
            };
            self.stats.failed += 1;
            self.report(now, event);
        }
    }

    /// Says that a rung was reached, now and then, with how often.
    fn note_rung(&mut self, now: Time, rung: Rung, count: u64) {
        let is_begin = matches!(rung, Rung::Newcomers) && count == 0;
        if count == 0 && !is_begin {
            return;
        }
        let Some(times) = self.journal.relief.get_mut(rung as usize).and_then(|it| it.note(now)) else {
            return;
        };
        let (held, budget) = (self.memory_held(), self.config.memory_budget);
        let what = match rung {
            Rung::Unfinished => "connections that hold unfinished messages were ended",
            Rung::SlowPlayers => "players that do not keep up were ended",
            Rung::Rings => "streams keep less for players that join or lag",
            Rung::Newcomers => "publishers and players are refused",
            Rung::Publishers => "the largest publisher was ended",
        };
        warn!(held, budget, count, times, "memory is short: {what}");
    }
}

impl Connection {
    /// When its output was last filled that had been drained, or when it came.
    fn drained(&self) -> Time {
        let drained = self.roles.iter().filter_map(|role| match role.activity {
            Activity::Playing { drained, .. } => Some(drained),
            _ => None,
        });
        drained.min().unwrap_or(self.since)
    }

    /// Whether it may be ended before any publisher: it is none, and no connection of the program's own.
    fn may_go(&self) -> bool {
        self.is_of_a_peer() && !self.is_publishing()
    }

    /// Whether it is there, and no connection of the program's own.
    fn is_of_a_peer(&self) -> bool {
        self.phase != Phase::Closed && !self.protocol.is_local()
    }
}
