//! A recording played: the session once more, and what is said as a transcript.

use super::step::{self, Step, Told};
use super::{Recording, Sessions};
use crate::http::{HttpError, HttpSession};
use crate::rtmp::ServerSession;
use crate::rtmp::transcript::{self, Conversation};
use crate::server::question::Denial;
use crate::server::session::{Failure, ProtocolEvent, Session};
use crate::time::PerSecond;
use crate::{Limits, Output, Time};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use bytes::Buf;
use core::time::Duration;
use std::io::IoSlice;

/// How a recording ended when it was played.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The session failed, for this reason.
    Failed(Box<str>),
    /// All was played, and nothing failed.
    Open,
}

/// A recording that cannot be played, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlayError {
    /// Another version has written its state.
    #[error("its state was written by another version: {0}")]
    Version(Box<str>),
    /// A step makes no sense.
    #[error("a step cannot be read")]
    BadStep,
    /// The session failed before it had, so it is not the one that was recorded.
    #[error("the session fails before it did: {reason}")]
    Early {
        /// Why it failed now.
        reason: Box<str>,
    },
    /// Without its sound and pictures it does not end as it did.
    #[error("it does not end as it did without its payload")]
    NeedsPayload,
    /// The session did not take what it had taken, so it is not the one that was recorded.
    #[error("the session does not do what it did: of {recorded} bytes it took {taken}")]
    Diverged {
        /// Bytes that it had taken in one call.
        recorded: usize,
        /// Bytes that it took now.
        taken: usize,
    },
}

impl Recording {
    /// Plays it, and hands each line of the transcript to `line`.
    ///
    /// ```text
    /// @0     C> C0 C1             what the peer sent, at this millisecond
    /// @0     S< S0 S1 S2          what the session had to send
    /// @20    S= PublishRequested  what it reported to the server
    /// @20    app accept           what the server told it
    /// ```
    ///
    /// # Errors
    /// [`PlayError`] if it was written by another version. What could be played has been.
    pub fn play(&self, mut line: impl FnMut(&str)) -> Result<Ending, PlayError> {
        let mut player = Player::new(self, &mut line)?;
        let mut steps = self.steps.as_slice();
        while !steps.is_empty() {
            let (passed, step) = Step::read(&mut steps).ok_or(PlayError::BadStep)?;
            player.pass(passed);
            player.play(&step)?;
            if let Some(reason) = player.reason.take() {
                player.finish();
                return match steps.is_empty() {
                    true => Ok(Ending::Failed(reason)),
                    false => Err(PlayError::Early { reason }),
                };
            }
        }
        player.finish();
        Ok(Ending::Open)
    }

    /// Plays it without printing.
    ///
    /// # Errors
    /// As [`play`](Self::play).
    pub fn replay(&self) -> Result<Ending, PlayError> {
        self.play(|_| ())
    }

    /// Plays it, and hands each line of the transcript to `line`, between a head and an end in comments. Returns whether it
    /// ends as it did.
    pub fn transcript(&self, mut line: impl FnMut(&str)) -> bool {
        let head = &self.head;
        line(&format!(
            "# {} from {}, connection {}",
            head.protocol, head.peer, head.conn
        ));
        line(&format!("# recorded by version {}: {}", head.version, head.reason));
        if !head.has_payload {
            line("# without sound and pictures: zeros stand for them");
        }
        if self.state.is_some() {
            line("# it had said more before that");
        }
        let ending = self.play(&mut line);
        let is_same = matches!(&ending, Ok(Ending::Failed(reason)) if *reason == head.reason);
        match ending {
            Ok(Ending::Failed(_)) if is_same => line("# the same failure as recorded"),
            Ok(Ending::Failed(reason)) => line(&format!("# another failure than recorded: {reason}")),
            Ok(Ending::Open) => line("# no failure"),
            Err(error) => line(&format!("# {error}")),
        }
        is_same
    }

    /// The same with zeros for the bytes of sound and pictures and for what is behind the failure, but for the first 16 of
    /// each message or tag, which say how the rest is coded.
    ///
    /// Cost: that of parsing the input byte by byte.
    ///
    /// # Errors
    /// [`PlayError`] if it cannot be played, or not to the same end then: an aggregate message has headers among its payload.
    /// Nothing is to be written then.
    pub fn without_payload(&self) -> Result<Recording, PlayError> {
        let mut silent = |_: &str| ();
        let mut player = Player::new(self, &mut silent)?;
        let mut blank = Recording {
            steps: Vec::with_capacity(self.steps.len()),
            ..self.clone()
        };
        blank.head.has_payload = false;
        let mut steps = self.steps.as_slice();
        while !steps.is_empty() {
            let (passed, step) = Step::read(&mut steps).ok_or(PlayError::BadStep)?;
            player.pass(passed);
            match step {
                Step::Input { bytes, more } => {
                    let bytes = player.blank(bytes, more);
                    Step::Input { bytes: &bytes, more }.write(passed, &mut blank.steps);
                }
                step => {
                    player.play(&step)?;
                    step.write(passed, &mut blank.steps);
                }
            }
        }
        match blank.replay()? == self.replay()? {
            true => Ok(blank),
            false => Err(PlayError::NeedsPayload),
        }
    }
}

struct Player<'l> {
    session: Session,
    limits: Limits,
    now: Time,
    began: Time,
    requests: PerSecond,
    reason: Option<Box<str>>,
    printer: Printer<'l>,
}

impl<'l> Player<'l> {
    #[expect(clippy::arithmetic_side_effects, reason = "a sum of times saturates")]
    fn pass(&mut self, span: Duration) {
        self.now = self.now + span;
    }

    fn new(recording: &Recording, line: &'l mut dyn FnMut(&str)) -> Result<Self, PlayError> {
        let head = &recording.head;
        let restore = || match &recording.state {
            Some(state) => Session::restore(&head.config, state),
            None => Ok(match &head.config {
                Sessions::Rtmp(config) => {
                    Session::Rtmp(Box::new(ServerSession::new(config.clone(), head.began, head.seed)))
                }
                Sessions::Http(config) => Session::Http(Box::new(HttpSession::new(config.clone(), head.began))),
            }),
        };
        let another_version = |error: serde_json::Error| PlayError::Version(error.to_string().into());
        let session = restore().map_err(another_version)?;
        let limits = match &head.config {
            Sessions::Rtmp(config) => config.limits.clone(),
            Sessions::Http(config) => config.limits.clone(),
        };
        let conversation = match restore().map_err(another_version)? {
            Session::Rtmp(_) if recording.state.is_none() => Some(Conversation::new(&limits)),
            Session::Rtmp(twin) => Some(Conversation::resume(*twin, &limits)),
            Session::Http(_) | Session::Local(_) | Session::Undecided(_) | Session::Admin(_) => None,
        };
        let printer = Printer::new(line, conversation, session.output_ref().written());
        Ok(Player {
            session,
            limits,
            now: head.began,
            began: head.began,
            requests: head.requests,
            reason: None,
            printer,
        })
    }

    fn play(&mut self, step: &Step<'_>) -> Result<(), PlayError> {
        let now = self.now;
        self.printer.time = now.since(self.began).as_millis();
        match step {
            Step::Input { bytes, more } => {
                self.printer.received(bytes);
                // What comes behind is not looked at, only that it is there.
                let offered = [*bytes, if *more { &[0] } else { &[] }].concat();
                let mut input = offered.as_slice();
                let result = self.session.handle_input(now, &mut input);
                let taken = offered.len().saturating_sub(input.len());
                self.act(result);
                if taken != bytes.len() && !self.session.is_closing() {
                    let recorded = bytes.len();
                    return Err(PlayError::Diverged { recorded, taken });
                }
            }
            Step::Eof => {
                self.printer.say("C>", "EOF");
                let result = self.session.handle_eof(now);
                self.act(result);
            }
            Step::Timeout => {
                let result = self.session.handle_timeout(now);
                self.act(result);
            }
            Step::Left(bytes) => {
                let output = self.session.output();
                output.advance(usize::try_from(*bytes).map_or(output.len(), |bytes| bytes.min(output.len())));
            }
            Step::Frame {
                stream,
                kind,
                timestamp,
                starts,
                len,
                beginning,
            } => {
                let frame = step::restored(*kind, *timestamp, *len, beginning).ok_or(PlayError::BadStep)?;
                self.session.send_frame(*stream, (&frame).into(), *starts);
            }
            Step::Told(told) => {
                self.printer.say("app", &describe(told));
                self.session.tell(now, told);
            }
            Step::Waiting(bytes) => {
                let max = self.limits.max_pipelined;
                if *bytes > max {
                    self.fail(&Failure::TooMuchPipelined { max });
                }
            }
        }
        self.printer.sent(self.session.output_ref());
        Ok(())
    }

    fn act(&mut self, result: Result<Option<ProtocolEvent>, Failure>) {
        let event = match result {
            Ok(Some(event)) => event,
            Ok(None) => return,
            Err(failure) => return self.fail(&failure),
        };
        // What it has answered on its own comes first.
        self.printer.sent(self.session.output_ref());
        if let Some(text) = report(&event) {
            self.printer.say("S=", &text);
        }
        let max = self.limits.max_requests_per_second;
        if event.is_request() && self.requests.count(self.now) > max {
            self.fail(&Failure::TooManyRequests { max });
        } else if let Some(reason) = event.failure() {
            self.reason = Some(reason.to_string().into());
        }
    }

    fn fail(&mut self, failure: &Failure) {
        let reason = failure.to_string();
        self.printer.say("S=", &format!("error: {reason}"));
        self.reason = Some(reason.into());
        self.session.close(self.now);
        self.printer.sent(self.session.output_ref());
    }

    /// The last line: what has not left.
    fn finish(&mut self) {
        let waiting = self.session.output_ref().len();
        if waiting > 0 {
            self.printer.say("S=", &format!("{waiting} bytes have not left"));
        }
    }

    /// Takes `bytes` one by one, and returns them with zeros for sound and pictures.
    fn blank(&mut self, bytes: &[u8], more: bool) -> Vec<u8> {
        let mut blank = bytes.to_vec();
        let last = bytes.len().saturating_sub(1);
        for (index, byte) in blank.iter_mut().enumerate() {
            // Nothing looks at what is behind a failure.
            let (is_media, is_over) = (self.session.is_in_media(), self.session.is_closing());
            let (here, behind) = ([*byte], [*byte, 0]);
            let mut input = if more && index == last { &behind[..] } else { &here[..] };
            // What it had to send does not keep it from the next byte: it took all of them at once.
            self.session.output().clear();
            // What it reports was acted on when it was recorded.
            let _ = self.session.handle_input(self.now, &mut input);
            if is_media || is_over {
                *byte = 0;
            }
        }
        if bytes.is_empty() {
            let mut input = if more { &[0][..] } else { &[] };
            let _ = self.session.handle_input(self.now, &mut input);
        }
        blank
    }
}

impl ProtocolEvent {
    /// Why it ends the connection, if it is the peer's fault: an HTTP session answers that on its own.
    pub(in crate::server) fn failure(&self) -> Option<&HttpError> {
        match self {
            ProtocolEvent::Refused(reason) => reason.downcast_ref(),
            _ => None,
        }
    }
}

/// Prints the lines.
struct Printer<'l> {
    line: &'l mut dyn FnMut(&str),
    /// Milliseconds since the beginning.
    time: u128,
    /// What reads both sides, if they speak RTMP.
    conversation: Option<Conversation>,
    /// Where in the output the first byte is that was not printed.
    printed: u64,
}

impl<'l> Printer<'l> {
    /// For what is said behind the first `printed` bytes of output. `conversation`: of RTMP.
    fn new(line: &'l mut dyn FnMut(&str), conversation: Option<Conversation>, printed: u64) -> Self {
        Printer {
            line,
            time: 0,
            conversation,
            printed,
        }
    }

    fn say(&mut self, side: &str, what: &str) {
        let time = format!("@{}", self.time);
        (self.line)(&format!("{time:<6} {side} {what}"));
    }

    fn received(&mut self, bytes: &[u8]) {
        for said in self.read(bytes, true) {
            self.say("C>", &said);
        }
    }

    fn sent(&mut self, output: &Output) {
        let start = self.printed.max(output.sent());
        if output.written() <= start {
            return;
        }
        let skipped = usize::try_from(start.saturating_sub(output.sent())).unwrap_or(usize::MAX);
        self.printed = output.written();
        let bytes = copy(output);
        for said in self.read(bytes.get(skipped..).unwrap_or_default(), false) {
            self.say("S<", &said);
        }
    }

    fn read(&mut self, bytes: &[u8], is_received: bool) -> Vec<String> {
        match &mut self.conversation {
            Some(conversation) if is_received => conversation.received(bytes),
            Some(conversation) => conversation.sent(bytes),
            None => text(bytes),
        }
    }
}

/// Bytes of HTTP. Text is shown by the line, the rest in hexadecimal.
fn text(bytes: &[u8]) -> Vec<String> {
    /// Characters of a line that are shown.
    const MAX_LINE: usize = 200;
    if bytes.is_empty() {
        return Vec::new();
    }
    let is_text = bytes
        .iter()
        .all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t'));
    if !is_text {
        return vec![transcript::raw(bytes)];
    }
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.trim_ascii_end());
    lines
        .filter(|line| !line.is_empty())
        .map(|line| String::from_utf8_lossy(line).chars().take(MAX_LINE).collect())
        .collect()
}

/// All that waits in `output`.
fn copy(output: &Output) -> Vec<u8> {
    let mut slices = vec![IoSlice::new(&[]); output.segments()];
    let count = output.chunks_vectored(&mut slices);
    slices
        .iter()
        .take(count)
        .flat_map(|slice| slice.iter().copied())
        .collect()
}

/// What the session reported, if it is worth a line.
fn report(event: &ProtocolEvent) -> Option<String> {
    Some(match event {
        ProtocolEvent::ConnectRequested { connect, .. } => {
            format!("ConnectRequested app={} flashVer={:?}", connect.app, connect.flash_ver)
        }
        ProtocolEvent::PublishRequested(publish) => {
            let target = &publish.target;
            format!(
                "PublishRequested {} query={:?} msid={}",
                target.key, target.query, publish.stream
            )
        }
        ProtocolEvent::PlayRequested(play) => {
            let target = &play.target;
            format!(
                "PlayRequested {} query={:?} msid={}",
                target.key, target.query, play.stream
            )
        }
        ProtocolEvent::Frame { stream, frame } => format!("Frame {} msid={stream}", transcript::frame(frame)),
        ProtocolEvent::MetadataCleared { stream } => format!("MetadataCleared msid={stream}"),
        ProtocolEvent::PlayControl { stream, control } => format!("PlayControl {control:?} msid={stream}"),
        ProtocolEvent::PublishEnded { stream, cause } => format!("PublishEnded ({cause}) msid={stream}"),
        ProtocolEvent::PlayEnded { stream, cause } => format!("PlayEnded ({cause}) msid={stream}"),
        ProtocolEvent::Refused(reason) => format!("error: {reason}"),
        ProtocolEvent::Anomaly(_, anomaly) => format!("{anomaly:?}"),
        ProtocolEvent::AdminRequested { .. } | ProtocolEvent::Answered | ProtocolEvent::Nothing => return None,
    })
}

fn describe(told: &Told) -> String {
    match told {
        Told::AcceptConnect(_) | Told::AcceptPublish(_) | Told::AcceptPlay(_) => "accept".into(),
        Told::Reject { refusal, .. } => format!("reject ({})", refusal.reason()),
        Told::RejectConnect { excess, .. } | Told::TurnAway { excess, .. } => format!("reject ({})", excess.reason()),
        Told::Deny { reason, .. } => format!("deny {reason:?}"),
        Told::PublishNotify(_) => "publish_notify".into(),
        Told::EndPlay { stream, cause } => format!("end_play ({cause}) msid={stream}"),
        Told::EndPublish { stream, refusal, .. } => format!("end_publish ({}) msid={stream}", refusal.reason()),
        Told::Close => "close".into(),
    }
}

/// The state of a session, and back.
impl Session {
    /// JSON. `None` while something is under way that it would leave out.
    pub(super) fn state(&self) -> Option<Vec<u8>> {
        match self {
            Session::Rtmp(session) if session.is_at_rest() => serde_json::to_vec(session).ok(),
            Session::Http(session) if session.is_at_rest() => serde_json::to_vec(session).ok(),
            _ => None,
        }
    }

    fn restore(config: &Sessions, state: &[u8]) -> Result<Session, serde_json::Error> {
        Ok(match config {
            Sessions::Rtmp(config) => {
                let mut session: Box<ServerSession> = serde_json::from_slice(state)?;
                session.set_config(config.clone());
                Session::Rtmp(session)
            }
            Sessions::Http(config) => {
                let mut session: Box<HttpSession> = serde_json::from_slice(state)?;
                session.set_config(config.clone());
                Session::Http(session)
            }
        })
    }

    fn is_in_media(&self) -> bool {
        match self {
            Session::Rtmp(session) => session.is_in_media(),
            Session::Http(session) => session.is_in_media(),
            Session::Local(_) | Session::Undecided(_) | Session::Admin(_) => false,
        }
    }

    /// What the server tells it.
    pub(in crate::server) fn tell(&mut self, now: Time, told: &Told) {
        match told {
            Told::AcceptConnect(request) => self.accept_connect(now, *request),
            Told::RejectConnect { request, excess } => self.reject_connect(now, *request, *excess),
            Told::TurnAway {
                request,
                intent,
                excess,
            } => self.turn_away(now, *request, *intent, *excess),
            Told::AcceptPublish(request) => self.accept_publish(now, *request),
            Told::AcceptPlay(request) => self.accept_play(now, *request),
            Told::Reject {
                request,
                intent,
                refusal,
            } => self.reject(now, *request, *intent, *refusal),
            Told::Deny {
                request,
                intent,
                reason,
                needs_credentials,
            } => {
                let denial = Denial {
                    reason: reason.clone(),
                    needs_credentials: *needs_credentials,
                };
                self.deny(now, *request, *intent, &denial);
            }
            Told::PublishNotify(stream) => self.publish_notify(*stream),
            Told::EndPlay { stream, cause } => self.end_play(now, *stream, *cause),
            Told::EndPublish { stream, refusal, cause } => self.end_publish(now, *stream, *refusal, *cause),
            Told::Close => self.close(now),
        }
    }
}
