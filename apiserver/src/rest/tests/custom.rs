//! Custom resources in the shapes that kubectl asks in.

use serde_json::json;

use super::*;

fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "crontabs.stable.example.com" },
        "spec": {
            "group": "stable.example.com", "scope": "Namespaced",
            "names": { "plural": "crontabs", "singular": "crontab", "kind": "CronTab", "shortNames": ["ct"] },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": { "type": "object", "properties": {
                    "spec": { "type": "object", "properties": {
                        "cronSpec": { "type": "string" }, "replicas": { "type": "integer" },
                    } },
                } } },
                "additionalPrinterColumns": [
                    { "name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec" },
                    { "name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas" },
                    { "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
                ],
            }],
        },
    })
}

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const TABS: &str = "/apis/stable.example.com/v1/namespaces/default/crontabs";

#[tokio::test]
async fn custom_resources_as_kubectl_uses_them() {
    let client = Client::new().await;
    assert_eq!(client.get(TABS).await.code, 404);
    client.post(DEFINITIONS, &definition()).await.expect(201);

    let groups = client.get("/apis").await.expect(200);
    assert!(
        groups["groups"]
            .as_array()
            .unwrap()
            .iter()
            .any(|group| group["name"] == "stable.example.com")
    );
    let resources = client.get("/apis/stable.example.com/v1").await.expect(200);
    assert_eq!(resources["resources"][0]["shortNames"], json!(["ct"]));

    let tab = json!({
        "apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": { "name": "a" },
        "spec": { "cronSpec": "* * * * */5", "replicas": 3 },
    });
    client
        .post(&format!("{TABS}?fieldManager=kubectl-create"), &tab)
        .await
        .expect(201);
    let wrong = json!({ "metadata": { "name": "b" }, "spec": { "replicas": "three" } });
    assert_eq!(
        client.post(TABS, &wrong).await.failure(),
        "422 Invalid: CronTab.stable.example.com \"b\" is invalid: spec.replicas: Invalid value: \"string\": \
         spec.replicas in body must be of type integer: \"string\""
    );

    let table = client
        .get_as(TABS, "application/json;as=Table;v=v1;g=meta.k8s.io")
        .await
        .expect(200);
    let columns: Vec<_> = table["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| own["name"].clone())
        .collect();
    assert_eq!(columns, ["Name", "Spec", "Replicas", "Age"]);
    let cells = table["rows"][0]["cells"].as_array().unwrap();
    assert_eq!(cells[..3], [json!("a"), json!("* * * * */5"), json!(3)]);

    let path = format!("{TABS}/a");
    let merge = json!({ "spec": { "replicas": 5 } });
    let patched = client
        .patch(&path, "application/merge-patch+json", &merge)
        .await
        .expect(200);
    assert_eq!(
        (&patched["spec"]["replicas"], &patched["metadata"]["generation"]),
        (&json!(5), &json!(2))
    );
    let strategic = client
        .patch(&path, "application/strategic-merge-patch+json", &merge)
        .await;
    assert_eq!(strategic.code, 415);
    let list = client.get(TABS).await.expect(200);
    assert_eq!(list["kind"], "CronTabList");
    assert_eq!(client.get(&format!("{path}/status")).await.code, 404);
    client.delete(&path).await.expect(200);
    assert_eq!(
        client.get(&path).await.failure(),
        "404 NotFound: crontabs.stable.example.com \"a\" not found"
    );
}

#[tokio::test]
async fn custom_resources_are_applied_and_explained() {
    let client = Client::new().await;
    client.post(DEFINITIONS, &definition()).await.expect(201);
    let path = format!("{TABS}/a?fieldManager=kubectl");
    let apply = "application/apply-patch+yaml";
    let tab = |spec: Value| {
        json!({
            "apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": { "name": "a" }, "spec": spec,
        })
    };
    let both = tab(json!({ "cronSpec": "* * * * *", "replicas": 3 }));
    let created = client.patch(&path, apply, &both).await.expect(201);
    assert_eq!(created["metadata"]["managedFields"][0]["manager"], "kubectl");
    let one = tab(json!({ "replicas": 4 }));
    let applied = client.patch(&path, apply, &one).await.expect(200);
    assert_eq!(applied["spec"], json!({ "replicas": 4 }));
    let other = format!("{TABS}/a?fieldManager=other");
    let conflict = client.patch(&other, apply, &tab(json!({ "replicas": 5 }))).await;
    assert_eq!(conflict.code, 409);

    let index = client.get("/openapi/v3").await.expect(200);
    let url = index["paths"]["apis/stable.example.com/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap()
        .to_owned();
    let document = client.get(&url).await.expect(200);
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let schema = schemas
        .iter()
        .find(|(name, _)| name.ends_with("CronTab"))
        .unwrap()
        .1;
    assert_eq!(
        schema["properties"]["spec"]["properties"]["replicas"]["type"],
        "integer"
    );
}
