//! The workers together.

use crate::hooks::Hooks;
use crate::recorder::{self, Recorder};
use crate::share::Share;
use crate::sockets::{self, Bound, Listeners};
use crate::terms::Terms;
use crate::{Addresses, Clock, Config, Handle, Running, Socket, Worker, mail, running, workers};
use headwater_core::server;
use std::io;
use std::sync::Arc;
use tracing::warn;

/// A server that listens already and waits to be run, on any runtime. Connections made meanwhile wait in the kernel.
#[derive(Debug)]
pub struct Server {
    bound: Bound,
    config: Arc<server::Config>,
    inboxes: Vec<mail::Inbox>,
    handle: Handle,
    hooks: Hooks,
    recorder: Option<Recorder>,
}

impl Server {
    /// Starts to listen on all addresses of `config`.
    ///
    /// # Errors
    /// If an address cannot be listened on, the text says which, and why; or if there is none. The same for a folder where
    /// connections are to be recorded and no file can be made, and if [`Config::max_memory`] is too little for its workers.
    pub fn bind(mut config: Config) -> io::Result<Self> {
        let share = Share::of(&config)?;
        config.workers = Some(share.workers);
        let recorder = config.record.take().map(|to| Recorder::new(to, share.waiting));
        let recorder = recorder.transpose()?;
        let hooks = Hooks {
            authorize: config.authorize.take(),
            observe: config.observe.take(),
            recorder: recorder.as_ref().map(Recorder::queue),
        };
        let bound = sockets::listen(&config)?;
        if share.workers < share.wanted {
            let (workers, of, max_memory) = (share.workers, share.wanted, share.max_memory);
            warn!(workers, of, max_memory, "there is memory for fewer workers");
        }
        let terms = Terms::new(&hooks, bound.capacity)
            .with_share(share)
            .with_listeners(&bound.addresses.listen);
        let config = Arc::new(terms.applied_to(config.server));
        let (mailboxes, inboxes): (Vec<_>, Vec<_>) = bound.listeners.iter().map(|_| mail::new()).unzip();
        Ok(Server {
            bound,
            config,
            inboxes,
            handle: Handle::new(mailboxes, terms),
            hooks,
            recorder,
        })
    }

    /// Where it listens, with the ports that were picked if they were given as 0.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.bound.addresses
    }

    /// What controls it, also before it runs.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Starts the workers, each in a thread of its own: for a runtime to call.
    ///
    /// `prepare` takes what the thread needs for waiting, file descriptors above all; when all have it, `serve` runs the
    /// worker until it is done.
    pub fn start<S: Socket, P>(
        self,
        prepare: impl Fn(Worker<S>, Listeners) -> io::Result<P> + Send + Sync + 'static,
        serve: impl Fn(P) -> io::Result<()> + Send + Sync + 'static,
    ) -> Running {
        let Server {
            bound,
            config,
            inboxes,
            handle,
            hooks,
            recorder,
        } = self;
        let clock = Clock::start();
        let (exited, running) = running::new(handle.clone());
        if let Some(recorder) = recorder {
            recorder.start();
        }
        let recordings = hooks.recorder.clone();
        let all = handle.clone();
        workers::start(
            bound.listeners.into_iter().zip(inboxes).collect(),
            move |id, (listeners, inbox)| {
                let worker = Worker::new(id, config.clone(), clock, inbox, all.clone(), hooks.clone());
                prepare(worker, listeners)
            },
            serve,
            move || handle.stop(),
            move |result| {
                if let Some(queue) = recordings {
                    recorder::finish(&queue);
                }
                exited.tell(result);
            },
        );
        running
    }
}

#[cfg(test)]
mod tests;
