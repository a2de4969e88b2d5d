//! The way every component speaks to the apiserver: the [`ObjectApi`] trait and its gRPC adapter.
//!
//! Components and tests see the trait alone, with objects as JSON bytes, so that they read just the fields they
//! need. Nobody but the apiserver opens the store. [`join`] is how a process that holds only a token gets its
//! certificate. [`volume`] is the way to the storage service, for nodes.

mod convert;
pub mod error;
mod grpc;
pub mod join;
pub mod maintenance;
pub mod object_api;
pub mod volume;

pub use grpc::GrpcClient;
pub use object_api::{
    BatchOptions, DeleteOptions, Event, EventKind, Fence, ListPage, ListQuery, Object, ObjectApi, PatchType,
    Propagation, WatchQuery, WatchStream, Write, WriteOptions,
};
