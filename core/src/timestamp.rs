//! Media time as the wire carries it.

use core::fmt;

/// A media time in milliseconds, as RTMP and FLV carry it: 32 bits that wrap after 49 d 17 h 2 min 47.296 s.
///
/// It has no order of its own, because it wraps: ask [`since`](Self::since), which compares by serial-number
/// arithmetic (RFC 1982), so a step of less than 24.8 days is read the right way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct Timestamp(u32);

impl Timestamp {
    /// Time zero.
    pub const ZERO: Timestamp = Timestamp(0);

    /// The media time of `millis` milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u32) -> Self {
        Timestamp(millis)
    }

    /// Milliseconds, modulo 2^32.
    #[must_use]
    pub const fn as_millis(self) -> u32 {
        self.0
    }

    /// The media time `delta` milliseconds later, modulo 2^32.
    #[must_use]
    pub const fn wrapping_add(self, delta: u32) -> Self {
        Timestamp(self.0.wrapping_add(delta))
    }

    /// Signed milliseconds from `earlier` to `self`: negative if `self` comes first.
    #[must_use]
    pub const fn since(self, earlier: Timestamp) -> i32 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_across_the_wrap() {
        let before = Timestamp::from_millis(u32::MAX - 9);
        let after = before.wrapping_add(30);
        assert_eq!(after.as_millis(), 20);
        assert_eq!(after.since(before), 30);
        assert_eq!(before.since(after), -30);
    }
}
