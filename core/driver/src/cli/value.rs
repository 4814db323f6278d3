//! How values are written.

use core::net::SocketAddr;
use core::time::Duration;
use headwater_core::hub::ChannelConfig;
use headwater_core::server::{Config, HttpAbsent, Token};
use std::fs;

/// An address to listen on, or none.
pub(super) fn address(text: &str) -> Result<Option<SocketAddr>, &'static str> {
    match text {
        "none" => Ok(None),
        _ => text
            .parse()
            .map(Some)
            .map_err(|_| "expected IP:PORT, [IP]:PORT or none"),
    }
}

/// What operators have to send.
pub(super) fn token(text: &str) -> Result<Token, &'static str> {
    Token::new(text).ok_or("expected visible ASCII characters without blanks")
}

/// The same, as the first line of a file.
pub(super) fn token_file(path: &str) -> Result<Token, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let line = text.lines().next().unwrap_or_default().trim();
    token(line).map_err(|reason| format!("{reason} in the first line"))
}

/// A number, or none at all.
pub(super) fn number_or_off(text: &str) -> Result<usize, &'static str> {
    match text {
        "off" => Ok(0),
        _ => text.parse().map_err(|_| "expected a number or off"),
    }
}

pub(super) fn on_off(text: &str) -> Result<bool, &'static str> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("expected on or off"),
    }
}

/// A number of bytes, with a binary unit if any.
pub(super) fn bytes(text: &str) -> Result<usize, &'static str> {
    let (number, shift) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (text.get(..text.len() - 1), 10),
        Some(b'M' | b'm') => (text.get(..text.len() - 1), 20),
        Some(b'G' | b'g') => (text.get(..text.len() - 1), 30),
        _ => (Some(text), 0),
    };
    number
        .and_then(|number| number.parse::<usize>().ok())
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or("expected a number of bytes such as 33554432, 32768K or 32M")
}

/// Bytes for the whole process.
pub(super) fn max_memory(text: &str) -> Result<usize, &'static str> {
    /// The program itself has half of it.
    const LEAST: usize = 16 << 20;
    let bytes = bytes(text)?;
    (bytes >= LEAST)
        .then_some(bytes)
        .ok_or("expected at least 16M, which is what a server needs that does next to nothing")
}

pub(super) fn seconds(text: &str) -> Result<Duration, &'static str> {
    duration(text, 1.0).ok_or("expected a time such as 10, 0.5 or 500ms")
}

/// A merging delay, as long as a player may ask for.
pub(super) fn merge(text: &str) -> Result<Duration, String> {
    let max = ChannelConfig::default().max_merge;
    duration(text, 0.001)
        .filter(|delay| *delay <= max)
        .ok_or_else(|| format!("expected a time such as 20, 20ms or 0.02s, at most {max:?}"))
}

/// 404, or a wait as long as a player may ask for.
pub(super) fn http_absent(text: &str) -> Result<HttpAbsent, String> {
    let max = Config::default().http_max_wait;
    match text.strip_prefix("wait:") {
        Some(time) => duration(time, 1.0).filter(|wait| *wait <= max).map(HttpAbsent::Wait),
        None => (text == "404").then_some(HttpAbsent::NotFound),
    }
    .ok_or_else(|| format!("expected 404 or wait:SECONDS, at most {max:?}"))
}

/// The longest time that can be said: a day. Longer ones are a slip of the unit.
const LONGEST: f64 = 86_400.0;

/// A time with its unit, or in `unit` seconds.
fn duration(text: &str, unit: f64) -> Option<Duration> {
    let (number, unit) = if let Some(number) = text.strip_suffix("ms") {
        (number, 0.001)
    } else if let Some(number) = text.strip_suffix('s') {
        (number, 1.0)
    } else {
        (text, unit)
    };
    let seconds = number.parse::<f64>().ok()? * unit;
    (0.0..=LONGEST)
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds))
}

/// An error message of clap without usage and advice to read the help, on one line.
pub(super) fn one_line(message: &str) -> String {
    message
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .trim_start_matches("error: ")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_a_unit() {
        assert_eq!(bytes("0"), Ok(0));
        assert_eq!(bytes("1500"), Ok(1_500));
        assert_eq!(bytes("2k"), Ok(2_048));
        assert_eq!(bytes("32M"), Ok(32 << 20));
        assert_eq!(bytes("1G"), Ok(1 << 30));
        for bad in [
            "",
            "M",
            "-1",
            "1.5M",
            "1MB",
            "99999999999999999999",
            "99999999999999999G",
            "é",
        ] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_server_needs_some_memory() {
        assert_eq!(max_memory("16M"), Ok(16 << 20));
        for bad in ["0", "15M", "64MB"] {
            assert!(max_memory(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_take_a_unit() {
        assert_eq!(seconds("10"), Ok(Duration::from_secs(10)));
        assert_eq!(seconds("0.5s"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(merge("20"), Ok(Duration::from_millis(20)));
        assert_eq!(merge("0.02s"), Ok(Duration::from_millis(20)));
        for bad in ["", "s", "ms", "-1", "1h", "nan", "inf", "1e300", "86401"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nobody_waits_longer_than_a_player_may_ask_for() {
        assert_eq!(merge("1s"), Ok(Duration::from_secs(1)));
        assert!(merge("5000").unwrap_err().ends_with("at most 1s"));
        assert!(http_absent("wait:60").is_ok());
        assert!(http_absent("wait:1000").unwrap_err().ends_with("at most 60s"));
    }

    #[test]
    fn an_absent_stream_is_404_or_waited_for() {
        assert_eq!(http_absent("404"), Ok(HttpAbsent::NotFound));
        assert_eq!(
            http_absent("wait:2.5"),
            Ok(HttpAbsent::Wait(Duration::from_millis(2_500)))
        );
        for bad in ["wait:", "wait:61", "wait:1000"] {
            assert!(http_absent(bad).is_err(), "{bad}");
        }
        assert!(http_absent("").is_err());
    }
}
