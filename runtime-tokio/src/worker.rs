//! A worker: one thread, one runtime, one shard.

use crate::connection::Handle;
use crate::listener;
use headwater_core::Time;
use headwater_core::server::{self, ShardId, ShardMessage};
use headwater_driver::sockets::Listeners;
use headwater_driver::{Clock, MAIL_PER_TURN, Mail, Shard, random_seed};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::AbortHandle;

/// What the tasks of one thread share.
#[derive(Debug)]
pub(crate) struct Worker {
    id: ShardId,
    shard: RefCell<Shard<Handle>>,
    clock: Clock,
    /// The mailboxes of all workers, by shard.
    mailboxes: Box<[UnboundedSender<Mail>]>,
    /// Wakes the worker's own task: there is work left, an earlier deadline, or nothing left at all.
    attention: Notify,
    /// The deadline that the worker's task waits for.
    deadline: Cell<Time>,
    /// Whether one of its tasks did, which the runtime keeps to itself.
    has_panicked: Cell<bool>,
}

/// Ends the worker if the task that holds it panics.
struct EndOnPanic(Rc<Worker>);

impl Drop for EndOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.has_panicked.set(true);
            self.0.attention.notify_one();
        }
    }
}

impl Worker {
    pub(crate) fn new(
        id: ShardId,
        config: Arc<server::Config>,
        clock: Clock,
        mailboxes: Box<[UnboundedSender<Mail>]>,
    ) -> Rc<Self> {
        let shards = u16::try_from(mailboxes.len()).unwrap_or(u16::MAX);
        let server = server::Server::new(config, id, shards, random_seed());
        Rc::new(Worker {
            id,
            shard: RefCell::new(Shard::new(server)),
            clock,
            mailboxes,
            attention: Notify::new(),
            deadline: Cell::new(Time::NEVER),
            has_panicked: Cell::new(false),
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
            self.attention.notify_one();
        }
        result
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    fn send(&self, to: ShardId, message: ShardMessage) {
        if let Some(mailbox) = self.mailboxes.get(usize::from(to.0)) {
            // Fails once that worker has drained and ended: nobody there is left to miss it.
            let _ = mailbox.send(Mail::Shard(self.id, message));
        }
    }

    /// Starts a task. A panic in it ends the worker.
    pub(crate) fn spawn(self: &Rc<Self>, task: impl Future<Output = ()> + 'static) -> AbortHandle {
        let end_on_panic = EndOnPanic(self.clone());
        let task = async move {
            let _end_on_panic = end_on_panic;
            task.await;
        };
        tokio::task::spawn_local(task).abort_handle()
    }

    /// Serves until told to stop, and then until all is drained or the time for that is over.
    pub(crate) async fn run(
        self: Rc<Self>,
        listeners: Listeners,
        mut mailbox: UnboundedReceiver<Mail>,
    ) -> io::Result<()> {
        let mut accepting = Vec::new();
        for (kind, listener) in listeners {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            accepting.push(self.spawn(listener::accept(self.clone(), listener, kind)));
        }
        let mut mails = Vec::with_capacity(MAIL_PER_TURN);
        let mut sleep = pin!(tokio::time::sleep(Duration::ZERO));
        while !self.shard.borrow().is_drained() {
            if self.has_panicked.get() {
                return Err(io::Error::other("a task has panicked"));
            }
            let deadline = self.shard.borrow().poll_timeout().unwrap_or(Time::NEVER);
            self.deadline.set(deadline);
            let instant = self.clock.instant(deadline).map(Into::into);
            if let Some(instant) = instant.filter(|instant| *instant != sleep.deadline()) {
                sleep.as_mut().reset(instant);
            }
            tokio::select! {
                () = &mut sleep, if instant.is_some() => self.step(Shard::handle_timeout),
                () = self.attention.notified() => {
                    // Sockets that are ready go first.
                    tokio::task::yield_now().await;
                    self.step(|_, _| ());
                }
                _ = mailbox.recv_many(&mut mails, MAIL_PER_TURN) => self.step(|shard, now| {
                    for mail in mails.drain(..) {
                        match mail {
                            Mail::Shard(from, message) => shard.handle_shard(now, from, message),
                            Mail::Shutdown => {
                                accepting.iter().for_each(AbortHandle::abort);
                                shard.shutdown(now);
                            }
                        }
                    }
                }),
            }
        }
        Ok(())
    }
}
