//! Who a pod of a StatefulSet is: its ordinal, and the name, host, labels and volumes that follow from it.
//!
//! Source: "Pod Identity" on the StatefulSet page of the Kubernetes documentation.

use bytes::Bytes;
use coracle_api::kinds;
use serde_json::{Value, json};

use super::claims;
use crate::{
    view::{Meta, Pod, Revision, StatefulSet},
    writes,
};

/// The revision that a pod was made of, by its name.
pub(super) const REVISION_LABEL: &str = "controller-revision-hash";
const NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
const INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";

/// The ordinals that the set wants.
pub(super) fn range(set: &StatefulSet) -> std::ops::Range<i32> {
    set.start..set.start.saturating_add(set.replicas)
}

/// The name of the pod with this ordinal.
pub(super) fn name(set: &StatefulSet, ordinal: i32) -> String {
    format!("{}-{ordinal}", set.meta.name)
}

/// The ordinal of a pod of this name; `None` where it is none that the set would make.
pub(super) fn ordinal(set: &StatefulSet, pod: &str) -> Option<i32> {
    let (parent, digits) = pod.rsplit_once('-')?;
    let ordinal: i32 = digits.parse().ok()?;
    (parent == &*set.meta.name && ordinal >= 0 && ordinal.to_string() == digits).then_some(ordinal)
}

/// Whether the pod carries the labels of its identity.
pub(super) fn is_labeled(pod: &Meta, ordinal: i32) -> bool {
    pod.labels.get(NAME_LABEL) == Some(&*pod.name)
        && pod.labels.get(INDEX_LABEL) == Some(&*ordinal.to_string())
}

/// The labels of an identity, as a patch.
pub(super) fn label_patch(pod: &Meta, ordinal: i32) -> Value {
    json!({"metadata": {"labels": {NAME_LABEL: pod.name, INDEX_LABEL: ordinal.to_string()}}})
}

/// The name of the revision that a pod was made of.
pub(super) fn revision(pod: &Pod) -> &str {
    pod.meta.labels.get(REVISION_LABEL).unwrap_or_default()
}

/// A new pod of this ordinal.
pub(super) fn pod(set: &StatefulSet, revision: &Revision, ordinal: i32) -> Bytes {
    let name = name(set, ordinal);
    let mut metadata = revision.template.metadata.clone();
    metadata["name"] = json!(name);
    metadata["namespace"] = json!(set.meta.namespace);
    metadata["labels"][REVISION_LABEL] = json!(revision.meta.name);
    metadata["labels"][NAME_LABEL] = json!(name);
    metadata["labels"][INDEX_LABEL] = json!(ordinal.to_string());
    metadata["ownerReferences"] = json!([writes::owner_reference(kinds::STATEFUL_SET, &set.meta)]);
    let mut spec: Value = serde_json::from_str(&revision.template.spec).unwrap_or_default();
    spec["hostname"] = json!(name);
    spec["subdomain"] = json!(set.service_name);
    let own = claims::volumes(set, ordinal);
    if !own.is_empty() {
        let is_replaced = |volume: &Value| own.iter().any(|own| own["name"] == volume["name"]);
        let others = spec["volumes"].as_array().into_iter().flatten();
        let others = others.filter(|volume| !is_replaced(volume)).cloned();
        spec["volumes"] = others.chain(own.iter().cloned()).collect();
    }
    let body = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
    Bytes::from(body.to_string())
}
