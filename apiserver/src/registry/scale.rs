//! The `scale` subresource: a Deployment or ReplicaSet seen as an `autoscaling/v1` Scale.

use coracle_api::{ApiError, Resource};
use k8s_openapi::{
    api::autoscaling::v1::{Scale, ScaleSpec, ScaleStatus},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{Entry, strategy};

/// The object as a Scale.
pub(super) fn entry(entry: Entry, resource: &Resource) -> Result<Entry, ApiError> {
    let behaviour = strategy::of(resource);
    let object = behaviour.parse(&entry.json)?;
    let scale = behaviour
        .scale(&*object)
        .ok_or_else(ApiError::resource_not_found)?;
    let own = object.metadata();
    let scale = Scale {
        metadata: ObjectMeta {
            name: own.name.clone(),
            namespace: own.namespace.clone(),
            uid: own.uid.clone(),
            resource_version: own.resource_version.clone(),
            creation_timestamp: own.creation_timestamp.clone(),
            ..ObjectMeta::default()
        },
        spec: Some(ScaleSpec {
            replicas: Some(scale.wanted),
        }),
        status: Some(ScaleStatus {
            replicas: scale.present,
            selector: Some(scale.selector),
        }),
    };
    let json = serde_json::to_vec(&scale).map_err(ApiError::internal)?;
    Ok(Entry {
        json: json.into(),
        ..entry
    })
}

/// What a client asks for by writing a Scale.
pub(super) struct Wanted {
    pub replicas: i32,
    pub metadata: ObjectMeta,
}

/// Reads a Scale that a client wrote.
pub(super) fn read(body: &[u8]) -> Result<Wanted, ApiError> {
    let scale: Scale = serde_json::from_slice(body).map_err(|error| {
        ApiError::bad_request(format!(
            "Scale in version \"v1\" cannot be handled as a Scale: {error}"
        ))
    })?;
    let replicas = scale.spec.and_then(|spec| spec.replicas).unwrap_or(0);
    if replicas < 0 {
        let path = coracle_api::Path::new("spec").child("replicas");
        let error = coracle_api::FieldError::invalid(&path, replicas, "must be greater than or equal to 0");
        let name = scale.metadata.name.as_deref().unwrap_or_default();
        return Err(ApiError::invalid_kind("autoscaling", "Scale", name, vec![error]));
    }
    Ok(Wanted {
        replicas,
        metadata: scale.metadata,
    })
}
