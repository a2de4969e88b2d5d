//! Tests of `replicaset`.

use std::{collections::BTreeMap, sync::Arc};

use coracle_api::kinds;
use coracle_runtime::Plan;
use serde_json::{Value, json};

use super::{
    plan::{Snapshot, plan},
    rank,
    tally::Tally,
};
use crate::{
    testing::{ago, body_of, lines, now, view},
    view::{Pod, ReplicaSet, ReplicationController},
};

fn set(replicas: i32, edit: impl FnOnce(&mut Value)) -> Arc<ReplicaSet> {
    let mut set = json!({
        "metadata": {"namespace": "ns", "name": "web-1", "generation": 3},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web", "tier": "front"}},
                "spec": {"containers": [{"name": "c", "image": "nginx"}]},
            },
        },
    });
    edit(&mut set);
    view(set)
}

fn pod(name: &str, edit: impl FnOnce(&mut Value)) -> Arc<Pod> {
    let mut pod = json!({
        "metadata": {
            "namespace": "ns",
            "name": name,
            "labels": {"app": "web", "tier": "front"},
            "creationTimestamp": ago(100),
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "uid-web-1",
                "controller": true,
            }],
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

fn pods(count: usize) -> Vec<Arc<Pod>> {
    (0..count)
        .map(|number| pod(&format!("p{number}"), |_| {}))
        .collect()
}

fn snapshot(set: Arc<ReplicaSet>, pods: Vec<Arc<Pod>>) -> Snapshot {
    let mut tally = Tally::default();
    pods.iter().for_each(|pod| tally.add(pod));
    Snapshot {
        resource: kinds::REPLICA_SET,
        set,
        tally,
        pods,
        neighbours: BTreeMap::new(),
        orphans: Vec::new(),
        failure: None,
    }
}

fn verbs(plan: &Plan) -> (usize, usize) {
    let count = |verb: &str| lines(plan).iter().filter(|line| line.starts_with(verb)).count();
    (count("create pods"), count("delete pods"))
}

#[test]
fn the_number_of_pods_is_kept() {
    let cases = [
        // wanted, there, created, deleted
        (3, 0, 3, 0),
        (3, 2, 1, 0),
        (3, 3, 0, 0),
        (1, 3, 0, 2),
        (0, 3, 0, 3),
        (1_200, 0, 500, 0),
        (0, 700, 0, 500),
    ];
    for (wanted, there, created, deleted) in cases {
        let plan = plan(&snapshot(set(wanted, |_| {}), pods(there)), now());
        assert_eq!(verbs(&plan), (created, deleted), "{wanted} wanted, {there} there");
    }
}

#[test]
fn a_new_pod_is_made_of_the_template_and_owned() {
    let plan = plan(&snapshot(set(1, |_| {}), Vec::new()), now());
    let pod = body_of(&plan, "create pods");
    assert_eq!(
        pod["metadata"],
        json!({
            "generateName": "web-1-",
            "labels": {"app": "web", "tier": "front"},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "uid-web-1",
                "controller": true, "blockOwnerDeletion": true,
            }],
        })
    );
    assert_eq!(pod["spec"]["containers"][0]["image"], "nginx");
}

#[test]
fn finished_and_ending_pods_do_not_count() {
    let ended = pod("ended", |pod| pod["status"]["phase"] = json!("Failed"));
    let ending = pod("ending", |pod| {
        pod["metadata"]["deletionTimestamp"] = json!(ago(1))
    });
    let plan = plan(&snapshot(set(1, |_| {}), vec![ended, ending]), now());
    assert_eq!(verbs(&plan), (1, 0));
}

#[test]
fn strangers_are_released_and_orphans_adopted_before_anything_is_made() {
    let stranger = pod("stranger", |pod| {
        pod["metadata"]["labels"]["app"] = json!("other")
    });
    let mut snapshot = snapshot(set(5, |_| {}), vec![stranger]);
    snapshot.orphans = vec![pod("orphan", |pod| {
        pod["metadata"]["ownerReferences"] = json!([])
    })];
    let plan = plan(&snapshot, now());
    let lines = lines(&plan);
    assert!(lines[0].starts_with("merge pods stranger"), "{lines:?}");
    assert!(
        lines[0].contains(r#"{"$patch":"delete","uid":"uid-web-1"}"#),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("merge pods orphan") && lines[1].contains("uid-web-1"),
        "{lines:?}"
    );
    assert_eq!(verbs(&plan), (0, 0));
}

#[test]
fn a_set_that_is_deleted_makes_nothing() {
    let set = set(3, |set| set["metadata"]["deletionTimestamp"] = json!(ago(1)));
    assert_eq!(verbs(&plan(&snapshot(set, pods(1)), now())), (0, 0));
}

#[test]
fn the_status_counts() {
    let unready = pod("unready", |pod| {
        pod["status"]["conditions"][0]["status"] = json!("False")
    });
    let bare = pod("bare", |pod| pod["metadata"]["labels"] = json!({"app": "web"}));
    let mut all = pods(2);
    all.extend([unready, bare]);
    let plan = plan(&snapshot(set(4, |_| {}), all), now());
    assert_eq!(
        body_of(&plan, "patch replicasets/status"),
        json!({"status": {
            "replicas": 4, "fullyLabeledReplicas": 3, "readyReplicas": 3, "availableReplicas": 3,
            "observedGeneration": 3, "conditions": null,
        }})
    );
}

#[test]
fn a_pod_is_available_after_min_ready_seconds() {
    let young = pod("young", |pod| {
        pod["status"]["conditions"][0]["lastTransitionTime"] = json!(ago(4))
    });
    let set = set(2, |set| set["spec"]["minReadySeconds"] = json!(10));
    let plan = plan(&snapshot(set, vec![young, pod("old", |_| {})]), now());
    assert_eq!(
        body_of(&plan, "patch replicasets/status")["status"]["availableReplicas"],
        1
    );
    assert_eq!(plan.requeue_after, Some(std::time::Duration::from_secs(6)));
}

#[test]
fn a_status_that_says_it_already_is_not_written() {
    let set = set(1, |set| {
        set["status"] = json!({
            "replicas": 1, "fullyLabeledReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
            "observedGeneration": 3,
        });
    });
    assert_eq!(lines(&plan(&snapshot(set, pods(1)), now())), [""; 0]);
}

#[test]
fn failures_show_in_the_status() {
    let mut snapshot = snapshot(set(100, |_| {}), Vec::new());
    snapshot.failure = Some("quota exceeded".to_owned());
    let plan = plan(&snapshot, now());
    assert_eq!(verbs(&plan), (100, 0));
    assert!(
        plan.slow_start,
        "not all of them are tried where the first is refused"
    );
    let condition = &body_of(&plan, "patch replicasets/status")["status"]["conditions"][0];
    assert_eq!(condition["type"], "ReplicaFailure");
    assert_eq!(condition["reason"], "FailedCreate");
    assert_eq!(condition["message"], "quota exceeded");
}

#[test]
fn the_least_missed_pods_go_first() {
    let unbound = pod("unbound", |pod| pod["spec"] = json!({}));
    let pending = pod("pending", |pod| pod["status"]["phase"] = json!("Pending"));
    let unready = pod("unready", |pod| {
        pod["status"]["conditions"][0]["status"] = json!("False")
    });
    let cheap = pod("cheap", |pod| {
        pod["metadata"]["annotations"] = json!({"controller.kubernetes.io/pod-deletion-cost": "-5"});
    });
    let crowded = pod("crowded", |pod| pod["spec"]["nodeName"] = json!("crowd"));
    let fresh = pod("fresh", |pod| {
        pod["status"]["conditions"][0]["lastTransitionTime"] = json!(ago(2))
    });
    let restarted = pod("restarted", |pod| {
        pod["status"]["containerStatuses"] = json!([{"restartCount": 3}])
    });
    let young = pod("young", |pod| {
        pod["metadata"]["creationTimestamp"] = json!(ago(30))
    });
    let usual = pod("usual", |_| {});
    let order = [
        "unbound",
        "pending",
        "unready",
        "cheap",
        "crowded",
        "fresh",
        "restarted",
        "young",
        "usual",
    ];
    let all = [
        usual, young, restarted, fresh, crowded, cheap, unready, pending, unbound,
    ];
    let neighbours = BTreeMap::from([("crowd".into(), 9), ("node-1".into(), 1)]);
    let ranked = rank::first_to_go(&all, &neighbours, 9, now());
    assert_eq!(
        ranked.iter().map(|pod| &*pod.meta.name).collect::<Vec<_>>(),
        order
    );
}

#[test]
fn a_tally_comes_back_to_nothing() {
    let all = [
        pod("a", |_| {}),
        pod("b", |pod| pod["status"]["phase"] = json!("Succeeded")),
    ];
    let mut tally = Tally::default();
    all.iter().for_each(|pod| tally.add(pod));
    assert_eq!((tally.active, tally.ready, tally.running), (1, 1, 1));
    all.iter().for_each(|pod| tally.remove(pod));
    assert_eq!(tally, Tally::default());
}

#[test]
fn ages_are_compared_by_magnitude_in_nanoseconds() {
    // Powers of two of nanoseconds lie at 1.07, 2.15, 4.29 and 8.59 seconds.
    let cases = [
        (1, 2, true),
        (2, 3, true),
        (3, 4, false),
        (4, 5, true),
        (5, 8, false),
        (8, 9, true),
    ];
    for (younger, older, differ) in cases {
        let ready = |name: &str, seconds: i64| {
            pod(name, |pod| {
                pod["status"]["conditions"][0]["lastTransitionTime"] = json!(ago(seconds))
            })
        };
        // Where both are of an age, the name decides, here against the younger.
        let all = [ready("b", younger), ready("a", older)];
        let first = rank::first_to_go(&all, &BTreeMap::new(), 1, now());
        let expected = if differ { "b" } else { "a" };
        assert_eq!(
            &*first[0].meta.name, expected,
            "ready for {younger} and {older} s"
        );
    }
}

#[test]
fn the_most_restarted_container_counts() {
    let restarted = |name: &str, counts: [u32; 2]| {
        let statuses = counts.map(|count| json!({"restartCount": count}));
        pod(name, |pod| pod["status"]["containerStatuses"] = json!(statuses))
    };
    let all = [restarted("sum", [3, 3]), restarted("most", [5, 0])];
    let first = rank::first_to_go(&all, &BTreeMap::new(), 1, now());
    assert_eq!(&*first[0].meta.name, "most");
}

#[test]
fn a_replication_controller_is_a_replica_set_that_selects_by_plain_labels() {
    let controller: Arc<ReplicationController> = view(json!({
        "metadata": {"namespace": "ns", "name": "old", "generation": 1},
        "spec": {
            "replicas": 2,
            "selector": {"app": "old"},
            "template": {"metadata": {"labels": {"app": "old"}}, "spec": {"containers": [{"name": "c"}]}},
        },
    }));
    assert!(
        controller
            .set
            .selector
            .matches(&[("app", "old"), ("more", "x")][..])
    );
    assert!(!controller.set.selector.matches(&[("app", "new")][..]));
    let mut snapshot = snapshot(Arc::clone(&controller.set), Vec::new());
    snapshot.resource = kinds::REPLICATION_CONTROLLER;
    let plan = plan(&snapshot, now());
    assert_eq!(verbs(&plan), (2, 0));
    let owner = &body_of(&plan, "create pods")["metadata"]["ownerReferences"][0];
    assert_eq!(
        (&owner["kind"], &owner["apiVersion"]),
        (&json!("ReplicationController"), &json!("v1"))
    );
    assert!(
        lines(&plan)
            .iter()
            .any(|line| line.starts_with("patch replicationcontrollers/status old"))
    );
}
