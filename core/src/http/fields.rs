//! The header fields of a request, for those who decide about it.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use alloc::vec::Vec;
use core::fmt;

/// The header fields of a request as they were sent. They may hold credentials, so `Debug` shows their names only.
///
/// Cost: the bytes of the head, which were there already; a look-up reads them again.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct HeaderFields {
    /// A whole head that was parsed before, the request line included.
    head: Vec<u8>,
}

impl HeaderFields {
    /// `head` has been found to be a request head.
    pub(super) const fn new(head: Vec<u8>) -> Self {
        HeaderFields { head }
    }

    /// All fields in their order, each with its name and its value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let lines = self.head.split(|byte| *byte == b'\n').skip(1);
        lines.filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at_checked(colon)?;
            Some((name, value.get(1..)?.trim_ascii()))
        })
    }

    /// The value of the first field called `name`, whatever its case; `None` if there is none, or it is not UTF-8.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.iter();
        let (_, value) = fields.find(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))?;
        core::str::from_utf8(value).ok()
    }

    /// Whether `token` is a member of a field called `name`, all of which are read as lists with commas. Case does not
    /// matter.
    #[must_use]
    pub fn has(&self, name: &str, token: &str) -> bool {
        let values = self
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()));
        let mut members = values.flat_map(|(_, value)| value.split(|byte| *byte == b','));
        members.any(|member| member.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    }
}

impl fmt::Debug for HeaderFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.iter().map(|(name, _)| core::str::from_utf8(name).unwrap_or("?"));
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn fields_are_found_whatever_their_case() {
        let head = b"GET /a:b HTTP/1.1\r\nHost: h:1\r\nAUTHORIZATION:Basic eA==\r\nX: \xFF\r\nempty:\r\n\r\n";
        let fields = HeaderFields::new(head.to_vec());
        assert_eq!(fields.get("host"), Some("h:1"));
        assert_eq!(fields.get("Authorization"), Some("Basic eA=="));
        assert_eq!((fields.get("x"), fields.get("empty")), (None, Some("")));
        assert_eq!(fields.get("get /a"), None);
        let lists = HeaderFields::new(b"GET / HTTP/1.1\r\nAccept: a, TEXT/html;q=1 ,b\r\naccept: c\r\n\r\n".to_vec());
        let has = ["a", "text/html;q=1", "c", "text/html", ""].map(|token| lists.has("ACCEPT", token));
        assert_eq!(has, [true, true, true, false, false]);
        assert_eq!(format!("{fields:?}"), r#"["Host", "AUTHORIZATION", "X", "empty"]"#);
    }
}
