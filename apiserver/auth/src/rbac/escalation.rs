//! Nobody grants what they do not have: the checks on writing roles and bindings.
//!
//! Whoever writes a role must hold all of its rules or the verb `escalate` on it; whoever binds one must hold its
//! rules or the verb `bind` on it. Source: "Privilege escalation prevention and bootstrapping" in the Kubernetes
//! documentation of RBAC.

use coracle_api::ApiError;
use coracle_service::Peer;

use super::{BindingObject, Kind, RoleObject, RoleRef, Rule, Tables, uncovered};
use crate::{Attributes, MASTERS, RBAC_GROUP, ResourceAttributes};

/// Checks the writing of a role; `old` is what it replaces.
///
/// # Errors
/// Forbidden, naming what the caller lacks.
pub fn confirm_role(
    tables: &Tables,
    user: &Peer,
    kind: Kind,
    new: &RoleObject,
    old: Option<&RoleObject>,
) -> Result<(), ApiError> {
    let namespace = new.metadata.namespace.as_str();
    let about = about(kind, namespace, &new.metadata.name);
    if may(tables, user, "escalate", about) {
        return Ok(());
    }
    let is_same = |old: &RoleObject| {
        old.rules.as_deref().unwrap_or_default() == new.rules.as_deref().unwrap_or_default()
            && old.aggregation_rule == new.aggregation_rule
    };
    if old.is_some_and(is_same) {
        return Ok(());
    }
    let everything = everything();
    let mut wanted: Vec<&Rule> = new.rules.iter().flatten().collect();
    if new.aggregation_rule.is_some() {
        // What other roles will bring is not known now, so this takes the right to everything.
        wanted.extend(&everything);
    }
    confirm(tables, user, namespace, wanted, about)
}

/// Checks the writing of a binding; `old` is what it replaces.
///
/// # Errors
/// Forbidden, naming what the caller lacks; not found where the role to bind is unknown.
pub fn confirm_binding(
    tables: &Tables,
    user: &Peer,
    kind: Kind,
    new: &BindingObject,
    old: Option<&BindingObject>,
) -> Result<(), ApiError> {
    let namespace = new.metadata.namespace.as_str();
    let about_binding = about(kind, namespace, &new.metadata.name);
    let role_kind = match new.role_ref.kind.as_str() {
        "Role" => Kind::Role,
        _ => Kind::ClusterRole,
    };
    let is_same = |old: &BindingObject| {
        old.role_ref == new.role_ref
            && old.subjects.as_deref().unwrap_or_default() == new.subjects.as_deref().unwrap_or_default()
    };
    if old.is_some_and(is_same)
        || may(
            tables,
            user,
            "bind",
            about(role_kind, namespace, &new.role_ref.name),
        )
    {
        return Ok(());
    }
    let rules = tables
        .role(&new.role_ref, namespace)
        .ok_or_else(|| missing(role_kind, &new.role_ref))?;
    confirm(tables, user, namespace, rules, about_binding)
}

fn confirm<'a>(
    tables: &Tables,
    user: &Peer,
    namespace: &str,
    wanted: impl IntoIterator<Item = &'a Rule>,
    about: ResourceAttributes<'_>,
) -> Result<(), ApiError> {
    let held: Vec<&Rule> = tables.rules(user, namespace).collect();
    let missing = uncovered(&held, wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let groups: Vec<String> = user.groups.iter().map(|group| format!("{group:?}")).collect();
    let mut rules: Vec<String> = compact(missing).iter().map(ToString::to_string).collect();
    rules.sort();
    Err(about.refuse(&format!(
        "user {:?} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
        user.user,
        groups.join(" "),
        rules.join("\n")
    )))
}

/// Joins rules that differ in their verbs alone, as people write them.
fn compact(atoms: Vec<Rule>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for atom in atoms {
        let same = |rule: &&mut Rule| {
            rule.api_groups == atom.api_groups
                && rule.resources == atom.resources
                && rule.resource_names == atom.resource_names
                && rule.non_resource_urls == atom.non_resource_urls
        };
        match rules.iter_mut().find(same) {
            Some(rule) => rule.verbs.extend(atom.verbs),
            None => rules.push(atom),
        }
    }
    rules
}

fn may(tables: &Tables, user: &Peer, verb: &str, about: ResourceAttributes<'_>) -> bool {
    user.is_in(MASTERS) || tables.decide(&Attributes::resource(user, verb, about)).is_some()
}

fn about<'a>(kind: Kind, namespace: &'a str, name: &'a str) -> ResourceAttributes<'a> {
    let is_namespaced = matches!(kind, Kind::Role | Kind::RoleBinding);
    ResourceAttributes {
        group: RBAC_GROUP,
        version: "v1",
        resource: kind.plural(),
        // Asked in the namespace of the binding, as upstream does, so that a local right to bind a ClusterRole counts.
        namespace: if is_namespaced || kind == Kind::ClusterRole {
            namespace
        } else {
            ""
        },
        name,
        ..ResourceAttributes::default()
    }
}

fn missing(kind: Kind, role: &RoleRef) -> ApiError {
    let message = format!("{}.{RBAC_GROUP} {:?} not found", kind.plural(), role.name);
    ApiError::new(coracle_api::Reason::NotFound, message).with_details(coracle_api::Details {
        name: role.name.clone(),
        group: RBAC_GROUP.to_owned(),
        kind: kind.plural().to_owned(),
        ..coracle_api::Details::default()
    })
}

fn everything() -> [Rule; 2] {
    [
        Rule::resources(&["*"], &["*"], &["*"]),
        Rule::paths(&["*"], &["*"]),
    ]
}
