//! The workers together.

use crate::event_loop::{self, EventLoop};
use crate::mailbox::{self, Inbox, Mailbox};
use crate::signals;
use headwater_core::server::{self, ShardId};
use headwater_driver::sockets::{self, Listeners};
use headwater_driver::{Addresses, Clock, Config, Mail, random_seed, workers};
use mio::Poll;
use std::io;
use std::sync::{Arc, mpsc};

/// A server that listens already and waits to be run. Connections made meanwhile wait in the kernel.
#[derive(Debug)]
pub struct Server {
    config: Arc<server::Config>,
    addresses: Addresses,
    workers: Vec<Worker>,
    handle: Handle,
}

/// What a thread will need.
#[derive(Debug)]
struct Worker {
    poll: Poll,
    listeners: Listeners,
    inbox: Inbox,
}

/// Stops a [`Server`] from another thread.
#[derive(Debug, Clone)]
pub struct Handle {
    /// Of all workers, by shard.
    mailboxes: Arc<[Mailbox]>,
}

impl Server {
    /// Starts to listen on all addresses of `config`.
    ///
    /// # Errors
    /// If an address cannot be listened on, the text says which, and why; or if the process may have no more files.
    pub fn bind(config: Config) -> io::Result<Self> {
        let bound = sockets::listen(config)?;
        let mut mailboxes = Vec::new();
        let mut workers = Vec::new();
        for listeners in bound.listeners {
            let poll = Poll::new()?;
            let (mailbox, inbox) = mailbox::new(&poll, event_loop::MAIL)?;
            mailboxes.push(mailbox);
            workers.push(Worker { poll, listeners, inbox });
        }
        Ok(Server {
            config: bound.server,
            addresses: bound.addresses,
            workers,
            handle: Handle {
                mailboxes: mailboxes.into(),
            },
        })
    }

    /// Where it listens, with the ports that were picked if they were given as 0.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What stops it, also before it runs.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until [`Handle::stop`]; then ends every stream cleanly, waits for the connections to close, up to
    /// [`DRAIN_TIMEOUT`](headwater_driver::DRAIN_TIMEOUT), and returns.
    ///
    /// The work is done by threads of the server's own; the caller's only waits.
    ///
    /// # Errors
    /// If a worker cannot start or has failed. The others are shut down first.
    pub fn run(self) -> io::Result<()> {
        let Server {
            config,
            workers,
            handle,
            ..
        } = self;
        let clock = Clock::start();
        let mailboxes = handle.mailboxes.clone();
        let (exit, exited) = mpsc::channel();
        workers::start(
            workers,
            move |id, worker: Worker| worker.prepare(id, config.clone(), clock, mailboxes.clone()),
            EventLoop::run,
            move || handle.stop(),
            // We wait for it just below.
            move |result| drop(exit.send(result)),
        );
        exited.recv().map_err(io::Error::other)?
    }
}

impl Handle {
    /// Tells the server to end: [`Server::run`] returns once it has. Returns at once.
    pub fn stop(&self) {
        for mailbox in &*self.mailboxes {
            mailbox.send(Mail::Shutdown);
        }
    }
}

/// Starts to listen, for connections and for signals, and returns where together with what then serves until SIGINT or
/// SIGTERM: all that the binary does. A second signal ends the process at once.
///
/// # Errors
/// As [`Server::bind`]; and those of [`Server::run`] when it serves.
pub fn prepare(config: Config) -> io::Result<(Addresses, impl FnOnce() -> io::Result<()>)> {
    let server = Server::bind(config)?;
    let handle = server.handle();
    signals::on_stop(move || handle.stop())?;
    Ok((server.addresses().clone(), move || server.run()))
}

impl Worker {
    fn prepare(
        self,
        id: ShardId,
        config: Arc<server::Config>,
        clock: Clock,
        mailboxes: Arc<[Mailbox]>,
    ) -> io::Result<EventLoop> {
        let shards = u16::try_from(mailboxes.len()).unwrap_or(u16::MAX);
        let server = server::Server::new(config, id, shards, random_seed());
        let Worker { poll, listeners, inbox } = self;
        EventLoop::new(id, server, clock, poll, listeners, inbox, mailboxes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_driver::Listen;
    use std::io::Read;
    use std::net::{Ipv4Addr, TcpStream};
    use std::thread;

    fn bind() -> Server {
        let mut config = Config::default();
        config.listen = vec![
            Listen::rtmp((Ipv4Addr::LOCALHOST, 0)),
            Listen::http((Ipv4Addr::LOCALHOST, 0)),
        ];
        config.workers = 2.try_into().ok();
        Server::bind(config).unwrap()
    }

    #[test]
    fn stopped_from_another_thread_it_closes_its_connections_and_returns() {
        let server = bind();
        let handle = server.handle();
        let mut idle = TcpStream::connect(server.addresses().rtmp().unwrap()).unwrap();
        let thread = thread::spawn(|| server.run());
        handle.stop();
        handle.stop();
        thread.join().unwrap().unwrap();
        // Closed, or reset if it had not been accepted yet.
        assert_eq!(idle.read(&mut [0]).unwrap_or(0), 0);
    }

    #[test]
    fn stopped_before_it_runs_it_returns_at_once() {
        let server = bind();
        server.handle().stop();
        server.run().unwrap();
    }
}
