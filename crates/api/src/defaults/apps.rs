//! Defaults of DaemonSets, StatefulSets, ReplicationControllers and PodTemplates.

use k8s_openapi::api::apps::v1::{DaemonSet, StatefulSet};
use k8s_openapi::api::core::v1::{PodTemplate, ReplicationController};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::empty::{default_to, drop_blank, drop_empty, drop_zero};
use super::workload::{REVISION_HISTORY, selector};
use super::{persistent_volume_claim, pod_template};

/// Sets the defaults of a DaemonSet.
pub fn daemon_set(set: &mut DaemonSet) {
    let spec = set.spec.get_or_insert_default();
    selector(&mut spec.selector);
    drop_zero(&mut spec.min_ready_seconds);
    spec.revision_history_limit.get_or_insert(REVISION_HISTORY);
    let strategy = spec.update_strategy.get_or_insert_default();
    default_to(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let rolling = strategy.rolling_update.get_or_insert_default();
        rolling.max_unavailable.get_or_insert(IntOrString::Int(1));
        rolling.max_surge.get_or_insert(IntOrString::Int(0));
    }
    pod_template(&mut spec.template);
}

/// Sets the defaults of a StatefulSet, those of its claims included.
pub fn stateful_set(set: &mut StatefulSet) {
    let spec = set.spec.get_or_insert_default();
    selector(&mut spec.selector);
    drop_zero(&mut spec.min_ready_seconds);
    drop_empty(&mut spec.volume_claim_templates);
    drop_blank(&mut spec.service_name);
    spec.replicas.get_or_insert(1);
    spec.revision_history_limit.get_or_insert(REVISION_HISTORY);
    default_to(&mut spec.pod_management_policy, "OrderedReady");
    let strategy = spec.update_strategy.get_or_insert_default();
    default_to(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let rolling = strategy.rolling_update.get_or_insert_default();
        rolling.partition.get_or_insert(0);
    }
    let retention = spec
        .persistent_volume_claim_retention_policy
        .get_or_insert_default();
    default_to(&mut retention.when_deleted, "Retain");
    default_to(&mut retention.when_scaled, "Retain");
    for claim in spec.volume_claim_templates.iter_mut().flatten() {
        super::metadata(&mut claim.metadata);
        persistent_volume_claim(claim);
    }
    pod_template(&mut spec.template);
}

/// Sets the defaults of a ReplicationController, which selects by its template's labels where it does not say.
pub fn replication_controller(controller: &mut ReplicationController) {
    let spec = controller.spec.get_or_insert_default();
    drop_empty(&mut spec.selector);
    drop_zero(&mut spec.min_ready_seconds);
    spec.replicas.get_or_insert(1);
    let Some(template) = &mut spec.template else {
        return;
    };
    pod_template(template);
    let labels = template
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.labels.as_ref());
    if let Some(labels) = labels {
        spec.selector.get_or_insert_with(|| labels.clone());
        controller.metadata.labels.get_or_insert_with(|| labels.clone());
    }
}

/// Sets the defaults of a PodTemplate.
pub fn standalone_template(template: &mut PodTemplate) {
    pod_template(template.template.get_or_insert_default());
}
