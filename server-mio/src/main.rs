//! The server binary on mio.

use std::process::ExitCode;

fn main() -> ExitCode {
    headwater_driver::cli::main("headwater-mio", headwater_mio::start)
}
