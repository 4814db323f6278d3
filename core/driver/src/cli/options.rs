//! The flags.

use super::value;
use crate::{Config, Listen, RecordTo};
use clap::{ArgAction, Parser, ValueEnum};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::num::{NonZeroU16, NonZeroU32, NonZeroUsize};
use core::time::Duration;
use headwater_core::http::AllowedOrigin;
use headwater_core::server::{HttpAbsent, Takeover, Token};
use std::path::PathBuf;

/// A live streaming server for RTMP and HTTP-FLV.
///
/// Push with `ffmpeg ... -f flv rtmp://localhost/live/stream1`, or to http://localhost:8080/live/stream1; play either
/// address with any player.
#[derive(Debug, Clone, Parser)]
#[command(version, max_term_width = 100, allow_negative_numbers = true)]
#[non_exhaustive]
pub struct Options {
    /// Listen here for RTMP, and for HTTP-FLV and WebSocket-FLV too: the first byte that a peer sends says which. May be given
    /// several times, such as for IPv6 beside IPv4
    #[arg(long, value_name = "IP:PORT|none", default_value = "0.0.0.0:1935", value_parser = value::address)]
    pub address: Vec<Option<SocketAddr>>,

    /// Listen here as well, for the same; may be given several times, and may be the same address: then one port is all
    #[arg(long, value_name = "IP:PORT|none", default_value = "0.0.0.0:8080", value_parser = value::address)]
    pub http_address: Vec<Option<SocketAddr>>,

    /// Listen here for operators: the API in JSON; may be given several times. Other addresses than those of this machine alone
    /// need a token [default: 127.0.0.1:8081, if nobody else is there]
    #[arg(long, value_name = "IP:PORT|none", value_parser = value::address)]
    pub admin_address: Vec<Option<SocketAddr>>,

    /// What operators have to send (`Authorization: Bearer TOKEN`) [default: the environment's HEADWATER_ADMIN_TOKEN, else
    /// nothing]. Other users of the machine can see it among the flags of the process, so a file is better
    #[arg(long, value_name = "TOKEN", value_parser = value::token)]
    pub admin_token: Option<Token>,

    /// The same, as the first line of a file
    #[arg(long, value_name = "FILE", value_parser = value::token_file, conflicts_with = "admin_token")]
    pub admin_token_file: Option<Token>,

    /// Threads that share the connections [default: one per core, or fewer if there is no memory for so many]
    #[arg(long, value_name = "N")]
    pub workers: Option<NonZeroU16>,

    /// Most connections, on all workers together [default: 65536, or what file descriptors allow]
    #[arg(long, value_name = "N")]
    pub max_connections: Option<NonZeroUsize>,

    /// Most connections from one IPv4 address or IPv6 /64 [default: no limit]
    #[arg(long, value_name = "N")]
    pub max_connections_per_address: Option<NonZeroUsize>,

    /// Most requests to publish or play in a second from one IPv4 address or IPv6 /64, on each worker; ten seconds' worth may
    /// come at once [default: 1000]
    #[arg(long, value_name = "N")]
    pub max_requests_per_address: Option<NonZeroU32>,

    /// Most publishes that one IPv4 address or IPv6 /64 begins in a second, of the names of each worker; twenty seconds' worth may
    /// come at once [default: 50]
    #[arg(long, value_name = "N")]
    pub max_publishes_per_address: Option<NonZeroU32>,

    /// Most connections that neither publish nor play, players that wait for absent streams included, on all workers together
    /// [default: 16384]
    #[arg(long, value_name = "N")]
    pub max_roleless_connections: Option<NonZeroUsize>,

    /// Most of them from one IPv4 address or IPv6 /64 [default: 2048]
    #[arg(long, value_name = "N")]
    pub max_roleless_connections_per_address: Option<NonZeroUsize>,

    /// Most players that wait for absent streams, on each worker [default: 8192]
    #[arg(long, value_name = "N")]
    pub max_waiting_players: Option<NonZeroUsize>,

    /// Most of them that wait for one stream [default: 1000]
    #[arg(long, value_name = "N")]
    pub max_waiting_players_per_stream: Option<NonZeroUsize>,

    /// Most of them from one IPv4 address or IPv6 /64, for whatever streams [default: 250]
    #[arg(long, value_name = "N")]
    pub max_waiting_players_per_address: Option<NonZeroUsize>,

    /// Most streams that are published, on all workers together [default: 16384]
    #[arg(long, value_name = "N")]
    pub max_publishers: Option<NonZeroUsize>,

    /// Most streams that are published, played or waited for [default: 65536]
    #[arg(long, value_name = "N")]
    pub max_streams: Option<NonZeroUsize>,

    /// Bytes of memory that the process may use, 8M and 7.4M for each worker at least; K, M and G may follow [default: three
    /// quarters of the machine's, or of its control group's limit]
    #[arg(long, value_name = "BYTES", value_parser = value::max_memory)]
    pub max_memory: Option<usize>,

    /// Print how much memory a server with these flags can hold, and what it does about that
    #[arg(long)]
    pub explain_memory: bool,

    /// Streams that have metrics of their own, those that were there first; the others are summed up. `off`: none has any
    #[arg(long, value_name = "N|off", default_value = "100", value_parser = value::number_or_off)]
    pub metrics_streams: usize,

    /// How much to log [default: the environment's RUST_LOG, else info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,

    /// How each log line looks
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// Send a joining player the pictures since the last keyframe at once
    #[arg(long, value_name = "on|off", default_value = "on", action = ArgAction::Set, value_parser = value::on_off)]
    pub gop_cache: bool,

    /// Most bytes of them to keep per stream; K, M and G may follow
    #[arg(long, value_name = "BYTES", default_value = "32M", value_parser = value::bytes)]
    pub gop_max_bytes: usize,

    /// Longest time of them to keep per stream
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = value::seconds)]
    pub gop_max_duration: Duration,

    /// Most frames of them to keep per stream
    #[arg(long, value_name = "N", default_value_t = 8192)]
    pub gop_max_frames: usize,

    /// How long players stay when their publisher is gone, so that it may come back
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = value::seconds)]
    pub grace: Duration,

    /// Which newcomer may publish to a name that is being published already
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub takeover: WhenTakeover,

    /// Let web pages of this origin publish (`https://tv.example`), as those of the server's own host may; * for all. May be
    /// given more than once, or as a list with commas
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    pub allow_origin: Vec<AllowedOrigin>,

    /// What an HTTP player gets when nobody publishes: an error at once, or the stream if it starts in time
    #[arg(long, value_name = "404|wait:SECONDS", default_value = "404", value_parser = value::http_absent)]
    pub http_absent: HttpAbsent,

    /// Write what a connection said before it failed to a file in this folder, which has to exist. A file has stream keys,
    /// tokens and passwords in it, as they were sent
    #[arg(long, value_name = "DIR")]
    pub record_on_error: Option<PathBuf>,

    /// Leave sound and pictures out of these files; keys and tokens stay
    #[arg(long, requires = "record_on_error")]
    pub record_without_payload: bool,

    /// Print such a file as a transcript, and exit
    #[arg(long, value_name = "FILE", exclusive = true)]
    pub replay: Option<PathBuf>,

    /// Let frames wait this long for others, at most 1 s, and send them together: more delay for less work
    #[arg(long, value_name = "MILLISECONDS", default_value = "0", value_parser = value::merge)]
    pub merge: Duration,
}

/// How much to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How each log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object, for log collectors.
    Json,
}

/// [`Takeover`] as the command line names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum WhenTakeover {
    /// Anyone, once the one before has sent nothing for 5 s, or for 1 s if both have the same address
    Auto,
    /// Anyone
    Always,
    /// Nobody: the first stays
    Never,
}

/// Each address once.
fn distinct<'a>(all: impl Iterator<Item = &'a SocketAddr>) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for address in all {
        if address.port() == 0 || !addresses.contains(address) {
            addresses.push(*address);
        }
    }
    addresses
}

/// Where operators are listened for if no flag says so.
pub(super) const DEFAULT_ADMIN_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

impl Options {
    /// Where publishers and players are listened for: an address that is given twice once. Port 0 is another each time.
    fn media_addresses(&self) -> Vec<SocketAddr> {
        distinct(self.address.iter().chain(&self.http_address).flatten())
    }

    /// The listeners that came of the [addresses](Self::media_addresses), by the flag that named them.
    pub(super) fn by_flag<'a>(&self, media: &'a [SocketAddr]) -> (&'a [SocketAddr], &'a [SocketAddr]) {
        let count = distinct(self.address.iter().flatten()).len();
        let (rtmp, http) = media.split_at_checked(count).unwrap_or_default();
        let is_same = http.is_empty() && self.http_address.iter().any(Option::is_some);
        (rtmp, if is_same { rtmp } else { http })
    }

    /// Where operators are listened for.
    pub fn admin_addresses(&self) -> Vec<SocketAddr> {
        match self.admin_address.is_empty() {
            true => vec![DEFAULT_ADMIN_ADDRESS],
            false => self.admin_address.iter().flatten().copied().collect(),
        }
    }

    /// What the flags mean to a driver.
    #[must_use]
    pub fn config(&self) -> Config {
        let media = self.media_addresses().into_iter().map(Listen::media);
        let admin = self.admin_addresses().into_iter().map(Listen::admin);
        let mut config = Config {
            listen: media.chain(admin).collect(),
            workers: self.workers,
            max_memory: self.max_memory,
            ..Config::default()
        };
        let set = |bound: &mut usize, flag: Option<NonZeroUsize>| *bound = flag.map_or(*bound, NonZeroUsize::get);
        set(&mut config.server.max_connections, self.max_connections);
        set(
            &mut config.server.max_connections_per_address,
            self.max_connections_per_address,
        );
        let server = &mut config.server;
        let set_rate = |bound: &mut u32, flag: Option<NonZeroU32>| *bound = flag.map_or(*bound, NonZeroU32::get);
        set_rate(
            &mut server.max_requests_per_second_per_address,
            self.max_requests_per_address,
        );
        set_rate(
            &mut server.max_publishes_per_second_per_address,
            self.max_publishes_per_address,
        );
        set(&mut server.max_roleless_connections, self.max_roleless_connections);
        set(
            &mut server.max_roleless_connections_per_address,
            self.max_roleless_connections_per_address,
        );
        set(&mut server.max_waiting_players, self.max_waiting_players);
        set(
            &mut server.max_waiting_players_per_stream,
            self.max_waiting_players_per_stream,
        );
        set(
            &mut server.max_waiting_players_per_address,
            self.max_waiting_players_per_address,
        );
        set(&mut server.max_publishers, self.max_publishers);
        set(&mut server.max_streams, self.max_streams);
        config.record = self.record_on_error.as_ref().map(|dir| RecordTo {
            without_payload: self.record_without_payload,
            ..RecordTo::new(dir)
        });
        config.server.admin.token = self.admin_token.clone().or_else(|| self.admin_token_file.clone());
        config.server.admin.metrics_streams = self.metrics_streams;
        config.server.grace = self.grace;
        config.server.http_absent = self.http_absent;
        config.server.allowed_origins.clone_from(&self.allow_origin);
        config.server.takeover = match self.takeover {
            WhenTakeover::Auto => Takeover::Auto,
            WhenTakeover::Always => Takeover::Always,
            WhenTakeover::Never => Takeover::Never,
        };
        let channel = &mut config.server.channel;
        channel.gop_cache = self.gop_cache;
        channel.gop_max_bytes = self.gop_max_bytes;
        channel.gop_max_duration = self.gop_max_duration;
        channel.gop_max_frames = self.gop_max_frames;
        channel.merge = self.merge;
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::value::one_line;
    use clap::CommandFactory;
    use headwater_core::hub::ChannelConfig;
    use headwater_core::server;

    fn parse(flags: &str) -> Result<Options, String> {
        Options::try_parse_from([""].into_iter().chain(flags.split_whitespace()))
            .map_err(|error| one_line(&error.to_string()))
    }

    #[test]
    fn is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn without_flags_it_is_the_default_config() {
        let config = parse("").unwrap().config();
        let default = Config::default();
        let admin = Listen::admin(([127, 0, 0, 1], 8081));
        assert_eq!(config.listen, [default.listen, vec![admin]].concat());
        assert_eq!(config.server.admin.token, None);
        assert_eq!(config.workers, default.workers);
        assert_eq!(config.record, default.record);
        let (server, default) = (config.server, server::Config::default());
        assert_eq!(server.grace, default.grace);
        assert_eq!(server.takeover, default.takeover);
        assert_eq!(server.http_absent, default.http_absent);
        assert_eq!(server.allowed_origins, default.allowed_origins);
        assert_eq!(server.channel, ChannelConfig::default());
        assert_eq!(server.max_connections, default.max_connections);
        assert_eq!(server.max_connections_per_address, default.max_connections_per_address);
        let bounds = |it: &server::Config| {
            [
                it.max_requests_per_second_per_address as usize,
                it.max_publishes_per_second_per_address as usize,
                it.max_roleless_connections,
                it.max_roleless_connections_per_address,
                it.max_waiting_players,
                it.max_waiting_players_per_stream,
                it.max_waiting_players_per_address,
                it.max_publishers,
                it.max_streams,
            ]
        };
        assert_eq!(bounds(&server), bounds(&default));
    }

    #[test]
    fn every_flag_arrives() {
        let config = parse(
            "--address [::1]:1 --address [::1]:3 --http-address 127.0.0.1:2 --admin-address [::1]:4 --admin-token s3cret --workers 3 --gop-cache off --gop-max-bytes 4K \
             --gop-max-duration 1.5 --gop-max-frames 7 --grace 500ms --takeover never --http-absent wait:3 --merge 20 \
             --allow-origin https://a.example,http://b.example:1 --allow-origin * --max-connections 90 \
             --max-connections-per-address 8 --max-requests-per-address 5 --max-publishers 7 --max-streams 6 --max-memory 1G \
             --max-publishes-per-address 11 --max-roleless-connections 12 --max-roleless-connections-per-address 13 \
             --max-waiting-players 14 --max-waiting-players-per-stream 15 --max-waiting-players-per-address 16 \
             --record-on-error /var/x --record-without-payload",
        )
        .unwrap()
        .config();
        let rtmp = ["[::1]:1", "[::1]:3"].map(|address| Listen::media(address.parse::<SocketAddr>().unwrap()));
        let http = Listen::media(([127, 0, 0, 1], 2));
        let admin = Listen::admin("[::1]:4".parse::<SocketAddr>().unwrap());
        assert_eq!(config.listen, [&rtmp[..], &[http, admin]].concat());
        assert_eq!(config.server.admin.token, Token::new("s3cret"));
        assert_eq!(config.workers, NonZeroU16::new(3));
        let record = config.record.unwrap();
        assert_eq!((record.dir, record.without_payload), (PathBuf::from("/var/x"), true));
        assert_eq!(config.max_memory, Some(1 << 30));
        let server = config.server;
        assert_eq!(server.grace, Duration::from_millis(500));
        assert_eq!(server.takeover, Takeover::Never);
        assert_eq!(server.http_absent, HttpAbsent::Wait(Duration::from_secs(3)));
        let origins = ["https://a.example", "http://b.example:1", "*"].map(|origin| origin.parse().unwrap());
        assert_eq!(server.allowed_origins, origins);
        assert_eq!((server.max_connections, server.max_connections_per_address), (90, 8));
        assert_eq!(server.max_requests_per_second_per_address, 5);
        assert_eq!((server.max_publishers, server.max_streams), (7, 6));
        assert_eq!(server.max_publishes_per_second_per_address, 11);
        let roleless = (
            server.max_roleless_connections,
            server.max_roleless_connections_per_address,
        );
        assert_eq!(roleless, (12, 13));
        let waiting = [
            server.max_waiting_players,
            server.max_waiting_players_per_stream,
            server.max_waiting_players_per_address,
        ];
        assert_eq!(waiting, [14, 15, 16]);
        assert!(!server.channel.gop_cache);
        assert_eq!(server.channel.gop_max_bytes, 4_096);
        assert_eq!(server.channel.gop_max_duration, Duration::from_millis(1_500));
        assert_eq!(server.channel.gop_max_frames, 7);
        assert_eq!(server.channel.merge, Duration::from_millis(20));
    }

    #[test]
    fn one_port_is_enough() {
        for (flags, ports) in [
            ("--http-address none", &[1935][..]),
            ("--address none", &[8080]),
            ("--http-address 0.0.0.0:1935", &[1935]),
            (
                "--address 0.0.0.0:80 --address 0.0.0.0:80 --http-address 0.0.0.0:80",
                &[80],
            ),
            ("--address 0.0.0.0:0 --http-address 0.0.0.0:0", &[0, 0]),
            ("--address none --http-address none", &[]),
        ] {
            let config = parse(&format!("{flags} --admin-address none")).unwrap().config();
            let media = ports.iter().map(|port| Listen::media(([0, 0, 0, 0], *port)));
            assert!(media.eq(config.listen), "{flags}");
        }
    }

    #[test]
    fn a_bad_value_is_one_line_with_the_flag_and_what_is_allowed() {
        for (flags, expected) in [
            ("--workers 0", "--workers"),
            ("--workers many", "--workers"),
            ("--max-memory 1M", "at least 16M"),
            ("--max-connections 0", "--max-connections"),
            ("--max-requests-per-address 0", "--max-requests-per-address"),
            ("--max-publishes-per-address 0", "--max-publishes-per-address"),
            ("--max-waiting-players none", "--max-waiting-players"),
            ("--address nowhere", "--address"),
            ("--http-address localhost:80", "IP:PORT, [IP]:PORT or none"),
            ("--admin-address localhost:80", "IP:PORT, [IP]:PORT or none"),
            ("--admin-token é", "visible ASCII characters"),
            ("--admin-token-file /nowhere/token", "--admin-token-file"),
            ("--admin-token x --admin-token-file Cargo.toml", "--admin-token"),
            ("--log-level loud", "off, error, warn, info, debug, trace"),
            ("--log-format xml", "text, json"),
            ("--gop-cache maybe", "on or off"),
            ("--takeover perhaps", "auto, always, never"),
            ("--http-absent 403", "404 or wait:SECONDS"),
            ("--http-absent wait:long", "404 or wait:SECONDS"),
            ("--merge soon", "--merge"),
            ("--allow-origin tv.example", "--allow-origin"),
            (
                "--allow-origin https://tv.example/",
                "an origin such as https://tv.example",
            ),
            ("--allow-origin https://a.example,", "without a path, or * for all"),
            ("--grace -1", "--grace"),
            ("--worker 2", "--workers"),
            ("--record-without-payload", "--record-on-error"),
            ("--replay x --workers 2", "--replay"),
            ("stray", "stray"),
        ] {
            let line = parse(flags).unwrap_err();
            assert!(line.contains(expected), "{flags}: {line}");
            assert!(!line.contains('\n') && !line.contains("Usage"), "{flags}: {line}");
        }
    }
}
