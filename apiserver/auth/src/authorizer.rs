//! The one authorizer of both doors: what is allowed, by whom it was granted, and why something is not.

use std::{fmt, str::FromStr};

use coracle_api::ApiError;
use coracle_service::Peer;
use parking_lot::RwLock;

use crate::{
    Attributes, Lookup, MASTERS,
    node::{self, Graph, Identity},
    rbac::{self, Grant, Rule, Tables},
};

/// A way to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By what nodes need.
    Node,
    /// By roles and bindings.
    Rbac,
    /// Whoever proved who they are may do everything.
    AlwaysAllow,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "Node" => Ok(Self::Node),
            "RBAC" => Ok(Self::Rbac),
            "AlwaysAllow" => Ok(Self::AlwaysAllow),
            _ => Err(format!(
                "{text:?} is no authorization mode: it must be Node, RBAC or AlwaysAllow"
            )),
        }
    }
}

/// What became of a question.
#[derive(Clone, Debug)]
pub enum Decision {
    /// It may be done.
    Allowed(Ground),
    /// It may not; the text may be empty.
    Denied(String),
}

/// Why something is allowed.
#[derive(Clone, Debug)]
pub enum Ground {
    /// The caller is in `system:masters`.
    Masters,
    /// Everything is allowed to everybody.
    AlwaysAllow,
    /// A node may do this.
    Node,
    /// A binding grants it.
    Binding(Grant),
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binding(grant) => grant.fmt(f),
            Self::Masters | Self::AlwaysAllow | Self::Node => Ok(()),
        }
    }
}

impl Decision {
    /// Whether it may be done.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// What reviews tell of it.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Allowed(ground) => ground.to_string(),
            Self::Denied(reason) => reason.clone(),
        }
    }
}

/// Objects that the authorizer follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Roles and bindings.
    Rbac(rbac::Kind),
    /// Who plays which node.
    Nodes,
    /// What runs where and refers to what.
    Pods,
}

/// See the module. One for the whole server.
pub struct Authorizer {
    modes: Vec<Mode>,
    tables: RwLock<Tables>,
    graph: RwLock<Graph>,
    lookup: Box<dyn Lookup>,
}

impl Authorizer {
    /// Knows nothing yet, so it grants only what needs no roles.
    #[must_use]
    pub fn new(modes: Vec<Mode>, lookup: Box<dyn Lookup>) -> Self {
        Self {
            modes,
            tables: RwLock::default(),
            graph: RwLock::default(),
            lookup,
        }
    }

    /// What it reads single objects from.
    #[must_use]
    pub fn lookup(&self) -> &dyn Lookup {
        &*self.lookup
    }

    /// Judges a request.
    #[must_use]
    pub fn decide(&self, asked: &Attributes<'_>) -> Decision {
        if asked.user.is_in(MASTERS) {
            return Decision::Allowed(Ground::Masters);
        }
        let mut why = String::new();
        for mode in &self.modes {
            match mode {
                Mode::AlwaysAllow if !asked.user.is_anonymous() => {
                    return Decision::Allowed(Ground::AlwaysAllow);
                }
                Mode::AlwaysAllow => {}
                Mode::Node => {
                    let Some(caller) = Identity::of(asked.user) else {
                        continue;
                    };
                    match node::decide(&self.graph.read(), self.lookup(), caller, asked) {
                        Ok(()) => return Decision::Allowed(Ground::Node),
                        Err(reason) => why = reason,
                    }
                }
                Mode::Rbac => {
                    if let Some(grant) = self.tables.read().decide(asked) {
                        return Decision::Allowed(Ground::Binding(grant));
                    }
                }
            }
        }
        Decision::Denied(why)
    }

    /// As [`Authorizer::decide`], for a door.
    ///
    /// # Errors
    /// Forbidden; for callers who proved nothing, unauthorized.
    pub fn require(&self, asked: &Attributes<'_>) -> Result<(), ApiError> {
        match self.decide(asked) {
            Decision::Allowed(_) => Ok(()),
            Decision::Denied(_) if asked.user.is_anonymous() => Err(ApiError::unauthorized()),
            Decision::Denied(reason) => Err(asked.forbidden(&reason)),
        }
    }

    /// Whether roles and bindings decide anything.
    #[must_use]
    pub fn has_rbac(&self) -> bool {
        self.modes.contains(&Mode::Rbac)
    }

    /// Whether nodes are held to their own.
    #[must_use]
    pub fn has_node(&self) -> bool {
        self.modes.contains(&Mode::Node)
    }

    /// Calls `look` with roles and bindings as they are now.
    pub fn with_tables<T>(&self, look: impl FnOnce(&Tables) -> T) -> T {
        look(&self.tables.read())
    }

    /// Calls `look` with what is known of nodes.
    pub fn with_graph<T>(&self, look: impl FnOnce(&Graph) -> T) -> T {
        look(&self.graph.read())
    }

    /// The rules of a caller in a namespace, and whether that is all that decides.
    #[must_use]
    pub fn rules(&self, user: &Peer, namespace: &str) -> (Vec<Rule>, bool) {
        let is_all = self.modes.contains(&Mode::AlwaysAllow) || user.is_in(MASTERS);
        let mut rules = Vec::new();
        if is_all {
            rules.push(Rule::resources(&["*"], &["*"], &["*"]));
            rules.push(Rule::paths(&["*"], &["*"]));
        }
        if self.has_rbac() {
            rules.extend(self.tables.read().rules(user, namespace).cloned());
        }
        let is_complete = !(self.has_node() && Identity::of(user).is_some());
        (rules, is_complete)
    }

    /// Takes an object as it is now, or (with `json` of its last state and `is_gone`) that it is gone. A pod's `node` is
    /// the one that it is bound to. Answers whether [`Observed::Pods`] should be told anew from the beginning.
    pub fn observe(
        &self,
        kind: Observed,
        (namespace, name): (&str, &str),
        node: &str,
        json: &[u8],
        is_gone: bool,
    ) -> bool {
        match kind {
            Observed::Rbac(kind) => {
                let json = (!is_gone).then_some(json);
                if let Err(error) = self.tables.write().observe(kind, namespace, name, json) {
                    tracing::warn!(kind = kind.plural(), namespace, name, %error, "read role or binding: it grants nothing");
                }
                false
            }
            Observed::Nodes => self.graph.write().observe_node(name, (!is_gone).then_some(json)),
            Observed::Pods if is_gone => {
                self.graph.write().remove_pod(namespace, name, json);
                false
            }
            Observed::Pods => {
                if !node.is_empty() && !self.graph.read().knows_pod(namespace, name) {
                    let node_json = || {
                        self.lookup
                            .get("", "nodes", "", node)
                            .map(|found| found.json.to_vec())
                    };
                    self.graph
                        .write()
                        .add_pod((namespace, name), node, json, node_json);
                }
                false
            }
        }
    }

    /// Forgets all objects of a kind, before they are told anew.
    pub fn forget(&self, kind: Observed) {
        match kind {
            Observed::Rbac(kind) => self.tables.write().forget(kind),
            Observed::Nodes => self.graph.write().forget_nodes(),
            Observed::Pods => self.graph.write().forget_pods(),
        }
    }
}
