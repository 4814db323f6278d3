//! Configuration records of real encoders, for tests.

use alloc::vec::Vec;

/// x264 (ffmpeg 5.1): 640x364, High, 3.0, coded as fields of 384 lines, 30000/1001 frames per second.
pub(super) const AVC_HIGH_INTERLACED: &str = "\
    0164001EFFE1 \
    0018 6764001EACD940A063F36022000007D20001D4C03E28532C \
    01 0007 68FBA3CB3002C0 FDF8F800";

/// x264 (ffmpeg 5.1): 640x480, High 4:2:2, 3.0, 10 bits, 24 frames per second.
pub(super) const AVC_HIGH_422: &str = "\
    017A001EFFE1 \
    001A 677A001EB6CD940A03DB011000000300100000030300F162D960 \
    01 0006 68EBE3CB22C0 FEFAFA00";

/// x264 (ffmpeg 5.1): 321x241, High 4:4:4 Predictive, 1.3, full range, BT.709 primaries, sample aspect ratio 4:3, scaling
/// matrices in the picture parameter set.
pub(super) const AVC_HIGH_444_SCALED: &str = "\
    01F4000DFFE1 \
    001F 67F4000D919B282A10F08421875B80810120000003002000000641E28532C0 \
    01 0008 68EBE3C44C000440 FFF8F800";

/// x265 (ffmpeg 5.1): 1920x1080, Main, 4.0; 1088 coded lines.
pub(super) const HEVC_MAIN: &str = "\
    01016000000090000000000078F000FCFDF8F800000F03 \
    A00001 0018 40010C01FFFF016000000300900000030000030078959809 \
    A10001 002A 420101016000000300900000030000030078A003C08010E596566924CAF0168080000003008000000C84 \
    A20001 0007 4401C172B46240";

/// x265 (ffmpeg 5.1): 1282x722, range extensions, 3.1, 4:2:2 of 10 bits; coded in blocks of 8.
pub(super) const HEVC_RANGE_EXTENSIONS: &str = "\
    0104080000009D08000000005DF000FCFEFAFA00000F03 \
    A00001 0017 40010C01FFFF0408000003009D0800000300005D959809 \
    A10001 002C 4201010408000003009D0800000300005DB00284802D9C93B65959A4932BC05A020000030002000003003210 \
    A20001 0007 4401C172B46240";

/// The bytes that `text` spells in hexadecimal, blanks apart.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap())
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
