//! SIGTERM, whatever peers are doing.

use crate::good::{flv_head, sound, tag};
use crate::peers::Kind;
use crate::support::http::Push;
use crate::support::server::Server;
use headwater_core::{Frame, Timestamp};
use std::any::Any;
use std::net::Shutdown;
use std::time::{Duration, Instant};

/// How long the server may take to end: its 5 s for that, on a busy machine.
const ENDS_WITHIN: Duration = Duration::from_secs(8);
/// How long it may take if it waits for nobody.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Peers in some state, which do nothing more for as long as they are kept.
type State = fn(&Server) -> Box<dyn Any>;

const STATES: [(&str, State); 9] = [
    ("connected", |server| Box::new(Kind::RtmpPlayer.connect(server, "x", 0))),
    ("in its handshake", |server| {
        Box::new(Kind::RtmpPlayer.connect(server, "x", 3))
    }),
    ("without a stream", |server| {
        Box::new(Kind::RtmpPlayer.connect(server, "x", 5))
    }),
    ("in a request", |server| {
        Box::new(Kind::HttpPlayer.connect(server, "x", 1))
    }),
    ("waiting for a stream", |server| {
        let players = [Kind::RtmpPlayer, Kind::HttpPlayer, Kind::WebSocketPlayer];
        let steps = [6, 2, 2];
        let players = [0, 1, 2].map(|at| players[at].connect(server, "x", steps[at]));
        server.wait_for_players("live/x", 3);
        Box::new(players)
    }),
    ("half-closed", |server| {
        let player = Kind::HttpPlayer.connect(server, "x", 2);
        player.shutdown(Shutdown::Write).unwrap();
        Box::new(player)
    }),
    ("publishing by RTMP", |server| {
        let publisher = Kind::RtmpPublisher.connect(server, "x", 8);
        server.wait_for_line("publish started");
        Box::new(publisher)
    }),
    ("publishing by HTTP", |server| {
        let publisher = Kind::HttpPublisher.connect(server, "x", 6);
        server.wait_for_line("publish started");
        Box::new(publisher)
    }),
    ("taking nothing", take_nothing),
];

/// A player that takes nothing more of what is published.
fn take_nothing(server: &Server) -> Box<dyn Any> {
    let player = Kind::HttpPlayer.connect(server, "x", 2);
    server.wait_for_players("live/x", 1);
    let mut push = Push::start(server.http, "/live/x");
    push.send(&[flv_head(), tag(&sound(0))].concat());
    // More than the kernel takes for it.
    for _ in 0..8 {
        let payload = [&b"\xAF\x01"[..], &[0; 1 << 20]].concat();
        push.send(&tag(&Frame::audio(Timestamp::ZERO, payload.into())));
    }
    server.wait_for_line("play started");
    Box::new((player, push))
}

#[test]
fn sigterm_ends_the_server_in_time_in_every_state() {
    crate::on_every_runtime(&[1, 2], |runtime| {
        for (what, state) in STATES {
            let mut server = runtime.start(&[]);
            let peers = state(&server);
            let begin = Instant::now();
            server.signal(&["TERM"]);
            let status = server.wait();
            assert_eq!(status.code(), Some(0), "with a peer that is {what}");
            assert!(begin.elapsed() < ENDS_WITHIN, "with a peer that is {what}");
            drop(peers);
        }
    });
}

#[test]
fn sigterm_ends_the_server_in_time_with_all_of_them() {
    crate::on_every_runtime(&[1, 2], |runtime| {
        let mut server = runtime.start(&[]);
        let peers = STATES.map(|(_, state)| state(&server));
        let begin = Instant::now();
        server.signal(&["TERM"]);
        assert_eq!(server.wait().code(), Some(0));
        assert!(begin.elapsed() < ENDS_WITHIN);
        drop(peers);
    });
}

#[test]
fn a_second_sigterm_waits_for_nobody() {
    crate::on_every_runtime(&[1, 2], |runtime| {
        let mut server = runtime.start(&[]);
        let peers = take_nothing(&server);
        server.signal(&["TERM"]);
        server.wait_for_line("stopping");
        let begin = Instant::now();
        server.signal(&["TERM"]);
        assert_eq!(server.wait().code(), Some(1));
        assert!(begin.elapsed() < AT_ONCE);
        drop(peers);
    });
}
