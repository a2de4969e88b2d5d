//! What the commands do, a file each.

mod credentials;
mod dashboard;
mod dns;
mod down;
mod fetch;
mod healthz;
mod node;
mod run;
mod seal_key;
mod signal;
mod status;
mod supervise;
mod up;
mod why;

use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;
use coracle_client::{ListQuery, ObjectApi};
use rustix::process::Signal;

use crate::{
    args::{Cli, Command},
    bench, output, process,
};

/// Runs a command; the exit code is its own where it has one.
pub async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Up(args) => up::run(args).await?,
        Command::Down(args) => down::run(&args).await?,
        Command::Run(args) => return run::run(args).await,
        Command::Status(args) => status::run(&args).await?,
        Command::Kubeconfig(args) => credentials::kubeconfig(&args).await?,
        Command::Credentials(args) => credentials::run(&args)?,
        Command::Node(args) => node::run(args).await?,
        Command::Kill(args) => signal::run(&args, Signal::KILL).await?,
        Command::Stop(args) => signal::run(&args, Signal::STOP).await?,
        Command::Cont(args) => signal::run(&args, Signal::CONT).await?,
        Command::SealKey(args) => seal_key::run(&args).await?,
        Command::Dashboard(args) => dashboard::run(&args).await?,
        Command::Fetch(args) => return fetch::run(args).await,
        Command::Dns(args) => return dns::run(args).await,
        Command::Why(args) => return why::run(args).await,
        Command::Healthz(args) => return healthz::run(&args).await,
        Command::Bench(args) => bench::run(args).await?,
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "coracle", &mut script);
            output::data(&String::from_utf8_lossy(&script));
        }
        Command::Supervise(args) => supervise::run(args).await?,
        Command::Apiserver(args) => process::apiserver::run(args).await?,
        Command::Scheduler(args) => process::scheduler::run(args).await?,
        Command::ControllerManager(args) => process::controller_manager::run(args).await?,
        Command::Storage(args) => process::storage::run(args).await?,
        Command::Edge(args) => process::edge::run(args).await?,
        Command::DashboardServer(args) => process::dashboard::run(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// How many nodes there are and how many of them are Ready.
pub async fn nodes_ready(api: &impl ObjectApi) -> anyhow::Result<(usize, usize)> {
    #[derive(serde::Deserialize)]
    struct Node {
        #[serde(default)]
        status: NodeStatus,
    }
    #[derive(Default, serde::Deserialize)]
    struct NodeStatus {
        #[serde(default)]
        conditions: Vec<Condition>,
    }
    #[derive(serde::Deserialize)]
    struct Condition {
        r#type: String,
        status: String,
    }
    let (objects, _) = api
        .list_all(&ListQuery::all(coracle_api::kinds::NODE))
        .await
        .context("list nodes")?;
    let mut ready = 0;
    for object in &objects {
        let node: Node = object.read()?;
        if node
            .status
            .conditions
            .iter()
            .any(|c| c.r#type == "Ready" && c.status == "True")
        {
            ready += 1;
        }
    }
    Ok((objects.len(), ready))
}
