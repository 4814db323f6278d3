//! A server's session as a list of operations: every start has one end, any cut gives the same events and output, and no deadline
//! stays behind.

use super::choices::Choices;
use super::observer::Observer;
use super::script;
use super::snippets::{MESSAGES, frame};
use headwater_core::Limits;
use headwater_core::rtmp::SessionConfig;
use headwater_core::rtmp::chunk::{ChunkEncoder, MessageStreamId};
use std::time::Duration;

pub(super) fn check(bytes: &[u8]) {
    let (seed, steps) = bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest));
    let whole = run(seed, steps, usize::MAX).server;
    let cut = run(seed, steps, usize::from(seed >> 2) + 1).server;
    assert_eq!(whole.events, cut.events);
    assert_eq!(whole.error, cut.error);
    assert!(whole.output == cut.output, "the output does not depend on cuts");
}

fn run(seed: u8, steps: &[u8], piece: usize) -> Talk {
    let mut talk = Talk::new(piece);
    if seed & 1 == 0 {
        talk.feed(&[&[3][..], &[0; 3_072]].concat());
    }
    if seed & 2 == 0 {
        talk.say(r#"connect(1, {app="live", tcUrl="rtmp://localhost/live"})"#);
        talk.answer(true);
    }
    let mut choices = Choices::new(steps);
    while !choices.is_empty() {
        talk.step(&mut choices);
    }
    talk.server.eof();
    assert!(
        talk.server.open.is_empty(),
        "what started has ended: {:?}",
        talk.server.open
    );
    talk.close();
    talk
}

/// A session that is watched, and its client.
struct Talk {
    server: Observer,
    encoder: ChunkEncoder,
}

impl Talk {
    fn new(piece: usize) -> Talk {
        let mut limits = Limits::default();
        limits.max_message_len = 100_000;
        limits.max_command_len = 10_000;
        limits.max_buffered_bytes = 200_000;
        limits.max_output = 100_000;
        Talk {
            server: Observer::new(SessionConfig::new(limits), piece),
            encoder: ChunkEncoder::new(),
        }
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        let stream = MessageStreamId(1);
        let server = &mut self.server;
        match choices.byte() % 32 {
            0..16 => self.say(choices.one_of(&MESSAGES)),
            16..21 => self.answer(true),
            21 => self.answer(false),
            22 | 23 => {
                let frame = frame(choices.one_of(&["K0:300", "P40", "a5", "M", "V", "A"]));
                server.send_frame(stream, &frame);
            }
            24 => server.end_play(stream),
            25 => server.end_publish(stream),
            26 | 27 => {
                let millis = u64::from(choices.number());
                server.wait(server.now + Duration::from_millis(millis));
            }
            28 => server.wait(server.session.poll_timeout().unwrap_or(server.now)),
            29 => server.session.close(server.now),
            30 => server.eof(),
            _ => {
                let len = usize::from(choices.byte());
                let bytes = choices.bytes(len).to_vec();
                self.feed(&bytes);
            }
        }
        self.feed(&[]);
    }

    fn say(&mut self, text: &str) {
        let chunks = script::to_chunks(&script::parse_all(text), &mut self.encoder);
        self.feed(&chunks);
    }

    fn answer(&mut self, accepts: bool) {
        self.server.answer(accepts);
        self.feed(&[]);
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.server.feed(bytes);
        let waiting = self.server.most_waiting;
        assert!(waiting <= 200_000, "{waiting} bytes wait");
        assert!(self.server.session.held_memory() <= 300_000);
    }

    /// Nothing comes behind the end, and it does not last.
    fn close(&mut self) {
        self.feed(&[3; 100]);
        for _ in 0..10 {
            if self.server.session.is_closed() {
                return;
            }
            let due = self.server.session.poll_timeout();
            self.server.wait(due.expect("a deadline until it is closed"));
        }
        panic!("the session does not close");
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    // Whatever there is to be said, each with an answer behind it.
    let all: Vec<u8> = (0..MESSAGES.len() as u8).flat_map(|index| [0, index, 16]).collect();
    let publish = [
        0, 0, 0, 1, 16, 0, 3, 0, 4, 0, 5, 0, 6, 0, 10, 0, 1, 16, 26, 0xFF, 0xFF, 28,
    ];
    let play = [0, 0, 0, 2, 16, 22, 0, 22, 1, 0, 21, 22, 2, 28, 28, 24, 0, 2, 21];
    let raw = [31, 12, 2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 31, 4, 0, 0, 0, 16, 30];
    [&all[..], &publish, &play, &raw]
        .iter()
        .flat_map(|steps| [[&[0], *steps].concat(), [&[0xFC], *steps].concat()])
        .collect()
}
