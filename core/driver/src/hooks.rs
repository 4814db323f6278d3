//! What a program hangs into its server: who may publish and play, and where its events go.

use crate::Handle;
use crate::mail::Mail;
use crate::recorder;
use headwater_core::server::record::Recording;
use headwater_core::server::{Answer, AuthorizeRequest, Event, Question, ShardId, Ticket};
use std::fmt;
use std::sync::Arc;

/// Says who may publish and play: a function that is asked about each peer, and may answer later, from any thread.
///
/// It is called in a worker's thread, which serves nobody meanwhile: what takes time is to be done elsewhere, and the
/// [`Responder`] taken along.
#[derive(Clone)]
pub struct Authorizer(Arc<dyn Fn(AuthorizeRequest, Responder) + Send + Sync>);

impl Authorizer {
    /// Asks `authorize`.
    pub fn new(authorize: impl Fn(AuthorizeRequest, Responder) + Send + Sync + 'static) -> Self {
        Authorizer(Arc::new(authorize))
    }
}

impl fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorizer").finish_non_exhaustive()
    }
}

/// Takes the events, one by one, in the order of each worker.
///
/// It is called in a worker's thread, which serves nobody meanwhile: send the event to a channel for anything that takes time.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(Event) + Send + Sync>);

impl Observer {
    /// Tells `observe`.
    pub fn new(observe: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Observer(Arc::new(observe))
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}

/// Answers one question. If it is dropped without an answer, the peer waits for the
/// [default](headwater_core::server::AuthorizeConfig::otherwise).
#[derive(Debug)]
pub struct Responder {
    handle: Handle,
    shard: ShardId,
    ticket: Ticket,
}

impl Responder {
    /// The peer may what it wants to.
    pub fn allow(self) {
        self.answer(Answer::allow());
    }

    /// The peer may not, and is told `reason`.
    pub fn deny(self, reason: impl Into<Box<str>>) {
        self.answer(Answer::deny(reason));
    }

    /// Anything else. It does nothing if the peer has left, or the time for an answer is over.
    pub fn answer(self, answer: Answer) {
        self.handle.send(self.shard, Mail::Answer(self.ticket, answer));
    }
}

/// What hangs in a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) authorize: Option<Authorizer>,
    pub(crate) observe: Option<Observer>,
    /// Where recordings of connections that have failed go.
    pub(crate) recorder: Option<Arc<recorder::Queue>>,
}

impl Hooks {
    /// Puts the question of a shard to the program's function. Without one its default comes true.
    pub(crate) fn ask(&self, handle: &Handle, shard: ShardId, ticket: Ticket, question: Question) {
        if let (Question::Authorize(request), Some(authorizer)) = (question, &self.authorize) {
            let handle = handle.clone();
            (authorizer.0)(*request, Responder { handle, shard, ticket });
        }
    }

    /// Has the recording written, if it is to be.
    pub(crate) fn record(&self, recording: Recording) {
        if let Some(recorder) = &self.recorder {
            recorder.push(recording);
        }
    }

    pub(crate) fn tell(&self, event: Event) {
        if let Some(observer) = &self.observe {
            (observer.0)(event);
        }
    }
}
