//! The server binary on tokio.

use std::process::ExitCode;

fn main() -> ExitCode {
    headwater_driver::cli::main("headwater-tokio", headwater_tokio::start)
}
