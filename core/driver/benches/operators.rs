//! What the question of an operator costs the worker that answers it: one with 1,000 streams, whose publishers are its 1,000
//! connections, in memory.
//!
//! ```text
//! cargo bench -p headwater-driver --bench operators
//! ```
//!
//! Prints milliseconds from the request to the answer, the median of 21 times, with allocations and bytes of the answer.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark may panic")]

#[path = "../../tests/script/frames.rs"]
mod frames;

use headwater_core::Time;
use headwater_core::server::{Config, Protocol, Server, ShardId};
use headwater_driver::memory::{MemoryWorker, Peer};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const STREAMS: usize = 1_000;

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    // `cargo test --all-targets` runs this too, only to see that it works.
    let (streams, rounds) = if is_bench { (STREAMS, 21) } else { (10, 1) };
    let mut world = World::new(streams);
    println!("{:<34} {:>8} {:>12} {:>10}", "", "ms", "allocations", "bytes");
    for path in [
        "/api/v1/streams?count=1000",
        "/api/v1/streams?count=10",
        "/api/v1/streams/live/500",
        "/api/v1/clients?count=1000",
        "/api/v1/clients?count=10",
        "/api/v1/summaries",
        "/metrics",
    ] {
        let mut times: Vec<Duration> = (0..rounds).map(|_| world.ask(path).0).collect();
        times.sort();
        let region = Region::new(GLOBAL);
        let (_, len) = world.ask(path);
        let allocations = region.change().allocations;
        let millis = times[times.len() / 2].as_secs_f64() * 1_000.0;
        println!("{path:<34} {millis:>8.3} {allocations:>12} {len:>10}");
    }
}

/// A worker and an operator. Publishers have sent what the server keeps, and go on without a word.
struct World {
    worker: MemoryWorker,
    operator: Peer,
    now: Time,
}

impl World {
    fn new(streams: usize) -> Self {
        let mut config = Config::default();
        config.limits.max_requests_per_second = u32::MAX;
        let mut worker = MemoryWorker::new(Server::new(Arc::new(config), ShardId(0), 1, 7));
        let now = Time::from_millis(1_000);
        let operator = worker
            .connect(now, Protocol::Admin, ([127, 0, 0, 1], 1).into())
            .unwrap();
        let media = frames::flv("M V A K0:2000 a5 P40:500 a45 P80:500 K1000:2000");
        for number in 0..streams {
            let [_, _, high, low] = u32::try_from(number).unwrap().to_be_bytes();
            let publisher = worker
                .connect(now, Protocol::Http, ([10, 0, high, low], 1).into())
                .unwrap();
            let head = format!("POST /live/{number} HTTP/1.1\r\nHost: a\r\nUser-Agent: Lavf/59.27.100\r\n\r\n");
            publisher.send(&[head.as_bytes(), &media].concat());
            serve(&mut worker, now);
        }
        World { worker, operator, now }
    }

    /// How long the worker takes to answer, and how many bytes the answer has.
    fn ask(&mut self, path: &str) -> (Duration, usize) {
        self.now = self.now + Duration::from_millis(10);
        self.operator
            .send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        let start = Instant::now();
        serve(&mut self.worker, self.now);
        let elapsed = start.elapsed();
        let answer = self.operator.take();
        assert!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{}",
            answer[..200.min(answer.len())].escape_ascii()
        );
        (elapsed, answer.len())
    }
}

/// Serves all that is ready. Messages of the worker to itself are delivered at once.
fn serve(worker: &mut MemoryWorker, now: Time) {
    while worker.serve(now, |_, _| {}) {}
}
