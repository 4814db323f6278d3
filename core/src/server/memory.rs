//! What a worker holds, in bytes, kept up to date as it changes.
//!
//! | what | counted when |
//! |---|---|
//! | payloads of frames, wherever they are: a ring, outputs, another worker, the program | made and dropped |
//! | what operators are answered | the same |
//! | frames on their way to other workers, their payloads once more | sent, and taken in or lost |
//! | what a connection owns: unfinished messages, pending input, its session | it is visited |
//! | outputs, without the payloads that they refer to | filled and drained |
//! | rings, and what they know of players | frames are announced |
//! | names, and what came of their streams | they come, change and go |
//!
//! A payload counts once, however many players wait for it, and as long as one of them does: when a ring has let it go, the
//! output of a slow player may be all that keeps it. So it counts itself ([`Counted`]), for the worker that has taken it into a
//! ring. A worker that has a replica counts it as well, as if it were the only one.
//!
//! With nobody connected, no grace time running, nothing kept by the program and no [idle replica](super::idle), the sum is 0.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use super::Server;
use super::connection::{Activity, Connection, Role};
use super::relief::MUCH;
use super::stream::Stream;
use super::{ConnectionId, session::Session};
use crate::hub::ChannelId;
use crate::{Frame, Output, Time};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use bytes::Bytes;
use core::mem;
use core::sync::atomic::{AtomicUsize, Ordering};

/// What a payload takes beside its bytes: its reference count with the tally, and what the allocator keeps for both.
const PER_PAYLOAD: usize = 80;

/// The sums of a worker, but for outputs, which its buffer pool counts.
#[derive(Debug, Default)]
pub(super) struct Memory {
    tally: Arc<Tally>,
    connections: usize,
    /// Connections that own more than [`MUCH`], and since when.
    large: BTreeMap<ConnectionId, Time>,
    rings: usize,
    /// Payload bytes in rings and headers: those of the tally that would go with them.
    in_rings: usize,
}

/// What may be dropped by another worker, or by the program.
#[derive(Debug, Default)]
struct Tally {
    payloads: AtomicUsize,
    under_way: AtomicUsize,
}

/// A payload that counts until its last reference is gone.
struct Counted {
    payload: Bytes,
    tally: Arc<Tally>,
}

/// Frames on their way to another worker, which count until this is dropped.
#[derive(Debug)]
pub(super) struct UnderWay {
    bytes: usize,
    tally: Arc<Tally>,
}

/// What a stream was last counted with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RingMemory {
    /// Of the ring itself.
    pub(super) own: usize,
    /// Payload bytes in it.
    pub(super) payloads: usize,
}

impl RingMemory {
    /// With the payloads.
    pub(super) const fn total(self) -> usize {
        self.own.saturating_add(self.payloads)
    }
}

impl Memory {
    /// `frame` as it goes into a ring of this worker.
    ///
    /// Cost: one allocation, which takes the place of the payload's own reference count.
    pub(super) fn count(&self, frame: Frame) -> Frame {
        Frame {
            payload: self.count_bytes(frame.payload),
            ..frame
        }
    }

    /// The same for what is no frame, such as the content of an answer.
    pub(super) fn count_bytes(&self, payload: Bytes) -> Bytes {
        if payload.is_empty() {
            return payload;
        }
        let cost = cost(&payload);
        self.tally.payloads.fetch_add(cost, Ordering::Relaxed);
        let tally = self.tally.clone();
        Bytes::from_owner(Counted { payload, tally })
    }

    /// Counts `frames`, which are about to leave for another worker.
    pub(super) fn send(&self, frames: &[Frame]) -> UnderWay {
        let bytes = frames.iter().map(Frame::memory).sum();
        self.tally.under_way.fetch_add(bytes, Ordering::Relaxed);
        UnderWay {
            bytes,
            tally: self.tally.clone(),
        }
    }

    /// Brings the sums up to date with the ring of `stream`. O(headers).
    pub(super) fn recount(&mut self, stream: &mut Stream) {
        let now = stream.memory();
        self.update(&mut stream.counted, now);
    }

    /// All but the outputs.
    fn sum(&self) -> usize {
        let of_tally = self.payloads().saturating_add(self.under_way());
        of_tally.saturating_add(self.connections).saturating_add(self.rings)
    }

    fn payloads(&self) -> usize {
        self.tally.payloads.load(Ordering::Relaxed)
    }

    /// Bytes of frames that other workers have not taken in.
    pub(super) fn under_way(&self) -> usize {
        self.tally.under_way.load(Ordering::Relaxed)
    }

    /// Since when the connection has owned more than [`MUCH`], if it does.
    pub(super) fn large_since(&self, id: ConnectionId) -> Option<Time> {
        self.large.get(&id).copied()
    }

    /// Has the sums say that the connection owns so much from `now` on, where it was counted otherwise.
    fn update_connection(&mut self, now: Time, id: ConnectionId, counted: &mut u32, owned: u32) {
        let before = mem::replace(counted, owned);
        update(&mut self.connections, &mut (before as usize), owned as usize);
        if owned <= MUCH && before > MUCH {
            self.large.remove(&id);
        } else if owned > MUCH && before <= MUCH {
            self.large.insert(id, now);
        }
    }

    /// Payload bytes that only outputs, other workers or the program keep: no ring has them any more.
    pub(super) fn outlived(&self) -> usize {
        self.payloads().saturating_sub(self.in_rings)
    }

    /// Has the sums say `now` of a stream that was counted otherwise.
    fn update(&mut self, counted: &mut RingMemory, now: RingMemory) {
        update(&mut self.rings, &mut counted.own, now.own);
        update(&mut self.in_rings, &mut counted.payloads, now.payloads);
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.payload
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.tally.payloads.fetch_sub(cost(&self.payload), Ordering::Relaxed);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.tally.under_way.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What a payload counts.
const fn cost(payload: &Bytes) -> usize {
    payload.len().saturating_add(PER_PAYLOAD)
}

/// Has `sum` say `now` where it said `counted` before. A sum that was wrong does not wrap, which would be more than any budget.
fn update(sum: &mut usize, counted: &mut usize, now: usize) {
    *sum = sum.saturating_add(now).saturating_sub(mem::replace(counted, now));
}

impl Server {
    /// Bytes that this worker holds now, as [`Config::memory_budget`](super::Config::memory_budget) counts them. O(1).
    pub(super) fn memory_held(&self) -> usize {
        self.memory
            .sum()
            .saturating_add(self.buffer_pool.used_memory())
            .saturating_add(self.directory.memory())
            .saturating_add(self.ledger.memory())
    }

    /// Brings the sum up to date with what a connection owns. O(roles).
    pub(super) fn count_connection(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id) {
            let owned = connection.owned_memory();
            self.memory
                .update_connection(self.now, id, &mut connection.counted, owned);
        }
    }

    /// The connection is about to be forgotten: nothing of it counts any more.
    pub(super) fn discount_connection(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id) {
            self.memory.update_connection(self.now, id, &mut connection.counted, 0);
            let output: &mut Output = connection.protocol.output();
            output.clear();
            self.buffer_pool.release(output);
        }
    }

    /// Brings the sum up to date with the ring of a stream. O(headers).
    pub(super) fn count_stream(&mut self, channel: ChannelId) {
        if let Some(stream) = self.streams.get_mut(channel) {
            self.memory.recount(stream);
        }
    }

    /// The stream is gone.
    pub(super) fn discount_stream(&mut self, mut stream: Stream) {
        self.memory.update(&mut stream.counted, RingMemory::default());
    }

    /// In tests, whether the sums are those of the parts, counted from scratch.
    #[cfg(debug_assertions)]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "an overflow is a wrong sum, and tests see it"
    )]
    pub(super) fn assert_counted(&self) {
        /// Beyond that it takes too long to look at all for each deadline.
        const FEW: usize = 64;
        if self.connections.len() > FEW || self.streams.len() > FEW {
            return;
        }
        let (mut connections, mut large, mut outputs) = (0, 0, 0);
        for (id, connection) in self.connections.iter() {
            connections += connection.owned_memory() as usize;
            large += usize::from(connection.owned_memory() > MUCH);
            outputs += connection.protocol.output_ref().counted_memory();
            debug_assert_eq!(connection.counted, connection.owned_memory(), "{id}");
        }
        debug_assert_eq!(self.memory.connections, connections);
        debug_assert_eq!(self.memory.large.len(), large);
        debug_assert_eq!(self.buffer_pool.used_memory(), outputs);
        let (mut rings, mut payloads) = (0, 0);
        for (key, stream) in self.streams.iter() {
            let now = stream.memory();
            debug_assert_eq!(stream.counted, now, "{key}");
            rings += now.own;
            payloads += now.payloads;
        }
        debug_assert_eq!((self.memory.rings, self.memory.in_rings), (rings, payloads));
        debug_assert_eq!(self.directory.memory(), self.directory.count_memory());
        debug_assert_eq!(self.ledger.memory(), self.ledger.count_memory());
        let awaited = self.streams.iter().filter(|(_, stream)| stream.has_places());
        let waiting: usize = awaited.map(|(_, stream)| stream.waiters.len()).sum();
        debug_assert_eq!(self.waits.len(), waiting);
    }

    #[cfg(not(debug_assertions))]
    pub(super) fn assert_counted(&self) {}
}

impl Connection {
    /// Bytes of memory that are the connection's own, but for its output.
    #[expect(clippy::arithmetic_side_effects, reason = "what is in memory at once")]
    pub(super) fn owned_memory(&self) -> u32 {
        let first = |role: &Role| match &role.activity {
            Activity::Claiming { frames } => frames.iter().map(Frame::memory).sum(),
            _ => 0,
        };
        let owned = mem::size_of::<Connection>()
            + self.protocol.owned_memory()
            + self.pending_input.capacity()
            + self.roles.capacity() * mem::size_of::<Role>()
            + self.roles.iter().map(first).sum::<usize>();
        u32::try_from(owned).unwrap_or(u32::MAX)
    }

    /// Bytes of an output that is not drained, and of what it refers to.
    pub(super) fn output_memory(&self) -> usize {
        let output = self.protocol.output_ref();
        match *self.protocol {
            Session::Local(_) => self.protocol.queued(),
            _ if output.is_empty() => 0,
            _ => output.len().saturating_add(output.held_memory()),
        }
    }
}

impl Stream {
    /// What is to be counted of it.
    fn memory(&self) -> RingMemory {
        let (own, payloads, frames) = self.channel.memory();
        RingMemory {
            own: own.saturating_add(mem::size_of::<Stream>()),
            payloads: usize::try_from(payloads)
                .unwrap_or(usize::MAX)
                .saturating_add(frames.saturating_mul(PER_PAYLOAD)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_was_wrong_does_not_wrap() {
        let (mut sum, mut counted) = (10, 20);
        update(&mut sum, &mut counted, 5);
        assert_eq!((sum, counted), (0, 5));
        update(&mut sum, &mut counted, 7);
        assert_eq!((sum, counted), (2, 7));
        let memory = Memory {
            connections: usize::MAX,
            rings: 1,
            ..Memory::default()
        };
        assert_eq!(memory.sum(), usize::MAX);
    }
}
