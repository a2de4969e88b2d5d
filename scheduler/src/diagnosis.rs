//! Why no node will do, in upstream's words.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    cycle::{Nominated, promised, suppose_all},
    framework::{Candidate, ClusterEvents, Filter},
    profile::Profile,
    requirements::Class,
    snapshot::{NodeIndex, NodeRow, Snapshot},
};

#[cfg(test)]
mod tests;

/// The outcome of a look at all nodes that found none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`
    pub message: Arc<str>,
    /// What could change the outcome.
    pub helped_by: ClusterEvents,
    /// Nodes where it could help if pods left.
    pub resolvable: Vec<NodeIndex>,
}

/// What one node says.
struct Refusal {
    reasons: Vec<String>,
    helped_by: ClusterEvents,
    is_resolvable: bool,
}

impl Diagnosis {
    /// Asks the filters about every node; of each node, the first filter that turned the pod away counts.
    #[must_use]
    pub fn of(class: &Class, profile: &Profile, nominated: &[Nominated], snapshot: &mut Snapshot) -> Self {
        if snapshot.is_empty() {
            return Self {
                message: "no nodes available to schedule pods".into(),
                helped_by: ClusterEvents::NODE_ADDED,
                resolvable: Vec::new(),
            };
        }
        let filters: Vec<&dyn Filter> = profile.filters_for(class).collect();
        let (candidate, asked) = match Candidate::prepare(class, filters.iter().copied(), snapshot) {
            Ok(prepared) => prepared,
            Err(rejection) => {
                let message = format!("0/{} nodes are available: {}.", snapshot.len(), rejection.message);
                return Self {
                    message: message.into(),
                    helped_by: rejection.helped_by,
                    resolvable: Vec::new(),
                };
            }
        };
        let mut refusals: BTreeMap<NodeIndex, Refusal> = (snapshot.iter())
            .filter_map(|row| Some((row.index(), ask(&asked, &candidate, row)?)))
            .collect();
        for (index, promised) in promised(nominated, snapshot) {
            if refusals.contains_key(&index) {
                continue;
            }
            let refusal = suppose_all(&promised, snapshot, |snapshot| {
                let prepared = Candidate::prepare(class, filters.iter().copied(), snapshot);
                let (candidate, asked) = prepared.ok()?;
                ask(&asked, &candidate, snapshot.row(index)?)
            });
            refusals.extend(refusal.map(|refusal| (index, refusal)));
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for reason in refusals.values().flat_map(|refusal| &refusal.reasons) {
            *counts.entry(reason).or_default() += 1;
        }
        let helped_by = (refusals.values()).map(|refusal| refusal.helped_by);
        let resolvable = refusals.iter().filter(|(_, refusal)| refusal.is_resolvable);
        Self {
            message: histogram(snapshot.len(), &counts).into(),
            helped_by: helped_by.fold(ClusterEvents::NODE_ADDED, ClusterEvents::union),
            resolvable: resolvable.map(|(index, _)| *index).collect(),
        }
    }
}

fn ask(filters: &[&dyn Filter], candidate: &Candidate<'_>, row: NodeRow<'_>) -> Option<Refusal> {
    let filter = filters.iter().find(|filter| !filter.admits(candidate, row))?;
    Some(Refusal {
        reasons: filter.reasons(candidate, row),
        helped_by: filter.helped_by(),
        is_resolvable: filter.is_resolvable(candidate, row),
    })
}

/// Upstream's sentence: reasons with the number of nodes that gave them. The finished texts are sorted, so "10 x" comes
/// before "2 y".
#[must_use]
pub fn histogram(nodes: usize, counts: &BTreeMap<&str, usize>) -> String {
    let mut texts: Vec<String> = (counts.iter())
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    texts.sort();
    if texts.is_empty() {
        return format!("0/{nodes} nodes are available:");
    }
    format!("0/{nodes} nodes are available: {}.", texts.join(", "))
}
