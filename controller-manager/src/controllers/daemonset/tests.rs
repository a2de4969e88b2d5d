//! Tests of `daemonset`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use coracle_runtime::Plan;
use serde_json::{Value, json};

use super::{
    failures::Failures,
    fleet::{Fit, fit},
    plan::{Snapshot, plan},
};
use crate::{
    history::History,
    testing::{ago, at, body_of, lines, now, view},
    view::{DaemonSet, Node, Pod, Revision},
};

fn template(image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "agent"}},
        "spec": {"containers": [{"name": "c", "image": image}]},
    })
}

/// A DaemonSet whose present template is revision `new`.
fn set(edit: impl FnOnce(&mut Value)) -> Arc<DaemonSet> {
    let mut set = json!({
        "metadata": {
            "namespace": "ns", "name": "agent", "generation": 2,
            "annotations": {"deprecated.daemonset.template.generation": "2"},
        },
        "spec": {"selector": {"matchLabels": {"app": "agent"}}, "template": template("v2")},
    });
    edit(&mut set);
    view(set)
}

fn rolling(surge: Value, unavailable: Value) -> impl FnOnce(&mut Value) {
    move |set| {
        let how = json!({"maxSurge": surge, "maxUnavailable": unavailable});
        set["spec"]["updateStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": how});
    }
}

fn owner() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": "uid-agent", "controller": true})
}

fn revision(number: i64, hash: &str, image: &str) -> Arc<Revision> {
    view(json!({
        "metadata": {
            "namespace": "ns", "name": format!("agent-{hash}"), "ownerReferences": [owner()],
            "labels": {"controller-revision-hash": hash},
        },
        "revision": number,
        "data": {"spec": {"template": template(image)}},
    }))
}

fn node(name: &str, edit: impl FnOnce(&mut Value)) -> Arc<Node> {
    let mut node = json!({"metadata": {"name": name, "labels": {"zone": "a", "cores": "8"}}});
    edit(&mut node);
    view(node)
}

fn tainted(effect: &str) -> impl FnOnce(&mut Value) {
    let taint = json!({"key": "own", "value": "x", "effect": effect});
    move |node| node["spec"]["taints"] = json!([taint])
}

/// A ready pod on a node.
fn pod(name: &str, node: &str, hash: &str, edit: impl FnOnce(&mut Value)) -> Arc<Pod> {
    let mut pod = json!({
        "metadata": {
            "namespace": "ns", "name": name, "creationTimestamp": ago(100),
            "labels": {"app": "agent", "controller-revision-hash": hash},
            "ownerReferences": [owner()],
        },
        "spec": {"nodeName": node},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": ago(90)}],
        },
    });
    edit(&mut pod);
    view(pod)
}

/// The pods of nodes `n0`, `n1`...: a word each, a letter a pod: `o` old, `n` new, capitals not ready, `e` an old one that
/// is ending, `f` one that failed, `.` none.
fn pods(line: &str) -> Vec<Arc<Pod>> {
    let mut all = Vec::new();
    for (node, word) in line.split(' ').enumerate() {
        for (number, letter) in word.chars().enumerate().filter(|(_, letter)| *letter != '.') {
            let hash = if letter.eq_ignore_ascii_case(&'n') {
                "new"
            } else {
                "old"
            };
            let edit = |pod: &mut Value| match letter {
                'e' => pod["metadata"]["deletionTimestamp"] = json!(ago(1)),
                'f' => pod["status"]["phase"] = json!("Failed"),
                'O' | 'N' => pod["status"]["conditions"][0]["status"] = json!("False"),
                _ => {}
            };
            all.push(pod(&format!("p{node}{number}"), &format!("n{node}"), hash, edit));
        }
    }
    all
}

fn nodes(count: usize) -> Vec<Arc<Node>> {
    (0..count)
        .map(|number| node(&format!("n{number}"), |_| {}))
        .collect()
}

fn snapshot(set: Arc<DaemonSet>, nodes: Vec<Arc<Node>>, pods: Vec<Arc<Pod>>) -> Snapshot {
    Snapshot {
        set,
        pods,
        orphans: Vec::new(),
        history: History {
            revisions: vec![revision(1, "old", "v1"), revision(2, "new", "v2")],
            hash: "other".to_owned(),
            ..History::default()
        },
        nodes,
        held: BTreeMap::new(),
    }
}

/// What becomes of pods: `+n0` for a new one, `-p00` for the end of one.
fn acts(plan: &Plan) -> Vec<String> {
    let mut acts = Vec::new();
    for step in &plan.steps {
        let mut one = Plan::default();
        one.write(step.write.clone());
        let line = lines(&one).remove(0);
        if line.starts_with("create pods") {
            let pod = body_of(&one, "create");
            let terms =
                &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
            let node = &terms["nodeSelectorTerms"][0]["matchFields"][0]["values"][0];
            acts.push(format!("+{}", node.as_str().unwrap()));
        } else if let Some(name) = line.strip_prefix("delete pods ") {
            acts.push(format!("-{name}"));
        }
    }
    acts
}

#[track_caller]
fn check(set: Arc<DaemonSet>, line: &str, expected: &[&str]) {
    let count = line.split(' ').count();
    let plan = plan(&snapshot(set, nodes(count), pods(line)), now());
    assert_eq!(acts(&plan), expected, "{line:?}");
}

#[test]
fn every_node_has_one_pod() {
    let cases: [(&str, &[&str]); 5] = [
        ("n . n .", &["+n1", "+n3"]),
        // One that is ending still holds the place.
        ("e n", &[]),
        ("nn n", &["-p01"]),
        // One that failed goes, and is replaced once it is gone.
        ("f n", &["-p00"]),
        ("n n", &[]),
    ];
    for (line, expected) in cases {
        check(set(|_| {}), line, expected);
    }
}

#[test]
fn old_pods_go_as_many_as_may_be_missing() {
    let cases: [(i32, &str, &[&str]); 7] = [
        (1, "o o o", &["-p00"]),
        (2, "o o o", &["-p00", "-p10"]),
        (1, "N o o", &[]),
        (2, "N o o", &["-p10"]),
        (1, "e o o", &[]),
        // One that is not ready is no loss.
        (1, "O o O", &["-p00", "-p20", "-p10"]),
        (1, "n n o", &["-p20"]),
    ];
    for (unavailable, line, expected) in cases {
        check(set(rolling(json!(0), json!(unavailable))), line, expected);
    }
    // Shares round up.
    check(set(rolling(json!(0), json!("34%"))), "o o o", &["-p00", "-p10"]);
    check(
        set(|set| set["spec"]["updateStrategy"] = json!({"type": "OnDelete"})),
        "o o o",
        &[],
    );
}

#[test]
fn with_surge_new_pods_come_first() {
    let cases: [(&str, &[&str]); 7] = [
        ("o o o", &["+n0"]),
        ("oN o o", &[]),
        // The new one is available: the old one goes.
        ("on o o", &["-p00"]),
        ("n o o", &["+n1"]),
        // The old one failed meanwhile: it goes at once.
        ("ON o o", &["-p00"]),
        // A node whose old one is of no use costs nothing.
        ("O o o", &["+n0", "+n1"]),
        ("ooN o o", &["-p01"]),
    ];
    for (line, expected) in cases {
        check(set(rolling(json!(1), json!(0))), line, expected);
    }
}

#[test]
fn nodes_fit_by_affinity_and_taints() {
    let affine = |term: Value| {
        move |set: &mut Value| {
            let required = json!({"nodeSelectorTerms": [term]});
            set["spec"]["template"]["spec"]["affinity"] =
                json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}});
        }
    };
    let expression = |key: &str, operator: &str, values: Value| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
    let field = |operator: &str| json!({"matchFields": [{"key": "metadata.name", "operator": operator, "values": ["n"]}]});
    let cases = [
        (expression("zone", "In", json!(["a", "b"])), Fit::Runs),
        (expression("zone", "NotIn", json!(["a"])), Fit::No),
        (expression("gpu", "Exists", json!([])), Fit::No),
        (expression("gpu", "DoesNotExist", json!([])), Fit::Runs),
        (expression("cores", "Gt", json!(["4"])), Fit::Runs),
        (expression("cores", "Lt", json!(["4"])), Fit::No),
        (field("In"), Fit::Runs),
        (field("NotIn"), Fit::No),
        // An empty term matches nothing.
        (json!({}), Fit::No),
    ];
    for (term, expected) in cases {
        assert_eq!(
            fit(&set(affine(term.clone())), &node("n", |_| {})),
            expected,
            "{term}"
        );
    }
    let plain = set(|_| {});
    let selecting = set(|set| set["spec"]["template"]["spec"]["nodeSelector"] = json!({"zone": "b"}));
    let named = set(|set| set["spec"]["template"]["spec"]["nodeName"] = json!("m"));
    assert_eq!(fit(&selecting, &node("n", |_| {})), Fit::No);
    assert_eq!(
        (fit(&named, &node("n", |_| {})), fit(&named, &node("m", |_| {}))),
        (Fit::No, Fit::Runs)
    );
    let by_taint = [
        ("NoSchedule", Fit::Stays),
        ("NoExecute", Fit::No),
        ("PreferNoSchedule", Fit::Runs),
    ];
    for (effect, expected) in by_taint {
        assert_eq!(fit(&plain, &node("n", tainted(effect))), expected, "{effect}");
    }
    let tolerating = set(|set| {
        set["spec"]["template"]["spec"]["tolerations"] = json!([{"key": "own", "operator": "Exists"}]);
    });
    assert_eq!(fit(&tolerating, &node("n", tainted("NoExecute"))), Fit::Runs);
    // A daemon belongs to its node, well or not; the network only where it uses the node's own.
    let own_taint = |key: &str, effect: &str| {
        let taint = json!({"key": format!("node.kubernetes.io/{key}"), "effect": effect});
        node("n", move |node| node["spec"]["taints"] = json!([taint]))
    };
    for (key, effect) in [
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    ] {
        assert_eq!(fit(&plain, &own_taint(key, effect)), Fit::Runs, "{key}");
    }
    let hosted = set(|set| set["spec"]["template"]["spec"]["hostNetwork"] = json!(true));
    let network = own_taint("network-unavailable", "NoSchedule");
    assert_eq!(
        (fit(&plain, &network), fit(&hosted, &network)),
        (Fit::Stays, Fit::Runs)
    );
}

#[test]
fn pods_leave_nodes_that_do_not_fit_and_stay_where_they_may() {
    let two = || pods("n n");
    let with = |effect: &str| vec![node("n0", tainted(effect)), node("n1", |_| {})];
    let stays = plan(&snapshot(set(|_| {}), with("NoSchedule"), two()), now());
    assert_eq!(acts(&stays), [""; 0]);
    let goes = plan(&snapshot(set(|_| {}), with("NoExecute"), two()), now());
    assert_eq!(acts(&goes), ["-p00"]);
    // Its node is gone, and it was never bound: nobody else would delete it.
    let field = json!({"key": "metadata.name", "operator": "In", "values": ["n7"]});
    let terms = json!({"nodeSelectorTerms": [{"matchFields": [field]}]});
    let stranded = pod("stranded", "", "new", |pod| {
        pod["spec"]["affinity"] =
            json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}});
    });
    let plan = plan(&snapshot(set(|_| {}), nodes(0), vec![stranded]), now());
    assert_eq!(acts(&plan), ["-stranded"]);
}

#[test]
fn a_new_pod_is_for_its_node_and_tolerates_its_troubles() {
    let set = set(|set| {
        let preferred = json!([{"weight": 1, "preference": {}}]);
        set["spec"]["template"]["spec"]["affinity"] =
            json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}});
        set["spec"]["template"]["spec"]["tolerations"] = json!([{"key": "own", "operator": "Exists"}]);
    });
    let mut snapshot = snapshot(Arc::clone(&set), nodes(1), Vec::new());
    snapshot.history.revisions.clear();
    // The template's revision comes first.
    let first = plan(&snapshot, now());
    assert_eq!(lines(&first), ["create controllerrevisions agent-other"]);
    let labels = json!({"app": "agent", "controller-revision-hash": "other"});
    let mut made = body_of(&first, "create");
    assert_eq!(made["metadata"]["labels"], labels);
    made["metadata"]["uid"] = json!("uid-r");
    snapshot.history.revisions = vec![view(made)];
    let pod = body_of(&plan(&snapshot, now()), "create pods agent-");
    assert_eq!(
        pod["metadata"]["labels"],
        json!({"app": "agent", "controller-revision-hash": "other", "pod-template-generation": "2"})
    );
    let affinity = &pod["spec"]["affinity"]["nodeAffinity"];
    assert_eq!(
        affinity["preferredDuringSchedulingIgnoredDuringExecution"][0]["weight"],
        1
    );
    assert_eq!(
        affinity["requiredDuringSchedulingIgnoredDuringExecution"],
        json!({"nodeSelectorTerms": [{"matchFields": [
            {"key": "metadata.name", "operator": "In", "values": ["n0"]},
        ]}]})
    );
    let tolerations = pod["spec"]["tolerations"].as_array().unwrap();
    assert_eq!(tolerations.len(), 7);
    assert_eq!(tolerations[0], json!({"key": "own", "operator": "Exists"}));
    assert_eq!(
        tolerations[1],
        json!({"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"})
    );
}

#[test]
fn the_status_counts_nodes() {
    let mut nodes = nodes(4);
    nodes.push(node("n4", tainted("NoExecute")));
    let plan = plan(&snapshot(set(|_| {}), nodes, pods("n o N . n")), now());
    assert_eq!(
        body_of(&plan, "patch daemonsets/status")["status"],
        json!({
            "observedGeneration": 2, "desiredNumberScheduled": 4, "currentNumberScheduled": 3,
            "numberMisscheduled": 1, "numberReady": 2, "updatedNumberScheduled": 2, "numberAvailable": 2,
            "numberUnavailable": 2, "collisionCount": null,
        })
    );
}

#[test]
fn a_set_that_is_deleted_is_left_to_the_garbage_collector() {
    let going = set(|set| set["metadata"]["deletionTimestamp"] = json!(ago(1)));
    assert!(plan(&snapshot(going, nodes(2), pods("o .")), now()).is_empty());
}

#[test]
fn strangers_are_released_and_orphans_adopted_before_anything_else() {
    let stranger = pod("stranger", "n0", "new", |pod| {
        pod["metadata"]["labels"]["app"] = json!("x")
    });
    let mut snapshot = snapshot(set(|_| {}), nodes(1), vec![stranger]);
    snapshot.orphans = vec![pod("orphan", "n0", "new", |pod| {
        pod["metadata"]["ownerReferences"] = json!([])
    })];
    let lines = lines(&plan(&snapshot, now()));
    let beginnings: Vec<_> = lines
        .iter()
        .map(|line| line.split(" {").next().unwrap())
        .collect();
    assert_eq!(beginnings, ["merge pods stranger", "merge pods orphan"]);
}

#[test]
fn a_node_where_daemons_fail_is_left_alone_longer_each_time() {
    let mut failures = Failures::default();
    let mut held_for = |second: i64| {
        let held = failures.hold(vec!["n0"], at(second));
        held.get("n0").map(Duration::as_secs)
    };
    assert_eq!(held_for(0), None);
    assert_eq!(held_for(0), Some(1));
    assert_eq!(held_for(1), None);
    assert_eq!(held_for(2), Some(1));
    assert_eq!(held_for(3), None);
    assert_eq!(held_for(3), Some(4));
    // An old one that failed would go with the update.
    let failed = pod("p", "n0", "new", |pod| pod["status"]["phase"] = json!("Failed"));
    let mut snapshot = snapshot(set(|_| {}), nodes(1), vec![failed]);
    snapshot.held.insert("n0".into(), Duration::from_secs(4));
    let plan = plan(&snapshot, now());
    assert_eq!(
        (acts(&plan).len(), plan.requeue_after),
        (0, Some(Duration::from_secs(4)))
    );
}
