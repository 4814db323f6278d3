//! One thread of a server, but for how it waits.

use crate::hooks::Hooks;
use crate::local::Locals;
use crate::mail::{Inbox, Mail};
use crate::{Clock, Handle, Shard, Socket, random_seed};
use headwater_core::Time;
use headwater_core::server::{self, ConnectionId, Protocol, ShardId};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tracing::debug;

/// A [`Shard`] with its clock and its mailbox: all that one thread works with. What is left to a runtime is to wait.
///
/// ```text
/// while let Some(due) = worker.due()? {
///     // Wait until `due`, for mail, for a ready socket, or until a step of another task needs attention.
///     // Ready sockets go first, each with a step.
///     worker.proceed();
/// }
/// ```
#[derive(Debug)]
pub struct Worker<S> {
    id: ShardId,
    shard: Shard<S>,
    clock: Clock,
    inbox: Inbox,
    /// For messages to the other workers.
    handle: Handle,
    hooks: Hooks,
    /// Streams that the program publishes and plays.
    locals: Locals,
    /// Whether the shard has work left from its last turn.
    has_more: bool,
    /// Until when the worker waits, if no socket is ready and no mail comes before.
    waits_until: Time,
    /// Whether a step is under way, or a panic has ended it.
    is_stepping: bool,
}

impl<S: Socket> Worker<S> {
    pub(crate) fn new(
        id: ShardId,
        config: Arc<server::Config>,
        clock: Clock,
        inbox: Inbox,
        handle: Handle,
        hooks: Hooks,
    ) -> Self {
        let server = server::Server::new(config, id, handle.shards(), random_seed());
        Worker {
            id,
            shard: Shard::new(server),
            clock,
            inbox,
            handle,
            hooks,
            locals: Locals::default(),
            has_more: false,
            waits_until: Time::NEVER,
            is_stepping: false,
        }
    }

    /// Lets `wake` be called, in other threads, when there is [mail](Self::has_mail) for this one and none was before. To be
    /// said once, before the first wait.
    pub fn wake_by(&mut self, wake: impl Fn() + Send + Sync + 'static) {
        self.inbox.wake_by(wake);
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// The system's word for `time`; `None` if it never comes.
    #[must_use]
    pub fn instant(&self, time: Time) -> Option<Instant> {
        self.clock.instant(time)
    }

    /// The shard, for a driver that has several things to tell it before what follows from them is done: by the next
    /// [step](Self::step), or by [`proceed`](Self::proceed).
    pub fn shard(&mut self) -> &mut Shard<S> {
        &mut self.shard
    }

    /// Lets `work` use the shard, and does what follows from it.
    ///
    /// If tasks of the same thread make steps, the one that waits is to be woken after a step that
    /// [needs attention](Self::needs_attention).
    pub fn step<R>(&mut self, work: impl FnOnce(&mut Shard<S>, Time) -> R) -> R {
        self.is_stepping = true;
        let now = self.clock.now();
        let result = work(&mut self.shard, now);
        self.turn(now);
        self.note_busy(now);
        self.is_stepping = false;
        result
    }

    /// Takes in a connection that speaks `protocol`. `None` if the server wants no more: it is dropped, and
    /// the log says why.
    pub fn accept(&mut self, protocol: Protocol, peer: SocketAddr, socket: S) -> Option<ConnectionId> {
        self.step(|shard, now| shard.accept(now, protocol, peer, socket))
            .inspect_err(|reason| debug!(%reason, %peer, "refused"))
            .ok()
    }

    /// Until when to wait if no socket is ready and no mail comes before: [`Time::ZERO`] if there is work left that only lets ready
    /// sockets go first, `None` once the worker was stopped and is done. Then [`proceed`](Self::proceed).
    ///
    /// # Errors
    /// If a step has panicked in a task whose panics the runtime has caught.
    pub fn due(&mut self) -> io::Result<Option<Time>> {
        if self.is_stepping {
            return Err(io::Error::other("a task has panicked"));
        }
        if self.shard.is_drained() {
            return Ok(None);
        }
        if self.has_more || self.has_mail() {
            return Ok(Some(Time::ZERO));
        }
        let deadline = self.shard.poll_timeout().unwrap_or(Time::NEVER);
        // A wait that ends too early costs less than a timer that is moved whenever a deadline is.
        if deadline < self.waits_until || self.waits_until <= self.now() {
            self.waits_until = deadline;
        }
        Ok(Some(self.waits_until))
    }

    /// Whether not to wait any longer, whatever [`due`](Self::due) said: there is work left, an earlier deadline, or nothing
    /// left at all.
    #[must_use]
    pub fn needs_attention(&self) -> bool {
        let is_earlier = |deadline| deadline < self.waits_until;
        self.has_more
            || self.is_stepping
            || self.shard.is_drained()
            || self.shard.poll_timeout().is_some_and(is_earlier)
    }

    /// Whether another thread has sent something.
    #[must_use]
    pub fn has_mail(&self) -> bool {
        self.inbox.has_mail()
    }

    /// Whether the worker was told to stop: it accepts no more.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shard.is_shutting_down()
    }

    /// Reads the mail, handles what is due, and does what follows.
    pub fn proceed(&mut self) {
        let now = self.clock.now();
        for mail in self.inbox.take() {
            match mail {
                Mail::Shard(from, message) => self.shard.handle_shard(now, from, message),
                Mail::Answer(ticket, answer) => self.shard.answer(now, ticket, answer),
                Mail::Call(call) => call.make(self.shard.server_mut(), now),
                Mail::Local(link, mail) => self.locals.handle(now, self.shard.server_mut(), &link, mail),
                Mail::Stop => self.shard.shutdown(now),
            }
        }
        if self.shard.poll_timeout().is_some_and(|due| due <= now) {
            self.shard.handle_timeout(now);
        }
        self.turn(now);
        self.note_busy(now);
    }

    /// It has worked since then.
    fn note_busy(&mut self, since: Time) {
        let span = self.clock.now().since(since);
        self.shard.server_mut().note_busy(span);
    }

    fn turn(&mut self, now: Time) {
        self.has_more = self
            .shard
            .turn(now, |to, message| self.handle.send(to, Mail::Shard(self.id, message)));
        while let Some((ticket, question)) = self.shard.poll_question() {
            self.hooks.ask(&self.handle, self.id, ticket, question);
        }
        while let Some(event) = self.shard.poll_event() {
            self.hooks.tell(event);
        }
        while let Some(recording) = self.shard.poll_recording() {
            self.hooks.record(recording);
        }
        while let Some(id) = self.shard.poll_local() {
            self.locals.fill(now, self.shard.server_mut(), id);
            self.has_more = true;
        }
    }
}

#[cfg(test)]
impl<S> Worker<S> {
    pub(crate) fn is_first(&self) -> bool {
        self.id == ShardId(0)
    }
}

#[cfg(test)]
pub(crate) mod tests;
