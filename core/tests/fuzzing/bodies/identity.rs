//! RTMP to FLV to RTMP: the frames that a publisher sends are those that a player gets, whatever carries them.

use super::choices::{Choices, pieces};
use super::snippets::{self, flv_of};
use bytes::{Buf, Bytes};
use headwater_core::flv::{FlvItem, FlvReader};
use headwater_core::rtmp::{
    ClientEvent, ClientRequest, ClientSession, Event, MessageStreamId, ServerSession, SessionConfig,
};
use headwater_core::{Frame, FrameKind, Limits, Time, Timestamp};
use std::sync::Arc;

pub(super) fn check(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let seed = choices.byte();
    let mut sent = Vec::new();
    while !choices.is_empty() && sent.len() < 100 {
        sent.push(frame(&mut choices));
    }
    let published = publish(&sent, seed);
    check_same(&sent, &published);
    let tagged = through_flv(&published, seed);
    assert_eq!(tagged, published, "through FLV");
    let played = play(&tagged, seed);
    assert_eq!(played, published, "through RTMP again");
}

fn frame(choices: &mut Choices<'_>) -> Frame {
    let mut frame = match choices.byte() % 8 {
        0..4 => snippets::frame(choices.one_of(&["V", "A", "K0", "P40", "D80", "a5", "M", "K0:300", "S"])),
        4 => {
            let kind = choices.one_of(&[FrameKind::Audio, FrameKind::Video]);
            let payload = vec![choices.byte(); usize::from(choices.number() % 2_000)];
            Frame::new(kind, Timestamp::ZERO, payload.into())
        }
        _ => {
            let kind = choices.one_of(&[FrameKind::Audio, FrameKind::Video, FrameKind::Data]);
            let len = usize::from(choices.byte());
            Frame::new(kind, Timestamp::ZERO, Bytes::copy_from_slice(choices.bytes(len)))
        }
    };
    frame.timestamp = Timestamp::from_millis(match choices.byte() % 4 {
        0 => choices.long_number(),
        1 => choices.one_of(&[0, 0x00FF_FFFE, 0x00FF_FFFF, 0x0100_0000, u32::MAX]),
        _ => u32::from(choices.number()),
    });
    frame
}

/// Sound and pictures come as they were sent. A picture without a byte is none, and data is made readable once.
fn check_same(sent: &[Frame], published: &[Frame]) {
    let is_media = |frame: &&Frame| frame.kind != FrameKind::Data;
    let is_carried = |frame: &&Frame| frame.kind == FrameKind::Audio || !frame.payload.is_empty();
    let sent = sent.iter().filter(is_media).filter(is_carried);
    assert!(published.iter().filter(is_media).eq(sent), "through RTMP");
}

/// What a server gets of what a client publishes.
fn publish(frames: &[Frame], seed: u8) -> Vec<Frame> {
    let mut pair = Pair::new(ClientRequest::publish("rtmp://localhost/live/cam").unwrap(), seed);
    for frame in frames {
        pair.client.send_frame(frame).unwrap();
        pair.run();
    }
    pair.at_server
}

/// What a client gets of what a server plays to it.
fn play(frames: &[Frame], seed: u8) -> Vec<Frame> {
    let mut pair = Pair::new(ClientRequest::play("rtmp://localhost/live/cam").unwrap(), seed);
    for frame in frames {
        pair.server.send_frame(pair.stream, frame).unwrap();
        pair.run();
    }
    pair.at_client
}

fn through_flv(frames: &[Frame], seed: u8) -> Vec<Frame> {
    let written = flv_of(frames);
    let mut reader = FlvReader::new(&Limits::default());
    let mut read = Vec::new();
    for mut piece in pieces(&written, seed) {
        while let Some(item) = reader.handle_input(&mut piece).unwrap() {
            match item {
                FlvItem::Frame(frame) => read.push(frame),
                FlvItem::Header(flags) => assert!(flags.audio && flags.video),
                item => panic!("{item:?}"),
            }
        }
    }
    assert!(reader.is_at_tag_border());
    read
}

/// A client and a server, with what came to each.
struct Pair {
    client: ClientSession,
    server: ServerSession,
    stream: MessageStreamId,
    seed: u8,
    at_client: Vec<Frame>,
    at_server: Vec<Frame>,
}

impl Pair {
    /// A pair that has agreed on what the client asks for.
    fn new(request: ClientRequest, seed: u8) -> Pair {
        let config = Arc::new(SessionConfig::default());
        let mut pair = Pair {
            client: ClientSession::new(config.clone(), Time::ZERO, 1, request),
            server: ServerSession::new(config, Time::ZERO, 2),
            stream: MessageStreamId(0),
            seed,
            at_client: Vec::new(),
            at_server: Vec::new(),
        };
        pair.run();
        assert!(pair.stream != MessageStreamId(0), "they agree");
        pair
    }

    /// Carries bytes until there are none.
    fn run(&mut self) {
        while !self.client.output().is_empty() || !self.server.output().is_empty() {
            let output = self.client.output();
            let bytes = output.copy_to_bytes(output.len());
            for mut piece in pieces(&bytes, self.seed) {
                while let Some(event) = self.server.handle_input(Time::ZERO, &mut piece).unwrap() {
                    self.at_server(event);
                }
            }
            let output = self.server.output();
            let bytes = output.copy_to_bytes(output.len());
            for mut piece in pieces(&bytes, self.seed) {
                while let Some(event) = self.client.handle_input(Time::ZERO, &mut piece).unwrap() {
                    match event {
                        ClientEvent::Frame(frame) => self.at_client.push(frame),
                        ClientEvent::Started | ClientEvent::MetadataCleared => {}
                        event => panic!("{event:?}"),
                    }
                }
            }
        }
    }

    fn at_server(&mut self, event: Event) {
        match event {
            Event::ConnectRequested { id, .. } => self.server.accept(Time::ZERO, id).unwrap(),
            Event::PublishRequested { id, stream, .. } | Event::PlayRequested { id, stream, .. } => {
                self.server.accept(Time::ZERO, id).unwrap();
                self.stream = stream;
            }
            Event::Frame { frame, .. } => self.at_server.push(frame),
            Event::MetadataCleared { .. } | Event::Anomaly(_) => {}
            event => panic!("{event:?}"),
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    // Each byte is a choice, so that a run of any bytes is a list of frames.
    let steps = |seed: u8, step: u8| {
        (0..200)
            .map(|index: u8| index.wrapping_mul(step).wrapping_add(seed))
            .collect()
    };
    let valid: Vec<u8> = (0..9).flat_map(|index| [index, 0, index, 2, 0, index * 20]).collect();
    vec![
        valid,
        steps(0, 1),
        steps(7, 37),
        steps(1, 101),
        steps(4, 8),
        vec![0; 64],
        vec![5; 64],
    ]
}
