//! The pods of a process's nodes: what each should do next, and the doing of it.
//!
//! [`worker`] thinks and does nothing; [`manager`] does and decides nothing. One task drives all pods: a pod has no
//! task, timer or lock of its own, which is what makes it cheap.

pub mod container;
pub mod effect;
mod ending;
mod environment;
pub mod hooks;
pub mod inbox;
pub mod manager;
mod probing;
pub mod quality;
mod restore;
mod timers;
pub mod usage;
pub mod view;
pub mod worker;

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;

/// A point in time on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What people read.
    pub wall: Timestamp,
    /// Since the process started; never goes back.
    pub elapsed: Duration,
}
