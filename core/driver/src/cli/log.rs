//! The log: on standard error, filtered by level.

use super::options::{LogFormat, LogLevel, Options};
use std::env;
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Starts the log.
pub(super) fn init(options: &Options) -> Result<(), String> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(options.log_level)?)
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal());
    match options.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|error| format!("cannot start the log: {error}"))
}

/// The flag, or the environment's finer directives, or `info`.
fn filter(level: Option<LogLevel>) -> Result<EnvFilter, String> {
    let level = match level {
        None => match env::var(EnvFilter::DEFAULT_ENV) {
            Ok(directives) if !directives.is_empty() => {
                return EnvFilter::try_new(directives)
                    .map_err(|error| format!("invalid value in {}: {error}", EnvFilter::DEFAULT_ENV));
            }
            _ => LevelFilter::INFO,
        },
        Some(LogLevel::Off) => LevelFilter::OFF,
        Some(LogLevel::Error) => LevelFilter::ERROR,
        Some(LogLevel::Warn) => LevelFilter::WARN,
        Some(LogLevel::Info) => LevelFilter::INFO,
        Some(LogLevel::Debug) => LevelFilter::DEBUG,
        Some(LogLevel::Trace) => LevelFilter::TRACE,
    };
    Ok(EnvFilter::default().add_directive(level.into()))
}
