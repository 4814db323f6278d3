//! Structured events for the operator, where the feature `tracing` is on.
//!
//! Levels: `info` is what an operator wants to read (publishes and plays, with their ends), `warn` what is going wrong
//! for somebody, `debug` each connection, `trace` oddities that a peer could flood the log with.

/// Emits an event, or nothing at all without the feature.
macro_rules! log {
    ($level:ident, $($event:tt)*) => {{
        #[cfg(feature = "tracing")]
        tracing::$level!($($event)*);
    }};
}

pub(super) use log;
