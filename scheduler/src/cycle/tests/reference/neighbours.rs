//! The plain scheduler's view of other pods: spreading, affinity and anti-affinity, each counted over all pods.

use super::Cluster;
use crate::{
    projection::Node,
    requirements::{HOSTNAME, Identity, Load, PodSet, PodTerm, Requirements, SpreadConstraint},
};

fn value<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    let label = node.labels.iter().find(|(known, _)| **known == *key);
    label.map(|(_, value)| &**value)
}

fn is_in(set: &PodSet, identity: &Identity) -> bool {
    set.namespaces.contains(&identity.namespace) && set.selector.matches(&*identity.labels)
}

fn counts(constraint: &SpreadConstraint, pod: &Requirements, other: &Load) -> bool {
    match &constraint.pods {
        Some(set) => is_in(set, &other.identity),
        None => other.owner.is_some() && other.owner == pod.load.owner,
    }
}

fn terms(identity: &Identity, of: fn(&crate::requirements::PodTerms) -> &Vec<PodTerm>) -> Vec<&PodTerm> {
    identity.terms.iter().flat_map(|terms| of(terms)).collect()
}

impl Cluster {
    /// Every pod with the node that it is on, if the node exists.
    fn placed(&self) -> Vec<(&Node, &Load)> {
        self.pods
            .iter()
            .filter_map(|(name, load)| Some((self.nodes.get(name)?, load)))
            .collect()
    }

    fn is_drawn_to(&self, pod: &Requirements, node: &Node) -> bool {
        pod.node_selector
            .iter()
            .all(|wanted| node.labels.contains(wanted))
            && pod
                .required_terms
                .as_ref()
                .is_none_or(|terms| terms.iter().any(|term| term.matches(&node.name, &node.labels)))
    }

    /// Hard spreading: no domain may get further ahead of the emptiest than allowed.
    pub(super) fn is_spread_by(&self, pod: &Requirements, node: &Node) -> bool {
        let hard: Vec<&SpreadConstraint> = pod.spread.iter().filter(|one| one.is_hard).collect();
        hard.iter().all(|constraint| {
            let Some(domain) = value(node, &constraint.topology_key) else {
                return false;
            };
            let makes_domain = |node: &&Node| {
                hard.iter().all(|one| value(node, &one.topology_key).is_some())
                    && (!constraint.honors_affinity || self.is_drawn_to(pod, node))
                    && (!constraint.honors_taints || self.tolerates(pod, node))
            };
            let in_domain = |domain: &str| {
                let there = |(node, load): &(&Node, &Load)| {
                    makes_domain(node)
                        && value(node, &constraint.topology_key) == Some(domain)
                        && counts(constraint, pod, load)
                };
                self.placed().into_iter().filter(there).count() as i64
            };
            let mut domains: Vec<&str> = (self.nodes.values())
                .filter(makes_domain)
                .filter_map(|node| value(node, &constraint.topology_key))
                .collect();
            domains.sort_unstable();
            domains.dedup();
            let fewest = if (domains.len() as i64) < constraint.min_domains {
                0
            } else {
                domains
                    .iter()
                    .map(|domain| in_domain(domain))
                    .min()
                    .unwrap_or_default()
            };
            let own = i64::from(counts(constraint, pod, &pod.load));
            in_domain(domain) + own - fewest <= constraint.max_skew
        })
    }

    /// Required affinity and anti-affinity, from both sides.
    pub(super) fn suits_neighbours(&self, pod: &Requirements, node: &Node) -> bool {
        let own = &pod.load.identity;
        let shares =
            |key: &str, other: &Node| value(node, key).is_some() && value(node, key) == value(other, key);
        let affinity = terms(own, |terms| &terms.affinity);
        let meets_all = |identity: &Identity| affinity.iter().all(|term| is_in(&term.pods, identity));
        let wanted: Vec<(&Node, &Load)> = self
            .placed()
            .into_iter()
            .filter(|(_, load)| meets_all(&load.identity))
            .collect();
        let is_first = meets_all(own)
            && !wanted.iter().any(|(other, _)| {
                affinity
                    .iter()
                    .any(|term| value(other, &term.topology_key).is_some())
            });
        let near = affinity.iter().all(|term| {
            let has_label = value(node, &term.topology_key).is_some();
            has_label && (is_first || wanted.iter().any(|(other, _)| shares(&term.topology_key, other)))
        });
        let far = !terms(own, |terms| &terms.anti_affinity).iter().any(|term| {
            self.placed()
                .iter()
                .any(|(other, load)| is_in(&term.pods, &load.identity) && shares(&term.topology_key, other))
        });
        let tolerated = !self.placed().iter().any(|(other, load)| {
            terms(&load.identity, |terms| &terms.anti_affinity)
                .iter()
                .any(|term| is_in(&term.pods, own) && shares(&term.topology_key, other))
        });
        near && far && tolerated
    }

    /// Soft spreading, normalized.
    pub(super) fn evenness(&self, pod: &Requirements, nodes: &[&Node], node: &Node) -> i64 {
        let defaults = SpreadConstraint::system_defaults();
        let is_default = pod.spread.is_empty() && pod.load.owner.is_some();
        let all = if is_default { &*defaults } else { &*pod.spread };
        let soft: Vec<&SpreadConstraint> = all.iter().filter(|one| !one.is_hard).collect();
        if soft.is_empty() {
            return 0;
        }
        let takes_part =
            |node: &Node| is_default || soft.iter().all(|one| value(node, &one.topology_key).is_some());
        let raw = |node: &Node| {
            let mut sum = 0.0;
            for constraint in &soft {
                let Some(domain) = value(node, &constraint.topology_key) else {
                    continue;
                };
                let mut domains: Vec<&str> = (nodes.iter().filter(|node| takes_part(node)))
                    .filter_map(|node| value(node, &constraint.topology_key))
                    .collect();
                domains.sort_unstable();
                domains.dedup();
                let size = if &*constraint.topology_key == HOSTNAME {
                    nodes.iter().filter(|node| takes_part(node)).count()
                } else {
                    domains.len()
                };
                let there = self.placed().into_iter().filter(|(other, load)| {
                    takes_part(other)
                        && (!constraint.honors_affinity || self.is_drawn_to(pod, other))
                        && (!constraint.honors_taints || self.tolerates(pod, other))
                        && value(other, &constraint.topology_key) == Some(domain)
                        && counts(constraint, pod, load)
                });
                sum += there.count() as f64 * (size as f64 + 2.0).ln() + (constraint.max_skew - 1) as f64;
            }
            f64::round(sum) as i64
        };
        if !takes_part(node) {
            return 0;
        }
        let scores: Vec<i64> = nodes
            .iter()
            .filter(|node| takes_part(node))
            .map(|node| raw(node))
            .collect();
        let (min, max) = (*scores.iter().min().unwrap(), *scores.iter().max().unwrap());
        if max == 0 {
            100
        } else {
            100 * (max + min - raw(node)) / max
        }
    }

    /// Preferences between pods, from both sides, normalized.
    pub(super) fn welcome(&self, pod: &Requirements, nodes: &[&Node], node: &Node) -> i64 {
        let own = &pod.load.identity;
        let raw = |node: &Node| {
            let mut sum = 0;
            for (other, load) in self.placed() {
                let shares = |term: &PodTerm| {
                    value(node, &term.topology_key).is_some()
                        && value(node, &term.topology_key) == value(other, &term.topology_key)
                };
                for (weight, term) in own.terms.iter().flat_map(|terms| &terms.preferred) {
                    sum += weight * i64::from(is_in(&term.pods, &load.identity) && shares(term));
                }
                if let Some(terms) = &load.identity.terms {
                    for (weight, term) in &terms.preferred {
                        sum += weight * i64::from(is_in(&term.pods, own) && shares(term));
                    }
                    for term in &terms.affinity {
                        sum += i64::from(is_in(&term.pods, own) && shares(term));
                    }
                }
            }
            sum
        };
        let scores: Vec<i64> = nodes.iter().map(|node| raw(node)).collect();
        let (min, max) = (*scores.iter().min().unwrap(), *scores.iter().max().unwrap());
        if max == min {
            return 0;
        }
        (100.0 * ((raw(node) - min) as f64 / (max - min) as f64)) as i64
    }

    fn tolerates(&self, pod: &Requirements, node: &Node) -> bool {
        let hard = |taint: &&crate::requirements::Taint| {
            taint.effect != crate::requirements::Effect::PreferNoSchedule
        };
        node.taints
            .iter()
            .filter(hard)
            .all(|taint| taint.is_tolerated(&pod.tolerations))
    }
}
