//! What a pod asks of a node, apart from its identity.
//!
//! [`Requirements`] hold everything that a filter or a score may look at, so two pods with equal requirements get
//! equal answers: they are of one equivalence [`Class`]. [`Load`] is the part that goes on counting against the node
//! once the pod is bound. Matching follows the API reference of NodeSelectorTerm and Toleration; reading the JSON is
//! left to `projection`.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    ops::Deref,
    sync::Arc,
};

mod neighbours;
#[cfg(test)]
mod tests;

pub use neighbours::{HOSTNAME, Identity, PodSet, PodTerm, PodTerms, SpreadConstraint, ZONE};

/// What a pod without a cpu request is taken to use when nodes are scored, so that such pods spread too.
pub const DEFAULT_CPU_MILLI: i64 = 100;
/// The same for memory: 200 MiB, as upstream.
pub const DEFAULT_MEMORY_BYTES: i64 = 200 << 20;

/// Everything about a pod that decides where it may and should run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Requirements {
    /// What it takes from its node.
    pub load: Load,
    /// spec.nodeSelector, sorted by key.
    pub node_selector: Box<[Label]>,
    /// Required node affinity: one of these terms must match. `None` where the pod asks for nothing.
    pub required_terms: Option<Box<[NodeSelectorTerm]>>,
    /// Preferred node affinity.
    pub preferred_terms: Box<[PreferredTerm]>,
    /// spec.tolerations.
    pub tolerations: Box<[Toleration]>,
    /// spec.topologySpreadConstraints.
    pub spread: Box<[SpreadConstraint]>,
    /// Images of its containers, with a tag.
    pub images: Box<[Box<str>]>,
}

impl Requirements {
    /// Its affinities to other pods, if it has any.
    #[must_use]
    pub fn terms(&self) -> Option<&PodTerms> {
        self.load.identity.terms.as_deref()
    }

    /// What a node alone decides about; see [`Shape`].
    fn shape(&self) -> impl Hash + PartialEq + '_ {
        let Self {
            load,
            node_selector,
            required_terms,
            preferred_terms,
            tolerations,
            spread: _,
            images: _,
        } = self;
        (
            &load.requests,
            &load.host_ports,
            node_selector,
            required_terms,
            preferred_terms,
            tolerations,
        )
    }
}

/// Requirements that many pods share, hashed once; cheap to clone, to compare and to look up.
#[derive(Clone, Debug)]
pub struct Class(Arc<Hashed>);

#[derive(Debug)]
struct Hashed {
    whole: u64,
    shape: u64,
    requirements: Requirements,
}

impl Class {
    /// The class of pods with these requirements.
    #[must_use]
    pub fn new(requirements: Requirements) -> Self {
        let (whole, shape) = (hash(&requirements), hash(&requirements.shape()));
        Self(Arc::new(Hashed {
            whole,
            shape,
            requirements,
        }))
    }

    /// What it shares with classes that ask the same of a node.
    #[must_use]
    pub fn shape(&self) -> Shape {
        Shape(self.clone())
    }
}

/// The hasher's keys are fixed, and nothing is ever ordered by the hash.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Deref for Class {
    type Target = Requirements;

    fn deref(&self) -> &Requirements {
        &self.0.requirements
    }
}

impl PartialEq for Class {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.whole == other.0.whole && self.0.requirements == other.0.requirements)
    }
}

impl Eq for Class {}

impl Hash for Class {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.whole);
    }
}

/// The part of a class that a node and its load alone answer: pods of a thousand owners with one template are of a
/// thousand classes and of one shape.
#[derive(Clone, Debug)]
pub struct Shape(Class);

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        let (one, two) = (&self.0.0, &other.0.0);
        Arc::ptr_eq(one, two)
            || (one.shape == two.shape && one.requirements.shape() == two.requirements.shape())
    }
}

impl Eq for Shape {}

impl Hash for Shape {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.0.shape);
    }
}

/// What a pod takes from its node for as long as it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Load {
    /// Resources.
    pub requests: Requests,
    /// Ports of the node's own addresses.
    pub host_ports: Box<[HostPort]>,
    /// UID of the controlling owner, over whose pods the scheduler keeps an even hand.
    pub owner: Option<Arc<str>>,
    /// Who it is to other pods.
    pub identity: Arc<Identity>,
    /// Names of the PersistentVolumeClaims that it uses, sorted.
    pub claims: Box<[Box<str>]>,
}

/// Resource amounts that a pod requests: containers, init containers and overhead together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Requests {
    /// Thousandths of a core.
    pub cpu_milli: i64,
    /// Bytes.
    pub memory_bytes: i64,
    /// Bytes.
    pub ephemeral_storage_bytes: i64,
    /// [`Self::cpu_milli`] with [`DEFAULT_CPU_MILLI`] for each container that requests none; for scores only.
    pub nonzero_cpu_milli: i64,
    /// [`Self::memory_bytes`] with [`DEFAULT_MEMORY_BYTES`] for each container that requests none.
    pub nonzero_memory_bytes: i64,
    /// Other resources by name, sorted, in whole units.
    pub extended: Box<[(Box<str>, i64)]>,
}

/// A label's key and value.
pub type Label = (Box<str>, Box<str>);

/// The value of a label in a list that is sorted by key.
#[must_use]
pub fn label<'a>(labels: &'a [Label], key: &str) -> Option<&'a str> {
    labels
        .binary_search_by(|(candidate, _)| (**candidate).cmp(key))
        .ok()
        .map(|at| &*labels[at].1)
}

/// A port that a container claims on its node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// Port number.
    pub port: u16,
    /// TCP, UDP or SCTP.
    pub protocol: Box<str>,
    /// Empty for all addresses.
    pub ip: Box<str>,
}

impl HostPort {
    /// Whether both cannot be on one node: the same port and protocol, and addresses that overlap.
    #[must_use]
    pub fn conflicts_with(&self, other: &Self) -> bool {
        let is_any = |ip: &str| ip.is_empty() || ip == "0.0.0.0";
        self.port == other.port
            && self.protocol == other.protocol
            && (self.ip == other.ip || is_any(&self.ip) || is_any(&other.ip))
    }
}

/// Requirements on a node's labels and name, all of which must hold; without any it matches no node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodeSelectorTerm {
    /// On labels.
    pub expressions: Box<[Expression]>,
    /// On metadata.name, the only field that the API allows.
    pub fields: Box<[Expression]>,
}

impl NodeSelectorTerm {
    /// Whether it has no requirement at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expressions.is_empty() && self.fields.is_empty()
    }

    /// Whether a node of this name with these labels (sorted by key) satisfies it.
    #[must_use]
    pub fn matches(&self, node_name: &str, labels: &[Label]) -> bool {
        !self.is_empty()
            && self
                .expressions
                .iter()
                .all(|expression| expression.matches(label(labels, &expression.key)))
            && self
                .fields
                .iter()
                .all(|field| field.matches((&*field.key == "metadata.name").then_some(node_name)))
    }
}

/// A term of preferred node affinity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PreferredTerm {
    /// 1 to 100.
    pub weight: i64,
    /// What earns the weight.
    pub term: NodeSelectorTerm,
}

/// One requirement on one value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expression {
    /// The label's key, or the field's path.
    pub key: Box<str>,
    /// How to compare.
    pub operator: Operator,
    /// With what.
    pub values: Box<[Box<str>]>,
}

impl Expression {
    /// Whether the value, `None` where the node has none, satisfies the requirement.
    #[must_use]
    pub fn matches(&self, value: Option<&str>) -> bool {
        let is_listed = |value: &str| self.values.iter().any(|listed| **listed == *value);
        match self.operator {
            Operator::In => value.is_some_and(is_listed),
            Operator::NotIn => !value.is_some_and(is_listed),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Gt => self.compare(value).is_some_and(|(value, bound)| value > bound),
            Operator::Lt => self.compare(value).is_some_and(|(value, bound)| value < bound),
        }
    }

    fn compare(&self, value: Option<&str>) -> Option<(i64, i64)> {
        Some((value?.parse().ok()?, self.values.first()?.parse().ok()?))
    }
}

/// The operators of a NodeSelectorRequirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[allow(missing_docs, reason = "the API reference's own words")]
pub enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    Gt,
    Lt,
}

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
pub enum Effect {
    /// They are not scheduled there.
    NoSchedule,
    /// They are scheduled there last.
    PreferNoSchedule,
    /// They are not scheduled there, and evicted.
    NoExecute,
}

/// A node's taint.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Taint {
    /// A qualified name.
    pub key: Box<str>,
    /// May be empty.
    pub value: Box<str>,
    /// What it does.
    pub effect: Effect,
}

impl Taint {
    /// Whether one of the tolerations tolerates it.
    #[must_use]
    pub fn is_tolerated(&self, tolerations: &[Toleration]) -> bool {
        tolerations.iter().any(|toleration| toleration.tolerates(self))
    }
}

/// A pod's toleration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Toleration {
    /// Empty for every key.
    pub key: Box<str>,
    /// `None` for the operator Exists, which takes any value.
    pub value: Option<Box<str>>,
    /// `None` for every effect.
    pub effect: Option<Effect>,
}

impl Toleration {
    /// Whether it tolerates the taint.
    #[must_use]
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.effect.is_none_or(|effect| effect == taint.effect)
            && (self.key.is_empty() || self.key == taint.key)
            && self.value.as_ref().is_none_or(|value| *value == taint.value)
    }
}
