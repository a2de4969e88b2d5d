//! `coracle node`: the node process, or nodes added to and removed from a running cluster.

use std::time::Duration;

use anyhow::{Context, bail};
use coracle_api::kinds;
use coracle_client::{DeleteOptions, ObjectApi, Write, WriteOptions};
use coracle_service::Env;

use super::nodes_ready;
use crate::{
    args::{Name, Node, NodeAction},
    cluster::Cluster,
    output::Progress,
    process,
    supervisor::control::{self, Answer, Ask},
};

const START_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

pub async fn run(args: Node) -> anyhow::Result<()> {
    match (args.action, args.agent.0) {
        (Some(NodeAction::Add { cluster, count }), _) => add(&cluster, count).await,
        (Some(NodeAction::Remove { cluster, node }), _) => remove(&cluster, &node).await,
        (None, Some(agent)) => process::node::run(agent).await,
        (None, None) => {
            bail!("run a node: name its --server and --data-dir, or say `node add` or `node remove`")
        }
    }
}

async fn add(cluster: &Name, count: u32) -> anyhow::Result<()> {
    let env = Env::host();
    let cluster = Cluster::new(cluster)?;
    let progress = Progress::new();
    let began = env.transport_clock.monotonic();
    let api = cluster.client(&cluster.memory()?.server, &env)?;
    let Answer::Nodes { names } = control::ask(&cluster, &Ask::AddNodes { count }).await? else {
        bail!("ask the supervisor: it gave another answer; is it of the same version?")
    };
    let all_ready = async {
        for name in &names {
            while !is_ready(&api, name).await {
                env.transport_clock.sleep(POLL).await;
            }
            progress.step(
                &format!("Node {name} Ready"),
                env.transport_clock.monotonic() - began,
            );
        }
    };
    env.transport_clock
        .timeout(START_TIMEOUT, all_ready)
        .await
        .with_context(|| format!("wait for {}: see `coracle status`", names.join(", ")))?;
    let (total, _) = nodes_ready(&api).await?;
    progress.line(&format!("The cluster has {total} nodes now."));
    Ok(())
}

async fn is_ready(api: &impl ObjectApi, name: &str) -> bool {
    let Ok(node) = api.get(kinds::NODE, "", name).await else {
        return false;
    };
    let Ok(node) = node.read::<serde_json::Value>() else {
        return false;
    };
    let conditions = node["status"]["conditions"].as_array();
    conditions.is_some_and(|all| {
        all.iter()
            .any(|one| one["type"] == "Ready" && one["status"] == "True")
    })
}

async fn remove(cluster: &Name, node: &str) -> anyhow::Result<()> {
    let env = Env::host();
    let cluster = Cluster::new(cluster)?;
    let progress = Progress::new();
    let began = env.transport_clock.monotonic();
    control::ask(
        &cluster,
        &Ask::RemoveNode {
            node: node.to_owned(),
        },
    )
    .await?;
    let api = cluster.client(&cluster.memory()?.server, &env)?;
    let delete = Write::Delete {
        resource: kinds::NODE,
        namespace: String::new(),
        name: node.to_owned(),
        options: DeleteOptions::default(),
    };
    match api.write(delete, &WriteOptions::default()).await {
        Ok(_) => {}
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error).with_context(|| format!("delete node {node}")),
    }
    progress.step(
        &format!("Removed {node}"),
        env.transport_clock.monotonic() - began,
    );
    Ok(())
}
