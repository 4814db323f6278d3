//! The name of a stream.

use alloc::format;
use alloc::sync::Arc;
use core::fmt;

/// The app of a stream whose path has one component only, as in `rtmp://host/stream1`.
const DEFAULT_APP: &str = "live";

/// The name of a stream: `app/name`, the same for every protocol that reaches it.
///
/// `rtmp://host/live/a/b`, whether an encoder calls that app `live` and name `a/b` or app `live/a` and name `b`, and
/// `http://host/live/a/b.flv` are all the stream `live/a/b`. Case matters. Cloning bumps a reference count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct StreamKey(Arc<str>);

impl StreamKey {
    /// The most bytes that a key may have: an app and a name of 255 bytes each, and the slash between them.
    pub const MAX_LEN: usize = 511;

    /// Makes a key of `path`, after cutting slashes at both ends and one `.flv` at the end.
    ///
    /// # Errors
    /// [`StreamKeyError`] says why `path` names no stream. A valid key has at least two components (app and name), none
    /// of them empty, `.` or `..`, no control character and no backslash.
    pub fn new(path: &str) -> Result<StreamKey, StreamKeyError> {
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".flv").unwrap_or(path);
        if path.len() > Self::MAX_LEN {
            return Err(StreamKeyError::TooLong {
                len: path.len(),
                max: Self::MAX_LEN,
            });
        }
        if path.chars().any(|c| c.is_control() || c == '\\') {
            return Err(StreamKeyError::ForbiddenCharacter);
        }
        if !path.contains('/') {
            return Err(StreamKeyError::NoName);
        }
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(StreamKeyError::BadComponent);
        }
        Ok(StreamKey(path.into()))
    }

    /// The stream that a path names, whichever protocol it came by: as [`new`](Self::new), but a name alone is in the app
    /// `live`.
    ///
    /// # Errors
    /// [`StreamKeyError`] says why `path` names no stream.
    pub fn from_path(path: &str) -> Result<StreamKey, StreamKeyError> {
        let name = path.trim_matches('/');
        if name.is_empty() || name.contains('/') {
            StreamKey::new(name)
        } else {
            StreamKey::new(&format!("{DEFAULT_APP}/{name}"))
        }
    }

    /// The whole key, `app/name`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// All but the last component.
    #[must_use]
    pub fn app(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(app, _)| app)
    }

    /// The last component.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&*self.0, |(_, name)| name)
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a path names no stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamKeyError {
    /// Longer than [`StreamKey::MAX_LEN`].
    #[error("stream name of {len} bytes exceeds the limit of {max} bytes")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// A control character, NUL among them, or a backslash.
    #[error("stream name contains a control character or a backslash")]
    ForbiddenCharacter,
    /// An empty component, `.` or `..`.
    #[error("stream name has an empty, '.' or '..' component")]
    BadComponent,
    /// One component only: an app without a name.
    #[error("stream name needs an app and a name, as in live/stream1")]
    NoName,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stream_has_one_key() {
        for path in ["live/x", "/live/x", "/live/x.flv", "live/x/"] {
            assert_eq!(StreamKey::new(path).unwrap().as_str(), "live/x", "{path}");
        }
        let key = StreamKey::new("live/直播/a").unwrap();
        assert_eq!((key.app(), key.name()), ("live/直播", "a"));
    }

    #[test]
    fn name_alone_is_in_the_default_app() {
        for path in ["x", "/x", "x.flv", "x/"] {
            assert_eq!(StreamKey::from_path(path).unwrap().as_str(), "live/x", "{path}");
        }
        assert_eq!(StreamKey::from_path("a/x"), StreamKey::new("a/x"));
        assert_eq!(StreamKey::from_path("/"), Err(StreamKeyError::NoName));
    }

    #[test]
    fn refuses_what_could_be_taken_for_something_else() {
        for path in [
            "",
            "/",
            "live",
            "live//x",
            "live/../x",
            "./x",
            "live/a\0b",
            "live/a\nb",
            "live/a\\b",
            "/.flv",
        ] {
            assert!(StreamKey::new(path).is_err(), "{path:?}");
        }
        assert_eq!(StreamKey::new("/"), Err(StreamKeyError::NoName));
        assert!(StreamKey::new(&alloc::format!("live/{}", "x".repeat(506))).is_ok());
        assert!(StreamKey::new(&alloc::format!("live/{}", "x".repeat(507))).is_err());
    }
}
