//! The workers together.

use crate::signals;
use crate::worker::{self, Worker};
use async_io::block_on;
use headwater_core::server;
use headwater_driver::sockets::{self, Listeners};
use headwater_driver::{Addresses, Clock, Config, Mail, workers};
use smol::channel::{Sender, bounded, unbounded};
use smol::{LocalExecutor, future};
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// A server that listens already and waits to be run. Connections made meanwhile wait in the kernel.
#[derive(Debug)]
pub struct Server {
    config: Arc<server::Config>,
    addresses: Addresses,
    /// One for each worker.
    listeners: Vec<Listeners>,
}

impl Server {
    /// Starts to listen on all addresses of `config`.
    ///
    /// # Errors
    /// If an address cannot be listened on; the text says which, and why.
    pub fn bind(config: Config) -> io::Result<Self> {
        let bound = sockets::listen(config)?;
        Ok(Server {
            config: bound.server,
            addresses: bound.addresses,
            listeners: bound.listeners,
        })
    }

    /// Where it listens, with the ports that were picked if they were given as 0.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Serves until `shutdown` completes; then ends every stream cleanly, waits for the connections to close, up to
    /// [`DRAIN_TIMEOUT`](headwater_driver::DRAIN_TIMEOUT), and returns.
    ///
    /// The work is done by threads of the server's own, which start when this future is first polled; the caller's runtime
    /// only waits.
    ///
    /// # Errors
    /// If a worker cannot start or has failed. The others are shut down first.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let clock = Clock::start();
        let (mailboxes, receivers): (Vec<_>, Vec<_>) = self.listeners.iter().map(|_| unbounded()).unzip();
        let (exit, exited) = bounded(1);
        let config = self.config;
        workers::start(
            self.listeners.into_iter().zip(receivers).collect(),
            {
                let mailboxes = mailboxes.clone();
                move |id, (listeners, mailbox)| {
                    let executor = Rc::new(LocalExecutor::new());
                    let tasks = Rc::downgrade(&executor);
                    let worker = Worker::new(id, config.clone(), clock, mailboxes.clone().into(), tasks);
                    Ok((executor, worker, listeners, mailbox))
                }
            },
            |(executor, worker, listeners, mailbox)| {
                block_on(future::or(worker::run_tasks(&executor), worker.run(listeners, mailbox)))
            },
            {
                let mailboxes = mailboxes.clone();
                move || stop(&mailboxes)
            },
            // Fails if the caller has dropped this future and asks no more.
            move |result| drop(exit.try_send(result)),
        );
        let stop = StopOnDrop(mailboxes);
        let exit = async { Some(exited.recv().await) };
        let asked = async {
            shutdown.await;
            None
        };
        let exit = future::or(exit, asked).await;
        drop(stop);
        match exit {
            Some(exit) => exit,
            None => exited.recv().await,
        }
        .map_err(io::Error::other)?
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
    Ok((server.addresses().clone(), move || block_on(server.run(stop))))
}

/// Tells all workers to shut down when dropped, also if [`Server::run`] is dropped before it is done.
struct StopOnDrop(Vec<Sender<Mail>>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        stop(&self.0);
    }
}

fn stop(mailboxes: &[Sender<Mail>]) {
    for mailbox in mailboxes {
        // Fails if that worker has ended.
        let _ = mailbox.try_send(Mail::Shutdown);
    }
}
