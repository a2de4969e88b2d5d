//! Traffic from outside into a cluster of separate processes: a rolling update under load, and an edge that is killed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use coracle_service::Env;
use coracle_testing::{Cluster, eventually};
use coracle_tests::{example, get, skip_without_kubectl};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Clients that ask as fast as they are answered: half with a connection for each request, half with one for all.
const CLIENTS: usize = 8;

/// Clients that ask until they are told to stop, counting answers and failures.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(authority: &str, host: &str) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let clients = (0..CLIENTS).map(|number| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            let (authority, host) = (authority.to_owned(), host.to_owned());
            tokio::spawn(async move {
                let mut failures = Vec::new();
                let mut kept = None;
                while !stop.load(Ordering::Relaxed) {
                    match ask(&authority, &host, number % 2 == 0, &mut kept).await {
                        Ok(()) => {
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => {
                            kept = None;
                            failures.push(format!("{error:#}"));
                        }
                    }
                }
                failures
            })
        });
        let clients = clients.collect();
        Self {
            stop,
            answered,
            clients,
        }
    }

    /// Ends; the number of answers, and every failure.
    async fn end(self) -> anyhow::Result<(usize, Vec<String>)> {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for client in self.clients {
            failures.extend(client.await?);
        }
        Ok((self.answered.load(Ordering::Relaxed), failures))
    }
}

type Connection = tokio::io::BufReader<coracle_service::BoxIo>;

/// One request; a server may say that the connection ends with its answer, and only then a client opens another.
async fn ask(authority: &str, host: &str, keep: bool, kept: &mut Option<Connection>) -> anyhow::Result<()> {
    let mut io = match kept.take() {
        Some(io) => io,
        None => {
            let io = coracle_service::network::dial_authority(&*Env::host().network, authority).await;
            tokio::io::BufReader::new(io.context("connect")?)
        }
    };
    let connection = if keep { "keep-alive" } else { "close" };
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: {connection}\r\n\r\n");
    io.write_all(request.as_bytes()).await.context("send")?;
    let (mut head, mut byte) = (Vec::new(), [0; 1]);
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(
            io.read(&mut byte).await.context("receive")? == 1,
            "the connection ended before an answer"
        );
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    ensure!(
        head.starts_with("http/1.1 200"),
        "{}",
        head.lines().next().unwrap_or_default()
    );
    let length = head
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next());
    let mut body = vec![0; length.context("no length")?.parse()?];
    io.read_exact(&mut body).await.context("receive body")?;
    if keep && !head.contains("connection: close") {
        *kept = Some(io);
    }
    Ok(())
}

async fn kubectl(cluster: &Cluster, words: &str) -> anyhow::Result<String> {
    cluster.kubectl(&words.split(' ').collect::<Vec<_>>()).await
}

async fn eva(cluster: &Cluster) -> anyhow::Result<()> {
    kubectl(
        cluster,
        "create deployment eva --image=jocatalin/kubernetes-bootcamp:v1 --replicas=4",
    )
    .await?;
    kubectl(cluster, "expose deployment eva --type=LoadBalancer --port=8080").await?;
    kubectl(cluster, "create ingress eva --rule=eva.example/*=eva:8080").await?;
    kubectl(cluster, "rollout status deployment/eva --timeout=60s")
        .await
        .map(drop)
}

async fn address(cluster: &Cluster, path: &str) -> anyhow::Result<String> {
    eventually(path, PATIENCE, || async {
        let (object, path) = path.split_once(' ').context("an object and a path")?;
        let found = kubectl(cluster, &format!("get {object} -o jsonpath={path}")).await?;
        ensure!(!found.is_empty(), "nothing yet");
        Ok(found)
    })
    .await
}

/// Row 20 of the reliability tests in its short form: an update and its rollback under load, with a node drained in
/// the middle, through the nodes' proxy and through the Ingress.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_update_under_load_fails_no_request() -> anyhow::Result<()> {
    if skip_without_kubectl("a_rolling_update_under_load_fails_no_request") {
        return Ok(());
    }
    let cluster = Cluster::start().await?;
    eva(&cluster).await?;
    let port = address(&cluster, "service/eva {.spec.ports[0].nodePort}").await?;
    let node = address(&cluster, "node/node-1 {.status.addresses[0].address}").await?;
    let front = address(&cluster, "ingress/eva {.status.loadBalancer.ingress[0].ip}").await?;
    let node_port = format!("{node}:{port}");
    let mut ingress = format!("{front}:80");
    eventually("answers", PATIENCE, || get(cluster.env(), &node_port, "/")).await?;
    if coracle_service::network::dial_authority(&*cluster.env().network, &ingress)
        .await
        .is_err()
    {
        ingress = format!("{front}:10080");
    }
    eventually("ingress", PATIENCE, || async {
        ask(&ingress, "eva.example", false, &mut None).await
    })
    .await?;
    let loads = [
        Load::start(&node_port, "eva"),
        Load::start(&ingress, "eva.example"),
    ];
    kubectl(
        &cluster,
        "set image deployment/eva kubernetes-bootcamp=jocatalin/kubernetes-bootcamp:v2",
    )
    .await?;
    kubectl(&cluster, "rollout status deployment/eva --timeout=60s").await?;
    kubectl(
        &cluster,
        "drain node-3 --ignore-daemonsets --delete-emptydir-data --timeout=60s",
    )
    .await?;
    kubectl(&cluster, "rollout undo deployment/eva").await?;
    kubectl(&cluster, "rollout status deployment/eva --timeout=60s").await?;
    for (way, load) in ["node port", "ingress"].into_iter().zip(loads) {
        let (answered, failures) = load.end().await?;
        eprintln!("{way}: {answered} answered, {} failed", failures.len());
        ensure!(answered > 500, "{way}: only {answered} answers");
        ensure!(
            failures.is_empty(),
            "{way}: {} of {answered}: {:?}",
            failures.len(),
            &failures[..failures.len().min(5)]
        );
    }
    cluster.stop().await
}

/// An edge that was killed comes back with the same addresses, and the cluster's own traffic does not notice.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_edge_comes_back_with_the_same_addresses() -> anyhow::Result<()> {
    if skip_without_kubectl("a_killed_edge_comes_back_with_the_same_addresses") {
        return Ok(());
    }
    let cluster = Cluster::start().await?;
    cluster
        .kubectl(&["apply", "-f", &example("two-replicas-with-label.yaml")])
        .await?;
    cluster
        .kubectl(&["apply", "-f", &example("eva-service.yaml")])
        .await?;
    kubectl(
        &cluster,
        r#"patch service eva -p {"spec":{"type":"LoadBalancer"}}"#,
    )
    .await?;
    let path = "service/eva {.status.loadBalancer.ingress[0].ip}";
    let before = address(&cluster, path).await?;
    let port = address(&cluster, "service/eva {.spec.ports[0].nodePort}").await?;
    let answers = |authority: String| {
        let env = cluster.env().clone();
        async move { get(&env, &authority, "/").await }
    };
    eventually("the load balancer", PATIENCE, || answers(format!("{before}:80"))).await?;
    let body = eventually("the host's port", PATIENCE, || {
        answers(format!("127.0.0.1:{port}"))
    })
    .await?;
    ensure!(body.contains("eva-west"), "{body}");
    cluster.kill("edge").await?;
    eventually("the load balancer again", PATIENCE, || {
        answers(format!("{before}:80"))
    })
    .await?;
    ensure!(
        address(&cluster, path).await? == before,
        "another address than {before}"
    );
    cluster.stop().await
}
