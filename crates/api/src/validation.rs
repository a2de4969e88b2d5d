//! What makes an object valid, with upstream's messages.
//!
//! Pure functions on typed structs whose defaults are set: they return every mistake and change nothing. [`create`]
//! and [`update`] cover any built-in kind; the functions per kind are there for callers that hold the typed struct.
//! What needs other objects (does the namespace exist, is the port taken) is the apiserver's.
//!
//! Source: `pkg/apis/*/validation` of Kubernetes. Fields of features that Coracle does not have are not judged.

use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod,
    PodTemplate, ReplicationController, ResourceQuota, Secret, Service,
};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use crate::field_error::{FieldError, Path};
use crate::object::Object;

mod affinity;
mod apps;
mod around;
mod autoscaling;
mod batch;
mod bounds;
mod certificates;
mod check;
mod classes;
mod cluster;
mod container;
mod custom_resource;
mod data;
mod endpoints;
mod extensions;
mod ingress;
mod meta;
mod network_policy;
mod pod;
mod pod_parts;
mod policies;
mod probe;
mod rbac;
mod resources;
mod schedule;
mod selector;
mod service;
mod storage;
#[cfg(test)]
mod tests;
mod volume;
mod webhooks;
mod workload;

pub use apps::{
    controller_revision, controller_revision_update, daemon_set, daemon_set_update, replication_controller,
    replication_controller_update, standalone_template, stateful_set, stateful_set_update,
};
pub use autoscaling::{horizontal_pod_autoscaler, horizontal_pod_autoscaler_update};
pub use batch::{cron_job, cron_job_update, job, job_update};
pub use bounds::{limit_range, pod_disruption_budget, resource_quota, resource_quota_update};
pub use certificates::*;
pub use classes::*;
pub use cluster::{event, lease, namespace, node, node_update};
pub use custom_resource::*;
pub use data::{config_map, config_map_update, secret, secret_update};
pub use endpoints::endpoints;
pub use extensions::*;
pub use ingress::*;
pub use meta::{labels, object_meta, object_meta_update};
pub use network_policy::*;
pub use pod::{pod, pod_spec, pod_template, pod_update};
pub use pod_parts::{pod_ephemeral_containers_update, pod_resize};
pub use policies::*;
pub use rbac::*;
pub use selector::{label_selector, matches_template};
pub use service::{service, service_update};
pub use storage::{claim, claim_update, volume, volume_update};
pub use webhooks::*;
pub use workload::{deployment, deployment_update, replica_set, replica_set_update};

/// Mistakes in a new object of any built-in kind, its metadata included.
pub fn create(object: &dyn Object) -> Vec<FieldError> {
    let mut errors = object_meta(object.resource(), object.metadata());
    errors.extend(body(object));
    errors
}

/// Mistakes in the change from `old` to `new`, which are of one kind; what is wrong with `new` by itself included.
///
/// A pod template or pod spec that did not change is not judged again, so a status update stays cheap.
pub fn update(new: &dyn Object, old: &dyn Object) -> Vec<FieldError> {
    let mut errors = object_meta(new.resource(), new.metadata());
    errors.extend(object_meta_update(new.metadata(), old.metadata()));
    macro_rules! update {
        ($type:ty, $function:path) => {
            if let (Some(new), Some(old)) = (new.downcast_ref::<$type>(), old.downcast_ref::<$type>()) {
                errors.extend($function(new, old));
                return errors;
            }
        };
    }
    update!(Pod, pod_update);
    update!(ReplicaSet, replica_set_update);
    update!(Deployment, deployment_update);
    update!(Service, service_update);
    update!(ConfigMap, config_map_update);
    update!(Secret, secret_update);
    update!(Node, node_update);
    update!(PersistentVolume, volume_update);
    update!(PersistentVolumeClaim, claim_update);
    update!(DaemonSet, daemon_set_update);
    update!(StatefulSet, stateful_set_update);
    update!(ControllerRevision, controller_revision_update);
    update!(ReplicationController, replication_controller_update);
    update!(Job, job_update);
    update!(CronJob, cron_job_update);
    update!(HorizontalPodAutoscaler, horizontal_pod_autoscaler_update);
    update!(ResourceQuota, resource_quota_update);
    errors.extend(around::update(new, old).unwrap_or_else(|| body(new)));
    errors
}

/// Mistakes outside the metadata.
fn body(object: &dyn Object) -> Vec<FieldError> {
    macro_rules! body {
        ($type:ty, $function:path) => {
            if let Some(object) = object.downcast_ref::<$type>() {
                return $function(object);
            }
        };
    }
    body!(Pod, pod);
    body!(Event, event);
    body!(Lease, lease);
    body!(ReplicaSet, replica_set);
    body!(Deployment, deployment);
    body!(ConfigMap, config_map);
    body!(Secret, secret);
    body!(Service, service);
    body!(Node, node);
    body!(Namespace, namespace);
    body!(PersistentVolume, volume);
    body!(PersistentVolumeClaim, claim);
    body!(DaemonSet, daemon_set);
    body!(StatefulSet, stateful_set);
    body!(ControllerRevision, controller_revision);
    body!(ReplicationController, replication_controller);
    body!(PodTemplate, standalone_template);
    body!(Job, job);
    body!(CronJob, cron_job);
    body!(HorizontalPodAutoscaler, horizontal_pod_autoscaler);
    body!(PodDisruptionBudget, pod_disruption_budget);
    body!(LimitRange, limit_range);
    body!(ResourceQuota, resource_quota);
    body!(Endpoints, endpoints);
    around::body(object)
}

/// A field that must not change: `Invalid value: NEW: field is immutable`.
pub fn immutable<T: PartialEq>(
    new: &T,
    old: &T,
    path: &Path,
    shown: impl FnOnce(&T) -> crate::field_error::Value,
) -> Option<FieldError> {
    (new != old).then(|| FieldError::invalid(path, shown(new), check::IMMUTABLE))
}
