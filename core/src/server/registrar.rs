//! What there is in the whole process: one shard, the *registrar*, keeps count of the connections of all.
//!
//! ```text
//!   a worker                     registrar                  another worker
//!     ── came, took a role, left ──▶
//!     ◀── it may stay, or not ──────   ── end that one ───────▶
//! ```
//!
//! Each worker tells what becomes of each connection exactly once: that it came; that it took up or lost its first or last
//! role, in turns; that it left. Since messages between two shards arrive in order, the counts are right whenever nothing is
//! under way, whatever is late: they cannot drift. A connection that is refused counts for nothing; until its worker says that
//! it left, the registrar knows that this one takes nothing off the counts.
//!
//! A player that waits for its stream has no role before that comes. When an address has too many connections without one, or
//! all have, an *old one* ends and the newcomer stays: the one that has been there longest, of the address that has most. A good
//! peer needs its place for a second, until it publishes or plays; those that sit on theirs are the old ones. Were the newcomer
//! refused, a neighbour with a thousand silent connections could keep everybody else behind the same address out for good. This
//! way it has to bring a thousand new ones while one good peer shakes hands.
//!
//! When too many streams are published, or there are too many names for one more, the newest stream of the address that
//! publishes most ends, if that has more than the newcomer; else the newcomer's own. Homes that have heard of an address that
//! has several let others begin, and the registrar judges by the counts of all.

use super::address::Address;
use super::holders::{Holders, Holding};
use super::refusal::Excess;
use super::shard::ShardId;
use super::{Config, ConnectionId};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::cmp::Reverse;

/// Where the counts are kept.
pub(super) const REGISTRAR: ShardId = ShardId(0);

/// Connections without a role that there may always be, though places be few. 64: the peers that shake hands at once, also
/// with a server for ten players.
const MIN_ROLELESS: usize = 64;

/// What became of a connection: what a worker tells the registrar.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) id: ConnectionId,
    pub(super) address: Address,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// It was accepted. `asks`: it waits to hear whether it may stay.
    Came {
        asks: bool,
    },
    /// The program has opened it: it counts, and stays.
    CameLocally,
    /// It publishes or plays, or wants to.
    TookRole,
    LostRole,
    Left,
}

/// What the registrar tells a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The connection may stay.
    Stays(ConnectionId),
    /// The connection is one too many, unless it has a role meanwhile.
    Goes(ConnectionId, Excess),
    /// Whether so few places are left that each connection has to ask for one.
    Scarce(bool),
    /// Of which streams there are too many from now on.
    Crowding(Crowding),
    /// The last publish by that address, of the streams whose home the worker is, is one too many.
    Revoke(Address),
    /// All changes of the worker's last message are counted.
    Noted,
}

/// What the process has as much of as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Crowding {
    pub(super) published: bool,
    pub(super) names: bool,
    /// Half as many names as may be: players seek no further ones, so that publishers find some.
    pub(super) sought: bool,
    /// Where something is crowded for publishers: the address that publishes most, if it publishes several. Others may begin,
    /// and it makes room.
    pub(super) worst: Option<Address>,
}

/// Bounds on the connections of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    all: usize,
    of_address: usize,
    roleless: usize,
    roleless_of_address: usize,
    names: usize,
    published: usize,
}

/// The counts of all shards. Cost of a change: O(log connections).
///
/// Memory: some 20 bytes for an address that has connections, 12 to 24 more for a connection without a role.
#[derive(Debug)]
pub(super) struct Registrar {
    bounds: Bounds,
    shards: u16,
    all: usize,
    by_address: BTreeMap<Address, u32>,
    roleless: usize,
    /// Those without a role of each address that has some.
    crowds: BTreeMap<Address, Crowd>,
    /// How many each address has, and since when it has any: the last one here pays next.
    ranks: BTreeSet<(usize, Reverse<u64>, Address)>,
    /// Crowds so far.
    begun: u64,
    /// Connections that were refused and have not left yet: they are not counted.
    refused: BTreeSet<(ShardId, ConnectionId)>,
    is_scarce: bool,
    /// Names that something is known about, by their homes as these have said last.
    names: BTreeMap<ShardId, usize>,
    holders: Holders,
    crowding: Crowding,
    outbox: VecDeque<(ShardId, Verdict)>,
}

type Member = (ShardId, ConnectionId);

/// The connections of one address that have no role.
#[derive(Debug)]
struct Crowd {
    /// The number of the crowd.
    since: u64,
    /// Those that have had none for longest come first. One is found from both ends: those that take a role are mostly new,
    /// those that leave without one old.
    members: VecDeque<Member>,
}

impl Registrar {
    pub(super) fn new(config: &Config, shards: u16) -> Self {
        Registrar {
            bounds: Bounds::of(config),
            shards,
            all: 0,
            by_address: BTreeMap::new(),
            roleless: 0,
            crowds: BTreeMap::new(),
            ranks: BTreeSet::new(),
            begun: 0,
            refused: BTreeSet::new(),
            is_scarce: false,
            names: BTreeMap::new(),
            holders: Holders::default(),
            crowding: Crowding::default(),
            outbox: VecDeque::new(),
        }
    }

    /// Counts by other bounds from now on. Nobody is ended by it.
    pub(super) fn set_bounds(&mut self, config: &Config) {
        self.bounds = Bounds::of(config);
        self.review_scarcity();
        self.review_crowding();
    }

    /// Takes in what shard `from` says.
    pub(super) fn note(&mut self, from: ShardId, change: Change) {
        let Change { id, address, what } = change;
        let member = (from, id);
        match what {
            What::Came { asks } => match self.excess(address) {
                Some(excess) => {
                    self.refused.insert((from, id));
                    self.outbox.push_back((from, Verdict::Goes(id, excess)));
                }
                None => {
                    self.count(address);
                    self.join(address, member);
                    if asks {
                        self.outbox.push_back((from, Verdict::Stays(id)));
                    }
                    self.make_room(address);
                }
            },
            What::CameLocally => {
                self.count(address);
                self.join(address, member);
            }
            What::TookRole => {
                // It had one before it could be refused.
                if self.refused.remove(&(from, id)) {
                    self.count(address);
                }
                self.quit(address, member);
            }
            What::LostRole => {
                self.join(address, member);
                self.make_room(address);
            }
            What::Left => {
                if !self.refused.remove(&(from, id)) {
                    self.discount(address);
                    self.quit(address, member);
                }
            }
        }
        self.review_scarcity();
    }

    /// Home `from` knows of so many names now, and this became of streams there.
    pub(super) fn note_names(&mut self, from: ShardId, names: usize, holdings: &[Holding]) {
        self.names.insert(from, names);
        let before = self.holders.all();
        holdings.iter().for_each(|holding| self.holders.note(from, *holding));
        // Homes that began a publish at the same time have not heard of each other. Where the bounds were lowered, those stay
        // that are there.
        let new = self.holders.all().saturating_sub(before);
        let published = self.holders.all().saturating_sub(self.bounds.published);
        let named = self.all_names().saturating_sub(self.bounds.names);
        let mut excess = published.max(named).min(new);
        for holding in holdings.iter().rev() {
            if let Holding::Begun(newcomer) = *holding
                && excess > 0
                && let Some((home, address)) = self.holders.revoke(from, newcomer)
            {
                self.outbox.push_back((home, Verdict::Revoke(address)));
                excess -= 1;
            }
        }
        self.review_crowding();
    }

    /// Names of all homes, without those whose publisher is about to be ended.
    fn all_names(&self) -> usize {
        let all: usize = self.names.values().sum();
        all.saturating_sub(self.holders.ending())
    }

    /// The next thing to tell, and whom.
    pub(super) fn poll(&mut self) -> Option<(ShardId, Verdict)> {
        self.outbox.pop_front()
    }

    /// Connections of the whole process, and those of them without a role.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.all, self.roleless)
    }

    /// Why a newcomer from `address` cannot stay, if it cannot.
    fn excess(&self, address: Address) -> Option<Excess> {
        let neighbours = self.by_address.get(&address).copied().unwrap_or_default();
        if self.all >= self.bounds.all {
            Some(Excess::Connections)
        } else if neighbours as usize >= self.bounds.of_address {
            Some(Excess::OfAddress)
        } else {
            None
        }
    }

    /// Ends old connections without a role while there are too many.
    fn make_room(&mut self, address: Address) {
        while self.crowds.get(&address).map_or(0, Crowd::len) > self.bounds.roleless_of_address {
            self.end_oldest(address);
        }
        // Three quarters of the places that no role has: what sits and waits never keeps the last place from a newcomer.
        let free = self.bounds.all.saturating_sub(self.all - self.roleless);
        let max = self.bounds.roleless.min((free / 4 * 3).max(MIN_ROLELESS));
        while self.roleless > max
            && let Some(&(.., worst)) = self.ranks.last()
        {
            self.end_oldest(worst);
        }
    }

    /// It is counted until its worker says that it has left.
    fn end_oldest(&mut self, address: Address) {
        let Some(&member) = self.crowds.get(&address).and_then(|crowd| crowd.members.front()) else {
            return;
        };
        self.quit(address, member);
        let (shard, id) = member;
        self.outbox.push_back((shard, Verdict::Goes(id, Excess::Roleless)));
    }

    fn count(&mut self, address: Address) {
        self.all += 1;
        *self.by_address.entry(address).or_default() += 1;
    }

    fn discount(&mut self, address: Address) {
        self.all = self.all.saturating_sub(1);
        if let Some(count) = self.by_address.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_address.remove(&address);
            }
        }
    }

    /// The connection has no role.
    fn join(&mut self, address: Address, member: Member) {
        self.change_crowd(address, |crowd| crowd.members.push_back(member));
    }

    /// The connection has a role, or is gone.
    fn quit(&mut self, address: Address, member: Member) {
        self.change_crowd(address, |crowd| crowd.remove(member));
    }

    /// Changes who of an address has no role, and its rank with it.
    fn change_crowd(&mut self, address: Address, change: impl FnOnce(&mut Crowd)) {
        let crowd = self.crowds.entry(address).or_insert_with(|| {
            self.begun += 1;
            Crowd {
                since: self.begun,
                members: VecDeque::new(),
            }
        });
        let before = crowd.len();
        self.ranks.remove(&(before, Reverse(crowd.since), address));
        change(crowd);
        let after = crowd.len();
        self.roleless = (self.roleless + after).saturating_sub(before);
        if after > 0 {
            self.ranks.insert((after, Reverse(crowd.since), address));
        } else {
            self.crowds.remove(&address);
        }
    }

    /// Tells all shards when there are as many streams as may be, and when not.
    fn review_crowding(&mut self) {
        let all = self.all_names();
        let published = self.holders.all() >= self.bounds.published;
        let names = all >= self.bounds.names;
        let crowding = Crowding {
            published,
            names,
            sought: all >= self.bounds.names.div_ceil(2),
            worst: self.holders.worst().filter(|_| published || names),
        };
        if self.crowding != crowding {
            self.crowding = crowding;
            let all = (0..self.shards).map(|shard| (ShardId(shard), Verdict::Crowding(crowding)));
            self.outbox.extend(all);
        }
    }

    /// Tells all shards when places become scarce, and when they are not any more: at seven eighths, and three quarters.
    fn review_scarcity(&mut self) {
        let eighth = self.bounds.all / 8;
        let free = self.bounds.all.saturating_sub(self.all);
        let is_scarce = free <= if self.is_scarce { 2 * eighth } else { eighth };
        if self.is_scarce != is_scarce {
            self.is_scarce = is_scarce;
            let all = (0..self.shards).map(|shard| (ShardId(shard), Verdict::Scarce(is_scarce)));
            self.outbox.extend(all);
        }
    }
}

impl Crowd {
    fn len(&self) -> usize {
        self.members.len()
    }

    fn remove(&mut self, member: Member) {
        let len = self.members.len();
        let is_it = |index: &usize| {
            let index = [*index, len - 1 - *index];
            index.iter().any(|index| self.members.get(*index) == Some(&member))
        };
        if let Some(index) = (0..len.div_ceil(2)).find(is_it) {
            let is_first = self.members.get(index) == Some(&member);
            self.members.remove(if is_first { index } else { len - 1 - index });
        }
    }
}

impl Bounds {
    const fn of(config: &Config) -> Self {
        Bounds {
            all: config.max_connections,
            of_address: config.max_connections_per_address,
            roleless: config.max_roleless_connections,
            roleless_of_address: config.max_roleless_connections_per_address,
            names: config.max_streams,
            published: config.max_publishers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::net::{Ipv4Addr, SocketAddr};

    const WORKER: ShardId = ShardId(1);

    fn host(host: u8) -> Address {
        SocketAddr::from((Ipv4Addr::new(10, 0, 0, host), 40_000)).into()
    }

    fn registrar(change: impl FnOnce(&mut Config)) -> Registrar {
        let mut config = Config::default();
        change(&mut config);
        Registrar::new(&config, 2)
    }

    fn note(registrar: &mut Registrar, number: u32, of: u8, what: What) {
        let change = Change {
            id: ConnectionId::new(number, number),
            address: host(of),
            what,
        };
        registrar.note(WORKER, change);
    }

    fn come(registrar: &mut Registrar, number: u32, of: u8) {
        note(registrar, number, of, What::Came { asks: false });
    }

    /// Those that are told to go.
    fn gone(registrar: &mut Registrar) -> Vec<(usize, Excess)> {
        let mut gone = Vec::new();
        while let Some((_, verdict)) = registrar.poll() {
            if let Verdict::Goes(id, excess) = verdict {
                gone.push((id.index(), excess));
            }
        }
        gone
    }

    #[test]
    fn one_too_many_takes_nothing_off_the_counts_when_it_leaves() {
        let mut registrar = registrar(|config| config.max_connections = 2);
        (0..3).for_each(|number| come(&mut registrar, number, 1));
        assert_eq!(gone(&mut registrar), [(2, Excess::Connections)]);
        note(&mut registrar, 2, 1, What::Left);
        assert_eq!(registrar.counts(), (2, 2));
        (0..2).for_each(|number| note(&mut registrar, number, 1, What::Left));
        assert_eq!(registrar.counts(), (0, 0));
        assert!(registrar.by_address.is_empty() && registrar.crowds.is_empty() && registrar.ranks.is_empty());
    }

    #[test]
    fn one_that_had_a_role_before_it_was_refused_counts() {
        let mut registrar = registrar(|config| config.max_connections = 1);
        for number in 0..2 {
            come(&mut registrar, number, 1);
            note(&mut registrar, number, 1, What::TookRole);
        }
        assert_eq!(registrar.counts(), (2, 0));
        (0..2).for_each(|number| note(&mut registrar, number, 1, What::Left));
        assert_eq!(registrar.counts(), (0, 0));
        assert!(registrar.refused.is_empty());
    }

    #[test]
    fn the_oldest_without_a_role_of_a_crowded_address_goes() {
        let mut registrar = registrar(|config| config.max_roleless_connections_per_address = 3);
        come(&mut registrar, 0, 1);
        (1..4).for_each(|number| come(&mut registrar, number, 2));
        note(&mut registrar, 1, 2, What::TookRole);
        come(&mut registrar, 4, 2);
        assert_eq!(gone(&mut registrar), []);
        come(&mut registrar, 5, 2);
        assert_eq!(gone(&mut registrar), [(2, Excess::Roleless)]);
        // It counts until it has left.
        assert_eq!(registrar.counts(), (6, 4));
    }

    #[test]
    fn the_address_with_most_connections_without_a_role_pays() {
        let mut registrar = registrar(|config| config.max_roleless_connections = 10);
        come(&mut registrar, 0, 1);
        (1..=9).for_each(|number| come(&mut registrar, number, 2));
        (10..13).for_each(|number| come(&mut registrar, number, 3));
        assert_eq!(gone(&mut registrar), [1, 2, 3].map(|number| (number, Excess::Roleless)));
    }

    #[test]
    fn those_without_a_role_leave_places_free() {
        let mut registrar = registrar(|config| config.max_connections = 1_000);
        for number in 0..5_000 {
            come(&mut registrar, number, u8::try_from(number % 100).unwrap());
            for (gone, excess) in gone(&mut registrar) {
                assert_eq!(excess, Excess::Roleless, "connection {gone}");
                let gone = u32::try_from(gone).unwrap();
                note(&mut registrar, gone, u8::try_from(gone % 100).unwrap(), What::Left);
            }
        }
        assert_eq!(registrar.counts(), (750, 750));
    }

    #[test]
    fn all_are_told_when_places_are_scarce_and_when_not() {
        let mut registrar = registrar(|config| config.max_connections = 80);
        let told = |registrar: &mut Registrar| {
            let mut told = Vec::new();
            while let Some((shard, verdict)) = registrar.poll() {
                told.push((shard.0, verdict));
            }
            told
        };
        let scarce = |is_scarce| [0, 1].map(|shard| (shard, Verdict::Scarce(is_scarce)));
        (0..69).for_each(|number| note(&mut registrar, number, 1, What::CameLocally));
        assert_eq!(told(&mut registrar), []);
        note(&mut registrar, 69, 1, What::CameLocally);
        assert_eq!(told(&mut registrar), scarce(true));
        (0..11).for_each(|number| note(&mut registrar, number, 1, What::Left));
        assert_eq!(told(&mut registrar), scarce(false));
    }
}
