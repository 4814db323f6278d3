//! Which web pages may publish.
//!
//! Any page can make the browser of whoever opens it send a push to any server that the browser reaches, behind firewalls
//! too; the browser only keeps the answer from the page. So the server has to look who sends. The browser says so, in
//! `Origin` or at least in `Sec-Fetch-Site`, and a page cannot change either. An encoder says neither: no page sent it.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use super::authority::Authority;
use super::fields::HeaderFields;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;

/// Where web pages come from: scheme, host and port, written as a browser writes them (`https://tv.example`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct Origin(Arc<str>);

impl Origin {
    /// As it is in a header field.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads `scheme://host` or `scheme://host:port`, and writes it as browsers do: in lower case, without the default port.
impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (scheme, authority) = text.split_once("://").ok_or(OriginError)?;
        let Authority { host, port } = Authority::parse(authority).ok_or(OriginError)?;
        let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        // A star in a host would be a name like any other, and is meant as a wildcard.
        if !scheme.bytes().all(is_scheme) || scheme.is_empty() || host.is_empty() || host.contains('*') {
            return Err(OriginError);
        }
        let scheme = scheme.to_ascii_lowercase();
        let mut origin = format!("{scheme}://{}", host.to_ascii_lowercase());
        if let Some(port) = port.filter(|port| default_port(&scheme) != Some(*port)) {
            origin.push_str(&format!(":{port}"));
        }
        Ok(Origin(origin.into()))
    }
}

/// The web pages that an entry of a list of allowed origins is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub enum AllowedOrigin {
    /// All (`*`).
    Any,
    /// Those of one origin. They may send credentials as well.
    Named(Origin),
}

/// Reads `*` or an [`Origin`].
impl FromStr for AllowedOrigin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        match text {
            "*" => Ok(AllowedOrigin::Any),
            origin => origin.parse().map(AllowedOrigin::Named),
        }
    }
}

/// Not an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an origin such as https://tv.example or http://localhost:3000, without a path, or * for all")]
pub struct OriginError;

/// Bytes of an origin that a refusal shows. 128: names of hosts are seldom half as long.
const MAX_SHOWN_ORIGIN: usize = 128;

/// Whose web page was refused, for people who read the log. It shows the origin as it was sent, quoted and cut to
/// 128 bytes, or says `another site` if the browser named none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignOrigin {
    shown: Option<Box<str>>,
    is_cut: bool,
}

impl ForeignOrigin {
    /// The first origin that a request names.
    #[must_use]
    pub fn of(fields: &HeaderFields) -> Self {
        let origin = fields.get("origin");
        // Where the limit lies in a character, the cut is before it.
        let shown = origin.and_then(|it| (0..=it.len().min(MAX_SHOWN_ORIGIN)).rev().find_map(|end| it.get(..end)));
        ForeignOrigin {
            is_cut: shown.map(str::len) < origin.map(str::len),
            shown: shown.map(Box::from),
        }
    }
}

impl fmt::Display for ForeignOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shown {
            Some(origin) => write!(f, "'{}{}'", origin.escape_debug(), if self.is_cut { "..." } else { "" }),
            None => f.write_str("another site"),
        }
    }
}

/// What a request says about the page that sent it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender<'a> {
    /// `Host`, if there is one.
    pub(super) host: Option<Authority<'a>>,
    /// `Origin`, if there is one.
    pub(super) origin: Option<&'a [u8]>,
    /// `Sec-Fetch-Site: cross-site`.
    pub(super) is_cross_site: bool,
}

/// What a request may do, judged by the web page that sent it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub enum Access {
    /// Anything: no page sent it, or one of our own host, or every page may do anything.
    #[default]
    Full,
    /// Anything, credentials included: it comes from a page of this origin, which is allowed by name.
    Named(Origin),
    /// Nothing but read, or play: it comes from a page of somebody else's.
    Read,
}

impl Access {
    /// Judges a request by who sent it.
    ///
    /// `Origin` decides if it is there. A page is our own if its host and port are those that it asks; the scheme is not
    /// looked at, because TLS may end before us. `null`, which is what pages without an origin of their own send, is
    /// foreign. Without `Origin`, only `cross-site` is refused. A browser that says `same-site` names the origin of each push
    /// as well, so if that is missing something on the way has taken it out, in front of pages of the site that it serves.
    pub(super) fn of(sender: Sender<'_>, allowed: &[AllowedOrigin]) -> Self {
        let is_named = |it: &Origin| {
            sender
                .origin
                .is_some_and(|origin| it.0.as_bytes().eq_ignore_ascii_case(origin))
        };
        let named = allowed.iter().find_map(|it| match it {
            AllowedOrigin::Named(origin) if is_named(origin) => Some(origin.clone()),
            _ => None,
        });
        if let Some(origin) = named {
            return Access::Named(origin);
        }
        let is_own = match sender.origin {
            Some(origin) => is_own(origin, sender.host),
            None => !sender.is_cross_site,
        };
        if is_own || allowed.contains(&AllowedOrigin::Any) {
            Access::Full
        } else {
            Access::Read
        }
    }

    /// Whether the page may do more than read.
    #[must_use]
    pub fn may_write(&self) -> bool {
        *self != Access::Read
    }

    /// The header fields that let the page read the answer, in pieces. `*` is no answer to a page that sends credentials, and
    /// one that names an origin is for that origin only.
    pub(super) fn header_fields(&self) -> [&str; 3] {
        match self {
            Access::Full | Access::Read => ["Access-Control-Allow-Origin: *\r\n", "", ""],
            Access::Named(origin) => [
                "Access-Control-Allow-Origin: ",
                origin.as_str(),
                "\r\nAccess-Control-Allow-Credentials: true\r\nVary: Origin\r\n",
            ],
        }
    }
}

/// Whether a page of `origin` comes from the host that it asks.
fn is_own(origin: &[u8], host: Option<Authority<'_>>) -> bool {
    let origin = core::str::from_utf8(origin)
        .ok()
        .and_then(|origin| origin.split_once("://"));
    let (Some((scheme, page)), Some(host)) = (origin, host) else {
        return false;
    };
    let (Some(page), Some(default)) = (Authority::parse(page), default_port(scheme)) else {
        return false;
    };
    !host.host.is_empty()
        && page.host.eq_ignore_ascii_case(host.host)
        && page.port.unwrap_or(default) == host.port.unwrap_or(default)
}

/// The port that a URL with this scheme means if it names none. Pages that come by other schemes have no host.
fn default_port(scheme: &str) -> Option<u16> {
    let is = |known| scheme.eq_ignore_ascii_case(known);
    if is("http") {
        Some(80)
    } else {
        is("https").then_some(443)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn list(allowed: &[&str]) -> Vec<AllowedOrigin> {
        allowed.iter().map(|it| it.parse().unwrap()).collect()
    }

    fn access(host: &str, origin: &str, allowed: &[&str]) -> Access {
        let sender = Sender {
            host: Authority::parse(host),
            origin: Some(origin.as_bytes()),
            is_cross_site: false,
        };
        Access::of(sender, &list(allowed))
    }

    #[test]
    fn a_page_of_our_own_host_may_do_anything() {
        for (host, origin) in [
            ("tv.example", "http://tv.example"),
            ("tv.example", "https://tv.example"),
            ("tv.example:80", "http://tv.example"),
            ("tv.example:443", "https://TV.example"),
            ("TV.example:8080", "http://tv.example:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(access(host, origin, &[]), Access::Full, "{origin} to {host}");
        }
    }

    #[test]
    fn any_other_page_may_only_play() {
        for (host, origin) in [
            ("tv.example", "https://evil.example"),
            ("tv.example", "https://tv.example.evil.example"),
            ("tv.example", "https://www.tv.example"),
            ("tv.example:8080", "http://tv.example"),
            ("tv.example:80", "https://tv.example"),
            ("tv.example", "http://tv.example:8080"),
            ("tv.example", "chrome-extension://tv.example"),
            ("tv.example", "tv.example"),
            ("tv.example", "http://tv.example http://evil.example"),
            ("tv.example", "http://tv.example/"),
            ("tv.example", "null"),
            ("tv.example", ""),
            ("null", "null"),
            ("", "http://"),
        ] {
            assert_eq!(access(host, origin, &[]), Access::Read, "{origin} to {host}");
        }
        let nowhere = Sender {
            host: None,
            origin: Some(b"http://tv.example"),
            is_cross_site: false,
        };
        assert_eq!(Access::of(nowhere, &[]), Access::Read);
    }

    #[test]
    fn without_an_origin_only_another_site_is_foreign() {
        for (is_cross_site, access) in [(false, Access::Full), (true, Access::Read)] {
            let sender = Sender {
                host: None,
                origin: None,
                is_cross_site,
            };
            assert_eq!(Access::of(sender, &list(&["https://tv.example"])), access);
            assert_eq!(Access::of(sender, &list(&["*"])), Access::Full);
        }
    }

    #[test]
    fn an_allowed_page_is_named_in_the_answer() {
        let allowed = ["*", "HTTPS://Tv.example:443", "http://localhost:3000"];
        for origin in ["https://tv.example", "http://localhost:3000"] {
            let access = access("x", origin, &allowed);
            assert_eq!(access, Access::Named(origin.parse().unwrap()));
            let fields = access.header_fields().concat();
            assert!(
                fields.contains(&alloc::format!("-Allow-Origin: {origin}\r\n")),
                "{fields}"
            );
            assert!(
                fields.ends_with("-Allow-Credentials: true\r\nVary: Origin\r\n"),
                "{fields}"
            );
        }
        for origin in ["http://tv.example", "http://localhost", "null"] {
            assert_eq!(access("x", origin, &allowed), Access::Full, "{origin}");
            assert_eq!(access("x", origin, &allowed[1..]), Access::Read, "{origin}");
        }
    }

    #[test]
    fn what_is_no_origin_is_not_allowed() {
        for text in [
            "",
            "null",
            "tv.example",
            "://tv.example",
            "https://",
            "https://tv.example/",
            "https://*.tv.example",
            "https://tv.example:70000",
            "https://u@tv.example",
            "https://直.example",
            "a b://tv.example",
        ] {
            assert_eq!(text.parse::<AllowedOrigin>(), Err(OriginError), "{text}");
        }
    }
}
