//! What every driver does between its sockets and the [state machine](headwater_core::server::Server), without a runtime of
//! its own.
//!
//! ```text
//!   runtime                driver                       core
//!  ┌─────────┐  readable  ┌────────┐  handle_input    ┌────────┐
//!  │ waits   │───────────▶│ Worker │─────────────────▶│ Server │
//!  │ accepts │◀───────────│ Shard  │◀─────────────────│        │
//!  └─────────┘  interest  └────────┘  actions, output └────────┘
//! ```
//!
//! A [`Server`] is the same on every runtime: it listens, and its [`Handle`] stops it from any thread. A runtime adds one
//! function, which [starts](Server::start) a thread for each [`Worker`] and says how that waits: for a ready socket, for a
//! deadline, for mail of other threads. A worker holds one [`Shard`], tells it which socket is ready, and waits for what the
//! shard then wants of that socket. How much is read and written at a time, in which order players are served, when a turn
//! ends: all that is here, once, and tested with sockets in [`memory`].
//!
//! [`sockets`] has real ones, listening and set up, for a runtime to adopt, and the feature `cli` the command line and the
//! log that the server programs share.

mod accept;
#[cfg(feature = "cli")]
pub mod cli;
mod clock;
mod config;
mod handle;
mod hooks;
mod local;
pub mod log;
mod machine;
mod mail;
pub mod memory;
mod process;
mod recorder;
mod reply;
mod running;
mod seed;
mod server;
mod shard;
mod share;
pub mod sockets;
mod terms;
mod worker;
mod workers;

pub use accept::{Accepted, Acceptor};
pub use clock::Clock;
pub use config::{Addresses, Config, Listen};
pub use handle::Handle;
pub use hooks::{Authorizer, Observer, Responder};
pub use local::{LocalEvents, MAX_UNDER_WAY, Publisher};
pub use recorder::RecordTo;
pub use reply::{Merged, Reply};
pub use running::Running;
pub use seed::random_seed;
pub use server::Server;
pub use shard::{Interest, Shard, Socket};
pub use worker::Worker;

use core::time::Duration;

/// Connections that wait in the kernel to be accepted. 4,096: a burst of viewers within the few milliseconds that an
/// accept loop may be busy with something else. Linux cuts it to `net.core.somaxconn`, which has the same default.
pub const BACKLOG: u32 = 4_096;

/// Silence after which the kernel probes a peer. 60 s: NAT tables forget idle connections after minutes.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
/// Time between two probes. 10 s: with [`KEEPALIVE_PROBES`] a dead peer is known half a minute after the first.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Probes without an answer after which the peer is dead. 3: one lost packet says little.
pub const KEEPALIVE_PROBES: u32 = 3;
/// How long sent bytes may stay unacknowledged before the kernel gives the peer up. 30 s; the default of Linux is
/// about fifteen minutes, for which a dead player would hold its kernel buffers.
pub const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes that a socket takes beyond what its peer has room for. 128 KiB: two flights to a distant player. The default of
/// Linux is up to 4 MiB, half a minute of a slow player's stream: too late to skip what it will never catch up with, and
/// a player that takes little would look like one that takes nothing.
pub const MAX_UNSENT: u32 = 128 << 10;

/// How long connections may take to end once the server was asked to stop. 5 s: below the 10 s after which container
/// runtimes kill.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
