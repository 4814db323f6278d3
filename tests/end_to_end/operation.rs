//! What the system and its operator do to a server: few files, a log that nobody takes, signals, a port in use.

use crate::support::clips::{FRAME_RATE, TYPICAL};
use crate::support::http::{self, coded};
use crate::support::process::{POLL, Process};
use crate::support::server::Runtime;
use crate::support::{DEADLINE, ffmpeg};
use crate::{play_both, read_pictures};
use headwater_core::FrameKind;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

/// With more connections than file descriptors, nobody is left without an answer: players that wait for nothing have three quarters
/// of the places, the last that came, and new ones come in when these leave.
pub(crate) fn running_out_of_file_descriptors_is_survived(runtime: Runtime) {
    let server = runtime.start_after("ulimit -n 256", &[]);
    server.wait_for_line("the process may have few files open");
    let is_refused = |mut peer: &TcpStream| {
        peer.set_nonblocking(true).unwrap();
        !matches!(peer.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    };
    let deadline = Instant::now() + DEADLINE;
    let mut connections = Vec::new();
    // A few at a time, so that the server is asked by all of them.
    for _ in 0..30 {
        let few: Vec<_> = (0..10)
            .map(|_| {
                let mut peer = http::connect(server.http, Ipv4Addr::LOCALHOST);
                // One too many may be closed before it has asked.
                let _ = peer.write_all(b"GET /live/nobody?wait=60 HTTP/1.0\r\n\r\n");
                peer
            })
            .collect();
        for peer in &few {
            let peer_field = format!("peer={} ", peer.local_addr().unwrap());
            while !server.has_line(&["play waits", &peer_field]) && !is_refused(peer) {
                assert!(Instant::now() < deadline, "{peer_field} hears nothing");
                thread::sleep(POLL);
            }
        }
        connections.extend(few);
    }
    let waiting = connections.iter().filter(|peer| !is_refused(peer)).count();
    server.wait_for_line("connections refused");
    // Three quarters of all places, which are 214 with one worker and 204 with two: older ones went for the last that came. Some
    // more went if those that had gone still counted.
    assert!((100..=160).contains(&waiting), "{waiting} of 300 wait");
    let still = connections.iter().filter(|peer| !is_refused(peer)).count();
    assert_eq!(still, waiting, "those that wait go on");
    // Each is reset: one that only closes its side may still want to hear the answer.
    for peer in &connections {
        socket2::SockRef::from(peer).set_linger(Some(Duration::ZERO)).unwrap();
    }
    drop(connections);
    // It may not have noticed yet that they have left.
    while http::try_get(server.http, "/live/nobody").is_none_or(|response| response.status != 404) {
        assert!(Instant::now() < deadline, "nobody is let in");
        thread::sleep(POLL);
    }
}

/// A log that cannot be written, or is not read, costs lines and nothing else.
pub(crate) fn a_log_that_nobody_takes_harms_no_server(runtime: Runtime) {
    for stderr in [LogReader::Gone, LogReader::FullDisk, LogReader::Still] {
        let (_reserved, http) = reserve_address();
        let mut command = runtime.command();
        command
            .args(["--address", "127.0.0.1:0", "--http-address", &http.to_string()])
            .args(["--admin-address", "none"])
            .args(["--workers", &runtime.workers.to_string(), "--log-level", "debug"])
            .stderr(match stderr {
                LogReader::Gone | LogReader::Still => Stdio::piped(),
                LogReader::FullDisk => File::options().write(true).open("/dev/full").unwrap().into(),
            });
        let mut server = Process::spawn_silent("the server", &mut command, stderr == LogReader::Still);
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect(http).is_err() {
            assert!(Instant::now() < deadline, "{stderr:?}: it does not listen");
            thread::sleep(POLL);
        }
        // More than fits into a pipe.
        for _ in 0..400 {
            assert_eq!(http::get(http, "/live/nobody").status, 404, "{stderr:?}");
        }
        server.signal(&["TERM"]);
        let status = server.wait(DEADLINE);
        assert!(status.success(), "{stderr:?}: the server ended with {status}");
    }
}

/// What becomes of a server's log.
#[derive(Debug, Clone, Copy, PartialEq)]
enum LogReader {
    Gone,
    FullDisk,
    Still,
}

/// An address of the loopback interface for a server that cannot say where it listens. Nobody else is given its port while
/// the socket is there, which does not listen.
fn reserve_address() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// A terminal that goes away, or a service manager of the old school, stops the server as cleanly as any other signal.
pub(crate) fn a_hang_up_stops_the_server_cleanly(runtime: Runtime) {
    runtime.start(&[]).stop_by("HUP");
}

/// As `nohup` starts it.
pub(crate) fn a_hang_up_that_was_ignored_stays_so(runtime: Runtime) {
    if !cfg!(target_os = "linux") {
        eprintln!("SKIPPED: only Linux tells what is ignored");
        return;
    }
    let mut server = runtime.start_after("trap '' HUP", &[]);
    // The server does not run between the two: if it heeded the first, the second would be one too many.
    server.signal(&["STOP", "HUP", "TERM", "CONT"]);
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(server.count_lines("SIGHUP"), 0);
}

/// Told to stop in the middle of everything, the server ends each stream properly and is gone within its time.
pub(crate) fn a_termination_ends_every_play_cleanly(runtime: Runtime) {
    let mut server = runtime.start(&[]);
    let recorders = [&server.rtmp_url("live/end"), &server.http_url("live/end?wait=60")].map(|url| ffmpeg::record(url));
    let plays = play_both(&server, "live/end", 48);
    server.wait_for_players("live/end", recorders.len() + plays.len());
    let _publisher = ffmpeg::publish(TYPICAL, &server.rtmp_url("live/end"));
    read_pictures(&server, "live/end", FRAME_RATE / 2);
    server.stop_by("TERM");
    for play in plays {
        let frames = play.join().unwrap();
        assert!(!coded(&frames, FrameKind::Video).is_empty());
    }
    for recorder in recorders {
        recorder.finish();
    }
}

/// With nobody there it waits for nobody.
pub(crate) fn an_idle_server_ends_at_once(runtime: Runtime) {
    runtime.start(&[]).stop_by("TERM");
}

/// An operator who asks twice does not want to wait for anybody.
pub(crate) fn a_second_signal_ends_the_server_at_once(runtime: Runtime) {
    let mut server = runtime.start(&[]);
    // It does not close its side, for which the server gives it a second.
    let _player = http::send_get(server.http, "/live/nobody?wait=60");
    server.wait_for_players("live/nobody", 1);
    // The server does not run between the two, so that the second cannot come too late.
    server.signal(&["STOP", "TERM", "INT", "CONT"]);
    assert_eq!(server.wait().code(), Some(1));
}

/// All that publishers and players speak is spoken on one port. An address that two flags name is one listener.
pub(crate) fn one_port_is_enough(runtime: Runtime) {
    let (_reserved, address) = reserve_address();
    let address = &*address.to_string();
    for flags in [
        ["--address", address, "--http-address", address],
        ["--address", address, "--http-address", "none"],
        ["--address", "none", "--http-address", address],
    ] {
        let mut server = runtime.start_at(&flags, &["--grace", "0"]);
        assert!(server.has_line(&["listening", &format!("={address} ")]), "{flags:?}");
        for (push, stream) in [("rtmp", "live/by-rtmp"), ("http", "live/by-http")] {
            let players =
                ["http", "rtmp"].map(|scheme| ffmpeg::record(&format!("{scheme}://{address}/{stream}?wait=60")));
            server.wait_for_players(stream, players.len());
            ffmpeg::publish(TYPICAL, &format!("{push}://{address}/{stream}")).succeed(DEADLINE);
            for player in players {
                player
                    .finish()
                    .assert_same(&TYPICAL.packets(), &format!("{flags:?}, {push}"));
            }
        }
        server.stop_by("TERM");
    }
}

/// What prevents the start is said in one line, with its own exit code.
pub(crate) fn a_port_in_use_is_one_line_and_exit_code_2(runtime: Runtime) {
    let server = runtime.start(&[]);
    let (rtmp, http) = (server.rtmp.to_string(), server.http.to_string());
    for (flags, expected) in [
        (["--address", &rtmp, "--http-address", "127.0.0.1:0"], &*rtmp),
        (["--address", "127.0.0.1:0", "--http-address", &http], &http),
        (["--address", "127.0.0.1:0", "--workers", "none"], "--workers"),
        (
            ["--address", "127.0.0.1:0", "--admin-address", "0.0.0.0:0"],
            "--admin-token",
        ),
    ] {
        let mut process = Process::spawn("the second server", runtime.command().args(flags));
        assert_eq!(process.wait(DEADLINE).code(), Some(2));
        let log = process.log();
        assert_eq!(log.lines().count(), 1, "{log}");
        assert!(log.contains(expected), "{log}");
    }
}
