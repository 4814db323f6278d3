//! A client's session as a list of operations: it ends once, any cut gives the same events and output, and no deadline stays behind.

use super::choices::Choices;
use super::script;
use super::snippets::{REPLIES, frame};
use bytes::Buf;
use headwater_core::rtmp::chunk::ChunkEncoder;
use headwater_core::rtmp::{ClientEvent, ClientRequest, ClientSession, ProtocolError, SessionConfig};
use headwater_core::{Limits, Time};
use std::sync::Arc;
use std::time::Duration;

pub(super) fn check(bytes: &[u8]) {
    let (seed, steps) = bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest));
    let whole = run(seed, steps, usize::MAX);
    let cut = run(seed, steps, usize::from(seed >> 2) + 1);
    assert_eq!(whole.events, cut.events);
    assert_eq!(whole.error, cut.error);
    assert!(whole.output == cut.output, "the output does not depend on cuts");
}

fn run(seed: u8, steps: &[u8], piece: usize) -> Talk {
    let url = "rtmp://localhost/live/cam?token=1";
    let request = if seed & 2 == 0 {
        ClientRequest::publish(url)
    } else {
        ClientRequest::play(url)
    };
    let mut limits = Limits::default();
    limits.max_message_len = 100_000;
    limits.max_buffered_bytes = 200_000;
    limits.max_output = 100_000;
    let config = Arc::new(SessionConfig::new(limits));
    let mut talk = Talk {
        session: ClientSession::new(config, Time::ZERO, 7, request.unwrap()),
        encoder: ChunkEncoder::new(),
        now: Time::ZERO,
        piece,
        events: Vec::new(),
        error: None,
        output: Vec::new(),
        is_over: false,
    };
    if seed & 1 == 0 {
        talk.feed(&[&[3][..], &[0; 3_072]].concat());
    }
    let mut choices = Choices::new(steps);
    while !choices.is_empty() {
        talk.step(&mut choices);
    }
    talk.eof();
    assert!(talk.is_over, "the last event says that it is over");
    talk.close();
    talk
}

/// A session, and what it has reported.
struct Talk {
    session: ClientSession,
    encoder: ChunkEncoder,
    now: Time,
    piece: usize,
    events: Vec<ClientEvent>,
    error: Option<ProtocolError>,
    output: Vec<u8>,
    /// Whether it has reported its end.
    is_over: bool,
}

impl Talk {
    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.byte() % 32 {
            0..20 => {
                let messages = script::parse_all(choices.one_of(&REPLIES));
                let chunks = script::to_chunks(&messages, &mut self.encoder);
                self.feed(&chunks);
            }
            20..24 => {
                let frame = frame(choices.one_of(&["K0:300", "P40", "a5", "M", "V", "A"]));
                let sent = self.session.send_frame(&frame);
                assert!(sent.is_err() || self.events.contains(&ClientEvent::Started) && !self.is_over);
            }
            24 | 25 => {
                let millis = u64::from(choices.number());
                self.wait(self.now + Duration::from_millis(millis));
            }
            26 => self.wait(self.session.poll_timeout().unwrap_or(self.now)),
            27 => self.session.close(self.now),
            28 => self.eof(),
            _ => {
                let len = usize::from(choices.byte());
                let bytes = choices.bytes(len).to_vec();
                self.feed(&bytes);
            }
        }
        self.feed(&[]);
    }

    fn wait(&mut self, until: Time) {
        self.now = self.now.max(until);
        let mut calls = 0..1_000;
        loop {
            calls.next().expect("what is due comes to an end");
            match self.session.handle_timeout(self.now) {
                Ok(Some(event)) => self.see(event),
                Ok(None) => break,
                Err(error) => break self.fail(error),
            }
        }
        let deadline = self.session.poll_timeout();
        assert!(deadline.is_none_or(|at| at > self.now), "what was due is done");
    }

    fn eof(&mut self) {
        while let Some(event) = self.session.handle_eof(self.now).unwrap() {
            self.see(event);
        }
        assert!(self.session.is_closing());
    }

    /// Nothing comes behind the end, and it does not last.
    fn close(&mut self) {
        self.feed(&[3; 100]);
        for _ in 0..10 {
            if self.session.is_closed() {
                return;
            }
            self.wait(self.session.poll_timeout().expect("a deadline until it is closed"));
        }
        panic!("the session does not close");
    }

    fn feed(&mut self, bytes: &[u8]) {
        for mut input in bytes.chunks(self.piece).chain([&[][..]]) {
            let mut calls = 0..input.len() + 100;
            loop {
                calls.next().expect("each call takes something or gives something");
                match self.session.handle_input(self.now, &mut input) {
                    Ok(Some(event)) => self.see(event),
                    Ok(None) => break assert!(input.is_empty(), "all was taken"),
                    Err(error) => break self.fail(error),
                }
            }
            let output = self.session.output();
            assert!(output.len() <= 200_000, "{} bytes wait", output.len());
            self.output.extend(output.copy_to_bytes(output.len()));
        }
    }

    fn fail(&mut self, error: ProtocolError) {
        let is_same = self.error.as_ref().is_none_or(|it| *it == error);
        assert!(is_same && self.session.is_closing(), "an error stays");
        assert!(self.is_over, "the end is reported before the error");
        self.error = Some(error);
    }

    fn see(&mut self, event: ClientEvent) {
        assert!(!self.is_over, "{event:?} comes behind the last event");
        self.is_over = matches!(event, ClientEvent::Refused { .. } | ClientEvent::Ended(_));
        self.events.push(event);
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let all: Vec<u8> = (0..REPLIES.len() as u8).flat_map(|index| [0, index]).collect();
    let publish = [
        0, 0, 0, 1, 0, 2, 0, 3, 20, 3, 20, 4, 20, 5, 20, 0, 20, 1, 0, 11, 24, 0xFF, 0xFF, 27, 26,
    ];
    let play = [0, 0, 0, 1, 0, 5, 0, 4, 0, 9, 0, 7, 0, 8, 0, 18, 0, 10, 26, 0, 14];
    let refused = [0, 1, 0, 2, 0, 13];
    let raw = [29, 12, 2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 29, 4, 0, 0, 0, 16, 28];
    [&all[..], &publish, &play, &refused, &raw]
        .iter()
        .flat_map(|steps| [0, 2, 0xFC, 0xFE].map(|seed| [&[seed], *steps].concat()))
        .collect()
}
