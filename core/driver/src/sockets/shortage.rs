//! What the machine lacks for a moment, which is no fault of a peer's.

use std::io::{self, ErrorKind};

/// What there is too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// File descriptors, of the process or of the machine.
    Files,
    /// Memory of the kernel.
    Memory,
}

/// `ENFILE` and `EMFILE`, which have the same numbers on every Unix; `WSAEMFILE`.
const OUT_OF_FILES: [i32; 2] = if cfg!(windows) { [10_024, 10_024] } else { [23, 24] };

/// `ENOBUFS`; `WSAENOBUFS`.
const NO_BUFFERS: i32 = if cfg!(any(target_os = "linux", target_os = "android")) {
    105
} else if cfg!(windows) {
    10_055
} else {
    55
};

/// Whether an operation failed for want of something that others may give back.
pub(crate) fn shortage(error: &io::Error) -> Option<Shortage> {
    match error.raw_os_error() {
        Some(code) if OUT_OF_FILES.contains(&code) => Some(Shortage::Files),
        Some(NO_BUFFERS) => Some(Shortage::Memory),
        _ if error.kind() == ErrorKind::OutOfMemory => Some(Shortage::Memory),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_shortage_is_told_from_other_errors() {
        let of = |code| shortage(&io::Error::from_raw_os_error(code));
        assert_eq!([23, 24].map(of), [Some(Shortage::Files); 2]);
        assert_eq!([12, NO_BUFFERS].map(of), [Some(Shortage::Memory); 2]);
        assert_eq!(shortage(&ErrorKind::OutOfMemory.into()), Some(Shortage::Memory));
        assert_eq!(shortage(&ErrorKind::ConnectionReset.into()), None);
        assert_eq!(of(32), None, "a broken pipe");
    }
}
