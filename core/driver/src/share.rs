//! What each worker may hold of the memory that the process may use.

use crate::machine::default_max_memory;
use crate::{Config, recorder, sockets};
use core::num::NonZeroU16;
use headwater_core::server::{self, record::RecordConfig};
use std::io;

/// What the process needs whoever is connected: the program, and for each worker its stack and what it reads into.
const PROGRAM: usize = 8 << 20;
const PER_WORKER: usize = 2 << 20;

/// The least that a worker is left for its peers. 4 MiB: a stream and some players.
const LEAST: usize = 4 << 20;

/// What a worker needs at least: of what is left to its peers, the allocator takes a quarter of the whole.
const WORKER: usize = PER_WORKER + LEAST.div_ceil(3) * 4;

/// What of a worker's share recordings may take: one part of four, so that they take none from peers who need it more.
const RECORDINGS: usize = 4;

/// How the memory of the process is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    /// As many as there is memory for, and no more than the configuration says.
    pub(crate) workers: NonZeroU16,
    /// As many as the configuration says.
    pub(crate) wanted: NonZeroU16,
    /// Bytes that the process may use, if anybody says.
    pub(crate) max_memory: Option<usize>,
    /// Bytes of recordings that may wait to be written, those of all workers together; 0 if there are none.
    pub(crate) waiting: usize,
}

impl Share {
    /// How the memory is shared out among the workers of `config`. If it is too little for one per core, there are fewer.
    ///
    /// # Errors
    /// If the configuration says how much memory there is, and it is too little for as many workers as it says, or for one.
    pub(crate) fn of(config: &Config) -> io::Result<Share> {
        let wanted = sockets::workers(config);
        let max_memory = config.max_memory.or_else(default_max_memory);
        let waiting = config.record.as_ref().map_or(0, |_| recorder::most_waiting(max_memory));
        let all = Share {
            workers: wanted,
            wanted,
            max_memory,
            waiting,
        };
        let Some(max) = max_memory else {
            return Ok(all);
        };
        let most = max.saturating_sub(PROGRAM + waiting) / WORKER;
        let workers = usize::from(wanted.get()).min(most);
        if config.max_memory.is_some() && (workers == 0 || config.workers.is_some_and(|_| most < wanted.get().into())) {
            let workers = config.workers.map_or(1, NonZeroU16::get);
            let needs = PROGRAM + WORKER * usize::from(workers) + waiting;
            let (has, needs) = (max >> 20, needs.div_ceil(1 << 20));
            let reason = format!(
                "the process may use {has} MiB of memory, which is enough for {most} of {workers} workers: all need {needs} MiB"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let workers = u16::try_from(workers).ok().and_then(NonZeroU16::new);
        Ok(Share {
            workers: workers.unwrap_or(NonZeroU16::MIN),
            ..all
        })
    }

    /// Tells a server what it may hold: of recordings, and of all else.
    pub(crate) fn apply_to(&self, config: &mut server::Config) {
        let Some(max) = self.max_memory else {
            return;
        };
        let workers = usize::from(self.workers.get());
        let fixed = PROGRAM + self.waiting + PER_WORKER * workers;
        // A quarter is left to the allocator, which gives back late, and in whole pages.
        let share = (max.saturating_sub(fixed) / 4 * 3 / workers).max(LEAST);
        config.record = config.record.take().map(|it| it.within(share / RECORDINGS));
        let recordings = config.record.as_ref().map_or(0, RecordConfig::max_memory);
        config.memory_budget = share.saturating_sub(usize::try_from(recordings).unwrap_or(usize::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RecordTo;

    const MIB: usize = 1 << 20;

    fn config(max_memory: usize, workers: u16) -> Config {
        Config {
            max_memory: Some(max_memory),
            workers: NonZeroU16::new(workers),
            ..Config::default()
        }
    }

    fn budget(config: &Config) -> usize {
        let mut server = config.server.clone();
        Share::of(config).unwrap().apply_to(&mut server);
        server.memory_budget
    }

    #[test]
    fn workers_share_what_the_process_may_use() {
        assert_eq!(budget(&config(64 * MIB, 1)), 54 * MIB / 4 * 3);
        assert_eq!(budget(&config(64 * MIB, 2)), 52 * MIB / 4 * 3 / 2);
        assert!(budget(&config(usize::MAX, 1)) > usize::MAX / 2);
        assert!((LEAST..2 * LEAST).contains(&budget(&config(16 * MIB, 1))));
    }

    #[test]
    fn memory_that_is_too_little_for_all_workers_is_refused() {
        for (max, workers, text) in [
            (
                16,
                16,
                "may use 16 MiB of memory, which is enough for 1 of 16 workers: all need 126 MiB",
            ),
            (125, 16, "enough for 15 of 16 workers: all need 126 MiB"),
            (15, 1, "enough for 0 of 1 workers: all need 16 MiB"),
            (0, 0, "may use 0 MiB of memory, which is enough for 0 of 1 workers"),
        ] {
            let error = Share::of(&config(max * MIB, workers)).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        for workers in [1, 2, 16, 300] {
            let least = PROGRAM + WORKER * usize::from(workers);
            let share = Share::of(&config(least, workers)).unwrap();
            assert_eq!(share.workers, share.wanted);
            assert!(budget(&config(least, workers)) >= LEAST);
            assert!(Share::of(&config(least - 1, workers)).is_err());
        }
    }

    #[test]
    fn a_small_machine_has_fewer_workers_than_cores() {
        let share = Share::of(&config(16 * MIB, 0)).unwrap();
        assert_eq!(share.workers.get(), 1);
        assert_eq!(share.wanted, sockets::workers(&Config::default()));
        assert!(budget(&config(16 * MIB, 0)) >= LEAST);
    }

    #[test]
    fn recordings_are_within_what_the_process_may_use() {
        for (max, workers) in [(16, 1), (64, 1), (64, 4), (1_024, 2), (65_536, 16)] {
            let plain = config(max * MIB, workers);
            let records = Config {
                record: Some(RecordTo::new("/nowhere")),
                ..plain.clone()
            };
            let share = Share::of(&records).unwrap();
            let mut server = records.server.clone();
            server.record = Some(RecordConfig::default());
            share.apply_to(&mut server);
            let recordings = usize::try_from(server.record.unwrap().max_memory()).unwrap();
            let each = server.memory_budget + recordings;
            assert!(recordings > 0 && recordings <= each / RECORDINGS, "{max} {workers}");
            assert!(share.waiting > 0);
            assert!(
                each * usize::from(workers) + share.waiting <= budget(&plain) * usize::from(workers) + share.waiting
            );
            assert!(each * usize::from(workers) + share.waiting < max * MIB);
        }
    }
}
