//! The fuzz targets of `headwater-core`. What they do is in `core/tests/fuzzing`.

#[path = "../tests/fuzzing/bodies/mod.rs"]
mod bodies;

pub use bodies::{TARGETS, Target, target};
