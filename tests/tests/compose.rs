//! The cluster in containers: `docker compose up`, kubectl from outside, pods asked from inside, containers killed both
//! ways, a node that comes back elsewhere, nodes added. Needs a running engine and the image `coracle:dev`;
//! `.ci/compose` sees to both.
#![allow(
    clippy::disallowed_methods,
    reason = "where the engine is, the environment says"
)]

use anyhow::{Context, ensure};
use coracle_service::Env;
use coracle_testing::eventually;
use coracle_tests::{
    containers::{PATIENCE, Project, usable},
    example, in_ci, rounds,
    seed::{seeded, shuffled},
    settle::settle,
    watchers::Watchers,
    writers::Writers,
};

const SERVICES: [&str; 8] = [
    "apiserver",
    "scheduler",
    "controller-manager",
    "storage",
    "dashboard",
    "node-1",
    "node-2",
    "node-3",
];
const WRITERS: usize = 16;
const WATCHERS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn containers_run_the_same_cluster() -> anyhow::Result<()> {
    let wanted = in_ci() && std::env::var_os("DOCKER_HOST").is_some();
    if !usable().await {
        ensure!(
            !wanted,
            "CI has an engine, but no image coracle:dev or no compose"
        );
        eprintln!("SKIPPED containers_run_the_same_cluster: no engine with an image coracle:dev and compose");
        return Ok(());
    }
    let project = Project::up(Env::host()).await?;
    project.ready_nodes(3).await?;
    deploy(&project).await?;
    let last = a_killed_container_comes_back_with_its_data(&project).await?;
    a_stopped_container_stays_down(&project).await?;
    a_node_comes_back_with_another_address(&project).await?;
    any_container_may_be_killed_any_time(&project).await?;
    let count = count(&project, "node-1").await?;
    ensure!(count > last, "the counter said {last} and then {count}");
    Ok(())
}

async fn deploy(project: &Project) -> anyhow::Result<()> {
    project
        .kubectl(&["apply", "-f", &example("simple-deployment.yaml")])
        .await?;
    rolled_out(project).await?;
    answers(project, "node-1").await
}

async fn rolled_out(project: &Project) -> anyhow::Result<()> {
    let wait = [
        "rollout",
        "status",
        "deployment/nginx-deployment",
        "--timeout=60s",
    ];
    project.kubectl(&wait).await.map(drop)
}

/// Every pod of the Deployment is reached from a container.
async fn answers(project: &Project, from: &str) -> anyhow::Result<()> {
    let pods = project
        .value(&["pods", "-l", "app=nginx"], "{.items[*].status.podIP}")
        .await?;
    ensure!(!pods.is_empty(), "the Deployment has no pods");
    for ip in pods.split_whitespace() {
        eventually(&format!("{ip} to answer"), PATIENCE, || async {
            let body = project.exec(from, &["fetch", &format!("http://{ip}/")]).await?;
            ensure!(body.contains("nginx:1.14.2"), "answer: {body}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

async fn count(project: &Project, from: &str) -> anyhow::Result<u64> {
    eventually("the counter to answer", PATIENCE, || async {
        let ip = project
            .value(&["pods", "-l", "app=counter"], "{.items[0].status.podIP}")
            .await?;
        let body = project
            .exec(from, &["fetch", &format!("http://{ip}:8080/")])
            .await?;
        body.trim().parse().with_context(|| format!("read {body:?}"))
    })
    .await
}

/// Sends a real SIGKILL from inside, which the restart policy heals.
async fn kill(project: &Project, service: &str) -> anyhow::Result<()> {
    let before = project.restarts(service).await?;
    project.exec(service, &["kill", "--self"]).await.ok();
    eventually(&format!("{service} to be restarted"), PATIENCE, || async {
        ensure!(project.restarts(service).await? > before, "not yet");
        Ok(())
    })
    .await
}

async fn a_killed_container_comes_back_with_its_data(project: &Project) -> anyhow::Result<u64> {
    project
        .kubectl(&["apply", "-f", &example("pv-pvc-counter.yaml")])
        .await?;
    let wait = [
        "wait",
        "--for=condition=Available",
        "deployment/counter",
        "--timeout=60s",
    ];
    project.kubectl(&wait).await?;
    let mut last = count(project, "node-1").await?;
    for service in ["storage", "apiserver"] {
        kill(project, service).await?;
        let now = count(project, "node-2").await?;
        ensure!(
            now > last,
            "after the death of {service} the counter said {now}, it was {last}"
        );
        last = now;
    }
    Ok(last)
}

/// `compose kill` is a manual stop: nothing is scheduled until `up -d` brings the scheduler back.
async fn a_stopped_container_stays_down(project: &Project) -> anyhow::Result<()> {
    project.compose(&["kill", "scheduler"]).await?;
    project
        .kubectl(&["scale", "deployment/nginx-deployment", "--replicas=4"])
        .await?;
    eventually("a pod that waits", PATIENCE, || async {
        let pods = project
            .kubectl(&["get", "pods", "-l", "app=nginx", "--no-headers"])
            .await?;
        ensure!(pods.contains("Pending"), "pods:\n{pods}");
        Ok(())
    })
    .await?;
    ensure!(
        project.restarts("scheduler").await.unwrap_or(0) == 0,
        "a manual stop was undone"
    );
    project.compose(&["up", "-d", "--no-build"]).await?;
    rolled_out(project).await
}

/// While one node is away another container takes its address, so that it comes back with a new one: it registers
/// anew under its name, and the others find the way to its pods.
async fn a_node_comes_back_with_another_address(project: &Project) -> anyhow::Result<()> {
    const ADDRESS: &str = "{.status.addresses[?(@.type=='InternalIP')].address}";
    let before = project.value(&["node", "node-3"], ADDRESS).await?;
    let uid = project.value(&["node", "node-3"], "{.metadata.uid}").await?;
    project.compose(&["rm", "--stop", "--force", "node-3"]).await?;
    let grow = ["up", "-d", "--no-build", "--scale", "node=1"];
    project
        .compose(&[&grow[..], &["--no-deps", "node"]].concat())
        .await?;
    project.compose(&grow).await?;
    project.ready_nodes(4).await?;
    eventually("node-3 to register its new address", PATIENCE, || async {
        let now = project.value(&["node", "node-3"], ADDRESS).await?;
        ensure!(now != before, "node-3 is still at {before}");
        Ok(())
    })
    .await?;
    ensure!(
        project.value(&["node", "node-3"], "{.metadata.uid}").await? == uid,
        "node-3 is another Node now"
    );
    // Enough pods that every node has one, the new one included.
    project
        .kubectl(&["scale", "deployment/nginx-deployment", "--replicas=8"])
        .await?;
    rolled_out(project).await?;
    let nodes = project
        .value(&["pods", "-l", "app=nginx"], "{.items[*].spec.nodeName}")
        .await?;
    ensure!(nodes.contains("node-3"), "no pod is on node-3: {nodes}");
    answers(project, "node-1").await?;
    answers(project, "node-3").await?;
    let logs = project
        .kubectl(&["logs", "-l", "app=nginx", "--tail=1", "--prefix"])
        .await?;
    ensure!(logs.contains("GET /"), "logs: {logs}");
    Ok(())
}

/// The kill loop: writers write and watchers watch through the published port while one container after the other is
/// killed; nothing acknowledged is lost, no watch has a gap, and the Deployment is whole after each.
async fn any_container_may_be_killed_any_time(project: &Project) -> anyhow::Result<()> {
    let random = seeded("any_container_may_be_killed_any_time");
    let access = project.access().await?;
    let watchers = Watchers::start(&access, WATCHERS).await?;
    let writers = Writers::start(&access, WRITERS)?;
    let turns = std::iter::repeat_with(|| shuffled(&random, &SERVICES)).flatten();
    for (round, victim) in turns.take(rounds(4, 20)).enumerate() {
        writers.get_on(100).await?;
        let began = access.env.transport_clock.monotonic();
        kill(project, victim).await?;
        writers.get_on(1).await?;
        eprintln!(
            "round {round}: {victim} killed, restarted and writes acknowledged after {} ms",
            began.elapsed().as_millis()
        );
        rolled_out(project).await?;
        answers(project, "node-2")
            .await
            .with_context(|| format!("after {victim} was killed in round {round}"))?;
    }
    let (ledger, resumed) = settle(&access, writers, watchers).await?;
    eprintln!(
        "{} writes acknowledged; watches resumed {resumed} times",
        ledger.writes.len()
    );
    Ok(())
}
