//! What happens to a write between decoding and storing: built-in admission, webhooks and policies.
//!
//! Built-in [`plugins`] are pure functions over the object and a [`Snapshot`] of the objects that configure them.
//! Webhooks and policies are matched by resource and operation without parsing anything, so that a write that none of
//! them wants pays nothing. Left to others: when a write is judged and what is stored (the registry), who the caller
//! is and may do (`auth`), and how a Service is reached ([`Backends`]).

mod access;
mod attributes;
mod cel;
mod client;
mod dispatch;
mod lookup;
mod matching;
pub mod plugins;
mod policy;
pub mod quota;
mod review;
mod rules;
mod snapshot;
#[cfg(test)]
mod tests;
mod webhook;

pub use access::{Access, NoAccess};
pub use attributes::{Attributes, Objects, Operation};
pub use client::{Backends, NoBackends};
pub use dispatch::{Dispatcher, Mutated, Verdict};
pub use lookup::Lookup;
pub use snapshot::{Interest, Snapshot};
