//! Where pods are on the network: their addresses, the routes that lead to them, the ports that lead to
//! Services, and what a pod sees of the network.

pub mod ipam;
pub mod pod;
pub mod ports;
pub mod routes;
pub mod services;
