//! The scheduler: gives every pod without a node the best node there is, or says why there is none.
//!
//! The way of a pod: its [`projection`] enters the [`queue`]; the [`cycle`] asks the [`plugins`] of the
//! [`framework`]'s profile about every node of the [`snapshot`], or rather remembers what they said of the last pod
//! of the same template ([`evaluation`]); the [`scheduler`] assumes the pod on the node; [`bind`] writes the binding
//! in a batch, under the leader's lease. [`run()`] ties them to the world. Everything between projection and binding
//! is synchronous and pure.

pub mod bench;
pub mod bind;
pub mod configuration;
pub mod cycle;
pub mod diagnosis;
pub mod evaluation;
pub mod evict;
pub mod framework;
pub mod plugins;
pub mod preemption;
pub mod profile;
pub mod projection;
pub mod queue;
pub mod report;
pub mod requirements;
pub mod run;
pub mod scheduler;
pub mod snapshot;
pub mod storage;
pub mod tenants;
#[cfg(test)]
mod testing;
pub mod volumes;
pub mod why;
pub mod write;

pub use run::{Config, run};
