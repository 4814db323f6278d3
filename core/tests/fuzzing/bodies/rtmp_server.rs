//! A server's session as a list of operations: every start has one end, any cut gives the same events and output, and no deadline
//! stays behind.

use super::choices::Choices;
use super::script;
use super::snippets::{MESSAGES, frame};
use bytes::Buf;
use headwater_core::rtmp::chunk::{ChunkEncoder, MessageStreamId};
use headwater_core::rtmp::{Event, ProtocolError, ServerSession, SessionConfig, Status, StatusCode};
use headwater_core::{EndCause, Limits, RequestId, Time};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn check(bytes: &[u8]) {
    let (seed, steps) = bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest));
    let whole = run(seed, steps, usize::MAX);
    let cut = run(seed, steps, usize::from(seed >> 2) + 1);
    assert_eq!(whole.events, cut.events);
    assert_eq!(whole.error, cut.error);
    assert!(whole.output == cut.output, "the output does not depend on cuts");
}

fn run(seed: u8, steps: &[u8], piece: usize) -> Talk {
    let mut talk = Talk::new(piece);
    if seed & 1 == 0 {
        talk.feed(&[&[3][..], &[0; 3_072]].concat());
    }
    if seed & 2 == 0 {
        talk.say(r#"connect(1, {app="live", tcUrl="rtmp://localhost/live"})"#);
        talk.answer(true);
    }
    let mut choices = Choices::new(steps);
    while !choices.is_empty() {
        talk.step(&mut choices);
    }
    talk.eof();
    assert!(talk.open.is_empty(), "what started has ended: {:?}", talk.open);
    talk.close();
    talk
}

/// A session, and what it has reported.
struct Talk {
    session: ServerSession,
    encoder: ChunkEncoder,
    now: Time,
    piece: usize,
    /// Input that the session has not taken yet.
    pending: Vec<u8>,
    request: Option<RequestId>,
    /// The stream that it is about, unless it is `connect`.
    asked: Option<MessageStreamId>,
    /// What has started and not ended.
    open: BTreeMap<MessageStreamId, &'static str>,
    events: Vec<Event>,
    error: Option<ProtocolError>,
    output: Vec<u8>,
}

impl Talk {
    fn new(piece: usize) -> Talk {
        let mut limits = Limits::default();
        limits.max_message_len = 100_000;
        limits.max_command_len = 10_000;
        limits.max_buffered_bytes = 200_000;
        limits.max_output = 100_000;
        Talk {
            session: ServerSession::new(Arc::new(SessionConfig::new(limits)), Time::ZERO, 7),
            encoder: ChunkEncoder::new(),
            now: Time::ZERO,
            piece,
            pending: Vec::new(),
            request: None,
            asked: None,
            open: BTreeMap::new(),
            events: Vec::new(),
            error: None,
            output: Vec::new(),
        }
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        let stream = MessageStreamId(1);
        match choices.byte() % 32 {
            0..16 => self.say(choices.one_of(&MESSAGES)),
            16..21 => self.answer(true),
            21 => self.answer(false),
            22 | 23 => {
                let frame = frame(choices.one_of(&["K0:300", "P40", "a5", "M", "V", "A"]));
                let is_playing = self.open.get(&stream) == Some(&"play") && self.asked != Some(stream);
                let sent = self.session.send_frame(stream, &frame);
                assert!(sent.is_ok() <= is_playing, "frames go to players only");
            }
            24 => _ = self.session.end_play(self.now, stream, EndCause::Unpublished),
            25 => {
                let status = Status::new(StatusCode::PublishBadName, "Gone.");
                let _ = self.session.end_publish(self.now, stream, status, EndCause::Replaced);
            }
            26 | 27 => {
                let millis = u64::from(choices.number());
                self.wait(self.now + Duration::from_millis(millis));
            }
            28 => self.wait(self.session.poll_timeout().unwrap_or(self.now)),
            29 => {
                self.session.close(self.now);
                self.request = None;
            }
            30 => self.eof(),
            _ => {
                let len = usize::from(choices.byte());
                let bytes = choices.bytes(len).to_vec();
                self.feed(&bytes);
            }
        }
        self.feed(&[]);
    }

    fn say(&mut self, text: &str) {
        let chunks = script::to_chunks(&script::parse_all(text), &mut self.encoder);
        self.feed(&chunks);
    }

    fn answer(&mut self, accepts: bool) {
        let Some(id) = self.request.take() else { return };
        let asked = self.asked.take();
        if accepts {
            self.session.accept(self.now, id).unwrap();
        } else {
            let status = Status::new(StatusCode::PublishBadName, "No.");
            self.session.reject(self.now, id, status).unwrap();
            asked.map(|stream| self.open.remove(&stream));
        }
        assert!(self.session.accept(self.now, id).is_err(), "it was answered");
        self.feed(&[]);
    }

    fn wait(&mut self, until: Time) {
        self.now = self.now.max(until);
        let mut calls = 0..1_000;
        loop {
            calls.next().expect("what is due comes to an end");
            match self.session.handle_timeout(self.now) {
                Ok(Some(event)) => self.see(event),
                Ok(None) => break,
                Err(error) => break self.fail(error),
            }
        }
        let deadline = self.session.poll_timeout();
        assert!(deadline.is_none_or(|at| at > self.now), "what was due is done");
    }

    fn eof(&mut self) {
        while let Some(event) = self.session.handle_eof(self.now).unwrap() {
            self.see(event);
        }
        assert!(self.session.is_closing());
        self.request = None;
    }

    /// Nothing comes behind the end, and it does not last.
    fn close(&mut self) {
        self.feed(&[3; 100]);
        for _ in 0..10 {
            if self.session.is_closed() {
                return;
            }
            self.wait(self.session.poll_timeout().expect("a deadline until it is closed"));
        }
        panic!("the session does not close");
    }

    fn feed(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(self.piece).chain([&[][..]]) {
            self.feed_piece(piece);
        }
    }

    fn feed_piece(&mut self, piece: &[u8]) {
        self.pending.extend_from_slice(piece);
        let pending = std::mem::take(&mut self.pending);
        let mut input = pending.as_slice();
        let mut calls = 0..pending.len() + 100;
        loop {
            calls.next().expect("each call takes something or gives something");
            match self.session.handle_input(self.now, &mut input) {
                Ok(Some(event)) => self.see(event),
                Ok(None) => break,
                Err(error) => break self.fail(error),
            }
        }
        assert!(input.is_empty() || self.session.is_paused() || self.error.is_some());
        self.pending = if self.session.is_closing() {
            Vec::new()
        } else {
            input.to_vec()
        };
        let output = self.session.output();
        assert!(output.len() <= 200_000, "{} bytes wait", output.len());
        self.output.extend(output.copy_to_bytes(output.len()));
        assert!(self.session.held_memory() <= 300_000);
    }

    fn fail(&mut self, error: ProtocolError) {
        let is_same = self.error.as_ref().is_none_or(|it| *it == error);
        assert!(is_same && self.session.is_closing(), "an error stays");
        (self.error, self.request) = (Some(error), None);
    }

    /// Checks what an event says about starts and ends.
    fn see(&mut self, event: Event) {
        match &event {
            Event::ConnectRequested { id, .. } => (self.request, self.asked) = (Some(*id), None),
            Event::PublishRequested { id, stream, .. } => {
                (self.request, self.asked) = (Some(*id), Some(*stream));
                assert_eq!(self.open.insert(*stream, "publish"), None);
            }
            Event::PlayRequested { id, stream, .. } => {
                (self.request, self.asked) = (Some(*id), Some(*stream));
                assert_eq!(self.open.insert(*stream, "play"), None);
            }
            Event::Frame { stream, .. } | Event::MetadataCleared { stream } => {
                assert_eq!(self.open.get(stream), Some(&"publish"));
            }
            Event::PlayControl { stream, .. } => assert_eq!(self.open.get(stream), Some(&"play")),
            Event::PublishEnded { stream, .. } => assert_eq!(self.open.remove(stream), Some("publish")),
            Event::PlayEnded { stream, .. } => assert_eq!(self.open.remove(stream), Some("play")),
            _ => {}
        }
        if self.session.is_closing() {
            self.request = None;
        }
        self.events.push(event);
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    // Whatever there is to be said, each with an answer behind it.
    let all: Vec<u8> = (0..MESSAGES.len() as u8).flat_map(|index| [0, index, 16]).collect();
    let publish = [
        0, 0, 0, 1, 16, 0, 3, 0, 4, 0, 5, 0, 6, 0, 10, 0, 1, 16, 26, 0xFF, 0xFF, 28,
    ];
    let play = [0, 0, 0, 2, 16, 22, 0, 22, 1, 0, 21, 22, 2, 28, 28, 24, 0, 2, 21];
    let raw = [31, 12, 2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 31, 4, 0, 0, 0, 16, 30];
    [&all[..], &publish, &play, &raw]
        .iter()
        .flat_map(|steps| [[&[0], *steps].concat(), [&[0xFC], *steps].concat()])
        .collect()
}
