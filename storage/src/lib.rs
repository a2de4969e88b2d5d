//! The volume service: exports on disk that survive it, with the semantics of NFS version 3 where they count.
//!
//! A write is durable when it says so; unstable data may be lost until a commit, and the write verifier tells clients
//! when it may have been. Handles survive restarts and renames, turn stale when their file is gone, and lead nowhere
//! outside their export. Files lie on disk as they are, for an administrator to read, copy and add to.
//!
//! Not here: which claim gets which export, access modes and fencing; those are the provisioner's. Names and data are
//! the business of `export`, the write verifier is `stability`'s, and the wire is `service`'s alone.

mod config;
mod data_dir;
mod error;
mod export;
mod exports;
mod handles;
mod limits;
mod name;
mod server;
mod service;
mod stability;
mod sys;
#[cfg(test)]
mod tests;
mod tree;

pub use config::{Config, ConfigError};
pub use data_dir::OpenError;
pub use error::Error;
pub use exports::Exports;
pub use limits::{Limits, MAX_ENTRIES, MAX_IO_BYTES};
pub use server::run;
pub use service::Service;
