//! Where pods are on the network: their addresses, and the routes that lead to them.

pub mod ipam;
pub mod routes;
