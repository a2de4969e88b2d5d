//! DaemonSets, StatefulSets, ControllerRevisions, ReplicationControllers and PodTemplates.

use k8s_openapi::api::apps::v1::{
    ControllerRevision, DaemonSet, DaemonSetUpdateStrategy, StatefulSet, StatefulSetSpec,
};
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaimVolumeSource, PodTemplate, PodTemplateSpec, ReplicationController, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::check::{Errors, IMMUTABLE, go_map, not_negative, one_of_or_none, text};
use super::selector::{go_selector, matches_template};
use super::workload::{count_or_percent, is_zero, percent, shown};
use super::{immutable, pod_template};
use crate::field_error::{FieldError, Path, Value};

/// Mistakes in a new DaemonSet, outside its metadata.
pub fn daemon_set(set: &DaemonSet) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &set.spec else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = matches_template(&spec.selector, &spec.template, &path);
    errors.extend(pod_template(&spec.template, true, &path.child("template")));
    not_negative(&mut errors, &path, "minReadySeconds", spec.min_ready_seconds);
    not_negative(
        &mut errors,
        &path,
        "revisionHistoryLimit",
        spec.revision_history_limit,
    );
    if let Some(strategy) = &spec.update_strategy {
        daemon_strategy(&mut errors, strategy, &path.child("updateStrategy"));
    }
    errors
}

/// Mistakes in the change of a DaemonSet: its selector stands for ever.
pub fn daemon_set_update(new: &DaemonSet, old: &DaemonSet) -> Vec<FieldError> {
    if new.spec == old.spec {
        return Vec::new();
    }
    let mut errors = daemon_set(new);
    if let (Some(new), Some(old)) = (&new.spec, &old.spec) {
        let path = Path::new("spec").child("selector");
        errors.extend(immutable(&new.selector, &old.selector, &path, go_selector));
    }
    errors
}

fn daemon_strategy(errors: &mut Errors, own: &DaemonSetUpdateStrategy, path: &Path) {
    match text(&own.type_) {
        "OnDelete" => {}
        "RollingUpdate" => {
            let path = path.child("rollingUpdate");
            let Some(rolling) = &own.rolling_update else {
                errors.push(FieldError::required(&path, ""));
                return;
            };
            let unavailable = rolling.max_unavailable.clone().unwrap_or_default();
            let surge = rolling.max_surge.clone().unwrap_or_default();
            count_or_percent(errors, &unavailable, &path.child("maxUnavailable"));
            count_or_percent(errors, &surge, &path.child("maxSurge"));
            match (is_zero(&unavailable), is_zero(&surge)) {
                (false, false) => errors.push(FieldError::invalid(
                    &path.child("maxSurge"),
                    shown(&surge),
                    "may not be set when maxUnavailable is non-zero",
                )),
                (true, true) => errors.push(FieldError::required(
                    &path.child("maxUnavailable"),
                    "cannot be 0 when maxSurge is 0",
                )),
                _ => {}
            }
        }
        other => {
            let supported = ["OnDelete", "RollingUpdate"];
            errors.push(FieldError::not_supported(&path.child("type"), other, &supported));
        }
    }
}

/// Mistakes in a new StatefulSet, outside its metadata.
pub fn stateful_set(set: &StatefulSet) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &set.spec else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = Vec::new();
    stateful_strategy(&mut errors, spec, &path);
    if let Some(retention) = &spec.persistent_volume_claim_retention_policy {
        let path = path.child("persistentVolumeClaimRetentionPolicy");
        let supported = ["Delete", "Retain"];
        one_of_or_none(
            &mut errors,
            &path,
            "whenDeleted",
            &retention.when_deleted,
            &supported,
        );
        one_of_or_none(
            &mut errors,
            &path,
            "whenScaled",
            &retention.when_scaled,
            &supported,
        );
    }
    not_negative(&mut errors, &path, "replicas", spec.replicas);
    not_negative(&mut errors, &path, "minReadySeconds", spec.min_ready_seconds);
    if let Some(ordinals) = &spec.ordinals {
        not_negative(&mut errors, &path.child("ordinals"), "start", ordinals.start);
    }
    errors.extend(matches_template(&spec.selector, &spec.template, &path));
    errors.extend(pod_template(&with_claims(spec), true, &path.child("template")));
    errors
}

/// The template as its pods have it: with a volume for each of their claims, which mounts may name.
fn with_claims(spec: &StatefulSetSpec) -> PodTemplateSpec {
    let mut template = spec.template.clone();
    let Some(pod) = &mut template.spec else {
        return template;
    };
    for claim in spec.volume_claim_templates.iter().flatten() {
        let name = claim.metadata.name.clone().unwrap_or_default();
        let volumes = pod.volumes.get_or_insert_default();
        if !volumes.iter().any(|volume| volume.name == name) {
            volumes.push(Volume {
                persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                    claim_name: name.clone(),
                    read_only: None,
                }),
                name,
                ..Volume::default()
            });
        }
    }
    template
}

fn stateful_strategy(errors: &mut Errors, spec: &StatefulSetSpec, path: &Path) {
    match text(&spec.pod_management_policy) {
        "" => errors.push(FieldError::required(&path.child("podManagementPolicy"), "")),
        "OrderedReady" | "Parallel" => {}
        other => errors.push(FieldError::invalid(
            &path.child("podManagementPolicy"),
            other,
            "must be 'OrderedReady' or 'Parallel'",
        )),
    }
    let Some(strategy) = &spec.update_strategy else {
        return;
    };
    let path = path.child("updateStrategy");
    match text(&strategy.type_) {
        "" => errors.push(FieldError::required(&path, "")),
        "OnDelete" => {
            if let Some(rolling) = &strategy.rolling_update {
                errors.push(FieldError::invalid(
                    &path.child("rollingUpdate"),
                    Value::json(rolling),
                    "only allowed for updateStrategy 'RollingUpdate'",
                ));
            }
        }
        "RollingUpdate" => {
            let path = path.child("rollingUpdate");
            let rolling = strategy.rolling_update.as_ref();
            not_negative(errors, &path, "partition", rolling.and_then(|own| own.partition));
            let Some(unavailable) = rolling.and_then(|own| own.max_unavailable.as_ref()) else {
                return;
            };
            let path = path.child("maxUnavailable");
            count_or_percent(errors, unavailable, &path);
            if is_zero(unavailable) {
                errors.push(FieldError::invalid(&path, shown(unavailable), "cannot be 0"));
            }
            if percent(unavailable).is_some_and(|percent| percent > 100) {
                let detail = "must not be greater than 100%";
                errors.push(FieldError::invalid(&path, shown(unavailable), detail));
            }
        }
        _ => errors.push(FieldError::invalid(
            &path,
            Value::json(strategy),
            "must be 'RollingUpdate' or 'OnDelete'",
        )),
    }
}

/// Mistakes in the change of a StatefulSet: few fields of its spec may change.
pub fn stateful_set_update(new: &StatefulSet, old: &StatefulSet) -> Vec<FieldError> {
    if new.spec == old.spec {
        return Vec::new();
    }
    let mut errors = stateful_set(new);
    if let (Some(spec), Some(old)) = (&new.spec, &old.spec) {
        let rest = StatefulSetSpec {
            replicas: old.replicas,
            ordinals: old.ordinals.clone(),
            template: old.template.clone(),
            update_strategy: old.update_strategy.clone(),
            revision_history_limit: old.revision_history_limit,
            persistent_volume_claim_retention_policy: old.persistent_volume_claim_retention_policy.clone(),
            min_ready_seconds: old.min_ready_seconds,
            ..spec.clone()
        };
        if rest != *old {
            let detail = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
                          'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
                          'minReadySeconds' are forbidden";
            errors.push(FieldError::forbidden(&Path::new("spec"), detail));
        }
    }
    errors
}

/// Mistakes in a new ControllerRevision, outside its metadata.
pub fn controller_revision(revision: &ControllerRevision) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if revision.data.is_none() {
        errors.push(FieldError::required(&Path::new("data"), "data is mandatory"));
    }
    not_negative(&mut errors, &Path::root(), "revision", Some(revision.revision));
    errors
}

/// Mistakes in the change of a ControllerRevision: what it remembers stands for ever.
pub fn controller_revision_update(new: &ControllerRevision, old: &ControllerRevision) -> Vec<FieldError> {
    let mut errors = controller_revision(new);
    if new.data != old.data {
        let shown = new
            .data
            .as_ref()
            .map_or_else(|| Value::bare("null"), |data| Value::json(&data.0));
        errors.push(FieldError::invalid(&Path::new("data"), shown, IMMUTABLE));
    }
    errors
}

/// Mistakes in a ReplicationController, outside its metadata.
pub fn replication_controller(controller: &ReplicationController) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &controller.spec else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = Vec::new();
    not_negative(&mut errors, &path, "minReadySeconds", spec.min_ready_seconds);
    not_negative(&mut errors, &path, "replicas", spec.replicas);
    let selector = spec.selector.as_ref().filter(|labels| !labels.is_empty());
    if selector.is_none() {
        errors.push(FieldError::required(&path.child("selector"), ""));
    }
    let path = path.child("template");
    let Some(template) = &spec.template else {
        errors.push(FieldError::required(&path, ""));
        return errors;
    };
    if !selector.is_some_and(|selector| selects(selector, template)) {
        errors.push(FieldError::invalid(
            &path.child("metadata").child("labels"),
            go_map(labels(template)),
            "`selector` does not match template `labels`",
        ));
    }
    errors.extend(pod_template(template, true, &path));
    errors
}

type Labels = std::collections::BTreeMap<String, String>;

fn labels(template: &PodTemplateSpec) -> Option<&Labels> {
    template.metadata.as_ref()?.labels.as_ref()
}

fn selects(selector: &Labels, template: &PodTemplateSpec) -> bool {
    let own = labels(template);
    let has = |(name, value): (&String, &String)| own.and_then(|own| own.get(name)) == Some(value);
    selector.iter().all(has)
}

/// Mistakes in the change of a ReplicationController; its selector may change with its template.
pub fn replication_controller_update(
    new: &ReplicationController,
    old: &ReplicationController,
) -> Vec<FieldError> {
    if new.spec == old.spec {
        return Vec::new();
    }
    replication_controller(new)
}

/// Mistakes in a PodTemplate, outside its metadata.
pub fn standalone_template(template: &PodTemplate) -> Vec<FieldError> {
    let path = Path::new("template");
    match &template.template {
        Some(own) => pod_template(own, false, &path),
        None => vec![FieldError::required(&path, "")],
    }
}

/// A selector as upstream's messages show it.
pub(super) fn shown_selector(selector: &Option<LabelSelector>) -> Value {
    selector.as_ref().map_or_else(|| Value::bare("null"), go_selector)
}
