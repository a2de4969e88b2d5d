//! Defaults, exactly as upstream sets them.
//!
//! Every write passes through here before it is validated and compared, so an object means the same however it was
//! written: a template that was rolled back compares equal to the old one, an empty list to a missing one, `0.5` CPU
//! to `500m`. What admission adds (tolerations, service accounts) is not a default and lives in the apiserver.
//!
//! Source: `pkg/apis/*/v1/defaults.go` of Kubernetes and the behaviour of a real apiserver. Applying defaults twice
//! changes nothing.

use std::any::Any;

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
    ValidatingWebhookConfiguration,
};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::core::v1::{
    ConfigMap, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, Secret, Service,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};
use k8s_openapi::api::networking::v1::{Ingress, IngressClass, NetworkPolicy};
use k8s_openapi::api::node::v1::RuntimeClass;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;

use crate::object::Object;

mod admission;
mod apps;
mod autoscaling;
mod batch;
mod bounds;
mod classes;
mod container;
mod empty;
mod networking;
mod platform;
mod pod;
mod service;
mod storage;
#[cfg(test)]
mod tests;
mod workload;

pub use admission::{mutating_webhooks, policy, policy_binding, validating_webhooks};
pub use apps::{daemon_set, replication_controller, standalone_template, stateful_set};
pub use autoscaling::horizontal_pod_autoscaler;
pub use batch::{cron_job, job};
pub use bounds::{limit_range, pod_disruption_budget, resource_quota};
pub use classes::{csi_driver, csi_node, csi_storage_capacity, storage_class, volume_attachment};
pub use networking::{endpoint_slice, ingress, ingress_class, network_policy};
pub use platform::*;
pub use pod::{pod, pod_spec, pod_template};
pub use service::{endpoints, service};
pub use storage::{persistent_volume, persistent_volume_claim};
pub use workload::{deployment, replica_set};

use empty::{default_to, drop_blank, drop_empty, drop_false};

/// Sets the defaults of an object of any built-in kind. Kinds that have none are left as they are.
pub fn apply(object: &mut dyn Object) {
    metadata(object.metadata_mut());
    let any = object.as_any_mut();
    if let Some(object) = any.downcast_mut::<Pod>() {
        pod(object);
    } else if let Some(object) = any.downcast_mut::<Deployment>() {
        deployment(object);
    } else if let Some(object) = any.downcast_mut::<ReplicaSet>() {
        replica_set(object);
    } else if let Some(object) = any.downcast_mut::<Service>() {
        service(object);
    } else if let Some(object) = any.downcast_mut::<PersistentVolume>() {
        persistent_volume(object);
    } else if let Some(object) = any.downcast_mut::<PersistentVolumeClaim>() {
        persistent_volume_claim(object);
    } else if let Some(object) = any.downcast_mut::<Secret>() {
        secret(object);
    } else if let Some(object) = any.downcast_mut::<ConfigMap>() {
        drop_empty(&mut object.data);
        drop_empty(&mut object.binary_data);
    } else if let Some(object) = any.downcast_mut::<Namespace>() {
        namespace(object);
    } else if let Some(object) = any.downcast_mut::<Node>() {
        node(object);
    } else {
        around(object);
    }
}

/// Sets the defaults of the kinds around the workloads.
fn around(object: &mut dyn Object) {
    let any = object.as_any_mut();
    macro_rules! each {
        ($($type:ty: $function:path,)*) => {
            $(if let Some(object) = any.downcast_mut::<$type>() {
                return $function(object);
            })*
        };
    }
    each! {
        EndpointSlice: endpoint_slice,
        Role: role,
        RoleBinding: role_binding,
        ClusterRole: cluster_role,
        ClusterRoleBinding: cluster_role_binding,
        Ingress: ingress,
        IngressClass: ingress_class,
        NetworkPolicy: network_policy,
        StorageClass: storage_class,
        VolumeAttachment: volume_attachment,
        CSIDriver: csi_driver,
        CSINode: csi_node,
        CSIStorageCapacity: csi_storage_capacity,
        CertificateSigningRequest: certificate_signing_request,
        PriorityClass: priority_class,
        RuntimeClass: runtime_class,
        MutatingWebhookConfiguration: mutating_webhooks,
        ValidatingWebhookConfiguration: validating_webhooks,
        ValidatingAdmissionPolicy: policy,
        ValidatingAdmissionPolicyBinding: policy_binding,
        CustomResourceDefinition: custom_resource_definition,
        APIService: api_service,
        FlowSchema: flow_schema,
        PriorityLevelConfiguration: priority_level,
    }
    workload(any);
}

/// Sets the defaults of the kinds that run pods, bound them and find them.
fn workload(any: &mut dyn Any) {
    macro_rules! defaults {
        ($($function:path,)*) => {$(
            if let Some(object) = any.downcast_mut() {
                return $function(object);
            }
        )*};
    }
    defaults! {
        daemon_set,
        stateful_set,
        replication_controller,
        standalone_template,
        job,
        cron_job,
        horizontal_pod_autoscaler,
        pod_disruption_budget,
        limit_range,
        resource_quota,
        endpoints,
    }
}

/// Drops what is empty from metadata.
pub fn metadata(metadata: &mut k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) {
    drop_empty(&mut metadata.labels);
    drop_empty(&mut metadata.annotations);
    drop_empty(&mut metadata.finalizers);
    drop_empty(&mut metadata.owner_references);
    drop_empty(&mut metadata.managed_fields);
    drop_blank(&mut metadata.generate_name);
    drop_blank(&mut metadata.name);
    drop_blank(&mut metadata.namespace);
    drop_blank(&mut metadata.uid);
    drop_blank(&mut metadata.self_link);
}

/// Sets the type of a Secret, and moves `stringData`, which is only ever written, into `data`.
pub fn secret(secret: &mut Secret) {
    for (key, text) in secret.string_data.take().into_iter().flatten() {
        let data = secret.data.get_or_insert_default();
        data.insert(key, k8s_openapi::ByteString(text.into_bytes()));
    }
    drop_empty(&mut secret.data);
    drop_blank(&mut secret.type_);
    default_to(&mut secret.type_, "Opaque");
}

/// Labels a namespace with its own name, so that selectors can find it.
pub fn namespace(namespace: &mut Namespace) {
    if let Some(name) = &namespace.metadata.name {
        let labels = namespace.metadata.labels.get_or_insert_default();
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.clone());
    }
    let status = namespace.status.get_or_insert_default();
    drop_blank(&mut status.phase);
    default_to(&mut status.phase, "Active");
    if let Some(spec) = &mut namespace.spec {
        drop_empty(&mut spec.finalizers);
    }
}

/// A node can give out all it has, unless it says otherwise.
pub fn node(node: &mut Node) {
    if let Some(spec) = &mut node.spec {
        drop_empty(&mut spec.taints);
        drop_false(&mut spec.unschedulable);
        drop_blank(&mut spec.pod_cidr);
        drop_empty(&mut spec.pod_cidrs);
        // Each of the two names says the same.
        match (
            &spec.pod_cidr,
            spec.pod_cidrs.as_ref().and_then(|all| all.first()),
        ) {
            (Some(own), None) => spec.pod_cidrs = Some(vec![own.clone()]),
            (None, Some(first)) => spec.pod_cidr = Some(first.clone()),
            _ => {}
        }
    }
    let Some(status) = &mut node.status else { return };
    container::quantities(&mut status.capacity);
    container::quantities(&mut status.allocatable);
    if status.allocatable.is_none() {
        status.allocatable.clone_from(&status.capacity);
    }
}
