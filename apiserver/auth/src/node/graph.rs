//! Which objects the pods of each node refer to, counted as pods come and go.
//!
//! A pod is read when it is first seen bound and again when it goes: its references cannot change in between. Only
//! counts by holder are kept, so a lookup costs the same however many pods refer to an object.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Deserialize;

use super::{Identity, POOL_ANNOTATION};

/// A node or a pool, as [`holder_name`] writes it.
type Holder = Arc<str>;
/// Resource, namespace, name.
type Reference = (&'static str, Box<str>, Box<str>);

/// Who may act for a node: the node itself, and the pool that has claimed it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Holders {
    node: Holder,
    pool: Option<Holder>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: BTreeMap<Box<str>, Holders>,
    /// Pods whose references are counted, by `namespace/name`, and for whom they are counted.
    pods: BTreeMap<Box<str>, Holders>,
    references: BTreeMap<Reference, BTreeMap<Holder, u32>>,
}

impl Graph {
    /// Takes a Node as it is now, or `None` where it is gone. Answers whether pods counted so far may have to be counted
    /// anew, because somebody else plays the node now.
    pub fn observe_node(&mut self, name: &str, json: Option<&[u8]>) -> bool {
        let Some(json) = json else {
            self.nodes.remove(name);
            return false;
        };
        let holders = Holders::of(name, Some(json));
        match self.nodes.insert(name.into(), holders.clone()) {
            Some(before) => before != holders,
            None => false,
        }
    }

    /// Whether a pod's references are counted already, so that its JSON need not be looked at.
    #[must_use]
    pub fn knows_pod(&self, namespace: &str, name: &str) -> bool {
        self.pods.contains_key(&*format!("{namespace}/{name}"))
    }

    /// Counts the references of a pod that is bound to `node`. `node_json` reads the Node where it is not known yet.
    pub fn add_pod(
        &mut self,
        (namespace, name): (&str, &str),
        node: &str,
        json: &[u8],
        node_json: impl FnOnce() -> Option<Vec<u8>>,
    ) {
        let key = format!("{namespace}/{name}");
        if self.pods.contains_key(&*key) {
            return;
        }
        let holders = match self.nodes.get(node) {
            Some(holders) => holders.clone(),
            None => {
                let holders = Holders::of(node, node_json().as_deref());
                self.nodes.insert(node.into(), holders.clone());
                holders
            }
        };
        for reference in references(namespace, name, json) {
            let counts = self.references.entry(reference).or_default();
            for holder in holders.each() {
                *counts.entry(Arc::clone(holder)).or_default() += 1;
            }
        }
        self.pods.insert(key.into(), holders);
    }

    /// Forgets the references of a pod; `json` is its last state.
    pub fn remove_pod(&mut self, namespace: &str, name: &str, json: &[u8]) {
        let Some(holders) = self.pods.remove(&*format!("{namespace}/{name}")) else {
            return;
        };
        for reference in references(namespace, name, json) {
            let Some(counts) = self.references.get_mut(&reference) else {
                continue;
            };
            for holder in holders.each() {
                if let Some(count) = counts.get_mut(holder) {
                    *count -= 1;
                    if *count == 0 {
                        counts.remove(holder);
                    }
                }
            }
            if counts.is_empty() {
                self.references.remove(&reference);
            }
        }
    }

    /// Forgets all pods.
    pub fn forget_pods(&mut self) {
        self.pods.clear();
        self.references.clear();
    }

    /// Forgets all nodes.
    pub fn forget_nodes(&mut self) {
        self.nodes.clear();
    }

    /// Whether a pod of the caller refers to the object.
    #[must_use]
    pub fn refers(&self, caller: Identity<'_>, resource: &str, namespace: &str, name: &str) -> bool {
        let Some(resource) = KINDS.into_iter().find(|kind| *kind == resource) else {
            return false;
        };
        self.references
            .get(&(resource, namespace.into(), name.into()))
            .is_some_and(|counts| counts.contains_key(&*holder_name(caller)))
    }

    /// Whether the caller acts for the Node: a node for itself, a pool for what it has claimed.
    #[must_use]
    pub fn plays(&self, caller: Identity<'_>, node: &str) -> bool {
        match caller {
            Identity::Node(name) => name == node,
            Identity::Pool(_) => {
                let pool = self.nodes.get(node).and_then(|holders| holders.pool.as_ref());
                pool.is_some_and(|pool| **pool == *holder_name(caller))
            }
        }
    }

    /// Whether the caller acts for the Node, or is a pool that may claim it: it is numbered as the pool's own, and no pool
    /// has claimed it.
    #[must_use]
    pub fn may_claim(&self, caller: Identity<'_>, node: &str) -> bool {
        let is_free = || self.nodes.get(node).is_none_or(|holders| holders.pool.is_none());
        self.plays(caller, node) || (numbers(caller, node) && is_free())
    }
}

impl Holders {
    fn of(node: &str, json: Option<&[u8]>) -> Self {
        let pool = json.and_then(pool_of);
        Self {
            node: holder_name(Identity::Node(node)).into(),
            pool: pool.map(|pool| holder_name(Identity::Pool(&pool)).into()),
        }
    }

    fn each(&self) -> impl Iterator<Item = &Holder> {
        std::iter::once(&self.node).chain(&self.pool)
    }
}

/// The kinds that pods refer to.
const KINDS: [&str; 4] = [
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "serviceaccounts",
];
/// Nodes that one pool may play.
const MAX_POOL: u32 = 1_000;

/// Whether a node is numbered as a pool's own: pool `PREFIX-FIRST` plays `PREFIX-N` from `FIRST` on.
#[must_use]
pub fn numbers(caller: Identity<'_>, node: &str) -> bool {
    fn split(name: &str) -> Option<(&str, u32)> {
        let (prefix, number) = name.rsplit_once('-')?;
        Some((prefix, number.parse().ok()?))
    }
    let Identity::Pool(pool) = caller else {
        return false;
    };
    match (split(pool), split(node)) {
        (Some((own, first)), Some((prefix, number))) => {
            own == prefix && (first..first.saturating_add(MAX_POOL)).contains(&number)
        }
        _ => false,
    }
}

fn holder_name(caller: Identity<'_>) -> String {
    match caller {
        Identity::Node(name) => format!("node/{name}"),
        Identity::Pool(name) => format!("pool/{name}"),
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Pod {
    spec: PodSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    volumes: Vec<Volume>,
    containers: Vec<Container>,
    init_containers: Vec<Container>,
    image_pull_secrets: Vec<Named>,
    service_account_name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Volume {
    name: String,
    secret: Option<SecretVolume>,
    config_map: Option<Named>,
    persistent_volume_claim: Option<ClaimVolume>,
    ephemeral: Option<serde::de::IgnoredAny>,
    projected: Option<Projected>,
    csi: Option<Csi>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SecretVolume {
    secret_name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClaimVolume {
    claim_name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Csi {
    node_publish_secret_ref: Option<Named>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Projected {
    sources: Vec<Source>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Source {
    secret: Option<Named>,
    config_map: Option<Named>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    env: Vec<EnvVar>,
    env_from: Vec<EnvFrom>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct EnvVar {
    value_from: Option<ValueFrom>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ValueFrom {
    secret_key_ref: Option<Named>,
    config_map_key_ref: Option<Named>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct EnvFrom {
    secret_ref: Option<Named>,
    config_map_ref: Option<Named>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

/// What a pod refers to, each once.
fn references(namespace: &str, pod_name: &str, json: &[u8]) -> BTreeSet<Reference> {
    let mut found = BTreeSet::new();
    let Ok(Pod { spec }) = serde_json::from_slice::<Pod>(json) else {
        return found;
    };
    let mut add = |kind: &'static str, name: &str| {
        if !name.is_empty() {
            found.insert((kind, Box::from(namespace), Box::from(name)));
        }
    };
    let [secrets, config_maps, claims, accounts] = KINDS;
    let name = |named: &Option<Named>| named.as_ref().map(|named| named.name.clone()).unwrap_or_default();
    match spec.service_account_name.as_str() {
        "" => add(accounts, "default"),
        account => add(accounts, account),
    }
    for secret in &spec.image_pull_secrets {
        add(secrets, &secret.name);
    }
    for volume in &spec.volumes {
        if let Some(secret) = &volume.secret {
            add(secrets, &secret.secret_name);
        }
        add(config_maps, &name(&volume.config_map));
        if let Some(claim) = &volume.persistent_volume_claim {
            add(claims, &claim.claim_name);
        }
        if volume.ephemeral.is_some() {
            add(claims, &format!("{pod_name}-{}", volume.name));
        }
        if let Some(csi) = &volume.csi {
            add(secrets, &name(&csi.node_publish_secret_ref));
        }
        for source in volume.projected.iter().flat_map(|projected| &projected.sources) {
            add(secrets, &name(&source.secret));
            add(config_maps, &name(&source.config_map));
        }
    }
    for container in spec.containers.iter().chain(&spec.init_containers) {
        for value in container
            .env
            .iter()
            .filter_map(|variable| variable.value_from.as_ref())
        {
            add(secrets, &name(&value.secret_key_ref));
            add(config_maps, &name(&value.config_map_key_ref));
        }
        for from in &container.env_from {
            add(secrets, &name(&from.secret_ref));
            add(config_maps, &name(&from.config_map_ref));
        }
    }
    found
}

/// The pool that a Node's JSON names.
#[must_use]
pub fn pool_of(json: &[u8]) -> Option<String> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Node {
        metadata: Metadata,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Metadata {
        annotations: BTreeMap<String, String>,
    }
    let node: Node = serde_json::from_slice(json).ok()?;
    node.metadata.annotations.get(POOL_ANNOTATION).cloned()
}

/// The claim (namespace, name) that a PersistentVolume is bound to.
pub(super) fn claim_of(json: &[u8]) -> Option<(String, String)> {
    #[derive(Deserialize)]
    struct Volume {
        spec: Spec,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Spec {
        claim_ref: Option<Claim>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Claim {
        namespace: String,
        name: String,
    }
    let volume: Volume = serde_json::from_slice(json).ok()?;
    volume.spec.claim_ref.map(|claim| (claim.namespace, claim.name))
}

/// The node of a VolumeAttachment.
pub(super) fn node_of_attachment(json: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Attachment {
        spec: Spec,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Spec {
        node_name: String,
    }
    serde_json::from_slice::<Attachment>(json)
        .ok()
        .map(|attachment| attachment.spec.node_name)
}
