//! What can be wrong with an FLV stream.

/// The framing is broken or cannot be read: there is no way to find the next tag, so the stream has to end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlvError {
    /// The first bytes are not `FLV`.
    #[error("not an FLV stream: it begins with '{}'", found.escape_ascii())]
    BadSignature {
        /// The first three bytes.
        found: [u8; 3],
    },
    /// A version other than 1, the only one there is.
    #[error("FLV version {version} is not 1")]
    UnsupportedVersion {
        /// What the header says.
        version: u8,
    },
    /// A file header that claims to be shorter than its own fields.
    #[error("FLV header of {len} bytes is shorter than 9 bytes")]
    HeaderTooShort {
        /// What the header says, in bytes.
        len: u32,
    },
    /// A tag with more data than [`Limits::max_message_len`](crate::Limits::max_message_len).
    #[error("FLV tag of {len} bytes exceeds the limit of {max} bytes")]
    TagTooLarge {
        /// The data size in bytes.
        len: u32,
        /// The most allowed.
        max: u32,
    },
    /// A tag whose filter bit says that its data is encrypted.
    #[error("FLV tag of type {tag_type} is encrypted")]
    Encrypted {
        /// The tag type.
        tag_type: u8,
    },
}
