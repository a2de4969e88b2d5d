//! The ReplicaSet of the present template, and the revisions that `kubectl rollout history` reads.

use std::collections::BTreeMap;

use bytes::Bytes;
use coracle_api::kinds;
use coracle_runtime::{Note, Step};
use serde_json::{Value, json};

use super::{
    plan::{DESIRED, Draft, MAX},
    progress, rolling,
};
use crate::{
    view::{Condition, ReplicaSet},
    writes,
};

const REVISION: &str = "deployment.kubernetes.io/revision";
/// Revisions under which a ReplicaSet was the present one before.
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// How long that list may become; as upstream.
const HISTORY_MAX_BYTES: usize = 2_000;
/// Annotations of a Deployment that are its own and not its ReplicaSets'.
const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    MAX,
    "deprecated.deployment.rollback.to",
];
const HASH_LABEL: &str = "pod-template-hash";

/// The revision of a ReplicaSet; zero where it has none.
pub(super) fn of(set: &ReplicaSet) -> i64 {
    set.number(REVISION).unwrap_or(0)
}

/// Makes the new ReplicaSet where there is none, sized as the strategy allows, and brings its notes up to date.
pub(super) fn follow_or_create(draft: &mut Draft<'_>) {
    if draft.new.is_some() {
        follow(draft);
    } else if draft.snapshot.name_taken {
        // Two templates met on one hash, or a stranger has the name: the next look hashes with another count.
        draft.collision_count = Some(draft.collision_count.unwrap_or(0) + 1);
    } else {
        create(draft);
    }
}

/// Brings the notes of the new ReplicaSet and of the Deployment up to date.
pub(super) fn follow(draft: &mut Draft<'_>) {
    let Some(new) = draft.new else { return };
    let next = next_revision(draft);
    let mut annotations = BTreeMap::new();
    for (key, value) in copied_annotations(draft) {
        if new.annotations.get(key) != Some(value) {
            annotations.insert(key.to_owned(), value.to_owned());
        }
    }
    if of(new) < next {
        // It was the present one before: this is a roll back.
        if of(new) > 0 {
            let history = new.annotations.get(REVISION_HISTORY).unwrap_or_default();
            annotations.insert(REVISION_HISTORY.to_owned(), lengthened(history, of(new)));
        }
        annotations.insert(REVISION.to_owned(), next.to_string());
    }
    let min_ready = draft.deployment.min_ready_seconds;
    if !annotations.is_empty() || new.min_ready_seconds != min_ready {
        let body = json!({"metadata": {"annotations": annotations}, "spec": {"minReadySeconds": min_ready}});
        draft
            .plan
            .write(writes::patch(kinds::REPLICA_SET, &new.meta, &body));
    }
    mark_deployment(draft, of(new).max(next));
    if draft.condition(progress::PROGRESSING).is_none()
        && draft.deployment.progress_deadline_seconds.is_some()
    {
        let message = format!("Found new replica set \"{}\"", new.meta.name);
        let found = Condition::new(
            progress::PROGRESSING,
            "True",
            "FoundNewReplicaSet",
            &message,
            draft.now,
        );
        draft.set_condition(found);
    }
}

/// A history with one more revision, without the oldest where it would be too long.
fn lengthened(history: &str, revision: i64) -> String {
    let revision = revision.to_string();
    let mut kept = history;
    while kept.len() + 1 + revision.len() > HISTORY_MAX_BYTES {
        kept = kept.split_once(',').map_or("", |(_, later)| later);
    }
    if kept.is_empty() {
        revision
    } else {
        format!("{kept},{revision}")
    }
}

fn create(draft: &mut Draft<'_>) {
    let deployment = draft.deployment;
    let name = format!("{}-{}", deployment.meta.name, draft.snapshot.hash);
    let replicas = rolling::size_of_new(draft, 0);
    let revision = next_revision(draft);
    let json = new_set(draft, &name, replicas, revision);
    let then = (replicas > 0).then(|| draft.scaled_note(&name, 0, replicas));
    let about = deployment.meta.reference(kinds::DEPLOYMENT);
    let why = format!("Failed to create new replica set \"{name}\": {{error}}");
    draft.plan.steps.push(Step {
        write: writes::create(kinds::REPLICA_SET, &deployment.meta.namespace, json),
        then,
        otherwise: Some(Note::warning(about, "ReplicaSetCreateError", why)),
    });
    mark_deployment(draft, revision);
    if deployment.progress_deadline_seconds.is_some() {
        let message = format!("Created new replica set \"{name}\"");
        let created = Condition::new(
            progress::PROGRESSING,
            "True",
            "NewReplicaSetCreated",
            &message,
            draft.now,
        );
        draft.set_condition(created);
    }
}

fn new_set(draft: &Draft<'_>, name: &str, replicas: i32, revision: i64) -> Bytes {
    let deployment = draft.deployment;
    let hash = &draft.snapshot.hash;
    let template = deployment.template.with_hash(hash);
    let mut selector = deployment.selector_json.clone();
    selector["matchLabels"][HASH_LABEL] = json!(hash);
    let (surge, _) = deployment.surge_and_unavailable();
    let mut annotations: BTreeMap<&str, String> = copied_annotations(draft)
        .map(|(key, value)| (key, value.to_owned()))
        .collect();
    annotations.insert(REVISION, revision.to_string());
    annotations.insert(DESIRED, deployment.replicas.to_string());
    annotations.insert(MAX, (deployment.replicas + surge).to_string());
    let json = json!({
        "apiVersion": kinds::REPLICA_SET.api_version(),
        "kind": kinds::REPLICA_SET.kind,
        "metadata": {
            "name": name,
            "namespace": deployment.meta.namespace,
            "labels": template["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": [writes::owner_reference(kinds::DEPLOYMENT, &deployment.meta)],
        },
        "spec": {
            "replicas": replicas,
            "minReadySeconds": deployment.min_ready_seconds,
            "selector": selector,
            "template": template,
        },
    });
    Bytes::from(json.to_string())
}

fn copied_annotations<'a>(draft: &Draft<'a>) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
    draft
        .deployment
        .annotations
        .iter()
        .filter(|(key, _)| !NOT_COPIED.contains(key))
}

fn next_revision(draft: &Draft<'_>) -> i64 {
    draft.old.iter().map(|set| of(set)).max().unwrap_or(0) + 1
}

fn mark_deployment(draft: &mut Draft<'_>, revision: i64) {
    let text = revision.to_string();
    if draft.deployment.annotations.get(REVISION) != Some(&*text) {
        let body: Value = json!({"metadata": {"annotations": {REVISION: text}}});
        // Through the status, as upstream does: an annotation set on the main resource counts as a new generation.
        draft.plan.write(writes::patch_status(
            kinds::DEPLOYMENT,
            &draft.deployment.meta,
            &body,
        ));
    }
}
