//! Starts the processes of a cluster, starts them again when they die, and answers `status`, `kill` and the like on a
//! Unix socket in the data directory.
//!
//! It knows nothing of Kubernetes but which processes there are. If it dies itself, the kernel ends its children
//! (Linux), and the next `up` starts everything again with the same data.

mod child;
pub mod control;
mod plan;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use coracle_service::{Env, Shutdown};
use parking_lot::Mutex;
use tokio::sync::{broadcast, watch};

use child::Child;
pub use child::ProcessStatus;
use plan::{Plan, Spec};

use crate::{
    addresses::Slices,
    cluster::{Cluster, Memory},
};

/// Nodes get a process each up to this many, then pools.
pub const MAX_SINGLE_NODES: u32 = 10;
/// Nodes in one pool process.
pub const POOL_SIZE: u32 = 100;
/// How long processes may take to end before they are killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Progress events kept for a reader that is behind.
const EVENT_BACKLOG: usize = 4096;

/// What a cluster is to be made of.
#[derive(Clone, Debug)]
pub struct Settings {
    pub listen: SocketAddr,
    pub any_port: bool,
    pub nodes: Option<u32>,
    pub san: Vec<String>,
    pub set: Vec<String>,
    pub dashboard: bool,
}

/// A running cluster's processes.
pub struct Supervisor {
    cluster: Cluster,
    env: Env,
    shutdown: Shutdown,
    plan: Plan,
    slices: Slices,
    memory: Mutex<Memory>,
    children: Mutex<BTreeMap<String, Child>>,
    events: broadcast::Sender<control::Progress>,
    server: watch::Sender<Option<String>>,
}

impl Supervisor {
    /// Starts every process, and listens on the cluster's socket. Returns as soon as they are started.
    ///
    /// # Errors
    /// Where the data directory cannot be used, another supervisor has it, or no addresses are free.
    pub async fn start(
        cluster: Cluster,
        settings: &Settings,
        env: Env,
        shutdown: Shutdown,
    ) -> anyhow::Result<Arc<Self>> {
        std::fs::create_dir_all(cluster.dir.join("logs"))
            .with_context(|| format!("make data directory {}", cluster.dir.display()))?;
        let socket = control::listen(&cluster).await?;
        let mut memory = cluster.memory()?;
        let wanted = settings.nodes.unwrap_or(if memory.nodes.is_empty() {
            3
        } else {
            memory.nodes.len() as u32
        });
        let mut next = 0..;
        while (memory.nodes.len() as u32) < wanted {
            let index = next
                .by_ref()
                .find(|index| !memory.nodes.contains(index))
                .unwrap_or_default();
            memory.nodes.push(index);
        }
        if settings.nodes.is_some() {
            memory.nodes.truncate(wanted as usize);
        }
        let slices = Slices::claim(
            &memory.slices,
            wanted,
            &format!("cluster {:?} ({})", cluster.name, cluster.dir.display()),
        )?;
        memory.slices = slices.numbers().to_vec();
        let listen = free_port(settings, &memory, &env).await?;
        cluster.token(&env)?;
        cluster.remember(&memory)?;
        let plan = Plan::new(&cluster, settings, listen, &slices)?;
        let nodes = memory.nodes.clone();
        let supervisor = Arc::new(Self {
            cluster,
            env,
            shutdown,
            plan,
            slices,
            memory: Mutex::new(memory),
            children: Mutex::default(),
            events: broadcast::channel(EVENT_BACKLOG).0,
            server: watch::channel(None).0,
        });
        control::serve(Arc::clone(&supervisor), socket);
        supervisor.launch(supervisor.plan.apiserver())?;
        let this = Arc::clone(&supervisor);
        supervisor
            .env
            .spawn
            .task("launch", async move { this.launch_members(&nodes).await });
        Ok(supervisor)
    }

    /// Everything that needs the apiserver's address.
    async fn launch_members(self: Arc<Self>, nodes: &[u32]) {
        let Some(address) = self.server().await else {
            return;
        };
        let specs = self.plan.members(&address, nodes, &self.slices);
        for spec in specs {
            if let Err(error) = self.launch(spec) {
                tracing::error!(error = format!("{error:#}"), "start process");
            }
        }
    }

    fn launch(self: &Arc<Self>, spec: Spec) -> anyhow::Result<()> {
        let name = spec.name.clone();
        let child = Child::start(spec, self)?;
        self.children.lock().insert(name, child);
        Ok(())
    }

    /// Where the apiserver listens, once it does.
    pub async fn server(&self) -> Option<String> {
        let mut server = self.server.subscribe();
        self.shutdown
            .guard(server.wait_for(Option::is_some))
            .await?
            .ok()?
            .clone()
    }

    /// Every process, by name.
    pub fn status(&self) -> Vec<ProcessStatus> {
        self.children.lock().values().map(Child::status).collect()
    }

    /// Sends a signal to a process.
    ///
    /// # Errors
    /// Where there is no such process, or it is not running.
    pub fn signal(&self, process: &str, signal: rustix::process::Signal) -> anyhow::Result<()> {
        let children = self.children.lock();
        let child = children.get(process).with_context(|| {
            let known: Vec<&str> = children.keys().map(String::as_str).collect();
            format!("find process {process:?}: this cluster has {}", known.join(", "))
        })?;
        child.signal(signal)
    }

    /// Starts `count` further nodes; returns their names.
    ///
    /// # Errors
    /// Where the cluster has no addresses left for them, or they cannot be remembered.
    pub async fn add_nodes(self: &Arc<Self>, count: u32) -> anyhow::Result<Vec<String>> {
        let server = self.server().await.context("the cluster is shutting down")?;
        let mut added = Vec::new();
        let memory = {
            let mut memory = self.memory.lock();
            let room = self.slices.numbers().len() as u32 * crate::addresses::NODES_PER_SLICE;
            anyhow::ensure!(
                memory.nodes.len() as u32 + count <= room,
                "add {count} nodes: the cluster holds addresses for {room}; start it anew with `up --nodes`"
            );
            for _ in 0..count {
                let free = (0..room)
                    .find(|index| !memory.nodes.contains(index))
                    .unwrap_or_default();
                memory.nodes.push(free);
                added.push(free);
            }
            memory.clone()
        };
        self.cluster.remember(&memory)?;
        let mut names = Vec::new();
        for index in added {
            let spec = self.plan.node(&server, index, &self.slices);
            names.push(spec.name.clone());
            self.launch(spec)?;
        }
        Ok(names)
    }

    /// Stops a node's process and forgets it; its Node object is the caller's to delete.
    ///
    /// # Errors
    /// Where there is no such node, or it is part of a pool.
    pub async fn remove_node(&self, name: &str) -> anyhow::Result<()> {
        let index: u32 = name
            .strip_prefix("node-")
            .and_then(|number| number.parse::<u32>().ok())
            .and_then(|number| number.checked_sub(1))
            .with_context(|| {
                format!("remove {name:?}: only nodes with a process of their own (node-N) can be removed")
            })?;
        let child = self
            .children
            .lock()
            .remove(name)
            .with_context(|| format!("find node {name:?}"))?;
        child.stop(STOP_TIMEOUT).await;
        let memory = {
            let mut memory = self.memory.lock();
            memory.nodes.retain(|&kept| kept != index);
            memory.clone()
        };
        self.cluster.remember(&memory)?;
        let dir = self.cluster.process_dir(name);
        if dir.exists() {
            std::fs::remove_dir_all(&dir).with_context(|| format!("delete {}", dir.display()))?;
        }
        Ok(())
    }

    /// Changes what is remembered.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn remember(&self, change: impl FnOnce(&mut Memory)) -> anyhow::Result<()> {
        let mut memory = self.memory.lock();
        change(&mut memory);
        self.cluster.remember(&memory)
    }

    /// Ends every process in order: nodes and controllers first, the apiserver last.
    pub async fn stop(&self) {
        self.shutdown.trigger();
        let mut children = std::mem::take(&mut *self.children.lock());
        let apiserver = children.remove("apiserver");
        futures::future::join_all(children.into_values().map(|child| child.stop(STOP_TIMEOUT))).await;
        if let Some(apiserver) = apiserver {
            apiserver.stop(STOP_TIMEOUT).await;
        }
        let _ = std::fs::remove_file(self.cluster.socket());
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Progress from now on.
    pub fn progress(&self) -> broadcast::Receiver<control::Progress> {
        self.events.subscribe()
    }
}

/// The wanted port, or a free one where the default one is busy.
async fn free_port(settings: &Settings, memory: &Memory, env: &Env) -> anyhow::Result<SocketAddr> {
    let wanted = settings.listen;
    let remembered = memory
        .server
        .parse::<SocketAddr>()
        .ok()
        .map(|address| address.port());
    let try_port = async |port: u16| env.network.listen(SocketAddr::new(wanted.ip(), port)).await;
    // An address that is remembered is in kubeconfigs: it comes first where the user did not ask for another.
    if settings.any_port
        && let Some(port) = remembered
        && try_port(port).await.is_ok()
    {
        return Ok(SocketAddr::new(wanted.ip(), port));
    }
    let busy = match try_port(wanted.port()).await {
        Ok(listener) => return listener.local_addr().context("find a free port"),
        Err(error) => error,
    };
    if settings.any_port && busy.kind() == std::io::ErrorKind::AddrInUse {
        return try_port(0)
            .await
            .and_then(|listener| listener.local_addr())
            .context("find a free port");
    }
    Err(busy).with_context(|| format!("listen on {wanted}: choose another --port, or 0 for any free one"))
}

/// The address that local clients dial for a listener's address.
pub fn dialable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
