//! Creates of 1 KiB ConfigMaps, by one client and by many.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use coracle_client::{GrpcClient, ObjectApi, WriteOptions};
use coracle_service::Env;

use super::{clients, config_map, counted, host::Host, namespace, quantile_ms, report::Report};

const NAMESPACE: &str = "creates";

pub async fn run(
    counts: &[usize],
    seconds: u64,
    host: &Host,
    env: &Env,
    report: &mut Report,
) -> anyhow::Result<()> {
    namespace(&host.client(env)?, NAMESPACE).await?;
    for &count in counts {
        let length = Duration::from_secs(seconds);
        let began = env.transport_clock.monotonic();
        let tasks: Vec<_> = clients(count, host, env)?
            .into_iter()
            .enumerate()
            .map(|(number, api)| tokio::spawn(create(api, format!("c{count}-{number}"), length, env.clone())))
            .collect();
        let mut samples = Vec::new();
        for task in tasks {
            samples.extend(task.await.context("run a client")??);
        }
        let rate = samples.len() as f64 / began.elapsed().as_secs_f64();
        let clients = counted(count);
        report.row(&format!("creates of 1 KiB, {clients}"), rate, "/s");
        report.row(
            &format!("create, {clients}, p50"),
            quantile_ms(&mut samples, 0.5),
            "ms",
        );
        report.row(
            &format!("create, {clients}, p99"),
            quantile_ms(&mut samples, 0.99),
            "ms",
        );
    }
    Ok(())
}

async fn create(
    api: Arc<GrpcClient>,
    prefix: String,
    length: Duration,
    env: Env,
) -> anyhow::Result<Vec<Duration>> {
    let options = WriteOptions {
        without_body: true,
        ..WriteOptions::default()
    };
    let began = env.transport_clock.monotonic();
    let mut samples = Vec::new();
    while began.elapsed() < length {
        let sent = env.transport_clock.monotonic();
        api.write(
            config_map(NAMESPACE, format!("{prefix}-{}", samples.len())),
            &options,
        )
        .await?;
        samples.push(sent.elapsed());
    }
    Ok(samples)
}
