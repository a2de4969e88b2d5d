//! Deployments, from their creation to all pods Ready, and away again.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context;
use coracle_api::kinds;
use coracle_client::{DeleteOptions, GrpcClient, ListQuery, ObjectApi, Write};
use coracle_service::Env;

use super::{
    fill::write_all,
    host::Host,
    namespace,
    report::Report,
    workload::{TIMEOUT, create, deployment, until, watch},
};

const NAMESPACE: &str = "density";
const IMAGE: &str = "registry.k8s.io/pause:3.9";
const POLL: Duration = Duration::from_millis(10);

pub async fn run(
    pods: u32,
    deployments: u32,
    host: &Host,
    env: &Env,
    report: &mut Report,
) -> anyhow::Result<()> {
    let api = host.client(env)?;
    namespace(&api, NAMESPACE).await?;
    let clock = &env.transport_clock;
    let cpu_before = host.cpu()?;
    let mut events = watch(&api, NAMESPACE).await?;
    let names: BTreeSet<String> = (0..deployments)
        .map(|number| format!("density-{number}"))
        .collect();
    let replicas = pods / deployments;
    let pods = replicas * deployments;
    let began = clock.monotonic();
    let creates = names
        .iter()
        .map(|name| create(NAMESPACE, name, &deployment(NAMESPACE, name, replicas, IMAGE)));
    write_all(&api, creates).await?;
    let mut waiting = names.clone();
    until(&mut events, clock, |found| {
        if found.status.ready_replicas >= replicas {
            waiting.remove(&found.metadata.name);
        }
        waiting.is_empty()
    })
    .await?;
    let took = began.elapsed().as_secs_f64();
    let what = if deployments == 1 {
        format!("Deployment of {pods}")
    } else {
        format!("{deployments} Deployments of {replicas}")
    };
    report.row(&format!("{what}, create to all Ready"), took, "s");
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
    delete(&api, &names, pods, env, report).await
}

async fn delete(
    api: &GrpcClient,
    names: &BTreeSet<String>,
    pods: u32,
    env: &Env,
    report: &mut Report,
) -> anyhow::Result<()> {
    let began = env.transport_clock.monotonic();
    let deletes = names.iter().map(|name| Write::Delete {
        resource: kinds::DEPLOYMENT,
        namespace: NAMESPACE.to_owned(),
        name: name.clone(),
        options: DeleteOptions::default(),
    });
    write_all(api, deletes).await?;
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
