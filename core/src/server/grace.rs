//! Grace times: streams whose publisher is gone and may come back.

use super::address::Address;
use crate::{StreamKey, Time};
use alloc::collections::BTreeMap;

/// Streams in their grace time that a directory remembers. 4,096: a whole building of encoders that has lost its network.
/// Not more, because peers can begin and end publishes all day.
pub(super) const MAX: usize = 4_096;

/// The grace times that run.
///
/// When there are too many, the address whose publishers left most of them pays: the first of its own ends early. So nobody
/// takes anything away from others who hold less.
#[derive(Debug, Default)]
pub(super) struct GraceTimes {
    running: BTreeMap<(Time, StreamKey), Address>,
    /// How many each address has.
    shares: BTreeMap<Address, usize>,
}

impl GraceTimes {
    /// One more begins. Returns a stream whose grace time is to end early for it, and whose it was, if there were as many as may be. Cost:
    /// O(log n), and O(n log n) when there are too many.
    pub(super) fn begin(&mut self, until: Time, key: StreamKey, address: Address) -> Option<(StreamKey, Address)> {
        self.running.insert((until, key), address);
        *self.shares.entry(address).or_default() += 1;
        if self.running.len() <= MAX {
            return None;
        }
        let most = self.shares.values().max();
        let has_most = |address: &Address| self.shares.get(address) == most;
        let (first, address) = self.running.iter().find(|(_, address)| has_most(address))?;
        let ((until, key), address) = (first.clone(), *address);
        self.remove(until, &key);
        Some((key, address))
    }

    /// The one of `key` does not run any more.
    pub(super) fn remove(&mut self, until: Time, key: &StreamKey) {
        let Some(address) = self.running.remove(&(until, key.clone())) else {
            return;
        };
        if let Some(share) = self.shares.get_mut(&address) {
            *share -= 1;
            if *share == 0 {
                self.shares.remove(&address);
            }
        }
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

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.shares.values().sum::<usize>(), self.running.len());
        self.running.len()
    }
}
