//! How many files, and so connections, the process may have open.

/// File descriptors that are not for connections, whatever the number of workers: standard streams, signals, the log.
const RESERVED: u64 = 16;
/// File descriptors that are not for connections, for each listener of a worker: itself, and the one that its
/// [`Acceptor`](crate::Acceptor) keeps.
const PER_LISTENER: u64 = 2;
/// File descriptors that are not for connections, for each worker beside its listeners: what it waits with.
const RESERVED_PER_WORKER: u64 = 6;
/// As many as are refused at a time by default.
const MAX_REFUSED: u64 = 64;

/// Lets the process have as many files open as it may allow itself, and returns how many that is. `None` if the system
/// does not say.
pub fn raise_file_limit() -> Option<u64> {
    #[cfg(unix)]
    let raised = rlimit::increase_nofile_limit(u64::MAX).ok();
    #[cfg(not(unix))]
    let raised = None;
    raised.or_else(file_limit)
}

/// How many files the process may have open. `None` if the system does not say.
#[must_use]
pub fn file_limit() -> Option<u64> {
    #[cfg(unix)]
    let limit = rlimit::getrlimit(rlimit::Resource::NOFILE).map(|(soft, _)| soft).ok();
    #[cfg(not(unix))]
    let limit = None;
    limit
}

/// What the process has file descriptors for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// Connections on all workers together.
    pub(crate) connections: usize,
    /// Connections of each worker that are one too many, and are being told so. Operators may have as many.
    pub(crate) refused: usize,
}

/// Descriptors to one of which a connection that is refused may have: a sixteenth, so that a small limit is not used up by them.
const PER_REFUSED: u64 = 16;

impl Capacity {
    /// Whatever is configured.
    pub(crate) const UNKNOWN: Capacity = Capacity {
        connections: usize::MAX,
        refused: usize::MAX,
    };

    /// Of a process that may have `files` files open and has `workers` with `listeners` each. Some are kept back, at most three
    /// quarters, so that a connection too many is accepted and refused: without a descriptor it would wait unheard. As many
    /// are kept back for operators, if they are listened for.
    pub(super) fn of(files: u64, workers: u16, listeners: usize, has_operators: bool) -> Self {
        let workers = u64::from(workers.max(1));
        let refused = (files / PER_REFUSED / workers).clamp(1, MAX_REFUSED);
        let operators = if has_operators { refused } else { 0 };
        let per_worker = RESERVED_PER_WORKER + PER_LISTENER * listeners as u64 + refused + operators;
        let reserved = RESERVED
            .saturating_add(per_worker.saturating_mul(workers))
            .min(files / 4 * 3);
        let usize = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Capacity {
            connections: usize(files - reserved).max(1),
            refused: usize(refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_what_the_server_needs() {
        for (files, workers, connections, refused) in [
            (256, 1, 214, 16),
            (256, 2, 204, 8),
            (40, 1, 12, 2),
            (40, 2, 10, 1),
            (0, 1, 1, 1),
            (4_096, 2, 3_932, 64),
            (1 << 20, 4, 1_048_264, 64),
        ] {
            let capacity = Capacity::of(files, workers, 2, false);
            assert_eq!(
                (capacity.connections, capacity.refused),
                (connections, refused),
                "{files} files, {workers} workers"
            );
        }
        assert_eq!(Capacity::of(256, 2, 2, true).connections, 204 - 2 * 8);
        assert!(Capacity::of(u64::MAX, 1, 2, true).connections > 1 << 31);
    }

    #[test]
    #[cfg(unix)]
    fn a_process_may_have_what_it_may_allow_itself() {
        let raised = raise_file_limit().unwrap();
        assert_eq!(file_limit(), Some(raised));
    }
}
