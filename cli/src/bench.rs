//! `coracle bench`: measures a cluster and prints a table, or JSON.

#[derive(Clone, Debug, clap::Args)]
pub struct Args {}

pub async fn run(_args: Args) -> anyhow::Result<()> {
    anyhow::bail!("nothing to measure yet")
}
