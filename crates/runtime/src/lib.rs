//! The machinery of every control loop, written once: caches filled by watches, work queues, the loop that turns
//! snapshots into plans and plans into batches of writes, leader leases, and the event recorder.
//!
//! A component says which kinds it watches, what it keeps of each object ([`Project`]), and what should be written
//! given what it sees ([`Controller`]). This crate does the rest through [`coracle_client::ObjectApi`] alone, with
//! injected time, randomness and tasks.

pub mod backoff;
pub mod cache;
pub mod controller;
pub mod events;
pub mod executor;
pub mod fake;
pub mod informer;
pub mod key;
pub mod lease;
pub mod queue;

pub use backoff::Backoff;
pub use cache::{Cache, Change, Index, Project};
pub use controller::{Controller, Plan, Step, Watched};
pub use events::{Note, ObjectRef, Recorder, Severity};
pub use executor::{Executor, Fenced};
pub use key::Key;
pub use lease::{Candidate, Leadership, LeaseTimings, Lost};
pub use queue::{QueueLimits, WorkQueue};
