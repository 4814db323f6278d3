//! A worker: one thread, one poll, one shard.

use crate::connection::{Connection, ReadQueue};
use crate::listener::Listener;
use crate::mailbox::{Inbox, Mailbox};
use headwater_core::Time;
use headwater_core::server::{self, ShardId};
use headwater_driver::sockets;
use headwater_driver::{Clock, Mail, Shard};
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tracing::{debug, warn};

/// Announces mail.
pub(crate) const MAIL: Token = Token(usize::MAX);
/// The first listener; the others follow below it. All smaller tokens are connections: the index of their identifier.
const FIRST_LISTENER: usize = MAIL.0 - 1;

/// Events taken from the kernel at a time. 1,024: what does not fit is there the next time.
const EVENTS: usize = 1_024;
/// Connections read, connections accepted, and messages handled before the loop looks what else is ready. 64: together
/// about a millisecond, unless each brings a burst for many players.
const PER_ROUND: usize = 64;
/// Reads in a round that bring as much as there is room for. 2: they may take a millisecond each, and who sends so much
/// is read again after the others.
const FULL_PER_ROUND: usize = 2;

/// All that one thread works with.
#[derive(Debug)]
pub(crate) struct EventLoop {
    id: ShardId,
    shard: Shard<Connection>,
    poll: Poll,
    clock: Clock,
    /// None once the worker is shut down.
    listeners: Vec<(Token, Listener)>,
    read_queue: Rc<ReadQueue>,
    inbox: Inbox,
    /// The mailboxes of all workers, by shard.
    mailboxes: Arc<[Mailbox]>,
    /// Whether the shard has work left from its last turn.
    has_more: bool,
}

impl EventLoop {
    pub(crate) fn new(
        id: ShardId,
        server: server::Server,
        clock: Clock,
        poll: Poll,
        listeners: sockets::Listeners,
        inbox: Inbox,
        mailboxes: Arc<[Mailbox]>,
    ) -> io::Result<Self> {
        let listeners = (listeners.into_iter().zip(0..))
            .map(|((kind, socket), index)| {
                let token = Token(FIRST_LISTENER - index);
                let mut socket = TcpListener::from_std(socket);
                poll.registry().register(&mut socket, token, Interest::READABLE)?;
                Ok((token, Listener::new(socket, kind)))
            })
            .collect::<io::Result<_>>()?;
        Ok(EventLoop {
            id,
            shard: Shard::new(server),
            poll,
            clock,
            listeners,
            read_queue: Rc::default(),
            inbox,
            mailboxes,
            has_more: false,
        })
    }

    /// Serves until told to stop, and then until all is drained or the time for that is over.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        while !self.shard.is_drained() {
            let now = self.clock.now();
            let due = self.due();
            match self.poll.poll(&mut events, (due < Time::NEVER).then(|| due.since(now))) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            // All of them first: what is done then may close a connection and give its token to another.
            for event in &events {
                self.note(event);
            }
            self.read();
            self.accept();
            self.receive();
            let now = self.clock.now();
            if self.shard.poll_timeout().is_some_and(|due| due <= now) {
                self.shard.handle_timeout(now);
            }
            self.turn(now);
        }
        Ok(())
    }

    /// When there is something to do even if nothing happens: at once, or at the next deadline.
    fn due(&self) -> Time {
        if self.has_more || self.inbox.may_have_mail() || !self.read_queue.is_empty() {
            return Time::ZERO;
        }
        self.listeners
            .iter()
            .map(|(_, listener)| listener.due())
            .chain(self.shard.poll_timeout())
            .fold(Time::NEVER, Time::min)
    }

    /// Remembers what an event says: the kernel says it only once.
    fn note(&mut self, event: &Event) {
        let token = event.token();
        if token == MAIL {
            self.inbox.announced();
        } else if let Some((_, listener)) = self.listeners.iter_mut().find(|(its, _)| *its == token) {
            listener.ready();
        } else if let Some((id, connection)) = self.shard.connection_at(token.0) {
            let report = connection.ready(event);
            if report.may_write {
                self.shard.writable(id);
            }
            if report.has_hung_up {
                self.shard.hung_up(self.clock.now(), id);
            }
        }
    }

    fn read(&mut self) {
        let mut full = 0;
        for _ in 0..PER_ROUND {
            let Some(token) = self.read_queue.pop() else { break };
            if let Some((id, connection)) = self.shard.connection_at(token.0) {
                connection.dequeued();
                let now = self.clock.now();
                full += usize::from(self.shard.readable(now, id));
                self.turn(now);
            }
            if full >= FULL_PER_ROUND {
                break;
            }
        }
    }

    fn accept(&mut self) {
        for index in 0..self.listeners.len() {
            for _ in 0..PER_ROUND {
                let now = self.clock.now();
                let (_, listener) = &mut self.listeners[index];
                let Some((stream, peer)) = listener.accept(now) else {
                    break;
                };
                let kind = listener.kind();
                self.admit(now, stream, peer, kind);
            }
        }
    }

    fn admit(&mut self, now: Time, stream: TcpStream, peer: SocketAddr, kind: server::Listener) {
        if let Err(error) = sockets::configure(&stream) {
            // The peer has gone already.
            debug!(%error, %peer, "cannot set up the connection");
            return;
        }
        let connection = Connection::new(stream, self.read_queue.clone());
        match self.shard.accept(now, kind, peer, connection) {
            Ok(id) => {
                if let Some((_, connection)) = self.shard.connection_at(id.index())
                    && let Err(error) = connection.register(self.poll.registry(), Token(id.index()))
                {
                    warn!(%error, %peer, "cannot wait for the connection");
                }
            }
            Err(reason) => debug!(%reason, %peer, "refused"),
        }
        self.turn(now);
    }

    fn receive(&mut self) {
        let now = self.clock.now();
        for _ in 0..PER_ROUND {
            match self.inbox.take() {
                Some(Mail::Shard(from, message)) => self.shard.handle_shard(now, from, message),
                Some(Mail::Shutdown) => {
                    self.listeners.clear();
                    self.shard.shutdown(now);
                }
                None => break,
            }
        }
    }

    /// Does what follows from any use of the shard.
    fn turn(&mut self, now: Time) {
        self.has_more = self.shard.turn(now, |to, message| {
            if let Some(mailbox) = self.mailboxes.get(usize::from(to.0)) {
                mailbox.send(Mail::Shard(self.id, message));
            }
        });
    }
}
