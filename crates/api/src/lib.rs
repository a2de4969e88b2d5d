//! The object model that every part of Coracle shares: which kinds exist, what a valid object is, how it is
//! encoded, compared, selected and patched, and what an error looks like.
//!
//! Everything here is a pure function of its arguments: no IO, no async, no clock, no randomness. Whoever needs the
//! present time or a random number passes it in. The typed structs are those of `k8s-openapi`; this crate adds what
//! an apiserver knows beyond the types.

pub mod conversion;
pub mod cron;
pub mod defaults;
pub mod encode;
pub mod field_error;
pub mod hash;
pub mod kinds;
pub mod metrics;
pub mod names;
pub mod object;
pub mod patch;
pub mod protobuf;
pub mod quantity;
pub mod scan;
pub mod schema;
pub mod selector;
pub mod status;
pub mod time;
pub mod validation;
pub mod view;
pub mod yaml;

pub use encode::Canonical;
pub use field_error::{FieldError, Path};
pub use kinds::{Resource, Subresource};
pub use object::{DecodeError, Decoded, Object};
pub use quantity::Quantity;
pub use selector::{FieldSelector, LabelSelector, LabelSet};
pub use status::{ApiError, Cause, Details, Reason};
pub use view::{Labels, MetaView};
