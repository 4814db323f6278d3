//! Requests: read, and answered.

use super::{HttpSession, State, Step};
use crate::http::body::Body;
use crate::http::head::{Framing, Request};
use crate::http::response::{Answer, StatusCode};
use crate::http::{HttpEvent, Method, Response};
use crate::{RequestId, StateError, Time, Timer};
use core::time::Duration;

impl HttpSession {
    /// Answers a request, whatever it asks for. For `HEAD`, answer as if it were `GET`: the content stays here.
    ///
    /// A request whose content was not read is the last on its connection. A response of more than
    /// [`output_high_water`](crate::Limits::output_high_water) may take as long as it needs, while it keeps moving.
    ///
    /// Cost: the header fields are copied; the content from 256 bytes on is not.
    ///
    /// # Errors
    /// [`StateError::StaleRequest`] if no such request waits.
    pub fn respond(&mut self, now: Time, id: RequestId, response: &Response) -> Result<(), StateError> {
        self.advance_clock(now);
        let framing = self.take_request(id, |_| true)?;
        let keep_alive = self.may_be_followed(&framing);
        response.write(framing.method == Method::Head, keep_alive, &mut self.output);
        self.finish(keep_alive);
        if !self.has_room() {
            // It would be cut off by the clock of a connection that has nothing but a few words left.
            self.timers.clear(Timer::Close);
            self.watch_output();
        }
        Ok(())
    }

    /// Refuses a request with `status` and a few words for people, which every web page may read, as players need it.
    /// `retry_after` says when to ask again.
    ///
    /// # Errors
    /// [`StateError::StaleRequest`] if no such request waits.
    pub fn reject(
        &mut self,
        now: Time,
        id: RequestId,
        status: StatusCode,
        reason: &str,
        retry_after: Option<Duration>,
    ) -> Result<(), StateError> {
        self.advance_clock(now);
        let framing = self.take_request(id, |_| true)?;
        self.answer_request(
            &framing,
            Answer {
                retry_after,
                ..Answer::new(status, reason)
            },
        );
        Ok(())
    }

    /// The request that waits for its answer is the last of its connection, which closes behind that.
    pub fn close_after_answer(&mut self) {
        if let State::Requested { framing, .. } = &mut self.state {
            framing.keep_alive = false;
        }
    }

    /// Asks the owner about a request.
    pub(super) fn handle_request(&mut self, request: Request) -> Step {
        let Request { framing, access, head } = request;
        self.timers.clear(Timer::Command);
        self.access = access;
        let id = self.last_request.next();
        self.last_request = id;
        self.state = State::Requested { id, framing };
        Step::Event(HttpEvent::Requested { id, head })
    }

    pub(super) fn take_request(
        &mut self,
        id: RequestId,
        fits: impl Fn(&Framing) -> bool,
    ) -> Result<Framing, StateError> {
        match self.state {
            State::Requested { id: waiting, framing } if waiting == id && fits(&framing) => {
                self.state = State::Closed;
                Ok(framing)
            }
            _ => Err(StateError::StaleRequest),
        }
    }

    /// Whether another request may follow one whose content, if any, is not read. A peer that sends requests and reads
    /// no answers may send no more of them.
    pub(super) fn may_be_followed(&self, framing: &Framing) -> bool {
        framing.keep_alive && framing.body == Body::EMPTY && self.has_room()
    }

    /// Answers a request whose content, if any, was not read.
    fn answer_request(&mut self, framing: &Framing, answer: Answer<'_>) {
        let answer = Answer {
            head_only: framing.method == Method::Head,
            keep_alive: self.may_be_followed(framing),
            ..answer
        };
        self.answer(answer);
    }
}
