//! Webhook configurations, and what they share with admission policies: rules, selectors, match conditions.

use std::collections::BTreeSet;

use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations, ServiceReference,
    ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::check::{Errors, one_of_or_none, text};
use super::rbac::go_strings;
use super::selector::label_selector;
use crate::field_error::{FieldError, Path};
use crate::names;

const OPERATIONS: &[&str] = &["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES: &[&str] = &["*", "Cluster", "Namespaced"];
const SIDE_EFFECTS: &[&str] = &["None", "NoneOnDryRun"];
pub(super) const FAILURE_POLICIES: &[&str] = &["Fail", "Ignore"];
pub(super) const MATCH_POLICIES: &[&str] = &["Equivalent", "Exact"];
const REVIEW_VERSIONS: &[&str] = &["v1", "v1beta1"];
const MAX_TIMEOUT_SECONDS: i32 = 30;
/// Most conditions of one webhook or policy.
const MAX_MATCH_CONDITIONS: usize = 64;

/// What both kinds of webhook say.
struct Webhook<'a> {
    name: &'a str,
    versions: &'a [String],
    client: &'a WebhookClientConfig,
    failure_policy: &'a Option<String>,
    match_policy: &'a Option<String>,
    side_effects: &'a str,
    timeout: Option<i32>,
    namespaces: Option<&'a LabelSelector>,
    objects: Option<&'a LabelSelector>,
    rules: &'a [RuleWithOperations],
    conditions: &'a [MatchCondition],
}

/// Mistakes in a MutatingWebhookConfiguration, outside its metadata.
pub fn mutating_webhooks(own: &MutatingWebhookConfiguration) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let webhooks = own.webhooks.as_deref().unwrap_or_default();
    let common: Vec<Webhook<'_>> = webhooks.iter().map(mutating).collect();
    each(&mut errors, &common);
    for (index, webhook) in webhooks.iter().enumerate() {
        let path = Path::new("webhooks").index(index);
        let policy = &webhook.reinvocation_policy;
        one_of_or_none(
            &mut errors,
            &path,
            "reinvocationPolicy",
            policy,
            &["IfNeeded", "Never"],
        );
    }
    errors
}

/// Mistakes in a ValidatingWebhookConfiguration, outside its metadata.
pub fn validating_webhooks(own: &ValidatingWebhookConfiguration) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let webhooks = own.webhooks.iter().flatten().map(validating);
    each(&mut errors, &webhooks.collect::<Vec<_>>());
    errors
}

fn mutating(own: &MutatingWebhook) -> Webhook<'_> {
    Webhook {
        name: &own.name,
        versions: &own.admission_review_versions,
        client: &own.client_config,
        failure_policy: &own.failure_policy,
        match_policy: &own.match_policy,
        side_effects: &own.side_effects,
        timeout: own.timeout_seconds,
        namespaces: own.namespace_selector.as_ref(),
        objects: own.object_selector.as_ref(),
        rules: own.rules.as_deref().unwrap_or_default(),
        conditions: own.match_conditions.as_deref().unwrap_or_default(),
    }
}

fn validating(own: &ValidatingWebhook) -> Webhook<'_> {
    Webhook {
        name: &own.name,
        versions: &own.admission_review_versions,
        client: &own.client_config,
        failure_policy: &own.failure_policy,
        match_policy: &own.match_policy,
        side_effects: &own.side_effects,
        timeout: own.timeout_seconds,
        namespaces: own.namespace_selector.as_ref(),
        objects: own.object_selector.as_ref(),
        rules: own.rules.as_deref().unwrap_or_default(),
        conditions: own.match_conditions.as_deref().unwrap_or_default(),
    }
}

fn each(errors: &mut Errors, webhooks: &[Webhook<'_>]) {
    let mut seen = BTreeSet::new();
    for (index, own) in webhooks.iter().enumerate() {
        let path = Path::new("webhooks").index(index);
        webhook(errors, own, &path);
        if !seen.insert(own.name) {
            errors.push(FieldError::duplicate(&path.child("name"), own.name));
        }
    }
}

fn webhook(errors: &mut Errors, own: &Webhook<'_>, path: &Path) {
    full_name(errors, own.name, &path.child("name"));
    for (index, rule) in own.rules.iter().enumerate() {
        let rule = Rule {
            operations: &rule.operations,
            groups: &rule.api_groups,
            versions: &rule.api_versions,
            resources: &rule.resources,
            scope: &rule.scope,
        };
        rule.judge(errors, &path.child("rules").index(index));
    }
    one_of_or_none(
        errors,
        path,
        "failurePolicy",
        own.failure_policy,
        FAILURE_POLICIES,
    );
    one_of_or_none(errors, path, "matchPolicy", own.match_policy, MATCH_POLICIES);
    match own.side_effects {
        "" => errors.push(FieldError::required(
            &path.child("sideEffects"),
            "must specify one of None, NoneOnDryRun",
        )),
        known if SIDE_EFFECTS.contains(&known) => {}
        other => errors.push(FieldError::not_supported(
            &path.child("sideEffects"),
            other,
            SIDE_EFFECTS,
        )),
    }
    if let Some(seconds) = own
        .timeout
        .filter(|seconds| !(1..=MAX_TIMEOUT_SECONDS).contains(seconds))
    {
        let detail = "the timeout value must be between 1 and 30 seconds";
        errors.push(FieldError::invalid(
            &path.child("timeoutSeconds"),
            seconds,
            detail,
        ));
    }
    for (field, selector) in [
        ("namespaceSelector", own.namespaces),
        ("objectSelector", own.objects),
    ] {
        errors.extend(
            selector
                .into_iter()
                .flat_map(|own| label_selector(own, &path.child(field))),
        );
    }
    review_versions(errors, own.versions, &path.child("admissionReviewVersions"));
    client(errors, own.client, &path.child("clientConfig"));
    match_conditions(errors, own.conditions, &path.child("matchConditions"));
}

/// A domain name of at least three parts.
fn full_name(errors: &mut Errors, name: &str, path: &Path) {
    if name.is_empty() {
        return errors.push(FieldError::required(path, ""));
    }
    let messages = names::subdomain(name);
    if !messages.is_empty() {
        let messages = messages.into_iter();
        errors.extend(messages.map(|message| FieldError::invalid(path, name, message)));
    } else if name.split('.').count() < 3 {
        let detail = "should be a domain with at least three segments separated by dots";
        errors.push(FieldError::invalid(path, name, detail));
    }
}

fn review_versions(errors: &mut Errors, versions: &[String], path: &Path) {
    if versions.is_empty() {
        let detail = "must specify one of v1, v1beta1";
        return errors.push(FieldError::required(path, detail));
    }
    let mut seen = BTreeSet::new();
    for (index, version) in versions.iter().enumerate() {
        let path = path.index(index);
        if !seen.insert(version) {
            errors.push(FieldError::invalid(&path, version, "duplicate version"));
        }
        let messages = names::label_1035(version).into_iter();
        errors.extend(messages.map(|message| FieldError::invalid(&path, version, message)));
    }
    if !versions
        .iter()
        .any(|version| REVIEW_VERSIONS.contains(&version.as_str()))
    {
        let detail = "must include at least one of v1, v1beta1";
        errors.push(FieldError::invalid(path, go_strings(versions), detail));
    }
}

fn client(errors: &mut Errors, config: &WebhookClientConfig, path: &Path) {
    match (text(&config.url), &config.service) {
        ("", None) => {
            errors.push(FieldError::required(
                path,
                "exactly one of url or service is required",
            ));
        }
        ("", Some(own)) => service(
            errors,
            &own.name,
            &own.namespace,
            own.path.as_deref(),
            own.port,
            &path.child("service"),
        ),
        (own, None) => url(errors, own, &path.child("url")),
        (_, Some(ServiceReference { .. })) => {
            errors.push(FieldError::required(
                path,
                "exactly one of url or service is required",
            ));
        }
    }
}

/// A webhook's address: HTTPS, and nothing that carries credentials or state.
pub(super) fn url(errors: &mut Errors, url: &str, path: &Path) {
    const FORM: &str = "; desired format: https://host[/path]";
    let mut refuse = |why: String| errors.push(FieldError::invalid(path, url, why));
    let Some(rest) = url.strip_prefix("https://") else {
        return refuse(format!("'https' is the only allowed URL scheme{FORM}"));
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() {
        refuse(format!("host must be specified{FORM}"));
    }
    if host.contains('@') {
        refuse("user information is not permitted in the URL".to_owned());
    }
    if rest.contains('#') {
        refuse("fragments are not permitted in the URL".to_owned());
    }
    if rest.contains('?') {
        refuse("query parameters are not permitted in the URL".to_owned());
    }
}

/// A Service that serves a webhook.
pub(super) fn service(
    errors: &mut Errors,
    name: &str,
    namespace: &str,
    at: Option<&str>,
    port: Option<i32>,
    path: &Path,
) {
    if name.is_empty() {
        errors.push(FieldError::required(
            &path.child("name"),
            "service name is required",
        ));
    }
    if namespace.is_empty() {
        errors.push(FieldError::required(
            &path.child("namespace"),
            "service namespace is required",
        ));
    }
    if let Some(message) = port.and_then(names::port_number) {
        let detail = format!("port is not valid: {message}");
        errors.push(FieldError::invalid(
            &path.child("port"),
            port.unwrap_or_default(),
            detail,
        ));
    }
    if let Some(at) = at.filter(|at| !at.starts_with('/')) {
        errors.push(FieldError::invalid(
            &path.child("path"),
            at,
            "must start with a '/'",
        ));
    }
}

/// A rule about requests, of a webhook or of a policy.
pub(super) struct Rule<'a> {
    pub operations: &'a Option<Vec<String>>,
    pub groups: &'a Option<Vec<String>>,
    pub versions: &'a Option<Vec<String>>,
    pub resources: &'a Option<Vec<String>>,
    pub scope: &'a Option<String>,
}

impl Rule<'_> {
    pub fn judge(&self, errors: &mut Errors, path: &Path) {
        let wild = [
            ("apiGroups", self.groups, "other API groups"),
            ("apiVersions", self.versions, "other API versions"),
            ("resources", self.resources, ""),
            ("operations", self.operations, "other operations"),
        ];
        for (field, list, others) in wild {
            let path = path.child(field);
            let list = list.as_deref().unwrap_or_default();
            if list.is_empty() {
                errors.push(FieldError::required(&path, ""));
            }
            if !others.is_empty() && list.len() > 1 && list.iter().any(|own| own == "*") {
                let detail = format!("if '*' is present, must not specify {others}");
                errors.push(FieldError::invalid(&path, go_strings(list), detail));
            }
            for (index, own) in list.iter().enumerate() {
                if own.is_empty() && field != "apiGroups" {
                    errors.push(FieldError::required(&path.index(index), ""));
                } else if field == "operations" && !OPERATIONS.contains(&own.as_str()) {
                    errors.push(FieldError::not_supported(&path.index(index), own, OPERATIONS));
                }
            }
        }
        one_of_or_none(errors, path, "scope", self.scope, SCOPES);
    }
}

/// Conditions in CEL; whether they compile is judged where they run.
pub(super) fn match_conditions(errors: &mut Errors, conditions: &[MatchCondition], path: &Path) {
    if conditions.len() > MAX_MATCH_CONDITIONS {
        errors.push(FieldError::too_many(path, conditions.len(), MAX_MATCH_CONDITIONS));
    }
    let mut seen = BTreeSet::new();
    for (index, own) in conditions.iter().enumerate() {
        let path = path.index(index);
        if own.expression.trim().is_empty() {
            errors.push(FieldError::required(&path.child("expression"), ""));
        }
        if own.name.is_empty() {
            errors.push(FieldError::required(&path.child("name"), ""));
            continue;
        }
        let messages = names::qualified_name(&own.name).into_iter();
        errors.extend(messages.map(|message| FieldError::invalid(&path.child("name"), &own.name, message)));
        if !seen.insert(&own.name) {
            errors.push(FieldError::duplicate(&path.child("name"), &own.name));
        }
    }
}
