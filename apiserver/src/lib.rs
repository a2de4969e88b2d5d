//! The apiserver: the registry of all objects over the store, the watch cache, and the two doors to them on one port.
//!
//! [`run`] is the whole process. Inside, [`registry`] is the only way to the objects, `grpc` and [`rest`] are thin
//! doors to it, `auth` decides who comes in, and [`watch`] delivers changes.

mod auth;
mod backends;
pub mod certificates;
pub mod config;
mod dial;
mod grpc;
mod health;
mod metrics;
pub mod registry;
pub mod rest;
mod rotation;
mod run;
mod sealing;
mod seed;
mod sweeper;
#[cfg(test)]
mod testing;
pub mod watch;

pub use auth::{AuditSettings, InFlight};
pub use config::{BootstrapToken, Config, EventRetention};
pub use coracle_auth::{Mode, audit};
pub use run::{run, run_over};
