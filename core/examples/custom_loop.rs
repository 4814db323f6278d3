//! The whole server in a loop of one's own: one thread, `std::net`, no runtime and no poller.
//!
//! [`Server`] knows every rule of RTMP and HTTP-FLV and no socket. What is left to a driver is below: it moves bytes,
//! says what time it is and does what [`Action`]s say. Any loop that can do so can serve, also one inside a game engine
//! or a simulator. One that serves thousands starts from `Shard` of `headwater-driver`, which bounds
//! what a connection may read and write before it is another one's turn.
//!
//! ```text
//! cargo run -p headwater-core --example custom_loop -- 127.0.0.1:1935 127.0.0.1:8080
//! ffmpeg -re -f lavfi -i testsrc2 -f lavfi -i sine -c:v libx264 -c:a aac -f flv rtmp://127.0.0.1:1935/live/cam
//! ffplay http://127.0.0.1:8080/live/cam.flv
//! ```

use headwater_core::Time;
use headwater_core::server::{Action, Config, ConnectionId, ProcessFigures, Protocol, Server, ShardId};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long to sleep when a whole round over the sockets found nothing to do.
///
/// The standard library cannot wait for many sockets at once, so this loop asks each of them in turn, which costs a
/// system call per socket and round. 1 ms keeps an idle server below a percent of a core and adds at most that much
/// delay. A driver for many connections waits in epoll or kqueue instead, until a socket is ready or
/// [`Server::poll_timeout`] has come.
const IDLE_SLEEP: Duration = Duration::from_millis(1);

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let rtmp = TcpListener::bind(arguments.next().unwrap_or_else(|| "127.0.0.1:1935".into()))?;
    let http = TcpListener::bind(arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into()))?;
    rtmp.set_nonblocking(true)?;
    http.set_nonblocking(true)?;
    println!(
        "listening on {} for RTMP, {} for HTTP",
        rtmp.local_addr()?,
        http.local_addr()?
    );

    let seed = RandomState::new().build_hasher().finish();
    let mut driver = Driver {
        server: Server::new(Arc::new(Config::default()), ShardId(0), 1, seed),
        clock: Instant::now(),
        sockets: Vec::new(),
        scratch: vec![0; 64 << 10],
    };
    loop {
        let mut has_worked = driver.accept(&rtmp, Protocol::Rtmp);
        has_worked |= driver.accept(&http, Protocol::Http);
        for index in 0..driver.sockets.len() {
            has_worked |= driver.read(index);
            has_worked |= driver.write(index);
        }
        driver.handle_timeout();
        if !has_worked {
            thread::sleep(IDLE_SLEEP);
        }
    }
}

struct Driver {
    server: Server,
    clock: Instant,
    /// By [`ConnectionId::index`], which is small and used again.
    sockets: Vec<Option<Socket>>,
    scratch: Vec<u8>,
}

struct Socket {
    id: ConnectionId,
    stream: TcpStream,
    /// Whether the peer has closed its side: there is nothing more to read.
    is_at_eof: bool,
    /// Whether the last write filled the socket, so that it is to be tried again without being asked for.
    is_full: bool,
}

impl Driver {
    fn now(&self) -> Time {
        Time::ZERO + self.clock.elapsed()
    }

    /// Takes one connection in. Whether there was one.
    fn accept(&mut self, listener: &TcpListener, protocol: Protocol) -> bool {
        // An error is either "none waits" or a passing one, such as too many open files: the next round asks again.
        let Ok((stream, peer)) = listener.accept() else {
            return false;
        };
        if stream.set_nonblocking(true).is_err() || stream.set_nodelay(true).is_err() {
            return true; // it is gone already
        }
        let now = self.now();
        match self.server.accept(now, protocol, peer) {
            Ok(id) => {
                println!("{now} {id} {protocol:?} from {peer}");
                if self.sockets.len() <= id.index() {
                    self.sockets.resize_with(id.index() + 1, || None);
                }
                if let Some(slot) = self.sockets.get_mut(id.index()) {
                    *slot = Some(Socket {
                        id,
                        stream,
                        is_at_eof: false,
                        is_full: false,
                    });
                }
            }
            Err(refused) => println!("{now} {protocol:?} from {peer} refused: {refused}"),
        }
        self.act();
        true
    }

    /// Reads once from a socket, and does what the server wants done then. Whether there was anything.
    fn read(&mut self, index: usize) -> bool {
        let has_read = self.read_once(index);
        self.act();
        has_read
    }

    /// Reads once from a socket, if the server wants to hear from it. Whether there was anything.
    fn read_once(&mut self, index: usize) -> bool {
        let now = self.now();
        let Some(socket) = self.sockets.get_mut(index).and_then(Option::as_mut) else {
            return false;
        };
        if socket.is_at_eof || !self.server.wants_input(socket.id) {
            return false;
        }
        match socket.stream.read(&mut self.scratch) {
            Ok(0) => {
                socket.is_at_eof = true;
                self.server.handle_eof(now, socket.id);
            }
            Ok(len) => {
                let input = self.scratch.get(..len).unwrap_or_default();
                self.server.handle_input(now, socket.id, input);
            }
            Err(error) if is_passing(&error) => return false,
            Err(_) => self.server.handle_reset(now, socket.id),
        }
        true
    }

    /// Goes on writing to a socket that was full. Whether it took anything.
    fn write(&mut self, index: usize) -> bool {
        let Some(socket) = self.sockets.get(index).and_then(Option::as_ref) else {
            return false;
        };
        if !socket.is_full {
            return false;
        }
        let has_written = self.flush(socket.id);
        self.act();
        has_written
    }

    fn handle_timeout(&mut self) {
        let now = self.now();
        if self.server.poll_timeout().is_some_and(|at| at <= now) {
            self.server.handle_timeout(now);
            self.act();
        }
    }

    /// Does what the server wants done, which is to be asked after every call to it.
    fn act(&mut self) {
        while let Some(action) = self.server.poll_action() {
            match action {
                Action::Wake(id) => {
                    self.flush(id);
                }
                Action::Read(id) => {
                    self.read_once(id.index());
                }
                Action::Shutdown(id) => {
                    if let Some(socket) = self.socket(id) {
                        // If this fails the peer is gone, and a read will say so.
                        let _ = socket.stream.shutdown(Shutdown::Write);
                    }
                }
                Action::Close(id) => {
                    println!("{} {id} closed", self.now());
                    self.sockets.get_mut(id.index()).map(Option::take);
                }
                // An operator asks, and nothing is known of the process.
                Action::Measure => self.server.handle_process(self.now(), ProcessFigures::default()),
                // This server is the only shard, and its configuration asks for nothing.
                Action::ToShard(..) | Action::Ask(..) => {}
            }
        }
    }

    /// Writes until the server has nothing more for the connection or the socket is full. Whether anything was written.
    fn flush(&mut self, id: ConnectionId) -> bool {
        let now = self.now();
        let mut has_written = false;
        loop {
            let output = self.server.output(now, id);
            let Some(socket) = self.sockets.get_mut(id.index()).and_then(Option::as_mut) else {
                return has_written;
            };
            socket.is_full = false;
            if output.is_empty() {
                return has_written;
            }
            let Ok(taken) = output.write_to(&mut socket.stream) else {
                self.server.handle_reset(now, id);
                return has_written;
            };
            has_written |= taken > 0;
            if !output.is_empty() {
                socket.is_full = true;
                return has_written;
            }
        }
    }

    fn socket(&mut self, id: ConnectionId) -> Option<&mut Socket> {
        self.sockets.get_mut(id.index())?.as_mut()
    }
}

/// Whether an error means "not now" and nothing worse.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
