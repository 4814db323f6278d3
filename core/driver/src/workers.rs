//! The threads of a server: they start together, and when one ends all do.

use headwater_core::server::ShardId;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Starts a thread for each of `workers` and returns at once.
///
/// Each thread first runs `prepare`, which takes what the worker needs for waiting (file descriptors, above all). When all
/// have it, each goes on with `serve`: nobody accepts connections before, which could take the file descriptors of
/// another. If a thread cannot start, fails or panics, nobody serves any more.
///
/// `stop` is called whenever a worker has ended, and tells the others to end as well. The last one to end calls `done`, with
/// the first error that there was.
pub(crate) fn start<W, P>(
    workers: Vec<W>,
    prepare: impl Fn(ShardId, W) -> io::Result<P> + Send + Sync + 'static,
    serve: impl Fn(P) -> io::Result<()> + Send + Sync + 'static,
    stop: impl Fn() + Send + Sync + 'static,
    done: impl FnOnce(io::Result<()>) + Send + 'static,
) where
    W: Send + 'static,
{
    if workers.is_empty() {
        done(Ok(()));
        return;
    }
    let team = Arc::new(Team {
        state: Mutex::new(State {
            preparing: workers.len(),
            running: workers.len(),
            result: Ok(()),
            done: Some(Box::new(done)),
        }),
        changed: Condvar::new(),
        stop: Box::new(stop),
    });
    let tasks = Arc::new((prepare, serve));
    for (worker, index) in workers.into_iter().zip(0..) {
        let (member, tasks) = (team.clone(), tasks.clone());
        let work = move || {
            let (prepare, serve) = &*tasks;
            let work = || {
                let prepared = prepare(ShardId(index), worker)?;
                if member.all_are_ready() {
                    serve(prepared)
                } else {
                    Ok(())
                }
            };
            let exit = panic::catch_unwind(AssertUnwindSafe(work))
                .unwrap_or_else(|_| Err(io::Error::other(format!("worker {index} has panicked"))));
            member.leave(exit);
        };
        if let Err(error) = thread::Builder::new().name(format!("worker-{index}")).spawn(work) {
            team.leave(Err(error));
        }
    }
}

/// What the threads of one server share.
struct Team {
    state: Mutex<State>,
    changed: Condvar,
    stop: Box<dyn Fn() + Send + Sync>,
}

struct State {
    /// Workers that do not have all that they need yet.
    preparing: usize,
    /// Workers that have not ended.
    running: usize,
    /// The first error.
    result: io::Result<()>,
    /// Taken by the last to end.
    done: Option<Box<dyn FnOnce(io::Result<()>) + Send>>,
}

impl Team {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing below panics with the lock held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more worker has what it needs. Waits for the others; false if one of them has failed.
    fn all_are_ready(&self) -> bool {
        let mut state = self.state();
        state.preparing -= 1;
        self.changed.notify_all();
        let state = self
            .changed
            .wait_while(state, |state| state.preparing > 0 && state.result.is_ok())
            .unwrap_or_else(PoisonError::into_inner);
        state.result.is_ok()
    }

    /// A worker has ended, or could not begin.
    fn leave(&self, exit: io::Result<()>) {
        let last = {
            let mut state = self.state();
            if state.result.is_ok() {
                state.result = exit;
            }
            state.running -= 1;
            self.changed.notify_all();
            let done = if state.running == 0 { state.done.take() } else { None };
            done.map(|done| (done, std::mem::replace(&mut state.result, Ok(()))))
        };
        (self.stop)();
        if let Some((done, result)) = last {
            done(result);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Barrier, mpsc};
    use std::time::Duration;

    /// Only a failing test waits so long.
    const DEADLINE: Duration = Duration::from_secs(20);

    const WORKERS: usize = 3;

    /// Workers that serve until they are stopped, but for what `prepare` and `serve` make of it. If they serve, they begin
    /// it together: one that failed at once would keep the late ones from serving. Returns how it ended and how many of
    /// them served.
    fn run(
        prepare: impl Fn(u16) -> io::Result<()> + Send + Sync + 'static,
        serve: impl Fn(u16) -> io::Result<()> + Send + Sync + 'static,
    ) -> (io::Result<()>, usize) {
        let (stops, stopped): (Vec<_>, Vec<_>) = (0..WORKERS).map(|_| mpsc::channel::<()>()).unzip();
        let (done, exit) = mpsc::channel();
        let served = Arc::new(AtomicUsize::new(0));
        let counter = served.clone();
        let all_serve = Barrier::new(WORKERS);
        start(
            stopped,
            move |ShardId(index), stopped| prepare(index).map(|()| (index, stopped)),
            move |(index, stopped)| {
                counter.fetch_add(1, Ordering::SeqCst);
                all_serve.wait();
                serve(index)?;
                stopped.recv().map_err(io::Error::other)
            },
            move || stops.iter().for_each(|stop| stop.send(()).unwrap_or_default()),
            move |result| done.send(result).unwrap(),
        );
        (exit.recv_timeout(DEADLINE).unwrap(), served.load(Ordering::SeqCst))
    }

    fn panic_as(index: u16, who: u16) -> io::Result<()> {
        assert_ne!(index, who, "as this test wants it");
        Ok(())
    }

    #[test]
    fn nobody_serves_if_one_cannot_prepare() {
        let prepare = |index| match index {
            1 => Err(io::Error::other("no more files")),
            _ => Ok(()),
        };
        let (result, served) = run(prepare, |_| Ok(()));
        assert_eq!((result.unwrap_err().to_string(), served), ("no more files".into(), 0));
    }

    #[test]
    fn nobody_serves_if_one_panics_while_it_prepares() {
        let (result, served) = run(|index| panic_as(index, 2), |_| Ok(()));
        let error = result.unwrap_err().to_string();
        assert_eq!((error.as_str(), served), ("worker 2 has panicked", 0));
    }

    #[test]
    fn the_others_end_when_one_fails() {
        let serve = |index| match index {
            0 => Err(io::Error::other("out of luck")),
            _ => Ok(()),
        };
        let (result, served) = run(|_| Ok(()), serve);
        assert_eq!(
            (result.unwrap_err().to_string(), served),
            ("out of luck".into(), WORKERS)
        );
    }

    #[test]
    fn the_others_end_when_one_panics() {
        let (result, served) = run(|_| Ok(()), |index| panic_as(index, 1));
        let error = result.unwrap_err().to_string();
        assert_eq!((error.as_str(), served), ("worker 1 has panicked", WORKERS));
    }
}
