//! What things cost: copies of payload, allocations, and bytes of memory per connection, counted by the allocator.
//!
//! Everything here runs in memory, so the counts are exact and the same in every run. The test harness allocates too now
//! and then, on a thread of its own; so every measurement is the least of a few rounds, each long enough for anything
//! that grows to show.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use bytes::{Buf, Bytes};
use headwater_core::rtmp::chunk::{ChunkEncoder, ChunkSize, ChunkStreamId, Message, MessageStreamId, MessageTypeId};
use headwater_core::rtmp::message::{Control, UserControl};
use headwater_core::rtmp::{ClientEvent, ClientRequest, ClientSession, Event, Purpose, ServerSession, SessionConfig};
use headwater_core::server::{
    Action, Config, ConnectionId, Event as ServerEvent, LocalEvent, PUBLISHER_SILENCE, Protocol, Server, ShardId,
};
use headwater_core::{Frame, Output, StreamKey, Time, Timestamp};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::collections::HashSet;
use std::io::IoSlice;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One test at a time.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    /// Growing a buffer counts like getting one.
    allocations: usize,
    bytes: usize,
}

impl Cost {
    const NOTHING: Cost = Cost::of(0, 0);

    const fn of(allocations: usize, bytes: usize) -> Cost {
        Cost { allocations, bytes }
    }
}

/// The least cost of several rounds of `work`, after one that may still grow what is kept.
fn cost(mut work: impl FnMut()) -> Cost {
    work();
    let rounds = (0..5).map(|_| {
        let region = Region::new(ALLOCATOR);
        work();
        let change = region.change();
        Cost {
            allocations: change.allocations + change.reallocations,
            bytes: change.bytes_allocated,
        }
    });
    rounds.min().unwrap()
}

/// Bytes of memory that `work` has left in use.
fn kept(work: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    work();
    let change = region.change();
    change.bytes_allocated.saturating_sub(change.bytes_deallocated)
}

// What is published.

/// Frames in two seconds.
const FRAMES: usize = 180;

/// Two seconds of H.264 and AAC in form, from `start` on, with a keyframe each second.
fn two_seconds(start: u32) -> Vec<Frame> {
    let body = |head: &[u8], len: usize| Bytes::from([head, &vec![0x55; len]].concat());
    let mut frames = Vec::new();
    for index in 0..60 {
        let at = Timestamp::from_millis(start + index * 33);
        frames.push(if index % 30 == 0 {
            Frame::video(at, body(b"\x17\x01\0\0\0", 20_000))
        } else {
            Frame::video(at, body(b"\x27\x01\0\0\0", 2_000 + index as usize))
        });
        frames.push(Frame::audio(at, body(b"\xAF\x01", 300)));
        // Below the length that is queued by reference.
        frames.push(Frame::audio(
            Timestamp::from_millis(start + index * 33 + 15),
            body(b"\xAF\x01", 90),
        ));
    }
    frames
}

fn headers() -> Vec<Frame> {
    vec![
        Frame::video(
            Timestamp::ZERO,
            Bytes::from_static(b"\x17\0\0\0\0 not really a configuration"),
        ),
        Frame::audio(Timestamp::ZERO, Bytes::from_static(b"\xAF\0\x12\x10")),
    ]
}

// A client at the other end.

fn request(purpose: Purpose) -> ClientRequest {
    ClientRequest {
        purpose,
        app: "live".into(),
        tc_url: "rtmp://localhost/live".into(),
        name: "cam".into(),
    }
}

/// Lets everything leave; how much it was.
fn drain(output: &mut Output) -> usize {
    let len = output.remaining();
    output.advance(len);
    len
}

fn take(output: &mut Output) -> Vec<u8> {
    output.copy_to_bytes(output.remaining()).to_vec()
}

/// Round trips from the first byte to the start of a publish or play, and some more.
const ROUND_TRIPS: usize = 10;

/// Hears what the server says, and whether it let the client start.
fn hear(client: &mut ClientSession, mut input: &[u8]) -> bool {
    let mut started = false;
    while let Some(event) = client.handle_input(Time::ZERO, &mut input).unwrap() {
        started |= event == ClientEvent::Started;
    }
    started
}

/// What `client` puts on the wire for each of `frames`.
fn wire(client: &mut ClientSession, frames: &[Frame]) -> Vec<Vec<u8>> {
    let mut send = |frame| {
        client.send_frame(frame).unwrap();
        take(client.output())
    };
    frames.iter().map(&mut send).collect()
}

/// `message` as one chunk.
fn chunk(message: &Message) -> Vec<u8> {
    let mut output = Output::new();
    ChunkEncoder::new().encode(message, &mut output).unwrap();
    take(&mut output)
}

/// A session that has been let publish or play, and its client.
fn session(purpose: Purpose, chunk_size: u32) -> (ServerSession, ClientSession) {
    let mut config = SessionConfig::default();
    config.chunk_size = ChunkSize::new(chunk_size).unwrap();
    let config = Arc::new(config);
    let mut client = ClientSession::new(config.clone(), Time::ZERO, 1, request(purpose));
    let mut server = ServerSession::new(config, Time::ZERO, 2);
    for _ in 0..ROUND_TRIPS {
        let sent = take(client.output());
        let mut input = sent.as_slice();
        while let Some(event) = server.handle_input(Time::ZERO, &mut input).unwrap() {
            if let Event::ConnectRequested { id, .. }
            | Event::PublishRequested { id, .. }
            | Event::PlayRequested { id, .. } = event
            {
                server.accept(Time::ZERO, id).unwrap();
            }
        }
        if hear(&mut client, &take(server.output())) {
            return (server, client);
        }
    }
    panic!("the client was not let start");
}

// A whole server.

struct Whole {
    server: Server,
    now: Time,
}

impl Whole {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        Whole {
            server: Server::new(Arc::new(config), ShardId(0), 1, 1),
            now: Time::ZERO,
        }
    }

    fn accept(&mut self, protocol: Protocol) -> ConnectionId {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000));
        self.server.accept(self.now, protocol, peer).unwrap()
    }

    /// A connection that has been let publish or play by RTMP, and its client.
    fn rtmp(&mut self, purpose: Purpose) -> (ConnectionId, ClientSession) {
        self.start(purpose, "live")
    }

    /// The same with an application of its own.
    fn start(&mut self, purpose: Purpose, app: &str) -> (ConnectionId, ClientSession) {
        let id = self.accept(Protocol::Rtmp);
        let request = ClientRequest {
            app: app.into(),
            ..request(purpose)
        };
        let mut client = ClientSession::new(Arc::default(), Time::ZERO, 1, request);
        for _ in 0..ROUND_TRIPS {
            self.server.handle_input(self.now, id, &take(client.output()));
            let heard = take(self.server.output(self.now, id));
            if hear(&mut client, &heard) {
                self.act();
                return (id, client);
            }
        }
        panic!("the client was not let start");
    }

    /// A connection that has been let play by HTTP.
    fn http(&mut self, head: &[u8]) -> ConnectionId {
        let id = self.accept(Protocol::Http);
        self.input(id, &[head]);
        id
    }

    /// A publisher, which has sent its headers.
    fn publish(&mut self) -> (ConnectionId, ClientSession) {
        let (id, mut client) = self.rtmp(Purpose::Publish);
        self.input(id, &wire(&mut client, &headers()));
        (id, client)
    }

    fn three_players(&mut self) -> [ConnectionId; 3] {
        PROTOCOLS.map(|(_, join)| join(self))
    }

    /// Reads `inputs` from a connection, one at a time, and does what follows. Returns how much was written.
    fn input(&mut self, id: ConnectionId, inputs: &[impl AsRef<[u8]>]) -> usize {
        let mut written = 0;
        for input in inputs {
            self.server.handle_input(self.now, id, input.as_ref());
            written += self.act();
        }
        written
    }

    /// Lets time pass, stopping at every deadline.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(due) = self.server.poll_timeout().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.server.handle_timeout(self.now);
            self.act();
        }
        self.now = end;
    }

    /// Does what a driver does, with sockets that take everything. Returns how much they took.
    fn act(&mut self) -> usize {
        let mut written = 0;
        while let Some(action) = self.server.poll_action() {
            if let Action::Wake(id) = action {
                loop {
                    match drain(self.server.output(self.now, id)) {
                        0 => break,
                        len => written += len,
                    }
                }
            }
        }
        written
    }
}

const GET: &[u8] = b"GET /live/cam.flv HTTP/1.1\r\nHost: localhost\r\n\r\n";
const EVENTS: &[u8] = b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
const WEBSOCKET: &[u8] = b"GET /live/cam.flv HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

type Join = fn(&mut Whole) -> ConnectionId;

/// Every way to play.
const PROTOCOLS: [(&str, Join); 3] = [
    ("RTMP", |whole| whole.rtmp(Purpose::Play).0),
    ("HTTP-FLV", |whole| whole.http(GET)),
    ("WebSocket-FLV", |whole| whole.http(WEBSOCKET)),
];

/// Connections to take a mean over; a power of two, so that no table is half empty.
const CROWD: usize = 512;

/// Bytes that each of many connections keeps, tables included.
fn owned_by_each(mut connect: impl FnMut()) -> usize {
    kept(|| (0..CROWD).for_each(|_| connect())) / CROWD
}

/// What a server with so many players of each protocol pays for two seconds of a publish, of which so many messages come
/// at a time.
fn cost_of_publish(players: usize, at_once: usize) -> (Cost, usize) {
    let mut whole = Whole::new();
    let (publisher, mut client) = whole.publish();
    for _ in 0..players {
        whole.three_players();
    }
    let rounds: Vec<_> = (0..6)
        .map(|round| {
            let messages = wire(&mut client, &two_seconds(round * 2_000));
            messages.chunks(at_once).map(<[_]>::concat).collect::<Vec<_>>()
        })
        .collect();
    let mut rounds = rounds.iter();
    let mut written = 0;
    let cost = cost(|| {
        whole.now = whole.now + Duration::from_secs(2);
        written += whole.input(publisher, rounds.next().unwrap());
    });
    (cost, written)
}

#[test]
fn a_media_message_costs_one_buffer_and_its_reference_count() {
    let _turn = turn();
    for (chunk_size, read) in [(60_000, 65_536), (60_000, 1_448), (128, 65_536), (128, 1)] {
        let (mut server, mut client) = session(Purpose::Publish, chunk_size);
        let frames = two_seconds(0);
        let wire = wire(&mut client, &frames).concat();
        let mut count = 0;
        let cost = cost(|| {
            count = 0;
            for mut input in wire.chunks(read) {
                while let Some(event) = server.handle_input(Time::ZERO, &mut input).unwrap() {
                    let Event::Frame { frame, .. } = event else {
                        panic!("{event:?}")
                    };
                    // What the first player, or the cache, does with it.
                    drop(frame.clone());
                    count += 1;
                }
            }
        });
        assert_eq!(count, FRAMES);
        let payload: usize = frames.iter().map(|frame| frame.payload.len()).sum();
        assert_eq!(cost.allocations, 2 * FRAMES, "{chunk_size} {read}");
        // One copy: no more memory than that was ever written to.
        assert!(
            cost.bytes <= payload + 32 * FRAMES,
            "{chunk_size} {read}: {cost:?}, payload {payload}"
        );
    }
}

#[test]
fn a_frame_costs_one_more_player_nothing() {
    let _turn = turn();
    for at_once in [1, 30] {
        let (alone, written_alone) = cost_of_publish(1, at_once);
        let (crowded, written_crowded) = cost_of_publish(40, at_once);
        assert!(written_crowded > 39 * written_alone, "the players got the frames");
        assert_eq!(crowded, alone, "of {FRAMES} messages, {at_once} at once");
        // A buffer each, and a reference count with the tally of the worker's memory.
        assert_eq!(alone.allocations, 2 * FRAMES);
    }
}

#[test]
fn frames_in_process_cost_nothing_but_a_reference_count() {
    let _turn = turn();
    let mut whole = Whole::new();
    let key = || StreamKey::new("live/cam").unwrap();
    let publisher = whole.server.publish(whole.now, key()).unwrap();
    let player = whole.server.play(whole.now, key()).unwrap();
    for frame in headers() {
        whole.server.send_frame(whole.now, publisher, frame).unwrap();
    }
    let rounds: Vec<_> = (0..6).map(|round| two_seconds(round * 2_000)).collect();
    // The first clone of a buffer makes it one that is counted.
    let _counted = rounds.clone();
    let mut rounds = rounds.iter();
    let (mut taken, mut sent) = (0, 0);
    let cost = cost(|| {
        whole.now = whole.now + Duration::from_secs(2);
        for frame in rounds.next().unwrap() {
            sent += frame.payload.len();
            whole.server.send_frame(whole.now, publisher, frame.clone()).unwrap();
            while let Some(action) = whole.server.poll_action() {
                let Action::Wake(id) = action else { continue };
                while let Some(event) = whole.server.poll_local(whole.now, id) {
                    if let LocalEvent::Frame(frame) = event {
                        taken += frame.payload.len();
                    }
                }
            }
        }
    });
    // The player has had the two headers as well.
    let headers = headers().iter().map(|frame| frame.payload.len()).sum::<usize>();
    // The count, and what says that it is the worker's.
    assert_eq!((cost, taken), (Cost::of(FRAMES, 48 * FRAMES), sent + headers));
    assert_eq!(whole.server.poll_local(whole.now, player), None);
}

#[test]
fn all_players_write_one_buffer() {
    let _turn = turn();
    let mut whole = Whole::new();
    let (publisher, mut client) = whole.publish();
    let players = whole.three_players();
    // Once there were sound and pictures, players are told of both and get each frame at once.
    let first = wire(&mut client, &two_seconds(0));
    whole.input(publisher, &first);
    for frame in two_seconds(2_000) {
        let message = wire(&mut client, std::slice::from_ref(&frame)).concat();
        whole.server.handle_input(whole.now, publisher, &message);
        while whole.server.poll_action().is_some() {}
        let addresses: HashSet<_> = players
            .iter()
            .map(|player| {
                let output = whole.server.output(whole.now, *player);
                let mut slices = [IoSlice::new(&[]); 8];
                let filled = output.chunks_vectored(&mut slices);
                let payload = slices[..filled].iter().find(|slice| ***slice == frame.payload[..]);
                let address = payload.map(|slice| slice.as_ptr());
                drain(output);
                address
            })
            .collect();
        let is_copied = frame.payload.len() < 256;
        assert_eq!(
            (addresses.len(), addresses.contains(&None)),
            (1, is_copied),
            "{frame:?}"
        );
    }
}

#[test]
fn control_messages_cost_nothing() {
    let _turn = turn();
    let (mut server, _client) = session(Purpose::Play, 60_000);
    let mut now = Time::ZERO;
    let control = [
        Control::Acknowledgement(1_000_000).to_message(),
        Control::WindowAckSize(2_500_000).to_message(),
        UserControl::PingResponse(7).to_message(),
        UserControl::PingRequest(7).to_message(),
    ]
    .map(|message| chunk(&message));
    let answered = cost(|| {
        now = now + Duration::from_secs(1);
        for message in &control {
            assert_eq!(server.handle_input(now, &mut message.as_slice()), Ok(None));
        }
        assert_eq!(drain(server.output()), control[3].len(), "the ping's answer");
    });
    assert_eq!(answered, Cost::NOTHING);

    let pinged = cost(|| {
        while server.output().is_empty() {
            now = server.poll_timeout().unwrap();
            assert_eq!(server.handle_timeout(now), Ok(None));
        }
        let mut ping = [0; 18];
        server.output().copy_to_slice(&mut ping);
        ping[13] = 7; // from request to response
        let pong = server.handle_input(now, &mut ping.as_slice());
        assert!(matches!(pong, Ok(Some(Event::PongReceived { .. }))), "{pong:?}");
    });
    assert_eq!(pinged, Cost::NOTHING);
}

#[test]
fn an_idle_server_costs_nothing_to_ask() {
    let _turn = turn();
    let mut whole = Whole::new();
    whole.publish();
    let players: Vec<_> = (0..100).flat_map(|_| whole.three_players()).collect();
    let deadline = whole.server.poll_timeout();
    let asked = cost(|| {
        for player in &players {
            whole.server.handle_input(whole.now, *player, &[]);
            assert!(whole.server.wants_input(*player));
            assert!(whole.server.output(whole.now, *player).is_empty());
        }
        whole.server.handle_timeout(whole.now);
        assert!(whole.server.poll_action().is_none());
        assert_eq!(whole.server.poll_timeout(), deadline);
    });
    assert_eq!(asked, Cost::NOTHING);
}

/// The event of a silent publisher has nothing in it that is allocated, so the whole cost is that of readers.
#[test]
fn an_event_that_nobody_reads_costs_nothing() {
    let _turn = turn();
    let mut config = Config::default();
    config.keeps_events = true;
    config.limits.idle_timeout = Duration::from_secs(3_600);
    let mut whole = Whole::with(config);
    let (publisher, _client) = whole.publish();
    let silence = |whole: &mut Whole| {
        cost(|| {
            whole.server.handle_input(whole.now, publisher, &[]);
            whole.pass(PUBLISHER_SILENCE);
            let is_silence = |event: &ServerEvent| matches!(event, ServerEvent::PublisherSilent { .. });
            let events = std::iter::from_fn(|| whole.server.poll_event());
            assert_eq!(events.filter(is_silence).count(), 1);
        })
    };
    assert_eq!(silence(&mut whole), Cost::NOTHING);
    let reader = whole.accept(Protocol::Admin);
    whole.input(reader, &[EVENTS]);
    assert!(silence(&mut whole) > Cost::NOTHING);
    // Nor when nobody reads any more, and nobody has come back.
    whole.server.handle_reset(whole.now, reader);
    whole.act();
    whole.pass(Duration::from_secs(61));
    assert_eq!(silence(&mut whole), Cost::NOTHING);
}

#[test]
fn a_connection_that_says_nothing_owns_little() {
    let _turn = turn();
    for (listener, budget) in [(Protocol::Rtmp, 1_088), (Protocol::Http, 720), (Protocol::Media, 400)] {
        let mut whole = Whole::new();
        let owned = owned_by_each(|| {
            whole.accept(listener);
        });
        assert!(owned <= budget, "{listener:?}: {owned} bytes");
    }
}

#[test]
fn a_connection_between_two_requests_owns_less_than_1_kib() {
    let _turn = turn();
    for listener in [Protocol::Http, Protocol::Media, Protocol::Admin] {
        let mut whole = Whole::new();
        let owned = owned_by_each(|| {
            let id = whole.accept(listener);
            for method in ["OPTIONS", "GET", "HEAD"] {
                let request = format!("{method} /live/cam HTTP/1.1\r\nHost: localhost\r\nUser-Agent: cost\r\n\r\n");
                assert!(whole.input(id, &[request]) > 0);
            }
        });
        assert!(owned < 1 << 10, "{listener:?}: {owned} bytes");
    }
}

#[test]
fn a_player_that_keeps_up_owns_less_than_2_kib() {
    let _turn = turn();
    for (protocol, join) in PROTOCOLS {
        let mut whole = Whole::new();
        let (publisher, mut client) = whole.publish();
        whole.input(publisher, &wire(&mut client, &two_seconds(0)));
        let live = [2_000, 4_000].map(|start| wire(&mut client, &two_seconds(start)));
        let owned = kept(|| {
            for _ in 0..CROWD {
                join(&mut whole);
            }
            for frames in &live {
                whole.input(publisher, frames);
            }
        }) / CROWD;
        assert!(owned < 2 << 10, "{protocol}: {owned} bytes");

        let more = wire(&mut client, &two_seconds(6_000));
        let grown = kept(|| {
            whole.input(publisher, &more);
        });
        assert!(
            grown / CROWD < 64,
            "{protocol}: {grown} bytes by {CROWD} players in two seconds"
        );
    }
}

#[test]
fn a_player_that_reads_nothing_owns_no_payload() {
    let _turn = turn();
    for (protocol, join) in PROTOCOLS {
        let mut whole = Whole::new();
        let (publisher, mut client) = whole.publish();
        whole.input(publisher, &wire(&mut client, &two_seconds(0)));
        for _ in 0..CROWD {
            join(&mut whole);
        }
        let media = wire(&mut client, &two_seconds(2_000)).concat();
        whole.server.handle_input(whole.now, publisher, &media);
        let mut full = 0;
        let filled = kept(|| {
            while let Some(Action::Wake(id)) = whole.server.poll_action() {
                full += usize::from(whole.server.output(whole.now, id).len() >= 64 << 10);
            }
        });
        assert_eq!(full, CROWD);
        let owned = filled / CROWD;
        assert!(owned < 9 << 10, "{protocol}: {owned} bytes for 64 KiB of output");
    }
}

#[test]
fn a_part_of_an_aggregate_keeps_nothing_of_the_rest() {
    let _turn = turn();
    let mut whole = Whole::new();
    let (publisher, _client) = whole.publish();
    let tag = |kind: u8, time: u8, body: &[u8]| {
        let len = (body.len() as u32).to_be_bytes();
        [&[kind, len[1], len[2], len[3], 0, 0, time, 0, 0, 0, 0], body, &[0; 4]].concat()
    };
    let mut encoder = ChunkEncoder::new();
    let mut output = Output::new();
    encoder.set_chunk_size(ChunkSize::new(60_000).unwrap(), &mut output);
    let mut input = take(&mut output);
    for index in 0..100 {
        let keyframe = tag(
            9,
            index,
            if index == 0 {
                b"\x17\x01\0\0\0K"
            } else {
                b"\x27\x01\0\0\0P"
            },
        );
        let message = Message {
            csid: ChunkStreamId::VIDEO,
            msid: MessageStreamId(1),
            type_id: MessageTypeId::AGGREGATE,
            timestamp: Timestamp::from_millis(u32::from(index)),
            payload: [keyframe, tag(0x55, index, &[0; 50_000])].concat().into(),
        };
        encoder.encode(&message, &mut output).unwrap();
        input.extend(take(&mut output));
    }
    let kept = kept(|| {
        whole.input(publisher, &[input]);
    });
    assert_eq!(whole.server.stats().streams, 1);
    assert!(whole.server.streams(whole.now)[0].frames > 100);
    assert!(
        kept < 200_000,
        "{kept} bytes for 100 frames of 6 bytes, which came in 5 MB"
    );
}

/// Two workers of one server.
struct Workers([Whole; 2]);

impl Workers {
    fn new() -> Self {
        let config = Arc::new(Config::default());
        Workers([0, 1].map(|shard| Whole {
            server: Server::new(config.clone(), ShardId(shard), 2, 1),
            now: Time::ZERO,
        }))
    }

    /// A peer that has connected to a worker and said this.
    fn connect(&mut self, worker: usize, input: &[u8]) -> ConnectionId {
        let whole = &mut self.0[worker];
        let id = whole.accept(Protocol::Http);
        whole.server.handle_input(whole.now, id, input);
        self.act();
        id
    }

    /// Does what drivers do, until neither worker has anything to tell the other.
    fn act(&mut self) {
        let mut quiet = 0;
        for from in [0, 1].into_iter().cycle() {
            quiet += 1;
            while let Some(action) = self.0[from].server.poll_action() {
                quiet = 0;
                let Whole { server, now } = &mut self.0[from];
                match action {
                    Action::Wake(id) => while drain(server.output(*now, id)) > 0 {},
                    Action::ToShard(ShardId(to), message) => {
                        let from = ShardId(u16::try_from(from).unwrap());
                        self.0[usize::from(to)].server.handle_shard(Time::ZERO, from, message);
                    }
                    _ => {}
                }
            }
            if quiet == 2 {
                return;
            }
        }
    }

    /// A peer that plays on a worker, and leaves at once.
    fn play_and_leave(&mut self, worker: usize) {
        let player = self.connect(worker, GET);
        self.0[worker].server.handle_reset(Time::ZERO, player);
        self.act();
    }
}

/// What plays cost that come and go on a worker: the first one, and each further one. The stream is published on the first
/// worker, and has so many frames in its GOP cache.
fn cost_of_plays(frames: u32, worker: usize) -> [usize; 2] {
    let mut workers = Workers::new();
    let tag = |kind, at: u32| {
        let [.., high, middle, low] = at.to_be_bytes();
        [9, 0, 0, 2, high, middle, low, 0, 0, 0, 0, kind, 0, 0, 0, 0, 13]
    };
    let pictures: Vec<_> = (1..frames).flat_map(|index| tag(0x22, index)).collect();
    let head = b"POST /live/cam HTTP/1.0\r\n\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0";
    workers.connect(0, &[&head[..], &tag(0x12, 0), &pictures].concat());
    let region = Region::new(ALLOCATOR);
    workers.play_and_leave(worker);
    let change = region.change();
    let first = change.allocations + change.reallocations;
    [first, cost(|| workers.play_and_leave(worker)).allocations]
}

/// On another worker the first play has each frame counted there, by one allocation; the further ones find them. What a player
/// begins with goes through buffers that grow by doubling.
#[test]
fn a_play_that_comes_and_goes_costs_the_same_whatever_the_gop() {
    let _turn = turn();
    for worker in [0, 1] {
        let [_, few] = cost_of_plays(50, worker);
        let [first, many] = cost_of_plays(8_000, worker);
        assert!(
            many <= few + 20,
            "on worker {worker}: {many} allocations, {few} with a short GOP"
        );
        assert!(few <= 60, "on worker {worker}: {few} allocations");
        let most = if worker == 0 { many } else { 8_000 + many } + 100;
        assert!(
            first <= most,
            "on worker {worker}: {first} allocations for the first play"
        );
    }
}

/// Players of each of the streams that are to take as much memory as can be.
const PLAYERS: usize = 4;

#[test]
fn a_server_holds_at_most_what_its_formula_says() {
    let _turn = turn();
    let mut config = Config::default();
    config.limits.max_message_len = 256 << 10;
    config.limits.max_buffered_bytes = 512 << 10;
    config.limits.max_output = 256 << 10;
    config.channel.gop_max_bytes = 8 << 20;
    config.channel.lag_max_bytes = 8 << 20;
    let most = config.max_memory(2 * (1 + PLAYERS as u64), 2);
    let held = kept(|| {
        let mut whole = Whole::with(config);
        // As many frames as there may be on the one stream, as many bytes on the other; nobody takes any.
        for (app, frames, len) in [("many", 20_000, 1), ("much", 100, 200_000)] {
            let (publisher, mut client) = whole.start(Purpose::Publish, app);
            whole.input(publisher, &wire(&mut client, &headers()));
            for _ in 0..PLAYERS {
                whole.start(Purpose::Play, app);
            }
            let frame = |index| {
                let head: &[u8] = if index % 7_000 == 0 {
                    b"\x17\x01\0\0\0"
                } else {
                    b"\x27\x01\0\0\0"
                };
                Frame::video(
                    Timestamp::from_millis(index / 10),
                    [head, &vec![0; len]].concat().into(),
                )
            };
            for index in 0u32..frames {
                for input in wire(&mut client, &[frame(index)]) {
                    whole.server.handle_input(whole.now, publisher, &input);
                }
                while let Some(action) = whole.server.poll_action() {
                    if let Action::Wake(id) = action {
                        whole.server.output(whole.now, id);
                    }
                }
            }
            // Messages without an end, on as many chunk streams as it takes.
            for csid in 10..14 {
                let mut message = chunk(&Message {
                    csid: ChunkStreamId::new(csid).unwrap(),
                    msid: MessageStreamId(1),
                    type_id: MessageTypeId::VIDEO,
                    timestamp: Timestamp::ZERO,
                    payload: vec![0; 250_000].into(),
                });
                message.truncate(60_000);
                whole.server.handle_input(whole.now, publisher, &message);
            }
        }
        assert_eq!(whole.server.stats().connections, 2 * (1 + PLAYERS), "all are there");
        std::mem::forget(whole);
    }) as u64;
    assert!(held <= most, "{held} bytes, by the formula {most}");
    assert!(
        held >= most / 8,
        "{held} bytes, by the formula {most}: it says too much"
    );
}
