//! The server binary on smol.

use std::process::ExitCode;

fn main() -> ExitCode {
    headwater_driver::cli::main("headwater-smol", headwater_smol::start)
}
