//! Many seeds, on as many threads as there are cores. Each stays in one thread from its beginning to its end.

use crate::journal::Journal;
use crate::marks::Marks;
use crate::plan::Plan;
use crate::world::World;
use std::cell::RefCell;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// What came of a seed that held.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// A hash of all that came to pass.
    pub hash: u64,
    /// Turns that workers took.
    pub steps: u64,
    /// The time that passed in the world.
    pub span: Duration,
    pub marks: Marks,
}

/// Runs a plan, and returns what came of it, or what went wrong. With `story`, it prints how, and writes recordings of the
/// connections that failed to the folder that `HEADWATER_RECORD` names, if it names one.
pub fn run(plan: &Plan, story: bool) -> Result<Outcome, String> {
    let journal = Rc::new(RefCell::new(Journal::new(story)));
    let told = journal.clone();
    let record_to = env::var_os("HEADWATER_RECORD").map(PathBuf::from).filter(|_| story);
    let result = catch_unwind(AssertUnwindSafe(|| World::new(plan, told, record_to).run()));
    let journal = journal.borrow();
    print!("{}", journal.text());
    match result {
        Ok(outcome) => Ok(Outcome {
            hash: journal.hash(),
            ..outcome
        }),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(text.unwrap_or_default())
        }
    }
}

/// Does `what` for each seed. The results are in the order of the seeds.
pub fn for_each<T: Send>(seeds: &[u64], what: impl Fn(u64) -> T + Sync) -> Vec<(u64, T)> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut results = Vec::new();
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            results.push((*seed, what(*seed)));
        }
        results
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut all: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let results = threads.into_iter().flat_map(|thread| thread.join().unwrap());
        results.collect()
    });
    all.sort_by_key(|(seed, _)| *seed);
    all
}
