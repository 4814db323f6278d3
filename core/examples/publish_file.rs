//! Publishes an FLV file by RTMP in real time, on one blocking socket: [`ClientSession`] and [`FlvReader`].
//!
//! ```text
//! ffmpeg -f lavfi -i testsrc2 -f lavfi -i sine -c:v libx264 -c:a aac -t 10 test.flv
//! cargo run -p headwater-core --example publish_file -- test.flv rtmp://127.0.0.1:1935/live/test
//! ```

use headwater_core::flv::{FlvItem, FlvReader};
use headwater_core::rtmp::{ClientEvent, ClientRequest, ClientSession, SessionConfig};
use headwater_core::{EndCause, Frame, Limits, Time};
use std::error::Error;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, url] = arguments.as_slice() else {
        return Err("usage: publish_file FILE.flv rtmp://HOST[:PORT]/APP/NAME".into());
    };
    let request = ClientRequest::publish(url).map_err(|error| error.to_string())?;
    let address = request.address().ok_or("no address")?;
    let media = Media {
        file: BufReader::new(File::open(file)?),
        reader: FlvReader::new(&Limits::default()),
    };
    publish(TcpStream::connect(address)?, request, media)
}

fn publish(mut socket: TcpStream, request: ClientRequest, mut media: Media) -> Result<(), Box<dyn Error>> {
    let config = Arc::new(SessionConfig::default());
    socket.set_nodelay(true)?;
    socket.set_write_timeout(Some(config.limits.stall_timeout))?;
    let clock = Instant::now();
    let mut session = ClientSession::new(config, Time::ZERO, RandomState::new().build_hasher().finish(), request);
    let mut scratch = vec![0; 4 << 10];
    // When the server let us begin, and the next frame.
    let mut started = None;
    let mut next = media.next_frame()?;
    let mut sent = 0_u64;

    // What the last read gave: `None` if nothing came in time, 0 at the end.
    let mut read = None;
    loop {
        let now = Time::ZERO + clock.elapsed();
        while session.can_send()
            && let Some(frame) = next.take_if(|frame| due(frame, started).is_some_and(|at| at <= now))
        {
            session.send_frame(&frame)?;
            sent += 1;
            next = media.next_frame()?;
        }
        if next.is_none() {
            session.close(now);
        }

        let mut input = scratch.get(..read.unwrap_or(0)).unwrap_or_default();
        loop {
            let event = match session.handle_input(now, &mut input)? {
                None if read == Some(0) => session.handle_eof(now)?,
                None => session.handle_timeout(now)?,
                event => event,
            };
            match event {
                Some(ClientEvent::Started) => {
                    println!("publishing");
                    started = Some(now);
                }
                Some(ClientEvent::Refused { code, description }) => {
                    return Err(format!("refused: {code}: {description}").into());
                }
                Some(ClientEvent::Ended(EndCause::Closed)) => println!("sent {sent} frames"),
                Some(ClientEvent::Ended(cause)) => return Err(format!("ended by the server: {cause}").into()),
                Some(event) => println!("{event:?}"),
                None => break,
            }
        }
        session.output().write_to(&mut socket)?;
        if !session.output().is_empty() {
            return Err("the server takes nothing any more".into());
        }
        if session.is_closed() {
            break;
        }

        // Read what the server says until the next frame or deadline is due. Zero would mean no timeout.
        let next_due = next.as_ref().and_then(|frame| due(frame, started));
        let wake = [next_due, session.poll_timeout()].into_iter().flatten().min();
        let wait = wake.map(|at| at.since(Time::ZERO + clock.elapsed()).max(Duration::from_millis(1)));
        socket.set_read_timeout(wait)?;
        read = match socket.read(&mut scratch) {
            Ok(len) => Some(len),
            Err(error) if is_timeout(&error) => None,
            Err(error) => return Err(error.into()),
        };
    }

    // Dropping a socket with unread input resets the connection, which could cost the server our final reply.
    socket.shutdown(Shutdown::Write)?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    match io::copy(&mut socket, &mut io::sink()) {
        Err(error) if !is_timeout(&error) => Err(error.into()),
        _ => Ok(()),
    }
}

/// When to send `frame`: at the time that it says, counted from the start.
fn due(frame: &Frame, started: Option<Time>) -> Option<Time> {
    Some(started? + Duration::from_millis(frame.timestamp.as_millis().into()))
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// A file, read as it is needed.
struct Media {
    file: BufReader<File>,
    reader: FlvReader,
}

impl Media {
    fn next_frame(&mut self) -> Result<Option<Frame>, Box<dyn Error>> {
        loop {
            let buffer = self.file.fill_buf()?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let mut input = buffer;
            let item = self.reader.handle_input(&mut input)?;
            let taken = buffer.len() - input.len();
            self.file.consume(taken);
            if let Some(FlvItem::Frame(frame)) = item {
                return Ok(Some(frame));
            }
        }
    }
}
