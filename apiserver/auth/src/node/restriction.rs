//! What a node may write into the objects that it may write: upstream's NodeRestriction admission.
//!
//! The authorizer has judged names and nodes before; here stands what only the object itself can tell.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Identity, LEASES, POOL_ANNOTATION, graph::numbers};

/// Marks a pod that mirrors one of the node's own.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// Labels that an administrator sets and no node may touch.
const RESTRICTED_DOMAIN: &str = "node-restriction.kubernetes.io";
/// Domains in which a node may set labels.
const OWN_DOMAINS: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];
/// Labels of Kubernetes' own domains that a node may set.
const OWN_LABELS: [&str; 13] = [
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.kubernetes.io/region",
    "failure-domain.kubernetes.io/zone",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// Whether the caller acts for the Node of this name.
pub type Plays<'a> = &'a dyn Fn(&str) -> bool;

/// Labels or annotations.
pub type Texts = BTreeMap<String, String>;

/// A Node as a node writes it.
#[derive(Clone, Copy, Debug)]
pub struct NodeWrite<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a Texts,
    /// Its annotations.
    pub annotations: &'a Texts,
    /// Labels and annotations before; `None` for a new Node.
    pub before: Option<(&'a Texts, &'a Texts)>,
    /// Whether the taints differ from those before.
    pub changes_taints: bool,
}

/// Judges the writing of a Node.
///
/// # Errors
/// Why it is refused, in upstream's words.
pub fn node(caller: Identity<'_>, write: NodeWrite<'_>) -> Result<(), String> {
    let own = caller.name();
    let claimed = write
        .before
        .and_then(|(_, annotations)| annotations.get(POOL_ANNOTATION));
    let may = match caller {
        Identity::Node(name) => name == write.name,
        // A Node becomes the pool's by the annotation that it is given.
        Identity::Pool(name) => match claimed {
            Some(pool) => pool == name,
            None => numbers(caller, write.name),
        },
    };
    if !may {
        return Err(format!(
            "node {own:?} is not allowed to modify node {:?}",
            write.name
        ));
    }
    let none = Texts::new();
    let (labels, annotations) = write.before.unwrap_or((&none, &none));
    let forbidden: Vec<&str> = changed(labels, write.labels)
        .filter(|label| !is_own_label(label))
        .collect();
    if !forbidden.is_empty() {
        let what = if write.before.is_some() {
            "modify labels"
        } else {
            "set the following labels"
        };
        return Err(format!("is not allowed to {what}: {}", forbidden.join(", ")));
    }
    let pool = write.annotations.get(POOL_ANNOTATION);
    let is_own_pool = match caller {
        Identity::Node(_) => pool == annotations.get(POOL_ANNOTATION),
        Identity::Pool(name) => pool.is_some_and(|pool| pool == name),
    };
    if !is_own_pool {
        return Err(format!(
            "node {own:?} is not allowed to set annotation {POOL_ANNOTATION}"
        ));
    }
    if write.before.is_some() && write.changes_taints {
        return Err(format!("node {own:?} is not allowed to modify taints"));
    }
    Ok(())
}

/// Judges the creation of a pod.
///
/// # Errors
/// Why it is refused.
pub fn new_pod(plays: Plays<'_>, caller: Identity<'_>, pod: &Value) -> Result<(), String> {
    let own = caller.name();
    if pod["metadata"]["annotations"].get(MIRROR).is_none() {
        return Err(format!(
            "pod does not have {MIRROR:?} annotation, node {own:?} can only create mirror pods"
        ));
    }
    let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
    if !plays(node) {
        return Err(format!(
            "node {own:?} can only create pods with spec.nodeName set to itself"
        ));
    }
    let account = pod["spec"]["serviceAccountName"].as_str().unwrap_or_default();
    if !account.is_empty() {
        return Err(format!(
            "node {own:?} can not create pods that reference a service account"
        ));
    }
    let volumes = pod["spec"]["volumes"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let refers = |field: &str| volumes.iter().any(|volume| volume.get(field).is_some());
    for (field, name) in [
        ("secret", "secrets"),
        ("configMap", "configmaps"),
        ("persistentVolumeClaim", "persistentvolumeclaims"),
        ("projected", "projected volumes"),
    ] {
        if refers(field) {
            return Err(format!("node {own:?} can not create pods that reference {name}"));
        }
    }
    Ok(())
}

/// Judges the creation of an object that has to have the node's own name: a lease, a CSINode.
///
/// # Errors
/// Why it is refused.
pub fn own_name(plays: Plays<'_>, namespace: &str, name: &str) -> Result<(), String> {
    if !namespace.is_empty() && namespace != LEASES {
        return Err(format!(
            "can only access leases in the {LEASES:?} system namespace"
        ));
    }
    plays(name)
        .then_some(())
        .ok_or_else(|| "can only access node lease with the same name as the requesting node".to_owned())
}

/// Judges a request for a service account's token: it has to be bound to a pod of the node. `pod` is the name and UID of
/// the bound object, where that is a pod; `node` and `uid` are those of the pod as it is.
///
/// # Errors
/// Why it is refused.
pub fn token(plays: Plays<'_>, bound_uid: Option<&str>, pod: Option<(&str, &str)>) -> Result<(), String> {
    let Some(bound_uid) = bound_uid else {
        return Err("node requested token not bound to a pod".to_owned());
    };
    if bound_uid.is_empty() {
        return Err("node requested token with a pod binding without a uid".to_owned());
    }
    let Some((node, uid)) = pod else {
        return Err("node requested token bound to a pod that does not exist".to_owned());
    };
    if uid != bound_uid {
        return Err(format!(
            "the UID in the bound object reference ({bound_uid}) does not match the UID in record. The object might have been deleted and then recreated"
        ));
    }
    plays(node)
        .then_some(())
        .ok_or_else(|| "node requested token bound to a pod scheduled on a different node".to_owned())
}

fn changed<'a>(before: &'a Texts, after: &'a Texts) -> impl Iterator<Item = &'a str> {
    let set = after
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(value));
    let removed = before.keys().filter(|key| !after.contains_key(*key));
    set.map(|(key, _)| key).chain(removed).map(String::as_str)
}

fn is_own_label(label: &str) -> bool {
    let Some((domain, _)) = label.split_once('/') else {
        return true;
    };
    let is_in = |parent: &str| {
        domain
            .strip_suffix(parent)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if is_in(RESTRICTED_DOMAIN) {
        return false;
    }
    let is_kubernetes = is_in("kubernetes.io") || is_in("k8s.io");
    !is_kubernetes || OWN_LABELS.contains(&label) || OWN_DOMAINS.into_iter().any(is_in)
}
