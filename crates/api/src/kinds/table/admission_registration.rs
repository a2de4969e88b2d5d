//! Rows of admissionregistration.k8s.io: who else judges writes.

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
    ValidatingWebhookConfiguration,
};

use super::{ALL_VERBS, CLUSTER_FIELDS, Place, READ_WRITE, Resource, own};
use crate::object::BuiltIn;

/// MutatingWebhookConfigurations: webhooks that change what is written.
pub static MUTATING_WEBHOOK_CONFIGURATION: &Resource = &Resource {
    place: Place::MUTATING_WEBHOOK_CONFIGURATION as usize,
    group: "admissionregistration.k8s.io",
    version: "v1",
    kind: "MutatingWebhookConfiguration",
    plural: "mutatingwebhookconfigurations",
    singular: "mutatingwebhookconfiguration",
    short_names: &[],
    categories: &["api-extensions"],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/admissionregistration.k8s.io/mutatingwebhookconfigurations/",
    api_version: "admissionregistration.k8s.io/v1",
    stored_as: None,
    decode: <MutatingWebhookConfiguration as BuiltIn>::decode,
};

/// ValidatingWebhookConfigurations: webhooks that refuse what is written.
pub static VALIDATING_WEBHOOK_CONFIGURATION: &Resource = &Resource {
    place: Place::VALIDATING_WEBHOOK_CONFIGURATION as usize,
    group: "admissionregistration.k8s.io",
    version: "v1",
    kind: "ValidatingWebhookConfiguration",
    plural: "validatingwebhookconfigurations",
    singular: "validatingwebhookconfiguration",
    short_names: &[],
    categories: &["api-extensions"],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/admissionregistration.k8s.io/validatingwebhookconfigurations/",
    api_version: "admissionregistration.k8s.io/v1",
    stored_as: None,
    decode: <ValidatingWebhookConfiguration as BuiltIn>::decode,
};

/// ValidatingAdmissionPolicies: rules in CEL that refuse what is written.
pub static VALIDATING_ADMISSION_POLICY: &Resource = &Resource {
    place: Place::VALIDATING_ADMISSION_POLICY as usize,
    group: "admissionregistration.k8s.io",
    version: "v1",
    kind: "ValidatingAdmissionPolicy",
    plural: "validatingadmissionpolicies",
    singular: "validatingadmissionpolicy",
    short_names: &[],
    categories: &["api-extensions"],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[own("status", "ValidatingAdmissionPolicy", READ_WRITE)],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/admissionregistration.k8s.io/validatingadmissionpolicies/",
    api_version: "admissionregistration.k8s.io/v1",
    stored_as: None,
    decode: <ValidatingAdmissionPolicy as BuiltIn>::decode,
};

/// ValidatingAdmissionPolicyBindings: where a policy holds.
pub static VALIDATING_ADMISSION_POLICY_BINDING: &Resource = &Resource {
    place: Place::VALIDATING_ADMISSION_POLICY_BINDING as usize,
    group: "admissionregistration.k8s.io",
    version: "v1",
    kind: "ValidatingAdmissionPolicyBinding",
    plural: "validatingadmissionpolicybindings",
    singular: "validatingadmissionpolicybinding",
    short_names: &[],
    categories: &["api-extensions"],
    namespaced: false,
    verbs: ALL_VERBS,
    subresources: &[],
    selectable_fields: CLUSTER_FIELDS,
    store_prefix: "/admissionregistration.k8s.io/validatingadmissionpolicybindings/",
    api_version: "admissionregistration.k8s.io/v1",
    stored_as: None,
    decode: <ValidatingAdmissionPolicyBinding as BuiltIn>::decode,
};
