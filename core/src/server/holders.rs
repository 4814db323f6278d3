//! The addresses that publish the streams of the process, as the homes of their names say: the registrar's count.

use super::address::Address;
use super::shard::ShardId;
use alloc::collections::{BTreeMap, BTreeSet};

/// What became of a stream whose home a worker is: what that tells the registrar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holding {
    /// The address publishes one more.
    Begun(Address),
    /// It has one less, grace times included.
    Over(Address),
    /// The worker has ended the newest of the address, as it was told to; if there was one, that was said to be over before.
    Revoked(Address),
}

/// The counts of all homes. Those that were told to end a stream count without it. Cost of a change: O(log addresses).
///
/// Memory: some 100 bytes for an address that publishes something.
#[derive(Debug, Default)]
pub(super) struct Holders {
    all: usize,
    /// Streams that end as soon as their homes are told.
    ending: usize,
    by_address: BTreeMap<Address, BTreeMap<ShardId, Held>>,
    /// How many each address has: the last one here has most.
    ranks: BTreeSet<(usize, Address)>,
}

/// What one address has at one home.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    streams: usize,
    ending: usize,
}

impl Holders {
    /// Takes in what home `from` says.
    pub(super) fn note(&mut self, from: ShardId, holding: Holding) {
        match holding {
            Holding::Begun(address) => self.change(address, from, |held| held.streams += 1),
            Holding::Over(address) => self.change(address, from, |held| {
                held.streams = held.streams.saturating_sub(1);
            }),
            Holding::Revoked(address) => {
                self.ending = self.ending.saturating_sub(1);
                self.change(address, from, |held| held.ending = held.ending.saturating_sub(1));
            }
        }
    }

    /// Streams that are published.
    pub(super) const fn all(&self) -> usize {
        self.all
    }

    /// Those that count no more, and are still there as far as the registrar has heard.
    pub(super) const fn ending(&self) -> usize {
        self.ending
    }

    /// The address that publishes most, if it publishes several.
    pub(super) fn worst(&self) -> Option<Address> {
        let (count, address) = *self.ranks.last()?;
        (count > 1).then_some(address)
    }

    /// Picks what is to go for the stream that `newcomer` has begun at home `from`: one of the address that has most, or if
    /// none has more than the newcomer, its own. Returns where the newest of which address is to end.
    pub(super) fn revoke(&mut self, from: ShardId, newcomer: Address) -> Option<(ShardId, Address)> {
        let own = self.count(newcomer);
        let worst = self.ranks.last().filter(|(count, _)| *count > own);
        let (home, address) = match worst.map(|(_, address)| *address) {
            Some(worst) => {
                let homes = self.by_address.get(&worst)?;
                let (home, _) = homes.iter().max_by_key(|(_, held)| held.count())?;
                (*home, worst)
            }
            None => (from, newcomer),
        };
        let held = self.by_address.get(&address)?.get(&home)?;
        if held.count() == 0 {
            return None;
        }
        self.ending += 1;
        self.change(address, home, |held| held.ending += 1);
        Some((home, address))
    }

    fn count(&self, address: Address) -> usize {
        let homes = self.by_address.get(&address).into_iter().flatten();
        homes.map(|(_, held)| held.count()).sum()
    }

    /// Changes what an address has at one home, and its rank with it.
    fn change(&mut self, address: Address, home: ShardId, change: impl FnOnce(&mut Held)) {
        let before = self.count(address);
        let homes = self.by_address.entry(address).or_default();
        let held = homes.entry(home).or_default();
        change(held);
        if held.streams == 0 && held.ending == 0 {
            homes.remove(&home);
        }
        if homes.is_empty() {
            self.by_address.remove(&address);
        }
        let after = self.count(address);
        self.all = (self.all + after).saturating_sub(before);
        self.ranks.remove(&(before, address));
        if after > 0 {
            self.ranks.insert((after, address));
        }
    }
}

impl Held {
    const fn count(self) -> usize {
        self.streams.saturating_sub(self.ending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, SocketAddr};

    fn host(host: u8) -> Address {
        SocketAddr::from((Ipv4Addr::new(10, 0, 0, host), 40_000)).into()
    }

    /// So many streams of some hosts, at two homes in turns.
    fn holders(hosts: &[(u8, u16)]) -> Holders {
        let mut holders = Holders::default();
        for &(of, count) in hosts {
            (0..count).for_each(|number| holders.note(ShardId(number % 2), Holding::Begun(host(of))));
        }
        holders
    }

    #[test]
    fn the_address_that_has_most_makes_room() {
        let mut holders = holders(&[(1, 1), (2, 3), (3, 2), (4, 1)]);
        assert_eq!(holders.worst(), Some(host(2)));
        assert_eq!(holders.revoke(ShardId(0), host(1)), Some((ShardId(0), host(2))));
        // Those that have as many as the newcomer keep theirs.
        assert_eq!(holders.revoke(ShardId(0), host(3)), Some((ShardId(0), host(3))));
        assert_eq!(holders.revoke(ShardId(0), host(4)).map(|(_, host)| host), Some(host(2)));
        assert_eq!((holders.all(), holders.worst()), (4, None));
        assert_eq!(holders.revoke(ShardId(0), host(4)), Some((ShardId(0), host(4))));
    }

    #[test]
    fn what_is_over_before_it_is_revoked_counts_once() {
        let mut holders = holders(&[(1, 1), (2, 2)]);
        let (home, address) = holders.revoke(ShardId(1), host(1)).unwrap();
        assert_eq!(holders.all(), 2);
        for holding in [Holding::Over(address), Holding::Revoked(address)] {
            holders.note(home, holding);
            assert_eq!(holders.all(), 2);
        }
        // The other has left on its own.
        let (home, address) = holders.revoke(ShardId(0), host(2)).unwrap();
        holders.note(home, Holding::Over(address));
        holders.note(home, Holding::Revoked(address));
        holders.note(ShardId(0), Holding::Over(host(1)));
        assert_eq!((holders.all(), holders.ending()), (0, 0));
        assert!(holders.by_address.is_empty() && holders.ranks.is_empty());
    }
}
