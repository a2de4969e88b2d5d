//! The status of a StatefulSet, which `kubectl rollout status` reads.

use coracle_api::kinds;
use coracle_runtime::Plan;
use jiff::Timestamp;

use super::{identity, plan::Snapshot};
use crate::{
    view::{Phase, Pod, StatefulSet, StatefulSetStatus, Update},
    writes,
};

/// Whether the pod runs and is ready.
pub(super) fn is_ready(pod: &Pod) -> bool {
    pod.phase == Phase::Running && pod.ready
}

/// Whether the pod has been ready for as long as the set asks.
pub(super) fn is_available(set: &StatefulSet, pod: &Pod, now: Timestamp) -> bool {
    is_ready(pod) && pod.is_available(set.min_ready_seconds, now)
}

/// Writes the status where it differs, and looks again when time alone will change it.
pub(super) fn update(snapshot: &Snapshot, current: &str, present: &str, now: Timestamp, plan: &mut Plan) {
    let set = &snapshot.set;
    let mut status = count(snapshot, current, present, now);
    let wanted = set.replicas;
    let is_complete = set.update != Update::OnDelete
        && [status.updated_replicas, status.ready_replicas, status.replicas] == [wanted; 3];
    if is_complete {
        status.current_replicas = status.updated_replicas;
        status.current_revision = status.update_revision.clone();
    }
    if status != set.status {
        plan.write(writes::patch_status(
            kinds::STATEFUL_SET,
            &set.meta,
            &status.to_patch(),
        ));
    }
    let waiting = snapshot.pods.iter().filter(|pod| is_ready(pod));
    let waits = waiting.filter_map(|pod| pod.until_available(set.min_ready_seconds, now));
    if let Some(wait) = waits.min() {
        plan.look_again_after(wait);
    }
}

/// Counts a collision of hashes, so that the next look takes another.
pub(super) fn count_collision(set: &StatefulSet, plan: &mut Plan) {
    let status = StatefulSetStatus {
        collision_count: Some(set.status.collision_count.unwrap_or(0) + 1),
        ..set.status.clone()
    };
    plan.write(writes::patch_status(
        kinds::STATEFUL_SET,
        &set.meta,
        &status.to_patch(),
    ));
}

fn count(snapshot: &Snapshot, current: &str, present: &str, now: Timestamp) -> StatefulSetStatus {
    let set = &snapshot.set;
    let count = |counts: &dyn Fn(&Pod) -> bool| {
        let pods = snapshot.pods.iter().filter(|pod| counts(pod));
        i32::try_from(pods.count()).unwrap_or(i32::MAX)
    };
    let of_revision =
        |name: &str| count(&|pod: &Pod| !pod.meta.is_deleting() && identity::revision(pod) == name);
    StatefulSetStatus {
        observed_generation: set.meta.generation,
        replicas: count(&|_| true),
        ready_replicas: count(&is_ready),
        available_replicas: count(&|pod| is_available(set, pod, now)),
        current_replicas: of_revision(current),
        updated_replicas: of_revision(present),
        current_revision: current.into(),
        update_revision: present.into(),
        collision_count: Some(set.status.collision_count.unwrap_or(0)),
    }
}
