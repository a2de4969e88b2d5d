//! The reckoning after a kill loop: what was acknowledged is there, and the watches told all of it.

use std::collections::BTreeMap;

use anyhow::Context;
use coracle_api::kinds;
use coracle_client::{GrpcClient, ListQuery, ObjectApi};

use crate::{
    access::Access,
    register,
    watchers::{self, Watchers},
    writers::{Acknowledged, Ledger, Writers},
};

/// Every register as it is now.
async fn present(api: &GrpcClient) -> anyhow::Result<BTreeMap<String, Acknowledged>> {
    let query = ListQuery {
        namespace: register::NAMESPACE.to_owned(),
        ..ListQuery::all(kinds::CONFIG_MAP)
    };
    let (objects, _) = api.list_all(&query).await.context("list registers")?;
    let registers = objects.iter().filter_map(|object| {
        let value = register::value(object).ok()?;
        Some((
            object.name.clone(),
            Acknowledged {
                revision: object.revision,
                value,
            },
        ))
    });
    Ok(registers.collect())
}

/// Ends writers and watchers, and checks what every acknowledgement promised. Returns the ledger, and how often
/// watches were resumed.
///
/// # Errors
/// A write that is lost, or a watch with a gap or a repeat.
pub async fn settle(
    access: &Access,
    writers: Writers,
    watchers: Watchers,
) -> anyhow::Result<(Ledger, usize)> {
    let ledger = writers.stop().await?;
    let logs = watchers.stop().await?;
    ledger
        .check(&present(&access.client()?).await?)
        .map_err(anyhow::Error::msg)?;
    watchers::check(&logs, &ledger).map_err(anyhow::Error::msg)?;
    Ok((ledger, logs.iter().map(|log| log.resumed).sum()))
}
