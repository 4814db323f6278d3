//! Publishing: FLV in, as the content of a push or in the messages of a WebSocket, frames out.

use super::{HttpSession, State, Step};
use crate::flv::{FlvItem, FlvReader};
use crate::http::body::{Body, Content};
use crate::http::head::Framing;
use crate::http::response::{self, Answer, Persistence, StatusCode};
use crate::http::websocket::{self, Opcode, PIECE, Received};
use crate::http::{HttpError, HttpEvent};
use crate::{EndCause, FrameKind, RequestId, StateError, Time, Timer, work};
use alloc::boxed::Box;

#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Publisher {
    pub(super) source: Source,
    pub(super) flv: FlvReader,
    persistence: Persistence,
    /// Whether a frame has come: without any it was no push.
    pub(super) has_frames: bool,
}

/// Tags of the largest size that fit a frame of a WebSocket. 2: a program may send what it has in one, which is a tag and what
/// came with it. A frame is not kept, so a long one costs nothing; but nobody means a frame without an end.
const TAGS_PER_FRAME: u32 = 2;

/// Where the FLV of a publisher is.
#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Source {
    /// In the content of a request.
    Content(Body),
    /// In the binary messages of a WebSocket, whose borders mean nothing.
    Messages(websocket::Reader),
}

impl Source {
    pub(super) const fn is_websocket(&self) -> bool {
        matches!(self, Source::Messages(_))
    }

    #[cfg(feature = "server")]
    pub(super) const fn is_at_rest(&self) -> bool {
        match self {
            Source::Content(_) => true,
            Source::Messages(reader) => reader.is_at_border(),
        }
    }

    /// Whether the next byte is FLV.
    #[cfg(feature = "server")]
    pub(super) const fn is_in_content(&self) -> bool {
        match self {
            Source::Content(body) => body.is_in_content(),
            Source::Messages(reader) => reader.is_in_content(),
        }
    }
}

impl Publisher {
    /// Whether FLV that ends here is a push: it has a frame, and no tag that was cut off.
    pub(super) fn check_end(&self) -> Result<(), HttpError> {
        if !self.flv.is_at_tag_border() {
            Err(HttpError::TruncatedTag)
        } else if !self.has_frames {
            Err(HttpError::NoTags)
        } else {
            Ok(())
        }
    }
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
    /// A WebSocket may publish too: its binary messages are the content, however they cut it, and a close frame is its end. It is
    /// told why it ends by a close frame, whose code is 4000 and the status that a `POST` would get: 4409 if somebody else has
    /// the name, 4400 for what is no FLV. What is no WebSocket has the codes of RFC 6455. A frame may be twice as long as a tag
    /// ([`max_message_len`](crate::Limits::max_message_len)); it is not kept, so that costs nothing.
    ///
    /// # Errors
    /// [`StateError::StaleRequest`] if no such request waits, or it is no `POST`, `PUT` or WebSocket.
    pub fn accept_publish(&mut self, now: Time, id: RequestId) -> Result<(), StateError> {
        self.advance_clock(now);
        let framing = self.take_request(id, Framing::is_push)?;
        let limits = &self.config.limits;
        let source = match &framing.websocket {
            Some(accept) => {
                response::write_switching_protocols(accept, framing.subprotocol, &mut self.output);
                // A proxy on the way may end a connection by which nothing comes back.
                self.timers.set(Timer::Ping, self.now + limits.ping_interval);
                let max = limits.max_message_len.saturating_mul(TAGS_PER_FRAME);
                Source::Messages(websocket::Reader::of_publisher(max))
            }
            None => {
                if framing.expects_continue {
                    response::write_continue(&mut self.output);
                }
                Source::Content(framing.body)
            }
        };
        if !self.output.is_empty() {
            self.watch_output();
        }
        self.silence.hear(self.now);
        self.state = State::Publishing(Box::new(Publisher {
            source,
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
        let Source::Content(body) = &mut publisher.source else {
            return self.read_messages(input);
        };
        let offered = input.len();
        let content = body.peek(input)?;
        self.work += (offered - input.len()) as u64;
        match content {
            Content::NeedMore => Ok(Step::NeedInput),
            Content::Data(data) => {
                let mut rest = data;
                let item = publisher.flv.handle_input(&mut rest)?;
                body.consume(data.len() - rest.len(), input);
                Ok(self.report(item))
            }
            Content::End => {
                publisher.check_end()?;
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

    /// The same for a WebSocket. Its payload is copied twice: a piece at a time as it is unmasked, and then into frames.
    fn read_messages(&mut self, input: &mut &[u8]) -> Result<Step, HttpError> {
        let has_room = self.has_room();
        let State::Publishing(publisher) = &mut self.state else {
            return Ok(Step::Again);
        };
        let Source::Messages(reader) = &mut publisher.source else {
            return Ok(Step::Again);
        };
        let offered = input.len();
        let received = reader.read(input)?;
        self.work += (offered - input.len()) as u64;
        match received {
            None => Ok(Step::NeedInput),
            Some(Received::Content) => {
                let mut piece = [0; PIECE];
                let data = reader.unmask(input, &mut piece);
                let mut rest = data;
                let item = publisher.flv.handle_input(&mut rest)?;
                reader.consume(data.len() - rest.len(), input);
                Ok(self.report(item))
            }
            Some(Received::Ping(payload)) => {
                if has_room {
                    websocket::write_control(Opcode::Pong, payload, &mut self.output);
                    self.watch_output();
                }
                Ok(Step::Again)
            }
            Some(Received::Close(code)) => {
                publisher.check_end()?;
                websocket::write_close(code, "", &mut self.output);
                self.end(EndCause::Requested);
                self.start_closing();
                Ok(Step::Again)
            }
        }
    }

    /// Tells the owner of what has come, if it concerns anybody.
    fn report(&mut self, item: Option<FlvItem>) -> Step {
        self.work += item.as_ref().map_or(0, work_of);
        match item {
            Some(FlvItem::Frame(frame)) => {
                if let State::Publishing(publisher) = &mut self.state {
                    publisher.has_frames = true;
                }
                if frame.class.is_coded() {
                    self.silence.hear(self.now);
                }
                Step::Event(HttpEvent::Frame(frame))
            }
            Some(FlvItem::MetadataCleared) => Step::Event(HttpEvent::MetadataCleared),
            Some(FlvItem::Skipped { tag_type }) => Step::Event(HttpEvent::TagSkipped { tag_type }),
            Some(FlvItem::Header(_)) | None => Step::Again,
        }
    }
}
