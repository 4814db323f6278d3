//! A worker: one thread, one runtime, one shard.

use crate::clock::Clock;
use crate::connection::Handle;
use crate::listener;
use headwater_core::Time;
use headwater_core::server::{Listener, ShardId, ShardMessage};
use headwater_driver::sockets::Listeners;
use headwater_driver::{DRAIN_TIMEOUT, Shard};
use std::cell::{Cell, RefCell};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tracing::warn;

/// What a worker is told from outside its thread.
#[derive(Debug)]
pub(crate) enum Mail {
    /// From another worker's shard.
    Shard(ShardId, ShardMessage),
    /// Stop accepting, end what there is, return.
    Shutdown,
}

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
}

/// Messages from other shards handled before the thread looks at its sockets.
const MAIL_PER_TURN: usize = 64;

impl Worker {
    pub(crate) fn new(
        id: ShardId,
        shard: Shard<Handle>,
        clock: Clock,
        mailboxes: Box<[UnboundedSender<Mail>]>,
    ) -> Rc<Self> {
        Rc::new(Worker {
            id,
            shard: RefCell::new(shard),
            clock,
            mailboxes,
            attention: Notify::new(),
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
            self.attention.notify_one();
        }
        result
    }

    fn send(&self, to: ShardId, message: ShardMessage) {
        if let Some(mailbox) = self.mailboxes.get(usize::from(to.0)) {
            // Fails once that worker has drained and ended: nobody there is left to miss it.
            let _ = mailbox.send(Mail::Shard(self.id, message));
        }
    }

    /// Serves until told to stop, and then until all is drained or the time for that is over.
    pub(crate) async fn run(
        self: Rc<Self>,
        listeners: Listeners,
        mut mailbox: UnboundedReceiver<Mail>,
    ) -> io::Result<()> {
        let mut accepting = JoinSet::new();
        for (kind, listener) in [(Listener::Rtmp, listeners.rtmp), (Listener::Http, listeners.http)] {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            accepting.spawn_local(listener::accept(self.clone(), listener, kind));
        }
        let mut mails = Vec::with_capacity(MAIL_PER_TURN);
        let mut drain_until = Time::NEVER;
        let mut sleep = pin!(tokio::time::sleep(DRAIN_TIMEOUT));
        while !self.shard.borrow().is_drained() {
            if self.clock.now() >= drain_until {
                warn!("connections are cut off at the end of the drain time");
                break;
            }
            let deadline = self
                .shard
                .borrow()
                .poll_timeout()
                .unwrap_or(Time::NEVER)
                .min(drain_until);
            self.deadline.set(deadline);
            let instant = self.clock.instant(deadline);
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
                                accepting.abort_all();
                                shard.shutdown(now);
                                drain_until = now + DRAIN_TIMEOUT;
                            }
                        }
                    }
                }),
            }
        }
        Ok(())
    }
}
