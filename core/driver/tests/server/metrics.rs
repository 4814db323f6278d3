//! What monitoring systems are told.

use crate::world::World;
use headwater_core::rtmp::Purpose::{Play, Publish};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Samples by name and labels, as they are written.
type Samples = BTreeMap<String, f64>;

impl World {
    fn metrics_text(&mut self, shard: usize, fields: &str) -> String {
        let client = self.operator(shard, "GET /metrics", &format!("Host: localhost\r\n{fields}"));
        String::from_utf8(self.clients[client].received.clone()).unwrap()
    }

    fn scrape(&mut self, shard: usize) -> Samples {
        let text = self.metrics_text(shard, "");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(
            head.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8"),
            "{head}"
        );
        let samples = body.lines().filter(|line| !line.starts_with('#'));
        samples
            .map(|line| {
                let (name, value) = line.rsplit_once(' ').unwrap();
                (name.to_owned(), value.parse().unwrap())
            })
            .collect()
    }
}

/// Whether a sample may only grow.
fn is_counter(name: &str) -> bool {
    let name = name.split('{').next().unwrap();
    ["_total", "_bucket", "_count", "_sum"]
        .iter()
        .any(|end| name.ends_with(end))
}

#[test]
fn metrics_are_what_all_workers_have() {
    for shards in [1, 2] {
        let mut world = World::new(shards, |_| {});
        let publisher = world.rtmp(0, Publish, "live", "x", 1);
        world.publish(publisher, "V A K0 a5 P40");
        let last = usize::from(shards) - 1;
        world.http_play(last, "/live/x");
        world.rtmp(0, Play, "live", "x", 2);
        world.http_play(last, "/live/absent");
        world.pass(Duration::from_millis(250));
        let samples = world.scrape(last);
        for (name, value) in [
            ("headwater_workers", f64::from(shards)),
            ("headwater_streams", 1.0),
            ("headwater_streams_published", 1.0),
            ("headwater_connections{protocol=\"rtmp\",role=\"publisher\"}", 1.0),
            ("headwater_connections{protocol=\"rtmp\",role=\"player\"}", 1.0),
            ("headwater_connections{protocol=\"http\",role=\"player\"}", 1.0),
            ("headwater_publishes_total", 1.0),
            ("headwater_plays_total", 2.0),
            ("headwater_refusals_total{action=\"play\",reason=\"absent\"}", 1.0),
            ("headwater_first_frame_seconds_count", 2.0),
            ("headwater_stream_publisher_connected{stream=\"live/x\"}", 1.0),
            ("headwater_stream_players{stream=\"live/x\",protocol=\"http\"}", 1.0),
            ("headwater_stream_players{stream=\"live/x\",protocol=\"rtmp\"}", 1.0),
            ("headwater_stream_frames_total{stream=\"live/x\",kind=\"video\"}", 3.0),
            ("headwater_stream_frames_total{stream=\"live/x\",kind=\"audio\"}", 2.0),
            ("headwater_stream_keyframes_total{stream=\"live/x\"}", 1.0),
            ("headwater_stream_last_frame_age_seconds{stream=\"live/x\"}", 0.25),
        ] {
            assert_eq!(samples.get(name), Some(&value), "{name} in {samples:#?}");
        }
        let info = samples
            .keys()
            .find(|name| name.starts_with("headwater_stream_info"))
            .unwrap();
        assert!(info.contains("video_codec=\"H.264\""), "{info}");
        assert!(
            samples["headwater_received_bytes_total{protocol=\"rtmp\"}"] > 3_000.0,
            "{samples:#?}"
        );
        assert!(samples["headwater_memory_limit_bytes"] >= samples["headwater_memory_held_bytes"]);
    }
}

/// Publishers come and go on either worker and players with them: while the name is kept, nothing goes back.
#[test]
fn counters_never_go_back_while_a_name_is_kept() {
    let mut world = World::new(2, |_| {});
    let mut before = Samples::new();
    let mut compare = |world: &mut World, when: &str| {
        let samples = world.scrape(1);
        for (name, value) in before.iter().filter(|(name, _)| is_counter(name)) {
            let now = samples.get(name).unwrap_or_else(|| panic!("{name} is gone: {when}"));
            assert!(now >= value, "{name} was {value} and is {now}: {when}");
        }
        before = samples;
    };
    let mut end = 0.0;
    for round in 0..6 {
        let publisher = world.http_push(round % 2, "/live/x", 1);
        world.push(publisher, "V A K0 a5 P40 a45 P80");
        compare(&mut world, "a publisher has come");
        let players = [world.http_play(0, "/live/x"), world.http_play(1, "/live/x")];
        world.push(publisher, "P120 a125 K160");
        compare(&mut world, "players have come");
        world.reset(players[round % 2]);
        compare(&mut world, "a player has left");
        world.reset(publisher);
        compare(&mut world, "the publisher has left");
        world.reset(players[(round + 1) % 2]);
        compare(&mut world, "all players have left");
        world.pass(Duration::from_secs(9));
        compare(&mut world, "nearly all of the grace time is over");
        end = world.scrape(0)["headwater_stream_frames_total{stream=\"live/x\",kind=\"video\"}"];
    }
    assert_eq!(end, 36.0);
    // It is forgotten with its name.
    world.pass(Duration::from_secs(2));
    let samples = world.scrape(0);
    assert!(samples.keys().all(|name| !name.contains("live/x")), "{samples:#?}");
}

#[test]
fn streams_that_are_not_named_are_summed_up() {
    for (named, lines) in [(0, 0), (2, 3), (5, 5), (100, 5)] {
        let mut world = World::new(2, |config| config.admin.metrics_streams = named);
        for number in 0..5 {
            let publisher = world.http_push(number % 2, &format!("/live/{number}"), 1);
            world.push(publisher, "V A K0 a5");
        }
        let samples = world.scrape(0);
        let prefix = "headwater_stream_received_bytes_total{";
        let bytes: Vec<_> = samples.iter().filter(|(name, _)| name.starts_with(prefix)).collect();
        assert_eq!(bytes.len(), lines, "{bytes:?}");
        if named == 2 {
            let of = |name: &str| samples[&format!("{prefix}stream=\"{name}\"}}")];
            assert_eq!(of("(other)"), 3.0 * of("live/0"));
        }
    }
}

/// Streams come and go with one that is named and several that are not: what the sum of those says never goes back, however
/// often somebody looks, and nothing of them is lost.
#[test]
fn the_sum_of_other_streams_never_goes_back() {
    for looks in [1, 2] {
        let mut world = World::new(2, |config| config.admin.metrics_streams = 1);
        let mut before = Samples::new();
        let mut compare = |world: &mut World, when: &str| {
            for look in 0..looks {
                let samples = world.scrape(look % 2);
                let others = before.iter().filter(|(name, _)| name.contains("(other)"));
                for (name, value) in others.filter(|(name, _)| is_counter(name)) {
                    let now = samples.get(name).unwrap_or_else(|| panic!("{name} is gone: {when}"));
                    assert!(now >= value, "{name} was {value} and is {now}: {when}");
                }
                before = samples;
            }
        };
        let publish = |world: &mut World, name: &str, shard| {
            let publisher = world.http_push(shard, &format!("/live/{name}"), 1);
            world.push(publisher, "V A K0 a5 P40");
            world.pass(Duration::from_millis(10));
            publisher
        };
        let mut publishers: Vec<_> = [("a", 0), ("b", 1), ("c", 0), ("d", 1)]
            .map(|(name, shard)| publish(&mut world, name, shard))
            .into();
        let player = world.http_play(0, "/live/b");
        compare(&mut world, "all are there");
        // Of those that are not named, one ends; then the one that is named, and the next has its place.
        for (round, (index, when)) in (1..).zip([(3, "d"), (0, "a"), (0, "b")]) {
            world.reset(publishers.remove(index));
            compare(&mut world, &format!("{when} is in its grace time"));
            world.pass(Duration::from_secs(11));
            for publisher in &publishers {
                world.push(*publisher, &format!("a{}", round * 11_000));
            }
            compare(&mut world, &format!("{when} is over"));
        }
        world.reset(player);
        // It comes and goes between two looks.
        let publisher = publish(&mut world, "e", 1);
        world.reset(publisher);
        world.pass(Duration::from_secs(11));
        compare(&mut world, "e has come and gone");
        let samples = world.scrape(0);
        let frames =
            |name: &str| samples[&format!("headwater_stream_frames_total{{stream=\"{name}\",kind=\"video\"}}")];
        // Of a, nobody saw anything but by its name.
        assert_eq!((frames("live/c"), frames("(other)")), (3.0, 4.0 * 3.0));
    }
}

#[test]
fn takeovers_stay_in_the_sum_of_other_streams() {
    let mut world = World::new(2, |config| {
        config.admin.metrics_streams = 1;
        config.takeover = headwater_core::server::Takeover::Always;
    });
    let first = world.http_push(0, "/live/first", 1);
    world.push(first, "V A K0 a5");
    world.pass(Duration::from_millis(10));
    let takeovers = "headwater_stream_takeovers_total{stream=\"(other)\"}";
    let last = [0, 1, 1, 0].map(|shard| {
        let publisher = world.http_push(shard, "/live/x", 1);
        world.push(publisher, "V A K0 a5");
        publisher
    })[3];
    assert_eq!(world.scrape(0)[takeovers], 3.0);
    world.reset(last);
    world.pass(Duration::from_secs(11));
    assert_eq!(world.scrape(1)[takeovers], 3.0);
}

#[test]
fn a_made_up_name_takes_no_metrics_from_another() {
    let mut world = World::new(2, |config| config.admin.metrics_streams = 1);
    let prefix = "headwater_stream_received_bytes_total{stream=";
    let publisher = world.http_push(1, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    world.pass(Duration::from_millis(100));
    for name in ["a", "b"] {
        let other = world.http_push(0, &format!("/live/{name}"), 1);
        world.push(other, "V A K0 a5");
    }
    let bytes = world.scrape(0)[&format!("{prefix}\"live/x\"}}")];
    // In its grace time, too, and when its publisher is back.
    world.reset(publisher);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.scrape(0)[&format!("{prefix}\"live/x\"}}")], bytes);
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    assert_eq!(world.scrape(0)[&format!("{prefix}\"live/x\"}}")], 2.0 * bytes);
}

#[test]
fn takeovers_stay_counted_in_the_grace_time() {
    let mut world = World::new(2, |config| config.takeover = headwater_core::server::Takeover::Always);
    let takeovers = "headwater_stream_takeovers_total{stream=\"live/x\"}";
    let publish = |world: &mut World, shard| {
        let publisher = world.http_push(shard, "/live/x", 1);
        world.push(publisher, "V A K0 a5");
        publisher
    };
    let last = [0, 1, 1].map(|shard| publish(&mut world, shard))[2];
    assert_eq!(world.scrape(0)[takeovers], 2.0);
    world.reset(last);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.scrape(1)[takeovers], 2.0);
    publish(&mut world, 0);
    assert_eq!(world.scrape(0)[takeovers], 2.0);
}

#[test]
fn no_metrics_come_of_a_worker_too_few() {
    let mut world = World::new(2, |_| {});
    world.stopped = Some(1);
    let client = world.operator(0, "GET /metrics", "Host: localhost\r\n");
    world.pass(Duration::from_secs(1));
    assert_eq!(world.status(client), "HTTP/1.1 503 Service Unavailable");
    world.stopped = None;
    world.pass(Duration::from_secs(1));
    assert_eq!(world.scrape(0)["headwater_workers"], 2.0);
}

#[test]
fn open_metrics_are_for_those_that_ask() {
    let mut world = World::new(1, |_| {});
    let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3\r\n";
    let text = world.metrics_text(0, accept);
    assert!(
        text.contains("Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{text}"
    );
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert!(
        text.contains("# TYPE headwater_plays counter\nheadwater_plays_total 0\n"),
        "{text}"
    );
}

#[test]
fn what_a_peer_made_up_is_no_label() {
    let mut world = World::new(1, |_| {});
    let client = world.http_push(0, "/live/a%22b", 1);
    world.push(client, "V A K0 a5");
    let text = world.metrics_text(0, "");
    assert!(text.contains("stream=\"live/a\\\"b\""), "{text}");
    for (name, _) in world.scrape(0) {
        let labels = name.split_once('{').map_or("", |(_, labels)| labels);
        assert!(!labels.contains("10.0.0"), "{name}");
    }
}

#[test]
fn each_connection_is_closed_once_for_one_reason() {
    let mut world = World::new(2, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let player = world.http_play(1, "/live/x");
    world.reset(player);
    let garbage = world.connect(1, headwater_core::server::Protocol::Rtmp, 7);
    world.send(garbage, b"GET / HTTP/1.1\r\n\r\n");
    world.connect(0, headwater_core::server::Protocol::Rtmp, 8);
    world.http_play(0, "/live/absent");
    world.pass(Duration::from_secs(30));
    world.reset(publisher);
    world.pass(Duration::from_secs(12));
    let samples = world.scrape(0);
    let closed: f64 = sum(&samples, "headwater_connections_closed_total{");
    // But for the one that asks.
    assert_eq!(
        closed,
        samples["headwater_connections_accepted_total"] - 1.0,
        "{samples:#?}"
    );
    for reason in ["reset", "protocol_error", "handshake_timeout", "closed"] {
        let is_it = |name: &&String| name.starts_with("headwater_connections_closed") && name.contains(reason);
        assert!(samples.keys().any(|name| is_it(&name)), "{reason} in {samples:#?}");
    }
    assert_eq!(
        sum(&samples, "headwater_plays_ended_total{"),
        samples["headwater_plays_total"]
    );
    assert_eq!(
        sum(&samples, "headwater_publishes_ended_total{"),
        samples["headwater_publishes_total"]
    );
}

fn sum(samples: &Samples, prefix: &str) -> f64 {
    samples
        .iter()
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(_, value)| value)
        .sum()
}

/// What the dashboard and the alert rules ask for is there.
#[test]
fn dashboard_and_alerts_name_only_what_there_is() {
    let mut world = World::new(2, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5 P40 K80");
    world.http_play(1, "/live/x");
    world.http_play(1, "/live/absent");
    let samples = world.scrape(0);
    // A family without a sample has its name in its description.
    let text = world.metrics_text(0, "");
    let described = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let known: BTreeSet<_> = (samples.keys().map(|name| name.split('{').next().unwrap()))
        .chain(described)
        .collect();
    for (file, least) in [
        (include_str!("../../monitoring/grafana.json"), 25),
        (include_str!("../../monitoring/alerts.yaml"), 6),
    ] {
        let words = file.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let names: BTreeSet<_> = words
            .filter(|word| word.starts_with("headwater_") || word.starts_with("process_"))
            .collect();
        assert!(names.len() >= least, "{names:?}");
        for name in names {
            assert!(known.contains(name), "{name} is not in {known:?}");
        }
    }
    serde_json::from_str::<serde_json::Value>(include_str!("../../monitoring/grafana.json")).unwrap();
}
