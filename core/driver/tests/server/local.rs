//! Publishing and playing in process.

use crate::world::{World, frames, name};
use headwater_core::rtmp::Purpose::{Play, Publish};
use headwater_core::server::{ConnectionId, Kick, LocalEvent, Refused, RoleKind, Takeover, Transport};
use headwater_core::{EndCause, Frame, Limits, StateError, StreamKey, Timestamp};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn key(name: &str) -> StreamKey {
    StreamKey::new(name).unwrap()
}

impl World {
    pub(super) fn local_publish(&mut self, shard: usize, stream: &str) -> ConnectionId {
        let id = self.shards[shard].server_mut().publish(self.now, key(stream)).unwrap();
        self.settle();
        id
    }

    pub(super) fn local_play(&mut self, shard: usize, stream: &str) -> ConnectionId {
        let id = self.shards[shard].server_mut().play(self.now, key(stream)).unwrap();
        self.settle();
        id
    }

    pub(super) fn local_send(&mut self, shard: usize, id: ConnectionId, script: &str) {
        for frame in frames(script) {
            self.shards[shard].server_mut().send_frame(self.now, id, frame).unwrap();
        }
        self.settle();
    }

    /// What a connection of the program's own hears, in the notation of the other clients.
    pub(super) fn local_heard(&mut self, shard: usize, id: ConnectionId) -> String {
        let is_its = |heard: &mut (usize, ConnectionId, LocalEvent)| (heard.0, heard.1) == (shard, id);
        let heard: Vec<_> = self
            .heard_locally
            .extract_if(.., is_its)
            .map(|(_, _, event)| match event {
                LocalEvent::Frame(frame) => name(&frame),
                LocalEvent::Tracks(tracks) => format!("[{} {}]", tracks.audio, tracks.video),
                LocalEvent::Accepted => "[accepted]".into(),
                LocalEvent::Refused(reason) => format!("[{reason}]"),
                LocalEvent::Ended(cause) => format!("[{cause}]"),
                other => panic!("not known here: {other:?}"),
            })
            .collect();
        heard.join(" ")
    }

    /// Whether any connection of the program's own is left.
    pub(super) fn has_local(&self, shard: usize) -> bool {
        let connections = self.shards[shard].server().connections(self.now);
        connections.iter().any(|it| it.protocol == Transport::Local)
    }
}

#[test]
fn players_on_all_workers_see_what_a_program_publishes() {
    for (here, there) in [(0, 1), (1, 0)] {
        let mut world = World::new(2, |_| {});
        let publisher = world.local_publish(here, "live/x");
        world.local_send(here, publisher, "V A K0 a5 P40");
        assert_eq!(world.local_heard(here, publisher), "[accepted]");
        let players = [
            world.rtmp(here, Play, "live", "x", 9),
            world.http_play(here, "/live/x"),
            world.http_play(there, "/live/x"),
        ];
        world.local_send(here, publisher, "P80");
        for player in players {
            assert!(
                world.frames_of(player).ends_with("K0 a5 P40 P80"),
                "{}",
                world.frames_of(player)
            );
        }
    }
}

#[test]
fn a_program_plays_what_a_peer_publishes() {
    for (here, there) in [(0, 0), (0, 1), (1, 0)] {
        let mut world = World::new(2, |_| {});
        let publisher = world.rtmp(here, Publish, "live", "x", 1);
        world.publish(publisher, "V A K0 a5 P40");
        let player = world.local_play(there, "live/x");
        assert_eq!(
            world.local_heard(there, player),
            "[accepted] [true true] A0 V0 K0 a5 P40"
        );
        world.publish(publisher, "P80");
        assert_eq!(world.local_heard(there, player), "P80");
        world.shards[there].server_mut().handle_eof(world.now, player);
        world.settle();
        assert!(!world.has_local(there));
        assert_eq!(world.shards[there].server_mut().poll_local(world.now, player), None);
    }
}

#[test]
fn a_program_takes_over_with_all_that_it_has_sent() {
    let mut world = World::new(2, |config| {
        config.takeover = Takeover::Always;
        // So that other connections ask whether they may stay.
        config.max_connections_per_address = 5;
    });
    let old = world.http_push(0, "/live/x", 1);
    world.push(old, "V A K0 a5");
    let player = world.http_play(0, "/live/x");
    let new = world.local_publish(1, "live/x");
    world.local_send(1, new, "V A K0 a5 P40");
    let frames = world.frames_of(player);
    assert!(
        frames.contains(" P"),
        "what came behind its first frame waits: {frames}"
    );
}

#[test]
fn a_program_that_plays_waits_for_the_publisher() {
    let mut world = World::new(2, |_| {});
    let [early, late] = ["live/x", "live/y"].map(|stream| world.local_play(0, stream));
    let publisher = world.local_publish(1, "live/x");
    world.local_send(1, publisher, "A V K0 a0");
    assert_eq!(world.local_heard(0, early), "[accepted] [true true] A0 V0 K0 a0");
    world.pass(SECOND * 30);
    assert_eq!(world.local_heard(0, late), format!("[accepted] [{}]", EndCause::Absent));
    assert_eq!(world.local_heard(0, early), "", "a program may be silent");
}

#[test]
fn frames_before_the_answer_wait_for_it() {
    for here in [0, 1] {
        let mut world = World::new(2, |_| {});
        let player = world.local_play(here, "live/x");
        world.delivers = false;
        let publisher = world.local_publish(here, "live/x");
        world.local_send(here, publisher, "V A K0 a0");
        world.shards[here].server_mut().handle_eof(world.now, publisher);
        world.delivers = true;
        world.settle();
        assert_eq!(
            world.local_heard(here, player),
            "[accepted] [true true] A0 V0 K0 a0",
            "{here}"
        );
        world.pass(SECOND * 11);
        let ended = format!("[{}]", EndCause::Unpublished);
        assert_eq!(world.local_heard(here, player), ended, "after the grace time");
        assert!(!world.has_local(here));
    }
}

#[test]
fn a_name_that_is_taken_is_refused_to_a_program() {
    let mut world = World::new(2, |config| config.takeover = Takeover::Never);
    let first = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(first, "V K0");
    let second = world.local_publish(1, "live/x");
    world.pass(SECOND);
    assert_eq!(world.local_heard(1, second), "[the stream has a publisher]");
    assert!(!world.has_local(1));
    let frame = Frame::audio(Timestamp::ZERO, vec![0xAF, 1].into());
    let result = world.shards[1].server_mut().send_frame(world.now, second, frame);
    assert_eq!(result, Err(StateError::NotPublishing));
}

#[test]
fn a_program_takes_over_with_its_first_frame() {
    let mut world = World::new(2, |config| config.takeover = Takeover::Always);
    let first = world.local_publish(0, "live/x");
    world.local_send(0, first, "V A K0 a0");
    let player = world.http_play(0, "/live/x");
    let second = world.local_publish(1, "live/x");
    world.local_send(1, second, "V A K0 a0 P40");
    world.local_heard(0, first);
    assert!(!world.has_local(0));
    world.local_send(1, second, "P80");
    let seen = world.seen(player);
    assert!(
        seen.starts_with("A0 V0 K0 a0 K10 a10") && seen.ends_with("P90"),
        "{seen}"
    );
    assert_eq!(world.local_heard(1, second), "[accepted]");
}

#[test]
fn a_program_that_takes_nothing_misses_frames() {
    let mut world = World::new(1, |config| config.channel.lag_max_bytes = 4_000);
    let publisher = world.local_publish(0, "live/x");
    world.local_send(0, publisher, "V A K0 a0");
    let player = world.local_play(0, "live/x");
    assert_eq!(world.local_heard(0, player), "[accepted] [true true] A0 V0 K0 a0");
    world.takes_locally = false;
    let large = |time| {
        Frame::video(
            Timestamp::from_millis(time),
            [&[0x27, 1, 0, 0, 0], &[7; 50_000][..]].concat().into(),
        )
    };
    for time in 1..100 {
        world.shards[0]
            .server_mut()
            .send_frame(world.now, publisher, large(time))
            .unwrap();
    }
    world.settle();
    world.takes_locally = true;
    while let Some(event) = world.shards[0].server_mut().poll_local(world.now, player) {
        world.heard_locally.push((0, player, event));
    }
    assert_eq!(world.local_heard(0, player), "A99 V99", "headers for the next keyframe");
    assert!(world.shards[0].server().stats().slow_skips > 0);
    world.local_send(0, publisher, "P100 K140 a150");
    assert_eq!(world.local_heard(0, player), "K140 a150");
}

#[test]
fn what_waits_for_an_answer_is_bounded() {
    let mut world = World::new(2, |config| config.limits.max_buffered_bytes = 300);
    world.delivers = false;
    // One of the two has its home on the other worker.
    let ids = [0, 1].map(|shard| world.local_publish(shard, "live/x"));
    let frame = Frame::audio(Timestamp::ZERO, vec![0xAF; 60].into());
    let mut send = |shard: usize| {
        world.shards[shard]
            .server_mut()
            .send_frame(world.now, ids[shard], frame.clone())
    };
    let results: Vec<_> = [0, 1].map(|shard| (send(shard), send(shard))).into();
    let full = StateError::OutputFull { waiting: 376, max: 300 };
    assert!(results.contains(&(Ok(()), Err(full))), "{results:?}");
}

#[test]
fn a_program_may_be_kicked_and_is_told() {
    let mut world = World::new(1, |_| {});
    let publisher = world.local_publish(0, "live/x");
    world.local_send(0, publisher, "A a0");
    let player = world.local_play(0, "live/x");
    world.pass(SECOND * 3);
    world.local_heard(0, player);
    let views = world.shards[0].server().connections(world.now);
    let kinds: Vec<_> = views.iter().map(|it| it.roles[0].kind).collect();
    assert_eq!(kinds, [RoleKind::Publishes, RoleKind::Plays]);
    let kick = Kick::stream(key("live/x")).with_ban(SECOND);
    assert_eq!(world.shards[0].server_mut().kick(world.now, &kick), 2);
    world.settle();
    assert_eq!(world.local_heard(0, publisher), "[accepted] [an operator has ended it]");
    assert_eq!(world.local_heard(0, player), format!("[{}]", EndCause::Kicked));
    assert!(!world.has_local(0));
    let again = world.local_publish(0, "live/x");
    assert!(world.local_heard(0, again).contains("operator"));
}

#[test]
fn a_server_that_shuts_down_ends_its_program_too() {
    let mut world = World::new(1, |_| {});
    let publisher = world.local_publish(0, "live/x");
    world.local_send(0, publisher, "A a0");
    world.shutdown();
    assert!(
        world
            .local_heard(0, publisher)
            .ends_with("[the server is shutting down]")
    );
    assert!(world.shards[0].server().is_drained());
    assert_eq!(
        world.shards[0].server_mut().play(world.now, key("live/x")),
        Err(Refused::ShuttingDown)
    );
}

#[test]
fn a_program_that_leaves_need_not_hear_of_its_end() {
    let mut world = World::new(1, |_| {});
    world.takes_locally = false;
    let publisher = world.local_publish(0, "live/x");
    world.local_send(0, publisher, "A a0");
    world.shards[0]
        .server_mut()
        .kick(world.now, &Kick::stream(key("live/x")));
    world.settle();
    assert!(world.has_local(0), "it has not been told yet");
    world.shards[0].server_mut().handle_eof(world.now, publisher);
    world.settle();
    assert!(!world.has_local(0));
}

#[test]
fn a_program_that_leaves_need_not_hear_that_it_is_refused() {
    let mut world = World::new(1, |config| config.takeover = Takeover::Auto);
    let first = world.local_publish(0, "live/x");
    world.local_send(0, first, "A a0");
    let second = world.local_publish(0, "live/x");
    world.local_send(0, second, "A a0");
    world.takes_locally = false;
    world.shards[0].server_mut().handle_eof(world.now, second);
    world.local_send(0, first, "a200");
    world.pass(Duration::from_millis(150));
    world.local_send(0, first, "a400");
    world.pass(SECOND);
    let connections = world.shards[0].server().connections(world.now);
    assert_eq!(connections.len(), 1, "{connections:?}");
}

#[test]
fn nothing_is_left_of_what_a_program_is_done_with() {
    // It is kicked, and gives it up before it has heard of that.
    let mut world = World::new(1, |_| {});
    let publisher = world.local_publish(0, "live/x");
    world.local_send(0, publisher, "A a0");
    let player = world.local_play(0, "live/x");
    world.takes_locally = false;
    let server = world.shards[0].server_mut();
    server.kick(world.now, &Kick::stream(key("live/x")));
    server.handle_eof(world.now, publisher);
    server.handle_eof(world.now, player);
    world.settle();
    assert!(!world.has_local(0));

    // It is given up with a frame that waits for the answer, which is no.
    let mut world = World::new(2, |config| config.takeover = Takeover::Never);
    let first = world.rtmp(0, Publish, "live", "x", 1);
    world.publish(first, "V K0");
    let home = (0..2)
        .find(|&shard| world.shards[shard].server().stats().names == 1)
        .unwrap();
    world.takes_locally = false;
    world.delivers = false;
    for shard in [0, 1] {
        let second = world.local_publish(shard, "live/x");
        let server = world.shards[shard].server_mut();
        // On the worker that knows of the first it is refused at once.
        let results = frames("V K0").map(|frame| server.send_frame(world.now, second, frame));
        assert!(results.last() == Some(Ok(())) || shard == home);
        server.handle_eof(world.now, second);
    }
    world.delivers = true;
    world.settle();
    world.pass(SECOND);
    assert!(!world.has_local(0) && !world.has_local(1));
    world.shutdown();
    world.pass(SECOND * 2);
    assert!(world.shards.iter().all(|shard| shard.is_drained()));
}

#[test]
fn a_frame_without_payload_takes_place_as_well() {
    let mut world = World::new(2, |config| config.limits.max_buffered_bytes = 1_000);
    world.delivers = false;
    let ids = [0, 1].map(|shard| world.local_publish(shard, "live/x"));
    let empty = Frame::audio(Timestamp::ZERO, vec![].into());
    let mut send = |shard: usize| {
        let server = world.shards[shard].server_mut();
        server.send_frame(world.now, ids[shard], empty.clone())
    };
    let results = [0, 1].map(|shard| (0..100).filter(|_| send(shard).is_ok()).count());
    assert!(results.contains(&7), "{results:?}");
    let max = Limits::default().max_message_len as usize;
    let large = Frame::audio(Timestamp::ZERO, vec![0; max + 1].into());
    let result = world.shards[0].server_mut().send_frame(world.now, ids[0], large);
    assert_eq!(result, Err(StateError::FrameTooLarge { len: max + 1 }));
}

/// A stream whose publisher has sent nothing yet, and the worker that is not its home.
fn away_from_home() -> (World, usize, usize) {
    let mut world = World::new(2, |_| {});
    let first = world.rtmp(0, Publish, "live", "x", 1);
    let is_home = |shard: &usize| world.shards[*shard].server().stats().names == 1;
    let home = (0..2).find(is_home).unwrap();
    (world, first, 1 - home)
}

#[test]
fn nothing_is_left_of_a_claim_that_is_given_up_and_denied() {
    let (mut world, first, shard) = away_from_home();
    // It is accepted as long as the first has sent nothing.
    let second = world.local_publish(shard, "live/x");
    assert_eq!(world.local_heard(shard, second), "[accepted]");
    world.publish(first, "A a0");
    world.delivers = false;
    let only = frames("a0").next().unwrap();
    let server = world.shards[shard].server_mut();
    server.send_frame(world.now, second, only).unwrap();
    server.handle_eof(world.now, second);
    world.takes_locally = false;
    world.delivers = true;
    for time in 1..10 {
        world.publish(first, &format!("a{}", time * 200));
        world.pass(SECOND / 5);
    }
    assert!(world.is_publishing(first) && !world.has_local(shard));
}

#[test]
fn frames_behind_one_that_claims_a_name_are_counted() {
    let (mut world, first, shard) = away_from_home();
    let second = world.local_publish(shard, "live/x");
    world.publish(first, "A a0");
    world.delivers = false;
    let held = |world: &World| world.shards[shard].server().stats().memory_held;
    let send = |world: &mut World, script: &str| {
        for frame in frames(script) {
            let server = world.shards[shard].server_mut();
            server.send_frame(world.now, second, frame).unwrap();
        }
    };
    send(&mut world, "A");
    let before = held(&world);
    send(&mut world, "a0:50000 a20:50000");
    assert!(held(&world) >= before + 100_000, "{} of {before}", held(&world));
}
