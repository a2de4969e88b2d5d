//! What a cluster has from its first moment: namespaces, the `kubernetes` Service and its endpoint, the system's
//! priority classes, the mandatory flow control, an APIService for each version that is served, and the kinds of volume
//! snapshots. What exists is left as it is, but for the endpoint, which is where this apiserver is now.

use std::net::{Ipv4Addr, SocketAddr};

use coracle_api::{ApiError, Resource, kinds, validation::SYSTEM_PRIORITY_CLASSES};
use serde_json::{Value, json};

use crate::registry::{Context, Registry, Write};

mod api_services;
mod endpoint;
mod flow_control;
mod snapshots;
#[cfg(test)]
mod tests;

const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// An object to create where it is missing.
type Seed = (&'static Resource, Value);

/// Creates what is missing. `address` is where this apiserver listens.
///
/// # Errors
/// [`ApiError`] of the first object that could not be created.
pub async fn seed(registry: &Registry, address: SocketAddr) -> Result<(), ApiError> {
    let _unwatched = registry.unwatched();
    let namespaces = NAMESPACES.map(|name| {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        (kinds::NAMESPACE, namespace)
    });
    create(registry, namespaces.into()).await?;
    let mut seeds = vec![(kinds::SERVICE, service(registry, address))];
    seeds.extend(priority_classes());
    seeds.extend(flow_control::seeds());
    seeds.extend(api_services::seeds());
    seeds.extend(snapshots::seeds());
    create(registry, seeds).await?;
    if let Err(error) = create(registry, vec![dns(registry)]).await {
        tracing::warn!(%error, "make the service that answers names");
    }
    endpoint::tell(registry, address).await
}

fn service(registry: &Registry, address: SocketAddr) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": registry.api_address().to_string(),
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": address.port()}],
        },
    })
}

/// The Service that pods ask for names. It has no pods: every node answers for it, inside its process. Where its usual
/// address, the tenth of the range, is somebody else's, there is none.
fn dns(registry: &Registry) -> Seed {
    let address = Ipv4Addr::from(u32::from(registry.api_address()) + 9);
    let port = |name: &str, protocol: &str| json!({"name": name, "port": 53, "protocol": protocol, "targetPort": 53});
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kube-dns",
            "namespace": "kube-system",
            "labels": {
                "k8s-app": "kube-dns",
                "kubernetes.io/cluster-service": "true",
                "kubernetes.io/name": "CoreDNS",
            },
        },
        "spec": {
            "clusterIP": address.to_string(),
            "ports": [port("dns", "UDP"), port("dns-tcp", "TCP")],
        },
    });
    (kinds::SERVICE, service)
}

fn priority_classes() -> impl Iterator<Item = Seed> {
    let description = |name: &str| match name {
        "system-node-critical" => {
            "Used for system critical pods that must not be moved from their current node."
        }
        _ => {
            "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."
        }
    };
    SYSTEM_PRIORITY_CLASSES.into_iter().map(move |(name, value)| {
        let class = json!({
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "description": description(name),
            "value": value,
        });
        (kinds::PRIORITY_CLASS, class)
    })
}

/// Creates what does not exist, in one commit.
async fn create(registry: &Registry, seeds: Vec<Seed>) -> Result<(), ApiError> {
    let writes = seeds.into_iter().map(|(resource, object)| Write::Create {
        resource,
        namespace: String::new(),
        name: String::new(),
        body: object.to_string().into(),
    });
    let results = registry
        .batch(&Context::internal(), writes.collect(), false)
        .await?;
    let failed = results.into_iter().filter_map(Result::err);
    match failed.into_iter().find(|error| !error.is_already_exists()) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}
