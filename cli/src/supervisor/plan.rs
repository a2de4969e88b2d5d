//! Which processes a cluster has, and with what arguments.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use anyhow::Context;

use super::{MAX_SINGLE_NODES, POOL_SIZE, Settings};
use crate::{addresses::Slices, cluster::Cluster};

/// Components that `--set` may name.
const COMPONENTS: [&str; 7] = [
    "apiserver",
    "scheduler",
    "controller-manager",
    "node",
    "storage",
    "edge",
    "dashboard-server",
];

/// Where the volume service listens, by custom of NFS.
const STORAGE_PORT: u16 = 2049;

/// One process to run.
#[derive(Clone, Debug)]
pub struct Spec {
    pub name: String,
    pub arguments: Vec<String>,
    pub log: PathBuf,
}

/// Makes the [`Spec`]s of one cluster.
pub struct Plan {
    cluster: Cluster,
    listen: SocketAddr,
    services: String,
    pods: String,
    storage: String,
    san: Vec<String>,
    has_dashboard: bool,
    set: BTreeMap<String, Vec<String>>,
    /// The user asked for any free port.
    throwaway: bool,
}

impl Plan {
    /// # Errors
    /// Where a `--set` is not of the form `component.flag=value`.
    pub fn new(
        cluster: &Cluster,
        settings: &Settings,
        listen: SocketAddr,
        slices: &Slices,
    ) -> anyhow::Result<Self> {
        let mut set: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for text in &settings.set {
            let (component, flag) = text
                .split_once('.')
                .filter(|(component, flag)| COMPONENTS.contains(component) && flag.contains('='))
                .with_context(|| {
                    format!(
                        "read --set {text:?}: it must be COMPONENT.FLAG=VALUE with one of {}",
                        COMPONENTS.join(", ")
                    )
                })?;
            set.entry(component.to_owned())
                .or_default()
                .push(format!("--{flag}"));
        }
        let cidr = |(address, prefix): (std::net::Ipv4Addr, u8)| format!("{address}/{prefix}");
        Ok(Self {
            cluster: cluster.clone(),
            listen,
            services: cidr(slices.services()),
            pods: slices.pods().into_iter().map(cidr).collect::<Vec<_>>().join(","),
            storage: format!("{}:{STORAGE_PORT}", slices.storage()),
            san: settings.san.clone(),
            has_dashboard: settings.dashboard,
            set,
            throwaway: settings.listen.port() == 0,
        })
    }

    pub fn apiserver(&self) -> Spec {
        let mut arguments = vec![
            format!("--listen={}", self.listen),
            format!("--service-cluster-ip-range={}", self.services),
            format!("--token-file={}", self.cluster.token_file().display()),
        ];
        arguments.extend(self.san.iter().map(|name| format!("--san={name}")));
        self.spec("apiserver", "apiserver", arguments)
    }

    /// Every process but the apiserver.
    pub fn members(&self, server: &str, nodes: &[u32], slices: &Slices) -> Vec<Spec> {
        let mut specs = vec![
            self.member(
                "storage",
                "storage",
                server,
                vec![format!("--listen={}", self.storage)],
            ),
            self.member(
                "scheduler",
                "scheduler",
                server,
                vec!["--health-listen=127.0.0.1:0".to_owned()],
            ),
            self.member(
                "controller-manager",
                "controller-manager",
                server,
                vec![
                    "--health-listen=127.0.0.1:0".to_owned(),
                    format!("--cluster-cidr={}", self.pods),
                ],
            ),
        ];
        // Without nodes there is nothing to be in front of.
        if !nodes.is_empty() {
            specs.push(self.edge(server, slices));
        }
        if self.has_dashboard {
            specs.push(self.member(
                "dashboard-server",
                "dashboard",
                server,
                vec!["--any-port".to_owned()],
            ));
        }
        if nodes.len() as u32 <= MAX_SINGLE_NODES {
            specs.extend(nodes.iter().map(|&index| self.node(server, index, slices)));
        } else {
            for (number, pool) in nodes.chunks(POOL_SIZE as usize).enumerate() {
                specs.push(self.pool(server, number + 1, pool, slices));
            }
        }
        specs
    }

    fn edge(&self, server: &str, slices: &Slices) -> Spec {
        let (address, prefix) = slices.balancers();
        let mut arguments = vec![
            "--health-listen=127.0.0.1:0".to_owned(),
            format!("--load-balancer-range={address}/{prefix}"),
            format!("--cluster-cidr={}", self.pods),
        ];
        // A cluster that asked for any port takes any for the edge as well.
        if self.throwaway {
            arguments.push("--front-door=127.0.0.1:0".to_owned());
            arguments.push("--dns=127.0.0.1:0".to_owned());
        }
        self.member("edge", "edge", server, arguments)
    }

    /// A node with a process of its own.
    pub fn node(&self, server: &str, index: u32, slices: &Slices) -> Spec {
        let name = format!("node-{}", index + 1);
        let arguments = vec![
            format!("--node-name={name}"),
            format!("--node-ip={}", slices.node(index)),
        ];
        self.member("node", &name, server, arguments)
    }

    fn pool(&self, server: &str, number: usize, nodes: &[u32], slices: &Slices) -> Spec {
        let name = format!("pool-{number}");
        let first = nodes.first().copied().unwrap_or_default();
        let arguments = vec![
            // The pool's nodes are node-1, node-2, ... like those with a process each.
            "--node-name=node".to_owned(),
            format!("--node-ip={}", slices.node(first)),
            format!("--count={}", nodes.len()),
            format!("--first={}", first + 1),
        ];
        self.member("node", &name, server, arguments)
    }

    /// A process that joins; nodes are told where the volume service is.
    fn member(&self, component: &str, name: &str, server: &str, mut arguments: Vec<String>) -> Spec {
        if component == "node" {
            arguments.push(format!("--storage={}", self.storage));
        }
        arguments.push(format!("--server={server}"));
        arguments.push(format!("--token-file={}", self.cluster.token_file().display()));
        self.spec(component, name, arguments)
    }

    fn spec(&self, component: &str, name: &str, mut arguments: Vec<String>) -> Spec {
        arguments.insert(0, component.to_owned());
        arguments.push(format!("--data-dir={}", self.cluster.process_dir(name).display()));
        // What the user sets comes last and wins.
        arguments.extend(self.set.get(component).into_iter().flatten().cloned());
        Spec {
            name: name.to_owned(),
            arguments,
            log: self.cluster.log(name),
        }
    }
}
