//! What a Deployment needs. The top function is the decision list of the Deployment page of the Kubernetes
//! documentation; each decision has a file of its own.

use std::{collections::BTreeMap, sync::Arc};

use coracle_api::kinds;
use coracle_client::Propagation;
use coracle_runtime::{Note, Plan};
use jiff::Timestamp;
use serde_json::json;

use super::{progress, revision, rolling, scale};
use crate::{
    view::{Condition, Deployment, ReplicaSet, Strategy},
    writes,
};

/// How many pods the Deployment wanted when the ReplicaSet was last sized.
pub(super) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// How many pods there might be then, surge included.
pub(super) const MAX: &str = "deployment.kubernetes.io/max-replicas";

/// What is known about a Deployment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) deployment: Arc<Deployment>,
    /// Its ReplicaSets, oldest first.
    pub(super) sets: Vec<Arc<ReplicaSet>>,
    /// ReplicaSets to adopt, verified.
    pub(super) orphans: Vec<Arc<ReplicaSet>>,
    /// Pods that have not finished, by the UID of their ReplicaSet.
    pub(super) running: BTreeMap<Box<str>, usize>,
    /// The hash of the present template.
    pub(super) hash: String,
    /// A ReplicaSet of the name that the present template would get exists, ours or not.
    pub(super) name_taken: bool,
}

/// A plan under construction.
pub(super) struct Draft<'a> {
    pub(super) deployment: &'a Deployment,
    pub(super) snapshot: &'a Snapshot,
    /// The ReplicaSet of the present template.
    pub(super) new: Option<&'a ReplicaSet>,
    /// All others, oldest first.
    pub(super) old: Vec<&'a ReplicaSet>,
    pub(super) conditions: Vec<Condition>,
    pub(super) collision_count: Option<i32>,
    pub(super) plan: Plan,
    pub(super) now: Timestamp,
}

/// The decisions, in order.
pub(super) fn plan(snapshot: &Snapshot, now: Timestamp) -> Plan {
    let mut draft = Draft::new(snapshot, now);
    let deployment = draft.deployment;
    if deployment.meta.is_deleting() {
        draft.write_status(false);
        return draft.plan;
    }
    if draft.settle_ownership() {
        return draft.plan;
    }
    draft.note_pause();
    if deployment.paused {
        revision::follow(&mut draft);
        scale::in_proportion(&mut draft);
        draft.remove_history();
        draft.write_status(false);
        return draft.plan;
    }
    if scale::was_scaled(&draft) {
        revision::follow(&mut draft);
        scale::in_proportion(&mut draft);
        draft.write_status(false);
        return draft.plan;
    }
    match deployment.strategy {
        Strategy::Recreate => rolling::recreate(&mut draft),
        Strategy::RollingUpdate { .. } => rolling::roll(&mut draft),
    }
    draft.write_status(true);
    draft.plan
}

impl<'a> Draft<'a> {
    fn new(snapshot: &'a Snapshot, now: Timestamp) -> Self {
        let deployment = &*snapshot.deployment;
        // The oldest that fits: a collision may have made a second one.
        let new = snapshot
            .sets
            .iter()
            .find(|set| set.template.is_same_as(&deployment.template));
        let is_new = |set: &ReplicaSet| new.is_some_and(|new| new.meta.uid == set.meta.uid);
        Self {
            deployment,
            snapshot,
            new: new.map(|set| &**set),
            old: snapshot
                .sets
                .iter()
                .map(|set| &**set)
                .filter(|set| !is_new(set))
                .collect(),
            conditions: deployment.status.conditions.clone(),
            collision_count: deployment.status.collision_count,
            plan: Plan::default(),
            now,
        }
    }

    /// All ReplicaSets, the new one last.
    pub(super) fn all(&self) -> impl Iterator<Item = &'a ReplicaSet> {
        self.old.iter().copied().chain(self.new)
    }

    /// Adopts and releases by label; whether there was something to settle.
    fn settle_ownership(&mut self) -> bool {
        let owner = writes::owner_reference(kinds::DEPLOYMENT, &self.deployment.meta);
        for set in &self.snapshot.orphans {
            self.plan
                .write(writes::adopt(kinds::REPLICA_SET, &set.meta, &owner));
        }
        for set in &self.snapshot.sets {
            if !self.deployment.selector.matches(&*set.meta.labels) {
                self.plan.write(writes::release(
                    kinds::REPLICA_SET,
                    &set.meta,
                    [&*self.deployment.meta.uid],
                ));
            }
        }
        !self.plan.steps.is_empty()
    }

    /// Says in the Progressing condition that the Deployment was paused or resumed, so that the deadline does not
    /// run meanwhile.
    fn note_pause(&mut self) {
        if self.deployment.progress_deadline_seconds.is_none() {
            return;
        }
        let reason = self
            .condition(progress::PROGRESSING)
            .map_or("", |condition| &*condition.reason);
        let (reason, message) = match (self.deployment.paused, reason) {
            (_, "ProgressDeadlineExceeded") => return,
            (true, reason) if reason != "DeploymentPaused" => ("DeploymentPaused", "Deployment is paused"),
            (false, "DeploymentPaused") => ("DeploymentResumed", "Deployment is resumed"),
            _ => return,
        };
        self.set_condition(Condition::new(
            progress::PROGRESSING,
            "Unknown",
            reason,
            message,
            self.now,
        ));
    }

    /// Sizes a ReplicaSet, and notes on it what the Deployment wanted.
    pub(super) fn resize(&mut self, set: &ReplicaSet, replicas: i32) {
        let (surge, _) = self.deployment.surge_and_unavailable();
        let (desired, max) = (self.deployment.replicas, self.deployment.replicas + surge);
        let is_noted =
            set.number(DESIRED) == Some(i64::from(desired)) && set.number(MAX) == Some(i64::from(max));
        if set.replicas == replicas && is_noted {
            return;
        }
        let body = json!({
            "metadata": {"annotations": {DESIRED: desired.to_string(), MAX: max.to_string()}},
            "spec": {"replicas": replicas},
        });
        let write = writes::patch_exactly(kinds::REPLICA_SET, &set.meta, &body);
        if set.replicas == replicas {
            self.plan.write(write);
        } else {
            let note = self.scaled_note(&set.meta.name, set.replicas, replicas);
            self.plan.write_and_tell(write, note);
        }
    }

    pub(super) fn scaled_note(&self, set: &str, from: i32, to: i32) -> Note {
        let direction = if to > from { "up" } else { "down" };
        let told = format!("Scaled {direction} replica set {set} from {from} to {to}");
        Note::normal(
            self.deployment.meta.reference(kinds::DEPLOYMENT),
            "ScalingReplicaSet",
            told,
        )
    }

    /// Deletes the oldest ReplicaSets that nothing depends on any more, beyond the history limit.
    pub(super) fn remove_history(&mut self) {
        let Some(limit) = self.deployment.revision_history_limit else {
            return;
        };
        let mut old: Vec<_> = self
            .old
            .iter()
            .copied()
            .filter(|set| !set.meta.is_deleting())
            .collect();
        let surplus = old.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        old.sort_by_key(|set| (revision::of(set), set.meta.created));
        for set in old.into_iter().take(surplus) {
            let is_idle = set.replicas == 0
                && set.status.replicas == 0
                && set.meta.generation <= set.status.observed_generation;
            if is_idle {
                self.plan.write(writes::delete(
                    kinds::REPLICA_SET,
                    &set.meta,
                    Propagation::Background,
                ));
            }
        }
    }

    pub(super) fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| &*condition.kind == kind)
    }

    /// Sets a condition; one that says the same is left alone, and a time of transition is kept where the status
    /// stays.
    pub(super) fn set_condition(&mut self, mut condition: Condition) {
        if let Some(known) = self.condition(&condition.kind) {
            if known.status == condition.status && known.reason == condition.reason {
                return;
            }
            if known.status == condition.status {
                condition.last_transition_time = known.last_transition_time;
            }
        }
        self.replace_condition(condition);
    }

    pub(super) fn replace_condition(&mut self, condition: Condition) {
        self.remove_condition(&condition.kind.clone());
        self.conditions.push(condition);
    }

    pub(super) fn remove_condition(&mut self, kind: &str) {
        self.conditions.retain(|condition| &*condition.kind != kind);
    }
}
