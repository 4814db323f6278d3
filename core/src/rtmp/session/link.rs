//! What both ends of a connection do alike: chunks, acknowledgements, pings, deadlines.

use super::{MessageStreamId, ProtocolError, SessionConfig};
#[cfg(feature = "server")]
use crate::media::MEDIA_HEAD;
use crate::rtmp::chunk::{ChunkDecoder, ChunkEncoder, ChunkStreamId, Message, MessageTypeId};
use crate::rtmp::message::aggregate::Parts;
use crate::rtmp::message::{Control, UserControl};
use crate::time::PerSecond;
use crate::timers::{SilenceWatch, StallWatch, Timers};
use crate::{FrameAt, FrameKind, Output, StateError, Time, Timer, Timestamp, work};
use alloc::boxed::Box;
use bytes::Bytes;
use core::ops::Range;
use core::time::Duration;

/// The message layer of one connection, after the handshake, and its clock.
#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Link {
    pub(super) output: Output,
    pub(super) timers: Timers,
    /// The latest moment that anyone told us. It never goes back.
    pub(super) now: Time,
    pub(super) silence: SilenceWatch,
    /// Whether only media breaks the silence: a publisher has what others want.
    pub(super) hears_media: bool,
    /// Bytes taken from the peer, those of the handshake included.
    pub(super) bytes_received: u64,
    output_high_water: usize,
    max_output: usize,
    courtesies: Courtesies,
    decoder: ChunkDecoder,
    encoder: ChunkEncoder,
    /// An aggregate message under way.
    #[cfg_attr(feature = "server", serde(skip))]
    aggregate: Option<Box<Parts>>,
    /// Bytes that the peer sends between two acknowledgements.
    pub(super) ack_every: u32,
    /// The count of received bytes that the next acknowledgement is due at.
    ack_at: u64,
    /// The window that we last announced.
    window_ack_size: u32,
    /// When we last sent a ping that is not answered.
    pinged: Option<Time>,
    pings: PerSecond,
    messages: PerSecond,
    /// Bytes of messages that are read one by one, and what all messages count as [work].
    work: u64,
    /// The count of received bytes after the first of those messages.
    messages_from: u64,
    stall: StallWatch,
    /// The time from one look at the output to the next.
    stall_interval: Duration,
}

/// What we say to a peer that need not read it: acknowledgements, and answers to pings.
///
/// An encoder may never read. Once its window is full, which takes hours, courtesies must neither pile up nor end it as
/// one that has stalled: those that wait say the newest, or are left out, and no deadline runs for them. What it asked
/// for is another matter: a peer that asks reads.
#[derive(Debug, Default)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
struct Courtesies {
    /// Where in all output the last of them stand, one behind the other.
    place: Range<u64>,
    /// Where the last acknowledgement ends, and when it was put there.
    acknowledged: Option<(u64, Time)>,
}

/// What [`Link::receive`] leaves to the session.
#[derive(Debug)]
pub(super) enum Received {
    /// Anything but a control message. Aggregates come as what they hold.
    Message(Message),
    /// The peer answered our ping.
    Pong(Duration),
    /// The peer pinged more often than we answer.
    PingFlood,
}

/// Acknowledgements are never sent more often than this, whatever window a peer wants: it would make each few bytes
/// of theirs cost us a message.
const MIN_WINDOW: u32 = 4_096;

/// Pings answered in a second.
const MAX_PONGS: u32 = 10;

/// Messages in a second from which on they must have [`MIN_MEAN_LEN`]. 10,000: a few milliseconds of work even if all of
/// them come in one read; encoders send a few hundred.
const MANY_MESSAGES: u32 = 10_000;

/// Bytes of a message with its headers, on average, where there are many. 16: about as much work for each byte as a
/// chunk size of 1 makes, so that nobody gets more out of us for a byte than that. An empty message can have one byte.
const MIN_MEAN_LEN: u64 = 16;

impl Link {
    pub(super) fn new(config: &SessionConfig, now: Time) -> Self {
        let ack_every = config.window_ack_size.max(MIN_WINDOW) / 2;
        Link {
            output: Output::new(),
            timers: Timers::new(),
            now,
            silence: SilenceWatch::new(now),
            hears_media: false,
            bytes_received: 0,
            output_high_water: config.limits.output_high_water,
            max_output: config.limits.max_output,
            courtesies: Courtesies::default(),
            decoder: ChunkDecoder::new(&config.limits),
            encoder: ChunkEncoder::new(),
            aggregate: None,
            ack_every,
            ack_at: u64::from(ack_every),
            window_ack_size: config.window_ack_size,
            pinged: None,
            pings: PerSecond::default(),
            messages: PerSecond::default(),
            work: 0,
            messages_from: 0,
            stall: StallWatch::default(),
            stall_interval: StallWatch::interval(&config.limits),
        }
    }

    /// Moves the clock, forwards only.
    pub(super) fn tick(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    /// As [`tick`](Self::tick), when the peer may have sent something.
    pub(super) fn hear(&mut self, now: Time, has_sent: bool) {
        self.tick(now);
        if has_sent && !self.hears_media {
            self.silence.hear(self.now);
        }
    }

    /// Stops and returns a timer that has run out.
    pub(super) fn take_due(&mut self) -> Option<Timer> {
        self.timers.take_due(self.now)
    }

    /// Whether [`receive`](Self::receive) has something to give without input.
    pub(super) const fn has_more(&self) -> bool {
        self.aggregate.is_some()
    }

    /// Whether nothing is under way that [the state](crate::server::record) would leave out.
    #[cfg(feature = "server")]
    pub(super) fn is_at_rest(&self) -> bool {
        self.aggregate.is_none() && self.decoder.buffered() == 0
    }

    /// Whether the next byte is of sound or pictures, behind the head of their message.
    #[cfg(feature = "server")]
    pub(super) fn is_in_media(&self) -> bool {
        self.decoder.media_so_far() >= MEDIA_HEAD
    }

    /// The reader of what comes, and the size of the chunks that leave.
    #[cfg(feature = "server")]
    pub(super) fn into_framing(self) -> (ChunkDecoder, crate::rtmp::chunk::ChunkSize) {
        (self.decoder, self.encoder.chunk_size())
    }

    /// The [work] that the input has made.
    pub(super) const fn work(&self) -> u64 {
        let chunks = work::CHUNK.saturating_mul(self.decoder.chunks_received());
        self.work.saturating_add(chunks)
    }

    /// Bytes of memory that belong to this, but for itself and the output.
    pub(super) fn held_memory(&self) -> usize {
        let aggregate = self.aggregate.as_ref();
        let parts = aggregate.map_or(0, |parts| size_of::<Parts>().saturating_add(parts.held_memory()));
        self.decoder.held_memory().saturating_add(parts)
    }

    /// Forgets what has come of messages, as nothing will be read any more.
    #[cfg(feature = "server")]
    pub(super) fn discard_input(&mut self) {
        self.decoder.discard();
        self.aggregate = None;
    }

    /// Sets `timer` to run out after `span`.
    #[expect(clippy::arithmetic_side_effects, reason = "a sum of times saturates")]
    pub(super) fn start(&mut self, timer: Timer, span: Duration) {
        self.timers.set(timer, self.now + span);
    }

    /// Takes bytes up to the first thing that concerns the session; `None` once all are taken. Answers control messages
    /// itself.
    ///
    /// An acknowledgement is written exactly when the byte count that it is due at has come in, so that the output does
    /// not depend on how the input was cut. If an earlier moment's still waits, that one says the count instead.
    ///
    /// # Errors
    /// If the framing is broken, more replies wait than may, or there is no end of messages without content.
    pub(super) fn receive(&mut self, input: &mut &[u8]) -> Result<Option<Received>, ProtocolError> {
        loop {
            while let Some(part) = self.aggregate.as_mut().and_then(|parts| parts.cut()) {
                self.count_work(&part);
                if Parts::may_have(part.type_id) {
                    // A copy: a frame of a few bytes that is kept for long is not to keep the whole aggregate.
                    let payload = Bytes::copy_from_slice(&part.payload);
                    return Ok(Some(Received::Message(Message { payload, ..part })));
                }
            }
            self.aggregate = None;
            self.check_output()?;
            let until_ack = self.ack_at.saturating_sub(self.decoder.bytes_received());
            let until_ack = usize::try_from(until_ack).unwrap_or(usize::MAX);
            let (mut now, later) = input.split_at_checked(until_ack).unwrap_or((*input, &[]));
            let offered = now.len();
            let message = self.decoder.decode(&mut now)?;
            *input = input.get(offered.saturating_sub(now.len())..).unwrap_or_default();
            if self.decoder.bytes_received() >= self.ack_at {
                self.acknowledge();
            }
            if let Some(message) = &message {
                self.count_work(message);
                self.check_flood()?;
            }
            match message {
                Some(message) if message.type_id == MessageTypeId::AGGREGATE => {
                    self.aggregate = Some(Box::new(Parts::new(message)));
                }
                Some(message) => {
                    if let Some(received) = self.handle_control(message) {
                        return Ok(Some(received));
                    }
                }
                None if later.is_empty() => return Ok(None),
                None => {}
            }
        }
    }

    fn count_work(&mut self, message: &Message) {
        let work = work::MESSAGE.saturating_add(parsed_len(message));
        self.work = self.work.saturating_add(work);
    }

    /// RTMP 1.0 §5.4.3: the bytes received so far, modulo 2^32.
    #[expect(clippy::cast_possible_truncation, reason = "the sequence number wraps")]
    fn acknowledge(&mut self) {
        let received = self.decoder.bytes_received();
        self.ack_at = received.saturating_add(self.ack_every.into());
        let sequence_number = received as u32;
        if let Some((end, at)) = self.courtesies.acknowledged
            && at < self.now
            && self
                .output
                .overwrite(end.saturating_sub(4), &sequence_number.to_be_bytes())
        {
            return;
        }
        self.courtesy(|encoder, output| Control::Acknowledgement(sequence_number).encode(encoder, output));
        self.courtesies.acknowledged = Some((self.output.written(), self.now));
    }

    /// Says what the peer need not read.
    fn courtesy(&mut self, encode: impl FnOnce(&mut ChunkEncoder, &mut Output)) {
        let start = self.output.written();
        encode(&mut self.encoder, &mut self.output);
        let place = &mut self.courtesies.place;
        if place.end != start {
            place.start = start;
        }
        place.end = self.output.written();
    }

    /// Whether nothing waits that the peer ought to read.
    fn only_courtesies_wait(&self) -> bool {
        let Range { start, end } = self.courtesies.place;
        self.output.is_empty() || (end == self.output.written() && start <= self.output.sent())
    }

    /// Answers a control message; gives back what is none.
    fn handle_control(&mut self, message: Message) -> Option<Received> {
        match message.type_id {
            MessageTypeId::USER_CONTROL => self.handle_user_control(UserControl::parse(&message)?),
            _ if message.type_id.0 < 7 => {
                match Control::parse(&message)? {
                    Control::WindowAckSize(size) => {
                        self.ack_every = size.max(MIN_WINDOW) / 2;
                        let received = self.decoder.bytes_received();
                        self.ack_at = received.saturating_add(self.ack_every.into());
                    }
                    Control::SetPeerBandwidth { size, .. } if size != self.window_ack_size => {
                        self.window_ack_size = size;
                        self.control(Control::WindowAckSize(size));
                    }
                    // The decoder has applied what changes the framing. Acknowledgements bind nobody: many players
                    // never send any.
                    _ => {}
                }
                None
            }
            _ => Some(Received::Message(message)),
        }
    }

    fn handle_user_control(&mut self, event: UserControl) -> Option<Received> {
        match event {
            UserControl::PingRequest(time) => {
                if self.pings.count(self.now) > MAX_PONGS {
                    return Some(Received::PingFlood);
                }
                if self.output.len() < self.output_high_water {
                    self.courtesy(|encoder, output| UserControl::PingResponse(time).encode(encoder, output));
                }
                None
            }
            UserControl::PingResponse(time) => {
                let sent = self.pinged.take_if(|sent| millis(*sent) == time)?;
                Some(Received::Pong(self.now.since(sent)))
            }
            _ => None,
        }
    }

    pub(super) fn control(&mut self, control: Control) {
        control.encode(&mut self.encoder, &mut self.output);
        self.watch_output();
    }

    pub(super) fn user_control(&mut self, event: UserControl) {
        event.encode(&mut self.encoder, &mut self.output);
        self.watch_output();
    }

    pub(super) fn set_chunk_size(&mut self, config: &SessionConfig) {
        self.encoder.set_chunk_size(config.chunk_size, &mut self.output);
    }

    /// Sends a ping that says our clock.
    pub(super) fn ping(&mut self) {
        self.pinged = Some(self.now);
        self.user_control(UserControl::PingRequest(millis(self.now)));
    }

    /// Sends a command about the connection.
    pub(super) fn command(&mut self, payload: &Bytes) {
        self.send(
            ChunkStreamId::COMMAND,
            MessageStreamId::CONTROL,
            MessageTypeId::COMMAND_AMF0,
            payload,
        );
    }

    /// Sends a command about one message stream.
    pub(super) fn stream_command(&mut self, stream: MessageStreamId, payload: &Bytes) {
        self.send(ChunkStreamId::STATUS, stream, MessageTypeId::COMMAND_AMF0, payload);
    }

    fn send(&mut self, csid: ChunkStreamId, msid: MessageStreamId, type_id: MessageTypeId, payload: &Bytes) {
        let sent = self
            .encoder
            .encode_media(csid, msid, type_id, Timestamp::ZERO, payload, &mut self.output);
        debug_assert!(sent.is_ok(), "what we say ourselves is short");
        self.watch_output();
    }

    /// Sends a frame. This is the hot path: nothing is allocated once the output has grown, payloads of 256 bytes and
    /// more are not copied.
    pub(super) fn send_frame(&mut self, stream: MessageStreamId, sent: FrameAt<'_>) -> Result<(), StateError> {
        if self.output.len() >= self.max_output {
            return Err(StateError::OutputFull {
                waiting: self.output.len(),
                max: self.max_output,
            });
        }
        let FrameAt { frame, timestamp } = sent;
        let csid = match frame.kind {
            FrameKind::Audio => ChunkStreamId::AUDIO,
            FrameKind::Video => ChunkStreamId::VIDEO,
            FrameKind::Data => ChunkStreamId::DATA,
        };
        let type_id = MessageTypeId(frame.kind.type_id());
        self.watch_output();
        self.encoder
            .encode_media(csid, stream, type_id, timestamp, &frame.payload, &mut self.output)
            .map_err(|_| StateError::FrameTooLarge {
                len: frame.payload.len(),
            })
    }

    /// Starts the stall timer if it stands. It runs while there is output, but for courtesies, so that an idle connection
    /// has no deadline.
    fn watch_output(&mut self) {
        if !self.timers.is_set(Timer::Stall) {
            self.start(Timer::Stall, self.stall_interval);
        }
    }

    /// Takes a look at the output; call it when the stall timer ran out.
    ///
    /// # Errors
    /// If the peer takes nothing of what waits for it.
    pub(super) fn check_stall(&mut self) -> Result<(), ProtocolError> {
        if self.only_courtesies_wait() {
            self.stall = StallWatch::default();
            return Ok(());
        }
        if self.stall.look(&self.output) {
            return Err(ProtocolError::Timeout(Timer::Stall));
        }
        self.watch_output();
        Ok(())
    }

    /// Whether a deadline that has passed at `now` says that the peer was silent for its `idle_span`, or took nothing.
    #[cfg(feature = "server")]
    pub(super) fn is_overdue(&self, now: Time, idle_span: Duration) -> bool {
        self.timers.due(now).any(|timer| match timer {
            Timer::Handshake | Timer::Command => true,
            Timer::Idle => self.silence.is_over(now, idle_span, self.decoder.media_under_way()),
            Timer::Stall => !self.only_courtesies_wait() && !self.output.is_empty(),
            Timer::Ping | Timer::Close => false,
        })
    }

    /// Starts the idle timer anew, `span` from when the peer was last heard; call it when the timer ran out.
    ///
    /// It is not moved for each byte that comes in, so that the deadline holds still while media flows.
    ///
    /// # Errors
    /// If the peer has been silent for all of that time.
    pub(super) fn check_idle(&mut self, span: Duration) -> Result<(), ProtocolError> {
        let look = self.silence.look(self.now, span, self.decoder.media_under_way());
        let deadline = look.ok_or(ProtocolError::Timeout(Timer::Idle))?;
        self.timers.set(Timer::Idle, deadline);
        Ok(())
    }

    fn check_flood(&mut self) -> Result<(), ProtocolError> {
        let received = self.decoder.bytes_received();
        let messages = self.messages.count(self.now);
        if messages == 1 {
            self.messages_from = received;
        }
        let bytes = received.saturating_sub(self.messages_from); // of all but the first
        let least = u64::from(messages.saturating_sub(1)).saturating_mul(MIN_MEAN_LEN);
        if messages > MANY_MESSAGES && bytes < least {
            return Err(ProtocolError::MessageFlood { messages, bytes });
        }
        Ok(())
    }

    fn check_output(&self) -> Result<(), ProtocolError> {
        if self.output.len() > self.max_output {
            return Err(ProtocolError::OutputFull {
                waiting: self.output.len(),
                max: self.max_output,
            });
        }
        Ok(())
    }
}

/// Bytes of a message that are read one by one: all, but for media.
const fn parsed_len(message: &Message) -> u64 {
    if message.type_id.is_media() {
        0
    } else {
        message.payload.len() as u64
    }
}

/// A clock for pings, which have 32 bits for it.
#[expect(clippy::cast_possible_truncation, reason = "the clock of a ping wraps")]
const fn millis(time: Time) -> u32 {
    time.as_millis() as u32
}
