//! ValidatingAdmissionPolicies and their bindings. Whether the CEL in them compiles is judged where it runs.

use std::collections::BTreeSet;

use k8s_openapi::api::admissionregistration::v1::{
    MatchResources, NamedRuleWithOperations, ParamRef, ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding, ValidatingAdmissionPolicySpec, Validation, Variable,
};

use super::check::{Errors, one_of, one_of_or_none, required, text};
use super::rbac::go_strings;
use super::selector::label_selector;
use super::webhooks::{FAILURE_POLICIES, MATCH_POLICIES, Rule, match_conditions};
use crate::field_error::{FieldError, Path};
use crate::names;

const REASONS: &[&str] = &["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];
const ACTIONS: &[&str] = &["Audit", "Deny", "Warn"];
/// Longest message of a validation, in bytes.
const MESSAGE_MAX_BYTES: usize = 1024;

/// Mistakes in a ValidatingAdmissionPolicy, outside its metadata.
pub fn policy(own: &ValidatingAdmissionPolicy) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &own.spec else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = Vec::new();
    one_of_or_none(
        &mut errors,
        &path,
        "failurePolicy",
        &spec.failure_policy,
        FAILURE_POLICIES,
    );
    if let Some(kind) = &spec.param_kind {
        let path = path.child("paramKind");
        required(&mut errors, &path, "apiVersion", text(&kind.api_version));
        required(&mut errors, &path, "kind", text(&kind.kind));
    }
    constraints(&mut errors, spec, &path.child("matchConstraints"));
    let conditions = spec.match_conditions.as_deref().unwrap_or_default();
    match_conditions(&mut errors, conditions, &path.child("matchConditions"));
    variables(
        &mut errors,
        spec.variables.as_deref().unwrap_or_default(),
        &path.child("variables"),
    );
    let validations = spec.validations.as_deref().unwrap_or_default();
    let annotations = spec.audit_annotations.as_deref().unwrap_or_default();
    if validations.is_empty() && annotations.is_empty() {
        let detail = "validations or auditAnnotations must contain at least one item";
        errors.push(FieldError::required(&path.child("validations"), detail));
        errors.push(FieldError::required(&path.child("auditAnnotations"), detail));
    }
    for (index, own) in validations.iter().enumerate() {
        validation(&mut errors, own, &path.child("validations").index(index));
    }
    for (index, own) in annotations.iter().enumerate() {
        let path = path.child("auditAnnotations").index(index);
        required(&mut errors, &path, "key", &own.key);
        required(&mut errors, &path, "valueExpression", own.value_expression.trim());
    }
    errors
}

fn constraints(errors: &mut Errors, spec: &ValidatingAdmissionPolicySpec, path: &Path) {
    let Some(own) = &spec.match_constraints else {
        return errors.push(FieldError::required(path, ""));
    };
    match_resources(errors, own, path);
    if own.resource_rules.as_ref().is_none_or(Vec::is_empty) {
        errors.push(FieldError::required(&path.child("resourceRules"), ""));
    }
}

fn match_resources(errors: &mut Errors, own: &MatchResources, path: &Path) {
    one_of_or_none(errors, path, "matchPolicy", &own.match_policy, MATCH_POLICIES);
    for (field, selector) in [
        ("namespaceSelector", &own.namespace_selector),
        ("objectSelector", &own.object_selector),
    ] {
        let path = path.child(field);
        errors.extend(selector.iter().flat_map(|own| label_selector(own, &path)));
    }
    for (field, rules) in [
        ("resourceRules", &own.resource_rules),
        ("excludeResourceRules", &own.exclude_resource_rules),
    ] {
        for (index, rule) in rules.iter().flatten().enumerate() {
            named_rule(errors, rule, &path.child(field).index(index));
        }
    }
}

fn named_rule(errors: &mut Errors, own: &NamedRuleWithOperations, path: &Path) {
    let rule = Rule {
        operations: &own.operations,
        groups: &own.api_groups,
        versions: &own.api_versions,
        resources: &own.resources,
        scope: &own.scope,
    };
    rule.judge(errors, path);
    for (index, name) in own.resource_names.iter().flatten().enumerate() {
        let path = path.child("resourceNames").index(index);
        let messages = names::path_segment(name).into_iter();
        errors.extend(messages.map(|message| FieldError::invalid(&path, name, message)));
    }
}

fn variables(errors: &mut Errors, variables: &[Variable], path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, own) in variables.iter().enumerate() {
        let path = path.index(index);
        required(errors, &path, "expression", own.expression.trim());
        if own.name.is_empty() {
            errors.push(FieldError::required(&path.child("name"), "name is not specified"));
        } else if !is_identifier(&own.name) {
            let detail = "name is not a valid CEL identifier";
            errors.push(FieldError::invalid(&path.child("name"), &own.name, detail));
        }
        if !seen.insert(&own.name) {
            errors.push(FieldError::duplicate(&path.child("name"), &own.name));
        }
    }
}

fn is_identifier(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(fits) && !name.starts_with(|first: char| first.is_ascii_digit())
}

fn validation(errors: &mut Errors, own: &Validation, path: &Path) {
    if own.expression.trim().is_empty() {
        errors.push(FieldError::required(
            &path.child("expression"),
            "expression is not specified",
        ));
    }
    if let Some(message) = &own.message {
        let path = path.child("message");
        if message.trim().is_empty() {
            let detail = "message must be non-empty if specified";
            errors.push(FieldError::invalid(&path, message, detail));
        }
        if message.contains('\n') {
            errors.push(FieldError::invalid(
                &path,
                message,
                "message must not contain line breaks",
            ));
        }
        if message.len() > MESSAGE_MAX_BYTES {
            errors.push(FieldError::too_long(&path, MESSAGE_MAX_BYTES));
        }
    } else if own.message_expression.is_none() && own.expression.contains('\n') {
        let detail = "message must be specified if expression contains line breaks";
        errors.push(FieldError::required(&path.child("message"), detail));
    }
    one_of_or_none(errors, path, "reason", &own.reason, REASONS);
}

/// Mistakes in a ValidatingAdmissionPolicyBinding, outside its metadata.
pub fn policy_binding(own: &ValidatingAdmissionPolicyBinding) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &own.spec else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = Vec::new();
    match text(&spec.policy_name) {
        "" => errors.push(FieldError::required(&path.child("policyName"), "")),
        name => {
            let messages = names::subdomain(name).into_iter();
            let path = path.child("policyName");
            errors.extend(messages.map(|message| FieldError::invalid(&path, name, message)));
        }
    }
    if let Some(param) = &spec.param_ref {
        param_ref(&mut errors, param, &path.child("paramRef"));
    }
    if let Some(resources) = &spec.match_resources {
        match_resources(&mut errors, resources, &path.child("matchResources"));
    }
    actions(
        &mut errors,
        spec.validation_actions.as_deref().unwrap_or_default(),
        &path.child("validationActions"),
    );
    errors
}

fn param_ref(errors: &mut Errors, own: &ParamRef, path: &Path) {
    match (text(&own.name), &own.selector) {
        ("", None) => {
            let detail = "one of name or selector must be specified";
            errors.push(FieldError::required(path, detail));
        }
        ("", Some(selector)) => errors.extend(label_selector(selector, &path.child("selector"))),
        (name, None) => {
            let messages = names::path_segment(name).into_iter();
            let path = path.child("name");
            errors.extend(messages.map(|message| FieldError::invalid(&path, name, message)));
        }
        (_, Some(_)) => {
            let detail = "name and selector are mutually exclusive";
            errors.push(FieldError::forbidden(&path.child("name"), detail));
            errors.push(FieldError::forbidden(&path.child("selector"), detail));
        }
    }
    let action = &own.parameter_not_found_action;
    one_of(
        errors,
        path,
        "parameterNotFoundAction",
        action,
        &["Allow", "Deny"],
    );
}

fn actions(errors: &mut Errors, actions: &[String], path: &Path) {
    if actions.is_empty() {
        errors.push(FieldError::required(path, ""));
    }
    let mut seen = BTreeSet::new();
    for (index, own) in actions.iter().enumerate() {
        let path = path.index(index);
        if !ACTIONS.contains(&own.as_str()) {
            errors.push(FieldError::not_supported(&path, own, ACTIONS));
        }
        if !seen.insert(own) {
            errors.push(FieldError::duplicate(&path, own));
        }
    }
    let has = |action: &str| actions.iter().any(|own| own == action);
    if has("Deny") && has("Warn") {
        let detail = "must not contain both Deny and Warn (repeating the same validation failure information in \
                      the API response and headers serves no purpose)";
        errors.push(FieldError::invalid(path, go_strings(actions), detail));
    }
}
