//! The default roles: of everybody, of the cluster's own parts, and of what people install.

use super::{Rule, components, role, users};
use crate::{node, rbac::RoleObject};

pub(super) const READ: &[&str] = &["get", "list", "watch"];
pub(super) const ALL_VERBS: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];
const HEALTH: &[&str] = &["/healthz", "/livez", "/readyz", "/version", "/version/"];

/// All default roles with their namespaces, which are empty for ClusterRoles.
#[must_use]
pub fn roles() -> Vec<(&'static str, RoleObject)> {
    let mut roles = vec![role(
        "cluster-admin",
        vec![
            Rule::resources(&["*"], &["*"], &["*"]),
            Rule::paths(&["*"], &["*"]),
        ],
    )];
    roles.extend(everybody());
    roles.extend(users::roles());
    roles.extend(parts());
    roles.extend(signing());
    roles.extend(components::roles());
    let mut roles: Vec<(&'static str, RoleObject)> = roles.into_iter().map(|role| ("", role)).collect();
    roles.extend(components::local_roles());
    roles
}

fn everybody() -> Vec<RoleObject> {
    let discovery: Vec<&str> = HEALTH
        .iter()
        .copied()
        .chain(["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*"])
        .collect();
    vec![
        role("system:discovery", vec![Rule::paths(&discovery, &["get"])]),
        role("system:public-info-viewer", vec![Rule::paths(HEALTH, &["get"])]),
        role(
            "system:basic-user",
            vec![
                Rule::resources(
                    &["authorization.k8s.io"],
                    &["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
                    &["create"],
                ),
                Rule::resources(&["authentication.k8s.io"], &["selfsubjectreviews"], &["create"]),
            ],
        ),
        role(
            "coracle:grpc-discovery",
            vec![Rule::paths(
                &[
                    "/grpc.reflection.v1.ServerReflection/*",
                    "/grpc.reflection.v1alpha.ServerReflection/*",
                ],
                &["post"],
            )],
        ),
        role(
            "system:service-account-issuer-discovery",
            vec![Rule::paths(
                &[
                    "/.well-known/openid-configuration",
                    "/.well-known/openid-configuration/",
                    "/openid/v1/jwks",
                    "/openid/v1/jwks/",
                ],
                &["get"],
            )],
        ),
        role(
            "system:monitoring",
            vec![Rule::paths(
                &[
                    "/healthz",
                    "/healthz/*",
                    "/livez",
                    "/livez/*",
                    "/metrics",
                    "/metrics/slis",
                    "/readyz",
                    "/readyz/*",
                ],
                &["get"],
            )],
        ),
    ]
}

fn parts() -> Vec<RoleObject> {
    vec![
        role("system:node", node::RULES.clone()),
        role(
            "system:node-bootstrapper",
            vec![Rule::resources(
                &["certificates.k8s.io"],
                &["certificatesigningrequests"],
                &["create", "get", "list", "watch"],
            )],
        ),
        role(
            "system:node-proxier",
            vec![
                Rule::resources(&[""], &["endpoints", "services"], &["list", "watch"]),
                Rule::resources(&[""], &["nodes"], READ),
                Rule::resources(
                    &["", "events.k8s.io"],
                    &["events"],
                    &["create", "patch", "update"],
                ),
                Rule::resources(&["discovery.k8s.io"], &["endpointslices"], &["list", "watch"]),
            ],
        ),
        role(
            "system:node-problem-detector",
            vec![
                Rule::resources(&[""], &["nodes"], &["get"]),
                Rule::resources(&[""], &["nodes/status"], &["patch"]),
                Rule::resources(
                    &["", "events.k8s.io"],
                    &["events"],
                    &["create", "patch", "update"],
                ),
            ],
        ),
        role(
            "system:kubelet-api-admin",
            vec![
                Rule::resources(&[""], &["nodes"], READ),
                Rule::resources(&[""], &["nodes"], &["proxy"]),
                Rule::resources(
                    &[""],
                    &["nodes/log", "nodes/metrics", "nodes/proxy", "nodes/stats"],
                    &["*"],
                ),
            ],
        ),
        role(
            "system:auth-delegator",
            vec![
                Rule::resources(&["authentication.k8s.io"], &["tokenreviews"], &["create"]),
                Rule::resources(&["authorization.k8s.io"], &["subjectaccessreviews"], &["create"]),
            ],
        ),
        role(
            "system:kube-dns",
            vec![
                Rule::resources(&[""], &["endpoints", "services"], &["list", "watch"]),
                Rule::resources(&["discovery.k8s.io"], &["endpointslices"], &["list", "watch"]),
            ],
        ),
        role(
            "system:volume-scheduler",
            vec![
                Rule::resources(
                    &[""],
                    &["persistentvolumes"],
                    &["get", "list", "patch", "update", "watch"],
                ),
                Rule::resources(&["storage.k8s.io"], &["storageclasses"], READ),
                Rule::resources(
                    &[""],
                    &["persistentvolumeclaims"],
                    &["get", "list", "patch", "update", "watch"],
                ),
            ],
        ),
        role(
            "system:persistent-volume-provisioner",
            vec![
                Rule::resources(
                    &[""],
                    &["persistentvolumes"],
                    &["create", "delete", "get", "list", "watch"],
                ),
                Rule::resources(
                    &[""],
                    &["persistentvolumeclaims"],
                    &["get", "list", "update", "watch"],
                ),
                Rule::resources(&["storage.k8s.io"], &["storageclasses"], READ),
                Rule::resources(&[""], &["events"], &["watch"]),
                Rule::resources(
                    &["", "events.k8s.io"],
                    &["events"],
                    &["create", "patch", "update"],
                ),
            ],
        ),
    ]
}

/// Who may approve which certificates.
fn signing() -> Vec<RoleObject> {
    const GROUP: &[&str] = &["certificates.k8s.io"];
    let approver = |name: &str, signer: &str| {
        let approve = Rule::resources(GROUP, &["signers"], &["approve"]).named(&[signer]);
        role(name, vec![approve])
    };
    let create = |name: &str, part: &str| {
        let resource = format!("certificatesigningrequests/{part}");
        role(name, vec![Rule::resources(GROUP, &[&resource], &["create"])])
    };
    vec![
        approver(
            "system:certificates.k8s.io:kube-apiserver-client-approver",
            "kubernetes.io/kube-apiserver-client",
        ),
        approver(
            "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver",
            "kubernetes.io/kube-apiserver-client-kubelet",
        ),
        approver(
            "system:certificates.k8s.io:kubelet-serving-approver",
            "kubernetes.io/kubelet-serving",
        ),
        approver(
            "system:certificates.k8s.io:legacy-unknown-approver",
            "kubernetes.io/legacy-unknown",
        ),
        create(
            "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
            "nodeclient",
        ),
        create(
            "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
            "selfnodeclient",
        ),
    ]
}
