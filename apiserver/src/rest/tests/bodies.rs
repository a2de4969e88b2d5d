//! Bodies in protobuf, from the bytes that clients send to the object that is kept.

use coracle_api::protobuf::MEDIA_TYPE;

use super::*;

/// A Pod `pb` of one container, as Go writes it: zeros of plain fields are there.
const POD: &str = "k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x24\
    \x0a\x08\x0a\x02pb\x12\x00\x42\x00\
    \x12\x14\x12\x0e\x0a\x01c\x12\x05nginx\x42\x00\x72\x00\x1a\x00\x58\x00\
    \x1a\x02\x0a\x00";
/// A ConfigMap `pb` with `k: v`.
const CONFIG_MAP: &str =
    "k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x0e\x0a\x04\x0a\x02pb\x12\x06\x0a\x01k\x12\x01v";
/// `gracePeriodSeconds: 0`, in the version of another group.
const AT_ONCE: &str = "k8s\0\x0a\x1a\x0a\x09policy/v1\x12\x0dDeleteOptions\x12\x02\x08\x00";
const PODS: &str = "/api/v1/namespaces/default/pods";

#[tokio::test]
async fn protobuf_is_created_replaced_and_deleted() {
    let client = Client::new().await;
    let created = client.send("POST", PODS, MEDIA_TYPE, POD).await.expect(201);
    assert_eq!(created["spec"]["containers"][0]["image"], "nginx");
    assert_eq!(created["spec"]["restartPolicy"], "Always");
    assert_eq!(created["status"]["phase"], "Pending");
    let path = format!("{PODS}/pb");
    let map = format!("{MAPS}/pb");
    client
        .send("POST", MAPS, MEDIA_TYPE, CONFIG_MAP)
        .await
        .expect(201);
    let replaced = client.send("PUT", &map, MEDIA_TYPE, CONFIG_MAP).await;
    assert_eq!(replaced.expect(200)["data"]["k"], "v");
    client.send("PATCH", &path, MEDIA_TYPE, POD).await.expect(415);
    let failure = client.send("POST", MAPS, MEDIA_TYPE, POD).await.failure();
    assert!(failure.starts_with("400 BadRequest"), "{failure}");
    client
        .send("DELETE", &path, MEDIA_TYPE, AT_ONCE)
        .await
        .expect(200);
    client.get(&path).await.expect(404);
}
