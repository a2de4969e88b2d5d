//! What pods want of each other: who a pod is to others, whom it seeks and avoids, and how its kind is to be spread.
//!
//! Source: the API reference of PodAffinityTerm and TopologySpreadConstraint. Keys of `matchLabelKeys` and
//! `mismatchLabelKeys` have become conditions of the selector by the time they arrive here.

use std::sync::Arc;

use coracle_api::LabelSelector;

use super::Label;

/// The label whose value names a node.
pub const HOSTNAME: &str = "kubernetes.io/hostname";
/// The label whose value names a node's zone.
pub const ZONE: &str = "topology.kubernetes.io/zone";

/// What the terms of other pods look at, and the terms that go on holding once the pod is bound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    /// metadata.namespace
    pub namespace: Box<str>,
    /// metadata.labels, sorted by key.
    pub labels: Box<[Label]>,
    /// Whether it is being deleted; such a pod no longer counts where pods are spread.
    pub is_deleting: bool,
    /// spec.affinity.podAffinity and podAntiAffinity.
    pub terms: Option<Box<PodTerms>>,
}

/// A pod's affinities to other pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PodTerms {
    /// Required affinity: all must hold.
    pub affinity: Vec<PodTerm>,
    /// Required anti-affinity: none may hold.
    pub anti_affinity: Vec<PodTerm>,
    /// Preferred ones, those of anti-affinity with a negative weight.
    pub preferred: Vec<(i64, PodTerm)>,
}

impl PodTerms {
    /// No terms.
    pub const NONE: Self = Self {
        affinity: Vec::new(),
        anti_affinity: Vec::new(),
        preferred: Vec::new(),
    };
}

/// One term: pods of a set, in one topology domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodTerm {
    /// The node label whose values are the domains.
    pub topology_key: Box<str>,
    /// Which pods.
    pub pods: Arc<PodSet>,
}

/// A set of pods by namespace and labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodSet {
    /// Pods of these namespaces, sorted.
    pub namespaces: Box<[Box<str>]>,
    /// And of namespaces with these labels.
    pub namespace_selector: LabelSelector,
    /// With these labels.
    pub selector: LabelSelector,
}

impl PodSet {
    /// Whether a pod belongs to it, given the labels of namespaces.
    #[must_use]
    pub fn holds<'a>(
        &self,
        identity: &Identity,
        labels_of_namespace: impl FnOnce(&str) -> Option<&'a [Label]>,
    ) -> bool {
        self.selector.matches(&*identity.labels)
            && (self.namespaces.contains(&identity.namespace)
                || self.namespace_selector.is_everything()
                || labels_of_namespace(&identity.namespace)
                    .is_some_and(|labels| self.namespace_selector.matches(labels)))
    }
}

/// How pods of a kind are to be spread over domains.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpreadConstraint {
    /// The node label whose values are the domains.
    pub topology_key: Box<str>,
    /// How far a domain may be ahead of the one with the fewest.
    pub max_skew: i64,
    /// Whether a node that would break it is out of the question, or merely worse.
    pub is_hard: bool,
    /// With fewer domains, the fewest count as zero.
    pub min_domains: i64,
    /// Which pods count; `None` for those of the same controlling owner.
    pub pods: Option<Arc<PodSet>>,
    /// Whether only nodes that the pod's node affinity admits make domains.
    pub honors_affinity: bool,
    /// Whether only nodes whose taints the pod tolerates make domains.
    pub honors_taints: bool,
}

impl SpreadConstraint {
    /// Upstream's system defaults: prefer few pods of an owner on a node and in a zone.
    #[must_use]
    pub fn system_defaults() -> Box<[Self]> {
        let soft = |topology_key: &str, max_skew| Self {
            topology_key: topology_key.into(),
            max_skew,
            is_hard: false,
            min_domains: 1,
            pods: None,
            honors_affinity: true,
            honors_taints: false,
        };
        Box::new([soft(HOSTNAME, 3), soft(ZONE, 5)])
    }
}
