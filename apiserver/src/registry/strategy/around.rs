//! The kinds around the workloads that need little more than the generic behaviour: access, admission, classes,
//! endpoints, flow control. A kind that does more has a file of its own.

use coracle_api::{
    ApiError, Resource, kinds,
    metrics::{NodeMetrics, PodMetrics},
    validation::SYSTEM_PRIORITY_CLASSES,
};
use k8s_openapi::api::{
    admissionregistration::v1::{
        MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
        ValidatingAdmissionPolicyStatus, ValidatingWebhookConfiguration,
    },
    core::v1::ComponentStatus,
    discovery::v1::EndpointSlice,
    flowcontrol::v1::{
        FlowSchema, FlowSchemaStatus, PriorityLevelConfiguration, PriorityLevelConfigurationStatus,
    },
    networking::v1::{Ingress, IngressClass, IngressLoadBalancerStatus, IngressStatus, NetworkPolicy},
    node::v1::RuntimeClass,
    rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
    scheduling::v1::PriorityClass,
    storage::v1::{
        CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment, VolumeAttachmentStatus,
    },
};

use super::Strategy;

/// Kinds without status and generation.
macro_rules! plain {
    ($($name:ident: $kind:ty = $row:ident,)*) => {$(
        pub(super) struct $name;

        impl Strategy for $name {
            type Kind = $kind;

            fn resource(&self) -> &'static Resource {
                kinds::$row
            }
        }
    )*};
}

plain! {
    RoleStrategy: Role = ROLE,
    RoleBindingStrategy: RoleBinding = ROLE_BINDING,
    ClusterRoleStrategy: ClusterRole = CLUSTER_ROLE,
    ClusterRoleBindingStrategy: ClusterRoleBinding = CLUSTER_ROLE_BINDING,
    RuntimeClassStrategy: RuntimeClass = RUNTIME_CLASS,
    StorageClassStrategy: StorageClass = STORAGE_CLASS,
    CsiDriverStrategy: CSIDriver = CSI_DRIVER,
    CsiNodeStrategy: CSINode = CSI_NODE,
    CsiStorageCapacityStrategy: CSIStorageCapacity = CSI_STORAGE_CAPACITY,
}

/// Kinds that are measured and never written.
macro_rules! measured {
    ($($name:ident: $kind:ty = $row:ident,)*) => {$(
        pub(super) struct $name;

        impl Strategy for $name {
            type Kind = $kind;

            fn resource(&self) -> &'static Resource {
                kinds::$row
            }

            fn refuse_create(&self) -> Option<ApiError> {
                Some(ApiError::method_not_allowed())
            }
        }
    )*};
}

measured! {
    ComponentStatusStrategy: ComponentStatus = COMPONENT_STATUS,
    NodeMetricsStrategy: NodeMetrics = NODE_METRICS,
    PodMetricsStrategy: PodMetrics = POD_METRICS,
}

/// Kinds without status, whose generation counts the changes of these fields.
macro_rules! counted {
    ($($name:ident: $kind:ty = $row:ident { $($field:ident),* },)*) => {$(
        pub(super) struct $name;

        impl Strategy for $name {
            type Kind = $kind;

            fn resource(&self) -> &'static Resource {
                kinds::$row
            }

            fn is_spec_changed(&self, new: &$kind, old: &$kind) -> Option<bool> {
                Some($(new.$field != old.$field)||*)
            }
        }
    )*};
}

counted! {
    IngressClassStrategy: IngressClass = INGRESS_CLASS { spec },
    NetworkPolicyStrategy: NetworkPolicy = NETWORK_POLICY { spec },
    EndpointSliceStrategy: EndpointSlice = ENDPOINT_SLICE { endpoints, ports, address_type },
    MutatingWebhooksStrategy: MutatingWebhookConfiguration = MUTATING_WEBHOOK_CONFIGURATION { webhooks },
    ValidatingWebhooksStrategy: ValidatingWebhookConfiguration = VALIDATING_WEBHOOK_CONFIGURATION { webhooks },
    PolicyBindingStrategy: ValidatingAdmissionPolicyBinding = VALIDATING_ADMISSION_POLICY_BINDING { spec },
}

/// Kinds with a status that only its own subresource writes; a new object has this one. The generation counts the
/// changes of the spec.
macro_rules! reported {
    ($($name:ident: $kind:ty = $row:ident { $status:expr },)*) => {$(
        pub(super) struct $name;

        impl Strategy for $name {
            type Kind = $kind;

            fn resource(&self) -> &'static Resource {
                kinds::$row
            }

            fn prepare_create(&self, object: &mut $kind) {
                object.status = Some($status);
            }

            fn prepare_update(&self, new: &mut $kind, old: &$kind) {
                new.status.clone_from(&old.status);
            }

            fn prepare_status_update(&self, new: &mut $kind, old: &$kind) {
                new.spec.clone_from(&old.spec);
                new.metadata.labels.clone_from(&old.metadata.labels);
            }

            fn is_spec_changed(&self, new: &$kind, old: &$kind) -> Option<bool> {
                Some(new.spec != old.spec)
            }
        }
    )*};
}

reported! {
    IngressStrategy: Ingress = INGRESS { IngressStatus { load_balancer: Some(IngressLoadBalancerStatus::default()) } },
    PolicyStrategy: ValidatingAdmissionPolicy = VALIDATING_ADMISSION_POLICY {
        ValidatingAdmissionPolicyStatus::default()
    },
    FlowSchemaStrategy: FlowSchema = FLOW_SCHEMA { FlowSchemaStatus::default() },
    PriorityLevelStrategy: PriorityLevelConfiguration = PRIORITY_LEVEL_CONFIGURATION {
        PriorityLevelConfigurationStatus::default()
    },
}

pub(super) struct VolumeAttachmentStrategy;

impl Strategy for VolumeAttachmentStrategy {
    type Kind = VolumeAttachment;

    fn resource(&self) -> &'static Resource {
        kinds::VOLUME_ATTACHMENT
    }

    fn prepare_create(&self, object: &mut VolumeAttachment) {
        object.status = Some(VolumeAttachmentStatus::default());
    }

    fn prepare_update(&self, new: &mut VolumeAttachment, old: &VolumeAttachment) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut VolumeAttachment, old: &VolumeAttachment) {
        new.spec.clone_from(&old.spec);
        new.metadata.labels.clone_from(&old.metadata.labels);
    }
}

/// PriorityClasses: their value never changes, so the generation stays where it was; the system's own stay for ever.
pub(super) struct PriorityClassStrategy;

impl Strategy for PriorityClassStrategy {
    type Kind = PriorityClass;

    fn resource(&self) -> &'static Resource {
        kinds::PRIORITY_CLASS
    }

    fn is_spec_changed(&self, _new: &PriorityClass, _old: &PriorityClass) -> Option<bool> {
        Some(false)
    }

    fn refuse_delete(&self, object: &PriorityClass) -> Option<&'static str> {
        let name = object.metadata.name.as_deref().unwrap_or_default();
        let is_own = SYSTEM_PRIORITY_CLASSES.iter().any(|(own, _)| *own == name);
        is_own.then_some("this is a system priority class and cannot be deleted")
    }
}
