//! Short forms of the soak and of the crowd, with each binary: good peers beside all others lose nothing, and nothing is
//! left of the others. `cargo bench --bench soak` and `--bench crowd` are the long ones.
#![cfg(all(target_os = "linux", any(feature = "mio", feature = "smol", feature = "tokio")))]

#[path = "benches/crowd/peers.rs"]
mod peers;
#[path = "benches/crowd/scene.rs"]
mod scene;
#[path = "benches/shared/mod.rs"]
mod shared;
#[macro_use]
mod support;
#[path = "benches/soak/verdict.rs"]
mod verdict;
#[path = "benches/soak/world.rs"]
mod world;

use ::tokio::task::JoinSet;
use ::tokio::time::{Instant, sleep};
use peers::{Crowd, Deeds};
use scene::{Bring, Scene};
use shared::process::{self, Process};
use shared::server::Server;
use shared::verdict::Verdict;
use std::io::Result;
use std::rc::Rc;
use std::time::Duration;
use support::server::Runtime;
use world::World;

/// How often to ask whether the crowd has come.
const POLL: Duration = Duration::from_millis(20);
/// How long it may take.
const COMES_WITHIN: Duration = Duration::from_secs(60);

fn start(runtime: Runtime) -> Server {
    process::raise_file_limit().unwrap();
    let mut command = runtime.command();
    command.args(["--workers", &runtime.workers.to_string(), "--grace", "1"]);
    Server::start(runtime.name(), &mut command, "127.0.0.1", Process::spawn_plainly).unwrap()
}

fn expect_good(verdict: &Verdict) {
    assert!(verdict.is_good(), "\n{verdict}");
}

fn good_peers_do_not_notice_others(runtime: Runtime) {
    let mut server = start(runtime);
    let plan = world::Plan {
        time: Duration::from_secs(8),
        interval: Duration::from_millis(500),
        scale: 1,
        seed: 7,
        network: [127, 0],
        lightness: 1,
    };
    let run = async { World::new(&server, plan).run(&mut server, |_| {}).await };
    expect_good(&shared::block_on(run).unwrap().unwrap());
}

fn good_players_do_not_notice_a_crowd(runtime: Runtime) {
    let mut server = start(runtime);
    let plan = scene::Plan {
        time: Duration::from_secs(3),
        players: 10,
        join_interval: Duration::from_millis(200),
    };
    let mut here = Here(Crowd {
        rtmp: server.rtmp,
        http: server.http,
        silent: 200,
        garbage: 50,
        stream: scene::STREAM.to_owned(),
    });
    let scene = Scene::new(&server, plan);
    expect_good(&shared::block_on(scene.run(&mut server, &mut here)).unwrap().unwrap());
}

/// A crowd in our own thread.
struct Here(Crowd);

impl Bring for Here {
    type Crowd = (JoinSet<()>, Rc<Deeds>);

    async fn bring(&mut self) -> Result<Self::Crowd> {
        let deeds = Rc::new(Deeds::default());
        let tasks = self.0.clone().spawn(&deeds);
        let until = Instant::now() + COMES_WITHIN;
        while deeds.tried.get() < self.0.silent {
            if Instant::now() >= until {
                return Err(scene::absent(&deeds.summary()));
            }
            sleep(POLL).await;
        }
        Ok((tasks, deeds))
    }

    fn summary((_, deeds): &mut Self::Crowd) -> String {
        deeds.summary()
    }
}

on_each_binary!(2, [
    good_peers_do_not_notice_others
    good_players_do_not_notice_a_crowd
]);

/// What the good players call a fault.
mod checker {
    use crate::shared::checker::Checker;
    use crate::shared::media::{Pattern, headers};
    use bytes::Bytes;
    use headwater_core::{Frame, Timestamp};
    use std::time::Duration;

    fn faults_of(frames: &[Frame]) -> Vec<String> {
        let pattern = Pattern::new();
        let mut checker = Checker::default();
        frames.iter().for_each(|frame| checker.take(&pattern, frame));
        checker.faults
    }

    fn frame(origin: u32, sequence: u32) -> Frame {
        Pattern::new().frame_from(origin, sequence, Duration::from_secs(1))
    }

    fn shifted(frame: Frame, by: u32) -> Frame {
        let timestamp = Timestamp::from_millis(frame.timestamp.as_millis() + by);
        Frame { timestamp, ..frame }
    }

    #[test]
    fn all_frames_in_order_are_right() {
        let frames: Vec<_> = (0..10).map(|sequence| shifted(frame(0, sequence), 500)).collect();
        let again = (0..10).map(|sequence| shifted(frame(1, sequence), 2_500));
        let frames: Vec<_> = headers().into_iter().chain(frames).chain(again).collect();
        assert_eq!(faults_of(&frames), [""; 0]);
    }

    #[test]
    fn a_lost_frame_is_a_fault() {
        assert_eq!(
            faults_of(&[frame(0, 0), frame(0, 1), frame(0, 3)]),
            ["frame 3 came after 1"]
        );
    }

    #[test]
    fn frames_in_another_order_are_a_fault() {
        let faults = faults_of(&[frame(0, 0), frame(0, 2), frame(0, 1)]);
        assert_eq!(faults[0], "frame 2 came after 0");
        assert_eq!(faults[1], "frame 1 came after 2");
    }

    #[test]
    fn a_changed_byte_is_a_fault() {
        let mut payload = frame(0, 0).payload.to_vec();
        payload[30_000] ^= 1;
        let changed = Frame {
            payload: Bytes::from(payload),
            ..frame(0, 0)
        };
        assert_eq!(faults_of(&[changed]), ["frame 0 has other bytes than were published"]);
    }

    #[test]
    fn a_start_without_a_keyframe_is_a_fault() {
        assert_eq!(
            faults_of(&[frame(3, 7)]),
            ["the publish 3 began with frame 7, no keyframe"]
        );
    }

    #[test]
    fn a_leap_of_the_timeline_is_a_fault() {
        let faults = faults_of(&[frame(0, 0), shifted(frame(0, 1), 40)]);
        assert_eq!(faults, ["the timeline leapt by 40 ms at frame 1"]);
    }

    #[test]
    fn time_that_goes_back_is_a_fault() {
        let faults = faults_of(&[shifted(frame(0, 0), 900), frame(1, 0)]);
        assert_eq!(faults, ["time went back at frame 0"]);
    }
}
