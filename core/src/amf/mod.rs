//! AMF0 and AMF3, the formats of commands, metadata and other script data.
//!
//! [`amf0::Reader`] pulls values out of a message body without allocating; [`Value`] is the owned form, for people and
//! for a caller that needs the whole tree; [`amf0::Writer`] appends to any [`bytes::BufMut`]. [`amf3`] can only be read: it
//! occurs where a Flash client switches to it, and everybody understands AMF0 in return.
//!
//! What a hostile message can cost is bounded by [`AmfLimits`], while skipping as well as while decoding.
//!
//! Action Message Format AMF 0 and AMF 3 (Adobe).

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod build;
mod error;
mod input;
mod value;

pub mod amf0;
pub mod amf3;

pub use error::AmfError;
pub use value::{Text, Value};

use crate::Limits;

/// The AMF0 values behind the selector byte that RTMP messages of type 15, 16 and 17 and FLV tags of type 15 begin with.
///
/// Only 0 is defined for the selector: AMF0, in which the "avmplus" marker switches single values to AMF3. Some senders
/// leave it out and begin with a string. E-RTMP v2, "AMF3-encoded historical specification clarification".
#[must_use]
pub const fn skip_selector(body: &[u8]) -> &[u8] {
    const STRING: u8 = 0x02;
    match body {
        [] | [STRING, ..] => body,
        [_selector, values @ ..] => values,
    }
}

/// What may be read out of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmfLimits {
    /// Objects and arrays inside one another. Reading recurses that deep and no deeper.
    pub depth: u8,
    /// Values in all, members and elements included.
    pub values: u32,
}

impl From<&Limits> for AmfLimits {
    fn from(limits: &Limits) -> Self {
        AmfLimits {
            depth: limits.max_amf_depth,
            values: limits.max_amf_values,
        }
    }
}

impl Default for AmfLimits {
    /// 16 deep and 4,096 values, as in [`Limits::default`].
    fn default() -> Self {
        AmfLimits::from(&Limits::default())
    }
}
