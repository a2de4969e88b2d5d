//! What nodes may do: upstream's Node authorizer, for single nodes and for processes that play a pool of them.
//!
//! A node acts under `system:node:NAME`. A pool's process acts under `system:nodepool:PREFIX-FIRST` for every Node that
//! names this pool in its annotation [`POOL_ANNOTATION`], which only the pool itself can put there ([`restriction`]), and
//! only on Nodes that are numbered as its own. Each request is judged by the object that it is about, so one batch may
//! write for all nodes of a pool.

pub mod graph;
pub mod restriction;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use coracle_service::Peer;

pub use graph::Graph;

use crate::{Attributes, Lookup, ResourceAttributes, Target, rbac::Rule};

/// The group of all nodes.
pub const NODES: &str = "system:nodes";
/// The group of all pools.
pub const POOLS: &str = "system:nodepools";
/// Names the pool that plays a Node.
pub const POOL_ANNOTATION: &str = "coracle.dev/nodepool";
/// Where nodes keep their leases.
pub const LEASES: &str = "kube-node-lease";

/// A caller that is a node or a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity<'a> {
    /// One node, by name.
    Node(&'a str),
    /// A pool, by name.
    Pool(&'a str),
}

impl<'a> Identity<'a> {
    /// Who a caller is, where it is a node or a pool.
    #[must_use]
    pub fn of(user: &'a Peer) -> Option<Self> {
        let (identity, group) = if let Some(name) = user.user.strip_prefix("system:node:") {
            (Self::Node(name), NODES)
        } else {
            (Self::Pool(user.user.strip_prefix("system:nodepool:")?), POOLS)
        };
        (user.is_in(group) && !identity.name().is_empty()).then_some(identity)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'a str {
        match self {
            Self::Node(name) | Self::Pool(name) => name,
        }
    }
}

/// Whether a node may do it; the text says why not, where there is more to say than that no rule grants it.
///
/// # Errors
/// The reason, which may be empty.
pub fn decide(
    graph: &Graph,
    lookup: &dyn Lookup,
    caller: Identity<'_>,
    asked: &Attributes<'_>,
) -> Result<(), String> {
    let judge = Judge {
        graph,
        lookup,
        caller,
    };
    let Target::Resource(about) = asked.target else {
        return Err(String::new());
    };
    match (about.group, about.resource) {
        ("", "secrets" | "configmaps") => judge.read(asked.verb, &about),
        ("", "persistentvolumeclaims") => judge.claim(asked.verb, &about),
        ("", "persistentvolumes") => judge.volume(asked.verb, &about),
        ("storage.k8s.io", "volumeattachments") => judge.attachment(asked.verb, &about),
        ("", "serviceaccounts") => judge.token(asked.verb, &about),
        ("", "nodes") => judge.node(asked),
        ("", "pods") => judge.pod(asked),
        ("coordination.k8s.io", "leases") => judge.named(asked.verb, &about, about.namespace == LEASES),
        ("storage.k8s.io", "csinodes") => judge.named(asked.verb, &about, true),
        _ => judge.by_rules(asked),
    }
}

/// Whether the caller acts for the Node, by the Node itself where the graph does not know of it yet.
#[must_use]
pub fn plays(graph: &Graph, lookup: &dyn Lookup, caller: Identity<'_>, node: &str) -> bool {
    if graph.plays(caller, node) {
        return true;
    }
    let Identity::Pool(pool) = caller else {
        return false;
    };
    let found = lookup.get("", "nodes", "", node);
    found.and_then(|found| graph::pool_of(&found.json)).as_deref() == Some(pool)
}

struct Judge<'a> {
    graph: &'a Graph,
    lookup: &'a dyn Lookup,
    caller: Identity<'a>,
}

impl Judge<'_> {
    /// Single objects that a pod of the caller refers to.
    fn read(&self, verb: &str, about: &ResourceAttributes<'_>) -> Result<(), String> {
        if !matches!(verb, "get" | "list" | "watch") || !about.subresource.is_empty() {
            return Err("can only read resources of this type".to_owned());
        }
        if about.name.is_empty() {
            return Err("No Object name found".to_owned());
        }
        self.refers(about.resource, about.namespace, about.name)
    }

    fn claim(&self, verb: &str, about: &ResourceAttributes<'_>) -> Result<(), String> {
        match about.subresource {
            "status" if !matches!(verb, "update" | "patch") => {
                Err("can only update status of resources of this type".to_owned())
            }
            "" if verb != "get" => Err("can only get individual resources of this type".to_owned()),
            "" | "status" => self.refers(about.resource, about.namespace, about.name),
            _ => Err("can only update status of resources of this type".to_owned()),
        }
    }

    /// A volume belongs to whoever may read its claim.
    fn volume(&self, verb: &str, about: &ResourceAttributes<'_>) -> Result<(), String> {
        if verb != "get" || !about.subresource.is_empty() {
            return Err("can only get individual resources of this type".to_owned());
        }
        let claim = self
            .lookup
            .get("", "persistentvolumes", "", about.name)
            .and_then(|found| graph::claim_of(&found.json));
        match claim {
            Some((namespace, name)) if self.is_referred("persistentvolumeclaims", &namespace, &name) => {
                Ok(())
            }
            _ => Err(self.unrelated()),
        }
    }

    fn attachment(&self, verb: &str, about: &ResourceAttributes<'_>) -> Result<(), String> {
        if verb != "get" || !about.subresource.is_empty() {
            return Err("can only get individual resources of this type".to_owned());
        }
        let found = self
            .lookup
            .get("storage.k8s.io", "volumeattachments", "", about.name);
        match found.and_then(|found| graph::node_of_attachment(&found.json)) {
            Some(node) if self.plays(&node) => Ok(()),
            _ => Err(self.unrelated()),
        }
    }

    fn token(&self, verb: &str, about: &ResourceAttributes<'_>) -> Result<(), String> {
        if verb != "create" || about.subresource != "token" {
            return Err("can only create tokens for individual service accounts".to_owned());
        }
        self.refers(about.resource, about.namespace, about.name)
    }

    fn node(&self, asked: &Attributes<'_>) -> Result<(), String> {
        let Target::Resource(about) = asked.target else {
            return Err(String::new());
        };
        // Whose node a new one is, the restriction on the object decides: here its name may not be known yet.
        let may = match (asked.verb, about.subresource) {
            ("update" | "patch", "") => self.graph.may_claim(self.caller, about.name),
            ("update" | "patch", "status") => self.plays(about.name),
            _ => true,
        };
        if !may {
            let node = self.caller.name();
            return Err(format!(
                "node {node:?} is not allowed to modify node {:?}",
                about.name
            ));
        }
        self.by_rules(asked)
    }

    fn pod(&self, asked: &Attributes<'_>) -> Result<(), String> {
        let Target::Resource(about) = asked.target else {
            return Err(String::new());
        };
        let node = self.caller.name();
        match (asked.verb, about.subresource) {
            ("list" | "watch", "") => {
                let own = |name: &String| self.plays(name);
                if about.node_names.is_empty() || !about.node_names.iter().all(own) {
                    return Err("can only list/watch pods with spec.nodeName field selector".to_owned());
                }
            }
            ("get", "") => self.own_pod(&about, || "can only get pods bound to it".to_owned())?,
            ("delete", "") => self.own_pod(&about, || {
                format!("node {node:?} can only delete pods with spec.nodeName set to itself")
            })?,
            ("update" | "patch", "status") => self.own_pod(&about, || {
                format!("node {node:?} can only update pod status for pods with spec.nodeName set to itself")
            })?,
            ("create", "eviction") => self.own_pod(&about, || {
                format!("node {node:?} can only evict pods with spec.nodeName set to itself")
            })?,
            _ => {}
        }
        self.by_rules(asked)
    }

    /// A pod that is not there is the registry's to refuse.
    fn own_pod(&self, about: &ResourceAttributes<'_>, why: impl Fn() -> String) -> Result<(), String> {
        match self.lookup.node_of_pod(about.namespace, about.name) {
            Some(node) if !self.plays(&node) => Err(why()),
            _ => Ok(()),
        }
    }

    /// Objects of the node's own name.
    fn named(&self, verb: &str, about: &ResourceAttributes<'_>, is_place: bool) -> Result<(), String> {
        if !matches!(verb, "get" | "create" | "update" | "patch" | "delete")
            || !about.subresource.is_empty()
            || !is_place
        {
            return Err(
                "can only get, create, update, patch, or delete its own objects of this type".to_owned(),
            );
        }
        // A create names its object in the body; there, the restriction on the object looks.
        let is_own = self.plays(about.name) || (verb == "create" && about.name.is_empty());
        is_own.then_some(()).ok_or_else(|| {
            "can only access objects of this type with the same name as the requesting node".to_owned()
        })
    }

    fn by_rules(&self, asked: &Attributes<'_>) -> Result<(), String> {
        if RULES.iter().any(|rule| rule.allows(asked)) {
            Ok(())
        } else {
            Err(String::new())
        }
    }

    fn refers(&self, resource: &str, namespace: &str, name: &str) -> Result<(), String> {
        if self.is_referred(resource, namespace, name) {
            Ok(())
        } else {
            Err(self.unrelated())
        }
    }

    fn is_referred(&self, resource: &str, namespace: &str, name: &str) -> bool {
        self.graph.refers(self.caller, resource, namespace, name)
    }

    fn unrelated(&self) -> String {
        format!(
            "no relationship found between node '{}' and this object",
            self.caller.name()
        )
    }

    fn plays(&self, node: &str) -> bool {
        plays(self.graph, self.lookup, self.caller, node)
    }
}

/// What every node may do, beside what its own objects allow. The same rules are in ClusterRole `system:node`.
pub static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    const READ: &[&str] = &["get", "list", "watch"];
    vec![
        Rule::resources(&["authentication.k8s.io"], &["tokenreviews"], &["create"]),
        Rule::resources(
            &["authorization.k8s.io"],
            &["localsubjectaccessreviews", "subjectaccessreviews"],
            &["create"],
        ),
        Rule::resources(&[""], &["services", "endpoints"], READ),
        Rule::resources(&["discovery.k8s.io"], &["endpointslices"], READ),
        Rule::resources(&[""], &["nodes"], &["create", "get", "list", "watch"]),
        Rule::resources(&[""], &["nodes", "nodes/status"], &["patch", "update"]),
        Rule::resources(&[""], &["events"], &["create", "patch", "update"]),
        Rule::resources(&["events.k8s.io"], &["events"], &["create", "patch", "update"]),
        Rule::resources(&[""], &["pods"], READ),
        Rule::resources(&[""], &["pods"], &["create", "delete"]),
        Rule::resources(&[""], &["pods/status"], &["patch", "update"]),
        Rule::resources(&[""], &["pods/eviction"], &["create"]),
        Rule::resources(&[""], &["secrets", "configmaps"], READ),
        Rule::resources(&[""], &["persistentvolumeclaims", "persistentvolumes"], &["get"]),
        Rule::resources(&["storage.k8s.io"], &["volumeattachments"], &["get"]),
        Rule::resources(
            &["certificates.k8s.io"],
            &["certificatesigningrequests"],
            &["create", "get", "list", "watch"],
        ),
        Rule::resources(
            &["coordination.k8s.io"],
            &["leases"],
            &["create", "delete", "get", "patch", "update"],
        ),
        Rule::resources(
            &[""],
            &["persistentvolumeclaims/status"],
            &["get", "patch", "update"],
        ),
        Rule::resources(&[""], &["serviceaccounts/token"], &["create"]),
        Rule::resources(&["storage.k8s.io"], &["csidrivers"], READ),
        Rule::resources(
            &["storage.k8s.io"],
            &["csinodes"],
            &["create", "delete", "get", "patch", "update"],
        ),
        Rule::resources(&["node.k8s.io"], &["runtimeclasses"], READ),
    ]
});
