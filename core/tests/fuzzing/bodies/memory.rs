//! Memory in use, counted by the allocator.

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Counts from where it was made. It counts for all threads, so only one of them may do anything meanwhile.
pub struct Meter(Region<'static, System>);

impl Meter {
    /// A meter that says 0.
    pub fn new() -> Self {
        Meter(Region::new(ALLOCATOR))
    }

    /// Bytes that are in use more than at the start.
    pub fn in_use(&self) -> usize {
        let change = self.0.change();
        // What grew or shrank is in the first two already; the third says by how much of it.
        change.bytes_allocated.saturating_sub(change.bytes_deallocated)
    }

    /// Panics if more than `max` are.
    pub fn assert_at_most(&self, max: usize) {
        let in_use = self.in_use();
        assert!(in_use <= max, "{in_use} bytes are in use, and {max} may be");
    }
}
