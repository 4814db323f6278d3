//! Content that the owner of a session wants to have whole.

use super::{HttpSession, State, Step};
use crate::http::body::{Body, Content};
use crate::http::head::Framing;
use crate::http::response;
use crate::http::{HttpError, HttpEvent};
use crate::{RequestId, StateError, Time, Timer};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

/// A request whose content comes in.
#[derive(Debug)]
pub(super) struct Collector {
    pub(super) id: RequestId,
    framing: Framing,
    max: usize,
    /// What has come. It grows as bytes arrive, whatever length was announced.
    content: Vec<u8>,
}

impl Collector {
    /// Bytes of memory held, beside itself.
    pub(super) fn held_memory(&self) -> usize {
        self.content.capacity()
    }

    /// Whether it will be more than it may be, counting `more` that is here.
    fn exceeds(&self, more: usize) -> bool {
        let announced = match self.framing.body {
            Body::Length(left) => usize::try_from(left).unwrap_or(usize::MAX),
            Body::Chunked(_) | Body::UntilClose => 0,
        };
        self.content.len().saturating_add(more.max(announced)) > self.max
    }
}

impl HttpSession {
    /// Reads the content of a request, whole. [`HttpEvent::Body`] brings it, and the request waits for its answer again.
    ///
    /// Content of more than `max` bytes is answered 413, and what has not come after
    /// [`command_timeout`](crate::Limits::command_timeout) 408. The request ends with both
    /// ([`HttpEvent::RequestEnded`]), and if the peer leaves. A request without content has an empty one. A peer that waits
    /// for `100 Continue` gets it. After this call [`handle_input`](Self::handle_input), with nothing if there is nothing: the
    /// content may be there already.
    ///
    /// Cost: up to three times as much memory as has come, while the buffer grows; each byte is copied once, and then again.
    ///
    /// # Errors
    /// [`StateError::StaleRequest`] if no such request waits, or its content was read before.
    pub fn read_body(&mut self, now: Time, id: RequestId, max: usize) -> Result<(), StateError> {
        self.advance_clock(now);
        let mut framing = self.take_request(id, |it| !it.is_body_read)?;
        framing.is_body_read = true;
        if framing.body == Body::UntilClose {
            // Only a push lasts until the end of input. RFC 9112 §6.3: without framing there is no content.
            framing.body = Body::EMPTY;
        }
        let collector = Collector {
            id,
            framing,
            max,
            content: Vec::new(),
        };
        if framing.expects_continue && framing.body != Body::EMPTY && !collector.exceeds(0) {
            response::write_continue(&mut self.output);
            self.watch_output();
        }
        self.state = State::Collecting(Box::new(collector));
        self.timers
            .set(Timer::Command, self.now + self.config.limits.command_timeout);
        Ok(())
    }

    /// Takes in content of the request that is being collected.
    pub(super) fn collect(&mut self, input: &mut &[u8]) -> Result<Step, HttpError> {
        let State::Collecting(collector) = &mut self.state else {
            return Ok(Step::Again);
        };
        let offered = input.len();
        let content = collector.framing.body.peek(input)?;
        let arrived = match content {
            Content::Data(data) => data,
            Content::NeedMore | Content::End => &[],
        };
        if collector.exceeds(arrived.len()) {
            return Err(HttpError::BodyTooLarge { max: collector.max });
        }
        collector.content.extend_from_slice(arrived);
        collector.framing.body.consume(arrived.len(), input);
        self.work += (offered - input.len()) as u64;
        match content {
            Content::Data(_) => Ok(Step::Again),
            Content::NeedMore => Ok(Step::NeedInput),
            Content::End => {
                let (id, mut framing) = (collector.id, collector.framing);
                let body = mem::take(&mut collector.content).into();
                framing.body = Body::EMPTY;
                self.timers.clear(Timer::Command);
                self.state = State::Requested { id, framing };
                Ok(Step::Event(HttpEvent::Body { id, body }))
            }
        }
    }
}
