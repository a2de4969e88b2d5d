//! Where pods of a template may run: node name, node selector, required node affinity and tolerations.
//!
//! Source: "Assigning Pods to Nodes" and "Taints and Tolerations" in the Kubernetes documentation. The scheduler has its
//! own reading of the same fields, for pods.

use coracle_api::{
    Labels,
    selector::{Operator, Requirement},
    view::or_default,
};
use serde::Deserialize;

use super::{Node, Taint, Toleration};

/// The demands of a pod template on its node.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Placement {
    /// Empty for any.
    pub(crate) node_name: Box<str>,
    node_selector: Labels,
    /// One of them must match; `None` where there is no demand.
    terms: Option<Vec<Term>>,
    pub(crate) tolerations: Vec<Toleration>,
    pub(crate) host_network: bool,
}

/// A term of node affinity, all of which must hold.
#[derive(Clone, Debug, PartialEq)]
struct Term {
    labels: Vec<Requirement>,
    names: Vec<(Operator, Vec<Box<str>>)>,
}

impl Placement {
    /// Whether node name, selector and affinity let a pod be on the node.
    pub(crate) fn is_drawn_to(&self, node: &Node) -> bool {
        (self.node_name.is_empty() || self.node_name == node.meta.name)
            && self
                .node_selector
                .iter()
                .all(|(key, value)| node.meta.labels.get(key) == Some(value))
            && self
                .terms
                .as_ref()
                .is_none_or(|terms| terms.iter().any(|term| term.matches(node)))
    }

    /// Whether all taints of the node that have one of these effects are tolerated.
    pub(crate) fn tolerates(&self, node: &Node, effects: &[&str]) -> bool {
        let is_tolerated = |taint: &Taint| self.tolerations.iter().any(|one| one.tolerates(taint));
        let counts = |taint: &&Taint| effects.contains(&&*taint.effect);
        node.taints.iter().filter(counts).all(is_tolerated)
    }
}

impl Term {
    fn matches(&self, node: &Node) -> bool {
        let name = |(operator, values): &(Operator, Vec<Box<str>>)| {
            (*operator == Operator::In) == values.contains(&node.meta.name)
        };
        let is_empty = self.labels.is_empty() && self.names.is_empty();
        !is_empty
            && self.labels.iter().all(|label| label.matches(&*node.meta.labels))
            && self.names.iter().all(name)
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Json {
    #[serde(deserialize_with = "or_default")]
    node_name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    node_selector: Labels,
    #[serde(deserialize_with = "or_default")]
    affinity: AffinityJson,
    #[serde(deserialize_with = "or_default")]
    tolerations: Vec<Toleration>,
    #[serde(deserialize_with = "or_default")]
    host_network: bool,
}

/// spec.affinity, as far as it binds a pod to nodes.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AffinityJson {
    #[serde(deserialize_with = "or_default")]
    node_affinity: NodeAffinityJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeAffinityJson {
    required_during_scheduling_ignored_during_execution: Option<RequiredJson>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RequiredJson {
    #[serde(deserialize_with = "or_default")]
    node_selector_terms: Vec<TermJson>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TermJson {
    #[serde(deserialize_with = "or_default")]
    match_expressions: Vec<ExpressionJson>,
    #[serde(deserialize_with = "or_default")]
    match_fields: Vec<ExpressionJson>,
}

#[derive(Deserialize)]
struct ExpressionJson {
    key: Box<str>,
    operator: Box<str>,
    #[serde(default, deserialize_with = "or_default")]
    values: Vec<Box<str>>,
}

impl AffinityJson {
    /// The one node that a DaemonSet's pod asks for by name; empty where it does not.
    pub(super) fn target(self) -> Box<str> {
        let required = self
            .node_affinity
            .required_during_scheduling_ignored_during_execution;
        let terms = required.map(|required| required.node_selector_terms);
        let fields = terms.into_iter().flatten().flat_map(|term| term.match_fields);
        let mut names = fields.filter(|field| &*field.key == "metadata.name" && &*field.operator == "In");
        let values = names.next().map(|field| field.values).unwrap_or_default();
        values.into_iter().next().unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Placement {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        let required = json
            .affinity
            .node_affinity
            .required_during_scheduling_ignored_during_execution;
        let terms = required.map(|required| {
            // The API takes no term that cannot be read; should there be one, it matches nothing.
            let terms = required.node_selector_terms.into_iter();
            terms.filter_map(read_term).collect()
        });
        Ok(Self {
            node_name: json.node_name,
            node_selector: json.node_selector,
            terms,
            tolerations: json.tolerations,
            host_network: json.host_network,
        })
    }
}

fn read_term(json: TermJson) -> Option<Term> {
    let label = |json: ExpressionJson| {
        let values = json.values.iter().map(AsRef::as_ref);
        Requirement::new(&json.key, operator(&json.operator)?, values).ok()
    };
    let labels: Option<Vec<_>> = json.match_expressions.into_iter().map(label).collect();
    let name = |json: ExpressionJson| {
        let operator = operator(&json.operator)?;
        let is_known = &*json.key == "metadata.name" && matches!(operator, Operator::In | Operator::NotIn);
        is_known.then_some((operator, json.values))
    };
    let names: Option<Vec<_>> = json.match_fields.into_iter().map(name).collect();
    Some(Term {
        labels: labels?,
        names: names?,
    })
}

fn operator(text: &str) -> Option<Operator> {
    Some(match text {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::GreaterThan,
        "Lt" => Operator::LessThan,
        _ => return None,
    })
}
