//! The workers together.

use crate::clock::Clock;
use crate::event_loop::{self, EventLoop};
use crate::mailbox::{self, Inbox, Mail, Mailbox};
use crate::signals;
use headwater_core::server::{self, ShardId};
use headwater_driver::sockets::{self, Listeners};
use headwater_driver::{Addresses, Config};
use mio::Poll;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::Arc;
use std::thread;

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
    /// Starts to listen on both addresses.
    ///
    /// # Errors
    /// If an address cannot be listened on, the text says which, and why; or if the process may have no more files.
    pub fn bind(config: Config) -> io::Result<Self> {
        let (addresses, listeners) = sockets::listen(&config)?;
        let mut mailboxes = Vec::new();
        let mut workers = Vec::new();
        for listeners in listeners {
            let poll = Poll::new()?;
            let (mailbox, inbox) = mailbox::new(&poll, event_loop::MAIL)?;
            mailboxes.push(mailbox);
            workers.push(Worker { poll, listeners, inbox });
        }
        Ok(Server {
            config: Arc::new(config.server),
            addresses,
            workers,
            handle: Handle {
                mailboxes: mailboxes.into(),
            },
        })
    }

    /// Where it listens, with the ports that were picked if they were given as 0.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
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
        let mut threads = Vec::new();
        let mut result = Ok(());
        for (worker, index) in workers.into_iter().zip(0..) {
            // Dropped when the thread ends, however it does, and also if it cannot begin.
            let stop = StopOnDrop(handle.clone());
            let config = config.clone();
            let work = move || worker.run(ShardId(index), config, clock, &stop);
            match thread::Builder::new().name(format!("worker-{index}")).spawn(work) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        for (thread, index) in threads.into_iter().zip(0..) {
            let exit = thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other(format!("worker {index} has panicked"))));
            result = result.and(exit);
        }
        result
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
    Ok((server.addresses(), move || server.run()))
}

/// When one worker ends, all do.
struct StopOnDrop(Handle);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Worker {
    fn run(self, id: ShardId, config: Arc<server::Config>, clock: Clock, stop: &StopOnDrop) -> io::Result<()> {
        let mailboxes = stop.0.mailboxes.clone();
        let shards = u16::try_from(mailboxes.len()).unwrap_or(u16::MAX);
        let server = server::Server::new(config, id, shards, random());
        let Worker { poll, listeners, inbox } = self;
        EventLoop::new(id, server, clock, poll, listeners, inbox, mailboxes)?.run()
    }
}

/// A number that nobody can guess, from the standard library's source of hash keys.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{Ipv4Addr, TcpStream};

    fn bind() -> Server {
        let mut config = Config::default();
        config.rtmp_address = (Ipv4Addr::LOCALHOST, 0).into();
        config.http_address = (Ipv4Addr::LOCALHOST, 0).into();
        config.workers = 2.try_into().ok();
        Server::bind(config).unwrap()
    }

    #[test]
    fn stopped_from_another_thread_it_closes_its_connections_and_returns() {
        let server = bind();
        let handle = server.handle();
        let mut idle = TcpStream::connect(server.addresses().rtmp).unwrap();
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
