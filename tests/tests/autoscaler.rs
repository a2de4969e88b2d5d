//! Requests make CPU, and CPU makes pods: a HorizontalPodAutoscaler under a load that comes over the network, and what it
//! says when there is nothing to measure.

use std::time::Duration;

use anyhow::{Context, ensure};
use coracle_api::kinds;
use coracle_client::{GrpcClient, ListQuery, ObjectApi};
use coracle_service::{Clock, Shutdown};
use coracle_testing::{Cluster, Options, eventually};
use coracle_tests::skip_without_kubectl;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const PATIENCE: Duration = Duration::from_secs(60);

const MANIFEST: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: load
        image: load:v1
        args: [--port, "8080", --cpu, 50ms]
        resources: {requests: {cpu: 100m}}
"#;

/// The addresses of the pods that are ready.
async fn addresses(api: &GrpcClient) -> anyhow::Result<Vec<String>> {
    let query = ListQuery {
        namespace: "default".to_owned(),
        label_selector: "app=web".to_owned(),
        ..ListQuery::all(kinds::POD)
    };
    let (pods, _) = api.list_all(&query).await?;
    let mut addresses = Vec::new();
    for pod in pods {
        let pod: Value = pod.read()?;
        let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        let is_ready = conditions
            .into_iter()
            .any(|own| own["type"] == "Ready" && own["status"] == "True");
        if let Some(ip) = pod["status"]["podIP"].as_str().filter(|_| is_ready) {
            addresses.push(format!("{ip}:8080"));
        }
    }
    Ok(addresses)
}

async fn ask(address: &str) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(answer.ends_with("OK!"), "{answer}");
    Ok(())
}

/// Asks every pod that is ready, again and again.
async fn ask_all(api: &GrpcClient, clock: &Clock) {
    loop {
        for address in addresses(api).await.unwrap_or_default() {
            // A pod may go in between.
            let _ = ask(&address).await;
        }
        clock.sleep(Duration::from_millis(50)).await;
    }
}

async fn replicas(api: &GrpcClient) -> anyhow::Result<i64> {
    let web: Value = api.get(kinds::DEPLOYMENT, "default", "web").await?.read()?;
    web["spec"]["replicas"].as_i64().context("read replicas")
}

#[tokio::test(flavor = "multi_thread")]
async fn load_makes_pods_and_its_end_unmakes_them() -> anyhow::Result<()> {
    if skip_without_kubectl("load_makes_pods_and_its_end_unmakes_them") {
        return Ok(());
    }
    let cluster = Cluster::with(Options {
        nodes: 2,
        set: vec!["controller-manager.horizontal-pod-autoscaler-sync-period=0.5".to_owned()],
        ..Options::default()
    })
    .await?;
    let api = cluster.client().await?;
    let manifest = cluster.dir().join("web.yaml");
    std::fs::write(&manifest, MANIFEST)?;
    cluster
        .kubectl(&["apply", "-f", &manifest.to_string_lossy()])
        .await?;
    cluster
        .kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"])
        .await?;
    cluster
        .kubectl(&[
            "autoscale",
            "deployment",
            "web",
            "--cpu-percent=50",
            "--min=1",
            "--max=4",
        ])
        .await?;
    // Nothing to be seen in five minutes of waiting: it shrinks as soon as the load is gone.
    let patch = r#"{"spec":{"behavior":{"scaleDown":{"stabilizationWindowSeconds":0}}}}"#;
    cluster
        .kubectl(&["patch", "hpa.v2.autoscaling", "web", "--type=merge", "-p", patch])
        .await?;
    cluster
        .kubectl(&[
            "wait",
            "hpa/web",
            "--for=condition=ScalingActive",
            "--timeout=60s",
        ])
        .await?;
    ensure!(replicas(&api).await? == 1, "nobody has asked for anything yet");

    let (load, env) = (Shutdown::new(), cluster.env().clone());
    let (asking, client, clock) = (load.clone(), cluster.client().await?, env.transport_clock.clone());
    env.spawn.task("load", async move {
        asking.guard(ask_all(&client, &clock)).await;
    });
    eventually("four pods under load", PATIENCE, || async {
        let (wanted, ready) = (replicas(&api).await?, addresses(&api).await?.len());
        ensure!(wanted == 4 && ready == 4, "{wanted} wanted, {ready} ready");
        Ok(())
    })
    .await?;
    let top = cluster.kubectl(&["top", "pods"]).await?;
    ensure!(top.lines().count() >= 2, "{top}");
    let events = cluster
        .kubectl(&["get", "events", "--field-selector=reason=SuccessfulRescale"])
        .await?;
    let reason = "reason: cpu resource utilization (percentage of request) above target";
    ensure!(events.contains(reason), "{events}");
    load.trigger();
    eventually("one pod without load", PATIENCE, || async {
        ensure!(replicas(&api).await? == 1, "{} are wanted", replicas(&api).await?);
        Ok(())
    })
    .await?;
    cluster.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_measured_is_said_in_conditions() -> anyhow::Result<()> {
    if skip_without_kubectl("what_cannot_be_measured_is_said_in_conditions") {
        return Ok(());
    }
    let cluster = Cluster::with(Options {
        nodes: 1,
        set: vec!["controller-manager.horizontal-pod-autoscaler-sync-period=0.5".to_owned()],
        ..Options::default()
    })
    .await?;
    cluster
        .kubectl(&["create", "deployment", "plain", "--image=nginx:1.14.2"])
        .await?;
    cluster
        .kubectl(&["autoscale", "deployment", "plain", "--min=1", "--max=4"])
        .await?;
    cluster
        .kubectl(&[
            "wait",
            "hpa/plain",
            "--for=condition=ScalingActive=false",
            "--timeout=60s",
        ])
        .await?;
    let path = "jsonpath={.status.conditions[?(@.type==\"ScalingActive\")].reason}";
    let reason = cluster
        .kubectl(&["get", "hpa.v2.autoscaling", "plain", "-o", path])
        .await?;
    ensure!(reason == "FailedGetResourceMetric", "{reason}");
    cluster.kubectl(&["delete", "deployment", "plain"]).await?;
    cluster
        .kubectl(&[
            "wait",
            "hpa/plain",
            "--for=condition=AbleToScale=false",
            "--timeout=60s",
        ])
        .await?;
    cluster.stop().await
}
