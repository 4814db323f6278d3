//! One byte budget for all: who goes first when it is used up, and who loses nothing.

use crate::rtmp::Caller;
use crate::world::{World, frames};
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::{Config, Event, Protocol, ServerStats};
use std::sync::Arc;
use std::time::Duration;

const MIB: usize = 1 << 20;

/// The longest message.
const MESSAGE: u32 = 1 << 20;

/// What may be held above the budget until the next decision: what one connection adds by one read, a buffer for the longest
/// message above all.
const SLACK: usize = MESSAGE as usize + (64 << 10);

const FRAME: Duration = Duration::from_millis(40);

/// A stream that all is well with: a keyframe a second, and players that take everything.
struct Good {
    publisher: usize,
    players: [usize; 2],
    count: usize,
}

impl Good {
    fn begin(world: &mut World) -> Good {
        let publisher = world.rtmp(0, Publish, "live", "good", 1);
        world.publish(publisher, "V A K0 a0");
        let players = [world.rtmp(0, Play, "live", "good", 1), world.http_play(0, "/live/good")];
        Good {
            publisher,
            players,
            count: 1,
        }
    }

    /// The next picture, with its sound.
    fn go_on(&mut self, world: &mut World) {
        world.pass(FRAME);
        let (time, kind) = (self.count * 40, if self.count.is_multiple_of(25) { "K" } else { "P" });
        world.publish(self.publisher, &format!("{kind}{time}:2000 a{time}"));
        self.count += 1;
    }

    #[track_caller]
    fn assert_complete(&self, world: &World) {
        for player in self.players {
            let seen = world.frames_of(player);
            let pictures = seen.split_whitespace().filter(|word| word.starts_with(['K', 'P']));
            let times: Vec<usize> = pictures.map(|word| word[1..].parse().unwrap()).collect();
            let all: Vec<_> = (0..self.count).map(|index| index * 40).collect();
            assert_eq!(times, all, "player {player}");
            assert!(!world.clients[player].is_closed(), "player {player}");
        }
        assert!(world.is_publishing(self.publisher));
    }
}

fn with_budget(bytes: usize) -> World {
    World::new(1, |config| {
        config.memory_budget = bytes;
        config.limits.max_message_len = MESSAGE;
        config.limits.max_buffered_bytes = 2 * MIB;
    })
}

fn stats(world: &World) -> ServerStats {
    world.shards[0].server().stats()
}

#[track_caller]
fn assert_within_budget(world: &World) {
    for server in world.servers() {
        let stats = server.stats();
        assert!(
            stats.memory_held <= stats.memory_budget + SLACK,
            "{} bytes are held",
            stats.memory_held
        );
    }
}

/// Bytes of a message that are sent, of some more that were announced.
const PART: usize = 0xF_0000;

/// Set Chunk Size: each part is one chunk.
const CHUNKS_OF_A_PART: &[u8] = b"\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\x0F\0\0";

/// A peer that has shaken hands, and is about to begin long messages, each with a chunk of such a part.
fn begin_messages(world: &mut World, host: u8) -> usize {
    let client = world.connect(0, Protocol::Rtmp, host);
    world.send(client, &[&[3][..], &[0; 2 * 1_536]].concat());
    world.send(client, CHUNKS_OF_A_PART);
    client
}

fn message_part(csid: u8) -> Vec<u8> {
    [&[csid, 0, 0, 0, 0x0F, 0xFF, 0xFF, 9, 1, 0, 0, 0][..], &[0; PART]].concat()
}

fn send_part(world: &mut World, client: usize, csid: u8) {
    for piece in message_part(csid).chunks(64 << 10) {
        world.send(client, piece);
        assert_within_budget(world);
    }
}

#[test]
fn messages_without_an_end_go_first() {
    let mut world = with_budget(8 * MIB);
    let mut good = Good::begin(&mut world);
    let mut hostile = Vec::new();
    for host in 0..16 {
        hostile.push(begin_messages(&mut world, 100 + host));
        for csid in [4, 5] {
            send_part(&mut world, hostile[usize::from(host)], csid);
            good.go_on(&mut world);
        }
    }
    let ended = hostile
        .iter()
        .filter(|peer| world.clients[**peer].is_shut_down())
        .count();
    let stats = stats(&world);
    assert_eq!(stats.relief_unfinished, ended as u64);
    assert!((12..16).contains(&ended), "{ended}");
    assert_eq!(
        (stats.relief_players, stats.relief_rings, stats.relief_publishers),
        (0, 0, 0)
    );
    good.assert_complete(&world);
}

#[test]
fn a_push_with_a_tag_without_an_end_is_told_to_come_later() {
    let mut world = with_budget(2 * MIB);
    let push = |world: &mut World, host| {
        let client = world.http_push(0, "/live/x", host);
        for piece in [&b"\x09\x0F\xFF\xFF\0\0\0\0\0\0\0"[..], &[0; PART]]
            .concat()
            .chunks(64 << 10)
        {
            world.send(client, piece);
        }
        client
    };
    let pushes: Vec<_> = (1..4).map(|host| push(&mut world, host)).collect();
    let refused = pushes
        .iter()
        .filter(|push| world.status(**push) == "HTTP/1.1 503 Service Unavailable");
    assert_eq!(refused.count(), 2);
    assert_eq!(stats(&world).relief_unfinished, 2);
}

#[test]
fn players_that_do_not_keep_up_go_before_streams_and_publishers() {
    let mut world = with_budget(16 * MIB);
    let mut good = Good::begin(&mut world);
    let publisher = world.rtmp(0, Publish, "live", "large", 2);
    world.publish(publisher, "V A K0 a0");
    let watches = world.rtmp(0, Play, "live", "large", 2);
    let mut slow = Vec::new();
    for round in 1..40 {
        // Each keeps another picture of 1 MB.
        slow.push(world.http_play(0, "/live/large"));
        world.take(*slow.last().unwrap(), 100);
        let time = round * 1_000;
        world.publish(publisher, &format!("K{time}:1000000 a{time}"));
        (0..25).for_each(|_| good.go_on(&mut world));
        assert_within_budget(&world);
    }
    let ended = slow.iter().filter(|player| world.clients[**player].is_closed()).count();
    let stats = stats(&world);
    assert!(stats.relief_players > 0, "{stats:?}");
    assert!(ended as u64 >= stats.relief_players, "{ended} {stats:?}");
    assert_eq!(
        (stats.relief_unfinished, stats.relief_publishers, stats.relief_refused),
        (0, 0, 0)
    );
    good.assert_complete(&world);
    assert!(!world.clients[watches].is_closed() && world.is_publishing(publisher));
}

#[test]
fn a_crowd_that_waits_for_one_frame_is_not_taken_for_much() {
    let mut world = with_budget(16 * MIB);
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "V A K0 a0");
    let players: Vec<_> = (0..60).map(|_| world.http_play(0, "/live/x")).collect();
    for player in &players {
        world.take(*player, 100);
    }
    world.publish(publisher, "K40:1000000 a40");
    world.pass(Duration::from_secs(3));
    let most = stats(&world).memory_held;
    assert!(
        most < 3 * MIB,
        "{most} bytes for a picture of 1 MB that 60 players wait for"
    );
}

#[test]
fn caches_that_nobody_watches_go_before_those_with_players() {
    let mut world = with_budget(16 * MIB);
    let mut good = Good::begin(&mut world);
    let mut publishers = Vec::new();
    for host in 10..16 {
        let publisher = world.rtmp(0, Publish, "live", &host.to_string(), host);
        world.publish(publisher, "V A K0:1000000 a0");
        publishers.push(publisher);
    }
    let player = world.rtmp(0, Play, "live", "15", 3);
    for round in 1..20 {
        for publisher in &publishers {
            world.publish(*publisher, &format!("P{}:500000", round * 40));
            assert_within_budget(&world);
        }
        good.go_on(&mut world);
    }
    let stats = stats(&world);
    assert!(stats.relief_rings > 0, "{stats:?}");
    assert_eq!(
        (stats.relief_players, stats.relief_refused, stats.relief_publishers),
        (0, 0, 0)
    );
    good.assert_complete(&world);
    let late = world.rtmp(0, Play, "live", "15", 4);
    let missed = world.frames_of(late);
    assert!(
        missed.contains("K0"),
        "the cache of a stream with players is there: {missed}"
    );
    let late = world.rtmp(0, Play, "live", "10", 4);
    assert!(
        !world.frames_of(late).contains('P'),
        "that of one without has no beginning"
    );
    world.publish(publishers[0], "K2000 a2000");
    assert!(world.frames_of(late).contains('K'));
    assert_eq!(world.frames_of(player).matches('P').count(), 19);
}

/// Fills a server up to its budget by streams with players, of which nothing can be spared.
fn fill(world: &mut World, streams: u8) -> Vec<usize> {
    let mut publishers = Vec::new();
    for host in 10..10 + streams {
        let publisher = world.rtmp(0, Publish, "live", &host.to_string(), host);
        world.offer(publisher, "V A K0:1000000 a0");
        world.http_play(0, &format!("/live/{host}"));
        world.offer(publisher, &format!("P40:{} a40", 1_000_000 + 1_000 * usize::from(host)));
        assert_within_budget(world);
        publishers.push(publisher);
    }
    publishers
}

#[test]
fn newcomers_are_refused_until_there_is_room_again() {
    let mut world = with_budget(16 * MIB);
    let publishers = fill(&mut world, 8);
    assert_eq!(stats(&world).relief_publishers, 0);
    let refused = stats(&world).relief_refused;
    let player = world.rtmp(0, Play, "live", "10", 1);
    assert_eq!(world.heard(player), "[NetStream.Play.Failed]");
    let encoder = world.rtmp(0, Publish, "live", "new", 1);
    assert_eq!(world.heard(encoder), "[NetStream.Publish.Failed]");
    let web = world.http_play(0, "/live/10");
    assert_eq!(world.status(web), "HTTP/1.1 503 Service Unavailable");
    let head = String::from_utf8_lossy(&world.clients[web].received).to_lowercase();
    assert!(head.contains("\r\nretry-after: 2\r\n"), "{head}");
    assert_eq!(stats(&world).relief_refused, 3 + refused);
    assert!(publishers.iter().all(|publisher| world.is_publishing(*publisher)));

    world.reset(publishers[0]);
    world.reset(publishers[1]);
    world.pass(Duration::from_secs(11));
    let player = world.rtmp(0, Play, "live", "12", 1);
    world.publish(publishers[2], "K2000 a2000");
    assert!(world.heard(player).contains('K'), "{}", world.heard(player));
    let deadlines = world.due().map(|due| due.since(world.now));
    assert!(
        deadlines.is_none_or(|left| left > Duration::from_secs(1)),
        "{deadlines:?}"
    );
}

#[test]
fn the_largest_publisher_goes_last() {
    let mut world = with_budget(8 * MIB);
    let mut good = Good::begin(&mut world);
    let mut publishers = Vec::new();
    for host in 10..18 {
        let publisher = world.rtmp(0, Publish, "live", &host.to_string(), host);
        world.publish(publisher, "V A K0:1000 a0");
        publishers.push(publisher);
    }
    for (host, &publisher) in (10..).zip(&publishers) {
        world.send(publisher, CHUNKS_OF_A_PART);
        (0..if host == 13 { 2 } else { 1 }).for_each(|csid| send_part(&mut world, publisher, 20 + csid));
        good.go_on(&mut world);
    }
    let there: Vec<_> = publishers
        .iter()
        .map(|publisher| world.is_publishing(*publisher))
        .collect();
    assert!((0..8).all(|index| there[index] != (index == 3)), "{there:?}");
    assert!(world.heard(publishers[3]).contains("[NetStream.Publish.Failed]"));
    let stats = stats(&world);
    assert_eq!(stats.relief_publishers, 1, "{stats:?}");
    good.assert_complete(&world);
}

#[test]
fn an_idle_server_holds_nothing_that_counts() {
    for shards in [1, 2] {
        let mut world = World::new(shards, |config| config.grace = Duration::from_secs(1));
        let publisher = world.rtmp(0, Publish, "live", "x", 1);
        world.publish(publisher, "M V A K0:300000 a0 P40:70000 a40");
        let last = usize::from(shards) - 1;
        let players = [
            world.rtmp(last, Play, "live", "x", 1),
            world.http_play(0, "/live/x"),
            world.http_play(last, "/live/x"),
        ];
        world.take(players[1], 1_000);
        let _begins = begin_messages(&mut world, 9);
        send_part(&mut world, _begins, 4);
        world.publish(publisher, "K1000:300000 a1000 P1040:70000 a1040");
        assert!(stats(&world).memory_held > 300_000);
        world.pass(Duration::from_secs(1));
        for client in 0..world.clients.len() {
            world.reset(client);
        }
        world.pass(Duration::from_secs(11));
        for server in world.servers() {
            assert_eq!(server.stats().memory_held, 0);
        }
    }
}

#[test]
fn frames_for_a_worker_that_stands_still_count() {
    let mut world = World::new(2, |config| config.memory_budget = 64 * MIB);
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "V A K0 a0");
    let here = world.rtmp(0, Play, "live", "x", 1);
    let there = world.rtmp(1, Play, "live", "x", 1);
    world.stopped = Some(1);
    for second in 1..60 {
        world.pass(Duration::from_secs(1));
        world.publish(publisher, &format!("K{0}:1000000 a{0}", second * 1_000));
        assert_within_budget(&world);
    }
    let held = stats(&world).memory_held;
    assert!(
        (4 * MIB..12 * MIB).contains(&held),
        "what is on its way is held, too: {held}"
    );
    assert_eq!(world.frames_of(here).matches('K').count(), 60);
    assert!(world.is_publishing(publisher));
    world.stopped = None;
    world.pass(Duration::from_secs(1));
    world.publish(publisher, "K60000 a60000 K61000 a61000");
    let seen = world.frames_of(there).matches('K').count();
    assert!(
        (8..14).contains(&seen),
        "it goes on, without those that were too many: {seen}"
    );
    assert!(stats(&world).memory_held < 3 * MIB);
}

#[test]
fn a_peer_that_is_ended_to_make_room_begins_nothing() {
    for command in ["play", "publish"] {
        let mut world = World::new(1, |config| {
            config.memory_budget = 9 * MIB / 4;
            config.keeps_events = true;
        });
        let publisher = world.rtmp(0, Publish, "live", "x", 1);
        world.publish(publisher, "V A K0 a0");
        let mut caller = Caller::new(&mut world, 9, 1);
        // It holds less than may be held, and more than may be when somebody asks.
        world.send(caller.client, CHUNKS_OF_A_PART);
        send_part(&mut world, caller.client, 4);
        send_part(&mut world, caller.client, 5);
        assert_eq!(stats(&world).relief_unfinished, 0);
        let id = world.id(caller.client);
        caller.call(&mut world, 1, command, if command == "play" { "x" } else { "y" });
        assert_eq!(stats(&world).relief_unfinished, 1, "room was made by ending it");
        let events = std::iter::from_fn(|| world.shards[0].poll_event());
        let begins = |event: &Event| matches!(event, Event::PlayStarted { .. } | Event::PublishStarted { .. });
        let begun = events
            .filter(begins)
            .find(|event| event.peer().is_some_and(|peer| peer.connection == id));
        assert_eq!(begun, None, "{command}");
    }
}

#[test]
fn a_burst_from_another_worker_is_not_kept() {
    let mut config = Config::default();
    config.memory_budget = 4 * MIB;
    let mut world = World::new(2, |_| {});
    // The publisher's own worker has enough.
    world.shards[1].server_mut().reconfigure(world.now, Arc::new(config));
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "V A K0 a0");
    let player = world.rtmp(1, Play, "live", "x", 1);
    world.publish(publisher, "K40 a40");
    // All of it comes before the player is served.
    world.delivers = false;
    for frame in 2..8 {
        world.publish(publisher, &format!("K{}:1000000", frame * 40));
    }
    world.deliver_link(0, 1);
    assert!(world.shards[1].server().stats().memory_held <= 4 * MIB + SLACK);
    world.delivers = true;
    world.pass(Duration::from_secs(1));
    world.publish(publisher, "K1000 a1000");
    assert!(
        world.frames_of(player).ends_with(" V280 K280 K1000 a1000"),
        "{}",
        world.frames_of(player)
    );
    assert!(world.is_publishing(publisher));
}

#[test]
fn a_burst_of_the_programs_own_is_not_kept() {
    let mut world = with_budget(4 * MIB);
    let publisher = world.local_publish(0, "live/x");
    world.local_send(0, publisher, "V A K0 a0");
    let player = world.rtmp(0, Play, "live", "x", 1);
    // All of it comes before the player is served.
    for frame in 1..8 {
        let frame = frames(&format!("K{}:1000000", frame * 40)).next().unwrap();
        let server = world.shards[0].server_mut();
        server.send_frame(world.now, publisher, frame).unwrap();
        assert_within_budget(&world);
    }
    world.pass(Duration::from_secs(1));
    world.local_send(0, publisher, "K1000 a1000");
    assert!(
        world.frames_of(player).ends_with("K1000 a1000"),
        "{}",
        world.frames_of(player)
    );
}

#[test]
fn one_decision_makes_room_for_many_reads() {
    let mut world = with_budget(8 * MIB);
    let mut decisions = 0;
    let mut before = 0;
    for host in 0..30 {
        let client = begin_messages(&mut world, host);
        send_part(&mut world, client, 4);
        let ended = stats(&world).relief_unfinished;
        decisions += usize::from(ended > before);
        before = ended;
    }
    assert!(before >= 20, "{before}");
    assert!(decisions <= 20, "{decisions} decisions for {before} peers");
    assert!(stats(&world).memory_held <= 8 * MIB);
}

/// A message of `len` bytes but for the last, as one chunk. What follows is another message, or [`END`].
fn send_unfinished(world: &mut World, client: usize, len: u32) {
    let (sent, len) = (vec![0; len as usize - 1], len.to_be_bytes());
    let chunk_size = u32::try_from(sent.len()).unwrap().to_be_bytes();
    let head = [&[20, 0, 0, 0][..], &len[1..], &[9, 1, 0, 0, 0]].concat();
    let bytes = [&b"\x02\0\0\0\0\0\x04\x01\0\0\0\0"[..], &chunk_size, &head, &sent].concat();
    bytes.chunks(64 << 10).for_each(|piece| world.send(client, piece));
}

/// The last byte of such a message.
const END: &[u8] = &[0xC0 | 20, 0];

/// Publishers of one address, each with a message of `len` bytes that it never ends.
fn hold_messages(world: &mut World, name: &str, host: u8, count: usize, len: u32) -> Vec<usize> {
    let hold = |number| {
        let publisher = world.rtmp(0, Publish, "live", &format!("{name}{number}"), host);
        world.publish(publisher, "A a0");
        send_unfinished(world, publisher, len);
        publisher
    };
    (0..count).map(hold).collect()
}

/// They send just enough sound to be publishers.
fn go_on_holding(world: &mut World, publishers: &[usize], second: usize) {
    for &publisher in publishers.iter().filter(|_| second.is_multiple_of(20)) {
        world.offer(publisher, &format!("a{}", second * 1_000));
    }
}

/// A minute in which a player comes every second, and something else is done. Returns how many players are refused.
fn newcomers_in_a_minute(world: &mut World, good: &mut Good, mut meanwhile: impl FnMut(&mut World, usize)) -> usize {
    let mut is_refused = |second| {
        meanwhile(world, second);
        (0..25).for_each(|_| good.go_on(world));
        let player = world.rtmp(0, Play, "live", "good", 1);
        let is_refused = world.heard(player).contains("Play.Failed");
        world.reset(player);
        is_refused
    };
    (1..=60).filter(|second| is_refused(*second)).count()
}

#[test]
fn publishers_that_hold_messages_keep_newcomers_out_briefly() {
    let mut world = with_budget(8 * MIB);
    let mut good = Good::begin(&mut world);
    let hostile = hold_messages(&mut world, "h", 66, 8, 920_000);
    let meanwhile = |world: &mut World, second| go_on_holding(world, &hostile, second);
    let refused = newcomers_in_a_minute(&mut world, &mut good, meanwhile);
    assert!((1..=6).contains(&refused), "{refused} of 60");
    let stats = stats(&world);
    assert!(stats.relief_unfinished > 0, "{stats:?}");
    assert_eq!((stats.relief_players, stats.relief_publishers), (0, 0), "{stats:?}");
    good.assert_complete(&world);
}

#[test]
fn the_address_that_holds_the_most_goes_first() {
    let mut world = with_budget(8 * MIB);
    let mut good = Good::begin(&mut world);
    let mut hostile = hold_messages(&mut world, "h", 66, 11, 600_000);
    let other = hold_messages(&mut world, "other", 67, 1, 900_000)[0];
    hostile.push(other);
    let meanwhile = |world: &mut World, second| go_on_holding(world, &hostile, second);
    newcomers_in_a_minute(&mut world, &mut good, meanwhile);
    assert!(stats(&world).relief_unfinished > 0);
    assert!(world.is_publishing(other), "it holds more than any of the others");
    good.assert_complete(&world);
}

#[test]
fn a_publisher_whose_long_messages_end_is_spared() {
    let mut world = with_budget(8 * MIB);
    let mut good = Good::begin(&mut world);
    let encoder = hold_messages(&mut world, "encoder", 3, 1, 900_000)[0];
    let hostile = hold_messages(&mut world, "h", 66, 7, 900_000);
    let meanwhile = |world: &mut World, second| {
        // The end of one message, and most of the next: that much is under way whenever room is made.
        world.send(encoder, END);
        send_unfinished(world, encoder, 900_000);
        go_on_holding(world, &hostile, second);
    };
    newcomers_in_a_minute(&mut world, &mut good, meanwhile);
    let ended = hostile.iter().filter(|peer| !world.is_publishing(**peer)).count();
    assert!(ended > 0);
    assert!(world.is_publishing(encoder));
    good.assert_complete(&world);
}

#[test]
fn room_is_made_again_while_newcomers_are_refused() {
    let mut world = with_budget(16 * MIB);
    let publishers = fill(&mut world, 8);
    let player = world.rtmp(0, Play, "live", "11", 1);
    assert_eq!(world.heard(player), "[NetStream.Play.Failed]");
    // A peer takes what one of the streams lets go of, before that is an eighth of the budget.
    let hostile = begin_messages(&mut world, 99);
    send_unfinished(&mut world, hostile, 600_000);
    for second in 1..=6 {
        world.pass(Duration::from_secs(1));
        world.offer(publishers[0], &format!("a{}", second * 1_000));
        let player = world.rtmp(0, Play, "live", "11", 1);
        let is_refused = world.heard(player) == "[NetStream.Play.Failed]";
        assert_eq!(is_refused, second < 5, "after {second} seconds");
    }
    assert!(world.clients[hostile].is_shut_down());
    assert!(publishers.iter().all(|publisher| world.is_publishing(*publisher)));
}

#[test]
fn long_names_count_as_long_as_they_are_known() {
    for shards in [1, 2] {
        let mut world = World::new(shards, |_| {});
        let held = |world: &World| world.servers().map(|it| it.stats().memory_held).sum::<usize>();
        let mut held_for = |letters: usize| {
            let name = "n".repeat(letters);
            let publisher = world.rtmp(0, Publish, "live", &name, 1);
            world.publish(publisher, "A a0");
            world.reset(publisher);
            world.pass(Duration::from_secs(5));
            // Nobody is there, and the name may come back.
            let kept = held(&world);
            world.pass(Duration::from_secs(6));
            assert_eq!(held(&world), 0, "{shards} workers");
            kept
        };
        let [short, long] = [5, 255].map(&mut held_for);
        // At its home, and with what came of it.
        assert_eq!(long - short, 2 * 250, "{shards} workers");
        assert!((300..1_500).contains(&short), "{short} bytes");
    }
}

/// What it was sent while it waited is remembered as that of other players is, and forgotten with the name.
#[test]
fn a_player_that_has_waited_in_vain_leaves_nothing() {
    for shards in 1..=3 {
        let mut world = World::new(shards, |_| {});
        let players: Vec<_> = (0..usize::from(shards))
            .map(|shard| world.rtmp(shard, Play, "live", "absent", 1))
            .collect();
        players.into_iter().for_each(|player| world.reset(player));
        world.pass(Duration::from_secs(2));
        for server in world.servers() {
            assert_eq!(server.stats().memory_held, 0, "{shards} workers");
        }
    }
}
