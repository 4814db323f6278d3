//! Bans: who may not have which stream, and until when.

use super::address::Address;
use crate::{StreamKey, Time};
use alloc::collections::BTreeMap;
use core::time::Duration;

/// Bans that a shard remembers. 1,024 (about 0.6 MiB): beyond that the one that would end first ends at once.
const MAX: usize = 1_024;

/// The bans of one shard. All shards have the same.
///
/// One that is over is forgotten when the next comes. Cost of a look: O(log n), nothing if there are none.
#[derive(Debug, Default)]
pub(super) struct Bans {
    /// By stream and address, or by stream for everybody.
    ends: BTreeMap<(StreamKey, Option<Address>), Time>,
}

impl Bans {
    /// Nobody at `address`, or nobody at all, may have the stream for so long. O(n).
    pub(super) fn add(&mut self, now: Time, key: StreamKey, address: Option<Address>, span: Duration) {
        self.ends.retain(|_, end| *end > now);
        let end = self.ends.entry((key, address)).or_default();
        *end = (now + span).max(*end);
        if self.ends.len() > MAX {
            let first = self.ends.iter().min_by_key(|(_, end)| **end);
            if let Some(first) = first.map(|(ban, _)| ban.clone()) {
                self.ends.remove(&first);
            }
        }
    }

    /// How long nobody may have the stream, if nobody may.
    pub(super) fn left_for_all(&self, now: Time, key: &StreamKey) -> Option<Duration> {
        let end = *self.ends.get(&(key.clone(), None))?;
        (end > now).then(|| end.since(now))
    }

    /// How long a peer at `address` may not have the stream, if it may not.
    pub(super) fn left(&self, now: Time, key: &StreamKey, address: Address) -> Option<Duration> {
        if self.ends.is_empty() {
            return None;
        }
        let ends = [None, Some(address)].map(|of| self.ends.get(&(key.clone(), of)));
        let end = *ends.into_iter().flatten().max()?;
        (end > now).then(|| end.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
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
        bans.add(at(0), key("live/x"), Some(host(1)), secs(10));
        bans.add(at(0), key("live/y"), None, secs(5));
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
            bans.add(at(0), key("live/x"), Some(host(1)), secs(span));
        }
        bans.add(at(0), key("live/x"), None, secs(7));
        assert_eq!(bans.left(at(0), &key("live/x"), host(1)), Some(secs(10)));
    }

    #[test]
    fn bans_are_bounded_and_the_longest_stay() {
        let mut bans = Bans::default();
        bans.add(at(0), key("live/x"), None, secs(1_000));
        for number in 0..3_000 {
            bans.add(at(0), key(&format!("live/{number}")), None, secs(100));
        }
        assert_eq!(bans.ends.len(), MAX);
        assert!(bans.left(at(0), &key("live/x"), host(1)).is_some());
        bans.add(at(100), key("live/y"), None, secs(1));
        assert_eq!(bans.ends.len(), 2, "those that are over are forgotten");
    }
}
