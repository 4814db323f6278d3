//! A server's session that is watched: what it reports of starts and ends has to agree with what was asked and answered.

#![allow(dead_code, reason = "each test crate uses some of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use bytes::Buf;
use headwater_core::rtmp::chunk::MessageStreamId;
use headwater_core::rtmp::{Event, ProtocolError, ServerSession, SessionConfig, Status, StatusCode};
use headwater_core::{EndCause, Frame, RequestId, Time};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A session, and what it has reported.
pub(crate) struct Observer {
    pub(crate) session: ServerSession,
    pub(crate) now: Time,
    /// The size of the pieces that input comes in.
    piece: usize,
    /// Input that the session has not taken yet.
    pending: Vec<u8>,
    /// What waits for an answer, if anything does.
    request: Option<RequestId>,
    /// The stream that it is about, unless it is `connect`.
    asked: Option<MessageStreamId>,
    /// What has started and not ended, by message stream.
    pub(crate) open: BTreeMap<MessageStreamId, &'static str>,
    pub(crate) events: Vec<Event>,
    pub(crate) error: Option<ProtocolError>,
    pub(crate) output: Vec<u8>,
    /// The most bytes of it that have waited to be taken.
    pub(crate) most_waiting: usize,
}

impl Observer {
    /// A session that has not heard anything.
    pub(crate) fn new(config: SessionConfig, piece: usize) -> Observer {
        Observer {
            session: ServerSession::new(Arc::new(config), Time::ZERO, 7),
            now: Time::ZERO,
            piece,
            pending: Vec::new(),
            request: None,
            asked: None,
            open: BTreeMap::new(),
            events: Vec::new(),
            error: None,
            output: Vec::new(),
            most_waiting: 0,
        }
    }

    /// Accepts what waits for an answer, or rejects it.
    pub(crate) fn answer(&mut self, accepts: bool) {
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
    }

    /// Whether something waits for an answer.
    pub(crate) fn is_asked(&self) -> bool {
        self.request.is_some()
    }

    /// Whether `stream` has a player that was let in.
    pub(crate) fn is_playing(&self, stream: MessageStreamId) -> bool {
        let is_let_in = !self.is_asked() || self.asked != Some(stream);
        self.open.get(&stream) == Some(&"play") && is_let_in
    }

    /// Sends a frame to the player of `stream`. Returns whether there is one whose output is not full.
    pub(crate) fn send_frame(&mut self, stream: MessageStreamId, frame: &Frame) -> bool {
        let is_sent = self.session.send_frame(stream, frame).is_ok();
        assert!(is_sent <= self.is_playing(stream), "frames go to players only");
        is_sent
    }

    /// Ends whatever goes on in `stream`.
    pub(crate) fn end_play(&mut self, stream: MessageStreamId) {
        let _ = self.session.end_play(self.now, stream, EndCause::Unpublished);
    }

    pub(crate) fn end_publish(&mut self, stream: MessageStreamId) {
        let status = Status::new(StatusCode::PublishBadName, "Gone.");
        let _ = self.session.end_publish(self.now, stream, status, EndCause::Replaced);
    }

    /// Lets time pass, up to `until`.
    pub(crate) fn wait(&mut self, until: Time) {
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

    /// Nothing more comes from the client.
    pub(crate) fn eof(&mut self) {
        while let Some(event) = self.session.handle_eof(self.now).unwrap() {
            self.see(event);
        }
        assert!(self.session.is_closing());
    }

    /// `bytes` arrive, in pieces. With none, the session may go on with what waits.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
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
        self.most_waiting = self.most_waiting.max(output.len());
        self.output.extend(output.copy_to_bytes(output.len()));
    }

    fn fail(&mut self, error: ProtocolError) {
        let is_same = self.error.as_ref().is_none_or(|it| *it == error);
        assert!(is_same && self.session.is_closing(), "an error stays");
        self.error = Some(error);
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
