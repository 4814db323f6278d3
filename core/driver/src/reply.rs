//! What all workers answer to a question of the program, put together.

use headwater_core::server::ShardId;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// An answer that all workers have a part in.
///
/// As a future, on whatever runtime, it completes once each of them has given its part or has ended;
/// [`wait`](Self::wait) blocks until then, up to a limit; in an authorizer or observer, which a worker calls, it would wait for
/// that worker in vain. What was asked is done even if this is dropped. Asked again once it has completed, a future is empty.
#[derive(Debug)]
pub struct Reply<T>(Arc<Shared<T>>);

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merged<T> {
    /// The parts together.
    pub value: T,
    /// The workers whose part is missing, because they had no time for it, or have ended. Usually none.
    pub missing: Vec<ShardId>,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    value: T,
    missing: Vec<ShardId>,
    /// Parts that may still come.
    open: usize,
    waiting: Option<Waker>,
}

/// The part of one worker. If it is dropped, it will never come.
#[derive(Debug)]
pub(crate) struct Part<T> {
    shard: ShardId,
    shared: Arc<Shared<T>>,
}

/// A reply without parts is `empty`. There are as many parts as workers, by shard.
pub(crate) fn new<T>(empty: T, shards: u16) -> (Vec<Part<T>>, Reply<T>) {
    let missing: Vec<_> = (0..shards).map(ShardId).collect();
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            value: empty,
            open: missing.len(),
            missing: missing.clone(),
            waiting: None,
        }),
        changed: Condvar::new(),
    });
    let part = |shard| Part {
        shard,
        shared: shared.clone(),
    };
    (missing.into_iter().map(part).collect(), Reply(shared))
}

impl<T: Default> Reply<T> {
    /// Blocks until all parts are there, or `timeout` is over. A worker answers within milliseconds, unless it is not
    /// running yet.
    #[must_use]
    pub fn wait(self, timeout: Duration) -> Merged<T> {
        let state = self.0.state();
        let waited = self
            .0
            .changed
            .wait_timeout_while(state, timeout, |state| state.open > 0);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.take()
    }
}

impl<T: Default> Future for Reply<T> {
    type Output = Merged<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Merged<T>> {
        let mut state = self.0.state();
        if state.open == 0 {
            return Poll::Ready(state.take());
        }
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }
}

impl<T> Part<T> {
    pub(crate) fn shard(&self) -> ShardId {
        self.shard
    }

    /// Adds the part to the others.
    pub(crate) fn give(self, add: impl FnOnce(&mut T)) {
        let mut state = self.shared.state();
        add(&mut state.value);
        state.missing.retain(|&shard| shard != self.shard);
    }
}

impl<T> Drop for Part<T> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.open -= 1;
        let waiting = if state.open == 0 { state.waiting.take() } else { None };
        drop(state);
        self.shared.changed.notify_all();
        if let Some(task) = waiting {
            task.wake();
        }
    }
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Default> State<T> {
    fn take(&mut self) -> Merged<T> {
        Merged {
            value: std::mem::take(&mut self.value),
            missing: self.missing.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::thread;

    /// Only a failing test waits so long.
    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn parts_add_up_in_whatever_order_they_come() {
        let (mut parts, reply) = new(Vec::new(), 3);
        let answering = thread::spawn(move || {
            while let Some(part) = parts.pop() {
                let shard = part.shard();
                part.give(|all| all.push(shard.0));
            }
        });
        let Merged { value, missing } = reply.wait(LONG);
        assert_eq!((value, missing), (vec![2, 1, 0], vec![]));
        answering.join().unwrap();
    }

    #[test]
    fn a_worker_that_ends_is_missing_and_not_waited_for() {
        let (mut parts, reply) = new(0, 2);
        let last = parts.pop();
        parts.pop().unwrap().give(|sum| *sum += 7);
        drop(last);
        let Merged { value, missing } = reply.wait(LONG);
        assert_eq!((value, missing), (7, vec![ShardId(1)]));
    }

    #[test]
    fn a_worker_that_is_late_is_named() {
        let (parts, reply) = new(0, 1);
        let Merged { missing, .. } = reply.wait(Duration::from_millis(1));
        assert_eq!(missing, vec![ShardId(0)]);
        drop(parts);
    }

    #[test]
    fn a_task_is_woken_by_the_last_part() {
        struct Woken(AtomicUsize);
        impl Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let woken = Arc::new(Woken(AtomicUsize::new(0)));
        let waker = woken.clone().into();
        let mut context = Context::from_waker(&waker);
        let (parts, mut reply) = new(0, 2);
        for (part, is_last) in parts.into_iter().zip([0, 1]) {
            assert!(Pin::new(&mut reply).poll(&mut context).is_pending());
            part.give(|sum| *sum += 2);
            assert_eq!(woken.0.load(Ordering::SeqCst), is_last);
        }
        assert!(matches!(
            Pin::new(&mut reply).poll(&mut context),
            Poll::Ready(Merged { value: 4, .. })
        ));
    }

    #[test]
    fn without_workers_the_answer_is_empty() {
        let (_, reply) = new(5, 0);
        assert_eq!(reply.wait(LONG).value, 5);
    }
}
