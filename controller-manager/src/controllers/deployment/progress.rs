//! The status of a Deployment and its conditions, which `kubectl rollout status` reads.

use std::time::Duration;

use coracle_api::kinds;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::plan::Draft;
use crate::{
    view::{Condition, DeploymentStatus, ReplicaSet},
    writes,
};

pub(super) const PROGRESSING: &str = "Progressing";
const AVAILABLE: &str = "Available";
const REPLICA_FAILURE: &str = "ReplicaFailure";
const COMPLETE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";

/// Whether the present ReplicaSet has everything, and no other has anything.
pub(super) fn is_complete(draft: &Draft<'_>) -> bool {
    counts_complete(draft, &count(draft))
}

fn counts_complete(draft: &Draft<'_>, status: &DeploymentStatus) -> bool {
    let wanted = draft.deployment.replicas;
    status.updated_replicas == wanted
        && status.replicas == wanted
        && status.available_replicas == wanted
        && status.observed_generation >= draft.deployment.meta.generation
}

impl Draft<'_> {
    /// Writes the status where it differs; `rolls` where progress is watched too.
    pub(super) fn write_status(&mut self, rolls: bool) {
        let mut status = count(self);
        self.judge_availability(&status);
        if rolls {
            self.judge_progress(&status);
            self.judge_failure();
        }
        status.conditions.clone_from(&self.conditions);
        if status != self.deployment.status {
            let body = to_patch(&status);
            self.plan.write(writes::patch_status(
                kinds::DEPLOYMENT,
                &self.deployment.meta,
                &body,
            ));
        }
        if rolls && let Some(wait) = self.until_deadline(&status) {
            self.plan.look_again_after(wait);
        }
    }

    fn judge_availability(&mut self, status: &DeploymentStatus) {
        let (_, unavailable) = self.deployment.surge_and_unavailable();
        let min = self.deployment.replicas - unavailable.min(self.deployment.replicas);
        let condition = if status.available_replicas >= min {
            let message = "Deployment has minimum availability.";
            Condition::new(AVAILABLE, "True", "MinimumReplicasAvailable", message, self.now)
        } else {
            let message = "Deployment does not have minimum availability.";
            Condition::new(
                AVAILABLE,
                "False",
                "MinimumReplicasUnavailable",
                message,
                self.now,
            )
        };
        self.set_condition(condition);
    }

    fn judge_progress(&mut self, status: &DeploymentStatus) {
        if self.deployment.progress_deadline_seconds.is_none() {
            return self.remove_condition(PROGRESSING);
        }
        let known = self.condition(PROGRESSING).cloned();
        let is_settled = status.replicas == status.updated_replicas
            && known.as_ref().is_some_and(|known| &*known.reason == COMPLETE);
        if is_settled {
            return;
        }
        let (kind, name) = match self.new {
            Some(new) => ("ReplicaSet", new.meta.name.clone()),
            None => ("Deployment", self.deployment.meta.name.clone()),
        };
        let about = |what: &str| format!("{kind} \"{name}\" {what}");
        if counts_complete(self, status) {
            let message = about("has successfully progressed.");
            self.set_condition(Condition::new(PROGRESSING, "True", COMPLETE, &message, self.now));
        } else if has_moved(&self.deployment.status, status) {
            let message = about("is progressing.");
            let mut moved = Condition::new(PROGRESSING, "True", "ReplicaSetUpdated", &message, self.now);
            if let Some(known) = known.filter(|known| &*known.status == "True") {
                moved.last_transition_time = known.last_transition_time;
            }
            // Replaced even where it says the same: its time is what the deadline counts from.
            self.replace_condition(moved);
        } else if self.has_timed_out(known.as_ref()) {
            let message = about("has timed out progressing.");
            self.set_condition(Condition::new(
                PROGRESSING,
                "False",
                TIMED_OUT,
                &message,
                self.now,
            ));
        }
    }

    fn has_timed_out(&self, known: Option<&Condition>) -> bool {
        let Some(known) = known else { return false };
        match &*known.reason {
            COMPLETE => false,
            TIMED_OUT => true,
            _ => self
                .deadline(known)
                .is_some_and(|deadline| deadline < self.now.as_second()),
        }
    }

    /// The second at which progress is overdue.
    fn deadline(&self, known: &Condition) -> Option<i64> {
        let from: Timestamp = known.last_update_time.or(known.last_transition_time)?;
        from.as_second()
            .checked_add(self.deployment.progress_deadline_seconds?)
    }

    /// When nothing happens, how long until that is worth telling.
    fn until_deadline(&self, status: &DeploymentStatus) -> Option<Duration> {
        let known = self.condition(PROGRESSING)?;
        if counts_complete(self, status) || &*known.reason == TIMED_OUT {
            return None;
        }
        let wait = self.deadline(known)? - self.now.as_second() + 1;
        u64::try_from(wait).ok().map(Duration::from_secs)
    }

    /// Shows why a ReplicaSet cannot make its pods; the new one's trouble before that of others.
    fn judge_failure(&mut self) {
        let failure_of = |set: &ReplicaSet| {
            let failed = set
                .status
                .conditions
                .iter()
                .find(|condition| &*condition.kind == REPLICA_FAILURE);
            failed.map(|failed| (failed.reason.clone(), failed.message.clone()))
        };
        let failure = self
            .new
            .and_then(failure_of)
            .or_else(|| self.old.iter().find_map(|set| failure_of(set)));
        match failure {
            Some((reason, message)) => {
                let condition = Condition::new(REPLICA_FAILURE, "True", &reason, &message, self.now);
                self.set_condition(condition);
            }
            None => self.remove_condition(REPLICA_FAILURE),
        }
    }
}

/// The counts, without conditions.
fn count(draft: &Draft<'_>) -> DeploymentStatus {
    let sum = |of: fn(&ReplicaSet) -> i32| draft.all().map(of).sum::<i32>();
    let available = sum(|set| set.status.available_replicas);
    DeploymentStatus {
        observed_generation: draft.deployment.meta.generation,
        replicas: sum(|set| set.status.replicas),
        updated_replicas: draft.new.map_or(0, |new| new.status.replicas),
        ready_replicas: sum(|set| set.status.ready_replicas),
        available_replicas: available,
        unavailable_replicas: (sum(|set| set.replicas) - available).max(0),
        collision_count: draft.collision_count,
        conditions: Vec::new(),
    }
}

/// Whether the counts are better than they were.
fn has_moved(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    new.updated_replicas > old.updated_replicas
        || new.replicas - new.updated_replicas < old.replicas - old.updated_replicas
        || new.ready_replicas > old.ready_replicas
        || new.available_replicas > old.available_replicas
}

/// As a patch of the whole status; what is zero is left out, as upstream does.
fn to_patch(status: &DeploymentStatus) -> Value {
    let count = |number: i32| if number == 0 { Value::Null } else { number.into() };
    json!({"status": {
        "observedGeneration": status.observed_generation,
        "replicas": count(status.replicas),
        "updatedReplicas": count(status.updated_replicas),
        "readyReplicas": count(status.ready_replicas),
        "availableReplicas": count(status.available_replicas),
        "unavailableReplicas": count(status.unavailable_replicas),
        "collisionCount": status.collision_count,
        "conditions": Condition::list(&status.conditions),
    }})
}
