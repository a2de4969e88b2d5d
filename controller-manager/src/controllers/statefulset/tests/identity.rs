//! Tests of who a pod is, and of the claims that are its own.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{acts, ending, owned_by_set, plan, pods, set, snapshot, with_claims};
use crate::{
    controllers::statefulset::identity,
    testing::{body_of, lines, now, view},
    view::Claim,
};

#[test]
fn a_pod_has_its_identity() {
    let set = set(1, |set| {
        with_claims(set);
        set["spec"]["ordinals"] = json!({"start": 5});
        set["spec"]["template"]["spec"]["volumes"] =
            json!([{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]);
    });
    let mut snapshot = snapshot(Arc::clone(&set), Vec::new());
    snapshot.history.revisions = vec![view(json!({
        "metadata": {"namespace": "ns", "name": "db-r1"}, "revision": 1,
        "data": {"spec": {"template": {
            "metadata": {"labels": {"app": "db"}, "creationTimestamp": null},
            "spec": {
                "containers": [{"name": "c", "image": "v1", "resources": {}}],
                "volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
            },
        }}},
    }))];
    // Its claims come first.
    let first = plan(&snapshot, now());
    assert_eq!(acts(&first), ["+data-db-5"]);
    let claim = body_of(&first, "create persistentvolumeclaims");
    assert_eq!(
        claim["metadata"],
        json!({"name": "data-db-5", "namespace": "ns", "labels": {"app": "db"}, "annotations": {}})
    );
    assert_eq!(claim["spec"], json!({"accessModes": ["ReadWriteOnce"]}));
    let told = first.steps[0].then.as_ref().unwrap();
    assert_eq!(
        told.message,
        "create Claim data-db-5 Pod db-5 in StatefulSet db success"
    );
    let claim = json!({"metadata": {"namespace": "ns", "name": "data-db-5"}});
    snapshot.claims.insert("data-db-5".into(), view::<Claim>(claim));
    let second = plan(&snapshot, now());
    let pod = body_of(&second, "create pods db-5");
    assert_eq!(
        pod["metadata"],
        json!({
            "name": "db-5",
            "namespace": "ns",
            "labels": {
                "app": "db",
                "controller-revision-hash": "db-r1",
                "statefulset.kubernetes.io/pod-name": "db-5",
                "apps.kubernetes.io/pod-index": "5",
            },
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "uid-db",
                "controller": true, "blockOwnerDeletion": true,
            }],
        })
    );
    assert_eq!(
        (&pod["spec"]["hostname"], &pod["spec"]["subdomain"]),
        (&json!("db-5"), &json!("dbs"))
    );
    assert_eq!(
        pod["spec"]["volumes"],
        json!([
            {"name": "tmp", "emptyDir": {}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-5"}},
        ])
    );
    let told = second.steps[0].then.as_ref().unwrap();
    assert_eq!(told.message, "create Pod db-5 in StatefulSet db successful");
}

#[test]
fn names_tell_ordinals() {
    let set = set(1, |_| {});
    let cases = [
        ("db-0", Some(0)),
        ("db-12", Some(12)),
        ("db-012", None),
        ("db-+1", None),
        ("db--1", None),
        ("db-x-1", None),
        ("db-", None),
        ("other-1", None),
    ];
    for (name, expected) in cases {
        assert_eq!(identity::ordinal(&set, name), expected, "{name}");
    }
}

fn claim(name: &str, owners: Value, edit: impl FnOnce(&mut Value)) -> (Box<str>, Arc<Claim>) {
    let mut claim = json!({"metadata": {"namespace": "ns", "name": name, "ownerReferences": owners}});
    edit(&mut claim);
    (name.into(), view(claim))
}

#[test]
fn a_pod_waits_for_the_end_of_claims_that_were_anothers() {
    let ended = json!([{"apiVersion": "v1", "kind": "Pod", "name": "db-0", "uid": "uid-before"}]);
    let cases = [
        (claim("data-db-0", ended, |_| {}), 0),
        (claim("data-db-0", json!([]), ending), 0),
        (claim("data-db-0", json!([]), |_| {}), 1),
    ];
    for ((name, claim), expected) in cases {
        let mut snapshot = snapshot(set(1, with_claims), Vec::new());
        snapshot.claims.insert(name, claim);
        assert_eq!(acts(&plan(&snapshot, now())).len(), expected);
    }
}

#[test]
fn claims_are_kept_or_go_as_the_policy_says() {
    let policy = |deleted: &str, scaled: &str| json!({"whenDeleted": deleted, "whenScaled": scaled});
    // Policy, who owns the claims of a pod that stays and of one that is surplus.
    let cases = [
        (policy("Retain", "Retain"), "", ""),
        (policy("Delete", "Retain"), "StatefulSet", "StatefulSet"),
        (policy("Retain", "Delete"), "", "Pod"),
        (policy("Delete", "Delete"), "StatefulSet", "Pod"),
    ];
    let owner = |kind: &str| match kind {
        "" => json!([]),
        "Pod" => json!([{"apiVersion": "v1", "kind": "Pod", "name": "db-1", "uid": "uid-db-1"}]),
        _ => json!([owned_by_set()]),
    };
    for (policy, stays, goes) in cases {
        let make = |first: &str, second: &str| {
            let edit = |set: &mut Value| {
                with_claims(set);
                set["spec"]["persistentVolumeClaimRetentionPolicy"] = policy.clone();
            };
            let mut snapshot = snapshot(set(1, edit), pods("rr"));
            snapshot.claims.extend([
                claim("data-db-0", owner(first), |_| {}),
                claim("data-db-1", owner(second), |_| {}),
            ]);
            plan(&snapshot, now())
        };
        // As it should be: the pod goes.
        assert_eq!(acts(&make(stays, goes)), ["-db-1"], "{policy}");
        // Not yet: first the claim is handed over, then the pod goes.
        let wrong = if goes == "Pod" { "" } else { "Pod" };
        let plan = make(stays, wrong);
        assert_eq!(acts(&plan), [""; 0], "{policy}");
        let lines = lines(&plan);
        assert!(
            lines[0].starts_with("merge persistentvolumeclaims data-db-1"),
            "{lines:?}"
        );
        assert_eq!(
            lines[0].contains("StatefulSet"),
            goes == "StatefulSet",
            "{lines:?}"
        );
    }
}
