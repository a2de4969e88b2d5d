//! Get and list.

use super::*;

async fn with_maps(count: usize) -> Client {
    let client = Client::new().await;
    for index in 0..count {
        client
            .post(MAPS, &config_map(&format!("c{index}"), "1"))
            .await
            .expect(201);
    }
    client
}

fn names(list: &Value) -> Vec<&str> {
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn one_object() {
    let client = with_maps(1).await;
    let map = client.get(&format!("{MAPS}/c0")).await.expect(200);
    assert_eq!(
        (&map["kind"], &map["data"]["a"]),
        (&json!("ConfigMap"), &json!("1"))
    );
    let status = client.get(&format!("{MAPS}/zz")).await;
    assert_eq!(status.failure(), "404 NotFound: configmaps \"zz\" not found");
    assert_eq!(
        status.json()["details"],
        json!({ "name": "zz", "kind": "configmaps" })
    );
    let head = client
        .send("HEAD", &format!("{MAPS}/c0"), "", Body::empty())
        .await;
    assert_eq!((head.code, head.text.as_str()), (200, ""));
    assert_eq!(
        client.get(&format!("{MAPS}/c0?resourceVersion=0")).await.code,
        200
    );
    assert_eq!(
        client
            .get(&format!("{MAPS}/c0?resourceVersion=999999"))
            .await
            .code,
        504
    );
}

#[tokio::test]
async fn lists_by_page_and_selector() {
    let client = with_maps(3).await;
    let list = client.get(MAPS).await.expect(200);
    assert_eq!(
        (&list["kind"], names(&list)),
        (&json!("ConfigMapList"), vec!["c0", "c1", "c2"])
    );
    let first = client.get(&format!("{MAPS}?limit=2")).await.expect(200);
    assert_eq!(names(&first), ["c0", "c1"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 1);
    let token = first["metadata"]["continue"].as_str().unwrap();
    let second = client
        .get(&format!("{MAPS}?limit=2&continue={token}"))
        .await
        .expect(200);
    assert_eq!(names(&second), ["c2"]);
    assert_eq!(
        second["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
    let by_label = client
        .get("/api/v1/configmaps?labelSelector=app%20in%20(c1,c9)")
        .await
        .expect(200);
    assert_eq!(names(&by_label), ["c1"]);
    let by_name = client
        .get(&format!(
            "{MAPS}?fieldSelector=metadata.name%3Dc2&resourceVersion=0"
        ))
        .await
        .expect(200);
    assert_eq!(names(&by_name), ["c2"]);
    let nowhere = client
        .get("/api/v1/namespaces/nowhere/configmaps")
        .await
        .expect(200);
    assert!(names(&nowhere).is_empty());
}

#[tokio::test]
async fn lists_that_cannot_be_made() {
    let client = with_maps(0).await;
    let failure = |query: &'static str| {
        let client = &client;
        async move { client.get(&format!("/api/v1/pods?{query}")).await.failure() }
    };
    assert_eq!(
        failure("fieldSelector=spec.foo%3Dx").await,
        "400 BadRequest: field label not supported: spec.foo"
    );
    assert_eq!(
        failure("labelSelector=a%20in%20b").await,
        "400 BadRequest: unable to parse requirement: found 'b' expected: '('"
    );
    assert!(
        failure("continue=x")
            .await
            .starts_with("400 BadRequest: invalid continue token")
    );
    assert!(
        failure("resourceVersion=999999")
            .await
            .starts_with("504 Timeout: Timeout: Too large resource version")
    );
}

#[tokio::test]
async fn tables_as_kubectl_asks_for_them() {
    let client = with_maps(2).await;
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let table = client.get_as(MAPS, accept).await.expect(200);
    assert_eq!(
        (&table["kind"], &table["rows"][1]["cells"][0]),
        (&json!("Table"), &json!("c1"))
    );
    assert_eq!(table["rows"][1]["object"]["metadata"]["namespace"], "default");
    let one = client.get_as(&format!("{MAPS}/c0"), accept).await.expect(200);
    assert_eq!(one["rows"].as_array().unwrap().len(), 1);
    let refused = client.get_as(MAPS, "text/html").await;
    assert_eq!(refused.code, 406);
    // A failure is a Status whatever was asked for.
    assert_eq!(
        client.get_as(&format!("{MAPS}/zz"), accept).await.json()["kind"],
        "Status"
    );
}

#[tokio::test]
async fn yaml_is_indented_json() {
    let client = with_maps(1).await;
    let answer = client.get_as(&format!("{MAPS}/c0"), "application/yaml").await;
    assert_eq!(answer.headers["content-type"], "application/yaml");
    assert!(
        answer.text.contains("\n  \"kind\": \"ConfigMap\",\n"),
        "{}",
        answer.text
    );
}
