//! Creating and updating.

use coracle_api::{ApiError, Reason, kinds};
use serde_json::json;

use super::super::{Context, FieldValidation, WriteOptions};
use crate::testing::{Bench, bind, config_map, deployment, json_of, pod, target};

fn check_error<T: std::fmt::Debug>(outcome: Result<T, ApiError>, code: u16, message: &str) {
    let error = outcome.unwrap_err();
    assert_eq!((error.code(), error.message()), (code, message));
}

#[tokio::test]
async fn a_new_object_is_stamped() {
    let bench = Bench::new().await;
    let written = bench
        .create(kinds::CONFIG_MAP, config_map("a", "1"))
        .await
        .unwrap();
    let object = json_of(&written.entry);
    let metadata = &object["metadata"];
    assert!(written.created);
    assert_eq!(metadata["namespace"], "default");
    assert_eq!(metadata["uid"].as_str().unwrap().len(), 36);
    assert_eq!(metadata["resourceVersion"], written.entry.revision.to_string());
    assert!(metadata["creationTimestamp"].as_str().unwrap().ends_with('Z'));
    assert!(metadata.get("generation").is_none());
    assert_eq!(bench.get(kinds::CONFIG_MAP, "a").await.unwrap(), object);
    assert_eq!(bench.registry.revision(), written.entry.revision);
}

#[tokio::test]
async fn refusals_are_worded_as_upstream_words_them() {
    let bench = Bench::new().await;
    bench
        .create(kinds::CONFIG_MAP, config_map("s3", "1"))
        .await
        .unwrap();
    let again = bench.create(kinds::CONFIG_MAP, config_map("s3", "2")).await;
    check_error(again, 409, "configmaps \"s3\" already exists");

    let mut elsewhere = config_map("x", "1");
    elsewhere["metadata"]["namespace"] = "nonono".into();
    let body = elsewhere.to_string().into();
    let missing = bench
        .registry
        .create(&Context::internal(), kinds::CONFIG_MAP, "nonono", "", body)
        .await;
    check_error(missing, 404, "namespaces \"nonono\" not found");

    let mismatch = bench.create(kinds::CONFIG_MAP, elsewhere).await;
    let why = "the namespace of the provided object does not match the namespace sent on the request";
    check_error(mismatch, 400, why);

    check_error(
        bench.get(kinds::CONFIG_MAP, "zz9").await,
        404,
        "configmaps \"zz9\" not found",
    );
    let update = bench
        .update(target(kinds::CONFIG_MAP, "zz9"), "", &config_map("zz9", "1"))
        .await;
    check_error(update, 404, "configmaps \"zz9\" not found");

    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}});
    let wrong = bench.create(kinds::CONFIG_MAP, secret).await;
    let why = "Secret in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Secret) to \
               (core.ConfigMap): unknown conversion";
    check_error(wrong, 400, why);
}

#[tokio::test]
async fn unknown_fields_are_dropped_told_or_refused() {
    let bench = Bench::new().await;
    let mut object = config_map("a", "1");
    object["bogus"] = 1.into();
    let ctx = |field_validation| Context {
        options: WriteOptions {
            field_validation,
            ..WriteOptions::default()
        },
        ..Context::internal()
    };
    let strict = bench
        .create_with(&ctx(FieldValidation::Strict), kinds::CONFIG_MAP, object.clone())
        .await;
    let why = "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \
               \"bogus\"";
    check_error(strict, 400, why);
    let warned = bench
        .create_with(&ctx(FieldValidation::Warn), kinds::CONFIG_MAP, object.clone())
        .await
        .unwrap();
    assert_eq!(warned.warnings, ["unknown field \"bogus\""]);
    object["metadata"]["name"] = "b".into();
    let silent = bench
        .create_with(&ctx(FieldValidation::Ignore), kinds::CONFIG_MAP, object)
        .await
        .unwrap();
    assert!(silent.warnings.is_empty());
    assert!(json_of(&silent.entry).get("bogus").is_none());
}

#[tokio::test]
async fn a_stale_update_is_a_conflict_and_an_equal_one_writes_nothing() {
    let bench = Bench::new().await;
    let first = bench
        .create(kinds::CONFIG_MAP, config_map("a", "1"))
        .await
        .unwrap();
    let mut object = json_of(&first.entry);
    let same = bench
        .update(target(kinds::CONFIG_MAP, "a"), "", &object)
        .await
        .unwrap();
    assert_eq!(same.entry.revision, first.entry.revision);
    assert_eq!(bench.registry.revision(), first.entry.revision);

    let stale = object.clone();
    object["data"]["key"] = "2".into();
    let second = bench
        .update(target(kinds::CONFIG_MAP, "a"), "", &object)
        .await
        .unwrap();
    assert!(second.entry.revision > first.entry.revision);
    let refused = bench.update(target(kinds::CONFIG_MAP, "a"), "", &stale).await;
    let why = "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your \
               changes to the latest version and try again";
    check_error(refused, 409, why);

    let mut unconditional = config_map("a", "3");
    let third = bench
        .update(target(kinds::CONFIG_MAP, "a"), "", &unconditional)
        .await
        .unwrap();
    assert_eq!(third.entry.attributes.uid, first.entry.attributes.uid);
    unconditional["metadata"]["uid"] = "other".into();
    let other = bench
        .update(target(kinds::CONFIG_MAP, "a"), "", &unconditional)
        .await
        .unwrap_err();
    assert!(other.message().contains("UID in precondition: other"), "{other}");
}

#[tokio::test]
async fn status_and_spec_have_their_own_doors() {
    let bench = Bench::new().await;
    let mut object = deployment("web");
    object["status"] = json!({"replicas": 7});
    let created = json_of(&bench.create(kinds::DEPLOYMENT, object).await.unwrap().entry);
    assert_eq!(created["metadata"]["generation"], 1);
    assert_eq!(created["status"], json!({}));

    let mut by_status = created.clone();
    by_status["status"] = json!({"replicas": 2, "observedGeneration": 1});
    by_status["spec"]["replicas"] = 9.into();
    let target_of = || target(kinds::DEPLOYMENT, "web");
    let after = json_of(
        &bench
            .update(target_of(), "status", &by_status)
            .await
            .unwrap()
            .entry,
    );
    assert_eq!(
        (&after["spec"]["replicas"], &after["status"]["replicas"]),
        (&2.into(), &2.into())
    );
    assert_eq!(after["metadata"]["generation"], 1);

    let mut by_spec = after.clone();
    by_spec["spec"]["replicas"] = 3.into();
    by_spec["status"] = json!({});
    let after = json_of(&bench.update(target_of(), "", &by_spec).await.unwrap().entry);
    assert_eq!(
        (&after["spec"]["replicas"], &after["status"]["replicas"]),
        (&3.into(), &2.into())
    );
    assert_eq!(after["metadata"]["generation"], 2);
}

#[tokio::test]
async fn generated_names_are_drawn_until_one_is_free() {
    let bench = Bench::new().await;
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "job-"}});
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let written = bench.create(kinds::CONFIG_MAP, object.clone()).await.unwrap();
        let name = written.entry.attributes.name.to_string();
        assert!(name.starts_with("job-") && name.len() == 9, "{name}");
        assert!(names.insert(name));
    }
}

#[tokio::test]
async fn a_dry_run_keeps_nothing() {
    let bench = Bench::new().await;
    let before = bench.registry.revision();
    let options = WriteOptions {
        dry_run: true,
        ..WriteOptions::default()
    };
    let ctx = Context {
        options,
        ..Context::internal()
    };
    let written = bench
        .create_with(&ctx, kinds::CONFIG_MAP, config_map("a", "1"))
        .await
        .unwrap();
    assert!(json_of(&written.entry)["metadata"]["uid"].is_string());
    assert_eq!(bench.registry.revision(), before);
    assert_eq!(
        bench.get(kinds::CONFIG_MAP, "a").await.unwrap_err().reason(),
        Reason::NotFound
    );
}

#[tokio::test]
async fn a_pod_is_bound_once() {
    let bench = Bench::new().await;
    let created = json_of(&bench.create(kinds::POD, pod("p")).await.unwrap().entry);
    assert_eq!(created["status"]["phase"], "Pending");
    assert_eq!(created["spec"]["tolerations"].as_array().unwrap().len(), 2);
    let bound = json_of(&bind(&bench, "p", "node-1").await.unwrap().entry);
    assert_eq!(bound["spec"]["nodeName"], "node-1");
    assert_eq!(bound["metadata"]["generation"], 1);
    assert_eq!(bound["status"]["conditions"][0]["type"], "PodScheduled");
    let again = bind(&bench, "p", "node-2").await;
    let why =
        "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"node-1\"";
    check_error(again, 409, why);
    check_error(bind(&bench, "q", "node-1").await, 404, "pods \"q\" not found");
}

#[tokio::test]
async fn a_leaders_write_needs_its_lease() {
    let bench = Bench::new().await;
    let lease = |holder: &str, transitions: i32| {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "leader"},
            "spec": {"holderIdentity": holder, "leaseTransitions": transitions, "leaseDurationSeconds": 15},
        })
    };
    bench.create(kinds::LEASE, lease("one", 1)).await.unwrap();
    let fenced = |holder: &str, transitions| {
        let fence = super::super::FenceRef {
            namespace: "default".to_owned(),
            name: "leader".to_owned(),
            holder: holder.to_owned(),
            transitions,
        };
        let options = WriteOptions {
            fence: Some(fence),
            ..WriteOptions::default()
        };
        Context {
            options,
            ..Context::internal()
        }
    };
    bench
        .create_with(&fenced("one", 1), kinds::CONFIG_MAP, config_map("a", "1"))
        .await
        .unwrap();
    bench
        .update(target(kinds::LEASE, "leader"), "", &lease("two", 2))
        .await
        .unwrap();
    let late = bench
        .create_with(&fenced("one", 1), kinds::CONFIG_MAP, config_map("b", "1"))
        .await
        .unwrap_err();
    assert!(late.is_fenced(), "{late}");
    assert!(bench.get(kinds::CONFIG_MAP, "b").await.is_err());
    bench
        .create_with(&fenced("two", 2), kinds::CONFIG_MAP, config_map("b", "1"))
        .await
        .unwrap();
}

#[tokio::test]
async fn secrets_are_sealed_and_survive_a_restart() {
    let bench = Bench::new().await;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "hunter2"},
    });
    let written = bench.create(kinds::SECRET, secret).await.unwrap();
    let object = json_of(&written.entry);
    assert_eq!(object["data"]["password"], "aHVudGVyMg==");
    assert!(object.get("stringData").is_none());
    assert_eq!(object["type"], "Opaque");
    let reopened = bench.reopened();
    let entry = reopened.get(&target(kinds::SECRET, "s"), "", None).await.unwrap();
    assert_eq!(entry.json, written.entry.json);
    assert_eq!(entry.attributes, written.entry.attributes);
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let bench = Bench::new().await;
    let huge = bench
        .create(kinds::CONFIG_MAP, config_map("a", &"x".repeat(2 << 20)))
        .await
        .unwrap_err();
    assert!(
        matches!(huge.reason(), Reason::Invalid | Reason::RequestEntityTooLarge),
        "{}",
        huge.reason()
    );
    assert!(bench.get(kinds::CONFIG_MAP, "a").await.is_err());
}
