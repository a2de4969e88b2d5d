//! `coracle scheduler`.

use std::net::SocketAddr;

use coracle_client::join::Role;
use coracle_scheduler::Config;

use super::Member;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where to show health.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:10259")]
    pub health_listen: SocketAddr,
    #[command(flatten)]
    pub member: Member,
    #[command(flatten)]
    pub lease: super::controller_manager::LeaseArgs,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let (env, shutdown) = args.member.common.begin()?;
    let Args {
        health_listen,
        member,
        lease,
    } = args;
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
    };
    coracle_scheduler::run(config, env, identity, shutdown).await
}
