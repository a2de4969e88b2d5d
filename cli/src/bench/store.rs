//! The store alone: durable puts, with history and compaction on, without an apiserver in front.

use std::{sync::Arc, time::Duration};

use coracle_service::Env;
use coracle_store::bench::{BenchConfig, store_bench};

use super::report::Report;

pub async fn run(
    objects: usize,
    clients: &[usize],
    seconds: u64,
    env: &Env,
    report: &mut Report,
) -> anyhow::Result<()> {
    let dir = std::env::temp_dir().join(format!("coracle-bench-store-{}", std::process::id()));
    let clock = env.transport_clock.clone();
    let random = env.random.clone();
    let origin = clock.monotonic();
    let config = BenchConfig {
        objects,
        clients: clients.to_vec(),
        run_time: Duration::from_secs(seconds),
        ..BenchConfig::new(
            &dir,
            Arc::new(move || origin.elapsed()),
            Arc::new(move |bytes: &mut [u8]| random.fill(bytes)),
        )
    };
    let measured = store_bench(config).await;
    let _ = std::fs::remove_dir_all(&dir);
    let measured = measured.map_err(anyhow::Error::from_boxed)?;
    report.row("bulk load", measured.loads_per_second, "/s");
    for run in measured.runs {
        let clients = super::counted(run.clients);
        report.row(&format!("puts of 1 KiB, {clients}"), run.puts_per_second, "/s");
        report.row(&format!("put, {clients}, p50"), run.p50_us as f64 / 1e3, "ms");
        report.row(&format!("put, {clients}, p99"), run.p99_us as f64 / 1e3, "ms");
    }
    report.row(
        "revisions compacted meanwhile",
        measured.compacted_revisions as f64,
        "",
    );
    report.row(
        &format!("opened again with {} keys", measured.keys),
        measured.open_ms as f64,
        "ms",
    );
    Ok(())
}
