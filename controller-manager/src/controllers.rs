//! The controllers, a folder each: `mod.rs` says what is watched and how it maps to keys, `plan.rs` thinks.

pub(crate) mod deployment;
pub(crate) mod replicaset;
