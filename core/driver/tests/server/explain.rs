//! Why a player sees nothing, as an operator is told.

use crate::world::World;
use headwater_core::StreamKey;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::{Kick, Protocol};
use serde_json::Value;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

impl World {
    /// What `live/x` is explained by, asked of any worker.
    fn explained(&mut self, client: Option<usize>) -> Value {
        let client = client.map_or_else(String::new, |client| format!("&client={}", self.id(client)));
        let answer = self.api(&format!("GET /api/v1/explain?stream=live/x{client}"));
        assert_eq!(answer.status, 200, "{}", answer.json);
        answer.json["explanation"].clone()
    }

    #[track_caller]
    fn expect(&mut self, client: Option<usize>, case: &str, sentence: &str) {
        let explained = self.explained(client);
        assert_eq!(
            (&explained["case"], &explained["verdict"]),
            (&case.into(), &sentence.into()),
            "{explained:#}"
        );
        assert_eq!(explained["is_fine"], case == "well");
    }
}

/// A fact of an explanation.
fn fact(explained: &Value, what: &str) -> String {
    let facts = explained["facts"].as_array().unwrap();
    let fact = facts.iter().find(|fact| fact["what"] == what);
    let value = fact.unwrap_or_else(|| panic!("no {what}: {explained:#}"))["value"].as_str();
    value.unwrap().into()
}

#[test]
fn a_stream_that_is_well_is_explained_by_its_facts() {
    let mut world = World::new(2, |_| {});
    let publisher = world.rtmp(0, Publish, "live", "x?key=s3cret", 1);
    world.publish(publisher, "V A K0 a5");
    let player = world.http_play(1, "/live/x?token=s3cret");
    world.pass(SECOND);
    world.publish(publisher, "P1000 K1040 a1045");
    world.pass(Duration::from_millis(300));
    let sentence = "all is well here: the last frame of live/x came 0.3 s ago, and 1 player gets it";
    world.expect(None, "well", sentence);
    let (number, explained) = (world.id(player), world.explained(Some(player)));
    let sentence = format!("all is well here: frames of live/x went out to connection {number} 0.3 s ago");
    assert_eq!(
        (&explained["case"], &explained["verdict"]),
        (&"well".into(), &sentence.into())
    );
    for (what, value) in [
        ("publisher", "10.0.0.1:40000 by rtmp since 1.3 s, on worker 0"),
        (
            "headers",
            "video H.264, audio AAC; the last sequence header came 1.3 s ago",
        ),
        ("keyframes", "2; the first came 1.3 s ago, the last 0.3 s ago"),
        ("time between keyframes", "1.0 s"),
        ("last frame", "0.3 s ago"),
        ("frames", "4 video, 3 audio, 0 data"),
        ("flags of an FLV player", "audio and video"),
        ("players", "1 play, 0 wait for it to come"),
        ("client", "10.0.0.9:40000 by http, on worker 1, connected for 1.3 s"),
        ("role", "plays it"),
        ("waits for", "nothing"),
        ("lag", "0.0 s, 0 frames, 0 bytes"),
        ("last read", "1.3 s ago"),
        ("last write", "0.3 s ago"),
    ] {
        let found = fact(&explained, what);
        assert!(found.starts_with(value), "{what}: {found}");
    }
    assert!(!explained.to_string().contains("s3cret"));
}

#[test]
fn a_name_that_nobody_publishes_is_explained_with_similar_ones() {
    let mut world = World::new(2, |_| {});
    world.expect(None, "nobody_publishes", "nobody publishes live/x");
    for (shard, name) in [(0, "/live/y"), (1, "/studio/x"), (1, "/live/another")] {
        let publisher = world.http_push(shard, name, 1);
        world.push(publisher, "V A K0 a5");
    }
    let sentence = "nobody publishes live/x; a similar name is published: studio/x, live/y";
    world.expect(None, "nobody_publishes", sentence);
    assert_eq!(
        world.explained(None)["similar"],
        serde_json::json!(["studio/x", "live/y"])
    );
    // A player that waits for it is told the same.
    let player = world.rtmp(1, Play, "live", "x", 2);
    world.expect(Some(player), "nobody_publishes", sentence);
    let explained = world.explained(Some(player));
    assert_eq!(fact(&explained, "players"), "0 play, 1 wait for it to come");
    assert_eq!(fact(&explained, "role"), "waits for it to come");
}

#[test]
fn each_step_of_a_publish_is_told_apart() {
    for shard in [0, 1] {
        let mut world = World::new(2, |_| {});
        // A publisher without players would not be read at once.
        world.rtmp(0, Play, "live", "x", 2);
        let publisher = world.http_push(shard, "/live/x", 1);
        world.pass(SECOND);
        let sentence = "10.0.0.1:40000 wants to publish live/x, has been connected for 1.0 s and has sent no media";
        world.expect(None, "publisher_waits", sentence);
        let mut push = |script| {
            world.push(publisher, script);
            world.pass(SECOND);
            let explained = world.explained(None);
            ["case", "verdict"].map(|field| explained[field].as_str().unwrap().to_owned())
        };
        for (script, case, sentence) in [
            (
                "A a5",
                "sound_only",
                "live/x has sound only: no video frame has come in 1.0 s",
            ),
            (
                "P10",
                "without_header",
                "the video frames of live/x come without a sequence header, and no decoder can do without: 1 were left out",
            ),
            (
                "V P20",
                "no_keyframe",
                "no keyframe of live/x has come yet since 3.0 s, and players begin with one",
            ),
            (
                "K30",
                "well",
                "all is well here: the last frame of live/x came 1.0 s ago, and 1 player gets it",
            ),
        ] {
            assert_eq!(push(script), [case, sentence]);
        }
        world.pass(4 * SECOND);
        let sentence = "the last frame of live/x came 5.0 s ago, though its publisher is connected";
        world.expect(None, "silent", sentence);
        world.finish(publisher);
        world.pass(SECOND);
        let sentence = "the publisher of live/x left 1.0 s ago; its players wait 9.0 s more for it to come back";
        world.expect(None, "in_grace", sentence);
        world.pass(10 * SECOND);
        world.expect(None, "nobody_publishes", "nobody publishes live/x");
    }
}

#[test]
fn an_rtmp_publisher_may_have_the_name_and_send_nothing() {
    let mut world = World::new(2, |_| {});
    world.rtmp(1, Publish, "live", "x", 1);
    world.pass(SECOND);
    let sentence = "10.0.0.1:40000 by rtmp publishes live/x since 1.0 s and has sent no media yet";
    world.expect(None, "no_media", sentence);
}

#[test]
fn keyframes_that_come_too_seldom_are_found() {
    let mut world = World::new(1, |config| config.channel.gop_max_frames = 4);
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5 P40 P80 P120 P160");
    let explained = world.explained(None);
    assert_eq!(explained["case"], "keyframes_too_far_apart");
    let sentence = explained["verdict"].as_str().unwrap();
    assert!(
        sentence.contains("more than the GOP cache holds (32 MiB, 4 frames, 600.0 s)"),
        "{sentence}"
    );
}

#[test]
fn what_a_player_waits_for_is_told() {
    let mut world = World::new(2, |config| config.channel.gop_cache = false);
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let player = world.rtmp(1, Play, "live", "x", 2);
    let sentence = format!(
        "connection {} gets no video of live/x: it waits for a keyframe",
        world.id(player)
    );
    world.expect(Some(player), "player_waits", &sentence);
    world.push(publisher, "K40");
    assert_eq!(world.explained(Some(player))["case"], "well");
}

#[test]
fn a_player_that_takes_nothing_is_found() {
    let mut world = World::new(2, |config| config.limits.output_high_water = 100);
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let player = world.http_play(1, "/live/x");
    world.take(player, 0);
    for second in 1..=5 {
        world.pass(SECOND);
        world.push(publisher, &format!("K{}", second * 1_000));
    }
    let explained = world.explained(Some(player));
    assert_eq!(explained["case"], "player_takes_nothing", "{explained:#}");
    assert_eq!(fact(&explained, "last write"), "5.0 s ago");
    // Once it takes something again, it is one that was too slow, if it has missed anything.
    world.take(player, usize::MAX);
    let after = world.explained(Some(player));
    assert_ne!(after["case"], "player_takes_nothing", "{after:#}");
    assert_eq!(fact(&after, "last write"), "0.0 s ago");
}

#[test]
fn a_ban_explains_who_is_kept_away() {
    let mut world = World::new(2, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let ban = Kick::stream(StreamKey::new("live/x").unwrap()).with_ban(60 * SECOND);
    world.shards[0].server_mut().kick(world.now, &ban);
    world.settle();
    world.pass(18 * SECOND);
    world.expect(
        None,
        "banned",
        "an operator keeps everybody from live/x for 42.0 s more",
    );
    let again = world.http_push(1, "/live/x", 1);
    let explained = world.explained(Some(again));
    let refusal = fact(&explained, "refusal");
    assert!(
        refusal.contains("may not publish, 0.0 s ago") && refusal.ends_with("(banned)"),
        "{refusal}"
    );
}

#[test]
fn the_rule_that_refused_is_named() {
    let mut world = World::new(2, |config| config.takeover = headwater_core::server::Takeover::Never);
    let player = world.http_play(1, "/live/x");
    let number = world.id(player);
    world.pass(SECOND);
    // It has left, and is remembered.
    let sentence =
        format!("connection {number} may not play live/x: 1.0 s ago it was told that no such stream (absent)");
    let explained = world.explained(Some(player));
    assert_eq!(explained["verdict"], sentence, "{explained:#}");
    let first = world.http_push(0, "/live/x", 1);
    world.push(first, "V A K0 a5");
    let second = world.http_push(1, "/live/x", 2);
    world.push(second, "V A K0 a5");
    let explained = world.explained(Some(second));
    assert_eq!(explained["case"], "client_refused", "{explained:#}");
    assert!(fact(&explained, "refusal").ends_with("(taken)"));
}

#[test]
fn refusals_without_end_are_remembered_within_bounds() {
    let mut world = World::new(1, |config| config.limits.max_requests_per_second = u32::MAX);
    for _ in 0..600 {
        world.http_play(0, "/live/x");
    }
    let explained = world.explained(None);
    let facts = explained["facts"].as_array().unwrap();
    assert_eq!(facts.iter().filter(|fact| fact["what"] == "refusal").count(), 5);
    // The last 256 are remembered, the first is not.
    assert_eq!(world.explained(Some(599))["case"], "client_refused");
    let first = world.id(0);
    assert_eq!(
        world
            .api(&format!("GET /api/v1/explain?stream=live/x&client={first}"))
            .status,
        404
    );
}

#[test]
fn a_worker_that_does_not_answer_is_named() {
    let mut world = World::new(2, |_| {});
    world.stopped = Some(1);
    let client = world.operator(0, "GET /api/v1/explain?stream=live/x", "Host: localhost\r\n");
    world.pass(SECOND);
    let explained = world.answered(client).unwrap().json;
    assert_eq!(explained["missing_workers"], serde_json::json!([1]));
    assert_eq!(explained["explanation"]["case"], "worker_missing");
    let client = world.operator(0, "GET /api/v1/explain?stream=live/x&client=999", "Host: localhost\r\n");
    world.pass(SECOND);
    assert_eq!(world.answered(client).unwrap().status, 503);
}

#[test]
fn a_question_that_makes_no_sense_is_told_why() {
    let mut world = World::new(2, |_| {});
    let operator = world.connect(0, Protocol::Admin, 1);
    let own = world.id(operator);
    let long = "x".repeat(600);
    for (query, status) in [
        ("", 400),
        ("?stream=", 400),
        ("?stream=x", 400),
        ("?stream=live/..", 400),
        ("?stream=live/%00", 400),
        (&format!("?stream=live/{long}"), 400),
        ("?stream=live/x&client=", 400),
        ("?stream=live/x&client=-1", 400),
        ("?stream=live/x&client=007", 400),
        ("?stream=live/x&client=4294967296", 400),
        ("?stream=live/x&client=999", 404),
        // Operators are nobody's players.
        (&format!("?stream=live/x&client={own}"), 404),
        ("?stream=/live/x.flv", 200),
        ("?stream=live%2Fx", 200),
    ] {
        let answer = world.api(&format!("GET /api/v1/explain{query}"));
        assert_eq!(answer.status, status, "{query}: {}", answer.json);
        match status {
            200 => assert_eq!(answer.json["explanation"]["stream"], "live/x"),
            _ => assert!(answer.json["reason"].as_str().is_some_and(|reason| !reason.is_empty())),
        }
    }
    // It may be the name that is listed, whatever that ends with.
    let answer = world.api("GET /api/v1/explain?stream=live/x.flv");
    assert_eq!(answer.json["explanation"]["stream"], "live/x.flv");
    assert_eq!(world.api("GET /api/v1/explain/live/x?stream=live/x").status, 404);
    assert_eq!(
        world
            .api_with(0, "DELETE /api/v1/explain?stream=live/x", crate::admin::JSON)
            .status,
        405
    );
}
