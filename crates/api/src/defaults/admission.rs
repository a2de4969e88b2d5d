//! Defaults of webhook configurations and admission policies.

use k8s_openapi::api::admissionregistration::v1::{
    MatchResources, MutatingWebhookConfiguration, NamedRuleWithOperations, RuleWithOperations,
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, ValidatingWebhookConfiguration,
    WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::empty::{default_to, drop_blank, drop_empty};

const TIMEOUT_SECONDS: i32 = 10;
const HTTPS_PORT: i32 = 443;

/// Sets the defaults of a MutatingWebhookConfiguration.
pub fn mutating_webhooks(own: &mut MutatingWebhookConfiguration) {
    drop_empty(&mut own.webhooks);
    for webhook in own.webhooks.iter_mut().flatten() {
        default_to(&mut webhook.failure_policy, "Fail");
        default_to(&mut webhook.match_policy, "Equivalent");
        default_to(&mut webhook.reinvocation_policy, "Never");
        webhook.timeout_seconds.get_or_insert(TIMEOUT_SECONDS);
        selectors(&mut webhook.namespace_selector, &mut webhook.object_selector);
        drop_empty(&mut webhook.match_conditions);
        rules(&mut webhook.rules);
        client(&mut webhook.client_config);
    }
}

/// Sets the defaults of a ValidatingWebhookConfiguration.
pub fn validating_webhooks(own: &mut ValidatingWebhookConfiguration) {
    drop_empty(&mut own.webhooks);
    for webhook in own.webhooks.iter_mut().flatten() {
        default_to(&mut webhook.failure_policy, "Fail");
        default_to(&mut webhook.match_policy, "Equivalent");
        webhook.timeout_seconds.get_or_insert(TIMEOUT_SECONDS);
        selectors(&mut webhook.namespace_selector, &mut webhook.object_selector);
        drop_empty(&mut webhook.match_conditions);
        rules(&mut webhook.rules);
        client(&mut webhook.client_config);
    }
}

/// Sets the defaults of a ValidatingAdmissionPolicy.
pub fn policy(own: &mut ValidatingAdmissionPolicy) {
    let spec = own.spec.get_or_insert_default();
    default_to(&mut spec.failure_policy, "Fail");
    drop_empty(&mut spec.validations);
    drop_empty(&mut spec.audit_annotations);
    drop_empty(&mut spec.match_conditions);
    drop_empty(&mut spec.variables);
    for validation in spec.validations.iter_mut().flatten() {
        drop_blank(&mut validation.message);
        drop_blank(&mut validation.message_expression);
    }
    if let Some(constraints) = &mut spec.match_constraints {
        match_resources(constraints);
    }
}

/// Sets the defaults of a ValidatingAdmissionPolicyBinding.
pub fn policy_binding(own: &mut ValidatingAdmissionPolicyBinding) {
    let spec = own.spec.get_or_insert_default();
    drop_empty(&mut spec.validation_actions);
    if let Some(param) = &mut spec.param_ref {
        drop_blank(&mut param.name);
        drop_blank(&mut param.namespace);
    }
    if let Some(resources) = &mut spec.match_resources {
        match_resources(resources);
    }
}

fn match_resources(own: &mut MatchResources) {
    default_to(&mut own.match_policy, "Equivalent");
    selectors(&mut own.namespace_selector, &mut own.object_selector);
    named_rules(&mut own.resource_rules);
    named_rules(&mut own.exclude_resource_rules);
}

fn named_rules(rules: &mut Option<Vec<NamedRuleWithOperations>>) {
    drop_empty(rules);
    for rule in rules.iter_mut().flatten() {
        drop_empty(&mut rule.resource_names);
        default_to(&mut rule.scope, "*");
    }
}

fn rules(rules: &mut Option<Vec<RuleWithOperations>>) {
    drop_empty(rules);
    for rule in rules.iter_mut().flatten() {
        default_to(&mut rule.scope, "*");
    }
}

/// A missing selector selects everything.
fn selectors(namespaces: &mut Option<LabelSelector>, objects: &mut Option<LabelSelector>) {
    namespaces.get_or_insert_default();
    objects.get_or_insert_default();
}

fn client(config: &mut WebhookClientConfig) {
    if let Some(service) = &mut config.service {
        service.port.get_or_insert(HTTPS_PORT);
    }
}
