//! A worker: one thread, one executor, one shard.

use crate::connection::Handle;
use crate::listener;
use async_io::{Async, Timer};
use headwater_core::Time;
use headwater_core::server::{self, ShardId, ShardMessage};
use headwater_driver::sockets::Listeners;
use headwater_driver::{Clock, MAIL_PER_TURN, Mail, Shard, random_seed};
use smol::channel::{Receiver, Sender};
use smol::{LocalExecutor, Task, future};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::iter;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Poll;

/// What the tasks of one thread share.
pub(crate) struct Worker {
    id: ShardId,
    shard: RefCell<Shard<Handle>>,
    clock: Clock,
    /// The mailboxes of all workers, by shard.
    mailboxes: Box<[Sender<Mail>]>,
    /// Where the tasks run. They hold the worker, so it does not hold them.
    executor: Weak<LocalExecutor<'static>>,
    /// There is work left, an earlier deadline, or nothing left at all.
    needs_attention: Cell<bool>,
    /// When the timer fires.
    deadline: Cell<Time>,
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

impl Worker {
    pub(crate) fn new(
        id: ShardId,
        config: Arc<server::Config>,
        clock: Clock,
        mailboxes: Box<[Sender<Mail>]>,
        executor: Weak<LocalExecutor<'static>>,
    ) -> Rc<Self> {
        let shards = u16::try_from(mailboxes.len()).unwrap_or(u16::MAX);
        let server = server::Server::new(config, id, shards, random_seed());
        Rc::new(Worker {
            id,
            shard: RefCell::new(Shard::new(server)),
            clock,
            mailboxes,
            executor,
            needs_attention: Cell::new(false),
            deadline: Cell::new(Time::NEVER),
        })
    }

    /// Lets `work` use the shard, and does what follows from it.
    ///
    /// Every use of the shard goes through here, so it never has work that nobody does or a deadline that nobody
    /// waits for.
    pub(crate) fn step<R>(&self, work: impl FnOnce(&mut Shard<Handle>, Time) -> R) -> R {
        let now = self.clock.now();
        let mut shard = self.shard.borrow_mut();
        let result = work(&mut shard, now);
        let has_more = shard.turn(now, |to, message| self.send(to, message));
        let is_earlier = shard
            .poll_timeout()
            .is_some_and(|deadline| deadline < self.deadline.get());
        if has_more || is_earlier || shard.is_drained() {
            self.needs_attention.set(true);
        }
        result
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// When a socket of which nothing is wanted is asked whether it has failed: at the next full second, so that all that
    /// are to be asked wake the thread together.
    pub(crate) fn next_look(&self) -> Timer {
        let next = Time::from_millis((self.now().as_millis() / LOOK_EVERY_MILLIS + 1) * LOOK_EVERY_MILLIS);
        self.clock.instant(next).map_or_else(Timer::never, Timer::at)
    }

    fn send(&self, to: ShardId, message: ShardMessage) {
        if let Some(mailbox) = self.mailboxes.get(usize::from(to.0)) {
            // Fails once that worker has drained and ended: nobody there is left to miss it.
            let _ = mailbox.try_send(Mail::Shard(self.id, message));
        }
    }

    /// Starts a task, unless the worker has ended.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) -> Option<Task<()>> {
        Some(self.executor.upgrade()?.spawn(task))
    }

    /// Serves until told to stop, and then until all is drained or the time for that is over.
    ///
    /// To be polled after [`run_tasks`]: ready sockets go first, and what they need attention for is seen at once.
    pub(crate) async fn run(self: Rc<Self>, listeners: Listeners, mailbox: Receiver<Mail>) -> io::Result<()> {
        let mut accepting = Vec::new();
        for (kind, listener) in listeners {
            accepting.push(self.spawn(listener::accept(self.clone(), Async::new(listener)?, kind)));
        }
        let mut timer = Timer::never();
        while !self.shard.borrow().is_drained() {
            let now = self.clock.now();
            let deadline = self.shard.borrow().poll_timeout().unwrap_or(Time::NEVER);
            // A timer that fires too early costs less than one that is moved whenever a deadline is.
            if deadline < self.deadline.get() || self.deadline.get() <= now {
                self.deadline.set(deadline);
                timer = self.clock.instant(deadline).map_or_else(Timer::never, Timer::at);
            }
            let mail = if self.needs_attention.take() || !mailbox.is_empty() {
                // Sockets that are ready go first.
                future::yield_now().await;
                None
            } else {
                self.wait(&mut timer, &mailbox).await
            };
            self.step(|shard, now| {
                shard.handle_timeout(now);
                let more = iter::from_fn(|| mailbox.try_recv().ok());
                for mail in mail.into_iter().chain(more).take(MAIL_PER_TURN) {
                    match mail {
                        Mail::Shard(from, message) => shard.handle_shard(now, from, message),
                        Mail::Shutdown => {
                            accepting.clear();
                            shard.shutdown(now);
                        }
                    }
                }
            });
        }
        Ok(())
    }

    /// Waits for the timer, for mail, or until tasks have left something to do.
    async fn wait(&self, timer: &mut Timer, mailbox: &Receiver<Mail>) -> Option<Mail> {
        let attention = future::poll_fn(|_| match self.needs_attention.take() {
            true => Poll::Ready(None),
            false => Poll::Pending,
        });
        let deadline = async {
            timer.await;
            None
        };
        let mail = async { mailbox.recv().await.ok() };
        future::or(attention, future::or(deadline, mail)).await
    }
}
