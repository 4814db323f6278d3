//! What `--replay` prints.

use headwater_core::server::record::Recording;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::process::ExitCode;

/// Bytes of a file that are read. 64 MiB: a recording has up to 1 MiB.
const MAX_LEN: u64 = 64 << 20;

/// Prints the recording in `file` as a transcript on standard output.
pub(super) fn print(file: &Path) -> Result<ExitCode, String> {
    let name = file.display();
    let recording = read(file).map_err(|error| format!("cannot read {name}: {error}"))?;
    let recording = Recording::from_bytes(&recording).map_err(|error| format!("cannot play {name}: {error}"))?;
    let mut output = BufWriter::new(io::stdout().lock());
    let is_same = recording.transcript(|line| {
        // A reader that has seen enough (`| head`) is no reason to fail.
        let _ = writeln!(output, "{line}");
    });
    let _ = output.flush();
    Ok(if is_same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_LEN).read_to_end(&mut bytes)?;
    Ok(bytes)
}
