//! Which pods go first when there are too many.
//!
//! Source: "Scaling a ReplicaSet" in the Kubernetes documentation.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use crate::view::{Phase, Pod};

/// The `count` active pods that are missed least.
pub(super) fn first_to_go<'a>(
    pods: &'a [Arc<Pod>],
    neighbours: &BTreeMap<Box<str>, usize>,
    count: usize,
    now: Timestamp,
) -> Vec<&'a Arc<Pod>> {
    let mut active: Vec<&Arc<Pod>> = pods.iter().filter(|pod| pod.is_active()).collect();
    active.sort_by_cached_key(|pod| rank(pod, neighbours, now));
    active.truncate(count);
    active
}

/// Lower goes first.
fn rank(pod: &Pod, neighbours: &BTreeMap<Box<str>, usize>, now: Timestamp) -> impl Ord + use<> {
    let phase = match pod.phase {
        Phase::Pending => 0,
        Phase::Unknown => 1,
        _ => 2,
    };
    (
        !pod.node.is_empty(),
        phase,
        pod.ready,
        pod.meta.annotations,
        // Where more of them share a node, one is missed less.
        Reverse(neighbours.get(&pod.node).copied().unwrap_or_default()),
        age(pod.ready_changed.filter(|_| pod.ready), now),
        Reverse(pod.restarts),
        age(Some(pod.meta.created), now),
        // Otherwise arbitrary, but the same on every look.
        pod.meta.uid.clone(),
    )
}

/// How long ago, by magnitude: pods of about the same age are equal, so that chance does not always hit the youngest.
fn age(since: Option<Timestamp>, now: Timestamp) -> u32 {
    let nanoseconds = since.map_or(0, |since| now.duration_since(since).as_nanos().max(0));
    nanoseconds
        .unsigned_abs()
        .checked_ilog2()
        .map_or(0, |magnitude| magnitude + 1)
}
