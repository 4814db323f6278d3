//! Reading fields of single bits.

/// Reads bits, most significant first. `None` wherever the bytes end too soon.
///
/// It works on an iterator of bytes, so that the emulation prevention bytes of a NAL unit can be dropped on the way,
/// without a copy.
pub(super) struct BitReader<I> {
    bytes: I,
    /// The byte under way; its low `left` bits are still to be read.
    byte: u8,
    left: u32,
}

impl<I: Iterator<Item = u8>> BitReader<I> {
    pub(super) const fn new(bytes: I) -> Self {
        BitReader {
            bytes,
            byte: 0,
            left: 0,
        }
    }

    #[expect(
        clippy::arithmetic_side_effects,
        reason = "there are 8 bits left where there were none"
    )]
    pub(super) fn bit(&mut self) -> Option<bool> {
        if self.left == 0 {
            self.byte = self.bytes.next()?;
            self.left = 8;
        }
        self.left -= 1;
        Some(self.byte >> self.left & 1 == 1)
    }

    /// An unsigned number of `count` bits, of which the lowest 32 are kept.
    pub(super) fn bits(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value: u32, _| Some(value << 1 | u32::from(self.bit()?)))
    }

    /// As [`bits`](Self::bits), for at most 8 of them.
    pub(super) fn byte(&mut self, count: u32) -> Option<u8> {
        u8::try_from(self.bits(count)?).ok()
    }

    pub(super) fn skip(&mut self, count: u32) -> Option<()> {
        self.bits(count).map(|_| ())
    }

    /// An unsigned Exp-Golomb code, ue(v). ITU-T H.264 §9.1.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "31 zeros at most, and as many bits: 2^32 - 2 at most"
    )]
    pub(super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.bits(zeros)?)
    }

    /// A signed Exp-Golomb code, se(v). ITU-T H.264 §9.1.1.
    #[expect(clippy::arithmetic_side_effects, reason = "a magnitude is not negative")]
    pub(super) fn se(&mut self) -> Option<i32> {
        let code = self.ue()?;
        let magnitude = i32::try_from(code.div_ceil(2)).ok()?;
        Some(if code % 2 == 1 { magnitude } else { -magnitude })
    }
}

/// The bytes of a NAL unit without emulation prevention: `00 00 03` stands for `00 00`. ITU-T H.264 §7.4.1.
#[expect(clippy::arithmetic_side_effects, reason = "counts to 3")]
pub(super) fn without_emulation_prevention(nal_unit: &[u8]) -> impl Iterator<Item = u8> {
    let mut zeros = 0_u8;
    nal_unit.iter().copied().filter(move |&byte| {
        let is_prevention = zeros >= 2 && byte == 3;
        zeros = if byte == 0 { (zeros + 1).min(2) } else { 0 };
        !is_prevention
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn reader(bytes: &[u8]) -> BitReader<impl Iterator<Item = u8>> {
        BitReader::new(bytes.iter().copied())
    }

    #[test]
    fn fields_cross_bytes() {
        let mut bits = reader(&[0b1010_0000, 0b1111_0001]);
        assert_eq!(bits.bits(3), Some(0b101));
        assert_eq!(bits.bits(9), Some(0b0_0000_1111));
        assert_eq!(bits.bit(), Some(false));
        assert_eq!(bits.bits(4), None);
    }

    #[test]
    fn exp_golomb_codes() {
        // 1, 010, 011, 00100, 00111 and the start of a code without end.
        let mut bits = reader(&[0b1010_0110, 0b0100_0011, 0b1000_0000]);
        let codes: Vec<_> = (0..6).map(|_| bits.ue()).collect();
        assert_eq!(codes, [Some(0), Some(1), Some(2), Some(3), Some(6), None]);

        let mut bits = reader(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let codes: Vec<_> = (0..5).map(|_| bits.se()).collect();
        assert_eq!(codes, [Some(0), Some(1), Some(-1), Some(2), Some(-2)]);
    }

    #[test]
    fn the_largest_exp_golomb_code_has_31_zeros() {
        let longest = [&[0, 0, 0, 1][..], &[0xFF; 4]].concat();
        assert_eq!(reader(&longest).ue(), Some(u32::MAX - 1));
        assert_eq!(reader(&[0; 4]).ue(), None);
        assert_eq!(reader(&[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]).ue(), None);
    }

    #[test]
    fn emulation_prevention_is_dropped() {
        let strip = |bytes: &[u8]| without_emulation_prevention(bytes).collect::<Vec<_>>();
        assert_eq!(strip(&[0, 0, 3, 1]), [0, 0, 1]);
        assert_eq!(strip(&[0, 0, 3, 0, 0, 3, 0]), [0, 0, 0, 0, 0]);
        assert_eq!(strip(&[0, 3, 0, 0, 4, 0, 0]), [0, 3, 0, 0, 4, 0, 0]);
    }
}
