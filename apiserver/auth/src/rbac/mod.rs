//! Roles and bindings as tables that a decision looks things up in: by namespace, then by user or group.
//!
//! The tables follow the objects one change at a time, so that a change costs what it is about and not what there is.

mod aggregation;
mod escalation;
mod objects;
mod rule;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, sync::Arc};

use coracle_service::Peer;

pub use aggregation::aggregate;
pub use escalation::{confirm_binding, confirm_role};
pub use objects::{AggregationRule, BindingObject, Metadata, RoleObject, RoleRef, Selector, Subject};
pub use rule::{Rule, uncovered};

use crate::{Attributes, Target};

/// A kind of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Rules in one namespace.
    Role,
    /// Rules everywhere.
    ClusterRole,
    /// Grants in one namespace.
    RoleBinding,
    /// Grants everywhere.
    ClusterRoleBinding,
}

impl Kind {
    /// Roles before bindings.
    pub const ALL: [Self; 4] = [
        Self::ClusterRole,
        Self::Role,
        Self::ClusterRoleBinding,
        Self::RoleBinding,
    ];

    /// The plural in URLs.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Role => "roles",
            Self::ClusterRole => "clusterroles",
            Self::RoleBinding => "rolebindings",
            Self::ClusterRoleBinding => "clusterrolebindings",
        }
    }

    /// The kind of a plural.
    #[must_use]
    pub fn of(plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.plural() == plural)
    }
}

/// A binding that grants something.
#[derive(Debug, PartialEq, Eq)]
pub struct Binding {
    /// Empty for a ClusterRoleBinding.
    namespace: Box<str>,
    name: Box<str>,
    role: RoleRef,
    subjects: Vec<Who>,
}

/// A subject as a caller's name or group.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    User(Box<str>),
    Group(Box<str>),
}

type Bindings = BTreeMap<Box<str>, Vec<Arc<Binding>>>;

/// The bindings of one namespace, or of the cluster.
#[derive(Debug, Default)]
struct Scope {
    bindings: BTreeMap<Box<str>, Arc<Binding>>,
    users: Bindings,
    groups: Bindings,
}

/// Rules by role name.
type Roles = BTreeMap<Box<str>, Arc<[Rule]>>;

/// All roles and bindings.
#[derive(Debug, Default)]
pub struct Tables {
    cluster_roles: Roles,
    roles: BTreeMap<Box<str>, Roles>,
    /// By namespace; the cluster's own under the empty name.
    scopes: BTreeMap<Box<str>, Scope>,
}

impl Tables {
    /// Takes an object as it is now, or `None` where it is gone.
    ///
    /// # Errors
    /// Where the JSON is no such object; the object then grants nothing.
    pub fn observe(
        &mut self,
        kind: Kind,
        namespace: &str,
        name: &str,
        json: Option<&[u8]>,
    ) -> Result<(), serde_json::Error> {
        match kind {
            Kind::ClusterRole | Kind::Role => {
                let parsed = json.map(serde_json::from_slice::<RoleObject>).transpose();
                let roles = match kind {
                    Kind::ClusterRole => &mut self.cluster_roles,
                    _ => self.roles.entry(namespace.into()).or_default(),
                };
                match &parsed {
                    Ok(Some(role)) => {
                        roles.insert(name.into(), role.rules.clone().unwrap_or_default().into())
                    }
                    _ => roles.remove(name),
                };
                if self.roles.get(namespace).is_some_and(BTreeMap::is_empty) {
                    self.roles.remove(namespace);
                }
                parsed.map(drop)
            }
            Kind::ClusterRoleBinding | Kind::RoleBinding => {
                let parsed = json.map(serde_json::from_slice::<BindingObject>).transpose();
                let scope = self.scopes.entry(namespace.into()).or_default();
                scope.remove(name);
                if let Ok(Some(binding)) = &parsed {
                    scope.insert(Binding::of(namespace, name, binding));
                }
                if scope.bindings.is_empty() {
                    self.scopes.remove(namespace);
                }
                parsed.map(drop)
            }
        }
    }

    /// Forgets all objects of a kind.
    pub fn forget(&mut self, kind: Kind) {
        match kind {
            Kind::ClusterRole => self.cluster_roles.clear(),
            Kind::Role => self.roles.clear(),
            Kind::ClusterRoleBinding => drop(self.scopes.remove("")),
            Kind::RoleBinding => self.scopes.retain(|namespace, _| namespace.is_empty()),
        }
    }

    /// What grants the request, if anything does.
    #[must_use]
    pub fn decide(&self, asked: &Attributes<'_>) -> Option<Grant> {
        let namespace = match asked.target {
            Target::Resource(about) => about.namespace,
            Target::Path(_) => "",
        };
        self.grants(asked.user, namespace)
            .find(|candidate| candidate.rules.iter().any(|rule| rule.allows(asked)))
            .map(|candidate| Grant {
                binding: Arc::clone(candidate.binding),
                who: match candidate.group {
                    Some(group) => Who::Group(group.into()),
                    None => Who::User(asked.user.user.as_str().into()),
                },
            })
    }

    /// All rules that a caller has in a namespace, those that hold everywhere first; with an empty namespace those
    /// alone.
    pub fn rules<'a>(&'a self, user: &'a Peer, namespace: &'a str) -> impl Iterator<Item = &'a Rule> {
        self.grants(user, namespace).flat_map(|candidate| candidate.rules)
    }

    /// The rules of a role, seen from a binding in `namespace`.
    #[must_use]
    pub fn role(&self, role: &RoleRef, namespace: &str) -> Option<&[Rule]> {
        let roles = match role.kind.as_str() {
            "ClusterRole" => Some(&self.cluster_roles),
            "Role" if !namespace.is_empty() => self.roles.get(namespace),
            _ => None,
        };
        roles?.get(role.name.as_str()).map(|rules| &**rules)
    }

    fn grants<'a>(&'a self, user: &'a Peer, namespace: &'a str) -> impl Iterator<Item = Candidate<'a>> {
        let everywhere = self.scopes.get("");
        let here = self.scopes.get(namespace).filter(|_| !namespace.is_empty());
        everywhere
            .into_iter()
            .chain(here)
            .flat_map(|scope| scope.of(user))
            .filter_map(|(binding, group)| {
                let rules = self.role(&binding.role, &binding.namespace)?;
                Some(Candidate {
                    binding,
                    group,
                    rules,
                })
            })
    }
}

/// A binding that names the caller.
struct Candidate<'a> {
    binding: &'a Arc<Binding>,
    /// The group by which it names the caller; `None` where by name.
    group: Option<&'a str>,
    rules: &'a [Rule],
}

impl Scope {
    fn of<'a>(&'a self, user: &'a Peer) -> impl Iterator<Item = (&'a Arc<Binding>, Option<&'a str>)> {
        let by_name = self.users.get(user.user.as_str()).into_iter().flatten();
        let by_group = user.groups.iter().flat_map(|group| {
            let bindings = self.groups.get(group.as_str()).into_iter().flatten();
            bindings.map(|binding| (binding, Some(group.as_str())))
        });
        by_name.map(|binding| (binding, None)).chain(by_group)
    }

    fn insert(&mut self, binding: Binding) {
        let binding = Arc::new(binding);
        self.bindings.insert(binding.name.clone(), Arc::clone(&binding));
        for who in &binding.subjects {
            let (map, name) = match who {
                Who::User(name) => (&mut self.users, name),
                Who::Group(name) => (&mut self.groups, name),
            };
            let bound = map.entry(name.clone()).or_default();
            if !bound.contains(&binding) {
                bound.push(Arc::clone(&binding));
            }
        }
    }

    fn remove(&mut self, name: &str) {
        let Some(binding) = self.bindings.remove(name) else {
            return;
        };
        for who in &binding.subjects {
            let (map, name) = match who {
                Who::User(name) => (&mut self.users, name),
                Who::Group(name) => (&mut self.groups, name),
            };
            if let Some(bound) = map.get_mut(name) {
                bound.retain(|other| !Arc::ptr_eq(other, &binding));
                if bound.is_empty() {
                    map.remove(name);
                }
            }
        }
    }
}

impl Binding {
    fn of(namespace: &str, name: &str, object: &BindingObject) -> Self {
        let who = |subject: &Subject| match subject.kind.as_str() {
            "User" => Some(Who::User(subject.name.as_str().into())),
            "Group" => Some(Who::Group(subject.name.as_str().into())),
            "ServiceAccount" => {
                let own = if subject.namespace.is_empty() {
                    namespace
                } else {
                    &subject.namespace
                };
                let is_named = !own.is_empty();
                is_named.then(|| Who::User(format!("system:serviceaccount:{own}:{}", subject.name).into()))
            }
            _ => None,
        };
        Self {
            namespace: namespace.into(),
            name: name.into(),
            role: object.role_ref.clone(),
            subjects: object.subjects.iter().flatten().filter_map(who).collect(),
        }
    }
}

/// Why something is granted, in upstream's words.
#[derive(Clone, Debug)]
pub struct Grant {
    binding: Arc<Binding>,
    who: Who,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Binding {
            namespace,
            name,
            role,
            ..
        } = &*self.binding;
        if namespace.is_empty() {
            write!(f, "RBAC: allowed by ClusterRoleBinding {name:?} of ")?;
        } else {
            write!(f, "RBAC: allowed by RoleBinding \"{name}/{namespace}\" of ")?;
        }
        write!(f, "{} {:?} to ", role.kind, role.name)?;
        match &self.who {
            Who::User(name) => match name
                .strip_prefix("system:serviceaccount:")
                .and_then(|own| own.split_once(':'))
            {
                Some((namespace, name)) => write!(f, "ServiceAccount \"{name}/{namespace}\""),
                None => write!(f, "User {name:?}"),
            },
            Who::Group(name) => write!(f, "Group {name:?}"),
        }
    }
}
