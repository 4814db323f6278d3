//! The URL of a stream, as people pass it on.

use super::{ClientRequest, Purpose};
use alloc::boxed::Box;
use alloc::format;
use core::net::Ipv6Addr;

const SCHEME: &str = "rtmp://";
const DEFAULT_PORT: u16 = 1935;

/// What a name may begin with to say its container.
pub(super) const CONTAINERS: [&str; 4] = ["mp4:", "flv:", "f4v:", "mp3:"];

/// Why a text is no URL of a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Another protocol, or none. For RTMP in TLS, which is the socket's affair, it has to begin with `rtmp://` as well.
    #[error("the URL does not begin with rtmp://")]
    Scheme,
    /// A user or a password before the host: there is no way to present them.
    #[error("the URL has a user or a password, which cannot be presented; a query behind the name can")]
    Credentials,
    /// No host, or something that is none.
    #[error("{0:?} is no host; an IPv6 address stands in brackets")]
    Host(Box<str>),
    /// Behind the host's colon is no number from 1 to 65,535.
    #[error("{0:?} is no port")]
    Port(Box<str>),
    /// An app without a name, or neither.
    #[error("the URL needs an app and a name behind the host, as in rtmp://host/live/stream1")]
    NoName,
    /// A control character, a line break among them.
    #[error("the URL contains a control character")]
    ControlCharacter,
}

impl ClientRequest {
    /// To publish the stream of a URL, `rtmp://host[:port]/app/name[?query]`.
    ///
    /// The name is the last segment of the path, or begins at one with a container, as in `mp4:a/b`. The app is what comes
    /// before it, of any number of segments; servers that cut elsewhere can be given [`app`](Self::app) and
    /// [`name`](Self::name) as they want them. The query, from `?` or `#` on, stays with the name. Nothing is
    /// percent-decoded. [`address`](Self::address) is where to connect.
    ///
    /// ```
    /// use headwater_core::rtmp::ClientRequest;
    ///
    /// let request = ClientRequest::publish("rtmp://tv.example/live/cam?token=1")?;
    /// assert_eq!(request.address(), Some(("tv.example", 1935)));
    /// assert_eq!((&*request.app, &*request.name), ("live", "cam?token=1"));
    /// # Ok::<(), headwater_core::rtmp::UrlError>(())
    /// ```
    ///
    /// # Errors
    /// [`UrlError`] says what is wrong with the URL.
    pub fn publish(url: &str) -> Result<ClientRequest, UrlError> {
        Self::from_url(Purpose::Publish, url)
    }

    /// To play the stream of a URL; as [`publish`](Self::publish).
    ///
    /// # Errors
    /// [`UrlError`] says what is wrong with the URL.
    pub fn play(url: &str) -> Result<ClientRequest, UrlError> {
        Self::from_url(Purpose::Play, url)
    }

    /// The host and the port of [`tc_url`](Self::tc_url), which is where to connect, in the form that
    /// `std::net::ToSocketAddrs` takes. `None` if that is no such URL, which a request made from one always has.
    #[must_use]
    pub fn address(&self) -> Option<(&str, u16)> {
        let (authority, _) = split(&self.tc_url).ok()?;
        parse_authority(authority).ok()
    }

    fn from_url(purpose: Purpose, url: &str) -> Result<ClientRequest, UrlError> {
        if url.chars().any(char::is_control) {
            return Err(UrlError::ControlCharacter);
        }
        let (authority, rest) = split(url)?;
        let (host, port) = parse_authority(authority)?;
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        let (app, name) = cut(path).ok_or(UrlError::NoName)?;
        let query = rest.get(path.len()..).unwrap_or_default();
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.into()
        };
        let port = if port == DEFAULT_PORT {
            "".into()
        } else {
            format!(":{port}")
        };
        Ok(ClientRequest {
            purpose,
            app: app.into(),
            tc_url: format!("{SCHEME}{host}{port}/{app}").into(),
            name: format!("{name}{query}").into(),
        })
    }
}

/// The authority of a URL, and what follows its slash.
fn split(url: &str) -> Result<(&str, &str), UrlError> {
    let (scheme, rest) = url.split_at_checked(SCHEME.len()).ok_or(UrlError::Scheme)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(UrlError::Scheme);
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    Ok((authority, path.strip_prefix('/').unwrap_or(path)))
}

fn parse_authority(authority: &str) -> Result<(&str, u16), UrlError> {
    if authority.contains('@') {
        return Err(UrlError::Credentials);
    }
    let bad_host = || UrlError::Host(authority.into());
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(bad_host)?;
            host.parse::<Ipv6Addr>().map_err(|_| bad_host())?;
            let port = if port.is_empty() {
                Some("")
            } else {
                port.strip_prefix(':')
            };
            (host, port.ok_or_else(bad_host)?)
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    let is_name = |c: char| !c.is_whitespace() && !matches!(c, '[' | ']' | '\\' | '"' | '<' | '>' | '%');
    if host.is_empty() || !host.chars().all(is_name) || port.contains(':') {
        return Err(bad_host());
    }
    match port {
        "" => Ok((host, DEFAULT_PORT)),
        text => match text.parse() {
            Ok(port) if port > 0 && text.bytes().all(|byte| byte.is_ascii_digit()) => Ok((host, port)),
            _ => Err(UrlError::Port(text.into())),
        },
    }
}

/// The app and the name of a path.
fn cut(path: &str) -> Option<(&str, &str)> {
    let path = path.trim_start_matches('/');
    let begins_name = |rest: &str| CONTAINERS.iter().any(|container| rest.starts_with(container));
    let of_container = path.match_indices('/').map(|(at, _)| at).find(|at| {
        let rest = path.get(at.saturating_add(1)..).unwrap_or_default();
        begins_name(rest)
    });
    let (app, name) = path.split_at_checked(of_container.or_else(|| path.rfind('/'))?)?;
    let (app, name) = (app.trim_end_matches('/'), name.trim_start_matches('/'));
    (!app.is_empty() && !name.is_empty()).then_some((app, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use quickcheck::quickcheck;

    #[test]
    fn a_url_says_where_to_connect_and_what_to_ask_for() {
        for (url, address, app, tc_url, name) in [
            ("rtmp://h/live/x", ("h", 1935), "live", "rtmp://h/live", "x"),
            ("RTMP://h:1935/live/x", ("h", 1935), "live", "rtmp://h/live", "x"),
            ("rtmp://h:/live/x", ("h", 1935), "live", "rtmp://h/live", "x"),
            (
                "rtmp://h:1936/a/b/c?x=1",
                ("h", 1936),
                "a/b",
                "rtmp://h:1936/a/b",
                "c?x=1",
            ),
            (
                "rtmp://127.0.0.1:65535/a/b",
                ("127.0.0.1", 65_535),
                "a",
                "rtmp://127.0.0.1:65535/a",
                "b",
            ),
            ("rtmp://[::1]/a/b", ("::1", 1935), "a", "rtmp://[::1]/a", "b"),
            (
                "rtmp://[2001:db8::1]:19350/a/b",
                ("2001:db8::1", 19_350),
                "a",
                "rtmp://[2001:db8::1]:19350/a",
                "b",
            ),
            ("rtmp://h/a/b/c/d", ("h", 1935), "a/b/c", "rtmp://h/a/b/c", "d"),
            ("rtmp://h//a//b", ("h", 1935), "a", "rtmp://h/a", "b"),
            ("rtmp://h/a/mp4:x/y", ("h", 1935), "a", "rtmp://h/a", "mp4:x/y"),
            (
                "rtmp://h/a/_definst_/flv:x",
                ("h", 1935),
                "a/_definst_",
                "rtmp://h/a/_definst_",
                "flv:x",
            ),
            (
                "rtmp://h/a/b?u=http://c/d",
                ("h", 1935),
                "a",
                "rtmp://h/a",
                "b?u=http://c/d",
            ),
            ("rtmp://h/a/b#x=1", ("h", 1935), "a", "rtmp://h/a", "b#x=1"),
            ("rtmp://h/a/b.flv", ("h", 1935), "a", "rtmp://h/a", "b.flv"),
            ("rtmp://h/a/%41 b", ("h", 1935), "a", "rtmp://h/a", "%41 b"),
            (
                "rtmp://直播.example/直/播",
                ("直播.example", 1935),
                "直",
                "rtmp://直播.example/直",
                "播",
            ),
        ] {
            let request = ClientRequest::publish(url).unwrap();
            assert_eq!(request.address(), Some(address), "{url}");
            let parts = (&*request.app, &*request.tc_url, &*request.name);
            assert_eq!(parts, (app, tc_url, name), "{url}");
            assert_eq!(request.purpose, Purpose::Publish);
            let play = ClientRequest::play(url).unwrap();
            assert_eq!(
                play,
                ClientRequest {
                    purpose: Purpose::Play,
                    ..request
                }
            );
        }
    }

    #[test]
    fn an_error_says_what_is_wrong_with_a_url() {
        let host = |text: &str| UrlError::Host(text.into());
        let port = |text: &str| UrlError::Port(text.into());
        for (url, error) in [
            ("", UrlError::Scheme),
            ("h/live/x", UrlError::Scheme),
            ("rtmps://h/live/x", UrlError::Scheme),
            ("http://h/live/x", UrlError::Scheme),
            ("rtmp:/直播", UrlError::Scheme),
            ("rtmp://user:pass@h/live/x", UrlError::Credentials),
            ("rtmp:///live/x", host("")),
            ("rtmp://:1935/live/x", host(":1935")),
            ("rtmp://::1/live/x", host("::1")),
            ("rtmp://[::1/live/x", host("[::1")),
            ("rtmp://[::1]1935/live/x", host("[::1]1935")),
            ("rtmp://[h]/live/x", host("[h]")),
            ("rtmp://a b/live/x", host("a b")),
            ("rtmp://h:0/live/x", port("0")),
            ("rtmp://h:+1/live/x", port("+1")),
            ("rtmp://h:65536/live/x", port("65536")),
            ("rtmp://h:x/live/x", port("x")),
            ("rtmp://h", UrlError::NoName),
            ("rtmp://h/", UrlError::NoName),
            ("rtmp://h/live", UrlError::NoName),
            ("rtmp://h/live/", UrlError::NoName),
            ("rtmp://h/live?k=v/x", UrlError::NoName),
            ("rtmp://h?/live/x", UrlError::NoName),
            ("rtmp://h/live/x\n", UrlError::ControlCharacter),
        ] {
            assert_eq!(ClientRequest::publish(url), Err(error), "{url}");
        }
    }

    #[test]
    fn a_tc_url_of_ones_own_may_have_no_address() {
        let request = ClientRequest::play("rtmp://h/a/b").unwrap();
        let tc_url = "not a URL".into();
        assert_eq!(ClientRequest { tc_url, ..request }.address(), None);
    }

    quickcheck! {
        fn any_text_makes_a_request_or_an_error(text: String) -> bool {
            let texts = ["", "rtmp://", "rtmp://h", "rtmp://h/", "rtmp://[", "rtmp://h/a/"];
            let urls = texts.map(|start| ClientRequest::play(&format!("{start}{text}")));
            urls.iter().flatten().all(|request| request.address().is_some() && !request.name.is_empty())
        }
    }
}
