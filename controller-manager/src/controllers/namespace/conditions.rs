//! What the deletion of a namespace waits for, in words. Source: the namespace controller's conditions, as `kubectl
//! describe namespace` shows them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::plan::Snapshot;
use crate::view::Condition;

/// The conditions, where they say something else than before.
pub(super) fn changed(snapshot: &Snapshot, now: Timestamp) -> Option<Vec<Condition>> {
    let mut conditions = snapshot.namespace.conditions.clone();
    for (kind, status, reason, message) in said(snapshot) {
        let new = Condition {
            last_update_time: None,
            ..Condition::new(kind, status, reason, &message, now)
        };
        match conditions.iter_mut().find(|own| &*own.kind == kind) {
            // Only a change of the state itself has a time.
            Some(own) if own.status == new.status => {
                *own = Condition {
                    last_transition_time: own.last_transition_time,
                    ..new
                };
            }
            Some(own) => *own = new,
            None => conditions.push(new),
        }
    }
    (conditions != snapshot.namespace.conditions).then_some(conditions)
}

fn said(snapshot: &Snapshot) -> [(&'static str, &'static str, &'static str, String); 5] {
    let remaining = remaining(snapshot);
    let finalizers = finalizers(snapshot);
    let all = |what: &str| what.to_owned();
    [
        (
            "NamespaceDeletionDiscoveryFailure",
            "False",
            "ResourcesDiscovered",
            all("All resources successfully discovered"),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            all("All legacy kube types successfully parsed"),
        ),
        (
            "NamespaceDeletionContentFailure",
            "False",
            "ContentDeleted",
            all("All content successfully deleted, may be waiting on finalization"),
        ),
        if remaining.is_empty() {
            let told = all("All content successfully removed");
            ("NamespaceContentRemaining", "False", "ContentRemoved", told)
        } else {
            let told = format!("Some resources are remaining: {remaining}");
            ("NamespaceContentRemaining", "True", "SomeResourcesRemain", told)
        },
        if finalizers.is_empty() {
            let told = all("All content-preserving finalizers finished");
            (
                "NamespaceFinalizersRemaining",
                "False",
                "ContentHasNoFinalizers",
                told,
            )
        } else {
            let told = format!("Some content in the namespace has finalizers remaining: {finalizers}");
            (
                "NamespaceFinalizersRemaining",
                "True",
                "SomeFinalizersRemain",
                told,
            )
        },
    ]
}

/// What is still inside, by kind.
fn remaining(snapshot: &Snapshot) -> String {
    let mut kinds: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for content in &snapshot.contents {
        *kinds
            .entry((content.resource.plural, content.resource.group))
            .or_default() += 1;
    }
    let lines = kinds
        .into_iter()
        .map(|((plural, group), count)| format!("{plural}.{group} has {count} resource instances"));
    lines.collect::<Vec<_>>().join(", ")
}

/// What keeps it there.
fn finalizers(snapshot: &Snapshot) -> String {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for finalizer in snapshot
        .contents
        .iter()
        .flat_map(|content| &content.meta.finalizers)
    {
        *names.entry(finalizer).or_default() += 1;
    }
    let lines = names
        .into_iter()
        .map(|(name, count)| format!("{name} in {count} resource instances"));
    lines.collect::<Vec<_>>().join(", ")
}
