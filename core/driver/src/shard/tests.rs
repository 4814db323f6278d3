//! One shard with sockets in memory.

#[path = "../../../tests/script/frames.rs"]
mod frames;

use super::*;
use crate::memory::{MemoryWorker, Peer};
use frames::{frame, tags};
use headwater_core::server;
use quickcheck::quickcheck;
use std::sync::Arc;

/// A request that is answered at once and leaves the connection open.
fn request() -> Vec<u8> {
    b"OPTIONS /live/stream HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n".to_vec()
}

fn new_shard() -> MemoryWorker {
    MemoryWorker::new(Server::new(Arc::new(server::Config::default()), ShardId(0), 1, 7))
}

fn connect(shard: &mut MemoryWorker) -> Peer {
    let address = ([192, 0, 2, 1], 5).into();
    shard.connect(Time::ZERO, Protocol::Http, address).unwrap()
}

fn finish_turn(shard: &mut MemoryWorker) {
    while shard.turn(Time::ZERO, |_, _| ()) {}
}

/// The next deadline comes.
fn pass_deadline(shard: &mut MemoryWorker) {
    let due = shard.poll_timeout().unwrap();
    shard.handle_timeout(due);
    finish_turn(shard);
}

/// The shard is told that the socket has something.
fn read(shard: &mut MemoryWorker, peer: &Peer) {
    shard.readable(Time::ZERO, peer.id());
    finish_turn(shard);
}

fn receive(shard: &mut MemoryWorker, peer: &Peer, bytes: &[u8]) {
    peer.send(bytes);
    read(shard, peer);
}

/// What is written to a socket that takes so many bytes until it takes no more, and then all, and becomes writable again
/// whenever it was waited for.
fn answer(rooms: &[usize]) -> Vec<u8> {
    let mut shard = new_shard();
    let peer = connect(&mut shard);
    let mut rooms = rooms.iter().copied();
    let mut next_room = || rooms.next().unwrap_or(usize::MAX);
    peer.set_window(next_room());
    receive(&mut shard, &peer, &request());
    while peer.interest().write {
        peer.set_window(next_room());
        shard.writable(peer.id());
        finish_turn(&mut shard);
    }
    peer.take()
}

quickcheck! {
    fn how_much_a_socket_takes_changes_nothing(rooms: Vec<u8>) -> bool {
        let rooms: Vec<_> = rooms.into_iter().map(|room| usize::from(room % 16)).collect();
        let whole = answer(&[]);
        whole.starts_with(b"HTTP/1.1 204") && whole.ends_with(b"\r\n\r\n") && answer(&rooms) == whole
    }
}

#[test]
fn a_socket_is_waited_for_only_while_it_refuses() {
    let mut shard = new_shard();
    let peer = connect(&mut shard);
    peer.set_window(10);
    assert_eq!(peer.interest(), Interest::READ);
    receive(&mut shard, &peer, &request());
    let both = Interest {
        read: true,
        write: true,
    };
    assert_eq!(peer.interest(), both);
    let first = peer.take();
    assert_eq!(first.len(), 10);
    peer.set_window(usize::MAX);
    shard.writable(peer.id());
    finish_turn(&mut shard);
    assert_eq!(peer.interest(), Interest::READ);
    assert_eq!([first, peer.take()].concat(), answer(&[]));
}

#[test]
fn a_full_socket_is_read_again_when_the_answer_comes() {
    // The name's home is the other shard, so that the first tag waits for its answer.
    let config = Arc::new(server::Config::default());
    let [mut shard, mut home] =
        [0, 1].map(|number| MemoryWorker::new(Server::new(config.clone(), ShardId(number), 2, 7)));
    let content = [&b"FLV\x01\x05\0\0\0\x09\0\0\0\0"[..], &tags("a")].concat();
    let (peer, mut mail) = (0..9)
        .find_map(|number| {
            let peer = connect(&mut shard);
            peer.set_window(0);
            let push = format!("POST /live/{number} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
            let input = [&request(), push.as_bytes(), &content].concat();
            peer.send(&input);
            shard.readable(Time::ZERO, peer.id());
            let mut mail = Vec::new();
            while shard.turn(Time::ZERO, |to, message| mail.push((to, message))) {}
            (!mail.is_empty()).then_some((peer, mail))
        })
        .unwrap();
    let interest = |read| Interest { read, write: true };
    assert_eq!(peer.interest(), interest(false), "it waits for its answer, with input");

    let (_, claim) = mail.pop().unwrap();
    home.handle_shard(Time::ZERO, ShardId(0), claim);
    while home.turn(Time::ZERO, |to, message| mail.push((to, message))) {}
    for (_, granted) in mail {
        shard.handle_shard(Time::ZERO, ShardId(1), granted);
    }
    finish_turn(&mut shard);
    assert_eq!(peer.interest(), interest(true));
}

#[test]
fn an_unwatched_publisher_is_read_at_once_when_a_player_joins() {
    let frames = tags("a a a");
    let mut shard = new_shard();
    let peer = connect(&mut shard);
    let head = b"POST /live/stream HTTP/1.0\r\n\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    receive(&mut shard, &peer, &[head, frames.clone()].concat());
    assert!(peer.low_water() > 1);

    peer.send(&frames.clone());
    pass_deadline(&mut shard);
    assert_eq!(peer.unread(), 0, "its turn had come");

    peer.send(&frames);
    let player = connect(&mut shard);
    let request = b"GET /live/stream HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
    receive(&mut shard, &player, &request);
    assert_eq!(peer.unread(), 0, "a player has come");
    assert_eq!(peer.low_water(), 1);
}

#[test]
fn a_player_that_joins_has_its_publisher_read_next() {
    let mut shard = new_shard();
    let peers = ["x", "y", "z"].map(|name| {
        let peer = connect(&mut shard);
        let head = format!("POST /live/{name} HTTP/1.0\r\n\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0");
        receive(&mut shard, &peer, &[head.as_bytes(), &tags("A V K")].concat());
        peer.send(&tags("a"));
        peer
    });

    // The request comes when all of them are about to be read.
    let due = shard.poll_timeout().unwrap();
    shard.handle_timeout(due);
    let player = connect(&mut shard);
    receive(&mut shard, &player, b"GET /live/z HTTP/1.0\r\n\r\n");
    assert!(peers.iter().all(|peer| peer.unread() == 0));
    let received = player.take();
    let sound = frame("a").payload;
    assert_eq!(player.writes(), 1, "nothing was written before it was read");
    assert!(
        received.windows(sound.len()).any(|bytes| bytes == sound),
        "{}",
        received.escape_ascii()
    );
}

#[test]
fn a_failed_socket_is_closed_and_no_other() {
    let mut shard = new_shard();
    let peer = connect(&mut shard);
    let other = connect(&mut shard);
    peer.reset();
    read(&mut shard, &peer);
    assert!(peer.is_closed());
    receive(&mut shard, &other, &request());
    assert_eq!(other.take(), answer(&[]));
    assert!(!other.is_closed());
}

/// `ENOMEM`, which is the same everywhere.
const ENOMEM: i32 = 12;

/// Tries a socket that fails again and again, for half a second and longer.
fn wait_in_vain(shard: &mut MemoryWorker, peer: &Peer) {
    let mut now = Time::ZERO;
    for _ in 0..20 {
        assert_eq!(
            peer.interest(),
            Interest::NONE,
            "the kernel would say that it is ready, without end"
        );
        let due = shard.poll_timeout().unwrap();
        assert!(due > now, "that would spin");
        now = due;
        shard.handle_timeout(now);
        while shard.turn(now, |_, _| ()) {}
    }
    assert!(now >= Time::from_millis(500) && !peer.is_closed());
}

#[test]
fn a_write_without_memory_is_tried_again() {
    let mut shard = new_shard();
    let peer = connect(&mut shard);
    peer.set_window(0);
    receive(&mut shard, &peer, &request());
    peer.set_window(usize::MAX);
    peer.set_fault(Some(ENOMEM));
    shard.writable(peer.id());
    finish_turn(&mut shard);
    wait_in_vain(&mut shard, &peer);
    peer.set_fault(None);
    pass_deadline(&mut shard);
    assert_eq!(peer.take(), answer(&[]));
}

#[test]
fn a_read_without_memory_is_tried_again() {
    let mut shard = new_shard();
    let peer = connect(&mut shard);
    peer.set_fault(Some(ENOMEM));
    receive(&mut shard, &peer, &request());
    wait_in_vain(&mut shard, &peer);
    peer.set_fault(None);
    pass_deadline(&mut shard);
    assert_eq!(peer.take(), answer(&[]));
}

#[test]
fn a_full_socket_without_memory_is_left_alone() {
    let mut shard = new_shard();
    let peer = connect(&mut shard);
    peer.set_window(0);
    receive(&mut shard, &peer, &request());
    assert!(peer.interest().read && peer.interest().write);
    peer.set_fault(Some(ENOMEM));
    receive(&mut shard, &peer, &request());
    wait_in_vain(&mut shard, &peer);
    peer.set_fault(None);
    peer.set_window(usize::MAX);
    pass_deadline(&mut shard);
    assert!(peer.interest().write);
    shard.writable(peer.id());
    finish_turn(&mut shard);
    assert_eq!(peer.take(), answer(&[]).repeat(2));
}

#[test]
fn a_peer_that_leaves_while_memory_is_short_is_closed() {
    let mut shard = new_shard();
    let peer = connect(&mut shard);
    peer.set_fault(Some(ENOMEM));
    receive(&mut shard, &peer, &request());
    peer.set_fault(None);
    peer.reset();
    shard.hung_up(Time::ZERO, peer.id());
    pass_deadline(&mut shard);
    assert!(peer.is_closed());
}

#[test]
fn a_hang_up_ends_a_connection_that_is_not_read() {
    let mut shard = new_shard();
    let peer = connect(&mut shard);
    receive(&mut shard, &peer, b"GET /live/x?wait=60 HTTP/1.0\r\n\r\n");
    peer.finish();
    read(&mut shard, &peer);
    assert_eq!(peer.interest(), Interest::NONE, "it has only half closed");
    assert!(!peer.is_closed());
    shard.hung_up(Time::ZERO, peer.id());
    finish_turn(&mut shard);
    assert!(peer.is_closed());
}

#[test]
fn what_came_before_a_hang_up_is_read() {
    let mut shard = new_shard();
    let peer = connect(&mut shard);
    shard.hung_up(Time::ZERO, peer.id());
    receive(&mut shard, &peer, &request());
    assert_eq!(peer.take(), answer(&[]));
    assert!(!peer.is_closed());
    peer.reset();
    read(&mut shard, &peer);
    assert!(peer.is_closed());
}

#[test]
fn a_hang_up_is_not_forgotten_when_reading_stops() {
    let mut shard = new_shard();
    let peer = connect(&mut shard);
    shard.hung_up(Time::ZERO, peer.id());
    receive(&mut shard, &peer, b"GET /live/x?wait=60 HTTP/1.0\r\n\r\n");
    assert!(!peer.is_closed());
    peer.finish();
    read(&mut shard, &peer);
    assert!(peer.is_closed());
}

#[test]
fn late_readiness_of_a_closed_socket_is_not_its_successors() {
    let mut shard = new_shard();
    let peer = connect(&mut shard);
    peer.reset();
    read(&mut shard, &peer);
    let successor = connect(&mut shard);
    assert_eq!(successor.id().index(), peer.id().index());
    successor.send(&request());
    assert!(!shard.readable(Time::ZERO, peer.id()));
    shard.writable(peer.id());
    finish_turn(&mut shard);
    assert_eq!(successor.reads(), 0, "it was read for its predecessor");
}

#[test]
fn a_shard_that_is_shut_down_takes_no_more_and_drains() {
    let mut shard = new_shard();
    let peer = connect(&mut shard);
    shard.shutdown(Time::ZERO);
    finish_turn(&mut shard);
    while let Some(due) = shard.poll_timeout() {
        shard.handle_timeout(due);
        while shard.turn(due, |_, _| ()) {}
    }
    assert!(peer.is_closed());
    assert!(shard.is_drained());
    let address = ([192, 0, 2, 1], 5).into();
    assert!(shard.connect(Time::ZERO, Protocol::Http, address).is_err());
}

/// A publisher whose input is dear: what it says of one tag comes in chunks of one byte.
fn connect_dear(shard: &mut MemoryWorker, name: usize, content: usize) -> Peer {
    let peer = connect(shard);
    let head = format!("POST /live/dear{name} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n18\r\n");
    let tag = b"FLV\x01\x05\0\0\0\x09\0\0\0\0\x09\x7F\xFF\xFF\0\0\0\0\0\0\0\r\n";
    let chunks = b"1\r\n\x17\r\n".repeat(content);
    peer.send(&[head.as_bytes(), tag, &chunks].concat());
    peer
}

/// A publisher as they should be.
fn connect_good(shard: &mut MemoryWorker) -> Peer {
    let peer = connect(shard);
    let head = b"POST /live/good HTTP/1.0\r\n\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    receive(shard, &peer, &head);
    peer
}

/// More chunks than it is read in a few seconds.
fn go_on(dear: &Peer) {
    dear.send(&b"1\r\n\x17\r\n".repeat((2 << 20) / 6));
}

/// What a driver does with sockets that are ready, for a moment: each is read, then there is a turn for what is left.
fn serve(shard: &mut MemoryWorker, now: Time, sockets: &[Peer]) {
    for peer in sockets {
        if peer.interest().read {
            shard.readable(now, peer.id());
            shard.turn(now, |_, _| ());
        }
    }
    shard.turn(now, |_, _| ());
}

/// Bytes of those read so far.
fn bytes_read(sockets: &[Peer]) -> usize {
    sockets.iter().map(Peer::bytes_read).sum()
}

#[test]
fn a_stream_waits_for_one_short_read_of_all_that_yield() {
    let mut shard = new_shard();
    let good = connect_good(&mut shard);
    let dear: Vec<_> = (0..20).map(|name| connect_dear(&mut shard, name, 0)).collect();
    dear.iter().for_each(go_on);
    // Each uses up its second.
    for _ in 0..8 {
        serve(&mut shard, Time::ZERO, &dear);
    }
    let reports = |peer: &&Peer| peer.interest().read;
    assert_eq!(dear.iter().filter(reports).count(), 0);

    let all = [&dear[..], std::slice::from_ref(&good)].concat();
    let before = bytes_read(&dear);
    for millis in (0..3_000).step_by(5) {
        let (before, fed) = (bytes_read(&dear), good.bytes_read());
        good.send(&tags("a"));
        serve(&mut shard, Time::from_millis(millis), &all);
        assert!(good.bytes_read() > fed, "at {millis} ms");
        // One for the turn that finds nothing to do, and one if the last was long ago.
        assert!(bytes_read(&dear) - before <= 2 * YIELDING_READ, "at {millis} ms");
    }
    assert!(
        bytes_read(&dear) - before >= 600 * YIELDING_READ,
        "they have what the stream leaves"
    );
    let shares = || dear.iter().map(Peer::bytes_read);
    assert!(shares().max() <= shares().min().map(|least| least + SCRATCH));
}

#[test]
fn a_connection_that_yields_is_read_by_a_busy_thread_too() {
    let mut shard = new_shard();
    let good = connect_good(&mut shard);
    let dear = [connect_dear(&mut shard, 0, 1 << 20)];
    for _ in 0..8 {
        serve(&mut shard, Time::ZERO, &dear);
    }
    let before = bytes_read(&dear);
    for millis in 1..=1_000 {
        good.send(&tags("a"));
        shard.readable(Time::from_millis(millis), good.id());
        shard.turn(Time::from_millis(millis), |_, _| ());
    }
    let reads = (bytes_read(&dear) - before) / YIELDING_READ;
    assert!((90..110).contains(&reads), "{reads}");
}

#[test]
fn publishers_without_players_yield_too() {
    let mut shard = new_shard();
    let dear: Vec<_> = (0..20)
        .map(|name| {
            let peer = connect(&mut shard);
            let head = format!("POST /live/dear{name} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n34\r\n");
            // A frame, and the beginning of another.
            let tags = b"FLV\x01\x05\0\0\0\x09\0\0\0\0\x08\0\0\x03\0\0\0\0\0\0\0\xAF\x01\x21\0\0\0\x0E\
                \x09\x7F\xFF\xFF\0\0\0\0\0\0\0\x17\x01\0\0\0\0\0\0\0\0\r\n";
            receive(&mut shard, &peer, &[head.as_bytes(), tags].concat());
            assert!(peer.low_water() > 1);
            go_on(&peer);
            peer
        })
        .collect();
    // Their turn comes again and again, and each uses up its second.
    for millis in (1_000..2_000).step_by(100) {
        let now = Time::from_millis(millis);
        shard.handle_timeout(now);
        for _ in 0..20 {
            shard.turn(now, |_, _| ());
        }
    }
    let before = bytes_read(&dear);
    shard.handle_timeout(Time::from_millis(1_999));
    for _ in 0..20 {
        let before = bytes_read(&dear);
        shard.turn(Time::from_millis(1_999), |_, _| ());
        assert!(bytes_read(&dear) - before <= 2 * YIELDING_READ);
    }
    let per_second = before / 20;
    assert!(per_second <= (256 << 10) + SCRATCH, "{per_second} bytes of each");
}

#[test]
fn a_connection_that_has_caught_up_is_read_as_before() {
    let mut shard = new_shard();
    let peer = connect_dear(&mut shard, 0, 100_000);
    while peer.interest().read {
        assert!(peer.unread() > 0, "all of it was read in one second");
        serve(&mut shard, Time::ZERO, std::slice::from_ref(&peer));
    }
    finish_turn(&mut shard);
    assert_eq!(peer.unread(), 0);
    assert_eq!(peer.interest(), Interest::READ);

    // In the same second it yields at once, in the next it is like any other.
    for (now, at_once) in [(Time::ZERO, 0), (Time::from_millis(1_000), SCRATCH)] {
        let before = peer.bytes_read();
        let more = b"1\r\n\x17\r\n".repeat(SCRATCH / 6 + 1);
        peer.send(&more);
        shard.readable(now, peer.id());
        assert_eq!(peer.bytes_read() - before, at_once);
        while shard.turn(now, |_, _| ()) {}
        shard.readable(now, peer.id());
        while shard.turn(now, |_, _| ()) {}
        assert_eq!(peer.unread(), 0);
    }
}

#[test]
fn a_connection_that_yields_waits_while_peers_come_and_go() {
    let mut shard = new_shard();
    let dear = [connect_dear(&mut shard, 0, 1 << 20)];
    for _ in 0..8 {
        serve(&mut shard, Time::ZERO, &dear);
    }
    let before = bytes_read(&dear);
    for _ in 0..10 {
        let peer = connect(&mut shard);
        shard.turn(Time::ZERO, |_, _| ());
        peer.reset();
        shard.hung_up(Time::ZERO, peer.id());
        shard.turn(Time::ZERO, |_, _| ());
    }
    assert_eq!(bytes_read(&dear), before);
    shard.turn(Time::ZERO, |_, _| ());
    assert_eq!(
        bytes_read(&dear),
        before + YIELDING_READ,
        "now there is nothing else to do"
    );
}
