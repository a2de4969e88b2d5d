//! Fills the registry before a measurement, so that it shows what a full cluster costs.

use coracle_client::{BatchOptions, GrpcClient, ObjectApi, Write};

use super::{config_map, namespace};

const NAMESPACE: &str = "filler";
const BATCH: usize = 500;

/// Creates `objects` ConfigMaps of 1 KiB.
pub async fn run(objects: usize, api: &GrpcClient) -> anyhow::Result<()> {
    if objects == 0 {
        return Ok(());
    }
    namespace(api, NAMESPACE).await?;
    let all = (0..objects).map(|number| config_map(NAMESPACE, format!("filler-{number}")));
    write_all(api, all).await
}

/// Writes in batches and reads no bodies back.
pub async fn write_all(api: &GrpcClient, writes: impl Iterator<Item = Write>) -> anyhow::Result<()> {
    let options = BatchOptions {
        without_bodies: true,
        ..BatchOptions::default()
    };
    let mut writes = writes.peekable();
    while writes.peek().is_some() {
        let batch = writes.by_ref().take(BATCH).collect();
        for outcome in api.batch(batch, &options).await? {
            outcome?;
        }
    }
    Ok(())
}
