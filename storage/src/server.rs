//! The storage process: opens its data directory, serves until it is asked to stop.

use std::sync::Arc;

use anyhow::Context;
use coracle_service::{
    Env, Health, Identity, Shutdown, announce,
    health::Check,
    serve::{self, serve},
};

use crate::{Config, Exports, Service};

/// The name under which the process announces its address.
const SERVICE: &str = "storage";
/// The health check that says whether the disk takes writes.
pub(crate) const DISK_CHECK: &str = "disk";

/// Runs the storage service until `shutdown`.
///
/// Announces its address (service "storage") and readiness on standard output. The one port serves gRPC to callers
/// with a certificate, and `/livez`, `/readyz` and `/healthz` to all.
///
/// # Errors
/// A configuration that cannot work, a data directory that cannot be used, an address that cannot be listened on.
pub async fn run(config: Config, env: Env, identity: Identity, shutdown: Shutdown) -> anyhow::Result<()> {
    config.validate()?;
    let Config {
        data_dir,
        listen,
        limits,
    } = config;
    let random = env.random.clone();
    let exports = env
        .spawn
        .blocking(move || Exports::open(&data_dir, limits, |key| random.fill(key)))
        .await??;
    let exports = Arc::new(exports);
    let health = Health::new();
    health.set(DISK_CHECK, Check::Ok);
    let listener = env
        .network
        .listen(listen)
        .await
        .with_context(|| format!("listen on {listen}"))?;
    announce::listening(SERVICE, listener.local_addr()?);
    sweep(&exports, &env);
    let service = Service::new(exports, env.clone(), health.clone());
    let router = service.routes()?.into_axum_router().merge(health.router());
    announce::ready();
    serve(
        listener,
        &identity,
        router,
        serve::Limits::default(),
        &env,
        &shutdown,
    )
    .await;
    Ok(())
}

/// Frees, in the background, what was deleted before the last end.
pub(crate) fn sweep(exports: &Arc<Exports>, env: &Env) {
    let (exports, spawn) = (Arc::clone(exports), env.spawn);
    env.spawn.task("sweep", async move {
        if let Err(error) = spawn
            .blocking(move || exports.sweep())
            .await
            .and_then(|outcome| outcome)
        {
            tracing::warn!(%error, "free deleted exports");
        }
    });
}
