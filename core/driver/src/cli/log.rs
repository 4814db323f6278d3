//! The log: on standard error, filtered by level, written by a thread of its own.

use super::options::{LogFormat, LogLevel, Options};
use crate::log::{self, LINES};
use std::env;
use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};
use std::process;
use std::thread;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

/// Exit code after a panic: the one that Rust programs have.
const EXIT_PANICKED: i32 = 101;

/// Starts the log. From then on a panic in any thread ends the process, with a line that says where: half a server is
/// worse than none, because nobody restarts it.
pub(super) fn init(options: &Options) -> Result<(), String> {
    let with_color = io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(options.log_level)?)
        .with_writer(|| &LINES)
        .log_internal_errors(false)
        .with_target(false)
        .with_ansi(with_color);
    let notice = match options.log_format {
        LogFormat::Text => builder.try_init().map(|()| notice_in_text as fn(u64) -> Vec<u8>),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .try_init()
            .map(|()| notice_in_json as _),
    }
    .map_err(|error| format!("cannot start the log: {error}"))?;
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || LINES.write_to(io::stderr(), notice))
        .map_err(|error| format!("cannot start the log: {error}"))?;
    panic::set_hook(Box::new(end_by_panic));
    Ok(())
}

/// The line that says that lines were left out, in the two formats. It does not take the way of the others: there may be no
/// room on it.
fn notice_in_text(lost: u64) -> Vec<u8> {
    format!("{}  WARN {NOTICE} lost={lost}\n", timestamp()).into_bytes()
}

fn notice_in_json(lost: u64) -> Vec<u8> {
    let timestamp = timestamp();
    format!("{{\"timestamp\":\"{timestamp}\",\"level\":\"WARN\",\"message\":\"{NOTICE}\",\"lost\":{lost}}}\n")
        .into_bytes()
}

const NOTICE: &str = "log lines were left out: standard error did not take them";

fn timestamp() -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

fn end_by_panic(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let payload = panic.payload();
    let message = (payload.downcast_ref::<&str>().copied())
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let location = panic.location().map(ToString::to_string);
    tracing::error!(thread = thread.name(), location, "panicked: {message}");
    log::flush();
    process::exit(EXIT_PANICKED);
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
