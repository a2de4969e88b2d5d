//! Patches, and the `scale` subresource.

use coracle_api::kinds;
use serde_json::json;

use super::super::{Context, PatchType, Preconditions};
use crate::testing::{Bench, config_map, deployment, json_of, target};

#[tokio::test]
async fn each_format_does_its_own() {
    let bench = Bench::new().await;
    bench.create(kinds::DEPLOYMENT, deployment("web")).await.unwrap();
    let patch = |patch_type, body: serde_json::Value| {
        let (bench, ctx) = (&bench, Context::internal());
        async move {
            let body = body.to_string().into();
            let target = target(kinds::DEPLOYMENT, "web");
            bench
                .registry
                .patch(&ctx, target, "", patch_type, body, Preconditions::default())
                .await
        }
    };
    let strategic =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.26"}]}}}});
    let after = json_of(&patch(PatchType::StrategicMerge, strategic).await.unwrap().entry);
    assert_eq!(
        after["spec"]["template"]["spec"]["containers"][0]["image"],
        "nginx:1.26"
    );
    assert_eq!(after["metadata"]["generation"], 2);
    let merge = json!({"metadata": {"annotations": {"note": "1"}}});
    let after = json_of(&patch(PatchType::Merge, merge).await.unwrap().entry);
    assert_eq!(after["metadata"]["annotations"]["note"], "1");
    let json_patch = json!([{"op": "replace", "path": "/spec/replicas", "value": 5}]);
    let after = json_of(&patch(PatchType::Json, json_patch).await.unwrap().entry);
    assert_eq!(after["spec"]["replicas"], 5);
    let failing = json!([{"op": "test", "path": "/spec/replicas", "value": 4}]);
    let error = patch(PatchType::Json, failing).await.unwrap_err();
    assert_eq!(error.code(), 422);
    assert_eq!(
        error.message(),
        "the server rejected our request due to an error in our request"
    );
}

#[tokio::test]
async fn a_patch_that_names_a_revision_rests_on_it() {
    let bench = Bench::new().await;
    let first = bench
        .create(kinds::CONFIG_MAP, config_map("a", "1"))
        .await
        .unwrap();
    let target_of = || target(kinds::CONFIG_MAP, "a");
    let patch =
        json!({"metadata": {"resourceVersion": first.entry.revision.to_string()}, "data": {"key": "2"}});
    bench.patch(target_of(), "", patch.clone()).await.unwrap();
    let stale = bench.patch(target_of(), "", patch).await.unwrap_err();
    assert!(stale.is_conflict(), "{stale}");
    let ctx = Context::internal();
    let wrong_uid = Preconditions {
        uid: Some("other".to_owned()),
        revision: None,
    };
    let body = json!({"data": {"key": "3"}}).to_string().into();
    let refused = bench
        .registry
        .patch(&ctx, target_of(), "", PatchType::Merge, body, wrong_uid)
        .await
        .unwrap_err();
    assert!(refused.is_conflict(), "{refused}");
}

#[tokio::test]
async fn a_patch_without_effect_writes_nothing() {
    let bench = Bench::new().await;
    let first = bench
        .create(kinds::CONFIG_MAP, config_map("a", "1"))
        .await
        .unwrap();
    let same = bench
        .patch(target(kinds::CONFIG_MAP, "a"), "", json!({"data": {"key": "1"}}))
        .await
        .unwrap();
    assert_eq!(same.entry.revision, first.entry.revision);
    assert_eq!(bench.registry.revision(), first.entry.revision);
}

#[tokio::test]
async fn scale_is_a_view_of_the_deployment() {
    let bench = Bench::new().await;
    bench.create(kinds::DEPLOYMENT, deployment("web")).await.unwrap();
    let target_of = || target(kinds::DEPLOYMENT, "web");
    let scale = json_of(&bench.registry.get(&target_of(), "scale", None).await.unwrap());
    assert_eq!(scale["kind"], "Scale");
    assert_eq!(scale["apiVersion"], "autoscaling/v1");
    assert_eq!(
        (&scale["spec"]["replicas"], &scale["status"]["selector"]),
        (&2.into(), &"app=web".into())
    );

    let after = json_of(
        &bench
            .patch(target_of(), "scale", json!({"spec": {"replicas": 4}}))
            .await
            .unwrap()
            .entry,
    );
    assert_eq!(
        (&after["kind"], &after["spec"]["replicas"]),
        (&"Scale".into(), &4.into())
    );
    let object = bench.get(kinds::DEPLOYMENT, "web").await.unwrap();
    assert_eq!(
        (&object["spec"]["replicas"], &object["metadata"]["generation"]),
        (&4.into(), &2.into())
    );

    let mut stale = scale.clone();
    stale["spec"]["replicas"] = 1.into();
    assert!(
        bench
            .update(target_of(), "scale", &stale)
            .await
            .unwrap_err()
            .is_conflict()
    );
    let negative = bench
        .patch(target_of(), "scale", json!({"spec": {"replicas": -1}}))
        .await
        .unwrap_err();
    assert_eq!(negative.code(), 422);
    let none = bench
        .registry
        .get(&target(kinds::CONFIG_MAP, "a"), "scale", None)
        .await
        .unwrap_err();
    assert!(none.is_not_found());
}
