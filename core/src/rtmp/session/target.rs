//! From what an RTMP client sends to the name of a stream.

use super::url::CONTAINERS;
use crate::name::split_query;
use crate::{StreamKey, StreamKeyError, Target};
use alloc::string::String;

/// Resolves what `connect` said (`app`, `tcUrl`) and the name in `publish` or `play` to a stream.
///
/// Clients cut one URL in different places: ffmpeg makes `rtmp://host/a/b/c?x=1` the app `a/b` and the name `c?x=1`, OBS
/// has whatever its user put into which field, one-component URLs come with an empty name, others with an empty app.
/// App and name are therefore joined before they are judged. Of both, the query is cut off (at `?` or `#`) and kept; of
/// the app, `/_definst_` is dropped, which means the default instance; of the name, a prefix that says its container
/// (`mp4:`, `flv:`, `f4v:`, `mp3:`). The name's parameters come first, then those of the app, then those of `tc_url`.
///
/// Nothing is percent-decoded: clients that want it have done so, the others mean what they say.
///
/// # Errors
/// [`StreamKeyError`] if that leaves no valid [`StreamKey`].
pub(crate) fn resolve(app: &str, tc_url: &str, name: &str) -> Result<Target, StreamKeyError> {
    let (tc_url, tc_query) = split_query(trim(tc_url));
    let (app, app_query) = split_query(trim(app));
    let (name, name_query) = split_query(name);

    let app = match app.trim_matches('/') {
        "" => tc_url_path(tc_url),
        app => app,
    };
    let app = match app.strip_suffix("_definst_") {
        Some(rest) if rest.is_empty() || rest.ends_with('/') => rest.trim_end_matches('/'),
        _ => app,
    };
    let name = name.trim_start_matches('/');
    let name = CONTAINERS
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);

    let path = join([app, name].into_iter(), '/');
    let tc_query = if tc_query == app_query { "" } else { tc_query };
    Ok(Target {
        key: StreamKey::from_path(&path)?,
        query: join([name_query, app_query, tc_query].into_iter(), '&').into(),
    })
}

/// Cuts what some clients leave around a URL: white space, and the quotes of a configuration file.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\'' || c == '"')
}

/// The path of `scheme://authority/path`.
fn tc_url_path(tc_url: &str) -> &str {
    tc_url
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map_or("", |(_, path)| path.trim_matches('/'))
}

fn join<'a>(parts: impl Iterator<Item = &'a str>, separator: char) -> String {
    let mut joined = String::new();
    for part in parts.filter(|part| !part.is_empty()) {
        if !joined.is_empty() {
            joined.push(separator);
        }
        joined.push_str(part);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn resolved(app: &str, tc_url: &str, name: &str) -> (String, String) {
        let target = resolve(app, tc_url, name).unwrap();
        (target.key.to_string(), target.query.into())
    }

    #[test]
    fn one_url_is_one_stream_however_a_client_cuts_it() {
        let url = "rtmp://127.0.0.1:1935";
        for (who, app, tc_path, name, key, query) in [
            ("ffmpeg", "a/b", "/a/b", "c?x=1", "a/b/c", "x=1"),
            ("OBS", "a/b", "/a/b", "c?x=1", "a/b/c", "x=1"),
            (
                "OBS, all in the server field",
                "a/b/c?x=1",
                "/a/b/c?x=1",
                "",
                "a/b/c",
                "x=1",
            ),
            ("OBS, trailing slash", "a/b/", "/a/b/", "c", "a/b/c", ""),
            ("OBS multitrack", "a/b", "/a/b", "?k=v", "a/b", "k=v"),
            ("ffmpeg, one component", "a?x=1", "/a?x=1", "", "live/a", "x=1"),
            ("ffmpeg, four components", "a/b", "/a/b", "c/d", "a/b/c/d", ""),
            ("gst", "a?x=1", "/a?x=1", "c?y=2", "a/c", "y=2&x=1"),
            ("HaishinKit", "a/b?x=1", "/a/b?x=1", "c", "a/b/c", "x=1"),
            ("app in tcUrl only", "", "/a/b", "c", "a/b/c", ""),
            ("neither", "", "", "c", "live/c", ""),
            ("default instance", "a/_definst_", "/a/_definst_", "c", "a/c", ""),
            ("container prefix", "a", "/a", "mp4:c", "a/c", ""),
            ("leading slash", "a", "/a", "/c.flv", "a/c", ""),
            ("fragment", "a", "/a", "c#x=1", "a/c", "x=1"),
        ] {
            let got = resolved(app, &(url.to_string() + tc_path), name);
            assert_eq!(got, (key.to_string(), query.to_string()), "{who}");
        }
    }

    #[test]
    fn a_tc_url_that_is_none_is_no_error() {
        assert_eq!(resolved("live", "'rtmp://[::1]:0/live\r\n", "x").0, "live/x");
        assert_eq!(resolved("live", "\0garbage", "x").0, "live/x");
    }

    #[test]
    fn refuses_names_that_lead_elsewhere() {
        for (app, name) in [
            ("", ""),
            ("live", "../x"),
            ("live", "a//b"),
            ("live", "a\0"),
            ("a/../b", "c"),
        ] {
            assert!(resolve(app, "", name).is_err(), "{app:?} {name:?}");
        }
    }

    #[test]
    fn parameters_of_the_name_come_before_those_of_the_app() {
        let target = resolve("live?token=app&b=c", "rtmp://h/live?token=url", "x?token=name").unwrap();
        assert_eq!(target.query_value("token").as_deref(), Some("name"));
        assert_eq!(target.query_value("b").as_deref(), Some("c"));
    }
}
