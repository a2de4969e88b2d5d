//! The gRPC contract of Coracle, compiled: messages, clients and servers of `coracle.v1`.
//!
//! The contract itself, with its limits and errors, is written in the `.proto` files beside this crate; they are
//! what a client in another language compiles. Nothing but generated code lives here.

/// Package `coracle.v1`.
#[allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::disallowed_methods,
    unused_qualifications
)]
pub mod v1 {
    tonic::include_proto!("coracle.v1");
}

/// All `.proto` files with their imports, as a serialized `FileDescriptorSet`: what server reflection serves.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));
