//! What input costs that goes through a whole server, into the ring of its stream, for each unit of work that it counts.

use crate::clock::time_worked;
use crate::inputs::{hub_inputs, publishing};
use crate::{ALLOCATOR, ALONE, NANOS_PER_BYTE};
use bytes::Buf;
use headwater_core::server::{Action, Config, ConnectionId, Protocol, Server, ShardId};
use headwater_core::{Limits, Time};
use stats_alloc::Region;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError};

/// Units of work for an allocation. 4: a message of a byte of sound, which counts 18, takes three, and a ring that grows some.
const UNITS_PER_ALLOCATION: u64 = 4;

/// Bytes that a publisher sends at the most. 8 MB: what counts one unit for 32 bytes is no work.
const MOST: usize = 8 << 20;

/// A server with one publisher, which has said nothing of its stream.
struct Hub {
    server: Server,
    publisher: ConnectionId,
}

/// What a second's share of work has cost.
struct Cost {
    bytes: usize,
    allocations: u64,
    nanos: u64,
    /// Whether it was all of the share: if not, the bytes are all that may come.
    yields: bool,
}

impl Hub {
    fn new() -> Hub {
        let mut server = Server::new(Arc::new(Config::default()), ShardId(0), 1, 1);
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000));
        let publisher = server.accept(Time::ZERO, Protocol::Rtmp, peer).unwrap();
        let mut hub = Hub { server, publisher };
        hub.hear(&publishing());
        hub
    }

    fn hear(&mut self, input: &[u8]) {
        self.server.handle_input(Time::ZERO, self.publisher, input);
        while let Some(action) = self.server.poll_action() {
            if let Action::Wake(id) = action {
                let output = self.server.output(Time::ZERO, id);
                output.advance(output.len());
            }
        }
    }

    /// Hears `input` again and again until the publisher has made as much work as it may in a second.
    fn use_up(&mut self, input: &[u8]) -> Cost {
        let (region, start) = (Region::new(ALLOCATOR), time_worked());
        let mut bytes = 0;
        while !self.server.yields(Time::ZERO, self.publisher) && bytes < MOST {
            self.hear(input);
            bytes += input.len();
        }
        let change = region.change();
        assert_eq!(self.server.stats().failed, 0, "after {bytes} bytes");
        Cost {
            bytes,
            allocations: (change.allocations + change.reallocations) as u64,
            nanos: u64::try_from((time_worked() - start).as_nanos()).unwrap(),
            yields: self.server.yields(Time::ZERO, self.publisher),
        }
    }
}

/// A second's share of work, of which there may be a message more.
fn share() -> u64 {
    Limits::default().max_work_per_second * 5 / 4
}

#[test]
fn what_goes_through_the_hub_counts_as_the_work_that_it_is() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, input) in hub_inputs() {
        let cost = Hub::new().use_up(&input);
        let most = share() / UNITS_PER_ALLOCATION;
        assert!(cost.yields, "{name}: no work though {} bytes came", cost.bytes);
        assert!(cost.allocations <= most, "{name}: {} allocations", cost.allocations);
        // As loose as a build without optimizations needs it.
        let nanos = cost.nanos / share();
        assert!(
            u128::from(nanos) < 40 * NANOS_PER_BYTE,
            "{name}: {nanos} ns for a unit of work"
        );
    }
}

#[test]
#[ignore = "says nothing without optimizations and a quiet machine"]
fn no_work_in_the_hub_takes_more_than_25_nanoseconds_a_unit() {
    let mut slow = Vec::new();
    for (name, input) in hub_inputs() {
        let runs = (0..20).map(|_| Hub::new().use_up(&input).nanos);
        let nanos = runs.min().unwrap_or_default() / Limits::default().max_work_per_second;
        println!("{nanos:>6} ns for a unit of work: {name}");
        if u128::from(nanos) > NANOS_PER_BYTE {
            slow.push(name);
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
}
