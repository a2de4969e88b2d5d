//! How the apiserver reaches a Service, for webhooks that are named by one.
//!
//! A Service with a selector is reached at one of its ready pods, through the `Dial` stream of the pod's node, so that
//! the apiserver needs no route to pods. One without is reached at the addresses of its Endpoints, and an
//! ExternalName at that name, both dialed from here.

use std::{
    io,
    sync::{Arc, Weak},
};

use async_trait::async_trait;
use coracle_admission::{Backends, Lookup};
use coracle_api::{LabelSelector, kinds};
use coracle_service::{BoxIo, Env, network::dial_authority};
use k8s_openapi::{
    api::core::v1::{Endpoints, Pod, Service, ServicePort},
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::{dial, registry::Registry, rest::Nodes};

/// See the module.
pub(crate) struct ServiceBackends {
    registry: Weak<Registry>,
    nodes: Nodes,
    env: Env,
}

/// A ready pod and the port that is meant.
struct Backend {
    node: String,
    address: String,
}

impl ServiceBackends {
    pub(crate) fn new(registry: &Arc<Registry>, nodes: Nodes, env: &Env) -> Self {
        Self {
            registry: Arc::downgrade(registry),
            nodes,
            env: env.clone(),
        }
    }

    /// Opens a connection through the pod's node.
    async fn dial_pod(&self, registry: &Registry, backend: Backend) -> io::Result<BoxIo> {
        let node = Lookup::get(registry, kinds::NODE, "", &backend.node)
            .ok_or_else(|| io::Error::other(format!("node {:?} not found", backend.node)))?;
        let channel = self.nodes.to(&backend.node, &node).map_err(io::Error::other)?;
        dial::through(channel, &self.env, &backend.node, &backend.address).await
    }
}

#[async_trait]
impl Backends for ServiceBackends {
    async fn dial(&self, namespace: &str, name: &str, port: i32) -> io::Result<BoxIo> {
        let registry = self
            .registry
            .upgrade()
            .ok_or_else(|| io::Error::other("the server is shutting down"))?;
        let missing = || io::Error::other(format!("service {name:?} not found"));
        let json = Lookup::get(&*registry, kinds::SERVICE, namespace, name).ok_or_else(missing)?;
        let service: Service = serde_json::from_slice(&json).map_err(io::Error::other)?;
        let spec = service.spec.unwrap_or_default();
        if spec.type_.as_deref() == Some("ExternalName") {
            let host = spec.external_name.unwrap_or_default();
            return dial_authority(&*self.env.network, &format!("{host}:{port}")).await;
        }
        let ports = spec.ports.unwrap_or_default();
        let wanted = ports
            .iter()
            .find(|own| own.port == port)
            .ok_or_else(|| io::Error::other(format!("no service port {port} found for service {name:?}")))?;
        let none = || io::Error::other(format!("no endpoints available for service {name:?}"));
        let selector = spec.selector.unwrap_or_default();
        if selector.is_empty() {
            let addresses = registry.endpoint_addresses(namespace, name, wanted);
            let at = usize::try_from(self.env.random.below(addresses.len() as u64)).unwrap_or(0);
            let address = addresses.get(at).ok_or_else(none)?;
            return dial_authority(&*self.env.network, address).await;
        }
        let selector =
            LabelSelector::from_labels(selector.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        let mut backends: Vec<Backend> = registry
            .matching(kinds::POD, namespace, selector)
            .iter()
            .filter_map(|json| backend(&serde_json::from_slice(json).ok()?, wanted))
            .collect();
        if backends.is_empty() {
            return Err(none());
        }
        let at = usize::try_from(self.env.random.below(backends.len() as u64)).unwrap_or(0);
        self.dial_pod(&registry, backends.swap_remove(at)).await
    }
}

impl Registry {
    /// Where the Endpoints of a Service say that it is.
    fn endpoint_addresses(&self, namespace: &str, name: &str, port: &ServicePort) -> Vec<String> {
        let endpoints = kinds::of_object("v1", "Endpoints")
            .and_then(|resource| Lookup::get(self, resource, namespace, name))
            .and_then(|json| serde_json::from_slice::<Endpoints>(&json).ok());
        let mut addresses = Vec::new();
        for subset in endpoints
            .into_iter()
            .flat_map(|own| own.subsets.unwrap_or_default())
        {
            let found = subset.ports.iter().flatten().find(|own| own.name == port.name);
            let Some(found) = found.or_else(|| subset.ports.iter().flatten().next()) else {
                continue;
            };
            for address in subset.addresses.into_iter().flatten() {
                addresses.push(format!("{}:{}", address.ip, found.port));
            }
        }
        addresses
    }
}

/// The pod as a backend, where it is ready.
fn backend(pod: &Pod, port: &ServicePort) -> Option<Backend> {
    let (spec, status) = (pod.spec.as_ref()?, pod.status.as_ref()?);
    let is_ready = status
        .conditions
        .iter()
        .flatten()
        .any(|own| own.type_ == "Ready" && own.status == "True");
    if !is_ready || pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let number = match &port.target_port {
        None => port.port,
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(name)) => {
            spec.containers
                .iter()
                .flat_map(|own| own.ports.iter().flatten())
                .find(|own| own.name.as_ref() == Some(name))?
                .container_port
        }
    };
    Some(Backend {
        node: spec.node_name.clone()?,
        address: format!("{}:{number}", status.pod_ip.as_ref()?),
    })
}
