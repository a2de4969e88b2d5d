//! Server-side apply, and who owns what after any write.

use coracle_api::{ApiError, kinds};
use serde_json::{Value, json};

use super::super::{Applying, Context, PatchType, Preconditions, Target, Write, Written};
use crate::testing::{Bench, config_map, deployment, json_of, target};

fn writer(manager: &str) -> Context {
    let mut ctx = Context::internal();
    manager.clone_into(&mut ctx.options.field_manager);
    ctx
}

async fn apply_to(
    bench: &Bench,
    (target, subresource): (Target, &str),
    manager: &str,
    config: &Value,
    force: bool,
) -> Result<Written, ApiError> {
    let write = Write::Apply {
        target,
        subresource: subresource.to_owned(),
        body: config.to_string().into(),
        force,
    };
    bench.registry.write(&writer(manager), write).await
}

async fn apply(bench: &Bench, manager: &str, config: Value) -> Result<Written, ApiError> {
    let resource = match config["kind"].as_str() {
        Some("Deployment") => kinds::DEPLOYMENT,
        _ => kinds::CONFIG_MAP,
    };
    let name = config["metadata"]["name"].as_str().unwrap_or("a").to_owned();
    apply_to(bench, (target(resource, &name), ""), manager, &config, false).await
}

async fn update(bench: &Bench, manager: &str, (target, part): (Target, &str), object: &Value) -> Value {
    let body = object.to_string().into();
    let written = bench.registry.update(&writer(manager), target, part, body).await;
    json_of(&written.unwrap().entry)
}

fn data(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})
}

/// `MANAGER OPERATION SUBRESOURCE: FIELDS` of each entry.
fn owners(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array();
    let entry = |entry: &Value| {
        let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        format!(
            "{} {} {}: {}",
            text("manager"),
            text("operation"),
            text("subresource"),
            entry["fieldsV1"]
        )
    };
    let mut owners: Vec<String> = entries.into_iter().flatten().map(entry).collect();
    owners.sort();
    owners
}

#[tokio::test]
async fn the_first_apply_creates_and_the_next_changes_or_does_nothing() {
    let bench = Bench::new().await;
    let created = apply(&bench, "one", data(json!({"x": "1", "y": "1"})))
        .await
        .unwrap();
    assert!(created.created);
    let object = json_of(&created.entry);
    assert_eq!(owners(&object), [r#"one Apply : {"f:data":{"f:x":{},"f:y":{}}}"#]);
    let entry = &object["metadata"]["managedFields"][0];
    assert_eq!(
        (&entry["apiVersion"], &entry["fieldsType"]),
        (&"v1".into(), &"FieldsV1".into())
    );
    assert!(entry["time"].is_string());
    let same = apply(&bench, "one", data(json!({"x": "1", "y": "1"})))
        .await
        .unwrap();
    assert!(!same.created);
    assert_eq!(same.entry.revision, created.entry.revision);
    let other = apply(&bench, "other", data(json!({"y": "1", "z": "1"})))
        .await
        .unwrap();
    assert_eq!(
        json_of(&other.entry)["data"],
        json!({"x": "1", "y": "1", "z": "1"})
    );
    // What nobody else owns goes with the one who no longer wants it.
    let left = apply(&bench, "one", data(json!({}))).await.unwrap();
    assert_eq!(json_of(&left.entry)["data"], json!({"y": "1", "z": "1"}));
}

#[tokio::test]
async fn conflicts_are_told_and_force_decides_them() {
    let bench = Bench::new().await;
    bench
        .create_with(
            &writer("kubectl-client-side-apply"),
            kinds::DEPLOYMENT,
            deployment("web"),
        )
        .await
        .unwrap();
    let config = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 3},
    });
    let error = apply(&bench, "kubectl", config.clone()).await.unwrap_err();
    assert_eq!(
        error.message(),
        "Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using apps/v1: .spec.replicas"
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&error.to_json()).unwrap()["details"],
        json!({"causes": [{
            "reason": "FieldManagerConflict",
            "message": "conflict with \"kubectl-client-side-apply\" using apps/v1",
            "field": ".spec.replicas",
        }]})
    );
    let at = (target(kinds::DEPLOYMENT, "web"), "");
    let forced = apply_to(&bench, at, "kubectl", &config, true).await.unwrap();
    let object = json_of(&forced.entry);
    assert_eq!(object["spec"]["replicas"], 3);
    assert_eq!(object["metadata"]["generation"], 2);
    assert!(owners(&object).contains(&r#"kubectl Apply : {"f:spec":{"f:replicas":{}}}"#.to_owned()));
}

/// As a Kubernetes cluster shows it for the Deployment of its own tutorial.
#[tokio::test]
async fn a_deployment_is_owned_field_by_field() {
    let bench = Bench::new().await;
    let mut object = deployment("web");
    object["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([{"containerPort": 80}]);
    let creator = writer("kubectl-create");
    let created = bench
        .create_with(&creator, kinds::DEPLOYMENT, object.clone())
        .await;
    let created = json_of(&created.unwrap().entry);
    let container = json!({
        ".": {}, "f:image": {}, "f:imagePullPolicy": {}, "f:name": {}, "f:resources": {},
        "f:ports": {
            ".": {},
            "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}, "f:protocol": {}},
        },
        "f:terminationMessagePath": {}, "f:terminationMessagePolicy": {},
    });
    let expected = json!({
        "f:spec": {
            "f:progressDeadlineSeconds": {}, "f:replicas": {}, "f:revisionHistoryLimit": {}, "f:selector": {},
            "f:strategy": {
                "f:rollingUpdate": {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}},
                "f:type": {},
            },
            "f:template": {
                "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                "f:spec": {
                    "f:containers": {"k:{\"name\":\"c\"}": container},
                    "f:dnsPolicy": {}, "f:restartPolicy": {}, "f:schedulerName": {}, "f:securityContext": {},
                    "f:terminationGracePeriodSeconds": {},
                },
            },
        },
    });
    assert_eq!(created["metadata"]["managedFields"][0]["fieldsV1"], expected);

    // A port beside the first, under the same number: only their protocols tell them apart.
    object["spec"]["template"]["spec"]["containers"][0]["ports"] =
        json!([{"containerPort": 80, "protocol": "UDP"}, {"containerPort": 80}]);
    let applied = apply(&bench, "one", object).await.unwrap();
    let applied = json_of(&applied.entry);
    let ports = &applied["spec"]["template"]["spec"]["containers"][0]["ports"];
    assert_eq!(
        ports,
        &json!([{"containerPort": 80, "protocol": "UDP"}, {"containerPort": 80, "protocol": "TCP"}])
    );
    let bogus = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": [{"name": "c", "bogus": 1}]}}},
    });
    let error = apply(&bench, "one", bogus).await.unwrap_err();
    assert_eq!(
        format!("{} {}", error.code(), error.message()),
        "500 failed to create typed patch object (default/web; apps/v1, Kind=Deployment): \
         .spec.template.spec.containers[name=\"c\"].bogus: field not declared in schema"
    );
}

#[tokio::test]
async fn addresses_that_the_server_gives_are_nobodys() {
    let bench = Bench::new().await;
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    });
    let created = bench.create_with(&writer("one"), kinds::SERVICE, service).await;
    let created = json_of(&created.unwrap().entry);
    assert!(created["spec"]["clusterIP"].is_string());
    let spec = &created["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"];
    assert_eq!(spec.get("f:clusterIP"), None, "{spec}");
    assert_eq!(spec["f:selector"], json!({}));
    assert!(
        spec["f:ports"]["k:{\"port\":80,\"protocol\":\"TCP\"}"].is_object(),
        "{spec}"
    );
}

#[tokio::test]
async fn what_names_no_manager_is_not_tracked_until_it_is_applied() {
    let bench = Bench::new().await;
    bench
        .create(kinds::CONFIG_MAP, config_map("a", "1"))
        .await
        .unwrap();
    let patched = bench
        .patch(target(kinds::CONFIG_MAP, "a"), "", json!({"data": {"key": "2"}}))
        .await
        .unwrap();
    assert_eq!(owners(&json_of(&patched.entry)), Vec::<String>::new());
    let applied = apply(&bench, "one", data(json!({"new": "1"}))).await.unwrap();
    assert_eq!(
        owners(&json_of(&applied.entry)),
        [
            r#"before-first-apply Update : {"f:data":{".":{},"f:key":{}}}"#,
            r#"one Apply : {"f:data":{"f:new":{}}}"#,
        ]
    );
    // From then on everybody is, by the name of the caller where there is no other.
    let patched = bench
        .patch(target(kinds::CONFIG_MAP, "a"), "", json!({"data": {"key": "3"}}))
        .await
        .unwrap();
    let owners = owners(&json_of(&patched.entry));
    assert!(
        owners.contains(&r#"kube-apiserver Update : {"f:data":{"f:key":{}}}"#.to_owned()),
        "{owners:?}"
    );
}

#[tokio::test]
async fn status_and_scale_have_owners_of_their_own() {
    let bench = Bench::new().await;
    let web = || target(kinds::DEPLOYMENT, "web");
    let mut object = deployment("web");
    object["status"] = json!({"replicas": 7});
    let created = apply(&bench, "one", object).await.unwrap();
    let created = json_of(&created.entry);
    assert!(
        !owners(&created)[0].contains("f:status"),
        "{:?}",
        owners(&created)
    );

    let mut status = created.clone();
    status["status"]["replicas"] = json!(2);
    status["spec"]["replicas"] = json!(9);
    status["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("managedFields");
    let after = update(&bench, "controller", (web(), "status"), &status).await;
    assert_eq!(
        owners(&after)[0],
        r#"controller Update status: {"f:status":{"f:replicas":{}}}"#
    );
    assert!(owners(&after)[1].contains(r#""f:replicas""#));

    let scale = json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 5},
    });
    let _ = update(&bench, "kubectl", (web(), "scale"), &scale).await;
    let after = bench.get(kinds::DEPLOYMENT, "web").await.unwrap();
    let scaled = r#"kubectl Update scale: {"f:spec":{"f:replicas":{}}}"#.to_owned();
    assert!(owners(&after).contains(&scaled), "{:?}", owners(&after));
    let error = apply(&bench, "one", deployment("web")).await.unwrap_err();
    assert_eq!(
        error.message(),
        "Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" using apps/v1: \
         .spec.replicas"
    );
    let mut applied = scale.clone();
    applied["spec"]["replicas"] = json!(6);
    let refused = apply_to(&bench, (web(), "scale"), "hpa", &applied, false)
        .await
        .unwrap_err();
    assert!(refused.is_conflict(), "{refused}");
    let forced = apply_to(&bench, (web(), "scale"), "hpa", &applied, true)
        .await
        .unwrap();
    assert_eq!(json_of(&forced.entry)["kind"], "Scale");
    let after = bench.get(kinds::DEPLOYMENT, "web").await.unwrap();
    assert_eq!(after["spec"]["replicas"], 6);
    assert!(owners(&after).contains(&r#"hpa Apply scale: {"f:spec":{"f:replicas":{}}}"#.to_owned()));
}

#[tokio::test]
async fn a_client_may_rewrite_the_owners() {
    let bench = Bench::new().await;
    let at = || target(kinds::CONFIG_MAP, "a");
    bench
        .create_with(
            &writer("kubectl-client-side-apply"),
            kinds::CONFIG_MAP,
            config_map("a", "1"),
        )
        .await
        .unwrap();
    let object = bench.get(kinds::CONFIG_MAP, "a").await.unwrap();
    // As kubectl turns its client-side apply into a server-side one.
    let mut entries = object["metadata"]["managedFields"].clone();
    entries[0]["manager"] = json!("kubectl");
    entries[0]["operation"] = json!("Apply");
    let patch = |entries: &Value| {
        let patch = json!([
            {"op": "replace", "path": "/metadata/managedFields", "value": entries},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": object["metadata"]["resourceVersion"]},
        ]);
        let (registry, ctx) = (bench.registry.clone(), writer("kubectl"));
        async move {
            let body = patch.to_string().into();
            registry
                .patch(&ctx, at(), "", PatchType::Json, body, Preconditions::default())
                .await
        }
    };
    let after = json_of(&patch(&entries).await.unwrap().entry);
    assert_eq!(
        owners(&after),
        [r#"kubectl Apply : {"f:data":{".":{},"f:key":{}}}"#]
    );
    assert!(patch(&entries).await.unwrap_err().is_conflict());
    let applied = apply(&bench, "kubectl", data(json!({"key": "2"}))).await.unwrap();
    assert_eq!(
        owners(&json_of(&applied.entry)),
        [r#"kubectl Apply : {"f:data":{"f:key":{}}}"#]
    );

    let merge = |entries: Value| bench.patch(at(), "", json!({"metadata": {"managedFields": entries}}));
    let wrong = merge(json!([{"manager": "a", "operation": "Foo"}]))
        .await
        .unwrap_err();
    assert_eq!(
        wrong.message(),
        "ConfigMap \"a\" is invalid: metadata.managedFields[0].operation: Invalid value: \"Foo\": must be `Apply` or \
         `Update`"
    );
    let ignored = json_of(&merge(json!([])).await.unwrap().entry);
    assert_eq!(owners(&ignored).len(), 1);
    let reset = json_of(&merge(json!([{}])).await.unwrap().entry);
    assert_eq!(reset["metadata"].get("managedFields"), None);
}

#[tokio::test]
async fn a_write_without_effect_keeps_the_times() {
    let bench = Bench::new().await;
    let at = || (target(kinds::CONFIG_MAP, "a"), "");
    let created = bench
        .create_with(&writer("one"), kinds::CONFIG_MAP, config_map("a", "1"))
        .await
        .unwrap();
    let object = json_of(&created.entry);
    let same = update(&bench, "other", at(), &object).await;
    assert_eq!(
        same["metadata"]["resourceVersion"],
        object["metadata"]["resourceVersion"]
    );
    let mut ctx = writer("dry");
    ctx.options.dry_run = true;
    let write = Write::Apply {
        target: at().0,
        subresource: String::new(),
        body: data(json!({"dry": "1"})).to_string().into(),
        force: false,
    };
    let dry = json_of(&bench.registry.write(&ctx, write).await.unwrap().entry);
    assert_eq!(dry["data"]["dry"], "1");
    assert_eq!(owners(&dry).len(), 2);
    assert_eq!(bench.get(kinds::CONFIG_MAP, "a").await.unwrap(), object);
}

#[tokio::test]
async fn configurations_that_are_refused() {
    let bench = Bench::new().await;
    let check = |manager: &'static str, config: Value, expected: &'static str| {
        let bench = &bench;
        async move {
            let error = apply(bench, manager, config).await.unwrap_err();
            assert_eq!(format!("{} {}", error.code(), error.message()), expected);
        }
    };
    check(
        "",
        data(json!({})),
        "422 PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
    )
    .await;
    let mut version = data(json!({}));
    version["apiVersion"] = json!("v2");
    check(
        "one",
        version,
        "400 Incorrect version specified in apply patch. Specified patch version: v2, expected: v1",
    )
    .await;
    let mut managed = data(json!({}));
    managed["metadata"]["managedFields"] = json!([]);
    check("one", managed, "400 metadata.managedFields must be nil").await;
    let mut uid = data(json!({}));
    uid["metadata"]["uid"] = json!("u");
    check(
        "one",
        uid.clone(),
        "409 Operation cannot be fulfilled on configmaps \"a\": uid mismatch: the provided object specified uid u, and \
         no existing object was found",
    )
    .await;
    apply(&bench, "one", data(json!({"x": "1"}))).await.unwrap();
    assert!(apply(&bench, "one", uid).await.unwrap_err().is_conflict());
    let mut stale = data(json!({"x": "2"}));
    stale["metadata"]["resourceVersion"] = json!("1");
    assert!(apply(&bench, "one", stale).await.unwrap_err().is_conflict());
    let status = apply_to(
        &bench,
        (target(kinds::DEPLOYMENT, "none"), "status"),
        "one",
        &json!({"apiVersion": "apps/v1", "kind": "Deployment"}),
        false,
    )
    .await;
    assert!(status.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_manifest_is_applied_server_side() {
    let bench = Bench::new().await;
    let manifest = format!("{}\n---\n{}\n", data(json!({"x": "1"})), deployment("web"));
    let how = Applying::ServerSide { force: false };
    for expected in ["Created", "Unchanged"] {
        let applied = bench
            .registry
            .apply_manifest(&writer("one"), &manifest, "", how)
            .await;
        let outcomes: Vec<String> = applied
            .unwrap()
            .iter()
            .map(|applied| format!("{:?}", applied.outcome.as_ref().unwrap()))
            .collect();
        assert_eq!(outcomes, [expected, expected]);
    }
}
