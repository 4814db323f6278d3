//! Whom a `Host` or an `Origin` names.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use core::net::Ipv6Addr;

/// `uri-host [":" port]`, as it was sent. RFC 3986 §3.2, without user information.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    /// An IPv6 address stands in brackets.
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads all of `text`; `None` if it is anything else.
    ///
    /// The host may be empty: RFC 9112 §3.2 lets a client say that its target has none. An address in brackets may have a
    /// zone. An address of a later version (`[v1.x]`), which nobody has, is none.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let host_len = match text.strip_prefix('[') {
            Some(_) => text.find(']')?.saturating_add(1),
            None => text.find(':').unwrap_or(text.len()),
        };
        let (host, rest) = text.split_at_checked(host_len)?;
        let is_host = match host.strip_prefix('[') {
            Some(literal) => is_address(literal.strip_suffix(']')?),
            None => is_name(host),
        };
        let port = match rest.strip_prefix(':') {
            Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            Some(_) => return None,
            None if rest.is_empty() => None,
            None => return None,
        };
        is_host.then_some(Authority { host, port })
    }
}

/// An IPv6 address, and the zone that a link-local one is in. RFC 6874 §2.
fn is_address(literal: &str) -> bool {
    let (address, zone) = literal.split_once('%').unwrap_or((literal, ""));
    address.parse::<Ipv6Addr>().is_ok() && is_name(zone)
}

/// A name or an IPv4 address: what may be in a `reg-name`.
fn is_name(text: &str) -> bool {
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            [byte, rest @ ..] if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte) => rest,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_host_and_perhaps_a_port() {
        for (text, host, port) in [
            ("a.example", "a.example", None),
            ("a.example:8080", "a.example", Some(8_080)),
            ("a.example:", "a.example", None),
            ("A_b-c~%20", "A_b-c~%20", None),
            ("192.0.2.1:080", "192.0.2.1", Some(80)),
            ("[::1]", "[::1]", None),
            ("[fe80::1%25eth0]:65535", "[fe80::1%25eth0]", Some(65_535)),
            ("", "", None),
            (":80", "", Some(80)),
        ] {
            assert_eq!(Authority::parse(text), Some(Authority { host, port }), "{text}");
        }
    }

    #[test]
    fn what_could_be_taken_for_more_is_no_authority() {
        for text in [
            "a/b",
            "a?b",
            "a#b",
            "u@a",
            "a b",
            "a\\b",
            "a\"b",
            "a<b",
            "a:b",
            "a:+1",
            "a:65536",
            "a:1:2",
            "::1",
            "[::1",
            "[::1]a",
            "[::1]1",
            "[a.example]",
            "[]",
            "[::1%/]",
            "a]",
            "%2",
            "%zz",
            "直",
            "http://a",
        ] {
            assert_eq!(Authority::parse(text), None, "{text}");
        }
    }
}
