//! What is kept of one connection, in case that it fails.

use super::step::{Step, Told};
use super::{Head, RecordConfig, Recording, Sessions};
use crate::http::HttpSession;
use crate::hub::Tracks;
use crate::rtmp::MessageStreamId;
use crate::server::event::Peer;
use crate::server::question::{Denial, Intent};
use crate::server::refusal::{Excess, Refusal};
use crate::server::session::{Failure, ProtocolEvent, Session};
use crate::time::PerSecond;
use crate::{EndCause, FrameAt, Output, RequestId, Time};
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::ops::Deref;
use core::sync::atomic::{AtomicUsize, Ordering};

/// What the recorders of a server share.
#[derive(Debug)]
pub(in crate::server) struct Records {
    pub(in crate::server) config: RecordConfig,
    /// Bytes that all of them hold.
    used: AtomicUsize,
}

impl Records {
    pub(in crate::server) const fn new(config: RecordConfig) -> Self {
        Records {
            config,
            used: AtomicUsize::new(0),
        }
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether a recorder may begin: it holds a state at least.
    fn has_room(&self) -> bool {
        self.used.load(Ordering::Relaxed) < self.config.max_bytes
    }
}

/// The newest of what a session was told.
///
/// It is in two parts, each of which begins with a state of the session: when the newer one is long enough, it becomes the
/// older, and that is forgotten. So at least half of the span is there, or of the bytes.
///
/// Cost: a copy of the input, about 20 bytes a frame for a player, and some 10 µs for each state.
#[derive(Debug)]
pub(in crate::server) struct Recorder {
    records: Arc<Records>,
    config: Sessions,
    /// Bytes that it has counted as used.
    counted: usize,
    older: Option<Part>,
    /// None while more is under way than may be kept.
    newer: Option<Part>,
    /// When the last step was.
    at: Time,
    /// Bytes that had left by then.
    left: u64,
    requests: PerSecond,
}

#[derive(Debug)]
struct Part {
    began: Time,
    seed: u64,
    requests: PerSecond,
    state: Option<Vec<u8>>,
    steps: Vec<u8>,
}

impl Part {
    fn memory(&self) -> usize {
        let state = self.state.as_ref().map_or(0, Vec::capacity);
        self.steps.capacity().saturating_add(state)
    }
}

impl Recorder {
    /// A recorder of a session that is as new as that. `None` if there is no room for it.
    pub(in crate::server) fn new(records: &Arc<Records>, config: Sessions, now: Time, seed: u64) -> Option<Box<Self>> {
        records.has_room().then(|| {
            Box::new(Recorder {
                records: records.clone(),
                config,
                counted: 0,
                older: None,
                newer: Some(Part {
                    began: now,
                    seed,
                    requests: PerSecond::default(),
                    state: None,
                    steps: Vec::new(),
                }),
                at: now,
                left: 0,
                requests: PerSecond::default(),
            })
        })
    }

    /// What was recorded so far. `None` while too much is under way.
    pub(in crate::server) fn recording(&self, peer: &Peer, reason: &str) -> Option<Recording> {
        let newer = self.newer.as_ref()?;
        let first = self.older.as_ref().unwrap_or(newer);
        let older = self.older.as_ref().map_or(&[][..], |part| &part.steps);
        Some(Recording {
            head: Head {
                version: env!("CARGO_PKG_VERSION").into(),
                conn: peer.connection.to_string().into(),
                peer: peer.address.to_string().into(),
                protocol: peer.protocol.as_str().into(),
                reason: reason.into(),
                began: first.began,
                seed: first.seed,
                has_payload: true,
                requests: first.requests,
                config: self.config.clone(),
            },
            state: first.state.clone(),
            steps: [older, &newer.steps].concat(),
        })
    }

    /// A call at `now` is recorded next: what has left since the one before comes first.
    fn catch_up(&mut self, now: Time, output: &Output) {
        let left = output.sent();
        if left > self.left {
            self.push(now, &Step::Left(left.saturating_sub(self.left)));
            self.left = left;
        }
    }

    fn push(&mut self, now: Time, step: &Step<'_>) {
        if let Some(part) = &mut self.newer {
            step.write(now.since(self.at), &mut part.steps);
            self.at = self.at.max(now);
        }
    }

    /// After a step: begins another part if it is time, and gives up what is too much.
    fn settle(&mut self, now: Time, session: &Session) {
        let RecordConfig {
            span,
            max_bytes_per_connection: max,
            max_bytes,
        } = self.records.config;
        let is_full = |part: &Part| part.steps.len() >= max / 2 || now.since(part.began).saturating_mul(2) >= span;
        let may_begin = self.newer.as_ref().map_or_else(|| self.records.has_room(), is_full);
        if may_begin && let Some(state) = session.state() {
            let part = Part {
                began: now.max(self.at),
                seed: 0,
                requests: self.requests,
                state: Some(state),
                steps: Vec::new(),
            };
            self.older = self.newer.replace(part);
            self.at = now.max(self.at);
            self.left = session.output_ref().sent();
        }
        let memory = |part: &Option<Part>| part.as_ref().map_or(0, Part::memory);
        if memory(&self.older).saturating_add(memory(&self.newer)) > max.saturating_mul(2) {
            self.older = None;
        }
        if memory(&self.newer) > max.saturating_mul(2) {
            self.newer = None;
        }
        self.count(memory(&self.older).saturating_add(memory(&self.newer)));
        if self.counted > 0 && self.records.used.load(Ordering::Relaxed) > max_bytes {
            (self.older, self.newer) = (None, None);
            self.count(0);
        }
    }

    fn count(&mut self, memory: usize) {
        let before = mem::replace(&mut self.counted, memory);
        self.records.used.fetch_add(memory, Ordering::Relaxed);
        self.records.used.fetch_sub(before, Ordering::Relaxed);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.count(0);
    }
}

/// A [`Session`], of which what it is told is recorded if that is wanted. Without a recorder it costs a branch a call.
#[derive(Debug)]
pub(in crate::server) struct RecordedSession {
    session: Session,
    recorder: Option<Box<Recorder>>,
}

/// What a session is asked changes nothing.
impl Deref for RecordedSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl RecordedSession {
    pub(in crate::server) const fn new(session: Session, recorder: Option<Box<Recorder>>) -> Self {
        RecordedSession { session, recorder }
    }

    pub(in crate::server) fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_deref()
    }

    pub(in crate::server) fn take_recorder(&mut self) -> Option<Box<Recorder>> {
        self.recorder.take()
    }

    pub(in crate::server) fn local_mut(&mut self) -> Option<&mut crate::server::local::Local> {
        match &mut self.session {
            Session::Local(local) => Some(local),
            Session::Rtmp(_) | Session::Http(_) | Session::Undecided(_) | Session::Admin(_) => None,
        }
    }

    pub(in crate::server) fn admin_mut(&mut self) -> Option<&mut HttpSession> {
        match &mut self.session {
            Session::Admin(session) => Some(session),
            Session::Rtmp(_) | Session::Http(_) | Session::Local(_) | Session::Undecided(_) => None,
        }
    }

    pub(in crate::server) fn output(&mut self) -> &mut Output {
        self.session.output()
    }

    /// Forgets what has come of the session and was not taken, when it is closing: it would take none of it.
    pub(in crate::server) fn discard_input(&mut self) {
        self.session.discard_input();
    }

    pub(in crate::server) fn handle_input(
        &mut self,
        now: Time,
        input: &mut &[u8],
    ) -> Result<Option<ProtocolEvent>, Failure> {
        let Some(recorder) = &mut self.recorder else {
            return self.session.handle_input(now, input);
        };
        recorder.catch_up(now, self.session.output_ref());
        let offered = *input;
        let result = self.session.handle_input(now, input);
        // What it fails at may be left in the input.
        let fails = result.is_err() || self.session.is_closing();
        let taken = if fails {
            offered.len()
        } else {
            offered.len().saturating_sub(input.len())
        };
        let (bytes, rest) = offered.split_at_checked(taken).unwrap_or_default();
        let more = !rest.is_empty();
        if more || !bytes.is_empty() || !matches!(result, Ok(None)) {
            recorder.push(now, &Step::Input { bytes, more });
        }
        if let Ok(Some(event)) = &result
            && event.is_request()
        {
            recorder.requests.count(now);
        }
        recorder.settle(now, &self.session);
        result
    }

    pub(in crate::server) fn handle_eof(&mut self, now: Time) -> Result<Option<ProtocolEvent>, Failure> {
        self.record(now, Some(Step::Eof), |session| session.handle_eof(now))
    }

    pub(in crate::server) fn handle_timeout(&mut self, now: Time) -> Result<Option<ProtocolEvent>, Failure> {
        let Some(recorder) = &mut self.recorder else {
            return self.session.handle_timeout(now);
        };
        let is_due = self.session.is_closing() || self.session.poll_timeout().is_some_and(|due| due <= now);
        recorder.catch_up(now, self.session.output_ref());
        let result = self.session.handle_timeout(now);
        // It may have had something else to say. It is asked until it has nothing more.
        if is_due || !matches!(result, Ok(None)) {
            recorder.push(now, &Step::Timeout);
        }
        recorder.settle(now, &self.session);
        result
    }

    pub(in crate::server) fn send_frame(
        &mut self,
        now: Time,
        stream: MessageStreamId,
        frame: FrameAt<'_>,
        starts: Option<Tracks>,
    ) {
        if self.recorder.is_none() {
            return self.session.send_frame(stream, frame, starts);
        }
        self.record(now, Some(Step::frame(stream, &frame, starts)), |session| {
            session.send_frame(stream, frame, starts);
        });
    }

    pub(in crate::server) fn close(&mut self, now: Time) {
        self.tell(now, Told::Close);
    }

    pub(in crate::server) fn accept_connect(&mut self, now: Time, request: RequestId) {
        self.tell(now, Told::AcceptConnect(request));
    }

    pub(in crate::server) fn reject_connect(&mut self, now: Time, request: RequestId, excess: Excess) {
        self.tell(now, Told::RejectConnect { request, excess });
    }

    pub(in crate::server) fn turn_away(&mut self, now: Time, request: RequestId, intent: Intent, excess: Excess) {
        self.tell(
            now,
            Told::TurnAway {
                request,
                intent,
                excess,
            },
        );
    }

    pub(in crate::server) fn accept_publish(&mut self, now: Time, request: RequestId) {
        self.tell(now, Told::AcceptPublish(request));
    }

    pub(in crate::server) fn accept_play(&mut self, now: Time, request: RequestId) {
        self.tell(now, Told::AcceptPlay(request));
    }

    pub(in crate::server) fn reject(&mut self, now: Time, request: RequestId, intent: Intent, refusal: Refusal) {
        self.tell(
            now,
            Told::Reject {
                request,
                intent,
                refusal,
            },
        );
    }

    pub(in crate::server) fn deny(&mut self, now: Time, request: RequestId, intent: Intent, denial: &Denial) {
        self.tell(
            now,
            Told::Deny {
                request,
                intent,
                reason: denial.reason.clone(),
                needs_credentials: denial.needs_credentials,
            },
        );
    }

    pub(in crate::server) fn publish_notify(&mut self, now: Time, stream: MessageStreamId) {
        self.tell(now, Told::PublishNotify(stream));
    }

    pub(in crate::server) fn end_play(&mut self, now: Time, stream: MessageStreamId, cause: EndCause) {
        self.tell(now, Told::EndPlay { stream, cause });
    }

    pub(in crate::server) fn end_publish(
        &mut self,
        now: Time,
        stream: MessageStreamId,
        refusal: Refusal,
        cause: EndCause,
    ) {
        self.tell(now, Told::EndPublish { stream, refusal, cause });
    }

    /// The server keeps so many bytes that came behind a request.
    pub(in crate::server) fn note_waiting(&mut self, now: Time, bytes: usize) {
        self.record(now, Some(Step::Waiting(bytes)), |_| ());
    }

    fn tell(&mut self, now: Time, told: Told) {
        let step = self.recorder.is_some().then(|| Step::Told(told.clone()));
        self.record(now, step, |session| session.tell(now, &told));
    }

    /// Does something with the session, and records it before.
    fn record<R>(&mut self, now: Time, step: Option<Step<'_>>, work: impl FnOnce(&mut Session) -> R) -> R {
        let Some(recorder) = &mut self.recorder else {
            return work(&mut self.session);
        };
        if let Some(step) = step {
            recorder.catch_up(now, self.session.output_ref());
            recorder.push(now, &step);
        }
        let result = work(&mut self.session);
        recorder.settle(now, &self.session);
        result
    }
}
