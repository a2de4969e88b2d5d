//! The status of a ReplicaSet.

use coracle_runtime::Plan;
use jiff::Timestamp;

use super::plan::{Snapshot, difference};
use crate::{
    view::{Condition, ReplicaSetStatus},
    writes,
};

const REPLICA_FAILURE: &str = "ReplicaFailure";

/// Writes the status where it differs, and looks again when time alone will change it.
pub(super) fn update(snapshot: &Snapshot, now: Timestamp, plan: &mut Plan) {
    let set = &snapshot.set;
    let status = observe(snapshot, now);
    if status != set.status {
        plan.write(writes::patch_status(
            snapshot.resource,
            &set.meta,
            &status.to_patch(),
        ));
    }
    let waiting = snapshot.pods.iter().filter(|pod| pod.is_active() && pod.ready);
    let waits = waiting.filter_map(|pod| pod.until_available(set.min_ready_seconds, now));
    if let Some(wait) = waits.min() {
        plan.look_again_after(wait);
    }
}

fn observe(snapshot: &Snapshot, now: Timestamp) -> ReplicaSetStatus {
    let Snapshot { set, tally, pods, .. } = snapshot;
    let available = if set.min_ready_seconds > 0 {
        pods.iter()
            .filter(|pod| pod.is_active() && pod.is_available(set.min_ready_seconds, now))
            .count()
    } else {
        tally.ready
    };
    let is_of_template = |labels: &coracle_api::Labels| {
        set.template
            .labels()
            .all(|(key, value)| labels.get(key) == Some(value))
    };
    ReplicaSetStatus {
        replicas: count(tally.active),
        fully_labeled_replicas: count(tally.with_labels(is_of_template)),
        ready_replicas: count(tally.ready),
        available_replicas: count(available),
        observed_generation: set.meta.generation,
        conditions: conditions(snapshot, now),
    }
}

fn conditions(snapshot: &Snapshot, now: Timestamp) -> Vec<Condition> {
    let mut conditions = snapshot.set.status.conditions.clone();
    let known = conditions
        .iter()
        .any(|condition| &*condition.kind == REPLICA_FAILURE);
    match &snapshot.failure {
        Some(why) if !known => {
            let reason = if difference(snapshot) < 0 {
                "FailedDelete"
            } else {
                "FailedCreate"
            };
            let mut condition = Condition::new(REPLICA_FAILURE, "True", reason, why, now);
            condition.last_update_time = None;
            conditions.push(condition);
        }
        None => conditions.retain(|condition| &*condition.kind != REPLICA_FAILURE),
        Some(_) => {}
    }
    conditions
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
