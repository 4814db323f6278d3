//! A client and a server joined in memory, with latency and small buffers, in virtual time.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

#[path = "script/frames.rs"]
mod frames;

use bytes::Buf;
use frames::{frame, frames};
use headwater_core::rtmp::{
    ClientEvent, ClientRequest, ClientSession, Event, MessageStreamId, ProtocolError, Purpose, ServerSession,
    SessionConfig, Status, StatusCode,
};
use headwater_core::{EndCause, Frame, Output, Time, Timer, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// One direction of a connection: what is under way, and when it arrives.
struct Wire {
    latency: Duration,
    /// The most bytes under way at once.
    buffer: usize,
    under_way: VecDeque<(Time, Vec<u8>)>,
    is_broken: bool,
}

impl Wire {
    fn new(latency: Duration, buffer: usize) -> Wire {
        Wire {
            latency,
            buffer,
            under_way: VecDeque::new(),
            is_broken: false,
        }
    }

    /// Takes from `output` what fits.
    fn send(&mut self, now: Time, output: &mut Output) {
        while output.has_remaining() && !self.is_broken {
            let used: usize = self.under_way.iter().map(|(_, piece)| piece.len()).sum();
            let len = output.chunk().len().min(self.buffer - used);
            if len == 0 {
                break;
            }
            let piece = output.copy_to_bytes(len).to_vec();
            self.under_way.push_back((now + self.latency, piece));
        }
    }

    fn next(&self) -> Option<Time> {
        self.under_way.front().map(|(at, _)| *at)
    }

    fn receive(&mut self, now: Time) -> Option<Vec<u8>> {
        let has_come = self.next().is_some_and(|at| at <= now);
        has_come.then(|| self.under_way.pop_front())?.map(|(_, piece)| piece)
    }
}

struct Pair {
    client: ClientSession,
    server: ServerSession,
    now: Time,
    up: Wire,
    down: Wire,
    /// What the server has not taken, because it is paused.
    pending: Vec<u8>,
    /// What requests to publish or play are answered with, unless they are granted.
    refusal: Option<Status>,
    client_events: Vec<ClientEvent>,
    server_events: Vec<Event>,
    server_error: Option<ProtocolError>,
    client_error: Option<ProtocolError>,
}

impl Pair {
    fn new(purpose: Purpose, latency: Duration, buffer: usize) -> Pair {
        let config = Arc::new(SessionConfig::default());
        let request = ClientRequest {
            purpose,
            app: "live".into(),
            tc_url: "rtmp://localhost/live".into(),
            name: "cam?token=t".into(),
        };
        Pair {
            client: ClientSession::new(config.clone(), Time::ZERO, 1, request),
            server: ServerSession::new(config, Time::ZERO, 2),
            now: Time::ZERO,
            up: Wire::new(latency, buffer),
            down: Wire::new(latency, buffer),
            pending: Vec::new(),
            refusal: None,
            client_events: Vec::new(),
            server_events: Vec::new(),
            server_error: None,
            client_error: None,
        }
    }

    /// Lets time pass until `is_done`, from one delivery or deadline to the next.
    fn drive(&mut self, what: &str, is_done: impl Fn(&Pair) -> bool) {
        for _ in 0..100_000 {
            self.exchange();
            if is_done(self) {
                return;
            }
            let moments = [
                self.up.next(),
                self.down.next(),
                self.client.poll_timeout(),
                self.server.poll_timeout(),
            ];
            let Some(next) = moments.into_iter().flatten().min() else {
                panic!("nothing more happens before: {what}");
            };
            assert!(next >= self.now, "a deadline in the past");
            self.now = next;
        }
        panic!("too many steps before: {what}");
    }

    /// Everything that happens at this moment.
    fn exchange(&mut self) {
        let now = self.now;
        if self.client.poll_timeout().is_some_and(|at| at <= now) {
            while let Some(event) = keep(self.client.handle_timeout(now), &mut self.client_error) {
                self.client_events.push(event);
            }
        }
        if self.server.poll_timeout().is_some_and(|at| at <= now) {
            while let Some(event) = keep(self.server.handle_timeout(now), &mut self.server_error) {
                self.server_events.push(event);
            }
        }
        let mut received = Vec::new();
        while let Some(piece) = self.down.receive(now) {
            received.extend(piece);
        }
        let mut input = received.as_slice();
        while let Some(event) = keep(self.client.handle_input(now, &mut input), &mut self.client_error) {
            self.client_events.push(event);
        }
        while let Some(piece) = self.up.receive(now) {
            self.pending.extend(piece);
        }
        self.serve();
        self.up.send(now, self.client.output());
        self.down.send(now, self.server.output());
    }

    fn serve(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let mut input = pending.as_slice();
        while let Some(event) = keep(self.server.handle_input(self.now, &mut input), &mut self.server_error) {
            match &event {
                Event::ConnectRequested { id, .. } => self.server.accept(self.now, *id).unwrap(),
                Event::PublishRequested { id, .. } | Event::PlayRequested { id, .. } => match &self.refusal {
                    Some(status) => self.server.reject(self.now, *id, status.clone()).unwrap(),
                    None => self.server.accept(self.now, *id).unwrap(),
                },
                _ => {}
            }
            self.server_events.push(event);
        }
        self.pending = input.to_vec();
    }

    fn has_started(&self) -> bool {
        self.client_events.contains(&ClientEvent::Started)
    }

    /// Whether `frame` was the last thing that came at the other end.
    fn is_through(&self, frame: &Frame) -> bool {
        matches!(self.server_events.last(), Some(Event::Frame { frame: last, .. }) if last == frame)
            || matches!(self.client_events.last(), Some(ClientEvent::Frame(last)) if last == frame)
    }

    fn received(&self) -> Vec<Frame> {
        let of_server = self.server_events.iter().filter_map(|event| match event {
            Event::Frame { frame, .. } => Some(frame.clone()),
            _ => None,
        });
        let of_client = self.client_events.iter().filter_map(|event| match event {
            ClientEvent::Frame(frame) => Some(frame.clone()),
            _ => None,
        });
        of_server.chain(of_client).collect()
    }

    /// Ends that the server reported.
    fn ends(&self) -> Vec<EndCause> {
        let ends = self.server_events.iter().filter_map(|event| match event {
            Event::PublishEnded { cause, .. } | Event::PlayEnded { cause, .. } => Some(*cause),
            _ => None,
        });
        ends.collect()
    }
}

fn keep<T>(result: Result<Option<T>, ProtocolError>, error: &mut Option<ProtocolError>) -> Option<T> {
    result.unwrap_or_else(|failure| {
        *error = Some(failure);
        None
    })
}

const STREAM: MessageStreamId = MessageStreamId(1);

fn some_frames() -> Vec<Frame> {
    frames("M V:45 A K0:150005 a10:302 P40:3005").collect()
}

const NETWORKS: [(Duration, usize); 4] = [
    (Duration::ZERO, 1 << 20),
    (Duration::from_millis(50), 1 << 20),
    (Duration::from_millis(1), 1_000),
    (Duration::from_micros(10), 7),
];

#[test]
fn what_is_published_arrives() {
    for (latency, buffer) in NETWORKS {
        let mut pair = Pair::new(Purpose::Publish, latency, buffer);
        pair.drive("publishing", Pair::has_started);
        for frame in some_frames() {
            pair.client.send_frame(&frame).unwrap();
        }
        let last = some_frames().pop().unwrap();
        pair.drive("all frames", |pair| pair.is_through(&last));
        assert_eq!(pair.received(), some_frames(), "{latency:?} {buffer}");
        pair.client.close(pair.now);
        pair.drive("the end", |pair| !pair.ends().is_empty());
        assert_eq!(pair.ends(), [EndCause::Requested]);
        assert_eq!(pair.client_events.last(), Some(&ClientEvent::Ended(EndCause::Closed)));
        assert_eq!((pair.server_error, pair.client_error), (None, None));
    }
}

#[test]
fn what_is_sent_to_a_player_arrives() {
    for (latency, buffer) in NETWORKS {
        let mut pair = Pair::new(Purpose::Play, latency, buffer);
        pair.drive("playing", Pair::has_started);
        for frame in some_frames() {
            pair.server.send_frame(STREAM, &frame).unwrap();
        }
        let last = some_frames().pop().unwrap();
        pair.drive("all frames", |pair| pair.is_through(&last));
        assert_eq!(pair.received(), some_frames(), "{latency:?} {buffer}");
        pair.server.end_play(pair.now, STREAM, EndCause::Unpublished).unwrap();
        pair.drive("the end", |pair| pair.client.is_closed() && pair.server.is_closed());
        assert_eq!(pair.ends(), [EndCause::Unpublished]);
        assert_eq!(
            pair.client_events.last(),
            Some(&ClientEvent::Ended(EndCause::Unpublished))
        );
    }
}

#[test]
fn a_client_learns_why_it_was_refused() {
    for (latency, buffer) in NETWORKS {
        let mut pair = Pair::new(Purpose::Publish, latency, buffer);
        pair.refusal = Some(Status::new(StatusCode::PublishBadName, "Already publishing."));
        pair.drive("the end", |pair| pair.client.is_closed() && pair.server.is_closed());
        let refused = ClientEvent::Refused {
            code: "NetStream.Publish.BadName".into(),
            description: "Already publishing.".into(),
        };
        assert_eq!(pair.client_events, [refused]);
        assert_eq!(pair.ends(), []);
    }
}

#[test]
fn a_player_that_stops_reading_is_let_go() {
    let mut pair = Pair::new(Purpose::Play, Duration::from_millis(5), 1 << 20);
    pair.drive("playing", Pair::has_started);
    pair.down.is_broken = true;
    let frozen = pair.now;
    for frame in some_frames() {
        pair.server.send_frame(STREAM, &frame).unwrap();
    }
    pair.drive("a stall", |pair| pair.server_error.is_some());
    assert_eq!(pair.server_error, Some(ProtocolError::Timeout(Timer::Stall)));
    assert_eq!(pair.ends(), [EndCause::Timeout(Timer::Stall)]);
    let endured = pair.now.since(frozen);
    assert!((15..=23).contains(&endured.as_secs()), "{endured:?}");
    pair.drive("the end", |pair| pair.server.is_closed());
}

#[test]
fn a_player_that_keeps_up_is_never_let_go() {
    let mut pair = Pair::new(Purpose::Play, Duration::from_millis(5), 2_000);
    pair.drive("playing", Pair::has_started);
    let end = pair.now + Duration::from_secs(300);
    while pair.now < end {
        for frame in some_frames() {
            pair.server.send_frame(STREAM, &frame).unwrap();
        }
        pair.drive("everything sent", |pair| pair.server.output_ref().is_empty());
    }
    assert_eq!(pair.server_error, None);
}

#[test]
fn sixty_days_of_a_sparse_stream() {
    // Timestamps need the extended field after 4 h 39 min and wrap after 49.7 days.
    let gap = Duration::from_secs(20 * 60);
    let mut pair = Pair::new(Purpose::Play, Duration::from_millis(20), 1 << 20);
    pair.drive("playing", Pair::has_started);
    let mut timestamp = Timestamp::ZERO;
    for sent in 1..=60 * 24 * 3 {
        timestamp = timestamp.wrapping_add(gap.as_millis().try_into().unwrap());
        let frame = Frame {
            timestamp,
            ..frame("a")
        };
        pair.server.send_frame(STREAM, &frame).unwrap();
        let until = pair.now + gap;
        pair.drive("a ping", |pair| pair.now >= until);
        assert_eq!(
            pair.client_events.last(),
            Some(&ClientEvent::Frame(frame)),
            "after {sent} frames"
        );
    }
    assert_eq!(pair.client_error, None);
    assert_eq!(pair.server_error, None);
    let has_pongs = |event: &Event| matches!(event, Event::PongReceived { round_trip } if round_trip.as_millis() == 40);
    assert!(pair.server_events.iter().any(has_pongs));
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let mut pair = Pair::new(Purpose::Play, Duration::ZERO, 1 << 20);
    pair.down.is_broken = true;
    pair.drive("a timeout", |pair| pair.client_error.is_some());
    assert_eq!(pair.client_error, Some(ProtocolError::Timeout(Timer::Handshake)));
    assert_eq!(
        pair.client_events,
        [ClientEvent::Ended(EndCause::Timeout(Timer::Handshake))]
    );
}
