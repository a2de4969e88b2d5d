//! Nodes, pools of them, and certificates.

use coracle_service::pki::{Authority, signing_request};

use super::*;

#[tokio::test]
async fn a_node_writes_for_itself_alone() {
    let server = Server::new().await;
    let node = |name: &str| {
        Peer::new(
            format!("system:node:{name}"),
            &["system:nodes", "system:authenticated"],
        )
    };
    let object = |name: &str| json!({"metadata": {"name": name}});
    let (code, answer) = server.post(&node("a"), "/api/v1/nodes", &object("a")).await;
    assert_eq!(code, 201, "{answer}");
    let (code, answer) = server.post(&node("a"), "/api/v1/nodes", &object("b")).await;
    assert_eq!(
        (code, answer["message"].as_str().unwrap()),
        (
            403,
            r#"nodes "b" is forbidden: node "a" is not allowed to modify node "b""#
        )
    );
    server.put("/api/v1/nodes", &object("b")).await;
    let patch = |path: &str| {
        Request::patch(path)
            .header("content-type", "application/merge-patch+json")
            .body(Body::from(r#"{"metadata":{"labels":{"x":"y"}}}"#))
            .unwrap()
    };
    assert_eq!(server.ask(&node("a"), patch("/api/v1/nodes/a")).await.0, 200);
    assert_eq!(server.ask(&node("a"), patch("/api/v1/nodes/b")).await.0, 403);

    let secret = |name: &str| json!({"metadata": {"name": name}, "stringData": {"a": "b"}});
    server
        .put("/api/v1/namespaces/default/secrets", &secret("mine"))
        .await;
    server
        .put("/api/v1/namespaces/default/secrets", &secret("other"))
        .await;
    let pod = json!({
        "metadata": {"name": "p"},
        "spec": {
            "nodeName": "a", "containers": [{"name": "c", "image": "nginx"}],
            "volumes": [{"name": "v", "secret": {"secretName": "mine"}}],
        },
    });
    server.put("/api/v1/namespaces/default/pods", &pod).await;
    let read = |name: &str| format!("/api/v1/namespaces/default/secrets/{name}");
    assert_eq!(server.get(&node("a"), &read("mine")).await.0, 200, "seen at once");
    assert_eq!(server.get(&node("a"), &read("other")).await.0, 403);
    assert_eq!(server.get(&node("b"), &read("mine")).await.0, 403);
    assert_eq!(
        server
            .get(&node("a"), "/api/v1/pods?fieldSelector=spec.nodeName%3Da")
            .await
            .0,
        200
    );
    assert_eq!(server.get(&node("a"), "/api/v1/pods").await.0, 403);
}

#[tokio::test]
async fn a_pool_gets_the_nodes_that_it_makes() {
    let server = Server::new().await;
    let pool = |name: &str| {
        Peer::new(
            format!("system:nodepool:{name}"),
            &["system:nodes", "system:nodepools"],
        )
    };
    let (code, made) = server
        .post(
            &pool("n-1"),
            "/api/v1/nodes",
            &json!({"metadata": {"name": "n-1"}}),
        )
        .await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(made["metadata"]["annotations"]["coracle.dev/nodepool"], "n-1");
    let lease = json!({"metadata": {"name": "n-1"}, "spec": {"holderIdentity": "n-1"}});
    let path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
    let (code, answer) = server.post(&pool("n-2"), path, &lease).await;
    assert_eq!(code, 403, "{answer}");
    assert_eq!(server.post(&pool("n-1"), path, &lease).await.0, 201);
}

#[tokio::test]
async fn an_approved_request_is_signed() {
    let server = Server::new().await;
    let now = server.auth.env.cluster_clock.now();
    let authority = Arc::new(Authority::create("test", now).unwrap());
    server
        .auth
        .sign_requests(&server.registry, authority, &server._shutdown);
    let (_, csr) = signing_request().unwrap();
    let request = json!({
        "metadata": {"name": "jane"},
        "spec": {
            "request": k8s_openapi::ByteString(csr.into_bytes()),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["digital signature", "client auth"],
        },
    });
    let path = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    server.put(path, &request).await;
    let target = Target::new(coracle_api::kinds::CERTIFICATE_SIGNING_REQUEST, "", "jane");
    let approve = json!({"status": {"conditions": [
        {"type": "Approved", "status": "True", "reason": "Test", "message": ""},
    ]}});
    let patch = |peer: Peer| {
        let ctx = Context::new(Arc::new(peer));
        let (registry, target, body) = (Arc::clone(&server.registry), target.clone(), approve.to_string());
        async move {
            let kind = crate::registry::PatchType::Merge;
            let none = crate::registry::Preconditions::default();
            registry
                .patch(&ctx, target, "approval", kind, body.into(), none)
                .await
        }
    };
    let refused = patch(person("bob")).await.unwrap_err();
    assert!(
        refused.message().contains(
            r#"user not permitted to approve requests with signerName "kubernetes.io/kube-apiserver-client""#
        ),
        "{refused}"
    );
    let from = crate::registry::Start::Now { initial: true };
    let mut watch = server
        .registry
        .watch(WatchRequest::all(
            coracle_api::kinds::CERTIFICATE_SIGNING_REQUEST,
            from,
        ))
        .unwrap();
    patch(root()).await.unwrap();
    let signed = async {
        loop {
            for event in watch.next().await.unwrap().unwrap() {
                let Some(entry) = event.entry else { continue };
                let object: Value = serde_json::from_slice(&entry.json).unwrap();
                if object["status"]["certificate"].is_string() {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), signed)
        .await
        .unwrap();
}
