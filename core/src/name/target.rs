//! What a client asks for, by name.

use super::StreamKey;
use alloc::borrow::Cow;
use alloc::boxed::Box;
use percent_encoding::percent_decode_str;

/// What a client wants to publish or play: the stream, and the parameters that came with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The stream.
    pub key: StreamKey,
    /// `name=value` pairs joined by `&`, as sent, without a question mark. Where a name repeats, the first counts.
    pub query: Box<str>,
}

/// Without parameters.
impl From<StreamKey> for Target {
    fn from(key: StreamKey) -> Self {
        Target {
            key,
            query: Box::default(),
        }
    }
}

impl Target {
    /// The percent-decoded value of the first parameter called `name`; empty if it has no `=`.
    ///
    /// Bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<Cow<'_, str>> {
        query_value(&self.query, name)
    }
}

/// The percent-decoded value of the first parameter called `name` of a query.
pub(crate) fn query_value<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then(|| percent_decode_str(value).decode_utf8_lossy())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_parameter_of_a_name_counts_and_is_decoded() {
        let target = Target {
            key: StreamKey::new("live/x").unwrap(),
            query: "token=name&flag&token=app&b=%2Fx".into(),
        };
        assert_eq!(target.query_value("token").as_deref(), Some("name"));
        assert_eq!(target.query_value("flag").as_deref(), Some(""));
        assert_eq!(target.query_value("b").as_deref(), Some("/x"));
        assert_eq!(target.query_value("c"), None);
    }
}
