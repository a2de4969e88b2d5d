//! Tests of `namespace`.

use std::time::Duration;

use coracle_api::kinds;
use serde_json::json;

use super::plan::{Content, Snapshot, plan};
use crate::{
    testing::{ago, lines, view},
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
    let found = plan(&snapshot(contents));
    assert_eq!(lines(&found), ["delete pods p"]);
    assert!(found.requeue_after.is_some());
}

#[test]
fn an_empty_namespace_is_let_go() {
    assert_eq!(
        lines(&plan(&snapshot(Vec::new()))),
        [r#"update namespaces/finalize old {"finalizers":["mine"]}"#]
    );
}
