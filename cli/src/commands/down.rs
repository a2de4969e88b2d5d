//! `coracle down`: stops a cluster, and with `--delete` forgets it.

use anyhow::Context;
use coracle_service::Env;

use crate::{
    args::Down,
    cluster::Cluster,
    kubeconfig,
    output::Progress,
    supervisor::control::{Ask, Call},
};

pub async fn run(args: &Down) -> anyhow::Result<()> {
    let env = Env::host();
    let cluster = Cluster::new(&args.cluster)?;
    let progress = Progress::new();
    let began = env.transport_clock.monotonic();
    anyhow::ensure!(
        cluster.dir.exists(),
        "stop cluster {:?}: there is none in {}",
        cluster.name,
        cluster.dir.display()
    );
    let memory = cluster.memory()?;
    if let Some(path) = memory
        .kubeconfig
        .clone()
        .or_else(|| kubeconfig::chosen(&args.kubeconfig))
        && !args.kubeconfig.none
    {
        let previous = memory.previous_context.as_deref();
        kubeconfig::remove(&path, &cluster.context(), previous, &env.transport_clock).await?;
    }
    if Call::start(&cluster, &Ask::Status).await.is_ok() {
        let mut call = Call::start(&cluster, &Ask::Stop).await?;
        while call.next().await?.is_some() {}
        progress.step(
            &format!("Stopped cluster {:?}", cluster.name),
            env.transport_clock.monotonic() - began,
        );
    } else {
        progress.line(&format!("Cluster {:?} was not running.", cluster.name));
    }
    if args.delete {
        std::fs::remove_dir_all(&cluster.dir).with_context(|| format!("delete {}", cluster.dir.display()))?;
        progress.step(
            &format!("Deleted {}", cluster.dir.display()),
            env.transport_clock.monotonic() - began,
        );
    }
    Ok(())
}
