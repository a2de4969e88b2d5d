//! One apiserver, from the data directory to the last answer.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use axum::{Router, middleware};
use coracle_service::{Clock, Env, Health, Identity, Shutdown, announce, health::Check, serve};
use coracle_store::{
    DurableStore, HistoryLimits, Hooks, MemoryConfig, MemoryStore, RealFiles, Store, StoreConfig,
};

use crate::{
    auth::{self, Auth},
    backends::ServiceBackends,
    config::Config,
    grpc::{Door, DoorConfig},
    metrics::Metrics,
    registry::{self, Gate, Registry},
    rest::{self, RestState},
    rotation::Rotation,
    sealing, seed, sweeper,
};

/// How often health asks the store whether it still takes writes.
const HEALTH_INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);

/// Runs an apiserver until shutdown. Everything acknowledged is on disk when it returns.
///
/// # Errors
/// Where it cannot start: the port, the data directory, the keys. The text says what to do next.
pub async fn run(config: Config, env: Env, identity: Identity, shutdown: Shutdown) -> anyhow::Result<()> {
    if let (Some(dir), true) = (&config.data_dir, config.new_seal_key) {
        sealing::add_key(dir, &env.random)?;
    }
    let codec = sealing::codec(config.data_dir.as_deref(), &env.random)?;
    let store: Arc<dyn Store> = match &config.data_dir {
        Some(dir) => Arc::new(open_durable(dir, config.history, &env, codec.clone()).await?),
        None => Arc::new(MemoryStore::new(memory_config(config.history, &env))),
    };
    run_over(store, codec, config, env, identity, shutdown).await
}

/// As [`run`], over a store that the caller opened; a simulation keeps hold of it and crashes it.
///
/// # Errors
/// As [`run`].
pub async fn run_over(
    store: Arc<dyn Store>,
    codec: coracle_store::RecordCodec,
    config: Config,
    env: Env,
    identity: Identity,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let listener = env
        .network
        .listen(config.listen)
        .await
        .with_context(|| format!("listen on {}", config.listen))?;
    let address = listener.local_addr().context("read own address")?;
    for repair in store.status().repairs {
        tracing::warn!(repair, "store repaired while opening");
    }
    let (opened, open_env, service_cidr) = (Arc::clone(&store), env.clone(), config.service_cidr);
    let open = move || Registry::open(opened, codec, service_cidr, &open_env);
    let registry = Arc::new(
        env.spawn
            .blocking(open)
            .await?
            .context("read objects from the store")?,
    );
    seed::seed(&registry, address)
        .await
        .context("create the first objects")?;
    let auth = open_auth(&registry, &config, &env, &shutdown).await?;

    registry.measure_with(Arc::new(Metrics::new(env.clone(), identity.clone())));

    let health = Health::new();
    env.spawn.task(
        "store-health",
        watch_store(Arc::clone(&store), health.clone(), env.clone(), shutdown.clone()),
    );
    let sweeping = sweeper::run(
        Arc::clone(&registry),
        config.events,
        env.clone(),
        shutdown.clone(),
    );
    env.spawn.task("event-sweeper", sweeping);
    let (quotas, until) = (Arc::clone(&registry), shutdown.clone());
    env.spawn
        .task("quota-status", async move { quotas.keep_quotas(&until).await });
    let tending = registry::custom::run(Arc::clone(&registry), env.clone(), shutdown.clone());
    env.spawn.task("custom-resource-definitions", tending);
    let nodes = rest::Nodes::new(env.clone(), identity.clone());
    registry.reach_services_through(Arc::new(ServiceBackends::new(&registry, nodes, &env)));
    registry.ask_rights_of(Arc::clone(&auth) as _);
    // More than one key: one was replaced, and perhaps not everything is sealed anew yet.
    if registry.seal_keys() > 1 {
        env.spawn.task("reseal", reseal(Arc::clone(&registry)));
    }
    let limits = config.limits.clone();
    let router = router(registry, auth, config, &health, &env, &identity, &shutdown)?;
    announce::listening("apiserver", address);
    announce::ready();
    serve::serve(listener, &identity, router, limits, &env, &shutdown).await;
    store.shutdown().await;
    Ok(())
}

/// Seals all Secrets with the newest key.
async fn reseal(registry: Arc<Registry>) {
    match registry.reseal().await {
        Ok(0) => {}
        Ok(secrets) => tracing::info!(secrets, "sealed Secrets with the newest key"),
        Err(error) => tracing::error!(%error, "seal Secrets with a new key: the old one still opens them"),
    }
}

/// Both doors, health and the check of who comes in, as one router.
fn router(
    registry: Arc<Registry>,
    auth: Arc<Auth>,
    config: Config,
    health: &Health,
    env: &Env,
    identity: &Identity,
    shutdown: &Shutdown,
) -> anyhow::Result<Router> {
    let engine = if config.data_dir.is_some() {
        "sled"
    } else {
        "memory"
    };
    let openapi = Arc::new(rest::OpenApi::new(env.spawn));
    let door = Door {
        registry: Arc::clone(&registry),
        auth: Arc::clone(&auth),
        env: env.clone(),
        shutdown: shutdown.clone(),
        openapi: Arc::clone(&openapi),
        config: Arc::new(DoorConfig {
            rotation: Rotation::new(config.data_dir.clone(), env),
            authority: config.authority,
            tokens: config.bootstrap_tokens,
            engine,
        }),
    };
    let known = Arc::clone(&registry);
    let rest = rest::router(RestState {
        registry,
        env: env.clone(),
        identity: identity.clone(),
        shutdown: shutdown.clone(),
        openapi,
    });
    let doors = door
        .router()
        .context("describe own services")?
        .merge(crate::health::router(health, &known, auth.answers()))
        .merge(auth::oidc_router(&auth))
        .merge(rest);
    Ok(doors.layer(middleware::from_fn_with_state(auth, auth::guard)))
}

/// The locked door, with the default roles in place and known.
async fn open_auth(
    registry: &Arc<Registry>,
    config: &Config,
    env: &Env,
    shutdown: &Shutdown,
) -> anyhow::Result<Arc<Auth>> {
    auth::seed(registry).await.context("create the default roles")?;
    let (modes, dir) = (config.authorization.clone(), config.data_dir.as_deref());
    let auth =
        Auth::open(registry, modes, config.in_flight, dir, env).context("prepare the keys of tokens")?;
    if let Some(settings) = &config.audit {
        auth.keep_audit_log(settings.clone())
            .context("keep an audit log")?;
    }
    auth.follow(registry, shutdown).await;
    auth::aggregate_roles(registry, env, shutdown);
    registry.set_gate(Arc::clone(&auth) as Arc<dyn Gate>);
    if let Some(authority) = &config.authority {
        auth.sign_requests(registry, Arc::clone(authority), shutdown);
    }
    Ok(auth)
}

async fn open_durable(
    dir: &Path,
    history: HistoryLimits,
    env: &Env,
    codec: coracle_store::RecordCodec,
) -> anyhow::Result<DurableStore> {
    let mut config = StoreConfig::new(dir.join("store"));
    config.history = history;
    let hooks = Hooks::with_threads(now(env.transport_clock.clone()), sealing::source(&env.random));
    let open = move || DurableStore::open(config, Arc::new(RealFiles), hooks, codec);
    Ok(env.spawn.blocking(open).await??)
}

fn memory_config(history: HistoryLimits, env: &Env) -> MemoryConfig {
    let now = now(env.transport_clock.clone());
    let now_s = move || u32::try_from(now().as_secs()).unwrap_or(u32::MAX);
    MemoryConfig {
        cluster_id: env.random.uuid(),
        history,
        now_s: Some(Arc::new(now_s)),
        ..MemoryConfig::default()
    }
}

/// The clock in the form that the store takes: time since now.
fn now(clock: Clock) -> Arc<dyn Fn() -> std::time::Duration + Send + Sync> {
    let start = clock.monotonic();
    Arc::new(move || clock.monotonic().duration_since(start))
}

/// Shows in health whether the store takes writes.
async fn watch_store(store: Arc<dyn Store>, health: Health, env: Env, shutdown: Shutdown) {
    loop {
        health.set("store", store.status().problem.map_or(Check::Ok, Check::Failed));
        if shutdown
            .guard(env.transport_clock.sleep(HEALTH_INTERVAL))
            .await
            .is_none()
        {
            return;
        }
    }
}
