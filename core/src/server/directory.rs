//! Which streams exist, and where: the home's part of the conversation between shards.

use super::shard::{Body, ClaimId, Epoch, ShardId, Subscription};
use crate::{StreamKey, Time};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::time::Duration;
use tracing::info;

/// Streams in their grace time that a directory remembers. 4,096: a whole building of encoders that has lost its network.
/// Not more, because one peer can begin and end publishes all day; beyond that the oldest grace time ends early.
const MAX_IN_GRACE: usize = 4_096;

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
    /// Who wants to publish while the present publisher is being asked to yield. One at a time.
    contender: Option<Claim>,
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
    claim: ClaimId,
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
            Body::Claim { claim, address } => {
                let newcomer = Claim { shard: from, claim };
                match entry.state {
                    State::Live(_) if entry.contender.is_some() => send(from, Body::Denied { claim }),
                    State::Live(publisher) => {
                        entry.contender = Some(newcomer);
                        send(
                            publisher,
                            Body::Contest {
                                epoch: entry.epoch,
                                address,
                            },
                        );
                    }
                    State::Vacant => entry.grant(newcomer, next_epoch, send),
                    State::Grace { until } => {
                        self.deadlines.remove(&(until, key.clone()));
                        entry.grant(newcomer, next_epoch, send);
                    }
                }
            }
            Body::Contested { epoch, has_yielded } if epoch == entry.epoch => {
                if let Some(contender) = entry.contender.take() {
                    if has_yielded {
                        entry.grant(contender, next_epoch, send);
                    } else {
                        send(contender.shard, Body::Denied { claim: contender.claim });
                    }
                }
            }
            // With a contender, `Contested` is on its way and settles who is next.
            Body::Release { epoch }
                if epoch == entry.epoch && entry.state == State::Live(from) && entry.contender.is_none() =>
            {
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
            contender: None,
        }
    }

    fn grant(&mut self, Claim { shard, claim }: Claim, epoch: &mut Epoch, mut send: impl FnMut(ShardId, Body)) {
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
                claim,
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
    use alloc::format;
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
            let address = Ipv4Addr::LOCALHOST.into();
            directory.handle(Time::ZERO, own, &key, &Body::Claim { claim, address });
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
}
