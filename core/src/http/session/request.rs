//! Requests: read, and answered.

use super::{HttpSession, State, Step};
use crate::http::body::Body;
use crate::http::head::{Method, RequestHead};
use crate::http::origin::ForeignOrigin;
use crate::http::response::{self, Answer, StatusCode};
use crate::http::{HttpError, HttpEvent};
use crate::{RequestId, StateError, StreamKey, Target, Time, Timer};
use alloc::boxed::Box;
use alloc::string::ToString;
use core::mem;
use core::time::Duration;

impl HttpSession {
    /// Answers a request with `status` and a few words for people. `retry_after` says when to ask again.
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
        let request = self.take_request(id, |_| true)?;
        self.answer_request(
            &request,
            Answer {
                retry_after,
                ..Answer::new(status, reason)
            },
        );
        Ok(())
    }

    pub(super) fn handle_request(&mut self, mut request: RequestHead) -> Step {
        self.timers.clear(Timer::Command);
        self.access = mem::take(&mut request.access);
        if request.method == Method::Options {
            let keep_alive = self.may_be_followed(&request);
            response::write_preflight(&request.preflight, &self.access, keep_alive, &mut self.output);
            self.finish(keep_alive);
            return Step::Event(HttpEvent::Answered);
        }
        let key = match request.method {
            Method::Other => Err(HttpError::MethodNotAllowed),
            method if !self.access.allows(method) => Err(HttpError::ForeignOrigin(ForeignOrigin::of(&request.fields))),
            _ => StreamKey::from_path(&mem::take(&mut request.path)).map_err(HttpError::from),
        };
        let key = match key {
            Ok(key) => key,
            Err(error) => {
                let status = error.status().unwrap_or(StatusCode::BadRequest);
                self.answer_request(&request, Answer::new(status, &error.to_string()));
                return Step::Event(HttpEvent::Refused(error));
            }
        };
        let target = Box::new(Target {
            key,
            query: mem::take(&mut request.query),
        });
        let undecoded = mem::take(&mut request.undecoded_path)
            .and_then(|path| StreamKey::from_path(&path).ok())
            .filter(|key| *key != target.key);
        let id = self.last_request.next();
        self.last_request = id;
        let fields = mem::take(&mut request.fields);
        let event = if request.method.is_push() {
            HttpEvent::PublishRequested { id, target, fields }
        } else {
            HttpEvent::PlayRequested {
                id,
                target,
                undecoded,
                transport: request.transport(),
                head_only: request.method == Method::Head,
                fields,
            }
        };
        self.state = State::Requested {
            id,
            request: Box::new(request),
        };
        Step::Event(event)
    }

    pub(super) fn take_request(
        &mut self,
        id: RequestId,
        fits: impl Fn(Method) -> bool,
    ) -> Result<Box<RequestHead>, StateError> {
        match mem::replace(&mut self.state, State::Closed) {
            State::Requested { id: waiting, request } if waiting == id && fits(request.method) => Ok(request),
            other => {
                self.state = other;
                Err(StateError::StaleRequest)
            }
        }
    }

    /// Whether another request may follow one whose content, if any, is not read. A peer that sends requests and reads
    /// no answers may send no more of them.
    pub(super) fn may_be_followed(&self, request: &RequestHead) -> bool {
        request.keep_alive && request.body == Body::EMPTY && self.has_room()
    }

    /// Answers a request whose content, if any, was not read.
    fn answer_request(&mut self, request: &RequestHead, answer: Answer<'_>) {
        let answer = Answer {
            head_only: request.method == Method::Head,
            keep_alive: self.may_be_followed(request),
            ..answer
        };
        self.answer(answer);
    }
}
