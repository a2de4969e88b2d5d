//! The ports that the edge answers for Services: NodePorts on the address that people know, and every port of a load
//! balancer's address.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use coracle_proxy::{
    Protocol,
    listeners::{self, Place, Target, Told},
    table::Route,
};
use coracle_runtime::Note;

use crate::{Shared, balancer, config::Config};

/// Keeps the ports open until shutdown.
pub(crate) async fn run(shared: Shared) {
    let config = Arc::clone(&shared.config);
    let wanted = move |routes: &[Arc<Route>]| wanted(routes, &config);
    let (connector, env, shutdown) = (
        Arc::clone(&shared.connector),
        shared.env.clone(),
        shared.shutdown.clone(),
    );
    listeners::maintain(connector, wanted, Telling(shared), env, shutdown).await;
}

/// The ports that should be open.
pub(crate) fn wanted(routes: &[Arc<Route>], config: &Config) -> BTreeMap<Place, Target> {
    let mut wanted = BTreeMap::new();
    if let Some(address) = config.node_ports {
        listeners::node_ports(routes, address, ("", ""), None, &mut wanted);
    }
    for route in routes.iter().filter(|route| balancer::is_ours(&route.service)) {
        let Some(address) = route.service.load_balancer_ips.first() else {
            continue;
        };
        let usable = route
            .ports
            .iter()
            .filter(|port| port.is_usable() && port.protocol != Protocol::Sctp);
        for port in usable {
            let place = (port.protocol, SocketAddr::new(IpAddr::V4(*address), port.port));
            let target = Target {
                service: route.service.key(),
                port: port.name.clone(),
                node: "".into(),
                zone: "".into(),
                from: None,
            };
            wanted.insert(place, target);
        }
    }
    wanted
}

/// Tells people by events.
struct Telling(Shared);

impl Telling {
    fn tell(&self, target: &Target, reason: &'static str, message: String) {
        tracing::warn!(service = %target.service, reason, message);
        if let Some(service) = self.0.connector.table().services().get_key(&target.service) {
            self.0
                .recorder
                .record(Note::warning(balancer::reference(&service), reason, message));
        }
    }
}

impl Told for Telling {
    fn failed(&self, (protocol, address): Place, target: &Target, error: &io::Error) {
        let hint = if error.kind() == io::ErrorKind::AddrInUse {
            ": another cluster or process has it"
        } else {
            ""
        };
        let message = format!(
            "The edge cannot listen on {address}/{}: {error}{hint}",
            protocol.name()
        );
        self.tell(target, "FailedListen", message);
    }

    fn moved(&self, (_, address): Place, target: &Target) {
        let message = format!(
            "The edge may not listen on ports below 1024: {address} is found at 10000 more. `sysctl \
             net.ipv4.ip_unprivileged_port_start=0` lifts that"
        );
        self.tell(target, "PrivilegedPort", message);
    }
}
