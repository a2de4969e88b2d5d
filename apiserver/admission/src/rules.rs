//! Which writes a webhook or policy is for, by operation, resource and scope: the part that is judged for every write
//! and therefore looks at nothing but the request's names.
//!
//! Source: `RuleWithOperations` of `admissionregistration.k8s.io/v1`.

use coracle_api::Resource;
use k8s_openapi::api::admissionregistration::v1::{NamedRuleWithOperations, RuleWithOperations};

use crate::{Lookup, Operation};

const OPERATIONS: [Operation; 4] = [
    Operation::Create,
    Operation::Update,
    Operation::Delete,
    Operation::Connect,
];

/// Rules, of which one must match.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    /// `matchPolicy: Exact`: only the version that the caller speaks is looked at, not the others of the same objects.
    is_exact: bool,
}

#[derive(Debug)]
struct Rule {
    operations: Vec<Operation>,
    groups: Names,
    versions: Names,
    /// Resource and subresource; `*` is any of them.
    resources: Vec<(Box<str>, Box<str>)>,
    scope: Scope,
    /// Empty for any object.
    names: Vec<String>,
}

#[derive(Debug)]
enum Names {
    Any,
    Of(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Any,
    Namespaced,
    Cluster,
}

impl Rules {
    pub fn of_webhook(rules: Vec<RuleWithOperations>, match_policy: Option<&str>) -> Self {
        let rule = |own: RuleWithOperations| Rule {
            operations: operations(own.operations),
            groups: Names::new(own.api_groups),
            versions: Names::new(own.api_versions),
            resources: resources(own.resources),
            scope: Scope::new(own.scope.as_deref()),
            names: Vec::new(),
        };
        Self {
            rules: rules.into_iter().map(rule).collect(),
            is_exact: match_policy == Some("Exact"),
        }
    }

    pub fn of_policy(rules: Vec<NamedRuleWithOperations>, match_policy: Option<&str>) -> Self {
        let rule = |own: NamedRuleWithOperations| Rule {
            operations: operations(own.operations),
            groups: Names::new(own.api_groups),
            versions: Names::new(own.api_versions),
            resources: resources(own.resources),
            scope: Scope::new(own.scope.as_deref()),
            names: own.resource_names.unwrap_or_default(),
        };
        Self {
            rules: rules.into_iter().map(rule).collect(),
            is_exact: match_policy == Some("Exact"),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The version that a rule names for a write of `resource`, where the object's name is not yet known: the
    /// caller's own where one names that, else another one of the same objects.
    pub fn may_match(
        &self,
        operation: Operation,
        resource: &'static Resource,
        subresource: &str,
        lookup: &dyn Lookup,
    ) -> Option<&'static Resource> {
        self.version(resource, subresource, lookup, |rule, resource| {
            rule.matches(operation, resource, subresource)
        })
    }

    /// As [`Rules::may_match`], for the object of this name.
    pub fn matches(
        &self,
        operation: Operation,
        resource: &'static Resource,
        subresource: &str,
        name: &str,
        lookup: &dyn Lookup,
    ) -> Option<&'static Resource> {
        self.version(resource, subresource, lookup, |rule, resource| {
            rule.matches(operation, resource, subresource)
                && (rule.names.is_empty() || rule.names.iter().any(|own| own == name))
        })
    }

    fn version(
        &self,
        asked: &'static Resource,
        subresource: &str,
        lookup: &dyn Lookup,
        fits: impl Fn(&Rule, &'static Resource) -> bool,
    ) -> Option<&'static Resource> {
        let is_named = |resource: &'static Resource| self.rules.iter().any(|rule| fits(rule, resource));
        if is_named(asked) {
            return Some(asked);
        }
        if self.is_exact || self.rules.is_empty() {
            return None;
        }
        let has_part = |other: &&Resource| subresource.is_empty() || other.subresource(subresource).is_some();
        lookup
            .versions(asked)
            .into_iter()
            .filter(|other| *other != asked)
            .filter(has_part)
            .find(|other| is_named(other))
    }
}

impl Rule {
    fn matches(&self, operation: Operation, resource: &Resource, subresource: &str) -> bool {
        let fits_scope = match self.scope {
            Scope::Any => true,
            Scope::Namespaced => resource.namespaced,
            Scope::Cluster => !resource.namespaced,
        };
        let fits = |pattern: &str, name: &str| pattern == "*" || pattern == name;
        fits_scope
            && self.operations.contains(&operation)
            && self.groups.contain(resource.group)
            && self.versions.contain(resource.version)
            && self
                .resources
                .iter()
                .any(|(main, sub)| fits(main, resource.plural) && fits(sub, subresource))
    }
}

impl Names {
    fn new(names: Option<Vec<String>>) -> Self {
        let names = names.unwrap_or_default();
        if names.iter().any(|name| name == "*") {
            Self::Any
        } else {
            Self::Of(names)
        }
    }

    fn contain(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Of(names) => names.iter().any(|own| own == name),
        }
    }
}

impl Scope {
    fn new(text: Option<&str>) -> Self {
        match text {
            Some("Namespaced") => Self::Namespaced,
            Some("Cluster") => Self::Cluster,
            _ => Self::Any,
        }
    }
}

fn operations(names: Option<Vec<String>>) -> Vec<Operation> {
    let names = names.unwrap_or_default();
    let is_named = |operation: &Operation| names.iter().any(|name| name == "*" || name == operation.as_str());
    OPERATIONS.into_iter().filter(is_named).collect()
}

fn resources(names: Option<Vec<String>>) -> Vec<(Box<str>, Box<str>)> {
    let split = |name: String| match name.split_once('/') {
        Some((main, sub)) => (main.into(), sub.into()),
        None => (name.into_boxed_str(), Box::default()),
    };
    names.unwrap_or_default().into_iter().map(split).collect()
}
