//! How many files, and so connections, the process may have open.

/// File descriptors that are not for connections, whatever the number of workers: standard streams, signals, the log.
const RESERVED: u64 = 16;
/// File descriptors that are not for connections, for each listener of a worker: itself, and the one that its
/// [`Acceptor`](crate::Acceptor) keeps.
const PER_LISTENER: u64 = 2;
/// File descriptors that are not for connections, for each worker beside its listeners: what it waits with.
const RESERVED_PER_WORKER: u64 = 6;

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

/// The connections that each of `workers` with `listeners` may have if the process may have `files` files open: some are kept back, at most
/// half, so that a connection too many is accepted and refused. Without a descriptor for it, it would wait unheard.
pub(super) fn connections_per_worker(files: u64, workers: u16, listeners: usize) -> usize {
    let workers = u64::from(workers.max(1));
    let reserved =
        (RESERVED + (RESERVED_PER_WORKER + PER_LISTENER * listeners as u64).saturating_mul(workers)).min(files / 2);
    usize::try_from((files - reserved) / workers)
        .unwrap_or(usize::MAX)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_what_the_server_needs() {
        for (files, workers, connections) in [
            (256, 1, 230),
            (256, 2, 110),
            (40, 2, 10),
            (0, 1, 1),
            (1 << 20, 4, 262_130),
        ] {
            assert_eq!(
                connections_per_worker(files, workers, 2),
                connections,
                "{files} files, {workers} workers"
            );
        }
        assert!(connections_per_worker(u64::MAX, 1, 2) > 1 << 31);
    }

    #[test]
    #[cfg(unix)]
    fn a_process_may_have_what_it_may_allow_itself() {
        let raised = raise_file_limit().unwrap();
        assert_eq!(file_limit(), Some(raised));
    }
}
