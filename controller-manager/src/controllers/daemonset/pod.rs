//! A daemon's pod: made for one node, which the scheduler reads from its affinity.

use bytes::Bytes;
use coracle_api::kinds;
use serde_json::{Value, json};

use crate::{
    view::{DaemonSet, Pod},
    writes,
};

/// The hash of the revision that a pod was made of.
pub(super) const HASH_LABEL: &str = "controller-revision-hash";
const GENERATION_LABEL: &str = "pod-template-generation";
/// Where the API counts changes of the template.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// The hash of the revision that the pod was made of.
pub(super) fn hash(pod: &Pod) -> &str {
    pod.meta.labels.get(HASH_LABEL).unwrap_or_default()
}

/// A new pod for a node.
pub(super) fn new(set: &DaemonSet, hash: &str, node: &str) -> Bytes {
    let mut metadata = set.template.metadata.clone();
    metadata["generateName"] = json!(format!("{}-", set.meta.name));
    metadata["namespace"] = json!(set.meta.namespace);
    metadata["labels"][HASH_LABEL] = json!(hash);
    if let Some(generation) = set.annotations.get(TEMPLATE_GENERATION) {
        metadata["labels"][GENERATION_LABEL] = json!(generation);
    }
    metadata["ownerReferences"] = json!([writes::owner_reference(kinds::DAEMON_SET, &set.meta)]);
    let mut spec: Value = serde_json::from_str(&set.template.spec).unwrap_or_default();
    // Which nodes fit was judged by the controller; the pod is for this one.
    let name = json!({"key": "metadata.name", "operator": "In", "values": [node]});
    spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
        json!({"nodeSelectorTerms": [{"matchFields": [name]}]});
    spec["tolerations"] = json!(set.placement.tolerations);
    let body = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
    Bytes::from(body.to_string())
}
