//! Built-in objects as typed structs behind one trait, and the way from JSON to them.
//!
//! Decoding a Kubernetes type is a large generic instantiation, so it happens only here, in functions that are not
//! generic: everybody else goes through [`decode`], [`typed`] and [`Object::to_json`]. What the struct does not know
//! is reported, not kept; deciding whether that is ignored, warned of or refused is the caller's.

use std::any::Any;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::kinds::{self, Resource};
use crate::scan;
use crate::schema::{self, View};

mod custom;
mod error;
#[cfg(test)]
mod tests;

pub use custom::Custom;
pub use error::DecodeError;

/// A built-in object of any kind.
pub trait Object: Any + Send + Sync + fmt::Debug {
    /// The row of this object's kind.
    fn resource(&self) -> &'static Resource;
    /// The object's metadata.
    fn metadata(&self) -> &ObjectMeta;
    /// The object's metadata, to change.
    fn metadata_mut(&mut self) -> &mut ObjectMeta;
    /// The object as JSON, `apiVersion`, `kind` and `metadata` first.
    fn to_json(&self) -> Vec<u8>;
    /// A copy.
    fn clone_box(&self) -> Box<dyn Object>;
    /// For downcasts; see `downcast_ref` of `dyn Object`.
    fn as_any(&self) -> &dyn Any;
    /// For downcasts; see `downcast_mut` of `dyn Object`.
    fn as_any_mut(&mut self) -> &mut dyn Any;
    /// For downcasts by value.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl dyn Object {
    /// The typed object, where it is a `T`.
    pub fn downcast_ref<T: Object>(&self) -> Option<&T> {
        self.as_any().downcast_ref()
    }

    /// The typed object, to change, where it is a `T`.
    pub fn downcast_mut<T: Object>(&mut self) -> Option<&mut T> {
        self.as_any_mut().downcast_mut()
    }

    /// The object's name; empty where it has none yet.
    pub fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }

    /// The object's namespace; empty for cluster-scoped kinds.
    pub fn namespace(&self) -> &str {
        self.metadata().namespace.as_deref().unwrap_or_default()
    }
}

impl Clone for Box<dyn Object> {
    fn clone(&self) -> Self {
        self.as_ref().clone_box()
    }
}

/// A typed struct that has a row in the table of kinds.
pub trait BuiltIn: Object + Sized {
    /// Decodes the struct; unknown fields are dropped.
    fn parse(json: &[u8]) -> Result<Self, serde_json::Error>;
    /// As [`BuiltIn::parse`], for those who know the kind only by its row.
    fn decode(json: &[u8]) -> Result<Box<dyn Object>, serde_json::Error>;
}

/// How a row of the table decodes its kind.
pub type DecodeFn = fn(&[u8]) -> Result<Box<dyn Object>, serde_json::Error>;

/// An object read from JSON, with what was strange about the JSON.
#[derive(Debug)]
pub struct Decoded {
    /// The object, without what its struct does not know.
    pub object: Box<dyn Object>,
    /// Paths of fields that the struct does not know.
    pub unknown_fields: Vec<String>,
    /// Paths of fields that occur twice; the last one counts. Empty unless [`Duplicates::Find`] was asked for.
    pub duplicate_fields: Vec<String>,
}

impl Decoded {
    /// What is strange, in the words of upstream's warnings, duplicates first.
    pub fn warnings(&self) -> Vec<String> {
        let duplicates = self
            .duplicate_fields
            .iter()
            .map(|path| format!("duplicate field \"{path}\""));
        duplicates
            .chain(
                self.unknown_fields
                    .iter()
                    .map(|path| format!("unknown field \"{path}\"")),
            )
            .collect()
    }

    /// `strict decoding error: unknown field "spec.x"`, where anything is strange.
    pub fn strict_error(&self) -> Option<String> {
        let warnings = self.warnings();
        (!warnings.is_empty()).then(|| format!("strict decoding error: {}", warnings.join(", ")))
    }
}

/// Whether [`decode`] looks for fields that occur twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// Report them.
    Find,
    /// The last one wins, silently.
    Ignore,
}

/// Reads an object of `resource` from JSON.
///
/// `apiVersion` and `kind` may be missing (the Python client leaves them out); where they are there, they must fit.
pub fn decode(resource: &Resource, json: &[u8], duplicates: Duplicates) -> Result<Decoded, DecodeError> {
    let object = (resource.decode)(json).map_err(|source| DecodeError::explain(resource, json, &source))?;
    let shape = schema::builtin(resource.api_version, resource.kind).unwrap_or(View::any());
    let strange = scan::strange_fields(json, shape);
    Ok(Decoded {
        object,
        unknown_fields: strange.unknown,
        duplicate_fields: match duplicates {
            Duplicates::Find => strange.duplicate,
            Duplicates::Ignore => Vec::new(),
        },
    })
}

/// The JSON of a stored object as `resource` shows it, which may be another version than the stored one.
pub fn served(resource: &'static Resource, stored: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let storage = resource.storage();
    let object = (storage.decode)(stored).map_err(|source| DecodeError::broken(stored, &source))?;
    Ok(match resource.stored_as {
        Some(other) => (other.convert)(object, resource).to_json(),
        None => object.to_json(),
    })
}

/// Reads a typed object from JSON that is known to be sound, such as what the store holds.
pub fn typed<T: BuiltIn>(json: &[u8]) -> Result<T, DecodeError> {
    T::parse(json).map_err(|source| DecodeError::broken(json, &source))
}

/// Moves `metadata` behind `apiVersion` and `kind`, where the canonical encoding wants it.
///
/// The generated structs write their fields in alphabetical order, so data may stand before metadata.
fn metadata_first(mut json: Vec<u8>) -> Vec<u8> {
    const NAME: &[u8] = b"\"metadata\":";
    let Some(start) = scan::field_ends(&json).nth(1).map(|end| end + 1) else {
        return json;
    };
    if json[start..].starts_with(NAME) {
        return json;
    }
    let mut field_start = start;
    let found = scan::field_ends(&json).skip(2).find_map(|end| {
        let field = field_start..end;
        field_start = end + 1;
        json[field.clone()].starts_with(NAME).then_some(field)
    });
    if let Some(field) = found {
        // `a,b,metadata` becomes `metadata,a,b` with the comma in between carried along.
        let before = field.start - start;
        json[start..field.end].rotate_left(before);
        json[start + field.len()..field.end].rotate_right(1);
    }
    json
}

macro_rules! built_in {
    ($($row:ident: $type:ty,)*) => {$(
        impl Object for $type {
            fn resource(&self) -> &'static Resource {
                kinds::$row
            }
            fn metadata(&self) -> &ObjectMeta {
                &self.metadata
            }
            fn metadata_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
            fn to_json(&self) -> Vec<u8> {
                match serde_json::to_vec(self) {
                    Ok(json) => metadata_first(json),
                    Err(error) => unreachable!("a typed object has only string keys and finite numbers: {error}"),
                }
            }
            fn clone_box(&self) -> Box<dyn Object> {
                Box::new(self.clone())
            }
            fn as_any(&self) -> &dyn Any {
                self
            }
            fn as_any_mut(&mut self) -> &mut dyn Any {
                self
            }
            fn into_any(self: Box<Self>) -> Box<dyn Any> {
                self
            }
        }

        impl BuiltIn for $type {
            fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
                serde_json::from_slice(json)
            }
            fn decode(json: &[u8]) -> Result<Box<dyn Object>, serde_json::Error> {
                Self::parse(json).map(|object| Box::new(object) as Box<dyn Object>)
            }
        }
    )*};
}

built_in! {
    NAMESPACE: k8s_openapi::api::core::v1::Namespace,
    NODE: k8s_openapi::api::core::v1::Node,
    PERSISTENT_VOLUME: k8s_openapi::api::core::v1::PersistentVolume,
    SERVICE_ACCOUNT: k8s_openapi::api::core::v1::ServiceAccount,
    SECRET: k8s_openapi::api::core::v1::Secret,
    CONFIG_MAP: k8s_openapi::api::core::v1::ConfigMap,
    PERSISTENT_VOLUME_CLAIM: k8s_openapi::api::core::v1::PersistentVolumeClaim,
    SERVICE: k8s_openapi::api::core::v1::Service,
    POD: k8s_openapi::api::core::v1::Pod,
    BINDING: k8s_openapi::api::core::v1::Binding,
    REPLICATION_CONTROLLER: k8s_openapi::api::core::v1::ReplicationController,
    POD_TEMPLATE: k8s_openapi::api::core::v1::PodTemplate,
    ENDPOINTS: k8s_openapi::api::core::v1::Endpoints,
    LIMIT_RANGE: k8s_openapi::api::core::v1::LimitRange,
    RESOURCE_QUOTA: k8s_openapi::api::core::v1::ResourceQuota,
    REPLICA_SET: k8s_openapi::api::apps::v1::ReplicaSet,
    DEPLOYMENT: k8s_openapi::api::apps::v1::Deployment,
    DAEMON_SET: k8s_openapi::api::apps::v1::DaemonSet,
    STATEFUL_SET: k8s_openapi::api::apps::v1::StatefulSet,
    CONTROLLER_REVISION: k8s_openapi::api::apps::v1::ControllerRevision,
    JOB: k8s_openapi::api::batch::v1::Job,
    CRON_JOB: k8s_openapi::api::batch::v1::CronJob,
    HORIZONTAL_POD_AUTOSCALER: k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler,
    HORIZONTAL_POD_AUTOSCALER_V1: k8s_openapi::api::autoscaling::v1::HorizontalPodAutoscaler,
    POD_DISRUPTION_BUDGET: k8s_openapi::api::policy::v1::PodDisruptionBudget,
    LEASE: k8s_openapi::api::coordination::v1::Lease,
    EVENT: k8s_openapi::api::core::v1::Event,
    ROLE: k8s_openapi::api::rbac::v1::Role,
    ROLE_BINDING: k8s_openapi::api::rbac::v1::RoleBinding,
    CLUSTER_ROLE: k8s_openapi::api::rbac::v1::ClusterRole,
    CLUSTER_ROLE_BINDING: k8s_openapi::api::rbac::v1::ClusterRoleBinding,
    CERTIFICATE_SIGNING_REQUEST: k8s_openapi::api::certificates::v1::CertificateSigningRequest,
    MUTATING_WEBHOOK_CONFIGURATION: k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration,
    VALIDATING_WEBHOOK_CONFIGURATION: k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration,
    VALIDATING_ADMISSION_POLICY: k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy,
    VALIDATING_ADMISSION_POLICY_BINDING: k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicyBinding,
    INGRESS_CLASS: k8s_openapi::api::networking::v1::IngressClass,
    INGRESS: k8s_openapi::api::networking::v1::Ingress,
    NETWORK_POLICY: k8s_openapi::api::networking::v1::NetworkPolicy,
    ENDPOINT_SLICE: k8s_openapi::api::discovery::v1::EndpointSlice,
    STORAGE_CLASS: k8s_openapi::api::storage::v1::StorageClass,
    VOLUME_ATTACHMENT: k8s_openapi::api::storage::v1::VolumeAttachment,
    CSI_DRIVER: k8s_openapi::api::storage::v1::CSIDriver,
    CSI_NODE: k8s_openapi::api::storage::v1::CSINode,
    CSI_STORAGE_CAPACITY: k8s_openapi::api::storage::v1::CSIStorageCapacity,
    PRIORITY_CLASS: k8s_openapi::api::scheduling::v1::PriorityClass,
    RUNTIME_CLASS: k8s_openapi::api::node::v1::RuntimeClass,
    FLOW_SCHEMA: k8s_openapi::api::flowcontrol::v1::FlowSchema,
    PRIORITY_LEVEL_CONFIGURATION: k8s_openapi::api::flowcontrol::v1::PriorityLevelConfiguration,
    CUSTOM_RESOURCE_DEFINITION: k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    API_SERVICE: k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService,
    EVENTS_EVENT: k8s_openapi::api::events::v1::Event,
    COMPONENT_STATUS: k8s_openapi::api::core::v1::ComponentStatus,
    NODE_METRICS: crate::metrics::NodeMetrics,
    POD_METRICS: crate::metrics::PodMetrics,
    TOKEN_REVIEW: k8s_openapi::api::authentication::v1::TokenReview,
    SELF_SUBJECT_REVIEW: k8s_openapi::api::authentication::v1::SelfSubjectReview,
    SUBJECT_ACCESS_REVIEW: k8s_openapi::api::authorization::v1::SubjectAccessReview,
    SELF_SUBJECT_ACCESS_REVIEW: k8s_openapi::api::authorization::v1::SelfSubjectAccessReview,
    LOCAL_SUBJECT_ACCESS_REVIEW: k8s_openapi::api::authorization::v1::LocalSubjectAccessReview,
    SELF_SUBJECT_RULES_REVIEW: k8s_openapi::api::authorization::v1::SelfSubjectRulesReview,
}
