//! Defaults of Deployments and ReplicaSets.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::empty::{default_to, drop_empty, drop_false, drop_zero};
use super::pod_template;

/// How many old ReplicaSets a Deployment keeps.
pub(super) const REVISION_HISTORY: i32 = 10;
/// Seconds until a rollout that does not move has failed.
const PROGRESS_DEADLINE_SECONDS: i32 = 600;
/// How far a rolling update goes above and below the wanted number.
const ROLLING_STEP: &str = "25%";

/// Sets the defaults of a Deployment.
pub fn deployment(deployment: &mut Deployment) {
    let spec = deployment.spec.get_or_insert_default();
    selector(&mut spec.selector);
    drop_zero(&mut spec.min_ready_seconds);
    drop_false(&mut spec.paused);
    spec.replicas.get_or_insert(1);
    spec.revision_history_limit.get_or_insert(REVISION_HISTORY);
    spec.progress_deadline_seconds
        .get_or_insert(PROGRESS_DEADLINE_SECONDS);
    let strategy = spec.strategy.get_or_insert_default();
    default_to(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let rolling = strategy.rolling_update.get_or_insert_default();
        let step = || IntOrString::String(ROLLING_STEP.to_owned());
        rolling.max_surge.get_or_insert_with(step);
        rolling.max_unavailable.get_or_insert_with(step);
    }
    pod_template(&mut spec.template);
}

/// Sets the defaults of a ReplicaSet.
pub fn replica_set(set: &mut ReplicaSet) {
    let spec = set.spec.get_or_insert_default();
    selector(&mut spec.selector);
    drop_zero(&mut spec.min_ready_seconds);
    spec.replicas.get_or_insert(1);
    pod_template(spec.template.get_or_insert_default());
}

/// Drops what is empty from a selector.
pub(super) fn selector(selector: &mut LabelSelector) {
    drop_empty(&mut selector.match_labels);
    drop_empty(&mut selector.match_expressions);
}
