//! Which streams exist, and where: the home's part of the conversation between shards.

use super::connection::Refusal;
use super::shard::{Body, Epoch, Newcomer, ShardId, Subscription};
use crate::{StreamKey, Time};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;
use tracing::info;

/// Streams in their grace time that a directory remembers. 4,096: a whole building of encoders that has lost its network.
/// Not more, because one peer can begin and end publishes all day; beyond that the oldest grace time ends early.
const MAX_IN_GRACE: usize = 4_096;

/// Newcomers for one name that may wait at once while its publisher is heard. 8: an encoder that comes back, and a few that
/// are set up alike; the next one is refused.
const MAX_CONTENDERS: usize = 8;

/// Those among them from one address. 2: an encoder that has lost its patience with the first attempt; others keep it from
/// no place.
const MAX_CONTENDERS_PER_ADDRESS: usize = 2;

/// The streams whose home this shard is.
///
/// Takes messages in by [`handle`](Self::handle) and time by [`handle_timeout`](Self::handle_timeout); the answers come
/// out of [`poll`](Self::poll).
#[derive(Debug)]
pub(super) struct Directory {
    grace: Duration,
    entries: BTreeMap<StreamKey, Entry>,
    /// The epoch that was given out last, for any stream: what is left of an earlier life of a name stays behind it.
    epoch: Epoch,
    /// When the grace times end.
    deadlines: BTreeSet<(Time, StreamKey)>,
    outbox: VecDeque<(ShardId, StreamKey, Body)>,
}

#[derive(Debug)]
struct Entry {
    state: State,
    /// The epoch of the present publisher, or of the last one.
    epoch: Epoch,
    /// Their tickets.
    subscribers: BTreeMap<ShardId, u64>,
    /// Who waits while the present publisher is heard, in the order of arrival.
    contenders: Vec<Claim>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Vacant,
    Live(ShardId),
    Grace { until: Time },
}

#[derive(Debug, Clone, Copy)]
struct Claim {
    shard: ShardId,
    newcomer: Newcomer,
}

impl Directory {
    pub(super) fn new(grace: Duration) -> Self {
        Directory {
            grace,
            entries: BTreeMap::new(),
            epoch: 0,
            deadlines: BTreeSet::new(),
            outbox: VecDeque::new(),
        }
    }

    /// Takes in what shard `from` says about `key`.
    pub(super) fn handle(&mut self, now: Time, from: ShardId, key: &StreamKey, body: &Body) {
        let entry = self.entries.entry(key.clone()).or_insert_with(Entry::new);
        let next_epoch = &mut self.epoch;
        let mut send = |to, body| self.outbox.push_back((to, key.clone(), body));
        match *body {
            Body::Claim(newcomer) => {
                if let State::Grace { until } = entry.state {
                    self.deadlines.remove(&(until, key.clone()));
                }
                let claim = Claim { shard: from, newcomer };
                entry.claim(claim, next_epoch, send);
            }
            Body::Contested {
                epoch,
                claim,
                has_yielded,
            } if epoch == entry.epoch => {
                let contenders = &mut entry.contenders;
                if let Some(index) = contenders.iter().position(|it| it.newcomer.claim == claim) {
                    let answer = if has_yielded {
                        Body::Admitted { claim }
                    } else {
                        let refusal = Refusal::Taken;
                        Body::Denied { claim, refusal }
                    };
                    send(contenders.remove(index).shard, answer);
                }
            }
            // The first with media has the name, and the others contend with it.
            Body::Release { epoch }
                if epoch == entry.epoch && entry.state == State::Live(from) && !entry.contenders.is_empty() =>
            {
                entry.state = State::Vacant;
                let mut contenders = mem::take(&mut entry.contenders);
                contenders.sort_by_key(|contender| !contender.newcomer.has_media);
                for contender in contenders {
                    entry.claim(contender, next_epoch, &mut send);
                }
            }
            Body::Release { epoch } if epoch == entry.epoch && entry.state == State::Live(from) => {
                let until = now + self.grace;
                entry.state = State::Grace { until };
                self.deadlines.insert((until, key.clone()));
                if self.grace.is_zero() || self.deadlines.len() > MAX_IN_GRACE {
                    self.end_first();
                }
                return;
            }
            Body::Subscribe { ticket } => {
                entry.subscribers.insert(from, ticket);
                send(
                    from,
                    Body::Located {
                        ticket,
                        is_present: entry.state != State::Vacant,
                    },
                );
                if let State::Live(publisher) = entry.state {
                    send(
                        publisher,
                        Body::AddSubscriber {
                            epoch: entry.epoch,
                            subscription: Subscription { shard: from, ticket },
                        },
                    );
                }
            }
            Body::Unsubscribe => {
                entry.subscribers.remove(&from);
                if let State::Live(publisher) = entry.state {
                    send(
                        publisher,
                        Body::RemoveSubscriber {
                            epoch: entry.epoch,
                            shard: from,
                        },
                    );
                }
            }
            _ => {}
        }
        if entry.is_idle() {
            self.entries.remove(key);
        }
    }

    /// Ends the streams whose grace time is over.
    pub(super) fn handle_timeout(&mut self, now: Time) {
        while self.deadlines.first().is_some_and(|(until, _)| *until <= now) {
            self.end_first();
        }
    }

    /// Ends the stream whose grace time is over first.
    fn end_first(&mut self) {
        let Some((_, key)) = self.deadlines.pop_first() else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        entry.state = State::Vacant;
        info!(stream = key.as_str(), "stream ended");
        for &shard in entry.subscribers.keys() {
            self.outbox
                .push_back((shard, key.clone(), Body::Ended { epoch: entry.epoch }));
        }
        if entry.is_idle() {
            self.entries.remove(&key);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.deadlines.is_empty() && self.outbox.is_empty()
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.deadlines.first().map(|(until, _)| *until)
    }

    /// The next message to send, and where to.
    pub(super) fn poll(&mut self) -> Option<(ShardId, StreamKey, Body)> {
        self.outbox.pop_front()
    }
}

impl Entry {
    fn new() -> Self {
        Entry {
            state: State::Vacant,
            epoch: 0,
            subscribers: BTreeMap::new(),
            contenders: Vec::new(),
        }
    }

    /// Somebody wants the name: has it if it is free, else waits until its publisher was heard.
    fn claim(&mut self, contender: Claim, next_epoch: &mut Epoch, mut send: impl FnMut(ShardId, Body)) {
        let Claim { shard, newcomer } = contender;
        match self.state {
            State::Vacant | State::Grace { .. } => self.grant(contender, next_epoch, send),
            State::Live(_) if self.is_crowded_for(newcomer) => {
                let (claim, refusal) = (newcomer.claim, Refusal::Contested);
                send(shard, Body::Denied { claim, refusal });
            }
            State::Live(publisher) => {
                self.contenders.push(contender);
                let epoch = self.epoch;
                send(publisher, Body::Contest { epoch, newcomer });
            }
        }
    }

    /// Whether as many wait as may.
    fn is_crowded_for(&self, newcomer: Newcomer) -> bool {
        let is_neighbour = |it: &&Claim| it.newcomer.peer.ip() == newcomer.peer.ip();
        let neighbours = self.contenders.iter().filter(is_neighbour).count();
        self.contenders.len() >= MAX_CONTENDERS || neighbours >= MAX_CONTENDERS_PER_ADDRESS
    }

    fn grant(&mut self, Claim { shard, newcomer }: Claim, epoch: &mut Epoch, mut send: impl FnMut(ShardId, Body)) {
        *epoch += 1;
        self.epoch = *epoch;
        self.state = State::Live(shard);
        let subscribers = self
            .subscribers
            .iter()
            .map(|(&shard, &ticket)| Subscription { shard, ticket });
        send(
            shard,
            Body::Granted {
                claim: newcomer.claim,
                epoch: self.epoch,
                subscribers: subscribers.collect(),
            },
        );
    }

    fn is_idle(&self) -> bool {
        self.state == State::Vacant && self.subscribers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::shard::ClaimId;
    use alloc::format;
    use alloc::string::String;
    use core::net::Ipv4Addr;

    #[test]
    fn who_begins_and_ends_publishes_all_day_takes_no_more_memory() {
        let mut directory = Directory::new(Duration::from_secs(10));
        let (own, claim) = (
            ShardId(0),
            ClaimId {
                connection: 1,
                stream: 1,
            },
        );
        for number in 0..3 * MAX_IN_GRACE {
            let key = StreamKey::new(&format!("live/{number}")).unwrap();
            let newcomer = Newcomer {
                claim,
                peer: (Ipv4Addr::LOCALHOST, 40_000).into(),
                has_media: true,
            };
            directory.handle(Time::ZERO, own, &key, &Body::Claim(newcomer));
            let Some((_, _, Body::Granted { epoch, .. })) = directory.poll() else {
                panic!("the name is free");
            };
            directory.handle(Time::ZERO, own, &key, &Body::Release { epoch });
        }
        assert_eq!(
            (directory.entries.len(), directory.deadlines.len()),
            (MAX_IN_GRACE, MAX_IN_GRACE)
        );
        directory.handle_timeout(Time::from_millis(10_000));
        assert!(directory.is_empty());
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
        let mut directory = Directory::new(Duration::from_secs(10));
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
    fn a_publisher_that_goes_leaves_its_name_to_the_first_with_media() {
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
