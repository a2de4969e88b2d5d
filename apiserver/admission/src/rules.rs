//! Which writes a webhook or policy is for, by operation, resource and scope: the part that is judged for every write
//! and therefore looks at nothing but the request's names.
//!
//! Source: `RuleWithOperations` of `admissionregistration.k8s.io/v1`.

use coracle_api::Resource;
use k8s_openapi::api::admissionregistration::v1::{NamedRuleWithOperations, RuleWithOperations};

use crate::Operation;

const OPERATIONS: [Operation; 4] = [
    Operation::Create,
    Operation::Update,
    Operation::Delete,
    Operation::Connect,
];

/// Rules, of which one must match.
#[derive(Debug, Default)]
pub(crate) struct Rules(Vec<Rule>);

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
    pub fn of_webhook(rules: Vec<RuleWithOperations>) -> Self {
        let rule = |own: RuleWithOperations| Rule {
            operations: operations(own.operations),
            groups: Names::new(own.api_groups),
            versions: Names::new(own.api_versions),
            resources: resources(own.resources),
            scope: Scope::new(own.scope.as_deref()),
            names: Vec::new(),
        };
        Self(rules.into_iter().map(rule).collect())
    }

    pub fn of_policy(rules: Vec<NamedRuleWithOperations>) -> Self {
        let rule = |own: NamedRuleWithOperations| Rule {
            operations: operations(own.operations),
            groups: Names::new(own.api_groups),
            versions: Names::new(own.api_versions),
            resources: resources(own.resources),
            scope: Scope::new(own.scope.as_deref()),
            names: own.resource_names.unwrap_or_default(),
        };
        Self(rules.into_iter().map(rule).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a rule may match a write whose object's name is not yet known.
    pub fn may_match(&self, operation: Operation, resource: &Resource, subresource: &str) -> bool {
        self.0
            .iter()
            .any(|rule| rule.matches(operation, resource, subresource))
    }

    /// Whether a rule matches the object of this name.
    pub fn matches(&self, operation: Operation, resource: &Resource, subresource: &str, name: &str) -> bool {
        self.0.iter().any(|rule| {
            rule.matches(operation, resource, subresource)
                && (rule.names.is_empty() || rule.names.iter().any(|own| own == name))
        })
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
