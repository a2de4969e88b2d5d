//! Requests shaped like Helm's: the release as a Secret in protobuf, the list that it is found by, the manifests by
//! server-side apply, and the watches by which `--wait` waits.

use super::*;

const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const APPLY: &str = "application/apply-patch+yaml";

fn varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A field of protobuf that has a length.
fn field(number: usize, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, number << 3 | 2);
    varint(&mut out, bytes.as_ref().len());
    out.extend_from_slice(bytes.as_ref());
    out
}

fn pair(number: usize, key: &str, value: &str) -> Vec<u8> {
    field(number, [field(1, key), field(2, value)].concat())
}

/// The Secret of a release, as Helm sends it.
fn release(revision: u32, status: &str) -> Vec<u8> {
    let version = revision.to_string();
    let labels = [
        ("name", "web"),
        ("owner", "helm"),
        ("status", status),
        ("version", &version),
    ];
    let labels = labels.map(|(key, value)| pair(11, key, value)).concat();
    let metadata = [
        field(1, format!("sh.helm.release.v1.web.v{revision}")),
        field(3, ""),
        labels,
    ]
    .concat();
    let data = pair(2, "release", "H4sIAAAAAAAC/release");
    let secret = [field(1, metadata), data, field(3, "helm.sh/release.v1")].concat();
    let kind = [field(1, "v1"), field(2, "Secret")].concat();
    let unknown = [field(1, kind), field(2, secret), field(3, ""), field(4, "")].concat();
    [b"k8s\0".to_vec(), unknown].concat()
}

#[tokio::test]
async fn a_release_is_a_secret_that_is_found_by_its_labels() {
    let client = Client::new().await;
    let created = client
        .send("POST", SECRETS, PROTOBUF, release(1, "pending-install"))
        .await
        .expect(201);
    assert_eq!(created["type"], "helm.sh/release.v1");
    assert_eq!(created["metadata"]["labels"]["status"], "pending-install");
    // Installed.
    let path = format!("{SECRETS}/sh.helm.release.v1.web.v1");
    client
        .send("PUT", &path, PROTOBUF, release(1, "deployed"))
        .await
        .expect(200);
    // Upgraded: the one before is superseded.
    client
        .send("POST", SECRETS, PROTOBUF, release(2, "pending-upgrade"))
        .await
        .expect(201);
    client
        .send("PUT", &path, PROTOBUF, release(1, "superseded"))
        .await
        .expect(200);
    let path = format!("{SECRETS}/sh.helm.release.v1.web.v2");
    client
        .send("PUT", &path, PROTOBUF, release(2, "deployed"))
        .await
        .expect(200);
    let found = |selector: &str| {
        let path = format!("{SECRETS}?labelSelector={selector}");
        let client = &client;
        async move {
            let list = client.get(&path).await.expect(200);
            let names = list["items"].as_array().unwrap().iter();
            names
                .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(
        found("name%3Dweb%2Cowner%3Dhelm%2Cstatus%3Ddeployed").await,
        ["sh.helm.release.v1.web.v2"]
    );
    assert_eq!(found("name%3Dweb%2Cowner%3Dhelm").await.len(), 2);
    // The type of a Secret stays, and a release that is there is not made twice.
    let twice = client
        .send("POST", SECRETS, PROTOBUF, release(2, "deployed"))
        .await;
    assert!(
        twice.failure().starts_with("409 AlreadyExists"),
        "{}",
        twice.failure()
    );
    let gone = client.send("DELETE", &path, PROTOBUF, Vec::new()).await;
    assert_eq!(gone.code, 200, "{}", gone.text);
}

fn deployment(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "default"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]},
        }},
    })
}

#[tokio::test]
async fn manifests_are_applied_by_the_server_and_waited_for_by_a_watch_list() {
    let client = Client::new().await;
    let path = "/apis/apps/v1/namespaces/default/deployments/web";
    let missing = client.get(path).await;
    assert!(
        missing.failure().starts_with("404 NotFound"),
        "{}",
        missing.failure()
    );
    let apply = format!("{path}?fieldManager=helm&fieldValidation=Strict&force=false");
    let created = client
        .send("PATCH", &apply, APPLY, deployment("nginx:1").to_string())
        .await
        .expect(201);
    assert_eq!(created["metadata"]["managedFields"][0]["manager"], "helm");
    let collection = "/apis/apps/v1/namespaces/default/deployments";
    let watch = format!(
        "{collection}?allowWatchBookmarks=true&fieldSelector=metadata.name%3Dweb&resourceVersionMatch=NotOlderThan\
         &sendInitialEvents=true&timeoutSeconds=300&watch=true"
    );
    let mut lines = client.lines(&watch, JSON).await;
    assert_eq!(lines.event().await, "ADDED web");
    let end = lines.next().await.unwrap();
    let annotations = &end["object"]["metadata"]["annotations"];
    assert_eq!(
        (&end["type"], &annotations["k8s.io/initial-events-end"]),
        (&json!("BOOKMARK"), &json!("true"))
    );
    client
        .send("PATCH", &apply, APPLY, deployment("nginx:2").to_string())
        .await
        .expect(200);
    assert_eq!(lines.event().await, "MODIFIED web");
    // Somebody else owns the image by now: Helm is told, and takes it with force.
    let body = json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "other"}]}}}});
    let other = format!("{path}?fieldManager=kubectl");
    client
        .send("PATCH", &other, STRATEGIC, body.to_string())
        .await
        .expect(200);
    let refused = client
        .send("PATCH", &apply, APPLY, deployment("nginx:3").to_string())
        .await;
    assert!(refused.failure().contains("conflict"), "{}", refused.failure());
    let forced = apply.replace("force=false", "force=true");
    client
        .send("PATCH", &forced, APPLY, deployment("nginx:3").to_string())
        .await
        .expect(200);
}
