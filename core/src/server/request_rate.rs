//! How often the peers of one address may ask to publish or play.
//!
//! A connection has a bound of its own ([`Limits::max_requests_per_second`](crate::Limits::max_requests_per_second)), and an
//! address may have thousands of connections. Each request costs a look at the stream, perhaps a question to the world and
//! messages between workers. So an address has a token bucket on each worker, and a request for which there is no token is
//! refused before anything else is done for it.
//!
//! A request takes one token, which is worth some 30 µs. What a play costs beyond that depends on its stream, and is known when
//! the player begins: it takes a further token for each [`FRAMES_PER_TOKEN`] frames of its burst. If the stream had to be fetched
//! from another worker for it, the frames of that snapshot count twice besides: they were copied, sent, and put into a ring. Tokens that are not there are owed.

use super::address::Address;
use super::authorize::Request;
use super::buckets::{Buckets, Rate};
use super::question::Intent;
use super::refusal::Refusal;
use super::{Config, ConnectionId, Event, Server};
use crate::{EndCause, Time};
use tracing::warn;

/// Seconds whose requests may come at once. 10: all players behind one address come back together when their stream does.
const BURST: u32 = 10;

/// Frames with which a player begins that take one token. 256: some 100 ns each. So a stream with a keyframe every two seconds
/// takes nothing beyond the request; one whose GOP cache is [full](crate::hub::ChannelConfig::gop_max_frames) of small frames
/// takes 32 tokens, and 64 more where it has to be fetched from another worker.
const FRAMES_PER_TOKEN: u64 = 256;

/// The requests of each address.
#[derive(Debug)]
pub(super) struct RequestRate {
    buckets: Buckets<Address>,
}

impl RequestRate {
    pub(super) fn new(config: &Config) -> Self {
        RequestRate {
            buckets: Buckets::new(rate(config)),
        }
    }

    /// Goes on with the rate of another configuration.
    pub(super) fn set_bounds(&mut self, config: &Config) {
        self.buckets.set_rate(rate(config));
    }

    /// Whether a request may be made from there, which is counted then. O(log addresses).
    fn admits(&mut self, now: Time, address: Address) -> bool {
        let is_admitted = self.buckets.has_token(now, &address);
        if is_admitted {
            self.buckets.take(now, &address, 1);
        }
        is_admitted
    }

    /// Takes what so many frames cost beyond the request that they came of, though there be less. O(log addresses).
    pub(super) fn charge(&mut self, now: Time, address: Address, frames: u64) {
        let tokens = u32::try_from(frames / FRAMES_PER_TOKEN).unwrap_or(u32::MAX);
        if tokens > 0 {
            self.buckets.take(now, &address, tokens);
        }
    }
}

fn rate(config: &Config) -> Rate {
    Rate::per_second(config.max_requests_per_second_per_address, BURST)
}

impl Server {
    /// Refuses a request if too many were made from its address. Returns whether it was refused.
    pub(super) fn refuse_excess_request(&mut self, now: Time, id: ConnectionId, request: &Request) -> bool {
        let Some(connection) = self.connections.get(id) else {
            return false;
        };
        let peer = connection.peer(id);
        if self.request_rate.admits(now, peer.address.into()) {
            return false;
        }
        let refusal = Refusal::TooManyRequests;
        self.end_role(id, request.stream(), EndCause::Replaced);
        self.reject(now, id, request, refusal);
        // One line for all of an episode, whatever was asked for: that is what such a peer has most of.
        if self.journal.admits_refusal(now, peer.address, "") {
            warn!(peer = %Address::from(peer.address), reason = refusal.reason(), "requests refused");
        }
        let (stream, reason) = (request.target().key.clone(), refusal.reason().into());
        let (what, event) = match request.intent() {
            Intent::Publish => {
                self.stats.publishes_refused += 1;
                ("publish", Event::PublishRefused { peer, stream, reason })
            }
            Intent::Play => {
                self.stats.plays_refused += 1;
                ("play", Event::PlayRefused { peer, stream, reason })
            }
        };
        self.tally.refuse(what, refusal.label());
        self.keep_event(event);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, SocketAddr};

    fn request_rate(per_second: u32) -> RequestRate {
        RequestRate::new(&Config {
            max_requests_per_second_per_address: per_second,
            ..Config::default()
        })
    }

    fn address(host: u32) -> Address {
        SocketAddr::from((Ipv4Addr::from_bits(host), 40_000)).into()
    }

    fn admitted(rate: &mut RequestRate, millis: u64, host: u32) -> usize {
        let now = Time::from_millis(millis);
        (0..100_000).filter(|_| rate.admits(now, address(host))).count()
    }

    #[test]
    fn ten_seconds_of_requests_may_come_at_once() {
        let mut rate = request_rate(20);
        assert_eq!(admitted(&mut rate, 0, 1), 200);
        assert_eq!(admitted(&mut rate, 1_000, 1), 20);
        assert_eq!(admitted(&mut rate, 1_000, 2), 200, "another address has its own");
        assert_eq!(admitted(&mut rate, 20_000, 1), 200);
    }

    #[test]
    fn no_rate_divides_by_zero_and_a_large_one_is_no_bound() {
        for (per_second, expected) in [(0, 10), (1, 10), (u32::MAX, 100_000)] {
            assert_eq!(admitted(&mut request_rate(per_second), 0, 1), expected, "{per_second}");
        }
    }
}
