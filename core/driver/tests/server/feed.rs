//! What readers of events are told.

use crate::admin::Answered;
use crate::openapi::check_answer;
use crate::world::World;
use headwater_core::Limits;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::{Config, Protocol, Token};
use serde_json::{Value, json};
use std::time::Duration;

const HOST: &str = "Host: localhost\r\n";

/// An event as a reader got it.
#[derive(Debug)]
struct Read {
    id: String,
    name: String,
    data: Value,
}

fn world(shards: u16, change: impl FnOnce(&mut Config)) -> World {
    World::new(shards, |config| {
        config.admin.service = "5e47".into();
        config.admin.epoch = Duration::from_secs(1_000);
        change(config);
    })
}

impl World {
    /// A reader of events at a shard, which says in `query` which ones it wants.
    fn reader(&mut self, shard: usize, query: &str, fields: &str) -> usize {
        let client = self.connect(shard, Protocol::Admin, 1);
        let request = format!("GET /api/v1/events{query}");
        self.send(client, format!("{request} HTTP/1.0\r\n{HOST}{fields}\r\n").as_bytes());
        self.clients[client].asked_for = request;
        client
    }

    /// What a reader was sent behind the head, which is as the description says.
    fn sent_events(&self, client: usize) -> String {
        let client = &self.clients[client];
        let text = String::from_utf8(client.received.clone()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        check_answer(&client.asked_for, 200, head, body);
        body.to_owned()
    }

    /// All events that a reader got.
    fn read(&self, client: usize) -> Vec<Read> {
        let text = self.sent_events(client);
        let blocks = text.split_terminator("\n\n").filter(|block| *block != ":");
        let read = blocks.map(|block| {
            let field = |name| block.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            let read = Read {
                id: field("id: ").into(),
                name: field("event: ").into(),
                data: serde_json::from_str(field("data: ")).unwrap(),
            };
            assert_eq!(read.data["event"], *read.name);
            read
        });
        read.collect()
    }

    /// Their names.
    fn names(&self, client: usize) -> Vec<String> {
        self.read(client).into_iter().map(|read| read.name).collect()
    }

    /// How many events the reader got and, by its `missed`, how many it did not.
    fn counts(&self, client: usize) -> (usize, u64) {
        let read = self.read(client);
        let missed = read.iter().filter_map(|read| read.data["missed"].as_u64()).sum();
        let is_event = |read: &&Read| !["opened", "missed"].contains(&&*read.name);
        (read.iter().filter(is_event).count(), missed)
    }
}

/// A stream that begins on the first shard, is played on the last, and ends.
fn stream(world: &mut World, name: &str) {
    let publisher = world.rtmp(0, Publish, "live", &format!("{name}?key=s3cret"), 1);
    world.publish(publisher, "V A K0 a5");
    let last = world.shards.len() - 1;
    let player = world.http_play(last, &format!("/live/{name}?token=s3cret"));
    world.pass(Duration::from_secs(1));
    world.reset(player);
    world.reset(publisher);
    world.pass(Duration::from_secs(11));
}

const STREAM: [&str; 9] = [
    "connection_accepted",
    "publish_started",
    "stream_info",
    "connection_accepted",
    "play_started",
    "play_ended",
    "connection_closed",
    "publish_ended",
    "connection_closed",
];

#[test]
fn a_stream_is_told_to_readers_at_every_worker() {
    for shards in [1, 3] {
        let mut world = world(shards, |_| {});
        let readers: Vec<_> = (0..usize::from(shards))
            .map(|shard| world.reader(shard, "", ""))
            .collect();
        stream(&mut world, "x");
        for reader in readers {
            let expected = [&["opened"][..], &STREAM, &["stream_ended"]].concat();
            assert_eq!(world.names(reader), expected);
            let read = world.read(reader);
            let numbers = read
                .iter()
                .map(|read| read.id.strip_prefix("5e47-").unwrap().parse::<u64>().unwrap());
            let numbers: Vec<_> = numbers.collect();
            assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
            assert_eq!(read[0].data["missing_workers"], json!([]));
            assert_eq!(read[0].data["workers"], shards);
        }
    }
}

#[test]
fn an_event_has_the_names_of_the_other_answers() {
    let mut world = world(2, |_| {});
    let reader = world.reader(0, "?stream=live/x", "");
    stream(&mut world, "x");
    let read = world.read(reader);
    let data = |name: &str| &read.iter().find(|read| read.name == name).unwrap().data;
    let started = data("publish_started");
    let (id, now_ms) = (&started["client"]["id"], 1_001_000);
    let client = json!({"id": id, "ip": "10.0.0.1", "port": 40_000, "protocol": "rtmp"});
    assert_eq!(
        *started,
        json!({
            "event": "publish_started", "now_ms": now_ms, "worker": 0, "stream": "live/x", "client": client,
            "agent": started["agent"],
        })
    );
    assert_eq!(data("stream_info")["codecs"], "mp4a.40.2,avc1");
    assert_eq!(data("stream_info")["video"]["codec"], "H264");
    assert_eq!(data("stream_info")["audio"]["codec"], "AAC");
    assert_eq!(
        *data("publish_ended"),
        json!({
            "event": "publish_ended", "now_ms": now_ms + 1_000, "worker": 0, "stream": "live/x", "client": client,
            "cause": "eof", "lasted_ms": 1_000, "frames": 4, "recv_bytes": 24, "kbps": 0, "peak_players": 0,
            "repairs": {"timestamp_jumps": 0, "timestamps_raised": 0, "without_header": 0},
        })
    );
    let played = data("play_ended");
    assert_eq!(
        (&played["worker"], &played["client"]["protocol"]),
        (&json!(1), &json!("http"))
    );
    assert_eq!((&played["frames"], &played["missed"]), (&json!(4), &json!(0)));
}

#[test]
fn a_reader_gets_what_it_asks_for() {
    let mut world = world(2, |_| {});
    let of_stream = world.reader(0, "?stream=live%2Fx", "");
    let of_kind = world.reader(1, "?event=publish_started,publish_ended", "");
    let of_both = world.reader(1, "?event=play_started&stream=live/y", "");
    stream(&mut world, "x");
    stream(&mut world, "y");
    let names = world.names(of_stream);
    let about = STREAM.into_iter().filter(|name| !name.starts_with("connection"));
    let about: Vec<_> = about.collect();
    assert_eq!(names[1..names.len() - 1], about);
    assert_eq!(names.last().unwrap(), "stream_ended");
    let began = [
        "opened",
        "publish_started",
        "publish_ended",
        "publish_started",
        "publish_ended",
    ];
    assert_eq!(world.names(of_kind), began);
    assert_eq!(world.names(of_both), ["opened", "play_started"]);
    for (query, reason) in [
        ("?event=publish", "event is one of these"),
        ("?event=", "event is one of these"),
        ("?stream=x", "stream is app/name"),
    ] {
        let Answered { status, json, .. } = world.api(&format!("GET /api/v1/events{query}"));
        assert_eq!(status, 400);
        assert!(json["reason"].as_str().unwrap().starts_with(reason), "{json}");
    }
}

#[test]
fn refusals_takeovers_and_slow_players_are_told() {
    let mut world = world(1, |config| {
        config.channel.lag_max_age = Duration::from_secs(1);
        config.limits.output_high_water = 1_000;
        config.admin.token = Token::new("t0ken");
    });
    let reader = world.reader(0, "", "Authorization: Bearer t0ken\r\n");
    assert_eq!(world.api("GET /api/v1/streams").status, 401);
    let publisher = world.http_push(0, "/live/x?key=s3cret", 1);
    world.push(publisher, "V A K0 a5");
    world.http_play(0, "/live/absent?token=s3cret");
    let player = world.http_play(0, "/live/x");
    world.take(player, 0);
    for second in 1..9 {
        world.lag(publisher, player, second);
    }
    world.pass(Duration::from_secs(6));
    let other = world.http_push(0, "/live/x?key=s3cret", 1);
    world.push(other, "V K0");
    world.pass(Duration::from_secs(1));
    let read = world.read(reader);
    for (name, field, value) in [
        (
            "request_refused",
            "reason",
            "a token is needed: Authorization: Bearer TOKEN",
        ),
        ("play_refused", "reason", "no such stream"),
        ("player_too_slow", "limit", "age"),
        ("publisher_silent", "stream", "live/x"),
        ("publisher_replaced", "stream", "live/x"),
    ] {
        let found = read.iter().find(|read| read.name == name);
        let found = found.unwrap_or_else(|| panic!("{name}: {:?}", world.names(reader)));
        assert_eq!(found.data[field], value);
    }
    let text = world.sent_events(reader);
    assert!(!text.contains("s3cret") && !text.contains("t0ken"), "{text}");
}

#[test]
fn what_operators_do_themselves_is_no_event() {
    let mut world = world(2, |_| {});
    let reader = world.reader(0, "", "");
    for shard in [0, 1] {
        world.api_with(shard, "GET /api/v1/streams", HOST);
        let other = world.reader(shard, "", "");
        world.reset(other);
    }
    world.pass(Duration::from_millis(100));
    assert_eq!(world.names(reader), ["opened"]);
}

#[test]
fn a_comment_comes_every_five_seconds() {
    let mut world = world(1, |_| {});
    let reader = world.reader(0, "", "");
    let beats = |world: &World| world.sent_events(reader).matches("\n:\n").count();
    world.pass(Duration::from_millis(4_999));
    assert_eq!(beats(&world), 0);
    world.pass(Duration::from_millis(1));
    assert_eq!(beats(&world), 1);
    let steps = world.steps;
    world.pass(Duration::from_secs(60));
    assert_eq!(beats(&world), 13);
    assert!(world.steps - steps < 13 * 8, "{} steps", world.steps - steps);
    // Without readers nothing is due, once nobody is expected back.
    world.reset(reader);
    world.pass(Duration::from_secs(61));
    assert_eq!(world.due(), None);
}

#[test]
fn a_reader_that_comes_back_gets_what_it_has_missed() {
    let mut world = world(2, |_| {});
    let reader = world.reader(0, "?event=publish_started", "");
    stream(&mut world, "x");
    let last = world.read(reader).pop().unwrap().id;
    world.reset(reader);
    stream(&mut world, "y");
    let back = world.reader(
        1,
        "?event=publish_started,stream_ended",
        &format!("Last-Event-ID: {last}\r\n"),
    );
    stream(&mut world, "z");
    let names = [
        "opened",
        "stream_ended",
        "publish_started",
        "stream_ended",
        "publish_started",
        "stream_ended",
    ];
    assert_eq!(world.names(back), names);
    assert_eq!(world.read(back)[0].id, last);
}

#[test]
fn a_reader_that_was_away_for_long_is_told_so() {
    let unknown = |world: &mut World, id: &str| {
        let reader = world.reader(1, "", &format!("Last-Event-ID: {id}\r\n"));
        let missed = world.names(reader) == ["opened", "missed"];
        assert!(!missed || world.read(reader)[1].data["missed"].is_null());
        let last = world.read(reader).pop().unwrap().id;
        world.reset(reader);
        (missed, last)
    };
    let mut world = world(2, |_| {});
    for id in ["", "x", "5e47-", "5e47-99", "0-0", "-1", "5e47-18446744073709551615"] {
        let (missed, _) = unknown(&mut world, id);
        assert_eq!(missed, !id.is_empty(), "{id}");
    }
    let (_, last) = unknown(&mut world, "");
    assert!(!unknown(&mut world, &last).0, "it is back at once");
    world.pass(Duration::from_secs(59));
    assert!(!unknown(&mut world, &last).0, "it is back in time");
    world.pass(Duration::from_secs(61));
    let (missed, last) = unknown(&mut world, &last);
    assert!(missed, "nobody has kept what there was");
    assert!(!unknown(&mut world, &last).0, "it was told so");
}

#[test]
fn of_too_many_events_the_last_are_kept() {
    let mut world = world(1, |_| {});
    let reader = world.reader(0, "", "");
    let id = world.read(reader)[0].id.clone();
    world.reset(reader);
    for _ in 0..2_000 {
        world.http_play(0, "/live/absent");
    }
    let back = world.reader(0, "", &format!("Last-Event-ID: {id}\r\n"));
    let (seen, missed) = world.counts(back);
    assert_eq!(world.names(back)[1], "missed");
    assert!((500..=1_000).contains(&seen), "{seen}");
    assert_eq!(seen as u64 + missed, 2 * 2_000);
}

#[test]
fn a_reader_that_takes_nothing_holds_nobody_up() {
    let mut world = world(2, |config| config.admin.max_event_bytes = 16 << 10);
    let readers = [world.reader(0, "", ""), world.reader(1, "", "")];
    let held = |world: &World| -> usize { world.servers().map(|server| server.stats().memory_held).sum() };
    world.take(readers[0], 0);
    let before = held(&world);
    for _ in 0..500 {
        let player = world.http_play(1, "/live/absent");
        world.reset(player);
    }
    world.pass(Duration::from_secs(2));
    assert_eq!(world.counts(readers[1]), (1_500, 0));
    // The last events are kept anyway, and of the reader's own what it may have waiting.
    assert!(
        held(&world) - before < (256 + 16 + 64) << 10,
        "{}",
        held(&world) - before
    );
    world.take(readers[0], usize::MAX);
    let (seen, missed) = world.counts(readers[0]);
    assert!((20..100).contains(&seen), "{seen}");
    assert_eq!(seen as u64 + missed, 1_500);
    let told = world.read(readers[0]);
    assert_eq!(
        (&*told.last().unwrap().name, &told.last().unwrap().id),
        ("missed", &world.read(readers[1]).pop().unwrap().id)
    );
    // It goes on with what comes.
    world.http_play(0, "/live/absent");
    assert_eq!(world.counts(readers[0]).0, seen + 2);
}

#[test]
fn a_reader_whose_socket_is_full_for_long_is_ended() {
    let mut world = world(1, |_| {});
    let reader = world.reader(0, "", "");
    world.take(reader, 0);
    world.http_play(0, "/live/absent");
    let limits = Limits::default();
    world.pass(limits.stall_timeout * 2);
    assert!(world.clients[reader].is_closed());
}

#[test]
fn a_worker_that_is_stuck_is_named_and_holds_nobody_up() {
    let mut world = world(3, |_| {});
    world.stopped = Some(2);
    let reader = world.reader(1, "", "");
    assert!(world.clients[reader].received.is_empty());
    world.pass(Duration::from_secs(1));
    assert_eq!(world.read(reader)[0].data["missing_workers"], json!([2]));
    world.http_play(0, "/live/absent");
    assert_eq!(world.counts(reader).0, 2);
    world.stopped = None;
    world.pass(Duration::from_millis(100));
    world.http_play(2, "/live/absent");
    assert_eq!(world.counts(reader).0, 4, "its events come from then on");
}

/// Events come together at the first worker.
#[test]
fn events_that_come_together_too_late_are_counted() {
    let mut world = world(2, |_| {});
    let reader = world.reader(1, "", "");
    world.stopped = Some(0);
    for _ in 0..1_000 {
        let player = world.connect(1, Protocol::Http, 9);
        world.reset(player);
    }
    let held = world.servers().map(|server| server.stats().memory_held).sum::<usize>();
    assert!(held < 2 << 20, "{held}");
    world.stopped = None;
    world.pass(Duration::from_secs(1));
    let player = world.connect(1, Protocol::Http, 9);
    world.reset(player);
    world.pass(Duration::from_secs(1));
    let (seen, missed) = world.counts(reader);
    assert!(missed > 100, "{missed}");
    assert_eq!(seen as u64 + missed, 2 * 1_001);
}

#[test]
fn so_many_may_read_and_no_more() {
    let mut world = world(1, |config| config.admin.max_event_readers = 2);
    let readers = [world.reader(0, "", ""), world.reader(0, "", "")];
    let refused = world.api("GET /api/v1/events");
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.json["reason"],
        "2 readers of events are connected to this worker"
    );
    world.reset(readers[0]);
    let next = world.reader(0, "", "");
    assert_eq!(world.names(next), ["opened"]);
}

#[test]
fn a_reader_is_let_in_as_every_operator_is() {
    let mut open = world(1, |_| {});
    let foreign = "Host: evil.example\r\n";
    assert_eq!(open.api_with(0, "GET /api/v1/events", foreign).status, 403);
    let page = "Host: localhost\r\nOrigin: http://evil.example\r\n";
    assert_eq!(open.api_with(0, "GET /api/v1/events", page).status, 403);
    assert_eq!(open.api("POST /api/v1/events").status, 405);
    let head = open.api("HEAD /api/v1/events");
    assert_eq!((head.status, &head.json), (200, &Value::Null));
    let mut guarded = world(1, |config| config.admin.token = Token::new("t0ken"));
    assert_eq!(guarded.api("GET /api/v1/events").status, 401);
    let reader = guarded.reader(0, "", "Authorization: Bearer t0ken\r\n");
    assert_eq!(guarded.names(reader), ["opened"]);
}

#[test]
fn readers_are_not_ended_to_make_room_for_operators() {
    let mut world = world(1, |config| config.admin.max_connections = 3);
    let reader = world.reader(0, "", "");
    for _ in 0..9 {
        assert_eq!(world.api("GET /api/v1/versions").status, 200);
    }
    assert!(!world.clients[reader].is_closed());
    stream(&mut world, "x");
    assert_eq!(world.names(reader).len(), 2 + STREAM.len());
}

#[test]
fn a_shutdown_ends_the_answer_and_admits_no_reader() {
    let mut world = world(2, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let client = world.connect(0, Protocol::Admin, 1);
    let request = format!("GET /api/v1/events?event=publish_ended HTTP/1.1\r\n{HOST}\r\n");
    world.send(client, request.as_bytes());
    let late = world.connect(1, Protocol::Admin, 1);
    world.shutdown();
    let text = String::from_utf8(world.clients[client].received.clone()).unwrap();
    assert!(
        text.contains("event: publish_ended") && text.ends_with("\r\n0\r\n\r\n"),
        "{text}"
    );
    assert!(world.clients[client].is_shut_down());
    world.send(late, request.as_bytes());
    assert_eq!(world.status(late), "HTTP/1.1 503 Service Unavailable");
    world.pass(Duration::from_secs(10));
    assert!(world.servers().all(|server| server.is_drained()));
}

#[test]
fn a_play_that_waits_is_told() {
    let mut world = world(1, |_| {});
    let reader = world.reader(0, "?stream=live/x", "");
    let player = world.rtmp(0, Play, "live", "x", 1);
    world.reset(player);
    let read = world.read(reader);
    assert_eq!(read[1].name, "play_waits");
    assert!(read[1].data["wait_ms"].as_u64() >= Some(1_000), "{read:?}");
}
