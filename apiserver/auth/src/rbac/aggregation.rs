//! ClusterRoles that are made of others: which rules an aggregation rule comes to.

use std::collections::BTreeSet;

use super::{RoleObject, Rule};

/// The rules that `role` should have, where it has an aggregation rule and has other ones now: those of all ClusterRoles
/// that it selects, in order of their names and without repetition.
pub fn aggregate<'a>(role: &RoleObject, all: impl IntoIterator<Item = &'a RoleObject>) -> Option<Vec<Rule>> {
    let selectors = &role.aggregation_rule.as_ref()?.cluster_role_selectors;
    let mut selected: Vec<&RoleObject> = all
        .into_iter()
        .filter(|other| other.metadata.name != role.metadata.name)
        .filter(|other| {
            selectors
                .iter()
                .any(|selector| selector.matches(&other.metadata.labels))
        })
        .collect();
    selected.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    let mut seen = BTreeSet::new();
    let rules: Vec<Rule> = selected
        .iter()
        .flat_map(|other| other.rules.iter().flatten())
        .filter(|rule| seen.insert(*rule))
        .cloned()
        .collect();
    (role.rules.as_deref().unwrap_or_default() != rules).then_some(rules)
}
