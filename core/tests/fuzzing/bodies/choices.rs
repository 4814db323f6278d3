//! Bytes as a list of choices, and as pieces.

/// Takes choices from the front of some bytes. At their end every choice is 0.
pub(super) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Choices(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    pub(super) fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    pub(super) fn long_number(&mut self) -> u32 {
        u32::from(self.number()) << 16 | u32::from(self.number())
    }

    /// The next `len` bytes, or as many as there are.
    pub(super) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (front, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        front
    }

    /// One of `all`.
    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }
}

/// `bytes` in three ways: whole, byte by byte, and in pieces of sizes that `seed` picks.
pub(super) fn ways(bytes: &[u8], seed: u8) -> [Vec<&[u8]>; 3] {
    [vec![bytes], bytes.chunks(1).collect(), pieces(bytes, seed)]
}

/// `bytes` in pieces of sizes that `seed` picks, among them empty ones.
pub(super) fn pieces(mut bytes: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut state = u32::from(seed);
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        state = state.wrapping_mul(0x0019_660D).wrapping_add(0x3C6E_F35F);
        let size = match state >> 29 {
            0..4 => state >> 16 & 7,
            4..7 => state >> 16 & 0xFF,
            _ => state >> 16 & 0xFFF,
        };
        let (piece, rest) = bytes.split_at(bytes.len().min(size as usize));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}
