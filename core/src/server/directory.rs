//! Which streams exist, and where: the home's part of the conversation between shards.

use super::address::Address;
use super::buckets::{Buckets, Rate};
use super::grace::GraceTimes;
use super::holders::Holding;
use super::refusal::{Excess, Refusal};
use super::registrar::Crowding;
use super::shard::{Body, Epoch, Newcomer, ShardId, Subscription, hash_of};
use crate::{StreamKey, Time};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

/// How often one address may be given one name. 20 times: an encoder with a bad network, or one that is being set up. Then
/// once a second: encoders wait that long before they try again. Others count for themselves, so that nobody is kept from a
/// name by those that only begin and end.
const STARTS_PER_NAME: Rate = Rate {
    burst: 20,
    every: Duration::from_secs(1),
};

/// Seconds whose publishes of one address may begin at once. 20: all encoders behind one address come back together when they had
/// lost their network.
const START_BURST: u32 = 20;

/// Newcomers for one name that may wait at once while its publisher is heard. 8: an encoder that comes back, and a few that
/// are set up alike; the next one is refused.
const MAX_CONTENDERS: usize = 8;

/// Those among them from one address. 2: an encoder that has given its first attempt up; others keep it from
/// no place.
const MAX_CONTENDERS_PER_ADDRESS: usize = 2;

/// Publishes that may begin by the place of another before the registrar has heard of them, where there are too many. 64: as
/// many as begin in a moment.
const MAX_UNHEARD: usize = 64;

/// Bytes of an entry without its name: its places in maps whose nodes are two thirds full, and the reference count of the name.
const PER_ENTRY: usize =
    (mem::size_of::<(StreamKey, Entry)>() + mem::size_of::<(Address, Epoch, StreamKey)>()) / 2 * 3 + 16;

/// Bytes of a subscriber: its place in a map.
const PER_SUBSCRIBER: usize = mem::size_of::<(ShardId, u64)>() / 2 * 3;

/// The streams whose home this shard is.
///
/// Takes messages in by [`handle`](Self::handle) and time by [`handle_timeout`](Self::handle_timeout); the answers come
/// out of [`poll`](Self::poll).
#[derive(Debug)]
pub(super) struct Directory {
    grace: Duration,
    entries: BTreeMap<StreamKey, Entry>,
    published: Published,
    /// What the whole process has too much of to have more.
    crowding: Crowding,
    starts: Starts,
    grace_times: GraceTimes,
    outbox: VecDeque<(ShardId, StreamKey, Body)>,
    /// Streams that have ended, and whose they were, for the log.
    ended: VecDeque<(StreamKey, Address)>,
    /// Bytes of the entries and their names.
    memory: usize,
}

/// The streams that have a publisher, or one that may come back. Cost of a change: O(log n).
#[derive(Debug, Default)]
struct Published {
    /// By whose they are, and then by when they began.
    names: BTreeMap<(Address, Epoch), StreamKey>,
    /// What the registrar has not been told.
    changes: Vec<Holding>,
}

/// The names that were given to publishers so far.
#[derive(Debug)]
struct Starts {
    /// The epoch that was given out last, for any stream: what is left of an earlier generation of a name stays behind it.
    epoch: Epoch,
    /// By the hash of the name: an address that makes two names share a bucket shares it with itself.
    by_name: Buckets<(Address, u64)>,
    by_address: Buckets<Address>,
}

#[derive(Debug)]
struct Entry {
    state: State,
    /// The epoch of the present publisher, or of the last one.
    epoch: Epoch,
    /// Their tickets.
    subscribers: BTreeMap<ShardId, u64>,
    /// Publishers that wait while the present one is heard, in the order of arrival.
    contenders: Vec<Claim>,
    /// Publishers that had to leave the name to another.
    takeovers: u64,
    /// Those among them that the present publisher, or an earlier one, was told of.
    told_takeovers: u64,
    /// Shards that have published or played it, or have waited for it: they know what that came to, until nobody has it any more.
    witnesses: Vec<ShardId>,
    /// What it was last counted with.
    counted: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Vacant,
    Live { shard: ShardId, address: Address },
    Grace { until: Time, address: Address },
}

#[derive(Debug, Clone, Copy)]
struct Claim {
    shard: ShardId,
    newcomer: Newcomer,
}

impl Directory {
    /// `starts`: publishes that one address may begin in a second.
    pub(super) fn new(grace: Duration, starts: u32) -> Self {
        Directory {
            grace,
            entries: BTreeMap::new(),
            published: Published::default(),
            crowding: Crowding::default(),
            starts: Starts::new(starts),
            grace_times: GraceTimes::default(),
            outbox: VecDeque::new(),
            ended: VecDeque::new(),
            memory: 0,
        }
    }

    /// How long streams are kept whose publishers leave from now on.
    pub(super) fn set_grace(&mut self, grace: Duration) {
        self.grace = grace;
    }

    /// How many publishes one address may begin in a second from now on.
    pub(super) fn set_starts(&mut self, starts: u32) {
        self.starts.by_address.set_rate(Rate::per_second(starts, START_BURST));
    }

    /// What the whole process has too much of, from now on.
    pub(super) fn set_crowding(&mut self, crowding: Crowding) {
        self.crowding = crowding;
    }

    /// How long ago the publisher of `key` has left, and how long it may still come back, while it may.
    pub(super) fn grace_of(&self, now: Time, key: &StreamKey) -> Option<(Duration, Duration)> {
        match self.entries.get(key)?.state {
            State::Grace { until, .. } => {
                let left = until.since(now);
                Some((self.grace.saturating_sub(left), left))
            }
            State::Vacant | State::Live { .. } => None,
        }
    }

    /// Whether streams have begun or ended of which the registrar has not been told.
    pub(super) fn has_changes(&self) -> bool {
        !self.published.changes.is_empty()
    }

    /// What the registrar is to be told of them.
    pub(super) fn take_changes(&mut self) -> Vec<Holding> {
        mem::take(&mut self.published.changes)
    }

    /// Takes in what shard `from` says about `key`.
    pub(super) fn handle(&mut self, now: Time, from: ShardId, key: &StreamKey, body: &Body) {
        self.take_in(now, from, key, body);
        self.recount(key);
    }

    fn take_in(&mut self, now: Time, from: ShardId, key: &StreamKey, body: &Body) {
        match *body {
            Body::Claim(newcomer) => {
                if let Some(excess) = self.excess(key, newcomer.peer.into()) {
                    let (claim, refusal) = (newcomer.claim, Refusal::Excess(excess));
                    self.outbox
                        .push_back((from, key.clone(), Body::Denied { claim, refusal }));
                    return;
                }
            }
            Body::Subscribe { ticket } if self.crowding.sought && !self.entries.contains_key(key) => {
                self.outbox.push_back((from, key.clone(), Body::NotSought { ticket }));
                return;
            }
            _ => {}
        }
        let published = &mut self.published;
        let entry = self.entries.entry(key.clone()).or_insert_with(Entry::new);
        let starts = &mut self.starts;
        let mut send = |to, body| self.outbox.push_back((to, key.clone(), body));
        match *body {
            Body::Claim(newcomer) if !starts.allow(now, key, newcomer) => {
                let (claim, refusal) = (newcomer.claim, Refusal::TooOften);
                send(from, Body::Denied { claim, refusal });
            }
            Body::Claim(newcomer) => {
                if let State::Grace { until, .. } = entry.state
                    && newcomer.has_media
                {
                    self.grace_times.remove(until, key);
                }
                let claim = Claim { shard: from, newcomer };
                entry.claim(claim, key, published, |newcomer| starts.next(now, key, newcomer), send);
            }
            Body::Contested {
                epoch,
                claim,
                has_yielded,
            } if epoch == entry.epoch => {
                let contenders = &mut entry.contenders;
                if let Some(index) = contenders.iter().position(|it| it.newcomer.claim == claim) {
                    let contender = contenders.remove(index);
                    if !has_yielded {
                        let refusal = Refusal::Taken;
                        send(contender.shard, Body::Denied { claim, refusal });
                    } else if contender.newcomer.has_media {
                        // The `Release` that follows leaves it the name.
                        entry.takeovers += 1;
                        contenders.insert(0, contender);
                    } else {
                        send(contender.shard, Body::Admitted { claim });
                    }
                }
            }
            Body::Release { epoch } if entry.is_published(from, epoch) => {
                let contenders = mem::take(&mut entry.contenders);
                self.release(now, key, contenders);
                return;
            }
            Body::Subscribe { ticket } => {
                entry.subscribers.insert(from, ticket);
                entry.note_witness(from);
                send(
                    from,
                    Body::Located {
                        ticket,
                        is_present: entry.state != State::Vacant,
                    },
                );
                if let State::Live { shard, .. } = entry.state {
                    send(
                        shard,
                        Body::AddSubscriber {
                            epoch: entry.epoch,
                            subscription: Subscription { shard: from, ticket },
                        },
                    );
                }
            }
            Body::Unsubscribe => {
                entry.subscribers.remove(&from);
                if let State::Live { shard, .. } = entry.state {
                    send(
                        shard,
                        Body::RemoveSubscriber {
                            epoch: entry.epoch,
                            shard: from,
                        },
                    );
                }
            }
            _ => {}
        }
        self.forget_idle(key);
    }

    /// Why `address` may not begin to publish `key`, if it may not. A name that is published already, or was just now, is no
    /// more; and where another address has several, it makes room.
    fn excess(&self, key: &StreamKey, address: Address) -> Option<Excess> {
        let entry = self.entries.get(key);
        let has_many = |worst| worst != address && self.published.changes.len() < MAX_UNHEARD;
        if entry.is_some_and(|entry| entry.state != State::Vacant) || self.crowding.worst.is_some_and(has_many) {
            None
        } else if self.crowding.published {
            Some(Excess::Publishers)
        } else if self.crowding.names && entry.is_none() {
            Some(Excess::Streams)
        } else {
            None
        }
    }

    /// Ends the publish that began last of those of `address`, for there are too many: it has no grace time, or no more.
    /// O(log n).
    pub(super) fn revoke_newest(&mut self, address: Address) {
        if let Some((key, epoch)) = self.published.newest_of(address) {
            self.revoke(key, epoch, address);
        }
        self.published.changes.push(Holding::Revoked(address));
    }

    fn revoke(&mut self, key: StreamKey, epoch: Epoch, address: Address) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        match entry.state {
            State::Live { shard, .. } => self.outbox.push_back((shard, key.clone(), Body::Revoke { epoch })),
            State::Grace { until, .. } => {
                self.grace_times.remove(until, &key);
            }
            State::Vacant => {}
        }
        for Claim { shard, newcomer } in mem::take(&mut entry.contenders) {
            let (claim, refusal) = (newcomer.claim, Refusal::Excess(Excess::Publishers));
            self.outbox
                .push_back((shard, key.clone(), Body::Denied { claim, refusal }));
        }
        self.end((key, address));
    }

    /// The publisher of `key` is gone. The first contender with media has the name, and the others contend with it; if none has
    /// any, the publisher may come back.
    fn release(&mut self, now: Time, key: &StreamKey, mut contenders: Vec<Claim>) {
        contenders.sort_by_key(|contender| !contender.newcomer.has_media);
        if contenders.first().is_none_or(|first| !first.newcomer.has_media) {
            self.begin_grace(now, key);
        } else if let Some(entry) = self.entries.get_mut(key) {
            entry.set(key, entry.epoch, State::Vacant, &mut self.published);
        }
        for contender in contenders {
            let entry = self.entries.entry(key.clone()).or_insert_with(Entry::new);
            let send = |to, body| self.outbox.push_back((to, key.clone(), body));
            let published = &mut self.published;
            entry.claim(
                contender,
                key,
                published,
                |newcomer| self.starts.next(now, key, newcomer),
                send,
            );
        }
    }

    /// The publisher of `key` is gone, and may come back.
    fn begin_grace(&mut self, now: Time, key: &StreamKey) {
        let until = now + self.grace;
        if let Some(entry) = self.entries.get_mut(key)
            && let State::Live { address, .. } = entry.state
        {
            let state = State::Grace { until, address };
            entry.set(key, entry.epoch, state, &mut self.published);
            if let Some(early) = self.grace_times.begin(until, key.clone(), address) {
                self.end(early);
            }
        }
        if self.grace.is_zero() {
            self.handle_timeout(now);
        }
    }

    /// Ends the streams whose grace time is over.
    pub(super) fn handle_timeout(&mut self, now: Time) {
        while let Some(over) = self.grace_times.pop_due(now) {
            self.end(over);
        }
    }

    /// Ends a stream whose grace time is over.
    fn end(&mut self, (key, address): (StreamKey, Address)) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        entry.set(&key, entry.epoch, State::Vacant, &mut self.published);
        for &shard in entry.subscribers.keys() {
            self.outbox
                .push_back((shard, key.clone(), Body::Ended { epoch: entry.epoch }));
        }
        self.recount(&key);
        self.forget_idle(&key);
        self.ended.push_back((key, address));
    }

    /// Forgets a name that nobody has any more, or wants.
    fn forget_idle(&mut self, key: &StreamKey) {
        if self.entries.get(key).is_some_and(Entry::is_idle)
            && let Some(entry) = self.entries.remove(key)
        {
            self.memory = self.memory.saturating_sub(entry.counted);
            let told = entry.witnesses.into_iter();
            self.outbox
                .extend(told.map(|shard| (shard, key.clone(), Body::Forgotten)));
        }
    }

    /// Brings the sum up to date with the entry of `key`.
    fn recount(&mut self, key: &StreamKey) {
        if let Some(entry) = self.entries.get_mut(key) {
            let now = entry.memory(key);
            let counted = mem::replace(&mut entry.counted, now);
            self.memory = (self.memory + now).saturating_sub(counted);
        }
    }

    /// Bytes of all names that something is known about, and of what that is.
    pub(super) const fn memory(&self) -> usize {
        self.memory
    }

    /// In tests, the same counted from scratch.
    #[cfg(debug_assertions)]
    pub(super) fn count_memory(&self) -> usize {
        self.entries.iter().map(|(key, entry)| entry.memory(key)).sum()
    }

    /// Names that something is known about.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.grace_times.len() == 0 && self.outbox.is_empty()
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.grace_times.poll_timeout()
    }

    /// The next stream that has ended, and the address of its last publisher.
    pub(super) fn poll_ended(&mut self) -> Option<(StreamKey, Address)> {
        self.ended.pop_front()
    }

    /// The next message to send, and where to.
    pub(super) fn poll(&mut self) -> Option<(ShardId, StreamKey, Body)> {
        self.outbox.pop_front()
    }
}

impl Published {
    /// The stream of `address` that began last.
    fn newest_of(&self, address: Address) -> Option<(StreamKey, Epoch)> {
        let mut own = self.names.range((address, 0)..=(address, Epoch::MAX));
        let ((_, epoch), key) = own.next_back()?;
        Some((key.clone(), *epoch))
    }
}

impl State {
    /// Who publishes it, or may come back.
    const fn address(self) -> Option<Address> {
        match self {
            State::Vacant => None,
            State::Live { address, .. } | State::Grace { address, .. } => Some(address),
        }
    }
}

impl Starts {
    fn new(per_second: u32) -> Self {
        Starts {
            epoch: 0,
            by_name: Buckets::new(STARTS_PER_NAME),
            by_address: Buckets::new(Rate::per_second(per_second, START_BURST)),
        }
    }

    /// Whether `newcomer` may have the name, or wait for it. Only one that gets it uses tokens up.
    fn allow(&self, now: Time, key: &StreamKey, newcomer: Newcomer) -> bool {
        let address = newcomer.peer.into();
        self.by_address.has_token(now, &address) && self.by_name.has_token(now, &(address, hash_of(key)))
    }

    /// `newcomer` has the name, by this epoch.
    fn next(&mut self, now: Time, key: &StreamKey, newcomer: Newcomer) -> Epoch {
        let address = newcomer.peer.into();
        self.by_address.take(now, &address, 1);
        self.by_name.take(now, &(address, hash_of(key)), 1);
        self.epoch += 1;
        self.epoch
    }
}

impl Entry {
    fn new() -> Self {
        Entry {
            state: State::Vacant,
            epoch: 0,
            subscribers: BTreeMap::new(),
            contenders: Vec::new(),
            takeovers: 0,
            told_takeovers: 0,
            witnesses: Vec::new(),
            counted: 0,
        }
    }

    /// Bytes that it takes with its name `key`, which the maps of a directory share.
    fn memory(&self, key: &StreamKey) -> usize {
        PER_ENTRY
            + key.as_str().len()
            + self.subscribers.len() * PER_SUBSCRIBER
            + self.contenders.capacity() * mem::size_of::<Claim>()
            + self.witnesses.capacity() * mem::size_of::<ShardId>()
    }

    fn note_witness(&mut self, shard: ShardId) {
        if !self.witnesses.contains(&shard) {
            self.witnesses.push(shard);
        }
    }

    /// A publisher wants the name: it has it if it is free, else waits until the present one was heard. In a grace time
    /// players wait for media, so one that has sent none may only send some.
    fn claim(
        &mut self,
        contender: Claim,
        key: &StreamKey,
        published: &mut Published,
        next_epoch: impl FnOnce(Newcomer) -> Epoch,
        mut send: impl FnMut(ShardId, Body),
    ) {
        let Claim { shard, newcomer } = contender;
        match self.state {
            State::Grace { .. } if !newcomer.has_media => {
                let claim = newcomer.claim;
                send(shard, Body::Admitted { claim });
            }
            State::Vacant | State::Grace { .. } => {
                self.grant(contender, key, published, next_epoch(newcomer), send);
            }
            State::Live { .. } if self.is_crowded_for(newcomer) => {
                let (claim, refusal) = (newcomer.claim, Refusal::Contested);
                send(shard, Body::Denied { claim, refusal });
            }
            State::Live { shard, .. } => {
                self.contenders.push(contender);
                let epoch = self.epoch;
                send(shard, Body::Contest { epoch, newcomer });
            }
        }
    }

    /// Whether as many wait as may.
    fn is_crowded_for(&self, newcomer: Newcomer) -> bool {
        let address = Address::from(newcomer.peer);
        let is_neighbour = |it: &&Claim| Address::from(it.newcomer.peer) == address;
        let neighbours = self.contenders.iter().filter(is_neighbour).count();
        self.contenders.len() >= MAX_CONTENDERS || neighbours >= MAX_CONTENDERS_PER_ADDRESS
    }

    fn grant(
        &mut self,
        Claim { shard, newcomer }: Claim,
        key: &StreamKey,
        published: &mut Published,
        epoch: Epoch,
        mut send: impl FnMut(ShardId, Body),
    ) {
        let address = newcomer.peer.into();
        self.set(key, epoch, State::Live { shard, address }, published);
        self.note_witness(shard);
        let told = mem::replace(&mut self.told_takeovers, self.takeovers);
        let subscribers = self
            .subscribers
            .iter()
            .map(|(&shard, &ticket)| Subscription { shard, ticket });
        send(
            shard,
            Body::Granted {
                claim: newcomer.claim,
                epoch,
                takeovers: self.takeovers,
                recent_takeovers: self.takeovers.saturating_sub(told),
                subscribers: subscribers.collect(),
            },
        );
    }

    /// Changes its state, and whose it is with it.
    fn set(&mut self, key: &StreamKey, epoch: Epoch, state: State, published: &mut Published) {
        let (old, new) = (self.state.address(), state.address());
        if let Some(address) = old {
            published.names.remove(&(address, self.epoch));
        }
        if let Some(address) = new {
            published.names.insert((address, epoch), key.clone());
        }
        if old != new {
            published.changes.extend(old.map(Holding::Over));
            published.changes.extend(new.map(Holding::Begun));
        }
        (self.state, self.epoch) = (state, epoch);
    }

    /// Whether shard `shard` has its publisher of `epoch`.
    fn is_published(&self, shard: ShardId, epoch: Epoch) -> bool {
        let is_there = matches!(self.state, State::Live { shard: there, .. } if there == shard);
        is_there && self.epoch == epoch
    }

    fn is_idle(&self) -> bool {
        self.state == State::Vacant && self.subscribers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::grace;
    use crate::server::shard::ClaimId;
    use alloc::format;
    use alloc::string::String;
    use core::net::Ipv4Addr;

    fn directory() -> Directory {
        Directory::new(Duration::from_secs(10), 50)
    }

    /// Somebody publishes a name of its own and is gone at once. Returns whether it was let.
    fn come_and_go(directory: &mut Directory, now: Time, name: &str, host: u8) -> bool {
        let key = StreamKey::new(name).unwrap();
        let newcomer = Newcomer {
            peer: (Ipv4Addr::new(10, 0, 0, host), 40_000).into(),
            ..newcomer(1, true)
        };
        directory.handle(now, HOLDER, &key, &Body::Claim(newcomer));
        // Other names may have gone meanwhile.
        let mut answers = core::iter::from_fn(|| directory.poll());
        match answers.find(|(_, _, body)| !matches!(body, Body::Forgotten)) {
            Some((_, _, Body::Granted { epoch, .. })) => {
                directory.handle(now, HOLDER, &key, &Body::Release { epoch });
                true
            }
            Some((_, _, Body::Denied { refusal, .. })) => {
                assert_eq!(refusal, Refusal::TooOften);
                false
            }
            other => panic!("the name is free: {other:?}"),
        }
    }

    fn is_in_grace(directory: &Directory, name: &str) -> bool {
        let entry = directory.entries.get(&StreamKey::new(name).unwrap());
        entry.is_some_and(|entry| matches!(entry.state, State::Grace { .. }))
    }

    #[test]
    fn coming_and_going_all_day_is_slowed_and_hurts_nobody() {
        let mut directory = directory();
        let (mut others, mut most) = (0, 0);
        assert!(come_and_go(&mut directory, Time::ZERO, "live/victim", 1));
        for millis in 0..30_000 {
            let now = Time::from_millis(millis);
            directory.handle_timeout(now);
            assert_eq!(is_in_grace(&directory, "live/victim"), millis < 10_000);
            let name = format!("live/{millis}");
            others += usize::from(come_and_go(&mut directory, now, &name, 2));
            most = most.max(directory.grace_times.len());
        }
        assert!((2_400..=2_500).contains(&others), "{others} publishes in half a minute");
        assert!(most <= 1_501, "{most} grace times");
        directory.handle_timeout(Time::from_millis(70_000));
        let told = core::iter::from_fn(|| directory.poll());
        assert!(
            told.map(|(_, _, body)| body)
                .all(|body| matches!(body, Body::Forgotten))
        );
        assert!(directory.is_empty());
    }

    #[test]
    fn the_address_with_most_grace_times_pays_when_none_is_left() {
        let mut directory = directory();
        assert!(come_and_go(&mut directory, Time::ZERO, "live/victim", 1));
        for host in 2..22 {
            for number in 0..500 {
                let name = format!("live/{host}.{number}");
                assert!(come_and_go(&mut directory, Time::from_millis(1), &name, host));
            }
        }
        assert_eq!(
            (directory.entries.len(), directory.grace_times.len()),
            (grace::MAX, grace::MAX)
        );
        directory.handle_timeout(Time::from_millis(9_999));
        assert!(is_in_grace(&directory, "live/victim"));
        directory.handle_timeout(Time::from_millis(10_001));
        while directory.poll().is_some() {}
        assert!(directory.is_empty());
    }

    #[test]
    fn a_name_that_flaps_is_slowed_for_that_address_only() {
        let mut directory = directory();
        let flaps = |directory: &mut Directory, from: u64, host| {
            let times = (0..10_000).map(|millis| Time::from_millis(from + millis));
            times.filter(|now| come_and_go(directory, *now, "live/x", host)).count()
        };
        assert_eq!(flaps(&mut directory, 0, 2), 20 + 9);
        // Another has the name at once, and one that stops flapping may go on as before.
        assert!(come_and_go(&mut directory, Time::from_millis(10_000), "live/x", 3));
        assert_eq!(flaps(&mut directory, 40_000, 2), 20 + 9);
    }

    /// Where publishers are, and where newcomers.
    const HOLDER: ShardId = ShardId(0);
    const NEWCOMERS: ShardId = ShardId(1);

    fn key() -> StreamKey {
        StreamKey::new("live/x").unwrap()
    }

    fn newcomer(connection: u64, has_media: bool) -> Newcomer {
        Newcomer {
            claim: ClaimId { connection, stream: 1 },
            peer: (Ipv4Addr::from_bits(u32::try_from(connection).unwrap()), 40_000).into(),
            has_media,
        }
    }

    /// What the directory says, shortly.
    fn answers(directory: &mut Directory) -> Vec<String> {
        let mut answers = Vec::new();
        while let Some((to, _, body)) = directory.poll() {
            let what = match body {
                Body::Granted { claim, epoch, .. } => format!("{} has {epoch}", claim.connection),
                Body::Denied { claim, refusal } => format!("{} denied: {refusal:?}", claim.connection),
                Body::Admitted { claim } => format!("{} admitted", claim.connection),
                Body::Contest { epoch, newcomer } => format!("{} contests {epoch}", newcomer.claim.connection),
                other => format!("{other:?}"),
            };
            answers.push(format!("to {}: {what}", to.0));
        }
        answers
    }

    /// A name with a publisher, and newcomers for it, with media or without.
    fn contested(newcomers: &[bool]) -> Directory {
        let mut directory = directory();
        directory.handle(Time::ZERO, HOLDER, &key(), &Body::Claim(newcomer(0, true)));
        for (number, has_media) in (1..).zip(newcomers) {
            directory.handle(
                Time::ZERO,
                NEWCOMERS,
                &key(),
                &Body::Claim(newcomer(number, *has_media)),
            );
        }
        let _ = answers(&mut directory);
        directory
    }

    fn contested_by(connection: u64, epoch: Epoch, has_yielded: bool) -> Body {
        let claim = newcomer(connection, false).claim;
        Body::Contested {
            epoch,
            claim,
            has_yielded,
        }
    }

    #[test]
    fn each_newcomer_gets_its_own_answer() {
        let mut directory = contested(&[false, true]);
        directory.handle(Time::ZERO, HOLDER, &key(), &contested_by(2, 1, false));
        directory.handle(Time::ZERO, HOLDER, &key(), &contested_by(1, 1, true));
        assert_eq!(answers(&mut directory), ["to 1: 2 denied: Taken", "to 1: 1 admitted"]);
        // Once is enough.
        directory.handle(Time::ZERO, HOLDER, &key(), &contested_by(1, 1, true));
        assert_eq!(answers(&mut directory), [""; 0]);
    }

    #[test]
    fn a_name_that_is_left_goes_to_the_first_with_media() {
        let mut directory = contested(&[false, true, true]);
        directory.handle(Time::ZERO, HOLDER, &key(), &Body::Release { epoch: 1 });
        assert_eq!(
            answers(&mut directory),
            ["to 1: 2 has 2", "to 1: 3 contests 2", "to 1: 1 contests 2"]
        );
        // What was on its way about the old publisher means nothing.
        directory.handle(Time::ZERO, HOLDER, &key(), &contested_by(1, 1, false));
        directory.handle(Time::ZERO, HOLDER, &key(), &Body::Release { epoch: 1 });
        assert_eq!(answers(&mut directory), [""; 0]);
    }

    #[test]
    fn newcomers_that_wait_are_bounded_by_address_and_in_all() {
        let mut directory = contested(&[]);
        let mut come = |connection, host| {
            let peer = (Ipv4Addr::new(10, 0, 0, host), 40_000).into();
            let newcomer = Newcomer {
                peer,
                ..newcomer(connection, true)
            };
            directory.handle(Time::ZERO, NEWCOMERS, &key(), &Body::Claim(newcomer));
            answers(&mut directory).remove(0).contains("contests")
        };
        assert_eq!([1, 2, 3].map(|connection| come(connection, 1)), [true, true, false]);
        let others: Vec<_> = (2..10).map(|host| come(u64::from(host) + 2, host)).collect();
        assert_eq!(others.iter().filter(|waits| **waits).count(), MAX_CONTENDERS - 2);
    }
}
