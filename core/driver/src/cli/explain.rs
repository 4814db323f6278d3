//! What `--explain-memory` prints.

use crate::Config;
use crate::share::Share;
use core::fmt::{self, Write};
use headwater_core::hub::{MAX_HEADER_LEN, MAX_HEADERS};
use headwater_core::server;

/// How much memory a server with this configuration can hold, of which its workers have such a share, and what it does about it.
pub(super) fn memory(config: &Config, share: &Share) -> Result<String, fmt::Error> {
    let mut server = config.server.clone();
    if config.record.is_some() {
        server.record.get_or_insert_default();
    }
    share.apply_to(&mut server);
    let (limits, channel) = (&server.limits, &server.channel);
    let at_most = |connections, streams| Bytes(server.max_memory(connections, streams));
    let mut text = String::new();
    let out = &mut text;
    writeln!(out, "If all its peers did their worst, a worker could hold")?;
    writeln!(out)?;
    writeln!(out, "  8 MiB")?;
    writeln!(
        out,
        "+ connections x (24 KiB + 64 KiB of unread input + max_buffered_bytes {} + max_output {} + max_message_len {})",
        Bytes(limits.max_buffered_bytes as u64),
        Bytes(limits.max_output as u64),
        Bytes(limits.max_message_len.into())
    )?;
    writeln!(
        out,
        "+ streams     x (gop_max_bytes {} + lag_max_bytes {} + max_message_len {}",
        Bytes(channel.gop_max_bytes as u64),
        Bytes(channel.lag_max_bytes as u64),
        Bytes(limits.max_message_len.into())
    )?;
    writeln!(
        out,
        "                 + (gop_max_frames {} + lag_max_frames {}) x 256 bytes + {MAX_HEADERS} headers x {} + 4 KiB for its name)",
        channel.gop_max_frames,
        channel.lag_max_frames,
        Bytes(MAX_HEADER_LEN as u64)
    )?;
    if let Some(record) = &server.record {
        let (all, each) = (record.max_bytes as u64, record.max_bytes_per_connection as u64);
        writeln!(
            out,
            "+ recordings  {}: max_bytes {} + 18 x 2 x max_bytes_per_connection {}",
            Bytes(record.max_memory()),
            Bytes(all),
            Bytes(each)
        )?;
    }
    writeln!(out)?;
    let all = (server.max_connections as u64, server.max_streams as u64);
    for (connections, streams) in [(1, 0), (0, 1), (1_000, 100), all] {
        let most = at_most(connections, streams);
        writeln!(out, "  {connections:>5} connections, {streams:>5} streams: {most}")?;
    }
    writeln!(out)?;
    writeln!(out, "The last is the most for these flags. How many there may be:")?;
    writeln!(out)?;
    for (what, value, flag) in bounds(&server) {
        let value = match value {
            usize::MAX => "no limit".into(),
            value => value.to_string(),
        };
        writeln!(out, "  {what:<58} {value:>8}  {flag}")?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "Of connections there are no more than file descriptors allow. An address is an IPv4 address or an IPv6 /64."
    )?;
    writeln!(out)?;
    writeln!(out, "What they hold as a rule:")?;
    writeln!(out)?;
    writeln!(out, "  a player that keeps up                                   2 KiB")?;
    writeln!(
        out,
        "  a player that does not                                   9 KiB, and up to {} that it shares with others",
        Bytes(limits.output_high_water as u64)
    )?;
    writeln!(out, "  a stream of 4 Mb/s with a keyframe every 2 s             1 MiB")?;
    writeln!(
        out,
        "  10,000 players of 100 such streams                       120 MiB"
    )?;
    writeln!(out)?;
    match (config.max_memory, share.max_memory) {
        (Some(max), _) => writeln!(out, "The process may use {} (--max-memory).", Bytes(max as u64))?,
        (None, Some(max)) => writeln!(
            out,
            "The process may use {}: three quarters of the machine's memory, or of its control group's limit.",
            Bytes(max as u64)
        )?,
        (None, None) => writeln!(out, "The system does not say how much memory there is.")?,
    }
    if share.workers < share.wanted {
        writeln!(out, "That is enough for {} of {} workers.", share.workers, share.wanted)?;
    }
    if let Some(record) = &server.record {
        writeln!(
            out,
            "Recordings take {} of it in each worker, and {} that wait to be written.",
            Bytes(record.max_memory()),
            Bytes(share.waiting as u64)
        )?;
    }
    writeln!(
        out,
        "Each of {} workers holds its peers within a budget of {}. Above it go, the largest first:",
        share.workers,
        Bytes(server.memory_budget as u64)
    )?;
    writeln!(out)?;
    for (number, rung) in (1..).zip(RUNGS) {
        writeln!(out, "  {number}. {rung}")?;
    }
    Ok(text)
}

/// What is bounded in number: what it is, how many there may be, and the flag that says so.
fn bounds(config: &server::Config) -> [(&'static str, usize, &'static str); 11] {
    let rate = |per_second: u32| usize::try_from(per_second).unwrap_or(usize::MAX);
    [
        ("connections", config.max_connections, "--max-connections"),
        (
            "connections of one address",
            config.max_connections_per_address,
            "--max-connections-per-address",
        ),
        (
            "connections that neither publish nor play",
            config.max_roleless_connections,
            "--max-roleless-connections",
        ),
        (
            "those of one address",
            config.max_roleless_connections_per_address,
            "--max-roleless-connections-per-address",
        ),
        ("streams that are published", config.max_publishers, "--max-publishers"),
        (
            "streams that are published, played or waited for",
            config.max_streams,
            "--max-streams",
        ),
        (
            "players that wait for absent streams, on each worker",
            config.max_waiting_players,
            "--max-waiting-players",
        ),
        (
            "those for one stream, on each worker",
            config.max_waiting_players_per_stream,
            "--max-waiting-players-per-stream",
        ),
        (
            "those of one address, on each worker",
            config.max_waiting_players_per_address,
            "--max-waiting-players-per-address",
        ),
        (
            "requests of one address in a second, on each worker",
            rate(config.max_requests_per_second_per_address),
            "--max-requests-per-address",
        ),
        (
            "publishes of one address begun in a second, on each worker",
            rate(config.max_publishes_per_second_per_address),
            "--max-publishes-per-address",
        ),
    ]
}

const RUNGS: [&str; 5] = [
    "connections that hold messages without an end, and publish nothing or have for five seconds",
    "players that do not keep up",
    "GOP caches that nobody watches, frames for players that lag, other GOP caches",
    "newcomers, which are refused",
    "players whose output is full, and at last the publisher that holds the most, or all frames of a stream from another worker, or of the program's own, that holds more",
];

/// A number of bytes for people.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        match units.into_iter().find(|(shift, _)| self.0 >> shift > 0) {
            Some((shift, unit)) => {
                let tenths = (u128::from(self.0) * 10) >> shift;
                match (tenths / 10, tenths % 10) {
                    (whole, 0) => write!(f, "{whole} {unit}"),
                    (whole, tenth) => write!(f, "{whole}.{tenth} {unit}"),
                }
            }
            None => write!(f, "{} bytes", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RecordTo;
    use core::num::NonZeroU16;

    fn explained(config: &Config) -> String {
        memory(config, &Share::of(config).unwrap()).unwrap()
    }

    #[test]
    fn the_formula_has_the_values_of_the_flags() {
        let mut config = Config {
            workers: NonZeroU16::new(2),
            max_memory: Some(64 << 20),
            ..Config::default()
        };
        config.server.channel.gop_max_bytes = 4 << 20;
        let text = explained(&config);
        let one = Bytes(config.server.max_memory(1, 0)).to_string();
        for expected in [
            "gop_max_bytes 4 MiB + lag_max_bytes 8 MiB",
            "max_buffered_bytes 16 MiB + max_output 12 MiB + max_message_len 8 MiB",
            &format!("    1 connections,     0 streams: {one}\n"),
            "may use 64 MiB (--max-memory)",
            "Each of 2 workers holds its peers within a budget of 19.5 MiB",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
        assert!(!text.contains("ecordings"));
        config.record = Some(RecordTo::new("/nowhere"));
        let text = explained(&config);
        for expected in [
            "+ recordings  4.7 MiB: max_bytes 3.5 MiB + 18 x 2 x max_bytes_per_connection 34 KiB",
            "Recordings take 4.7 MiB of it in each worker, and 1 MiB that wait to be written.",
            "Each of 2 workers holds its peers within a budget of 14.3 MiB",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }

    #[test]
    fn the_formula_has_the_workers_that_there_is_memory_for() {
        let config = Config {
            max_memory: Some(16 << 20),
            ..Config::default()
        };
        let share = Share {
            workers: NonZeroU16::MIN,
            wanted: NonZeroU16::new(16).unwrap(),
            max_memory: config.max_memory,
            waiting: 0,
        };
        let text = memory(&config, &share).unwrap();
        for expected in [
            "enough for 1 of 16 workers",
            "Each of 1 workers holds its peers within a budget of 4.5 MiB",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }

    #[test]
    fn the_limits_have_the_values_of_the_flags() {
        let mut config = Config::default();
        config.server.max_connections = 500;
        config.server.max_streams = 70;
        config.server.max_waiting_players_per_address = 33;
        let text = explained(&config);
        let most = Bytes(config.server.max_memory(500, 70)).to_string();
        assert!(
            text.contains(&format!("  500 connections,    70 streams: {most}\n")),
            "{text}"
        );
        for (_, value, flag) in bounds(&config.server) {
            let line = text.lines().find(|line| line.ends_with(&format!(" {flag}"))).unwrap();
            let value = match value {
                usize::MAX => " no limit ".into(),
                value => format!(" {value} "),
            };
            assert!(line.contains(&value), "{line}");
        }
        assert!(text.contains(" 33  --max-waiting-players-per-address\n"), "{text}");
    }

    #[test]
    fn bytes_are_said_in_their_unit() {
        let said = [0, 1_023, 1_024, 1_536, 32 << 20, u64::MAX].map(|bytes| Bytes(bytes).to_string());
        assert_eq!(
            said,
            [
                "0 bytes",
                "1023 bytes",
                "1 KiB",
                "1.5 KiB",
                "32 MiB",
                "17179869183.9 GiB"
            ]
        );
    }
}
