//! Roles and their bindings. Whether the writer may grant what they grant is the authorizer's.

use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};

use super::check::{Errors, text};
use super::selector::label_selector;
use crate::field_error::{FieldError, Path, Value, quote};
use crate::names;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Mistakes in a Role, outside its metadata.
pub fn role(role: &Role) -> Vec<FieldError> {
    rules(role.rules.as_deref(), true)
}

/// Mistakes in a ClusterRole, outside its metadata.
pub fn cluster_role(role: &ClusterRole) -> Vec<FieldError> {
    let mut errors = rules(role.rules.as_deref(), false);
    if let Some(aggregation) = &role.aggregation_rule {
        let path = Path::new("aggregationRule").child("clusterRoleSelectors");
        let selectors = aggregation.cluster_role_selectors.as_deref().unwrap_or_default();
        if selectors.is_empty() {
            let detail = "at least one clusterRoleSelector required if aggregationRule is non-nil";
            errors.push(FieldError::required(&path, detail));
        }
        for (index, selector) in selectors.iter().enumerate() {
            errors.extend(label_selector(selector, &path.index(index)));
        }
    }
    errors
}

fn rules(rules: Option<&[PolicyRule]>, is_namespaced: bool) -> Errors {
    let mut errors = Vec::new();
    for (index, own) in rules.unwrap_or_default().iter().enumerate() {
        rule(&mut errors, own, is_namespaced, &Path::new("rules").index(index));
    }
    errors
}

fn rule(errors: &mut Errors, rule: &PolicyRule, is_namespaced: bool, path: &Path) {
    let is_empty = |list: &Option<Vec<String>>| list.as_ref().is_none_or(Vec::is_empty);
    if rule.verbs.is_empty() {
        let detail = "verbs must contain at least one value";
        errors.push(FieldError::required(&path.child("verbs"), detail));
    }
    if let Some(urls) = rule.non_resource_urls.as_ref().filter(|urls| !urls.is_empty()) {
        let path = path.child("nonResourceURLs");
        let mut refuse = |why| errors.push(FieldError::invalid(&path, go_strings(urls), why));
        if is_namespaced {
            refuse("namespaced rules cannot apply to non-resource URLs");
        }
        if [&rule.api_groups, &rule.resources, &rule.resource_names]
            .iter()
            .any(|list| !is_empty(list))
        {
            refuse("rules cannot apply to both regular resources and non-resource URLs");
        }
        return;
    }
    if is_empty(&rule.api_groups) {
        let detail = "resource rules must supply at least one api group";
        errors.push(FieldError::required(&path.child("apiGroups"), detail));
    }
    if is_empty(&rule.resources) {
        let detail = "resource rules must supply at least one resource";
        errors.push(FieldError::required(&path.child("resources"), detail));
    }
}

/// A list as Go prints it, which is what upstream's messages show.
pub(super) fn go_strings(list: &[String]) -> Value {
    let quoted: Vec<String> = list.iter().map(|text| quote(text)).collect();
    Value::bare(format!("[]string{{{}}}", quoted.join(", ")))
}

/// Mistakes in a RoleBinding, outside its metadata.
pub fn role_binding(own: &RoleBinding) -> Vec<FieldError> {
    let mut errors = role_ref(&own.role_ref, &["ClusterRole", "Role"]);
    subjects(&mut errors, own.subjects.as_deref(), true);
    errors
}

/// Mistakes in a ClusterRoleBinding, outside its metadata.
pub fn cluster_role_binding(own: &ClusterRoleBinding) -> Vec<FieldError> {
    let mut errors = role_ref(&own.role_ref, &["ClusterRole"]);
    subjects(&mut errors, own.subjects.as_deref(), false);
    errors
}

/// Mistakes in the change of a RoleBinding: its role stands for ever.
pub fn role_binding_update(new: &RoleBinding, old: &RoleBinding) -> Vec<FieldError> {
    let mut errors = role_binding(new);
    same_role(&mut errors, &new.role_ref, &old.role_ref);
    errors
}

/// Mistakes in the change of a ClusterRoleBinding: its role stands for ever.
pub fn cluster_role_binding_update(new: &ClusterRoleBinding, old: &ClusterRoleBinding) -> Vec<FieldError> {
    let mut errors = cluster_role_binding(new);
    same_role(&mut errors, &new.role_ref, &old.role_ref);
    errors
}

fn same_role(errors: &mut Errors, new: &RoleRef, old: &RoleRef) {
    if new != old {
        let shown = format!(
            "rbac.RoleRef{{APIGroup:{}, Kind:{}, Name:{}}}",
            quote(&new.api_group),
            quote(&new.kind),
            quote(&new.name)
        );
        errors.push(FieldError::invalid(
            &Path::new("roleRef"),
            Value::bare(shown),
            "cannot change roleRef",
        ));
    }
}

fn role_ref(own: &RoleRef, kinds: &[&str]) -> Errors {
    let mut errors = Vec::new();
    let path = Path::new("roleRef");
    if own.api_group != GROUP {
        errors.push(FieldError::not_supported(
            &path.child("apiGroup"),
            &own.api_group,
            &[GROUP],
        ));
    }
    if !kinds.contains(&own.kind.as_str()) {
        errors.push(FieldError::not_supported(&path.child("kind"), &own.kind, kinds));
    }
    if own.name.is_empty() {
        errors.push(FieldError::required(&path.child("name"), ""));
    }
    let messages = names::path_segment(&own.name).into_iter();
    errors.extend(messages.map(|message| FieldError::invalid(&path.child("name"), &own.name, message)));
    errors
}

fn subjects(errors: &mut Errors, subjects: Option<&[Subject]>, is_namespaced: bool) {
    for (index, own) in subjects.unwrap_or_default().iter().enumerate() {
        subject(errors, own, is_namespaced, &Path::new("subjects").index(index));
    }
}

fn subject(errors: &mut Errors, own: &Subject, is_namespaced: bool, path: &Path) {
    if own.name.is_empty() {
        errors.push(FieldError::required(&path.child("name"), ""));
    }
    let group = text(&own.api_group);
    let mut of_group = |expected: &str| {
        if group != expected {
            errors.push(FieldError::not_supported(
                &path.child("apiGroup"),
                group,
                &[expected],
            ));
        }
    };
    match own.kind.as_str() {
        "ServiceAccount" => {
            of_group("");
            if !own.name.is_empty() {
                let messages = names::subdomain(&own.name).into_iter();
                errors.extend(
                    messages.map(|message| FieldError::invalid(&path.child("name"), &own.name, message)),
                );
            }
            if !is_namespaced && text(&own.namespace).is_empty() {
                errors.push(FieldError::required(&path.child("namespace"), ""));
            }
        }
        "User" | "Group" => of_group(GROUP),
        other => errors.push(FieldError::not_supported(
            &path.child("kind"),
            other,
            &["Group", "ServiceAccount", "User"],
        )),
    }
}
