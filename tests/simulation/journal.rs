//! What came to pass, as a hash, and as text for a person who replays a seed.

use headwater_core::Time;
use std::collections::VecDeque;

/// Lines that are kept: the last ones.
const MAX_LINES: usize = 900;

#[derive(Debug, Default)]
pub struct Journal {
    hash: u64,
    lines: Option<VecDeque<String>>,
}

impl Journal {
    pub fn new(keeps_text: bool) -> Journal {
        Journal {
            hash: 0,
            lines: keeps_text.then(VecDeque::new),
        }
    }

    /// `value` is all that the hash knows of it, beside the time.
    pub fn note(&mut self, now: Time, value: u64, text: impl FnOnce() -> String) {
        self.mix(now.as_micros());
        self.mix(value);
        if let Some(lines) = &mut self.lines {
            if lines.len() == MAX_LINES {
                lines.pop_front();
            }
            lines.push_back(format!("@{:<11} {}", now.as_micros() as f64 / 1e3, text()));
        }
    }

    pub fn note_bytes(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub fn text(&self) -> String {
        let lines = self.lines.iter().flatten();
        lines.map(|line| format!("{line}\n")).collect()
    }

    fn mix(&mut self, value: u64) {
        self.hash = (self.hash.rotate_left(5) ^ value).wrapping_mul(0x517C_C1B7_2722_0A95);
    }
}
