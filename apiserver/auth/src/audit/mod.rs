//! The audit log: who did what, as upstream's `audit.k8s.io/v1` has it.
//!
//! A [`Policy`] says how much is kept of which requests; [`Event`] is one line; [`Log`] writes lines to a file that is
//! turned over by size. Off unless a policy is given, and then what it does not mention is not kept.

mod event;
mod log;
mod policy;
#[cfg(test)]
mod tests;

pub use event::{Event, Outcome, Request};
pub use log::{Error, Log, Settings};
pub use policy::{Level, Policy};
