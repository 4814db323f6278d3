//! The same conversations with the drivers' shared loop, in memory, and with each binary, over the loopback interface.
//!
//! Each file in `tests/transcripts/` is one conversation of several clients with one server; [`conversation`] says how to
//! read it. It is played to [`Shard`](headwater_driver::Shard) with one shard and with two, and to the binary of each enabled
//! driver with one worker and with two, which are spoken to at each other's address; the text is the same for all, so where a driver differs it shows at once. So are the transcripts of RTMP sessions in `core/tests/transcripts/`, as far as the server
//! decides there by itself what their application does. Conversations in which time must pass are for memory only.
//!
//! Run with `UPDATE_TRANSCRIPTS=1` to write the files in `tests/transcripts/` anew from memory, and read the diff: what
//! takes longer than 100 ms has to be added by hand.
#![cfg(any(feature = "mio", feature = "smol", feature = "tokio"))]
#![allow(unreachable_pub, reason = "nothing in a test can be reached from elsewhere")]

mod conversation;
#[cfg(target_os = "linux")]
#[path = "../../core/tests/script/frames.rs"]
mod frames;
#[cfg(target_os = "linux")]
mod hang_up;
mod http;
mod rtmp;
#[path = "../../core/tests/script/mod.rs"]
mod script;
mod shards;
mod sockets;
#[path = "../support/mod.rs"]
mod support;
mod target;

use clap::Parser;
use headwater_core::server::Config;
use headwater_driver::cli::Options;
use shards::Shards;
use sockets::Sockets;
use std::path::{Path, PathBuf};
use std::{env, fs};
use support::server::Runtime;

/// In how many orders two shards hear from each other.
const ORDERS: u64 = 16;

/// Every binary, with one worker and with two.
#[cfg(target_os = "linux")]
fn runtimes() -> impl Iterator<Item = Runtime> {
    let binaries = [
        #[cfg(feature = "mio")]
        env!("CARGO_BIN_EXE_headwater-mio"),
        #[cfg(feature = "smol")]
        env!("CARGO_BIN_EXE_headwater-smol"),
        #[cfg(feature = "tokio")]
        env!("CARGO_BIN_EXE_headwater-tokio"),
    ];
    let runtimes = binaries.map(|binary| [1, 2].map(|workers| Runtime { binary, workers }));
    runtimes.into_iter().flatten()
}

/// Transcripts of sessions that do not tell how a server behaves.
const LEFT_OUT: [(&str, &str); 12] = [
    ("connect_refused", "the server welcomes every application"),
    ("no_rtmp", "the server takes HTTP on the same port"),
    ("play_ffmpeg", "the frames come from the application"),
    ("play_gone_before_answer", "the server answers at once"),
    ("play_librtmp", "the publisher comes from the application"),
    ("play_refused", "the server lets players wait"),
    ("publish_again", "the end comes from the application"),
    ("publish_haishinkit", "the server looks at deadlines every 50 ms"),
    ("publish_refused", "the refusal comes from the application"),
    ("publish_timeouts", "the server answers at once"),
    ("says_nothing_more", "the server looks at deadlines every 50 ms"),
    ("server_closes", "the server ends a play before it closes"),
];

/// What a transcript is played to.
#[derive(Clone, Copy)]
enum Place {
    Memory { shards: u16 },
    Binary(Runtime),
}

impl Place {
    /// Plays the transcript `name` in `tests/transcripts/`.
    fn play(self, name: &str) {
        let path = folder(TRANSCRIPTS).join(name).with_extension("txt");
        let script = fs::read_to_string(&path).unwrap();
        match (self, env::var_os("UPDATE_TRANSCRIPTS")) {
            (place, None) => place.compare(&script),
            (Place::Memory { shards: 1 }, Some(_)) => {
                let mut shards = Shards::new(1, config(&script), 0).in_haste();
                fs::write(path, conversation::play(&script, &mut shards, true)).unwrap();
            }
            (_, Some(_)) => {}
        }
    }

    /// Plays the transcript `name` in `core/tests/transcripts/`, one thing after the other.
    fn play_session(self, name: &str) {
        self.compare(&conversation::of_session(&session(name), false));
    }

    /// The same at the times that it says.
    fn play_session_in_time(self, name: &str) {
        self.compare(&conversation::of_session(&session(name), true));
    }

    fn compare(self, script: &str) {
        let check = |played: &str, what: &str| {
            assert!(
                played == script,
                "{what}:\n{}",
                conversation::difference(script, played)
            );
        };
        match self {
            Place::Memory { shards } => {
                for order in 0..if shards == 1 { 1 } else { ORDERS } {
                    let mut target = Shards::new(shards, config(script), order);
                    let played = conversation::play(script, &mut target, false);
                    check(&played, &format!("in memory, {shards} shards, order {order}"));
                }
            }
            Place::Binary(_) if script.contains("from 127.0.0.2") && !cfg!(target_os = "linux") => {
                eprintln!("SKIPPED: only Linux has 127.0.0.2 without being asked");
            }
            Place::Binary(runtime) => {
                // Every address takes every protocol.
                let is_crossed = runtime.workers > 1;
                let mut target = Sockets::new(runtime.start(&conversation::flags(script)), is_crossed);
                let played = conversation::play(script, &mut target, false);
                let Runtime { binary, workers } = runtime;
                // Which worker a connection comes to is the kernel's choice; the log of a server that failed has their numbers.
                let place = format!("{binary}, {workers} workers, connection N on worker N modulo {workers}");
                check(&played, &place);
            }
        }
    }
}

/// What the flags in a transcript mean.
fn config(script: &str) -> Config {
    let flags = [""].into_iter().chain(conversation::flags(script));
    Options::try_parse_from(flags).expect("flags").config().server
}

const TRANSCRIPTS: &str = "tests/transcripts";
const SESSION_TRANSCRIPTS: &str = "core/tests/transcripts";

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn session(name: &str) -> String {
    fs::read_to_string(folder(SESSION_TRANSCRIPTS).join(name).with_extension("txt")).unwrap()
}

/// Makes a test of each transcript in one place.
macro_rules! tests_in {
    ($place:expr, $play:ident, [$($name:ident)*]) => {
        $(
            #[test]
            fn $name() {
                $place.$play(stringify!($name));
            }
        )*
    };
}

/// Makes the tests in memory.
macro_rules! tests_in_memory {
    ($module:ident, $shards:expr, $everywhere:tt, $in_memory:tt, $sessions:tt, $sessions_in_memory:tt) => {
        mod $module {
            const PLACE: crate::Place = crate::Place::Memory { shards: $shards };
            tests_in!(PLACE, play, $everywhere);
            tests_in!(PLACE, play, $in_memory);
            mod session {
                tests_in!(super::PLACE, play_session, $sessions);
                tests_in!(super::PLACE, play_session_in_time, $sessions_in_memory);
            }
        }
    };
}

/// Makes the tests of one binary.
macro_rules! tests_of {
    ($module:ident, $workers:expr, $binary:expr, $everywhere:tt, $sessions:tt) => {
        mod $module {
            const PLACE: crate::Place = crate::Place::Binary(crate::support::server::Runtime {
                binary: $binary,
                workers: $workers,
            });
            tests_in!(PLACE, play, $everywhere);
            mod session {
                tests_in!(super::PLACE, play_session, $sessions);
            }
        }
    };
}

macro_rules! names {
    ([$($name:ident)*]) => { [$(stringify!($name)),*] };
}

/// Plays each transcript wherever it can be played.
macro_rules! play {
    {
        everywhere: $everywhere:tt
        in_memory: $in_memory:tt
        sessions_everywhere: $sessions:tt
        sessions_in_memory: $sessions_in_memory:tt
    } => {
        mod memory {
            tests_in_memory!(one_shard, 1, $everywhere, $in_memory, $sessions, $sessions_in_memory);
            tests_in_memory!(two_shards, 2, $everywhere, $in_memory, $sessions, $sessions_in_memory);
        }
        #[cfg(feature = "mio")]
        mod mio {
            tests_of!(one_worker, 1, env!("CARGO_BIN_EXE_headwater-mio"), $everywhere, $sessions);
            tests_of!(two_workers, 2, env!("CARGO_BIN_EXE_headwater-mio"), $everywhere, $sessions);
        }
        #[cfg(feature = "smol")]
        mod smol {
            tests_of!(one_worker, 1, env!("CARGO_BIN_EXE_headwater-smol"), $everywhere, $sessions);
            tests_of!(two_workers, 2, env!("CARGO_BIN_EXE_headwater-smol"), $everywhere, $sessions);
        }
        #[cfg(feature = "tokio")]
        mod tokio {
            tests_of!(one_worker, 1, env!("CARGO_BIN_EXE_headwater-tokio"), $everywhere, $sessions);
            tests_of!(two_workers, 2, env!("CARGO_BIN_EXE_headwater-tokio"), $everywhere, $sessions);
        }

        #[test]
        fn every_transcript_is_played() {
            for (listed, is_timed) in [(&names!($everywhere)[..], false), (&names!($in_memory)[..], true)] {
                for name in listed {
                    let script = fs::read_to_string(folder(TRANSCRIPTS).join(name).with_extension("txt")).unwrap();
                    assert_eq!(conversation::has_times(&script), is_timed, "{name} is in the wrong list");
                }
            }
            let mut listed = [&names!($everywhere)[..], &names!($in_memory)[..]].concat();
            listed.sort_unstable();
            assert_eq!(listed, names_in(TRANSCRIPTS));
            let mut listed = [&names!($sessions)[..], &names!($sessions_in_memory)[..]].concat();
            listed.extend(LEFT_OUT.map(|(name, _)| name));
            listed.sort_unstable();
            assert_eq!(listed, names_in(SESSION_TRANSCRIPTS));
        }
    };
}

/// The names of the transcripts in a folder, in order.
fn names_in(path: &str) -> Vec<String> {
    let paths = fs::read_dir(folder(path)).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = paths
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort_unstable();
    names
}

play! {
    everywhere: [
        before_the_publisher
        enhanced
        expect_continue
        garbage
        gop_cache_off
        half_close
        headers_change
        http_absent_wait
        http_in
        http_refusals
        http_keep_alive
        http_requests
        late_player
        metadata
        name_is_taken
        names
        pages
        play_control
        publisher_is_cut_off
        publisher_leaves
        publisher_returns
        reset
        rtmp_in
        shutdown
        slow_cuts
        switch_streams
        takeover
        takeover_never
        timestamps
        two_streams
        waits_once
        websocket
        websocket_push
    ]
    in_memory: [
        one_kind_only
        returns_in_time
        silence
        timestamps_that_jump
        waits_end
    ]
    sessions_everywhere: [
        acknowledgements
        command_before_connect
        connect_enhanced
        connect_twice
        play_flash
        publish_aggregate
        publish_bad_name
        publish_early_media
        publish_ffmpeg
        publish_flash
        publish_gst
        publish_haivision
        publish_mobile
        publish_obs
        too_many_streams
    ]
    sessions_in_memory: [
        anomalies
        publish_half_open
        slow_loris
    ]
}
