//! The server binary on smol.

use std::process::ExitCode;

fn main() -> ExitCode {
    headwater_core::cli::main("headwater-smol", headwater_smol::prepare)
}
