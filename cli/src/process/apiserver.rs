//! `coracle apiserver`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use coracle_apiserver::{AuditSettings, BootstrapToken, Config, InFlight, Mode, audit, certificates};
use coracle_service::serve::Limits;
use coracle_store::HistoryLimits;

use super::{Common, parse_cidr};

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where to listen.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:6443")]
    pub listen: SocketAddr,
    /// A further name or address that the certificate is valid for; repeatable.
    #[arg(long, value_name = "NAME", env = "CORACLE_SAN", value_delimiter = ',')]
    pub san: Vec<String>,
    /// The range of service addresses.
    #[arg(long, value_name = "CIDR", default_value = "10.96.0.0/16", value_parser = parse_cidr)]
    pub service_cluster_ip_range: (Ipv4Addr, u8),
    /// How long history is kept, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub history_seconds: u32,
    /// Who decides what callers may do, in this order: Node, RBAC or AlwaysAllow.
    #[arg(
        long,
        value_name = "MODES",
        default_value = "Node,RBAC",
        value_delimiter = ','
    )]
    pub authorization_mode: Vec<Mode>,
    /// Calls that read, under way at a time.
    #[arg(long, value_name = "N", default_value_t = 400)]
    pub max_requests_inflight: usize,
    /// Calls that write, under way at a time.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub max_mutating_requests_inflight: usize,
    /// For a handshake, and for the head of a request, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 32)]
    pub header_timeout: u64,
    /// Seal Secrets with a new key from this start on, and those that exist anew. Give it for one start.
    #[arg(long)]
    pub new_seal_key: bool,
    /// An audit.k8s.io/v1 Policy that says what is kept of which requests; without it nothing is.
    #[arg(long, value_name = "FILE")]
    pub audit_policy_file: Option<PathBuf>,
    /// Where audit events go; by default `audit.log` in the data directory.
    #[arg(long, value_name = "FILE")]
    pub audit_log_path: Option<PathBuf>,
    /// Megabytes after which the audit log is turned over.
    #[arg(long, value_name = "MB", default_value_t = 100)]
    pub audit_log_maxsize: u32,
    /// Older audit logs that are kept.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub audit_log_maxbackup: u32,
    #[command(flatten)]
    pub common: Common,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let (env, shutdown) = args.common.begin()?;
    let token = args.common.token()?;
    let Args {
        listen,
        san,
        service_cluster_ip_range,
        history_seconds,
        authorization_mode,
        max_requests_inflight,
        max_mutating_requests_inflight,
        header_timeout,
        new_seal_key,
        audit_policy_file,
        audit_log_path,
        audit_log_maxsize,
        audit_log_maxbackup,
        common,
    } = args;
    let log = audit::Settings {
        path: audit_log_path.unwrap_or_else(|| common.data_dir.join("audit.log")),
        max_bytes: u64::from(audit_log_maxsize) << 20,
        max_backups: audit_log_maxbackup,
    };
    let audit = audit_policy_file
        .map(|path| audit_settings(&path, log))
        .transpose()?;
    let mut names = san;
    if !listen.ip().is_unspecified() {
        names.push(listen.ip().to_string());
    }
    let prepared = certificates::prepare(&common.data_dir.join("pki"), &names, env.cluster_clock.now())
        .context("prepare certificates")?;
    let defaults = Config::in_memory();
    let config = Config {
        data_dir: Some(common.data_dir),
        listen,
        service_cidr: service_cluster_ip_range,
        authority: Some(prepared.authority),
        bootstrap_tokens: token
            .map(|token| BootstrapToken {
                id: token.id,
                secret: token.secret,
            })
            .into_iter()
            .collect(),
        history: HistoryLimits {
            age_s: history_seconds,
            ..defaults.history
        },
        events: defaults.events,
        limits: Limits {
            header_timeout: Duration::from_secs(header_timeout),
            ..defaults.limits
        },
        authorization: authorization_mode,
        in_flight: InFlight {
            reads: max_requests_inflight,
            writes: max_mutating_requests_inflight,
        },
        new_seal_key,
        audit,
    };
    coracle_apiserver::run(config, env, prepared.identity, shutdown).await
}

fn audit_settings(path: &Path, log: audit::Settings) -> anyhow::Result<AuditSettings> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("read audit policy {shown}"))?;
    let policy = audit::Policy::parse(&text)
        .map_err(anyhow::Error::msg)
        .with_context(|| format!("read audit policy {shown}"))?;
    Ok(AuditSettings { policy, log })
}
