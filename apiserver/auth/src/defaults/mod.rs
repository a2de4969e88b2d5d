//! The roles and bindings that every cluster has, and how those that exist are brought up to date.
//!
//! Names, rules and labels are upstream's wherever upstream has them, because people and charts refer to them; what only
//! Coracle has begins with `coracle:`.

mod bindings;
mod components;
mod roles;
#[cfg(test)]
mod tests;
mod users;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

pub use bindings::bindings;
pub use roles::roles;

use crate::{
    RBAC_GROUP,
    rbac::{
        AggregationRule, BindingObject, Kind, Metadata, RoleObject, RoleRef, Rule, Selector, Subject,
        aggregate,
    },
};

/// Whether the server brings a default object up to date at start; a person who sets it to `false` keeps it as it is.
const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";
/// On every default object.
const BOOTSTRAPPING: &str = "kubernetes.io/bootstrapping";
const API_VERSION: &str = "rbac.authorization.k8s.io/v1";

/// A default object.
#[derive(Clone, Debug)]
pub struct DefaultObject {
    /// Its kind.
    pub kind: Kind,
    /// Empty where cluster-scoped.
    pub namespace: &'static str,
    /// Its name.
    pub name: String,
    /// The whole object.
    pub object: Value,
}

/// All default objects, roles first.
#[must_use]
pub fn all() -> Vec<DefaultObject> {
    let mut roles = roles();
    // Aggregated roles have their rules from the first moment; one may be part of another, so until nothing changes.
    let mut is_done = false;
    while !is_done {
        is_done = true;
        let present: Vec<RoleObject> = roles.iter().map(|(_, role)| role.clone()).collect();
        for (_, role) in &mut roles {
            if let Some(rules) = aggregate(role, &present) {
                role.rules = Some(rules);
                is_done = false;
            }
        }
    }
    let mut all: Vec<DefaultObject> = roles
        .into_iter()
        .map(|(namespace, role)| DefaultObject {
            kind: if namespace.is_empty() {
                Kind::ClusterRole
            } else {
                Kind::Role
            },
            namespace,
            name: role.metadata.name.clone(),
            object: role_json(namespace, &role),
        })
        .collect();
    all.extend(bindings().into_iter().map(|(namespace, binding)| DefaultObject {
        kind: if namespace.is_empty() {
            Kind::ClusterRoleBinding
        } else {
            Kind::RoleBinding
        },
        namespace,
        name: binding.metadata.name.clone(),
        object: binding_json(namespace, &binding),
    }));
    all
}

/// What a default object that exists should be instead, where it lacks rules or subjects and may be brought up to date.
/// Nothing that a person added is taken away.
#[must_use]
pub fn reconcile(wanted: &DefaultObject, present: &Value) -> Option<Value> {
    let may = present["metadata"]["annotations"]
        .get(AUTO_UPDATE)
        .is_none_or(|value| value == "true");
    if !may {
        return None;
    }
    let (field, is_role) = match wanted.kind {
        Kind::Role | Kind::ClusterRole => ("rules", true),
        Kind::RoleBinding | Kind::ClusterRoleBinding => ("subjects", false),
    };
    if is_role && !present["aggregationRule"].is_null() {
        return None;
    }
    let missing = if is_role {
        missing_rules(&wanted.object[field], &present[field])
    } else {
        let held: Vec<&Value> = present[field].as_array().into_iter().flatten().collect();
        let wanted = wanted.object[field].as_array().into_iter().flatten();
        wanted
            .filter(|subject| !held.contains(subject))
            .cloned()
            .collect()
    };
    if missing.is_empty() {
        return None;
    }
    let mut updated = present.clone();
    let mut list = present[field].as_array().cloned().unwrap_or_default();
    list.extend(missing);
    updated[field] = Value::Array(list);
    Some(updated)
}

fn missing_rules(wanted: &Value, present: &Value) -> Vec<Value> {
    let read = |rules: &Value| -> Vec<Rule> { serde_json::from_value(rules.clone()).unwrap_or_default() };
    let (wanted, present) = (read(wanted), read(present));
    let held: Vec<&Rule> = present.iter().collect();
    crate::rbac::uncovered(&held, &wanted)
        .iter()
        .filter_map(|rule| serde_json::to_value(rule).ok())
        .collect()
}

fn role_json(namespace: &str, role: &RoleObject) -> Value {
    let kind = if namespace.is_empty() {
        "ClusterRole"
    } else {
        "Role"
    };
    let mut object = json!({
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": metadata(namespace, &role.metadata),
        "rules": role.rules.as_deref().unwrap_or_default(),
    });
    if let Some(AggregationRule {
        cluster_role_selectors,
    }) = &role.aggregation_rule
    {
        let selectors: Vec<Value> = cluster_role_selectors
            .iter()
            .map(|selector| json!({ "matchLabels": selector.match_labels }))
            .collect();
        object["aggregationRule"] = json!({ "clusterRoleSelectors": selectors });
    }
    object
}

fn binding_json(namespace: &str, binding: &BindingObject) -> Value {
    let kind = if namespace.is_empty() {
        "ClusterRoleBinding"
    } else {
        "RoleBinding"
    };
    json!({
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": metadata(namespace, &binding.metadata),
        "subjects": binding.subjects,
        "roleRef": binding.role_ref,
    })
}

fn metadata(namespace: &str, metadata: &Metadata) -> Value {
    let mut labels = metadata.labels.clone();
    labels.insert(BOOTSTRAPPING.to_owned(), "rbac-defaults".to_owned());
    let mut shown = json!({"name": metadata.name, "labels": labels, "annotations": {AUTO_UPDATE: "true"}});
    if !namespace.is_empty() {
        shown["namespace"] = json!(namespace);
    }
    shown
}

/// A role in the cluster (or, with a namespace, there).
fn role(name: &str, rules: Vec<Rule>) -> RoleObject {
    RoleObject {
        metadata: Metadata {
            name: name.to_owned(),
            ..Metadata::default()
        },
        rules: Some(rules),
        aggregation_rule: None,
    }
}

fn labelled(mut role: RoleObject, labels: &[&str]) -> RoleObject {
    let labels = labels
        .iter()
        .map(|label| ((*label).to_owned(), "true".to_owned()));
    role.metadata.labels.extend(labels);
    role
}

fn aggregated(name: &str, label: &str) -> RoleObject {
    let match_labels = BTreeMap::from([(label.to_owned(), "true".to_owned())]);
    RoleObject {
        aggregation_rule: Some(AggregationRule {
            cluster_role_selectors: vec![Selector {
                match_labels,
                match_expressions: Vec::new(),
            }],
        }),
        ..role(name, Vec::new())
    }
}

/// A binding of a role of the given kind to subjects.
fn binding(name: &str, (kind, role): (&str, &str), subjects: Vec<Subject>) -> BindingObject {
    BindingObject {
        metadata: Metadata {
            name: name.to_owned(),
            ..Metadata::default()
        },
        subjects: Some(subjects),
        role_ref: RoleRef {
            api_group: RBAC_GROUP.to_owned(),
            kind: kind.to_owned(),
            name: role.to_owned(),
        },
    }
}

fn user(name: &str) -> Subject {
    subject("User", name)
}

fn group(name: &str) -> Subject {
    subject("Group", name)
}

fn subject(kind: &str, name: &str) -> Subject {
    Subject {
        kind: kind.to_owned(),
        api_group: RBAC_GROUP.to_owned(),
        name: name.to_owned(),
        namespace: String::new(),
    }
}

/// The names of all default roles of the cluster, for tests and documentation.
#[must_use]
pub fn names() -> BTreeSet<String> {
    all().into_iter().map(|default| default.name).collect()
}
