//! Server-side apply as kubectl and other clients send it.

use super::*;

const APPLY: &str = "application/apply-patch+yaml";
const PATH: &str = "/api/v1/namespaces/default/configmaps/q";
const YAML: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: q\ndata:\n  a: b # c\n";

fn managers(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array();
    let text = |entry: &Value| {
        format!(
            "{} {}",
            entry["manager"].as_str().unwrap(),
            entry["operation"].as_str().unwrap()
        )
    };
    entries.into_iter().flatten().map(text).collect()
}

#[tokio::test]
async fn kubectl_apply_server_side() {
    let client = Client::new().await;
    let path = format!("{PATH}?fieldManager=kubectl&fieldValidation=Strict&force=false");
    let created = client.send("PATCH", &path, APPLY, YAML).await.expect(201);
    assert_eq!(created["data"], json!({"a": "b"}));
    assert_eq!(managers(&created), ["kubectl Apply"]);
    let again = client.send("PATCH", &path, APPLY, YAML).await.expect(200);
    assert_eq!(again, created);
    // JSON is YAML.
    let json =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "q"}, "data": {"a": "c"}});
    let other = format!("{PATH}?fieldManager=other");
    let refused = client.send("PATCH", &other, APPLY, json.to_string()).await;
    assert_eq!(
        refused.failure(),
        "409 Conflict: Apply failed with 1 conflict: conflict with \"kubectl\": .data.a"
    );
    let forced = client
        .send("PATCH", &format!("{other}&force=true"), APPLY, json.to_string())
        .await
        .expect(200);
    assert_eq!(managers(&forced), ["other Apply"]);
    let dry = client
        .send(
            "PATCH",
            &format!("{PATH}?fieldManager=kubectl&dryRun=All&force=true"),
            APPLY,
            YAML,
        )
        .await
        .expect(200);
    assert_eq!(dry["data"]["a"], "b");
    assert_eq!(client.get(PATH).await.expect(200)["data"]["a"], "c");
}

#[tokio::test]
async fn server_side_apply_that_is_refused() {
    let client = Client::new().await;
    let nobody = client.send("PATCH", PATH, APPLY, YAML).await;
    assert_eq!(
        nobody.failure(),
        "422 Invalid: PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply \
         patch"
    );
    let path = format!("{PATH}?fieldManager=kubectl");
    let broken = client.send("PATCH", &path, APPLY, "a: [").await;
    assert!(
        broken
            .failure()
            .starts_with("400 BadRequest: error decoding YAML: "),
        "{}",
        broken.text
    );
    let cbor = client
        .send("PATCH", &path, "application/apply-patch+cbor", YAML)
        .await;
    assert_eq!(
        cbor.failure(),
        "415 UnsupportedMediaType: the body of the request was in an unknown format - accepted media types include: \
         application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, \
         application/apply-patch+yaml"
    );
    client.post(MAPS, &config_map("q", "1")).await.expect(201);
    let forced = client
        .patch(&format!("{PATH}?force=true"), MERGE, &json!({}))
        .await;
    assert_eq!(
        forced.failure(),
        "422 Invalid: PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply \
         patch"
    );
}

#[tokio::test]
async fn a_client_that_names_no_manager_is_known_by_its_agent() {
    let client = Client::new().await;
    let check = |agent: &'static str, expected: &'static str| {
        let client = &client;
        async move {
            let body = json!({"metadata": {"generateName": "g-"}, "data": {"a": "b"}}).to_string();
            let mut request = Request::post(MAPS).header("content-type", JSON);
            if !agent.is_empty() {
                request = request.header("user-agent", agent);
            }
            let created = client
                .ask(request.body(Body::from(body)).unwrap())
                .await
                .expect(201);
            assert_eq!(managers(&created), [format!("{expected} Update")]);
        }
    };
    check("kubectl/v1.32.5 (linux/amd64) kubernetes/9894294", "kubectl").await;
    check("OpenAPI-Generator/31.0.0/python", "OpenAPI-Generator").await;
    check("", "unknown").await;
}
