//! Bans: who may not have which stream, and until when.

use super::address::Address;
use crate::{StreamKey, Time};
use alloc::collections::BTreeMap;
use core::net::IpAddr;
use core::time::Duration;

/// Bans that a shard remembers. 1,024 (about 0.6 MiB): beyond that the one that would end first ends at once.
const MAX: usize = 1_024;

/// The bans of one shard. All shards have the same.
///
/// One that is over is forgotten when the next comes. Cost of a look: O(log n), nothing if there are none.
#[derive(Debug, Default)]
pub(super) struct Bans {
    /// By stream and address, or by stream for everybody.
    terms: BTreeMap<Banned, Term>,
}

/// The stream, and who may not have it: everybody, if there is no address.
pub(super) type Banned = (StreamKey, Option<Address>);

/// How long something is kept away, and who wanted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Term {
    pub(super) end: Time,
    /// The operator, unless it was the application itself.
    pub(super) by: Option<IpAddr>,
}

impl Bans {
    /// Nobody at `address`, or nobody at all, may have the stream for so long. O(n).
    pub(super) fn add(
        &mut self,
        now: Time,
        key: StreamKey,
        address: Option<Address>,
        span: Duration,
        by: Option<IpAddr>,
    ) {
        self.terms.retain(|_, term| term.end > now);
        let new = Term { end: now + span, by };
        let term = self.terms.entry((key, address)).or_insert(new);
        if new.end > term.end {
            *term = new;
        }
        if self.terms.len() > MAX {
            let first = self.terms.iter().min_by_key(|(_, term)| term.end);
            if let Some(first) = first.map(|(banned, _)| banned.clone()) {
                self.terms.remove(&first);
            }
        }
    }

    /// Ends a ban before its time. Returns whether there was one.
    pub(super) fn lift(&mut self, now: Time, banned: &Banned) -> bool {
        self.terms.remove(banned).is_some_and(|term| term.end > now)
    }

    /// All that are not over. O(n).
    pub(super) fn present(&self, now: Time) -> impl Iterator<Item = (&Banned, &Term)> {
        self.terms.iter().filter(move |(_, term)| term.end > now)
    }

    /// How long nobody may have the stream, if nobody may.
    pub(super) fn left_for_all(&self, now: Time, key: &StreamKey) -> Option<Duration> {
        let end = self.terms.get(&(key.clone(), None))?.end;
        (end > now).then(|| end.since(now))
    }

    /// How long a peer at `address` may not have the stream, if it may not.
    pub(super) fn left(&self, now: Time, key: &StreamKey, address: Address) -> Option<Duration> {
        if self.terms.is_empty() {
            return None;
        }
        let terms = [None, Some(address)].map(|of| self.terms.get(&(key.clone(), of)));
        let end = terms.into_iter().flatten().map(|term| term.end).max()?;
        (end > now).then(|| end.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec::Vec;
    use core::net::{Ipv4Addr, SocketAddr};

    fn host(host: u8) -> Address {
        SocketAddr::from((Ipv4Addr::new(10, 0, 0, host), 40_000)).into()
    }

    fn key(name: &str) -> StreamKey {
        StreamKey::new(name).unwrap()
    }

    const fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_ban_is_for_one_address_or_for_everybody() {
        let mut bans = Bans::default();
        bans.add(at(0), key("live/x"), Some(host(1)), secs(10), None);
        bans.add(at(0), key("live/y"), None, secs(5), None);
        let left = |now, name, of| bans.left(at(now), &key(name), host(of));
        assert_eq!(left(4, "live/x", 1), Some(secs(6)));
        assert_eq!(left(4, "live/x", 2), None);
        assert_eq!([1, 2].map(|of| left(4, "live/y", of)), [Some(secs(1)); 2]);
        assert_eq!((left(10, "live/x", 1), left(5, "live/y", 1)), (None, None));
    }

    #[test]
    fn a_shorter_ban_takes_nothing_from_a_longer_one() {
        let mut bans = Bans::default();
        for span in [5, 10, 5] {
            bans.add(at(0), key("live/x"), Some(host(1)), secs(span), None);
        }
        bans.add(at(0), key("live/x"), None, secs(7), None);
        assert_eq!(bans.left(at(0), &key("live/x"), host(1)), Some(secs(10)));
    }

    #[test]
    fn bans_are_bounded_and_the_longest_stay() {
        let mut bans = Bans::default();
        bans.add(at(0), key("live/x"), None, secs(1_000), None);
        for number in 0..3_000 {
            bans.add(at(0), key(&format!("live/{number}")), None, secs(100), None);
        }
        assert_eq!(bans.terms.len(), MAX);
        assert!(bans.left(at(0), &key("live/x"), host(1)).is_some());
        bans.add(at(100), key("live/y"), None, secs(1), None);
        assert_eq!(bans.terms.len(), 2, "those that are over are forgotten");
    }

    #[test]
    fn a_ban_that_is_lifted_is_over_and_others_are_not() {
        let mut bans = Bans::default();
        let operator = Some(Ipv4Addr::LOCALHOST.into());
        bans.add(at(0), key("live/x"), Some(host(1)), secs(10), operator);
        bans.add(at(0), key("live/x"), None, secs(5), None);
        let everybody = (key("live/x"), None);
        assert!(bans.lift(at(1), &everybody) && !bans.lift(at(1), &everybody));
        assert_eq!(
            [1, 2].map(|of| bans.left(at(1), &key("live/x"), host(of))),
            [Some(secs(9)), None]
        );
        let present = |now| {
            bans.present(now)
                .map(|(_, term)| (term.end, term.by))
                .collect::<Vec<_>>()
        };
        assert_eq!(present(at(9)), [(at(10), operator)]);
        assert_eq!(present(at(10)), []);
        assert!(!bans.lift(at(10), &(key("live/x"), Some(host(1)))), "it was over");
    }
}
