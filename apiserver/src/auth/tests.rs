//! The locked door before the REST door, over a registry on the memory store.

mod members;

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    middleware::from_fn_with_state,
};
use coracle_auth::Mode;
use coracle_service::{Identity, Peer, Shutdown};
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::{
    registry::{Context, Gate},
    rest::{self, RestState},
    testing::Bench,
};

const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1";

/// A server without a network.
struct Server {
    registry: Arc<Registry>,
    auth: Arc<Auth>,
    router: Router,
    _shutdown: Shutdown,
}

impl Server {
    async fn new() -> Self {
        let bench = Bench::new().await;
        let env = Env::host();
        let (registry, shutdown) = (bench.registry, Shutdown::new());
        seed(&registry).await.unwrap();
        let modes = vec![Mode::Node, Mode::Rbac];
        let auth = Auth::open(&registry, modes, InFlight::default(), None, &env).unwrap();
        auth.follow(&registry, &shutdown).await;
        aggregate_roles(&registry, &env, &shutdown);
        registry.set_gate(Arc::clone(&auth) as Arc<dyn Gate>);
        let rest = rest::router(RestState {
            registry: Arc::clone(&registry),
            openapi: Arc::new(rest::OpenApi::new(env.spawn)),
            env,
            identity: Identity::simulated("system:apiserver", &["system:masters"]),
            shutdown: shutdown.clone(),
        });
        let router = oidc_router(&auth)
            .merge(rest)
            .layer(from_fn_with_state(Arc::clone(&auth), guard));
        Self {
            registry,
            auth,
            router,
            _shutdown: shutdown,
        }
    }

    async fn ask(&self, peer: &Peer, request: Request<Body>) -> (u16, Value) {
        let mut request = request;
        request.extensions_mut().insert(Arc::new(peer.clone()));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let code = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (code, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn get(&self, peer: &Peer, path: &str) -> (u16, Value) {
        self.ask(peer, Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    async fn post(&self, peer: &Peer, path: &str, body: &Value) -> (u16, Value) {
        let request = Request::post(path).header("content-type", "application/json");
        self.ask(peer, request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    /// Writes as the administrator.
    async fn put(&self, path: &str, body: &Value) -> Value {
        let (code, answer) = self.post(&root(), path, body).await;
        assert_eq!(code, 201, "{path}: {answer}");
        answer
    }
}

fn root() -> Peer {
    Peer::new("kubernetes-admin", &["system:masters"])
}

fn person(name: &str) -> Peer {
    Peer::new(name, &["system:authenticated"])
}

fn binding(name: &str, role: &str, user: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
    })
}

#[tokio::test]
async fn a_role_just_granted_counts_at_once() {
    let server = Server::new().await;
    let bob = person("bob");
    let (code, answer) = server.get(&bob, "/api/v1/namespaces/default/pods").await;
    assert_eq!(
        (code, answer["message"].as_str().unwrap()),
        (
            403,
            r#"pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "default""#
        )
    );
    let path = format!("{ROLES}/namespaces/default/rolebindings");
    server.put(&path, &binding("bob", "view", "bob")).await;
    let (code, _) = server.get(&bob, "/api/v1/namespaces/default/pods").await;
    assert_eq!(code, 200);
    let (code, _) = server.get(&bob, "/api/v1/namespaces/default/secrets").await;
    assert_eq!(code, 403);
    let (code, _) = server.get(&bob, "/api/v1/pods").await;
    assert_eq!(code, 403);
}

#[tokio::test]
async fn strangers_see_health_and_version_alone() {
    let server = Server::new().await;
    for (path, expected) in [
        ("/version", 200),
        ("/api", 401),
        ("/api/v1/pods", 401),
        ("/openid/v1/jwks", 401),
    ] {
        let (code, answer) = server.get(&Peer::anonymous(), path).await;
        assert_eq!(code, expected, "{path} {answer}");
    }
    let (code, _) = server.get(&person("eve"), "/api/v1").await;
    assert_eq!(code, 200, "discovery is everybody's");
    let (code, answer) = server.get(&person("eve"), "/nothing").await;
    assert_eq!(
        (code, answer["message"].as_str().unwrap()),
        (403, r#"forbidden: User "eve" cannot get path "/nothing""#)
    );
}

#[tokio::test]
async fn reviews_are_answered_and_not_kept() {
    let server = Server::new().await;
    let bob = person("bob");
    let before = server.registry.revision();
    let ask =
        json!({"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}}});
    let (code, answer) = server
        .post(&bob, &format!("{REVIEWS}/selfsubjectaccessreviews"), &ask)
        .await;
    assert_eq!((code, &answer["status"]), (201, &json!({"allowed": false})));
    assert_eq!(answer["kind"], "SelfSubjectAccessReview");
    let (_, answer) = server
        .post(&root(), &format!("{REVIEWS}/selfsubjectaccessreviews"), &ask)
        .await;
    assert_eq!(answer["status"]["allowed"], true);

    let mut other = ask.clone();
    other["spec"]["user"] = json!("system:kube-scheduler");
    let path = format!("{REVIEWS}/subjectaccessreviews");
    let (_, answer) = server.post(&root(), &path, &other).await;
    assert_eq!(answer["status"]["allowed"], true);
    assert_eq!(
        answer["status"]["reason"],
        r#"RBAC: allowed by ClusterRoleBinding "system:kube-scheduler" of ClusterRole "system:kube-scheduler" to User "system:kube-scheduler""#
    );
    let (code, _) = server.post(&bob, &path, &other).await;
    assert_eq!(code, 403, "asking about others takes a right");
    let (code, answer) = server.post(&root(), &path, &json!({"spec": {}})).await;
    assert_eq!(code, 422, "{answer}");

    let (_, answer) = server
        .post(
            &bob,
            &format!("{REVIEWS}/selfsubjectrulesreviews"),
            &json!({"spec": {"namespace": "default"}}),
        )
        .await;
    let rules = answer["status"]["resourceRules"].as_array().unwrap();
    assert!(
        rules
            .iter()
            .any(|rule| rule["resources"] == json!(["selfsubjectaccessreviews", "selfsubjectrulesreviews"]))
    );
    assert_eq!(answer["status"]["incomplete"], false);

    let (_, answer) = server
        .post(
            &bob,
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
            &json!({}),
        )
        .await;
    assert_eq!(
        answer["status"]["userInfo"],
        json!({"username": "bob", "groups": ["system:authenticated"]})
    );
    assert_eq!(server.registry.revision(), before, "nothing was stored");
}

#[tokio::test]
async fn a_service_account_comes_in_with_its_token() {
    let server = Server::new().await;
    server
        .put(
            "/api/v1/namespaces/default/serviceaccounts",
            &json!({"metadata": {"name": "robot"}}),
        )
        .await;
    let path = "/api/v1/namespaces/default/serviceaccounts/robot/token";
    let answer = server
        .put(path, &json!({"spec": {"expirationSeconds": 600}}))
        .await;
    assert_eq!(answer["kind"], "TokenRequest");
    let token = answer["status"]["token"].as_str().unwrap();
    let with = |token: &str, path: &str| {
        Request::get(path)
            .header("authorization", format!("Bearer {token}"))
            .body(Body::empty())
            .unwrap()
    };
    let nobody = Peer::anonymous();
    let (code, answer) = server
        .ask(&nobody, with(token, "/api/v1/namespaces/default/pods"))
        .await;
    assert_eq!(code, 403);
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains(r#"User "system:serviceaccount:default:robot" cannot list"#)
    );
    let (code, _) = server.ask(&nobody, with(token, "/openid/v1/jwks")).await;
    assert_eq!(code, 200);
    let (code, _) = server.ask(&root(), with("wrong", "/api/v1/pods")).await;
    assert_eq!(
        code, 401,
        "a wrong token is refused, whatever certificate comes with it"
    );

    let review = json!({"spec": {"token": token}});
    let (_, answer) = server
        .post(&root(), "/apis/authentication.k8s.io/v1/tokenreviews", &review)
        .await;
    assert_eq!(answer["status"]["authenticated"], true);
    assert_eq!(
        answer["status"]["user"]["username"],
        "system:serviceaccount:default:robot"
    );

    let delete = Request::delete("/api/v1/namespaces/default/serviceaccounts/robot");
    server.ask(&root(), delete.body(Body::empty()).unwrap()).await;
    let (code, _) = server.ask(&nobody, with(token, "/openid/v1/jwks")).await;
    assert_eq!(code, 401, "the token dies with its account");
}

#[tokio::test]
async fn nobody_grants_themselves_more() {
    let server = Server::new().await;
    let bindings = format!("{ROLES}/namespaces/default/rolebindings");
    server.put(&bindings, &binding("bob", "admin", "bob")).await;
    let bob = person("bob");
    let (code, _) = server
        .post(&bob, &bindings, &binding("friend", "view", "eve"))
        .await;
    assert_eq!(code, 201, "what one has one may give");
    let (code, answer) = server
        .post(&bob, &bindings, &binding("mine", "cluster-admin", "bob"))
        .await;
    assert_eq!(code, 403);
    let message = answer["message"].as_str().unwrap();
    assert!(
        message.starts_with(
            "rolebindings.rbac.authorization.k8s.io \"mine\" is forbidden: user \"bob\" (groups=[\"system:authenticated\"]) is \
             attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}"
        ),
        "{message}"
    );
    let role = json!({
        "metadata": {"name": "nodes"}, "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}],
    });
    let (code, _) = server
        .post(&bob, &format!("{ROLES}/namespaces/default/roles"), &role)
        .await;
    assert_eq!(code, 403);
}

#[tokio::test]
async fn impersonation_is_judged_as_the_other() {
    let server = Server::new().await;
    let act = |user: &str, path: &str| {
        Request::get(path)
            .header("impersonate-user", user)
            .body(Body::empty())
            .unwrap()
    };
    let (code, _) = server.ask(&root(), act("jane", "/api/v1/pods")).await;
    assert_eq!(code, 403);
    let (code, _) = server
        .ask(&root(), act("system:kube-scheduler", "/api/v1/pods"))
        .await;
    assert_eq!(code, 200);
    let (code, answer) = server.ask(&person("bob"), act("jane", "/api/v1/pods")).await;
    assert_eq!(code, 403);
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .starts_with(r#"users "jane" is forbidden: User "bob" cannot impersonate"#)
    );
}

#[tokio::test]
async fn an_aggregated_role_follows_its_parts() {
    let server = Server::new().await;
    let part = json!({
        "metadata": {"name": "widgets", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [{"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["get"]}],
    });
    server.put(&format!("{ROLES}/clusterroles"), &part).await;
    let row = lookup::row("rbac.authorization.k8s.io", "clusterroles").unwrap();
    let mut watch = server
        .registry
        .watch(WatchRequest::all(
            row,
            crate::registry::Start::Now { initial: true },
        ))
        .unwrap();
    // Admin is made of edit, and edit of view: the change arrives there in the end.
    let arrived = async {
        loop {
            let events = watch.next().await.unwrap().unwrap();
            let has = |event: &crate::registry::Event| {
                event.entry.as_ref().is_some_and(|entry| {
                    &*entry.attributes.name == "admin"
                        && String::from_utf8_lossy(&entry.json).contains("widgets")
                })
            };
            if events.iter().any(has) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), arrived)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_apply_that_creates_needs_leave_to_create() {
    let server = Server::new().await;
    let patcher = json!({
        "metadata": {"name": "patcher"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "patch"]}],
    });
    server.put(&format!("{ROLES}/clusterroles"), &patcher).await;
    let path = format!("{ROLES}/namespaces/default/rolebindings");
    server.put(&path, &binding("bob", "patcher", "bob")).await;
    let apply = |peer: Peer| {
        let config =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "b"}});
        let request = Request::patch("/api/v1/namespaces/default/configmaps/a?fieldManager=bob")
            .header("content-type", "application/apply-patch+yaml")
            .body(Body::from(config.to_string()))
            .unwrap();
        let server = &server;
        async move { server.ask(&peer, request).await }
    };
    let (code, answer) = apply(person("bob")).await;
    assert_eq!(
        (code, answer["message"].as_str().unwrap()),
        (
            403,
            r#"configmaps is forbidden: User "bob" cannot create resource "configmaps" in API group "" in the namespace "default""#
        )
    );
    assert_eq!(apply(root()).await.0, 201);
    assert_eq!(apply(person("bob")).await.0, 200);
}
