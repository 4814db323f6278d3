//! Names that somebody may have meant.

use crate::StreamKey;
use alloc::vec::Vec;

/// Names that are suggested. 3: what fits into a sentence.
pub(super) const MAX: usize = 3;

/// The most letters by which a name may differ that is suggested; of a name of less than nine letters, a third of them. 3: more is
/// another name.
const MAX_EDITS: usize = 3;

/// The longest part in which two names may differ, in bytes. 32: so the comparison of two names takes a thousand steps at most.
const MAX_DIFFERENT: usize = 32;

/// How far a name is from the one that was meant, if it is near: letters that are another, more or less; letters that differ only
/// by their case count as the same. The same name in another app is as near as can be. O(length).
pub(super) fn distance(meant: &StreamKey, other: &StreamKey) -> Option<usize> {
    if meant == other {
        return None;
    }
    if meant.name() == other.name() {
        return Some(0);
    }
    let max = (meant.name().len() / 3).clamp(1, MAX_EDITS);
    edits(meant.as_str().as_bytes(), other.as_str().as_bytes()).filter(|edits| *edits <= max)
}

/// The nearest of some names, the nearest first.
pub(super) fn nearest(mut names: Vec<(usize, StreamKey)>) -> Vec<(usize, StreamKey)> {
    names.sort();
    names.dedup();
    names.truncate(MAX);
    names
}

/// Letters to be changed, added or left out: none if there are too many to count.
fn edits(a: &[u8], b: &[u8]) -> Option<usize> {
    let same = |(x, y): &(&u8, &u8)| x.eq_ignore_ascii_case(y);
    let start = a.iter().zip(b).take_while(same).count();
    let (a, b) = (a.get(start..)?, b.get(start..)?);
    let end = a.iter().rev().zip(b.iter().rev()).take_while(same).count();
    let (a, b) = (a.get(..a.len() - end)?, b.get(..b.len() - end)?);
    if a.len().max(b.len()) > MAX_DIFFERENT {
        return None;
    }
    // How far what has been seen of `a` is from each start of `b`.
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, x) in a.iter().enumerate() {
        let mut left = index + 1;
        let mut next = Vec::from([left]);
        for (y, pair) in b.iter().zip(row.windows(2)) {
            let &[diagonal, above] = pair else { continue };
            let changed = diagonal + usize::from(!x.eq_ignore_ascii_case(y));
            left = changed.min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> StreamKey {
        StreamKey::new(name).unwrap()
    }

    #[test]
    fn a_name_is_near_by_a_slip_its_case_or_another_app() {
        for (meant, other, expected) in [
            ("live/camera1", "live/camera2", Some(1)),
            ("live/camera1", "live/camera", Some(1)),
            ("live/camera1", "live/Camera1", Some(0)),
            ("live/camera1", "live/acmera1", Some(2)),
            ("live/camera1", "studio/camera1", Some(0)),
            ("live/x", "live/y", Some(1)),
            ("live/x", "live/yz", None),
            ("live/camera1", "live/stage", None),
            ("live/camera1", "live/camera1", None),
        ] {
            assert_eq!(distance(&key(meant), &key(other)), expected, "{meant} {other}");
        }
    }

    #[test]
    fn long_names_are_compared_in_few_steps() {
        let (a, b) = ("a".repeat(500), "b".repeat(500));
        assert_eq!(edits(a.as_bytes(), b.as_bytes()), None);
        assert_eq!(edits(a.as_bytes(), &[a.as_bytes(), b"xy"].concat()), Some(2));
    }

    #[test]
    fn the_nearest_names_are_suggested_once_each() {
        let names = [(2, "live/c"), (1, "live/b"), (1, "live/b"), (0, "app/a"), (3, "live/d")];
        let nearest = nearest(names.map(|(edits, name)| (edits, key(name))).to_vec());
        assert_eq!(nearest.len(), MAX);
        assert_eq!(nearest.first(), Some(&(0, key("app/a"))));
    }
}
