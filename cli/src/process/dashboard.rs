//! `coracle dashboard-server`.

use std::net::SocketAddr;

use coracle_client::join::Role;
use coracle_dashboard::Config;

use super::Member;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where browsers reach it.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// Prefer the address of the last run, and take a free port where the wanted one is busy.
    #[arg(long)]
    pub any_port: bool,
    /// Answer without TLS on an address that is no loopback one: for a container whose port is published on 127.0.0.1.
    #[arg(long)]
    pub allow_plain: bool,
    /// A further name that browsers call it by; repeatable.
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
    #[command(flatten)]
    pub member: Member,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let (env, shutdown) = args.member.common.begin()?;
    let Args {
        listen,
        any_port,
        allow_plain,
        host,
        member,
    } = args;
    let mut server_names: Vec<String> = ["localhost", "127.0.0.1", "dashboard"].map(str::to_owned).into();
    if !listen.ip().is_unspecified() && !server_names.contains(&listen.ip().to_string()) {
        server_names.push(listen.ip().to_string());
    }
    server_names.extend(host.iter().cloned());
    let role = Role {
        role: "dashboard",
        name: String::new(),
        server_names,
    };
    let identity = member.identity(&role, &env, &shutdown).await?;
    let config = Config {
        server: member.server,
        listen,
        any_port,
        allow_plain,
        hosts: host,
        data_dir: member.common.data_dir,
    };
    coracle_dashboard::run(config, env, identity, shutdown).await
}
