//! The end of a server, to wait for.

use crate::Handle;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A server at work, in threads of its own, whether or not this is polled. It stops when this is dropped, or by its
/// [`Handle`].
///
/// As a future, on whatever runtime, it completes once the server has stopped; [`wait`](Self::wait) blocks until then. The
/// result is an error if a worker could not start or has failed: the others are then stopped.
#[derive(Debug)]
#[must_use = "a server stops when this is dropped"]
pub struct Running {
    handle: Handle,
    exit: Arc<Exit>,
}

/// The side of the workers.
#[derive(Debug)]
pub(crate) struct Exited(Arc<Exit>);

#[derive(Debug, Default)]
struct Exit {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    result: Option<io::Result<()>>,
    waiting: Option<Waker>,
}

pub(crate) fn new(handle: Handle) -> (Exited, Running) {
    let exit = Arc::<Exit>::default();
    (Exited(exit.clone()), Running { handle, exit })
}

impl Running {
    /// Blocks until the server has stopped.
    ///
    /// # Errors
    /// If a worker could not start or has failed.
    pub fn wait(self) -> io::Result<()> {
        let state = self
            .exit
            .changed
            .wait_while(self.exit.state(), |state| state.result.is_none());
        let result = state.unwrap_or_else(PoisonError::into_inner).result.take();
        result.unwrap_or(Ok(()))
    }

    /// Stops the server when `shutdown` completes, and waits until it has stopped.
    ///
    /// # Errors
    /// If a worker could not start or has failed.
    pub async fn until(mut self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let mut shutdown = pin!(shutdown);
        let mut is_asked = false;
        poll_fn(|context| {
            if !is_asked && shutdown.as_mut().poll(context).is_ready() {
                is_asked = true;
                self.handle.stop();
            }
            Pin::new(&mut self).poll(context)
        })
        .await
    }
}

impl Future for Running {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.exit.state();
        if let Some(result) = state.result.take() {
            return Poll::Ready(result);
        }
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

impl Exited {
    /// The last worker has ended.
    pub(crate) fn tell(self, result: io::Result<()>) {
        let mut state = self.0.state();
        state.result = Some(result);
        let waiting = state.waiting.take();
        drop(state);
        self.0.changed.notify_all();
        if let Some(task) = waiting {
            task.wake();
        }
    }
}

impl Exit {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics with the lock held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
