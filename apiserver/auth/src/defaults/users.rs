//! What people get: `view`, `edit` and `admin` by aggregation, as upstream's rules have them.

use super::{Rule, aggregated, labelled, role};
use crate::rbac::RoleObject;

const TO_VIEW: &str = "rbac.authorization.k8s.io/aggregate-to-view";
const TO_EDIT: &str = "rbac.authorization.k8s.io/aggregate-to-edit";
const TO_ADMIN: &str = "rbac.authorization.k8s.io/aggregate-to-admin";

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "delete", "deletecollection", "patch", "update"];
const READ_WRITE: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// `admin`, `edit`, `view`, and the roles that they are made of.
pub(super) fn roles() -> Vec<RoleObject> {
    vec![
        aggregated("admin", TO_ADMIN),
        labelled(aggregated("edit", TO_EDIT), &[TO_ADMIN]),
        labelled(aggregated("view", TO_VIEW), &[TO_EDIT]),
        labelled(role("system:aggregate-to-admin", admin()), &[TO_ADMIN]),
        labelled(role("system:aggregate-to-edit", edit()), &[TO_EDIT]),
        labelled(role("system:aggregate-to-view", view()), &[TO_VIEW]),
    ]
}

fn admin() -> Vec<Rule> {
    vec![
        Rule::resources(
            &["authorization.k8s.io"],
            &["localsubjectaccessreviews"],
            &["create"],
        ),
        Rule::resources(
            &["rbac.authorization.k8s.io"],
            &["roles", "rolebindings"],
            READ_WRITE,
        ),
    ]
}

fn edit() -> Vec<Rule> {
    vec![
        Rule::resources(
            &[""],
            &[
                "pods/attach",
                "pods/proxy",
                "pods/exec",
                "pods/portforward",
                "secrets",
                "services/proxy",
            ],
            READ,
        ),
        Rule::resources(&[""], &["serviceaccounts"], &["impersonate"]),
        Rule::resources(
            &[""],
            &[
                "pods",
                "pods/attach",
                "pods/proxy",
                "pods/exec",
                "pods/portforward",
            ],
            WRITE,
        ),
        Rule::resources(&[""], &["pods/eviction"], &["create"]),
        Rule::resources(
            &[""],
            &[
                "replicationcontrollers",
                "replicationcontrollers/scale",
                "serviceaccounts",
                "services",
                "services/proxy",
                "persistentvolumeclaims",
                "configmaps",
                "secrets",
                "events",
            ],
            WRITE,
        ),
        Rule::resources(&[""], &["serviceaccounts/token"], &["create"]),
        Rule::resources(
            &["apps"],
            &[
                "statefulsets",
                "statefulsets/scale",
                "daemonsets",
                "deployments",
                "deployments/scale",
                "deployments/rollback",
                "replicasets",
                "replicasets/scale",
            ],
            WRITE,
        ),
        Rule::resources(&["autoscaling"], &["horizontalpodautoscalers"], WRITE),
        Rule::resources(&["batch"], &["jobs", "cronjobs"], WRITE),
        Rule::resources(&["policy"], &["poddisruptionbudgets"], WRITE),
        Rule::resources(&["networking.k8s.io"], &["networkpolicies", "ingresses"], WRITE),
        Rule::resources(&["coordination.k8s.io"], &["leases"], READ_WRITE),
    ]
}

fn view() -> Vec<Rule> {
    vec![
        Rule::resources(
            &[""],
            &[
                "pods",
                "replicationcontrollers",
                "replicationcontrollers/scale",
                "serviceaccounts",
                "services",
                "endpoints",
                "persistentvolumeclaims",
                "persistentvolumeclaims/status",
                "configmaps",
            ],
            READ,
        ),
        Rule::resources(
            &[""],
            &[
                "limitranges",
                "resourcequotas",
                "bindings",
                "events",
                "pods/status",
                "resourcequotas/status",
                "namespaces/status",
                "replicationcontrollers/status",
                "pods/log",
                "services/status",
            ],
            READ,
        ),
        Rule::resources(&[""], &["namespaces"], READ),
        // What the metrics server's own role adds upstream.
        Rule::resources(&["metrics.k8s.io"], &["pods", "nodes"], READ),
        Rule::resources(&["discovery.k8s.io"], &["endpointslices"], READ),
        Rule::resources(
            &["apps"],
            &[
                "controllerrevisions",
                "statefulsets",
                "statefulsets/status",
                "statefulsets/scale",
                "daemonsets",
                "daemonsets/status",
                "deployments",
                "deployments/status",
                "deployments/scale",
                "replicasets",
                "replicasets/status",
                "replicasets/scale",
            ],
            READ,
        ),
        Rule::resources(
            &["autoscaling"],
            &["horizontalpodautoscalers", "horizontalpodautoscalers/status"],
            READ,
        ),
        Rule::resources(
            &["batch"],
            &["jobs", "cronjobs", "cronjobs/status", "jobs/status"],
            READ,
        ),
        Rule::resources(
            &["policy"],
            &["poddisruptionbudgets", "poddisruptionbudgets/status"],
            READ,
        ),
        Rule::resources(
            &["networking.k8s.io"],
            &["networkpolicies", "ingresses", "ingresses/status"],
            READ,
        ),
    ]
}
