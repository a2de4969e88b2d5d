//! Many watchers of many writes: events delivered per second, from the first write to the last delivery.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};
use coracle_api::kinds;
use coracle_client::{EventKind, GrpcClient, ObjectApi, WatchQuery, WatchStream, WriteOptions};
use coracle_service::Env;
use futures::StreamExt;

use super::{clients, config_map, host::Host, namespace, report::Report};

const NAMESPACE: &str = "watches";
const TIMEOUT: Duration = Duration::from_secs(120);
/// Watches that share a connection, as a component's do.
const WATCHES_PER_CONNECTION: usize = 10;

pub async fn run(
    watchers: usize,
    writes: usize,
    writers: usize,
    host: &Host,
    env: &Env,
    report: &mut Report,
) -> anyhow::Result<()> {
    namespace(&host.client(env)?, NAMESPACE).await?;
    let connections = clients(watchers.div_ceil(WATCHES_PER_CONNECTION), host, env)?;
    let mut tasks = Vec::new();
    for number in 0..watchers {
        let query = WatchQuery {
            namespace: NAMESPACE.to_owned(),
            ..WatchQuery::all(kinds::CONFIG_MAP)
        };
        let mut stream = connections[number / WATCHES_PER_CONNECTION].watch(&query).await?;
        until_synced(&mut stream).await?;
        tasks.push(tokio::spawn(count(stream, writes)));
    }
    let clock = &env.transport_clock;
    let began = clock.monotonic();
    let writing: Vec<_> = clients(writers, host, env)?
        .into_iter()
        .enumerate()
        .map(|(number, api)| tokio::spawn(write(api, number, writers, writes)))
        .collect();
    for task in writing {
        task.await.context("run a writer")??;
    }
    report.row(
        &format!("{writes} writes by {writers} writers"),
        writes as f64 / began.elapsed().as_secs_f64(),
        "/s",
    );
    for task in tasks {
        clock
            .timeout(TIMEOUT, task)
            .await
            .context("wait for a watcher")?
            .context("run a watcher")??;
    }
    let delivered = (watchers * writes) as f64;
    report.row(
        &format!("events delivered to {watchers} watchers"),
        delivered / began.elapsed().as_secs_f64(),
        "/s",
    );
    Ok(())
}

async fn write(api: Arc<GrpcClient>, number: usize, writers: usize, writes: usize) -> anyhow::Result<()> {
    let options = WriteOptions {
        without_body: true,
        ..WriteOptions::default()
    };
    for item in (number..writes).step_by(writers) {
        api.write(config_map(NAMESPACE, format!("w-{item}")), &options)
            .await?;
    }
    Ok(())
}

async fn until_synced(stream: &mut WatchStream) -> anyhow::Result<()> {
    while let Some(batch) = stream.next().await {
        if batch?.iter().any(|event| event.kind == EventKind::Synced) {
            return Ok(());
        }
    }
    bail!("the watch ended before it began")
}

/// Counts events and insists on their order.
async fn count(mut stream: WatchStream, wanted: usize) -> anyhow::Result<()> {
    let (mut seen, mut last) = (0, 0);
    while let Some(batch) = stream.next().await {
        for event in batch? {
            if matches!(event.kind, EventKind::Added(_)) {
                anyhow::ensure!(
                    event.revision > last,
                    "revision {} came after {last}",
                    event.revision
                );
                last = event.revision;
                seen += 1;
            }
        }
        if seen >= wanted {
            return Ok(());
        }
    }
    bail!("the watch ended after {seen} of {wanted} events")
}
