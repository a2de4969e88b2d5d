//! `coracle controller-manager`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use coracle_client::join::Role;
use coracle_controller_manager::{Config, EvictionRates, Timings};
use coracle_runtime::LeaseTimings;
use coracle_service::pki::Credentials;

use super::{Member, parse_cidr};

/// How fast nodes that fail are given up; the defaults are Kubernetes' own.
#[derive(Clone, Debug, clap::Args)]
pub struct EvictionArgs {
    /// Nodes a second that are given up in a zone that is well.
    #[arg(long, value_name = "NODES", default_value_t = 0.1)]
    pub node_eviction_rate: f64,
    /// Nodes a second that are given up in a large zone of which many nodes have failed.
    #[arg(long, value_name = "NODES", default_value_t = 0.01)]
    pub secondary_node_eviction_rate: f64,
    /// A zone with more nodes than this is large; in a smaller one of which many have failed none is given up.
    #[arg(long, value_name = "NODES", default_value_t = 50)]
    pub large_cluster_size_threshold: usize,
    /// The share of a zone's nodes from which on many have failed, if there are more than two.
    #[arg(long, value_name = "SHARE", default_value_t = 0.55)]
    pub unhealthy_zone_threshold: f64,
}

impl EvictionArgs {
    fn rates(&self) -> EvictionRates {
        let Self {
            node_eviction_rate,
            secondary_node_eviction_rate,
            large_cluster_size_threshold,
            unhealthy_zone_threshold,
        } = self;
        EvictionRates {
            primary: *node_eviction_rate,
            secondary: *secondary_node_eviction_rate,
            large_zone_nodes: *large_cluster_size_threshold,
            unhealthy_zone_threshold: *unhealthy_zone_threshold,
        }
    }
}

/// How leaders are elected; the defaults are Kubernetes' own.
#[derive(Clone, Debug, clap::Args)]
pub struct LeaseArgs {
    /// Seconds after which a silent leader may be replaced.
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0)]
    pub leader_elect_lease_duration: f64,
    /// Seconds after which a leader that cannot renew gives up.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    pub leader_elect_renew_deadline: f64,
    /// Seconds between attempts.
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    pub leader_elect_retry_period: f64,
}

impl LeaseArgs {
    pub fn timings(&self) -> LeaseTimings {
        let Self {
            leader_elect_lease_duration,
            leader_elect_renew_deadline,
            leader_elect_retry_period,
        } = self;
        LeaseTimings {
            duration: Duration::from_secs_f64(*leader_elect_lease_duration),
            renew_deadline: Duration::from_secs_f64(*leader_elect_renew_deadline),
            retry: Duration::from_secs_f64(*leader_elect_retry_period),
        }
    }
}

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where to show health.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:10257")]
    pub health_listen: SocketAddr,
    /// The ranges of pod addresses, each node gets a part of.
    #[arg(long, value_name = "CIDR,...", default_value = "10.244.0.0/16", value_delimiter = ',', value_parser = parse_cidr)]
    pub cluster_cidr: Vec<(Ipv4Addr, u8)>,
    /// The prefix length of a node's part.
    #[arg(long, value_name = "BITS", default_value_t = 24)]
    pub node_cidr_mask_size: u8,
    /// Which controllers run: `*` for all, `NAME` for one, `-NAME` for not that one.
    #[arg(
        long,
        value_name = "NAME,...",
        default_value = "*",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub controllers: Vec<String>,
    /// Seconds after which a silent node is NotReady.
    #[arg(long, value_name = "SECONDS", default_value_t = 50.0)]
    pub node_monitor_grace_period: f64,
    /// Seconds between two looks of a HorizontalPodAutoscaler at its target.
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0)]
    pub horizontal_pod_autoscaler_sync_period: f64,
    #[command(flatten)]
    pub member: Member,
    #[command(flatten)]
    pub lease: LeaseArgs,
    #[command(flatten)]
    pub evictions: EvictionArgs,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let (env, shutdown) = args.member.common.begin()?;
    let Args {
        health_listen,
        cluster_cidr,
        node_cidr_mask_size,
        controllers,
        node_monitor_grace_period,
        horizontal_pod_autoscaler_sync_period,
        member,
        lease,
        evictions,
    } = args;
    let role = Role {
        role: "controller-manager",
        name: String::new(),
        server_names: vec!["localhost".to_owned()],
    };
    let identity = member.identity(&role, &env, &shutdown).await?;
    let kept = Credentials::load(&member.pki(), role.role)?;
    let config = Config {
        instance: member.instance(&env)?,
        server: member.server,
        health: health_listen,
        lease: lease.timings(),
        controllers,
        cluster_cidrs: cluster_cidr,
        node_cidr_mask: node_cidr_mask_size,
        root_ca_pem: kept.map(|credentials| credentials.ca_pem),
        timings: Timings {
            node_grace: Duration::from_secs_f64(node_monitor_grace_period),
            autoscaler_period: Duration::from_secs_f64(horizontal_pod_autoscaler_sync_period),
            ..Timings::default()
        },
        evictions: evictions.rates(),
    };
    coracle_controller_manager::run(config, env, identity, shutdown).await
}
