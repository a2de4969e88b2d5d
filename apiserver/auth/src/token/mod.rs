//! Bearer tokens: service accounts' (JWT, RFC 7519, ES256) and bootstrap tokens.
//!
//! A token proves what it says by its signature and is believed only while what it is bound to exists: the service
//! account, and the pod, Secret or node, each with the very UID.

pub mod authenticator;
pub mod claims;
pub mod request;
pub mod signer;
#[cfg(test)]
mod tests;

pub use authenticator::Authenticator;
pub use claims::Claims;
pub use signer::Signer;

/// Who issues tokens and, where a request names nobody, who they are for.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// What a service account's user name starts with.
pub const SERVICE_ACCOUNT: &str = "system:serviceaccount:";
