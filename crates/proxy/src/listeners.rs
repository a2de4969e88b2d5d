//! Ports that lead to Services: opened when they are wanted and closed when they are not.
//!
//! Level-driven: whenever the table changes, the ports that should be open are compared with those that are. A port
//! whose Service has nobody to answer is closed, so that whoever connects is refused at once. Connections outlive the
//! port that they came through.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use coracle_runtime::Key;
use coracle_service::{Env, Listener, Shutdown};
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::{
    Connector, Origin,
    connect::UNPRIVILEGED_OFFSET,
    forward::{after_accept_error, both_ways, datagrams},
    table::Route,
    view::Protocol,
};

/// Ports that one process opens; further ones stay closed, and the log says so.
pub const MAX_PORTS: usize = 4_096;
/// Connections of one port at a time; further ones wait.
pub const MAX_CONNECTIONS: usize = 4_096;
/// How long to wait before a port that could not be opened is tried again.
pub const RETRY: Duration = Duration::from_secs(2);
/// How long changes are gathered before ports are compared.
const GATHER: Duration = Duration::from_millis(5);

/// A port that should be open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whose it is.
    pub service: Key,
    /// The name of the Service's port.
    pub port: Box<str>,
    /// The node whose port it is; empty outside the cluster.
    pub node: Box<str>,
    /// The zone of the node.
    pub zone: Box<str>,
    /// Whom it forwards as; `None` for any address.
    pub from: Option<Ipv4Addr>,
}

/// Where a port is: protocol and address.
pub type Place = (Protocol, SocketAddr);

/// What somebody who opens ports is told.
pub trait Told: Send + Sync + 'static {
    /// A port could not be opened; told once per failure that is new.
    fn failed(&self, place: Place, target: &Target, error: &io::Error);
    /// A port below 1024 was opened at [`UNPRIVILEGED_OFFSET`] more.
    fn moved(&self, place: Place, target: &Target);
}

/// The log alone.
pub struct Logged;

impl Told for Logged {
    fn failed(&self, (protocol, address): Place, target: &Target, error: &io::Error) {
        tracing::warn!(service = %target.service, %address, protocol = protocol.name(), %error, "open service port");
    }

    fn moved(&self, (_, address): Place, target: &Target) {
        tracing::warn!(service = %target.service, %address, "port below 1024 moved up by 10000");
    }
}

struct Open {
    target: Target,
    end: Shutdown,
    task: JoinHandle<()>,
}

/// Keeps ports open as `wanted` says until shutdown; it is asked again whenever the table changed. One per table.
pub async fn maintain(
    connector: Arc<Connector>,
    wanted: impl Fn(&[Arc<Route>]) -> BTreeMap<Place, Target> + Send,
    told: impl Told,
    env: Env,
    shutdown: Shutdown,
) {
    let table = Arc::clone(connector.table());
    let mut open: BTreeMap<Place, Open> = BTreeMap::new();
    let mut failures: BTreeMap<Place, io::ErrorKind> = BTreeMap::new();
    let work = async {
        table.wait_synced().await;
        loop {
            let mut wanted = wanted(&table.routes());
            if wanted.len() > MAX_PORTS {
                tracing::warn!(
                    ports = wanted.len(),
                    limit = MAX_PORTS,
                    "more service ports than one process opens"
                );
                wanted = wanted.into_iter().take(MAX_PORTS).collect();
            }
            close(&mut open, |place, own| wanted.get(place) != Some(&own.target)).await;
            failures.retain(|place, _| wanted.contains_key(place));
            for (place, target) in wanted {
                if open.contains_key(&place) {
                    continue;
                }
                match listen(&connector, place, &target, &told, &env, &shutdown).await {
                    Ok(opened) => {
                        failures.remove(&place);
                        open.insert(place, opened);
                    }
                    Err(error) => {
                        if failures.insert(place, error.kind()) != Some(error.kind()) {
                            told.failed(place, &target, &error);
                        }
                    }
                }
            }
            if failures.is_empty() {
                table.changed().await;
            } else {
                let _ = env.transport_clock.timeout(RETRY, table.changed()).await;
            }
            env.transport_clock.sleep(GATHER).await;
        }
    };
    shutdown.guard(work).await;
    // Closed when this returns, so that a successor can have them.
    close(&mut open, |_, _| true).await;
}

async fn close(open: &mut BTreeMap<Place, Open>, goes: impl Fn(&Place, &Open) -> bool) {
    let gone: Vec<Place> = open
        .iter()
        .filter(|(place, own)| goes(place, own))
        .map(|(place, _)| *place)
        .collect();
    for own in gone
        .iter()
        .filter_map(|place| open.remove(place))
        .collect::<Vec<_>>()
    {
        own.end.trigger();
        let _ = own.task.await;
    }
}

async fn listen(
    connector: &Arc<Connector>,
    place: Place,
    target: &Target,
    told: &impl Told,
    env: &Env,
    shutdown: &Shutdown,
) -> io::Result<Open> {
    let (protocol, address) = place;
    let moved = SocketAddr::new(address.ip(), address.port().saturating_add(UNPRIVILEGED_OFFSET));
    let may_move =
        |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied && address.port() < 1_024;
    let end = shutdown.child();
    let port = Port {
        connector: Arc::clone(connector),
        target: target.clone(),
        env: env.clone(),
    };
    let task = if protocol == Protocol::Udp {
        let socket = match env.network.datagram(address).await {
            Err(error) if may_move(&error) => {
                told.moved(place, target);
                env.network.datagram(moved).await
            }
            outcome => outcome,
        }?;
        let end = end.clone();
        env.spawn.task("service port", async move {
            let (from, env) = (port.target.from, port.env.clone());
            end.guard(datagrams(socket, from, move |client| port.choose(client), env))
                .await;
        })
    } else {
        let listener = match env.network.listen(address).await {
            Err(error) if may_move(&error) => {
                told.moved(place, target);
                env.network.listen(moved).await
            }
            outcome => outcome,
        }?;
        let end = end.clone();
        env.spawn.task("service port", async move {
            end.guard(port.accept(listener)).await;
        })
    };
    Ok(Open {
        target: target.clone(),
        end,
        task,
    })
}

struct Port {
    connector: Arc<Connector>,
    target: Target,
    env: Env,
}

impl Port {
    async fn accept(self, mut listener: Box<dyn Listener>) {
        let (port, slots) = (Arc::new(self), Arc::new(Semaphore::new(MAX_CONNECTIONS)));
        loop {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            let (client, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    after_accept_error(&error, &port.env).await;
                    continue;
                }
            };
            let port = Arc::clone(&port);
            let env = port.env.clone();
            env.spawn.task("service connection", async move {
                match port.connect(from.ip()).await {
                    // Whoever ends first, the other has seen what there was.
                    Ok(endpoint) => drop(both_ways(client, endpoint).await),
                    Err(error) => {
                        tracing::debug!(service = %port.target.service, %error, "connect to endpoint");
                    }
                }
                drop(slot);
            });
        }
    }

    fn origin(&self, client: IpAddr) -> Origin<'_> {
        Origin {
            from: self.target.from,
            client: Some(client),
            node: &self.target.node,
            zone: &self.target.zone,
            external: true,
        }
    }

    async fn connect(&self, client: IpAddr) -> io::Result<coracle_service::BoxIo> {
        let gone = || io::Error::new(io::ErrorKind::ConnectionRefused, "the service is gone");
        let route = self
            .connector
            .table()
            .route(&self.target.service)
            .ok_or_else(gone)?;
        let port = route.named(&self.target.port, Protocol::Tcp).ok_or_else(gone)?;
        let origin = self.origin(client);
        let (io, _) = self.connector.connect_port(&route, port, &origin).await?;
        Ok(io)
    }

    /// Where a client's datagrams go.
    fn choose(&self, client: SocketAddr) -> Option<SocketAddr> {
        let route = self.connector.table().route(&self.target.service)?;
        let port = route.named(&self.target.port, Protocol::Udp)?;
        let chosen = self.connector.choose(&route, port, &self.origin(client.ip()));
        chosen
            .first()
            .map(|backend| SocketAddr::new(IpAddr::V4(backend.ip), backend.port))
    }
}

/// The NodePorts of a node at `address`: those of Services with somebody to answer there.
pub fn node_ports(
    routes: &[Arc<Route>],
    address: Ipv4Addr,
    (node, zone): (&str, &str),
    from: Option<Ipv4Addr>,
    wanted: &mut BTreeMap<Place, Target>,
) {
    for route in routes {
        let here = |backend: &crate::table::Backend| {
            node.is_empty() || !route.service.external_local || &*backend.node == node
        };
        for port in route.ports.iter().filter(|port| port.node_port != 0) {
            let answers =
                |backend: &crate::table::Backend| here(backend) && (backend.ready || backend.serving);
            if port.protocol == Protocol::Sctp || !port.backends.iter().any(answers) {
                continue;
            }
            let place = (
                port.protocol,
                SocketAddr::new(IpAddr::V4(address), port.node_port),
            );
            wanted.insert(
                place,
                Target {
                    service: route.service.key(),
                    port: port.name.clone(),
                    node: node.into(),
                    zone: zone.into(),
                    from,
                },
            );
        }
    }
}
