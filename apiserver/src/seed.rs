//! What a cluster has from its first moment: the four namespaces and the `kubernetes` Service. What exists is left as
//! it is.

use coracle_api::{ApiError, Resource, kinds};
use serde_json::{Value, json};

use crate::registry::{Context, Registry};

const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// Creates what is missing. `port` is where this apiserver listens.
///
/// # Errors
/// [`ApiError`] of the first object that could not be created.
pub async fn seed(registry: &Registry, port: u16) -> Result<(), ApiError> {
    for name in NAMESPACES {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        create(registry, kinds::NAMESPACE, "", name, &namespace).await?;
    }
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": registry.api_address().to_string(),
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}],
        },
    });
    create(registry, kinds::SERVICE, "default", "kubernetes", &service).await
}

async fn create(
    registry: &Registry,
    resource: &'static Resource,
    namespace: &str,
    name: &str,
    object: &Value,
) -> Result<(), ApiError> {
    let body = object.to_string().into();
    match registry
        .create(&Context::internal(), resource, namespace, name, body)
        .await
    {
        Err(error) if !error.is_already_exists() => Err(error),
        _ => Ok(()),
    }
}
