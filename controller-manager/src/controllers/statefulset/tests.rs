//! Tests of `statefulset`.

use std::{collections::BTreeMap, sync::Arc};

use coracle_runtime::Plan;
use serde_json::{Value, json};

use super::plan::{Snapshot, plan};
use crate::{
    history::History,
    testing::{ago, body_of, lines, now, view},
    view::{Pod, Revision, StatefulSet},
};

mod identity;

fn template(image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "db"}},
        "spec": {"containers": [{"name": "c", "image": image}]},
    })
}

/// A StatefulSet of revision `r1`, which has the image `v1`.
fn set(replicas: i32, edit: impl FnOnce(&mut Value)) -> Arc<StatefulSet> {
    let mut set = json!({
        "metadata": {"namespace": "ns", "name": "db", "generation": 2},
        "spec": {
            "replicas": replicas,
            "serviceName": "dbs",
            "selector": {"matchLabels": {"app": "db"}},
            "template": template("v1"),
            "revisionHistoryLimit": 10,
        },
        "status": {"currentRevision": "db-r1", "updateRevision": "db-r1"},
    });
    edit(&mut set);
    view(set)
}

fn parallel(set: &mut Value) {
    set["spec"]["podManagementPolicy"] = json!("Parallel");
}

fn with_claims(set: &mut Value) {
    let spec = json!({"accessModes": ["ReadWriteOnce"]});
    set["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}, "spec": spec}]);
}

fn owned_by_set() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "uid-db", "controller": true})
}

fn revision(number: i64, image: &str) -> Arc<Revision> {
    view(json!({
        "metadata": {"namespace": "ns", "name": format!("db-r{number}"), "ownerReferences": [owned_by_set()]},
        "revision": number,
        "data": {"spec": {"template": template(image)}},
    }))
}

/// A pod of revision `r1` that is ready.
fn pod(ordinal: i32, edit: impl FnOnce(&mut Value)) -> Arc<Pod> {
    let name = format!("db-{ordinal}");
    let mut pod = json!({
        "metadata": {
            "namespace": "ns",
            "name": name,
            "creationTimestamp": ago(100),
            "labels": {
                "app": "db",
                "controller-revision-hash": "db-r1",
                "statefulset.kubernetes.io/pod-name": name,
                "apps.kubernetes.io/pod-index": ordinal.to_string(),
            },
            "ownerReferences": [owned_by_set()],
        },
        "spec": {"nodeName": "node-1"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": ago(90)}],
        },
    });
    edit(&mut pod);
    view(pod)
}

fn unready(pod: &mut Value) {
    pod["status"]["conditions"][0]["status"] = json!("False");
}

fn ending(pod: &mut Value) {
    pod["metadata"]["deletionTimestamp"] = json!(ago(1));
}

fn failed(pod: &mut Value) {
    pod["status"]["phase"] = json!("Failed");
}

fn updated(pod: &mut Value) {
    pod["metadata"]["labels"]["controller-revision-hash"] = json!("db-r2");
}

/// Pods from a line: `r` ready, `u` not ready, `e` ending, `f` failed, `.` missing, `R` and `U` of revision 2.
fn pods(line: &str) -> Vec<Arc<Pod>> {
    let with = |ordinal: usize, letter: char| {
        let ordinal = i32::try_from(ordinal).unwrap();
        let edit = |pod: &mut Value| match letter {
            'r' => {}
            'R' => updated(pod),
            'u' => unready(pod),
            'U' => {
                updated(pod);
                unready(pod);
            }
            'e' => ending(pod),
            'f' => failed(pod),
            _ => unreachable!(),
        };
        (letter != '.').then(|| pod(ordinal, edit))
    };
    line.chars()
        .enumerate()
        .filter_map(|(ordinal, letter)| with(ordinal, letter))
        .collect()
}

fn snapshot(set: Arc<StatefulSet>, pods: Vec<Arc<Pod>>) -> Snapshot {
    Snapshot {
        set,
        pods,
        orphans: Vec::new(),
        history: History {
            revisions: vec![revision(1, "v1")],
            hash: "newhash".to_owned(),
            ..History::default()
        },
        claims: BTreeMap::new(),
        may_stop: true,
    }
}

fn planned(set: Arc<StatefulSet>, pods: Vec<Arc<Pod>>) -> Plan {
    plan(&snapshot(set, pods), now())
}

/// What becomes of pods and claims: `+db-0`, `-db-1`.
fn acts(plan: &Plan) -> Vec<String> {
    let lines = lines(plan);
    let acts = lines.iter().filter_map(|line| {
        let mut words = line.split(' ');
        match (words.next()?, words.next()?, words.next()?) {
            ("create", "pods" | "persistentvolumeclaims", name) => Some(format!("+{name}")),
            ("delete", "pods", name) => Some(format!("-{name}")),
            _ => None,
        }
    });
    acts.collect()
}

#[track_caller]
fn check(set: Arc<StatefulSet>, line: &str, expected: &[&str]) {
    assert_eq!(acts(&planned(set, pods(line))), expected, "{line:?}");
}

#[test]
fn an_ordered_set_does_one_thing_at_a_time() {
    let cases: [(i32, &str, &[&str]); 15] = [
        // It starts from the lowest, and goes on where that is available.
        (3, "", &["+db-0"]),
        (3, "u", &[]),
        (3, "r", &["+db-1"]),
        (3, "ru", &[]),
        (3, "rr", &["+db-2"]),
        (3, "rrr", &[]),
        // A gap is filled before anything else.
        (3, ".rr", &["+db-0"]),
        (3, "err", &[]),
        // It stops from the highest, one by one, and only where all that stay are well.
        (1, "rrr", &["-db-2"]),
        (1, "rre", &[]),
        (1, "urr", &[]),
        (1, "rru", &["-db-2"]),
        (1, "rur", &["-db-2"]),
        (1, "ruu", &[]),
        // A failed pod goes before its successor comes.
        (3, "rfr", &["-db-1"]),
    ];
    for (replicas, line, expected) in cases {
        check(set(replicas, |_| {}), line, expected);
    }
}

#[test]
fn a_parallel_set_waits_for_nobody() {
    let cases: [(i32, &str, &[&str]); 6] = [
        (3, "", &["+db-0", "+db-1", "+db-2"]),
        (3, "u", &["+db-1", "+db-2"]),
        (3, "e.r", &["+db-1"]),
        (1, "urr", &["-db-2", "-db-1"]),
        (0, "rue", &["-db-1", "-db-0"]),
        (3, "frr", &["-db-0"]),
    ];
    for (replicas, line, expected) in cases {
        check(set(replicas, parallel), line, expected);
    }
}

/// A set whose template has the image `v2`, which is revision 2.
fn rolling(replicas: i32, line: &str, edit: impl FnOnce(&mut Value)) -> Snapshot {
    let set = set(replicas, |set| {
        set["spec"]["template"] = template("v2");
        set["status"]["updateRevision"] = json!("db-r2");
        edit(set);
    });
    let mut snapshot = snapshot(set, pods(line));
    snapshot.history.revisions.push(revision(2, "v2"));
    snapshot
}

#[test]
fn an_update_goes_from_the_highest_ordinal_down() {
    let cases: [(&str, &[&str]); 6] = [
        ("rrr", &["-db-2"]),
        ("rre", &[]),
        ("rrU", &[]),
        ("rrR", &["-db-1"]),
        ("rRR", &["-db-0"]),
        ("RRR", &[]),
    ];
    for (line, expected) in cases {
        let plan = plan(&rolling(3, line, |_| {}), now());
        assert_eq!(acts(&plan), expected, "{line:?}");
    }
}

#[test]
fn strategies_say_which_pods_are_updated_when() {
    let on_delete = json!({"type": "OnDelete"});
    let rolling_update = |partition: i32, max: Value| {
        let how = json!({"partition": partition, "maxUnavailable": max});
        json!({"type": "RollingUpdate", "rollingUpdate": how})
    };
    let cases = [
        (on_delete, "rrr", vec![]),
        (rolling_update(2, Value::Null), "rrr", vec!["-db-2"]),
        (rolling_update(2, Value::Null), "rrR", vec![]),
        (rolling_update(5, Value::Null), "rrr", vec![]),
        (rolling_update(0, json!(2)), "rrr", vec!["-db-2", "-db-1"]),
        (rolling_update(2, json!(2)), "rrr", vec!["-db-2"]),
        // A share rounds up.
        (rolling_update(0, json!("34%")), "rrr", vec!["-db-2", "-db-1"]),
        (rolling_update(0, json!("10%")), "rrr", vec!["-db-2"]),
    ];
    for (strategy, line, expected) in cases {
        let snapshot = rolling(3, line, |set| set["spec"]["updateStrategy"] = strategy.clone());
        assert_eq!(acts(&plan(&snapshot, now())), expected, "{strategy} {line:?}");
    }
    // A parallel set counts those that are missed already.
    let snapshot = rolling(4, "rrUr", |set| {
        parallel(set);
        set["spec"]["updateStrategy"] = rolling_update(0, json!(2));
    });
    assert_eq!(acts(&plan(&snapshot, now())), ["-db-3"]);
}

#[test]
fn a_pod_below_the_partition_comes_back_as_it_was() {
    let image = |partition: i32, ordinal: i32| {
        let mut line = ['r'; 3];
        line[usize::try_from(ordinal).unwrap()] = '.';
        let snapshot = rolling(3, &line.iter().collect::<String>(), |set| {
            set["spec"]["updateStrategy"] =
                json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition}});
        });
        let pod = body_of(&plan(&snapshot, now()), "create pods");
        pod["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
    };
    assert_eq!(image(2, 1), "v1");
    assert_eq!(image(1, 1), "v2");
    assert_eq!(image(0, 0), "v2");
}

#[test]
fn a_template_becomes_a_revision_before_any_pod() {
    let changed = |set: &mut Value| set["spec"]["template"] = template("v2");
    let noted = |set: &mut Value| {
        changed(set);
        set["metadata"]["annotations"] = json!({"kubernetes.io/change-cause": "better"});
    };
    let first = planned(set(3, noted), pods("rrr"));
    assert_eq!(lines(&first), ["create controllerrevisions db-newhash"]);
    let revision2 = body_of(&first, "create");
    assert_eq!(revision2["revision"], 2);
    assert_eq!(
        revision2["metadata"]["labels"],
        json!({"app": "db", "controller.kubernetes.io/hash": "newhash"})
    );
    assert_eq!(
        revision2["metadata"]["annotations"]["kubernetes.io/change-cause"],
        "better"
    );
    assert_eq!(
        revision2["data"],
        json!({"spec": {"template": {
            "$patch": "replace",
            "metadata": {"labels": {"app": "db"}, "creationTimestamp": null},
            "spec": {"containers": [{"name": "c", "image": "v2", "resources": {}}]},
        }}})
    );
    // Back to an earlier template: its revision gets the next number.
    let mut back = snapshot(set(3, |_| {}), pods("rrr"));
    back.history.revisions.push(revision(2, "v2"));
    assert_eq!(
        lines(&plan(&back, now())),
        [r#"patch controllerrevisions db-r1 {"revision":3}"#]
    );
    // Another revision has the name.
    let mut taken = snapshot(set(3, changed), pods("rrr"));
    taken.history.name_taken = true;
    let counted = body_of(&plan(&taken, now()), "patch statefulsets/status");
    assert_eq!(counted["status"]["collisionCount"], 1);
}

#[test]
fn old_revisions_go_but_for_the_last_and_those_in_use() {
    let edit = |set: &mut Value| {
        set["spec"]["revisionHistoryLimit"] = json!(1);
        set["spec"]["template"] = template("v5");
        set["status"] = json!({"currentRevision": "db-r5", "updateRevision": "db-r5"});
        set["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    };
    let mut snapshot = snapshot(set(1, edit), pods("R"));
    snapshot.history.revisions = (1..=5)
        .map(|number| revision(number, &format!("v{number}")))
        .collect();
    let deleted: Vec<_> = lines(&plan(&snapshot, now()))
        .into_iter()
        .filter(|line| line.starts_with("delete"))
        .collect();
    assert_eq!(
        deleted,
        [
            "delete controllerrevisions db-r1",
            "delete controllerrevisions db-r3"
        ]
    );
}

#[test]
fn strangers_are_released_and_orphans_adopted_before_anything_else() {
    let stranger = pod(1, |pod| pod["metadata"]["labels"]["app"] = json!("other"));
    let misnamed = pod(1, |pod| pod["metadata"]["name"] = json!("db-x"));
    let mut snapshot = snapshot(set(3, |_| {}), vec![stranger, misnamed]);
    snapshot.orphans = vec![pod(0, |pod| pod["metadata"]["ownerReferences"] = json!([]))];
    let lines = lines(&plan(&snapshot, now()));
    let beginnings: Vec<_> = lines
        .iter()
        .map(|line| line.split(" {").next().unwrap())
        .collect();
    assert_eq!(
        beginnings,
        ["merge pods db-1", "merge pods db-x", "merge pods db-0"]
    );
}

#[test]
fn the_status_counts_as_upstream_counts() {
    let status =
        |snapshot: &Snapshot| body_of(&plan(snapshot, now()), "patch statefulsets/status")["status"].clone();
    let underway = status(&rolling(4, "rruR", |_| {}));
    assert_eq!(
        underway,
        json!({
            "observedGeneration": 2, "replicas": 4, "readyReplicas": 3, "availableReplicas": 3,
            "currentReplicas": 3, "updatedReplicas": 1,
            "currentRevision": "db-r1", "updateRevision": "db-r2", "collisionCount": 0,
        })
    );
    // Complete: what is updated is the present.
    let complete = status(&rolling(2, "RR", |_| {}));
    assert_eq!(
        (&complete["currentRevision"], &complete["currentReplicas"]),
        (&json!("db-r2"), &json!(2))
    );
    // Not where pods are replaced by hand.
    let by_hand = status(&rolling(2, "RR", |set| {
        set["spec"]["updateStrategy"] = json!({"type": "OnDelete"})
    }));
    assert_eq!(
        (&by_hand["currentRevision"], &by_hand["currentReplicas"]),
        (&json!("db-r1"), &Value::Null)
    );
}

#[test]
fn a_pod_is_available_after_min_ready_seconds() {
    let young = pod(0, |pod| {
        pod["status"]["conditions"][0]["lastTransitionTime"] = json!(ago(4))
    });
    let plan = planned(
        set(2, |set| set["spec"]["minReadySeconds"] = json!(10)),
        vec![young],
    );
    assert_eq!(acts(&plan), [""; 0]);
    assert_eq!(plan.requeue_after, Some(std::time::Duration::from_secs(6)));
}

#[test]
fn a_set_that_is_deleted_starts_and_stops_nothing() {
    let plan = planned(set(3, ending), pods("r"));
    let lines = lines(&plan);
    assert!(
        lines
            .iter()
            .all(|line| line.starts_with("patch statefulsets/status")),
        "{lines:?}"
    );
}
