//! The network as a pod's programs see it: names and connections.
//!
//! This is the one way in which programs reach out; [`Services`] answers.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use async_trait::async_trait;
use coracle_service::BoxIo;

pub use super::services::CONNECT_TIMEOUT;
use super::services::Services;
use crate::runtime::program::PodIdentity;

/// What a pod can ask of the network.
#[async_trait]
pub trait PodNetwork: Send + Sync + 'static {
    /// The addresses of a name, as the pod's search path has it.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where there are none.
    async fn resolve(&self, from: &PodIdentity, name: &str) -> io::Result<Vec<IpAddr>>;

    /// Connects from the pod to an address, a Service's included.
    ///
    /// # Errors
    /// The network's.
    async fn dial(&self, from: &PodIdentity, to: SocketAddr) -> io::Result<BoxIo>;

    /// Whom the pod asks for names, where there is such a server.
    fn name_server(&self) -> Option<IpAddr>;
}

#[async_trait]
impl PodNetwork for Services {
    async fn resolve(&self, from: &PodIdentity, name: &str) -> io::Result<Vec<IpAddr>> {
        Self::resolve(self, name, &from.namespace).await
    }

    async fn dial(&self, from: &PodIdentity, to: SocketAddr) -> io::Result<BoxIo> {
        self.connect_address((from.ip, &from.node), to).await
    }

    fn name_server(&self) -> Option<IpAddr> {
        Self::name_server(self)
    }
}

/// The host's own network, for tests.
#[cfg(test)]
pub struct Direct(pub coracle_service::Env);

#[cfg(test)]
#[async_trait]
impl PodNetwork for Direct {
    async fn resolve(&self, _: &PodIdentity, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = self.0.network.resolve(&format!("{name}:0")).await?;
        Ok(found.into_iter().map(|address| address.ip()).collect())
    }

    async fn dial(&self, from: &PodIdentity, to: SocketAddr) -> io::Result<BoxIo> {
        self.0.network.dial(Some(IpAddr::V4(from.ip)), to).await
    }

    fn name_server(&self) -> Option<IpAddr> {
        None
    }
}
