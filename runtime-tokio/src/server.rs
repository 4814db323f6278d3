//! The workers together.

use crate::signals;
use crate::worker::Worker;
use headwater_core::server;
use headwater_driver::sockets::{self, Listeners};
use headwater_driver::{Addresses, Clock, Config, Mail, workers};
use std::future::Future;
use std::io;
use std::sync::Arc;
use tokio::runtime::{self, LocalRuntime};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

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
        let (mailboxes, receivers): (Vec<_>, Vec<_>) = self.listeners.iter().map(|_| unbounded_channel()).unzip();
        let (exit, mut exited) = oneshot::channel();
        let config = self.config;
        workers::start(
            self.listeners.into_iter().zip(receivers).collect(),
            {
                let mailboxes = mailboxes.clone();
                move |id, (listeners, mailbox)| {
                    let worker = Worker::new(id, config.clone(), clock, mailboxes.clone().into());
                    Ok((new_runtime()?, worker, listeners, mailbox))
                }
            },
            |(runtime, worker, listeners, mailbox)| runtime.block_on(worker.run(listeners, mailbox)),
            {
                let mailboxes = mailboxes.clone();
                move || stop(&mailboxes)
            },
            // Fails if the caller has dropped this future and asks no more.
            |result| drop(exit.send(result)),
        );
        let stop = StopOnDrop(mailboxes);
        tokio::select! {
            result = &mut exited => return result.map_err(io::Error::other)?,
            () = shutdown => {}
        }
        drop(stop);
        exited.await.map_err(io::Error::other)?
    }
}

fn new_runtime() -> io::Result<LocalRuntime> {
    runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build_local(runtime::LocalOptions::default())
}

/// Starts to listen, for connections and for signals, and returns where together with what then serves until SIGINT or
/// SIGTERM: all that the binary does. A second signal ends the process at once.
///
/// # Errors
/// As [`Server::bind`]; and those of [`Server::run`] when it serves.
pub fn prepare(config: Config) -> io::Result<(Addresses, impl FnOnce() -> io::Result<()>)> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let stop = {
        let _context = runtime.enter();
        signals::stop()?
    };
    let server = Server::bind(config)?;
    Ok((server.addresses().clone(), move || runtime.block_on(server.run(stop))))
}

/// Tells all workers to shut down when dropped, also if [`Server::run`] is dropped before it is done.
struct StopOnDrop(Vec<UnboundedSender<Mail>>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        stop(&self.0);
    }
}

fn stop(mailboxes: &[UnboundedSender<Mail>]) {
    for mailbox in mailboxes {
        // Fails if that worker has ended.
        let _ = mailbox.send(Mail::Shutdown);
    }
}
