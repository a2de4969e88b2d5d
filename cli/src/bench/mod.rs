//! `coracle bench`: measures a cluster and prints a table, or JSON.
//!
//! Each measurement runs against a throwaway cluster of its own (or, with `--name`, a running one), over the gRPC door,
//! with TLS and fsync on; the client's own CPU is part of what is measured. The machine's raw rates are printed beside
//! the results, since absolute figures move with the machine.

mod create;
mod density;
mod fill;
mod host;
mod list;
mod machine;
mod report;
mod rollout;
mod scheduler;
mod store;
mod watch;
mod workload;

use std::{path::PathBuf, sync::Arc};

use clap::Subcommand;
use coracle_client::GrpcClient;
use coracle_service::Env;

use crate::args::Format;
use report::Report;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    measurement: Measurement,
    /// Measure this running cluster instead of a throwaway one.
    #[arg(long, global = true)]
    name: Option<String>,
    /// The running cluster's data directory.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// First fill the registry with this many other objects.
    #[arg(long, global = true, default_value_t = 0)]
    objects: usize,
    /// How to print the result.
    #[arg(short, long, global = true, value_enum, default_value_t)]
    output: Format,
}

#[derive(Clone, Debug, Subcommand)]
enum Measurement {
    /// The store without an apiserver: puts of 1 KiB, history and compaction on. `--objects` are loaded first.
    Store {
        #[arg(long, value_delimiter = ',', default_values_t = [1, 64])]
        clients: Vec<usize>,
        /// Seconds for each number of clients.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// The scheduler without a cluster: pods decided on made-up nodes.
    Scheduler {
        #[arg(long, default_value_t = 5_000)]
        nodes: usize,
        #[arg(long, default_value_t = 10_000)]
        pods: usize,
    },
    #[command(flatten)]
    OfCluster(OfCluster),
}

#[derive(Clone, Debug, Subcommand)]
enum OfCluster {
    /// From an empty directory to Ready nodes, and what the idle processes weigh.
    Start {
        #[arg(long, default_value_t = 3)]
        nodes: u32,
    },
    /// Deployments, from their creation to all pods Ready, and away again.
    Density {
        #[arg(long, default_value_t = 100)]
        nodes: u32,
        /// Pods in all.
        #[arg(long, default_value_t = 1000)]
        pods: u32,
        /// Deployments that share the pods evenly.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        deployments: u32,
    },
    /// A rolling update of one Deployment, with a quarter surge and a quarter unavailable.
    Rollout {
        #[arg(long, default_value_t = 100)]
        nodes: u32,
        #[arg(long, default_value_t = 100)]
        replicas: u32,
    },
    /// Creates of 1 KiB ConfigMaps.
    Create {
        #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
        clients: Vec<usize>,
        /// Seconds for each number of clients.
        #[arg(long, default_value_t = 3)]
        seconds: u64,
    },
    /// Gets, and lists of many pods.
    List {
        #[arg(long, default_value_t = 10_000)]
        pods: usize,
    },
    /// Many watchers of many writes.
    Watch {
        #[arg(long, default_value_t = 100)]
        watchers: usize,
        #[arg(long, default_value_t = 1000)]
        writes: usize,
        #[arg(long, default_value_t = 16)]
        writers: usize,
    },
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let env = Env::host();
    let Args {
        measurement,
        name,
        data_dir,
        objects,
        output,
    } = args;
    let mut report = Report::new(machine::Rates::measure(&env).await?);
    let measurement = match measurement {
        Measurement::Store { clients, seconds } => {
            store::run(objects, &clients, seconds, &env, &mut report).await?;
            return report.print(output);
        }
        Measurement::Scheduler { nodes, pods } => {
            scheduler::run(nodes, pods, &env, &mut report);
            return report.print(output);
        }
        Measurement::OfCluster(measurement) => measurement,
    };
    let nodes = match &measurement {
        OfCluster::Start { nodes } | OfCluster::Density { nodes, .. } | OfCluster::Rollout { nodes, .. } => {
            *nodes
        }
        _ => 0,
    };
    let host = match name {
        Some(name) => host::Host::running(&name, data_dir, &env).await?,
        None => host::Host::throwaway(nodes, &env).await?,
    };
    let measured = async {
        fill::run(objects, &host.client(&env)?).await?;
        measure(&measurement, &host, &env, &mut report).await
    };
    let measured = measured.await;
    host.end().await;
    measured?;
    report.print(output)
}

async fn measure(
    measurement: &OfCluster,
    host: &host::Host,
    env: &Env,
    report: &mut Report,
) -> anyhow::Result<()> {
    match measurement {
        OfCluster::Start { nodes } => {
            report.row(
                &format!("start with {nodes} nodes, until all are Ready"),
                host.start_time().as_secs_f64(),
                "s",
            );
            for (process, bytes) in host.memory()? {
                report.row(&format!("memory of {process} (PSS)"), bytes as f64 / 1e6, "MB");
            }
            Ok(())
        }
        OfCluster::Density {
            pods, deployments, ..
        } => density::run(*pods, *deployments, host, env, report).await,
        OfCluster::Rollout { replicas, .. } => rollout::run(*replicas, host, env, report).await,
        OfCluster::Create { clients, seconds } => create::run(clients, *seconds, host, env, report).await,
        OfCluster::List { pods } => list::run(*pods, host, env, report).await,
        OfCluster::Watch {
            watchers,
            writes,
            writers,
        } => watch::run(*watchers, *writes, *writers, host, env, report).await,
    }
}

/// A namespace for a measurement's objects.
async fn namespace(api: &GrpcClient, name: &str) -> anyhow::Result<()> {
    use coracle_client::{ObjectApi, Write, WriteOptions};
    let json = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let write = Write::Create {
        resource: coracle_api::kinds::NAMESPACE,
        namespace: String::new(),
        name: name.to_owned(),
        subresource: "",
        json: serde_json::to_vec(&json)?.into(),
    };
    match api.write(write, &WriteOptions::default()).await {
        Err(error) if !error.is_already_exists() => Err(error.into()),
        _ => Ok(()),
    }
}

/// A ConfigMap of about 1 KiB.
fn config_map(namespace: &str, name: String) -> coracle_client::Write {
    let filler = "x".repeat(850);
    let json = format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}","namespace":"{namespace}"}},"data":{{"filler":"{filler}"}}}}"#
    );
    coracle_client::Write::Create {
        resource: coracle_api::kinds::CONFIG_MAP,
        namespace: namespace.to_owned(),
        name,
        subresource: "",
        json: json.into(),
    }
}

/// The given quantile of durations in milliseconds; sorts them.
fn quantile_ms(samples: &mut [std::time::Duration], quantile: f64) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    samples.sort_unstable();
    let index = ((samples.len() - 1) as f64 * quantile).round() as usize;
    samples[index].as_secs_f64() * 1e3
}

/// "1 client", "64 clients".
fn counted(clients: usize) -> String {
    if clients == 1 {
        "1 client".to_owned()
    } else {
        format!("{clients} clients")
    }
}

/// Clients over connections of their own, a client each.
fn clients(count: usize, host: &host::Host, env: &Env) -> anyhow::Result<Vec<Arc<GrpcClient>>> {
    (0..count).map(|_| host.client(env).map(Arc::new)).collect()
}
