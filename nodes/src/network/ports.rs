//! The NodePorts of the process's nodes: each is open on each node's address.

use std::{collections::BTreeMap, sync::Arc};

use coracle_proxy::{
    Connector,
    listeners::{self, Logged},
};
use coracle_runtime::Cache;
use coracle_service::{Env, Shutdown};

use crate::{agent::view::NodeView, config::Config};

/// Keeps the ports as the Services say until shutdown.
pub fn maintain(
    config: &Config,
    connector: &Arc<Connector>,
    nodes: &Cache<NodeView>,
    env: &Env,
    shutdown: &Shutdown,
) -> impl Future<Output = ()> + Send + use<> {
    let (own, nodes) = (config.nodes(), nodes.clone());
    let wanted = move |routes: &[_]| {
        let mut wanted = BTreeMap::new();
        for (name, ip) in &own {
            let node = nodes.get("", name);
            let zone = node.as_ref().map_or("", |node| &*node.metadata.labels.zone);
            listeners::node_ports(routes, *ip, (name, zone), Some(*ip), &mut wanted);
        }
        wanted
    };
    listeners::maintain(
        Arc::clone(connector),
        wanted,
        Logged,
        env.clone(),
        shutdown.clone(),
    )
}
