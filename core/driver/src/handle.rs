//! What a server is told and asked from outside its threads.

use crate::local::{LocalEvents, LocalMail, Publisher};
use crate::mail::{Call, Mail, Mailbox};
use crate::reply::{self, Reply};
use crate::terms::Terms;
use headwater_core::server::{self, ConnectionView, Kick, ServerStats, ShardId, StreamView};
use headwater_core::{Target, Time};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Tells a [`Server`](crate::Server) what to do, and asks what there is, from any thread: before it runs, while it does, and in
/// vain afterwards. Clones are for the same server.
///
/// What it asks is answered by each worker within milliseconds of work in between, and put together: see [`Reply`].
#[derive(Debug, Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Of all workers, by shard.
    mailboxes: Vec<Mailbox>,
    terms: Terms,
}

impl Handle {
    pub(crate) fn new(mailboxes: Vec<Mailbox>, terms: Terms) -> Self {
        let shared = Arc::new(Shared { mailboxes, terms });
        Handle { shared }
    }

    /// Asks the server to stop: it ends every stream cleanly, waits for the connections to close, up to
    /// [`DRAIN_TIMEOUT`](crate::DRAIN_TIMEOUT), and ends. Returns at once; to ask again changes nothing.
    pub fn stop(&self) {
        for mailbox in &self.shared.mailboxes {
            mailbox.send(Mail::Stop);
        }
    }

    /// The counters of all workers, added up. A stream counts once on each worker that has its publisher or a player of it.
    pub fn stats(&self) -> Reply<ServerStats> {
        self.ask(|server, _| server.stats(), |sum, stats| *sum += stats)
    }

    /// All streams that are published or played, by name.
    ///
    /// Each worker looks at all its streams and players for it: a millisecond for some thousands.
    pub fn streams(&self) -> Reply<Vec<StreamView>> {
        self.ask(
            |server, now| server.streams(now),
            |all, streams| {
                *all = StreamView::merge(vec![std::mem::take(all), streams]);
            },
        )
    }

    /// All connections that are open, in no particular order.
    ///
    /// Each worker looks at all its connections for it: a millisecond for some thousands.
    pub fn connections(&self) -> Reply<Vec<ConnectionView>> {
        self.ask(|server, now| server.connections(now), Vec::extend)
    }

    /// Ends a connection, or a stream with all its players, and keeps it away for as long as `kick` says. The answer is how many
    /// connections are ended.
    pub fn kick(&self, kick: Kick) -> Reply<usize> {
        self.ask(move |server, now| server.kick(now, &kick), |sum, kicked| *sum += kicked)
    }

    /// Gives all workers another configuration. Nobody is ended by it: each field of [`server::Config`] says what a change
    /// applies to. Where the server listens, and the hooks that it was given, stay.
    pub fn reconfigure(&self, config: server::Config) -> Reply<()> {
        let config = Arc::new(self.shared.terms.applied_to(config));
        self.ask(move |server, now| server.reconfigure(now, config.clone()), |(), ()| {})
    }

    /// Publishes a stream of the program's own, whose frames the [`Publisher`] takes. The rules are those for every publisher;
    /// only the authorizer is not asked.
    #[must_use]
    pub fn publish(&self, target: impl Into<Target>) -> Publisher {
        let target = target.into();
        let shard = self.shard_for(&target);
        Publisher::new(LocalEvents::new(self.clone(), shard, |end| {
            LocalMail::Publish(target, end)
        }))
    }

    /// Plays a stream in the program itself: its frames come with their headers, from the GOP cache on, as for every player,
    /// and a program that is too slow misses some. If the stream is not there, it is waited for as by an RTMP player.
    #[must_use]
    pub fn play(&self, target: impl Into<Target>) -> LocalEvents {
        let target = target.into();
        let shard = self.shard_for(&target);
        LocalEvents::new(self.clone(), shard, |end| LocalMail::Play(target, end))
    }

    /// The worker that publishes and plays a stream for the program: the same for both, so that frames need not cross.
    fn shard_for(&self, target: &Target) -> ShardId {
        let mut hasher = DefaultHasher::new();
        target.key.hash(&mut hasher);
        let shard = hasher.finish() % u64::from(self.shards().max(1));
        ShardId(u16::try_from(shard).unwrap_or(0))
    }

    /// Asks the server of each worker, and adds up what they say.
    fn ask<T, A>(
        &self,
        ask: impl Fn(&mut server::Server, Time) -> A + Send + Sync + 'static,
        add: impl Fn(&mut T, A) + Send + Sync + 'static,
    ) -> Reply<T>
    where
        T: Default + Send + 'static,
    {
        let (parts, reply) = reply::new(T::default(), self.shards());
        let how = Arc::new((ask, add));
        for part in parts {
            let (shard, how) = (part.shard(), how.clone());
            let call = move |server: &mut server::Server, now| {
                let answer = (how.0)(server, now);
                part.give(|sum| (how.1)(sum, answer));
            };
            self.send(shard, Mail::Call(Call::new(call)));
        }
        reply
    }

    /// How many workers there are.
    pub(crate) fn shards(&self) -> u16 {
        u16::try_from(self.shared.mailboxes.len()).unwrap_or(u16::MAX)
    }

    pub(crate) fn send(&self, to: ShardId, mail: Mail) {
        if let Some(mailbox) = self.shared.mailboxes.get(usize::from(to.0)) {
            mailbox.send(mail);
        }
    }
}
