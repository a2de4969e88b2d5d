//! Every verb on every resource by every identity, against what each identity should have and nothing more.
//!
//! What is expected is written down here a second time, by identity and in words that do not come from the roles, so
//! that a rule that grants too much shows.

use coracle_api::kinds::RESOURCES;
use coracle_service::Peer;

use super::cluster;
use crate::{Attributes, Authorizer, ResourceAttributes};

const VERBS: [&str; 10] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "impersonate",
    "escalate",
];
/// Kinds that are not served yet, or are only names for rights.
const MORE: [(&str, &str, bool); 9] = [
    ("", "users", false),
    ("", "groups", false),
    ("certificates.k8s.io", "signers", false),
    ("rbac.authorization.k8s.io", "clusterroles", false),
    ("rbac.authorization.k8s.io", "roles", true),
    (
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        false,
    ),
    ("apiextensions.k8s.io", "customresourcedefinitions", false),
    ("example.com", "widgets", true),
    ("storage.k8s.io", "storageclasses", false),
];
const PARTS: [&str; 8] = [
    "", "status", "scale", "exec", "log", "token", "eviction", "binding",
];

struct Identity {
    name: &'static str,
    peer: Peer,
    /// Whether it should be allowed.
    expects: fn(&Question<'_>) -> bool,
}

struct Question<'a> {
    verb: &'a str,
    group: &'a str,
    resource: &'a str,
    part: &'a str,
    namespace: &'a str,
    name: &'a str,
}

impl Question<'_> {
    fn is_read(&self) -> bool {
        matches!(self.verb, "get" | "list" | "watch")
    }

    fn is_write(&self) -> bool {
        matches!(
            self.verb,
            "create" | "update" | "patch" | "delete" | "deletecollection"
        )
    }

    fn is(&self, group: &str, resource: &str, part: &str) -> bool {
        (self.group, self.resource, self.part) == (group, resource, part)
    }

    /// Questions about oneself, which everybody with a name may ask.
    fn is_self_review(&self) -> bool {
        self.verb == "create" && self.part.is_empty() && self.resource.starts_with("selfsubject")
    }

    /// What people work with in a namespace.
    fn is_workload(&self) -> bool {
        let plain = match self.group {
            "" => matches!(
                self.resource,
                "pods"
                    | "services"
                    | "configmaps"
                    | "persistentvolumeclaims"
                    | "serviceaccounts"
                    | "replicationcontrollers"
            ),
            "apps" => matches!(
                self.resource,
                "deployments" | "replicasets" | "statefulsets" | "daemonsets"
            ),
            "batch" => matches!(self.resource, "jobs" | "cronjobs"),
            "autoscaling" => self.resource == "horizontalpodautoscalers",
            "policy" => self.resource == "poddisruptionbudgets",
            "networking.k8s.io" => matches!(self.resource, "ingresses" | "networkpolicies"),
            _ => false,
        };
        plain && self.part.is_empty() && self.namespace == "default"
    }
}

fn nobody(_: &Question<'_>) -> bool {
    false
}

fn anyone(question: &Question<'_>) -> bool {
    question.is_self_review()
}

fn view(question: &Question<'_>) -> bool {
    if question.is_self_review() {
        return true;
    }
    let is_seen = question.is_workload()
        || (question.part == "status"
            && matches!(
                question.resource,
                "pods" | "services" | "persistentvolumeclaims" | "replicationcontrollers" | "resourcequotas"
            )
            && question.group.is_empty())
        || (question.part == "status"
            && matches!(question.group, "apps" | "batch" | "policy" | "autoscaling")
            && question.resource != "controllerrevisions")
        || question.is("networking.k8s.io", "ingresses", "status")
        || question.is("", "replicationcontrollers", "scale")
        || (question.group == "apps"
            && question.part == "scale"
            && matches!(question.resource, "deployments" | "replicasets" | "statefulsets"))
        || question.is("apps", "controllerrevisions", "")
        || question.is("discovery.k8s.io", "endpointslices", "")
        || question.is("metrics.k8s.io", "pods", "")
        || (question.group.is_empty()
            && question.part.is_empty()
            && matches!(
                question.resource,
                "events" | "endpoints" | "limitranges" | "resourcequotas" | "bindings" | "namespaces"
            ))
        || question.is("", "namespaces", "status")
        || question.is("", "pods", "log");
    question.is_read() && is_seen && question.namespace == "default"
}

fn edit(question: &Question<'_>) -> bool {
    let here = question.namespace == "default";
    view(question)
        || (question.is_write() && question.is_workload())
        || (here && question.is("", "secrets", "") && (question.is_read() || question.is_write()))
        || (here && question.is("", "events", "") && question.is_write())
        || (here && question.is("", "pods", "exec") && (question.is_read() || question.is_write()))
        || (here
            && question.is_write()
            && question.part == "scale"
            && (question.is("", "replicationcontrollers", "scale")
                || (question.group == "apps"
                    && matches!(question.resource, "deployments" | "replicasets" | "statefulsets"))))
        || (here
            && question.verb == "create"
            && (question.is("", "pods", "eviction") || question.is("", "serviceaccounts", "token")))
        || (here && question.verb == "impersonate" && question.is("", "serviceaccounts", ""))
        || (here
            && question.is("coordination.k8s.io", "leases", "")
            && (question.is_read() || question.is_write()))
}

fn admin(question: &Question<'_>) -> bool {
    let here = question.namespace == "default";
    let is_role = question.group == "rbac.authorization.k8s.io"
        && matches!(question.resource, "roles" | "rolebindings")
        && question.part.is_empty();
    edit(question)
        || (here && is_role && (question.is_read() || question.is_write()))
        || (here
            && question.verb == "create"
            && question.is("authorization.k8s.io", "localsubjectaccessreviews", ""))
}

/// What any node may do that is no node's in particular.
fn some_node(question: &Question<'_>) -> bool {
    let shared = ["services", "endpoints"].contains(&question.resource) && question.group.is_empty();
    let is_plain = question.part.is_empty();
    (is_plain && question.is_read() && (shared || question.is("", "nodes", "") || question.is("discovery.k8s.io", "endpointslices", "")))
        || (is_plain && question.is_read() && matches!(question.resource, "csidrivers" | "runtimeclasses"))
        || (is_plain && question.resource == "events" && matches!(question.verb, "create" | "update" | "patch"))
        || (is_plain && question.verb == "create" && question.group != "metrics.k8s.io" && matches!(question.resource, "nodes" | "pods" | "tokenreviews" | "subjectaccessreviews" | "localsubjectaccessreviews"))
        || (question.is("certificates.k8s.io", "certificatesigningrequests", "") && (question.is_read() || question.verb == "create"))
        // A create whose name stands in the body is judged there.
        || (question.verb == "create" && question.name.is_empty() && is_plain
            && (question.is("storage.k8s.io", "csinodes", "") || (question.is("coordination.k8s.io", "leases", "") && question.namespace == "kube-node-lease")))
}

/// What a node whose one pod is called `own` may do.
fn node(question: &Question<'_>, name: &str, own: &str) -> bool {
    let is_ours = question.name == own && question.namespace == "default";
    some_node(question)
        || (question.name == name
            && matches!(question.verb, "update" | "patch")
            && (question.is("", "nodes", "") || question.is("", "nodes", "status")))
        || (is_ours && question.is("", "pods", "") && matches!(question.verb, "get" | "delete"))
        || (is_ours && question.is("", "pods", "status") && matches!(question.verb, "update" | "patch"))
        || (is_ours && question.is("", "pods", "eviction") && question.verb == "create")
        || (is_ours
            && question.is_read()
            && (question.is("", "secrets", "") || question.is("", "configmaps", "")))
        || (is_ours && question.verb == "get" && question.is("", "persistentvolumeclaims", ""))
        || (is_ours
            && matches!(question.verb, "update" | "patch")
            && question.is("", "persistentvolumeclaims", "status"))
        || (question.name == own && question.verb == "get" && question.is("", "persistentvolumes", ""))
        || (own != "none"
            && question.name == "robot"
            && question.namespace == "default"
            && question.verb == "create"
            && question.is("", "serviceaccounts", "token"))
        || (question.name == name
            && matches!(question.verb, "get" | "create" | "update" | "patch" | "delete")
            && (question.is("storage.k8s.io", "csinodes", "")
                || (question.is("coordination.k8s.io", "leases", "")
                    && question.namespace == "kube-node-lease")))
}

fn identities() -> Vec<Identity> {
    let identity = |name, peer, expects| Identity { name, peer, expects };
    let people = &["system:authenticated"];
    let nodes = &["system:nodes", "system:authenticated"];
    let pools = &["system:nodes", "system:nodepools", "system:authenticated"];
    let account = Peer::new(
        "system:serviceaccount:default:robot",
        &[
            "system:serviceaccounts",
            "system:serviceaccounts:default",
            "system:authenticated",
        ],
    );
    vec![
        identity("masters", Peer::new("root", &["system:masters"]), |_| true),
        identity("admin", Peer::new("admin", people), admin),
        identity("edit", Peer::new("edit", people), edit),
        identity("view", Peer::new("view", people), view),
        identity("stranger", Peer::new("eve", people), anyone),
        identity("service account", account, anyone),
        identity("anonymous", Peer::anonymous(), nobody),
        identity("node", Peer::new("system:node:node-1", nodes), |question| {
            anyone(question) || node(question, "node-1", "one")
        }),
        identity(
            "foreign node",
            Peer::new("system:node:node-9", nodes),
            |question| anyone(question) || node(question, "node-9", "none"),
        ),
        identity("pool", Peer::new("system:nodepool:node-7", pools), |question| {
            anyone(question) || node(question, "node-7", "seven")
        }),
        identity(
            "foreign pool",
            Peer::new("system:nodepool:node-8", pools),
            |question| anyone(question) || node(question, "-", "none"),
        ),
        // A name alone makes no node.
        identity("false node", Peer::new("system:node:node-1", people), anyone),
    ]
}

/// Parts that nobody has are asked of a few kinds only, so that the matrix stays quick.
fn is_asked_of(resource: &str, part: &str) -> bool {
    const ALL_PARTS: [&str; 5] = ["pods", "nodes", "serviceaccounts", "deployments", "widgets"];
    matches!(part, "" | "status" | "scale") || ALL_PARTS.contains(&resource)
}

#[test]
fn nobody_may_do_what_they_should_not() {
    let authorizer = cluster();
    let kinds = RESOURCES
        .iter()
        .map(|row| (row.group, row.plural, row.namespaced))
        .chain(MORE);
    let kinds: std::collections::BTreeSet<_> = kinds.collect();
    let mut wrong = Vec::new();
    let mut asked = 0;
    for identity in identities() {
        for &(group, resource, is_namespaced) in &kinds {
            let namespaces: &[&str] = if is_namespaced {
                &["", "default", "other", "kube-node-lease"]
            } else {
                &[""]
            };
            for namespace in namespaces {
                for part in PARTS.into_iter().filter(|part| is_asked_of(resource, part)) {
                    for verb in VERBS {
                        for name in ["", "one", "two", "seven", "robot", "node-1", "node-2", "node-7"] {
                            let question = Question {
                                verb,
                                group,
                                resource,
                                part,
                                namespace,
                                name,
                            };
                            asked += 1;
                            judge(&authorizer, &identity, &question, &mut wrong);
                        }
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {asked} wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
}

fn judge(authorizer: &Authorizer, identity: &Identity, question: &Question<'_>, wrong: &mut Vec<String>) {
    let Question {
        verb,
        group,
        resource,
        part,
        namespace,
        name,
    } = *question;
    // Questions that no request can ask.
    let names_none = matches!(verb, "list" | "watch" | "deletecollection");
    if name.is_empty() && !names_none && verb != "create" {
        return;
    }
    if name.is_empty() && !part.is_empty() {
        return;
    }
    let about = ResourceAttributes {
        group,
        resource,
        subresource: part,
        namespace,
        name,
        ..ResourceAttributes::default()
    };
    let allowed = authorizer
        .decide(&Attributes::resource(&identity.peer, verb, about))
        .is_allowed();
    let own_pod_missing = identity.peer.is_in("system:nodes")
        && question.group.is_empty()
        && resource == "pods"
        && !(namespace == "default" && ["one", "two", "seven"].contains(&name));
    if own_pod_missing {
        // A pod that does not exist is the registry's to refuse.
        return;
    }
    let expected = (identity.expects)(question);
    if allowed != expected {
        wrong.push(format!(
            "{} {verb} {group}/{resource}/{part} in {namespace:?} named {name:?}: allowed {allowed}, expected {expected}",
            identity.name
        ));
    }
}
