//! What a worker counts for those who look at it from outside.
//!
//! Everything here only grows, and is added up over the workers when it is asked for. What there is at the moment is looked at
//! then, and not counted on the way.

mod census;
mod closing;
mod histogram;
mod ledger;
mod tally;

pub(super) use census::{Census, ROLES, Seniority, Sight};
pub(super) use closing::Closing;
pub(super) use histogram::Histogram;
pub(super) use ledger::{Ledger, StreamCounts};
pub(super) use tally::Tally;
