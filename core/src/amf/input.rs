//! The bytes still to read, and how much may still be made of them.

use super::{AmfError, AmfLimits};

/// A cursor that AMF0 and AMF3 share, so that a switch between them starts no new budget.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a> {
    rest: &'a [u8],
    limits: AmfLimits,
    depth: u8,
    values: u32,
    /// Whether the end of the input had to close an object.
    is_cut: bool,
}

impl<'a> Input<'a> {
    pub(super) const fn new(bytes: &'a [u8], limits: AmfLimits) -> Self {
        Input {
            rest: bytes,
            limits,
            depth: 0,
            values: 0,
            is_cut: false,
        }
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) const fn limits(&self) -> AmfLimits {
        self.limits
    }

    /// What lies between here and `later`, the same cursor further on.
    pub(super) fn until(&self, later: &Input<'a>) -> &'a [u8] {
        let len = self.rest.len().saturating_sub(later.rest.len());
        self.rest.get(..len).unwrap_or_default()
    }

    /// Charges for `count` values.
    pub(super) const fn charge(&mut self, count: u32) -> Result<(), AmfError> {
        self.values = self.values.saturating_add(count);
        if self.values > self.limits.values {
            return Err(AmfError::TooManyValues {
                max: self.limits.values,
            });
        }
        Ok(())
    }

    /// Goes one level down, to the members of an object or array.
    pub(super) const fn enter(&mut self) -> Result<(), AmfError> {
        if self.depth >= self.limits.depth {
            return Err(AmfError::TooDeep { max: self.limits.depth });
        }
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }

    /// Comes back up.
    pub(super) const fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Lets the end of the input close the objects that are open. Whatever is left is dropped.
    pub(super) const fn cut(&mut self) {
        self.rest = &[];
        self.is_cut = true;
    }

    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], AmfError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(AmfError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], AmfError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(AmfError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, AmfError> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, AmfError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, AmfError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, AmfError> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn f64(&mut self) -> Result<f64, AmfError> {
        self.array().map(f64::from_be_bytes)
    }
}
