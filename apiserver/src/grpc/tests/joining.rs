//! Who may come in, and how a process joins.

use coracle_proto::v1::{
    self as pb, bootstrap_service_client::BootstrapServiceClient, object_service_client::ObjectServiceClient,
};
use coracle_service::{
    Identity,
    pki::{self, Credentials},
};
use ring::hmac;
use tonic::Code;

use super::{Server, TOKEN};

fn get(name: &str) -> pb::GetRequest {
    pb::GetRequest {
        kind: "Namespace".to_owned(),
        name: name.to_owned(),
        ..pb::GetRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_makes_a_member() {
    let server = Server::in_memory().await;
    let unverified = Identity::unverified().unwrap();
    let mut joining = BootstrapServiceClient::new(server.channel(&unverified));
    let nonce = vec![7; 32];
    let request = pb::GetCaRequest {
        token_id: "abcdef".to_owned(),
        nonce: nonce.clone().into(),
    };
    let answer = joining.get_ca(request).await.unwrap().into_inner();
    let signed = [nonce, answer.ca_pem.clone().into_bytes()].concat();
    let secret = TOKEN.split_once('.').unwrap().1;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::verify(&key, &signed, &answer.signature).unwrap();

    let (key_pem, csr_pem) = pki::signing_request().unwrap();
    let mut request = pb::SignCertificateRequest {
        token: "abcdef.wrong".to_owned(),
        csr_pem,
        role: "node".to_owned(),
        name: "node-1".to_owned(),
        subject_alternative_names: vec!["127.0.0.1".to_owned()],
    };
    let anonymous = Identity::anonymous(&answer.ca_pem).unwrap();
    let mut joining = BootstrapServiceClient::new(server.channel(&anonymous));
    let refused = joining.sign_certificate(request.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    request.token = TOKEN.to_owned();
    let certificate_pem = joining
        .sign_certificate(request)
        .await
        .unwrap()
        .into_inner()
        .certificate_pem;

    let member = Credentials {
        ca_pem: answer.ca_pem,
        certificate_pem,
        key_pem,
    };
    let member = Identity::from_credentials(&member).unwrap();
    let mut objects = ObjectServiceClient::new(server.channel(&member));
    let node = pb::GetRequest {
        kind: "Node".to_owned(),
        ..get("node-1")
    };
    let missing = objects.get(node).await.unwrap_err();
    assert_eq!(
        missing.code(),
        Code::NotFound,
        "it may look at nodes, and there are none yet"
    );
    let refused = objects.get(get("default")).await.unwrap_err();
    assert_eq!(
        refused.code(),
        Code::PermissionDenied,
        "namespaces are none of a node's business"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_stay_outside() {
    let server = Server::in_memory().await;
    let mut objects = ObjectServiceClient::new(server.channel(&Identity::unverified().unwrap()));
    let refused = objects.get(get("default")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.metadata().get_bin("k8s-status-bin").is_some());

    let mut request = tonic::Request::new(get("default"));
    request
        .metadata_mut()
        .insert("authorization", "Bearer abc".parse().unwrap());
    let refused = server.objects().get(request).await.unwrap_err();
    assert_eq!(
        refused.code(),
        Code::Unauthenticated,
        "a token that nobody can check is refused"
    );

    // A certificate of another authority does not survive the handshake.
    let other = pki::Authority::create("other", server.env.cluster_clock.now()).unwrap();
    let subject = pki::Subject {
        user: "mallory".to_owned(),
        ..pki::Subject::default()
    };
    let mut forged = other.issue(&subject, server.env.cluster_clock.now()).unwrap();
    forged.ca_pem = std::fs::read_to_string(server.dir.join("ca.crt")).unwrap();
    let forged = Identity::from_credentials(&forged).unwrap();
    let mut objects = ObjectServiceClient::new(server.channel(&forged));
    assert!(objects.get(get("default")).await.is_err());

    let mut health =
        tonic_health::pb::health_client::HealthClient::new(server.channel(&Identity::unverified().unwrap()));
    let answer = health
        .check(tonic_health::pb::HealthCheckRequest::default())
        .await
        .unwrap();
    assert_eq!(answer.into_inner().status, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_lets_nodes_join_and_nobody_else() {
    let server = Server::in_memory().await;
    let namespace = r#"{"metadata": {"name": "kube-system"}}"#;
    let secret = r#"{"type": "bootstrap.kubernetes.io/token", "metadata": {"name": "bootstrap-token-ghijkl"},
        "stringData": {"token-id": "ghijkl", "token-secret": "abcdefghijklmnop", "usage-bootstrap-authentication": "true"}}"#;
    for (kind, name, json) in [
        ("Namespace", "kube-system", namespace),
        ("Secret", "bootstrap-token-ghijkl", secret),
    ] {
        let object = pb::Object {
            kind: kind.to_owned(),
            namespace: if kind == "Secret" {
                "kube-system".to_owned()
            } else {
                String::new()
            },
            name: name.to_owned(),
            body: Some(pb::object::Body::Json(json.into())),
            ..pb::Object::default()
        };
        let request = pb::CreateRequest {
            object: Some(object),
            ..pb::CreateRequest::default()
        };
        // The namespace is there from the start.
        let created = server.objects().create(request).await;
        assert!(created.is_ok() || kind == "Namespace", "{created:?}");
    }
    let mut joining = BootstrapServiceClient::new(server.channel(&Identity::unverified().unwrap()));
    let mut ask = async |token: &str, role: &str| {
        let (_, csr_pem) = pki::signing_request().unwrap();
        let request = pb::SignCertificateRequest {
            token: token.to_owned(),
            csr_pem,
            role: role.to_owned(),
            name: "node-1".to_owned(),
            subject_alternative_names: Vec::new(),
        };
        joining
            .sign_certificate(request)
            .await
            .map(drop)
            .map_err(|status| status.code())
    };
    assert_eq!(ask("ghijkl.abcdefghijklmnop", "node").await, Ok(()));
    assert_eq!(ask("ghijkl.wrong", "node").await, Err(Code::Unauthenticated));
    assert_eq!(
        ask("ghijkl.abcdefghijklmnop", "controller-manager").await,
        Err(Code::PermissionDenied)
    );
}
