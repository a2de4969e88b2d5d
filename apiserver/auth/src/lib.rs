//! Who a caller is, and what a caller may do: authentication, authorization and the audit log.
//!
//! Both doors ask here and nowhere else. What is known of roles, bindings and tokens comes from the registry's own
//! cache through [`Lookup`] and [`Authorizer::observe`]; nothing here opens the store, dials or reads a clock.
//!
//! Promises: a decision parses nothing and costs microseconds however many roles, bindings and pods there are; what is
//! not granted is refused.

pub mod attributes;
pub mod audit;
pub mod authorizer;
pub mod defaults;
pub mod impersonation;
pub mod lookup;
pub mod node;
pub mod rbac;
pub mod request_info;
pub mod review;
#[cfg(test)]
mod tests;
pub mod token;

pub use attributes::{Attributes, ResourceAttributes, Target};
pub use authorizer::{Authorizer, Decision, Ground, Mode, Observed};
pub use lookup::{Found, Lookup};
pub use request_info::RequestInfo;

/// The group that may do everything, whatever the roles say.
pub const MASTERS: &str = "system:masters";
/// The API group of roles and bindings.
pub const RBAC_GROUP: &str = "rbac.authorization.k8s.io";
