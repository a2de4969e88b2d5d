//! The status of a DaemonSet, which `kubectl rollout status` reads.

use coracle_api::kinds;
use coracle_runtime::Plan;
use jiff::Timestamp;

use super::{
    fleet::{Fit, Fleet},
    plan::Snapshot,
    pod,
};
use crate::{
    view::{DaemonSet, DaemonSetStatus},
    writes,
};

/// Writes the status where it differs, and looks again when time alone will change it.
pub(super) fn update(snapshot: &Snapshot, fleet: &Fleet<'_>, hash: &str, now: Timestamp, plan: &mut Plan) {
    let set = &snapshot.set;
    let status = count(set, fleet, hash, now);
    if status != set.status {
        plan.write(writes::patch_status(
            kinds::DAEMON_SET,
            &set.meta,
            &status.to_patch(),
        ));
    }
    let waiting = snapshot.pods.iter().filter(|pod| pod.ready);
    let waits = waiting.filter_map(|pod| pod.until_available(set.min_ready_seconds, now));
    if let Some(wait) = waits.min() {
        plan.look_again_after(wait);
    }
}

/// Counts a collision of hashes, so that the next look takes another.
pub(super) fn count_collision(set: &DaemonSet, plan: &mut Plan) {
    let status = DaemonSetStatus {
        collision_count: Some(set.status.collision_count.unwrap_or(0) + 1),
        ..set.status.clone()
    };
    plan.write(writes::patch_status(
        kinds::DAEMON_SET,
        &set.meta,
        &status.to_patch(),
    ));
}

/// Of each node the pod to keep counts.
fn count(set: &DaemonSet, fleet: &Fleet<'_>, hash: &str, now: Timestamp) -> DaemonSetStatus {
    let mut status = DaemonSetStatus {
        observed_generation: set.meta.generation,
        collision_count: set.status.collision_count,
        ..DaemonSetStatus::default()
    };
    for berth in fleet.values() {
        let pod = berth.pods.first();
        if berth.fit != Fit::Runs {
            status.number_misscheduled += i32::from(pod.is_some());
            continue;
        }
        status.desired_number_scheduled += 1;
        let Some(pod) = pod else { continue };
        status.current_number_scheduled += 1;
        status.number_ready += i32::from(pod.ready);
        status.number_available += i32::from(pod.is_available(set.min_ready_seconds, now));
        status.updated_number_scheduled += i32::from(pod::hash(pod) == hash);
    }
    status.number_unavailable = status.desired_number_scheduled - status.number_available;
    status
}
