//! What differs between kinds: a file each, and the table that finds them.
//!
//! A file implements [`Strategy`] for its typed struct; the generic registry sees only [`Behaviour`], which speaks of
//! any object. Defaults and validation, which clients may want too, live in `coracle_api`.

use std::sync::LazyLock;

use coracle_api::{ApiError, FieldError, Resource, kinds, object::BuiltIn, validation};
use coracle_service::Peer;
use coracle_store::Fence;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::watch::Attributes;

mod api_service;
mod around;
mod behaviour;
mod binding;
mod certificate_signing_request;
mod config_map;
mod controller_revision;
mod cron_job;
mod custom_resource_definition;
mod daemon_set;
mod deployment;
mod endpoints;
mod event;
mod horizontal_pod_autoscaler;
mod job;
mod lease;
mod limit_range;
mod namespace;
mod node;
mod persistent_volume;
mod persistent_volume_claim;
pub(super) mod pod;
mod pod_disruption_budget;
mod pod_parts;
mod pod_template;
mod replica_set;
mod replication_controller;
mod resource_quota;
mod review;
mod secret;
pub(super) mod service;
mod service_account;
mod stateful_set;
#[cfg(test)]
mod tests;

pub use behaviour::Behaviour;
pub(super) use behaviour::attributes_of;

/// Every kind's behaviour; a new kind adds a line.
static ALL: &[&dyn Behaviour] = &[
    &pod::PodStrategy,
    &event::EventStrategy,
    &lease::LeaseStrategy,
    &config_map::ConfigMapStrategy,
    &replica_set::ReplicaSetStrategy,
    &deployment::DeploymentStrategy,
    &node::NodeStrategy,
    &service::ServiceStrategy,
    &secret::SecretStrategy,
    &namespace::NamespaceStrategy,
    &service_account::ServiceAccountStrategy,
    &persistent_volume::PersistentVolumeStrategy,
    &persistent_volume_claim::PersistentVolumeClaimStrategy,
    &api_service::ApiServiceStrategy,
    &certificate_signing_request::CertificateSigningRequestStrategy,
    &custom_resource_definition::CustomResourceDefinitionStrategy,
    &around::RoleStrategy,
    &around::RoleBindingStrategy,
    &around::ClusterRoleStrategy,
    &around::ClusterRoleBindingStrategy,
    &around::RuntimeClassStrategy,
    &around::StorageClassStrategy,
    &around::CsiDriverStrategy,
    &around::CsiNodeStrategy,
    &around::CsiStorageCapacityStrategy,
    &around::IngressClassStrategy,
    &around::NetworkPolicyStrategy,
    &around::EndpointSliceStrategy,
    &around::MutatingWebhooksStrategy,
    &around::ValidatingWebhooksStrategy,
    &around::PolicyBindingStrategy,
    &around::IngressStrategy,
    &around::PolicyStrategy,
    &around::FlowSchemaStrategy,
    &around::PriorityLevelStrategy,
    &around::VolumeAttachmentStrategy,
    &around::PriorityClassStrategy,
    &binding::BindingStrategy,
    &controller_revision::ControllerRevisionStrategy,
    &cron_job::CronJobStrategy,
    &daemon_set::DaemonSetStrategy,
    &endpoints::EndpointsStrategy,
    &horizontal_pod_autoscaler::HorizontalPodAutoscalerStrategy,
    &job::JobStrategy,
    &limit_range::LimitRangeStrategy,
    &pod_disruption_budget::PodDisruptionBudgetStrategy,
    &pod_template::PodTemplateStrategy,
    &replication_controller::ReplicationControllerStrategy,
    &resource_quota::ResourceQuotaStrategy,
    &stateful_set::StatefulSetStrategy,
    &around::ComponentStatusStrategy,
    &around::NodeMetricsStrategy,
    &around::PodMetricsStrategy,
    &review::TokenReviewStrategy,
    &review::SelfSubjectReviewStrategy,
    &review::SubjectAccessReviewStrategy,
    &review::SelfSubjectAccessReviewStrategy,
    &review::LocalSubjectAccessReviewStrategy,
    &review::SelfSubjectRulesReviewStrategy,
];

/// The behaviour of every row by its place; all versions of a kind have the one of the version that is stored.
static BY_PLACE: LazyLock<Vec<Option<&'static dyn Behaviour>>> = LazyLock::new(|| {
    let of_row = |row: &&Resource| {
        let own = ALL.iter().find(|behaviour| behaviour.resource() == row.storage());
        own.copied()
    };
    kinds::RESOURCES.iter().map(of_row).collect()
});

/// A selectable field and its value.
pub type Field = (&'static str, String);

/// The replicas of a kind that can be scaled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// `spec.replicas`
    pub wanted: i32,
    /// `status.replicas`
    pub present: i32,
    /// The pod selector as text.
    pub selector: String,
}

/// What a kind does differently; every method has the default that most kinds want.
pub trait Strategy: Send + Sync + 'static {
    /// The typed struct.
    type Kind: BuiltIn;

    /// The kind's row.
    fn resource(&self) -> &'static Resource;

    /// Why no object of this kind may be created.
    fn refuse_create(&self) -> Option<ApiError> {
        None
    }

    /// Completes a new object: resets its status and adds what admission adds.
    fn prepare_create(&self, _object: &mut Self::Kind) {}

    /// Takes from the old object what an update of the main resource may not change, such as the status.
    fn prepare_update(&self, _new: &mut Self::Kind, _old: &Self::Kind) {}

    /// Takes from the old object all but what an update of `status` may change.
    fn prepare_status_update(&self, _new: &mut Self::Kind, _old: &Self::Kind) {}

    /// Takes from the old object all but what an update of `finalize` may change.
    fn prepare_finalize(&self, _new: &mut Self::Kind, _old: &Self::Kind) {}

    /// Takes from the old object all but what an update of `approval` may change.
    fn prepare_approval(&self, _new: &mut Self::Kind, _old: &Self::Kind, _now: Timestamp) {}

    /// Writes down who creates the object, for a kind that tells.
    fn name_caller(&self, _object: &mut Self::Kind, _caller: &Peer) {}

    /// Takes from the old object all but what an update of the named subresource may change.
    fn prepare_part(&self, _part: &str, _new: &mut Self::Kind, _old: &Self::Kind) {}

    /// What is wrong with the change that an update of the named subresource makes.
    fn validate_part(&self, _part: &str, new: &Self::Kind, old: &Self::Kind) -> Vec<FieldError> {
        validation::update(new, old)
    }

    /// Whether the desired state differs, which raises `metadata.generation`. `None`: the kind has no generation.
    fn is_spec_changed(&self, _new: &Self::Kind, _old: &Self::Kind) -> Option<bool> {
        None
    }

    /// The values of the selectable fields beside name and namespace; empty ones may be left out.
    fn fields(&self, _object: &Self::Kind) -> Vec<Field> {
        Vec::new()
    }

    /// How long the object may take to end, in seconds, given what the caller asked for; zero for not at all.
    fn grace_seconds(&self, _object: &Self::Kind, _asked: Option<i64>) -> i64 {
        0
    }

    /// Whether nobody else has to do anything before a deleted object can go; beside `metadata.finalizers`.
    fn is_finalized(&self, _object: &Self::Kind) -> bool {
        true
    }

    /// Called when deletion begins and the object stays for now.
    fn mark_deleting(&self, _object: &mut Self::Kind) {}

    /// Why an object may not be deleted at all.
    fn refuse_delete(&self, _object: &Self::Kind) -> Option<&'static str> {
        None
    }

    /// The fence that a leader's writes are judged by.
    fn fence(&self, _object: &Self::Kind) -> Option<Fence> {
        None
    }

    /// The replicas, for a kind with the `scale` subresource.
    fn scale(&self, _object: &Self::Kind) -> Option<Scale> {
        None
    }

    /// Sets the wanted replicas.
    fn set_scale(&self, _object: &mut Self::Kind, _wanted: i32) {}

    /// Whether dependents stay where a delete does not say what becomes of them.
    fn orphans_dependents(&self) -> bool {
        false
    }

    /// Whether a PUT may create.
    fn creates_on_update(&self) -> bool {
        false
    }

    /// Whether the store seals objects of this kind.
    fn is_secret(&self) -> bool {
        false
    }
}

/// The behaviour of a kind, whichever of its versions is named.
#[must_use]
pub fn of(resource: &Resource) -> &'static dyn Behaviour {
    match BY_PLACE.get(resource.place) {
        Some(Some(behaviour)) => *behaviour,
        None if let Some(custom) = super::custom::of(resource) => custom,
        _ => unreachable!("{resource} is in the table of kinds and has no strategy"),
    }
}

/// What selectors need to know of an object, read from its JSON.
#[must_use]
pub fn describe(resource: &'static Resource, json: &[u8]) -> Option<Attributes> {
    let behaviour = of(resource);
    Some(behaviour.attributes(&*behaviour.parse(json).ok()?))
}

/// A field's text, empty where it is not set.
fn text(value: Option<&String>) -> String {
    value.cloned().unwrap_or_default()
}

/// Adds a finalizer where it is missing.
fn add_finalizer(metadata: &mut ObjectMeta, finalizer: &str) {
    let finalizers = metadata.finalizers.get_or_insert_default();
    if !finalizers.iter().any(|own| own == finalizer) {
        finalizers.push(finalizer.to_owned());
    }
}
