//! A Node's summary.

use coracle_api::{ApiError, Quantity};
use coracle_proto::v1 as pb;
use k8s_openapi::api::core::v1::Node;

use super::{Entry, labels, timestamp};

pub(super) fn summary(entry: &Entry) -> Result<pb::Node, ApiError> {
    let node: Node = coracle_api::object::typed(&entry.json).map_err(ApiError::internal)?;
    let status = node.status.unwrap_or_default();
    let is_ready = |condition: &k8s_openapi::api::core::v1::NodeCondition| {
        condition.type_ == "Ready" && condition.status == "True"
    };
    let address = status
        .addresses
        .iter()
        .flatten()
        .find(|address| address.type_ == "InternalIP");
    let allocatable = status.allocatable.unwrap_or_default();
    let quantity = |name: &str| {
        allocatable
            .get(name)
            .and_then(|text| Quantity::from_api(text).ok())
    };
    Ok(pb::Node {
        name: entry.attributes.name.to_string(),
        uid: entry.attributes.uid.to_string(),
        revision: entry.revision,
        labels: labels(&entry.attributes.labels),
        ready: status.conditions.iter().flatten().any(is_ready),
        unschedulable: node.spec.and_then(|spec| spec.unschedulable).unwrap_or(false),
        internal_ip: address.map(|address| address.address.clone()).unwrap_or_default(),
        kubelet_version: status
            .node_info
            .map(|info| info.kubelet_version)
            .unwrap_or_default(),
        cpu_millicores: quantity("cpu").map_or(0, |cpu| cpu.milli()),
        memory_bytes: quantity("memory").map_or(0, |memory| memory.bytes()),
        pods: quantity("pods").map_or(0, |pods| pods.whole()),
        created: timestamp(node.metadata.creation_timestamp.map(|time| time.0)),
    })
}
