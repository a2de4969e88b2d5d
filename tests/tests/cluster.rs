//! The main job, end to end: separate processes, the real kubectl, pods that answer.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, ensure};
use coracle_testing::{Cluster, eventually};
use coracle_tests::{example, get, is_ready, pods, processes, skip_without_kubectl};

const PATIENCE: Duration = Duration::from_secs(30);

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or_default()
}

async fn ready_pods(
    cluster: &Cluster,
    selector: &str,
    count: usize,
) -> anyhow::Result<Vec<serde_json::Value>> {
    eventually(&format!("{count} ready pods of {selector}"), PATIENCE, || async {
        let pods = pods(cluster, selector).await?;
        ensure!(
            pods.len() == count && pods.iter().all(is_ready),
            "{} pods",
            pods.len()
        );
        Ok(pods)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_runs_heals_rolls_and_answers() -> anyhow::Result<()> {
    if skip_without_kubectl("a_deployment_runs_heals_rolls_and_answers") {
        return Ok(());
    }
    let cluster = Cluster::start().await?;
    cluster
        .kubectl(&["apply", "-f", &example("simple-deployment.yaml")])
        .await?;
    cluster
        .kubectl(&[
            "rollout",
            "status",
            "deployment/nginx-deployment",
            "--timeout=30s",
        ])
        .await?;
    let first = ready_pods(&cluster, "app=nginx", 3).await?;
    let addresses: BTreeSet<&str> = first.iter().map(|pod| text(&pod["status"]["podIP"])).collect();
    ensure!(addresses.len() == 3, "pods share addresses: {addresses:?}");

    for pod in &first {
        let body = get(
            cluster.env(),
            &format!("{}:80", text(&pod["status"]["podIP"])),
            "/",
        )
        .await?;
        ensure!(
            body.contains(text(&pod["metadata"]["name"])) && body.contains("1.14.2"),
            "answer: {body}"
        );
    }
    let name = text(&first[0]["metadata"]["name"]);
    let logs = cluster.kubectl(&["logs", name]).await?;
    ensure!(logs.contains("GET /"), "logs: {logs}");

    cluster.kubectl(&["delete", "pod", name, "--wait=true"]).await?;
    let healed = ready_pods(&cluster, "app=nginx", 3).await?;
    ensure!(
        healed.iter().all(|pod| text(&pod["metadata"]["name"]) != name),
        "the same pod came back"
    );

    cluster
        .kubectl(&["apply", "-f", &example("deployment-update.yaml")])
        .await?;
    cluster
        .kubectl(&[
            "rollout",
            "status",
            "deployment/nginx-deployment",
            "--timeout=30s",
        ])
        .await?;
    let rolled = ready_pods(&cluster, "app=nginx", 3).await?;
    for pod in &rolled {
        ensure!(
            pod["spec"]["containers"][0]["image"] == "nginx:1.16.1",
            "an old pod is left"
        );
    }
    let history = cluster
        .kubectl(&["rollout", "history", "deployment/nginx-deployment"])
        .await?;
    ensure!(
        history.contains('1') && history.contains('2'),
        "history: {history}"
    );
    cluster
        .kubectl(&["rollout", "undo", "deployment/nginx-deployment"])
        .await?;
    cluster
        .kubectl(&[
            "rollout",
            "status",
            "deployment/nginx-deployment",
            "--timeout=30s",
        ])
        .await?;
    let undone = ready_pods(&cluster, "app=nginx", 3).await?;
    ensure!(
        undone[0]["spec"]["containers"][0]["image"] == "nginx:1.14.2",
        "undo brought another image"
    );

    cluster
        .kubectl(&["delete", "-f", &example("simple-deployment.yaml")])
        .await?;
    eventually("all pods gone", PATIENCE, || async {
        let left = pods(&cluster, "app=nginx").await?;
        ensure!(left.is_empty(), "{} pods left", left.len());
        Ok(())
    })
    .await?;
    cluster.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_on_a_claim_outlives_pod_storage_and_apiserver() -> anyhow::Result<()> {
    if skip_without_kubectl("a_counter_on_a_claim_outlives_pod_storage_and_apiserver") {
        return Ok(());
    }
    let cluster = Cluster::start().await?;
    cluster
        .kubectl(&["apply", "-f", &example("pv-pvc-counter.yaml")])
        .await?;
    let mut expected = 0;
    for victim in [
        None,
        Some("pod"),
        Some("storage"),
        Some("apiserver"),
        Some("node-1"),
    ] {
        match victim {
            None => {}
            Some("pod") => {
                cluster
                    .kubectl(&["delete", "pod", "-l", "app=counter", "--wait=true"])
                    .await?;
            }
            Some(process) => cluster.kill(process).await?,
        }
        let what = format!("the counter to go on after {victim:?}");
        let count = eventually(&what, PATIENCE, || async {
            let pods = pods(&cluster, "app=counter").await?;
            let pod = pods.iter().find(|pod| is_ready(pod)).context("no ready pod")?;
            let body = get(
                cluster.env(),
                &format!("{}:8080", text(&pod["status"]["podIP"])),
                "/",
            )
            .await?;
            body.trim()
                .parse::<u64>()
                .with_context(|| format!("read {body:?}"))
        })
        .await?;
        // A request whose answer was lost counts, so the number may have moved by more than one, never back.
        ensure!(
            count > expected,
            "after {victim:?} the counter said {count}, it was {expected}"
        );
        expected = count;
    }
    let claim = cluster
        .kubectl(&["get", "pvc", "counter-claim", "-o", "jsonpath={.status.phase}"])
        .await?;
    ensure!(claim == "Bound", "claim is {claim}");
    cluster.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_join_and_leave() -> anyhow::Result<()> {
    if skip_without_kubectl("nodes_join_and_leave") {
        return Ok(());
    }
    let cluster = Cluster::start().await?;
    cluster.run(&["node", "add"]).await?;
    let nodes = cluster.kubectl(&["get", "nodes", "--no-headers"]).await?;
    ensure!(
        nodes.lines().count() == 4 && !nodes.contains("NotReady"),
        "nodes:\n{nodes}"
    );
    cluster.run(&["node", "remove", "node-4"]).await?;
    let nodes = cluster.kubectl(&["get", "nodes", "--no-headers"]).await?;
    ensure!(nodes.lines().count() == 3, "nodes:\n{nodes}");
    cluster.stop().await
}

/// Whoever stays behind holds addresses that the next cluster believes to be free: a stopped process never takes a
/// signal that can wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_supervisor_leaves_nobody_behind() -> anyhow::Result<()> {
    let cluster = Cluster::start().await?;
    let processes = cluster.processes().await?;
    cluster.run(&["stop", "node-1"]).await?;
    // This kills the supervisor, and nobody else.
    drop(cluster);
    eventually("every process to end", PATIENCE, || async {
        let alive = processes
            .iter()
            .filter(|process| processes::is_alive(process.pid));
        let alive: Vec<&str> = alive.map(|process| &*process.name).collect();
        ensure!(alive.is_empty(), "{alive:?} are still there");
        Ok(())
    })
    .await
}
