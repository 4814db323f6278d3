//! RTMP on blocking sockets, a thread per connection: [`ServerSession`] alone, without the hub and without a runtime.
//!
//! It lets anybody publish, prints the events of its sessions and counts the frames. Players are turned away.
//!
//! ```text
//! cargo run -p headwater-core --example blocking_server -- 127.0.0.1:1935
//! ffmpeg -re -f lavfi -i testsrc2 -f lavfi -i sine -c:v libx264 -c:a aac -t 5 -f flv rtmp://127.0.0.1:1935/live/cam
//! ```

use headwater_core::rtmp::{Event, ProtocolError, ServerSession, SessionConfig, Status, StatusCode};
use headwater_core::{FrameKind, Time};
use std::error::Error;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:1935".into());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    let config = Arc::new(SessionConfig::default());
    for socket in listener.incoming() {
        let (socket, config) = (socket?, config.clone());
        std::thread::spawn(move || match serve(socket, config) {
            Ok(counts) => println!("connection closed: {counts:?}"),
            Err(error) => println!("connection failed: {error}"),
        });
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Counts {
    audio: u64,
    video: u64,
    data: u64,
    bytes: usize,
}

fn serve(mut socket: TcpStream, config: Arc<SessionConfig>) -> Result<Counts, Box<dyn Error>> {
    socket.set_nodelay(true)?;
    // A peer that takes nothing would block a write for ever, and deadlines would pass unseen.
    socket.set_write_timeout(Some(config.limits.stall_timeout))?;
    let clock = Instant::now();
    let mut session = ServerSession::new(config, Time::ZERO, RandomState::new().build_hasher().finish());
    let mut counts = Counts::default();
    let mut scratch = vec![0; 64 << 10];
    while !session.is_closed() {
        // Wait for bytes, or until the session has something to do of itself. Zero would mean no timeout.
        let wait = session.poll_timeout().map(|at| at.since(Time::ZERO + clock.elapsed()));
        socket.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
        let read = match socket.read(&mut scratch) {
            Ok(len) => Some(len),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(error) => return Err(error.into()),
        };

        // Tell it what has come. It takes all of the input: requests are answered at once, so it is never paused.
        let now = Time::ZERO + clock.elapsed();
        let mut input = scratch.get(..read.unwrap_or(0)).unwrap_or_default();
        let is_eof = read == Some(0);
        loop {
            match next_event(&mut session, now, &mut input, is_eof) {
                Ok(Some(event)) => handle_event(&mut session, now, event, &mut counts)?,
                Ok(None) => break,
                Err(error) => {
                    println!("{now} closing: {error}");
                    break;
                }
            }
        }

        // Send what it has to say; after an error as well.
        session.output().write_to(&mut socket)?;
        if !session.output().is_empty() {
            return Err("the peer takes nothing any more".into());
        }
    }
    Ok(counts)
}

fn next_event(
    session: &mut ServerSession,
    now: Time,
    input: &mut &[u8],
    is_eof: bool,
) -> Result<Option<Event>, ProtocolError> {
    match session.handle_input(now, input)? {
        None if is_eof => session.handle_eof(now),
        None => session.handle_timeout(now),
        event => Ok(event),
    }
}

fn handle_event(
    session: &mut ServerSession,
    now: Time,
    event: Event,
    counts: &mut Counts,
) -> Result<(), Box<dyn Error>> {
    if let Event::Frame { frame, .. } = event {
        counts.bytes += frame.payload.len();
        *match frame.kind {
            FrameKind::Audio => &mut counts.audio,
            FrameKind::Video => &mut counts.video,
            FrameKind::Data => &mut counts.data,
        } += 1;
        return Ok(());
    }
    println!("{now} {event:?}");
    match event {
        Event::ConnectRequested { id, .. } | Event::PublishRequested { id, .. } => session.accept(now, id)?,
        Event::PlayRequested { id, .. } => {
            let status = Status::new(StatusCode::PlayStreamNotFound, "Nothing is played here.");
            session.reject(now, id, status)?;
        }
        _ => {}
    }
    Ok(())
}
