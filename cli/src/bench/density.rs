//! A Deployment, from its creation to all pods Ready, and away again.

use std::time::Duration;

use anyhow::{Context, bail};
use coracle_api::kinds;
use coracle_client::{DeleteOptions, EventKind, ListQuery, ObjectApi, WatchQuery, Write, WriteOptions};
use coracle_service::Env;
use futures::StreamExt;
use serde::Deserialize;

use super::{host::Host, namespace, report::Report};

const NAMESPACE: &str = "density";
const TIMEOUT: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(10);

#[derive(Deserialize)]
struct Deployment {
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    ready_replicas: u32,
}

pub async fn run(pods: u32, host: &Host, env: &Env, report: &mut Report) -> anyhow::Result<()> {
    let api = host.client(env)?;
    namespace(&api, NAMESPACE).await?;
    let clock = &env.transport_clock;
    let cpu_before = host.cpu()?;
    let watch = WatchQuery {
        namespace: NAMESPACE.to_owned(),
        ..WatchQuery::all(kinds::DEPLOYMENT)
    };
    let mut events = api.watch(&watch).await?;
    let began = clock.monotonic();
    let create = Write::Create {
        resource: kinds::DEPLOYMENT,
        namespace: NAMESPACE.to_owned(),
        name: "density".to_owned(),
        subresource: "",
        json: serde_json::to_vec(&deployment(pods))?.into(),
    };
    api.write(create, &WriteOptions::default()).await?;
    let all_ready = async {
        while let Some(batch) = events.next().await {
            for event in batch? {
                let (EventKind::Added(object) | EventKind::Modified(object)) = event.kind else {
                    continue;
                };
                if object.read::<Deployment>()?.status.ready_replicas >= pods {
                    return Ok(());
                }
            }
        }
        bail!("the watch ended")
    };
    clock
        .timeout(TIMEOUT, all_ready)
        .await
        .context("wait for all pods to be Ready")??;
    let took = began.elapsed().as_secs_f64();
    report.row(&format!("Deployment of {pods}, create to all Ready"), took, "s");
    report.row("pods Ready per second", f64::from(pods) / took, "/s");
    let mut total = 0.0;
    for ((process, before), (_, after)) in cpu_before.into_iter().zip(host.cpu()?) {
        let per_pod = (after - before) * 1e3 / f64::from(pods);
        total += per_pod;
        if per_pod >= 0.01 {
            report.row(&format!("CPU per pod, {process}"), per_pod, "ms");
        }
    }
    report.row("CPU per pod, all processes", total, "ms");
    for (process, bytes) in host.memory()? {
        report.row(&format!("memory of {process} (PSS)"), bytes as f64 / 1e6, "MB");
    }
    delete(&api, pods, env, report).await
}

async fn delete(api: &impl ObjectApi, pods: u32, env: &Env, report: &mut Report) -> anyhow::Result<()> {
    let began = env.transport_clock.monotonic();
    let delete = Write::Delete {
        resource: kinds::DEPLOYMENT,
        namespace: NAMESPACE.to_owned(),
        name: "density".to_owned(),
        options: DeleteOptions::default(),
    };
    api.write(delete, &WriteOptions::default()).await?;
    let gone = async {
        let query = ListQuery {
            namespace: NAMESPACE.to_owned(),
            page_size: 1,
            ..ListQuery::all(kinds::POD)
        };
        while !api.list(&query).await?.objects.is_empty() {
            env.transport_clock.sleep(POLL).await;
        }
        anyhow::Ok(())
    };
    env.transport_clock
        .timeout(TIMEOUT, gone)
        .await
        .context("wait for all pods to be gone")??;
    report.row(
        &format!("delete of {pods} pods, until the last is gone"),
        began.elapsed().as_secs_f64(),
        "s",
    );
    Ok(())
}

fn deployment(replicas: u32) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "density", "namespace": NAMESPACE},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "density"}},
            "template": {
                "metadata": {"labels": {"app": "density"}},
                "spec": {"containers": [{"name": "pause", "image": "registry.k8s.io/pause:3.9"}]},
            },
        },
    })
}
