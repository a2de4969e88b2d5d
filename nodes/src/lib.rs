//! The node process: agent, pod workers, simulated runtime, volumes, logs, and the service that reaches into pods.
//!
//! One process plays one node or a pool of them, over one connection to the apiserver. [`run`] is its whole life. A
//! process that dies is a machine that rebooted: started again on the same data directory it has the same pods with
//! the same addresses, logs and emptyDirs, and what ran in them starts anew.
//!
//! What is absent: no container engine, no privilege, and no task per pod. A pod that listens on no port is an entry in
//! a map. Services have no listener on their own addresses: a pod's connect to one is resolved here
//! (`coracle_proxy`); only NodePorts are listened on.

pub mod agent;
pub mod config;
pub mod logs;
pub mod network;
pub mod pods;
pub mod probes;
pub mod runtime;
pub mod server;
pub mod state;
pub mod status;
pub mod volumes;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use anyhow::Context;
use axum::Router;
use coracle_api::kinds;
use coracle_client::{GrpcClient, ObjectApi, WatchQuery};
use coracle_proxy::{Connector, Table};
use coracle_runtime::{Cache, Recorder, informer};
use coracle_service::{Env, Health, Identity, Listener, Shutdown, announce, health::Check, serve};

use tokio::task::JoinHandle;

use agent::{Agent, lease::Renewal, node::Node};
use config::Addressing;
pub use config::Config;
use logs::Logs;
use network::services::Services;
use pods::manager::{Manager, Parts};
use server::Server;
use state::Journal;
use status::outbox::Outbox;
use volumes::{nfs::Mounter, prepare::Preparer};

/// The check that is waiting until all nodes take pods.
const NODES_CHECK: &str = "nodes";

/// Plays the nodes of `config` until shutdown.
///
/// # Errors
/// What a person has to mend: settings that cannot be, a data directory that cannot be used, an address that is taken,
/// an identity that may not register nodes.
pub async fn run(config: Config, env: Env, identity: Identity, shutdown: Shutdown) -> anyhow::Result<()> {
    let api = GrpcClient::new(&config.server, &env, &identity).map_err(anyhow::Error::msg)?;
    run_with(config, Arc::new(api), env, identity, shutdown).await
}

/// As [`run`], through any way to the apiserver.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    config: Config,
    api: Arc<dyn ObjectApi>,
    env: Env,
    identity: Identity,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    config.validate()?;
    let config = Arc::new(config);
    let journal = Journal::open(&config.data_dir)
        .with_context(|| format!("open data directory {}", config.data_dir.display()))?;
    let (nodes, listeners) = listen(&config, &env).await?;
    let health = Health::new();
    health.set(NODES_CHECK, Check::Waiting("registering".to_owned()));
    let agent = Agent {
        config: Arc::clone(&config),
        env: env.clone(),
        api: Arc::clone(&api),
        nodes: Arc::clone(&nodes),
        boot: env.random.uuid(),
    };
    let caches = Caches::start(&config, &api, &env, &shutdown);
    let manager = manager(&config, &api, &env, &identity, &caches, journal, &shutdown);
    let server = Server {
        services: caches.ways(&env),
        manager: manager.sender(),
        nodes: config.nodes().into(),
        env: env.clone(),
    };
    let router = server.router(&health);
    let servers = serve_nodes(listeners, &router, &env, &identity, &shutdown);
    let mut driving = env.spawn.task("pods", manager.run());
    let Some(registered) = shutdown.guard(agent.register()).await else {
        return Ok(());
    };
    let uids = registered?;
    let renewal = Renewal {
        api,
        env: env.clone(),
        nodes,
        uids,
        timings: config.timings.clone(),
    };
    env.spawn.task("leases", renewal.run(shutdown.clone()));
    let ports = network::ports::maintain(&config, &caches.connector, &caches.nodes, &env, &shutdown);
    let ports = env.spawn.task("node ports", ports);
    if config.addressing == Addressing::Routed {
        let own = config.nodes().into_iter().map(|(name, _)| name).collect();
        let maintain = network::routes::maintain(caches.nodes.clone(), own, env.clone(), shutdown.clone());
        env.spawn.task("routes", maintain);
    }
    health.set(NODES_CHECK, Check::Waiting("not all nodes are ready".to_owned()));
    let ready = move || {
        health.set(NODES_CHECK, Check::Ok);
        announce::ready();
    };
    let drive_ended = tokio::select! {
        biased;
        () = agent.report(caches.nodes, caches.pods, shutdown.clone(), ready) => false,
        _ = &mut driving => true,
    };
    // The listeners of pods and nodes are closed when this returns, so that a successor can have them.
    if !drive_ended {
        let _ = driving.await;
    }
    // Without the manager nothing would happen any more: better to end and be started again.
    anyhow::ensure!(
        shutdown.is_triggered(),
        "drive pods: the manager ended unexpectedly"
    );
    for server in servers {
        let _ = server.await;
    }
    let _ = ports.await;
    Ok(())
}

fn serve_nodes(
    listeners: Vec<Box<dyn Listener>>,
    router: &Router,
    env: &Env,
    identity: &Identity,
    shutdown: &Shutdown,
) -> Vec<JoinHandle<()>> {
    let serve = |listener| {
        let (router, identity) = (router.clone(), identity.clone());
        let (env_of_task, shutdown) = (env.clone(), shutdown.clone());
        env.spawn.task("node server", async move {
            let limits = serve::Limits::default();
            serve::serve(listener, &identity, router, limits, &env_of_task, &shutdown).await;
        })
    };
    listeners.into_iter().map(serve).collect()
}

/// A listener per node, on the node's own address.
async fn listen(config: &Config, env: &Env) -> anyhow::Result<(Arc<[Node]>, Vec<Box<dyn Listener>>)> {
    let (mut nodes, mut listeners) = (Vec::new(), Vec::new());
    for (name, ip) in config.nodes() {
        let address = SocketAddr::new(IpAddr::V4(ip), config.port);
        let listener = env.network.listen(address).await.with_context(|| {
            format!("listen on {address} for node {name}: is another node process running with this address?")
        })?;
        let address = listener.local_addr()?;
        if nodes.is_empty() {
            announce::listening("node", address);
        }
        nodes.push(Node {
            name,
            ip,
            port: address.port(),
        });
        listeners.push(listener);
    }
    Ok((nodes.into(), listeners))
}

struct Caches {
    pods: Cache<pods::view::PodView>,
    nodes: Cache<agent::view::NodeView>,
    connector: Arc<Connector>,
}

impl Caches {
    /// The ways of pods and nodes to Services.
    fn ways(&self, env: &Env) -> Services {
        Services {
            connector: Arc::clone(&self.connector),
            nodes: self.nodes.clone(),
            env: env.clone(),
        }
    }

    fn start(config: &Config, api: &Arc<dyn ObjectApi>, env: &Env, shutdown: &Shutdown) -> Self {
        let caches = Self {
            pods: Cache::new(kinds::POD),
            nodes: Cache::new(kinds::NODE),
            connector: Connector::new(Table::start(api, env, shutdown), env.clone()),
        };
        let node_names: Vec<String> = config.nodes().into_iter().map(|(name, _)| name).collect();
        let mut nodes = WatchQuery::all(kinds::NODE);
        if config.count == 1 && config.addressing == Addressing::Loopback {
            // Only routes need the other nodes.
            nodes.field_selector = format!("metadata.name={}", config.name);
        }
        informer::start(&caches.nodes, nodes, Arc::clone(api), env, shutdown);
        let pods = WatchQuery {
            node_names,
            ..WatchQuery::all(kinds::POD)
        };
        informer::start(&caches.pods, pods, Arc::clone(api), env, shutdown);
        caches
    }
}

fn manager(
    config: &Arc<Config>,
    api: &Arc<dyn ObjectApi>,
    env: &Env,
    identity: &Identity,
    caches: &Caches,
    journal: Journal,
    shutdown: &Shutdown,
) -> Manager {
    Manager::new(Parts {
        config: Arc::clone(config),
        env: env.clone(),
        api: Arc::clone(api),
        pods: caches.pods.clone(),
        nodes: caches.nodes.clone(),
        services: caches.connector.table().services().clone(),
        journal,
        logs: Logs::new(&config.data_dir.join("pods")),
        network: Arc::new(caches.ways(env)),
        preparer: Preparer {
            api: Arc::clone(api),
            env: env.clone(),
            mounter: Mounter::new(env, identity),
            data_dir: config.data_dir.clone(),
            storage: config.storage.clone(),
        },
        outbox: Outbox::start(Arc::clone(api), env, shutdown),
        recorder: Recorder::start("kubelet", Arc::clone(api), env, shutdown),
        shutdown: shutdown.clone(),
    })
}
