//! A publisher of the pattern in real time, by RTMP or HTTP, that leaves as it is told.

use super::conversation::{session, time};
use super::media::{self, Pattern};
use super::player::Seat;
use super::wire::Wire;
use headwater_core::flv::{FlvWriter, TagFlags};
use headwater_core::rtmp::{ClientEvent, ClientSession, Purpose};
use headwater_core::{Frame, Output};
use std::cell::Cell;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// What one publish is.
#[derive(Debug, Clone)]
pub(crate) struct Publish {
    pub(crate) seat: Seat,
    pub(crate) speaks_http: bool,
    /// What tells its frames from those of other publishes of the stream.
    pub(crate) origin: u32,
    pub(crate) farewell: Farewell,
}

/// How a publisher leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// By the words of the protocol.
    Proper,
    /// It closes the connection.
    Close,
    /// With a reset.
    Reset,
    /// It closes its side, and waits for the server to close the other.
    HalfClose,
    /// It says nothing any more, and keeps the connection for this long.
    Silence(Duration),
}

/// What came of a publish.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// Our address, once we were connected.
    pub(crate) local: Option<SocketAddr>,
    /// Frames sent, headers among them.
    pub(crate) frames: u64,
    /// The number of the last frame of the pattern.
    pub(crate) last: Option<u32>,
    /// Why it ended, if not because its time was over.
    pub(crate) error: Option<Error>,
}

/// Between two wakes: frames that are due go together.
const INTERVAL: Duration = Duration::from_millis(15);
/// How long a server may take to answer, and to end the connection of a publisher that has left.
const TIMEOUT: Duration = Duration::from_secs(30);

impl Publish {
    /// Publishes until `is_over` or `until`, then leaves.
    pub(crate) async fn run(&self, pattern: &Pattern, until: Instant, is_over: &Cell<bool>) -> Published {
        let mut published = Published::default();
        if let Err(error) = self.try_run(pattern, until, is_over, &mut published).await {
            published.error = Some(error);
        }
        published
    }

    async fn try_run(
        &self,
        pattern: &Pattern,
        until: Instant,
        is_over: &Cell<bool>,
        published: &mut Published,
    ) -> Result<()> {
        let seat = &self.seat;
        let server = if self.speaks_http { seat.http } else { seat.rtmp };
        let wire = Wire::connect(server, seat.source, None).await?;
        published.local = Some(wire.local);
        let mut encoder = Encoder::new(self.speaks_http, &seat.stream);
        let answer_by = Instant::now() + TIMEOUT;
        while !encoder.has_started() {
            wire.flush(encoder.output())?;
            wire.ready(!encoder.output().is_empty(), answer_by).await?;
            if Instant::now() >= answer_by {
                return Err(Error::new(ErrorKind::TimedOut, "the server did not answer"));
            }
            while wire.read(|input| encoder.handle_input(input))? > 0 {}
        }
        for frame in media::headers() {
            encoder.send(&frame)?;
            published.frames += 1;
        }
        let began = Instant::now();
        let mut sequence = 0;
        while Instant::now() < until && !is_over.get() {
            while encoder.can_send() && began + pattern.due(sequence) <= Instant::now() {
                encoder.send(&pattern.frame_from(self.origin, sequence, media::now()))?;
                published.frames += 1;
                published.last = Some(sequence);
                sequence += 1;
            }
            wire.flush(encoder.output())?;
            while wire.read(|input| encoder.handle_input(input))? > 0 {}
            let next = (began + pattern.due(sequence)).max(Instant::now() + INTERVAL);
            if encoder.output().is_empty() {
                sleep_until(next.min(until)).await;
            } else {
                wire.ready(true, next).await?;
            }
        }
        self.leave(wire, encoder).await
    }

    async fn leave(&self, wire: Wire, mut encoder: Encoder) -> Result<()> {
        let until = Instant::now() + TIMEOUT;
        if self.farewell == Farewell::Proper {
            encoder.finish();
        }
        if self.farewell != Farewell::Reset {
            wire.flush(encoder.output())?;
            while !encoder.output().is_empty() && Instant::now() < until {
                while wire.read(|_| Ok(()))? > 0 {}
                wire.ready(true, until).await?;
                wire.flush(encoder.output())?;
            }
        }
        match self.farewell {
            Farewell::Reset => wire.reset(),
            Farewell::Close => Ok(()),
            Farewell::Proper | Farewell::HalfClose => {
                wire.shut_down()?;
                // What the server says to that, and its end.
                match wire.listen(until).await {
                    Ok(()) => Err(Error::new(ErrorKind::TimedOut, "the server did not close")),
                    Err(_) => Ok(()),
                }
            }
            Farewell::Silence(time) => {
                let _ = wire.listen(Instant::now() + time).await;
                Ok(())
            }
        }
    }
}

/// The protocol of a publisher.
enum Encoder {
    Rtmp(Box<ClientSession>, bool),
    Http(Output),
}

impl Encoder {
    fn new(speaks_http: bool, stream: &str) -> Self {
        if !speaks_http {
            return Encoder::Rtmp(Box::new(session(Purpose::Publish, stream)), false);
        }
        let mut output = Output::new();
        let head = format!("POST /live/{stream} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
        output.write(head.as_bytes());
        output.write(format!("{:x}\r\n", FlvWriter::HEADER_LEN).as_bytes());
        let flags = TagFlags {
            audio: true,
            video: true,
        };
        FlvWriter::header(flags, &mut output);
        output.write(b"\r\n");
        Encoder::Http(output)
    }

    fn output(&mut self) -> &mut Output {
        match self {
            Encoder::Rtmp(session, _) => session.output(),
            Encoder::Http(output) => output,
        }
    }

    fn has_started(&self) -> bool {
        match self {
            Encoder::Rtmp(_, has_started) => *has_started,
            Encoder::Http(_) => true,
        }
    }

    fn handle_input(&mut self, mut input: &[u8]) -> Result<()> {
        let Encoder::Rtmp(session, has_started) = self else {
            let line = input.split(|byte| *byte == b'\r').next().unwrap_or_default();
            return Err(refused(String::from_utf8_lossy(line).into_owned()));
        };
        while let Some(event) = session.handle_input(time(), &mut input).map_err(Error::other)? {
            match event {
                ClientEvent::Started => *has_started = true,
                ClientEvent::Refused { .. } | ClientEvent::Ended(_) => return Err(refused(format!("{event:?}"))),
                _ => {}
            }
        }
        Ok(())
    }

    fn can_send(&self) -> bool {
        match self {
            Encoder::Rtmp(session, _) => session.can_send(),
            Encoder::Http(output) => output.len() < 64 << 10,
        }
    }

    fn send(&mut self, frame: &Frame) -> Result<()> {
        match self {
            Encoder::Rtmp(session, _) => session.send_frame(frame).map_err(Error::other),
            Encoder::Http(output) => {
                output.write(format!("{:x}\r\n", FlvWriter::frame_len(frame)).as_bytes());
                FlvWriter::frame(frame, output);
                output.write(b"\r\n");
                Ok(())
            }
        }
    }

    fn finish(&mut self) {
        match self {
            Encoder::Rtmp(session, _) => session.close(time()),
            Encoder::Http(output) => output.write(b"0\r\n\r\n"),
        }
    }
}

fn refused(text: String) -> Error {
    Error::new(ErrorKind::ConnectionRefused, text)
}
