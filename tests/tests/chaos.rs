//! The kill loop: SIGKILL to one process after the other while writers write and watchers watch. Nothing acknowledged
//! is lost, no watch has a gap or a repeat, each process is back at once, and the Deployment is whole again.

use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use coracle_api::kinds;
use coracle_client::{GrpcClient, ListQuery, ObjectApi, Write, WriteOptions};
use coracle_testing::{Cluster, Options, eventually};
use coracle_tests::{
    access::Access,
    get, is_ready, register, rounds,
    seed::{seeded, shuffled},
    settle::settle,
    watchers::Watchers,
    writers::{Ledger, Writers},
};

/// A process has to be back, and the cluster to answer, within this. Far above the second that is promised on a
/// machine of one's own (the times are printed), because machines of continuous integration are shared.
const BACK: Duration = Duration::from_secs(5);
/// For the Deployment to be whole.
const WHOLE: Duration = Duration::from_secs(30);

const PROCESSES: [&str; 7] = [
    "apiserver",
    "scheduler",
    "controller-manager",
    "storage",
    "node-1",
    "node-2",
    "node-3",
];
const REPLICAS: usize = 3;

/// How long one kill was felt.
#[derive(Clone, Copy, Debug, Default)]
struct Outage {
    /// Until the process was ready again.
    back: Duration,
    /// Until a write was acknowledged.
    answering: Duration,
}

/// Kills a process and waits until it is back.
async fn kill(cluster: &Cluster, access: &Access, victim: &str, round: usize) -> anyhow::Result<Outage> {
    let clock = &access.env.transport_clock;
    let before = cluster.process(victim).await?;
    let began = clock.monotonic();
    cluster.kill(victim).await?;
    let back = async {
        eventually(&format!("{victim} to be back"), BACK, || async {
            let now = cluster.process(victim).await?;
            ensure!(
                now.restarts > before.restarts && now.health == "ready",
                "{victim} is {}",
                now.health
            );
            ensure!(now.pid != before.pid, "{victim} has its old process id");
            Ok(())
        })
        .await?;
        anyhow::Ok(clock.monotonic() - began)
    };
    let api = access.client()?;
    let answering = async {
        eventually("a write to be acknowledged", BACK, || async {
            match register::create(&api, &format!("after-kill-{round}"), 0).await {
                Err(error) if error.is_already_exists() => Ok(()),
                outcome => Ok(outcome.map(drop)?),
            }
        })
        .await?;
        anyhow::Ok(clock.monotonic() - began)
    };
    let (back, answering) = tokio::try_join!(back, answering)?;
    eprintln!(
        "round {round}: {victim} back after {} ms, answering after {} ms",
        back.as_millis(),
        answering.as_millis()
    );
    Ok(Outage { back, answering })
}

fn report(test: &str, outages: &[Outage], ledger: &Ledger, resumed: usize) {
    let worst = |of: fn(&Outage) -> Duration| outages.iter().map(of).max().unwrap_or_default().as_millis();
    eprintln!(
        "{test}: {} kills, worst {} ms until back and {} ms until answering; {} writes acknowledged, {} unknown; \
         watches resumed {resumed} times",
        outages.len(),
        worst(|outage| outage.back),
        worst(|outage| outage.answering),
        ledger.writes.len(),
        ledger.unknown,
    );
}

async fn deploy(api: &GrpcClient) -> anyhow::Result<()> {
    let labels = serde_json::json!({"app": "nginx"});
    let container =
        serde_json::json!({"name": "nginx", "image": "nginx:1.14.2", "ports": [{"containerPort": 80}]});
    let deployment = serde_json::json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "nginx", "namespace": "default"},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    });
    let write = Write::Create {
        resource: kinds::DEPLOYMENT,
        namespace: "default".to_owned(),
        name: "nginx".to_owned(),
        subresource: "",
        json: Bytes::from(deployment.to_string()),
    };
    api.write(write, &WriteOptions::default())
        .await
        .context("create deployment")?;
    Ok(())
}

/// Waits until every replica is Ready and really answers.
async fn whole(access: &Access, api: &GrpcClient) -> anyhow::Result<()> {
    eventually("the Deployment to be whole", WHOLE, || async {
        let query = ListQuery {
            label_selector: "app=nginx".to_owned(),
            ..ListQuery::all(kinds::POD)
        };
        let (pods, _) = api.list_all(&query).await?;
        let pods: Vec<serde_json::Value> = pods.iter().map(|pod| pod.read()).collect::<Result<_, _>>()?;
        let ready: Vec<_> = pods.iter().filter(|pod| is_ready(pod)).collect();
        ensure!(
            ready.len() == REPLICAS,
            "{} of {REPLICAS} pods are Ready",
            ready.len()
        );
        for pod in ready {
            let name = pod["metadata"]["name"].as_str().context("read the pod's name")?;
            let ip = pod["status"]["podIP"]
                .as_str()
                .context("read the pod's address")?;
            let body = get(&access.env, &format!("{ip}:80"), "/").await?;
            ensure!(body.contains(name), "{name} answers {body}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn any_process_may_be_killed_any_time() -> anyhow::Result<()> {
    let random = seeded("any_process_may_be_killed_any_time");
    let cluster = Cluster::start().await?;
    let access = Access::of(&cluster).await?;
    let api = access.client()?;
    deploy(&api).await?;
    whole(&access, &api).await?;
    let watchers = Watchers::start(&access, 4).await?;
    let writers = Writers::start(&access, 16)?;
    let mut outages = Vec::new();
    // Each process has its turn; which one comes when is chance.
    let turns = std::iter::repeat_with(|| shuffled(&random, &PROCESSES)).flatten();
    for (round, victim) in turns.take(rounds(8, 20)).enumerate() {
        writers.get_on(200).await?;
        outages.push(kill(&cluster, &access, victim, round).await?);
        whole(&access, &api)
            .await
            .with_context(|| format!("after {victim} was killed in round {round}"))?;
    }
    let (ledger, resumed) = settle(&access, writers, watchers).await?;
    report("any_process_may_be_killed_any_time", &outages, &ledger, resumed);
    cluster.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_apiserver_loses_no_acknowledged_write() -> anyhow::Result<()> {
    let cluster = Cluster::with(Options {
        nodes: 0,
        ..Options::default()
    })
    .await?;
    let access = Access::of(&cluster).await?;
    let watchers = Watchers::start(&access, 2).await?;
    let writers = Writers::start(&access, 64)?;
    let mut outages = Vec::new();
    for round in 0..rounds(5, 200) {
        writers.get_on(1_000).await?;
        outages.push(kill(&cluster, &access, "apiserver", round).await?);
    }
    let (ledger, resumed) = settle(&access, writers, watchers).await?;
    report(
        "a_killed_apiserver_loses_no_acknowledged_write",
        &outages,
        &ledger,
        resumed,
    );
    cluster.stop().await
}
