//! What an autoscaler does on one look. Source: the HorizontalPodAutoscaler page of the Kubernetes documentation.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use coracle_api::{Resource, kinds, time};
use coracle_client::{PatchType, Write};
use coracle_runtime::{Note, Plan, Step};
use jiff::Timestamp;
use serde_json::json;

use super::{
    behaviour::{self, History, Said},
    metrics::{self, Failure, Measured, Proposed},
    ratio::{PodFacts, Tolerance},
};
use crate::{
    view::{Autoscaler, AutoscalerStatus, Condition},
    writes,
};

/// How far from the target the ratio may be where nothing else is said.
const TOLERANCE: f64 = 0.1;

/// What is known about an autoscaler.
pub(crate) struct Snapshot {
    pub(super) autoscaler: Arc<Autoscaler>,
    /// Its target, or why that cannot be read.
    pub(super) seen: Result<Seen, Failure>,
    pub(super) history: History,
    /// Between two looks.
    pub(super) period: Duration,
}

/// A target.
pub(super) struct Seen {
    pub(super) resource: &'static Resource,
    pub(super) uid: Box<str>,
    pub(super) replicas: i32,
    pub(super) pods: Vec<PodFacts>,
    /// As the autoscaler's metrics.
    pub(super) measured: Vec<Measured>,
}

/// What was decided: the plan, and what is remembered of it.
pub(crate) struct Decision {
    pub(super) plan: Plan,
    /// What was recommended before it was held steady.
    pub(super) recommended: Option<i32>,
    /// By how much the target changes with the first step.
    pub(super) change: i32,
}

/// The state of one look.
struct Sync<'a> {
    snapshot: &'a Snapshot,
    now: Timestamp,
    conditions: BTreeMap<&'static str, Condition>,
    plan: Plan,
    metrics: Vec<serde_json::Value>,
}

/// The decisions, in order.
pub(super) fn decide(snapshot: &Snapshot, now: Timestamp) -> Decision {
    let mut sync = Sync {
        snapshot,
        now,
        conditions: BTreeMap::new(),
        plan: Plan::default(),
        metrics: Vec::new(),
    };
    sync.plan.look_again_after(snapshot.period);
    let (recommended, change) = match &snapshot.seen {
        Err((reason, why)) => {
            sync.say(
                "AbleToScale",
                false,
                reason,
                &format!("the HPA controller was unable to get the target's current scale: {why}"),
            );
            sync.warn(reason, why.clone());
            sync.write_status(None, false);
            (None, 0)
        }
        Ok(seen) => sync.scale(seen),
    };
    Decision {
        plan: sync.plan,
        recommended,
        change,
    }
}

impl Sync<'_> {
    fn scale(&mut self, seen: &Seen) -> (Option<i32>, i32) {
        let told = "the HPA controller was able to get the target's current scale";
        self.say("AbleToScale", true, "SucceededGetScale", told);
        let spec = &self.snapshot.autoscaler.spec;
        let (min, max) = (spec.min_replicas.unwrap_or(1), spec.max_replicas);
        let current = seen.replicas;
        let mut recommended = None;
        let (desired, reason) = if current == 0 && min != 0 {
            let why = "scaling is disabled since the replica count of the target is zero";
            self.say("ScalingActive", false, "ScalingDisabled", why);
            (0, String::new())
        } else if current > max {
            (
                max,
                "Current number of replicas above Spec.MaxReplicas".to_owned(),
            )
        } else if current < min {
            (
                min,
                "Current number of replicas below Spec.MinReplicas".to_owned(),
            )
        } else {
            match self.by_metrics(seen) {
                Some((wanted, name)) => {
                    recommended = Some(wanted);
                    let reason = if wanted > current {
                        format!("{name} above target")
                    } else {
                        "All metrics below target".to_owned()
                    };
                    (self.within_behaviour(current, wanted, (min, max)), reason)
                }
                None => {
                    self.write_status(
                        Some((current, self.snapshot.autoscaler.status.desired_replicas)),
                        false,
                    );
                    return (None, 0);
                }
            }
        };
        if desired != current {
            self.rescale(seen, desired, &reason);
        }
        self.write_status(Some((current, desired)), desired != current);
        (recommended, desired - current)
    }

    /// The highest of all proposals and the name of its metric; `None` where too little is known to act.
    fn by_metrics(&mut self, seen: &Seen) -> Option<(i32, String)> {
        let spec = &self.snapshot.autoscaler.spec;
        let wanted = spec.metrics.as_deref().unwrap_or_default();
        let (mut best, mut failures): (Option<Proposed>, Vec<Failure>) = (None, Vec::new());
        for (metric, measured) in wanted.iter().zip(&seen.measured) {
            match metrics::propose(metric, measured, seen, self.tolerance(), self.now) {
                Ok(proposed) => {
                    self.metrics.push(proposed.status.clone());
                    if best.as_ref().is_none_or(|best| proposed.replicas > best.replicas) {
                        best = Some(proposed);
                    }
                }
                Err(failure) => failures.push(failure),
            }
        }
        let first = failures.first().cloned();
        // What cannot be read might ask for more: nothing shrinks on half of the truth.
        match (best, first) {
            (Some(best), None) => Some(self.valid(best)),
            (Some(best), Some(_)) if best.replicas >= seen.replicas => Some(self.valid(best)),
            (_, Some((reason, why))) => {
                let told = format!("the HPA was unable to compute the replica count: {why}");
                self.say("ScalingActive", false, reason, &told);
                self.warn(reason, why.clone());
                let (bad, all) = (failures.len(), wanted.len());
                let sum = format!("invalid metrics ({bad} invalid out of {all}), first error is: {why}");
                self.warn("FailedComputeMetricsReplicas", sum);
                None
            }
            (None, None) => None,
        }
    }

    fn valid(&mut self, best: Proposed) -> (i32, String) {
        let told = format!(
            "the HPA was able to successfully calculate a replica count from {}",
            best.name
        );
        self.say("ScalingActive", true, "ValidMetricFound", &told);
        (best.replicas, best.name)
    }

    fn tolerance(&self) -> Tolerance {
        let behaviour = self.snapshot.autoscaler.spec.behavior.as_ref();
        let own = |rules: Option<&k8s_openapi::api::autoscaling::v2::HPAScalingRules>| {
            let quantity = rules.and_then(|rules| rules.tolerance.as_ref());
            let parsed = quantity.and_then(|own| coracle_api::Quantity::from_api(own).ok());
            #[expect(clippy::cast_precision_loss, reason = "a tolerance is a small number")]
            parsed.map_or(TOLERANCE, |own| own.milli() as f64 / 1_000.0)
        };
        Tolerance {
            up: own(behaviour.and_then(|own| own.scale_up.as_ref())),
            down: own(behaviour.and_then(|own| own.scale_down.as_ref())),
        }
    }

    fn within_behaviour(&mut self, current: i32, wanted: i32, bounds: (i32, i32)) -> i32 {
        let behaviour = self.snapshot.autoscaler.spec.behavior.as_ref();
        let history = &self.snapshot.history;
        let (stable, (is, reason, told)): (i32, Said) =
            behaviour::stabilize(behaviour, history, current, wanted, self.now);
        self.say("AbleToScale", is, reason, told);
        let (limited, (is, reason, told)) =
            behaviour::limit(behaviour, history, current, stable, bounds, self.now);
        self.say("ScalingLimited", is, reason, told);
        limited
    }

    fn rescale(&mut self, seen: &Seen, desired: i32, reason: &str) {
        let meta = &self.snapshot.autoscaler.meta;
        let told = format!("the HPA controller was able to update the target scale to {desired}");
        self.say("AbleToScale", true, "SucceededRescale", &told);
        let about = meta.reference(kinds::HORIZONTAL_POD_AUTOSCALER);
        let size = format!("New size: {desired}; reason: {reason}");
        self.plan.steps.push(Step {
            write: Write::Patch {
                resource: seen.resource,
                namespace: meta.namespace.to_string(),
                name: self.snapshot.autoscaler.spec.scale_target_ref.name.clone(),
                subresource: "scale",
                patch_type: PatchType::Merge,
                patch: Bytes::from(json!({"spec": {"replicas": desired}}).to_string()),
                uid: seen.uid.to_string(),
                revision: 0,
            },
            then: Some(Note::normal(about.clone(), "SuccessfulRescale", size.clone())),
            otherwise: Some(Note::warning(
                about,
                "FailedRescale",
                format!("{size}; error: {{error}}"),
            )),
        });
    }

    fn say(&mut self, kind: &'static str, is: bool, reason: &str, message: &str) {
        let status = if is { "True" } else { "False" };
        let known = self
            .snapshot
            .autoscaler
            .status
            .conditions
            .iter()
            .find(|own| &*own.kind == kind);
        let mut new = Condition {
            last_update_time: None,
            ..Condition::new(kind, status, reason, message, self.now)
        };
        // Only a change of the state itself has a time.
        if let Some(known) = known.filter(|known| known.status == new.status) {
            new.last_transition_time = known.last_transition_time;
        }
        self.conditions.insert(kind, new);
    }

    fn warn(&mut self, reason: &'static str, message: String) {
        let about = self
            .snapshot
            .autoscaler
            .meta
            .reference(kinds::HORIZONTAL_POD_AUTOSCALER);
        self.plan.notes.push(Note::warning(about, reason, message));
    }

    /// Writes the status where it differs: current and desired replicas, where they are known, and what was said.
    fn write_status(&mut self, replicas: Option<(i32, i32)>, rescaled: bool) {
        let autoscaler = &self.snapshot.autoscaler;
        let mut status: AutoscalerStatus = autoscaler.status.clone();
        if let Some((current, desired)) = replicas {
            (status.current_replicas, status.desired_replicas) = (current, desired);
            status.current_metrics = std::mem::take(&mut self.metrics);
        }
        status.observed_generation = Some(autoscaler.meta.generation).filter(|generation| *generation > 0);
        if rescaled {
            status.last_scale_time = Some(time::whole_seconds(self.now));
        }
        for (kind, new) in std::mem::take(&mut self.conditions) {
            match status.conditions.iter_mut().find(|own| &*own.kind == kind) {
                Some(own) => *own = new,
                None => status.conditions.push(new),
            }
        }
        if status == autoscaler.status {
            return;
        }
        let patch = json!({"status": {
            "observedGeneration": status.observed_generation,
            "lastScaleTime": status.last_scale_time.map(time::format),
            "currentReplicas": status.current_replicas,
            "desiredReplicas": status.desired_replicas,
            "currentMetrics": status.current_metrics,
            "conditions": Condition::list(&status.conditions),
        }});
        self.plan.write(writes::patch_status(
            kinds::HORIZONTAL_POD_AUTOSCALER,
            &autoscaler.meta,
            &patch,
        ));
    }
}
