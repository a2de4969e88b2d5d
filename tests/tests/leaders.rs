//! Several controller-managers and several schedulers: one of each leads, another follows in time, and a leader that was
//! frozen changes nothing after it wakes.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, ensure};
use coracle_api::kinds;
use coracle_client::{GrpcClient, ListQuery, ObjectApi, Write, WriteOptions};
use coracle_testing::{Cluster, Options, coracle_binary, eventually};
use coracle_tests::lone::Folder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

const PATIENCE: Duration = Duration::from_secs(30);
/// Of the test's leases; Kubernetes' own are 15, 10 and 2 seconds.
const LEASE: Duration = Duration::from_secs(2);
const TIMINGS: [&str; 3] = [
    "leader-elect-lease-duration=2",
    "leader-elect-renew-deadline=1.5",
    "leader-elect-retry-period=0.3",
];
/// What may come on top of a lease on a shared machine: attempts, one round of caches, and a batch.
const SLACK: Duration = Duration::from_secs(4);
/// After an end in good order nobody waits for a lease.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Another process of a component beside the cluster's own.
struct Extra {
    child: Child,
    folder: Folder,
}

impl Extra {
    async fn start(cluster: &Cluster, component: &str) -> anyhow::Result<Self> {
        let folder = Folder::new(cluster.env())?;
        let mut command = Command::new(coracle_binary()?);
        command
            .arg(component)
            .arg(format!("--server={}", cluster.server().await?))
            .arg("--health-listen=127.0.0.1:0")
            .arg("--data-dir")
            .arg(folder.path())
            .arg("--token-file")
            .arg(cluster.dir().join("token"))
            .args(TIMINGS.map(|flag| format!("--{flag}")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let child = command
            .spawn()
            .with_context(|| format!("run coracle {component}"))?;
        Ok(Self { child, folder })
    }

    /// Its name in the Lease, once it has one.
    fn holder(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("instance")).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = self
            .child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(Pid::from_raw);
        Ok(kill_process(pid.context("find the process")?, signal)?)
    }
}

async fn holder(api: &GrpcClient, lease: &str) -> anyhow::Result<String> {
    let lease: Value = api.get(kinds::LEASE, "kube-system", lease).await?.read()?;
    Ok(lease["spec"]["holderIdentity"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}

async fn led_by(
    api: &GrpcClient,
    lease: &str,
    limit: Duration,
    wanted: impl Fn(&str) -> bool,
) -> anyhow::Result<String> {
    eventually("another leader", limit, || async {
        let holder = holder(api, lease).await?;
        ensure!(!holder.is_empty() && wanted(&holder), "{holder:?} leads");
        Ok(holder)
    })
    .await
}

async fn deploy(api: &GrpcClient, name: &str) -> anyhow::Result<()> {
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "pause", "image": "registry.k8s.io/pause:3.9"}]},
        }},
    });
    let write = Write::Create {
        resource: kinds::DEPLOYMENT,
        namespace: "default".to_owned(),
        name: String::new(),
        subresource: "",
        json: deployment.to_string().into(),
    };
    api.write(write, &WriteOptions::default()).await?;
    Ok(())
}

/// Waits until the Deployment is available; there must be three pods of it then, and one ReplicaSet.
async fn is_ready(api: &GrpcClient, name: &str, limit: Duration) -> anyhow::Result<()> {
    eventually("three pods", limit, || async {
        let own: Value = api.get(kinds::DEPLOYMENT, "default", name).await?.read()?;
        ensure!(own["status"]["availableReplicas"] == 3, "{}", own["status"]);
        Ok(())
    })
    .await?;
    counts(api, name).await
}

async fn counts(api: &GrpcClient, name: &str) -> anyhow::Result<()> {
    for (resource, wanted) in [(kinds::POD, 3), (kinds::REPLICA_SET, 1)] {
        let query = ListQuery {
            namespace: "default".to_owned(),
            label_selector: format!("app={name}"),
            ..ListQuery::all(resource)
        };
        let (objects, _) = api.list_all(&query).await?;
        ensure!(
            objects.len() == wanted,
            "there are {} {resource} of {name}",
            objects.len()
        );
    }
    Ok(())
}

async fn succession(component: &str, lease: &str) -> anyhow::Result<()> {
    let cluster = Cluster::with(Options {
        nodes: 1,
        set: TIMINGS.iter().map(|flag| format!("{component}.{flag}")).collect(),
        // The one that was frozen says why it ends.
        expected_errors: vec!["lease".to_owned(), "lead".to_owned()],
        ..Options::default()
    })
    .await?;
    let api = cluster.client().await?;
    let own = holder(&api, lease).await?;
    let mut others = vec![
        Extra::start(&cluster, component).await?,
        Extra::start(&cluster, component).await?,
    ];
    eventually("the others to have joined", PATIENCE, || async {
        ensure!(others.iter().all(|other| !other.holder().is_empty()), "not yet");
        Ok(())
    })
    .await?;
    // Frozen, with work to do when it wakes.
    cluster.run(&["stop", component]).await?;
    deploy(&api, "first").await?;
    led_by(&api, lease, LEASE + SLACK, |holder| holder != own).await?;
    is_ready(&api, "first", PATIENCE).await?;
    let before = cluster.process(component).await?;
    cluster.run(&["cont", component]).await?;
    eventually("the frozen leader to give up", PATIENCE, || async {
        let now = cluster.process(component).await?;
        ensure!(now.restarts > before.restarts, "it still runs");
        Ok(())
    })
    .await?;
    counts(&api, "first").await?;
    // Killed: the next acts once the lease has run out.
    let leader = led_by(&api, lease, PATIENCE, |_| true).await?;
    let at = others
        .iter()
        .position(|other| other.holder() == leader)
        .context("find the leader")?;
    let killed = others.remove(at);
    killed.signal(Signal::KILL)?;
    led_by(&api, lease, LEASE + SLACK, |holder| holder != leader).await?;
    deploy(&api, "second").await?;
    is_ready(&api, "second", PATIENCE).await?;
    // Ended in good order: the next leads at once.
    let leader = led_by(&api, lease, PATIENCE, |_| true).await?;
    let started = cluster.env().transport_clock.monotonic();
    match others.iter().find(|other| other.holder() == leader) {
        Some(other) => other.signal(Signal::TERM)?,
        None => {
            let process = i32::try_from(cluster.process(component).await?.pid)?;
            kill_process(Pid::from_raw(process).context("find the process")?, Signal::TERM)?;
        }
    }
    led_by(&api, lease, AT_ONCE, |holder| holder != leader).await?;
    println!(
        "{component}: the next led {:?} after an end in good order",
        started.elapsed()
    );
    deploy(&api, "third").await?;
    is_ready(&api, "third", PATIENCE).await?;
    drop(others);
    cluster.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn controller_managers_follow_each_other() -> anyhow::Result<()> {
    succession("controller-manager", "kube-controller-manager").await
}

#[tokio::test(flavor = "multi_thread")]
async fn schedulers_follow_each_other() -> anyhow::Result<()> {
    succession("scheduler", "kube-scheduler").await
}
