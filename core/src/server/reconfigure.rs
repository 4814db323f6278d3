//! Another configuration for a server that runs.

use super::record::Records;
use super::session::Shared;
use super::{Config, Server};
use crate::Time;
use crate::http::{HttpConfig, Refusals};
use crate::rtmp::SessionConfig;
use alloc::sync::Arc;

impl Server {
    /// Goes on with another configuration, which all shards are to be given. Nobody is ended by it: each field of [`Config`]
    /// says what a change applies to.
    pub fn reconfigure(&mut self, now: Time, config: Arc<Config>) {
        let now = self.advance(now);
        let records = self
            .shared
            .records
            .take()
            .filter(|it| Some(&it.config) == config.record.as_ref());
        self.shared = Shared::new(&config);
        if records.is_some() {
            self.shared.records = records;
        }
        self.directory.set_grace(config.grace);
        self.directory.set_starts(config.max_publishes_per_second_per_address);
        self.request_rate.set_bounds(&config);
        if let Some(registrar) = &mut self.registrar {
            registrar.set_bounds(&config);
        }
        if !config.keeps_events {
            self.events.clear();
        }
        self.config = config;
        self.work_off(now);
    }
}

impl Shared {
    /// What connections and streams that come from now on are given.
    pub(super) fn new(config: &Config) -> Self {
        Shared {
            session: Arc::new(SessionConfig::new(config.limits.clone())),
            http: Arc::new(HttpConfig {
                allowed_origins: config.allowed_origins.clone(),
                ..HttpConfig::new(config.limits.clone())
            }),
            admin: Arc::new(HttpConfig {
                refusals: Refusals::Json,
                ..HttpConfig::new(config.limits.clone())
            }),
            channel: Arc::new(config.channel.clone()),
            records: config.record.clone().map(|record| Arc::new(Records::new(record))),
        }
    }
}
