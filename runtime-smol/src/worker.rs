//! A worker: one thread, one executor, one shard.

use crate::socket::Handle;
use async_io::Timer;
use headwater_core::Time;
use headwater_driver::Worker;
use smol::{LocalExecutor, Task, future};
use std::cell::{RefCell, RefMut};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::Poll;

/// What the tasks of one thread share.
pub(crate) struct Shared {
    worker: RefCell<Worker<Handle>>,
    /// Where the tasks run. They hold this, so it does not hold them.
    executor: Weak<LocalExecutor<'static>>,
}

/// Tasks run before the thread looks at its sockets. 16: if each uses its whole turn, that is 8 ms; and to look costs
/// about as much as one of them that has little to do.
const TASKS_PER_TURN: usize = 16;

/// How often a socket is asked whether it has failed while nothing else is waited for: async-io cannot wait for that alone.
/// 1,000: it matters to half-closed players to which nothing is sent, and to publishers that wait for their name.
const LOOK_EVERY_MILLIS: u64 = 1_000;

/// Runs tasks forever.
pub(crate) async fn run_tasks(executor: &LocalExecutor<'_>) -> io::Result<()> {
    loop {
        for _ in 0..TASKS_PER_TURN {
            executor.tick().await;
        }
        future::yield_now().await;
    }
}

impl Shared {
    pub(crate) fn new(worker: Worker<Handle>, executor: &Rc<LocalExecutor<'static>>) -> Rc<Self> {
        Rc::new(Shared {
            worker: RefCell::new(worker),
            executor: Rc::downgrade(executor),
        })
    }

    /// The worker. What a step of a task leaves to do is seen by [`run`](Self::run), which is polled after the tasks.
    pub(crate) fn worker(&self) -> RefMut<'_, Worker<Handle>> {
        self.worker.borrow_mut()
    }

    /// When a socket of which nothing is wanted is asked whether it has failed: at the next full second, so that all that
    /// are to be asked wake the thread together.
    pub(crate) fn next_look(&self) -> Timer {
        let next = (self.worker().now().as_millis() / LOOK_EVERY_MILLIS + 1) * LOOK_EVERY_MILLIS;
        self.timer(Time::from_millis(next))
    }

    fn timer(&self, until: Time) -> Timer {
        self.worker().instant(until).map_or_else(Timer::never, Timer::at)
    }

    /// Starts a task, unless the worker has ended.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) -> Option<Task<()>> {
        Some(self.executor.upgrade()?.spawn(task))
    }

    /// Serves until told to stop, which drops the `accepting` tasks, and then until all is drained or the time for that is
    /// over.
    ///
    /// To be polled after [`run_tasks`]: ready sockets go first, and what they need attention for is seen at once. The
    /// thread must poll it with the same waker all the time, as `block_on` does.
    pub(crate) async fn run(&self, mut accepting: Vec<Option<Task<()>>>) -> io::Result<()> {
        let waker = future::poll_fn(|context| Poll::Ready(context.waker().clone())).await;
        self.worker().wake_by(move || waker.wake_by_ref());
        let (mut timer, mut fires) = (Timer::never(), Time::NEVER);
        loop {
            let Some(due) = self.worker().due()? else {
                return Ok(());
            };
            if due == Time::ZERO {
                // Sockets that are ready go first.
                future::yield_now().await;
            } else {
                if due != fires {
                    (timer, fires) = (self.timer(due), due);
                }
                self.wait(&mut timer).await;
            }
            let mut worker = self.worker();
            worker.proceed();
            if worker.is_stopping() {
                accepting.clear();
            }
        }
    }

    /// Waits for the timer, for mail, or until tasks have left something to do.
    async fn wait(&self, timer: &mut Timer) {
        future::poll_fn(|context| {
            let worker = self.worker();
            if worker.has_mail() || worker.needs_attention() {
                return Poll::Ready(());
            }
            Pin::new(&mut *timer).poll(context).map(drop)
        })
        .await;
    }
}
