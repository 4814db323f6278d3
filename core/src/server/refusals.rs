//! What was refused of late, so that a peer that asks on and on is in the log once.

use super::address::Address;
use crate::Time;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::time::Duration;

/// How long a peer must ask for nothing until its next refusal is news. 10 s: encoders try again after 1 to 5 s.
const QUIET: Duration = Duration::from_secs(10);

/// Episodes that are remembered. 64: beyond that the one that has been quiet longest is forgotten.
const MAX: usize = 64;

/// Publishes that were refused of late, one episode per address and stream.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// The one that was heard of last is last.
    episodes: VecDeque<Episode>,
}

#[derive(Debug)]
struct Episode {
    address: Address,
    stream: Box<str>,
    last: Time,
}

impl Refusals {
    /// Notes a refusal; whether it begins an episode. O(episodes).
    pub(super) fn is_news(&mut self, now: Time, address: Address, stream: &str) -> bool {
        self.episodes.retain(|episode| now.since(episode.last) < QUIET);
        let is_it = |episode: &Episode| episode.address == address && *episode.stream == *stream;
        let index = self.episodes.iter().position(is_it);
        let known = index.and_then(|index| self.episodes.remove(index));
        let is_news = known.is_none();
        if self.episodes.len() >= MAX {
            self.episodes.pop_front();
        }
        let stream = known.map_or_else(|| stream.into(), |episode| episode.stream);
        self.episodes.push_back(Episode {
            address,
            stream,
            last: now,
        });
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use core::net::{Ipv4Addr, SocketAddr};

    fn peer() -> Address {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000)).into()
    }

    #[test]
    fn a_refusal_is_news_again_after_ten_quiet_seconds() {
        let mut refusals = Refusals::default();
        let at = |seconds: u64| Time::from_millis(seconds * 1_000);
        assert!(refusals.is_news(at(0), peer(), "live/x"));
        assert!((1..30).all(|second| !refusals.is_news(at(second), peer(), "live/x")));
        assert!(refusals.is_news(at(30), peer(), "live/y"));
        assert!(refusals.is_news(at(40), peer(), "live/x"));
    }

    #[test]
    fn refusals_of_many_names_take_no_more_memory() {
        let mut refusals = Refusals::default();
        for number in 0..1_000 {
            assert!(refusals.is_news(Time::ZERO, peer(), &format!("live/{number}")));
        }
        assert_eq!(refusals.episodes.len(), MAX);
    }
}
