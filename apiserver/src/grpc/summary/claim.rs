//! A PersistentVolumeClaim's summary.

use std::collections::BTreeMap;

use coracle_api::{ApiError, Quantity};
use coracle_proto::v1 as pb;
use k8s_openapi::{
    api::core::v1::PersistentVolumeClaim, apimachinery::pkg::api::resource::Quantity as ApiQuantity,
};

use super::{Entry, labels, timestamp};

pub(super) fn summary(entry: &Entry) -> Result<pb::Claim, ApiError> {
    let claim: PersistentVolumeClaim = coracle_api::object::typed(&entry.json).map_err(ApiError::internal)?;
    let spec = claim.spec.unwrap_or_default();
    let status = claim.status.unwrap_or_default();
    let requests = spec.resources.and_then(|resources| resources.requests);
    Ok(pb::Claim {
        namespace: entry.attributes.namespace.to_string(),
        name: entry.attributes.name.to_string(),
        uid: entry.attributes.uid.to_string(),
        revision: entry.revision,
        labels: labels(&entry.attributes.labels),
        phase: status.phase.unwrap_or_default(),
        volume: spec.volume_name.unwrap_or_default(),
        storage_class: spec.storage_class_name.unwrap_or_default(),
        requested_bytes: storage(requests),
        capacity_bytes: storage(status.capacity),
        access_modes: spec.access_modes.unwrap_or_default(),
        created: timestamp(claim.metadata.creation_timestamp.map(|time| time.0)),
        deleting: timestamp(claim.metadata.deletion_timestamp.map(|time| time.0)),
    })
}

fn storage(amounts: Option<BTreeMap<String, ApiQuantity>>) -> i64 {
    let amount = amounts.as_ref().and_then(|amounts| amounts.get("storage"));
    amount
        .and_then(|text| Quantity::from_api(text).ok())
        .map_or(0, |quantity| quantity.bytes())
}
