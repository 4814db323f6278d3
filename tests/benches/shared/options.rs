//! What the command lines have in common.

use clap::ValueEnum;

/// Which servers to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtimes {
    Tokio,
    Smol,
    Mio,
    All,
}

impl Runtimes {
    pub(crate) const fn names(self) -> &'static [&'static str] {
        match self {
            Runtimes::Tokio => &["tokio"],
            Runtimes::Smol => &["smol"],
            Runtimes::Mio => &["mio"],
            Runtimes::All => &["tokio", "smol", "mio"],
        }
    }

    /// Names and binaries, which come with the program.
    #[cfg(all(feature = "mio", feature = "smol", feature = "tokio"))]
    pub(crate) fn binaries(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let all = [
            (Runtimes::Tokio, "tokio", env!("CARGO_BIN_EXE_headwater-tokio")),
            (Runtimes::Smol, "smol", env!("CARGO_BIN_EXE_headwater-smol")),
            (Runtimes::Mio, "mio", env!("CARGO_BIN_EXE_headwater-mio")),
        ];
        let is_asked = move |runtime: &Runtimes| matches!(self, Runtimes::All) || self == *runtime;
        all.into_iter()
            .filter(move |(runtime, ..)| is_asked(runtime))
            .map(|(_, name, binary)| (name, binary))
    }
}
