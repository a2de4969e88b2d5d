//! What a PodDisruptionBudget allows. Source: "Disruptions" in the Kubernetes documentation.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use coracle_api::kinds;
use coracle_runtime::{Note, Plan};
use jiff::Timestamp;

use crate::{
    view::{Condition, DisruptionBudget, DisruptionBudgetStatus, IntOrString, Pod},
    writes,
};

/// Pods by name, with when their eviction was granted.
type Disrupted = BTreeMap<Box<str>, Timestamp>;

/// A granted eviction that did not happen for so long will not.
const DELETION_TIMEOUT_SECONDS: i64 = 120;
const DISRUPTION_ALLOWED: &str = "DisruptionAllowed";

/// What is known about a budget.
pub(crate) struct Snapshot {
    pub(super) budget: Arc<DisruptionBudget>,
    /// The pods that it selects.
    pub(super) pods: Vec<Arc<Pod>>,
    pub(super) expected: Expected,
}

/// How many pods there should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Pods {
        count: i32,
        /// Pods that nobody controls, and that are not in the count.
        unmanaged: Vec<Box<str>>,
    },
    /// It cannot be said, and why.
    Unknown(String),
}

/// Whether the budget is about what the pods' owners want, rather than about the pods that are there.
pub(super) fn needs_scale(budget: &DisruptionBudget) -> bool {
    budget.max_unavailable.is_some() || matches!(budget.min_available, Some(IntOrString::String(_)))
}

/// Writes the status where it differs, and looks again when a granted eviction has timed out.
pub(super) fn plan(snapshot: &Snapshot, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let budget = &*snapshot.budget;
    if budget.meta.is_deleting() {
        return plan;
    }
    let about = budget.meta.reference(kinds::POD_DISRUPTION_BUDGET);
    if snapshot.pods.is_empty() && budget.status.observed_generation == 0 {
        plan.notes
            .push(Note::normal(about.clone(), "NoPods", "No matching pods found"));
    }
    let status = match &snapshot.expected {
        Expected::Pods { count, unmanaged } => {
            let status = observe(snapshot, *count, now, &mut plan);
            if !unmanaged.is_empty() && status != budget.status {
                plan.notes
                    .push(Note::warning(about, "UnmanagedPods", unmanaged_pods(unmanaged)));
            }
            status
        }
        Expected::Unknown(why) => {
            let told = format!("Failed to calculate the number of expected pods: {why}");
            let status = fail_safe(budget, &told, now);
            if status != budget.status {
                plan.notes
                    .push(Note::warning(about, "CalculateExpectedPodCountFailed", told));
            }
            status
        }
    };
    if status != budget.status {
        let patch = status.to_patch(&budget.status);
        plan.write(writes::patch_status_exactly(
            kinds::POD_DISRUPTION_BUDGET,
            &budget.meta,
            &patch,
        ));
    }
    plan
}

fn observe(snapshot: &Snapshot, expected: i32, now: Timestamp, plan: &mut Plan) -> DisruptionBudgetStatus {
    let budget = &*snapshot.budget;
    let disrupted = still_disrupted(snapshot, now, plan);
    let healthy = snapshot
        .pods
        .iter()
        .filter(|pod| pod.ready && !pod.meta.is_deleting() && !disrupted.contains_key(&pod.meta.name))
        .count();
    let healthy = i32::try_from(healthy).unwrap_or(i32::MAX);
    let desired = match (&budget.max_unavailable, &budget.min_available) {
        (Some(most), _) => expected.saturating_sub(most.resolve(expected, true)).max(0),
        (None, Some(least)) => least.resolve(expected, true),
        (None, None) => 0,
    };
    let allowed = if expected <= 0 {
        0
    } else {
        (healthy - desired).max(0)
    };
    let (is, reason) = if allowed > 0 {
        ("True", "SufficientPods")
    } else {
        ("False", "InsufficientPods")
    };
    DisruptionBudgetStatus {
        observed_generation: budget.meta.generation,
        disrupted_pods: disrupted,
        disruptions_allowed: allowed,
        current_healthy: healthy,
        desired_healthy: desired,
        expected_pods: expected,
        conditions: with_condition(budget, is, reason, "", now),
    }
}

/// Pods whose eviction was granted and of whose deletion the caches do not know yet.
fn still_disrupted(snapshot: &Snapshot, now: Timestamp, plan: &mut Plan) -> Disrupted {
    let budget = &*snapshot.budget;
    let mut disrupted = Disrupted::new();
    for pod in snapshot.pods.iter().filter(|pod| !pod.meta.is_deleting()) {
        let Some(at) = budget.status.disrupted_pods.get(&pod.meta.name) else {
            continue;
        };
        let left = at.as_second().saturating_add(DELETION_TIMEOUT_SECONDS) - now.as_second();
        if let Ok(left @ 1..) = u64::try_from(left) {
            disrupted.insert(pod.meta.name.clone(), *at);
            plan.look_again_after(Duration::from_secs(left));
        } else {
            let told = format!(
                "Pod was expected by PDB {}/{} to be deleted but it wasn't",
                budget.meta.namespace, budget.meta.name
            );
            plan.notes
                .push(Note::warning(pod.meta.reference(kinds::POD), "NotDeleted", told));
        }
    }
    disrupted
}

/// Where the numbers cannot be known nothing may be disrupted.
fn fail_safe(budget: &DisruptionBudget, why: &str, now: Timestamp) -> DisruptionBudgetStatus {
    DisruptionBudgetStatus {
        disruptions_allowed: 0,
        observed_generation: budget.meta.generation,
        conditions: with_condition(budget, "False", "SyncFailed", why, now),
        ..budget.status.clone()
    }
}

fn with_condition(
    budget: &DisruptionBudget,
    is: &str,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> Vec<Condition> {
    let mut conditions = budget.status.conditions.clone();
    let new = Condition {
        last_update_time: None,
        ..Condition::new(DISRUPTION_ALLOWED, is, reason, message, now)
    };
    match conditions.iter_mut().find(|own| &*own.kind == DISRUPTION_ALLOWED) {
        Some(own) if own.status == new.status => {
            // Only a change of the state itself has a time.
            *own = Condition {
                last_transition_time: own.last_transition_time,
                ..new
            };
        }
        Some(own) => *own = new,
        None => conditions.push(new),
    }
    conditions
}

fn unmanaged_pods(pods: &[Box<str>]) -> String {
    format!(
        "Pods selected by this PodDisruptionBudget were found to be unmanaged: {}. As a result, the status of the PDB \
         cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set \
         \".spec.minAvailable\" field of the PDB to an integer value.",
        pods.join(", ")
    )
}
