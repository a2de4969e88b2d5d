//! How a connection to a Service finds a pod: the table of Services and their endpoints, the choice among them, the
//! listeners that forward to them, and their names in DNS.
//!
//! Shared by every process that carries traffic: nodes (for their pods, probes and NodePorts) and the edge (for the world
//! outside). One table a process, whatever number of pods it serves. Nobody binds a Service's cluster address: a
//! connect to it is resolved here, which picks a ready endpoint and dials it.
//!
//! What it leaves to others: who keeps EndpointSlices (the controller manager), and who may dial (its callers).

pub mod choose;
pub mod connect;
pub mod dns;
pub mod forward;
pub mod listeners;
pub mod names;
pub mod table;
pub mod view;

#[cfg(test)]
mod tests;

pub use connect::{Connector, Origin, dial};
pub use names::Resolver;
pub use table::Table;
pub use view::{Protocol, ServiceView, SliceView};
