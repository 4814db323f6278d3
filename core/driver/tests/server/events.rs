//! What those who watch a server are told.

use crate::world::World;
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::{Config, Event, Transport};
use std::time::Duration;

fn watched(change: impl FnOnce(&mut Config)) -> World {
    World::new(2, |config| {
        config.keeps_events = true;
        change(config);
    })
}

/// The events of a shard since it was last asked, shortly.
fn events(world: &mut World, shard: usize) -> Vec<String> {
    let events = std::iter::from_fn(|| world.shards[shard].poll_event());
    let brief = |event: Event| {
        let what = match &event {
            Event::Connected { .. } => "connected".into(),
            Event::Disconnected { .. } => "disconnected".into(),
            Event::Failed { reason, .. } => format!("failed: {reason}"),
            Event::RequestRefused { reason, .. } => format!("refused: {reason}"),
            Event::PublishStarted { agent, .. } => format!("published by {agent}"),
            Event::StreamInfo { info, .. } => format!("consists of {}", info.codecs),
            Event::GopTooLarge { .. } => "has large GOPs".into(),
            Event::PublisherSilent { silent, .. } => format!("silent for {silent:?}"),
            Event::PublisherReplaced { silent, .. } => format!("replaced after {silent:?}"),
            Event::PublishRefused { reason, .. } => format!("publish refused: {reason}"),
            Event::PublishEnded { cause, totals, .. } => format!("publish ended: {cause}, {} frames", totals.frames),
            Event::StreamEnded { .. } => "gone".into(),
            Event::PlayWaits { wait, .. } => format!("awaited for {wait:?}"),
            Event::PlayStarted { .. } => "played".into(),
            Event::PlayRefused { reason, .. } => format!("play refused: {reason}"),
            Event::PlayLags { step, .. } => format!("played with {step:?} left out"),
            Event::PlayEnded { cause, totals, .. } => format!("play ended: {cause}, {} frames", totals.frames),
            other => panic!("not known here: {other:?}"),
        };
        match event.peer() {
            Some(peer) => format!("{} {what}", peer.protocol),
            None => what,
        }
    };
    events.map(brief).collect()
}

impl World {
    /// One more second of a stream, of which its player takes little.
    pub(crate) fn lag(&mut self, publisher: usize, player: usize, second: u64) {
        let start = second * 1_000;
        let script: Vec<_> = (0..25).map(|index| format!("P{}", start + index * 40)).collect();
        self.push(publisher, &script.join(" "));
        self.push(publisher, &format!("K{}", start + 999));
        self.pass(Duration::from_secs(1));
        self.take(player, 300);
    }
}

#[test]
fn a_stream_is_told_from_its_beginning_to_its_end() {
    let mut world = watched(|_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5 P40");
    let player = world.rtmp(0, Play, "live", "x", 2);
    world.pass(Duration::from_secs(1));
    world.reset(player);
    world.finish(publisher);
    world.pass(Duration::from_secs(11));
    let mut all = events(&mut world, 0);
    all.extend(events(&mut world, 1));
    all.retain(|line| !line.contains("connected"));
    assert_eq!(
        all,
        [
            "http published by ",
            "http consists of mp4a.40.2,avc1",
            "rtmp played",
            "rtmp play ended: end of input, 5 frames",
            "http publish ended: end of input, 5 frames",
            "gone",
        ]
    );
}

#[test]
fn totals_say_how_long_and_how_much() {
    let mut world = watched(|_| {});
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "V A K0 a5");
    for player in 2..5 {
        world.rtmp(0, Play, "live", "x", player);
    }
    world.pass(Duration::from_secs(4));
    world.reset(publisher);
    let totals = std::iter::from_fn(|| world.shards[0].poll_event()).find_map(|event| match event {
        Event::PublishEnded { totals, peer, .. } => Some((totals, peer.protocol)),
        _ => None,
    });
    let (totals, protocol) = totals.unwrap();
    assert_eq!((protocol, totals.lasted), (Transport::Rtmp, Duration::from_secs(4)));
    assert_eq!((totals.frames, totals.bytes, totals.peak_players), (4, 24, 3));
    assert_eq!(totals.kbps(), 0);
}

#[test]
fn a_publisher_that_falls_silent_is_told_once_until_it_speaks() {
    let mut world = watched(|_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let silences = |world: &mut World| {
        let events = events(world, 0);
        events.iter().filter(|event| event.contains("silent")).count()
    };
    world.pass(Duration::from_secs(4));
    assert_eq!(silences(&mut world), 0);
    world.pass(Duration::from_secs(10));
    assert_eq!(silences(&mut world), 1);
    world.push(publisher, "P15000");
    world.pass(Duration::from_secs(6));
    assert_eq!(silences(&mut world), 1);
}

#[test]
fn a_player_that_lags_is_told_once_an_episode() {
    let mut world = watched(|config| {
        config.channel.lag_max_age = Duration::from_secs(1);
        config.limits.output_high_water = 1_000;
    });
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let player = world.http_play(0, "/live/x");
    let _ = events(&mut world, 0);
    let mut lags = Vec::new();
    world.take(player, 0);
    for second in 1..9 {
        world.lag(publisher, player, second);
        lags.extend(
            events(&mut world, 0)
                .into_iter()
                .filter(|event| event.contains("left out")),
        );
    }
    assert_eq!(lags.len(), 1, "{lags:?}");
    assert!(lags[0].starts_with("http played with"), "{lags:?}");
}

#[test]
fn what_is_refused_is_told_with_its_reason() {
    let mut world = watched(|_| {});
    let publisher = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(publisher, "V A K0");
    let _ = events(&mut world, 0);
    world.rtmp(0, Publish, "live", "x", 2);
    world.publish(publisher, "P40");
    let newcomer = world.http_push(0, "/live/x", 1);
    world.push(newcomer, "V K0");
    world.pass(Duration::from_millis(300));
    world.publish(publisher, "P80");
    world.pass(Duration::from_millis(300));
    world.http_play(0, "/live/absent");
    let told = events(&mut world, 0);
    for expected in [
        "rtmp publish refused: the stream has a publisher",
        "http publish refused: the stream has a publisher",
        "http play refused: no such stream",
    ] {
        assert!(told.iter().any(|line| line == expected), "{expected}: {told:?}");
    }
}

#[test]
fn events_are_not_kept_unless_they_are_wanted() {
    let mut world = World::new(1, |_| {});
    world.rtmp(0, Publish, "live", "x", 1);
    assert_eq!(world.shards[0].poll_event(), None);
}
