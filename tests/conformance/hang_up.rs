//! Players that leave a stream to which its publisher sends no frame: nothing that is sent to them says so.

use crate::frames::flv;
use crate::support::http;
use crate::support::rtmp::Player;
use crate::support::server::{Runtime, Server};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

/// Players that just close their connections, and that reset them.
const MANY: usize = 200;
/// Players of each other kind.
const FEW: usize = 20;

/// How long the server may take to notice a reset. 8 s: less than it gives a half-closed player.
const RESETS_NOTICED_WITHIN: Duration = Duration::from_secs(8);
/// How long it may take to notice the others: the 10 s of a half-closed player, on a busy machine. The publisher, which may
/// be silent for 30 s, is still there then.
const ENDS_NOTICED_WITHIN: Duration = Duration::from_secs(20);

const GET: &str = "GET /live/silent HTTP/1.1\r\nHost: x\r\n\r\n";
const UPGRADE: &str = "GET /live/silent HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[test]
fn players_that_leave_a_silent_stream_leave_nothing_behind() {
    // All at once: most of it is waiting.
    thread::scope(|scope| {
        for runtime in crate::runtimes() {
            let named = thread::Builder::new().name(runtime.binary.to_owned());
            named.spawn_scoped(scope, move || players_leave(runtime)).unwrap();
        }
    });
}

fn players_leave(runtime: Runtime) {
    let server = runtime.start(&[]);
    let mut publisher = publish_headers(&server);
    server.wait_for_line("publish started");
    let files = server.files();

    let pipelined = GET.repeat(2);
    let half_closed: Vec<_> = (0..FEW).map(|_| request(&server, GET)).collect();
    for player in &half_closed {
        player.shutdown(Shutdown::Write).unwrap();
    }
    for (what, count) in [(GET, MANY), (&pipelined, FEW), (UPGRADE, FEW)] {
        for _ in 0..count {
            drop(request(&server, what));
            reset(request(&server, what));
        }
    }
    for _ in 0..FEW {
        drop(Player::start(server.rtmp, "live/silent"));
    }
    half_closed.into_iter().for_each(reset);

    server.wait_for_files(files + MANY + FEW, RESETS_NOTICED_WITHIN);
    // Enough of the tag for a publisher that is not silent.
    publisher.write_all(&[0; 4_500]).unwrap();
    server.wait_for_files(files, ENDS_NOTICED_WITHIN);
    assert_eq!(server.count_lines("publish ended"), 0);
}

/// Begins to publish: an FLV header, a sequence header, and a tag that is never whole.
fn publish_headers(server: &Server) -> TcpStream {
    let mut publisher = http::connect(server.http, Ipv4Addr::LOCALHOST);
    publisher.write_all(b"POST /live/silent HTTP/1.0\r\n\r\n").unwrap();
    publisher.write_all(&flv("A")).unwrap();
    publisher.write_all(b"\x08\0\xFF\xFF\0\0\0\0\0\0\0").unwrap();
    publisher
}

/// A player that has read the head of its response.
fn request(server: &Server, request: &str) -> TcpStream {
    let mut player = http::connect(server.http, Ipv4Addr::LOCALHOST);
    player.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        player.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    player
}

fn reset(player: TcpStream) {
    let socket = socket2::SockRef::from(&player);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}
