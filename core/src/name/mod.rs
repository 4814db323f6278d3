//! Names of streams: what RTMP and HTTP have in common about them.
//!
//! | What a client sends | What it means |
//! |--|--|
//! | `live/x`, `/live/x`, `live/x.flv` | the stream `live/x` |
//! | `x` | `live/x`: a name alone is in the default app |
//! | `live/x?token=a` | the same stream; the query is kept beside it in its [`Target`] |
//! | `live/%41` | the stream `live/A` by HTTP, where paths are percent-decoded once; the stream `live/%41` by RTMP, where names are sent as they were typed |

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod key;
mod target;

pub use key::{StreamKey, StreamKeyError};
pub use target::Target;
pub(crate) use target::query_value;

use alloc::borrow::Cow;
use core::str::Utf8Error;
use percent_encoding::percent_decode_str;

/// Cuts the query off a name. What follows `#` is one too: the query of a client that knows no fragments.
pub(crate) fn split_query(name: &str) -> (&str, &str) {
    name.split_once(['?', '#']).unwrap_or((name, ""))
}

/// Percent-decodes a path. Nothing is allocated where nothing is encoded.
pub(crate) fn percent_decode(path: &str) -> Result<Cow<'_, str>, Utf8Error> {
    percent_decode_str(path).decode_utf8()
}
