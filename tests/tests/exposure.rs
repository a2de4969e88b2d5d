//! What a default start shows to strangers: no port that speaks without TLS but those of pods, no write by whoever has
//! not said who they are, at either door, and no byte of a Secret in a file of the store or a line of a log.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};
use coracle_api::{Reason, Resource, kinds};
use coracle_client::{ListQuery, ObjectApi, Write, WriteOptions};
use coracle_proto::v1::{CheckpointRequest, maintenance_service_client::MaintenanceServiceClient};
use coracle_service::{Env, Identity};
use coracle_testing::{Cluster, eventually};
use coracle_tests::{access::Access, processes};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(60);
/// How long a port may take to answer, or to say that it will not.
const ANSWER: Duration = Duration::from_secs(2);

// Ports.

/// Creates or fails.
async fn post(access: &Access, path: &str, object: &Value) -> anyhow::Result<()> {
    let body = object.to_string();
    let answer = access
        .rest("POST", path, Some(("application/json", body.as_bytes())))
        .await?;
    ensure!(answer.code == 201, "POST {path}: {answer:?}");
    Ok(())
}

/// Whether a port answers a request that is not encrypted as if nothing were amiss.
async fn speaks_plainly(env: &Env, address: SocketAddr) -> bool {
    let talk = async {
        let mut io = env.network.dial(None, address).await?;
        io.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await?;
        let mut answer = Vec::new();
        let _ = io.take(1 << 16).read_to_end(&mut answer).await;
        std::io::Result::Ok(answer)
    };
    // A TLS server says with an alert (21) that this is no handshake.
    let answer = env.transport_clock.timeout(ANSWER, talk).await;
    matches!(answer, Ok(Ok(bytes)) if bytes.first().is_some_and(|&first| first != 21))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_port_speaks_without_tls_but_those_of_pods() -> anyhow::Result<()> {
    let cluster = Cluster::start().await?;
    let access = Access::of(&cluster).await?;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "web", "image": "nginx:1.25", "ports": [{"containerPort": 8080}]}]},
    });
    post(&access, "/api/v1/namespaces/default/pods", &pod).await?;
    let path = "/api/v1/namespaces/default/pods/web";
    let pod_ip: IpAddr = eventually("the pod to be Ready", PATIENCE, || async {
        let pod = access.rest("GET", path, None).await?.json();
        ensure!(coracle_tests::is_ready(&pod), "{}", pod["status"]);
        Ok(pod["status"]["podIP"].as_str().unwrap_or_default().parse()?)
    })
    .await?;
    let mut plain = BTreeSet::new();
    let mut seen = 0;
    for process in cluster.processes().await? {
        for address in processes::listening(process.pid)? {
            seen += 1;
            if speaks_plainly(&access.env, address).await {
                plain.insert((process.name.clone(), address));
            }
        }
    }
    eprintln!("no_port_speaks_without_tls_but_those_of_pods: {seen} ports seen");
    // The check sees what is plain: the pod's own port is.
    let (of_pods, mut others): (Vec<_>, Vec<_>) = plain.into_iter().partition(|(_, at)| at.ip() == pod_ip);
    // The machine in front of the cluster lets plain traffic of Services, Ingresses and the front door in.
    others.retain(|(process, _)| process != "edge");
    ensure!(!of_pods.is_empty(), "not even the pod's own port was found");
    ensure!(others.is_empty(), "these ports speak without TLS: {others:?}");
    cluster.stop().await
}

// Writes.

/// Where a resource's collection is.
fn collection(resource: &Resource) -> String {
    let prefix = if resource.group.is_empty() {
        format!("/api/{}", resource.version)
    } else {
        format!("/apis/{}/{}", resource.group, resource.version)
    };
    let namespace = if resource.namespaced {
        "/namespaces/default"
    } else {
        ""
    };
    format!("{prefix}{namespace}/{}", resource.plural)
}

/// Everything that an anonymous caller can try on a resource by REST, each of which must be turned away.
async fn refused_by_rest(nobody: &Access, resource: &Resource) -> anyhow::Result<u32> {
    let collection = collection(resource);
    let object = json!({"apiVersion": resource.api_version(), "kind": resource.kind, "metadata": {"name": "intruder"}});
    let body = object.to_string();
    let json = Some(("application/json", body.as_bytes()));
    let merge = Some(("application/merge-patch+json", body.as_bytes()));
    let apply = Some(("application/apply-patch+yaml", body.as_bytes()));
    let one = format!("{collection}/intruder");
    let applied = format!("{one}?fieldManager=a");
    let status = format!("{one}/status");
    let attempts = [
        ("POST", &collection, json),
        ("PUT", &one, json),
        ("PATCH", &one, merge),
        ("PATCH", &applied, apply),
        ("PUT", &status, json),
        ("DELETE", &one, None),
        ("DELETE", &collection, None),
        ("GET", &collection, None),
    ];
    let mut tried = 0;
    for (method, path, body) in attempts {
        let answer = nobody.rest(method, path, body).await?;
        ensure!(
            matches!(answer.code, 401 | 403) && answer.json()["kind"] == "Status",
            "{method} {path} by nobody: {answer:?}"
        );
        tried += 1;
    }
    Ok(tried)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_without_saying_who_they_are() -> anyhow::Result<()> {
    let cluster = Cluster::with(coracle_testing::Options {
        nodes: 0,
        ..Default::default()
    })
    .await?;
    let access = Access::of(&cluster).await?;
    let nobody = access.with(Identity::anonymous(&cluster.credentials()?.ca_pem)?);
    let (mut tried, strangers) = (0, nobody.client()?);
    for resource in kinds::RESOURCES {
        tried += refused_by_rest(&nobody, resource).await?;
        let object = json!({"apiVersion": resource.api_version(), "kind": resource.kind, "metadata": {"name": "intruder"}});
        let namespace = if resource.namespaced { "default" } else { "" };
        let write = Write::Create {
            resource,
            namespace: namespace.to_owned(),
            name: "intruder".to_owned(),
            subresource: "",
            json: object.to_string().into(),
        };
        let refused = strangers.write(write, &WriteOptions::default()).await;
        let reason = refused.err().map(|error| error.reason());
        ensure!(
            reason == Some(Reason::Unauthorized),
            "create of {} by nobody: {reason:?}",
            resource.plural
        );
        let refused = strangers.list(&ListQuery::all(resource)).await;
        let reason = refused.err().map(|error| error.reason());
        ensure!(
            reason == Some(Reason::Unauthorized),
            "list of {} by nobody: {reason:?}",
            resource.plural
        );
        tried += 2;
    }
    let channel = coracle_service::connect::channel(&nobody.server, &nobody.env, &nobody.identity())
        .map_err(anyhow::Error::msg)?;
    let refused = MaintenanceServiceClient::new(channel)
        .checkpoint(CheckpointRequest {})
        .await;
    ensure!(refused.is_err(), "nobody may tend the store");
    eprintln!("nobody_writes_without_saying_who_they_are: {tried} attempts refused");
    // The same request by somebody who may is taken: it was not the request that was at fault.
    post(
        &access,
        "/api/v1/namespaces/default/configmaps",
        &json!({"metadata": {"name": "intruder"}}),
    )
    .await?;
    cluster.stop().await
}

// Secrets.

/// Every file below a folder, node's own mounts aside: a pod reads its Secret there, from memory upstream.
fn files(dir: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
        let entry = entry?;
        // A file may go while we look.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            files(&entry.path(), found)?;
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// The files that hold one of these texts.
fn holding(dir: &Path, texts: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    files(dir, &mut all)?;
    all.retain(|path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        texts
            .iter()
            .any(|text| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
    });
    Ok(all)
}

async fn checkpoint(access: &Access) -> anyhow::Result<()> {
    let channel = coracle_service::connect::channel(&access.server, &access.env, &access.identity())
        .map_err(anyhow::Error::msg)?;
    let mut maintenance = MaintenanceServiceClient::new(channel);
    maintenance.checkpoint(CheckpointRequest {}).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_of_a_secret_is_on_disk() -> anyhow::Result<()> {
    let cluster = Cluster::with(coracle_testing::Options {
        nodes: 1,
        set: vec!["apiserver.log=debug".to_owned()],
        ..Default::default()
    })
    .await?;
    let access = Access::of(&cluster).await?;
    let number = access.env.random.next_u64();
    // Neither hides in the other, in plain or in base64; both are of characters that base64 makes only of itself.
    let (canary, open) = (
        format!("canary{number:016x}hidden"),
        format!("canary{number:016x}public"),
    );
    let encoded = coracle_tests::base64(canary.as_bytes());
    let secrets = "/api/v1/namespaces/default/secrets";
    let secret = |name: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"key": canary}});
    post(&access, secrets, &secret("by-rest")).await?;
    let write = Write::Create {
        resource: kinds::SECRET,
        namespace: "default".to_owned(),
        name: "by-grpc".to_owned(),
        subresource: "",
        json: secret("by-grpc").to_string().into(),
    };
    access.client()?.write(write, &WriteOptions::default()).await?;
    let applied = secret("applied").to_string();
    let path = format!("{secrets}/applied?fieldManager=test");
    let answer = access
        .rest(
            "PATCH",
            &path,
            Some(("application/apply-patch+yaml", applied.as_bytes())),
        )
        .await?;
    ensure!(answer.code == 201, "{answer:?}");
    // A broken one is refused in words that do not repeat it.
    let mut broken = secret("broken");
    broken["type"] = json!({"no": canary});
    let broken = broken.to_string();
    let answer = access
        .rest("POST", secrets, Some(("application/json", broken.as_bytes())))
        .await?;
    ensure!(answer.code == 400 || answer.code == 422, "{answer:?}");
    let answer = access.rest("DELETE", &format!("{secrets}/by-grpc"), None).await?;
    ensure!(answer.code == 200, "{answer:?}");
    let map = json!({"metadata": {"name": "public"}, "data": {"key": open}});
    post(&access, "/api/v1/namespaces/default/configmaps", &map).await?;

    let hidden = [canary.as_str(), encoded.as_str()];
    for when in ["just written", "after a checkpoint", "after a kill"] {
        match when {
            "after a checkpoint" => checkpoint(&access).await?,
            "after a kill" => {
                cluster.kill("apiserver").await?;
                eventually("the Secret to be readable", PATIENCE, || async {
                    let answer = access.rest("GET", &format!("{secrets}/by-rest"), None).await?;
                    ensure!(answer.json()["data"]["key"] == encoded.as_str(), "{answer:?}");
                    Ok(())
                })
                .await?;
            }
            _ => {}
        }
        // The check sees what is open: the ConfigMap's text is in the store.
        let public = holding(cluster.dir(), &[&open])?;
        ensure!(!public.is_empty(), "{when}: not even the ConfigMap was found");
        let found = holding(cluster.dir(), &hidden)?;
        ensure!(found.is_empty(), "{when}: the Secret is in {found:?}");
    }
    cluster.stop().await
}
