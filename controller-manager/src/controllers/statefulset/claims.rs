//! The claims of a StatefulSet's pods: one for each ordinal and template, kept when the pod goes, and owned by whoever
//! shall take them along.
//!
//! Source: "Stable Storage" and "PersistentVolumeClaim retention" on the StatefulSet page of the Kubernetes
//! documentation.

use bytes::Bytes;
use coracle_api::kinds;
use coracle_client::{PatchType, Write};
use serde_json::{Map, Value, json};

use super::identity;
use crate::{
    view::{Claim, ClaimTemplate, Pod, StatefulSet},
    writes,
};

/// Who takes a claim along when it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeper {
    Nobody,
    Set,
    Pod,
}

fn name(set: &StatefulSet, template: &ClaimTemplate, ordinal: i32) -> String {
    format!("{}-{}", template.metadata.name, identity::name(set, ordinal))
}

/// The names of the claims of an ordinal.
pub(super) fn names(set: &StatefulSet, ordinal: i32) -> impl Iterator<Item = String> {
    let of = move |template| name(set, template, ordinal);
    set.claims.iter().map(of)
}

/// Whether a claim of this name is one that a pod of the set uses or would use.
pub(super) fn may_belong(set: &StatefulSet, claim: &str) -> bool {
    set.claims.iter().any(|template| {
        let rest = claim.strip_prefix(&*template.metadata.name);
        let pod = rest.and_then(|rest| rest.strip_prefix('-'));
        pod.is_some_and(|pod| identity::ordinal(set, pod).is_some())
    })
}

/// The volumes by which a pod of this ordinal uses its claims.
pub(super) fn volumes(set: &StatefulSet, ordinal: i32) -> Vec<Value> {
    let volume = |template: &ClaimTemplate| {
        let claim = json!({"claimName": name(set, template, ordinal)});
        json!({"name": template.metadata.name, "persistentVolumeClaim": claim})
    };
    set.claims.iter().map(volume).collect()
}

/// The claims of an ordinal that there are not.
pub(super) fn missing<'a>(
    set: &'a StatefulSet,
    ordinal: i32,
    is_there: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = (String, Bytes)> + 'a {
    let missing = move |template| {
        let name = name(set, template, ordinal);
        (!is_there(&name)).then(|| {
            let json = new_claim(set, template, &name);
            (name, json)
        })
    };
    set.claims.iter().filter_map(missing)
}

fn new_claim(set: &StatefulSet, template: &ClaimTemplate, name: &str) -> Bytes {
    let own = template.metadata.labels.iter();
    let labels = own.chain(set.match_labels.iter());
    let labels: Map<String, Value> = labels
        .map(|(key, value)| (key.to_owned(), json!(value)))
        .collect();
    let annotations = template.metadata.annotations.iter();
    let annotations: Map<String, Value> = annotations
        .map(|(key, value)| (key.to_owned(), json!(value)))
        .collect();
    let mut metadata = json!({
        "name": name, "namespace": set.meta.namespace, "labels": labels, "annotations": annotations,
    });
    // Whoever is scaled away later becomes the owner then.
    if set.retention.deletes_when_deleted {
        metadata["ownerReferences"] = json!([writes::owner_reference(kinds::STATEFUL_SET, &set.meta)]);
    }
    let body = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template.spec,
    });
    Bytes::from(body.to_string())
}

/// Whether a claim belongs to an earlier pod of the name, and goes with it.
pub(super) fn is_stale(claim: &Claim, pod_name: &str) -> bool {
    let owners = claim.meta.owners.iter();
    let mut pods = owners.filter(|owner| owner.resource == Some(kinds::POD));
    pods.any(|owner| &*owner.name == pod_name)
}

/// The write that gives a claim to whom the retention policy says; `None` where it is so, or where a stranger has it.
pub(super) fn keep(set: &StatefulSet, pod: &Pod, is_wanted: bool, claim: &Claim) -> Option<Write> {
    let keeper = keeper(set, is_wanted);
    let owners = &claim.meta.owners;
    let is_ours = |uid: &str| uid == &*set.meta.uid || uid == &*pod.meta.uid;
    if owners
        .iter()
        .any(|owner| owner.controller && !is_ours(&owner.uid))
    {
        return None;
    }
    let has = |uid: &str| owners.iter().any(|owner| &*owner.uid == uid);
    let both = [
        (Keeper::Set, kinds::STATEFUL_SET, &set.meta),
        (Keeper::Pod, kinds::POD, &pod.meta),
    ];
    let mut references = Vec::new();
    for (who, resource, meta) in both {
        match (who == keeper, has(&meta.uid)) {
            (true, false) => references.push(writes::owner_reference(resource, meta)),
            (false, true) => references.push(json!({"$patch": "delete", "uid": meta.uid})),
            _ => {}
        }
    }
    if references.is_empty() {
        return None;
    }
    let body = json!({"metadata": {"ownerReferences": references}});
    Some(Write::Patch {
        resource: kinds::PERSISTENT_VOLUME_CLAIM,
        namespace: claim.meta.namespace.to_string(),
        name: claim.meta.name.to_string(),
        subresource: "",
        patch_type: PatchType::StrategicMerge,
        patch: Bytes::from(body.to_string()),
        uid: claim.meta.uid.to_string(),
        revision: claim.meta.revision,
    })
}

fn keeper(set: &StatefulSet, is_wanted: bool) -> Keeper {
    if !is_wanted && set.retention.deletes_when_scaled {
        Keeper::Pod
    } else if set.retention.deletes_when_deleted {
        Keeper::Set
    } else {
        Keeper::Nobody
    }
}
