//! Writes the inputs that fuzzing begins with, a folder for each target: `cargo run --no-default-features --example seeds FOLDER`.

use headwater_fuzz::TARGETS;
use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::args_os().nth(1).unwrap_or_else(|| "corpus".into()));
    for target in TARGETS {
        let folder = folder.join(target.name);
        fs::create_dir_all(&folder)?;
        for (index, input) in (target.seeds)().iter().chain(&target.corpus()).enumerate() {
            fs::write(folder.join(format!("input-{index}")), input)?;
        }
    }
    Ok(())
}
