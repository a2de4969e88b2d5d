//! Tests of `binder`.

use std::{collections::BTreeSet, sync::Arc};

use coracle_runtime::Plan;
use serde_json::{Value, json};

use super::plan::{Snapshot, plan};
use crate::{
    testing::{ago, body_of, lines, view},
    view::{Claim, Volume},
};

fn claim(name: &str, edit: impl FnOnce(&mut Value)) -> Arc<Claim> {
    let mut claim = json!({
        "metadata": {"namespace": "ns", "name": name, "creationTimestamp": ago(10)},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        "status": {"phase": "Pending"},
    });
    edit(&mut claim);
    view(claim)
}

fn volume(name: &str, size: &str, edit: impl FnOnce(&mut Value)) -> Arc<Volume> {
    let mut volume = json!({
        "metadata": {"name": name, "labels": {"disk": "fast"}},
        "spec": {
            "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
            "capacity": {"storage": size},
            "persistentVolumeReclaimPolicy": "Retain",
        },
        "status": {"phase": "Available"},
    });
    edit(&mut volume);
    view(volume)
}

fn bound_to(name: &str, uid: &str) -> impl FnOnce(&mut Value) {
    let claim = json!({"namespace": "ns", "name": name, "uid": uid});
    move |volume| volume["spec"]["claimRef"] = claim
}

fn planned(claims: Vec<Arc<Claim>>, volumes: Vec<Arc<Volume>>) -> Plan {
    plan(&Snapshot {
        claims,
        volumes,
        gone: BTreeSet::new(),
    })
}

/// The volumes that are reserved, with the claims that they are reserved for.
fn reserved(plan: &Plan) -> Vec<String> {
    let patches = lines(plan)
        .into_iter()
        .filter(|line| line.starts_with("patch persistentvolumes "));
    let reservations = patches.map(|line| {
        let mut words = line.splitn(4, ' ').skip(2).map(str::to_owned);
        let (volume, body) = (words.next().unwrap(), words.next().unwrap());
        let body: Value = serde_json::from_str(&body).unwrap();
        format!(
            "{volume} for {}",
            body["spec"]["claimRef"]["name"].as_str().unwrap()
        )
    });
    reservations.collect()
}

#[test]
fn the_smallest_volume_that_fits_is_taken() {
    let volumes = || {
        vec![
            volume("big", "10Gi", |_| {}),
            volume("small", "500Mi", |_| {}),
            volume("fit", "2Gi", |_| {}),
        ]
    };
    let cases: [(&str, Arc<Claim>, &[&str]); 6] = [
        ("capacity", claim("c", |_| {}), &["fit for c"]),
        (
            "all access modes",
            claim("c", |claim| {
                claim["spec"]["accessModes"] = json!(["ReadWriteMany", "ReadOnlyMany"])
            }),
            &[],
        ),
        (
            "storage class",
            claim("c", |claim| claim["spec"]["storageClassName"] = json!("gold")),
            &[],
        ),
        (
            "selector",
            claim("c", |claim| {
                claim["spec"]["selector"] = json!({"matchLabels": {"disk": "slow"}})
            }),
            &[],
        ),
        (
            "the named one",
            claim("c", |claim| claim["spec"]["volumeName"] = json!("big")),
            &["big for c"],
        ),
        (
            "volume mode",
            claim("c", |claim| claim["spec"]["volumeMode"] = json!("Block")),
            &[],
        ),
    ];
    for (what, claim, expected) in cases {
        assert_eq!(reserved(&planned(vec![claim], volumes())), expected, "{what}");
    }
}

#[test]
fn each_volume_goes_to_one_claim_and_the_oldest_claim_is_first() {
    let old = claim("old", |claim| {
        claim["metadata"]["creationTimestamp"] = json!(ago(99))
    });
    let plan = planned(
        vec![claim("young", |_| {}), old],
        vec![volume("only", "1Gi", |_| {})],
    );
    assert_eq!(reserved(&plan), ["only for old"]);
    assert_eq!(plan.notes.len(), 1);
    assert_eq!(plan.notes[0].reason, "FailedBinding");
}

#[test]
fn a_volume_reserved_by_name_goes_to_that_claim_only() {
    let reserved_for_c = || volume("mine", "50Gi", bound_to("c", ""));
    let plan = planned(
        vec![claim("c", |_| {})],
        vec![reserved_for_c(), volume("fit", "1Gi", |_| {})],
    );
    assert_eq!(reserved(&plan), ["mine for c"]);
    assert_eq!(
        reserved(&planned(vec![claim("other", |_| {})], vec![reserved_for_c()])),
        [""; 0]
    );
}

#[test]
fn the_claim_follows_its_volume() {
    let plan = planned(
        vec![claim("c", |_| {})],
        vec![volume("v", "2Gi", bound_to("c", "uid-c"))],
    );
    assert_eq!(
        body_of(&plan, "patch persistentvolumes/status v"),
        json!({"status": {"phase": "Bound"}})
    );
    let bound = body_of(&plan, "patch persistentvolumeclaims c");
    assert_eq!(bound["spec"], json!({"volumeName": "v"}));
    assert_eq!(
        bound["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"],
        "yes"
    );
    assert_eq!(
        body_of(&plan, "patch persistentvolumeclaims/status c"),
        json!({"status": {
            "phase": "Bound", "accessModes": ["ReadWriteOnce", "ReadWriteMany"], "capacity": {"storage": "2Gi"},
        }})
    );
}

#[test]
fn a_finished_binding_is_left_alone() {
    let bound = claim("c", |claim| {
        claim["spec"]["volumeName"] = json!("v");
        claim["status"] = json!({"phase": "Bound", "capacity": {"storage": "2Gi"}});
    });
    let volume = volume("v", "2Gi", |volume| {
        bound_to("c", "uid-c")(volume);
        volume["status"]["phase"] = json!("Bound");
    });
    let plan = planned(vec![bound], vec![volume]);
    assert!(plan.is_empty(), "{plan:?}");
}

#[test]
fn a_volume_whose_claim_is_gone_is_released_or_failed() {
    let bound = |policy: &str| {
        let policy = json!(policy);
        volume("v", "1Gi", move |volume| {
            bound_to("c", "uid-c")(volume);
            volume["status"]["phase"] = json!("Bound");
            volume["spec"]["persistentVolumeReclaimPolicy"] = policy;
        })
    };
    let phase = |policy: &str| {
        let gone = BTreeSet::from(["uid-c".into()]);
        let plan = plan(&Snapshot {
            claims: Vec::new(),
            volumes: vec![bound(policy)],
            gone,
        });
        body_of(&plan, "patch persistentvolumes/status v")["status"]["phase"].clone()
    };
    assert_eq!(phase("Retain"), "Released");
    assert_eq!(phase("Delete"), "Failed");
    // Nobody looked yet whether it is really gone.
    assert!(planned(Vec::new(), vec![bound("Retain")]).is_empty());
}

#[test]
fn a_released_volume_is_not_given_to_another() {
    let released = volume("v", "1Gi", |volume| {
        bound_to("old", "uid-old")(volume);
        volume["status"]["phase"] = json!("Released");
    });
    assert_eq!(
        reserved(&planned(vec![claim("c", |_| {})], vec![released])),
        [""; 0]
    );
}

#[test]
fn a_bound_claim_without_its_volume_is_lost() {
    let bound = claim("c", |claim| {
        claim["spec"]["volumeName"] = json!("v");
        claim["status"] = json!({"phase": "Bound"});
    });
    let plan = planned(vec![bound], Vec::new());
    assert_eq!(
        body_of(&plan, "patch persistentvolumeclaims/status c")["status"]["phase"],
        "Lost"
    );
}
