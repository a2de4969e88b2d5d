//! Built-in admission: pure functions over an object and what configures the cluster.
//!
//! A plugin is a file. [`mutate`] runs before a kind's strategy completes the object and again on what mutating
//! webhooks made of it, so every plugin leaves alone what it has already done; [`validate`] runs on the object as it
//! would be stored. Order and messages are upstream's. What upstream has and is not here: PodSecurity, PodNodeSelector,
//! EventRateLimit, ImagePolicyWebhook, AlwaysPullImages.

use std::collections::BTreeMap;

use coracle_api::{ApiError, Object};
use k8s_openapi::api::{
    core::v1::{LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod},
    networking::v1::{Ingress, IngressClass},
    node::v1::RuntimeClass,
    scheduling::v1::PriorityClass,
    storage::v1::StorageClass,
};

use crate::{Lookup, Operation, snapshot::all};

mod classes;
mod expressions;
mod limits;
mod priority;
pub mod resources;
mod runtime_class;
mod service_account;
#[cfg(test)]
mod tests;
mod tolerations;

/// What the plugins go by, read once per change.
#[derive(Debug, Default)]
pub struct Cluster {
    priorities: BTreeMap<String, PriorityClass>,
    default_priority: Option<String>,
    storage_classes: BTreeMap<String, StorageClass>,
    default_storage_class: Option<String>,
    default_ingress_class: Option<String>,
    runtime_classes: BTreeMap<String, RuntimeClass>,
    /// The limits of each namespace.
    limits: BTreeMap<String, Vec<LimitRangeItem>>,
}

impl Cluster {
    /// Reads the present objects.
    #[must_use]
    pub fn read(lookup: &dyn Lookup) -> Self {
        let priorities: Vec<PriorityClass> = all(lookup, "scheduling.k8s.io/v1", "PriorityClass");
        let storage: Vec<StorageClass> = all(lookup, "storage.k8s.io/v1", "StorageClass");
        let ingress: Vec<IngressClass> = all(lookup, "networking.k8s.io/v1", "IngressClass");
        let runtime: Vec<RuntimeClass> = all(lookup, "node.k8s.io/v1", "RuntimeClass");
        let mut limits: BTreeMap<String, Vec<LimitRangeItem>> = BTreeMap::new();
        for range in all::<LimitRange>(lookup, "v1", "LimitRange") {
            let items = range.spec.map(|spec| spec.limits).unwrap_or_default();
            limits
                .entry(range.metadata.namespace.unwrap_or_default())
                .or_default()
                .extend(items);
        }
        Self {
            default_priority: priority::default_of(&priorities),
            default_storage_class: classes::default_storage(&storage),
            default_ingress_class: classes::default_ingress(&ingress),
            priorities: by_name(priorities, |own| own.metadata.name.clone()),
            storage_classes: by_name(storage, |own| own.metadata.name.clone()),
            runtime_classes: by_name(runtime, |own| own.metadata.name.clone()),
            limits,
        }
    }

    fn limits(&self, namespace: &str) -> &[LimitRangeItem] {
        self.limits.get(namespace).map(Vec::as_slice).unwrap_or_default()
    }
}

fn by_name<T>(all: Vec<T>, name: impl Fn(&T) -> Option<String>) -> BTreeMap<String, T> {
    all.into_iter()
        .map(|own| (name(&own).unwrap_or_default(), own))
        .collect()
}

/// Completes an object that is being written; `old` is what it is now.
///
/// # Errors
/// [`ApiError`] where it must not be written.
pub fn mutate(
    cluster: &Cluster,
    lookup: &dyn Lookup,
    operation: Operation,
    object: &mut dyn Object,
    old: Option<&dyn Object>,
) -> Result<(), ApiError> {
    if let Some(pod) = object.downcast_mut::<Pod>() {
        let old = old.and_then(|old| old.downcast_ref::<Pod>());
        return mutate_pod(cluster, lookup, operation, pod, old).map_err(|why| refuse(object, why));
    }
    if operation != Operation::Create {
        return Ok(());
    }
    if let Some(claim) = object.downcast_mut::<PersistentVolumeClaim>() {
        classes::complete_claim(cluster, claim);
    } else if let Some(ingress) = object.downcast_mut::<Ingress>() {
        classes::complete_ingress(cluster, ingress);
    }
    Ok(())
}

fn mutate_pod(
    cluster: &Cluster,
    lookup: &dyn Lookup,
    operation: Operation,
    pod: &mut Pod,
    old: Option<&Pod>,
) -> Result<(), String> {
    if operation == Operation::Create {
        limits::complete_pod(cluster.limits(namespace_of(&pod.metadata)), pod);
        service_account::complete(lookup, pod)?;
        priority::complete(cluster, pod)?;
        runtime_class::complete(cluster, pod)?;
    } else {
        priority::keep(pod, old);
    }
    tolerations::complete(pod);
    Ok(())
}

/// Judges an object that is complete.
///
/// # Errors
/// [`ApiError`] where it must not be written.
pub fn validate(
    cluster: &Cluster,
    operation: Operation,
    object: &dyn Object,
    old: Option<&dyn Object>,
) -> Result<(), ApiError> {
    let judged = match object.downcast_ref::<Pod>() {
        Some(pod) if operation == Operation::Create || is_resized(pod, old) => {
            limits::judge_pod(cluster.limits(object.namespace()), pod)
        }
        _ => Ok(()),
    };
    let judged = judged.and_then(|()| match object.downcast_ref::<PersistentVolumeClaim>() {
        Some(claim) => {
            limits::judge_claim(cluster.limits(object.namespace()), claim)?;
            let old = old.and_then(|old| old.downcast_ref::<PersistentVolumeClaim>());
            old.map_or(Ok(()), |old| classes::judge_resize(cluster, claim, old))
        }
        None => Ok(()),
    });
    judged.map_err(|why| refuse(object, why))?;
    let mistakes = expressions::mistakes(object);
    if mistakes.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(object.resource(), object.name(), mistakes))
}

/// Whether a pod's containers shall get something else than they have.
fn is_resized(pod: &Pod, old: Option<&dyn Object>) -> bool {
    let Some(old) = old.and_then(|old| old.downcast_ref::<Pod>()) else {
        return false;
    };
    let sides = [resources::Side::Requests, resources::Side::Limits];
    sides
        .iter()
        .any(|side| resources::of_pod(pod, *side) != resources::of_pod(old, *side))
}

/// The refusal of an object, which may still be without a name of its own.
fn refuse(object: &dyn Object, why: String) -> ApiError {
    let name = match object.name() {
        "" => object.metadata().generate_name.as_deref().unwrap_or("Unknown"),
        name => name,
    };
    ApiError::forbidden(object.resource(), name, why)
}

fn namespace_of(metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> &str {
    metadata.namespace.as_deref().unwrap_or_default()
}
