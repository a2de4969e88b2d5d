//! Each check turns red on a history that breaks its rule, and stays green on the one that keeps it.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use coracle_store::{Change, ChangeKind};
use serde_json::{Value, json};

use super::Checks;

/// A history of whole objects, judged in order; the first complaint.
fn judge(objects: &[Value]) -> Result<Checks, String> {
    let mut checks = Checks::default();
    for (index, object) in objects.iter().enumerate() {
        let revision = index as i64 + 1;
        let mut object = object.clone();
        object["metadata"]["resourceVersion"] = revision.to_string().into();
        checks.observe(Duration::ZERO, &change(revision, &object))?;
    }
    Ok(checks)
}

fn change(revision: i64, object: &Value) -> Change {
    Change {
        revision,
        key: format!("/{}/{}", object["kind"], object["metadata"]["name"]).into(),
        kind: ChangeKind::Put { created: false },
        json: Bytes::from(object.to_string()),
        previous: None,
    }
}

fn check(objects: &[Value], complaint: &str) {
    match judge(objects) {
        Ok(_) => assert_eq!(complaint, "", "nothing was found in {objects:?}"),
        Err(why) => assert!(!complaint.is_empty() && why.contains(complaint), "{why}"),
    }
}

fn node(name: &str, range: &str) -> Value {
    json!({"kind": "Node", "metadata": {"name": name}, "spec": {"podCIDR": range}})
}

fn pod(name: &str, node: &str, ip: &str) -> Value {
    json!({
        "kind": "Pod",
        "metadata": {"name": name, "uid": name, "ownerReferences": [{"uid": "set"}]},
        "spec": {"nodeName": node, "containers": [{"resources": {"requests": {"cpu": "1"}}}]},
        "status": {"podIP": ip},
    })
}

fn set(replicas: u32) -> Value {
    json!({"kind": "ReplicaSet", "metadata": {"name": "set", "uid": "set"}, "spec": {"replicas": replicas}})
}

#[test]
fn pods_stay_where_and_what_they_are() {
    let (n1, n2) = (node("n1", "10.244.0.0/24"), node("n2", "10.244.1.0/24"));
    let begin = |rest: &[Value]| [&[set(9), n1.clone(), n2.clone()], rest].concat();
    check(
        &begin(&[pod("a", "", ""), pod("a", "n1", ""), pod("a", "n1", "10.244.0.2")]),
        "",
    );
    check(&begin(&[pod("a", "n1", ""), pod("a", "n2", "")]), "moved from n1");
    check(
        &begin(&[pod("a", "n1", "10.244.0.2"), pod("a", "n1", "10.244.0.3")]),
        "changed its address",
    );
    check(
        &begin(&[pod("a", "n1", "10.244.0.2"), pod("b", "n1", "10.244.0.2")]),
        "share the address",
    );
    check(&begin(&[pod("a", "n1", "10.244.1.2")]), "not of n1's range");
    let mut other = pod("a", "n1", "");
    other["metadata"]["uid"] = "b".into();
    check(&begin(&[pod("a", "n1", ""), other]), "became another pod");
}

#[test]
fn nobody_gets_more_than_there_is() {
    let pods = |count: u32| {
        (0..count)
            .map(|number| pod(&number.to_string(), "n1", ""))
            .collect::<Vec<_>>()
    };
    check(&[&[set(9)], &*pods(4)].concat(), "");
    check(&[&[set(9)], &*pods(5)].concat(), "want 5 CPUs");
    check(&[&[set(3)], &*pods(4)].concat(), "never asked for more than 3");
    check(
        &[node("n1", "10.244.0.0/24"), node("n2", "10.244.0.0/24")],
        "share a range",
    );
    check(
        &[node("n1", "10.244.0.0/24"), node("n1", "10.244.1.0/24")],
        "another range",
    );
}

#[test]
fn revisions_have_no_gap() {
    let mut checks = Checks::default();
    let mut object = set(1);
    object["metadata"]["resourceVersion"] = "2".into();
    assert!(
        checks
            .observe(Duration::ZERO, &change(2, &object))
            .unwrap_err()
            .contains("follows on 0")
    );
}

#[test]
fn what_was_told_must_be_the_history() {
    let value = json!({"kind": "ConfigMap", "metadata": {"name": "count"}, "data": {"value": "7"}});
    let checks = judge(&[set(9), pod("a", "", ""), value, pod("a", "n1", "")]).unwrap();
    let told = |all: &[(i64, &str)]| {
        all.iter()
            .map(|(revision, name)| (*revision, (*name).to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(checks.was_told(0, &told(&[(2, "a"), (4, "a")])), Ok(()));
    assert_eq!(checks.was_told(2, &told(&[(4, "a")])), Ok(()));
    for wrong in [
        &[(2, "a")][..],
        &[(4, "a")],
        &[(2, "a"), (2, "a"), (4, "a")],
        &[(4, "a"), (2, "a")],
        &[(2, "a"), (4, "b")],
    ] {
        assert!(checks.was_told(0, &told(wrong)).is_err(), "{wrong:?}");
    }
    let acknowledged = |revision, value| BTreeMap::from([(revision, ("count".to_owned(), value))]);
    assert_eq!(checks.has_acknowledged(&acknowledged(3, 7)), Ok(()));
    assert!(checks.has_acknowledged(&acknowledged(3, 8)).is_err());
    assert!(checks.has_acknowledged(&acknowledged(5, 7)).is_err());
}
