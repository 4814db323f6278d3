//! One walk over the bytes, whether they are decoded or skipped.

use super::{Text, Value};
use alloc::vec::Vec;

/// What a reader makes of each value: a [`Value`], or nothing while it skips.
///
/// Skipping builds `()` and has `()` for text. A `Vec` of those counts and never allocates, so one body of code both
/// decodes and skips, and the two cannot disagree about where a value ends or which limit it breaks.
pub(super) trait Build: Sized {
    /// A key, or what AMF3 remembers of a string.
    type Text: Clone;

    /// Makes a text.
    fn text(text: impl FnOnce() -> Text) -> Self::Text;

    /// Bytes that a copy of `text` takes.
    fn text_len(text: &Self::Text) -> usize;

    /// A string value that is `text`.
    fn string(text: Self::Text) -> Self;

    /// Makes a value without members.
    fn leaf(value: impl FnOnce() -> Value) -> Self;

    /// An object, typed if it has a class name.
    fn object(class_name: Option<Self::Text>, pairs: Vec<(Self::Text, Self)>) -> Self;

    fn ecma_array(pairs: Vec<(Self::Text, Self)>) -> Self;

    fn strict_array(elements: Vec<Self>) -> Self;
}

impl Build for Value {
    type Text = Text;

    fn text(text: impl FnOnce() -> Text) -> Text {
        text()
    }

    fn text_len(text: &Text) -> usize {
        text.as_bytes().len()
    }

    fn string(text: Text) -> Self {
        Value::String(text)
    }

    fn leaf(value: impl FnOnce() -> Value) -> Self {
        value()
    }

    fn object(class_name: Option<Text>, pairs: Vec<(Text, Value)>) -> Self {
        match class_name {
            Some(class_name) => Value::TypedObject { class_name, pairs },
            None => Value::Object(pairs),
        }
    }

    fn ecma_array(pairs: Vec<(Text, Value)>) -> Self {
        Value::EcmaArray(pairs)
    }

    fn strict_array(elements: Vec<Value>) -> Self {
        Value::StrictArray(elements)
    }
}

impl Build for () {
    type Text = ();

    fn text(_: impl FnOnce() -> Text) {}

    fn text_len((): &()) -> usize {
        0
    }

    fn string((): ()) {}

    fn leaf(_: impl FnOnce() -> Value) {}

    fn object(_: Option<()>, _: Vec<((), ())>) {}

    fn ecma_array(_: Vec<((), ())>) {}

    fn strict_array(_: Vec<()>) {}
}
