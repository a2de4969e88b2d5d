//! The controller manager: all controllers of the cluster in one process, led by one of its instances.
//!
//! Every controller is a pure `plan` over what the shared caches show ([`world`]), run by the machinery of
//! `coracle_runtime`. All of them write under the leader's Lease, so that an instance that lost it changes nothing.

mod config;
mod controllers;
mod custom;
mod history;
mod run;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod view;
mod world;
mod writes;

pub use config::{CONTROLLERS, Config, EvictionRates, Timings};
pub use run::{run, run_with};
