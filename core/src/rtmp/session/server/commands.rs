//! What a client can ask for. RTMP 1.0 §7.2, and what grew around it.

use super::{Base, RequestKind, ServerSession};
use crate::amf::{AmfError, AmfLimits, amf0};
use crate::rtmp::chunk::{Message, MessageStreamId};
use crate::rtmp::message::{Command, UserControl};
use crate::rtmp::session::machine::Machine;
use crate::rtmp::session::state::{ConnectionStep, Ended, StreamState, StreamStep};
use crate::rtmp::session::{
    Anomaly, Connect, Event, PlayControl, PlayStart, ProtocolError, PublishKind, Status, StatusCode, replies, target,
};
use crate::{EndCause, StreamKeyError, Target};
use alloc::boxed::Box;
use alloc::format;
use core::str;

impl ServerSession {
    /// Answers a command, in the order of arrival: some clients match replies by order.
    ///
    /// Arguments that are absent, `null` or of another type are taken alike, and what follows them is not read.
    pub(super) fn handle_command(&mut self, message: Message) -> Result<Option<Event>, ProtocolError> {
        let Ok(command) = Command::parse(&message, AmfLimits::from(&self.config.limits)) else {
            return Ok(Some(self.note_anomaly(Anomaly::MalformedCommand)));
        };
        if command.name == b"connect" {
            self.handle_connect(&command)?;
            return Ok(None);
        }
        self.state = self.state.after(ConnectionStep::Command)?;
        match command.name {
            b"createStream" => self.handle_create_stream(command.transaction_id)?,
            // Old versions of HaishinKit send metadata as a command.
            b"@setDataFrame" | b"@clearDataFrame" => return self.handle_media(message),
            _ => match self.handle_call(message.msid, &command) {
                Ok(None) => {}
                Ok(Some(anomaly)) => return Ok(Some(self.note_anomaly(anomaly))),
                Err(_) => return Ok(Some(self.note_anomaly(Anomaly::MalformedCommand))),
            },
        }
        Ok(None)
    }

    fn handle_connect(&mut self, command: &Command<'_>) -> Result<(), ProtocolError> {
        let transaction_id = command.transaction_id;
        self.state = self.state.after(ConnectionStep::Connect).inspect_err(|_| {
            let status = Status::new(StatusCode::CallFailed, "Already connected.");
            self.link.command(&replies::error(transaction_id, &status));
        })?;
        let connect = match Connect::parse(command.arguments.clone(), &self.config.limits) {
            Ok(connect) => connect,
            Err(len) => {
                let description = format!("A string of {len} bytes is too long.");
                let status = Status::new(StatusCode::ConnectRejected, description);
                self.link.command(&replies::error(transaction_id, &status));
                self.note(Anomaly::StringTooLong { len });
                self.end(EndCause::Closed);
                return Ok(());
            }
        };
        self.base = Some(Box::new(Base {
            app: connect.app.clone(),
            tc_url: connect.tc_url.clone(),
        }));
        let id = self.request(RequestKind::Connect {
            transaction_id,
            object_encoding: connect.object_encoding,
            is_enhanced: connect.capabilities.is_enhanced,
        });
        let connect = Box::new(connect);
        self.reports.events.push_back(Event::ConnectRequested { id, connect });
        Ok(())
    }

    fn handle_create_stream(&mut self, transaction_id: f64) -> Result<(), ProtocolError> {
        let max = self.config.limits.max_message_streams;
        match self.streams.create(max) {
            Some(id) => {
                self.link.command(&replies::number(transaction_id, id.0.into()));
                Ok(())
            }
            None => {
                let status = Status::new(StatusCode::CallFailed, "Too many streams.");
                self.link.command(&replies::error(transaction_id, &status));
                Err(ProtocolError::TooManyStreams { max })
            }
        }
    }

    /// Does what a call asks for; gives back the anomaly in it, if any.
    fn handle_call(&mut self, id: MessageStreamId, command: &Command<'_>) -> Result<Option<Anomaly>, AmfError> {
        let transaction_id = command.transaction_id;
        let mut arguments = command.arguments.clone();
        arguments.value_ref()?; // the command object, null for all of these
        match command.name {
            b"releaseStream" => self.return_nothing(transaction_id),
            b"getStreamLength" => self.link.command(&replies::number(transaction_id, 0.0)),
            b"FCPublish" => {
                self.return_nothing(transaction_id);
                let status = Status::new(StatusCode::PublishStart, "FCPublish accepted.");
                self.link
                    .command(&replies::notification("onFCPublish", transaction_id, &status));
            }
            b"FCUnpublish" => self.fc_unpublish(transaction_id, arguments.string()?),
            b"FCSubscribe" => {
                self.return_nothing(transaction_id);
                let status = Status::new(StatusCode::PlayStart, "FCSubscribe accepted.");
                self.link.command(&replies::notification("onFCSubscribe", 0.0, &status));
            }
            b"publish" => self.publish(id, arguments)?,
            b"play" => self.play(id, arguments)?,
            b"play2" => self.play2(id, arguments)?,
            b"closeStream" => self.close_stream(id),
            b"deleteStream" => self.delete_stream(id, arguments.number()?),
            b"pause" | b"pauseRaw" => {
                let is_paused = arguments.boolean()?.unwrap_or(true);
                self.control_play(id, PlayControl::Pause(is_paused));
            }
            b"receiveAudio" => {
                let is_wanted = arguments.boolean()?.unwrap_or(true);
                self.control_play(id, PlayControl::ReceiveAudio(is_wanted));
            }
            b"receiveVideo" => {
                let is_wanted = arguments.boolean()?.unwrap_or(true);
                self.control_play(id, PlayControl::ReceiveVideo(is_wanted));
            }
            b"seek" => self.seek(id),
            // Replies: to nothing, as we call nothing.
            b"_result" | b"_error" | b"onStatus" => {}
            _ => {
                self.return_nothing(transaction_id);
                return Ok(Some(Anomaly::UnknownCommand));
            }
        }
        Ok(None)
    }

    /// Answers a call that has no result, unless its transaction ID 0 says that no answer is wanted.
    ///
    /// Unknown calls get the same: Haivision waits for an answer to `_checkbw`, and ffmpeg gives up on an `_error`.
    fn return_nothing(&mut self, transaction_id: f64) {
        if transaction_id != 0.0 {
            self.link.command(&replies::nothing(transaction_id));
        }
    }

    /// RTMP 1.0 §7.2.2.6.
    fn publish(&mut self, id: MessageStreamId, mut arguments: amf0::Reader<'_>) -> Result<(), AmfError> {
        // Flash stops with publish(false), others with null.
        let Some(name) = arguments.string()? else {
            self.close_stream(id);
            return Ok(());
        };
        let kind = match arguments.string()? {
            Some(kind) if kind.eq_ignore_ascii_case(b"record") => PublishKind::Record,
            Some(kind) if kind.eq_ignore_ascii_case(b"append") => PublishKind::Append,
            _ => PublishKind::Live,
        };
        let Some((stream, target)) = self.resolve(id, name, StatusCode::PublishBadName) else {
            return Ok(());
        };
        if self.streams.published(stream).is_ok_and(|key| *key == target.key) {
            self.note(Anomaly::RepeatedPublish);
            self.status(stream, Status::new(StatusCode::PublishStart, "Already publishing."));
            return Ok(());
        }
        self.step(stream, StreamStep::Publish, Some(&target.key), EndCause::Requested);
        let id = self.request(RequestKind::Publish(stream));
        self.reports.events.push_back(Event::PublishRequested {
            id,
            stream,
            target: Box::new(target),
            kind,
        });
        Ok(())
    }

    /// RTMP 1.0 §7.2.2.1. The duration is not read: a live stream ends when it ends.
    fn play(&mut self, id: MessageStreamId, mut arguments: amf0::Reader<'_>) -> Result<(), AmfError> {
        let Some(name) = arguments.string()? else {
            self.close_stream(id);
            return Ok(());
        };
        let start = match arguments.number()? {
            // -1, and the -1000 of clients that count in milliseconds.
            Some(start) if start == -1.0 || start == -1_000.0 => PlayStart::Live,
            Some(start) if start >= 0.0 => PlayStart::Recorded,
            _ => PlayStart::LiveOrRecorded,
        };
        let _duration = arguments.value_ref()?;
        let reset = match arguments.value_ref()? {
            Some(reset) => reset.as_bool() != Some(false) && reset.as_f64() != Some(0.0),
            None => true,
        };
        self.request_play(id, name, start, reset);
        Ok(())
    }

    /// RTMP 1.0 §7.2.2.2: another play, but for the form of its arguments.
    fn play2(&mut self, id: MessageStreamId, mut arguments: amf0::Reader<'_>) -> Result<(), AmfError> {
        let mut pairs = arguments.object()?.into_iter().flatten();
        let name = pairs
            .find(|pair| pair.key == b"streamName")
            .and_then(|pair| pair.value.as_bytes());
        if let Some(name) = name {
            self.request_play(id, name, PlayStart::LiveOrRecorded, false);
        }
        Ok(())
    }

    fn request_play(&mut self, id: MessageStreamId, name: &[u8], start: PlayStart, reset: bool) {
        let Some((stream, target)) = self.resolve(id, name, StatusCode::PlayStreamNotFound) else {
            return;
        };
        self.step(stream, StreamStep::Play, Some(&target.key), EndCause::Requested);
        let id = self.request(RequestKind::Play { stream, reset });
        self.reports.events.push_back(Event::PlayRequested {
            id,
            stream,
            target: Box::new(target),
            start,
        });
    }

    /// The stream that a request for `id` is meant for, and what it wants there. A name that names nothing is refused
    /// with `code`.
    fn resolve(&mut self, id: MessageStreamId, name: &[u8], code: StatusCode) -> Option<(MessageStreamId, Target)> {
        let Some(stream) = self.streams.resolve(id) else {
            self.note(Anomaly::UnknownStream(id));
            return None;
        };
        match self.target(name) {
            Ok(target) => Some((stream, target)),
            Err(error) => {
                self.status(stream, Status::new(code, format!("{error}.")));
                self.note(Anomaly::InvalidName(error));
                self.end_unless_busy();
                None
            }
        }
    }

    fn target(&self, name: &[u8]) -> Result<Target, StreamKeyError> {
        let (len, max) = (name.len(), self.config.limits.max_string_len);
        if len > max {
            return Err(StreamKeyError::TooLong { len, max });
        }
        // Replacing what is not UTF-8 would make one stream of several.
        let name = str::from_utf8(name).map_err(|_| StreamKeyError::ForbiddenCharacter)?;
        let (app, tc_url) = self.base.as_ref().map_or(("", ""), |base| (&base.app, &base.tc_url));
        target::resolve(app, tc_url, name)
    }

    /// `FCUnpublish`, before `deleteStream`: clients that only know this one exist as well.
    fn fc_unpublish(&mut self, transaction_id: f64, name: Option<&[u8]>) {
        let status = Status::new(StatusCode::UnpublishSuccess, "FCUnpublish accepted.");
        self.link.command(&replies::notification("onFCUnpublish", 0.0, &status));
        self.return_nothing(transaction_id);
        let target = name.and_then(|name| self.target(name).ok());
        if let Some(stream) = self.streams.publisher(target.as_ref().map(|target| &target.key)) {
            self.close_stream(stream);
        }
    }

    /// Stops what is done on a stream, which stays open: HaishinKit may publish on it again.
    fn close_stream(&mut self, id: MessageStreamId) {
        let Some(stream) = self.streams.resolve(id) else {
            return self.note(Anomaly::UnknownStream(id));
        };
        let status = match self.step(stream, StreamStep::Stop, None, EndCause::Requested) {
            Ended::Publish => Status::new(StatusCode::UnpublishSuccess, "Stopped publishing."),
            Ended::Play => Status::new(StatusCode::PlayStop, "Stopped playing."),
            Ended::Nothing => return,
        };
        self.status(stream, status);
        self.restart_timers();
    }

    /// RTMP 1.0 §7.2.2.3. gst sends the name for the ID and others nothing, so the stream that carries the command
    /// counts where the argument names none.
    fn delete_stream(&mut self, id: MessageStreamId, argument: Option<f64>) {
        let named = argument.and_then(|number| self.streams.ids().find(|id| f64::from(id.0) == number));
        let Some(stream) = named.or_else(|| self.streams.resolve(id)) else {
            return self.note(Anomaly::UnknownStream(id));
        };
        self.close_stream(stream);
        self.streams.remove(stream);
    }

    fn control_play(&mut self, id: MessageStreamId, control: PlayControl) {
        let Some(stream) = self.streams.resolve_if(id, StreamState::Playing) else {
            if !self.streams.remember(id, control) {
                self.note(Anomaly::UnknownStream(id));
            }
            return;
        };
        match control {
            PlayControl::Pause(true) => {
                self.status(stream, Status::new(StatusCode::PauseNotify, "Paused."));
                self.link.user_control(UserControl::StreamEof(stream));
            }
            PlayControl::Pause(false) => {
                self.status(stream, Status::new(StatusCode::UnpauseNotify, "Resumed."));
                self.link.user_control(UserControl::StreamBegin(stream));
            }
            PlayControl::ReceiveAudio(true) | PlayControl::ReceiveVideo(true) => {
                self.status(stream, Status::new(StatusCode::SeekNotify, "Resumed."));
                self.status(stream, Status::new(StatusCode::PlayStart, "Resumed."));
            }
            PlayControl::ReceiveAudio(false) | PlayControl::ReceiveVideo(false) => {}
        }
        self.reports.events.push_back(Event::PlayControl { stream, control });
    }

    /// A live stream has one position. Saying so as an error would make ffmpeg give up.
    fn seek(&mut self, id: MessageStreamId) {
        match self.streams.resolve_if(id, StreamState::Playing) {
            Some(stream) => self.status(stream, Status::new(StatusCode::SeekNotify, "This stream is live.")),
            None => self.note(Anomaly::UnknownStream(id)),
        }
    }
}
