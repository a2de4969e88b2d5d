//! Tests of `metrics`.

use coracle_api::{LabelSelector, kinds};
use coracle_proto::v1::ContainerStatistics;
use serde_json::{Value, json};

use super::*;
use crate::registry::{Start, WatchRequest};
use crate::testing::{Bench, json_of, pod};

/// Tells what it was told.
struct Told(Measured);

#[async_trait]
impl Source for Told {
    async fn measure(
        &self,
        registry: &Registry,
        resource: &'static Resource,
        namespace: &str,
    ) -> Result<Vec<Entry>, ApiError> {
        if resource == kinds::NODE_METRICS {
            return Ok(self.0.node_entries(registry).await);
        }
        Ok(self.0.pod_entries(registry, namespace).await)
    }
}

fn used(millicores: i64, mebibytes: i64) -> Option<Usage> {
    Some(Usage {
        cpu_nanocores: millicores * 1_000_000,
        memory_bytes: mebibytes << 20,
    })
}

async fn bench() -> Bench {
    let bench = Bench::new().await;
    let node = json!({"metadata": {"name": "node-1", "labels": {"zone": "a"}}});
    bench.create(kinds::NODE, node).await.unwrap();
    let mut pods = Vec::new();
    for name in ["a", "b"] {
        let created = bench.create(kinds::POD, pod(name)).await.unwrap();
        pods.push(PodStatistics {
            namespace: "default".to_owned(),
            name: name.to_owned(),
            uid: created.entry.attributes.uid.to_string(),
            containers: vec![ContainerStatistics {
                name: "c".to_owned(),
                usage: used(3, 18),
            }],
        });
    }
    pods.push(PodStatistics {
        name: "gone".to_owned(),
        ..pods[0].clone()
    });
    let node = NodeStatistics {
        name: "node-1".to_owned(),
        usage: used(31, 84),
        pods,
    };
    let at = "2026-11-22T15:53:44Z".parse().unwrap();
    bench
        .registry
        .measure_with(Arc::new(Told(Measured::new(vec![node], at))));
    bench
}

#[tokio::test]
async fn nodes_and_pods_are_shown_with_their_labels() {
    let bench = bench().await;
    let target = Target::new(kinds::NODE_METRICS, "", "node-1");
    let node = json_of(&bench.registry.get(&target, "", None).await.unwrap());
    assert_eq!(
        node,
        json!({
            "apiVersion": "metrics.k8s.io/v1beta1", "kind": "NodeMetrics",
            "metadata": {"name": "node-1", "labels": {"zone": "a"}, "creationTimestamp": "2026-11-22T15:53:44Z"},
            "timestamp": "2026-11-22T15:53:44Z", "window": "10s", "usage": {"cpu": "31000000n", "memory": "86016Ki"},
        })
    );
    let all = ListRequest::all(kinds::POD_METRICS);
    let list = bench.registry.list(&all).await.unwrap();
    let pods: Vec<Value> = list.entries.iter().map(json_of).collect();
    assert_eq!(pods.len(), 2);
    assert_eq!(
        pods[0]["containers"],
        json!([{"name": "c", "usage": {"cpu": "3000000n", "memory": "18432Ki"}}])
    );
}

#[tokio::test]
async fn lists_select_and_page() {
    let bench = bench().await;
    let list = async |request: ListRequest| {
        let list = bench.registry.list(&request).await.unwrap();
        let names: Vec<String> = list
            .entries
            .iter()
            .map(|own| own.attributes.name.to_string())
            .collect();
        (names, list.continue_token)
    };
    let all = || ListRequest::all(kinds::POD_METRICS);
    let labels = LabelSelector::parse("app=other").unwrap();
    assert!(list(ListRequest { labels, ..all() }).await.0.is_empty());
    let namespace = "kube-system".to_owned();
    assert!(list(ListRequest { namespace, ..all() }).await.0.is_empty());
    let (names, token) = list(ListRequest { limit: 1, ..all() }).await;
    assert_eq!(names, ["a"]);
    let request = ListRequest {
        limit: 1,
        continue_token: token,
        ..all()
    };
    assert_eq!(list(request).await, (vec!["b".to_owned()], None));
}

#[tokio::test]
async fn without_nodes_to_ask_it_is_unavailable() {
    let bench = Bench::new().await;
    let all = ListRequest::all(kinds::NODE_METRICS);
    assert_eq!(bench.registry.list(&all).await.unwrap_err().code(), 503);
}

#[tokio::test]
async fn what_is_measured_is_neither_written_nor_watched() {
    let bench = bench().await;
    let metrics = json!({"metadata": {"name": "node-1"}});
    let error = bench.create(kinds::NODE_METRICS, metrics).await.unwrap_err();
    assert_eq!(error.code(), 405);
    let request = WatchRequest::all(kinds::NODE_METRICS, Start::Now { initial: true });
    assert_eq!(bench.registry.watch(request).err().unwrap().code(), 405);
}
