//! Affinity and anti-affinity between pods, required and preferred, from both sides: what the pod asks of those that
//! are there, and what those ask of it.

use crate::{
    framework::{Candidate, ClusterEvents, CycleState, Filter, MAX_SCORE, Range, Rejection, Scope, Score},
    requirements::{Identity, PodTerm, PodTerms, Requirements},
    snapshot::{Group, NodeIndex, NodeRow, Snapshot, TopologyId},
};

/// spec.affinity.podAffinity and podAntiAffinity.
pub struct InterPodAffinity {
    /// What a required affinity of a pod that is there weighs as a preference for those that it asks for.
    pub hard_pod_affinity_weight: i64,
    /// Whether preferences of pods that are there are left aside for pods that have none.
    pub ignore_preferred_terms_of_existing_pods: bool,
}

impl Default for InterPodAffinity {
    fn default() -> Self {
        Self {
            hard_pod_affinity_weight: 1,
            ignore_preferred_terms_of_existing_pods: false,
        }
    }
}

/// How often a term is met in each domain of its topology.
#[derive(Debug)]
struct Meetings {
    topology: TopologyId,
    counts: Vec<u32>,
}

impl Meetings {
    fn new(topology: TopologyId, snapshot: &Snapshot) -> Self {
        Self {
            topology,
            counts: vec![0; snapshot.domains(topology)],
        }
    }

    fn count(&mut self, group: &Group, snapshot: &Snapshot) {
        for (index, pods) in group.nodes() {
            if let Some(domain) = snapshot.domain(self.topology, index) {
                self.counts[domain] += pods;
            }
        }
    }

    fn are_at(&self, row: NodeRow<'_>) -> bool {
        row.domain(self.topology)
            .is_some_and(|domain| self.counts[domain] > 0)
    }
}

/// Where required terms are met.
#[derive(Debug, Default)]
pub struct Met {
    /// By pods that the pod must be near, a term each.
    affinity: Vec<Meetings>,
    /// The pod may be the first of those that seek each other.
    is_first: bool,
    /// By pods that the pod must be far from.
    anti_affinity: Vec<Meetings>,
    /// By pods that must be far from the pod.
    existing: Vec<Meetings>,
}

/// How welcome the pod is in each domain of a topology.
#[derive(Debug)]
pub struct Preference {
    topology: TopologyId,
    sums: Vec<i64>,
}

impl Filter for InterPodAffinity {
    fn name(&self) -> &'static str {
        "InterPodAffinity"
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn applies(&self, _: &Requirements) -> bool {
        true
    }

    fn pre_filter(
        &self,
        requirements: &Requirements,
        snapshot: &Snapshot,
        state: &mut CycleState,
    ) -> Result<bool, Rejection> {
        let own = &requirements.load.identity;
        let met = &mut state.affinity;
        for group in snapshot.groups_with_terms() {
            for term in terms(group.identity()).anti_affinity.iter() {
                if snapshot.holds(&term.pods, own) {
                    meetings(&mut met.existing, term, snapshot, |meetings| {
                        meetings.count(group, snapshot);
                    });
                }
            }
        }
        let Some(terms) = requirements.terms() else {
            return Ok(!met.existing.is_empty());
        };
        for term in &terms.anti_affinity {
            meetings(&mut met.anti_affinity, term, snapshot, |meetings| {
                for group in snapshot.groups_of(&term.pods) {
                    meetings.count(group, snapshot);
                }
            });
        }
        // Only pods that meet all terms meet any of them.
        let all = |identity: &Identity| {
            terms
                .affinity
                .iter()
                .all(|term| snapshot.holds(&term.pods, identity))
        };
        if let Some(first) = terms.affinity.first() {
            let wanted: Vec<&Group> = (snapshot.groups_of(&first.pods).into_iter())
                .filter(|group| all(group.identity()))
                .collect();
            for term in &terms.affinity {
                let Some(topology) = snapshot.topology(&term.topology_key) else {
                    continue;
                };
                let mut meetings = Meetings::new(topology, snapshot);
                for group in &wanted {
                    meetings.count(group, snapshot);
                }
                met.affinity.push(meetings);
            }
            let nobody = |meetings: &Meetings| meetings.counts.iter().all(|count| *count == 0);
            met.is_first = met.affinity.iter().all(nobody) && all(own);
        }
        Ok(true)
    }

    fn admits(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> bool {
        let met = &candidate.state.affinity;
        is_near_all(met, row)
            && !met.anti_affinity.iter().any(|meetings| meetings.are_at(row))
            && !met.existing.iter().any(|meetings| meetings.are_at(row))
    }

    fn reasons(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> Vec<String> {
        let met = &candidate.state.affinity;
        let reason = if !is_near_all(met, row) {
            "node(s) didn't match pod affinity rules"
        } else if met.anti_affinity.iter().any(|meetings| meetings.are_at(row)) {
            "node(s) didn't match pod anti-affinity rules"
        } else if met.existing.iter().any(|meetings| meetings.are_at(row)) {
            "node(s) didn't satisfy existing pods anti-affinity rules"
        } else {
            return Vec::new();
        };
        vec![reason.to_owned()]
    }

    /// Nobody comes near because others leave.
    fn is_resolvable(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> bool {
        is_near_all(&candidate.state.affinity, row)
    }

    fn helped_by(&self) -> ClusterEvents {
        ClusterEvents::NODE_ADDED
            .union(ClusterEvents::NODE_LABELS)
            .union(ClusterEvents::POD_ADDED)
            .union(ClusterEvents::POD_REMOVED)
            .union(ClusterEvents::NAMESPACE_LABELS)
    }
}

fn is_near_all(met: &Met, row: NodeRow<'_>) -> bool {
    let mut near = met.affinity.iter();
    near.all(|meetings| match row.domain(meetings.topology) {
        None => false,
        Some(domain) => met.is_first || meetings.counts[domain] > 0,
    })
}

fn terms(identity: &Identity) -> &PodTerms {
    const NONE: &PodTerms = &PodTerms::NONE;
    identity.terms.as_deref().unwrap_or(NONE)
}

/// Finds or makes the place where a term's topology is counted.
fn meetings(
    list: &mut Vec<Meetings>,
    term: &PodTerm,
    snapshot: &Snapshot,
    count: impl FnOnce(&mut Meetings),
) {
    let Some(topology) = snapshot.topology(&term.topology_key) else {
        return;
    };
    let at = list.iter().position(|meetings| meetings.topology == topology);
    let at = at.unwrap_or_else(|| {
        list.push(Meetings::new(topology, snapshot));
        list.len() - 1
    });
    count(&mut list[at]);
}

impl Score for InterPodAffinity {
    fn name(&self) -> &'static str {
        "InterPodAffinity"
    }

    fn weight(&self) -> i64 {
        2
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn applies(&self, _: &Requirements) -> bool {
        true
    }

    fn pre_score(
        &self,
        requirements: &Requirements,
        snapshot: &Snapshot,
        _: &[NodeIndex],
        state: &mut CycleState,
    ) -> bool {
        let own = &requirements.load.identity;
        let preferences = &mut state.preferences;
        let wishes = requirements.terms().map_or(&[][..], |terms| &terms.preferred);
        for (weight, term) in wishes {
            for group in snapshot.groups_of(&term.pods) {
                prefer(preferences, term, *weight, group, snapshot);
            }
        }
        if wishes.is_empty() && self.ignore_preferred_terms_of_existing_pods {
            return !preferences.is_empty();
        }
        for group in snapshot.groups_with_terms() {
            let terms = terms(group.identity());
            let required = (terms.affinity.iter()).map(|term| (self.hard_pod_affinity_weight, term));
            let preferred = terms.preferred.iter().map(|(weight, term)| (*weight, term));
            for (weight, term) in required.chain(preferred) {
                if weight != 0 && snapshot.holds(&term.pods, own) {
                    prefer(preferences, term, weight, group, snapshot);
                }
            }
        }
        !preferences.is_empty()
    }

    fn score(&self, candidate: &Candidate<'_>, row: NodeRow<'_>) -> i64 {
        let preferences = candidate.state.preferences.iter();
        preferences
            .filter_map(|preference| Some(preference.sums[row.domain(preference.topology)?]))
            .fold(0, i64::saturating_add)
    }

    fn is_relative(&self) -> bool {
        true
    }

    fn normalize(&self, score: i64, range: Range) -> i64 {
        let width = range.max - range.min;
        if width <= 0 {
            0
        } else {
            (MAX_SCORE as f64 * ((score - range.min) as f64 / width as f64)) as i64
        }
    }
}

fn prefer(list: &mut Vec<Preference>, term: &PodTerm, weight: i64, group: &Group, snapshot: &Snapshot) {
    let Some(topology) = snapshot.topology(&term.topology_key) else {
        return;
    };
    let at = list.iter().position(|preference| preference.topology == topology);
    let at = at.unwrap_or_else(|| {
        list.push(Preference {
            topology,
            sums: vec![0; snapshot.domains(topology)],
        });
        list.len() - 1
    });
    for (index, pods) in group.nodes() {
        if let Some(domain) = snapshot.domain(topology, index) {
            list[at].sums[domain] += weight * i64::from(pods);
        }
    }
}
