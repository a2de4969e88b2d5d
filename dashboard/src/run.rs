//! Ties the dashboard to the world: caches, the probe of the apiserver, and the listener.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context;
use coracle_client::GrpcClient;
use coracle_service::{Env, Health, Identity, Listener, Shutdown, announce, serve};

use crate::{door, guard::Guard, live::Live, probe::Probe, session::Sessions, upstream::Upstream};

/// The name under which the address is announced.
const SERVICE: &str = "dashboard";
/// Where the address of the last run is kept, so that a page that was open finds the server again.
const ADDRESS_FILE: &str = "address";

/// What the dashboard needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The apiserver's `host:port`.
    pub server: String,
    /// Where browsers reach it.
    pub listen: SocketAddr,
    /// The address of the last run is preferred, and a busy port replaced by a free one.
    pub any_port: bool,
    /// Answer without TLS though `listen` is no loopback address: for a container whose port is published on one.
    pub allow_plain: bool,
    /// Further names that browsers may call it by, beside `localhost` and its address.
    pub hosts: Vec<String>,
    /// Where the address is remembered.
    pub data_dir: PathBuf,
}

/// Everything that a request may need; cheap to clone.
#[derive(Clone)]
pub struct Console {
    pub(crate) env: Env,
    pub(crate) upstream: Upstream,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) live: Arc<Live>,
    pub(crate) probe: Probe,
    pub(crate) guard: Arc<Guard>,
    pub(crate) shutdown: Shutdown,
}

/// Runs until shutdown.
///
/// # Errors
/// Where the address cannot be bound.
pub async fn run(config: Config, env: Env, identity: Identity, shutdown: Shutdown) -> anyhow::Result<()> {
    let upstream = Upstream::new(&config.server, &env, &identity).map_err(anyhow::Error::msg)?;
    let api = GrpcClient::new(&config.server, &env, &identity).map_err(anyhow::Error::msg)?;
    let listener = listen(&config, &env)
        .await
        .with_context(|| format!("listen on {} for browsers", config.listen))?;
    let address = listener.local_addr().context("find the listening address")?;
    remember(&config, address);
    let health = Health::new();
    let console = Console {
        live: Live::start(Arc::new(api), &env, &shutdown),
        probe: Probe::start(upstream.clone(), &env, &shutdown),
        sessions: Arc::new(Sessions::new(&env)),
        guard: Arc::new(Guard::new(address, config.allow_plain, config.hosts.clone())),
        upstream,
        env: env.clone(),
        shutdown: shutdown.clone(),
    };
    announce::listening(SERVICE, address);
    announce::ready();
    let router = door::router(console, &health);
    serve::serve_with_plain(
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

/// The wanted address; where any port will do, the one of the last run first and a free one last.
async fn listen(config: &Config, env: &Env) -> io::Result<Box<dyn Listener>> {
    if !config.any_port {
        return env.network.listen(config.listen).await;
    }
    let remembered = std::fs::read_to_string(config.data_dir.join(ADDRESS_FILE)).ok();
    let remembered = remembered
        .and_then(|text| text.trim().parse::<SocketAddr>().ok())
        .filter(|address| address.ip() == config.listen.ip());
    for address in remembered.into_iter().chain([config.listen]) {
        if let Ok(listener) = env.network.listen(address).await {
            return Ok(listener);
        }
    }
    env.network.listen(SocketAddr::new(config.listen.ip(), 0)).await
}

fn remember(config: &Config, address: SocketAddr) {
    let path = config.data_dir.join(ADDRESS_FILE);
    if let Err(error) = std::fs::write(&path, address.to_string()) {
        tracing::warn!(%error, path = %path.display(), "remember the listening address");
    }
}
