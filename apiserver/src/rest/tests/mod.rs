//! The door as a client sees it, over a registry on the memory store.

use std::net::Ipv4Addr;

use axum::body::to_bytes;
use coracle_store::MemoryStore;
use http::{HeaderMap, Request};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

mod apply;
mod bodies;
mod custom;
mod helm;
mod judged;
mod kubectl;
mod logs;
mod reads;
mod watches;
mod writes;

const JSON: &str = "application/json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const MERGE: &str = "application/merge-patch+json";

/// What a client got.
#[derive(Debug)]
struct Answer {
    code: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Checks the code and returns the body.
    #[track_caller]
    fn expect(self, code: u16) -> Value {
        assert_eq!(self.code, code, "{}", self.text);
        self.json()
    }

    /// `CODE REASON: MESSAGE` of a failure.
    #[track_caller]
    fn failure(&self) -> String {
        let status = self.json();
        assert_eq!(status["kind"], "Status", "{status}");
        assert_eq!(status["code"], self.code, "{status}");
        format!(
            "{} {}: {}",
            self.code,
            status["reason"].as_str().unwrap(),
            status["message"].as_str().unwrap()
        )
    }
}

/// A server without a network, and a client of it.
struct Client {
    door: Arc<Door>,
    router: Router,
}

impl Client {
    /// A server with the namespace `default`.
    async fn new() -> Self {
        let store = Arc::new(MemoryStore::new(coracle_store::MemoryConfig::default()));
        let env = Env::host();
        let registry = Registry::open(
            store,
            crate::sealing::codec(None, &env.random).unwrap(),
            (Ipv4Addr::new(10, 96, 0, 0), 16),
            &env,
        );
        let registry = Arc::new(registry.unwrap());
        let modes = vec![crate::Mode::AlwaysAllow];
        let auth = crate::auth::Auth::open(&registry, modes, crate::InFlight::default(), None, &env).unwrap();
        let openapi = Arc::new(OpenApi::new(env.spawn));
        let state = RestState {
            registry,
            openapi,
            env,
            identity: Identity::simulated("system:apiserver", &["system:masters"]),
            shutdown: Shutdown::new(),
        };
        let door = Arc::new(Door::new(state));
        let router = Router::new().fallback(handle).with_state(Arc::clone(&door));
        let router = router.layer(axum::middleware::from_fn_with_state(auth, crate::auth::guard));
        let client = Self { door, router };
        client
            .post(
                "/api/v1/namespaces",
                &json!({ "metadata": { "name": "default" } }),
            )
            .await
            .expect(201);
        client
    }

    async fn respond(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn send(&self, method: &str, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        self.ask(request.body(body.into()).unwrap()).await
    }

    async fn ask(&self, mut request: Request<Body>) -> Answer {
        let peer = Peer::new("kubernetes-admin", &["system:masters"]);
        request.extensions_mut().insert(Arc::new(peer));
        let response = self.respond(request).await;
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer {
            code: parts.status.as_u16(),
            headers: parts.headers,
            text,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", Body::empty()).await
    }

    async fn get_as(&self, path: &str, accept: &str) -> Answer {
        self.ask(
            Request::get(path)
                .header("accept", accept)
                .body(Body::empty())
                .unwrap(),
        )
        .await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, JSON, body.to_string()).await
    }

    async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, JSON, body.to_string()).await
    }

    async fn patch(&self, path: &str, content_type: &str, body: &Value) -> Answer {
        self.send("PATCH", path, content_type, body.to_string()).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, "", Body::empty()).await
    }

    /// Opens a stream and returns it line by line.
    async fn lines(&self, path: &str, accept: &str) -> Lines {
        let mut request = Request::get(path)
            .header("accept", accept)
            .body(Body::empty())
            .unwrap();
        let peer = Peer::new("kubernetes-admin", &["system:masters"]);
        request.extensions_mut().insert(Arc::new(peer));
        let response = self.respond(request).await;
        assert_eq!(response.status(), 200);
        Lines {
            body: response.into_body(),
            text: Vec::new(),
        }
    }
}

/// A stream of JSON lines.
struct Lines {
    body: Body,
    text: Vec<u8>,
}

impl Lines {
    /// The next line; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Value> {
        use http_body_util::BodyExt;
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.text.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = self.body.frame().await?.unwrap();
            if let Ok(data) = frame.into_data() {
                self.text.extend_from_slice(&data);
            }
        }
    }

    /// `TYPE NAME` of the next line.
    async fn event(&mut self) -> String {
        let event = self.next().await.expect("the stream goes on");
        let name = event["object"]["metadata"]["name"].as_str().unwrap_or_default();
        format!("{} {name}", event["type"].as_str().unwrap())
    }
}

fn config_map(name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "labels": { "app": name } },
        "data": { "a": value },
    })
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn who_proves_nothing_learns_the_version_only() {
    let client = Client::new().await;
    let get = |path: &str| client.respond(Request::get(path).body(Body::empty()).unwrap());
    assert_eq!(get("/version").await.status(), 200);
    for path in ["/api", "/apis", "/api/v1/pods", "/openapi/v3", "/nothing"] {
        assert_eq!(get(path).await.status(), 401, "{path}");
    }
    let with_token = Request::get("/api")
        .header("authorization", "Bearer x")
        .body(Body::empty())
        .unwrap();
    assert_eq!(
        client.ask(with_token).await.failure(),
        "401 Unauthorized: Unauthorized"
    );
}

#[tokio::test]
async fn version_discovery_and_openapi() {
    let client = Client::new().await;
    let version = client.get("/version/").await.expect(200);
    assert_eq!(
        (&version["major"], &version["minor"]),
        (&json!("1"), &json!("33"))
    );
    assert_eq!(client.get("/api").await.expect(200)["versions"], json!(["v1"]));
    assert_eq!(
        client.get("/apis/apps").await.expect(200)["preferredVersion"]["groupVersion"],
        "apps/v1"
    );
    assert_eq!(client.get("/api/v1").await.expect(200)["kind"], "APIResourceList");
    assert!(
        client.get("/").await.expect(200)["paths"]
            .as_array()
            .unwrap()
            .contains(&json!("/apis/apps/v1"))
    );
    let openapi = client.get("/openapi/v2").await;
    assert_eq!(
        openapi.headers["content-type"],
        "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    );
    assert_eq!(openapi.text.len(), 32);
    let index = client.get("/openapi/v3").await.expect(200);
    let url = index["paths"]["api/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(client.get(&url).await.expect(200)["openapi"], "3.0.0");
}

#[tokio::test]
async fn what_is_not_served() {
    let client = Client::new().await;
    let unknown = client.get("/apis/gizmo.io/v1/gizmos").await;
    assert_eq!(
        (unknown.code, unknown.text.as_str()),
        (404, "404 page not found\n")
    );
    let failure = client.get("/api/v1/gizmos").await.failure();
    assert_eq!(
        failure,
        "404 NotFound: the server could not find the requested resource"
    );
    for (method, path) in [
        ("POST", "/api/v1/namespaces/default/configmaps/x"),
        ("PUT", MAPS),
        ("POST", "/api/v1/configmaps"),
        ("DELETE", "/api/v1/configmaps"),
        ("DELETE", "/api/v1/namespaces"),
        ("PATCH", "/api/v1/namespaces/default/pods/x/binding"),
        ("POST", "/version"),
        ("OPTIONS", MAPS),
    ] {
        let failure = client.send(method, path, JSON, "{}").await.failure();
        let expected =
            "405 MethodNotAllowed: the server does not allow this method on the requested resource";
        assert_eq!(failure, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn a_full_server_says_when_to_come_again() {
    let client = Client::new().await;
    let all = client.door.reads.acquire_many(MAX_READS as u32).await.unwrap();
    let answer = client.get(MAPS).await;
    assert_eq!(
        (answer.code, &answer.headers["retry-after"]),
        (429, &http::HeaderValue::from_static("1"))
    );
    // Writes have room of their own.
    client.post(MAPS, &config_map("a", "1")).await.expect(201);
    drop(all);
    client.get(MAPS).await.expect(200);
}
