//! Which function judges which of the kinds around the workloads: access, admission, classes, extensions.

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
    ValidatingWebhookConfiguration,
};
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};
use k8s_openapi::api::networking::v1::{Ingress, IngressClass, NetworkPolicy};
use k8s_openapi::api::node::v1::RuntimeClass;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;

use super::*;

/// Mistakes in the change of an object; `None` where the kind has no rules about changes.
pub(super) fn update(new: &dyn Object, old: &dyn Object) -> Option<Vec<FieldError>> {
    macro_rules! each {
        ($($type:ty: $function:path,)*) => {
            $(if let (Some(new), Some(old)) = (new.downcast_ref::<$type>(), old.downcast_ref::<$type>()) {
                return Some($function(new, old));
            })*
        };
    }
    each! {
        EndpointSlice: endpoint_slice_update,
        RoleBinding: role_binding_update,
        ClusterRoleBinding: cluster_role_binding_update,
        Ingress: ingress_update,
        IngressClass: ingress_class_update,
        StorageClass: storage_class_update,
        VolumeAttachment: volume_attachment_update,
        CSIDriver: csi_driver_update,
        CSIStorageCapacity: csi_storage_capacity_update,
        CertificateSigningRequest: certificate_signing_request_update,
        PriorityClass: priority_class_update,
        RuntimeClass: runtime_class_update,
        CustomResourceDefinition: custom_resource_definition_update,
    }
    None
}

/// Mistakes outside the metadata.
pub(super) fn body(object: &dyn Object) -> Vec<FieldError> {
    macro_rules! each {
        ($($type:ty: $function:path,)*) => {
            $(if let Some(object) = object.downcast_ref::<$type>() {
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
    Vec::new()
}
