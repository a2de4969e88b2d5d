//! A real HTTPS server that plays webhooks.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Json, Router, extract::Path, extract::State, routing::post};
use base64::{Engine, engine::general_purpose::STANDARD};
use coracle_service::{
    Env, Identity, Shutdown,
    pki::{Authority, Subject},
    serve,
};
use parking_lot::Mutex;
use serde_json::{Value, json};

type Answer = Box<dyn Fn(&Value) -> Value + Send + Sync>;

/// Webhooks by path. They end with the test's runtime.
pub(crate) struct Webhooks {
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
    authority: String,
    ca_pem: String,
    /// How many reviews came in.
    pub asked: Arc<AtomicUsize>,
}

impl Webhooks {
    pub async fn start() -> Self {
        let env = Env::host();
        let now = env.cluster_clock.now();
        let ca = Authority::create("webhooks", now).unwrap();
        let subject = Subject {
            user: "webhooks".to_owned(),
            groups: Vec::new(),
            server_names: vec!["127.0.0.1".to_owned(), "hooks.default.svc".to_owned()],
        };
        let identity = Identity::from_credentials(&ca.issue(&subject, now).unwrap()).unwrap();
        let listener = env.network.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let hooks = Self {
            answers: Arc::default(),
            authority: listener.local_addr().unwrap().to_string(),
            ca_pem: ca.certificate_pem().to_owned(),
            asked: Arc::default(),
        };
        let (answers, asked) = (Arc::clone(&hooks.answers), Arc::clone(&hooks.asked));
        let router = Router::new()
            .route("/{path}", post(answer))
            .with_state((answers, asked));
        tokio::spawn(async move {
            let shutdown = Shutdown::new();
            serve::serve(
                listener,
                &identity,
                router,
                serve::Limits::default(),
                &env,
                &shutdown,
            )
            .await;
        });
        hooks
    }

    /// Answers reviews at `path`; the answer is made of the review's `request`.
    pub fn on(&self, path: &str, answer: impl Fn(&Value) -> Value + Send + Sync + 'static) {
        self.answers.lock().insert(path.to_owned(), Box::new(answer));
    }

    pub fn client_config(&self, path: &str) -> Value {
        json!({"url": format!("https://{}/{path}", self.authority), "caBundle": STANDARD.encode(&self.ca_pem)})
    }

    /// As [`Webhooks::client_config`], through the Service `hooks`.
    pub fn service_config(&self, path: &str) -> Value {
        let service =
            json!({"namespace": "default", "name": "hooks", "port": self.port(), "path": format!("/{path}")});
        json!({"service": service, "caBundle": STANDARD.encode(&self.ca_pem)})
    }

    pub fn port(&self) -> u16 {
        self.authority.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    pub fn allow(request: &Value) -> Value {
        respond(json!({"uid": request["uid"], "allowed": true}))
    }

    pub fn patch(request: &Value, patch: Value) -> Value {
        let patch = STANDARD.encode(patch.to_string());
        respond(json!({"uid": request["uid"], "allowed": true, "patchType": "JSONPatch", "patch": patch}))
    }
}

pub(crate) fn deny(request: &Value, why: &str) -> Value {
    let status = json!({"code": 403, "message": why});
    respond(json!({"uid": request["uid"], "allowed": false, "status": status}))
}

pub(crate) fn warn(request: &Value, warning: &str) -> Value {
    respond(json!({"uid": request["uid"], "allowed": true, "warnings": [warning]}))
}

fn respond(response: Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
}

type Shared = (Arc<Mutex<BTreeMap<String, Answer>>>, Arc<AtomicUsize>);

async fn answer(
    State((answers, asked)): State<Shared>,
    Path(path): Path<String>,
    Json(review): Json<Value>,
) -> Json<Value> {
    asked.fetch_add(1, Ordering::Relaxed);
    let answers = answers.lock();
    let answer = answers.get(&path).map(|answer| answer(&review["request"]));
    Json(answer.unwrap_or_default())
}
