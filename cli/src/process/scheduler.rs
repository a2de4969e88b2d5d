//! `coracle scheduler`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context;
use coracle_api::yaml;
use coracle_client::join::Role;
use coracle_scheduler::{Config, configuration::Configuration};

use super::Member;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where to show health.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:10259")]
    pub health_listen: SocketAddr,
    /// A KubeSchedulerConfiguration: profiles, plugins, what they weigh.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub member: Member,
    #[command(flatten)]
    pub lease: super::controller_manager::LeaseArgs,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let (env, shutdown) = args.member.common.begin()?;
    let Args {
        health_listen,
        config,
        member,
        lease,
    } = args;
    let configuration = configuration(config.as_deref())?;
    let role = Role {
        role: "scheduler",
        name: String::new(),
        server_names: vec!["localhost".to_owned()],
    };
    let identity = member.identity(&role, &env, &shutdown).await?;
    let config = Config {
        instance: member.instance(&env)?,
        server: member.server,
        health: health_listen,
        lease: lease.timings(),
        configuration,
    };
    coracle_scheduler::run(config, env, identity, shutdown).await
}

/// The configuration in a file, or the default one.
pub fn configuration(path: Option<&Path>) -> anyhow::Result<Configuration> {
    let Some(path) = path else {
        return Ok(Configuration::default());
    };
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let value = yaml::document(&text).with_context(|| format!("read {}", path.display()))?;
    Configuration::read(value).with_context(|| format!("read {}", path.display()))
}
