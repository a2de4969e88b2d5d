//! A node that falls silent: NotReady within the grace period, tainted, its pods moved after their toleration, and
//! nobody evicted while all nodes are gone.

use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use coracle_api::kinds;
use coracle_client::{GrpcClient, ListQuery, ObjectApi, Write, WriteOptions};
use coracle_testing::{Cluster, Options, eventually};
use coracle_tests::{access::Access, is_ready};
use serde_json::{Value, json};

/// Settings of the test; Kubernetes' own are 50 s and 10 s.
const GRACE: Duration = Duration::from_secs(2);
const RENEW: &str = "0.5";
/// What may come on top of the grace period on a shared machine.
const SLACK: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(30);
/// Of the test's pods, for nodes that are not ready or cannot be reached.
const TOLERATION_SECONDS: u64 = 3;
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

async fn node(api: &GrpcClient, name: &str) -> anyhow::Result<Value> {
    Ok(api.get(kinds::NODE, "", name).await?.read()?)
}

/// The status of a node's condition Ready.
fn readiness(node: &Value) -> &str {
    let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions
        .into_iter()
        .find(|condition| condition["type"] == "Ready");
    ready
        .and_then(|condition| condition["status"].as_str())
        .unwrap_or_default()
}

fn is_tainted(node: &Value, effect: &str) -> bool {
    let mut taints = node["spec"]["taints"].as_array().into_iter().flatten();
    taints.any(|taint| taint["key"] == UNREACHABLE && taint["effect"] == effect)
}

async fn deploy(api: &GrpcClient) -> anyhow::Result<()> {
    let toleration = |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATION_SECONDS});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "mover", "namespace": "default"},
        "spec": {
            "replicas": 6,
            "selector": {"matchLabels": {"app": "mover"}},
            "template": {"metadata": {"labels": {"app": "mover"}}, "spec": {
                "containers": [{"name": "pause", "image": "registry.k8s.io/pause:3.9"}],
                "tolerations": [toleration(UNREACHABLE), toleration("node.kubernetes.io/not-ready")],
            }},
        },
    });
    let write = Write::Create {
        resource: kinds::DEPLOYMENT,
        namespace: "default".to_owned(),
        name: "mover".to_owned(),
        subresource: "",
        json: Bytes::from(deployment.to_string()),
    };
    api.write(write, &WriteOptions::default())
        .await
        .context("create deployment")?;
    Ok(())
}

async fn pods(api: &GrpcClient) -> anyhow::Result<Vec<Value>> {
    let query = ListQuery {
        label_selector: "app=mover".to_owned(),
        ..ListQuery::all(kinds::POD)
    };
    let (pods, _) = api.list_all(&query).await?;
    Ok(pods.iter().map(|pod| pod.read()).collect::<Result<_, _>>()?)
}

/// Waits for six Ready pods that are all on one of `nodes`.
async fn settled(api: &GrpcClient, nodes: &[&str]) -> anyhow::Result<()> {
    eventually(&format!("six Ready pods on {nodes:?}"), PATIENCE, || async {
        let pods = pods(api).await?;
        let on_one = |pod: &Value| nodes.iter().any(|node| pod["spec"]["nodeName"] == *node);
        let ready = pods.iter().filter(|pod| is_ready(pod) && on_one(pod)).count();
        ensure!(ready == 6, "{ready} pods are Ready there");
        Ok(())
    })
    .await
}

async fn cluster() -> anyhow::Result<(Cluster, Access)> {
    let grace = format!("controller-manager.node-monitor-grace-period={}", GRACE.as_secs());
    let set = vec![
        grace,
        format!("node.lease-renew-interval={RENEW}"),
        // Nodes are not Ready when they join, and each has its turn for the taint that goes with that: one in 10 s.
        "controller-manager.node-eviction-rate=10".to_owned(),
    ];
    let cluster = Cluster::with(Options {
        set,
        ..Options::default()
    })
    .await?;
    let access = Access::of(&cluster).await?;
    Ok((cluster, access))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_node_is_noticed_and_its_pods_move() -> anyhow::Result<()> {
    let (cluster, access) = cluster().await?;
    let api = access.client()?;
    deploy(&api).await?;
    settled(&api, &["node-1", "node-2", "node-3"]).await?;
    let clock = &access.env.transport_clock;
    let frozen = clock.monotonic();
    cluster.run(&["stop", "node-1"]).await?;
    eventually("node-1 to be NotReady", GRACE + SLACK, || async {
        let found = node(&api, "node-1").await?;
        ensure!(
            readiness(&found) == "Unknown",
            "its condition Ready is {}",
            readiness(&found)
        );
        Ok(())
    })
    .await?;
    let noticed = clock.monotonic() - frozen;
    eprintln!(
        "a_frozen_node_is_noticed_and_its_pods_move: noticed after {} ms of {GRACE:?}",
        noticed.as_millis()
    );
    for effect in ["NoSchedule", "NoExecute"] {
        eventually(&format!("the taint {effect}"), SLACK, || async {
            ensure!(
                is_tainted(&node(&api, "node-1").await?, effect),
                "it is not there"
            );
            Ok(())
        })
        .await?;
    }
    settled(&api, &["node-2", "node-3"]).await?;

    cluster.run(&["cont", "node-1"]).await?;
    eventually("node-1 to be Ready and free of taints", PATIENCE, || async {
        let found = node(&api, "node-1").await?;
        ensure!(
            readiness(&found) == "True",
            "its condition Ready is {}",
            readiness(&found)
        );
        ensure!(
            !is_tainted(&found, "NoSchedule") && !is_tainted(&found, "NoExecute"),
            "it is tainted"
        );
        Ok(())
    })
    .await?;
    eventually("the evicted pods to be gone", PATIENCE, || async {
        let count = pods(&api).await?.len();
        ensure!(count == 6, "{count} pods are left");
        Ok(())
    })
    .await?;
    cluster.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_evicted_while_every_node_is_gone() -> anyhow::Result<()> {
    let (cluster, access) = cluster().await?;
    let api = access.client()?;
    deploy(&api).await?;
    let nodes = ["node-1", "node-2", "node-3"];
    settled(&api, &nodes).await?;
    let names = |pods: &[Value]| -> Vec<String> {
        pods.iter()
            .map(|pod| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let before = names(&pods(&api).await?);
    for node in nodes {
        cluster.run(&["stop", node]).await?;
    }
    eventually("every node to be NotReady", PATIENCE, || async {
        for name in nodes {
            let found = node(&api, name).await?;
            ensure!(readiness(&found) == "Unknown", "{name} is still Ready");
        }
        Ok(())
    })
    .await?;
    // Long enough for evictions to have come, had the tolerations run.
    let clock = &access.env.transport_clock;
    let deadline = clock.monotonic() + Duration::from_secs(TOLERATION_SECONDS + 1);
    while clock.monotonic() < deadline {
        let now = pods(&api).await?;
        let evicted = now
            .iter()
            .filter(|pod| !pod["metadata"]["deletionTimestamp"].is_null())
            .count();
        ensure!(
            evicted == 0,
            "{evicted} pods are being evicted while every node is gone"
        );
        clock.sleep(Duration::from_millis(100)).await;
    }
    // The first to be noticed were tainted until the last was noticed, too.
    for name in nodes {
        ensure!(
            !is_tainted(&node(&api, name).await?, "NoExecute"),
            "{name} would evict"
        );
    }
    for node in nodes {
        cluster.run(&["cont", node]).await?;
    }
    settled(&api, &nodes).await?;
    ensure!(names(&pods(&api).await?) == before, "pods were replaced");
    cluster.stop().await
}
