//! How values spread over classes.

/// Counts of values by upper bounds. A value is a whole number, in a unit that its owner names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) struct Histogram<const N: usize> {
    bounds: &'static [u64; N],
    /// Of values up to each bound and above the one before.
    counts: [u64; N],
    /// Of values above all bounds.
    above: u64,
    sum: u64,
}

impl<const N: usize> Histogram<N> {
    /// `bounds` grow.
    pub(in crate::server) const fn new(bounds: &'static [u64; N]) -> Self {
        Histogram {
            bounds,
            counts: [0; N],
            above: 0,
            sum: 0,
        }
    }

    /// Counts one value. Cost: two additions and a comparison if it is not above the first bound, as most are; no allocation.
    #[inline]
    pub(in crate::server) fn observe(&mut self, value: u64) {
        self.sum = self.sum.saturating_add(value);
        match (self.bounds.first(), self.counts.first_mut()) {
            (Some(bound), Some(count)) if value <= *bound => *count += 1,
            _ => self.observe_larger(value),
        }
    }

    fn observe_larger(&mut self, value: u64) {
        let mut classes = self.bounds.iter().zip(&mut self.counts);
        let class = classes.find(|(bound, _)| value <= **bound);
        *class.map_or(&mut self.above, |(_, count)| count) += 1;
    }

    /// Adds what another has counted by the same bounds.
    pub(in crate::server) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.above += other.above;
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// Each bound, and how many values were not above it.
    pub(in crate::server) fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        self.bounds.iter().copied().zip(counts)
    }

    /// How many values there were.
    pub(in crate::server) fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.above
    }

    /// Their sum.
    pub(in crate::server) const fn sum(&self) -> u64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn a_value_belongs_to_the_first_bound_not_below_it() {
        let mut histogram = Histogram::new(&[1, 5, 10]);
        for value in [0, 1, 2, 5, 6, 11, 1_000] {
            histogram.observe(value);
        }
        assert_eq!(histogram.cumulative().collect::<Vec<_>>(), [(1, 2), (5, 4), (10, 5)]);
        assert_eq!((histogram.count(), histogram.sum()), (7, 1_025));
        let mut twice = histogram;
        twice.add(&histogram);
        assert_eq!((twice.count(), twice.sum()), (14, 2_050));
        assert_eq!(twice.cumulative().last(), Some((10, 10)));
    }
}
