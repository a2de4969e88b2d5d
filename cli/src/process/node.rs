//! `coracle node`: one node, or a pool of them.

use std::{net::Ipv4Addr, time::Duration};

use clap::ValueEnum;
use coracle_client::join::Role;
use coracle_nodes::config::{Addressing, Capacity, Config, PublicImages, Timings};

use super::{Member, host_name};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AddressingArg {
    /// Pod addresses are loopback addresses.
    Loopback,
    /// Pod addresses are routed between machines; needs CAP_NET_ADMIN.
    Routed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PublicImagesArg {
    /// Images outside the catalog run as an idle program.
    Idle,
    /// Images outside the catalog cannot be pulled.
    Deny,
}

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The node's name, or the prefix of a pool's names; by default the host's name.
    #[arg(long, value_name = "NAME", env = "CORACLE_NODE_NAME")]
    pub node_name: Option<String>,
    /// The node's address; a pool counts up from it. By default the address the host's name leads to.
    #[arg(long, value_name = "ADDR")]
    pub node_ip: Option<Ipv4Addr>,
    /// How many nodes this process plays.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub count: u32,
    /// The number of a pool's first node.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub first: u32,
    /// The port for logs and dials.
    #[arg(long, default_value_t = 10250)]
    pub port: u16,
    /// The volume service, HOST:PORT.
    #[arg(long, value_name = "HOST:PORT", env = "CORACLE_STORAGE")]
    pub storage: Option<String>,
    /// How pod addresses become reachable.
    #[arg(long, value_enum, default_value_t = AddressingArg::Loopback, env = "CORACLE_ADDRESSING")]
    pub addressing: AddressingArg,
    /// What becomes of images outside the catalog.
    #[arg(long, value_enum, default_value_t = PublicImagesArg::Idle)]
    pub public_images: PublicImagesArg,
    /// Cores that each node claims to have.
    #[arg(long, default_value = "8")]
    pub cpu: String,
    /// Memory that each node claims to have.
    #[arg(long, default_value = "16Gi")]
    pub memory: String,
    /// Pods that each node takes.
    #[arg(long, default_value_t = 110)]
    pub max_pods: u32,
    /// Seconds between renewals of the node's lease; it counts as alive for four times as long.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    pub lease_renew_interval: f64,
    #[command(flatten)]
    pub member: Member,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let (env, shutdown) = args.member.common.begin()?;
    let Args {
        node_name,
        node_ip,
        count,
        first,
        port,
        storage,
        addressing,
        public_images,
        cpu,
        memory,
        max_pods,
        lease_renew_interval,
        member,
    } = args;
    let name = match node_name {
        Some(name) => name,
        None => host_name()?,
    };
    let node_ip = match node_ip {
        Some(ip) => ip,
        None => host_address(&env, &host_name()?).await?,
    };
    let renew = Duration::from_secs_f64(lease_renew_interval);
    let role = role(&name, first, count, node_ip);
    let identity = member.identity(&role, &env, &shutdown).await?;
    let config = Config {
        server: member.server,
        name,
        first,
        count,
        data_dir: member.common.data_dir,
        node_ip,
        port,
        storage,
        addressing: match addressing {
            AddressingArg::Loopback => Addressing::Loopback,
            AddressingArg::Routed => Addressing::Routed,
        },
        capacity: Capacity {
            cpu,
            memory,
            pods: max_pods,
        },
        timings: Timings {
            lease_renew: renew,
            lease_duration: renew * 4,
            ..Timings::default()
        },
        public_images: match public_images {
            PublicImagesArg::Idle => PublicImages::Idle,
            PublicImagesArg::Deny => PublicImages::Deny,
        },
    };
    coracle_nodes::run(config, env, identity, shutdown).await
}

/// What the process joins as: its certificate names each of its nodes' addresses.
fn role(name: &str, first: u32, count: u32, node_ip: Ipv4Addr) -> Role {
    let addresses = (0..count).map(|index| Ipv4Addr::from(u32::from(node_ip) + index).to_string());
    let mut server_names = vec![name.to_owned(), "localhost".to_owned()];
    server_names.extend(addresses);
    if count > 1 {
        // Two pools number their nodes apart, so the first number tells them apart.
        return Role {
            role: "nodepool",
            name: format!("{name}-{first}"),
            server_names,
        };
    }
    Role {
        role: "node",
        name: name.to_owned(),
        server_names,
    }
}

async fn host_address(env: &coracle_service::Env, host: &str) -> anyhow::Result<Ipv4Addr> {
    let addresses = env.network.resolve(&format!("{host}:0")).await;
    let addresses = anyhow::Context::with_context(addresses, || {
        format!("find the address of {host}: name it with --node-ip")
    })?;
    let v4 = addresses.into_iter().find_map(|address| match address.ip() {
        std::net::IpAddr::V4(ip) => Some(ip),
        std::net::IpAddr::V6(_) => None,
    });
    anyhow::Context::with_context(v4, || {
        format!("find the IPv4 address of {host}: name it with --node-ip")
    })
}
