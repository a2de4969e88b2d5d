//! Tests of `garbage`.

use coracle_api::kinds;
use coracle_runtime::Plan;
use serde_json::{Value, json};

use super::plan::{Dependent, OwnerState, Snapshot, plan};
use crate::{
    testing::{ago, lines, view},
    view::{Bare, Meta},
};

fn meta(name: &str, metadata: Value) -> Meta {
    let mut object = json!({"metadata": metadata});
    object["metadata"]["name"] = json!(name);
    object["metadata"]["namespace"] = json!("ns");
    view::<Bare>(object).meta.clone()
}

fn item(owners: &[(&str, OwnerState)], dependents: Vec<Dependent>, metadata: Value) -> Plan {
    let owners = owners
        .iter()
        .map(|(uid, state)| ((*uid).into(), *state))
        .collect();
    plan(&Snapshot {
        resource: kinds::REPLICA_SET,
        meta: meta("item", metadata),
        owners,
        dependents,
    })
}

fn dependent(name: &str, blocks: bool, has_dependents: bool, metadata: Value) -> Dependent {
    Dependent {
        resource: kinds::POD,
        meta: meta(name, metadata),
        blocks,
        has_dependents,
    }
}

#[test]
fn an_object_goes_with_its_last_owner() {
    use OwnerState::{Gone, Present, WaitsForDependents};
    let child = || vec![dependent("child", true, false, json!({}))];
    let release = |uid: &str| {
        format!(
            r#"merge replicasets item {{"metadata":{{"ownerReferences":[{{"$patch":"delete","uid":"{uid}"}}]}}}}"#
        )
    };
    let cases = [
        (vec![("a", Present)], Vec::new(), vec![]),
        (
            vec![("a", Gone)],
            Vec::new(),
            vec!["delete replicasets item".to_owned()],
        ),
        (vec![("a", Gone), ("b", Present)], Vec::new(), vec![release("a")]),
        (
            vec![("a", WaitsForDependents), ("b", Present)],
            Vec::new(),
            vec![release("a")],
        ),
        (
            vec![("a", WaitsForDependents)],
            Vec::new(),
            vec!["delete replicasets item".to_owned()],
        ),
        (
            vec![("a", WaitsForDependents)],
            child(),
            vec!["delete replicasets item foreground".to_owned()],
        ),
        (
            vec![("a", Gone)],
            child(),
            vec!["delete replicasets item".to_owned()],
        ),
    ];
    for (owners, dependents, expected) in cases {
        assert_eq!(
            lines(&item(&owners, dependents, json!({}))),
            expected,
            "{owners:?}"
        );
    }
}

#[test]
fn in_the_foreground_dependents_go_first() {
    let going = || json!({"deletionTimestamp": ago(1), "finalizers": ["mine", "foregroundDeletion"]});
    let blocking = dependent("blocking", true, true, json!({}));
    let ending = dependent("ending", true, false, json!({"deletionTimestamp": ago(1)}));
    let free = dependent("free", false, false, json!({}));
    assert_eq!(
        lines(&item(&[], vec![blocking, ending, free.clone()], going())),
        ["delete pods blocking foreground", "delete pods free"]
    );
    let done = r#"patch replicasets item {"metadata":{"finalizers":["mine"]}}"#;
    assert_eq!(lines(&item(&[], vec![free], going())), ["delete pods free", done]);
    assert_eq!(lines(&item(&[], Vec::new(), going())), [done]);
}

#[test]
fn orphans_are_freed_before_their_owner_goes() {
    let going = || json!({"deletionTimestamp": ago(1), "finalizers": ["orphan"]});
    assert_eq!(
        lines(&item(
            &[],
            vec![dependent("child", true, false, json!({}))],
            going()
        )),
        [r#"merge pods child {"metadata":{"ownerReferences":[{"$patch":"delete","uid":"uid-item"}]}}"#]
    );
    assert_eq!(
        lines(&item(&[], Vec::new(), going())),
        [r#"patch replicasets item {"metadata":{"finalizers":[]}}"#]
    );
}

#[test]
fn what_is_deleted_already_is_left_to_others() {
    let going = json!({"deletionTimestamp": ago(1), "finalizers": ["mine"]});
    assert_eq!(
        lines(&item(&[("a", OwnerState::Gone)], Vec::new(), going)),
        [""; 0]
    );
}

#[test]
fn owners_in_a_circle_do_not_wait_for_each_other() {
    let waiting = json!({"deletionTimestamp": ago(1), "finalizers": ["foregroundDeletion"]});
    let first = dependent("first", true, true, waiting);
    let owner =
        json!({"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "a", "blockOwnerDeletion": true});
    let found = item(
        &[("a", OwnerState::WaitsForDependents)],
        vec![first],
        json!({"ownerReferences": [owner]}),
    );
    assert_eq!(
        lines(&found),
        [
            r#"merge replicasets item {"metadata":{"ownerReferences":[{"blockOwnerDeletion":false,"uid":"a"}]}}"#,
            "delete replicasets item foreground",
        ]
    );
}
