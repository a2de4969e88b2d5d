//! Tests of `garbage`.

use coracle_api::kinds;
use coracle_client::Propagation;
use coracle_runtime::Plan;
use serde_json::{Value, json};

use super::plan::{Dependent, OwnerState, Snapshot, plan};
use crate::{
    testing::{Harness, ago, config, lines, view},
    view::{Bare, Meta},
};

mod forest;

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
        circles: Vec::new(),
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
    let around = dependent("around", true, true, waiting.clone());
    let in_a_circle = |dependents| {
        plan(&Snapshot {
            resource: kinds::REPLICA_SET,
            meta: meta("item", waiting.clone()),
            owners: vec![
                ("a".into(), OwnerState::WaitsForDependents),
                ("b".into(), OwnerState::WaitsForDependents),
            ],
            dependents,
            circles: vec!["a".into()],
        })
    };
    assert_eq!(
        lines(&in_a_circle(vec![around])),
        [
            r#"merge replicasets item {"metadata":{"ownerReferences":[{"blockOwnerDeletion":false,"uid":"a"}]}}"#
        ]
    );
    assert_eq!(
        lines(&in_a_circle(Vec::new())),
        [r#"patch replicasets item {"metadata":{"finalizers":[]}}"#]
    );
}

#[test]
fn what_was_to_go_in_its_own_way_does() {
    for (finalizer, how) in [
        ("orphan", ""),
        ("foregroundDeletion", " foreground"),
        ("mine", ""),
    ] {
        let found = item(
            &[("a", OwnerState::Gone)],
            vec![dependent("child", true, false, json!({}))],
            json!({"finalizers": [finalizer]}),
        );
        assert_eq!(lines(&found), [format!("delete replicasets item{how}")]);
    }
}

fn map(namespace: &str, name: &str, owners: &[(&str, &str)]) -> Value {
    let owners = owners.iter().map(|(name, uid)| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid, "blockOwnerDeletion": true})
    });
    json!({"metadata": {
        "namespace": namespace, "name": name, "uid": format!("uid-{name}"), "ownerReferences": owners.collect::<Value>(),
    }})
}

/// Each would wait for the next for ever.
#[tokio::test(start_paused = true)]
async fn a_circle_of_owners_that_are_all_deleted_in_the_foreground_goes() {
    let harness = Harness::start();
    for (name, owner) in [("a", "c"), ("b", "a"), ("c", "b")] {
        let owners = [(owner, &*format!("uid-{owner}"))];
        harness.api.seed(kinds::CONFIG_MAP, map("ns", name, &owners));
    }
    let tail = map("ns", "tail", &[("a", "uid-a")]);
    harness.api.seed(kinds::CONFIG_MAP, tail);
    for name in ["a", "b", "c"] {
        harness
            .delete(kinds::CONFIG_MAP, name, Propagation::Foreground)
            .await;
    }
    harness
        .until("nothing", |api| api.all(kinds::CONFIG_MAP).is_empty())
        .await;
    let log = harness.api.log();
    let at = |line: &str| log.iter().position(|own| own == line);
    assert!(
        at("delete configmaps ns/tail") < at("remove configmaps ns/a"),
        "{log:#?}"
    );
}

/// That there is no such object in one namespace says nothing of the one of that UID in another.
#[tokio::test(start_paused = true)]
async fn a_wrong_reference_does_not_make_a_living_owner_gone() {
    let harness = Harness::without_manager();
    harness.api.seed(
        kinds::CONFIG_MAP,
        map("elsewhere", "wrong", &[("owner", "uid-owner")]),
    );
    harness
        .api
        .seed(kinds::CONFIG_MAP, map("ns", "right", &[("owner", "uid-owner")]));
    let position = harness.api.position();
    harness.api.seed(kinds::CONFIG_MAP, map("ns", "owner", &[]));
    harness.run_manager_with(config(), |client| client.see_until(Some(position)));
    harness
        .until("the wrong one is gone", |api| {
            api.find(kinds::CONFIG_MAP, "elsewhere", "wrong").is_none()
        })
        .await;
    harness.until_quiet().await;
    assert!(
        harness.api.find(kinds::CONFIG_MAP, "ns", "right").is_some(),
        "its owner lives"
    );
}

/// Nor does the living one's deletion wait for who is no dependent of its.
#[tokio::test(start_paused = true)]
async fn a_wrong_reference_blocks_nobody() {
    let harness = Harness::start();
    let mut wrong = map("elsewhere", "wrong", &[("owner", "uid-owner")]);
    // It is gone already but for somebody's finalizer.
    wrong["metadata"]["finalizers"] = json!(["example.com/hold"]);
    wrong["metadata"]["deletionTimestamp"] = json!(ago(1));
    harness.api.seed(kinds::CONFIG_MAP, wrong);
    harness.api.seed(kinds::CONFIG_MAP, map("ns", "owner", &[]));
    harness
        .delete(kinds::CONFIG_MAP, "owner", Propagation::Foreground)
        .await;
    harness
        .until("no owner", |api| {
            api.find(kinds::CONFIG_MAP, "ns", "owner").is_none()
        })
        .await;
}

/// A dependent that has got another owner since it was seen stays.
#[tokio::test(start_paused = true)]
async fn what_is_deleted_is_what_was_seen() {
    let harness = Harness::without_manager();
    harness
        .api
        .seed(kinds::CONFIG_MAP, map("ns", "child", &[("gone", "uid-gone")]));
    let position = harness.api.position();
    harness.api.seed(kinds::CONFIG_MAP, map("ns", "owner", &[]));
    harness.api.seed(
        kinds::CONFIG_MAP,
        map("ns", "child", &[("gone", "uid-gone"), ("owner", "uid-owner")]),
    );
    let (client, _) = harness.run_manager_with(config(), |client| client.see_until(Some(position)));
    harness.until_quiet().await;
    assert!(harness.api.find(kinds::CONFIG_MAP, "ns", "child").is_some());
    client.see_until(None);
    harness
        .until("released", |api| {
            let child = api.find(kinds::CONFIG_MAP, "ns", "child").unwrap();
            child["metadata"]["ownerReferences"].as_array().map(Vec::len) == Some(1)
        })
        .await;
}
