//! Deployments that measurements create, and the wait for what becomes of them.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use coracle_api::kinds;
use coracle_client::{EventKind, GrpcClient, ObjectApi, WatchQuery, WatchStream, Write};
use coracle_service::Clock;
use futures::StreamExt;
use serde::Deserialize;

/// For whatever a measurement waits for.
pub const TIMEOUT: Duration = Duration::from_secs(600);

/// What is read of a Deployment.
#[derive(Debug, Deserialize)]
pub struct Deployment {
    pub metadata: Metadata,
    #[serde(default)]
    pub status: Status,
}

#[derive(Debug, Deserialize)]
pub struct Metadata {
    pub name: String,
    #[serde(default)]
    pub generation: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    pub observed_generation: i64,
    pub replicas: u32,
    pub ready_replicas: u32,
    pub updated_replicas: u32,
    pub available_replicas: u32,
}

impl Deployment {
    /// What `kubectl rollout status` waits for.
    pub fn is_rolled_out(&self, replicas: u32) -> bool {
        let Status {
            observed_generation,
            replicas: all,
            updated_replicas,
            available_replicas,
            ..
        } = self.status;
        observed_generation >= self.metadata.generation
            && [all, updated_replicas, available_replicas] == [replicas; 3]
    }
}

/// A Deployment of pods without ports.
pub fn deployment(namespace: &str, name: &str, replicas: u32, image: &str) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "pause", "image": image}]},
            },
        },
    })
}

/// The write that creates it.
pub fn create(namespace: &str, name: &str, json: &serde_json::Value) -> Write {
    Write::Create {
        resource: kinds::DEPLOYMENT,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        subresource: "",
        json: Bytes::from(json.to_string()),
    }
}

/// Every change of a namespace's Deployments from now on.
pub async fn watch(api: &GrpcClient, namespace: &str) -> anyhow::Result<WatchStream> {
    let query = WatchQuery {
        namespace: namespace.to_owned(),
        ..WatchQuery::all(kinds::DEPLOYMENT)
    };
    Ok(api.watch(&query).await?)
}

/// Reads changes until `done` says so.
pub async fn until(
    events: &mut WatchStream,
    clock: &Clock,
    mut done: impl FnMut(Deployment) -> bool,
) -> anyhow::Result<()> {
    let found = async {
        while let Some(batch) = events.next().await {
            for event in batch? {
                if let EventKind::Added(object) | EventKind::Modified(object) = event.kind
                    && done(object.read::<Deployment>()?)
                {
                    return Ok(());
                }
            }
        }
        bail!("the watch ended")
    };
    clock
        .timeout(TIMEOUT, found)
        .await
        .context("wait for Deployments")?
}
