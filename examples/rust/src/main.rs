//! Drives the cluster from Rust over gRPC: applies a manifest, waits for its pods through the typed summaries, changes an
//! object and deletes it.
//!
//! `drive CREDENTIALS SERVER MANIFEST SELECTOR COUNT`
#![allow(
    clippy::disallowed_methods,
    reason = "a program's own look at its own arguments"
)]

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context, bail, ensure};
use coracle_proto::v1::{
    ApplyManifestRequest, CreateRequest, DeleteRequest, EventType, GetRequest, Object, Pod, PodPhase,
    WatchPodsRequest, object::Body, object_service_client::ObjectServiceClient,
    summary_service_client::SummaryServiceClient,
};
use coracle_service::{Env, Identity, connect, pki::Credentials};
use tonic::transport::Channel;

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [credentials, server, manifest, selector, count] = arguments.as_slice() else {
        bail!("usage: drive CREDENTIALS SERVER MANIFEST SELECTOR COUNT");
    };
    let env = Env::host();
    let identity = Identity::from_credentials(&read(Path::new(credentials))?)?;
    let channel = connect::channel(server, &env, &identity).map_err(anyhow::Error::msg)?;
    let manifest = std::fs::read_to_string(manifest).with_context(|| format!("read {manifest}"))?;
    let work = async {
        let mut objects = ObjectServiceClient::new(channel.clone());
        let request = ApplyManifestRequest {
            manifest,
            ..ApplyManifestRequest::default()
        };
        for result in objects.apply_manifest(request).await?.into_inner().results {
            let object = result.object.clone().unwrap_or_default();
            println!(
                "{} {} {}",
                result.outcome().as_str_name(),
                object.kind,
                object.name
            );
        }
        wait_for_pods(SummaryServiceClient::new(channel), selector, count.parse()?).await?;
        create_and_delete(objects).await
    };
    env.transport_clock
        .timeout(PATIENCE, work)
        .await
        .context("finish in time")?
}

/// The three files that `coracle credentials --out DIR` writes.
fn read(dir: &Path) -> anyhow::Result<Credentials> {
    let file = |name: &str| {
        let path = dir.join(name);
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
    };
    Ok(Credentials {
        ca_pem: file("ca.crt")?,
        certificate_pem: file("client.crt")?,
        key_pem: file("client.key")?,
    })
}

/// Reads no JSON: a watch from revision zero tells the present state first and then every change.
async fn wait_for_pods(
    mut pods: SummaryServiceClient<Channel>,
    selector: &str,
    count: usize,
) -> anyhow::Result<()> {
    let request = WatchPodsRequest {
        label_selector: selector.to_owned(),
        ..WatchPodsRequest::default()
    };
    let mut watch = pods.watch_pods(request).await?.into_inner();
    let mut running: BTreeMap<String, Pod> = BTreeMap::new();
    while running.len() < count {
        let event = watch.message().await?.context("the watch ended")?;
        let kind = event.r#type();
        let Some(pod) = event.pod else { continue };
        if kind == EventType::Deleted {
            running.remove(&pod.uid);
        } else if pod.phase() == PodPhase::Running && pod.deleting.is_none() {
            running.insert(pod.uid.clone(), pod);
        }
    }
    for pod in running.values() {
        println!("running: {} {} {}", pod.name, pod.ip, pod.node_name);
    }
    Ok(())
}

async fn create_and_delete(mut objects: ObjectServiceClient<Channel>) -> anyhow::Result<()> {
    let body = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"from-rust"},"data":{"a":"1"}}"#;
    let object = Object {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: "default".to_owned(),
        name: "from-rust".to_owned(),
        body: Some(Body::Json(body.into())),
        ..Object::default()
    };
    let request = CreateRequest {
        object: Some(object),
        ..CreateRequest::default()
    };
    let created = objects
        .create(request)
        .await?
        .into_inner()
        .object
        .unwrap_or_default();
    println!("created: {} at {}", created.name, created.revision);
    let place = (
        "v1".to_owned(),
        "ConfigMap".to_owned(),
        "default".to_owned(),
        "from-rust".to_owned(),
    );
    let (api_version, kind, namespace, name) = place.clone();
    let request = DeleteRequest {
        api_version,
        kind,
        namespace,
        name,
        ..DeleteRequest::default()
    };
    objects.delete(request).await?;
    let (api_version, kind, namespace, name) = place;
    let request = GetRequest {
        api_version,
        kind,
        namespace,
        name,
        ..GetRequest::default()
    };
    let gone = objects.get(request).await;
    ensure!(gone.is_err(), "the object is still there");
    println!("deleted: from-rust");
    Ok(())
}
