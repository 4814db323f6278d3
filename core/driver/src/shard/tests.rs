//! One shard with made-up sockets.

#[path = "../../../tests/script/frames.rs"]
mod frames;

use super::*;
use frames::{frame, tags};
use headwater_core::server;
use quickcheck::quickcheck;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// A socket that is made up.
#[derive(Debug, Default)]
struct Fake {
    incoming: VecDeque<io::Result<Vec<u8>>>,
    /// What it says on and on after that.
    refrain: Vec<u8>,
    /// Bytes that were read.
    read: usize,
    written: Vec<u8>,
    /// How many bytes it takes until it refuses, each time it is asked; then it takes all.
    rooms: VecDeque<usize>,
    interest: Option<Interest>,
    low_water: Option<usize>,
    is_closed: bool,
}

impl Socket for Rc<RefCell<Fake>> {
    fn read(&self, scratch: &mut [u8]) -> io::Result<usize> {
        let mut fake = self.borrow_mut();
        let len = match fake.incoming.pop_front() {
            Some(bytes) => {
                let mut bytes = bytes?;
                let rest = bytes.split_off(bytes.len().min(scratch.len()));
                if !rest.is_empty() {
                    fake.incoming.push_front(Ok(rest));
                }
                scratch[..bytes.len()].copy_from_slice(&bytes);
                bytes.len()
            }
            None if fake.refrain.is_empty() => return Err(ErrorKind::WouldBlock.into()),
            None => {
                let len = scratch.len().min(fake.refrain.len());
                scratch[..len].copy_from_slice(&fake.refrain[..len]);
                fake.refrain.rotate_left(len);
                len
            }
        };
        fake.read += len;
        Ok(len)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut fake = self.borrow_mut();
        let room = fake.rooms.pop_front().unwrap_or(usize::MAX);
        if room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let before = fake.written.len();
        for byte in slices.iter().flat_map(|slice| slice.iter()).take(room) {
            fake.written.push(*byte);
        }
        Ok(fake.written.len() - before)
    }

    fn shutdown_write(&self) {}

    fn set_interest(&self, interest: Interest) {
        self.borrow_mut().interest = Some(interest);
    }

    fn set_low_water(&self, bytes: usize) {
        self.borrow_mut().low_water = Some(bytes);
    }

    fn close(self) {
        self.borrow_mut().is_closed = true;
    }
}

type TestShard = Shard<Rc<RefCell<Fake>>>;

/// A request that is answered at once and leaves the connection open.
fn request() -> Vec<u8> {
    b"OPTIONS /live/stream HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n".to_vec()
}

fn new_shard() -> TestShard {
    Shard::new(Server::new(Arc::new(server::Config::default()), ShardId(0), 1, 7))
}

fn connect(shard: &mut TestShard, rooms: &[usize]) -> (ConnectionId, Rc<RefCell<Fake>>) {
    let fake = Rc::new(RefCell::new(Fake {
        rooms: rooms.iter().copied().collect(),
        ..Fake::default()
    }));
    let peer = ([192, 0, 2, 1], 5).into();
    let id = shard.accept(Time::ZERO, Protocol::Http, peer, fake.clone()).unwrap();
    (id, fake)
}

fn finish_turn(shard: &mut TestShard) {
    while shard.turn(Time::ZERO, |_, _| ()) {}
}

fn receive(shard: &mut TestShard, id: ConnectionId, fake: &Rc<RefCell<Fake>>, what: io::Result<Vec<u8>>) {
    fake.borrow_mut().incoming.push_back(what);
    shard.readable(Time::ZERO, id);
    finish_turn(shard);
}

/// What is written to a socket that takes so many bytes at a time, and becomes writable again whenever it was waited
/// for.
fn answer(rooms: &[usize]) -> Vec<u8> {
    let mut shard = new_shard();
    let (id, fake) = connect(&mut shard, rooms);
    receive(&mut shard, id, &fake, Ok(request()));
    while fake.borrow().interest.is_some_and(|interest| interest.write) {
        shard.writable(id);
        finish_turn(&mut shard);
    }
    fake.borrow().written.clone()
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
    let (id, fake) = connect(&mut shard, &[10, 0]);
    assert_eq!(fake.borrow().interest, None, "reading is what a connection begins with");
    receive(&mut shard, id, &fake, Ok(request()));
    assert_eq!(
        fake.borrow().interest,
        Some(Interest {
            read: true,
            write: true
        })
    );
    assert_eq!(fake.borrow().written.len(), 10);
    shard.writable(id);
    finish_turn(&mut shard);
    assert_eq!(fake.borrow().interest, Some(Interest::READ));
    assert_eq!(fake.borrow().written, answer(&[]));
}

#[test]
fn a_full_socket_is_read_again_when_the_answer_comes() {
    // The name's home is the other shard, so that the first tag waits for its answer.
    let config = Arc::new(server::Config::default());
    let [mut shard, mut home] = [0, 1].map(|number| {
        let server = Server::new(config.clone(), ShardId(number), 2, 7);
        Shard::<Rc<RefCell<Fake>>>::new(server)
    });
    let content = [&b"FLV\x01\x05\0\0\0\x09\0\0\0\0"[..], &tags("a")].concat();
    let (fake, mut mail) = (0..9)
        .find_map(|number| {
            let (id, fake) = connect(&mut shard, &[0]);
            let push = format!("POST /live/{number} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
            let input = [&request(), push.as_bytes(), &content].concat();
            fake.borrow_mut().incoming.push_back(Ok(input));
            shard.readable(Time::ZERO, id);
            let mut mail = Vec::new();
            while shard.turn(Time::ZERO, |to, message| mail.push((to, message))) {}
            (!mail.is_empty()).then_some((fake, mail))
        })
        .unwrap();
    let interest = |read| Some(Interest { read, write: true });
    assert_eq!(
        fake.borrow().interest,
        interest(false),
        "it waits for its answer, with input"
    );

    let (_, claim) = mail.pop().unwrap();
    home.handle_shard(Time::ZERO, ShardId(0), claim);
    while home.turn(Time::ZERO, |to, message| mail.push((to, message))) {}
    for (_, granted) in mail {
        shard.handle_shard(Time::ZERO, ShardId(1), granted);
    }
    finish_turn(&mut shard);
    assert_eq!(fake.borrow().interest, interest(true));
}

#[test]
fn an_unwatched_publisher_is_read_at_once_when_a_player_joins() {
    let frames = tags("a a a");
    let mut shard = new_shard();
    let (id, fake) = connect(&mut shard, &[]);
    let head = b"POST /live/stream HTTP/1.0\r\n\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    receive(&mut shard, id, &fake, Ok([head, frames.clone()].concat()));
    assert!(fake.borrow().low_water.is_some_and(|bytes| bytes > 1));

    fake.borrow_mut().incoming.push_back(Ok(frames.clone()));
    shard.handle_timeout(shard.poll_timeout().unwrap());
    finish_turn(&mut shard);
    assert!(fake.borrow().incoming.is_empty(), "its turn had come");

    fake.borrow_mut().incoming.push_back(Ok(frames));
    let (player, player_fake) = connect(&mut shard, &[]);
    let request = b"GET /live/stream HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
    receive(&mut shard, player, &player_fake, Ok(request));
    assert!(fake.borrow().incoming.is_empty(), "a player has come");
    assert_eq!(fake.borrow().low_water, Some(1));
}

#[test]
fn a_player_that_joins_has_its_publisher_read_next() {
    let mut shard = new_shard();
    let fakes = ["x", "y", "z"].map(|name| {
        let (id, fake) = connect(&mut shard, &[]);
        let head = format!("POST /live/{name} HTTP/1.0\r\n\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0");
        receive(&mut shard, id, &fake, Ok([head.as_bytes(), &tags("A V K")].concat()));
        fake.borrow_mut().incoming.push_back(Ok(tags("a")));
        fake
    });

    // The request comes when all of them are about to be read, and the player takes no second write.
    shard.handle_timeout(shard.poll_timeout().unwrap());
    let (player, player_fake) = connect(&mut shard, &[usize::MAX, 0]);
    let request = b"GET /live/z HTTP/1.0\r\n\r\n".to_vec();
    receive(&mut shard, player, &player_fake, Ok(request));
    assert!(fakes.iter().all(|fake| fake.borrow().incoming.is_empty()));
    let first_write = &player_fake.borrow().written;
    let sound = frame("a").payload;
    assert!(
        first_write.windows(sound.len()).any(|bytes| bytes == sound),
        "{}",
        first_write.escape_ascii()
    );
}

#[test]
fn a_failed_socket_is_closed_and_no_other() {
    let mut shard = new_shard();
    let (id, fake) = connect(&mut shard, &[]);
    let (other, other_fake) = connect(&mut shard, &[]);
    receive(&mut shard, id, &fake, Err(ErrorKind::ConnectionReset.into()));
    assert!(fake.borrow().is_closed);
    receive(&mut shard, other, &other_fake, Ok(request()));
    assert_eq!(other_fake.borrow().written, answer(&[]));
    assert!(!other_fake.borrow().is_closed);
}

#[test]
fn a_hang_up_ends_a_connection_that_is_not_read() {
    let mut shard = new_shard();
    let (id, fake) = connect(&mut shard, &[]);
    receive(
        &mut shard,
        id,
        &fake,
        Ok(b"GET /live/x?wait=60 HTTP/1.0\r\n\r\n".to_vec()),
    );
    receive(&mut shard, id, &fake, Ok(Vec::new()));
    assert_eq!(fake.borrow().interest, Some(Interest::NONE), "it has only half closed");
    assert!(!fake.borrow().is_closed);
    shard.hung_up(Time::ZERO, id);
    finish_turn(&mut shard);
    assert!(fake.borrow().is_closed);
}

#[test]
fn what_came_before_a_hang_up_is_read() {
    let mut shard = new_shard();
    let (id, fake) = connect(&mut shard, &[]);
    shard.hung_up(Time::ZERO, id);
    receive(&mut shard, id, &fake, Ok(request()));
    assert_eq!(fake.borrow().written, answer(&[]));
    assert!(!fake.borrow().is_closed);
    receive(&mut shard, id, &fake, Err(ErrorKind::ConnectionReset.into()));
    assert!(fake.borrow().is_closed);
}

#[test]
fn a_hang_up_is_not_forgotten_when_reading_stops() {
    let mut shard = new_shard();
    let (id, fake) = connect(&mut shard, &[]);
    shard.hung_up(Time::ZERO, id);
    receive(
        &mut shard,
        id,
        &fake,
        Ok(b"GET /live/x?wait=60 HTTP/1.0\r\n\r\n".to_vec()),
    );
    assert!(!fake.borrow().is_closed);
    receive(&mut shard, id, &fake, Ok(Vec::new()));
    assert!(fake.borrow().is_closed);
}

#[test]
fn late_readiness_of_a_closed_socket_is_not_its_successors() {
    let mut shard = new_shard();
    let (id, fake) = connect(&mut shard, &[]);
    receive(&mut shard, id, &fake, Err(ErrorKind::ConnectionReset.into()));
    let (successor, successor_fake) = connect(&mut shard, &[]);
    assert_eq!(successor.index(), id.index());
    successor_fake.borrow_mut().incoming.push_back(Ok(request()));
    assert!(!shard.readable(Time::ZERO, id));
    shard.writable(id);
    finish_turn(&mut shard);
    assert_eq!(
        successor_fake.borrow().incoming.len(),
        1,
        "it was read for its predecessor"
    );
}

#[test]
fn a_shard_that_is_shut_down_takes_no_more_and_drains() {
    let mut shard = new_shard();
    let (_, fake) = connect(&mut shard, &[]);
    shard.shutdown(Time::ZERO);
    finish_turn(&mut shard);
    while let Some(due) = shard.poll_timeout() {
        shard.handle_timeout(due);
        while shard.turn(due, |_, _| ()) {}
    }
    assert!(fake.borrow().is_closed);
    assert!(shard.is_drained());
    let late = Rc::new(RefCell::new(Fake::default()));
    assert!(
        shard
            .accept(Time::ZERO, Protocol::Http, ([192, 0, 2, 1], 5).into(), late)
            .is_err()
    );
}

/// A publisher whose input is dear: what it says of one tag comes in chunks of one byte.
fn connect_dear(shard: &mut TestShard, name: usize, content: usize) -> (ConnectionId, Rc<RefCell<Fake>>) {
    let (id, fake) = connect(shard, &[]);
    let head = format!("POST /live/dear{name} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n18\r\n");
    let tag = b"FLV\x01\x05\0\0\0\x09\0\0\0\0\x09\x7F\xFF\xFF\0\0\0\0\0\0\0\r\n";
    let chunks = b"1\r\n\x17\r\n".repeat(content);
    fake.borrow_mut()
        .incoming
        .push_back(Ok([head.as_bytes(), tag, &chunks].concat()));
    (id, fake)
}

/// A publisher as they should be.
fn connect_good(shard: &mut TestShard) -> (ConnectionId, Rc<RefCell<Fake>>) {
    let (id, fake) = connect(shard, &[]);
    let head = b"POST /live/good HTTP/1.0\r\n\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    receive(shard, id, &fake, Ok(head));
    (id, fake)
}

/// What a driver does with sockets that are ready, for a moment: each is read, then there is a turn for what is left.
fn serve(shard: &mut TestShard, now: Time, sockets: &[(ConnectionId, Rc<RefCell<Fake>>)]) {
    for (id, fake) in sockets {
        if fake.borrow().interest.is_none_or(|interest| interest.read) {
            shard.readable(now, *id);
            shard.turn(now, |_, _| ());
        }
    }
    shard.turn(now, |_, _| ());
}

/// Bytes of those read so far.
fn bytes_read(sockets: &[(ConnectionId, Rc<RefCell<Fake>>)]) -> usize {
    sockets.iter().map(|(_, fake)| fake.borrow().read).sum()
}

#[test]
fn a_stream_waits_for_one_short_read_of_all_that_yield() {
    let mut shard = new_shard();
    let good = connect_good(&mut shard);
    let dear: Vec<_> = (0..20).map(|name| connect_dear(&mut shard, name, 0)).collect();
    for (_, fake) in &dear {
        fake.borrow_mut().refrain = b"1\r\n\x17\r\n".repeat(SCRATCH / 6 + 1);
    }
    // Each uses up its second.
    for _ in 0..8 {
        serve(&mut shard, Time::ZERO, &dear);
    }
    let reports = |(_, fake): &&(ConnectionId, Rc<RefCell<Fake>>)| fake.borrow().interest.is_none_or(|it| it.read);
    assert_eq!(dear.iter().filter(reports).count(), 0);

    let all = [&dear[..], std::slice::from_ref(&good)].concat();
    let before = bytes_read(&dear);
    for millis in (0..3_000).step_by(5) {
        let (before, fed) = (bytes_read(&dear), good.1.borrow().read);
        good.1.borrow_mut().incoming.push_back(Ok(tags("a")));
        serve(&mut shard, Time::from_millis(millis), &all);
        assert!(good.1.borrow().read > fed, "at {millis} ms");
        // One for the turn that finds nothing to do, and one if the last was long ago.
        assert!(bytes_read(&dear) - before <= 2 * YIELDING_READ, "at {millis} ms");
    }
    assert!(
        bytes_read(&dear) - before >= 600 * YIELDING_READ,
        "they have what the stream leaves"
    );
    let shares = || dear.iter().map(|(_, fake)| fake.borrow().read);
    assert!(shares().max() <= shares().min().map(|least| least + SCRATCH));
}

#[test]
fn a_connection_that_yields_is_read_by_a_busy_thread_too() {
    let mut shard = new_shard();
    let (id, good) = connect_good(&mut shard);
    let dear = [connect_dear(&mut shard, 0, 1 << 20)];
    for _ in 0..8 {
        serve(&mut shard, Time::ZERO, &dear);
    }
    let before = bytes_read(&dear);
    for millis in 1..=1_000 {
        good.borrow_mut().incoming.push_back(Ok(tags("a")));
        shard.readable(Time::from_millis(millis), id);
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
            let (id, fake) = connect(&mut shard, &[]);
            let head = format!("POST /live/dear{name} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n34\r\n");
            // A frame, and the beginning of another.
            let tags = b"FLV\x01\x05\0\0\0\x09\0\0\0\0\x08\0\0\x03\0\0\0\0\0\0\0\xAF\x01\x21\0\0\0\x0E\
                \x09\x7F\xFF\xFF\0\0\0\0\0\0\0\x17\x01\0\0\0\0\0\0\0\0\r\n";
            receive(&mut shard, id, &fake, Ok([head.as_bytes(), tags].concat()));
            assert!(fake.borrow().low_water.is_some_and(|bytes| bytes > 1));
            fake.borrow_mut().refrain = b"1\r\n\x17\r\n".repeat(SCRATCH / 6 + 1);
            (id, fake)
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
    let (id, fake) = connect_dear(&mut shard, 0, 100_000);
    while fake.borrow().interest.is_none_or(|interest| interest.read) {
        assert!(!fake.borrow().incoming.is_empty(), "all of it was read in one second");
        serve(&mut shard, Time::ZERO, &[(id, fake.clone())]);
    }
    finish_turn(&mut shard);
    assert!(fake.borrow().incoming.is_empty());
    assert_eq!(fake.borrow().interest, Some(Interest::READ));

    // In the same second it yields at once, in the next it is like any other.
    for (now, at_once) in [(Time::ZERO, 0), (Time::from_millis(1_000), SCRATCH)] {
        let before = fake.borrow().read;
        let more = b"1\r\n\x17\r\n".repeat(SCRATCH / 6 + 1);
        fake.borrow_mut().incoming.push_back(Ok(more));
        shard.readable(now, id);
        assert_eq!(fake.borrow().read - before, at_once);
        while shard.turn(now, |_, _| ()) {}
        shard.readable(now, id);
        while shard.turn(now, |_, _| ()) {}
        assert!(fake.borrow().incoming.is_empty());
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
        let (id, fake) = connect(&mut shard, &[]);
        shard.turn(Time::ZERO, |_, _| ());
        fake.borrow_mut()
            .incoming
            .push_back(Err(ErrorKind::ConnectionReset.into()));
        shard.hung_up(Time::ZERO, id);
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
