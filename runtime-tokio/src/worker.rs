//! A worker: what the tasks of one thread share, and the task that waits for all but sockets.

use crate::socket::Handle;
use headwater_core::Time;
use headwater_driver::{Shard, Worker};
use std::cell::RefCell;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{self, JoinSet};
use tokio::time;

/// The worker of a thread, for its tasks.
#[derive(Debug)]
pub(crate) struct Shared {
    worker: RefCell<Worker<Handle>>,
    /// Wakes the worker's own task: there is mail, or something to do.
    attention: Arc<Notify>,
}

/// Wakes the worker's own task if need be when a step ends, also by a panic, which the runtime keeps to itself.
struct Attention<'a>(&'a Shared);

impl Drop for Attention<'_> {
    fn drop(&mut self) {
        if self.0.worker.borrow().needs_attention() {
            self.0.attention.notify_one();
        }
    }
}

impl Shared {
    pub(crate) fn new(mut worker: Worker<Handle>) -> Rc<Self> {
        let attention = Arc::new(Notify::new());
        let on_mail = attention.clone();
        worker.wake_by(move || on_mail.notify_one());
        Rc::new(Shared {
            worker: RefCell::new(worker),
            attention,
        })
    }

    /// Lets `work` use the worker. Every use by a task goes through here, so that there is no work that nobody does and no
    /// deadline that nobody waits for.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Worker<Handle>) -> R) -> R {
        let _attention = Attention(self);
        work(&mut self.worker.borrow_mut())
    }

    /// Lets `work` use the shard.
    pub(crate) fn step<R>(&self, work: impl FnOnce(&mut Shard<Handle>, Time) -> R) -> R {
        self.with(|worker| worker.step(work))
    }

    pub(crate) fn now(&self) -> Time {
        self.worker.borrow().now()
    }

    /// Serves until told to stop, which ends the `accepting` tasks, and then until all is drained or the time for that is
    /// over.
    pub(crate) async fn run(&self, mut accepting: JoinSet<()>) -> io::Result<()> {
        let mut sleep = pin!(time::sleep(Duration::ZERO));
        loop {
            let Some(due) = self.worker.borrow_mut().due()? else {
                return Ok(());
            };
            if due == Time::ZERO {
                // Sockets that are ready go first.
                task::yield_now().await;
            } else {
                let instant = self.worker.borrow().instant(due).map(Into::into);
                if let Some(instant) = instant.filter(|instant| *instant != sleep.deadline()) {
                    sleep.as_mut().reset(instant);
                }
                tokio::select! {
                    () = &mut sleep, if instant.is_some() => {}
                    () = self.attention.notified() => {
                        if !self.worker.borrow().has_mail() {
                            continue;
                        }
                    }
                }
            }
            let mut worker = self.worker.borrow_mut();
            worker.proceed();
            if worker.is_stopping() {
                accepting.abort_all();
            }
        }
    }
}
