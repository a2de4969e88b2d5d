//! What the cluster's own processes may do, each no more than it needs.
//!
//! Upstream runs each controller under a service account of its own; Coracle's controllers share the identity of their
//! process, so `coracle:controller-manager` is what the controllers together need.

use super::{Rule, role, roles::ALL_VERBS, roles::READ};
use crate::rbac::RoleObject;

const EVENTS: &[&str] = &["create", "patch", "update"];

/// Roles of the cluster.
pub(super) fn roles() -> Vec<RoleObject> {
    vec![
        role("system:kube-scheduler", scheduler()),
        role("system:kube-controller-manager", upstream_manager()),
        role("coracle:controller-manager", controllers()),
        role("coracle:edge", edge()),
        role("coracle:dashboard", dashboard()),
        role(
            "kubeadm:get-nodes",
            vec![Rule::resources(&[""], &["nodes"], &["get"])],
        ),
    ]
}

/// Roles of one namespace.
pub(super) fn local_roles() -> Vec<(&'static str, RoleObject)> {
    let leader = |name: &str, lease: &str| {
        role(
            name,
            vec![
                Rule::resources(
                    &["coordination.k8s.io"],
                    &["leases"],
                    &["create", "list", "watch"],
                ),
                Rule::resources(&["coordination.k8s.io"], &["leases"], &["get", "patch", "update"])
                    .named(&[lease]),
            ],
        )
    };
    vec![
        (
            "kube-system",
            leader("system::leader-locking-kube-scheduler", "kube-scheduler"),
        ),
        (
            "kube-system",
            leader(
                "system::leader-locking-kube-controller-manager",
                "kube-controller-manager",
            ),
        ),
        (
            "kube-system",
            role(
                "extension-apiserver-authentication-reader",
                vec![
                    Rule::resources(&[""], &["configmaps"], READ)
                        .named(&["extension-apiserver-authentication"]),
                ],
            ),
        ),
    ]
}

fn scheduler() -> Vec<Rule> {
    vec![
        Rule::resources(&["", "events.k8s.io"], &["events"], EVENTS),
        Rule::resources(
            &["coordination.k8s.io"],
            &["leases"],
            &["create", "list", "watch"],
        ),
        Rule::resources(&["coordination.k8s.io"], &["leases"], &["get", "update"]).named(&["kube-scheduler"]),
        Rule::resources(&[""], &["nodes"], READ),
        Rule::resources(&[""], &["pods"], &["delete", "get", "list", "watch"]),
        Rule::resources(&[""], &["bindings", "pods/binding"], &["create"]),
        Rule::resources(&[""], &["pods/status"], &["patch", "update"]),
        Rule::resources(&[""], &["replicationcontrollers", "services", "namespaces"], READ),
        Rule::resources(&["apps"], &["replicasets", "statefulsets"], READ),
        Rule::resources(&["policy"], &["poddisruptionbudgets"], READ),
        Rule::resources(
            &[""],
            &["persistentvolumeclaims", "persistentvolumes"],
            &["get", "list", "patch", "update", "watch"],
        ),
        Rule::resources(&["scheduling.k8s.io"], &["priorityclasses"], READ),
        Rule::resources(
            &["storage.k8s.io"],
            &[
                "csidrivers",
                "csinodes",
                "csistoragecapacities",
                "storageclasses",
                "volumeattachments",
            ],
            READ,
        ),
        Rule::resources(&["authentication.k8s.io"], &["tokenreviews"], &["create"]),
        Rule::resources(&["authorization.k8s.io"], &["subjectaccessreviews"], &["create"]),
    ]
}

fn upstream_manager() -> Vec<Rule> {
    vec![
        Rule::resources(&["", "events.k8s.io"], &["events"], EVENTS),
        Rule::resources(
            &["coordination.k8s.io"],
            &["leases"],
            &["create", "list", "watch"],
        ),
        Rule::resources(&["coordination.k8s.io"], &["leases"], &["get", "update"])
            .named(&["kube-controller-manager"]),
        Rule::resources(
            &[""],
            &["secrets", "serviceaccounts"],
            &["create", "get", "update"],
        ),
        Rule::resources(&[""], &["secrets"], &["delete"]),
        Rule::resources(&[""], &["configmaps", "namespaces"], &["get"]),
        Rule::resources(&[""], &["serviceaccounts/token"], &["create"]),
        Rule::resources(&["authentication.k8s.io"], &["tokenreviews"], &["create"]),
        Rule::resources(&["authorization.k8s.io"], &["subjectaccessreviews"], &["create"]),
        Rule::resources(&["*"], &["*"], &["list", "watch"]),
    ]
}

/// What carries traffic into the cluster reads Services, Ingresses and their certificates, and writes where they are.
fn edge() -> Vec<Rule> {
    vec![
        Rule::resources(&["", "events.k8s.io"], &["events"], EVENTS),
        Rule::resources(&[""], &["services"], READ),
        Rule::resources(&[""], &["services/status"], &["patch", "update"]),
        // Certificates of Ingresses.
        Rule::resources(&[""], &["secrets"], &["list", "watch"]),
        Rule::resources(&["discovery.k8s.io"], &["endpointslices"], READ),
        Rule::resources(&["networking.k8s.io"], &["ingresses"], READ),
        Rule::resources(
            &["networking.k8s.io"],
            &["ingresses/status"],
            &["patch", "update"],
        ),
        Rule::resources(
            &["networking.k8s.io"],
            &["ingressclasses"],
            &["create", "get", "list", "watch"],
        ),
    ]
}

/// What it shows live it reads itself; everything else it does as the viewer who asks, with that viewer's rights. Who
/// may take on any user is as powerful as the most powerful of them, so its certificate is as precious as an
/// administrator's.
fn dashboard() -> Vec<Rule> {
    vec![
        Rule::resources(&[""], &["nodes", "pods"], &["list", "watch"]),
        Rule::resources(&[""], &["groups", "serviceaccounts", "users"], &["impersonate"]),
        Rule::resources(&["authentication.k8s.io"], &["tokenreviews"], &["create"]),
    ]
}

fn controllers() -> Vec<Rule> {
    vec![
        // The garbage collector and the namespace controller treat objects of every kind, those of people too.
        Rule::resources(
            &["*"],
            &["*"],
            &[
                "delete",
                "deletecollection",
                "get",
                "list",
                "patch",
                "update",
                "watch",
            ],
        ),
        Rule::resources(&[""], &["pods", "configmaps", "serviceaccounts"], ALL_VERBS),
        Rule::resources(
            &[""],
            &["endpoints", "persistentvolumes", "persistentvolumeclaims"],
            &["create"],
        ),
        Rule::resources(&[""], &["pods/eviction"], &["create"]),
        Rule::resources(&["", "events.k8s.io"], &["events"], EVENTS),
        Rule::resources(&["apps"], &["replicasets", "controllerrevisions"], &["create"]),
        Rule::resources(&["batch"], &["jobs"], &["create"]),
        Rule::resources(&["discovery.k8s.io"], &["endpointslices"], &["create"]),
        Rule::resources(&["storage.k8s.io"], &["volumeattachments"], &["create"]),
        Rule::resources(&["coordination.k8s.io"], &["leases"], &["create"]),
        Rule::resources(&["certificates.k8s.io"], &["signers"], &["approve", "sign"]).named(&[
            "kubernetes.io/kube-apiserver-client",
            "kubernetes.io/kube-apiserver-client-kubelet",
            "kubernetes.io/kubelet-serving",
        ]),
    ]
}
