//! Tests of `deployment`.

use std::{collections::BTreeMap, sync::Arc};

use coracle_runtime::Plan;
use serde_json::{Value, json};

use super::plan::{Snapshot, plan};
use crate::{
    testing::{ago, body_of, lines, now, view},
    view::{Deployment, ReplicaSet},
};

fn template(image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": image}]},
    })
}

fn deployment(replicas: i32, image: &str, edit: impl FnOnce(&mut Value)) -> Arc<Deployment> {
    let mut deployment = json!({
        "metadata": {
            "namespace": "ns", "name": "web", "generation": 5,
            "annotations": {"kubernetes.io/change-cause": image, "deployment.kubernetes.io/revision": "1"},
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(image),
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
        },
    });
    edit(&mut deployment);
    view(deployment)
}

/// A ReplicaSet: image, revision, size, available pods, and the size that was wanted of the whole.
fn set(image: &str, revision: i64, size: i32, available: i32, desired: i32) -> Arc<ReplicaSet> {
    let mut template = template(image);
    template["metadata"]["labels"]["pod-template-hash"] = json!(format!("h{revision}"));
    view(json!({
        "metadata": {
            "namespace": "ns",
            "name": format!("web-{image}"),
            "generation": 1,
            "creationTimestamp": ago(1_000 - revision),
            "labels": {"app": "web", "pod-template-hash": format!("h{revision}")},
            "annotations": {
                "deployment.kubernetes.io/revision": revision.to_string(),
                "deployment.kubernetes.io/desired-replicas": desired.to_string(),
                "deployment.kubernetes.io/max-replicas": (desired + (desired + 3) / 4).to_string(),
                "kubernetes.io/change-cause": image,
            },
        },
        "spec": {"replicas": size, "selector": {"matchLabels": {"app": "web"}}, "template": template},
        "status": {
            "replicas": size, "readyReplicas": available, "availableReplicas": available,
            "observedGeneration": 1,
        },
    }))
}

fn planned(deployment: Arc<Deployment>, sets: Vec<Arc<ReplicaSet>>) -> Plan {
    plan(&snapshot(deployment, sets), now())
}

fn snapshot(deployment: Arc<Deployment>, sets: Vec<Arc<ReplicaSet>>) -> Snapshot {
    let hash = "newhash".to_owned();
    Snapshot {
        deployment,
        sets,
        orphans: Vec::new(),
        running: BTreeMap::new(),
        hash,
        name_taken: false,
    }
}

/// New sizes by ReplicaSet.
fn sizes(plan: &Plan) -> Vec<(String, i64)> {
    let patches = lines(plan)
        .into_iter()
        .filter(|line| line.starts_with("patch replicasets web-"));
    let sized = patches.filter_map(|line| {
        let mut words = line.splitn(4, ' ').skip(2);
        let (name, body) = (words.next()?.to_owned(), words.next()?);
        let body: Value = serde_json::from_str(body).unwrap();
        Some((name, body["spec"]["replicas"].as_i64()?))
    });
    sized.collect()
}

fn size(name: &str, replicas: i64) -> (String, i64) {
    (name.to_owned(), replicas)
}

#[test]
fn a_new_deployment_gets_its_first_set_at_full_size() {
    let plan = planned(deployment(3, "v1", |_| {}), Vec::new());
    let set = body_of(&plan, "create replicasets web-newhash");
    assert_eq!(set["spec"]["replicas"], 3);
    assert_eq!(
        set["spec"]["selector"],
        json!({"matchLabels": {"app": "web", "pod-template-hash": "newhash"}})
    );
    assert_eq!(
        set["spec"]["template"]["metadata"]["labels"]["pod-template-hash"],
        "newhash"
    );
    assert_eq!(
        set["metadata"]["annotations"],
        json!({
            "deployment.kubernetes.io/revision": "1",
            "deployment.kubernetes.io/desired-replicas": "3",
            "deployment.kubernetes.io/max-replicas": "4",
            "kubernetes.io/change-cause": "v1",
        })
    );
    let note = plan.steps[0].then.as_ref().unwrap();
    assert_eq!(note.message, "Scaled up replica set web-newhash from 0 to 3");
    let status = body_of(&plan, STATUS);
    let reasons: Vec<_> = status["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["reason"].clone())
        .collect();
    assert_eq!(reasons, ["NewReplicaSetCreated", "MinimumReplicasUnavailable"]);
}

#[test]
fn a_rolling_update_keeps_within_surge_and_unavailable() {
    // 4 wanted, one more and one fewer allowed: old size/available, new size/available, what is resized.
    let cases = [
        ((4, 4), (0, 0), vec![size("web-v2", 1)]),
        ((4, 4), (1, 0), vec![size("web-v1", 3)]),
        ((3, 3), (1, 0), vec![size("web-v2", 2)]),
        ((3, 3), (2, 0), vec![]),
        ((3, 3), (2, 2), vec![size("web-v1", 1)]),
        ((1, 1), (2, 2), vec![size("web-v2", 4)]),
        ((1, 1), (4, 4), vec![size("web-v1", 0)]),
        // An old pod that is not available is no loss.
        ((4, 2), (1, 0), vec![size("web-v1", 3)]),
        ((0, 0), (4, 4), vec![]),
    ];
    for (old, new, expected) in cases {
        let sets = vec![set("v1", 1, old.0, old.1, 4), set("v2", 2, new.0, new.1, 4)];
        let plan = planned(deployment(4, "v2", |_| {}), sets);
        assert_eq!(sizes(&plan), expected, "old {old:?}, new {new:?}");
    }
}

#[test]
fn surge_rounds_up_and_unavailable_rounds_down() {
    let cases = [
        // wanted, surge, unavailable, resolved
        (10, json!("25%"), json!("25%"), (3, 2)),
        (3, json!("25%"), json!("25%"), (1, 0)),
        (4, json!(2), json!(0), (2, 0)),
        (5, json!("0%"), json!("10%"), (0, 1)),
        (1, json!(0), json!("50%"), (0, 1)),
    ];
    for (wanted, surge, unavailable, resolved) in cases {
        let strategy = json!({"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}});
        let deployment = deployment(wanted, "v1", |deployment| {
            deployment["spec"]["strategy"] = strategy.clone()
        });
        assert_eq!(
            deployment.surge_and_unavailable(),
            resolved,
            "{wanted} with {strategy}"
        );
    }
}

#[test]
fn recreate_waits_for_the_last_old_pod() {
    let recreate = || {
        deployment(3, "v2", |deployment| {
            deployment["spec"]["strategy"] = json!({"type": "Recreate"})
        })
    };
    let plan1 = planned(recreate(), vec![set("v1", 1, 3, 3, 3)]);
    assert_eq!(sizes(&plan1), [size("web-v1", 0)]);
    let mut ending = snapshot(recreate(), vec![set("v1", 1, 0, 0, 3)]);
    ending.running.insert("uid-web-v1".into(), 1);
    assert!(
        !lines(&plan(&ending, now()))
            .iter()
            .any(|line| line.starts_with("create"))
    );
    ending.running.clear();
    assert!(lines(&plan(&ending, now()))[0].starts_with("create replicasets web-newhash"));
}

#[test]
fn a_roll_back_reuses_the_old_set_under_the_next_revision() {
    let back = deployment(3, "v1", |_| {});
    let plan = planned(back, vec![set("v1", 1, 0, 0, 3), set("v2", 2, 3, 3, 3)]);
    let annotated = body_of(&plan, "patch replicasets web-v1");
    assert_eq!(
        annotated["metadata"]["annotations"],
        json!({"deployment.kubernetes.io/revision": "3", "deployment.kubernetes.io/revision-history": "1"})
    );
    let marked = body_of(&plan, "patch deployments/status web {\"metadata\"");
    assert_eq!(
        marked["metadata"]["annotations"],
        json!({"deployment.kubernetes.io/revision": "3"})
    );
    assert_eq!(sizes(&plan), [size("web-v1", 1)]);
}

#[test]
fn scaling_in_the_middle_of_a_rollout_is_proportional() {
    // The example of the documentation: 10 wanted, surge 3, 8 old and 5 new; then 15 are wanted.
    let strategy = json!({"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}});
    let scaled = deployment(15, "v2", |deployment| deployment["spec"]["strategy"] = strategy);
    let plan = planned(scaled, vec![set("v1", 1, 8, 8, 10), set("v2", 2, 5, 0, 10)]);
    assert_eq!(sizes(&plan), [size("web-v1", 11), size("web-v2", 7)]);
}

#[test]
fn a_paused_deployment_scales_and_does_not_roll() {
    let paused = |replicas| {
        deployment(replicas, "v2", |deployment| {
            deployment["spec"]["paused"] = json!(true);
        })
    };
    let plan1 = planned(paused(3), vec![set("v1", 1, 3, 3, 3)]);
    assert_eq!(sizes(&plan1), []);
    assert!(!lines(&plan1).iter().any(|line| line.starts_with("create")));
    let status = body_of(&plan1, "patch deployments/status");
    assert_eq!(status["status"]["conditions"][0]["reason"], "DeploymentPaused");
    assert_eq!(
        sizes(&planned(paused(6), vec![set("v1", 1, 3, 3, 3)])),
        [size("web-v1", 6)]
    );
}

/// How a plan's write of the status itself begins; a revision is written there too.
const STATUS: &str = "patch deployments/status web {\"status\"";

#[test]
fn the_conditions_tell_progress_completion_and_delay() {
    let with_condition = |reason: &str, updated: i64, counts: Value| {
        let mut status = json!({"observedGeneration": 5, "conditions": [{
            "type": "Progressing", "status": "True", "reason": reason,
            "lastUpdateTime": ago(updated), "lastTransitionTime": ago(updated),
        }]});
        status
            .as_object_mut()
            .unwrap()
            .extend(counts.as_object().unwrap().clone());
        deployment(3, "v2", |deployment| deployment["status"] = status)
    };
    let none = json!({});
    let one = json!({"replicas": 4, "updatedReplicas": 1, "readyReplicas": 3, "availableReplicas": 3});
    let cases = [
        // reason before, seconds ago, counts before, new available, reason after
        ("NewReplicaSetCreated", 10, &none, 0, "ReplicaSetUpdated"),
        ("ReplicaSetUpdated", 601, &one, 0, "ProgressDeadlineExceeded"),
        ("ReplicaSetUpdated", 599, &one, 0, "ReplicaSetUpdated"),
        ("DeploymentPaused", 10, &one, 0, "DeploymentResumed"),
    ];
    for (before, ago, counts, available, after) in cases {
        let sets = vec![set("v1", 1, 3, 3, 3), set("v2", 2, 1, available, 3)];
        let plan = planned(with_condition(before, ago, counts.clone()), sets);
        let patched = lines(&plan).iter().any(|line| line.starts_with(STATUS));
        let found = match patched {
            true => {
                let status = body_of(&plan, STATUS);
                let conditions = status["status"]["conditions"].as_array().unwrap().clone();
                conditions
                    .into_iter()
                    .find(|one| one["type"] == "Progressing")
                    .unwrap()["reason"]
                    .clone()
            }
            false => json!(before),
        };
        assert_eq!(found, after, "{before} {ago} s ago");
    }
    let done = planned(
        with_condition("ReplicaSetUpdated", 10, one),
        vec![set("v1", 1, 0, 0, 3), set("v2", 2, 3, 3, 3)],
    );
    let status = body_of(&done, STATUS);
    let conditions = status["status"]["conditions"].as_array().unwrap();
    let progressing = conditions
        .iter()
        .find(|one| one["type"] == "Progressing")
        .unwrap();
    assert_eq!(progressing["reason"], "NewReplicaSetAvailable");
    assert_eq!(
        progressing["message"],
        "ReplicaSet \"web-v2\" has successfully progressed."
    );
    assert_eq!(progressing["lastTransitionTime"], ago(10));
}

#[test]
fn history_beyond_the_limit_is_deleted_oldest_first() {
    let limited = deployment(3, "v4", |deployment| {
        deployment["spec"]["revisionHistoryLimit"] = json!(1)
    });
    let sets = vec![
        set("v1", 1, 0, 0, 3),
        set("v2", 2, 0, 0, 3),
        set("v3", 3, 0, 0, 3),
        set("v4", 4, 3, 3, 3),
    ];
    let deleted: Vec<_> = lines(&planned(limited, sets))
        .into_iter()
        .filter(|line| line.starts_with("delete"))
        .collect();
    assert_eq!(
        deleted,
        ["delete replicasets web-v1", "delete replicasets web-v2"]
    );
}

#[test]
fn a_collision_of_names_is_counted() {
    let mut snapshot = snapshot(deployment(3, "v1", |_| {}), Vec::new());
    snapshot.name_taken = true;
    let plan = plan(&snapshot, now());
    assert!(!lines(&plan).iter().any(|line| line.starts_with("create")));
    assert_eq!(body_of(&plan, STATUS)["status"]["collisionCount"], 1);
}

#[test]
fn a_deleted_deployment_is_left_alone() {
    let going = deployment(3, "v2", |deployment| {
        deployment["metadata"]["deletionTimestamp"] = json!(ago(1))
    });
    let plan = planned(going, vec![set("v1", 1, 3, 3, 3)]);
    assert!(
        lines(&plan)
            .iter()
            .all(|line| line.starts_with("patch deployments/status"))
    );
}

#[test]
fn a_set_shrinks_in_proportion_too() {
    let strategy = json!({"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}});
    let scaled = |wanted: i32| {
        let strategy = strategy.clone();
        deployment(wanted, "v2", |deployment| {
            deployment["spec"]["strategy"] = strategy
        })
    };
    // Wanted, and what becomes of 8 old and 5 new ones of a Deployment that wanted 10 and might have 13.
    let cases = [
        (5, vec![size("web-v1", 5), size("web-v2", 3)]),
        (0, vec![size("web-v1", 0), size("web-v2", 0)]),
        (20, vec![size("web-v1", 14), size("web-v2", 9)]),
        // The same number: nothing but the notes.
        (10, vec![]),
    ];
    for (wanted, expected) in cases {
        let plan = planned(
            scaled(wanted),
            vec![with_max("v1", 1, 8, 13), with_max("v2", 2, 5, 13)],
        );
        assert_eq!(sizes(&plan), expected, "{wanted} wanted");
    }
}

/// A ReplicaSet with nothing available, of a Deployment that wanted 10.
fn with_max(image: &str, revision: i64, size: i32, max: i32) -> Arc<ReplicaSet> {
    let mut set = (*set(image, revision, size, if image == "v1" { size } else { 0 }, 10)).clone();
    let noted = set.annotations.iter().map(|(key, value)| {
        let is_max = key == "deployment.kubernetes.io/max-replicas";
        (
            key.to_owned(),
            if is_max { max.to_string() } else { value.to_owned() },
        )
    });
    set.annotations = noted.collect();
    Arc::new(set)
}

#[test]
fn notes_follow_the_deployment() {
    let changed = deployment(3, "v1", |deployment| {
        deployment["metadata"]["annotations"]["kubernetes.io/change-cause"] = json!("because");
        deployment["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] =
            json!("{}");
        deployment["spec"]["minReadySeconds"] = json!(7);
    });
    let plan = planned(changed, vec![set("v1", 1, 3, 3, 3)]);
    assert_eq!(
        body_of(&plan, "patch replicasets web-v1"),
        json!({
            "metadata": {"annotations": {"kubernetes.io/change-cause": "because"}},
            "spec": {"minReadySeconds": 7},
        })
    );
}

#[test]
fn the_history_of_a_set_has_an_end() {
    let mut old = (*set("v1", 9, 0, 0, 3)).clone();
    let long = (1..=600)
        .map(|number| number.to_string())
        .collect::<Vec<_>>()
        .join(",");
    let noted = old
        .annotations
        .iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let history = ("deployment.kubernetes.io/revision-history".to_owned(), long);
    old.annotations = noted.chain([history]).collect();
    let plan = planned(
        deployment(3, "v1", |_| {}),
        vec![Arc::new(old), set("v2", 700, 3, 3, 3)],
    );
    let body = body_of(&plan, "patch replicasets web-v1");
    let history = &body["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"];
    let history = history.as_str().unwrap();
    assert!(history.len() <= 2_000 && history.ends_with(",600,9"), "{history}");
}

#[test]
fn trouble_of_a_set_shows_and_goes() {
    let failed = |image: &str, revision: i64| {
        let mut set = (*set(image, revision, 3, 0, 3)).clone();
        let why = format!("no {image}");
        set.status.conditions = vec![crate::view::Condition::new(
            "ReplicaFailure",
            "True",
            "FailedCreate",
            &why,
            now(),
        )];
        Arc::new(set)
    };
    let message = |plan: &Plan| {
        let status = body_of(plan, STATUS);
        let conditions = status["status"]["conditions"].as_array().unwrap().clone();
        let found = conditions.into_iter().find(|one| one["type"] == "ReplicaFailure");
        found.map(|found| found["message"].clone())
    };
    let both = planned(
        deployment(3, "v2", |_| {}),
        vec![failed("v1", 1), failed("v2", 2)],
    );
    assert_eq!(
        message(&both),
        Some(json!("no v2")),
        "the new one's trouble comes first"
    );
    let old = planned(
        deployment(3, "v2", |_| {}),
        vec![failed("v1", 1), set("v2", 2, 1, 0, 3)],
    );
    assert_eq!(message(&old), Some(json!("no v1")));
    let had = deployment(3, "v1", |deployment| {
        deployment["status"] = json!({"conditions": [{"type": "ReplicaFailure", "status": "True"}]});
    });
    assert_eq!(message(&planned(had, vec![set("v1", 1, 3, 3, 3)])), None);
}

#[test]
fn without_a_deadline_nobody_watches_progress() {
    let unwatched = deployment(3, "v1", |deployment| {
        deployment["spec"]["progressDeadlineSeconds"] = Value::Null;
        deployment["status"] =
            json!({"conditions": [{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}]});
    });
    let plan = planned(unwatched, vec![set("v1", 1, 3, 2, 3)]);
    let conditions = body_of(&plan, STATUS)["status"]["conditions"].clone();
    let types: Vec<_> = conditions
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["type"].clone())
        .collect();
    assert_eq!(types, ["Available"]);
    assert_eq!(plan.requeue_after, None);
}
