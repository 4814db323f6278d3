//! What a client and a server say, and when, joined in memory, in virtual time. No socket, no clock, no waiting.
//!
//! It prints one conversation that publishes and one that plays, over a network of 20 ms each way. The same program
//! prints the same lines in every run: nothing in them comes from anywhere but here.
//!
//! ```text
//! cargo run -p headwater-core --example transcript
//! ```

use bytes::{Buf, Bytes};
use headwater_core::amf::{AmfLimits, amf0};
use headwater_core::rtmp::chunk::{ChunkDecoder, Message, MessageTypeId};
use headwater_core::rtmp::message::{Command, Control, UserControl};
use headwater_core::rtmp::{
    ClientEvent, ClientRequest, ClientSession, Event, MessageStreamId, Purpose, ServerSession, SessionConfig,
};
use headwater_core::{EndCause, Frame, FrameKind, Limits, Output, Time, Timestamp};
use std::collections::VecDeque;
use std::error::Error;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

const LATENCY: Duration = Duration::from_millis(20);

fn main() -> Result<(), Box<dyn Error>> {
    println!("@ virtual milliseconds   C client   S server   > < says   = is told by its session   ! does\n");
    for purpose in [Purpose::Publish, Purpose::Play] {
        println!("{purpose:?}");
        Conversation::new(purpose).run()?;
        println!();
    }
    Ok(())
}

/// Two sessions and what lies between them.
struct Conversation {
    purpose: Purpose,
    client: ClientSession,
    server: ServerSession,
    now: Time,
    up: Wire,
    down: Wire,
    /// The stream to be played, and when the next frame is due.
    media: VecDeque<Frame>,
    next_frame: Option<Time>,
}

impl Conversation {
    fn new(purpose: Purpose) -> Self {
        let config = Arc::new(SessionConfig::default());
        let request = ClientRequest {
            purpose,
            app: "live".into(),
            tc_url: "rtmp://example.org/live".into(),
            name: "cam".into(),
        };
        Conversation {
            purpose,
            client: ClientSession::new(config.clone(), Time::ZERO, 1, request),
            server: ServerSession::new(config, Time::ZERO, 2),
            now: Time::ZERO,
            up: Wire::new("C>", &[(1_537, "C0 C1"), (1_536, "C2")]),
            down: Wire::new("S<", &[(3_073, "S0 S1 S2")]),
            media: media(),
            next_frame: None,
        }
    }

    /// Goes from one deadline or delivery to the next, until both sides are done.
    fn run(mut self) -> Result<(), Box<dyn Error>> {
        loop {
            if self.next_frame.is_some_and(|due| due <= self.now) {
                self.send_frame()?;
            }
            self.client_turn()?;
            self.server_turn()?;
            self.up.send(self.now, self.client.output())?;
            self.down.send(self.now, self.server.output())?;
            let moments = [
                self.up.arrival(),
                self.down.arrival(),
                self.next_frame,
                self.client.poll_timeout(),
                self.server.poll_timeout(),
            ];
            match moments.into_iter().flatten().min() {
                Some(next) if !(self.client.is_closed() && self.server.is_closed()) => self.now = next,
                _ => return Ok(()),
            }
        }
    }

    fn client_turn(&mut self) -> Result<(), Box<dyn Error>> {
        let arrived = self.down.receive(self.now);
        let mut input = arrived.as_slice();
        loop {
            let event = match self.client.handle_input(self.now, &mut input)? {
                None => self.client.handle_timeout(self.now)?,
                event => event,
            };
            let Some(event) = event else { return Ok(()) };
            match &event {
                ClientEvent::Frame(frame) => self.say("C=", &format!("Frame {}", describe_frame(frame))),
                event => self.say("C=", &format!("{event:?}")),
            }
            if event == ClientEvent::Started && self.purpose == Purpose::Publish {
                self.next_frame = Some(self.now);
            }
        }
    }

    fn server_turn(&mut self) -> Result<(), Box<dyn Error>> {
        let arrived = self.up.receive(self.now);
        let mut input = arrived.as_slice();
        loop {
            let event = match self.server.handle_input(self.now, &mut input)? {
                None => self.server.handle_timeout(self.now)?,
                event => event,
            };
            let Some(event) = event else { break };
            let told = match &event {
                Event::ConnectRequested { connect, .. } => format!("ConnectRequested app={}", connect.app),
                Event::PublishRequested { target, .. } => format!("PublishRequested key={}", target.key),
                Event::PlayRequested { target, .. } => format!("PlayRequested key={}", target.key),
                Event::Frame { frame, .. } => format!("Frame {}", describe_frame(frame)),
                Event::PublishEnded { cause, .. } => format!("PublishEnded cause={cause}"),
                Event::PlayEnded { cause, .. } => format!("PlayEnded cause={cause}"),
                event => format!("{event:?}"),
            };
            self.say("S=", &told);
            if let Event::ConnectRequested { id, .. }
            | Event::PublishRequested { id, .. }
            | Event::PlayRequested { id, .. } = event
            {
                self.say("S!", "accept");
                self.server.accept(self.now, id)?;
            }
            match event {
                Event::PlayRequested { .. } => self.next_frame = Some(self.now),
                Event::PublishEnded { .. } => self.server.close(self.now),
                _ => {}
            }
        }
        Ok(())
    }

    /// Sends the next frame, or ends the stream after the last one.
    fn send_frame(&mut self) -> Result<(), Box<dyn Error>> {
        let stream = MessageStreamId(1);
        let Some(frame) = self.media.pop_front() else {
            self.next_frame = None;
            if self.purpose == Purpose::Publish {
                self.say("C!", "close");
                self.client.close(self.now);
            } else {
                self.say("S!", "end_play");
                self.server.end_play(self.now, stream, EndCause::Unpublished)?;
            }
            return Ok(());
        };
        match self.purpose {
            Purpose::Publish => self.client.send_frame(&frame)?,
            Purpose::Play => self.server.send_frame(stream, &frame)?,
        }
        let next = self
            .media
            .front()
            .map_or(40, |next| next.timestamp.since(frame.timestamp));
        self.next_frame = Some(self.now + Duration::from_millis(next.unsigned_abs().into()));
        Ok(())
    }

    fn say(&self, who: &str, what: &str) {
        print_line(self.now, who, what);
    }
}

fn print_line(now: Time, who: &str, what: &str) {
    println!("@{:<5} {who} {what}", now.as_millis());
}

/// One direction of a connection: what is under way, and a reader that knows what it says.
struct Wire {
    name: &'static str,
    under_way: VecDeque<(Time, Vec<u8>)>,
    /// The parts of the handshake that are still to come: bytes, and their name.
    handshake: VecDeque<(usize, &'static str)>,
    decoder: ChunkDecoder,
}

impl Wire {
    fn new(name: &'static str, handshake: &[(usize, &'static str)]) -> Self {
        Wire {
            name,
            under_way: VecDeque::new(),
            handshake: handshake.iter().copied().collect(),
            decoder: ChunkDecoder::new(&Limits::default()),
        }
    }

    fn send(&mut self, now: Time, output: &mut Output) -> Result<(), Box<dyn Error>> {
        if output.is_empty() {
            return Ok(());
        }
        let sent = output.copy_to_bytes(output.remaining()).to_vec();
        print_line(now, self.name, &self.read(&sent)?.join("  "));
        self.under_way.push_back((now + LATENCY, sent));
        Ok(())
    }

    fn arrival(&self) -> Option<Time> {
        self.under_way.front().map(|(at, _)| *at)
    }

    fn receive(&mut self, now: Time) -> Vec<u8> {
        let mut arrived = Vec::new();
        while self.arrival().is_some_and(|at| at <= now) {
            arrived.extend(self.under_way.pop_front().into_iter().flat_map(|(_, bytes)| bytes));
        }
        arrived
    }

    /// What `bytes` say. Sessions write whole parts of the handshake and whole messages.
    fn read(&mut self, mut bytes: &[u8]) -> Result<Vec<String>, Box<dyn Error>> {
        let mut said = Vec::new();
        while !bytes.is_empty()
            && let Some((len, name)) = self.handshake.pop_front()
        {
            bytes = bytes.get(len..).ok_or("half a handshake")?;
            said.push(name.to_owned());
        }
        while let Some(message) = self.decoder.decode(&mut bytes)? {
            said.push(describe(&message)?);
        }
        Ok(said)
    }
}

fn describe(message: &Message) -> Result<String, Box<dyn Error>> {
    if message.type_id == MessageTypeId::COMMAND_AMF0 {
        return describe_command(message);
    }
    if message.type_id == MessageTypeId::DATA_AMF0 {
        return Ok(describe_data(message));
    }
    if let Some(kind) = FrameKind::from_type_id(message.type_id.0) {
        let frame = Frame::new(kind, message.timestamp, message.payload.clone());
        return Ok(describe_frame(&frame));
    }
    if let Some(control) = Control::parse(message) {
        return Ok(match control {
            Control::SetChunkSize(size) => format!("SetChunkSize({size})"),
            Control::SetPeerBandwidth { size, limit } => format!("SetPeerBandwidth({size}, {limit:?})"),
            control => format!("{control:?}"),
        });
    }
    Ok(match UserControl::parse(message) {
        Some(UserControl::StreamBegin(stream)) => format!("StreamBegin({stream})"),
        Some(UserControl::StreamEof(stream)) => format!("StreamEOF({stream})"),
        Some(UserControl::SetBufferLength { stream, millis }) => format!("SetBufferLength({stream}, {millis} ms)"),
        event => format!("{event:?}"),
    })
}

/// A command as a call. Of objects only what matters: the application of `connect`, the code of a status.
fn describe_command(message: &Message) -> Result<String, Box<dyn Error>> {
    let mut command = Command::parse(message, AmfLimits::default())?;
    let mut arguments = Vec::new();
    if command.transaction_id != 0.0 {
        arguments.push(command.transaction_id.to_string());
    }
    while let Some(value) = command.arguments.value_ref()? {
        let pairs = value.as_object().into_iter().flatten();
        arguments.extend(pairs.filter_map(|pair| match pair.key {
            b"app" => Some(format!("app={:?}", pair.value.as_str()?)),
            b"code" => Some(pair.value.as_str()?.to_owned()),
            _ => None,
        }));
        arguments.extend(value.as_f64().map(|number| number.to_string()));
        arguments.extend(value.as_str().map(|text| format!("{text:?}")));
    }
    let name = String::from_utf8_lossy(command.name);
    let stream = match message.msid {
        MessageStreamId::CONTROL => String::new(),
        stream => format!(" msid={stream}"),
    };
    Ok(format!("{name}({}){stream}", arguments.join(", ")))
}

/// A data message by the names that it begins with.
fn describe_data(message: &Message) -> String {
    let mut values = amf0::Reader::new(&message.payload, AmfLimits::default());
    let names = iter::from_fn(|| values.string().ok().flatten());
    let names: Vec<_> = names.map(String::from_utf8_lossy).collect();
    format!("Data({})", names.join(" "))
}

fn describe_frame(frame: &Frame) -> String {
    let (kind, class, len) = (frame.kind, frame.class, frame.payload.len());
    format!("{kind:?}({class:?}, {} ms, {len} bytes)", frame.timestamp.as_millis())
}

/// A very short stream: H.264 and AAC in form, without pictures or sound in it.
fn media() -> VecDeque<Frame> {
    let at = Timestamp::from_millis;
    let body = |head: &[u8], len: usize| Bytes::from([head, &vec![0; len]].concat());
    let metadata = Bytes::from_static(b"\x02\0\x0AonMetaData\x08\0\0\0\0\0\0\x09");
    VecDeque::from([
        Frame::data(at(0), metadata),
        Frame::video(at(0), body(b"\x17\0\0\0\0", 40)),
        Frame::audio(at(0), body(b"\xAF\0\x12\x10", 0)),
        Frame::video(at(0), body(b"\x17\x01\0\0\0", 20_000)),
        Frame::audio(at(0), body(b"\xAF\x01", 300)),
        Frame::audio(at(23), body(b"\xAF\x01", 300)),
        Frame::video(at(40), body(b"\x27\x01\0\0\0", 2_000)),
    ])
}
