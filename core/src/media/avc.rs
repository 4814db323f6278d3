//! AVC (H.264): what its NAL units say. ISO/IEC 14496-10 and 14496-15.

/// Whether no other picture depends on the one in `nal_units`, each prefixed by a length of four bytes.
///
/// Looks at the headers of at most eight NAL units, up to the first slice. A stream whose lengths have fewer bytes
/// (none that we know of) or that is in Annex B form answers `false` wherever its bytes do not look like the above.
pub(super) fn is_non_reference(mut nal_units: &[u8]) -> bool {
    for _ in 0..8 {
        let Some((length, rest)) = nal_units.split_first_chunk() else {
            return false;
        };
        let Ok(length) = usize::try_from(u32::from_be_bytes(*length)) else {
            return false;
        };
        let Some((nal_unit, rest)) = rest.split_at_checked(length) else {
            return false;
        };
        match nal_unit.first() {
            Some(header) if matches!(header & 0x1F, 1..=5) => return header & NAL_REF_IDC == 0,
            _ => nal_units = rest,
        }
    }
    false
}

const NAL_REF_IDC: u8 = 0x60;
