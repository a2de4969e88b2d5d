//! From one version of a kind to another, for kinds whose versions share a store (see [`crate::kinds::StoredAs`]).
//!
//! Pure functions on typed structs. What a version has no field for rests in the annotations that upstream uses for
//! it, so an object that was written in one version and read in the other comes back whole.

mod autoscaler;
mod event;
mod metrics;
#[cfg(test)]
mod tests;

pub use autoscaler::horizontal_pod_autoscaler;
pub use event::{EVENT_FIELDS, event};
