//! The edge: the machine in front of the cluster, in a process of its own.
//!
//! It gives LoadBalancer Services an address outside the nodes, answers NodePorts on the address that people know,
//! routes Ingresses by host and path, and lets the host into the cluster by name through the front door. It knows
//! what the API tells it and reaches pods as anybody outside would: it has no part in the cluster's own traffic, which
//! goes on while the edge is down.

mod balancer;
mod config;
mod front_door;
mod ingress;
mod ports;

#[cfg(test)]
mod tests;

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use coracle_client::{GrpcClient, ObjectApi};
use coracle_proxy::{Connector, Table, dns};
use coracle_runtime::Recorder;
use coracle_service::{Env, Health, Identity, Listener, Shutdown, announce, health::Check};

pub use config::{Config, Range};

/// What the edge calls itself in events.
const COMPONENT: &str = "coracle-edge";

/// Serves until shutdown.
///
/// # Errors
/// Where the configuration cannot be used or an address cannot be had.
pub async fn run(config: Config, env: Env, identity: Identity, shutdown: Shutdown) -> anyhow::Result<()> {
    let health = Health::new();
    health.set("table", Check::Waiting("services are not known yet".to_owned()));
    health
        .serve(config.health, &env, &identity, &shutdown)
        .await
        .context("serve health")?;
    let api = GrpcClient::new(&config.server, &env, &identity).map_err(anyhow::Error::msg)?;
    let edge = Edge::bind(config, Arc::new(api), env).await?;
    edge.serve(&health, shutdown).await;
    Ok(())
}

/// What all parts of the edge share.
#[derive(Clone)]
struct Shared {
    config: Arc<Config>,
    api: Arc<dyn ObjectApi>,
    env: Env,
    connector: Arc<Connector>,
    recorder: Recorder,
    shutdown: Shutdown,
}

/// The edge with its own ports open and nothing known yet.
struct Edge {
    config: Config,
    api: Arc<dyn ObjectApi>,
    env: Env,
    front_door: Option<Box<dyn Listener>>,
    dns: Option<Box<dyn Listener>>,
}

impl Edge {
    async fn bind(config: Config, api: Arc<dyn ObjectApi>, env: Env) -> anyhow::Result<Self> {
        config.validate()?;
        let front_door = listen(config.front_door, "front door", &env).await?;
        if let Some(listener) = &front_door {
            announce::listening("edge", listener.local_addr()?);
        }
        let dns = listen(config.dns, "dns", &env).await?;
        Ok(Self {
            config,
            api,
            env,
            front_door,
            dns,
        })
    }

    async fn serve(self, health: &Health, shutdown: Shutdown) {
        let Self {
            config,
            api,
            env,
            front_door,
            dns,
        } = self;
        let table = Table::start(&api, &env, &shutdown);
        let shared = Shared {
            recorder: Recorder::start(COMPONENT, Arc::clone(&api), &env, &shutdown),
            connector: Connector::new(Arc::clone(&table), env.clone()),
            config: Arc::new(config),
            api,
            env: env.clone(),
            shutdown: shutdown.clone(),
        };
        let mut parts = Vec::new();
        parts.push(env.spawn.task("load balancer", balancer::run(shared.clone())));
        parts.push(env.spawn.task("ports", ports::run(shared.clone())));
        parts.push(env.spawn.task("ingress", ingress::run(shared.clone())));
        if let Some(listener) = front_door {
            parts.push(
                env.spawn
                    .task("front door", front_door::run(listener, shared.clone())),
            );
        }
        if let Some(listener) = dns {
            parts.push(env.spawn.task("dns", serve_dns(listener, shared.clone())));
        }
        if shutdown.guard(table.wait_synced()).await.is_some() {
            health.set("table", Check::Ok);
            announce::ready();
        }
        for part in parts {
            let _ = part.await;
        }
    }
}

/// Answers DNS by connections and, where the same port is free for them, by datagrams.
async fn serve_dns(listener: Box<dyn Listener>, shared: Shared) {
    let Shared {
        connector,
        env,
        shutdown,
        ..
    } = shared;
    let resolver = connector.resolver();
    let datagrams = match listener.local_addr() {
        Ok(address) => env.network.datagram(address).await,
        Err(error) => Err(error),
    };
    match datagrams {
        Ok(socket) => {
            let serving = dns::serve_datagrams(socket, Arc::clone(resolver), env.clone(), shutdown.clone());
            env.spawn.task("dns datagrams", serving);
        }
        Err(error) => tracing::warn!(%error, "answer dns by datagrams"),
    }
    dns::serve_connections(listener, Arc::clone(resolver), env, shutdown).await;
}

/// Listens on an address; where it is busy, on a free port of it, which the log names.
async fn listen(
    address: Option<SocketAddr>,
    what: &str,
    env: &Env,
) -> anyhow::Result<Option<Box<dyn Listener>>> {
    let Some(address) = address else { return Ok(None) };
    let listener = match env.network.listen(address).await {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let listener = env.network.listen(SocketAddr::new(address.ip(), 0)).await;
            let listener = listener.with_context(|| format!("listen on {} for the {what}", address.ip()))?;
            tracing::warn!(%address, instead = %listener.local_addr()?, what, "the port is busy, take a free one");
            listener
        }
        outcome => outcome.with_context(|| format!("listen on {address} for the {what}"))?,
    };
    Ok(Some(listener))
}
