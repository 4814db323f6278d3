//! Inputs that are a little different from others, all from one seed.

/// Makes inputs of others.
pub struct Mutator {
    state: u64,
}

/// Bytes that mean something to somebody: lengths, times, markers, ends of lines.
const TOKENS: [&[u8]; 22] = [
    b"\0",
    b"\0\0\0\0",
    b"\xFF",
    b"\xFF\xFF\xFF",
    b"\xFF\xFF\xFF\xFF",
    b"\x7F\xFF\xFF\xFF",
    b"\x80\0\0\0",
    b"\0\0\x09",
    b"\x02\0\x0AonMetaData",
    b"\x17\x01",
    b"\x27\x01\0\0\0",
    b"\xAF\x00\x12\x10",
    b"FLV\x01\x05\0\0\0\x09\0\0\0\0",
    b"\r\n",
    b"\r\n\r\n",
    b"0\r\n\r\n",
    b"5\r\n",
    b": ",
    b"GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"\x82\xFE",
    b"\x88\x82\0\0\0\0\x03\xE8",
];

/// The longest input. Most of what there is to find is in shorter ones.
const MAX_LEN: usize = 8 << 10;

impl Mutator {
    pub fn new(seed: u64) -> Self {
        Mutator { state: seed }
    }

    /// A number below `bound`, by splitmix64.
    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^= word >> 31;
        (word % bound.max(1) as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    /// One of `inputs`, changed in a few places.
    pub fn mutant(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = inputs[self.below(inputs.len())].clone();
        for _ in 0..=self.below(6) {
            self.change(&mut bytes, inputs);
        }
        bytes.truncate(MAX_LEN);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        let end = (at + 1 + self.below(32)).min(bytes.len());
        match self.below(8) {
            0 => {
                let bit = self.below(8);
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << bit);
            }
            1 => {
                let new = self.byte();
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = new);
            }
            2 => {
                let step = [1, 255, 16, 240][self.below(4)];
                bytes
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|byte| *byte = byte.wrapping_add(step));
            }
            3 => drop(bytes.drain(at.min(end)..end)),
            4 => {
                let again = bytes[at.min(end)..end].to_vec();
                bytes.splice(at..at, again);
            }
            5 => {
                let token = TOKENS[self.below(TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
            6 => {
                let new: Vec<_> = (0..=self.below(8)).map(|_| self.byte()).collect();
                bytes.splice(at..at, new);
            }
            _ => {
                let other = &inputs[self.below(inputs.len())];
                let from = self.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
}
