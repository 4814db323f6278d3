//! The connections of a shard: found by their ids, visited when something touched them, and when they are due.

use super::connection::Connection;
use super::deadlines::Deadlines;
use super::{ConnectionId, ShardId};
use crate::Time;
use alloc::collections::VecDeque;
use core::mem;
use core::time::Duration;
use slab::Slab;

/// All connections of one shard.
#[derive(Debug)]
pub(super) struct Connections {
    slots: Slab<Connection>,
    /// That of the newest. Shards count in steps, each its own numbers.
    generation: u32,
    step: u32,
    /// Those that may have something to do, each at most once.
    touched: VecDeque<ConnectionId>,
    deadlines: Deadlines,
}

impl Connections {
    /// The connections of shard `shard` of `shards`: none yet.
    pub(super) fn new(shard: ShardId, shards: u16) -> Self {
        Connections {
            slots: Slab::new(),
            generation: u32::from(shard.0),
            step: u32::from(shards),
            touched: VecDeque::new(),
            deadlines: Deadlines::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// One more connection. There are at most as many as a process may have sockets.
    pub(super) fn insert(&mut self, make: impl FnOnce(u32) -> Connection) -> ConnectionId {
        self.generation = self.generation.wrapping_add(self.step);
        let index = self.slots.insert(make(self.generation));
        id_of(index, self.generation)
    }

    /// The connection `id`, unless it is closed and its place perhaps taken by another.
    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.slots
            .get(id.index())
            .filter(|connection| connection.generation == id.generation())
    }

    /// As [`get`](Self::get), to change it.
    #[inline]
    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        find(&mut self.slots, id)
    }

    /// Forgets the connection: its id is dead.
    pub(super) fn remove(&mut self, id: ConnectionId) {
        if self.get(id).is_some() {
            self.slots.remove(id.index());
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.slots.iter_mut().map(|(_, connection)| connection)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &Connection)> {
        let slots = self.slots.iter();
        slots.map(|(index, connection)| (id_of(index, connection.generation), connection))
    }

    /// Something changed that the connection may have to act on: it is visited before the present call returns.
    pub(super) fn touch(&mut self, id: ConnectionId) {
        if let Some(connection) = self.get_mut(id)
            && !mem::replace(&mut connection.is_touched, true)
        {
            self.touched.push_back(id);
        }
    }

    pub(super) fn has_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// The next connection to visit.
    pub(super) fn pop_touched(&mut self) -> Option<ConnectionId> {
        while let Some(id) = self.touched.pop_front() {
            if let Some(connection) = self.get_mut(id) {
                connection.is_touched = false;
                return Some(id);
            }
        }
        None
    }

    /// Makes sure that the connection comes up when it is due, and returns it.
    pub(super) fn arm(&mut self, now: Time, id: ConnectionId) -> Option<&mut Connection> {
        let connection = find(&mut self.slots, id)?;
        let due = connection.due();
        // What is due has been done, but for that which a first look was to come before.
        let is_looked_into = connection.looks == 1;
        let earliest = if is_looked_into {
            now
        } else {
            now + Duration::from_micros(1)
        };
        if self.deadlines.arm(earliest, id, &mut connection.armed, due) {
            self.prune_deadlines();
        }
        find(&mut self.slots, id)
    }

    /// Forgets deadlines that no connection waits for any more, if there are many.
    fn prune_deadlines(&mut self) {
        let slots = &self.slots;
        self.deadlines.prune(slots.len(), |id| {
            let connection = slots.get(id.index())?;
            (connection.generation == id.generation()).then_some(connection.armed)
        });
    }

    /// The next connection that was armed for a time that has come. It is not armed any more, and may not be due after all.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<ConnectionId> {
        while let Some((due, id)) = self.deadlines.pop_due(now) {
            if let Some(connection) = self.get_mut(id).filter(|connection| connection.armed == due) {
                connection.armed = Time::NEVER;
                return Some(id);
            }
        }
        None
    }

    /// When the first is due. O(1).
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.deadlines.poll_timeout()
    }

    /// Deadlines that are kept, those included that nobody waits for.
    #[cfg(test)]
    fn deadlines(&self) -> usize {
        self.deadlines.len()
    }
}

#[inline]
fn find(slots: &mut Slab<Connection>, id: ConnectionId) -> Option<&mut Connection> {
    slots
        .get_mut(id.index())
        .filter(|connection| connection.generation == id.generation())
}

fn id_of(index: usize, generation: u32) -> ConnectionId {
    ConnectionId::new(u32::try_from(index).unwrap_or(u32::MAX), generation)
}

#[cfg(test)]
mod tests {
    use crate::Time;
    use crate::server::{Config, Protocol, Server, ShardId};
    use alloc::sync::Arc;

    #[test]
    fn connections_that_come_and_go_leave_no_deadlines_behind() {
        let mut server = Server::new(Arc::new(Config::default()), ShardId(0), 1, 7);
        let peer = ([10, 0, 0, 9], 40_000).into();
        for _ in 0..10_000 {
            let id = server.accept(Time::ZERO, Protocol::Http, peer).unwrap();
            server.handle_reset(Time::ZERO, id);
            while server.poll_action().is_some() {}
        }
        let deadlines = server.connections.deadlines();
        assert!(deadlines < 100, "{deadlines}");
    }
}
