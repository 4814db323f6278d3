//! Values that own what they hold.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::{fmt, str};

/// An AMF value with everything inside it. The order of pairs and duplicate keys are kept.
///
/// It says what AMF0 can say. Of AMF3, integers become numbers, vectors strict arrays, and an array that also has keys
/// becomes an ECMA array with its indices as keys.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A number: NaN and infinities occur.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// A string of any length.
    String(Text),
    /// An object without a class.
    Object(Vec<(Text, Value)>),
    /// `null`, and whatever we do not take over: "unsupported", references to earlier values (expanding them could grow
    /// a small message without bound), AMF3 byte arrays and dictionaries.
    Null,
    /// `undefined`.
    Undefined,
    /// An array with keys: how metadata is sent.
    EcmaArray(Vec<(Text, Value)>),
    /// An array with indices only.
    StrictArray(Vec<Value>),
    /// Milliseconds since 1970 in UTC. The time zone beside it is reserved and not kept.
    Date(f64),
    /// An XML document.
    Xml(Text),
    /// An object of a class.
    TypedObject {
        /// The name of the class, not empty.
        class_name: Text,
        /// The members.
        pairs: Vec<(Text, Value)>,
    },
}

impl Value {
    /// The pairs of an object, typed object or ECMA array; none for other values.
    #[must_use]
    pub fn pairs(&self) -> &[(Text, Value)] {
        match self {
            Value::Object(pairs) | Value::EcmaArray(pairs) | Value::TypedObject { pairs, .. } => pairs,
            _ => &[],
        }
    }

    /// The member called `key`: of duplicates the last, as players read metadata. O(n).
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        let is_it = |(name, _): &&(Text, Value)| name.as_bytes() == key.as_bytes();
        self.pairs().iter().rev().find(is_it).map(|(_, value)| value)
    }

    /// The number, if it is one.
    #[must_use]
    pub const fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The string, if it is one and UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => text.as_str(),
            _ => None,
        }
    }
}

/// A string as the wire carried it: UTF-8 by the specification, Latin-1 or GBK from some encoders, so any bytes.
///
/// A clone shares the bytes. AMF3 refers to a string with two bytes, and must not make us copy it for each of them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text(Arc<[u8]>);

impl Text {
    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The string, if it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        str::from_utf8(&self.0).ok()
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        // All that are empty share one allocation.
        if bytes.is_empty() {
            Text::default()
        } else {
            Text(bytes.into())
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text(text.into_bytes().into())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.0), f)
    }
}

/// Shows what is not UTF-8 as U+FFFD. Control characters pass: a caller that prints this must escape them.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&String::from_utf8_lossy(&self.0), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use quickcheck::{Arbitrary, Gen};

    impl Arbitrary for Text {
        fn arbitrary(g: &mut Gen) -> Self {
            match u8::arbitrary(g) % 8 {
                0 => Text(Vec::arbitrary(g).into()),
                1 => String::arbitrary(g).into(),
                _ => (*g.choose(&["", "a", "duration", "width", "tcUrl", "名"]).unwrap()).into(),
            }
        }
    }

    impl Arbitrary for Value {
        fn arbitrary(g: &mut Gen) -> Self {
            let inner = &mut Gen::new(g.size() / 4);
            // Members only while there is size left, which bounds the depth.
            match u8::arbitrary(g) % if g.size() > 1 { 11 } else { 7 } {
                0 => Value::Number(f64::arbitrary(g)),
                1 => Value::Boolean(bool::arbitrary(g)),
                2 => Value::String(Text::arbitrary(g)),
                3 => Value::Null,
                4 => Value::Undefined,
                5 => Value::Date(f64::arbitrary(g)),
                6 => Value::Xml(Text::arbitrary(g)),
                7 => Value::Object(Vec::arbitrary(inner)),
                8 => Value::EcmaArray(Vec::arbitrary(inner)),
                9 => Value::StrictArray(Vec::arbitrary(inner)),
                _ => Value::TypedObject {
                    class_name: "C".into(),
                    pairs: Vec::arbitrary(inner),
                },
            }
        }

        fn shrink(&self) -> alloc::boxed::Box<dyn Iterator<Item = Self>> {
            match self {
                Value::StrictArray(elements) => {
                    let shorter = elements.shrink().map(Value::StrictArray);
                    alloc::boxed::Box::new(elements.clone().into_iter().chain(shorter))
                }
                Value::EcmaArray(pairs) => alloc::boxed::Box::new(pairs.shrink().map(Value::EcmaArray)),
                Value::Object(pairs) => alloc::boxed::Box::new(pairs.shrink().map(Value::Object)),
                _ => quickcheck::empty_shrinker(),
            }
        }
    }

    #[test]
    fn of_duplicate_members_the_last_counts() {
        let value = Value::Object(vec![
            ("width".into(), Value::Number(1.0)),
            ("width".into(), Value::Number(2.0)),
        ]);
        assert_eq!(value.get("width").and_then(Value::as_f64), Some(2.0));
        assert_eq!(value.get("Width"), None);
        assert_eq!(Value::Null.get("width"), None);
    }

    #[test]
    fn text_keeps_what_is_not_utf8() {
        let gbk = Text::from(&b"\xC3\xFB"[..]);
        assert_eq!(gbk.as_bytes(), b"\xC3\xFB");
        assert_eq!(gbk.as_str(), None);
        assert_eq!(alloc::format!("{gbk}"), "\u{FFFD}\u{FFFD}");
    }
}
