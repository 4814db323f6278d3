//! What holds for a server session whatever a client says and whenever the application answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a test"
)]

mod script;

use bytes::Buf;
use headwater_core::rtmp::chunk::{ChunkEncoder, Message, MessageStreamId};
use headwater_core::rtmp::{Event, ProtocolError, ServerSession, SessionConfig, Status, StatusCode};
use headwater_core::{EndCause, Frame, RequestId, Time, Timestamp};
use quickcheck::{Arbitrary, Gen, QuickCheck};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a client may say. The first ones are likelier.
const MESSAGES: [&str; 34] = [
    r#"createStream(2)"#,
    r#"publish(3, "cam", "live") msid=1"#,
    r#"play(4, "cam", -2000) msid=1"#,
    r#"closeStream(0) msid=1"#,
    r#"deleteStream(0, 1)"#,
    r#"publish(3, "other") msid=2"#,
    r#"play(4, "other") msid=2"#,
    r#"deleteStream(0, 2)"#,
    r#"FCUnpublish(5, "cam")"#,
    r#"publish(0, false) msid=1"#,
    r#"play(0, false) msid=1"#,
    r#"play2(0, null, {streamName="third"}) msid=1"#,
    r#"publish(3, "../../etc/passwd") msid=1"#,
    r#"publish(3, "", "live") msid=1"#,
    r#"pause(0, true, 0) msid=1"#,
    r#"receiveVideo(0, true) msid=1"#,
    r#"seek(0, 10) msid=1"#,
    r#"releaseStream(2, "cam") + FCPublish(3, "cam") + createStream(4)"#,
    r#"getStreamLength(3, "cam")"#,
    r#"FCSubscribe(3, "cam")"#,
    r#"connect(1, {app="live"})"#,
    r#"somethingElse(9)"#,
    r#"_result(1)"#,
    r#"audio(0, af001210) msid=1"#,
    r#"video(0, 170000000001) msid=1"#,
    r#"video(40, 270100000000) msid=1 pad=3000"#,
    r#"data(0, "@setDataFrame", "onMetaData", [width=640]) msid=1"#,
    r#"data(0, "@clearDataFrame", "onMetaData") msid=1"#,
    r#"raw(22, 0800000100006400000000af0000000c0900000100008c00000000270000000c) msid=1"#,
    r#"raw(20, 0200ff) msid=1"#,
    r#"WindowAckSize(5000)"#,
    r#"SetPeerBandwidth(1000, 2)"#,
    r#"SetChunkSize(64)"#,
    r#"PingRequest(7)"#,
];

#[derive(Debug, Clone)]
enum Step {
    Say(&'static str),
    /// Bytes that are no message, unless by chance.
    Garble(Vec<u8>),
    Accept,
    Reject,
    Send,
    EndPlay,
    EndPublish,
    Wait(u16),
    Close,
    Eof,
}

impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Self {
        match u8::arbitrary(g) % 40 {
            0..20 => {
                let bound = *g.choose(&[8, MESSAGES.len()]).unwrap();
                Step::Say(MESSAGES[usize::arbitrary(g) % bound])
            }
            20..31 => Step::Accept,
            31 => Step::Reject,
            32..35 => Step::Send,
            35 => Step::EndPlay,
            36 => Step::EndPublish,
            37 => Step::Wait(u16::arbitrary(g)),
            38 => g.choose(&[Step::Close, Step::Eof]).unwrap().clone(),
            _ => Step::Garble(Vec::arbitrary(g)),
        }
    }
}

/// A session, and what it has reported.
struct Observer {
    session: ServerSession,
    encoder: ChunkEncoder,
    now: Time,
    /// The size of the pieces that input comes in.
    piece: usize,
    pending: Vec<u8>,
    request: Option<RequestId>,
    /// The stream that it is about, unless it is `connect`.
    asked: Option<MessageStreamId>,
    /// What has started and not ended, by message stream.
    open: BTreeMap<MessageStreamId, &'static str>,
    events: Vec<Event>,
    error: Option<ProtocolError>,
    output: Vec<u8>,
}

impl Observer {
    /// A session that is connected.
    fn new(piece: usize) -> Observer {
        let mut observer = Observer {
            session: ServerSession::new(Arc::new(SessionConfig::default()), Time::ZERO, 7),
            encoder: ChunkEncoder::new(),
            now: Time::ZERO,
            piece,
            pending: Vec::new(),
            request: None,
            asked: None,
            open: BTreeMap::new(),
            events: Vec::new(),
            error: None,
            output: Vec::new(),
        };
        observer.feed(&[&[3][..], &[0; 3_072]].concat());
        observer.take(&Step::Say(r#"connect(1, {app="live", tcUrl="rtmp://localhost/live"})"#));
        observer.take(&Step::Accept);
        observer
    }

    fn take(&mut self, step: &Step) {
        let stream = MessageStreamId(1);
        match step {
            Step::Say(text) => self.say(&script::parse_all(text)),
            Step::Garble(bytes) => self.feed(bytes),
            Step::Accept => {
                if let Some(id) = self.request.take() {
                    self.session.accept(self.now, id).unwrap();
                    self.session.accept(self.now, id).expect_err("it was answered");
                }
            }
            Step::Reject => {
                if let Some(id) = self.request.take() {
                    let status = Status::new(StatusCode::PublishBadName, "No.");
                    self.session.reject(self.now, id, status).unwrap();
                    if let Some(stream) = self.asked {
                        self.open.remove(&stream);
                    }
                }
            }
            Step::Send => {
                let frame = Frame::audio(Timestamp::ZERO, vec![0xAF; 300].into());
                let is_playing = self.open.get(&stream) == Some(&"play") && !self.is_asked(stream);
                assert_eq!(self.session.send_frame(stream, &frame).is_ok(), is_playing);
            }
            Step::EndPlay => {
                let _ = self.session.end_play(self.now, stream, EndCause::Unpublished);
            }
            Step::EndPublish => {
                let status = Status::new(StatusCode::PublishBadName, "Gone.");
                let _ = self.session.end_publish(self.now, stream, status, EndCause::Replaced);
            }
            Step::Wait(millis) => {
                self.now = self.now + std::time::Duration::from_millis((*millis).into());
                loop {
                    match self.session.handle_timeout(self.now) {
                        Ok(Some(event)) => self.see(event),
                        Ok(None) => break,
                        Err(error) => {
                            self.error = Some(error);
                            break;
                        }
                    }
                }
                assert!(
                    self.session.poll_timeout().is_none_or(|at| at > self.now),
                    "what was due is done"
                );
            }
            Step::Close => self.session.close(self.now),
            Step::Eof => {
                while let Some(event) = self.session.handle_eof(self.now).unwrap() {
                    self.see(event);
                }
                assert!(self.session.is_closing());
            }
        }
        self.feed(&[]);
    }

    fn say(&mut self, messages: &[Message]) {
        let chunks = script::to_chunks(messages, &mut self.encoder);
        self.feed(&chunks);
    }

    /// Whether what is open on `stream` waits for an answer.
    fn is_asked(&self, stream: MessageStreamId) -> bool {
        self.request.is_some() && self.asked == Some(stream)
    }

    fn feed(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        loop {
            let (piece, rest) = bytes.split_at(bytes.len().min(self.piece));
            self.feed_piece(piece);
            bytes = rest;
            if bytes.is_empty() {
                break;
            }
        }
    }

    fn feed_piece(&mut self, piece: &[u8]) {
        self.pending.extend_from_slice(piece);
        let pending = std::mem::take(&mut self.pending);
        let mut input = pending.as_slice();
        for calls in 0.. {
            assert!(
                calls <= pending.len() + 100,
                "each call takes something or gives something"
            );
            match self.session.handle_input(self.now, &mut input) {
                Ok(Some(event)) => self.see(event),
                Ok(None) => break,
                Err(error) => {
                    assert!(
                        self.error.is_none() || self.error.as_ref() == Some(&error),
                        "an error stays"
                    );
                    self.error = Some(error);
                    assert!(self.session.is_closing());
                    break;
                }
            }
        }
        assert!(input.is_empty() || self.session.is_paused() || self.error.is_some());
        assert_eq!(self.session.is_paused(), self.request.is_some());
        self.pending = if self.session.is_closing() {
            Vec::new()
        } else {
            input.to_vec()
        };
        let output = self.session.output();
        self.output.extend(output.copy_to_bytes(output.len()));
    }

    /// Checks what an event says about starts and ends.
    fn see(&mut self, event: Event) {
        match &event {
            Event::ConnectRequested { id, .. } => (self.request, self.asked) = (Some(*id), None),
            Event::PublishRequested { id, stream, .. } => {
                (self.request, self.asked) = (Some(*id), Some(*stream));
                assert_eq!(self.open.insert(*stream, "publish"), None);
            }
            Event::PlayRequested { id, stream, .. } => {
                (self.request, self.asked) = (Some(*id), Some(*stream));
                assert_eq!(self.open.insert(*stream, "play"), None);
            }
            Event::Frame { stream, .. } | Event::MetadataCleared { stream } => {
                assert_eq!(self.open.get(stream), Some(&"publish"));
            }
            Event::PlayControl { stream, .. } => assert_eq!(self.open.get(stream), Some(&"play")),
            Event::PublishEnded { stream, .. } => {
                assert_eq!(self.open.remove(stream), Some("publish"));
            }
            Event::PlayEnded { stream, .. } => {
                assert_eq!(self.open.remove(stream), Some("play"));
            }
            _ => {}
        }
        if self.session.is_closing() {
            self.request = None;
        }
        self.events.push(event);
    }
}

fn run(steps: &[Step], piece: usize) -> Observer {
    let mut observer = Observer::new(piece);
    for step in steps {
        observer.take(step);
    }
    observer.take(&Step::Eof);
    observer
}

#[test]
fn every_start_has_exactly_one_end() {
    fn property(steps: Vec<Step>) -> bool {
        run(&steps, usize::MAX).open.is_empty()
    }
    QuickCheck::new()
        .tests(2_000)
        .quickcheck(property as fn(Vec<Step>) -> bool);
}

#[test]
fn any_partition_yields_the_same_events_and_output() {
    fn property(steps: Vec<Step>, piece: u8) -> bool {
        let (whole, cut) = (run(&steps, usize::MAX), run(&steps, usize::from(piece) + 1));
        (whole.events, whole.output, whole.error) == (cut.events, cut.output, cut.error)
    }
    QuickCheck::new()
        .tests(500)
        .quickcheck(property as fn(Vec<Step>, u8) -> bool);
}

#[test]
fn any_bytes_end_at_worst_their_own_connection() {
    fn property(bytes: Vec<u8>, steps: Vec<Step>) -> bool {
        let mut observer = Observer::new(usize::MAX);
        observer.take(&Step::Garble(bytes));
        for step in &steps {
            observer.take(step);
        }
        observer.take(&Step::Eof);
        observer.open.is_empty()
    }
    QuickCheck::new()
        .tests(1_000)
        .quickcheck(property as fn(Vec<u8>, Vec<Step>) -> bool);
}

#[test]
fn a_client_need_not_wait_for_the_handshake() {
    let connect = script::parse(r#"connect(1, {app="live", tcUrl="rtmp://localhost/live"})"#);
    let connect = script::to_chunks(&[connect], &mut ChunkEncoder::new());
    let pipelined = [&[3][..], &[0; 3_072], &connect].concat();
    for cut in [0, 1, 1_537, 3_072, 3_073, 3_080] {
        let mut session = ServerSession::new(Arc::new(SessionConfig::default()), Time::ZERO, 7);
        let (mut front, mut back) = pipelined.split_at(cut);
        assert_eq!(session.handle_input(Time::ZERO, &mut front), Ok(None));
        let event = session.handle_input(Time::ZERO, &mut back);
        assert!(matches!(event, Ok(Some(Event::ConnectRequested { .. }))), "{event:?}");
    }
}

#[test]
fn a_peer_that_sends_media_and_never_publishes_is_ended() {
    let mut observer = Observer::new(usize::MAX);
    let video = [script::parse(&format!("video(0, 2701) msid=1 pad={}", 1 << 20))];
    for _ in 0..7 {
        observer.say(&video);
        assert_eq!(observer.error, None);
    }
    observer.say(&video);
    let ended = matches!(
        observer.error,
        Some(ProtocolError::UnexpectedMedia { dropped: 8_388_624 })
    );
    assert!(ended, "{:?}", observer.error);
}

/// So many messages of type 7, which means nothing, of one byte each but the first.
fn empty_messages(count: usize) -> Vec<u8> {
    let mut bytes = vec![0xC3; count + 11];
    bytes[..12].copy_from_slice(&[3, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0]);
    bytes
}

#[test]
fn empty_messages_without_end_are_a_flood() {
    let mut observer = Observer::new(usize::MAX);
    for _ in 0..3 {
        observer.now = observer.now + std::time::Duration::from_secs(1);
        observer.feed(&empty_messages(10_000));
        assert_eq!(observer.error, None, "10,000 a second");
    }
    observer.feed(&empty_messages(1));
    let flood = matches!(
        observer.error,
        Some(ProtocolError::MessageFlood { messages: 10_001, .. })
    );
    assert!(flood, "{:?}", observer.error);
}

#[test]
fn many_messages_with_content_are_none() {
    let mut observer = Observer::new(usize::MAX);
    let acknowledgement = [2, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 0, 0];
    observer.feed(&acknowledgement.repeat(50_000));
    assert_eq!(observer.error, None);
}

#[test]
fn a_player_costs_little_memory() {
    let mut observer = Observer::new(usize::MAX);
    for text in [MESSAGES[0], MESSAGES[2]] {
        observer.take(&Step::Say(text));
    }
    observer.take(&Step::Accept);
    for _ in 0..100 {
        observer.take(&Step::Send);
    }
    let held = observer.session.held_memory();
    assert!(held <= 1_536, "{held} bytes");
    // What the handshake took. A driver of many sessions has their outputs share it: `BufferPool`.
    let output = observer.session.output_ref().held_memory();
    assert!(output <= 5 << 10, "{output} bytes");
}

#[test]
fn an_idle_session_does_nothing() {
    let mut observer = Observer::new(usize::MAX);
    let deadline = observer.session.poll_timeout();
    for _ in 0..1_000 {
        assert_eq!(observer.session.handle_input(observer.now, &mut &[][..]), Ok(None));
        assert_eq!(observer.session.handle_timeout(observer.now), Ok(None));
    }
    assert_eq!(observer.session.poll_timeout(), deadline, "the deadline holds still");
    assert!(observer.session.output().is_empty());
}

#[test]
fn media_does_not_move_the_deadline() {
    let mut observer = Observer::new(usize::MAX);
    for text in [MESSAGES[0], MESSAGES[1]] {
        observer.take(&Step::Say(text));
    }
    observer.take(&Step::Accept);
    let deadline = observer.session.poll_timeout();
    for _ in 0..100 {
        observer.now = observer.now + std::time::Duration::from_millis(20);
        observer.take(&Step::Say(r#"audio(0, af01aa) msid=1"#));
        assert_eq!(observer.session.poll_timeout(), deadline);
    }
}
