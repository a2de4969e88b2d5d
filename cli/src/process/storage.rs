//! `coracle storage`.

use std::net::SocketAddr;

use coracle_client::join::Role;
use coracle_storage::{Config, Limits};

use super::Member;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where to listen.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:2049")]
    pub listen: SocketAddr,
    #[command(flatten)]
    pub member: Member,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let (env, shutdown) = args.member.common.begin()?;
    let Args { listen, member } = args;
    let mut server_names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "storage".to_owned(),
    ];
    if !listen.ip().is_unspecified() {
        server_names.push(listen.ip().to_string());
    }
    let role = Role {
        role: "storage",
        name: String::new(),
        server_names,
    };
    let identity = member.identity(&role, &env, &shutdown).await?;
    let config = Config {
        data_dir: member.common.data_dir,
        listen,
        limits: Limits::default(),
    };
    coracle_storage::run(config, env, identity, shutdown).await
}
