//! `coracle supervise`: the process behind `up`.

use coracle_service::{Env, Shutdown, logging};

use crate::{
    args::Supervise,
    cluster::Cluster,
    process,
    supervisor::{Settings, Supervisor},
};

pub async fn run(args: Supervise) -> anyhow::Result<()> {
    let Supervise {
        cluster,
        listen,
        any_port,
        nodes,
        san,
        set,
        no_dashboard,
    } = args;
    process::memory::use_small_pages();
    logging::init("info", logging::Format::Text).map_err(anyhow::Error::msg)?;
    let cluster = Cluster::new(&cluster)?;
    let shutdown = Shutdown::new();
    process::end_on_signals(&shutdown)?;
    let settings = Settings {
        listen,
        any_port,
        nodes,
        san,
        set,
        dashboard: !no_dashboard,
    };
    let supervisor = Supervisor::start(cluster, &settings, Env::host(), shutdown.clone()).await?;
    shutdown.wait().await;
    supervisor.stop().await;
    Ok(())
}
