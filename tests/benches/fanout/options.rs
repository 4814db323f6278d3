//! The command line, ours and that of the roles in which we start ourselves again.

use crate::process::Launch;
use crate::scenes::Scene;
use crate::shared::options::Runtimes;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::process::Command;

/// What one server costs to bring a stream to many players, beside a bare loop of writes and nginx-rtmp.
#[derive(Debug, Parser)]
#[command(
    name = "fanout",
    override_usage = "cargo bench --bench fanout -- [OPTIONS]",
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

/// What to measure.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// What happens: who publishes, who plays
    #[arg(long, value_name = "NAME", default_value = "one-stream")]
    pub(crate) scene: Scene,
    /// Players, where the scene leaves it open [default: the scene's own number]
    #[arg(long, value_name = "N")]
    pub(crate) players: Option<usize>,
    /// What they speak [default: RTMP and HTTP-FLV, one after the other]
    #[arg(long)]
    pub(crate) proto: Option<Proto>,
    /// Which server binaries
    #[arg(long, default_value = "tokio")]
    pub(crate) runtime: Runtimes,
    /// A folder with other binaries of the same names, as those of an earlier version: each is measured beside ours
    #[arg(long, value_name = "FOLDER")]
    pub(crate) beside: Option<PathBuf>,
    /// How long to measure, in seconds; rounded up to whole periods of the stream, which are 2 s
    #[arg(long, value_name = "S", default_value_t = 10)]
    pub(crate) secs: u64,
    /// How often; the servers take turns, and the table has the medians
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) rounds: usize,
    /// How long the server lets frames wait for others, in milliseconds [default: 0, or the scene's own]
    #[arg(long, value_name = "D")]
    pub(crate) merge: Option<u64>,
    /// Threads of the server, each on a core of its own
    #[arg(long, value_name = "W", default_value = "1")]
    pub(crate) workers: NonZeroU16,
    /// Take the metrics of our servers four times a second meanwhile, and say how long that takes
    #[arg(long)]
    pub(crate) scrape: bool,
    /// Players followed frame by frame
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) samples: usize,
    /// Given by `cargo bench`. Without it, as in `cargo test --benches`, a short run only shows that all this works
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}

#[derive(Debug, Subcommand)]
#[command(hide = true)]
pub(crate) enum Role {
    Launch(Launch),
    Load(Load),
    Floor,
}

/// Loads a server and says what came of it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Load {
    /// The process whose cost is measured
    #[arg(long)]
    pub(crate) server: u32,
    #[arg(long)]
    pub(crate) rtmp: Option<SocketAddr>,
    #[arg(long)]
    pub(crate) http: Option<SocketAddr>,
    /// The bare loop, which needs no publisher
    #[arg(long)]
    pub(crate) floor: Option<SocketAddr>,
    #[arg(long, default_value = "rtmp")]
    pub(crate) proto: Proto,
    #[command(flatten)]
    pub(crate) workload: Workload,
    #[arg(long)]
    pub(crate) secs: u64,
    #[arg(long)]
    pub(crate) samples: usize,
}

/// How many publish and play, and what.
#[derive(Debug, Clone, Args)]
pub(crate) struct Workload {
    /// Publishers, each with a stream of its own
    #[arg(long)]
    pub(crate) streams: usize,
    /// Players, spread over the streams
    #[arg(long)]
    pub(crate) players: usize,
    /// Players besides that read nothing once they have started
    #[arg(long, default_value_t = 0)]
    pub(crate) stalled: usize,
    /// Players that come besides, all at once, while it is measured
    #[arg(long, default_value_t = 0)]
    pub(crate) crowd: usize,
    /// The publishers fall silent after their first period
    #[arg(long)]
    pub(crate) silent: bool,
}

/// What the players of a run speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Proto {
    Rtmp,
    Flv,
    /// Half of them this, half of them that.
    Mixed,
}

impl Options {
    /// As much as shows that it works.
    pub(crate) fn shortened(self) -> Self {
        Options {
            players: self.players.or(Some(20)),
            secs: 2,
            rounds: 1,
            ..self
        }
    }
}

impl Proto {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Proto::Rtmp => "rtmp",
            Proto::Flv => "flv",
            Proto::Mixed => "mixed",
        }
    }
}

impl Load {
    /// Our own program in this role.
    pub(crate) fn command(&self) -> std::io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["load", "--proto", self.proto.name()]);
        for (flag, address) in [("--rtmp", self.rtmp), ("--http", self.http), ("--floor", self.floor)] {
            if let Some(address) = address {
                command.args([flag, &address.to_string()]);
            }
        }
        let Workload {
            streams,
            players,
            stalled,
            crowd,
            silent,
        } = self.workload;
        for (flag, number) in [
            ("--server", self.server as usize),
            ("--streams", streams),
            ("--players", players),
            ("--stalled", stalled),
            ("--crowd", crowd),
            ("--secs", usize::try_from(self.secs).unwrap_or(usize::MAX)),
            ("--samples", self.samples),
        ] {
            command.args([flag, &number.to_string()]);
        }
        if silent {
            command.arg("--silent");
        }
        Ok(command)
    }
}
