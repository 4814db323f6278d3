/// Why a value could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AmfError {
    /// The input ends inside a value, or where one was wanted.
    #[error("input ends inside an AMF value")]
    Truncated,
    /// A marker that means nothing, or one that is reserved, so that the length of the value is unknown.
    #[error("unknown AMF marker {marker:#04x}")]
    UnknownMarker {
        /// The marker.
        marker: u8,
    },
    /// A message that must begin with a string does not.
    #[error("a string was expected")]
    ExpectedString,
    /// More nesting than [`AmfLimits::depth`](crate::amf::AmfLimits::depth).
    #[error("AMF values are nested deeper than the limit of {max}")]
    TooDeep {
        /// The limit.
        max: u8,
    },
    /// More values than [`AmfLimits::values`](crate::amf::AmfLimits::values), references to strings weighed in.
    #[error("more AMF values than the limit of {max}")]
    TooManyValues {
        /// The limit.
        max: u32,
    },
    /// AMF3: a reference to a string or to traits that did not occur before.
    #[error("AMF3 reference {index} points at nothing")]
    DanglingReference {
        /// The index into its table.
        index: u32,
    },
    /// AMF3: an object of a class that encodes itself in a way of its own, so that its length is unknown.
    #[error("AMF3 object of an unknown externalizable class")]
    UnknownExternalizable,
    /// AMF3: more classes in one value than [`amf3::MAX_CLASSES`](crate::amf::amf3::MAX_CLASSES).
    #[error("more AMF3 classes in one value than the limit of {max}")]
    TooManyClasses {
        /// The limit.
        max: usize,
    },
}

impl AmfError {
    /// Whether a limit was hit, rather than a byte misread.
    pub(super) const fn is_limit(self) -> bool {
        matches!(
            self,
            AmfError::TooDeep { .. } | AmfError::TooManyValues { .. } | AmfError::TooManyClasses { .. }
        )
    }
}
