//! What the registry refuses, in the shape that clients match on.

use super::*;

const PODS: &str = "/api/v1/namespaces/default/pods";

#[tokio::test]
async fn names_and_namespaces_must_agree_with_the_path() {
    let client = Client::new().await;
    client.post(MAPS, &config_map("a", "1")).await.expect(201);
    let renamed = client.put(&format!("{MAPS}/a"), &config_map("b", "1")).await;
    assert_eq!(
        renamed.failure(),
        "400 BadRequest: the name of the object (b) does not match the name on the URL (a)"
    );
    let mut elsewhere = config_map("c", "1");
    elsewhere["metadata"]["namespace"] = json!("kube-system");
    assert_eq!(
        client.post(MAPS, &elsewhere).await.failure(),
        "400 BadRequest: the namespace of the provided object does not match the namespace sent on the request"
    );
}

#[tokio::test]
async fn a_strict_patch_refuses_what_it_does_not_know() {
    let client = Client::new().await;
    client.post(MAPS, &config_map("a", "1")).await.expect(201);
    let path = format!("{MAPS}/a");
    let patch = json!({ "bogus": 1 });
    let strict = client
        .patch(&format!("{path}?fieldValidation=Strict"), STRATEGIC, &patch)
        .await;
    assert_eq!(strict.code, 422, "{}", strict.text);
    assert!(
        strict
            .failure()
            .contains("strict decoding error: unknown field \"bogus\""),
        "{}",
        strict.text
    );
    let warned = client.patch(&path, MERGE, &patch).await;
    assert_eq!(
        (warned.code, &warned.headers["warning"]),
        (200, &r#"299 - "unknown field \"bogus\"""#.parse().unwrap())
    );
}

#[tokio::test]
async fn a_patch_may_name_the_revision_that_it_rests_on() {
    let client = Client::new().await;
    let old = client.post(MAPS, &config_map("a", "1")).await.expect(201);
    client
        .put(&format!("{MAPS}/a"), &config_map("a", "2"))
        .await
        .expect(200);
    let revision = &old["metadata"]["resourceVersion"];
    let patch = json!({ "metadata": { "resourceVersion": revision }, "data": { "a": "3" } });
    let stale = client.patch(&format!("{MAPS}/a"), MERGE, &patch).await;
    let failure = stale.failure();
    assert!(
        failure.starts_with("409 Conflict: Operation cannot be fulfilled on configmaps \"a\""),
        "{failure}"
    );
    assert_eq!(
        stale.json()["details"],
        json!({ "name": "a", "kind": "configmaps" })
    );
}

#[tokio::test]
async fn status_is_written_on_its_own_path_alone() {
    let client = Client::new().await;
    let pod = json!({
        "metadata": { "name": "p" }, "spec": { "containers": [{ "name": "c", "image": "nginx" }] },
        "status": { "phase": "Running" },
    });
    let created = client.post(PODS, &pod).await.expect(201);
    assert_eq!(created["status"]["phase"], "Pending");
    let running = json!({ "status": { "phase": "Running" } });
    let ignored = client
        .patch(&format!("{PODS}/p"), MERGE, &running)
        .await
        .expect(200);
    assert_eq!(ignored["status"]["phase"], "Pending");
    let path = format!("{PODS}/p/status");
    assert_eq!(
        client.patch(&path, STRATEGIC, &running).await.expect(200)["status"]["phase"],
        "Running"
    );
    assert_eq!(client.get(&path).await.expect(200)["status"]["phase"], "Running");
}

#[tokio::test]
async fn a_namespace_that_goes_away_takes_nothing_new() {
    let client = Client::new().await;
    client
        .post("/api/v1/namespaces", &json!({ "metadata": { "name": "going" } }))
        .await
        .expect(201);
    let maps = "/api/v1/namespaces/going/configmaps";
    client.post(maps, &config_map("a", "1")).await.expect(201);
    let deleting = client.delete("/api/v1/namespaces/going").await.expect(200);
    assert_eq!(deleting["status"]["phase"], "Terminating");
    let refused = client.post(maps, &config_map("b", "1")).await;
    assert_eq!(refused.code, 403, "{}", refused.text);
    client.delete(&format!("{maps}/a")).await.expect(200);
    let mut finalized = client.get("/api/v1/namespaces/going").await.expect(200);
    finalized["spec"]["finalizers"] = json!([]);
    assert_eq!(
        client
            .put("/api/v1/namespaces/going/finalize", &finalized)
            .await
            .code,
        200
    );
    assert_eq!(client.get("/api/v1/namespaces/going").await.code, 404);
}

#[tokio::test]
async fn an_eviction_deletes_the_pod() {
    let client = Client::new().await;
    let pod =
        json!({ "metadata": { "name": "p" }, "spec": { "containers": [{ "name": "c", "image": "nginx" }] } });
    client.post(PODS, &pod).await.expect(201);
    let eviction = json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": "p" } });
    let evicted = client
        .post(&format!("{PODS}/p/eviction"), &eviction)
        .await
        .expect(201);
    assert_eq!(
        evicted,
        json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 })
    );
    assert_eq!(client.get(&format!("{PODS}/p")).await.code, 404);
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_of_its_body_is_refused() {
    use futures::stream;
    let client = Client::new().await;
    let pieces: [Result<&str, std::io::Error>; 2] = [
        Ok("{\"metadata\":"),
        Err(std::io::Error::other("connection reset")),
    ];
    let broken = client
        .send("POST", MAPS, JSON, Body::from_stream(stream::iter(pieces)))
        .await;
    assert!(
        broken.failure().starts_with("400 BadRequest: read request body"),
        "{}",
        broken.text
    );
}
