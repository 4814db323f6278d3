//! The contract of input, time and events, which both sides keep.

use super::link::{Link, Received};
use super::{Anomaly, ProtocolError};
use crate::rtmp::chunk::Message;
use crate::{EndCause, Time, Timer};
use alloc::collections::VecDeque;
use core::time::Duration;

/// A session seen from its callers: a step takes what the world did and gives out one event.
///
/// The sides supply what differs between them; the provided methods are the steps.
pub(super) trait Machine {
    type Event;

    fn link(&mut self) -> &mut Link;

    fn reports(&mut self) -> &mut Reports<Self::Event>;

    /// Whether input has to wait for the application.
    fn is_paused(&self) -> bool;

    /// Whether input is discarded.
    fn is_closing(&self) -> bool;

    /// Takes the handshake from the front of `input`; `false` once it is done.
    fn handle_handshake(&mut self, input: &mut &[u8]) -> Result<bool, ProtocolError>;

    /// Handles a message. Events of which a peer can cause many are given back, the others go to the reports.
    fn handle_message(&mut self, message: Message) -> Result<Option<Self::Event>, ProtocolError>;

    fn handle_timer(&mut self, timer: Timer) -> Result<(), ProtocolError>;

    /// Ends whatever is under way, reports that, and begins to close. Does nothing the second time.
    fn end(&mut self, cause: EndCause);

    fn anomaly(anomaly: Anomaly) -> Self::Event;

    fn pong(round_trip: Duration) -> Self::Event;

    fn step_input(&mut self, now: Time, input: &mut &[u8]) -> Result<Option<Self::Event>, ProtocolError> {
        self.link().hear(now, !input.is_empty());
        loop {
            if let Some(event) = self.reports().next() {
                return Ok(Some(event));
            }
            if let Some(failure) = &self.reports().failure {
                return Err(failure.clone());
            }
            if self.is_closing() {
                *input = &[];
            }
            if self.is_paused() || (input.is_empty() && !self.link().has_more()) {
                return Ok(None);
            }
            let offered = input.len();
            let result = self.read(input);
            let taken = offered.saturating_sub(input.len()) as u64;
            let received = &mut self.link().bytes_received;
            *received = received.saturating_add(taken);
            match result {
                Ok(None) => {}
                Ok(event) => return Ok(event),
                Err(error) => self.fail(error),
            }
        }
    }

    fn step_eof(&mut self, now: Time) -> Option<Self::Event> {
        self.link().tick(now);
        if self.reports().events.is_empty() {
            self.end(EndCause::Eof);
        }
        self.reports().next()
    }

    fn step_timeout(&mut self, now: Time) -> Result<Option<Self::Event>, ProtocolError> {
        self.link().tick(now);
        while let Some(timer) = self.link().take_due() {
            if let Err(error) = self.handle_timer(timer) {
                self.fail(error);
            }
        }
        match (self.reports().next(), &self.reports().failure) {
            (None, Some(failure)) => Err(failure.clone()),
            (event, _) => Ok(event),
        }
    }

    /// Reads on, up to the end of `input` or to the next message that concerns the session.
    fn read(&mut self, input: &mut &[u8]) -> Result<Option<Self::Event>, ProtocolError> {
        if self.handle_handshake(input)? {
            return Ok(None);
        }
        match self.link().receive(input)? {
            Some(Received::Message(message)) => self.handle_message(message),
            Some(Received::Pong(round_trip)) => Ok(Some(Self::pong(round_trip))),
            Some(Received::PingFlood) => Ok(Some(self.note_anomaly(Anomaly::PingFlood))),
            None => Ok(None),
        }
    }

    /// Counts an anomaly. The event is for callers that have reported nothing else yet: it costs no place in the queue,
    /// so a peer that sends many such messages makes us allocate nothing.
    fn note_anomaly(&mut self, anomaly: Anomaly) -> Self::Event {
        let anomalies = &mut self.reports().anomalies;
        *anomalies = anomalies.saturating_add(1);
        Self::anomaly(anomaly)
    }

    /// Reports an anomaly after what was reported before it.
    fn note(&mut self, anomaly: Anomaly) {
        let event = self.note_anomaly(anomaly);
        self.reports().events.push_back(event);
    }

    /// The peer's fault: everything ends, and later steps say why.
    fn fail(&mut self, error: ProtocolError) {
        let cause = match error {
            ProtocolError::Timeout(timer) => EndCause::Timeout(timer),
            _ => EndCause::ProtocolError,
        };
        self.reports().failure.get_or_insert(error);
        self.end(cause);
    }
}

/// What a session has to tell, and has told.
#[derive(Debug)]
pub(super) struct Reports<E> {
    pub(super) events: VecDeque<E>,
    pub(super) failure: Option<ProtocolError>,
    pub(super) anomalies: u64,
}

impl<E> Default for Reports<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> Reports<E> {
    pub(super) const fn new() -> Self {
        Reports {
            events: VecDeque::new(),
            failure: None,
            anomalies: 0,
        }
    }

    /// The next event that waits. Few do, so the queue needs no memory most of the time.
    fn next(&mut self) -> Option<E> {
        let event = self.events.pop_front();
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
        event
    }
}
