//! DefaultStorageClass, DefaultIngressClass, and PersistentVolumeClaimResize: the classes that claims and Ingresses
//! name, or get where they name none.

use coracle_api::Quantity;
use k8s_openapi::api::{
    core::v1::PersistentVolumeClaim,
    networking::v1::{Ingress, IngressClass},
    storage::v1::StorageClass,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::Cluster;

const DEFAULT_STORAGE: &[&str] = &[
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];
const DEFAULT_INGRESS: &[&str] = &["ingressclass.kubernetes.io/is-default-class"];
/// How claims and Ingresses named their class before there was a field for it.
const CLAIM_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
const INGRESS_CLASS: &str = "kubernetes.io/ingress.class";

/// The class of claims that name none: of several, the newest.
pub(super) fn default_storage(classes: &[StorageClass]) -> Option<String> {
    newest(classes.iter().map(|class| &class.metadata), DEFAULT_STORAGE)
}

pub(super) fn default_ingress(classes: &[IngressClass]) -> Option<String> {
    newest(classes.iter().map(|class| &class.metadata), DEFAULT_INGRESS)
}

fn newest<'a>(all: impl Iterator<Item = &'a ObjectMeta>, annotations: &[&str]) -> Option<String> {
    let is_default = |metadata: &&ObjectMeta| {
        let own = metadata.annotations.as_ref();
        annotations.iter().any(|name| {
            own.and_then(|own| own.get(*name))
                .is_some_and(|value| value == "true")
        })
    };
    all.filter(is_default)
        // Of equally old ones the first by name.
        .max_by(|one, other| {
            let born = |metadata: &ObjectMeta| metadata.creation_timestamp.as_ref().map(|time| time.0);
            born(one)
                .cmp(&born(other))
                .then_with(|| other.name.cmp(&one.name))
        })
        .and_then(|metadata| metadata.name.clone())
}

pub(super) fn complete_claim(cluster: &Cluster, claim: &mut PersistentVolumeClaim) {
    let spec = claim.spec.get_or_insert_default();
    // An empty name asks for no class at all.
    if spec.storage_class_name.is_none() && !has(&claim.metadata, CLAIM_CLASS) {
        spec.storage_class_name.clone_from(&cluster.default_storage_class);
    }
}

pub(super) fn complete_ingress(cluster: &Cluster, ingress: &mut Ingress) {
    let spec = ingress.spec.get_or_insert_default();
    if spec.ingress_class_name.is_none() && !has(&ingress.metadata, INGRESS_CLASS) {
        spec.ingress_class_name.clone_from(&cluster.default_ingress_class);
    }
}

fn has(metadata: &ObjectMeta, annotation: &str) -> bool {
    metadata
        .annotations
        .as_ref()
        .is_some_and(|own| own.contains_key(annotation))
}

/// A claim grows only where its class allows it.
pub(super) fn judge_resize(
    cluster: &Cluster,
    new: &PersistentVolumeClaim,
    old: &PersistentVolumeClaim,
) -> Result<(), String> {
    if size(new) <= size(old) {
        return Ok(());
    }
    let phase = old.status.as_ref().and_then(|status| status.phase.as_deref());
    if phase != Some("Bound") {
        return Err("Only bound persistent volume claims can be expanded".to_owned());
    }
    let class = new
        .spec
        .as_ref()
        .and_then(|spec| spec.storage_class_name.as_deref());
    let allows = class
        .and_then(|name| cluster.storage_classes.get(name))
        .is_some_and(|class| class.allow_volume_expansion == Some(true));
    if allows {
        return Ok(());
    }
    Err(
        "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support \
         resize"
            .to_owned(),
    )
}

fn size(claim: &PersistentVolumeClaim) -> Quantity {
    let requests = claim
        .spec
        .as_ref()
        .and_then(|spec| spec.resources.as_ref())
        .and_then(|own| own.requests.as_ref());
    requests
        .and_then(|own| own.get("storage"))
        .and_then(|own| Quantity::from_api(own).ok())
        .unwrap_or(Quantity::ZERO)
}
