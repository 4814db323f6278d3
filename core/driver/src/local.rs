//! Streams that the program itself publishes and plays, from any thread.
//!
//! ```text
//!   program                             worker
//!   Publisher ── frames, by mail ─────▶ Server::send_frame
//!   LocalEvents ◀── Link, bounded ───── Server::poll_local
//! ```

use crate::Handle;
use crate::mail::Mail;
use headwater_core::server::{ConnectionId, LocalEvent, Refused, Server, ShardId};
use headwater_core::{Frame, Target, Time};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::mpsc::{RecvTimeoutError, SendError, TrySendError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tracing::debug;

/// Bytes of frames ([`Frame::memory`]) that may be under way between the program and a worker, in each direction; one frame
/// may be larger. 1 MiB: a few keyframes, or minutes of sound. Beyond that a player's frames wait in their stream, where what is
/// too old is skipped.
pub const MAX_UNDER_WAY: usize = 1 << 20;

/// A stream that the program publishes: by [`Handle::publish`]. It ends when this is dropped.
#[derive(Debug)]
pub struct Publisher {
    events: LocalEvents,
}

/// What a publish or play of the program's own hears, in order: see [`LocalEvent`]. Dropped, it ends the publish or play.
///
/// After the last event, and once the server has stopped, there is nothing more. As an iterator it blocks; in an authorizer or
/// observer, which a worker calls, it would block that worker.
#[derive(Debug)]
pub struct LocalEvents {
    link: Arc<Link>,
    handle: Handle,
    shard: ShardId,
}

impl Publisher {
    pub(crate) fn new(events: LocalEvents) -> Self {
        Publisher { events }
    }

    /// Publishes a frame. Blocks while more than [`MAX_UNDER_WAY`] bytes are on their way, until the server runs if it does
    /// not yet.
    ///
    /// The server gives each frame on at once: the program keeps the pace that the timestamps say. What it sends before the
    /// publish is [accepted](LocalEvent::Accepted) waits in the server, up to
    /// [`Limits::max_buffered_bytes`](headwater_core::Limits::max_buffered_bytes). What does not fit there is left out, and so is a
    /// frame above [`Limits::max_message_len`](headwater_core::Limits::max_message_len); the log says so at `debug`.
    ///
    /// A worker that calls an authorizer or an observer must not be waited for: there only [`try_send`](Self::try_send) is right.
    ///
    /// # Errors
    /// The frame, if the publish is over.
    pub fn send(&self, frame: Frame) -> Result<(), SendError<Frame>> {
        let len = frame.memory();
        let state = self.events.link.state();
        let is_full = |state: &mut State| !state.is_over && !state.has_room_for(len);
        let waited = self.events.link.changed.wait_while(state, is_full);
        let state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.is_over {
            return Err(SendError(frame));
        }
        self.dispatch(state, frame);
        Ok(())
    }

    /// As [`send`](Self::send), without blocking.
    ///
    /// # Errors
    /// The frame, if too much is on its way, or the publish is over.
    pub fn try_send(&self, frame: Frame) -> Result<(), TrySendError<Frame>> {
        let state = self.events.link.state();
        if state.is_over {
            return Err(TrySendError::Disconnected(frame));
        }
        if !state.has_room_for(frame.memory()) {
            return Err(TrySendError::Full(frame));
        }
        self.dispatch(state, frame);
        Ok(())
    }

    /// As [`send`](Self::send), on whatever runtime: waits instead of blocking.
    ///
    /// # Errors
    /// The frame, if the publish is over.
    pub async fn send_async(&mut self, frame: Frame) -> Result<(), SendError<Frame>> {
        let len = frame.memory();
        poll_fn(|context| {
            let mut state = self.events.link.state();
            if state.is_over || state.has_room_for(len) {
                return Poll::Ready(());
            }
            state.sender = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
        // Nobody else has sent meanwhile, so there is room.
        self.send(frame)
    }

    /// Sends a frame on its way, for which there is room.
    fn dispatch(&self, mut state: MutexGuard<'_, State>, frame: Frame) {
        state.incoming += frame.memory();
        drop(state);
        self.events.tell(LocalMail::Frame(frame));
    }

    /// Whether it was accepted or refused, and how it ended.
    pub fn events(&mut self) -> &mut LocalEvents {
        &mut self.events
    }
}

impl LocalEvents {
    pub(crate) fn new(handle: Handle, shard: ShardId, begin: impl FnOnce(WorkerEnd) -> LocalMail) -> Self {
        let link = Arc::new(Link::default());
        let mail = begin(WorkerEnd(link.clone()));
        let events = LocalEvents { link, handle, shard };
        events.tell(mail);
        events
    }

    /// The next event; blocks until there is one. `None` after the last.
    pub fn recv(&mut self) -> Option<LocalEvent> {
        let waited = self
            .link
            .changed
            .wait_while(self.link.state(), |state| state.is_empty());
        self.pop(waited.unwrap_or_else(PoisonError::into_inner))
    }

    /// The next event; blocks until there is one, or `timeout` is over.
    ///
    /// # Errors
    /// That it is, or that there is none after the last.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<LocalEvent, RecvTimeoutError> {
        let state = self.link.state();
        let waited = self
            .link
            .changed
            .wait_timeout_while(state, timeout, |state| state.is_empty());
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.is_empty() {
            return Err(RecvTimeoutError::Timeout);
        }
        self.pop(state).ok_or(RecvTimeoutError::Disconnected)
    }

    /// The next event, on whatever runtime. `None` after the last.
    pub async fn recv_async(&mut self) -> Option<LocalEvent> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<LocalEvent>> {
        let mut state = self.link.state();
        if state.is_empty() {
            state.task = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(self.pop(state))
    }

    fn pop(&self, mut state: MutexGuard<'_, State>) -> Option<LocalEvent> {
        let event = state.events.pop_front();
        state.outgoing -= event.as_ref().map_or(0, len_of);
        let asks_for_more = state.is_full && state.outgoing <= MAX_UNDER_WAY / 2;
        state.is_full &= !asks_for_more;
        drop(state);
        if asks_for_more {
            self.tell(LocalMail::More);
        }
        event
    }

    fn tell(&self, mail: LocalMail) {
        self.handle.send(self.shard, Mail::Local(self.link.clone(), mail));
    }
}

impl Iterator for LocalEvents {
    type Item = LocalEvent;

    fn next(&mut self) -> Option<LocalEvent> {
        self.recv()
    }
}

impl Drop for LocalEvents {
    fn drop(&mut self) {
        self.tell(LocalMail::Close);
    }
}

/// What a worker is told about a publish or play of the program's own.
#[derive(Debug)]
pub(crate) enum LocalMail {
    /// It begins.
    Publish(Target, WorkerEnd),
    Play(Target, WorkerEnd),
    /// The next frame of a publish.
    Frame(Frame),
    /// There is room for more events.
    More,
    /// The program is done with it.
    Close,
}

/// What a program and a worker share.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// Its connection, once there is one.
    id: OnceLock<ConnectionId>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// For the program.
    events: VecDeque<LocalEvent>,
    /// Bytes of the frames among them.
    outgoing: usize,
    /// Whether the worker has stopped to add some, and waits to be told of room.
    is_full: bool,
    /// Bytes of frames that the worker has not taken yet.
    incoming: usize,
    /// Whether no event will follow.
    is_over: bool,
    /// A task that waits for an event.
    task: Option<Waker>,
    /// A task that waits for room to send.
    sender: Option<Waker>,
}

/// The streams that the program publishes and plays by one worker.
#[derive(Debug, Default)]
pub(crate) struct Locals(HashMap<ConnectionId, WorkerEnd>);

impl Locals {
    pub(crate) fn handle(&mut self, now: Time, server: &mut Server, link: &Link, mail: LocalMail) {
        match (mail, link.id.get()) {
            (LocalMail::Publish(target, end), _) => self.begin(server.publish(now, target), end),
            (LocalMail::Play(target, end), _) => self.begin(server.play(now, target), end),
            (LocalMail::Frame(frame), id) => {
                link.note_taken(&frame);
                if let Some(&id) = id
                    && let Err(reason) = server.send_frame(now, id, frame)
                {
                    debug!(conn = %id, %reason, "a frame of the program is left out");
                }
            }
            (LocalMail::More, Some(&id)) => self.fill(now, server, id),
            (LocalMail::Close, Some(&id)) => {
                server.handle_eof(now, id);
                self.0.remove(&id);
            }
            // It was refused.
            (LocalMail::More | LocalMail::Close, None) => {}
        }
    }

    /// Gives the program what there is for it.
    pub(crate) fn fill(&mut self, now: Time, server: &mut Server, id: ConnectionId) {
        // What is left of one that ends goes whatever the room: a few frames, which keep the connection.
        let max = match server.is_closing(id) {
            true => usize::MAX,
            false => MAX_UNDER_WAY,
        };
        if let Some(end) = self.0.get(&id)
            && end.fill(max, || server.poll_local(now, id))
        {
            self.0.remove(&id);
        }
    }

    fn begin(&mut self, opened: Result<ConnectionId, Refused>, end: WorkerEnd) {
        match opened {
            Ok(id) => {
                let is_first = end.0.id.set(id).is_ok();
                debug_assert!(is_first, "a link is for one connection");
                self.0.insert(id, end);
            }
            Err(refused) => {
                let mut event = Some(LocalEvent::Refused(refused.to_string().into()));
                end.fill(MAX_UNDER_WAY, || event.take());
            }
        }
    }
}

/// The worker's side of a link. Dropped, it ends it: no event will follow.
#[derive(Debug)]
pub(crate) struct WorkerEnd(Arc<Link>);

impl Link {
    /// The worker has taken a frame from its mail.
    fn note_taken(&self, frame: &Frame) {
        self.change(|state| state.incoming -= frame.memory());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic has left is still true: the worker that had it ends, and closes its links.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        let tasks = [state.task.take(), state.sender.take()];
        drop(state);
        self.changed.notify_all();
        tasks.into_iter().flatten().for_each(Waker::wake);
    }
}

impl State {
    fn has_room_for(&self, len: usize) -> bool {
        self.incoming == 0 || self.incoming + len <= MAX_UNDER_WAY
    }

    /// Whether there is something to wait for.
    fn is_empty(&self) -> bool {
        self.events.is_empty() && !self.is_over
    }
}

impl WorkerEnd {
    /// Moves events to the program, up to `max` bytes of frames that wait, and returns whether the last was among them.
    fn fill(&self, max: usize, mut poll: impl FnMut() -> Option<LocalEvent>) -> bool {
        let mut is_last = false;
        self.0.change(|state| {
            while !is_last {
                state.is_full = state.outgoing >= max;
                if state.is_full {
                    break;
                }
                let Some(event) = poll() else { break };
                is_last = matches!(event, LocalEvent::Refused(_) | LocalEvent::Ended(_));
                state.outgoing += len_of(&event);
                state.events.push_back(event);
            }
        });
        is_last
    }
}

impl Drop for WorkerEnd {
    fn drop(&mut self) {
        self.0.change(|state| state.is_over = true);
    }
}

fn len_of(event: &LocalEvent) -> usize {
    match event {
        LocalEvent::Frame(frame) => frame.memory(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::Hooks;
    use crate::mail;
    use crate::sockets::Capacity;
    use crate::terms::Terms;
    use headwater_core::{StreamKey, Timestamp};
    use std::future::Future;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    fn frame(len: usize) -> Frame {
        Frame::audio(Timestamp::ZERO, vec![0xAF; len].into())
    }

    fn publish() -> (Publisher, mail::Inbox) {
        let (mailbox, inbox) = mail::new();
        let handle = Handle::new(vec![mailbox], Terms::new(&Hooks::default(), Capacity::UNKNOWN));
        (handle.publish(StreamKey::new("live/x").unwrap()), inbox)
    }

    #[test]
    fn no_more_than_the_bound_is_under_way() {
        let (publisher, mut inbox) = publish();
        let half = frame(MAX_UNDER_WAY / 2 - Frame::OVERHEAD);
        publisher.try_send(half.clone()).unwrap();
        publisher.try_send(half.clone()).unwrap();
        assert_eq!(publisher.try_send(frame(1)), Err(TrySendError::Full(frame(1))));
        let mails: Vec<_> = inbox.take().collect();
        assert_eq!(mails.len(), 3, "the worker hears that it begins, and two frames");
        for mail in &mails {
            if let Mail::Local(link, LocalMail::Frame(frame)) = mail {
                link.note_taken(frame);
            }
        }
        publisher.try_send(frame(2 * MAX_UNDER_WAY)).unwrap();
        assert!(publisher.try_send(frame(1)).is_err(), "one frame may be larger");
    }

    #[test]
    fn mail_that_nobody_takes_ends_the_publish() {
        let (mut publisher, inbox) = publish();
        drop(inbox);
        assert_eq!(publisher.events().recv(), None);
        assert_eq!(publisher.send(frame(1)), Err(SendError(frame(1))));
    }

    #[test]
    fn a_worker_waits_for_room_and_is_told_of_it_once() {
        let (mailbox, mut inbox) = mail::new();
        let handle = Handle::new(vec![mailbox], Terms::new(&Hooks::default(), Capacity::UNKNOWN));
        let mut events = handle.play(StreamKey::new("live/x").unwrap());
        let Some(Mail::Local(_, LocalMail::Play(_, end))) = inbox.take().next() else {
            panic!("it begins");
        };
        let mut polled = 0;
        let mut fill = || {
            end.fill(MAX_UNDER_WAY, || {
                polled += 1;
                Some(LocalEvent::Frame(frame(MAX_UNDER_WAY / 4 - Frame::OVERHEAD)))
            });
            polled
        };
        assert_eq!((fill(), fill()), (4, 4));
        let asks = |inbox: &mut mail::Inbox| {
            let mails = inbox
                .take()
                .filter(|mail| matches!(mail, Mail::Local(_, LocalMail::More)));
            mails.count()
        };
        for (taken, asked) in [(1, 0), (2, 1), (3, 0), (4, 0)] {
            events.recv().unwrap();
            assert_eq!(asks(&mut inbox), asked, "after {taken}");
        }
        assert_eq!(fill(), 8);
    }

    /// Counts how often a task is woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_task_is_woken_for_an_event_and_for_room() {
        let (mut publisher, mut inbox) = publish();
        let woken = Arc::<Woken>::default();
        let waker = woken.clone().into();
        let mut context = Context::from_waker(&waker);
        publisher.try_send(frame(2 * MAX_UNDER_WAY)).unwrap();
        let mut sending = Box::pin(publisher.send_async(frame(1)));
        assert!(sending.as_mut().poll(&mut context).is_pending());
        let mails: Vec<_> = inbox.take().collect();
        let [
            Mail::Local(link, LocalMail::Publish(_, end)),
            Mail::Local(_, LocalMail::Frame(sent)),
        ] = &mails[..]
        else {
            panic!("it begins, with a frame");
        };
        link.note_taken(sent);
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(sending.as_mut().poll(&mut context).is_ready());
        drop(sending);

        let mut receiving = Box::pin(publisher.events().recv_async());
        assert!(receiving.as_mut().poll(&mut context).is_pending());
        let mut event = Some(LocalEvent::Accepted);
        end.fill(MAX_UNDER_WAY, || event.take());
        assert_eq!(woken.0.load(Ordering::SeqCst), 2);
        assert_eq!(
            receiving.as_mut().poll(&mut context),
            Poll::Ready(Some(LocalEvent::Accepted))
        );
    }

    #[test]
    fn a_thread_that_sends_waits_for_room() {
        let (publisher, mut inbox) = publish();
        publisher.try_send(frame(2 * MAX_UNDER_WAY)).unwrap();
        let sending = std::thread::spawn(move || publisher.send(frame(1)));
        let mails: Vec<_> = inbox.take().collect();
        let Some(Mail::Local(link, LocalMail::Frame(sent))) = mails.last() else {
            panic!("a frame has come");
        };
        link.note_taken(sent);
        assert_eq!(sending.join().unwrap(), Ok(()));
    }
}
