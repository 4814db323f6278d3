//! What holds for every configuration of a server, whoever gives it.

use crate::config::Listen;
use crate::hooks::Hooks;
use crate::random_seed;
use crate::share::Share;
use crate::sockets::Capacity;
use headwater_core::server::record::RecordConfig;
use headwater_core::server::{Config, Protocol};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the hooks and the machine of a server make of a configuration.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// Whether somebody says who may publish and play.
    is_asked: bool,
    /// Whether somebody hears of events.
    is_observed: bool,
    /// What the process has file descriptors for.
    capacity: Capacity,
    /// How much of connections is recorded, if it is written somewhere.
    record: Option<RecordConfig>,
    /// How the memory of the process is shared out, if that is known.
    share: Option<Share>,
    /// What operators are told of the process.
    process: Process,
    /// Where what is listened for.
    listeners: Vec<(Protocol, SocketAddr)>,
}

/// Which process this is, and since when.
#[derive(Debug, Clone)]
struct Process {
    server: Box<str>,
    service: Box<str>,
    epoch: Duration,
}

/// For the stamp of an answer, which nothing is measured by.
#[expect(
    clippy::disallowed_methods,
    reason = "it is asked once, and time goes on by the clock of the workers"
)]
fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Terms {
    pub(crate) fn new(hooks: &Hooks, capacity: Capacity) -> Self {
        Terms {
            is_asked: hooks.authorize.is_some(),
            is_observed: hooks.observe.is_some(),
            capacity,
            record: hooks.recorder.as_ref().map(|_| RecordConfig::default()),
            share: None,
            process: Process {
                server: format!("hw-{:08x}", random_seed() >> 32).into(),
                service: format!("{:08x}", random_seed() >> 32).into(),
                epoch: since_1970(),
            },
            listeners: Vec::new(),
        }
    }

    /// Listening there.
    pub(crate) fn with_listeners(self, listen: &[Listen]) -> Self {
        let listeners = listen.iter().map(|it| (it.protocol, it.address)).collect();
        Terms { listeners, ..self }
    }

    /// With a share of memory for each worker.
    pub(crate) fn with_share(self, share: Share) -> Self {
        Terms {
            share: Some(share),
            ..self
        }
    }

    /// The configuration that comes of `config`.
    pub(crate) fn applied_to(&self, mut config: Config) -> Config {
        let Capacity { connections, refused } = self.capacity;
        config.max_connections = config.max_connections.min(connections);
        config.max_refused_connections = config.max_refused_connections.min(refused);
        config.admin.max_connections = config.admin.max_connections.min(refused);
        config.keeps_events |= self.is_observed;
        config.admin.pid = std::process::id();
        config.admin.server = self.process.server.clone();
        config.admin.service = self.process.service.clone();
        config.admin.epoch = self.process.epoch;
        config.admin.listeners.clone_from(&self.listeners);
        config.record = config.record.or_else(|| self.record.clone());
        if let Some(share) = self.share {
            share.apply_to(&mut config);
        }
        if self.is_asked && !config.authorize.publish && !config.authorize.play {
            (config.authorize.publish, config.authorize.play) = (true, true);
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Authorizer, Observer};
    use std::mem;
    use std::num::NonZeroU16;
    use std::sync::Arc;

    const FEW: Capacity = Capacity {
        connections: 100,
        refused: 3,
    };

    #[test]
    fn hooks_are_told_and_asked_whatever_is_configured() {
        let hooks = Hooks {
            authorize: Some(Authorizer::new(|_, responder| responder.allow())),
            observe: Some(Observer::new(|_| {})),
            recorder: Some(Arc::default()),
        };
        let config = Terms::new(&hooks, FEW).applied_to(Config::default());
        assert_eq!(config.record, Some(RecordConfig::default()));
        assert!(config.keeps_events && config.authorize.publish && config.authorize.play);
        assert_eq!((config.max_connections, config.max_refused_connections), (100, 3));
        assert_eq!(config.admin.max_connections, 3);
        let mut only_publishers = Config::default();
        only_publishers.authorize.publish = true;
        assert!(!Terms::new(&hooks, FEW).applied_to(only_publishers).authorize.play);
    }

    #[test]
    fn a_worker_has_its_share_of_memory_if_that_is_known() {
        let hooks = Hooks {
            recorder: Some(Arc::default()),
            ..Hooks::default()
        };
        let terms = Terms::new(&hooks, Capacity::UNKNOWN);
        let share = |max_memory| Share {
            workers: NonZeroU16::MIN,
            wanted: NonZeroU16::MIN,
            max_memory,
            waiting: 0,
        };
        let applied = |share| terms.clone().with_share(share).applied_to(Config::default());
        let (known, unknown) = (applied(share(Some(64 << 20))), applied(share(None)));
        let recordings = known.record.unwrap().max_memory();
        assert!(recordings > 0);
        assert_eq!(known.memory_budget as u64 + recordings, (54 << 20) / 4 * 3);
        assert_eq!(unknown.memory_budget, Config::default().memory_budget);
        assert_eq!(unknown.record, Some(RecordConfig::default()));
    }

    #[test]
    fn without_hooks_nothing_is_kept_and_nobody_asked() {
        let mut config = Terms::new(&Hooks::default(), Capacity::UNKNOWN).applied_to(Config::default());
        // What operators are told of the process is all that differs.
        let admin = mem::take(&mut config.admin);
        assert_eq!((admin.pid, admin.token), (std::process::id(), None));
        assert_eq!(config, Config::default());
    }
}
