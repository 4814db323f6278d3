//! The command line, ours and that of the roles in which we start ourselves again.

use crate::peers::Crowd;
use crate::scene::{Plan, STREAM};
use crate::shared::options::Runtimes;
use crate::shared::process::Launch;
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::time::Duration;

/// Good players beside a crowd of silent connections and senders of garbage: they must not notice.
#[derive(Debug, Parser)]
#[command(
    name = "crowd",
    override_usage = "cargo bench --all-features --bench crowd -- [OPTIONS]",
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
    /// Which server binaries, one after the other
    #[arg(long, default_value = "all")]
    pub(crate) runtime: Runtimes,
    /// How long without the crowd, and again with it
    #[arg(long, value_name = "S", default_value_t = 30)]
    secs: u64,
    /// Good players that stay
    #[arg(long, value_name = "N", default_value_t = 50)]
    players: u32,
    /// Silent connections, all from one address
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pub(crate) silent: u32,
    /// Senders of garbage, from ten addresses
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub(crate) garbage: u32,
    /// Between two players that join
    #[arg(long, value_name = "MS", default_value_t = 200)]
    join_every: u64,
    /// Given by `cargo bench`. Without it, as in `cargo test --benches`, a short run only shows that all this works
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
#[command(hide = true)]
pub(crate) enum Role {
    Launch(Launch),
    Crowd(CrowdRole),
}

/// Is the crowd, until it is killed.
#[derive(Debug, Args)]
pub(crate) struct CrowdRole {
    #[arg(long)]
    rtmp: SocketAddr,
    #[arg(long)]
    http: SocketAddr,
    #[arg(long)]
    silent: u32,
    #[arg(long)]
    garbage: u32,
}

impl Options {
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            time: Duration::from_secs(if self.bench { self.secs } else { 3 }),
            players: self.players,
            join_interval: Duration::from_millis(self.join_every),
        }
    }
}

impl CrowdRole {
    pub(crate) fn crowd(&self) -> Crowd {
        Crowd {
            rtmp: self.rtmp,
            http: self.http,
            silent: self.silent,
            garbage: self.garbage,
            stream: STREAM.to_owned(),
        }
    }
}
