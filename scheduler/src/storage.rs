//! What the scheduler knows of claims, volumes, storage classes and drivers, and which node uses which claim.
//!
//! Changed in place by the caches, as the rest of the snapshot. A volume that was chosen for a pod's claim is
//! *assumed* for it from the decision on, so that two claims never run for the same one; the cache's next word about
//! the volume, or [`Storage::release`], ends that.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use coracle_api::LabelSelector;
use coracle_runtime::Key;

use crate::{
    requirements::{Label, Load, NodeSelectorTerm},
    snapshot::NodeIndex,
};

#[cfg(test)]
mod tests;

/// A PersistentVolumeClaim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// metadata.uid
    pub uid: Box<str>,
    /// metadata.resourceVersion
    pub revision: i64,
    /// spec.storageClassName
    pub class: Box<str>,
    /// spec.volumeName; empty until one is bound or was chosen.
    pub volume: Box<str>,
    /// Whether the binding is complete.
    pub is_bound: bool,
    /// Whether status.phase is Lost.
    pub is_lost: bool,
    /// Whether it is being deleted.
    pub is_deleting: bool,
    /// The node that a provisioner was told.
    pub selected_node: Box<str>,
    /// spec.accessModes
    pub access_modes: Box<[Box<str>]>,
    /// spec.volumeMode
    pub is_block: bool,
    /// spec.resources.requests.storage
    pub bytes: i64,
    /// spec.selector
    pub selector: Option<LabelSelector>,
}

/// A PersistentVolume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// metadata.name
    pub name: Box<str>,
    /// metadata.uid
    pub uid: Box<str>,
    /// metadata.resourceVersion
    pub revision: i64,
    /// metadata.labels, sorted.
    pub labels: Box<[Label]>,
    /// spec.storageClassName
    pub class: Box<str>,
    /// Namespace and name of the claim that it is bound to or kept for.
    pub claim: Option<Key>,
    /// Whether a claim with a UID has it.
    pub is_bound: bool,
    /// Whether it can be bound at all: its phase is Available or not set yet.
    pub is_available: bool,
    /// spec.accessModes
    pub access_modes: Box<[Box<str>]>,
    /// spec.volumeMode
    pub is_block: bool,
    /// spec.capacity.storage
    pub bytes: i64,
    /// spec.nodeAffinity.required
    pub node_terms: Option<Box<[NodeSelectorTerm]>>,
    /// spec.csi.driver
    pub driver: Box<str>,
    /// spec.csi.volumeHandle
    pub handle: Box<str>,
}

/// A StorageClass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageClass {
    /// provisioner
    pub provisioner: Box<str>,
    /// volumeBindingMode
    pub waits_for_consumer: bool,
    /// allowedTopologies: one of them must match.
    pub topologies: Box<[NodeSelectorTerm]>,
}

impl StorageClass {
    /// Whether somebody makes volumes for it.
    #[must_use]
    pub fn provisions(&self) -> bool {
        !matches!(&*self.provisioner, "" | "kubernetes.io/no-provisioner")
    }
}

/// A CSINode: how many volumes of each driver it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drivers(pub Box<[(Box<str>, i64)]>);

/// Everything about volumes.
#[derive(Debug, Default)]
pub struct Storage {
    claims: HashMap<Key, Arc<Claim>>,
    volumes: BTreeMap<Box<str>, Arc<Volume>>,
    classes: HashMap<Box<str>, Arc<StorageClass>>,
    drivers: HashMap<Box<str>, Arc<Drivers>>,
    /// Volumes chosen for claims, not yet shown by the cache.
    assumed: HashMap<Box<str>, Key>,
    /// How many pods on each node use a claim.
    users: HashMap<Key, HashMap<NodeIndex, u32>>,
    /// Claims in use on a node.
    on_node: HashMap<NodeIndex, BTreeMap<Key, u32>>,
}

impl Storage {
    /// Takes note of a claim.
    pub fn set_claim(&mut self, key: &Key, claim: Option<Arc<Claim>>) {
        match claim {
            Some(claim) => self.claims.insert(key.clone(), claim),
            None => self.claims.remove(key),
        };
    }

    /// Takes note of a volume.
    pub fn set_volume(&mut self, name: &str, volume: Option<Arc<Volume>>) {
        match volume {
            Some(volume) => {
                if volume.claim.is_some() {
                    self.assumed.remove(name);
                }
                self.volumes.insert(name.into(), volume)
            }
            None => self.volumes.remove(name),
        };
    }

    /// Takes note of a storage class.
    pub fn set_class(&mut self, name: &str, class: Option<Arc<StorageClass>>) {
        match class {
            Some(class) => self.classes.insert(name.into(), class),
            None => self.classes.remove(name),
        };
    }

    /// Takes note of a node's drivers.
    pub fn set_drivers(&mut self, node: &str, drivers: Option<Arc<Drivers>>) {
        match drivers {
            Some(drivers) => self.drivers.insert(node.into(), drivers),
            None => self.drivers.remove(node),
        };
    }

    /// A claim.
    #[must_use]
    pub fn claim(&self, key: &Key) -> Option<&Arc<Claim>> {
        self.claims.get(key)
    }

    /// A volume.
    #[must_use]
    pub fn volume(&self, name: &str) -> Option<&Arc<Volume>> {
        self.volumes.get(name)
    }

    /// A storage class.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<&Arc<StorageClass>> {
        self.classes.get(name)
    }

    /// How many volumes of each driver a node takes.
    #[must_use]
    pub fn drivers(&self, node: &str) -> Option<&Drivers> {
        self.drivers.get(node).map(|drivers| &**drivers)
    }

    /// Whether any pod on a node uses a claim.
    #[must_use]
    pub fn is_used(&self, claim: &Key) -> bool {
        self.users.contains_key(claim)
    }

    /// The claims in use on a node.
    pub fn used_on(&self, index: NodeIndex) -> impl Iterator<Item = &Key> {
        self.on_node.get(&index).into_iter().flat_map(BTreeMap::keys)
    }

    /// Volumes that a claim could be bound to, smallest first, whatever the node.
    pub fn fitting<'a>(&'a self, key: &'a Key, claim: &'a Claim) -> Vec<&'a Volume> {
        let is_free = |volume: &Volume| match &volume.claim {
            Some(kept_for) => kept_for == key && !volume.is_bound,
            None => volume.is_available && self.assumed.get(&volume.name).is_none_or(|taker| taker == key),
        };
        let fits = |volume: &Volume| {
            volume.class == claim.class
                && volume.is_block == claim.is_block
                && volume.bytes >= claim.bytes
                && (claim.access_modes.iter()).all(|mode| volume.access_modes.contains(mode))
                && (claim.selector.as_ref()).is_none_or(|selector| selector.matches(&*volume.labels))
        };
        let mut fitting: Vec<&Volume> = (self.volumes.values().map(|volume| &**volume))
            .filter(|volume| is_free(volume) && fits(volume))
            .collect();
        // One that is kept for the claim comes first, then the smallest; the map's order decides between equals.
        fitting.sort_by_key(|volume| (volume.claim.is_none(), volume.bytes));
        fitting
    }

    /// Keeps a volume for a claim.
    pub fn assume(&mut self, volume: &str, claim: &Key) {
        self.assumed.insert(volume.into(), claim.clone());
    }

    /// Nothing is kept for the claim any more.
    pub fn release(&mut self, claim: &Key) {
        self.assumed.retain(|_, taker| taker != claim);
    }

    /// A pod uses its claims on a node.
    pub(crate) fn add(&mut self, index: NodeIndex, load: &Load) {
        for key in claims_of(load) {
            let users = self.users.entry(key.clone()).or_default();
            *users.entry(index).or_default() += 1;
            *self.on_node.entry(index).or_default().entry(key).or_default() += 1;
        }
    }

    /// A pod uses its claims no more.
    pub(crate) fn remove(&mut self, index: NodeIndex, load: &Load) {
        for key in claims_of(load) {
            if let Some(users) = self.users.get_mut(&key) {
                if let Some(count) = users.get_mut(&index) {
                    *count -= 1;
                    if *count == 0 {
                        users.remove(&index);
                    }
                }
                if users.is_empty() {
                    self.users.remove(&key);
                }
            }
            if let Some(claims) = self.on_node.get_mut(&index) {
                if let Some(count) = claims.get_mut(&key) {
                    *count -= 1;
                    if *count == 0 {
                        claims.remove(&key);
                    }
                }
                if claims.is_empty() {
                    self.on_node.remove(&index);
                }
            }
        }
    }
}

/// The keys of the claims that a pod uses.
pub fn claims_of(load: &Load) -> impl Iterator<Item = Key> + '_ {
    let namespace = &load.identity.namespace;
    load.claims.iter().map(|name| Key::new(namespace, name))
}
