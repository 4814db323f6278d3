//! What enhanced audio and video tag headers share: ModEx blocks, FourCC and multitrack. E-RTMP v2.

use super::{Codec, FourCc, TrackId};

/// The packet type that announces a ModEx block, of audio and of video.
const MOD_EX: u8 = 7;

/// ModEx blocks accepted in one message. Only one type is defined, so real messages carry one.
const MAX_MOD_EX: usize = 16;

/// Skips ModEx blocks, and returns the packet type behind them and the rest.
///
/// A block is `size - 1: u8` (256 means that `size - 1: u16` follows), that many bytes, and a byte of ModEx type and
/// next packet type. The only type so far, TimestampOffsetNano, refines the presentation time; it matters to no class.
pub(super) fn skip_mod_ex(mut packet_type: u8, mut rest: &[u8]) -> Option<(u8, &[u8])> {
    for _ in 0..MAX_MOD_EX {
        if packet_type != MOD_EX {
            return Some((packet_type, rest));
        }
        let (&size, after) = rest.split_first()?;
        rest = after;
        let mut size = usize::from(size) + 1;
        if size == 256 {
            let (long, after) = rest.split_first_chunk()?;
            rest = after;
            size = usize::from(u16::from_be_bytes(*long)) + 1;
        }
        let (&types, after) = rest.get(size..)?.split_first()?;
        rest = after;
        packet_type = types & 0x0F;
    }
    None
}

/// One track's part of an enhanced message.
pub(super) struct Track<'a> {
    pub(super) packet_type: u8,
    pub(super) codec: Codec,
    pub(super) id: TrackId,
    pub(super) body: &'a [u8],
    /// Whether the message carries no other track.
    pub(super) is_alone: bool,
}

/// Splits the FourCC and the multitrack fields from `rest`, and returns the first track. `multitrack` is the packet type
/// that announces several tracks: 6 for video, 5 for audio.
pub(super) fn first_track(packet_type: u8, multitrack: u8, rest: &[u8]) -> Option<Track<'_>> {
    if packet_type != multitrack {
        let (codec, body) = split_codec(rest)?;
        return Some(Track {
            packet_type,
            codec,
            id: TrackId(0),
            body,
            is_alone: true,
        });
    }
    let (&types, rest) = rest.split_first()?;
    let packet_type = types & 0x0F;
    if packet_type == multitrack || packet_type == MOD_EX {
        return None;
    }
    let (codec, rest) = split_codec(rest)?;
    let (&id, rest) = rest.split_first()?;
    let (body, is_alone) = match types >> 4 {
        ONE_TRACK => (rest, true),
        // They differ in whether the next track brings its own FourCC.
        MANY_TRACKS | MANY_TRACKS_MANY_CODECS => {
            let ([a, b, c], rest) = rest.split_first_chunk()?;
            let size = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).ok()?;
            let (body, others) = rest.split_at_checked(size)?;
            (body, others.is_empty())
        }
        _ => return None,
    };
    Some(Track {
        packet_type,
        codec,
        id: TrackId(id),
        body,
        is_alone,
    })
}

fn split_codec(rest: &[u8]) -> Option<(Codec, &[u8])> {
    let (four_cc, rest) = rest.split_first_chunk()?;
    Some((Codec::from_four_cc(FourCc(*four_cc)), rest))
}

/// The values of AvMultitrackType.
const ONE_TRACK: u8 = 0;
const MANY_TRACKS: u8 = 1;
const MANY_TRACKS_MANY_CODECS: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn mod_ex_blocks_are_skipped_whatever_their_size() {
        assert_eq!(skip_mod_ex(1, b"rest"), Some((1, &b"rest"[..])));
        assert_eq!(skip_mod_ex(7, &[2, 7, 0xA1, 0x20, 0x01, 9]), Some((1, &[9][..])));
        let long = [&[255, 1, 0][..], &[0; 257], &[0x03, 9]].concat();
        assert_eq!(skip_mod_ex(7, &long), Some((3, &[9][..])));
    }

    #[test]
    fn mod_ex_chains_end_at_sixteen_blocks() {
        let chain = |blocks: usize| {
            let mut bytes: Vec<u8> = [0, 0, 0x07].repeat(blocks - 1);
            bytes.extend([0, 0, 0x01]);
            skip_mod_ex(7, &bytes).map(|(packet_type, _)| packet_type)
        };
        assert_eq!(chain(15), Some(1));
        assert_eq!(chain(16), None);
    }

    #[test]
    fn a_mod_ex_block_cut_short_is_malformed() {
        for bytes in [&[][..], &[2], &[2, 7, 0xA1, 0x20], &[255, 1], &[255, 255, 255, 0]] {
            assert_eq!(skip_mod_ex(7, bytes), None, "{bytes:x?}");
        }
    }
}
