//! Routes of a node with addressing of its own: a `local` one for its pods, and one per other node.
//!
//! Loopback addressing needs none. The Linux part speaks netlink and needs CAP_NET_ADMIN; nothing else in this crate
//! depends on the platform. Level-driven: whenever a Node changes, the routes that should be are put in place, which
//! does nothing where they are.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};

use coracle_runtime::Cache;
use coracle_service::{Env, Shutdown};
use tokio::sync::Notify;

use super::ipam::parse_cidr;
use crate::agent::view::NodeView;

/// How long to wait before routes that could not be put in place are tried again.
const RETRY: Duration = Duration::from_secs(5);

/// A route that should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Addresses of the range are this machine's own.
    Local,
    /// The range is reached through this node.
    Via(Ipv4Addr),
}

/// The routes of a node, by range: its own nodes' ranges are local, and others lead to their nodes.
#[must_use]
pub fn plan(nodes: &[Arc<NodeView>], own: &[String]) -> BTreeMap<(Ipv4Addr, u8), Route> {
    let mut routes = BTreeMap::new();
    for node in nodes {
        let Ok(range) = parse_cidr(&node.spec.pod_cidr) else {
            continue;
        };
        if own.iter().any(|name| **name == *node.metadata.name) {
            routes.insert(range, Route::Local);
        } else if let Ok(ip) = node.internal_ip().parse() {
            routes.insert(range, Route::Via(ip));
        }
    }
    routes
}

/// Keeps the routes as the Nodes say until shutdown.
pub async fn maintain(nodes: Cache<NodeView>, own: Vec<String>, env: Env, shutdown: Shutdown) {
    let changed = Arc::new(Notify::new());
    let notify = Arc::clone(&changed);
    nodes.subscribe(move |_| notify.notify_one());
    let work = async {
        let mut placed = BTreeMap::new();
        loop {
            let wanted = plan(&nodes.list(), &own);
            match platform::place(&placed, &wanted).await {
                Ok(()) => {
                    placed = wanted;
                    changed.notified().await;
                }
                Err(error) => {
                    tracing::error!(error, "set up pod routes");
                    let _ = env.transport_clock.timeout(RETRY, changed.notified()).await;
                }
            }
        }
    };
    shutdown.guard(work).await;
}

#[cfg(target_os = "linux")]
mod platform {
    use std::{collections::BTreeMap, net::Ipv4Addr};

    use rtnetlink::{
        Handle, RouteMessageBuilder,
        packet_route::route::{RouteScope, RouteType},
    };

    use super::Route;

    /// The loopback device, which holds local routes.
    const LOOPBACK_INDEX: u32 = 1;
    /// The kernel's table of local addresses.
    const TABLE_LOCAL: u32 = 255;

    type Routes = BTreeMap<(Ipv4Addr, u8), Route>;

    /// Removes routes that are no longer wanted and puts in place those that are.
    pub async fn place(placed: &Routes, wanted: &Routes) -> Result<(), String> {
        if placed == wanted {
            return Ok(());
        }
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(|error| format!("open netlink: {error}"))?;
        // The connection is driven beside the requests and ends with them.
        let requests = async {
            for (range, route) in placed
                .iter()
                .filter(|(range, route)| wanted.get(range) != Some(route))
            {
                // One that is gone already is as good.
                let _ = handle.route().del(message(*range, *route)).execute().await;
            }
            for (range, route) in wanted {
                add(&handle, *range, *route).await?;
            }
            Ok(())
        };
        tokio::pin!(connection);
        tokio::select! {
            biased;
            outcome = requests => outcome,
            () = &mut connection => Err("netlink connection ended".to_owned()),
        }
    }

    async fn add(handle: &Handle, range: (Ipv4Addr, u8), route: Route) -> Result<(), String> {
        let outcome = handle
            .route()
            .add(message(range, route))
            .replace()
            .execute()
            .await;
        outcome.map_err(|error| {
            let (base, length) = range;
            format!("add route {base}/{length} {route:?}: {error} (it needs CAP_NET_ADMIN)")
        })
    }

    fn message((base, length): (Ipv4Addr, u8), route: Route) -> rtnetlink::packet_route::route::RouteMessage {
        let builder = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(base, length);
        match route {
            Route::Local => builder
                .output_interface(LOOPBACK_INDEX)
                .table_id(TABLE_LOCAL)
                .scope(RouteScope::Host)
                .kind(RouteType::Local)
                .build(),
            Route::Via(gateway) => builder.gateway(gateway).build(),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::{collections::BTreeMap, net::Ipv4Addr};

    use super::Route;

    /// There are no routes to be had on this platform.
    pub async fn place(
        _placed: &BTreeMap<(Ipv4Addr, u8), Route>,
        _wanted: &BTreeMap<(Ipv4Addr, u8), Route>,
    ) -> Result<(), String> {
        Err("routed addressing needs Linux".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_ranges_are_local_and_others_lead_to_their_nodes() {
        let node = |name: &str, range: &str, ip: &str| {
            let json = serde_json::json!({"metadata": {"name": name}, "spec": {"podCIDR": range},
                "status": {"addresses": [{"type": "InternalIP", "address": ip}]}});
            Arc::new(serde_json::from_value::<NodeView>(json).expect("node"))
        };
        let nodes = [
            node("a", "10.244.0.0/24", "172.18.0.2"),
            node("b", "10.244.1.0/24", "172.18.0.3"),
            node("c", "", "172.18.0.4"),
            node("d", "10.244.2.0/24", ""),
        ];
        let routes = plan(&nodes, &["a".to_owned()]);
        let expected = [
            ((Ipv4Addr::new(10, 244, 0, 0), 24), Route::Local),
            (
                (Ipv4Addr::new(10, 244, 1, 0), 24),
                Route::Via(Ipv4Addr::new(172, 18, 0, 3)),
            ),
        ];
        assert_eq!(routes.into_iter().collect::<Vec<_>>(), expected);
    }
}
