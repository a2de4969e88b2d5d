//! Who has the default roles.

use super::{binding, group, user};
use crate::rbac::BindingObject;

const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";
const SCHEDULER: &str = "system:kube-scheduler";
const MANAGER: &str = "system:kube-controller-manager";
const CLUSTER: &str = "ClusterRole";

/// All default bindings with their namespaces, which are empty for ClusterRoleBindings.
#[must_use]
pub fn bindings() -> Vec<(&'static str, BindingObject)> {
    let same = |name: &'static str, subjects| ("", binding(name, (CLUSTER, name), subjects));
    let mut bindings = vec![
        same("cluster-admin", vec![group("system:masters")]),
        (
            "",
            binding(
                "kubeadm:cluster-admins",
                (CLUSTER, "cluster-admin"),
                vec![group("kubeadm:cluster-admins")],
            ),
        ),
        same("system:discovery", vec![group(AUTHENTICATED)]),
        same("system:basic-user", vec![group(AUTHENTICATED)]),
        same(
            "system:public-info-viewer",
            vec![group(AUTHENTICATED), group(UNAUTHENTICATED)],
        ),
        same("coracle:grpc-discovery", vec![group(AUTHENTICATED)]),
        same(
            "system:service-account-issuer-discovery",
            vec![group("system:serviceaccounts")],
        ),
        same("system:monitoring", vec![group("system:monitoring")]),
        // Nodes have their rights from the Node authorizer, so that none has another's.
        same("system:node", Vec::new()),
        same("system:node-proxier", vec![user("system:kube-proxy")]),
        same("system:kube-scheduler", vec![user(SCHEDULER)]),
        same("system:volume-scheduler", vec![user(SCHEDULER)]),
        same("system:kube-controller-manager", vec![user(MANAGER)]),
        same("coracle:controller-manager", vec![user(MANAGER)]),
        same("coracle:edge", vec![user("system:edge")]),
        same("coracle:dashboard", vec![user("system:dashboard")]),
    ];
    let bootstrappers = "system:bootstrappers";
    bindings.extend([
        (
            "",
            binding(
                "kubeadm:kubelet-bootstrap",
                (CLUSTER, "system:node-bootstrapper"),
                vec![group(bootstrappers)],
            ),
        ),
        (
            "",
            binding(
                "kubeadm:node-autoapprove-bootstrap",
                (
                    CLUSTER,
                    "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
                ),
                vec![group(bootstrappers)],
            ),
        ),
        (
            "",
            binding(
                "kubeadm:node-autoapprove-certificate-rotation",
                (
                    CLUSTER,
                    "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
                ),
                vec![group("system:nodes")],
            ),
        ),
        (
            "",
            binding(
                "kubeadm:get-nodes",
                (CLUSTER, "kubeadm:get-nodes"),
                vec![group(bootstrappers)],
            ),
        ),
    ]);
    for (role, name) in [
        ("system::leader-locking-kube-scheduler", SCHEDULER),
        ("system::leader-locking-kube-controller-manager", MANAGER),
    ] {
        bindings.push(("kube-system", binding(role, ("Role", role), vec![user(name)])));
    }
    bindings.push((
        "kube-system",
        binding(
            "system::extension-apiserver-authentication-reader",
            ("Role", "extension-apiserver-authentication-reader"),
            vec![user(SCHEDULER), user(MANAGER)],
        ),
    ));
    bindings
}
