//! Playing: frames out, as tags in chunks or WebSocket messages.

use super::{HttpSession, State, Step};
use crate::flv::{FlvWriter, TagFlags};
use crate::http::response::{self, Envelope, Persistence};
use crate::http::websocket::{self, Opcode, Received};
use crate::http::{HttpError, Method};
use crate::{EndCause, Frame, FrameAt, FrameClass, RequestId, StateError, Time, Timer, TrackId};

#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Player {
    pub(super) envelope: Envelope,
    pub(super) persistence: Persistence,
    progress: Progress,
    /// Another request has arrived. It stays with the caller until this one is done.
    pub(super) is_pipelined: bool,
    /// For [`Envelope::Message`].
    websocket: websocket::Reader,
}

#[cfg(feature = "server")]
impl Player {
    pub(super) fn is_at_rest(&self) -> bool {
        self.websocket.is_at_border()
    }
}

/// How far a play has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
enum Progress {
    /// Response head written.
    Accepted,
    /// The FLV header goes out with the first tag: mpegts.js wants more than its 13 bytes in the first piece it gets.
    Started(TagFlags),
    /// FLV header written.
    Streaming,
}

/// Whether an FLV player knows what to do with `frame`.
fn is_flv(frame: &Frame) -> bool {
    !frame.payload.is_empty() && frame.class != FrameClass::Supplement && frame.track == TrackId(0)
}

impl HttpSession {
    /// Lets a `GET` play: the stream exists. The head of the response goes out; for `HEAD` that is all, else [`start_play`](Self::start_play) comes next, once it is known which kinds of frame there are.
    ///
    /// # Errors
    /// [`StateError::StaleRequest`] if no such request waits, or it is no `GET` or `HEAD`.
    pub fn accept_play(&mut self, now: Time, id: RequestId) -> Result<(), StateError> {
        self.advance_clock(now);
        let framing = self.take_request(id, |it| matches!(it.method, Method::Get | Method::Head))?;
        let mut persistence = self.persistence(&framing);
        let envelope = match &framing.websocket {
            Some(accept) => {
                persistence = Persistence::Close;
                response::write_switching_protocols(accept, None, &mut self.output);
                self.timers
                    .set(Timer::Ping, self.now + self.config.limits.ping_interval);
                Envelope::Message
            }
            None => {
                let envelope = if framing.is_http_1_0 {
                    persistence = Persistence::Close;
                    Envelope::Bare
                } else {
                    Envelope::Chunk
                };
                response::write_stream_head(envelope, &self.access, persistence, &mut self.output);
                envelope
            }
        };
        if framing.method == Method::Head {
            self.finish(persistence);
        } else {
            self.state = State::Playing(Player {
                envelope,
                persistence,
                progress: Progress::Accepted,
                is_pipelined: false,
                websocket: websocket::Reader::of_player(),
            });
            self.watch_output();
        }
        Ok(())
    }

    /// Starts an accepted play: frames follow, of the kinds in `flags`.
    ///
    /// Players wait for the first frame of each kind that is announced, and pass over kinds that are not.
    ///
    /// # Errors
    /// [`StateError::NotPlaying`] if none was accepted, or it has started already.
    pub fn start_play(&mut self, flags: TagFlags) -> Result<(), StateError> {
        match &mut self.state {
            State::Playing(player) if player.progress == Progress::Accepted => {
                player.progress = Progress::Started(flags);
                Ok(())
            }
            _ => Err(StateError::NotPlaying),
        }
    }

    /// Sends `frame` as one tag in one chunk or one WebSocket message. What FLV players take for a broken tag is left out:
    /// a frame without payload, and of Enhanced RTMP the supplements and every track but the first (mpegts.js reports an
    /// error for each; an RTMP player gets them).
    ///
    /// Cost: payloads of 256 bytes and more are queued by reference; nothing is allocated once the output has grown.
    ///
    /// # Errors
    /// [`StateError::NotPlaying`] before [`start_play`](Self::start_play) and after the end;
    /// [`StateError::OutputFull`] if more than [`max_output`](crate::Limits::max_output) waits.
    pub fn send_frame<'a>(&mut self, frame: impl Into<FrameAt<'a>>) -> Result<(), StateError> {
        let sent = frame.into();
        let State::Playing(player) = &mut self.state else {
            return Err(StateError::NotPlaying);
        };
        let (waiting, max) = (self.output.len(), self.config.limits.max_output);
        if waiting > max {
            return Err(StateError::OutputFull { waiting, max });
        }
        let tag_len = FlvWriter::frame_len(sent.frame);
        let out = &mut self.output;
        match player.progress {
            Progress::Accepted => return Err(StateError::NotPlaying),
            _ if !is_flv(sent.frame) => return Ok(()),
            Progress::Started(flags) => {
                player.envelope.open(FlvWriter::HEADER_LEN + tag_len, out);
                FlvWriter::header(flags, out);
                player.progress = Progress::Streaming;
            }
            Progress::Streaming => player.envelope.open(tag_len, out),
        }
        FlvWriter::frame(sent, out);
        player.envelope.close(out);
        self.watch_output();
        Ok(())
    }

    /// Ends the play: the last chunk, a close frame, or the end of the connection.
    /// [`PlayEnded`](crate::http::HttpEvent::PlayEnded) says `cause`.
    ///
    /// # Errors
    /// [`StateError::NotPlaying`] if nothing is played.
    pub fn end_play(&mut self, now: Time, cause: EndCause) -> Result<(), StateError> {
        self.advance_clock(now);
        let State::Playing(player) = &mut self.state else {
            return Err(StateError::NotPlaying);
        };
        player.envelope.end(&mut self.output);
        let persistence = player.persistence;
        self.end(cause);
        self.finish(persistence);
        Ok(())
    }

    pub(super) fn read_websocket(&mut self, input: &mut &[u8]) -> Result<Step, HttpError> {
        let has_room = self.has_room();
        let State::Playing(player) = &mut self.state else {
            return Ok(Step::Again);
        };
        let offered = input.len();
        let received = player.websocket.read(input)?;
        self.work += (offered - input.len()) as u64;
        match received {
            Some(Received::Ping(payload)) => {
                // A peer that sends pings and reads nothing gets no pong; RFC 6455 §5.5.3 asks for the latest one only.
                if has_room {
                    websocket::write_control(Opcode::Pong, payload, &mut self.output);
                    self.watch_output();
                }
                Ok(Step::Again)
            }
            None | Some(Received::Content) => Ok(Step::NeedInput),
            Some(Received::Close(code)) => {
                websocket::write_close(code, "", &mut self.output);
                self.end(EndCause::Requested);
                self.start_closing();
                Ok(Step::Again)
            }
        }
    }
}
