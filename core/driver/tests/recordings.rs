//! Every kind of failure, recorded on a shard in memory and played again: it is the same failure, with and without the payload,
//! from the accept and from a state in the middle.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

#[path = "../../tests/script/frames.rs"]
mod frames;
#[path = "../../tests/script/mod.rs"]
mod script;

use frames::tags;
use headwater_core::Time;
use headwater_core::rtmp::chunk::{ChunkEncoder, ChunkStreamId};
use headwater_core::server::record::{Ending, RecordConfig, Recording};
use headwater_core::server::{Config, Protocol, Server, ShardId};
use headwater_driver::memory::{MemoryWorker, Peer};
use std::sync::Arc;
use std::time::Duration;

/// One worker whose connections are recorded.
struct World {
    worker: MemoryWorker,
    now: Time,
    recordings: Vec<Recording>,
}

impl World {
    fn new(record: RecordConfig) -> World {
        World::with(record, |_| ())
    }

    fn with(record: RecordConfig, change: impl FnOnce(&mut Config)) -> World {
        let mut config = Config::default();
        config.record = Some(record);
        change(&mut config);
        World {
            worker: MemoryWorker::new(Server::new(Arc::new(config), ShardId(0), 1, 7)),
            now: Time::from_millis(12_345),
            recordings: Vec::new(),
        }
    }

    fn connect(&mut self, protocol: Protocol) -> Peer {
        let address = ([192, 0, 2, 1], 40_000).into();
        self.worker.connect(self.now, protocol, address).unwrap()
    }

    fn settle(&mut self) {
        for _ in 0..100_000 {
            let has_more = self.worker.serve(self.now, |_, _| ());
            self.recordings
                .extend(std::iter::from_fn(|| self.worker.server_mut().poll_recording()));
            if !has_more {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    fn send(&mut self, peer: &Peer, bytes: &[u8]) {
        peer.send(bytes);
        self.settle();
    }

    /// Lets time pass, from deadline to deadline.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.worker.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.worker.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
        self.settle();
    }
}

/// An RTMP client.
struct Rtmp {
    peer: Peer,
    encoder: ChunkEncoder,
}

impl Rtmp {
    fn new(world: &mut World) -> Rtmp {
        let peer = world.connect(Protocol::Rtmp);
        world.send(&peer, &[&[3][..], &[0; 1_536]].concat());
        world.send(&peer, &[0; 1_536]);
        let encoder = ChunkEncoder::new();
        Rtmp { peer, encoder }
    }

    fn connected(world: &mut World) -> Rtmp {
        let mut client = Rtmp::new(world);
        client.say(world, r#"connect(1, {app="live", tcUrl="rtmp://localhost/live"})"#);
        client.say(world, "createStream(2)");
        client
    }

    fn say(&mut self, world: &mut World, text: &str) {
        let bytes = script::to_chunks(&script::parse_all(text), &mut self.encoder);
        world.send(&self.peer, &bytes);
    }

    fn publisher(world: &mut World) -> Rtmp {
        let mut client = Rtmp::connected(world);
        client.say(world, r#"publish(3, "cam", "live") msid=1"#);
        client.say(world, "video(0, 17000000000164) msid=1");
        for millis in 0..100 {
            client.say(world, &format!("video({}, 170100000000) msid=1 pad=900", millis * 40));
            world.pass(Duration::from_millis(40));
        }
        client
    }
}

fn http(world: &mut World, input: &[u8]) -> Peer {
    let peer = world.connect(Protocol::Http);
    world.send(&peer, input);
    peer
}

/// A push by HTTP of a few tags, and what is behind them.
fn push(world: &mut World, framing: &str, rest: &[u8]) -> Peer {
    let head = format!("POST /live/cam HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n");
    let peer = http(world, head.as_bytes());
    world.send(
        &peer,
        &[&b"FLV\x01\x05\0\0\0\x09\0\0\0\0"[..], &tags("A V K a a")].concat(),
    );
    world.send(&peer, rest);
    peer
}

/// A WebSocket player's request.
const UPGRADE: &[u8] = b"GET /live/cam HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

type Case = (&'static str, fn(&mut World));

/// What goes wrong, and how.
const CASES: &[Case] = &[
    ("rtmp-", |world| {
        let peer = world.connect(Protocol::Rtmp);
        world.send(&peer, b"GET / HTTP/1.1\r\n\r\n");
    }),
    (
        "rtmp-message-of-bytes-exceeds-the-limit-of-bytes-on-chunk-stream",
        |world| {
            let client = Rtmp::connected(world);
            world.send(&client.peer, b"\x03\0\0\0\xff\xff\xff\x09\0\0\0\0");
        },
    ),
    ("rtmp-", |world| {
        let client = Rtmp::publisher(world);
        world.send(&client.peer, &[0xE9; 100]);
    }),
    ("rtmp-command-before-connect", |world| {
        Rtmp::new(world).say(world, "createStream(1)");
    }),
    ("rtmp-second-connect-on-one-connection", |world| {
        Rtmp::connected(world).say(world, r#"connect(1, {app="live"})"#);
    }),
    // The end of its play is reported when its time is over, and not with the input that comes next.
    ("rtmp-message-of-bytes-exceeds", |world| {
        let mut client = Rtmp::connected(world);
        client.say(world, r#"play(3, "absent") msid=1"#);
        world.pass(Duration::from_secs(20));
        client.say(world, r#"createStream(4) + publish(5, "cam", "live") msid=2"#);
        world.pass(Duration::from_secs(11));
        client.say(world, "createStream(6)");
        world.send(&client.peer, b"\x03\0\0\0\xff\xff\xff\x09\0\0\0\0");
    }),
    ("rtmp-more-than-message-streams", |world| {
        let mut client = Rtmp::connected(world);
        for _ in 0..20 {
            client.say(world, "createStream(3)");
        }
    }),
    ("rtmp-bytes-of-media-outside-of-any-publish", |world| {
        let mut client = Rtmp::connected(world);
        for _ in 0..90 {
            client.say(world, "video(0, 2701) msid=1 pad=100000");
        }
    }),
    ("rtmp-messages-in-bytes-within-a-second", |world| {
        let mut client = Rtmp::publisher(world);
        client.say(world, "audio(0, af01) msid=1");
        // The same again and again, by headers that inherit all.
        let again = 0xC0 | u8::try_from(ChunkStreamId::AUDIO.get()).unwrap();
        world.send(&client.peer, &[again, 0xAF, 1].repeat(60_000));
    }),
    ("rtmp-handshake-timeout", |world| {
        world.connect(Protocol::Rtmp);
        world.pass(Duration::from_secs(11));
    }),
    ("rtmp-command-timeout", |world| {
        Rtmp::connected(world);
        world.pass(Duration::from_secs(20));
    }),
    ("rtmp-idle-timeout", |world| {
        Rtmp::publisher(world);
        world.pass(Duration::from_secs(40));
    }),
    ("rtmp-stall-timeout", |world| {
        let mut camera = Rtmp::publisher(world);
        let mut player = Rtmp::connected(world);
        player.say(world, r#"play(3, "cam") msid=1"#);
        player.peer.set_window(5_000);
        for millis in 100..800 {
            camera.say(world, &format!("video({}, 170100000000) msid=1 pad=900", millis * 40));
            world.pass(Duration::from_millis(40));
        }
    }),
    ("rtmp-more-than-requests-in-a-second", |world| {
        let mut client = Rtmp::connected(world);
        for _ in 0..120 {
            client.say(world, r#"play(0, "cam") msid=1 + closeStream(0) msid=1"#);
        }
    }),
    ("http-first-byte-is-not-http", |world| {
        http(world, b"\x16\x03\x01");
    }),
    ("http-malformed-request-head", |world| {
        http(world, b"GET /\n\n\n\n");
    }),
    ("http-command-timeout", |world| {
        http(world, b"GET /live/x HTTP/1.1\r\nHo");
        world.pass(Duration::from_secs(11));
    }),
    ("http-more-than-requests-in-a-second", |world| {
        let peer = http(world, b"");
        for _ in 0..120 {
            world.send(&peer, b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
        }
    }),
    ("http-more-than-bytes-behind-a-request-under-way", |world| {
        let peer = http(world, b"GET /live/x?wait=60 HTTP/1.1\r\nHost: x\r\n\r\n");
        world.send(&peer, &[b'G'; 20_000]);
    }),
    ("http-not-an-flv-stream-it-begins-with", |world| {
        http(
            world,
            b"POST /live/cam HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nGIF89a, a picture",
        );
    }),
    ("http-flv-tag-of-bytes-exceeds-the-limit-of-bytes", |world| {
        push(
            world,
            "Content-Length: 100000",
            &b"\x09\xff\xff\xff\0\0\0\0\0\0\0".repeat(2),
        );
    }),
    ("http-the-content-ends-inside-a-tag", |world| {
        let content = 13 + tags("A V K a a").len() + 8;
        push(world, &format!("Content-Length: {content}"), b"\x09\0\0\x08\0\0\0\0");
    }),
    ("http-the-content-has-no-audio-video-or-script-tag", |world| {
        let head = b"POST /live/cam HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0";
        http(world, head);
    }),
    ("http-", |world| {
        let head = b"POST /live/cam HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0zz";
        http(world, head);
    }),
    ("http-idle-timeout", |world| {
        push(world, "Content-Length: 100000", b"");
        world.pass(Duration::from_secs(40));
    }),
    ("http-stall-timeout", |world| {
        let camera = push(world, "Content-Length: 100000000", b"");
        let player = http(world, b"GET /live/cam HTTP/1.1\r\nHost: x\r\n\r\n");
        player.set_window(500);
        for _ in 0..3_000 {
            world.send(&camera, &tags("K:500 P:500"));
            world.pass(Duration::from_millis(10));
        }
    }),
    ("http-unmasked-websocket-frame-from-a-client", |world| {
        push(world, "Content-Length: 100000", b"");
        let player = http(world, UPGRADE);
        world.send(&player, b"\x89\x80\0\0\0\0");
        world.send(&player, b"\x89\0");
    }),
];

/// Fails as `case` says and plays what was recorded.
fn check(case: &Case, record: &RecordConfig) -> Recording {
    let (kind, play) = case;
    println!("{kind}");
    let mut world = World::new(record.clone());
    play(&mut world);
    // A publisher that nobody watches is read a little later.
    world.pass(Duration::from_millis(200));
    let [recording] = world.recordings.as_slice() else {
        panic!("{kind}: {} recordings", world.recordings.len());
    };
    assert!(
        recording.kind().starts_with(kind),
        "{}: {}",
        recording.kind(),
        recording.reason()
    );
    let same = Ok(Ending::Failed(recording.reason().into()));
    if recording.replay() != same {
        recording.transcript(|line| println!("{line}"));
    }
    assert_eq!(recording.replay(), same);
    let read = Recording::from_bytes(&recording.to_bytes()).unwrap();
    assert_eq!(read, *recording);
    assert_eq!(recording.without_payload().unwrap().replay(), same);
    read
}

#[test]
fn each_failure_is_the_same_when_it_is_played_again() {
    for case in CASES {
        check(case, &RecordConfig::default());
    }
}

#[test]
fn a_play_may_begin_in_the_middle() {
    let mut record = RecordConfig::default();
    record.span = Duration::from_secs(1);
    let began_later = CASES
        .iter()
        .filter(|case| {
            let mut has_state = false;
            check(case, &record).transcript(|line| has_state |= line.contains("it had said more"));
            has_state
        })
        .count();
    assert!(began_later >= 6, "{began_later}");
}

/// The handshake's answer is more than may wait, but what comes with its question was taken at once.
#[test]
fn payload_is_left_out_though_much_waits_to_be_sent() {
    let mut world = World::with(RecordConfig::default(), |config| config.limits.output_high_water = 500);
    let client = world.connect(Protocol::Rtmp);
    client.set_window(0);
    let connect = r#"connect(1, {app="live", tcUrl="rtmp://localhost/live"}) + createStream(2)"#;
    let connect = script::to_chunks(&script::parse_all(connect), &mut ChunkEncoder::new());
    world.send(&client, &[&[3][..], &[0; 3_072], &connect].concat());
    client.set_window(usize::MAX);
    world.pass(Duration::from_secs(40));
    let [recording] = world.recordings.as_slice() else {
        panic!("{} recordings", world.recordings.len());
    };
    assert!(recording.without_payload().is_ok());
}
