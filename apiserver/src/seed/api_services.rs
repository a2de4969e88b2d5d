//! An APIService for each version that is served, all of them by this server.

use std::collections::BTreeSet;

use coracle_api::kinds::{self, RESOURCES};
use serde_json::{Value, json};

use super::Seed;

/// The place of each group in discovery, higher first, and that of its versions; upstream's numbers.
const PRIORITIES: &[(&str, i32)] = &[
    ("", 18_000),
    ("apps", 17_800),
    ("events.k8s.io", 17_750),
    ("authentication.k8s.io", 17_700),
    ("authorization.k8s.io", 17_600),
    ("autoscaling", 17_500),
    ("batch", 17_400),
    ("certificates.k8s.io", 17_300),
    ("networking.k8s.io", 17_200),
    ("policy", 17_100),
    ("rbac.authorization.k8s.io", 17_000),
    ("storage.k8s.io", 16_800),
    ("apiextensions.k8s.io", 16_700),
    ("admissionregistration.k8s.io", 16_700),
    ("scheduling.k8s.io", 16_600),
    ("coordination.k8s.io", 16_500),
    ("node.k8s.io", 16_300),
    ("discovery.k8s.io", 16_200),
    ("flowcontrol.apiserver.k8s.io", 16_100),
];
/// Groups that are not in the list: those of add-ons.
const OTHERS: (i32, i32) = (100, 100);

/// `groupPriorityMinimum` and `versionPriority` of a version.
fn priorities(group: &str, version: &str) -> (i32, i32) {
    let Some((_, priority)) = PRIORITIES.iter().find(|(own, _)| *own == group) else {
        return OTHERS;
    };
    let of_version = match (group, version) {
        ("", _) => 1,
        (_, "v2") => 30,
        _ => 15,
    };
    (*priority, of_version)
}

pub(super) fn seeds() -> impl Iterator<Item = Seed> {
    let own = "apiregistration.k8s.io";
    let served: BTreeSet<(&str, &str)> = RESOURCES
        .iter()
        .filter(|resource| resource.group != own)
        .map(|resource| (resource.group, resource.version))
        .collect();
    served
        .into_iter()
        .map(|(group, version)| (kinds::API_SERVICE, service(group, version)))
}

fn service(group: &str, version: &str) -> Value {
    let (group_priority, version_priority) = priorities(group, version);
    json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {
            "name": format!("{version}.{group}"),
            "labels": {"kube-aggregator.kubernetes.io/automanaged": "onstart"},
        },
        "spec": {
            "group": group,
            "version": version,
            "groupPriorityMinimum": group_priority,
            "versionPriority": version_priority,
        },
    })
}
