//! Peers that mean no good, or know no better. Each is over after a known time.

use super::conversation::session;
use super::media::{self, Noise, Pattern};
use super::player::{Seat, Speaks, flush};
use super::web_socket;
use super::wire::Wire;
use bytes::Buf;
use headwater_core::flv::{FlvWriter, TagFlags};
use headwater_core::rtmp::message::command;
use headwater_core::rtmp::{ClientEvent, Purpose};
use headwater_core::{Output, Time};
use std::io::Result;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What a player does with a stream that it has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Player {
    /// Takes nothing any more, and stays.
    Stalls,
    /// Takes a few bytes a second.
    Crawls,
    /// Is gone with a reset, after a while.
    Resets,
    /// Closes its side, and reads on.
    HalfCloses,
    /// Closes the connection with unread bytes in it.
    Closes,
    /// Asks for a stream that nobody publishes, and leaves before it has waited to the end.
    WaitsInVain,
}

impl Player {
    pub(crate) const ALL: [Player; 6] = [
        Player::Stalls,
        Player::Crawls,
        Player::Resets,
        Player::HalfCloses,
        Player::Closes,
        Player::WaitsInVain,
    ];

    /// Plays for up to `time`. An error is no news: the server may end it first.
    pub(crate) async fn run(self, seat: &Seat, speaks: Speaks, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        // Small enough that the server notices within seconds.
        let buffer = matches!(self, Player::Stalls | Player::Crawls).then_some(16 << 10);
        let wire = Wire::connect(seat.server(speaks), seat.source, buffer).await?;
        let mut conversation = seat.conversation(speaks);
        let mut has_begun = false;
        while !has_begun && self != Player::WaitsInVain && Instant::now() < until {
            flush(&wire, &mut conversation)?;
            wire.ready(conversation.output().is_some(), until).await?;
            while wire.read(|input| conversation.handle_input(input, |_| has_begun = true))? > 0 && !has_begun {}
        }
        match self {
            Player::Stalls => {
                // Not even an end is seen: that would need a read.
                sleep(until.saturating_duration_since(Instant::now())).await;
                Ok(())
            }
            Player::Crawls => {
                while Instant::now() < until {
                    wire.read_up_to(8, |_| Ok(()))?;
                    sleep(Duration::from_secs(1)).await;
                }
                Ok(())
            }
            Player::Resets => {
                let _ = wire.listen(until).await;
                wire.reset()
            }
            Player::HalfCloses => {
                wire.shut_down()?;
                wire.listen(until).await
            }
            Player::Closes => {
                sleep(
                    until
                        .saturating_duration_since(Instant::now())
                        .min(Duration::from_secs(1)),
                )
                .await;
                Ok(())
            }
            Player::WaitsInVain => {
                while Instant::now() < until {
                    flush(&wire, &mut conversation)?;
                    wire.ready(conversation.output().is_some(), until).await?;
                    while wire.read(|input| conversation.handle_input(input, |_| {}))? > 0 {}
                }
                Ok(())
            }
        }
    }
}

/// Bytes that no good peer sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Garbage {
    /// Any bytes, instead of a handshake.
    NoiseToRtmp,
    /// Any bytes, instead of a request.
    NoiseToHttp,
    /// Any bytes, behind a handshake.
    NoiseBehindHandshake,
    /// Messages that are announced as large as can be.
    HugeMessages,
    /// Chunks of one byte.
    TinyChunks,
    /// `createStream`, again and again.
    ManyCalls,
    /// A publisher by RTMP whose bytes are changed here and there.
    CorruptRtmp,
    /// A publisher by HTTP whose bytes are changed here and there.
    CorruptHttp,
    /// A head that does not end.
    EndlessHead,
    /// A request with any bytes as its chunked body.
    NoiseInBody,
    /// Hundreds of requests at once.
    ManyRequests,
    /// A player by WebSocket that sends any bytes.
    NoiseByWebSocket,
    /// A player by WebSocket that sends thousands of pings.
    ManyPings,
    /// A player by RTMP that sends any bytes.
    NoiseOfPlayer,
    /// Half a handshake, and gone.
    HalfHandshake,
    /// Gone as soon as it is connected.
    NothingAtAll,
}

impl Garbage {
    pub(crate) const ALL: [Garbage; 16] = [
        Garbage::NoiseToRtmp,
        Garbage::NoiseToHttp,
        Garbage::NoiseBehindHandshake,
        Garbage::HugeMessages,
        Garbage::TinyChunks,
        Garbage::ManyCalls,
        Garbage::CorruptRtmp,
        Garbage::CorruptHttp,
        Garbage::EndlessHead,
        Garbage::NoiseInBody,
        Garbage::ManyRequests,
        Garbage::NoiseByWebSocket,
        Garbage::ManyPings,
        Garbage::NoiseOfPlayer,
        Garbage::HalfHandshake,
        Garbage::NothingAtAll,
    ];

    const fn is_for_http(self) -> bool {
        matches!(
            self,
            Garbage::NoiseToHttp
                | Garbage::CorruptHttp
                | Garbage::EndlessHead
                | Garbage::NoiseInBody
                | Garbage::ManyRequests
                | Garbage::NoiseByWebSocket
                | Garbage::ManyPings
        )
    }

    /// Sends it, waits for the end up to `time`, and leaves. An error is no news: the server is right to end it.
    pub(crate) async fn run(self, seat: &Seat, pattern: &Pattern, noise: &mut Noise, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        let server = if self.is_for_http() { seat.http } else { seat.rtmp };
        let wire = Wire::connect(server, seat.source, None).await?;
        match self {
            Garbage::NothingAtAll => return wire.reset(),
            Garbage::CorruptRtmp => return corrupt_rtmp(&wire, seat, pattern, noise, until).await,
            Garbage::CorruptHttp => return corrupt_http(&wire, seat, pattern, noise, until).await,
            _ => {}
        }
        let stream = &seat.stream;
        let post = format!("POST /live/{stream} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
        let len = noise.between(100, 20_000);
        let bytes = match self {
            Garbage::NoiseToRtmp | Garbage::NoiseToHttp => noise.bytes(len),
            Garbage::NoiseBehindHandshake => [handshake(), noise.bytes(len)].concat(),
            Garbage::HugeMessages => {
                let chunk = |csid: u8| [&[csid, 0, 0, 0, 0xFF, 0xFF, 0xFF, 9, 1, 0, 0, 0][..], &[0x17; 128]].concat();
                [handshake(), (3..60).flat_map(chunk).collect()].concat()
            }
            Garbage::TinyChunks => {
                let tiny = [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 1];
                let chunks = [0xC3, 0x5A].repeat(len as usize);
                let head = [3, 0, 0, 0, 0, 0xFF, 0xFF, 9, 1, 0, 0, 0, 0x17];
                [handshake(), tiny.into(), head.into(), chunks].concat()
            }
            Garbage::ManyCalls => [handshake(), connect_call(), call("createStream").repeat(1_000)].concat(),
            Garbage::EndlessHead => {
                let line = "X: the line after this one is just like it, and there is no last one\r\n";
                ["GET /live/x HTTP/1.1\r\n", &line.repeat(400)].concat().into_bytes()
            }
            Garbage::NoiseInBody => [post.as_bytes(), &noise.bytes(len)].concat(),
            Garbage::ManyRequests => b"OPTIONS /live/x HTTP/1.1\r\nHost: x\r\n\r\n".repeat(300),
            Garbage::NoiseByWebSocket => [web_socket::request(stream).as_bytes(), &noise.bytes(len)].concat(),
            Garbage::ManyPings => {
                let ping = web_socket::frame(9, b"are you there?");
                [web_socket::request(stream).as_bytes(), &ping.repeat(2_000)].concat()
            }
            Garbage::NoiseOfPlayer => {
                let name = stream.split('?').next().unwrap_or_default();
                [
                    handshake(),
                    connect_call(),
                    call("createStream"),
                    play_call(name),
                    noise.bytes(len),
                ]
                .concat()
            }
            Garbage::HalfHandshake => handshake()[..700].into(),
            Garbage::NothingAtAll | Garbage::CorruptRtmp | Garbage::CorruptHttp => Vec::new(),
        };
        wire.say(&bytes, until).await?;
        if noise.next().is_multiple_of(2) {
            wire.shut_down()?;
        }
        wire.listen(until).await
    }
}

/// What is connected and says next to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Silent {
    Nothing,
    HalfHandshake,
    HalfHead,
    /// A handshake, and then nothing.
    Handshake,
    /// A byte of a request in each second.
    ByteASecond,
}

impl Silent {
    pub(crate) const ALL: [Silent; 5] = [
        Silent::Nothing,
        Silent::HalfHandshake,
        Silent::HalfHead,
        Silent::Handshake,
        Silent::ByteASecond,
    ];

    /// Stays until the server ends it, which is an error, or `until`. `is_http`: where nothing is said.
    pub(crate) async fn run(self, seat: &Seat, is_http: bool, until: Instant) -> Result<()> {
        let is_http = match self {
            Silent::Nothing => is_http,
            Silent::HalfHandshake | Silent::Handshake => false,
            Silent::HalfHead | Silent::ByteASecond => true,
        };
        let wire = Wire::connect(if is_http { seat.http } else { seat.rtmp }, seat.source, None).await?;
        let head = b"GET /live/stream HTTP/1.1\r\nHost: localhost\r\nUser-Agent: one that takes its time\r\n";
        match self {
            Silent::Nothing => {}
            Silent::HalfHandshake => wire.say(&handshake()[..700], until).await?,
            Silent::Handshake => wire.say(&handshake(), until).await?,
            Silent::HalfHead => wire.say(&head[..40], until).await?,
            Silent::ByteASecond => {
                for byte in head.chunks(1) {
                    wire.say(byte, until).await?;
                    wire.listen((Instant::now() + Duration::from_secs(1)).min(until))
                        .await?;
                }
            }
        }
        wire.listen(until).await
    }
}

/// Publishes with a wrong byte now and then, until the server has enough of it.
async fn corrupt_rtmp(wire: &Wire, seat: &Seat, pattern: &Pattern, noise: &mut Noise, until: Instant) -> Result<()> {
    let mut session = session(Purpose::Publish, &seat.stream);
    let (mut sequence, mut has_started) = (0, false);
    let now = || Time::ZERO + media::now();
    while Instant::now() < until {
        if has_started && session.can_send() {
            for frame in media::headers() {
                let _ = session.send_frame(&frame);
            }
            for _ in 0..5 {
                let _ = session.send_frame(&pattern.frame(sequence, media::now()));
                sequence += 1;
            }
        }
        let bytes = spoiled(session.output(), if has_started { 5_000 } else { 0 }, noise);
        wire.say(&bytes, until).await?;
        wire.ready(false, (Instant::now() + Duration::from_millis(50)).min(until))
            .await?;
        while wire.read(|mut input| {
            while let Ok(Some(event)) = session.handle_input(now(), &mut input) {
                has_started |= event == ClientEvent::Started;
            }
            Ok(())
        })? > 0
        {}
    }
    Ok(())
}

async fn corrupt_http(wire: &Wire, seat: &Seat, pattern: &Pattern, noise: &mut Noise, until: Instant) -> Result<()> {
    let stream = &seat.stream;
    let head = format!("POST /live/{stream} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    wire.say(head.as_bytes(), until).await?;
    let mut output = Output::new();
    let flags = TagFlags {
        audio: true,
        video: true,
    };
    FlvWriter::header(flags, &mut output);
    let mut sequence = 0;
    while Instant::now() < until {
        for _ in 0..5 {
            FlvWriter::frame(&pattern.frame(sequence, media::now()), &mut output);
            sequence += 1;
        }
        wire.say(&spoiled(&mut output, 5_000, noise), until).await?;
        wire.listen((Instant::now() + Duration::from_millis(50)).min(until))
            .await?;
    }
    Ok(())
}

/// All of `output`, with one in about `rate` bytes changed.
fn spoiled(output: &mut Output, rate: u64, noise: &mut Noise) -> Vec<u8> {
    let mut bytes = output.copy_to_bytes(output.len()).to_vec();
    if rate > 0 {
        for byte in &mut bytes {
            if noise.next().is_multiple_of(rate) {
                *byte = noise.next().to_le_bytes()[3];
            }
        }
    }
    bytes
}

/// C0, C1 and C2.
fn handshake() -> Vec<u8> {
    vec![3; 1 + 2 * 1_536]
}

/// A message of a command, in one chunk of its own size.
fn message(stream_id: u8, payload: &[u8]) -> Vec<u8> {
    let [_, len @ ..] = u32::try_from(payload.len()).expect("it is short").to_be_bytes();
    let mut bytes = vec![3, 0, 0, 0];
    bytes.extend(len);
    bytes.extend([20, stream_id, 0, 0, 0]);
    let mut chunks = payload.chunks(128);
    bytes.extend(chunks.next().unwrap_or_default());
    for chunk in chunks {
        bytes.push(0xC3);
        bytes.extend(chunk);
    }
    bytes
}

fn call(name: &str) -> Vec<u8> {
    message(
        0,
        &command::encode(name, 1.0, |writer| {
            writer.null();
        }),
    )
}

fn connect_call() -> Vec<u8> {
    message(
        0,
        &command::encode("connect", 1.0, |writer| {
            writer.object_start().key("app").string("live").object_end();
        }),
    )
}

fn play_call(stream: &str) -> Vec<u8> {
    message(
        1,
        &command::encode("play", 0.0, |writer| {
            writer.null();
            writer.string(stream);
        }),
    )
}
