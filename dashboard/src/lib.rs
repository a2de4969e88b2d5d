//! The dashboard: a web console in a process of its own, which stays up, and says so honestly, while others are killed.
//!
//! [`run()`] ties it together. What a browser sees live comes from caches of pods and nodes ([`live`]); everything else
//! passes to the apiserver in the viewer's name ([`proxy`] over [`upstream`]), so that a viewer's rights are exactly what
//! RBAC gives that identity. [`session`] knows who looks, [`guard`] keeps other origins out, [`assets`] serves the front
//! end that `web/` holds. Secrets are in no cache here.

pub mod assets;
pub mod door;
pub mod guard;
pub mod live;
pub mod probe;
pub mod proxy;
pub mod run;
pub mod session;
pub mod sign_in;
pub mod streams;
pub mod upstream;

pub use run::{Config, run};
