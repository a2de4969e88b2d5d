//! Tests of `namespace`.

use std::time::Duration;

use coracle_api::kinds;
use serde_json::json;

use super::plan::{Content, Snapshot, plan};
use crate::{
    testing::{ago, body_of, lines, now, view},
    view::Bare,
};

fn snapshot(contents: Vec<Content>) -> Snapshot {
    let namespace = view(json!({
        "metadata": {"name": "old", "deletionTimestamp": ago(1)},
        "spec": {"finalizers": ["kubernetes", "mine"]},
    }));
    Snapshot {
        namespace,
        contents,
        retry: Duration::from_millis(5),
    }
}

#[test]
fn contents_are_deleted_once_and_waited_for() {
    let pod = |metadata| Content {
        resource: kinds::POD,
        meta: view::<Bare>(json!({"metadata": metadata})).meta.clone(),
    };
    let ending = json!({"namespace": "old", "name": "ending", "deletionTimestamp": ago(1)});
    let contents = vec![pod(json!({"namespace": "old", "name": "p"})), pod(ending)];
    let found = plan(&snapshot(contents), now());
    assert_eq!(lines(&found)[..1], ["delete pods p"]);
    assert!(found.requeue_after.is_some());
}

#[test]
fn an_empty_namespace_is_let_go() {
    assert_eq!(
        lines(&plan(&snapshot(Vec::new()), now())),
        [r#"update namespaces/finalize old {"finalizers":["mine"]}"#]
    );
}

#[test]
fn what_the_deletion_waits_for_is_said_once() {
    let claim = json!({
        "namespace": "old", "name": "c", "deletionTimestamp": ago(9), "finalizers": ["kubernetes.io/pvc-protection"],
    });
    let contents = vec![Content {
        resource: kinds::PERSISTENT_VOLUME_CLAIM,
        meta: view::<Bare>(json!({"metadata": claim})).meta.clone(),
    }];
    let found = plan(&snapshot(contents.clone()), now());
    let said = body_of(&found, "patch namespaces/status old")["status"]["conditions"].clone();
    let of = |kind: &str| {
        let all = said.as_array().unwrap().iter();
        let own = all.into_iter().find(|own| own["type"] == kind).unwrap();
        (own["status"].as_str().unwrap(), own["message"].as_str().unwrap())
    };
    let remaining = "Some resources are remaining: persistentvolumeclaims. has 1 resource instances";
    assert_eq!(of("NamespaceContentRemaining"), ("True", remaining));
    let finalizers = "Some content in the namespace has finalizers remaining: kubernetes.io/pvc-protection in 1 resource instances";
    assert_eq!(of("NamespaceFinalizersRemaining"), ("True", finalizers));
    assert_eq!(of("NamespaceDeletionContentFailure").0, "False");
    let namespace = view(json!({
        "metadata": {"name": "old", "deletionTimestamp": ago(1)},
        "spec": {"finalizers": ["kubernetes"]}, "status": {"conditions": said},
    }));
    let told = Snapshot {
        namespace,
        ..snapshot(contents)
    };
    assert_eq!(lines(&plan(&told, now())), Vec::<String>::new());
}
