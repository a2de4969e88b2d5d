//! `coracle edge`.

use std::net::{Ipv4Addr, SocketAddr};

use coracle_client::join::Role;
use coracle_edge::Config;

use super::{Member, parse_cidr};

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where to show health.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:10270")]
    pub health_listen: SocketAddr,
    /// Where load balancers' addresses come from; the first is the Ingress controller's.
    #[arg(long, value_name = "CIDR", value_parser = parse_cidr, default_value = "127.48.0.0/18")]
    pub load_balancer_range: (Ipv4Addr, u8),
    /// Where NodePorts are answered beside the nodes' own addresses; `none` for nowhere.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    pub node_port_address: String,
    /// The front door, a SOCKS5 and HTTP proxy into the cluster; port 0 for any free one, `none` for nowhere.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:1080")]
    pub front_door: String,
    /// Where cluster DNS is answered; port 0 for any free one, `none` for nowhere.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:1053")]
    pub dns: String,
    /// A further address for Ingresses over plain HTTP.
    #[arg(long, value_name = "ADDR:PORT")]
    pub ingress_http: Option<SocketAddr>,
    /// A further address for Ingresses over TLS.
    #[arg(long, value_name = "ADDR:PORT")]
    pub ingress_https: Option<SocketAddr>,
    /// Ranges of pod addresses, which the front door leads to.
    #[arg(long, value_name = "CIDR,...", value_delimiter = ',', value_parser = parse_cidr)]
    pub cluster_cidr: Vec<(Ipv4Addr, u8)>,
    #[command(flatten)]
    pub member: Member,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let (env, shutdown) = args.member.common.begin()?;
    let Args {
        health_listen,
        load_balancer_range,
        node_port_address,
        front_door,
        dns,
        ingress_http,
        ingress_https,
        cluster_cidr,
        member,
    } = args;
    let role = Role {
        role: "edge",
        name: String::new(),
        server_names: vec!["localhost".to_owned()],
    };
    let config = Config {
        server: member.server.clone(),
        health: health_listen,
        load_balancers: load_balancer_range,
        node_ports: optional("--node-port-address", &node_port_address)?,
        front_door: optional("--front-door", &front_door)?,
        dns: optional("--dns", &dns)?,
        ingress_http,
        ingress_https,
        pods: cluster_cidr,
    };
    let identity = member.identity(&role, &env, &shutdown).await?;
    coracle_edge::run(config, env, identity, shutdown).await
}

/// Reads an address; `None` for `none`.
fn optional<T: std::str::FromStr>(flag: &str, text: &str) -> anyhow::Result<Option<T>>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    use anyhow::Context;
    if text == "none" {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .with_context(|| format!("read {flag} {text:?}: it must be an address or `none`"))
}
