//! A worker: one thread, one poll, one shard.

use crate::connection::{Connection, ReadQueue};
use crate::listener::Listener;
use headwater_core::Time;
use headwater_driver::{Worker, sockets};
use mio::event::Event;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use std::io::{self, ErrorKind};
use std::rc::Rc;
use tracing::warn;

/// Announces mail.
const MAIL: Token = Token(usize::MAX);
/// The first listener; the others follow below it. All smaller tokens are connections: the index of their identifier.
const FIRST_LISTENER: usize = MAIL.0 - 1;

/// Events taken from the kernel at a time. 1,024: what does not fit is there the next time.
const EVENTS: usize = 1_024;
/// Connections read, and connections accepted, before the loop looks what else is ready. 64: together about a millisecond,
/// unless each brings a burst for many players.
const PER_ROUND: usize = 64;
/// Reads in a round that bring as much as there is room for. 2: they may take a millisecond each, and a peer that sends so
/// much is read again after the others.
const FULL_PER_ROUND: usize = 2;

/// All that one thread works with.
#[derive(Debug)]
pub(crate) struct EventLoop {
    worker: Worker<Connection>,
    poll: Poll,
    /// None once the worker is shut down.
    listeners: Vec<(Token, Listener)>,
    read_queue: Rc<ReadQueue>,
}

impl EventLoop {
    pub(crate) fn new(mut worker: Worker<Connection>, listeners: sockets::Listeners) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), MAIL)?;
        // It fails only if the poll is gone.
        worker.wake_by(move || waker.wake().unwrap_or_default());
        let listeners = (listeners.into_iter().zip(0..))
            .map(|((kind, socket), index)| {
                let token = Token(FIRST_LISTENER - index);
                let mut socket = TcpListener::from_std(socket);
                poll.registry().register(&mut socket, token, Interest::READABLE)?;
                Ok((token, Listener::new(socket, kind)))
            })
            .collect::<io::Result<_>>()?;
        Ok(EventLoop {
            worker,
            poll,
            listeners,
            read_queue: Rc::default(),
        })
    }

    /// Serves until told to stop, and then until all is drained or the time for that is over.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        while let Some(due) = self.worker.due()? {
            let due = self.due(due);
            let timeout = (due < Time::NEVER).then(|| due.since(self.worker.now()));
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            // All of them first: what is done then may close a connection and give its token to another.
            for event in &events {
                self.note(event);
            }
            self.read();
            self.accept();
            self.worker.proceed();
            if self.worker.is_stopping() {
                self.listeners.clear();
            }
        }
        Ok(())
    }

    /// When there is something to do even if nothing happens: at once, or at the next deadline.
    fn due(&self, worker: Time) -> Time {
        if !self.read_queue.is_empty() {
            return Time::ZERO;
        }
        let listeners = self.listeners.iter().map(|(_, listener)| listener.due());
        listeners.fold(worker, Time::min)
    }

    /// Remembers what an event says: the kernel says it only once.
    fn note(&mut self, event: &Event) {
        let token = event.token();
        if let Some((_, listener)) = self.listeners.iter_mut().find(|(its, _)| *its == token) {
            listener.ready();
        } else if let Some((id, connection)) = self.worker.shard().connection_at(token.0) {
            let report = connection.ready(event);
            if report.may_write {
                self.worker.shard().writable(id);
            }
            if report.has_hung_up {
                let now = self.worker.now();
                self.worker.shard().hung_up(now, id);
            }
        }
    }

    fn read(&mut self) {
        let mut full = 0;
        for _ in 0..PER_ROUND {
            let Some(token) = self.read_queue.pop() else { break };
            if let Some((id, connection)) = self.worker.shard().connection_at(token.0) {
                connection.dequeued();
                full += usize::from(self.worker.step(|shard, now| shard.readable(now, id)));
            }
            if full >= FULL_PER_ROUND {
                break;
            }
        }
    }

    fn accept(&mut self) {
        for (_, listener) in &mut self.listeners {
            for _ in 0..PER_ROUND {
                let accepted = listener.accept(self.worker.now());
                let Some((stream, peer)) = accepted else { break };
                let connection = Connection::new(stream, self.read_queue.clone());
                if let Some(id) = self.worker.accept(listener.protocol(), peer, connection)
                    && let Some((_, connection)) = self.worker.shard().connection_at(id.index())
                    && let Err(error) = connection.register(self.poll.registry(), Token(id.index()))
                {
                    warn!(%error, %peer, "cannot wait for the connection");
                }
            }
        }
    }
}
