//! Responses whose content comes piece by piece, for as long as their owner likes.

use super::{HttpSession, State};
use crate::http::response::Envelope;
use crate::http::{Method, Response};
use crate::{RequestId, StateError, Time};
use bytes::Bytes;

/// A response under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Responder {
    pub(super) id: RequestId,
    envelope: Envelope,
}

impl HttpSession {
    /// Begins to answer a request: the head goes out, and [`send_content`](Self::send_content) sends the content as it comes.
    /// The body of `response` is not used. Nothing can follow on the connection. For `HEAD` the head is all.
    ///
    /// # Errors
    /// [`StateError::StaleRequest`] if no such request waits.
    pub fn start_response(&mut self, now: Time, id: RequestId, response: &Response) -> Result<(), StateError> {
        self.advance_clock(now);
        let framing = self.take_request(id, |_| true)?;
        let envelope = match framing.is_http_1_0 {
            true => Envelope::Bare,
            false => Envelope::Chunk,
        };
        response.write_open(envelope, &mut self.output);
        if framing.method == Method::Head {
            self.start_closing();
        } else {
            self.state = State::Responding(Responder { id, envelope });
            self.watch_output();
        }
        Ok(())
    }

    /// Sends a piece of the content: a copy of `head`, and `body` behind it, by reference from 256 bytes on. How much waits is
    /// for the owner to bound: see [`output_ref`](Self::output_ref). Allocates nothing once the output has grown.
    ///
    /// # Errors
    /// [`StateError::StaleRequest`] if no response has begun, or it has ended.
    pub fn send_content(&mut self, now: Time, head: &[u8], body: &Bytes) -> Result<(), StateError> {
        self.advance_clock(now);
        let State::Responding(Responder { envelope, .. }) = self.state else {
            return Err(StateError::StaleRequest);
        };
        let len = head.len() + body.len();
        // A chunk without content would end the response.
        if len > 0 {
            envelope.open(len, &mut self.output);
            self.output.write(head);
            self.output.write_shared(body);
            envelope.close(&mut self.output);
            self.watch_output();
        }
        Ok(())
    }

    /// Ends the response, and closes the connection behind it.
    ///
    /// # Errors
    /// [`StateError::StaleRequest`] if no response has begun, or it has ended.
    pub fn end_response(&mut self, now: Time) -> Result<(), StateError> {
        self.advance_clock(now);
        let State::Responding(Responder { envelope, .. }) = self.state else {
            return Err(StateError::StaleRequest);
        };
        envelope.end(&mut self.output);
        self.start_closing();
        Ok(())
    }

    /// Whether the content of a response goes out.
    #[must_use]
    pub fn is_responding(&self) -> bool {
        matches!(self.state, State::Responding(_))
    }
}
