//! Grace times: streams whose publisher is gone and may come back.

use super::address::Address;
use crate::{StreamKey, Time};
use alloc::collections::{BTreeMap, BTreeSet};
use core::cmp::Reverse;

/// Streams in their grace time that a directory remembers. 4,096: a whole building of encoders that has lost its network.
/// Not more, because peers can begin and end publishes all day.
pub(super) const MAX: usize = 4_096;

/// The grace times that run.
///
/// When there are too many, the address whose publishers left most of them pays: the first of its own ends early. So nobody
/// takes anything away from others who hold less. Cost of everything: O(log n).
#[derive(Debug, Default)]
pub(super) struct GraceTimes {
    running: BTreeMap<Deadline, Address>,
    /// Those of each address.
    shares: BTreeMap<Address, BTreeSet<Deadline>>,
    /// How many each address has, and when the first of them ends: the last one here pays next.
    ranks: BTreeSet<(usize, Reverse<Time>, Address)>,
}

type Deadline = (Time, StreamKey);

impl GraceTimes {
    /// One more begins. Returns a stream whose grace time is to end early for it, and whose it was, if there were as many as
    /// may be.
    pub(super) fn begin(&mut self, until: Time, key: StreamKey, address: Address) -> Option<(StreamKey, Address)> {
        let deadline = (until, key);
        self.running.insert(deadline.clone(), address);
        self.change_share(address, |share| share.insert(deadline));
        if self.running.len() <= MAX {
            return None;
        }
        let (.., address) = *self.ranks.last()?;
        let (until, key) = self.shares.get(&address)?.first()?.clone();
        self.remove(until, &key);
        Some((key, address))
    }

    /// The one of `key` does not run any more. Returns whose it was.
    pub(super) fn remove(&mut self, until: Time, key: &StreamKey) -> Option<Address> {
        let deadline = (until, key.clone());
        let address = self.running.remove(&deadline)?;
        self.change_share(address, |share| share.remove(&deadline));
        Some(address)
    }

    /// The next one that is over, and whose it was.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<(StreamKey, Address)> {
        let ((until, key), address) = self.running.first_key_value().filter(|((until, _), _)| *until <= now)?;
        let (until, key, address) = (*until, key.clone(), *address);
        self.remove(until, &key);
        Some((key, address))
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.running.first_key_value().map(|((until, _), _)| *until)
    }

    /// Changes what an address has, and its rank with it.
    fn change_share(&mut self, address: Address, change: impl FnOnce(&mut BTreeSet<Deadline>) -> bool) {
        let rank = |share: &BTreeSet<Deadline>| {
            let (first, _) = share.first()?;
            Some((share.len(), Reverse(*first), address))
        };
        let share = self.shares.entry(address).or_default();
        if let Some(old) = rank(share) {
            self.ranks.remove(&old);
        }
        change(share);
        match rank(share) {
            Some(new) => self.ranks.insert(new),
            None => self.shares.remove(&address).is_some(),
        };
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(
            self.shares.values().map(BTreeSet::len).sum::<usize>(),
            self.running.len()
        );
        assert_eq!(self.ranks.len(), self.shares.len());
        self.running.len()
    }
}
