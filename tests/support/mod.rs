//! What the integration tests share: processes with deadlines, clips, players, and a server to test.
//!
//! Nothing here sleeps to synchronise: a test waits for an event, and fails when it does not come in time.
#![allow(
    dead_code,
    unused_macros,
    unreachable_pub,
    reason = "each test binary uses a part of this"
)]

pub mod browser;
pub mod clips;
pub mod ffmpeg;
pub mod http;
pub mod packets;
pub mod process;
pub mod relay;
pub mod rtmp;
#[macro_use]
pub mod server;

use std::time::Duration;

/// How long an event may take before a test fails. 60 s: what takes milliseconds, on a machine that is busy with the
/// other tests.
pub const DEADLINE: Duration = Duration::from_secs(60);
