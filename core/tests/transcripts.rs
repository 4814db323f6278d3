//! What clients say, and what the server answers, in virtual milliseconds.
//!
//! Each file in `transcripts/` is one conversation. `C>` is what the client sends, `app` what the application does and
//! `wait` that time passes; these are played. `S<` is what the server sends and `S=` what it reports; these are
//! compared. Run with `UPDATE_TRANSCRIPTS=1` to write them anew, and read the diff.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test"
)]

mod script;

use bytes::Buf;
use headwater_core::rtmp::chunk::{ChunkDecoder, ChunkEncoder, MessageStreamId};
use headwater_core::rtmp::message::{Hex, Values};
use headwater_core::rtmp::{Event, ProtocolError, ServerSession, SessionConfig, Status, StatusCode};
use headwater_core::{EndCause, Frame, Limits, RequestId, Time};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::{env, fs};

/// S0, S1 and S2.
const HANDSHAKE_LEN: usize = 3_073;

/// A server that is played to.
struct Player<'a> {
    session: ServerSession,
    /// Whether to cut the input at this position.
    is_cut: &'a dyn Fn(usize) -> bool,
    position: usize,
    /// Input that the session has not taken, because it is paused.
    pending: Vec<u8>,
    encoder: ChunkEncoder,
    decoder: ChunkDecoder,
    handshake_left: usize,
    request: Option<RequestId>,
    is_over: bool,
    error: Option<ProtocolError>,
    now: u64,
    log: String,
}

impl<'a> Player<'a> {
    fn play(script: &str, is_cut: &'a dyn Fn(usize) -> bool) -> (String, usize) {
        let mut player = Player {
            session: ServerSession::new(Arc::new(SessionConfig::default()), Time::ZERO, 7),
            is_cut,
            position: 0,
            pending: Vec::new(),
            encoder: ChunkEncoder::new(),
            decoder: ChunkDecoder::new(&Limits::default()),
            handshake_left: HANDSHAKE_LEN,
            request: None,
            is_over: false,
            error: None,
            now: 0,
            log: String::new(),
        };
        for line in script.lines() {
            let Some((time, rest)) = line.strip_prefix('@').and_then(|line| line.split_once(' ')) else {
                writeln!(player.log, "{line}").unwrap();
                continue;
            };
            let (who, what) = rest.trim_start().split_once(' ').unwrap_or((rest.trim_start(), ""));
            if who.starts_with('S') {
                continue;
            }
            writeln!(player.log, "{line}").unwrap();
            player.now = time.parse().unwrap();
            match who {
                "C>" => player.send(what),
                "app" => player.act(what),
                "wait" => player.wait(),
                _ => panic!("unknown line: {line}"),
            }
        }
        (player.log, player.position)
    }

    fn time(&self) -> Time {
        Time::from_millis(self.now)
    }

    fn send(&mut self, what: &str) {
        match what {
            "C0 C1" => self.feed(&[&[3][..], &[0; 1_536]].concat()),
            "C2" => self.feed(&[0; 1_536]),
            "EOF" => {
                while let Some(event) = self.session.handle_eof(self.time()).unwrap() {
                    self.report(&event);
                }
                self.settle(None);
            }
            bytes if bytes.starts_with("bytes ") => self.feed(&script::from_hex(&bytes[6..])),
            messages => {
                let chunks = script::to_chunks(&script::parse_all(messages), &mut self.encoder);
                self.feed(&chunks);
            }
        }
    }

    fn act(&mut self, what: &str) {
        let words: Vec<_> = what.split(' ').collect();
        let stream = MessageStreamId(1);
        let code = |index: usize| StatusCode::from_bytes(words[index].as_bytes()).unwrap();
        match words[0] {
            "accept" => self.session.accept(self.time(), self.request.unwrap()).unwrap(),
            "reject" => {
                let status = Status::new(code(1), "No.");
                self.session.reject(self.time(), self.request.unwrap(), status).unwrap();
            }
            "send" => {
                let message = script::parse(&what["send ".len()..]);
                let frame = match message.type_id.0 {
                    8 => Frame::audio(message.timestamp, message.payload),
                    9 => Frame::video(message.timestamp, message.payload),
                    _ => Frame::data(message.timestamp, message.payload),
                };
                self.session.send_frame(stream, &frame).unwrap();
            }
            "publish_notify" => self.session.publish_notify(stream).unwrap(),
            "end_play" => self
                .session
                .end_play(self.time(), stream, EndCause::Unpublished)
                .unwrap(),
            "end_publish" => {
                let status = Status::new(code(1), "Gone.");
                self.session
                    .end_publish(self.time(), stream, status, EndCause::Replaced)
                    .unwrap();
            }
            "close" => self.session.close(self.time()),
            word => panic!("unknown act {word}"),
        }
        self.feed(&[]);
    }

    fn wait(&mut self) {
        loop {
            match self.session.handle_timeout(self.time()) {
                Ok(Some(event)) => self.report(&event),
                Ok(None) => break self.settle(None),
                Err(error) => break self.settle(Some(error)),
            }
        }
    }

    /// Gives `bytes` to the session, cut as asked for.
    fn feed(&mut self, bytes: &[u8]) {
        let mut start = 0;
        for end in 1..bytes.len() {
            if (self.is_cut)(self.position + end) {
                self.feed_piece(&bytes[start..end]);
                start = end;
            }
        }
        self.feed_piece(&bytes[start..]);
        self.position += bytes.len();
    }

    fn feed_piece(&mut self, piece: &[u8]) {
        self.pending.extend_from_slice(piece);
        let pending = std::mem::take(&mut self.pending);
        let mut input = pending.as_slice();
        loop {
            match self.session.handle_input(self.time(), &mut input) {
                Ok(Some(event)) => self.report(&event),
                Ok(None) => break self.settle(None),
                Err(error) => break self.settle(Some(error)),
            }
        }
        self.pending = input.to_vec();
    }

    fn report(&mut self, event: &Event) {
        self.flush();
        let text = match event {
            Event::ConnectRequested { id, connect } => {
                self.request = Some(*id);
                format!("ConnectRequested app={} flashVer={:?}", connect.app, connect.flash_ver)
            }
            Event::PublishRequested {
                id,
                stream,
                target,
                kind,
            } => {
                self.request = Some(*id);
                format!(
                    "PublishRequested {} query={:?} {kind:?} msid={stream}",
                    target.key, target.query
                )
            }
            Event::PlayRequested {
                id,
                stream,
                target,
                start,
            } => {
                self.request = Some(*id);
                format!(
                    "PlayRequested {} query={:?} {start:?} msid={stream}",
                    target.key, target.query
                )
            }
            Event::Frame { stream, frame } => {
                let body = match frame.kind {
                    headwater_core::FrameKind::Data => Values(&frame.payload).to_string(),
                    _ => Hex(&frame.payload).to_string(),
                };
                let (kind, class, time) = (frame.kind, frame.class, frame.timestamp);
                format!("Frame {kind:?} {class:?} {time} {body} msid={stream}")
            }
            Event::MetadataCleared { stream } => format!("MetadataCleared msid={stream}"),
            Event::PlayControl { stream, control } => format!("PlayControl {control:?} msid={stream}"),
            Event::PublishEnded { stream, cause } => format!("PublishEnded ({cause}) msid={stream}"),
            Event::PlayEnded { stream, cause } => format!("PlayEnded ({cause}) msid={stream}"),
            event => format!("{event:?}"),
        };
        self.print("S=", &text);
    }

    /// The session has nothing more to report, but perhaps an error.
    fn settle(&mut self, error: Option<ProtocolError>) {
        self.flush();
        if let Some(error) = error.filter(|error| self.error.as_ref() != Some(error)) {
            self.print("S=", &format!("error: {error}"));
            self.error = Some(error);
        }
        if self.session.is_closed() && !self.is_over {
            self.is_over = true;
            self.print("S=", "closed");
        }
    }

    /// Shows what the server has to send.
    fn flush(&mut self) {
        let output = self.session.output();
        let bytes = output.copy_to_bytes(output.len());
        let mut input = bytes.as_ref();
        let handshake = input.len().min(self.handshake_left);
        if handshake > 0 {
            assert_eq!(handshake, HANDSHAKE_LEN, "S0, S1 and S2 come in one piece");
            self.print("S<", "S0 S1 S2");
        }
        self.handshake_left -= handshake;
        input = &input[handshake..];
        while let Some(message) = self.decoder.decode(&mut input).unwrap() {
            self.print("S<", &message.to_string());
        }
    }

    fn print(&mut self, who: &str, what: &str) {
        let time = format!("@{}", self.now);
        writeln!(self.log, "{time:<6} {who} {what}").unwrap();
    }
}

/// Plays each transcript with `check`.
fn for_each(mut check: impl FnMut(&str, &Path)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        check(&fs::read_to_string(&path).unwrap(), &path);
    }
}

#[test]
fn the_server_answers_as_written() {
    let mut differing = Vec::new();
    for_each(|script, path| {
        let (played, _) = Player::play(script, &|_| false);
        if env::var_os("UPDATE_TRANSCRIPTS").is_some() {
            fs::write(path, &played).unwrap();
        } else if played != script {
            println!("{}:\n{played}", path.display());
            differing.push(path.file_name().unwrap().to_owned());
        }
    });
    assert!(differing.is_empty(), "{differing:?}");
}

#[test]
fn byte_by_byte_it_answers_the_same() {
    for_each(|script, path| {
        let whole = Player::play(script, &|_| false);
        assert_eq!(Player::play(script, &|_| true), whole, "{}", path.display());
    });
}

#[test]
fn cut_anywhere_it_answers_the_same() {
    for_each(|script, path| {
        let whole = Player::play(script, &|_| false);
        // Within C1 and C2 one cut is like the next.
        let handshake = 1 + 1_536 * 2;
        for cut in (1..8).chain(1_530..1_545).chain(handshake - 8..whole.1) {
            let played = Player::play(script, &|position| position == cut);
            assert_eq!(played, whole, "{} cut at {cut}", path.display());
        }
    });
}
