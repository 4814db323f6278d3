//! Publishing: the content of a push in, frames out.

use super::{HttpSession, State, Step};
use crate::flv::{FlvItem, FlvReader};
use crate::http::body::{Body, Content};
use crate::http::head::Framing;
use crate::http::response::{self, Answer, Persistence, StatusCode};
use crate::http::{HttpError, HttpEvent};
use crate::{EndCause, FrameKind, RequestId, StateError, Time, Timer, work};
use alloc::boxed::Box;

#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Publisher {
    pub(super) body: Body,
    pub(super) flv: FlvReader,
    persistence: Persistence,
    /// Whether a frame has come: without any it was no push.
    pub(super) has_frames: bool,
}

/// The [work] that is behind an item.
fn work_of(item: &FlvItem) -> u64 {
    work::MESSAGE
        + match item {
            FlvItem::Frame(frame) if frame.kind == FrameKind::Data => frame.payload.len() as u64,
            _ => 0,
        }
}

impl HttpSession {
    /// Lets a `POST` or `PUT` publish: its content is FLV, and frames may come. Until the first one, silence ends the request after
    /// [`command_timeout`](crate::Limits::command_timeout).
    ///
    /// # Errors
    /// [`StateError::StaleRequest`] if no such request waits, or it is no `POST` or `PUT`.
    pub fn accept_publish(&mut self, now: Time, id: RequestId) -> Result<(), StateError> {
        self.advance_clock(now);
        let framing = self.take_request(id, Framing::is_push)?;
        if framing.expects_continue {
            response::write_continue(&mut self.output);
            self.watch_output();
        }
        self.silence.hear(self.now);
        self.state = State::Publishing(Box::new(Publisher {
            body: framing.body,
            flv: FlvReader::new(&self.config.limits),
            persistence: framing.persistence,
            has_frames: false,
        }));
        self.timers.set(Timer::Idle, self.now + self.idle_span());
        Ok(())
    }

    /// Ends the publish: another took the stream over, the server stops. The peer is told `status` and a few words for
    /// people, and [`HttpEvent::PublishEnded`] says `cause`.
    ///
    /// # Errors
    /// [`StateError::NotPublishing`] if nothing is published.
    pub fn end_publish(
        &mut self,
        now: Time,
        status: StatusCode,
        reason: &str,
        cause: EndCause,
    ) -> Result<(), StateError> {
        self.advance_clock(now);
        if !matches!(self.state, State::Publishing(_)) {
            return Err(StateError::NotPublishing);
        }
        self.end(cause);
        self.answer(Answer::new(status, reason));
        Ok(())
    }

    pub(super) fn read_content(&mut self, input: &mut &[u8]) -> Result<Step, HttpError> {
        let State::Publishing(publisher) = &mut self.state else {
            return Ok(Step::Again);
        };
        let offered = input.len();
        let content = publisher.body.peek(input)?;
        self.work += (offered - input.len()) as u64;
        match content {
            Content::NeedMore => Ok(Step::NeedInput),
            Content::Data(data) => {
                let mut rest = data;
                let item = publisher.flv.handle_input(&mut rest)?;
                publisher.body.consume(data.len() - rest.len(), input);
                self.work += item.as_ref().map_or(0, work_of);
                Ok(match item {
                    Some(FlvItem::Frame(frame)) => {
                        publisher.has_frames = true;
                        if frame.class.is_coded() {
                            self.silence.hear(self.now);
                        }
                        Step::Event(HttpEvent::Frame(frame))
                    }
                    Some(FlvItem::MetadataCleared) => Step::Event(HttpEvent::MetadataCleared),
                    Some(FlvItem::Skipped { tag_type }) => Step::Event(HttpEvent::TagSkipped { tag_type }),
                    Some(FlvItem::Header(_)) | None => Step::Again,
                })
            }
            Content::End if !publisher.flv.is_at_tag_border() => Err(HttpError::TruncatedTag),
            Content::End if !publisher.has_frames => Err(HttpError::NoTags),
            Content::End => {
                let persistence = publisher.persistence.only_if(self.has_room());
                self.end(EndCause::Requested);
                self.answer(Answer {
                    persistence,
                    ..Answer::new(StatusCode::Ok, "")
                });
                Ok(Step::Again)
            }
        }
    }
}
