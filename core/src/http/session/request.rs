//! Requests: read, and answered.

use super::{HttpSession, State, Step};
use crate::http::body::Body;
use crate::http::head::{Framing, Request};
use crate::http::response::{Answer, Persistence, StatusCode};
use crate::http::{HttpEvent, Method, Response};
use crate::{RequestId, StateError, Time, Timer};
use core::time::Duration;

impl HttpSession {
    /// Answers a request, whatever it asks for. For `HEAD`, answer as if it were `GET`: the content stays here.
    ///
    /// A request whose content was not read is the last on its connection, and so is the
    /// [last that it may make](crate::Limits::max_http_requests). A response of more than
    /// [`output_high_water`](crate::Limits::output_high_water) may take as long as it needs, while it keeps moving.
    ///
    /// Cost: the header fields are copied; the content from 256 bytes on is not.
    ///
    /// # Errors
    /// [`StateError::StaleRequest`] if no such request waits.
    pub fn respond(&mut self, now: Time, id: RequestId, response: &Response) -> Result<(), StateError> {
        self.advance_clock(now);
        let framing = self.take_request(id, |_| true)?;
        let persistence = self.persistence(&framing);
        response.write(framing.method == Method::Head, persistence, &mut self.output);
        self.finish(persistence);
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
            framing.persistence = Persistence::Close;
        }
    }

    /// Asks the owner about a request.
    pub(super) fn handle_request(&mut self, request: Request) -> Step {
        let Request {
            mut framing,
            access,
            head,
        } = request;
        self.timers.clear(Timer::Command);
        self.access = access;
        let id = self.last_request.next();
        self.last_request = id;
        let may_follow = id.number() < self.config.limits.max_http_requests;
        framing.persistence = framing.persistence.only_if(may_follow);
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
    pub(super) fn persistence(&self, framing: &Framing) -> Persistence {
        framing
            .persistence
            .only_if(framing.body == Body::EMPTY && self.has_room())
    }

    /// Answers a request whose content, if any, was not read.
    fn answer_request(&mut self, framing: &Framing, answer: Answer<'_>) {
        let answer = Answer {
            head_only: framing.method == Method::Head,
            persistence: self.persistence(framing),
            ..answer
        };
        self.answer(answer);
    }
}
