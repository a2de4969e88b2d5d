//! Everything that configures admission, read and compiled once per change of it.
//!
//! A [`Snapshot`] is what a write is judged by. It is made from the present objects of [`Snapshot::KINDS`]; who keeps
//! it makes a new one when one of these changed, which is rare.

use coracle_api::Resource;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
    ValidatingWebhookConfiguration,
};
use serde::de::DeserializeOwned;

use crate::{Lookup, Operation, plugins::Cluster, policy::Policy, webhook::Webhook};

const GROUP: &str = "admissionregistration.k8s.io";
const VERSION: &str = "admissionregistration.k8s.io/v1";

/// See the module.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(crate) mutating: Vec<Webhook>,
    pub(crate) validating: Vec<Webhook>,
    pub(crate) policies: Vec<Policy>,
    /// What the built-in plugins go by.
    pub cluster: Cluster,
}

/// Who wants to see a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// A mutating webhook.
    pub mutating: bool,
    /// A validating webhook or a policy.
    pub validating: bool,
}

impl Interest {
    /// Whether nobody does, which is the case for most writes.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

impl Snapshot {
    /// `apiVersion` and kind of what configures admission.
    pub const KINDS: &[(&str, &str)] = &[
        (VERSION, "MutatingWebhookConfiguration"),
        (VERSION, "ValidatingWebhookConfiguration"),
        (VERSION, "ValidatingAdmissionPolicy"),
        (VERSION, "ValidatingAdmissionPolicyBinding"),
        ("scheduling.k8s.io/v1", "PriorityClass"),
        ("storage.k8s.io/v1", "StorageClass"),
        ("networking.k8s.io/v1", "IngressClass"),
        ("node.k8s.io/v1", "RuntimeClass"),
        ("v1", "LimitRange"),
    ];

    /// Reads the present objects. One that cannot be read configures nothing.
    #[must_use]
    pub fn read(lookup: &dyn Lookup) -> Self {
        let bindings: Vec<ValidatingAdmissionPolicyBinding> =
            all(lookup, VERSION, "ValidatingAdmissionPolicyBinding");
        let policies: Vec<ValidatingAdmissionPolicy> = all(lookup, VERSION, "ValidatingAdmissionPolicy");
        let mutating: Vec<MutatingWebhookConfiguration> =
            all(lookup, VERSION, "MutatingWebhookConfiguration");
        let validating: Vec<ValidatingWebhookConfiguration> =
            all(lookup, VERSION, "ValidatingWebhookConfiguration");
        let policy = |own| {
            let mut policy = Policy::new(own);
            bindings.iter().for_each(|binding| policy.bind(binding));
            policy
        };
        Self {
            mutating: mutating.into_iter().flat_map(Webhook::of_mutating).collect(),
            validating: validating.into_iter().flat_map(Webhook::of_validating).collect(),
            policies: policies.into_iter().map(policy).collect(),
            cluster: Cluster::read(lookup),
        }
    }

    /// Who may want to see a write; labels, names and conditions are not looked at.
    #[must_use]
    pub fn interest(
        &self,
        operation: Operation,
        resource: &'static Resource,
        subresource: &str,
        lookup: &dyn Lookup,
    ) -> Interest {
        if self.mutating.is_empty() && self.validating.is_empty() && self.policies.is_empty() {
            return Interest::default();
        }
        let wants = |webhook: &Webhook| {
            let version = webhook.may_match(operation, resource, subresource, lookup);
            version.is_some()
        };
        let is_exempt = Self::is_exempt(resource);
        Interest {
            mutating: !is_exempt && self.mutating.iter().any(wants),
            validating: (!is_exempt && self.validating.iter().any(wants))
                || (resource.group != GROUP
                    && self
                        .policies
                        .iter()
                        .any(|policy| policy.may_match(operation, resource, subresource, lookup))),
        }
    }

    /// Webhooks do not judge the configurations of webhooks: a broken one could never be removed.
    pub(crate) fn is_exempt(resource: &Resource) -> bool {
        resource.group == GROUP
            && matches!(
                resource.kind,
                "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration"
            )
    }
}

/// All objects of a kind, in the order of their names.
pub(crate) fn all<T: DeserializeOwned>(lookup: &dyn Lookup, api_version: &str, kind: &str) -> Vec<T> {
    let Some(resource) = lookup.find(api_version, kind) else {
        return Vec::new();
    };
    lookup
        .list(resource, "")
        .iter()
        .filter_map(|json| serde_json::from_slice(json).ok())
        .collect()
}
