//! Token buckets: how often something may happen.

use crate::Time;
use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

/// So often: `burst` times at once, then once `every` so long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    pub(super) burst: u32,
    pub(super) every: Duration,
}

impl Rate {
    /// `count` times in a second, at least once, and what `seconds` allow at once.
    pub(super) fn per_second(count: u32, seconds: u32) -> Self {
        let count = count.max(1);
        Rate {
            burst: count.saturating_mul(seconds),
            every: Duration::from_secs(1) / count,
        }
    }
}

/// Buckets that are remembered. 4,096 (about 0.5 MiB): beyond that the one that would be full first is forgotten, which is
/// the same as if it were full.
const MAX: usize = 4_096;

/// A token bucket, by the time at which it will be full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bucket(Time);

impl Bucket {
    /// Whether there is a token.
    pub(super) fn has_token(self, now: Time, rate: Rate) -> bool {
        self.0.since(now) + rate.every <= rate.every * rate.burst
    }

    /// Takes so many tokens, though there be fewer.
    pub(super) fn take(&mut self, now: Time, rate: Rate, tokens: u32) {
        self.0 = self.0.max(now) + rate.every * tokens;
    }
}

/// A bucket for each of many keys. Those that are full take no memory. Cost: O(log n).
#[derive(Debug)]
pub(super) struct Buckets<K> {
    rate: Rate,
    buckets: BTreeMap<K, Bucket>,
    /// The same, the one that will be full first first.
    order: BTreeSet<(Bucket, K)>,
}

impl<K: Copy + Ord> Buckets<K> {
    pub(super) fn new(rate: Rate) -> Self {
        Buckets {
            rate,
            buckets: BTreeMap::new(),
            order: BTreeSet::new(),
        }
    }

    /// Goes on with another rate. What was taken takes as long to come back as it would have.
    pub(super) fn set_rate(&mut self, rate: Rate) {
        self.rate = rate;
    }

    /// Whether `key` has a token.
    pub(super) fn has_token(&self, now: Time, key: &K) -> bool {
        let bucket = self.buckets.get(key).copied().unwrap_or_default();
        bucket.has_token(now, self.rate)
    }

    /// Takes so many tokens of `key`, though there be fewer.
    pub(super) fn take(&mut self, now: Time, key: &K, tokens: u32) {
        let mut bucket = self.buckets.remove(key).unwrap_or_default();
        self.order.remove(&(bucket, *key));
        let is_over = |len, bucket: Bucket| len >= MAX || bucket.0 <= now;
        while let Some((bucket, _)) = self.order.first()
            && is_over(self.order.len(), *bucket)
            && let Some((_, full)) = self.order.pop_first()
        {
            self.buckets.remove(&full);
        }
        bucket.take(now, self.rate, tokens);
        self.buckets.insert(*key, bucket);
        self.order.insert((bucket, *key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        burst: 5,
        every: Duration::from_secs(1),
    };

    /// How many tokens there were for somebody who wanted `count`.
    fn take(buckets: &mut Buckets<u32>, now: Time, key: u32, count: usize) -> usize {
        let take = |_: &usize| {
            let has_token = buckets.has_token(now, &key);
            if has_token {
                buckets.take(now, &key, 1);
            }
            has_token
        };
        (0..count).filter(take).count()
    }

    #[test]
    fn there_is_a_burst_and_then_so_much_in_a_second() {
        let mut buckets = Buckets::new(RATE);
        let at = |seconds: u64| Time::from_millis(seconds * 1_000);
        assert_eq!(take(&mut buckets, at(0), 1, 9), 5);
        assert_eq!(take(&mut buckets, at(0), 2, 3), 3);
        assert_eq!(take(&mut buckets, at(1), 1, 9), 1);
        assert_eq!(take(&mut buckets, at(4), 1, 9), 3);
        assert_eq!(take(&mut buckets, at(100), 1, 9), 5);
    }

    #[test]
    fn many_keys_take_no_more_memory_and_the_worst_are_remembered() {
        let mut buckets = Buckets::new(RATE);
        take(&mut buckets, Time::ZERO, 0, 9);
        for key in 1..100_000 {
            buckets.take(Time::ZERO, &key, 1);
        }
        assert_eq!((buckets.buckets.len(), buckets.order.len()), (MAX, MAX));
        assert!(!buckets.has_token(Time::ZERO, &0));
        // A full bucket is forgotten when the next address comes.
        buckets.take(Time::from_millis(60_000), &7, 1);
        assert_eq!((buckets.buckets.len(), buckets.order.len()), (1, 1));
    }
}
