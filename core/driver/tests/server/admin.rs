//! The operator's API.

use crate::openapi::check_answer;
use crate::rtmp::Caller;
use crate::world::World;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::{Protocol, Token};
use serde_json::Value;
use std::time::Duration;

/// What was answered: the status, the head and the content.
pub(crate) struct Answered {
    pub(crate) status: u16,
    head: String,
    pub(crate) json: Value,
}

impl World {
    /// An operator that has sent its request, `GET /path` and header fields.
    pub(crate) fn operator(&mut self, shard: usize, request: &str, fields: &str) -> usize {
        let client = self.connect(shard, Protocol::Admin, 1);
        self.request(client, request, fields);
        client
    }

    fn request(&mut self, client: usize, request: &str, fields: &str) {
        request.clone_into(&mut self.clients[client].asked_for);
        self.send(client, format!("{request} HTTP/1.1\r\n{fields}\r\n").as_bytes());
    }

    /// What it was answered first, which is as the description of the API says; `None` as long as nothing has come.
    pub(crate) fn answered(&self, client: usize) -> Option<Answered> {
        let text = String::from_utf8(self.clients[client].received.clone()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        check_answer(&self.clients[client].asked_for, status, head, body);
        Some(Answered {
            status,
            head: head.to_ascii_lowercase(),
            json: serde_json::from_str(body).unwrap_or(Value::Null),
        })
    }

    /// Asks on a connection of its own.
    pub(crate) fn api(&mut self, request: &str) -> Answered {
        self.api_with(0, request, "Host: localhost\r\n")
    }

    pub(crate) fn api_with(&mut self, shard: usize, request: &str, fields: &str) -> Answered {
        let client = self.operator(shard, request, fields);
        self.answered(client).unwrap()
    }
}

pub(crate) const JSON: &str = "Host: localhost\r\nContent-Type: application/json\r\n";

/// A publisher of `live/x` on one shard and players of it on both, by HTTP and RTMP.
fn streaming(shards: u16) -> (World, usize, [usize; 2]) {
    let mut world = World::new(shards, |_| {});
    let publisher = world.rtmp(0, Publish, "live", "x?key=s3cret", 1);
    world.publish(publisher, "V A K0 a5");
    let last = usize::from(shards) - 1;
    let by_http = world.http_play(last, "/live/x?token=s3cret");
    let by_rtmp = world.rtmp(0, Play, "live", "x?token=s3cret", 2);
    (world, publisher, [by_http, by_rtmp])
}

#[test]
fn a_stream_is_listed_as_consoles_know_it() {
    for shards in [1, 2] {
        let (mut world, publisher, _) = streaming(shards);
        for second in 1..=4 {
            world.pass(Duration::from_secs(1));
            let frames = (0..10).map(|tenth| {
                let time = second * 1_000 + tenth * 100;
                format!("{}{time} a{time}", if tenth == 0 { 'K' } else { 'P' })
            });
            world.publish(publisher, &frames.collect::<Vec<_>>().join(" "));
        }
        world.pass(Duration::from_millis(250));
        let Answered { status, json, .. } = world.api("GET /api/v1/streams");
        assert_eq!((status, &json["code"], &json["total"]), (200, &0.into(), &1.into()));
        let stream = &json["streams"][0];
        for (field, expected) in [
            ("id", "live/x"),
            ("app", "live"),
            ("name", "x"),
            ("url", "/live/x"),
            ("tcUrl", "rtmp://__defaultVhost__/live"),
        ] {
            assert_eq!(stream[field], expected);
        }
        assert_eq!(stream["publish"]["active"], true);
        assert_eq!(stream["publish"]["cid"], world.id(publisher).to_string());
        assert_eq!((&stream["clients"], &stream["players"]), (&3.into(), &2.into()));
        assert_eq!(stream["frames"], 84);
        assert_eq!(stream["frames_by_kind"]["keyframe"], 5);
        assert_eq!(
            (&stream["gop"]["seconds"], &stream["gop"]["pictures"]),
            (&1.0.into(), &10.into())
        );
        assert_eq!(stream["last_frame_age_ms"], 250);
        let rate = stream["frame_rate"]["measured"].as_f64().unwrap();
        assert!((9.0..11.0).contains(&rate), "{rate}");
        assert_eq!(stream["video"]["codec"], "H264");
        assert_eq!(stream["publisher"]["worker"], 0);
        assert!(stream["send_bytes"].as_u64() > stream["recv_bytes"].as_u64());
    }
}

#[test]
fn clients_of_all_workers_are_listed_in_pages() {
    let (mut world, publisher, players) = streaming(2);
    let ids = |json: &Value| -> Vec<String> {
        let clients = json["clients"].as_array().unwrap();
        clients.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = world.api_with(1, "GET /api/v1/clients", "Host: localhost\r\n").json;
    assert_eq!((&all["total"], &all["workers"]), (&3.into(), &2.into()));
    let mut expected = [publisher, players[0], players[1]].map(|client| world.id(client).to_string());
    expected.sort_by_key(|id| id.parse::<u32>().unwrap());
    assert_eq!(ids(&all), expected);
    for (query, expected) in [
        ("?start=1", &expected[1..]),
        ("?count=2", &expected[..2]),
        ("?start=1&count=1", &expected[1..2]),
        ("?start=9", &[]),
    ] {
        let page = world.api(&format!("GET /api/v1/clients{query}")).json;
        assert_eq!(
            (ids(&page).as_slice(), &page["total"]),
            (expected, &3.into()),
            "{query}"
        );
    }
    let of_stream = |stream: &str| format!("GET /api/v1/clients?stream={stream}");
    assert_eq!(ids(&world.api(&of_stream("live/x")).json), ids(&all));
    assert_eq!(ids(&world.api(&of_stream("live%2Fx")).json), ids(&all));
    assert!(ids(&world.api(&of_stream("live/y")).json).is_empty());
    let player = world.id(players[0]);
    let one = world.api(&format!("GET /api/v1/clients/{player}")).json;
    let client = &one["client"];
    assert_eq!(
        (&client["type"], &client["publish"]),
        (&"flv-play".into(), &false.into())
    );
    assert_eq!((&client["ip"], &client["worker"]), (&"10.0.0.9".into(), &1.into()));
    assert_eq!(
        (&client["role"], &client["lag"]["frames"]),
        (&"plays".into(), &0.into())
    );
}

#[test]
fn a_player_that_lags_is_seen_to() {
    let mut world = World::new(1, |config| config.limits.output_high_water = 100);
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let player = world.http_play(0, "/live/x");
    world.clients[player].peer.set_window(0);
    for number in 1..50 {
        world.pass(Duration::from_millis(40));
        world.push(publisher, &format!("P{}", number * 40));
    }
    let id = world.id(player);
    let client = world.api(&format!("GET /api/v1/clients/{id}")).json["client"].clone();
    assert!(client["queue_bytes"].as_u64() > Some(0), "{client}");
    assert!(client["lag"]["ms"].as_u64() > Some(1_000), "{client}");
    assert!(client["lag"]["frames"].as_u64() > Some(30), "{client}");
}

#[test]
fn no_answer_has_a_secret_in_it() {
    let (mut world, ..) = streaming(2);
    for path in [
        "streams",
        "streams/live/x",
        "clients",
        "summaries",
        "versions",
        "explain?stream=live/x",
    ] {
        let client = world.operator(0, &format!("GET /api/v1/{path}"), "Host: localhost\r\n");
        let text = String::from_utf8(world.clients[client].received.clone()).unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn an_answer_waits_a_second_for_a_worker_and_names_it() {
    let (mut world, ..) = streaming(2);
    world.stopped = Some(1);
    let client = world.operator(0, "GET /api/v1/streams", "Host: localhost\r\n");
    assert!(world.answered(client).is_none());
    world.pass(Duration::from_millis(999));
    assert!(world.answered(client).is_none());
    world.pass(Duration::from_millis(1));
    let Answered { status, json, .. } = world.answered(client).unwrap();
    assert_eq!(status, 200);
    assert_eq!(json["missing_workers"], serde_json::json!([1]));
    assert_eq!(json["streams"][0]["id"], "live/x");
    // What only that one may have is not said not to be there.
    let client = world.operator(0, "GET /api/v1/clients/999", "Host: localhost\r\n");
    world.pass(Duration::from_secs(1));
    assert_eq!(world.answered(client).unwrap().status, 503);
    // Its answer comes too late, and does nothing.
    world.stopped = None;
    world.pass(Duration::from_secs(1));
    assert_eq!(
        world.api("GET /api/v1/streams").json["missing_workers"],
        serde_json::json!([])
    );
}

#[test]
fn an_operator_that_leaves_is_not_answered() {
    let (mut world, ..) = streaming(2);
    world.stopped = Some(1);
    let client = world.operator(0, "GET /api/v1/streams", "Host: localhost\r\n");
    world.reset(client);
    world.stopped = None;
    world.pass(Duration::from_secs(2));
    assert!(world.answered(client).is_none());
    assert_eq!(world.api("GET /healthz").status, 200);
}

#[test]
fn requests_follow_each_other_on_a_connection() {
    let (mut world, ..) = streaming(2);
    let client = world.operator(0, "GET /api/v1/streams", "Host: localhost\r\n");
    assert_eq!(world.answered(client).unwrap().status, 200);
    world.clients[client].received.clear();
    world.request(client, "GET /nothing", "Host: localhost\r\n");
    assert_eq!(world.answered(client).unwrap().status, 404);
    assert!(!world.clients[client].is_closed());
}

#[test]
fn a_client_is_kicked_wherever_it_is() {
    for of_publisher in [false, true] {
        let (mut world, publisher, players) = streaming(2);
        let client = if of_publisher { publisher } else { players[0] };
        let request = format!("DELETE /api/v1/clients/{}", world.id(client));
        let Answered { status, json, .. } = world.api_with(1, &request, JSON);
        assert_eq!((status, &json["kicked"]), (200, &1.into()));
        world.pass(Duration::from_secs(2));
        assert!(world.clients[client].is_closed());
        assert_eq!(world.api_with(1, &request, JSON).status, 404);
    }
}

#[test]
fn a_stream_is_kicked_and_kept_away() {
    let (mut world, publisher, players) = streaming(2);
    let Answered { status, json, .. } = world.api_with(1, "DELETE /api/v1/streams/live/x?ban=60", JSON);
    assert_eq!((status, &json["kicked"]), (200, &3.into()));
    world.pass(Duration::from_secs(2));
    assert!(
        [publisher, players[0], players[1]]
            .iter()
            .all(|it| world.clients[*it].is_closed())
    );
    let back = world.http_push(1, "/live/x", 7);
    world.push(back, "V A K0");
    assert_eq!(world.status(back), "HTTP/1.1 403 Forbidden");
    world.pass(Duration::from_secs(60));
    let back = world.http_push(1, "/live/x", 7);
    world.push(back, "V A K0");
    assert!(world.is_publishing(back));
}

#[test]
fn a_stream_is_kept_away_while_its_encoder_is() {
    let mut world = World::new(2, |_| {});
    let kick = "DELETE /api/v1/streams/live/x";
    assert_eq!(world.api_with(1, kick, JSON).status, 404);
    let Answered { status, json, .. } = world.api_with(1, &format!("{kick}?ban=60"), JSON);
    assert_eq!((status, &json["kicked"]), (200, &0.into()));
    let back = world.http_push(0, "/live/x", 7);
    world.push(back, "V A K0");
    assert_eq!(world.status(back), "HTTP/1.1 403 Forbidden");
    // A client is kept from what it has, and one that is not there has nothing.
    assert_eq!(world.api_with(1, "DELETE /api/v1/clients/999?ban=60", JSON).status, 404);
}

/// What the list of bans says: stream, address, seconds left and who gave it.
fn bans(world: &mut World, query: &str) -> Vec<(String, Option<String>, f64, Option<String>)> {
    let answer = world.api_with(1, &format!("GET /api/v1/bans{query}"), "Host: localhost\r\n");
    assert_eq!(
        (answer.status, &answer.json["missing_workers"]),
        (200, &serde_json::json!([]))
    );
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let list = answer.json["bans"].as_array().unwrap().iter();
    list.map(|ban| {
        let left = ban["seconds_left"].as_f64().unwrap();
        let stream = text(&ban["stream"]).unwrap();
        (stream, text(&ban["address"]), left, text(&ban["given_by"]))
    })
    .collect()
}

#[test]
fn bans_are_listed_and_lifted_on_all_workers() {
    let (mut world, publisher, players) = streaming(2);
    assert_eq!(bans(&mut world, ""), []);
    let operator = Some("10.0.0.1".to_owned());
    let by_client = format!("DELETE /api/v1/clients/{}?ban=60", world.id(players[0]));
    assert_eq!(world.api_with(0, &by_client, JSON).status, 200);
    world.pass(Duration::from_secs(10));
    assert_eq!(
        world.api_with(1, "DELETE /api/v1/streams/live/x?ban=30", JSON).status,
        200
    );
    let player = Some("10.0.0.9".to_owned());
    let both = [
        ("live/x".to_owned(), None, 30.0, operator.clone()),
        ("live/x".to_owned(), player, 50.0, operator),
    ];
    assert_eq!(bans(&mut world, ""), both);
    assert_eq!(bans(&mut world, "?start=1&count=5"), both[1..]);
    assert_eq!(bans(&mut world, "?search=10.0.0.9"), both[1..]);
    assert_eq!(bans(&mut world, "?search=LIVE"), both);
    world.pass(Duration::from_secs(2));
    assert!(world.clients[publisher].is_closed());
    for (lift, left) in [("live/x", 1), ("live/x?address=10.0.0.9", 0)] {
        let lift = format!("DELETE /api/v1/bans/{lift}");
        let Answered { status, json, .. } = world.api_with(1, &lift, JSON);
        assert_eq!((status, &json["lifted"]), (200, &1.into()), "{lift}");
        assert_eq!(bans(&mut world, "").len(), left);
        assert_eq!(world.api_with(0, &lift, JSON).status, 404);
    }
    for shard in [0, 1] {
        let back = world.http_push(shard, "/live/x", 9);
        world.push(back, "V A K0");
        assert!(world.is_publishing(back));
        world.reset(back);
    }
}

#[test]
fn a_ban_of_a_network_is_lifted_by_its_own_name() {
    let mut world = World::new(2, |_| {});
    world.api_with(0, "DELETE /api/v1/streams/live/x?ban=60", JSON);
    for (request, fields, status) in [
        ("GET /api/v1/bans/live/x", JSON, 405),
        ("DELETE /api/v1/bans/x", JSON, 404),
        ("DELETE /api/v1/bans/live/y", JSON, 404),
        ("DELETE /api/v1/bans/live/x?address=localhost", JSON, 400),
        ("DELETE /api/v1/bans/live/x?address=2001:db8::/64", JSON, 404),
        ("DELETE /api/v1/bans/live/x?address=2001:db8::%2F48", JSON, 400),
        ("DELETE /api/v1/bans/live/x", "Host: localhost\r\n", 415),
        ("DELETE /api/v1/bans/live/x", JSON, 200),
    ] {
        assert_eq!(world.api_with(0, request, fields).status, status, "{request}");
    }
}

#[test]
fn lists_are_searched_whatever_the_case() {
    let mut world = World::new(2, |_| {});
    for (number, name) in ["Studio-1", "studio-2", "camera"].into_iter().enumerate() {
        let publisher = world.http_push(number % 2, &format!("/live/{name}"), 1);
        world.push(publisher, "V A K0 a5");
    }
    world.http_play(1, "/live/camera");
    for (request, found) in [
        ("streams?search=studio", 2),
        ("streams?search=STUDIO&count=1", 2),
        ("streams?search=live%2Fcam", 1),
        ("streams?search=", 3),
        ("streams?search=10.0.0", 0),
        ("clients?search=camera", 2),
        ("clients?search=10.0.0.9", 1),
        ("clients?search=10.0.0.9&stream=live/studio-2", 0),
    ] {
        let list = world.api(&format!("GET /api/v1/{request}")).json;
        assert_eq!(list["total"], found, "{request}: {list}");
    }
}

#[test]
fn a_stream_is_found_by_the_name_that_is_listed() {
    for (path, listed, asked) in [
        ("/live/x.flv", "live/x", "live/x"),
        ("/live/x.flv.flv", "live/x.flv", "live/x.flv"),
        ("/live/x.flv/y", "live/x.flv/y", "live/x.flv/y"),
        ("/live/%3Fa=%23%25", "live/?a=#%", "live/%3Fa=%23%25"),
        (
            "/live/%22%3Cb%3E+%20%E2%80%AE",
            "live/\"<b>+ \u{202e}",
            "live/%22%3Cb%3E+%20%E2%80%AE",
        ),
    ] {
        let mut world = World::new(2, |_| {});
        let publisher = world.http_push(1, path, 1);
        world.push(publisher, "V A K0 a5");
        let id = world.api("GET /api/v1/streams").json["streams"][0]["id"].clone();
        assert_eq!(id, listed);
        let one = format!("/api/v1/streams/{asked}");
        assert_eq!(world.api(&format!("GET {one}")).json["stream"]["id"], listed);
        assert_eq!(world.api_with(0, &format!("DELETE {one}"), JSON).status, 200);
        world.pass(Duration::from_secs(2));
        assert!(world.clients[publisher].is_closed(), "{listed}");
    }
}

#[test]
fn takeovers_and_reconnects_are_told_apart() {
    let mut world = World::new(2, |config| config.takeover = headwater_core::server::Takeover::Always);
    for shard in [0, 1, 0] {
        let publisher = world.http_push(shard, "/live/x", 1);
        world.push(publisher, "V A K0 a5");
    }
    let stream = world.api("GET /api/v1/streams/live/x").json["stream"].clone();
    assert_eq!(
        (&stream["takeovers"], &stream["publish"]["active"]),
        (&2.into(), &true.into())
    );
}

#[test]
fn a_request_that_makes_no_sense_is_told_why() {
    let mut world = World::new(1, |_| {});
    for (request, status, error) in [
        ("GET /ui", 404, "not_found"),
        ("GET /ui/../api.js", 404, "not_found"),
        ("GET /api/v1/clients?stream=x", 400, "bad_request"),
        ("GET /api/v1", 404, "not_found"),
        ("GET /api/v1/nothing", 404, "not_found"),
        ("GET /api/v2/streams", 404, "not_found"),
        ("GET /api/v1/streams/x", 404, "not_found"),
        ("GET /api/v1/streams/live/absent", 404, "not_found"),
        ("GET /api/v1/clients/x", 404, "not_found"),
        ("GET /api/v1/clients/007", 404, "not_found"),
        ("GET /api/v1/clients/4294967296", 404, "not_found"),
        ("GET /api/v1/clients?start=-1", 400, "bad_request"),
        ("GET /api/v1/streams?count=many", 400, "bad_request"),
        ("OPTIONS /api/v1/streams", 405, "method_not_allowed"),
        ("DELETE /healthz", 405, "method_not_allowed"),
    ] {
        let Answered {
            status: got,
            json,
            head,
        } = world.api(request);
        assert_eq!(
            (got, &json["code"], &json["error"]),
            (status, &status.into(), &error.into()),
            "{request}"
        );
        assert!(json["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
        assert_eq!(head.contains("\r\nallow: get, head"), status == 405, "{head}");
        assert!(!head.contains("access-control"), "{head}");
    }
    for (request, status) in [
        ("POST /api/v1/streams", 405),
        ("PUT /api/v1/clients/1", 405),
        ("DELETE /api/v1/streams/live/x?ban=forever", 400),
        ("DELETE /api/v1/streams/live/x?ban=86401", 400),
        ("DELETE /api/v1/streams/live/x", 404),
    ] {
        assert_eq!(world.api_with(0, request, JSON).status, status, "{request}");
    }
}

#[test]
fn a_page_of_another_site_gets_nothing_and_changes_nothing() {
    let (mut world, publisher, _) = streaming(1);
    let kick = "DELETE /api/v1/streams/live/x";
    for (request, fields, status) in [
        ("GET /api/v1/streams", "Host: evil.example\r\n", 403),
        ("GET /api/v1/streams", "Host: evil.example:8081\r\n", 403),
        (kick, "Host: evil.example\r\nContent-Type: application/json\r\n", 403),
        (kick, "Host: localhost\r\n", 415),
        (kick, "Host: localhost\r\nContent-Type: text/plain\r\n", 415),
        (
            kick,
            "Host: localhost\r\nContent-Type: application/json\r\nOrigin: https://evil.example\r\n",
            403,
        ),
        // It cannot read an answer, and is to make no work.
        (
            "GET /api/v1/clients",
            "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n",
            403,
        ),
        ("GET /metrics", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n", 403),
        ("GET /metrics", "Host: localhost\r\nOrigin: null\r\n", 403),
        (
            "GET /metrics",
            "Host: localhost\r\nSec-Fetch-Site: same-origin\r\n",
            200,
        ),
        ("GET /api/v1/streams", "Host: 127.0.0.1:8081\r\n", 200),
        ("GET /api/v1/streams", "Host: [::1]:8081\r\n", 200),
    ] {
        assert_eq!(world.api_with(0, request, fields).status, status, "{request} {fields}");
    }
    assert!(world.is_publishing(publisher));
    let own = "Host: localhost:1\r\nOrigin: http://localhost:1\r\nContent-Type: application/json; charset=utf-8\r\n";
    assert_eq!(world.api_with(0, kick, own).status, 200);
}

#[test]
fn with_a_token_nothing_goes_without_it() {
    let mut world = World::new(2, |config| config.admin.token = Token::new("s3cret"));
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let kick = "DELETE /api/v1/streams/live/x";
    for (request, fields, status) in [
        ("GET /api/v1/streams", "", 401),
        ("GET /api/v1/streams", "Authorization: Bearer s3cre\r\n", 401),
        ("GET /api/v1/streams", "Authorization: Basic s3cret\r\n", 401),
        ("GET /api/v1/nothing", "", 401),
        (kick, "Content-Type: application/json\r\n", 401),
        ("GET /healthz", "", 200),
        ("GET /readyz", "", 200),
        ("GET /api/v1/streams", "Authorization: bearer s3cret\r\n", 200),
        (kick, "Authorization: Bearer s3cret\r\n", 200),
    ] {
        let answer = world.api_with(1, request, &format!("Host: tv.example\r\n{fields}"));
        assert_eq!(answer.status, status, "{request} {fields}");
        assert_eq!(answer.head.contains("www-authenticate: bearer"), status == 401);
    }
}

#[test]
fn a_server_that_shuts_down_is_not_ready() {
    let (mut world, ..) = streaming(2);
    let operator = world.operator(0, "GET /readyz", "Host: localhost\r\n");
    assert_eq!(world.answered(operator).unwrap().status, 200);
    let player = world.http_play(0, "/live/x");
    world.clients[player].peer.set_window(0);
    world.shutdown();
    assert!(!world.servers().next().unwrap().is_drained());
    world.clients[operator].received.clear();
    world.request(operator, "GET /readyz", "Host: localhost\r\n");
    assert_eq!(world.answered(operator).unwrap().status, 503);
    // Nobody waits for an operator that has nothing to do.
    world.reset(player);
    world.pass(Duration::from_secs(2));
    assert!(world.servers().all(|server| server.is_drained()));
}

#[test]
fn the_summary_counts_what_all_workers_have() {
    let (mut world, ..) = streaming(2);
    let data = world.api("GET /api/v1/summaries").json["data"].clone();
    assert_eq!((&data["ok"], &data["streams"]["published"]), (&true.into(), &1.into()));
    assert_eq!(
        (&data["streams"]["players"], &data["connections"]["plays"]),
        (&2.into(), &2.into())
    );
    assert!(data["memory"]["held"].as_u64() > Some(0));
    // Not those that ask.
    assert_eq!(data["connections"]["open"], 3);
    world.pass(Duration::from_secs(5));
    let data = world.api("GET /api/v1/summaries").json["data"].clone();
    assert_eq!(data["self"]["srs_uptime"], 6);
    let version = world.api("GET /api/v1/versions").json["data"]["version"].clone();
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
}

#[test]
fn an_operator_is_let_in_when_the_server_is_full() {
    let mut world = World::new(2, |config| config.max_connections = 3);
    for _ in 0..3 {
        world.http_push(1, "/live/x", 1);
    }
    assert_eq!(
        world.api_with(1, "GET /api/v1/clients", "Host: localhost\r\n").status,
        200
    );
}

#[test]
fn what_http_refuses_is_told_in_json_and_to_no_page() {
    let upgrade = "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n\r\n";
    for (rest, status, error) in [
        (" HTTP/1.1\r\n\r\n", 400, "bad_request"),
        (" HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad_request"),
        (" HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", 400, "bad_request"),
        (
            " HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
            400,
            "bad_request",
        ),
        ("/%FF HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_request"),
        (" HTTP/2.0\r\n\r\n", 505, "http_version_not_supported"),
        (&format!(" HTTP/1.1\r\n{upgrade}"), 426, "upgrade_required"),
        (
            &format!(" HTTP/1.1\r\nCookie: {}", "a".repeat(16 << 10)),
            431,
            "request_header_fields_too_large",
        ),
        (" HTTP/1.1\r\nHost: localhost\r\n", 408, "request_timeout"),
    ] {
        let mut world = World::new(1, |_| {});
        let client = world.connect(0, Protocol::Admin, 1);
        world.clients[client].asked_for = "GET /api/v1/streams".into();
        world.send(client, format!("GET /api/v1/streams{rest}").as_bytes());
        if status == 408 {
            world.pass(Duration::from_secs(10));
        }
        let Answered {
            status: got,
            json,
            head,
        } = world.answered(client).unwrap();
        assert_eq!(
            (got, &json["code"], &json["error"]),
            (status, &status.into(), &error.into()),
            "{rest}"
        );
        assert!(
            json["reason"].as_str().is_some_and(|reason| !reason.is_empty()),
            "{json}"
        );
        assert!(!head.contains("access-control") && head.contains("no-store"), "{head}");
        world.pass(Duration::from_secs(4));
        assert!(world.clients[client].is_closed());
    }
}

#[test]
fn a_request_under_way_is_told_that_the_server_stops() {
    let (mut world, ..) = streaming(2);
    world.stopped = Some(1);
    let client = world.operator(0, "GET /api/v1/streams", "Host: localhost\r\n");
    world.shutdown();
    world.pass(Duration::from_secs(1));
    // It is answered until all others have left.
    assert_eq!(world.answered(client).unwrap().status, 200);
}

#[test]
fn head_is_answered_as_get_without_content() {
    let (mut world, publisher, _) = streaming(2);
    let client = format!("/api/v1/clients/{}", world.id(publisher));
    for path in [
        "/api/v1/openapi.json",
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/versions",
        "/api/v1/summaries",
        "/api/v1/streams",
        "/api/v1/streams/live/x",
        "/api/v1/streams/live/absent",
        "/api/v1/streams?count=x",
        "/api/v1/clients",
        "/api/v1/bans",
        &client,
    ] {
        let get = world.api(&format!("GET {path}"));
        let head = world.api(&format!("HEAD {path}"));
        assert_eq!((head.status, &head.json), (get.status, &Value::Null), "{path}");
        let without_length = |head: &str| -> Vec<String> {
            let fields = head.lines().filter(|line| !line.starts_with("content-length"));
            fields.map(str::to_owned).collect()
        };
        assert_eq!(without_length(&head.head), without_length(&get.head), "{path}");
        assert!(head.head.contains("content-length: ") && !head.head.contains("content-length: 0"));
    }
}

#[test]
fn the_methods_of_a_path_are_named_whatever_was_asked() {
    let (mut world, ..) = streaming(1);
    for method in [
        "POST", "PUT", "PATCH", "OPTIONS", "TRACE", "QUERY", "CONNECT", "BREW", "get",
    ] {
        for (path, methods) in [
            ("/healthz", "get, head"),
            ("/api/v1/openapi.json", "get, head"),
            ("/api/v1/streams", "get, head"),
            ("/api/v1/streams/live/x", "get, head, delete"),
            ("/api/v1/clients/1", "get, head, delete"),
            ("/api/v1/bans", "get, head"),
            ("/api/v1/bans/live/x", "delete"),
        ] {
            let answer = world.api(&format!("{method} {path}"));
            assert_eq!(answer.status, 405, "{method} {path}");
            assert!(
                answer.head.contains(&format!("\r\nallow: {methods}")),
                "{}",
                answer.head
            );
        }
    }
}

#[test]
fn a_number_has_nothing_but_digits() {
    let (mut world, ..) = streaming(1);
    for number in ["+1", "-1", "", "1.0", "0x1", "4294967296", "1e3", "%201", "\u{661}"] {
        for path in ["streams?start=", "streams?count=", "clients?start=", "clients?count="] {
            assert_eq!(
                world.api(&format!("GET /api/v1/{path}{number}")).status,
                400,
                "{path}{number}"
            );
        }
        let ban = format!("DELETE /api/v1/streams/live/x?ban={number}");
        assert_eq!(world.api_with(0, &ban, JSON).status, 400, "{number}");
    }
    for (query, listed) in [
        ("count=0", 1),
        ("count=4294967295", 3),
        ("count=%31", 1),
        ("start=4294967295", 0),
    ] {
        let clients = world.api(&format!("GET /api/v1/clients?{query}")).json["clients"].clone();
        assert_eq!(clients.as_array().unwrap().len(), listed, "{query}");
    }
}

#[test]
fn an_anomaly_is_counted_by_its_name() {
    let mut world = World::new(2, |_| {});
    let mut publisher = Caller::new(&mut world, 1, 1);
    publisher.call(&mut world, 1, "publish", "x");
    publisher.publish(&mut world, 1, "V A K0 a5");
    for _ in 0..2 {
        publisher.call(&mut world, 0, "frobnicate", "");
    }
    // Nobody plays it, so it is read ten times a second.
    world.pass(Duration::from_millis(100));
    let expected = serde_json::json!({"unknown_command": 2});
    let stream = world.api("GET /api/v1/streams/live/x").json["stream"].clone();
    assert_eq!(stream["anomalies"], expected);
    let summary = world.api_with(1, "GET /api/v1/summaries", "Host: localhost\r\n").json["data"].clone();
    assert_eq!(summary["anomalies"], expected);
}

#[test]
fn an_operator_that_asks_and_asks_is_told_to_wait() {
    let mut world = World::new(2, |config| config.limits.max_requests_per_second = 10);
    let client = world.operator(0, "GET /api/v1/streams", "Host: localhost\r\n");
    for count in 2..30 {
        world.clients[client].received.clear();
        world.request(client, "GET /api/v1/streams", "Host: localhost\r\n");
        let answer = world.answered(client).unwrap();
        assert_eq!(answer.status, if count <= 10 { 200 } else { 429 });
        assert_eq!(answer.head.contains("\r\nretry-after: 1"), count > 10);
    }
    world.pass(Duration::from_secs(1));
    world.clients[client].received.clear();
    world.request(client, "GET /api/v1/streams", "Host: localhost\r\n");
    assert_eq!(world.answered(client).unwrap().status, 200);
}

#[test]
fn the_page_may_reach_only_what_it_needs() {
    let mut world = World::new(1, |config| {
        let listeners = [(Protocol::Rtmp, 1935), (Protocol::Http, 8080), (Protocol::Admin, 8081)];
        let everywhere = core::net::Ipv4Addr::UNSPECIFIED;
        config.admin.listeners = listeners
            .map(|(protocol, port)| (protocol, (everywhere, port).into()))
            .into();
    });
    for (host, sources) in [
        ("localhost:8081", "'self' http://localhost:8080 ws://localhost:8080;"),
        ("[::1]:8081", "'self' http://[::1]:8080 ws://[::1]:8080;"),
        ("127.0.0.1", "'self' http://127.0.0.1:8080 ws://127.0.0.1:8080;"),
    ] {
        let Answered { status, head, .. } = world.api_with(0, "GET /", &format!("Host: {host}\r\n"));
        assert_eq!(status, 200);
        assert!(head.contains(&format!("connect-src {sources}")), "{head}");
        assert!(
            head.contains("nosniff") && !head.contains("unsafe") && !head.contains('*'),
            "{head}"
        );
    }
    // With a token any name is right, and what is no name is not repeated.
    let mut world = World::new(1, |config| config.admin.token = Token::new("s3cret"));
    let Answered { status, head, .. } = world.api_with(0, "GET /", "Host: a;script-src\r\n");
    assert!(!head.contains("script-src"), "{status} {head}");
}

#[test]
fn operators_that_ask_on_and_on_are_told_to_wait() {
    let (mut world, publisher, _) = streaming(2);
    let answers: Vec<_> = (0..1_200).map(|_| world.api("GET /api/v1/streams").status).collect();
    let answered = answers.iter().filter(|status| **status == 200).count();
    // With the connections that they make themselves, up to 64 of them.
    assert!((550..700).contains(&answered), "{answered}");
    assert!(answers.iter().all(|status| [200, 429].contains(status)));
    let refused = world.api("GET /metrics");
    assert_eq!(
        (refused.status, &refused.json["error"]),
        (429, &"too_many_requests".into())
    );
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    assert_eq!(world.api("GET /healthz").status, 200);
    // They come back at a rate, and may end something meanwhile.
    world.pass(Duration::from_secs(1));
    let again = (0..600)
        .filter(|_| world.api("GET /api/v1/streams").status == 200)
        .count();
    assert!((275..350).contains(&again), "{again}");
    let request = format!("DELETE /api/v1/clients/{}", world.id(publisher));
    assert_eq!(world.api_with(0, &request, JSON).status, 200);
}
