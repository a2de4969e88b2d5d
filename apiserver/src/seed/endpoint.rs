//! Where the `kubernetes` Service leads: to this apiserver, wherever a restart has moved it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use coracle_api::{ApiError, Resource, kinds};
use serde_json::{Value, json};

use super::create;
use crate::registry::{Context, Registry, Target};

const NAME: &str = "kubernetes";

/// Tells the address in both forms that clients look for.
pub(super) async fn tell(registry: &Registry, address: SocketAddr) -> Result<(), ApiError> {
    let ip = match address.ip() {
        own if own.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        own => own,
    };
    let port = json!({"name": "https", "port": address.port(), "protocol": "TCP"});
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": NAME, "namespace": "default", "labels": {"kubernetes.io/service-name": NAME},
        },
        "addressType": if ip.is_ipv4() { "IPv4" } else { "IPv6" },
        "endpoints": [{"addresses": [ip.to_string()], "conditions": {"ready": true}}],
        "ports": [port],
    });
    let endpoints = json!({
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            // The slice above is its own: nobody has to make one of this.
            "name": NAME, "namespace": "default", "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [{"addresses": [{"ip": ip.to_string()}], "ports": [port]}],
    });
    put(registry, kinds::ENDPOINT_SLICE, slice).await?;
    put(registry, kinds::ENDPOINTS, endpoints).await
}

async fn put(registry: &Registry, resource: &'static Resource, object: Value) -> Result<(), ApiError> {
    let target = Target::new(resource, "default", NAME);
    let body = object.to_string().into();
    match registry.update(&Context::internal(), target, "", body).await {
        Err(error) if error.is_not_found() => create(registry, vec![(resource, object)]).await,
        other => other.map(drop),
    }
}
