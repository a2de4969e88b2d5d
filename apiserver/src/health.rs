//! `/livez`, `/readyz` and `/healthz` as kubectl and probes ask for them, `?verbose` included, and `/metrics` in
//! Prometheus' text format.
//!
//! What is measured is what is known: the store's revisions and size, the objects of every kind, the answers by code.

use std::{collections::BTreeMap, fmt::Write, sync::Arc};

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use coracle_service::Health;
use parking_lot::Mutex;

use crate::registry::Registry;

/// The type of Prometheus' text format.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
/// Different answers that are counted: codes by door and method; beyond it nothing new is.
const MAX_COUNTED: usize = 512;

/// How many requests were answered, and how.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    counts: Mutex<BTreeMap<(&'static str, String, u16), u64>>,
}

impl Answers {
    /// Counts one answer of a door (`rest` or `grpc`).
    pub fn count(&self, door: &'static str, method: &str, code: u16) {
        let mut counts = self.counts.lock();
        let key = (door, method.to_owned(), code);
        if counts.len() < MAX_COUNTED || counts.contains_key(&key) {
            *counts.entry(key).or_default() += 1;
        }
    }
}

/// What the routes stand on.
#[derive(Clone)]
struct Shown {
    health: Health,
    registry: Arc<Registry>,
    answers: Arc<Answers>,
}

/// The routes.
pub(crate) fn router(health: &Health, registry: &Arc<Registry>, answers: &Arc<Answers>) -> Router {
    let shown = Shown {
        health: health.clone(),
        registry: Arc::clone(registry),
        answers: Arc::clone(answers),
    };
    let ready = get(
        |State(shown): State<Shown>, RawQuery(query): RawQuery| async move {
            let good = shown.health.is_ready();
            shown.tell("readyz", good, query.as_deref())
        },
    );
    let healthy = get(
        |State(shown): State<Shown>, RawQuery(query): RawQuery| async move {
            let good = shown.health.is_ready();
            shown.tell("healthz", good, query.as_deref())
        },
    );
    let live = get(
        |State(shown): State<Shown>, RawQuery(query): RawQuery| async move {
            let good = shown.health.is_live();
            shown.tell("livez", good, query.as_deref())
        },
    );
    let metrics = get(|State(shown): State<Shown>| async move { ([(CONTENT_TYPE, TEXT)], shown.metrics()) });
    Router::new()
        .route("/readyz", ready)
        .route("/healthz", healthy)
        .route("/livez", live)
        .route("/metrics", metrics)
        .with_state(shown)
}

impl Shown {
    /// `ok`, or a line for each check where somebody asks or something is wrong, in upstream's form.
    fn tell(&self, name: &str, good: bool, query: Option<&str>) -> Response {
        let asks = |part: &str| part == "verbose" || part.starts_with("verbose=");
        let is_verbose = query.is_some_and(|query| query.split('&').any(asks));
        let code = if good {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        if good && !is_verbose {
            return (code, "ok").into_response();
        }
        let outcome = if good { "passed" } else { "failed" };
        let text = format!("[+]ping ok\n{}{name} check {outcome}\n", self.health.report());
        (code, text).into_response()
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        let status = self.registry.store().status();
        let mut gauge = |name: &str, help: &str, value: i64| {
            let _ = write!(
                text,
                "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n"
            );
        };
        gauge(
            "coracle_store_revision",
            "The latest revision of the store.",
            self.registry.revision(),
        );
        let compacted = self.registry.store().compacted_revision();
        gauge(
            "coracle_store_compacted_revision",
            "The revision below which history is gone.",
            compacted,
        );
        gauge(
            "coracle_store_writable",
            "Whether the store takes writes.",
            i64::from(status.problem.is_none()),
        );
        let _ = writeln!(
            text,
            "# HELP apiserver_storage_objects Objects by kind.\n# TYPE apiserver_storage_objects gauge"
        );
        for row in self
            .registry
            .catalog()
            .now()
            .rows()
            .filter(|row| row.is_storage())
        {
            let count = self.registry.count(row);
            if count > 0 {
                let _ = writeln!(
                    text,
                    "apiserver_storage_objects{{resource=\"{}\"}} {count}",
                    row.qualified()
                );
            }
        }
        let _ = writeln!(
            text,
            "# HELP coracle_apiserver_answers_total Requests that were answered, by door, method and code.\n\
             # TYPE coracle_apiserver_answers_total counter"
        );
        for ((door, method, code), count) in &*self.answers.counts.lock() {
            let _ = writeln!(
                text,
                "coracle_apiserver_answers_total{{door=\"{door}\",method=\"{method}\",code=\"{code}\"}} {count}"
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::to_bytes, extract::Request};
    use coracle_service::health::Check;
    use tower::ServiceExt;

    use super::*;
    use crate::testing::Bench;

    #[tokio::test]
    async fn health_is_told_in_a_word_or_check_by_check() {
        let bench = Bench::new().await;
        let (health, answers) = (Health::new(), Arc::<Answers>::default());
        health.set("store", Check::Ok);
        let router = router(&health, &bench.registry, &answers);
        let get = |path: &str| {
            let request = Request::builder()
                .uri(path)
                .body(axum::body::Body::empty())
                .unwrap();
            let router = router.clone();
            async move {
                let response = router.oneshot(request).await.unwrap();
                let code = response.status().as_u16();
                let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
                (code, String::from_utf8(body.to_vec()).unwrap())
            }
        };
        assert_eq!(get("/readyz").await, (200, "ok".to_owned()));
        let verbose = "[+]ping ok\n[+]store ok\nlivez check passed\n";
        assert_eq!(get("/livez?verbose").await, (200, verbose.to_owned()));
        answers.count("rest", "GET", 404);
        let (_, metrics) = get("/metrics").await;
        for line in [
            "apiserver_storage_objects{resource=\"namespaces\"} 4",
            "coracle_apiserver_answers_total{door=\"rest\",method=\"GET\",code=\"404\"} 1",
            "coracle_store_writable 1",
        ] {
            assert!(
                metrics.lines().any(|own| own == line),
                "{line} is not in\n{metrics}"
            );
        }
        health.set("store", Check::Failed("no disk".to_owned()));
        let (code, text) = get("/readyz").await;
        assert_eq!(code, 503);
        assert!(
            text.contains("[-]store failed: no disk\nreadyz check failed"),
            "{text}"
        );
    }
}
