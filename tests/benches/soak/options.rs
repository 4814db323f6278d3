//! The command line.

use crate::netem::{self, WireRole};
use crate::shared::options::Runtimes;
use crate::shared::process::Launch;
use crate::world::Plan;
use clap::{Args, Parser, Subcommand};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

/// Servers under a load of every kind: good peers must not notice the others, and nothing may grow.
#[derive(Debug, Parser)]
#[command(
    name = "soak",
    override_usage = "cargo bench --all-features --bench soak -- [OPTIONS]",
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Which server binaries, all at the same time
    #[arg(long, default_value = "all")]
    pub(crate) runtime: Runtimes,
    /// How long
    #[arg(long, value_name = "M", default_value_t = 30.0)]
    minutes: f64,
    /// How many peers: 1 is 36 good players and 24 others for each server
    #[arg(long, value_name = "N", default_value = "1")]
    scale: NonZeroU32,
    /// What decides who does what when
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// A file for the samples: runtime, seconds, KiB of memory, descriptors, threads, seconds of processor time
    #[arg(long, value_name = "FILE")]
    pub(crate) samples: Option<PathBuf>,
    /// Servers and peers in network namespaces of their own, with a wire between them that has these troubles in each
    /// direction: `delay 40ms 10ms loss 1%`. Streams have a quarter of their bytes then. Needs root
    #[arg(long, value_name = "TROUBLES")]
    pub(crate) netem: Option<String>,
    /// The namespaces that we are in already
    #[arg(long, hide = true)]
    pub(crate) inside: Option<String>,
    /// Given by `cargo bench`. Without it, as in `cargo test --benches`, a short run only shows that all this works
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
#[command(hide = true)]
pub(crate) enum Role {
    Launch(Launch),
    Wire(WireRole),
}

/// Between two samples.
const INTERVAL: Duration = Duration::from_secs(3);

impl Options {
    pub(crate) fn plan(&self) -> Plan {
        let minutes = if self.bench { self.minutes } else { 0.2 };
        Plan {
            time: Duration::from_secs_f64(minutes * 60.0),
            interval: INTERVAL,
            scale: self.scale.get(),
            seed: self.seed,
            network: if self.inside.is_some() { netem::PEERS } else { [127, 0] },
            lightness: if self.inside.is_some() { 4 } else { 1 },
        }
    }
}
