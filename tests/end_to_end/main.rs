//! Whole servers on the loopback interface, with ffmpeg as the outside judge.
//!
//! Each case is a function of the binary to test; the list at the end runs all of them on each binary that the enabled
//! features bring, with one worker and with two.

#![cfg(any(feature = "mio", feature = "smol", feature = "tokio"))]

mod operation;
#[path = "../support/mod.rs"]
mod support;

use headwater_core::flv::{FlvItem, FlvReader};
use headwater_core::{Frame, FrameClass, FrameKind, Limits};
use operation::*;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use support::clips::{self, Clip, FRAME_RATE, TYPICAL};
use support::ffmpeg::{self, Recorder};
use support::http::{self, Push, Response, Trickle, coded, is_header};
use support::server::{Runtime, Server};
use support::{DEADLINE, relay, rtmp};

/// Ends streams as soon as their publisher leaves, so that a test need not wait for it.
const NO_GRACE: [&str; 2] = ["--grace", "0"];

/// Each clip, pushed by each protocol and played by each, arrives whole: every packet, its times, and the codec
/// configuration. The players are there before the publisher.
fn every_clip_arrives_whole(runtime: Runtime) {
    let server = runtime.start(&NO_GRACE);
    let plays: Vec<_> = clips::ALL
        .into_iter()
        .flat_map(|clip| ["rtmp", "http"].map(|push| (clip, push, format!("live/{}-{push}", clip.name))))
        .collect();
    let by_http: Vec<_> = plays
        .iter()
        .map(|(.., stream)| {
            [format!("{stream}?wait=60"), format!("{stream}.flv?wait=60")]
                .map(|stream| ffmpeg::record(&server.http_url(&stream)))
        })
        .collect();
    // Those that wait half a minute at most come last.
    let by_rtmp: Vec<_> = plays
        .iter()
        .map(|(.., stream)| ffmpeg::record(&server.rtmp_url(stream)))
        .collect();
    for (.., stream) in &plays {
        server.wait_for_players(stream, 3);
    }
    let publishers: Vec<_> = plays
        .iter()
        .map(|(clip, push, stream)| match *push {
            "rtmp" => ffmpeg::publish(*clip, &server.rtmp_url(stream)),
            _ => ffmpeg::publish(*clip, &server.http_url(stream)),
        })
        .collect();
    for (((clip, push, _), publisher), (by_http, by_rtmp)) in
        plays.into_iter().zip(publishers).zip(by_http.into_iter().zip(by_rtmp))
    {
        publisher.succeed(DEADLINE);
        let published = clip.packets();
        for player in by_http.into_iter().chain([by_rtmp]) {
            let what = format!("{} pushed by {push}, {}", clip.name, player.url());
            player.finish().assert_same(&published, &what);
        }
    }
}

/// A player that joins in the middle gets the pictures since the last keyframe at once, and everything after.
fn a_late_player_starts_at_the_last_keyframe(runtime: Runtime) {
    let server = runtime.start(&NO_GRACE);
    let (publisher, monitors) = push_half(&server, "live/late", TYPICAL, 0);
    // The next keyframe comes only when all of them play.
    let mut native = server.get("/live/late.flv");
    let first = native.read_flv_until(|frames| !coded(frames, FrameKind::Video).is_empty());
    assert_eq!(coded(&first, FrameKind::Video)[0].class, FrameClass::Keyframe);

    let players = [&server.rtmp_url("live/late"), &server.http_url("live/late")].map(|url| ffmpeg::record(url));
    server.wait_for_plays("live/late", monitors.len() + 1 + players.len());
    assert_eq!(publisher.finish().status, 200);
    let published = TYPICAL.packets();
    for player in players {
        let what = player.url().to_owned();
        let missed = player.finish().assert_end_of(&published, &what);
        assert_eq!(missed, FRAME_RATE, "{what}: starts at another picture");
    }
}

/// What ffprobe says of a stream in the middle of it is what it says of the file.
fn a_probe_sees_the_tracks_of_the_file(runtime: Runtime) {
    let server = runtime.start(&NO_GRACE);
    for (stream, clip) in [("live/tracks", TYPICAL), ("live/pictures", clips::VIDEO_ONLY)] {
        let (publisher, monitors) = push_half(&server, stream, clip, 0);
        // To look for sound where there is none takes ffprobe until the end.
        let urls = [server.rtmp_url(stream), server.http_url(&format!("{stream}.flv"))];
        let probes = urls.map(|url| (url.clone(), thread::spawn(move || ffmpeg::probe(&url))));
        server.wait_for_plays(stream, monitors.len() + probes.len());
        assert_eq!(publisher.finish().status, 200);
        let published = ffmpeg::probe(clip.path().to_str().unwrap());
        for (url, probe) in probes {
            assert_eq!(probe.join().unwrap(), published, "{url}");
        }
    }
}

/// Without the cache a player waits for the next keyframe.
fn without_the_cache_a_late_player_starts_at_the_next_keyframe(runtime: Runtime) {
    let server = runtime.start(&["--grace", "0", "--gop-cache", "off"]);
    let (publisher, monitors) = push_half(&server, "live/late", TYPICAL, 0);
    let late = play_http(&server, "/live/late");
    server.wait_for_plays("live/late", monitors.len() + 1);
    assert_eq!(publisher.finish().status, 200);
    let late = late.join().unwrap();
    let first = coded(&late, FrameKind::Video)[0];
    assert_eq!(first.class, FrameClass::Keyframe);
    let published = file_frames(TYPICAL);
    let next_keyframe = coded(&published, FrameKind::Video)[2 * FRAME_RATE];
    assert!(first.payload == next_keyframe.payload, "starts with another picture");
}

/// An HTTP player of a stream that is not there learns it, or after as long as it asked to wait.
fn an_absent_stream_is_not_found(runtime: Runtime) {
    let server = runtime.start(&[]);
    let response = server.get("/live/nobody.flv");
    assert_eq!(response.status, 404);
    assert!(response.header("retry-after").is_some(), "{:?}", response.headers);
    let start = Instant::now();
    assert_eq!(server.get("/live/nobody?wait=1").status, 404);
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "did not wait: {:?}",
        start.elapsed()
    );
}

/// A user who cannot connect asks the operator why, and the log knows: which peer, which stream, what was wrong.
fn what_goes_wrong_is_in_the_log(runtime: Runtime) {
    let server = runtime.start(&[]);
    assert_eq!(server.get("//").status, 404);
    server.wait_for_line(r#"reason="stream name needs an app and a name"#);
    assert_eq!(server.get("/live/%E2%80%AEx").status, 404);
    server.wait_for_line(r#"protocol="http" stream="live/\u{202e}x" reason="no such stream""#);
    assert_eq!(
        http::post_from(Ipv4Addr::LOCALHOST, server.http, "/live/x", b"hello, world").status,
        400
    );
    server.wait_for_line(r#"reason="not an FLV stream: it begins with 'hel'"#);
    let backslash = ffmpeg::publish(TYPICAL, &server.rtmp_url("live/a\\b"));
    server.wait_for_line(r#"protocol="rtmp" reason="stream name contains a control character or a backslash"#);
    drop(backslash);
    for (address, opening, reason) in [
        (server.rtmp, &b"\x06"[..], "handshake version 6 (RTMPE) is not 3"),
        (server.http, b"\x16\x03\x01", "handshake version 22 (TLS)"),
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(opening).unwrap();
        server.wait_for_line(reason);
    }
}

/// A browser at the address of the players is told what is there, which is worth no line in the log.
fn a_browser_is_told_what_is_there(runtime: Runtime) {
    let server = runtime.start(&[]);
    let mut stream = http::connect(server.http, Ipv4Addr::LOCALHOST);
    for request in [
        "GET / HTTP/1.1\r\nAccept: text/html,*/*;q=0.8",
        "GET /favicon.ico HTTP/1.1",
        "GET / HTTP/1.1",
        "HEAD / HTTP/1.1",
        "POST / HTTP/1.1\r\nContent-Length: 0\r\nConnection: close",
    ] {
        write!(stream, "{request}\r\nHost: secret.example\r\n\r\n").unwrap();
    }
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    let statuses: Vec<_> = answers
        .lines()
        .filter_map(|line| line.strip_prefix("HTTP/1.1 "))
        .collect();
    let found = "200 OK";
    assert_eq!(
        statuses,
        [found, found, found, found, "405 Method Not Allowed"],
        "{answers}"
    );
    for part in [
        "<!DOCTYPE html>",
        "<svg ",
        "\nPush with ffmpeg:  ffmpeg ",
        "\r\nAllow: GET, HEAD, OPTIONS\r\n",
    ] {
        assert_eq!(answers.matches(part).count(), 1, "{part}: {answers}");
    }
    assert!(!answers.contains("secret"), "{answers}");
    server.wait_for_line(r#"reason="a page can only be read"#);
    let log = server.log();
    let about_peers = log
        .lines()
        .filter(|line| line.contains(" INFO ") && line.contains(" conn="));
    assert_eq!(about_peers.count(), 1, "{log}");
}

/// A second publisher from another address is refused by name, and the first does not notice.
fn a_second_publisher_from_elsewhere_is_refused(runtime: Runtime) {
    if !cfg!(target_os = "linux") {
        eprintln!("SKIPPED: only Linux has 127.0.0.2 without being asked");
        return;
    }
    let elsewhere = Ipv4Addr::new(127, 0, 0, 2);
    let server = runtime.start(&NO_GRACE);
    let player = ffmpeg::record(&server.rtmp_url("live/once"));
    server.wait_for_players("live/once", 1);
    let (first, _monitors) = push_half(&server, "live/once", TYPICAL, 1);

    let address = relay::start(elsewhere, server.rtmp);
    let mut second = ffmpeg::publish(TYPICAL, &format!("rtmp://{address}/live/once"));
    assert!(!second.wait(DEADLINE).success(), "the second publisher was not refused");
    second.wait_for_line("the stream has a publisher", Duration::ZERO);

    let clip = fs::read(TYPICAL.path()).unwrap();
    assert_eq!(http::post_from(elsewhere, server.http, "/live/once", &clip).status, 409);

    assert_eq!(first.finish().status, 200);
    player.finish().assert_same(&TYPICAL.packets(), "the first stream");
}

/// A publisher on the same host is refused as long as the first one sends.
fn a_second_publisher_from_the_same_address_is_refused(runtime: Runtime) {
    let server = runtime.start(&NO_GRACE);
    let player = ffmpeg::record(&server.rtmp_url("live/twice"));
    server.wait_for_players("live/twice", 1);
    let (first, _monitors) = push_half(&server, "live/twice", TYPICAL, 1);

    let mut second = ffmpeg::publish(TYPICAL, &server.rtmp_url("live/twice"));
    assert!(!second.wait(DEADLINE).success(), "the second publisher was not refused");
    second.wait_for_line("the stream has a publisher", Duration::ZERO);
    let clip = fs::read(TYPICAL.path()).unwrap();
    for (content, status) in [(&clip[..], 409), (b"", 400), (b"<html>", 400), (&clip[..13], 400)] {
        assert_eq!(
            http::post_from(Ipv4Addr::LOCALHOST, server.http, "/live/twice", content).status,
            status
        );
    }

    assert_eq!(first.finish().status, 200);
    player.finish().assert_same(&TYPICAL.packets(), "the first stream");
    let lines = server.count_lines("publish refused");
    assert!(lines <= runtime.workers.into(), "{lines} lines for all of them");
}

/// A publisher that comes back while its old connection says nothing more replaces itself, and the players stay.
fn a_publisher_that_comes_back_replaces_its_silent_self(runtime: Runtime) {
    let server = runtime.start(&NO_GRACE);
    let players = waiting_players(&server, "live/again");
    let mut first = ffmpeg::publish_again_and_again(TYPICAL, &server.rtmp_url("live/again"));
    read_pictures(&server, "live/again", FRAME_RATE / 2);
    first.signal(&["STOP"]);
    let second = ffmpeg::publish(TYPICAL, &server.http_url("live/again"));
    server.wait_for_line("publisher replaced");
    first.signal(&["CONT"]);
    assert!(!first.wait(DEADLINE).success(), "the first publisher was not told");
    first.wait_for_line("another publisher has taken over", Duration::ZERO);
    second.succeed(DEADLINE);
    for player in players {
        assert_continues(player);
    }
}

/// A publisher that is killed and comes back within the grace time continues the stream for its players.
fn players_stay_while_a_killed_publisher_comes_back(runtime: Runtime) {
    let mut server = runtime.start(&["--grace", "60"]);
    let players = waiting_players(&server, "live/killed");
    let published = file_frames(TYPICAL);
    let pictures = coded(&published, FrameKind::Video).len();
    let last = coded(&published, FrameKind::Video)[pictures - 1].payload.clone();
    let has_all = move |frames: &[Frame]| {
        let received = coded(frames, FrameKind::Video);
        received.len() > pictures && received.last().is_some_and(|frame| frame.payload == last)
    };
    let monitors = waiting_monitors(&server, "live/killed", players.len()).map(|monitor| {
        let has_all = has_all.clone();
        thread::spawn(move || http::read_response(monitor).read_flv_until(has_all))
    });
    let mut first = ffmpeg::publish(TYPICAL, &server.rtmp_url("live/killed"));
    read_pictures(&server, "live/killed", FRAME_RATE / 2);
    first.kill();
    ffmpeg::publish(TYPICAL, &server.rtmp_url("live/killed")).succeed(DEADLINE);
    for monitor in monitors {
        monitor.join().unwrap();
    }
    // Everything has arrived, and nobody else comes back for whom the players would stay.
    server.stop_by("TERM");
    for player in players {
        assert_continues(player);
    }
}

/// Names in any script, of any depth, with a query that is not part of them.
fn streams_have_the_same_name_on_both_protocols(runtime: Runtime) {
    let server = runtime.start(&NO_GRACE);
    for (push, plays) in [
        (
            "live/直播",
            [
                "/live/%E7%9B%B4%E6%92%AD?wait=60",
                "/live/%e7%9b%b4%e6%92%ad.flv?wait=60",
            ],
        ),
        (
            "live/a/b/name?token=x",
            ["/live/a/b/name?wait=60", "/live/a/b/name.flv?token=y&wait=60"],
        ),
    ] {
        let rtmp = ffmpeg::record(&server.rtmp_url(push));
        let plays = plays.map(|path| play_http(&server, path));
        server.wait_for_players(push.split('?').next().unwrap(), 1 + plays.len());
        ffmpeg::publish(TYPICAL, &server.rtmp_url(push)).succeed(DEADLINE);
        rtmp.finish().assert_same(&TYPICAL.packets(), push);
        for play in plays {
            assert_whole(&play.join().unwrap(), TYPICAL);
        }
    }
}

/// Everybody gets everything.
fn a_hundred_players_share_a_stream(runtime: Runtime) {
    let server = runtime.start(&NO_GRACE);
    let plays = play_both(&server, "live/shared", 100);
    ffmpeg::publish(TYPICAL, &server.rtmp_url("live/shared")).succeed(DEADLINE);
    for play in plays {
        assert_whole(&play.join().unwrap(), TYPICAL);
    }
}

/// Streams do not mix.
fn twenty_streams_at_once_stay_apart(runtime: Runtime) {
    let server = runtime.start(&NO_GRACE);
    let streams: Vec<_> = (0..20)
        .map(|index| {
            let clip = [TYPICAL, clips::WITHOUT_B_FRAMES, clips::VIDEO_ONLY][index % 3];
            (format!("live/stream{index}"), clip)
        })
        .collect();
    let plays: Vec<_> = streams
        .iter()
        .map(|(stream, _)| play_both(&server, stream, 2))
        .collect();
    let publishers: Vec<_> = streams
        .iter()
        .map(|(stream, clip)| ffmpeg::publish(*clip, &server.rtmp_url(stream)))
        .collect();
    for ((publisher, plays), (_, clip)) in publishers.into_iter().zip(plays).zip(&streams) {
        publisher.succeed(DEADLINE);
        for play in plays {
            assert_whole(&play.join().unwrap(), *clip);
        }
    }
}

/// Frames that wait for others to leave with them still all leave, in order.
fn merged_writes_lose_nothing(runtime: Runtime) {
    let server = runtime.start(&["--grace", "0", "--merge", "50ms"]);
    let plays = play_both(&server, "live/merged", 10);
    ffmpeg::publish(TYPICAL, &server.rtmp_url("live/merged")).succeed(DEADLINE);
    for play in plays {
        assert_whole(&play.join().unwrap(), TYPICAL);
    }
}

/// A player that reads nothing for a while keeps nobody waiting, and goes on when it reads again.
fn a_player_that_pauses_delays_no_other(runtime: Runtime) {
    let server = runtime.start(&NO_GRACE);
    let paused = http::send_get(server.http, "/live/heavy?wait=60");
    socket2::SockRef::from(&paused).set_recv_buffer_size(64 << 10).unwrap();
    let player = http::send_get(server.http, "/live/heavy?wait=60");
    server.wait_for_players("live/heavy", 2);
    let (report, reports) = mpsc::channel();
    let player = thread::spawn(move || {
        http::read_response(player).read_flv_until(|frames| {
            report.send(coded(frames, FrameKind::Video).len()).unwrap();
            false
        })
    });

    let file = fs::read(clips::HEAVY.path()).unwrap();
    let published = file_frames(clips::HEAVY);
    let pictures = coded(&published, FrameKind::Video).len();
    let mut publisher = Push::start(server.http, "/live/heavy");
    let mut sent = 0;
    for count in (0..pictures).step_by(FRAME_RATE / 5).skip(1).chain([pictures]) {
        let end = end_of_picture(&file, count);
        publisher.send(&file[sent..end]);
        sent = end;
        // As fast as the one player reads, whatever the other does.
        while reports.recv_timeout(DEADLINE).unwrap() < count {}
    }
    publisher.send(&file[sent..]);
    assert_eq!(publisher.finish().status, 200);
    assert_same_frames(&player.join().unwrap(), &published);

    let received = http::read_response(paused).read_flv();
    let mut rest = published.iter();
    for frame in received.iter().filter(|frame| !is_header(frame)) {
        assert!(
            rest.any(|published| published.payload == frame.payload),
            "{:?} is out of order",
            frame.kind
        );
    }
    let received = coded(&received, FrameKind::Video);
    assert!(received.len() < pictures, "it was not behind");
    assert_eq!(received[0].class, FrameClass::Keyframe);
}

/// How the bytes of a push are cut into writes changes nothing.
fn a_push_in_small_pieces_arrives_whole(runtime: Runtime) {
    let server = runtime.start(&NO_GRACE);
    let player = play_http(&server, "/live/pieces?wait=60");
    server.wait_for_players("live/pieces", 1);
    let file = fs::read(TYPICAL.path()).unwrap();
    let head = "POST /live/pieces HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let request = [
        head.as_bytes(),
        format!("{:x}\r\n", file.len()).as_bytes(),
        &file,
        b"\r\n0\r\n\r\n",
    ]
    .concat();

    let mut publisher = http::connect(server.http, Ipv4Addr::LOCALHOST);
    publisher.set_nodelay(true).unwrap();
    let (first, rest) = request.split_at(1_000);
    for piece in first.chunks(1).chain(rest.chunks(997)) {
        publisher.write_all(piece).unwrap();
    }
    assert_eq!(http::read_response(publisher).status, 200);
    assert_same_frames(&player.join().unwrap(), &file_frames(TYPICAL));
}

/// A publisher that nobody watches is read late. A player that joins gets what it has sent so far all the same,
/// whether it goes on or has fallen silent.
fn the_first_player_of_an_unwatched_publisher_misses_nothing(runtime: Runtime) {
    let server = runtime.start(&NO_GRACE);
    let file = fs::read(TYPICAL.path()).unwrap();
    let mut publisher = Push::start(server.http, "/live/unwatched");
    let (joins, mut sent) = (6, 0);
    for part in file.chunks(file.len().div_ceil(joins)) {
        part.chunks(997).for_each(|piece| publisher.send(piece));
        sent += part.len();
        let frames = frames_of(&file[..sent]);
        let newest = coded(&frames, FrameKind::Video).pop().unwrap().payload.clone();
        let mut player = server.wait_until_live("live/unwatched");
        player.read_flv_until(|frames| frames.iter().any(|frame| frame.payload == newest));
    }
    assert_eq!(publisher.finish().status, 200);
}

/// A player may close its sending side once it has asked, even before there is anything to play.
fn a_player_that_closes_its_sending_side_plays_on(runtime: Runtime) {
    let server = runtime.start(&NO_GRACE);
    let clip = fs::read(TYPICAL.path()).unwrap();
    let players = ["/live/half?wait=60", "/live/half.flv?wait=60"].map(|path| {
        let player = http::send_get(server.http, path);
        player.shutdown(Shutdown::Write).unwrap();
        thread::spawn(move || http::read_response(player).read_flv())
    });
    server.wait_for_players("live/half", players.len());
    // At once: the server does not let such players wait for long.
    let response = http::post_from(Ipv4Addr::LOCALHOST, server.http, "/live/half", &clip);
    assert_eq!(response.status, 200);
    for player in players {
        assert_same_frames(&player.join().unwrap(), &file_frames(TYPICAL));
    }
}

/// Players whose connections are reset in the middle cost the others nothing.
fn a_reset_ends_nobody_else(runtime: Runtime) {
    let server = runtime.start(&NO_GRACE);
    let player = play_http(&server, "/live/reset?wait=60");
    let resets: Vec<_> = (0..10)
        .map(|_| http::send_get(server.http, "/live/reset?wait=60"))
        .collect();
    server.wait_for_players("live/reset", 1 + resets.len());
    let publisher = ffmpeg::publish(TYPICAL, &server.rtmp_url("live/reset"));
    let mut resets: Vec<_> = resets.into_iter().map(http::read_response).collect();
    for reset in &mut resets {
        reset.read_flv_until(|frames| coded(frames, FrameKind::Video).len() >= FRAME_RATE / 2);
        reset.reset_on_drop();
    }
    drop(resets);
    publisher.succeed(DEADLINE);
    assert_same_frames(&player.join().unwrap(), &file_frames(TYPICAL));
}

/// The same pictures and sounds, in the same order within each kind.
#[track_caller]
fn assert_same_frames(received: &[Frame], published: &[Frame]) {
    for kind in [FrameKind::Audio, FrameKind::Video] {
        let payloads = |frames| {
            coded(frames, kind)
                .into_iter()
                .map(|frame| frame.payload.clone())
                .collect::<Vec<_>>()
        };
        let (received, published) = (payloads(received), payloads(published));
        let missing: Vec<_> = (0..published.len())
            .filter(|at| !received.contains(&published[*at]))
            .collect();
        assert!(
            received == published,
            "{kind:?} differs: {} of {} came, without {missing:?}",
            received.len(),
            published.len()
        );
    }
}

/// A player of each protocol that waits for its publisher.
fn waiting_players(server: &Server, stream: &str) -> [Recorder; 2] {
    let players =
        [server.rtmp_url(stream), server.http_url(&format!("{stream}?wait=60"))].map(|url| ffmpeg::record(&url));
    server.wait_for_players(stream, players.len());
    players
}

/// A player that waits for its publisher; it returns what it got until the stream has properly ended.
type Play = thread::JoinHandle<Vec<Frame>>;

fn play_http(server: &Server, path: &str) -> Play {
    let stream = http::send_get(server.http, path);
    thread::spawn(move || http::read_response(stream).read_flv())
}

fn play_rtmp(server: &Server, stream: &str) -> Play {
    let player = rtmp::Player::start(server.rtmp, stream);
    thread::spawn(move || player.read_to_end())
}

/// So many players that wait for their publisher, half of them of each protocol.
fn play_both(server: &Server, stream: &str, count: usize) -> Vec<Play> {
    let path = format!("/{stream}?wait=60");
    let plays = (0..count / 2)
        .flat_map(|_| [play_rtmp(server, stream), play_http(server, &path)])
        .collect();
    server.wait_for_players(stream, count);
    plays
}

/// Returns once `count` pictures of `stream` have come through.
fn read_pictures(server: &Server, stream: &str, count: usize) {
    let mut monitor = server.wait_until_live(stream);
    let frames = monitor.read_flv_until(|frames| coded(frames, FrameKind::Video).len() >= count);
    assert!(coded(&frames, FrameKind::Video).len() >= count, "{stream} ended early");
}

/// Players by whom a test knows what has come through. So many that no worker is without one, whichever the kernel picks
/// for each: what they have got, each worker has.
const MONITORS: usize = 12;

/// Monitors that wait for their publisher, as `others` do already.
fn waiting_monitors(server: &Server, stream: &str, others: usize) -> [TcpStream; MONITORS] {
    let path = format!("/{stream}?wait=60");
    let monitors = std::array::from_fn(|_| http::send_get(server.http, &path));
    server.wait_for_players(stream, others + monitors.len());
    monitors
}

/// Begins to push a clip, for which `others` wait already. One and a half of its GOPs have come through when this returns,
/// and the rest follows when the push is told to finish; the publisher is never silent until then. Returns the monitors
/// as well.
fn push_half(server: &Server, stream: &str, clip: Clip, others: usize) -> (Trickle, [Response; MONITORS]) {
    let file = fs::read(clip.path()).unwrap();
    let pictures = FRAME_RATE + FRAME_RATE / 2;
    let (first, rest) = file.split_at(end_of_picture(&file, pictures));
    let monitors = waiting_monitors(server, stream, others);
    let mut push = Push::start(server.http, &format!("/{stream}"));
    push.send(first);
    let publisher = push.trickle(rest.to_vec());
    let mut monitors = monitors.map(http::read_response);
    for monitor in &mut monitors {
        monitor.read_flv_until(|frames| coded(frames, FrameKind::Video).len() >= pictures);
    }
    (publisher, monitors)
}

/// Where in an FLV file so many pictures are over.
fn end_of_picture(file: &[u8], count: usize) -> usize {
    let mut reader = FlvReader::new(&Limits::default());
    let (mut rest, mut pictures) = (file, 0);
    while pictures < count
        && let Some(item) = reader.handle_input(&mut rest).unwrap()
    {
        let is_picture = matches!(item, FlvItem::Frame(frame) if frame.kind == FrameKind::Video && !is_header(&frame));
        pictures += usize::from(is_picture);
    }
    file.len() - rest.len()
}

/// Asserts that `player` got the beginning of the clip, then all of it, with times that never go back.
fn assert_continues(player: Recorder) {
    let what = player.url().to_owned();
    let received = player.finish();
    let published = TYPICAL.packets();
    let missed = |packets: &[_]| published.video().len().checked_sub(packets.len());
    let (again, start) = received
        .video()
        .split_at(received.video().len() - published.video().len());
    assert_eq!(missed(start), Some(0));
    for (name, part) in [("before", again), ("after", start)] {
        for (index, (received, packet)) in part.iter().zip(published.video()).enumerate() {
            assert_eq!(
                received.content, packet.content,
                "{what}: picture {index} {name} the return"
            );
        }
    }
    assert!(
        again.len() >= FRAME_RATE / 2,
        "{what}: {} pictures before the return",
        again.len()
    );
    received.assert_monotonic(&what);
}

/// Asserts that `frames` has each picture and each sound of `clip`.
fn assert_whole(frames: &[Frame], clip: Clip) {
    let published = file_frames(clip);
    for kind in [FrameKind::Video, FrameKind::Audio] {
        let received = coded(frames, kind);
        let published = coded(&published, kind);
        assert_eq!(received.len(), published.len(), "{}: frames of {kind:?}", clip.name);
        for (index, (received, frame)) in received.iter().zip(&published).enumerate() {
            assert!(
                received.payload == frame.payload,
                "{}: {kind:?} frame {index} differs",
                clip.name
            );
        }
    }
}

/// The pictures and sounds of a clip, read from its file.
fn file_frames(clip: Clip) -> Vec<Frame> {
    frames_of(&fs::read(clip.path()).unwrap())
}

/// The pictures and sounds of a part of a file, from its start.
fn frames_of(mut input: &[u8]) -> Vec<Frame> {
    let mut reader = FlvReader::new(&Limits::default());
    let mut frames = Vec::new();
    while let Some(item) = reader.handle_input(&mut input).unwrap() {
        match item {
            FlvItem::Frame(frame) if !is_header(&frame) => frames.push(frame),
            _ => {}
        }
    }
    frames
}

/// Makes a test of each case for one binary and number of workers.
macro_rules! tests_with {
    ($module:ident, $binary:expr, $workers:expr, [$($case:ident)*]) => {
        mod $module {
            $(
                #[test]
                fn $case() {
                    if crate::support::ffmpeg::is_available() {
                        crate::$case(crate::support::server::Runtime { binary: $binary, workers: $workers });
                    }
                }
            )*
        }
    };
}

/// Makes the tests of one binary.
macro_rules! tests_of {
    ($module:ident, $binary:expr, $cases:tt) => {
        mod $module {
            tests_with!(one_worker, $binary, 1, $cases);
            tests_with!(two_workers, $binary, 2, $cases);
        }
    };
}

/// Runs the cases on every binary.
macro_rules! on_every_runtime {
    ($cases:tt) => {
        #[cfg(feature = "mio")]
        tests_of!(mio, env!("CARGO_BIN_EXE_headwater-mio"), $cases);
        #[cfg(feature = "smol")]
        tests_of!(smol, env!("CARGO_BIN_EXE_headwater-smol"), $cases);
        #[cfg(feature = "tokio")]
        tests_of!(tokio, env!("CARGO_BIN_EXE_headwater-tokio"), $cases);
    };
}

on_every_runtime!([
    every_clip_arrives_whole
    a_late_player_starts_at_the_last_keyframe
    a_probe_sees_the_tracks_of_the_file
    without_the_cache_a_late_player_starts_at_the_next_keyframe
    an_absent_stream_is_not_found
    what_goes_wrong_is_in_the_log
    a_browser_is_told_what_is_there
    a_second_publisher_from_elsewhere_is_refused
    a_publisher_that_comes_back_replaces_its_silent_self
    a_second_publisher_from_the_same_address_is_refused
    players_stay_while_a_killed_publisher_comes_back
    streams_have_the_same_name_on_both_protocols
    a_hundred_players_share_a_stream
    twenty_streams_at_once_stay_apart
    merged_writes_lose_nothing
    a_player_that_pauses_delays_no_other
    a_push_in_small_pieces_arrives_whole
    the_first_player_of_an_unwatched_publisher_misses_nothing
    a_player_that_closes_its_sending_side_plays_on
    a_reset_ends_nobody_else
    running_out_of_file_descriptors_is_survived
    a_log_that_nobody_takes_harms_no_server
    a_hang_up_stops_the_server_cleanly
    a_hang_up_that_was_ignored_stays_so
    a_termination_ends_every_play_cleanly
    a_second_signal_ends_the_server_at_once
    an_idle_server_ends_at_once
    one_port_is_enough
    a_port_in_use_is_one_line_and_exit_code_2
]);
