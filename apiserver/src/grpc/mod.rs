//! The gRPC door: the services of `coracle.v1`, health and reflection, as routes of the one port.
//!
//! A thin door: conversion, a call of the registry, conversion. Errors are mapped in [`error`] and nowhere else.

mod batches;
mod bootstrap;
mod convert;
pub(crate) mod error;
mod maintenance;
mod objects;
mod summary;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use axum::Router;
use coracle_proto::v1::{
    bootstrap_service_server::BootstrapServiceServer, maintenance_service_server::MaintenanceServiceServer,
    object_service_server::ObjectServiceServer, summary_service_server::SummaryServiceServer,
};
use coracle_service::{Env, Shutdown, pki::Authority};
use tonic::service::Routes;

use crate::{auth::Auth, config::BootstrapToken, registry::Registry, rest::OpenApi, rotation::Rotation};

/// The largest message that is read, and the largest that is written.
const MAX_REQUEST_BYTES: usize = 16 << 20;
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// How long a call may take, watches excepted.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// What the services of this door share; cheap to clone.
#[derive(Clone)]
pub(crate) struct Door {
    pub registry: Arc<Registry>,
    pub auth: Arc<Auth>,
    pub env: Env,
    pub shutdown: Shutdown,
    pub openapi: Arc<OpenApi>,
    pub config: Arc<DoorConfig>,
}

/// What of the configuration this door needs.
pub(crate) struct DoorConfig {
    /// Who certifies new members.
    pub authority: Option<Arc<Authority>>,
    /// What lets a process join.
    pub tokens: Vec<BootstrapToken>,
    /// `sled` or `memory`.
    pub engine: &'static str,
    /// Who replaces the key that seals.
    pub rotation: Rotation,
}

impl Door {
    /// The routes of all services. Unknown paths are left to the other door.
    pub fn router(&self) -> Result<Router, tonic_reflection::server::Error> {
        let (health_reporter, health) = tonic_health::server::health_reporter();
        // The port opens only once everything serves, so there is no other state to report.
        drop(health_reporter);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(coracle_proto::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let objects = ObjectServiceServer::new(self.clone())
            .max_decoding_message_size(MAX_REQUEST_BYTES)
            .max_encoding_message_size(MAX_ANSWER_BYTES);
        let routes = Routes::new(objects)
            .add_service(SummaryServiceServer::new(self.clone()).max_encoding_message_size(MAX_ANSWER_BYTES))
            .add_service(MaintenanceServiceServer::new(self.clone()))
            .add_service(BootstrapServiceServer::new(self.clone()))
            .add_service(health)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?);
        Ok(routes.into_axum_router().reset_fallback())
    }
}
