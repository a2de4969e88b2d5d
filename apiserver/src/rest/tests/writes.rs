//! Create, update, patch and delete.

use super::*;

const PODS: &str = "/api/v1/namespaces/default/pods";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
        "spec": { "containers": [{ "name": "c", "image": "nginx" }] },
    })
}

fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "c", "image": "nginx:1.14.2" }] },
            },
        },
    })
}

#[tokio::test]
async fn create_in_the_ways_that_clients_have() {
    let client = Client::new().await;
    let created = client.post(MAPS, &config_map("a", "1")).await.expect(201);
    assert_eq!(created["metadata"]["namespace"], "default");
    assert!(created["metadata"]["uid"].is_string() && created["metadata"]["resourceVersion"].is_string());
    // No Content-Type, no kind, no apiVersion.
    let bare = client
        .send("POST", MAPS, "", r#"{"metadata":{"name":"s3"},"data":{"a":"b"}}"#)
        .await
        .expect(201);
    assert_eq!(
        (&bare["kind"], &bare["apiVersion"]),
        (&json!("ConfigMap"), &json!("v1"))
    );
    let yaml = "metadata:\n  name: yaml\ndata:\n  a: b # c\n";
    let from_yaml = client
        .send("POST", MAPS, "application/yaml", yaml)
        .await
        .expect(201);
    assert_eq!(from_yaml["data"]["a"], "b");
    let generated = client
        .post(MAPS, &json!({ "metadata": { "generateName": "g-" } }))
        .await
        .expect(201);
    assert_eq!(generated["metadata"]["name"].as_str().unwrap().len(), 7);
    let dry = client
        .post(&format!("{MAPS}?dryRun=All"), &config_map("dry", "1"))
        .await
        .expect(201);
    assert_eq!(dry["metadata"]["name"], "dry");
    assert_eq!(client.get(&format!("{MAPS}/dry")).await.code, 404);
}

#[tokio::test]
async fn create_that_is_refused() {
    let client = Client::new().await;
    client.post(MAPS, &config_map("s3", "1")).await.expect(201);
    let again = client.post(MAPS, &config_map("s3", "1")).await;
    assert_eq!(
        again.failure(),
        "409 AlreadyExists: configmaps \"s3\" already exists"
    );
    let nowhere = client
        .post("/api/v1/namespaces/nonono/configmaps", &config_map("a", "1"))
        .await;
    assert_eq!(nowhere.failure(), "404 NotFound: namespaces \"nonono\" not found");
    let bogus = json!({ "metadata": { "name": "b" }, "bogus": 1 });
    let strict = client
        .post(&format!("{MAPS}?fieldValidation=Strict"), &bogus)
        .await;
    assert_eq!(
        strict.failure(),
        "400 BadRequest: ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: \
         unknown field \"bogus\""
    );
    let wrong = client
        .post(
            MAPS,
            &json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "b" } }),
        )
        .await;
    assert_eq!(
        wrong.failure(),
        "400 BadRequest: Secret in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Secret) to \
         (core.ConfigMap): unknown conversion"
    );
    let broken = client.send("POST", PODS, JSON, "{bad").await;
    assert!(
        broken.failure().starts_with("400 BadRequest: "),
        "{}",
        broken.text
    );
    let invalid = client
        .post(PODS, &json!({ "metadata": { "name": "BAD_" } }))
        .await;
    assert_eq!(invalid.code, 422);
    assert_eq!(invalid.json()["details"]["causes"][0]["field"], "metadata.name");
    let unknown = client.send("POST", MAPS, "application/xml", "<a/>").await;
    assert!(
        unknown
            .failure()
            .starts_with("415 UnsupportedMediaType: the body of the request was in an unknown format")
    );
    let large = client.send("POST", MAPS, JSON, vec![b' '; 4 << 20]).await;
    assert_eq!(
        large.failure(),
        "413 RequestEntityTooLarge: Request entity too large: limit is 3145728"
    );
}

#[tokio::test]
async fn unknown_and_repeated_fields_are_warned_of() {
    let client = Client::new().await;
    let body = r#"{"metadata":{"name":"w"},"data":{"a":"1","a":"2"},"bogus":1}"#;
    let answer = client.send("POST", MAPS, JSON, body).await;
    assert_eq!(answer.code, 201, "{}", answer.text);
    let warnings: Vec<_> = answer.headers.get_all("warning").iter().collect();
    assert_eq!(
        warnings,
        [
            r#"299 - "duplicate field \"data.a\"""#,
            r#"299 - "unknown field \"bogus\"""#
        ]
    );
}

#[tokio::test]
async fn replace_with_and_without_a_revision() {
    let client = Client::new().await;
    let mut map = client.post(MAPS, &config_map("a", "1")).await.expect(201);
    map["data"]["a"] = json!("2");
    let path = format!("{MAPS}/a");
    let second = client.put(&path, &map).await.expect(200);
    assert_eq!(second["data"]["a"], "2");
    let stale = client.put(&path, &map).await;
    let expected = "409 Conflict: Operation cannot be fulfilled on configmaps \"a\": the object has been modified; \
                    please apply your changes to the latest version and try again";
    assert_eq!(stale.failure(), expected);
    client.put(&path, &config_map("a", "3")).await.expect(200);
    let missing = client.put(&format!("{MAPS}/zz9"), &config_map("zz9", "1")).await;
    assert_eq!(missing.failure(), "404 NotFound: configmaps \"zz9\" not found");
}

#[tokio::test]
async fn patches() {
    let client = Client::new().await;
    client.post(DEPLOYMENTS, &deployment("web")).await.expect(201);
    let path = format!("{DEPLOYMENTS}/web");
    let image = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "c", "image": "nginx:1.16.1" }] } } } });
    let patched = client
        .patch(&format!("{path}?fieldManager=kubectl-set"), STRATEGIC, &image)
        .await
        .expect(200);
    assert_eq!(
        patched["spec"]["template"]["spec"]["containers"][0]["image"],
        "nginx:1.16.1"
    );
    assert_eq!(patched["metadata"]["generation"], 2);
    let label = client
        .patch(&path, MERGE, &json!({ "metadata": { "labels": { "a": "b" } } }))
        .await
        .expect(200);
    assert_eq!(label["metadata"]["labels"]["a"], "b");
    let json_patch = json!([{ "op": "replace", "path": "/spec/replicas", "value": 5 }]);
    let replaced = client
        .patch(&path, "application/json-patch+json", &json_patch)
        .await
        .expect(200);
    assert_eq!(replaced["spec"]["replicas"], 5);
    let failing = json!([{ "op": "test", "path": "/spec/replicas", "value": 1 }]);
    let failed = client.patch(&path, "application/json-patch+json", &failing).await;
    assert_eq!(
        failed.failure(),
        "422 Invalid: the server rejected our request due to an error in our request"
    );
    let unknown = client
        .patch(&path, "application/apply-patch+cbor", &json!({}))
        .await;
    assert_eq!(unknown.code, 415);
    let dry = json!({ "spec": { "replicas": 9 } });
    assert_eq!(
        client
            .patch(&format!("{path}?dryRun=All"), MERGE, &dry)
            .await
            .expect(200)["spec"]["replicas"],
        9
    );
    assert_eq!(client.get(&path).await.expect(200)["spec"]["replicas"], 5);
}

#[tokio::test]
async fn scale() {
    let client = Client::new().await;
    client.post(DEPLOYMENTS, &deployment("web")).await.expect(201);
    let path = format!("{DEPLOYMENTS}/web/scale");
    let scale = client.get(&path).await.expect(200);
    assert_eq!(
        (&scale["kind"], &scale["apiVersion"]),
        (&json!("Scale"), &json!("autoscaling/v1"))
    );
    assert_eq!(
        (&scale["spec"]["replicas"], &scale["status"]["selector"]),
        (&json!(2), &json!("app=web"))
    );
    for (content_type, replicas) in [(MERGE, 3), (STRATEGIC, 4)] {
        let patch = json!({ "spec": { "replicas": replicas } });
        let scaled = client.patch(&path, content_type, &patch).await.expect(200);
        assert_eq!(scaled["spec"]["replicas"], replicas);
    }
    assert_eq!(
        client.get(&format!("{DEPLOYMENTS}/web")).await.expect(200)["spec"]["replicas"],
        4
    );
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let table = client.get_as(&path, accept).await.expect(200);
    assert_eq!(table["columnDefinitions"][1]["name"], "Desired");
}

#[tokio::test]
async fn delete_at_once_and_with_grace() {
    let client = Client::new().await;
    let map = client.post(MAPS, &config_map("a", "1")).await.expect(201);
    let status = client.delete(&format!("{MAPS}/a")).await.expect(200);
    let details = json!({ "name": "a", "kind": "configmaps", "uid": map["metadata"]["uid"] });
    assert_eq!(
        (&status["status"], &status["details"]),
        (&json!("Success"), &details)
    );
    assert_eq!(client.delete(&format!("{MAPS}/a")).await.code, 404);

    client.post(PODS, &pod("p")).await.expect(201);
    let binding = json!({ "metadata": { "name": "p" }, "target": { "kind": "Node", "name": "node-1" } });
    let bound = client
        .post(&format!("{PODS}/p/binding"), &binding)
        .await
        .expect(201);
    assert_eq!(
        (&bound["kind"], &bound["status"], &bound["code"]),
        (&json!("Status"), &json!("Success"), &json!(201))
    );
    let deleting = client.delete(&format!("{PODS}/p")).await.expect(200);
    assert!(
        deleting["metadata"]["deletionTimestamp"].is_string(),
        "{deleting}"
    );
    assert_eq!(deleting["metadata"]["deletionGracePeriodSeconds"], 30);
    let options = json!({ "gracePeriodSeconds": 0, "propagationPolicy": "Background" }).to_string();
    let gone = client
        .send("DELETE", &format!("{PODS}/p"), JSON, options)
        .await
        .expect(200);
    assert_eq!(gone["status"], "Success");
    assert_eq!(client.get(&format!("{PODS}/p")).await.code, 404);
}

#[tokio::test]
async fn delete_with_preconditions_and_dry() {
    let client = Client::new().await;
    client.post(MAPS, &config_map("a", "1")).await.expect(201);
    let other = json!({ "preconditions": { "uid": "other" } }).to_string();
    assert_eq!(
        client
            .send("DELETE", &format!("{MAPS}/a"), JSON, other)
            .await
            .code,
        409
    );
    client.delete(&format!("{MAPS}/a?dryRun=All")).await.expect(200);
    client.get(&format!("{MAPS}/a")).await.expect(200);
}

#[tokio::test]
async fn delete_a_collection() {
    let client = Client::new().await;
    for name in ["a", "b", "c"] {
        client.post(MAPS, &config_map(name, "1")).await.expect(201);
    }
    let deleted = client
        .delete(&format!("{MAPS}?labelSelector=app!%3Dc"))
        .await
        .expect(200);
    assert_eq!(deleted["kind"], "ConfigMapList");
    let left = client.get(MAPS).await.expect(200);
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_surprises_is_warned_of() {
    let client = Client::new().await;
    let warnings = |answer: &Answer| -> Vec<String> {
        let all = answer.headers.get_all("warning").iter();
        all.map(|own| own.to_str().unwrap().to_owned()).collect()
    };
    let endpoints = "/api/v1/namespaces/default/endpoints";
    let listed = client.get(endpoints).await;
    assert_eq!(
        warnings(&listed),
        [r#"299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice""#]
    );
    let jobs = "/apis/batch/v1/namespaces/default/jobs";
    let template =
        json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}});
    for (name, query, finalizers, told) in [
        ("unsaid", "", json!(["orphan"]), 1),
        ("background", "?propagationPolicy=Background", json!(null), 0),
    ] {
        let job = json!({"metadata": {"name": name}, "spec": {"template": template}});
        client.post(jobs, &job).await.expect(201);
        let deleted = client.delete(&format!("{jobs}/{name}{query}")).await;
        assert_eq!(warnings(&deleted).len(), told, "{name}");
        let left = client.get(&format!("{jobs}/{name}")).await;
        let kept = left.json()["metadata"]
            .get("finalizers")
            .cloned()
            .unwrap_or_default();
        assert_eq!(kept, finalizers, "{name}");
    }
}
