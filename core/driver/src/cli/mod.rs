//! The command line, the log and the exit codes that the server binaries share.
//!
//! A binary is one call of [`main`] with its driver's function that starts a server:
//!
//! ```no_run
//! # mod headwater_tokio {
//! #     pub fn start(_: headwater_driver::Server) -> headwater_driver::Running { unimplemented!() }
//! # }
//! fn main() -> std::process::ExitCode {
//!     headwater_driver::cli::main("headwater-tokio", headwater_tokio::start)
//! }
//! ```
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | asked to stop, and stopped; or `--help`, `--version`, `--explain-memory` |
//! | 1 | stopped by an error while running, or by a second signal; or `--replay` of a file that ends in another way than recorded |
//! | 2 | did not start: a bad value, or an address that cannot be listened on; a file that is no recording |
//! | 101 | a panic, which the last line of the log tells |

mod explain;
mod log;
mod options;
mod replay;
mod signals;
mod value;

pub use options::Options;

use crate::share::Share;
use crate::{Config, Running, Server, sockets};
use clap::{CommandFactory, FromArgMatches};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use headwater_core::server::Protocol;
use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use tracing::field::DisplayValue;

/// Did not start.
const EXIT_USAGE: u8 = 2;

/// The variable of the environment that has the token of operators.
const TOKEN_VARIABLE: &str = "HEADWATER_ADMIN_TOKEN";

/// Open files below which the log warns. 4,096: a server for thousands of players has thousands of connections.
const FEW_FILES: u64 = 4_096;

/// Reads the command line, starts the log, listens, says where, and lets `start` run the server until SIGINT, SIGTERM or
/// SIGHUP. A second signal ends the process at once.
///
/// Whatever prevents the start is one line on standard error and exit code 2.
pub fn main(program: &'static str, start: impl FnOnce(Server) -> Running) -> ExitCode {
    let command = Options::command().name(program).bin_name(program);
    let options = match command
        .try_get_matches()
        .and_then(|found| Options::from_arg_matches(&found))
    {
        Ok(options) => options,
        Err(error) if error.use_stderr() => return refuse(program, &value::one_line(&error.to_string())),
        Err(help) => {
            // A closed standard output (`--help | head`) is no reason to fail.
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    if let Some(file) = &options.replay {
        return match replay::print(file) {
            Ok(exit) => exit,
            Err(reason) => refuse(program, &reason),
        };
    }
    if options.explain_memory {
        return explain(program, &options.config());
    }
    if let Err(reason) = log::init(&options) {
        return refuse(program, &reason);
    }
    let files = sockets::raise_file_limit();
    let server = match bind(program, &options) {
        Ok(server) => server,
        Err(error) => {
            crate::log::flush();
            return refuse(program, &error.to_string());
        }
    };
    let addresses = server.addresses();
    let media: Vec<_> = addresses.speaking(Protocol::Media).collect();
    let (rtmp, http) = options.by_flag(&media);
    let admin: Vec<_> = addresses.speaking(Protocol::Admin).collect();
    let (rtmp, http, admin) = (listed(rtmp), listed(http), listed(&admin));
    tracing::info!(rtmp, http, admin, workers = addresses.workers, files, "listening");
    if let Some(files) = files.filter(|files| *files < FEW_FILES) {
        tracing::warn!(
            files,
            "the process may have few files open, and so few connections: raise the limit (ulimit -n)"
        );
    }
    if let Some(rtmp) = addresses.rtmp() {
        tracing::info!("try: {}", example(rtmp));
    }
    let exit = match start(server).wait() {
        Ok(()) => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    };
    crate::log::flush();
    exit
}

/// A server that listens, and that signals stop.
fn bind(program: &str, options: &Options) -> io::Result<Server> {
    let mut config = options.config();
    share(&config)?;
    config.server.admin.runtime = program.trim_start_matches("headwater-").into();
    if config.server.admin.token.is_none()
        && let Some(text) = env::var_os(TOKEN_VARIABLE).filter(|text| !text.is_empty())
    {
        let token = text.to_str().map(value::token).unwrap_or(Err("expected ASCII"));
        config.server.admin.token = Some(token.map_err(|reason| invalid(&format!("{TOKEN_VARIABLE}: {reason}")))?);
    }
    let admin: Vec<_> = options.admin_addresses().iter().map(SocketAddr::to_string).collect();
    let is_about = |error: &io::Error| {
        let text = error.to_string();
        admin.iter().any(|address| text.contains(address))
    };
    let server = match Server::bind(config.clone()) {
        // Nobody has asked for that address, and another server on the machine may have it.
        Err(error) if options.admin_address.is_empty() && is_about(&error) => {
            tracing::warn!(%error, "operators are not listened for: --admin-address picks where");
            config.listen.retain(|listen| listen.protocol != Protocol::Admin);
            Server::bind(config)
        }
        bound => bound,
    };
    let server = server.map_err(|error| {
        let text = error.to_string();
        match is_about(&error) {
            true if error.kind() == io::ErrorKind::InvalidInput => invalid(&format!(
                "{text} (--admin-token-file, --admin-token or {TOKEN_VARIABLE})"
            )),
            true => io::Error::new(error.kind(), format!("{text} (--admin-address picks another, or none)")),
            false => error,
        }
    })?;
    let handle = server.handle();
    signals::on_stop(move || handle.stop())?;
    Ok(server)
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

/// Says how much memory a server with this configuration can hold.
fn explain(program: &str, config: &Config) -> ExitCode {
    match share(config) {
        Ok(share) => {
            // As for the help: a closed standard output is no reason to fail.
            let _ = explain::memory(config, &share).map(|text| io::stdout().write_all(text.as_bytes()));
            ExitCode::SUCCESS
        }
        Err(error) => refuse(program, &error.to_string()),
    }
}

/// How the memory is shared out among the workers.
fn share(config: &Config) -> io::Result<Share> {
    Share::of(config).map_err(|error| invalid(&format!("{error} (--max-memory, --workers)")))
}

/// Addresses for a log line, if there are any.
fn listed(addresses: &[SocketAddr]) -> Option<DisplayValue<String>> {
    let list: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
    (!list.is_empty()).then(|| tracing::field::display(list.join(",")))
}

fn refuse(program: &str, reason: &str) -> ExitCode {
    // A standard error that is gone is no reason for a panic.
    let _ = writeln!(io::stderr(), "{program}: {reason}");
    ExitCode::from(EXIT_USAGE)
}

/// A command that pushes a test picture and a tone to `rtmp`, to copy from the log.
fn example(rtmp: SocketAddr) -> String {
    let host = match rtmp.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) | IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            format!("localhost:{}", rtmp.port())
        }
        _ => rtmp.to_string(),
    };
    format!(
        "ffmpeg -re -f lavfi -i testsrc2 -f lavfi -i sine -c:v libx264 -g 60 -pix_fmt yuv420p -c:a aac -f flv rtmp://{host}/live/stream1"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_names_a_host_that_can_be_reached() {
        assert!(example(([0, 0, 0, 0], 1935).into()).ends_with("rtmp://localhost:1935/live/stream1"));
        assert!(example(([192, 0, 2, 7], 1936).into()).ends_with("rtmp://192.0.2.7:1936/live/stream1"));
        let unspecified = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 1935));
        assert!(example(unspecified).ends_with("rtmp://localhost:1935/live/stream1"));
    }
}
