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

#[path = "script/observer.rs"]
mod observer;
mod script;

use headwater_core::rtmp::chunk::{ChunkEncoder, Message, MessageStreamId};
use headwater_core::rtmp::{Event, ProtocolError, ServerSession, SessionConfig};
use headwater_core::{Frame, Time, Timestamp};
use observer::Observer;
use quickcheck::{Arbitrary, Gen, QuickCheck};
use std::sync::Arc;
use std::time::Duration;

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

/// A session that is watched, and its client.
struct Talk {
    server: Observer,
    encoder: ChunkEncoder,
}

impl Talk {
    /// A client that is connected.
    fn new(piece: usize) -> Talk {
        let mut talk = Talk {
            server: Observer::new(SessionConfig::default(), piece),
            encoder: ChunkEncoder::new(),
        };
        talk.server.feed(&[&[3][..], &[0; 3_072]].concat());
        talk.take(&Step::Say(r#"connect(1, {app="live", tcUrl="rtmp://localhost/live"})"#));
        talk.take(&Step::Accept);
        talk
    }

    fn take(&mut self, step: &Step) {
        let stream = MessageStreamId(1);
        let server = &mut self.server;
        match step {
            Step::Say(text) => self.say(&script::parse_all(text)),
            Step::Garble(bytes) => server.feed(bytes),
            Step::Accept => server.answer(true),
            Step::Reject => server.answer(false),
            Step::Send => {
                let frame = Frame::audio(Timestamp::ZERO, vec![0xAF; 300].into());
                let is_playing = server.is_playing(stream);
                assert_eq!(server.send_frame(stream, &frame), is_playing);
            }
            Step::EndPlay => server.end_play(stream),
            Step::EndPublish => server.end_publish(stream),
            Step::Wait(millis) => server.wait(server.now + Duration::from_millis((*millis).into())),
            Step::Close => server.session.close(server.now),
            Step::Eof => server.eof(),
        }
        self.server.feed(&[]);
        assert_eq!(self.server.session.is_paused(), self.server.is_asked());
    }

    fn say(&mut self, messages: &[Message]) {
        let chunks = script::to_chunks(messages, &mut self.encoder);
        self.server.feed(&chunks);
    }
}

fn run(steps: &[Step], piece: usize) -> Observer {
    let mut talk = Talk::new(piece);
    for step in steps {
        talk.take(step);
    }
    talk.take(&Step::Eof);
    talk.server
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
        let mut talk = Talk::new(usize::MAX);
        talk.take(&Step::Garble(bytes));
        for step in &steps {
            talk.take(step);
        }
        talk.take(&Step::Eof);
        talk.server.open.is_empty()
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
    let mut talk = Talk::new(usize::MAX);
    let video = [script::parse(&format!("video(0, 2701) msid=1 pad={}", 1 << 20))];
    for _ in 0..7 {
        talk.say(&video);
        assert_eq!(talk.server.error, None);
    }
    talk.say(&video);
    let ended = matches!(
        talk.server.error,
        Some(ProtocolError::UnexpectedMedia { dropped: 8_388_624 })
    );
    assert!(ended, "{:?}", talk.server.error);
}

/// So many messages of type 7, which means nothing, of one byte each but the first.
fn empty_messages(count: usize) -> Vec<u8> {
    let mut bytes = vec![0xC3; count + 11];
    bytes[..12].copy_from_slice(&[3, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0]);
    bytes
}

#[test]
fn empty_messages_without_end_are_a_flood() {
    let mut talk = Talk::new(usize::MAX);
    for _ in 0..3 {
        talk.server.now = talk.server.now + Duration::from_secs(1);
        talk.server.feed(&empty_messages(10_000));
        assert_eq!(talk.server.error, None, "10,000 a second");
    }
    talk.server.feed(&empty_messages(1));
    let flood = matches!(
        talk.server.error,
        Some(ProtocolError::MessageFlood { messages: 10_001, .. })
    );
    assert!(flood, "{:?}", talk.server.error);
}

#[test]
fn many_messages_with_content_are_none() {
    let mut talk = Talk::new(usize::MAX);
    let acknowledgement = [2, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 0, 0];
    talk.server.feed(&acknowledgement.repeat(50_000));
    assert_eq!(talk.server.error, None);
}

#[test]
fn a_player_costs_little_memory() {
    let mut talk = Talk::new(usize::MAX);
    for text in [MESSAGES[0], MESSAGES[2]] {
        talk.take(&Step::Say(text));
    }
    talk.take(&Step::Accept);
    for _ in 0..100 {
        talk.take(&Step::Send);
    }
    let held = talk.server.session.held_memory();
    assert!(held <= 1_536, "{held} bytes");
    // What the handshake took. A driver of many sessions has their outputs share it: `BufferPool`.
    let output = talk.server.session.output_ref().held_memory();
    assert!(output <= 5 << 10, "{output} bytes");
}

#[test]
fn an_idle_session_does_nothing() {
    let mut talk = Talk::new(usize::MAX);
    let deadline = talk.server.session.poll_timeout();
    for _ in 0..1_000 {
        assert_eq!(
            talk.server.session.handle_input(talk.server.now, &mut &[][..]),
            Ok(None)
        );
        assert_eq!(talk.server.session.handle_timeout(talk.server.now), Ok(None));
    }
    assert_eq!(talk.server.session.poll_timeout(), deadline, "the deadline holds still");
    assert!(talk.server.session.output().is_empty());
}

#[test]
fn media_does_not_move_the_deadline() {
    let mut talk = Talk::new(usize::MAX);
    for text in [MESSAGES[0], MESSAGES[1]] {
        talk.take(&Step::Say(text));
    }
    talk.take(&Step::Accept);
    let deadline = talk.server.session.poll_timeout();
    for _ in 0..100 {
        talk.server.now = talk.server.now + Duration::from_millis(20);
        talk.take(&Step::Say(r#"audio(0, af01aa) msid=1"#));
        assert_eq!(talk.server.session.poll_timeout(), deadline);
    }
}
