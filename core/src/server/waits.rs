//! Players that wait for streams to come, and which share each address has of their places.

use super::Config;
use super::address::Address;
use super::refusal::{Excess, Refusal};
use alloc::collections::BTreeMap;

/// The part of all names that the players of one address may wait for: an eighth, which is a quarter of those that players
/// find at all. Each worker lets them have its share of that, and one name at least.
const NAMES_PER_ADDRESS: usize = 8;

/// The places that are taken on one worker. Cost of a change: O(log addresses).
#[derive(Debug, Default)]
pub(super) struct Waits {
    all: usize,
    by_address: BTreeMap<Address, Share>,
}

/// What the players of one address have.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    places: usize,
    /// Streams that they wait for.
    names: usize,
}

impl Waits {
    /// Why no further player of `address` may wait, if none may. `is_first`: none of its players waits for that stream.
    pub(super) fn refusal(&self, address: Address, is_first: bool, config: &Config, shards: u16) -> Option<Refusal> {
        let share = self.by_address.get(&address).copied().unwrap_or_default();
        let max_names = config.max_streams / NAMES_PER_ADDRESS / usize::from(shards.max(1));
        if self.all >= config.max_waiting_players || share.places >= config.max_waiting_players_per_address {
            Some(Refusal::Crowded)
        } else if is_first && share.names >= max_names.max(1) {
            Some(Refusal::Excess(Excess::Streams))
        } else {
            None
        }
    }

    /// A player has begun to wait. `is_first`: the first of its address for that stream.
    pub(super) fn add(&mut self, address: Address, is_first: bool) {
        self.all += 1;
        let share = self.by_address.entry(address).or_default();
        share.places += 1;
        share.names += usize::from(is_first);
    }

    /// A player waits no more. `was_last`: the last of its address for that stream.
    pub(super) fn remove(&mut self, address: Address, was_last: bool) {
        self.all = self.all.saturating_sub(1);
        if let Some(share) = self.by_address.get_mut(&address) {
            share.places = share.places.saturating_sub(1);
            share.names = share.names.saturating_sub(usize::from(was_last));
            if share.places == 0 {
                self.by_address.remove(&address);
            }
        }
    }

    /// Places that are taken.
    #[cfg(debug_assertions)]
    pub(super) fn len(&self) -> usize {
        self.all
    }
}
