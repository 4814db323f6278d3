//! The server's side of the conversation.

use super::{Event, MessageStreamId, ProtocolError, RequestId, SessionConfig, StateError, Status};
use crate::{EndCause, Frame, Output, Time, Timer};
use alloc::sync::Arc;

/// One RTMP connection, seen from the server.
#[derive(Debug)]
pub struct ServerSession {
    config: Arc<SessionConfig>,
    output: Output,
}

/// What a session has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SessionStats {
    /// Bytes taken from the peer.
    pub bytes_received: u64,
    /// Bytes that left for the peer.
    pub bytes_sent: u64,
    /// Oddities read past.
    pub anomalies: u64,
}

#[expect(
    unused_variables,
    missing_docs,
    clippy::missing_errors_doc,
    reason = "signatures only, for now"
)]
impl ServerSession {
    #[must_use]
    pub fn new(config: Arc<SessionConfig>, now: Time, seed: u64) -> Self {
        todo!()
    }

    pub fn handle_input(&mut self, now: Time, input: &mut &[u8]) -> Result<Option<Event>, ProtocolError> {
        todo!()
    }

    pub fn handle_eof(&mut self, now: Time) -> Result<Option<Event>, ProtocolError> {
        todo!()
    }

    pub fn handle_timeout(&mut self, now: Time) -> Result<Option<Event>, ProtocolError> {
        todo!()
    }

    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        todo!()
    }

    #[must_use]
    pub fn next_timer(&self) -> Option<Timer> {
        todo!()
    }

    #[must_use]
    pub fn is_paused(&self) -> bool {
        todo!()
    }

    pub fn accept(&mut self, now: Time, id: RequestId) -> Result<(), StateError> {
        todo!()
    }

    pub fn reject(&mut self, now: Time, id: RequestId, status: Status) -> Result<(), StateError> {
        todo!()
    }

    pub fn send_frame(&mut self, stream: MessageStreamId, frame: &Frame) -> Result<(), StateError> {
        todo!()
    }

    pub fn publish_notify(&mut self, stream: MessageStreamId) -> Result<(), StateError> {
        todo!()
    }

    pub fn end_play(&mut self, now: Time, stream: MessageStreamId, cause: EndCause) -> Result<(), StateError> {
        todo!()
    }

    pub fn end_publish(
        &mut self,
        now: Time,
        stream: MessageStreamId,
        status: Status,
        cause: EndCause,
    ) -> Result<(), StateError> {
        todo!()
    }

    pub fn close(&mut self, now: Time) {
        todo!()
    }

    #[must_use]
    pub fn is_closing(&self) -> bool {
        todo!()
    }

    #[must_use]
    pub fn is_closed(&self) -> bool {
        todo!()
    }

    #[must_use]
    pub fn can_send(&self) -> bool {
        self.output.len() < self.config.limits.output_high_water
    }

    pub fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    #[must_use]
    pub fn output_ref(&self) -> &Output {
        &self.output
    }

    #[must_use]
    pub fn stats(&self) -> SessionStats {
        todo!()
    }
}
