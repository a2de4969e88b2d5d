//! Defaults of the kinds around the workloads: access, admission, classes, flow control, extensions.

use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::flowcontrol::v1::{
    ExemptPriorityLevelConfiguration, FlowSchema, LimitedPriorityLevelConfiguration,
    PriorityLevelConfiguration,
};
use k8s_openapi::api::node::v1::RuntimeClass;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceConversion, CustomResourceDefinition,
};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;

use super::container::quantities;
use super::empty::{default_number, default_to, drop_blank, drop_empty, drop_false};

/// The group of roles, and of users and groups as subjects.
const RBAC_GROUP: &str = "rbac.authorization.k8s.io";
const HTTPS_PORT: i32 = 443;
/// Where a FlowSchema stands among the others, lower first.
const MATCHING_PRECEDENCE: i32 = 1_000;
const NOMINAL_SHARES: i32 = 30;
const QUEUES: i32 = 64;
const HAND_SIZE: i32 = 8;
const QUEUE_LENGTH_LIMIT: i32 = 50;

fn policy_rules(rules: &mut Option<Vec<PolicyRule>>) {
    for rule in rules.iter_mut().flatten() {
        drop_empty(&mut rule.api_groups);
        drop_empty(&mut rule.non_resource_urls);
        drop_empty(&mut rule.resource_names);
        drop_empty(&mut rule.resources);
    }
}

/// Tidies a Role.
pub fn role(role: &mut Role) {
    policy_rules(&mut role.rules);
}

/// Tidies a ClusterRole.
pub fn cluster_role(role: &mut ClusterRole) {
    policy_rules(&mut role.rules);
}

fn binding(role: &mut RoleRef, subjects: &mut Option<Vec<Subject>>) {
    if role.api_group.is_empty() {
        RBAC_GROUP.clone_into(&mut role.api_group);
    }
    drop_empty(subjects);
    for subject in subjects.iter_mut().flatten() {
        drop_blank(&mut subject.api_group);
        drop_blank(&mut subject.namespace);
        if matches!(subject.kind.as_str(), "User" | "Group") {
            default_to(&mut subject.api_group, RBAC_GROUP);
        }
    }
}

/// Sets the API groups of a RoleBinding.
pub fn role_binding(own: &mut RoleBinding) {
    binding(&mut own.role_ref, &mut own.subjects);
}

/// Sets the API groups of a ClusterRoleBinding.
pub fn cluster_role_binding(own: &mut ClusterRoleBinding) {
    binding(&mut own.role_ref, &mut own.subjects);
}

/// Sets the status of a CertificateSigningRequest's conditions.
pub fn certificate_signing_request(own: &mut CertificateSigningRequest) {
    let spec = &mut own.spec;
    drop_empty(&mut spec.extra);
    drop_empty(&mut spec.groups);
    drop_empty(&mut spec.usages);
    drop_blank(&mut spec.uid);
    drop_blank(&mut spec.username);
    let Some(status) = &mut own.status else { return };
    drop_empty(&mut status.conditions);
    for condition in status.conditions.iter_mut().flatten() {
        if condition.status.is_empty() {
            "True".clone_into(&mut condition.status);
        }
    }
}

/// Sets the preemption policy of a PriorityClass.
pub fn priority_class(own: &mut PriorityClass) {
    drop_blank(&mut own.description);
    drop_false(&mut own.global_default);
    default_to(&mut own.preemption_policy, "PreemptLowerPriority");
}

/// Tidies a RuntimeClass.
pub fn runtime_class(own: &mut RuntimeClass) {
    if let Some(overhead) = &mut own.overhead {
        quantities(&mut overhead.pod_fixed);
    }
    if let Some(scheduling) = &mut own.scheduling {
        drop_empty(&mut scheduling.node_selector);
        drop_empty(&mut scheduling.tolerations);
    }
}

/// Sets the defaults of a FlowSchema.
pub fn flow_schema(own: &mut FlowSchema) {
    let spec = own.spec.get_or_insert_default();
    default_number(&mut spec.matching_precedence, MATCHING_PRECEDENCE);
    drop_empty(&mut spec.rules);
    for rule in spec.rules.iter_mut().flatten() {
        drop_empty(&mut rule.resource_rules);
        drop_empty(&mut rule.non_resource_rules);
        for rule in rule.resource_rules.iter_mut().flatten() {
            drop_false(&mut rule.cluster_scope);
            drop_empty(&mut rule.namespaces);
        }
    }
}

/// Sets the defaults of a PriorityLevelConfiguration.
pub fn priority_level(own: &mut PriorityLevelConfiguration) {
    let spec = own.spec.get_or_insert_default();
    if let Some(limited) = &mut spec.limited {
        limited_level(limited);
    }
    if spec.type_ == "Exempt" {
        let ExemptPriorityLevelConfiguration {
            lendable_percent,
            nominal_concurrency_shares,
        } = spec.exempt.get_or_insert_default();
        lendable_percent.get_or_insert(0);
        nominal_concurrency_shares.get_or_insert(0);
    }
}

fn limited_level(limited: &mut LimitedPriorityLevelConfiguration) {
    limited.nominal_concurrency_shares.get_or_insert(NOMINAL_SHARES);
    limited.lendable_percent.get_or_insert(0);
    let Some(response) = limited.limit_response.as_mut().filter(|own| own.type_ == "Queue") else {
        return;
    };
    let queuing = response.queuing.get_or_insert_default();
    default_number(&mut queuing.queues, QUEUES);
    default_number(&mut queuing.hand_size, HAND_SIZE);
    default_number(&mut queuing.queue_length_limit, QUEUE_LENGTH_LIMIT);
}

/// Sets the names and the conversion of a CustomResourceDefinition.
pub fn custom_resource_definition(own: &mut CustomResourceDefinition) {
    let spec = &mut own.spec;
    drop_false(&mut spec.preserve_unknown_fields);
    let names = &mut spec.names;
    drop_empty(&mut names.categories);
    drop_empty(&mut names.short_names);
    if !names.kind.is_empty() {
        let (singular, list) = (names.kind.to_lowercase(), format!("{}List", names.kind));
        default_to(&mut names.singular, &singular);
        default_to(&mut names.list_kind, &list);
    }
    let conversion = spec.conversion.get_or_insert_with(|| CustomResourceConversion {
        strategy: "None".to_owned(),
        webhook: None,
    });
    let service = conversion
        .webhook
        .as_mut()
        .and_then(|webhook| webhook.client_config.as_mut())
        .and_then(|config| config.service.as_mut());
    if let Some(service) = service {
        service.port.get_or_insert(HTTPS_PORT);
    }
    for version in &mut spec.versions {
        drop_empty(&mut version.additional_printer_columns);
        drop_empty(&mut version.selectable_fields);
        drop_false(&mut version.deprecated);
        for column in version.additional_printer_columns.iter_mut().flatten() {
            drop_blank(&mut column.description);
            drop_blank(&mut column.format);
            super::empty::drop_zero(&mut column.priority);
        }
    }
}

/// Sets the port of an APIService.
pub fn api_service(own: &mut APIService) {
    let spec = own.spec.get_or_insert_default();
    drop_blank(&mut spec.group);
    drop_blank(&mut spec.version);
    drop_false(&mut spec.insecure_skip_tls_verify);
    if let Some(service) = &mut spec.service {
        service.port.get_or_insert(HTTPS_PORT);
    }
}
