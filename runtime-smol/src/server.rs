//! The workers together.

use crate::clock::Clock;
use crate::signals;
use crate::worker::{self, Mail, Worker};
use async_io::block_on;
use headwater_core::server::{self, ShardId};
use headwater_driver::sockets::{self, Listeners};
use headwater_driver::{Addresses, Config, Shard};
use smol::channel::{Receiver, Sender, unbounded};
use smol::{LocalExecutor, future};
use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

/// A server that listens already and waits to be run. Connections made meanwhile wait in the kernel.
#[derive(Debug)]
pub struct Server {
    config: Arc<server::Config>,
    addresses: Addresses,
    /// One for each worker.
    listeners: Vec<Listeners>,
}

impl Server {
    /// Starts to listen on both addresses.
    ///
    /// # Errors
    /// If an address cannot be listened on; the text says which, and why.
    pub fn bind(config: Config) -> io::Result<Self> {
        let (addresses, listeners) = sockets::listen(&config)?;
        Ok(Server {
            config: Arc::new(config.server),
            addresses,
            listeners,
        })
    }

    /// Where it listens, with the ports that were picked if they were given as 0.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Serves until `shutdown` completes; then ends every stream cleanly, waits for the connections to close, up to
    /// [`DRAIN_TIMEOUT`](headwater_driver::DRAIN_TIMEOUT), and returns.
    ///
    /// The work is done by threads of the server's own; the caller's runtime only waits.
    ///
    /// # Errors
    /// If a worker cannot start or has failed. The others are shut down first.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let clock = Clock::start();
        let (mailboxes, receivers): (Vec<_>, Vec<_>) = self.listeners.iter().map(|_| unbounded()).unzip();
        let stop = StopOnDrop(mailboxes.clone());
        let (exit, exits) = unbounded();
        for ((listeners, mailbox), index) in self.listeners.into_iter().zip(receivers).zip(0..) {
            let (config, mailboxes, exit) = (self.config.clone(), mailboxes.clone(), exit.clone());
            thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
                let work = || run_worker(ShardId(index), config, clock, mailboxes, listeners, mailbox);
                let result = panic::catch_unwind(AssertUnwindSafe(work))
                    .unwrap_or_else(|_| Err(io::Error::other(format!("worker {index} has panicked"))));
                // Fails if the caller has dropped this future and asks no more.
                let _ = exit.try_send(result);
            })?;
        }
        drop(exit);
        let failed = async { exits.recv().await.unwrap_or(Ok(())) };
        let asked = async {
            shutdown.await;
            Ok(())
        };
        let mut result = future::or(failed, asked).await;
        drop(stop);
        while let Ok(exit) = exits.recv().await {
            result = result.and(exit);
        }
        result
    }
}

/// Starts to listen, for connections and for signals, and returns where together with what then serves until SIGINT or
/// SIGTERM: all that the binary does. A second signal ends the process at once.
///
/// # Errors
/// As [`Server::bind`]; and those of [`Server::run`] when it serves.
pub fn prepare(config: Config) -> io::Result<(Addresses, impl FnOnce() -> io::Result<()>)> {
    let stop = signals::stop()?;
    let server = Server::bind(config)?;
    Ok((server.addresses(), move || block_on(server.run(stop))))
}

/// Tells all workers to shut down when dropped, also if [`Server::run`] is dropped midway.
struct StopOnDrop(Vec<Sender<Mail>>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        for mailbox in &self.0 {
            // Fails if that worker has ended.
            let _ = mailbox.try_send(Mail::Shutdown);
        }
    }
}

fn run_worker(
    id: ShardId,
    config: Arc<server::Config>,
    clock: Clock,
    mailboxes: Vec<Sender<Mail>>,
    listeners: Listeners,
    mailbox: Receiver<Mail>,
) -> io::Result<()> {
    let shards = u16::try_from(mailboxes.len()).unwrap_or(u16::MAX);
    let server = server::Server::new(config, id, shards, random());
    let executor = Rc::new(LocalExecutor::new());
    let worker = Worker::new(
        id,
        Shard::new(server),
        clock,
        mailboxes.into(),
        Rc::downgrade(&executor),
    );
    block_on(future::or(worker::run_tasks(&executor), worker.run(listeners, mailbox)))
}

/// A number that nobody can guess, from the standard library's source of hash keys.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
